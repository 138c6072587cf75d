//! What people read, as they read it. Golden texts: a change here is a change of the interface.

use super::*;
use crate::admin::answer::{Explained, SeenAs};
use crate::admin::command::{
    ExplainQuestion, GuardIntent, MemberDepth, PreviewQuestion, RuleCommand, RuleQuestion, WhyQuestion,
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
            size_bytes: None,
            via: via.map(str::to_owned),
            client: None,
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
