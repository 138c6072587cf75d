//! What every spool must do, whatever it stands on: run by each implementation's tests.

mod sample;

use super::approval::Approval;
use super::content::Content;
use super::message::{HoldDecision, HoldState, MessageKind, Outcome, Progress, RecipientOutcome, SetState, Settlement};
use super::promise::wait;
use super::roster::Roster;
use super::{Decided, Spool, SpoolFault};
use crate::mail::{HoldId, MessageId, Reply, SetId};
use crate::track::{Decision, EventKind, Reason, ReportKind};
use sample::receive;
pub(crate) use sample::{Sample, moment, settlement};

/// Runs all of it, each on an empty spool.
pub(crate) fn check_all(make: impl Fn() -> Box<dyn Spool>) {
    for check in [
        keeps_a_message_until_its_last_set,
        keeps_bodies_of_every_size,
        a_pending_pass_is_taken_up_again,
        progress_is_numbered_and_overrules,
        reports_are_part_of_the_commit,
        a_hold_keeps_finished_sets,
        two_moderators_one_winner,
        a_step_changes_the_hold_it_was_judged_on_and_no_other,
        decided_holds_stay_until_forgotten,
        events_keep_their_order_and_numbers,
        rosters_outlive_their_message_until_traced,
        a_pass_that_leaves_nobody_ends_at_once,
        what_is_not_there_is_missing,
        ids_are_never_used_twice,
    ] {
        check(&*make());
    }
}

fn decision(hold: HoldId, by: &str) -> HoldDecision {
    HoldDecision {
        hold,
        state: HoldState::Decided {
            decision: Decision::Approved,
            by: by.to_owned(),
            at: moment(10),
            comment: None,
        },
        approval: revised(1),
        outcome: Outcome::default(),
    }
}

/// How a hold stands after so many changes.
fn revised(revision: u64) -> Approval {
    Approval {
        revision,
        ..Approval::default()
    }
}

fn is_missing<T: std::fmt::Debug>(answer: &Result<T, SpoolFault>) -> bool {
    matches!(answer, Err(SpoolFault::Missing(_)))
}

/// All octets of a content.
pub(crate) fn octets(content: &Content) -> Vec<u8> {
    let mut all = Vec::new();
    let mut chunk = [0; 1_000];
    loop {
        let count = content.read_at(all.len() as u64, &mut chunk).expect("reads");
        if count == 0 {
            return all;
        }
        all.extend_from_slice(&chunk[..count]);
    }
}

/// Accepts, and expects that it goes well.
pub(crate) fn accept(spool: &dyn Spool, sample: &Sample) {
    wait(spool.accept(sample.acceptance.clone())).expect("accepts");
}

fn keeps_a_message_until_its_last_set(spool: &dyn Spool) {
    let mut sample = Sample::new(spool, 10);
    let second = sample.another_set(spool, 2);
    sample.outcome().sets.push(second.clone());
    accept(spool, &sample);
    assert_eq!(
        spool.message(sample.id()).expect("is there"),
        sample.acceptance.message.message
    );
    let stored = spool.set(sample.set().id).expect("is there");
    assert_eq!((&stored.set, stored.recipients), (sample.set(), 10));
    let recovered = spool.recover().expect("recovers");
    assert_eq!(recovered.sets.len(), 2);
    assert!(
        recovered.sets.iter().all(|set| set.set.roster.is_empty()),
        "rosters stay in the store"
    );
    assert_eq!(recovered.sets[0].recipients, 10);

    wait(spool.settle(settlement(second.id, true))).expect("settles");
    let recovered = spool.recover().expect("recovers");
    assert_eq!(recovered.sets.len(), 1, "a finished set is not taken up again");
    assert_eq!(
        spool.sets_of(sample.id()).expect("is there").len(),
        2,
        "but it is still known"
    );
    wait(spool.settle(settlement(sample.set().id, true))).expect("settles");
    assert!(is_missing(&spool.message(sample.id())));
    assert!(is_missing(&spool.set(second.id)));
    let events = spool.outbox(100).expect("reads");
    assert_eq!(
        events.last().map(|(_, event)| event.kind.clone()),
        Some(EventKind::Done)
    );
}

