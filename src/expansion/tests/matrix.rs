//! The tables of `exchange-semantics.md`: §3.3 lists, §3.7 reports, §2.1 authentication, §2.2 moderation.

use super::support::{ask, asking, external, internal, mailbox, reached, run, to, view};
use crate::directory::testing::{ObjectBuilder, contact, group, person};
use crate::directory::{ModerationSettings, Reference};
use crate::expansion::{Expansion, ReportFacts, Verdict, judge_recipient};
use crate::mail::{Notify, ReversePath};
use crate::policy::rules::SuppressedReports;
use crate::policy::testing::rules;
use crate::resolver::{Sender, Standing};
use crate::track::Reason;

fn reason(expansion: &Expansion) -> Option<Reason> {
    match &expansion.judged.first()?.verdict {
        Verdict::Refused(refusal) => Some(refusal.reason),
        Verdict::Held => Some(Reason::Moderated),
        Verdict::Discarded(reason) => Some(*reason),
        Verdict::Accepted => None,
    }
}

/// The verdict of the pass, which RCPT must have given as well.
fn verdict(objects: Vec<ObjectBuilder>, sender: &Sender, address: &str) -> Option<Reason> {
    let (view, recipients, rules) = (view(objects), to(&[address]), rules());
    let request = ask(sender, &recipients);
    let expansion = run(&request, &view, &rules);
    let at_rcpt = judge_recipient(&recipients[0], &request, &view, &rules);
    assert_eq!(at_rcpt.verdict, expansion.judged[0].verdict, "RCPT and pass");
    reason(&expansion)
}

#[test]
fn reject_beats_accept_and_an_empty_accept_list_means_everybody() {
    use Reason::{SenderNotAccepted, SenderRejected};
    // accept list, reject list, sender -> refusal
    for (accept, reject, from, expected) in [
        (&[][..], &[][..], "lena", None),
        (&[], &["lena@contoso.example"], "lena", Some(SenderRejected)),
        (&["lena@contoso.example"], &[], "lena", None),
        (&["L.BERG@contoso.example"], &[], "lena", None),
        (
            &["lena@contoso.example"],
            &["lena@contoso.example"],
            "lena",
            Some(SenderRejected),
        ),
        (&["jonas@contoso.example"], &[], "lena", Some(SenderNotAccepted)),
        (
            &["jonas@contoso.example"],
            &["lena@contoso.example"],
            "lena",
            Some(SenderRejected),
        ),
        // Through a group, and through a group in a group that is in a cycle.
        (&["team@contoso.example"], &[], "lena", None),
        (&["outer@contoso.example"], &[], "lena", None),
        (&["outer@contoso.example"], &[], "jonas", Some(SenderNotAccepted)),
        (&[], &["outer@contoso.example"], "lena", Some(SenderRejected)),
        // Group A allowed, one of its members listed in R is refused; and the other way round.
        (
            &["team@contoso.example"],
            &["lena@contoso.example"],
            "lena",
            Some(SenderRejected),
        ),
        (
            &["lena@contoso.example"],
            &["outer@contoso.example"],
            "lena",
            Some(SenderRejected),
        ),
        // The owner is not exempt.
        (&["jonas@contoso.example"], &[], "owner", Some(SenderNotAccepted)),
        // A list that names nobody any more is not an empty list.
        (&["CN=Gone,DC=contoso"], &[], "lena", Some(SenderNotAccepted)),
        // The group's own address as sender is not one of its members.
        (&["team@contoso.example"], &[], "team", Some(SenderNotAccepted)),
    ] {
        let objects = vec![
            group("g@contoso.example")
                .members(&["jonas@contoso.example"])
                .owners(&["owner@contoso.example"])
                .accept_from(accept)
                .reject_from(reject),
            person("lena@contoso.example").proxy("smtp:l.berg@contoso.example"),
            person("jonas@contoso.example"),
            person("owner@contoso.example"),
            group("team@contoso.example").members(&["lena@contoso.example", "outer@contoso.example"]),
            group("outer@contoso.example").members(&["team@contoso.example"]),
        ];
        let sender = internal(&format!("{from}@contoso.example"));
        let found = verdict(objects, &sender, "g@contoso.example");
        assert_eq!(found, expected, "accept {accept:?} reject {reject:?} from {from}");
    }
}

