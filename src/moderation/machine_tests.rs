//! The machine by example, and against every order of events a store can produce.

use jiff::Timestamp;
use proptest::prelude::*;

use super::machine::{Answer, Effect, Round, Step, Surroundings, answer, bounced, due, look, missing};
use super::{Actor, DecisionFault};
use crate::env::Env;
use crate::mail::Mailbox;
use crate::spool::approval::{ApprovalRequest, TokenHash};
use crate::spool::contract::{Sample, moment};
use crate::spool::memory::MemorySpool;
use crate::spool::message::{Hold, HoldDecision, HoldState, Outcome};
use crate::spool::promise::wait;
use crate::spool::{Decided, Spool};
use crate::track::Decision;

fn mailbox(name: &str) -> Mailbox {
    Mailbox::parse(&format!("{name}@contoso.example")).expect("a test address")
}

fn moderator(name: &str) -> Actor {
    Actor::Moderator(mailbox(name))
}

/// Held at 0, expires at 100, moderated by eva and max.
fn hold(quorum: u32) -> Hold {
    let spool = MemorySpool::new(Env::system());
    let mut hold = Sample::new(&spool, 1).hold(&spool);
    hold.moderators = vec![mailbox("eva"), mailbox("max")];
    hold.held_at = moment(0);
    hold.expires_at = moment(100);
    hold.approval.quorum = quorum;
    hold
}

/// The hold after a step, its requests sent.
fn after(mut hold: Hold, step: Step, now: Timestamp) -> Hold {
    hold.state = step.state;
    hold.approval = step.approval;
    for effect in step.effects {
        if let Effect::Ask(moderator, _) = effect {
            hold.approval.requests.push(ApprovalRequest {
                moderator,
                link: TokenHash(String::new()),
                reply: TokenHash(String::new()),
                asked_at: now,
                bounced: false,
            });
        }
    }
    hold
}

fn with_owner() -> Surroundings {
    Surroundings {
        substitutes: vec![mailbox("owner"), mailbox("eva")],
        ..Surroundings::default()
    }
}

#[test]
fn only_moderators_and_operators_decide_and_only_once() {
    let hold = hold(1);
    let here = Surroundings::default();
    let deciding = |actor: &Actor, what| answer(&hold, what, actor, None, &here, moment(1));
    let lena = moderator("lena");
    assert_eq!(
        deciding(&lena, Answer::Approve),
        Err(DecisionFault::NotModerator(mailbox("lena")))
    );
    assert!(deciding(&Actor::Operator, Answer::Reject).is_ok());
    let step = deciding(&moderator("EVA"), Answer::Approve).expect("eva may");
    assert_eq!(step.effects, [Effect::Release]);
    let decided = after(hold.clone(), step, moment(1));
    let fault = answer(&decided, Answer::Reject, &moderator("max"), None, &here, moment(3)).expect_err("decided");
    assert_eq!(
        fault.to_string(),
        format!("already approved by EVA@contoso.example at {}", moment(1))
    );
    assert_eq!(
        look(&decided, &here, moment(200)),
        None,
        "what is decided stays decided"
    );
}

#[test]
fn a_moderator_who_left_decides_no_more() {
    let left = Surroundings {
        gone: vec![mailbox("eva")],
        ..Surroundings::default()
    };
    let fault = answer(&hold(1), Answer::Approve, &moderator("eva"), None, &left, moment(1));
    assert_eq!(fault, Err(DecisionFault::Gone(mailbox("eva"))));
}

#[test]
fn a_quorum_counts_persons_and_one_no_ends_it() {
    let here = Surroundings::default();
    let first = hold(2);
    let step = answer(&first, Answer::Approve, &moderator("eva"), None, &here, moment(1)).expect("a vote");
    assert_eq!((step.state.clone(), step.effects.len()), (HoldState::Waiting, 0));
    let one = after(first, step, moment(1));
    assert_eq!(missing(&one.approval), 1);
    let twice = answer(&one, Answer::Approve, &moderator("Eva"), None, &here, moment(2));
    assert!(
        matches!(twice, Err(DecisionFault::Voted { missing: 1, .. })),
        "{twice:?}"
    );
    let both = answer(&one, Answer::Approve, &moderator("max"), None, &here, moment(3)).expect("the second");
    assert_eq!(both.effects, [Effect::Release]);
    let no = answer(&one, Answer::Reject, &moderator("max"), None, &here, moment(3)).expect("a no");
    assert_eq!(no.effects, [Effect::TellRejected]);
}

