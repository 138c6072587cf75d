//! What the model does not know: paths, holds and their release, forwards, Microsoft 365 groups, marks.

use std::collections::BTreeMap;

use super::support::{ask, external, finals, internal, mailbox, reached, refused, run, to, view};
use crate::directory::group::Subscribers;
use crate::directory::testing::{ObjectBuilder, contact, group, person};
use crate::directory::{Location, ObjectId, RecipientKind};
use crate::expansion::{Committed, HoldStanding, NewHold, Release, Start, Verdict, judge_recipient};
use crate::mail::ReversePath;
use crate::policy::Fact;
use crate::policy::explanation::Listed;
use crate::policy::rules::Forwarding;
use crate::policy::testing::rules;
use crate::resolver::Relaying;
use crate::track::{EventKind, Reason};

fn m365(address: &str) -> ObjectBuilder {
    group(address)
        .kind(RecipientKind::GroupMailbox)
        .location(Location::Cloud)
}

#[test]
fn a_nested_rule_stops_its_branch_and_the_refusal_names_the_way() {
    let view = view([
        group("all@contoso.example")
            .open_to_outside()
            .members(&["mid@contoso.example", "lena@contoso.example"]),
        group("mid@contoso.example")
            .open_to_outside()
            .members(&["board@contoso.example", "jonas@contoso.example"]),
        group("board@contoso.example")
            .internal_only()
            .members(&["boss@contoso.example"]),
        person("lena@contoso.example"),
        person("jonas@contoso.example"),
        person("boss@contoso.example"),
    ]);
    let (sender, recipients) = (external("x@outside.example"), to(&["all@contoso.example"]));
    let expansion = run(&ask(&sender, &recipients), &view, &rules());
    assert_eq!(finals(&expansion), ["lena@contoso.example", "jonas@contoso.example"]);
    let branch = &expansion.refused[0];
    assert_eq!(branch.path, ["all@contoso.example", "mid@contoso.example"]);
    assert_eq!(branch.refusal.reason, Reason::SenderNotAuthenticated);
    assert_eq!(
        (expansion.judged[0].tally.recipients, expansion.judged[0].tally.refused),
        (2, 1)
    );
    let names: Vec<&str> = expansion.events.iter().map(EventKind::name).collect();
    assert_eq!(names, ["EXPAND", "EXPAND", "BRANCH"]);
}

#[test]
fn the_first_accepted_path_wins_with_its_reverse_path() {
    let to_owner = |settings: &mut crate::directory::GroupSettings| settings.report_to_owner = true;
    let view = view([
        group("a@contoso.example").members(&["o@contoso.example", "b@contoso.example"]),
        group("o@contoso.example")
            .owners(&["own@contoso.example"])
            .with_group(to_owner)
            .members(&["lena@contoso.example"]),
        group("b@contoso.example").members(&["lena@contoso.example", "alias@contoso.example", "jonas@contoso.example"]),
        person("lena@contoso.example").proxy("smtp:alias@contoso.example"),
        person("jonas@contoso.example"),
        person("own@contoso.example"),
    ]);
    let sender = internal("own@contoso.example");
    for (addressed, owner_gets) in [
        (&["a@contoso.example"][..], true),
        (&["b@contoso.example", "a@contoso.example"], false),
    ] {
        let recipients = to(addressed);
        let expansion = run(&ask(&sender, &recipients), &view, &rules());
        assert_eq!(reached(&expansion), ["jonas@contoso.example", "lena@contoso.example"]);
        let lena = |branch: &&crate::expansion::Branch| {
            branch
                .recipients
                .iter()
                .any(|each| each.final_address == mailbox("lena@contoso.example"))
        };
        let branch = expansion.branches.iter().find(lena).expect("lena gets a copy");
        assert_eq!(branch.notify.is_some(), owner_gets, "{addressed:?}");
    }
}

fn release_of(hold: &NewHold) -> Release {
    Release {
        object: hold.object.clone(),
        recipient: hold.recipient.clone(),
        addressed: hold.addressed,
        path: hold.path.clone(),
        reverse_path: hold.reverse_path.clone(),
        notify: hold.notify,
        bypass_nested: hold.bypass_nested,
        hidden: hold.hidden,
        committed: Committed::default(),
        others: BTreeMap::new(),
    }
}