#[test]
fn authentication_is_a_gate_of_its_own() {
    let spoofed = Sender {
        standing: Standing::Spoofed,
        ..internal("lena@contoso.example")
    };
    // requires, accept list, sender -> refusal
    for (requires, accept, sender, expected) in [
        (Some(true), &[][..], internal("lena@contoso.example"), None),
        (
            Some(true),
            &[],
            external("x@outside.example"),
            Some(Reason::SenderNotAuthenticated),
        ),
        (
            Some(true),
            &["x@outside.example"],
            external("x@outside.example"),
            Some(Reason::SenderNotAuthenticated),
        ),
        (Some(false), &[], external("x@outside.example"), None),
        // The default for groups: internal senders only.
        (
            None,
            &[],
            external("x@outside.example"),
            Some(Reason::SenderNotAuthenticated),
        ),
        (None, &[], internal("lena@contoso.example"), None),
        // An outside person can be listed, by a contact or a bare address.
        (Some(false), &["x@outside.example"], external("x@outside.example"), None),
        (
            Some(false),
            &["partner@contoso.example"],
            external("partner@fabrikam.example"),
            None,
        ),
        (
            Some(false),
            &["lena@contoso.example"],
            external("x@outside.example"),
            Some(Reason::SenderNotAccepted),
        ),
        // Forging a listed address does not open the list, and does not leave the reject list.
        (
            Some(false),
            &["lena@contoso.example"],
            spoofed.clone(),
            Some(Reason::SenderNotAccepted),
        ),
        (Some(true), &[], spoofed, Some(Reason::SenderNotAuthenticated)),
    ] {
        let objects = vec![
            group("g@contoso.example")
                .members(&["lena@contoso.example"])
                .accept_from(accept)
                .with_delivery(|delivery| delivery.require_sender_authentication = requires),
            person("lena@contoso.example"),
            contact("partner@contoso.example", "partner@fabrikam.example").proxy("smtp:partner@fabrikam.example"),
        ];
        let found = verdict(objects, &sender, "g@contoso.example");
        assert_eq!(
            found, expected,
            "requires {requires:?} accept {accept:?} from {sender:?}"
        );
    }
}

#[test]
fn a_list_that_cannot_be_evaluated_is_451_and_never_open() {
    let broken = || crate::directory::testing::dynamic_group("rule@contoso.example", "NoSuchProperty -eq 'x'");
    for (accept, reject, from, expected) in [
        (
            &["rule@contoso.example"][..],
            &[][..],
            "lena",
            Some(Reason::ListNotReady),
        ),
        (&[], &["rule@contoso.example"], "lena", Some(Reason::ListNotReady)),
        // What is certain without it is answered.
        (&["lena@contoso.example", "rule@contoso.example"], &[], "lena", None),
        (&["rule@contoso.example", "team@contoso.example"], &[], "lena", None),
        (
            &["lena@contoso.example"],
            &["rule@contoso.example"],
            "lena",
            Some(Reason::ListNotReady),
        ),
        (
            &[],
            &["rule@contoso.example", "lena@contoso.example"],
            "lena",
            Some(Reason::SenderRejected),
        ),
    ] {
        let objects = vec![
            group("g@contoso.example")
                .members(&["lena@contoso.example"])
                .accept_from(accept)
                .reject_from(reject),
            broken(),
            person("lena@contoso.example"),
            group("team@contoso.example").members(&["lena@contoso.example"]),
        ];
        let sender = internal(&format!("{from}@contoso.example"));
        let found = verdict(objects, &sender, "g@contoso.example");
        assert_eq!(found, expected, "accept {accept:?} reject {reject:?}");
    }
}