#[test]
fn everybody_is_asked_at_once_reminded_at_half_time_and_it_expires_at_its_time() {
    let ask = |name: &str, round| Effect::Ask(mailbox(name), round);
    let fresh = hold(1);
    assert_eq!(due(&fresh), Some(moment(0)));
    let first = look(&fresh, &with_owner(), moment(0)).expect("to be asked");
    assert_eq!(first.effects, [ask("eva", Round::Request), ask("max", Round::Request)]);
    let asked = after(fresh, first, moment(0));
    assert_eq!(due(&asked), Some(moment(50)));
    assert_eq!(look(&asked, &with_owner(), moment(49)), None);
    let half = look(&asked, &with_owner(), moment(50)).expect("half time");
    let expected = [
        ask("eva", Round::Reminder),
        ask("max", Round::Reminder),
        ask("owner", Round::Escalation),
    ];
    assert_eq!(half.effects, expected);
    let reminded = after(asked, half, moment(50));
    assert_eq!(look(&reminded, &with_owner(), moment(99)), None, "once");
    let owner = answer(
        &reminded,
        Answer::Approve,
        &moderator("owner"),
        None,
        &with_owner(),
        moment(60),
    );
    assert_eq!(owner.expect("the substitute may").effects, [Effect::Release]);
    let late = answer(
        &reminded,
        Answer::Approve,
        &moderator("eva"),
        None,
        &with_owner(),
        moment(100),
    );
    assert!(matches!(
        late,
        Err(DecisionFault::Already {
            decision: Decision::Expired,
            ..
        })
    ));
    let over = look(&reminded, &with_owner(), moment(100)).expect("over");
    assert_eq!(over.effects, [Effect::TellExpired]);
}

#[test]
fn when_every_request_comes_back_substitutes_are_asked_and_then_the_alarm_is_given_once() {
    let fresh = hold(1);
    let step = look(&fresh, &with_owner(), moment(0)).expect("to be asked");
    let asked = after(fresh, step, moment(0));
    let one = after(
        asked.clone(),
        bounced(&asked, &mailbox("eva")).expect("a bounce"),
        moment(1),
    );
    assert_eq!(bounced(&one, &mailbox("eva")), None, "it came back once");
    assert_eq!(look(&one, &with_owner(), moment(2)), None, "max can still be reached");
    let both = after(
        one.clone(),
        bounced(&one, &mailbox("max")).expect("a bounce"),
        moment(3),
    );
    let escalation = look(&both, &with_owner(), moment(3)).expect("nobody is left");
    assert_eq!(escalation.effects, [Effect::Ask(mailbox("owner"), Round::Escalation)]);
    let owner = after(both, escalation, moment(3));
    let nobody = after(
        owner.clone(),
        bounced(&owner, &mailbox("owner")).expect("a bounce"),
        moment(4),
    );
    let alarm = look(&nobody, &with_owner(), moment(4)).expect("an alarm");
    assert_eq!(
        (alarm.state.clone(), alarm.effects.as_slice()),
        (HoldState::Waiting, &[Effect::Alarm][..])
    );
    let waits = after(nobody, alarm, moment(4));
    assert_eq!(look(&waits, &with_owner(), moment(99)), None, "it goes on waiting");
}

#[test]
fn moderators_who_are_gone_are_not_asked_and_a_group_that_is_gone_ends_it() {
    let left = Surroundings {
        gone: vec![mailbox("eva"), mailbox("max")],
        ..with_owner()
    };
    let step = look(&hold(1), &left, moment(0)).expect("to be asked");
    assert_eq!(step.effects, [Effect::Ask(mailbox("owner"), Round::Escalation)]);
    let gone = Surroundings {
        group_gone: true,
        ..Surroundings::default()
    };
    let step = look(&hold(1), &gone, moment(1)).expect("an end");
    assert_eq!(step.effects, [Effect::TellGone]);
}

/// Something that happens, by whoever has read the hold some time before.
#[derive(Clone, Debug)]
enum Happening {
    Answer {
        who: u8,
        approves: bool,
    },
    Operator {
        approves: bool,
    },
    Bounce {
        who: u8,
    },
    Look {
        group_gone: bool,
        gone: u8,
    },
    Later {
        seconds: i64,
    },
    /// Reads the hold anew; until then everybody judges on what was read last.
    Read,
    /// Commits stay in the air until the next crash or landing.
    Delay,
    Land,
    Crash,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => (0..4_u8, any::<bool>()).prop_map(|(who, approves)| Happening::Answer { who, approves }),
        1 => any::<bool>().prop_map(|approves| Happening::Operator { approves }),
        2 => (0..4_u8).prop_map(|who| Happening::Bounce { who }),
        3 => (prop::bool::weighted(0.1), 0..8_u8).prop_map(|(group_gone, gone)| Happening::Look { group_gone, gone }),
        2 => (1..40_i64).prop_map(|seconds| Happening::Later { seconds }),
        4 => Just(Happening::Read),
        1 => Just(Happening::Delay),
        1 => Just(Happening::Land),
        1 => Just(Happening::Crash),
    ]
}

const NAMES: [&str; 4] = ["eva", "max", "owner", "stranger"];

/// A store, a hold read some time ago, and what was promised.
struct World {
    spool: MemorySpool,
    sample: Sample,
    read: Hold,
    now: i64,
    in_the_air: bool,
}

