//! `group preview`.

use super::text::{clean, count, number};
use crate::admin::answer::{RuleFinding, RulePreview};

/// Whom a rule would reach.
pub(super) fn preview(preview: &RulePreview) -> String {
    let reached = count(preview.count, "recipient", "recipients");
    let mut out = match (&preview.group, preview.before) {
        (Some(group), Some(before)) => format!("{}: {reached}; {} in its list now\n", clean(group), number(before)),
        (Some(group), None) => format!("{}: {reached}; it has no list yet\n", clean(group)),
        (None, _) => format!("{reached}\n"),
    };
    if let Some(container) = &preview.container {
        out.push_str(&format!("looks in {}\n", clean(container)));
    }
    if preview.group.is_some() {
        if preview.joins == 0 && preview.leaves == 0 {
            out.push_str("nobody would join or leave\n");
        } else {
            out.push_str(&format!(
                "{} would join, {} would leave\n",
                number(preview.joins),
                number(preview.leaves)
            ));
        }
        names(&mut out, "+ ", &preview.joining, preview.joins);
        names(&mut out, "- ", &preview.leaving, preview.leaves);
    } else {
        names(&mut out, "", &preview.joining, preview.count);
    }
    findings(&mut out, &preview.findings, "");
    out
}

/// Names one a line; what is not named is counted.
pub(super) fn names(out: &mut String, mark: &str, names: &[String], all: u64) {
    for name in names {
        out.push_str(&format!("  {mark}{}\n", clean(name)));
    }
    let more = all.saturating_sub(names.len() as u64);
    if more > 0 && !names.is_empty() {
        out.push_str(&format!("  {mark}and {} more\n", number(more)));
    }
}

fn findings(out: &mut String, findings: &[RuleFinding], indent: &str) {
    for finding in findings {
        out.push_str(&format!(
            "{indent}{} {}: {}",
            finding.severity.word(),
            finding.code,
            clean(&finding.message)
        ));
        if let Some(clause) = &finding.clause {
            out.push_str(&format!(" [{}]", clean(clause)));
        }
        out.push('\n');
        if let Some(proposal) = &finding.proposal {
            let counts = match (finding.count_now, finding.count_proposed) {
                (Some(now), Some(then)) => format!("  ({} -> {} recipients)", number(now), number(then)),
                (None, Some(then)) => format!("  ({} recipients)", number(then)),
                (_, None) => String::new(),
            };
            out.push_str(&format!("{indent}    {}{counts}\n", clean(proposal)));
        }
    }
}
