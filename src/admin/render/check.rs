//! `check` and `reload`.

use super::text::{clean, count};
use crate::admin::answer::{CheckReport, Finding, Reloaded, Severity};

pub(super) fn checked(report: &CheckReport) -> String {
    let mut out = findings(&report.findings);
    let of = |severity: Severity| {
        report
            .findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .count() as u64
    };
    let (errors, warnings) = (of(Severity::Error), of(Severity::Warning));
    if errors > 0 {
        out.push_str(&format!(
            "{}: {}, {}\n",
            clean(&report.settings),
            count(errors, "error", "errors"),
            count(warnings, "warning", "warnings")
        ));
    } else {
        let warned = if warnings > 0 {
            format!("; {}", count(warnings, "warning", "warnings"))
        } else {
            String::new()
        };
        out.push_str(&format!("ok: {}{warned}\n", clean(&report.summary)));
    }
    out
}

pub(super) fn reloaded(reloaded: &Reloaded) -> String {
    let mut out = findings(&reloaded.findings);
    match (&reloaded.guard, reloaded.applied) {
        (Some(guard), false) => {
            out.push_str(&format!(
                "held back: {}\nnothing was changed; `muster reload --accept` takes it all the same\n",
                clean(guard)
            ));
        }
        (_, true) if reloaded.changes.is_empty() => out.push_str("ok: nothing has changed\n"),
        (_, true) => {
            out.push_str("ok: changed\n");
            for change in &reloaded.changes {
                out.push_str(&format!("  {}\n", clean(change)));
            }
        }
        (None, false) => out.push_str("nothing was changed: the service goes on with what it had\n"),
    }
    out
}

fn findings(findings: &[Finding]) -> String {
    let mut out = String::new();
    for finding in findings {
        let mut place = finding.file.as_deref().map(clean).unwrap_or_default();
        for part in [finding.line, finding.column].into_iter().flatten() {
            place.push_str(&format!(":{part}"));
        }
        if !place.is_empty() {
            place.push_str(": ");
        }
        out.push_str(&format!(
            "{place}{}: {}\n",
            finding.severity.word(),
            clean(&finding.message)
        ));
        if let Some(suggestion) = &finding.suggestion {
            out.push_str(&format!("    {}\n", clean(suggestion)));
        }
    }
    out
}