#[test]
fn moderation_holds_unless_the_sender_decides_himself() {
    // moderators, bypass, sender -> held by
    let lena = || internal("lena@contoso.example");
    for (moderators, bypass, sender, held_by) in [
        (
            &["mod@contoso.example"][..],
            &[][..],
            lena(),
            Some(&["mod@contoso.example"][..]),
        ),
        (&["mod@contoso.example"], &[], internal("mod@contoso.example"), None),
        (&["mod@contoso.example"], &[], internal("owner@contoso.example"), None),
        (&["mod@contoso.example"], &["lena@contoso.example"], lena(), None),
        (&["mod@contoso.example"], &["outer@contoso.example"], lena(), None),
        // Without moderators the owners decide; a group never does.
        (&[], &[], lena(), Some(&["owner@contoso.example"])),
        (
            &["outer@contoso.example"],
            &[],
            lena(),
            Some(&["owner@contoso.example"]),
        ),
        // Only a proven sender skips: anybody can write a moderator's address.
        (
            &["mod@contoso.example"],
            &[],
            external("mod@contoso.example"),
            Some(&["mod@contoso.example"]),
        ),
        (
            &["x@outside.example"],
            &[],
            external("x@outside.example"),
            Some(&["x@outside.example"]),
        ),
    ] {
        let settings = ModerationSettings {
            enabled: true,
            moderators: moderators.iter().map(|each| Reference::from(*each)).collect(),
            bypass: bypass.iter().map(|each| Reference::from(*each)).collect(),
            ..ModerationSettings::default()
        };
        let view = view([
            group("g@contoso.example")
                .members(&["lena@contoso.example"])
                .owners(&["owner@contoso.example"])
                .open_to_outside()
                .with_delivery(|delivery| delivery.moderation = Some(Box::new(settings))),
            person("lena@contoso.example"),
            person("mod@contoso.example"),
            person("owner@contoso.example"),
            group("team@contoso.example").members(&["lena@contoso.example"]),
            group("outer@contoso.example").members(&["team@contoso.example"]),
        ]);
        let recipients = to(&["g@contoso.example"]);
        let expansion = run(&ask(&sender, &recipients), &view, &rules());
        let names = expansion.holds.first().map(|hold| hold.moderators.clone());
        let expected = held_by.map(|list| list.iter().map(|each| mailbox(each)).collect::<Vec<_>>());
        assert_eq!(
            names, expected,
            "moderators {moderators:?} bypass {bypass:?} from {sender:?}"
        );
        assert_eq!(expansion.recipients() == 0, held_by.is_some());
    }
}

#[test]
fn nobody_to_moderate_is_a_refusal_and_not_an_open_door() {
    let objects = vec![
        group("g@contoso.example")
            .members(&["lena@contoso.example"])
            .moderated_by(&[]),
        person("lena@contoso.example"),
    ];
    let found = verdict(objects, &internal("lena@contoso.example"), "g@contoso.example");
    assert_eq!(found, Some(Reason::NoModerator));
}

#[test]
fn copies_through_a_group_report_as_it_says() {
    let all = Notify {
        success: true,
        ..Notify::DEFAULT
    };
    let only_success = Notify {
        success: true,
        ..Notify::NEVER
    };
    let (sender, owner) = ("lena@contoso.example", "owner@contoso.example");
    // (originator, owner), owners, asked -> reverse-path, NOTIFY, "expanded" report
    for (originator, to_owner, owners, asked, path, notify, report) in [
        (true, false, &[owner][..], None, Some(sender), None, false),
        (
            true,
            false,
            &[owner],
            Some(all),
            Some(sender),
            Some(Notify::DEFAULT),
            true,
        ),
        (
            true,
            false,
            &[owner],
            Some(only_success),
            Some(sender),
            Some(Notify::NEVER),
            true,
        ),
        (false, true, &[owner], None, Some(owner), Some(Notify::FAILURE), false),
        (
            false,
            true,
            &[owner],
            Some(all),
            Some(owner),
            Some(Notify::FAILURE),
            true,
        ),
        (true, true, &[owner], None, Some(owner), Some(Notify::FAILURE), false),
        (
            false,
            true,
            &["g@contoso.example", "boss@outside.example"],
            None,
            Some("boss@outside.example"),
            Some(Notify::FAILURE),
            false,
        ),
        (false, false, &[owner], Some(all), None, Some(Notify::NEVER), false),
        // Reports to an owner that is not there go to the sender: no failure is lost.
        (false, true, &[], None, Some(sender), None, false),
    ] {
        let view = view([
            group("g@contoso.example")
                .members(&["jonas@contoso.example"])
                .owners(owners)
                .with_group(|settings| {
                    settings.report_to_originator = originator;
                    settings.report_to_owner = to_owner;
                }),
            person("jonas@contoso.example"),
            person("owner@contoso.example"),
        ]);
        let recipients = match asked {
            Some(notify) => asking("g@contoso.example", notify),
            None => to(&["g@contoso.example"]),
        };
        let from = internal(sender);
        let expansion = run(&ask(&from, &recipients), &view, &rules());
        let branch = &expansion.branches[0];
        let case = format!("originator {originator} owner {to_owner} {owners:?} {asked:?}");
        assert_eq!(branch.reverse_path.mailbox().map(|each| each.as_str()), path, "{case}");
        assert_eq!(branch.notify, notify, "{case}");
        assert_eq!(expansion.judged[0].report_expanded, report, "{case}");
        assert_eq!(expansion.notes.len(), usize::from(owners.is_empty()), "{case}");
    }
}