#[test]
fn a_release_subtracts_who_has_the_message_and_asks_nested_moderators() {
    let nested = |bypass: bool| {
        view([
            group("all@contoso.example").members(&["mod1@contoso.example", "lena@contoso.example"]),
            group("mod1@contoso.example")
                .moderated_by(&["boss@contoso.example"])
                .with_delivery(|delivery| {
                    if let Some(moderation) = &mut delivery.moderation {
                        moderation.bypass_nested = bypass;
                    }
                })
                .members(&[
                    "lena@contoso.example",
                    "jonas@contoso.example",
                    "mod2@contoso.example",
                    "x@outside.example",
                ]),
            group("mod2@contoso.example")
                .moderated_by(&["boss@contoso.example"])
                .members(&["eva@contoso.example"]),
            person("lena@contoso.example"),
            person("jonas@contoso.example"),
            person("eva@contoso.example"),
            person("boss@contoso.example"),
        ])
    };
    for (bypass, others, expected, holds) in [
        (false, None, &["jonas@contoso.example"][..], 1),
        (true, None, &["eva@contoso.example", "jonas@contoso.example"], 0),
        // Another hold of the message asks about the nested group already, or did.
        (false, Some(HoldStanding::Waiting), &["jonas@contoso.example"], 0),
        (
            true,
            Some(HoldStanding::Waiting),
            &["eva@contoso.example", "jonas@contoso.example"],
            0,
        ),
        (true, Some(HoldStanding::Ended), &["jonas@contoso.example"], 0),
    ] {
        let view = nested(bypass);
        let (sender, recipients) = (internal("lena@contoso.example"), to(&["all@contoso.example"]));
        let first = run(&ask(&sender, &recipients), &view, &rules());
        assert_eq!(
            (finals(&first), first.holds.len()),
            (vec!["lena@contoso.example".to_owned()], 1)
        );
        assert_eq!(first.holds[0].path, ["all@contoso.example"]);
        let mut release = release_of(&first.holds[0]);
        for recipient in first.branches.iter().flat_map(|branch| &branch.recipients) {
            release
                .committed
                .add(recipient.ordinal.map(|ordinal| ordinal.0), &recipient.final_address);
        }
        release.committed.add(None, &mailbox("X@Outside.example"));
        release
            .others
            .extend(others.map(|standing| (ObjectId::new("id:mod2@contoso.example"), standing)));
        let mut request = ask(&sender, &recipients);
        request.start = Start::Release(&release);
        let second = run(&request, &view, &rules());
        assert_eq!(reached(&second), expected, "bypass {bypass} {others:?}");
        assert_eq!(second.holds.len(), holds, "bypass {bypass} {others:?}");
        assert!(
            second
                .holds
                .iter()
                .all(|hold| hold.path == ["all@contoso.example", "mod1@contoso.example"])
        );
        assert!(second.branches.iter().all(|branch| branch.expanded));
    }
}

#[test]
fn the_release_of_a_group_that_is_gone_is_a_refusal() {
    let view = view([person("lena@contoso.example")]);
    let release = Release {
        object: ObjectId::new("gone"),
        recipient: mailbox("gone@contoso.example"),
        addressed: 0,
        path: Vec::new(),
        reverse_path: ReversePath::Mailbox(mailbox("lena@contoso.example")),
        notify: None,
        bypass_nested: false,
        hidden: false,
        committed: Committed::default(),
        others: BTreeMap::new(),
    };
    let sender = internal("lena@contoso.example");
    let mut request = ask(&sender, &[]);
    request.start = Start::Release(&release);
    let expansion = run(&request, &view, &rules());
    assert!(
        matches!(&expansion.judged[0].verdict, Verdict::Refused(refusal) if refusal.reason == Reason::GroupVanished)
    );
}

#[test]
fn a_microsoft_365_group_is_relayed_whole_unless_subscribers_are_expanded() {
    for (expand, expected) in [
        (false, &["unified@contoso.mail.example"][..]),
        (true, &["lena@contoso.example"]),
    ] {
        let view = view([
            m365("unified@contoso.example")
                .target("unified@contoso.mail.example")
                .members(&["jonas@contoso.example", "lena@contoso.example"])
                .with_group(|settings| {
                    settings.subscribers = Some(Box::new(Subscribers {
                        expand,
                        list: vec!["lena@contoso.example".into()],
                    }));
                }),
            // Members, not subscribers, may write where the group is listed.
            person("lena@contoso.example").accept_from(&["unified@contoso.example"]),
            person("jonas@contoso.example"),
        ]);
        let (sender, recipients) = (internal("jonas@contoso.example"), to(&["unified@contoso.example"]));
        let expansion = run(&ask(&sender, &recipients), &view, &rules());
        assert_eq!(reached(&expansion), expected, "expand {expand}");
        assert_eq!(expansion.branches[0].expanded, expand);
    }
}

