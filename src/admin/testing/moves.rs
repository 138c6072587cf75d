//! Answers about the move from the service before, for the tests of this room.

use super::{at, text};
use crate::admin::answer::{CompareAnswer, Compared, ComparedGroup, ComparedPerson, CutOver};
use crate::admin::command::{CompareCommand, CutoverSide};

fn group(name: &str, messages: u64, same: u64) -> ComparedGroup {
    ComparedGroup {
        group: format!("{name}@contoso.example"),
        known: true,
        agrees: messages == same,
        messages,
        same,
        ..ComparedGroup::default()
    }
}

fn person(name: &str, cause: &str) -> ComparedPerson {
    ComparedPerson {
        address: format!("{name}@contoso.example"),
        messages: 2,
        last: at("2026-11-02T09:00:00Z"),
        cause: text(cause),
        explained: cause != "unexplained",
        text: Some(text(cause)),
        ..ComparedPerson::default()
    }
}

fn compared() -> Compared {
    let anna = ComparedPerson {
        attribute: Some(text("Department")),
        before: Some(text("Sales ")),
        after: Some(text("Sales")),
        at: Some(at("2026-11-03T07:00:00Z")),
        source: Some(text("hr")),
        ..person("anna.k", "joined")
    };
    let spelled = ComparedPerson {
        attribute: Some(text("Department")),
        before: Some(text("sales\u{a0}EMEA")),
        after: Some(text("Sales EMEA")),
        text: Some(text("blanks")),
        ..person("jo", "spelling")
    };
    let nested = ComparedPerson {
        through: Some(text("inner@contoso.example")),
        text: Some(text("Exchange did not expand a nested group")),
        ..person("kim", "not-expanded")
    };
    Compared {
        since: Some(at("2026-11-01T00:00:00Z")),
        files: 14,
        lines: 120_000,
        faults: vec![text("MSGTRK2026110208-1.LOG:17: a quote is not closed")],
        faults_count: 3,
        groups: vec![
            ComparedGroup {
                cut_over: true,
                ..group("all-berlin", 31, 31)
            },
            ComparedGroup {
                only_exchange: vec![anna, spelled],
                only_muster: vec![nested],
                by_later_list: 4,
                ..group("sales-emea", 12, 9)
            },
            ComparedGroup {
                known: false,
                agrees: false,
                ..group("forgotten", 2, 0)
            },
        ],
    }
}

/// One answer for each question or order about the move.
pub(super) fn compare(command: &CompareCommand) -> CompareAnswer {
    match command {
        CompareCommand::Compare(_) => CompareAnswer::Compare(compared()),
        CompareCommand::GroupCutover(order) => CompareAnswer::GroupCutover(CutOver {
            group: order.group.clone(),
            expanded: text(match order.to {
                CutoverSide::Here => "here",
                CutoverSide::Before => "before",
            }),
            changed: true,
            by: text("root"),
            side_by_side: Some(text("exchange")),
            compared_at: Some(at("2026-11-20T09:00:00Z")),
            unexplained: 0,
        }),
    }
}
