//! `group preview|filter|plan|lint`.

use super::text::{clean, count, number, table};
use crate::admin::answer::{RuleFinding, RuleLint, RulePlan, RulePreview, RuleText};

/// Whom a rule would reach.
pub(super) fn preview(preview: &RulePreview) -> String {
    let reached = count(preview.count, "recipient", "recipients");
    let mut out = match (&preview.group, preview.before) {
        (Some(group), Some(before)) => format!("{}: {reached}; {} in its list now\n", clean(group), number(before)),
        (Some(group), None) => format!("{}: {reached}; it has no list yet\n", clean(group)),
        (None, _) => format!("{reached}\n"),
    };
    out.push_str(&format!(
        "reads as ({}): {}\n",
        preview.language,
        clean(&preview.english)
    ));
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
    match (preview.saved, preview.held) {
        (true, true) => out.push_str("saved as the rule of the group; the guard holds the list that comes of it\n"),
        (true, false) => out.push_str("saved as the rule of the group\n"),
        (false, _) => {}
    }
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

/// A rule in another language.
pub(super) fn text(said: &RuleText) -> String {
    let mut out = String::new();
    match &said.text {
        Some(text) => out.push_str(&format!("{}\n", clean(text))),
        None => {
            out.push_str(&format!("cannot be said in {}:\n", said.language));
            for clause in &said.inexpressible {
                out.push_str(&format!("  {}: {}\n", clean(&clause.clause), clean(&clause.why)));
            }
        }
    }
    if let Some(container) = &said.container {
        out.push_str(&format!("note: looks in {}\n", clean(container)));
    }
    if !said.exclusions.is_empty() {
        out.push_str(&format!(
            "note: without what was appended by {}\n",
            clean(&said.exclusions.join(", "))
        ));
    }
    out
}

/// How a rule is evaluated.
pub(super) fn plan(plan: &RulePlan) -> String {
    let mut out = format!("{}\n", clean(&plan.filter));
    let rows = plan.steps.iter().map(|step| {
        let indent = "  ".repeat(usize::try_from(step.depth).unwrap_or(0));
        vec![
            format!("{indent}{}", step.clause),
            step.served.clone(),
            number(step.rows),
        ]
    });
    out.push_str(&table(&["step", "served by", "recipients"], rows.collect(), &[2]));
    out.push_str(&format!(
        "{} of {} candidates\n",
        count(plan.count, "recipient", "recipients"),
        number(plan.candidates)
    ));
    out
}

/// Rules and what is odd about them.
pub(super) fn lint(rules: &[RuleLint]) -> String {
    let looked = count(rules.len() as u64, "rule", "rules");
    if rules.iter().all(|rule| rule.findings.is_empty()) {
        return format!("nothing odd: {looked} looked at\n");
    }
    let mut out = String::new();
    for rule in rules.iter().filter(|rule| !rule.findings.is_empty()) {
        let reached = rule.count.map_or_else(String::new, |reached| {
            format!(" ({})", count(reached, "recipient", "recipients"))
        });
        out.push_str(&format!("{}{reached}\n  {}\n", clean(&rule.group), clean(&rule.filter)));
        findings(&mut out, &rule.findings, "  ");
    }
    let odd = rules.iter().filter(|rule| !rule.findings.is_empty()).count() as u64;
    out.push_str(&format!("{looked} looked at, {} odd\n", number(odd)));
    out
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
