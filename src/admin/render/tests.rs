//! What people read, as they read it. Golden texts: a change here is a change of the interface.

use super::*;
use crate::admin::answer::{Explained, SeenAs};
use crate::admin::command::{
    CompareCommand, CompareQuestion, ComparedLog, ConvertInto, ConvertOrder, CutoverOrder, CutoverSide,
    DifferenceIntent, ExplainQuestion, GuardIntent, Intent, MemberDepth, PinEffect, PinOrder, PreviewQuestion,
    PrintLanguage, QueueAction, QueueCommand, QueueOrder, QueueSelection, RefreshChoice, RollCommand, RuleCommand,
    RuleQuestion, Signed, StopCommand, StopOrder, StopTarget, StopVerb, SuspendOrder, WhyQuestion,
};
use crate::admin::service::{Caller, dispatch};
use crate::admin::testing::{Sample, now};
use crate::admin::{Command, testing};
use crate::mail::SetId;

fn reader() -> Reader {
    Reader {
        zone: TimeZone::fixed(jiff::tz::offset(1)),
        now: now(),
    }
}

/// The sample service's answer to a command, as text.
fn shown(command: &Command) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let caller = Caller { user_id: Some(0) };
    let answer = runtime
        .block_on(dispatch(&Sample, &caller, command))
        .expect("an answer");
    render(&answer, &reader())
}

#[test]
fn golden() {
    let group = || "all-staff@contoso.example".to_owned();
    let question = |via: Option<&str>| {
        Command::Explain(ExplainQuestion {
            from: "cfo@contoso.example".to_owned(),
            to: group(),
            author: None,
            size_bytes: None,
            via: via.map(str::to_owned),
            client: None,
            login: None,
            certificate: None,
        })
    };
    let preview = |group: Option<&str>| {
        Command::Rule(RuleCommand::GroupPreview(PreviewQuestion {
            rule: RuleQuestion {
                group: group.map(str::to_owned),
                ..RuleQuestion::default()
            },
            ..PreviewQuestion::default()
        }))
    };
    let said = |language| {
        Command::Rule(RuleCommand::GroupFilter {
            rule: RuleQuestion::default(),
            language,
        })
    };
    let mut all = String::new();
    for (line, command) in [
        ("status", Command::Status),
        ("group list", Command::GroupList),
        (
            "group show all-staff@contoso.example",
            Command::GroupShow { group: group() },
        ),
        (
            "group members all-staff@contoso.example",
            Command::GroupMembers {
                group: group(),
                depth: MemberDepth::Direct,
                at: None,
            },
        ),
        (
            "group why berlin@contoso.example jonas@contoso.example",
            Command::GroupWhy(WhyQuestion::default()),
        ),
        (
            "group preview berlin@contoso.example --filter \"Office -eq 'Berlin'\"",
            preview(Some("berlin@contoso.example")),
        ),
        ("group preview --filter \"Office -eq 'Berlin'\"", preview(None)),
        (
            "group filter --filter \"Office -eq 'Berlin'\" --as ldap",
            said(PrintLanguage::Ldap),
        ),
        (
            "group filter --filter \"Office -eq 'Berlin'\" --as entra",
            said(PrintLanguage::Entra),
        ),
        (
            "group plan --filter \"Office -eq 'Berlin'\"",
            Command::Rule(RuleCommand::GroupPlan {
                rule: RuleQuestion::default(),
            }),
        ),
        ("group lint", Command::Rule(RuleCommand::GroupLint { group: None })),
        (
            "group propose hr-all@contoso.example",
            Command::Rule(RuleCommand::GroupPropose { group: group() }),
        ),
        (
            "explain --from cfo@contoso.example --to all-staff@contoso.example",
            question(None),
        ),
        (
            "explain --from cfo@contoso.example --to all-staff@contoso.example --via relay",
            question(Some("relay")),
        ),
        ("trace --to lena@contoso.example", Command::Trace(Default::default())),
        ("queue list", Command::QueueList(Default::default())),
        ("queue summary", Command::QueueSummary),
        ("queue show s-12", Command::QueueShow { set: SetId(12) }),
        ("moderate list", Command::ModerateList { group: None }),
        (
            "moderate show m-17",
            Command::ModerateShow {
                hold: crate::mail::HoldId(17),
            },
        ),
        (
            "reload",
            Command::Reload {
                guard: GuardIntent::Respect,
            },
        ),
    ] {
        all.push_str(&format!("$ muster {line}\n{}\n", shown(&command)));
    }
    assert_eq!(all, include_str!("golden.txt"), "\n{all}");
}