impl World {
    fn new(quorum: u32) -> Self {
        let spool = MemorySpool::new(Env::system());
        let mut sample = Sample::new(&spool, 1);
        let mut read = hold(quorum);
        read.id = spool.new_hold_id();
        read.message = sample.id();
        let outcome = sample.acceptance.outcome.get_or_insert_default();
        outcome.sets.clear();
        outcome.holds.push(read.clone());
        wait(spool.accept(sample.acceptance.clone())).expect("no fault was asked for");
        Self {
            spool,
            sample,
            read,
            now: 0,
            in_the_air: false,
        }
    }

    /// Commits a step together with what it brings, judged on what was read last.
    fn commit(&mut self, step: Step) {
        let now = moment(self.now);
        let releases = step.effects.contains(&Effect::Release);
        let changed = after(self.read.clone(), step, now);
        let mut outcome = Outcome::default();
        if releases {
            outcome.sets.push(self.sample.another_set(&self.spool, 3));
        }
        let commit = self.spool.decide(HoldDecision {
            hold: changed.id,
            state: changed.state.clone(),
            approval: changed.approval.clone(),
            outcome,
        });
        if self.in_the_air {
            return;
        }
        match wait(commit).expect("no fault was asked for") {
            Decided::Applied => self.read = changed,
            Decided::Already(first) => assert_ne!(first.approval.revision, self.read.approval.revision),
        }
    }

    fn happens(&mut self, happening: &Happening) {
        let now = moment(self.now);
        let here = with_owner();
        match happening {
            Happening::Answer { who, approves } => {
                let actor = moderator(NAMES[usize::from(*who)]);
                let what = if *approves { Answer::Approve } else { Answer::Reject };
                if let Ok(step) = answer(&self.read, what, &actor, None, &here, now) {
                    assert!(*who < 3, "a stranger decides nothing");
                    self.commit(step);
                }
            }
            Happening::Operator { approves } => {
                let what = if *approves { Answer::Approve } else { Answer::Reject };
                if let Ok(step) = answer(&self.read, what, &Actor::Operator, None, &here, now) {
                    self.commit(step);
                }
            }
            Happening::Bounce { who } => {
                if let Some(step) = bounced(&self.read, &mailbox(NAMES[usize::from(*who)])) {
                    self.commit(step);
                }
            }
            Happening::Look { group_gone, gone } => {
                let surroundings = Surroundings {
                    group_gone: *group_gone,
                    gone: (0..3)
                        .filter(|bit| gone & (1 << bit) != 0)
                        .map(|bit| mailbox(NAMES[bit]))
                        .collect(),
                    ..here
                };
                if let Some(step) = look(&self.read, &surroundings, now) {
                    self.commit(step);
                }
            }
            Happening::Later { seconds } => self.now += seconds,
            Happening::Read => self.read = self.spool.hold(self.read.id).expect("holds are kept"),
            Happening::Delay => {
                self.spool.delay_commits();
                self.in_the_air = true;
            }
            Happening::Land => {
                self.spool.release_commits();
                self.in_the_air = false;
            }
            Happening::Crash => {
                self.spool = self.spool.survivor();
                self.in_the_air = false;
                self.read = self.spool.hold(self.read.id).expect("holds are kept");
            }
        }
    }

    /// Copies that exist: each release is one set of three.
    fn released(&self) -> usize {
        let sets = self.spool.sets_of(self.sample.id()).unwrap_or_default();
        sets.len()
    }

    fn check(&self, quorum: u32) {
        let hold = self.spool.hold(self.read.id).expect("holds are kept");
        let released = self.released();
        match &hold.state {
            HoldState::Waiting => assert_eq!(released, 0, "nothing leaves before the decision"),
            HoldState::Decided { decision, by, at, .. } => {
                let expected = usize::from(*decision == Decision::Approved);
                assert_eq!(released, expected, "{decision:?} by {by}");
                if *decision == Decision::Approved {
                    assert!(*at < hold.expires_at, "nothing is approved after its time");
                    let votes = hold.approval.votes.len();
                    assert!(by == "operator" || votes == quorum as usize, "{votes} of {quorum}");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// No order of answers, bounces, looks, races, crashes and duplicates releases a held message before it is
    /// approved, twice, or after it was rejected or expired; and what was decided stays as it was decided.
    #[test]
    fn a_held_message_leaves_once_and_only_when_approved(
        quorum in 1..3_u32,
        happenings in prop::collection::vec(happening(), 1..40),
    ) {
        let mut world = World::new(quorum);
        let mut decided: Option<HoldState> = None;
        for happening in &happenings {
            world.happens(happening);
            world.check(quorum);
            let state = world.spool.hold(world.read.id).expect("holds are kept").state;
            if let Some(first) = &decided {
                prop_assert_eq!(first, &state, "a decision is never replaced");
            }
            if state != HoldState::Waiting {
                decided = Some(state);
            }
        }
    }
}