fn keeps_bodies_of_every_size(spool: &dyn Spool) {
    let head = b"Subject: sizes\r\n\r\n";
    for size in [18, 16_384, 16_385, 100_000, 1_048_576, 1_048_577, 3_000_000] {
        let mut expected = head.to_vec();
        expected.extend((0..size - head.len()).map(|index| (index % 251) as u8));
        let mut writer = spool.writer().expect("takes mail");
        for part in expected.chunks(7_000) {
            writer.write(part).expect("writes");
        }
        assert_eq!(writer.len(), size as u64);
        let content = writer.finish().expect("finishes");
        let sample = Sample::with_content(spool, 1, content.clone());
        accept(spool, &sample);
        drop(sample.acceptance.message);
        let again = spool.content(content_owner(spool)).expect("is there");
        assert!(octets(&again) == expected, "{size} octets");
        assert!(again.head.starts_with(head));
        assert_eq!(again.len(), size as u64);
        // Content may be used for another message, whoever ends first.
        let copy = Sample::with_content(spool, 1, again.clone());
        accept(spool, &copy);
        let first = spool.recover().expect("recovers").sets[0].set.id;
        wait(spool.settle(settlement(first, true))).expect("settles");
        let again = spool.content(copy.id()).expect("is there");
        assert!(octets(&again) == expected, "{size} octets, second owner");
        wait(spool.settle(settlement(copy.set().id, true))).expect("settles");
        assert!(
            octets(&again) == expected,
            "{size} octets, after the end, for who still reads"
        );
    }
}

/// The only message there is.
fn content_owner(spool: &dyn Spool) -> MessageId {
    spool.recover().expect("recovers").sets[0].set.message
}

fn a_pending_pass_is_taken_up_again(spool: &dyn Spool) {
    let sample = Sample::bare(Content::in_memory("Subject: x\r\n\r\n"));
    accept(spool, &sample);
    assert_eq!(spool.recover().expect("recovers").pending, [sample.id()]);
    let outcome = Outcome {
        sets: vec![sample.another_set(spool, 1)],
        ..Outcome::default()
    };
    wait(spool.complete(sample.id(), outcome.clone())).expect("completes");
    let recovered = spool.recover().expect("recovers");
    assert_eq!((recovered.pending.len(), recovered.sets.len()), (0, 1));
    assert!(
        is_missing(&wait(spool.complete(sample.id(), outcome))),
        "a pass ends once"
    );
}

fn progress_is_numbered_and_overrules(spool: &dyn Spool) {
    let sample = Sample::new(spool, 100);
    accept(spool, &sample);
    let rows = |first: u32, last: u32, outcome: RecipientOutcome| Progress { first, last, outcome };
    let deferred = RecipientOutcome::Deferred {
        reply: Some(Reply::new(451, (4, 4, 1), "later")),
        reason: Reason::NextHopDeferred,
    };
    let state = SetState {
        attempts: 1,
        next_attempt_at: Some(moment(60)),
        delay_reported: false,
        reported_through: 0,
    };
    let first = Settlement {
        progress: vec![rows(0, 97, RecipientOutcome::Relayed), rows(98, 99, deferred)],
        state: state.clone(),
        ..settlement(sample.set().id, false)
    };
    wait(spool.settle(first.clone())).expect("settles");
    let second = Settlement {
        progress: vec![rows(98, 98, RecipientOutcome::Relayed)],
        state: state.clone(),
        ..settlement(sample.set().id, false)
    };
    wait(spool.settle(second.clone())).expect("settles");
    let expected: Vec<(u64, Progress)> = (1..).zip(first.progress.into_iter().chain(second.progress)).collect();
    for stored in [
        spool.set(sample.set().id).expect("is there"),
        spool.recover().expect("recovers").sets.remove(0),
    ] {
        assert_eq!(stored.progress, expected);
        assert_eq!(stored.state, state);
    }
}

fn reports_are_part_of_the_commit(spool: &dyn Spool) {
    let sample = Sample::new(spool, 1);
    accept(spool, &sample);
    let mut report = Sample::new(spool, 1);
    report.acceptance.message.message.kind = MessageKind::Report {
        about: sample.id(),
        report: ReportKind::Failed,
    };
    let settled = Settlement {
        reports: vec![report.acceptance.clone()],
        ..settlement(sample.set().id, true)
    };
    wait(spool.settle(settled.clone())).expect("settles");
    assert!(is_missing(&spool.message(sample.id())));
    assert_eq!(
        spool.message(report.id()).expect("is there").kind,
        report.acceptance.message.message.kind
    );
    assert!(
        is_missing(&wait(spool.settle(settled))),
        "the set is gone, so is its settlement"
    );
    assert_eq!(spool.recover().expect("recovers").sets.len(), 1);
}