#[test]
fn forwarding_is_left_to_the_next_hop_or_done_here() {
    let forwards = |keeps: bool| {
        person("m@contoso.example")
            .forwarding_to("lena@contoso.example")
            .with_delivery(|delivery| {
                delivery.deliver_and_forward = Some(keeps);
                // ForwardingAddress wins.
                delivery.forwarding_smtp_address = Some(mailbox("x@outside.example"));
            })
    };
    for (setting, keeps, expected) in [
        (Forwarding::NextHop, false, &["m@contoso.example"][..]),
        (Forwarding::Here, false, &["lena@contoso.example"]),
        (Forwarding::Here, true, &["lena@contoso.example", "m@contoso.example"]),
    ] {
        let view = view([forwards(keeps), person("lena@contoso.example")]);
        let mut rules = rules();
        rules.forwarding = setting;
        let (sender, recipients) = (internal("lena@contoso.example"), to(&["m@contoso.example"]));
        let expansion = run(&ask(&sender, &recipients), &view, &rules);
        assert_eq!(reached(&expansion), expected, "{setting:?} keeps {keeps}");
    }
}

#[test]
fn a_broken_loop_is_refused_where_it_begins_and_a_harmless_one_delivers_once() {
    let mailboxes = |first_keeps: bool| {
        view([
            person("a@contoso.example")
                .forwarding_to("b@contoso.example")
                .with_delivery(|delivery| delivery.deliver_and_forward = Some(first_keeps)),
            person("b@contoso.example").forwarding_to("a@contoso.example"),
            group("g@contoso.example").members(&["a@contoso.example", "b@contoso.example", "lena@contoso.example"]),
            person("lena@contoso.example"),
        ])
    };
    let mut rules = rules();
    rules.forwarding = Forwarding::Here;
    let sender = internal("lena@contoso.example");
    let recipients = to(&["a@contoso.example", "g@contoso.example"]);
    let broken = run(&ask(&sender, &recipients), &mailboxes(false), &rules);
    assert!(matches!(&broken.judged[0].verdict, Verdict::Refused(refusal) if refusal.reason == Reason::ForwardingLoop));
    assert_eq!(finals(&broken), ["lena@contoso.example"]);
    let harmless = run(&ask(&sender, &recipients), &mailboxes(true), &rules);
    assert_eq!(reached(&harmless), ["a@contoso.example", "lena@contoso.example"]);
    assert!(harmless.refused.is_empty());
}

#[test]
fn everybody_in_a_broken_loop_and_on_the_way_to_nobody_is_named() {
    let view = view([
        person("a@contoso.example").forwarding_to("b@contoso.example"),
        person("b@contoso.example").forwarding_to("a@contoso.example"),
        person("c@contoso.example").forwarding_to("a@contoso.example"),
        group("empty@contoso.example"),
        person("d@contoso.example").forwarding_to("empty@contoso.example"),
        group("g@contoso.example").members(&[
            "a@contoso.example",
            "b@contoso.example",
            "c@contoso.example",
            "lena@contoso.example",
        ]),
        group("h@contoso.example").members(&["empty@contoso.example", "jonas@contoso.example"]),
        person("lena@contoso.example"),
        person("jonas@contoso.example"),
    ]);
    let mut rules = rules();
    rules.forwarding = Forwarding::Here;
    let sender = internal("lena@contoso.example");
    let recipients = to(&["g@contoso.example", "h@contoso.example", "d@contoso.example"]);
    let expansion = run(&ask(&sender, &recipients), &view, &rules);
    assert_eq!(reached(&expansion), ["jonas@contoso.example", "lena@contoso.example"]);
    let names = ["a", "b", "c"].map(|name| (format!("{name}@contoso.example"), Reason::ForwardingLoop));
    assert_eq!(refused(&expansion), names);
    assert!(matches!(&expansion.judged[2].verdict, Verdict::Refused(refusal) if refusal.reason == Reason::GroupEmpty));
}