/// Orders and answers about lists have a golden text of their own.
#[test]
fn golden_lists() {
    let group = || "berlin@contoso.example".to_owned();
    let signed = Signed {
        reason: Some("holiday cover".to_owned()),
        ..Signed::default()
    };
    let pin = |effect| {
        RollCommand::GroupPin(PinOrder {
            group: "projectx@contoso.example".to_owned(),
            effect,
            recipient: "k.b@contoso.example".to_owned(),
            until: Some("2026-12-03T23:00:00Z".parse().expect("a time")),
            signed: signed.clone(),
        })
    };
    let convert = |into, accept_difference| {
        RollCommand::GroupConvert(ConvertOrder {
            group: group(),
            into,
            exclude: vec!["m.roth".to_owned()],
            accept_difference,
            signed: Signed::default(),
        })
    };
    let mut all = String::new();
    for (line, command) in [
        (
            "group diff berlin@contoso.example --from 2026-03-01 --to 2026-04-01",
            RollCommand::GroupDiff {
                group: group(),
                from: now(),
                to: now(),
            },
        ),
        (
            "group history berlin@contoso.example",
            RollCommand::GroupHistory {
                group: group(),
                count_max: 1,
            },
        ),
        (
            "group refresh --all",
            RollCommand::GroupRefresh {
                what: RefreshChoice::All,
                intent: Intent::Say,
            },
        ),
        (
            "group refresh berlin@contoso.example",
            RollCommand::GroupRefresh {
                what: RefreshChoice::Group(group()),
                intent: Intent::Do,
            },
        ),
        ("group verify", RollCommand::GroupVerify { group: None }),
        (
            "group verify berlin@contoso.example",
            RollCommand::GroupVerify { group: Some(group()) },
        ),
        (
            "group pin projectx@contoso.example --include k.b@contoso.example --until 2026-12-04 --reason \"holiday cover\"",
            pin(PinEffect::Include),
        ),
        (
            "group pin projectx@contoso.example --exclude k.b@contoso.example --until 2026-12-04 --reason \"holiday cover\"",
            pin(PinEffect::Exclude),
        ),
        (
            "group unpin projectx@contoso.example k.b@contoso.example",
            RollCommand::GroupUnpin {
                group: group(),
                recipient: String::new(),
                signed: Signed::default(),
            },
        ),
        (
            "group pins projectx@contoso.example",
            RollCommand::GroupPins {
                group: group(),
                seen_by: None,
            },
        ),
        (
            "group convert berlin@contoso.example --to dynamic --accept-proposal --exclude m.roth",
            convert(ConvertInto::Proposal, false),
        ),
        (
            "group convert berlin@contoso.example --to dynamic --filter \"Department -eq 'Human Resources'\"",
            convert(ConvertInto::Rule(RuleQuestion::default()), false),
        ),
        ("group stale", RollCommand::GroupStale { group: None }),
        ("guard list", RollCommand::GuardList),
        (
            "guard show berlin@contoso.example",
            RollCommand::GuardShow { group: group() },
        ),
        (
            "guard accept berlin@contoso.example --reason \"office codes\"",
            RollCommand::GuardAccept {
                group: group(),
                signed: Signed::default(),
            },
        ),
        ("alerts", RollCommand::Alerts),
        ("suspects list", RollCommand::SuspectsList { group: None }),
        (
            "suspects suppress old@partner.example",
            RollCommand::SuspectsSuppress {
                recipient: "old@partner.example".to_owned(),
                signed: Signed::default(),
            },
        ),
    ] {
        all.push_str(&format!("$ muster {line}\n{}\n", shown(&Command::Roll(command))));
    }
    assert_eq!(all, include_str!("golden_lists.txt"), "\n{all}");
}

