//! `tls-reports`.

use super::Reader;
use super::text::{clean, number, table, time};
use crate::admin::answer::{TlsCounted, TlsReportsShown};

pub(super) fn reports(shown: &TlsReportsShown, reader: &Reader) -> String {
    if !shown.on {
        return "No reports are made: `tls_reports.organization` is not set.\n".to_owned();
    }
    let mut out = String::new();
    if shown.counted.is_empty() {
        out.push_str("Nothing is counted yet.\n");
    } else {
        let row = |counted: &TlsCounted| {
            vec![
                counted.day.clone(),
                clean(&counted.domain),
                counted.policy.clone(),
                number(counted.succeeded),
                number(counted.failed),
                time(counted.due_at, reader),
            ]
        };
        out.push_str(&table(
            &["day", "domain", "policy", "good", "failed", "report due"],
            shown.counted.iter().map(row).collect(),
            &[3, 4],
        ));
        for counted in &shown.counted {
            for failure in &counted.failures {
                let address = failure.address.as_deref().map(|address| format!(" [{address}]"));
                out.push_str(&format!(
                    "{} {}: {} x {} at {}{}: {}\n",
                    counted.day,
                    clean(&counted.domain),
                    number(failure.sessions),
                    failure.result,
                    clean(&failure.host),
                    address.unwrap_or_default(),
                    clean(&failure.why),
                ));
            }
        }
    }
    if shown.left_out > 0 {
        out.push_str(&format!(
            "{} sessions with domains beyond the bound are not told apart\n",
            number(shown.left_out)
        ));
    }
    for ended in &shown.ended {
        let word = if ended.sent { "sent" } else { "GIVEN UP" };
        let places = ended.arrived.join(", ");
        out.push_str(&format!(
            "{} {}: {word} {} {}\n",
            ended.day,
            clean(&ended.domain),
            time(ended.at, reader),
            clean(&places)
        ));
        for missed in &ended.missed {
            out.push_str(&format!("  not to {}\n", clean(missed)));
        }
    }
    out
}