fn a_hold_keeps_finished_sets(spool: &dyn Spool) {
    let mut sample = Sample::new(spool, 5);
    let hold = sample.hold(spool);
    sample.outcome().holds.push(hold.clone());
    accept(spool, &sample);
    wait(spool.settle(settlement(sample.set().id, true))).expect("settles");
    let sets = spool.sets_of(sample.id()).expect("the message is kept by its hold");
    assert_eq!(sets[0].set.roster, sample.set().roster, "a release subtracts it");
    assert_eq!(spool.recover().expect("recovers").holds, std::slice::from_ref(&hold));
    let mut release = decision(hold.id, "boss");
    release.outcome.sets.push(sample.another_set(spool, 2));
    wait(spool.decide(release)).expect("decides");
    assert_eq!(spool.sets_of(sample.id()).expect("is there").len(), 2);
    let open = spool.recover().expect("recovers");
    assert_eq!((open.sets.len(), open.holds.len()), (1, 0));
    wait(spool.settle(settlement(open.sets[0].set.id, true))).expect("settles");
    assert!(is_missing(&spool.message(sample.id())));
}

fn two_moderators_one_winner(spool: &dyn Spool) {
    let mut sample = Sample::new(spool, 1);
    let hold = sample.hold(spool);
    sample.outcome().holds.push(hold.clone());
    accept(spool, &sample);
    let first = spool.decide(decision(hold.id, "first"));
    let second = spool.decide(decision(hold.id, "second"));
    assert_eq!(wait(first), Ok(Decided::Applied));
    match wait(second).expect("answers") {
        Decided::Already(hold) => match hold.state {
            HoldState::Decided { by, .. } => assert_eq!(by, "first"),
            HoldState::Waiting => panic!("it was decided"),
        },
        Decided::Applied => panic!("only one decision counts"),
    }
}

fn a_step_changes_the_hold_it_was_judged_on_and_no_other(spool: &dyn Spool) {
    let mut sample = Sample::new(spool, 1);
    let hold = sample.hold(spool);
    sample.outcome().holds.push(hold.clone());
    accept(spool, &sample);
    let asked = |revision, recipients| HoldDecision {
        state: HoldState::Waiting,
        approval: Approval {
            recipients,
            ..revised(revision)
        },
        ..decision(hold.id, "nobody")
    };
    assert_eq!(wait(spool.decide(asked(1, 7))), Ok(Decided::Applied));
    // Judged on the hold as it was before.
    for stale in [asked(1, 8), decision(hold.id, "boss")] {
        match wait(spool.decide(stale)).expect("answers") {
            Decided::Already(now) => assert_eq!((now.approval.recipients, now.state), (7, HoldState::Waiting)),
            Decided::Applied => panic!("it was judged on an older hold"),
        }
    }
    assert_eq!(spool.holds().expect("reads")[0].approval.revision, 1);
    wait(spool.settle(settlement(sample.set().id, true))).expect("settles");
    assert!(
        spool.message(sample.id()).is_ok(),
        "a hold that waits keeps its message"
    );
    let last = HoldDecision {
        approval: revised(2),
        ..decision(hold.id, "boss")
    };
    assert_eq!(wait(spool.decide(last)), Ok(Decided::Applied));
    assert!(is_missing(&spool.message(sample.id())));
}

fn decided_holds_stay_until_forgotten(spool: &dyn Spool) {
    let mut sample = Sample::new(spool, 1);
    let (old, open) = (sample.hold(spool), sample.hold(spool));
    sample.outcome().holds.extend([old.clone(), open.clone()]);
    accept(spool, &sample);
    wait(spool.decide(decision(old.id, "boss"))).expect("decides");
    assert_eq!(spool.holds().expect("reads"), std::slice::from_ref(&open));
    wait(spool.forget_holds(moment(10))).expect("forgets");
    assert!(spool.hold(old.id).is_ok(), "decided at that very moment, not before");
    wait(spool.forget_holds(moment(11))).expect("forgets");
    assert!(is_missing(&spool.hold(old.id)));
    assert!(spool.hold(open.id).is_ok(), "waiting holds are never forgotten");
}

