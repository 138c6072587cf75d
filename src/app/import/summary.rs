//! The summary of an import on a terminal.

use std::fmt::Write as _;
use std::path::Path;

use super::{Changes, grouped};
use crate::admin::cli::ImportRequest;
use crate::admin::render::clean;
use crate::connectors::exchange::report::{Code, Report, Severity};

/// Findings of one code that are shown unless all are asked for.
const SHOWN: usize = 3;

/// The whole summary.
pub fn text(report: &Report, changes: &Changes, report_path: &Path, request: &ImportRequest) -> String {
    let mut text = String::new();
    let counts = &report.counts;
    let _ = writeln!(
        text,
        "read {} dynamic, {} static, {} security, {} Microsoft 365 groups; {} recipients",
        number(counts.dynamic),
        number(counts.fixed),
        number(counts.security),
        number(counts.microsoft365),
        number(counts.recipients)
    );
    let _ = writeln!(
        text,
        "dynamic: {} converted, {} converted with notes, {} not converted",
        number(counts.converted),
        number(counts.converted_with_notes),
        number(counts.not_converted)
    );
    if counts.tails_removed > 0 {
        let _ = writeln!(
            text,
            "system exclusions removed from {} filters",
            number(counts.tails_removed)
        );
    }
    findings(report, request.verbose, &mut text);
    let _ = writeln!(
        text,
        "references: {} sender-list entries, {} owners, {} moderation entries, {} parents, {} X500 addresses; {} unresolved",
        number(counts.sender_list_entries),
        number(counts.owners),
        number(counts.moderation_entries),
        number(counts.parents),
        number(counts.x500),
        number(counts.unresolved)
    );
    let total = changes.new + changes.changed + changes.gone;
    let into = changes.into.display();
    if report.is_refused() {
        let _ = writeln!(text, "nothing was written: mend what is wrong above and import again");
    } else if total == 0 && changes.files.is_empty() {
        let _ = writeln!(text, "0 changes");
    } else {
        let verb = if changes.written {
            "written to"
        } else {
            "not written (--yes writes) to"
        };
        let _ = writeln!(
            text,
            "{} changes: {} new, {} changed, {} gone; {verb} {into}",
            number(total),
            number(changes.new),
            number(changes.changed),
            number(changes.gone)
        );
    }
    let _ = writeln!(text, "report written to {}", clean(&report_path.display().to_string()));
    text
}

fn findings(report: &Report, verbose: bool, text: &mut String) {
    for (code, count) in grouped(report) {
        // Said in a line of its own above.
        if code == Code::TailsRemoved {
            continue;
        }
        let word = match code.severity() {
            Severity::Error => "refused",
            Severity::Problem => "problem",
            Severity::Note => "note",
        };
        let _ = writeln!(text, "{word:<8}{count:>5}  {}", code.heading());
        let shown = match (verbose, code.severity()) {
            (true, _) => usize::MAX,
            (false, Severity::Error | Severity::Problem) => SHOWN,
            (false, Severity::Note) => 0,
        };
        for finding in report.of(code).take(shown) {
            let _ = writeln!(text, "               {}", clean(&finding.to_string()));
            if let Some(proposal) = &finding.proposal {
                for (index, line) in proposal.lines().enumerate() {
                    let lead = if index == 0 { "->" } else { "  " };
                    let _ = writeln!(text, "               {lead} {}", clean(line));
                }
            }
        }
        if count > shown && shown > 0 {
            let _ = writeln!(text, "               … {} more in the report", count - shown);
        }
    }
}

/// `61,220`.
fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