#[test]
fn a_forward_that_reaches_only_its_own_group_is_not_lost_in_silence() {
    let view = view([
        group("g@contoso.example").members(&["a@contoso.example"]),
        person("a@contoso.example").forwarding_to("g@contoso.example"),
    ]);
    let mut rules = rules();
    rules.forwarding = Forwarding::Here;
    let sender = internal("lena@contoso.example");
    for address in ["g@contoso.example", "a@contoso.example"] {
        let recipients = to(&[address]);
        let expansion = run(&ask(&sender, &recipients), &view, &rules);
        assert!(
            matches!(expansion.judged[0].verdict, Verdict::Refused(_)),
            "{address}: {expansion:?}"
        );
    }
}

#[test]
fn contact_chains_meet_the_rules_of_whom_they_lead_to() {
    let view = view([
        contact("c1@contoso.example", "c2@contoso.example"),
        contact("c2@contoso.example", "lena@contoso.example"),
        person("lena@contoso.example").accept_from(&["jonas@contoso.example"]),
        person("jonas@contoso.example"),
        contact("loop1@contoso.example", "loop2@contoso.example"),
        contact("loop2@contoso.example", "loop1@contoso.example"),
        contact("out@contoso.example", "out@outside.example"),
        group("g@contoso.example").members(&[
            "c1@contoso.example",
            "out@contoso.example",
            "OUT@outside.example",
            "lena@contoso.example",
        ]),
    ]);
    let recipients = to(&["c1@contoso.example", "loop1@contoso.example", "g@contoso.example"]);
    let jonas = internal("jonas@contoso.example");
    let expansion = run(&ask(&jonas, &recipients), &view, &rules());
    assert_eq!(reached(&expansion), ["lena@contoso.example", "out@outside.example"]);
    assert!(
        matches!(&expansion.judged[1].verdict, Verdict::Refused(refusal) if refusal.reason == Reason::ForwardingLoop)
    );
    let eva = internal("eva@contoso.example");
    let refused_to_eva = run(&ask(&eva, &recipients), &view, &rules());
    assert!(
        matches!(&refused_to_eva.judged[0].verdict, Verdict::Refused(refusal) if refusal.reason == Reason::SenderNotAccepted)
    );
}

#[test]
fn a_marked_group_is_a_loop_as_addressed_and_as_nested() {
    let view = view([
        group("g@contoso.example").members(&["lena@contoso.example"]),
        group("parent@contoso.example").members(&["g@contoso.example", "jonas@contoso.example"]),
        person("lena@contoso.example"),
        person("jonas@contoso.example"),
    ]);
    let (sender, recipients) = (
        internal("jonas@contoso.example"),
        to(&["g@contoso.example", "parent@contoso.example"]),
    );
    let marked = |group: &ObjectId| group.as_str() == "id:g@contoso.example";
    let mut request = ask(&sender, &recipients);
    request.marked = &marked;
    let expansion = run(&request, &view, &rules());
    assert!(matches!(&expansion.judged[0].verdict, Verdict::Refused(refusal) if refusal.reason == Reason::GroupLoop));
    assert_eq!(finals(&expansion), ["jonas@contoso.example"]);
}

#[test]
fn hidden_membership_marks_the_branch_below() {
    let view = view([
        group("g@contoso.example").members(&["h@contoso.example", "jonas@contoso.example"]),
        group("h@contoso.example")
            .members(&["lena@contoso.example"])
            .with_group(|group| group.hidden_membership = true),
        person("lena@contoso.example"),
        person("jonas@contoso.example"),
    ]);
    let (sender, recipients) = (internal("jonas@contoso.example"), to(&["g@contoso.example"]));
    let expansion = run(&ask(&sender, &recipients), &view, &rules());
    let hidden: Vec<bool> = expansion.branches.iter().map(|branch| branch.hidden).collect();
    assert_eq!(hidden, [false, true]);
}