fn events_keep_their_order_and_numbers(spool: &dyn Spool) {
    let samples: Vec<Sample> = (0..3).map(|_| Sample::new(spool, 1)).collect();
    for sample in &samples {
        accept(spool, sample);
    }
    spool.record(vec![samples[0].event(receive())]);
    wait(spool.settle(settlement(samples[1].set().id, true))).expect("settles");
    let all = spool.outbox(100).expect("reads");
    let names: Vec<&str> = all.iter().map(|(_, event)| event.kind.name()).collect();
    assert_eq!(
        names,
        [
            "RECEIVE", "QUEUE", "RECEIVE", "QUEUE", "RECEIVE", "QUEUE", "RECEIVE", "DONE"
        ]
    );
    assert!(all.windows(2).all(|pair| pair[0].0 < pair[1].0));
    assert_eq!(spool.outbox(3).expect("reads"), all[..3]);
    wait(spool.outbox_stored(all[2].0)).expect("removes");
    assert_eq!(spool.outbox(100).expect("reads"), all[3..]);
    wait(spool.outbox_stored(all[7].0)).expect("removes");
    assert!(spool.outbox(100).expect("reads").is_empty());
    spool.record(vec![samples[0].event(receive())]);
    wait(spool.outbox_stored(0)).expect("removes nothing");
    let later = spool.outbox(100).expect("reads");
    assert!(
        later.len() == 1 && later[0].0 > all[7].0,
        "numbers are never used again"
    );
}

fn rosters_outlive_their_message_until_traced(spool: &dyn Spool) {
    let sample = Sample::new(spool, 4);
    accept(spool, &sample);
    wait(spool.settle(settlement(sample.set().id, true))).expect("settles");
    let octets = spool
        .roster_octets(sample.set().id)
        .expect("its QUEUE event is in the outbox");
    assert_eq!(Roster::decode(&octets).as_ref(), Ok(&sample.set().roster));
    let events = spool.outbox(100).expect("reads");
    wait(spool.outbox_stored(events[0].0)).expect("removes");
    assert!(spool.roster_octets(sample.set().id).is_ok(), "QUEUE is the second");
    wait(spool.outbox_stored(events[1].0)).expect("removes");
    assert!(is_missing(&spool.roster_octets(sample.set().id)));
    // The other order: traced first, ended later.
    let sample = Sample::new(spool, 4);
    accept(spool, &sample);
    let last = spool.outbox(100).expect("reads").pop().expect("events").0;
    wait(spool.outbox_stored(last)).expect("removes");
    assert!(spool.roster_octets(sample.set().id).is_ok());
    wait(spool.settle(settlement(sample.set().id, true))).expect("settles");
    assert!(is_missing(&spool.roster_octets(sample.set().id)));
}

fn a_pass_that_leaves_nobody_ends_at_once(spool: &dyn Spool) {
    let mut sample = Sample::bare(Content::in_memory("Subject: x\r\n\r\n"));
    sample.acceptance.outcome = Some(Outcome::default());
    accept(spool, &sample);
    assert!(is_missing(&spool.message(sample.id())));
    assert_eq!(spool.outbox(9).expect("reads")[0].1.kind, EventKind::Done);
}

fn what_is_not_there_is_missing(spool: &dyn Spool) {
    let sample = Sample::new(spool, 1);
    assert!(is_missing(&spool.message(sample.id())));
    assert!(is_missing(&spool.content(sample.id())));
    assert!(is_missing(&spool.set(sample.set().id)));
    assert!(is_missing(&spool.sets_of(sample.id())));
    assert!(is_missing(&spool.hold(HoldId(77))));
    assert!(is_missing(&wait(spool.settle(settlement(SetId(77), true)))));
    assert!(is_missing(&wait(spool.decide(decision(HoldId(77), "boss")))));
    assert!(is_missing(&wait(spool.complete(sample.id(), Outcome::default()))));
    accept(spool, &sample);
    assert!(
        is_missing(&wait(spool.accept(sample.acceptance.clone()))),
        "an id is free only once"
    );
    let mut foreign = Sample::new(spool, 1);
    foreign.outcome().sets[0].message = sample.id();
    assert!(
        is_missing(&wait(spool.accept(foreign.acceptance.clone()))),
        "a set belongs to its message"
    );
    assert!(is_missing(&spool.message(foreign.id())), "nothing of it was kept");
}

fn ids_are_never_used_twice(spool: &dyn Spool) {
    let ids: std::collections::BTreeSet<SetId> = (0..100).map(|_| spool.new_set_id()).collect();
    assert_eq!(ids.len(), 100);
    assert_ne!(spool.new_hold_id(), spool.new_hold_id());
}
