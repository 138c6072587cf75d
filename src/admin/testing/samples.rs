//! Answers about rules and lists, for the tests of this room.

use super::{text, texts};
use crate::admin::answer::{RuleAnswer, RuleFinding, RulePreview, Severity};
use crate::admin::command::RuleCommand;

const OFFICE: &str = "Office -eq 'Berlin'";

fn finding() -> RuleFinding {
    RuleFinding {
        severity: Severity::Warning,
        code: text("other-spelling"),
        clause: Some(text(OFFICE)),
        message: text("3 recipients have \"Berlin \" (blank at the end)"),
        proposal: Some(text("Office -eq 'Berlin' -or Office -eq 'Berlin '")),
        count_now: Some(16),
        count_proposed: Some(19),
    }
}

/// One answer for each question about rules.
pub(super) fn rule(command: &RuleCommand) -> RuleAnswer {
    match command {
        RuleCommand::GroupPreview(question) => RuleAnswer::GroupPreview(preview(question.rule.group.clone())),
    }
}

fn preview(group: Option<String>) -> RulePreview {
    let compared = group.is_some();
    RulePreview {
        before: compared.then_some(418),
        joins: u64::from(compared),
        leaves: if compared { 403 } else { 0 },
        group,
        language: text("opath"),
        filter: text(OFFICE),
        container: None,
        count: 16,
        joining: texts(&["lena@contoso.example"]),
        leaving: if compared {
            texts(&["a@contoso.example", "b@contoso.example"])
        } else {
            Vec::new()
        },
        findings: vec![finding()],
    }
}