#[test]
fn explain_tells_how_the_sender_is_listed() {
    let view = view([
        group("g@contoso.example")
            .accept_from(&["outer@contoso.example"])
            .members(&["lena@contoso.example"]),
        group("outer@contoso.example").members(&["team@contoso.example"]),
        group("team@contoso.example").members(&["lena@contoso.example"]),
        person("lena@contoso.example"),
    ]);
    let (sender, recipients) = (internal("lena@contoso.example"), to(&["g@contoso.example"]));
    let expansion = run(&ask(&sender, &recipients), &view, &rules());
    let facts = &expansion.explanations[0].facts;
    let expected = Fact::Accepted {
        listed: Listed::Through {
            groups: vec!["outer@contoso.example".into(), "team@contoso.example".into()],
        },
    };
    assert!(facts.contains(&expected), "{facts:?}");
    assert!(facts.iter().any(|fact| matches!(
        fact,
        Fact::Roll {
            version: 1,
            entries: 1,
            ..
        }
    )));
    let words: Vec<String> = facts.iter().map(ToString::to_string).collect();
    assert!(words[0].contains("internal, proven by network test"), "{words:?}");
}

#[test]
fn one_copy_per_final_address_however_it_is_spelled() {
    let view = view([
        group("g@contoso.example").open_to_outside().members(&[
            "X@Outside.example",
            "lena@contoso.example",
            "twin@contoso.example",
        ]),
        contact("c@contoso.example", "x@outside.example"),
        person("lena@contoso.example"),
        contact("twin@contoso.example", "y@xn--bcher-kva.example"),
    ]);
    let sender = internal("lena@contoso.example");
    let recipients = to(&[
        "x@OUTSIDE.example",
        "g@contoso.example",
        "c@contoso.example",
        "y@bücher.example",
    ]);
    let mut request = ask(&sender, &recipients);
    request.relaying = Relaying::Allowed;
    let expansion = run(&request, &view, &rules());
    assert_eq!(
        reached(&expansion),
        ["lena@contoso.example", "x@OUTSIDE.example", "y@xn--bcher-kva.example"]
    );
    assert_eq!(expansion.judged[2].tally.duplicates, 1);
    assert_eq!(refused(&expansion), []);
}

#[test]
fn postmaster_passes_whatever_its_target_restricts() {
    let view = view([person("lena@contoso.example")
        .internal_only()
        .accept_from(&["jonas@contoso.example"])]);
    let (sender, recipients) = (external("x@outside.example"), to(&["postmaster@contoso.example"]));
    let expansion = run(&ask(&sender, &recipients), &view, &rules());
    assert_eq!(reached(&expansion), ["lena@contoso.example"]);
}

#[test]
fn at_rcpt_a_forward_to_a_group_counts_although_the_own_copy_is_refused() {
    let view = view([
        contact("c@contoso.example", "big@contoso.example")
            .forwarding_to("g@contoso.example")
            .with_delivery(|delivery| delivery.deliver_and_forward = Some(true)),
        person("big@contoso.example").max_receive_size(500),
        group("g@contoso.example").members(&["lena@contoso.example"]),
        person("lena@contoso.example"),
    ]);
    let (sender, recipients) = (internal("lena@contoso.example"), to(&["c@contoso.example"]));
    let mut rules = rules();
    rules.forwarding = Forwarding::Here;
    let request = ask(&sender, &recipients);
    assert_eq!(reached(&run(&request, &view, &rules)), ["lena@contoso.example"]);
    let at_rcpt = judge_recipient(&recipients[0], &request, &view, &rules);
    assert_eq!(at_rcpt.verdict, Verdict::Accepted);
}

#[test]
fn at_rcpt_the_reason_is_that_of_the_whole_walk() {
    // The own copy goes to an empty group, the forward to one that refuses.
    let view = view([
        contact("c@contoso.example", "empty@contoso.example")
            .forwarding_to("small@contoso.example")
            .with_delivery(|delivery| delivery.deliver_and_forward = Some(true)),
        group("empty@contoso.example"),
        group("small@contoso.example")
            .max_receive_size(500)
            .members(&["lena@contoso.example"]),
        person("lena@contoso.example"),
    ]);
    let (sender, recipients) = (internal("lena@contoso.example"), to(&["c@contoso.example"]));
    let mut rules = rules();
    rules.forwarding = Forwarding::Here;
    let request = ask(&sender, &recipients);
    let whole = run(&request, &view, &rules);
    assert_eq!(refused(&whole)[0].1, Reason::GroupEmpty);
    // Two reasons: the last reply says which comes first.
    let at_rcpt = judge_recipient(&recipients[0], &request, &view, &rules);
    assert_eq!(at_rcpt.verdict, Verdict::Accepted);
}