#[test]
fn a_group_that_reports_to_nobody_may_leave_the_reverse_path() {
    let view = view([
        group("g@contoso.example")
            .members(&["jonas@contoso.example"])
            .with_group(|settings| {
                settings.report_to_originator = false;
            }),
        person("jonas@contoso.example"),
    ]);
    let mut rules = rules();
    rules.suppressed_reports = SuppressedReports::Unchanged;
    let (sender, recipients) = (internal("lena@contoso.example"), to(&["g@contoso.example"]));
    let branch = &run(&ask(&sender, &recipients), &view, &rules).branches[0];
    assert_eq!(
        (&branch.reverse_path, branch.notify),
        (&sender.reverse_path, Some(Notify::NEVER))
    );
}

#[test]
fn reports_to_a_group_are_dropped_or_go_to_its_owner() {
    let bounce = ReportFacts {
        multipart_report: true,
        non_delivery: true,
        ..ReportFacts::default()
    };
    let out_of_office = ReportFacts {
        auto_replied: true,
        ..ReportFacts::default()
    };
    let receipt = ReportFacts {
        multipart_report: true,
        ..ReportFacts::default()
    };
    let (null, lena) = (
        Sender {
            reverse_path: ReversePath::Null,
            standing: Standing::Null,
        },
        internal("lena@contoso.example"),
    );
    let plain = ReportFacts::default();
    let person_only = &["jonas@contoso.example"][..];
    // sender, report, addressed, reports to owner -> who gets it; discarded
    for (sender, report, addressed, to_owner, expected) in [
        (&null, bounce, "g", false, None),
        (&null, bounce, "g", true, Some(&["owner@contoso.example"][..])),
        (&null, receipt, "g", true, None),
        (&null, plain, "g", false, None),
        (&lena, out_of_office, "g", false, None),
        (&lena, out_of_office, "g", true, None),
        (&lena, receipt, "g", false, None),
        (&lena, plain, "g", false, Some(person_only)),
        // To a person a null reverse-path always passes, whatever he restricts.
        (&null, bounce, "jonas", false, Some(person_only)),
        (&null, plain, "jonas", false, Some(person_only)),
    ] {
        let view = view([
            group("g@contoso.example")
                .members(&["jonas@contoso.example"])
                .owners(&["owner@contoso.example"])
                .with_group(|settings| settings.report_to_owner = to_owner),
            person("jonas@contoso.example")
                .internal_only()
                .accept_from(&["lena@contoso.example"]),
            person("owner@contoso.example")
                .internal_only()
                .moderated_by(&["jonas@contoso.example"]),
            person("lena@contoso.example"),
        ]);
        let recipients = to(&[&format!("{addressed}@contoso.example")]);
        let mut request = ask(sender, &recipients);
        request.report = report;
        let expansion = run(&request, &view, &rules());
        let discarded = expansion.judged[0].verdict == Verdict::Discarded(Reason::ReportToGroup);
        assert_eq!(discarded, expected.is_none(), "{report:?} to {addressed}");
        assert_eq!(
            reached(&expansion),
            expected.unwrap_or_default(),
            "{report:?} to {addressed}"
        );
        assert_eq!(
            expansion.events.len(),
            1 - usize::from(expected.is_some_and(|list| list != person_only || addressed == "jonas"))
        );
    }
}