/// What holds mail back has a golden text of its own.
#[test]
fn golden_stops() {
    let order = |target, verb, intent| {
        StopCommand::Stop(StopOrder {
            target,
            verb,
            until: None,
            intent,
            signed: Signed::default(),
        })
    };
    let thread = || StopTarget::Thread("<a1@contoso.example>".to_owned());
    let watch = |group: &str| StopCommand::Watch {
        group: Some(group.to_owned()),
        after: None,
    };
    let mut all = String::new();
    for (line, command) in [
        (
            "watch --group all-staff@contoso.example",
            watch("all-staff@contoso.example"),
        ),
        ("watch --group quiet@contoso.example", watch("quiet@contoso.example")),
        (
            "stop --thread '<a1@contoso.example>'",
            order(thread(), StopVerb::Hold, Intent::Do),
        ),
        (
            "stop --thread '<a1@contoso.example>' --drop",
            order(thread(), StopVerb::Drop, Intent::Say),
        ),
        (
            "stop --thread '<a1@contoso.example>' --drop --tell --yes",
            order(thread(), StopVerb::Refuse, Intent::Do),
        ),
        (
            "stop lift x-3",
            order(StopTarget::Stop(crate::mail::StopId(3)), StopVerb::Lift, Intent::Do),
        ),
        ("stop list --all", StopCommand::StopList { all: true }),
    ] {
        all.push_str(&format!("$ muster {line}\n{}\n", shown(&Command::Stop(command))));
    }
    let act = |verb, intent| {
        QueueCommand::QueueAct(QueueOrder {
            selection: QueueSelection::default(),
            verb,
            intent,
            signed: Signed::default(),
        })
    };
    for (line, command) in [
        ("queue hold --nexthop cloud", act(QueueAction::Hold, Intent::Say)),
        (
            "queue bounce --nexthop cloud --yes",
            act(QueueAction::Bounce, Intent::Do),
        ),
        (
            "queue reroute --nexthop cloud --to onprem --yes",
            act(QueueAction::Reroute("onprem".to_owned()), Intent::Do),
        ),
        (
            "queue suspend cloud",
            QueueCommand::QueueSuspend(SuspendOrder {
                next_hop: "cloud".to_owned(),
                suspend: true,
                signed: Signed::default(),
            }),
        ),
    ] {
        all.push_str(&format!("$ muster {line}\n{}\n", shown(&Command::Queue(command))));
    }
    assert_eq!(all, include_str!("golden_stops.txt"), "\n{all}");
}

#[test]
fn numbers_ages_and_sizes() {
    for (value, shown) in [
        (0, "0"),
        (999, "999"),
        (1_000, "1,000"),
        (61_204, "61,204"),
        (1_234_567, "1,234,567"),
    ] {
        assert_eq!(text::number(value), shown);
    }
    for (seconds, shown) in [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3_600, "1 h"),
        (3_900, "1 h 5 min"),
        (86_400, "1 d"),
        (169_200, "1 d 23 h"),
    ] {
        assert_eq!(text::age(seconds), shown);
    }
    for (octets, shown) in [
        (0, "0"),
        (1_023, "1023"),
        (1_024, "1K"),
        (14_000, "14K"),
        (41_943_040, "40.0M"),
    ] {
        assert_eq!(text::size(octets), shown);
    }
}

#[test]
fn nothing_hostile_reaches_the_terminal() {
    let mut verdict = testing::refused(SeenAs::Client);
    verdict.sender_proof = "a\u{1b}]0;x\u{7}b\u{202e}c\nd".to_owned();
    let explained = Explained {
        verdicts: vec![verdict],
        ..Explained::default()
    };
    let text = render(&Answer::Explain(explained), &reader());
    assert!(text.contains("a?]0;x?b?c?d"), "{text}");
}

/// The move from the service before.
#[test]
fn golden_moves() {
    let order = |to| {
        CompareCommand::GroupCutover(CutoverOrder {
            group: "all-berlin@contoso.example".to_owned(),
            to,
            differences: DifferenceIntent::Respect,
            signed: Signed::default(),
        })
    };
    let mut all = String::new();
    for (line, command) in [
        (
            "compare --with exchange-log /var/log/tracking --days 14",
            CompareCommand::Compare(CompareQuestion {
                with: ComparedLog::ExchangeLog,
                path: "/var/log/tracking".into(),
                since: Some(now()),
            }),
        ),
        ("group cutover all-berlin@contoso.example", order(CutoverSide::Here)),
        (
            "group cutover all-berlin@contoso.example --undo",
            order(CutoverSide::Before),
        ),
    ] {
        all.push_str(&format!("$ muster {line}\n{}\n", shown(&Command::Compare(command))));
    }
    assert_eq!(all, include_str!("golden_moves.txt"), "\n{all}");
}

#[test]
fn what_got_through_is_told_with_the_setting_that_let_it() {
    let group = "all-staff@contoso.example".to_owned();
    assert_eq!(
        shown(&Command::TestSpoof { group }),
        "attack        tried                             outcome  answer\n\
         reverse-path  MAIL FROM:<lena@contoso.example>  refused  550 5.7.1 Sender is spoofed\n\
         nested        MAIL FROM:<lena@contoso.example>  held     250 2.6.0 accepted\n\
         from          MAIL FROM:<lena@contoso.example>  THROUGH  reaches 120 recipients; the sender is external\n\
         from got through: policy.author is \"ignore\"; set it to \"permitted\" or \"same\"\n\
         2 of 3 refused, 1 of them held for a decision: all-staff@contoso.example\n"
    );
}
