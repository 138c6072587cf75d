//! `status`.

use super::Reader;
use super::text::{age, clean, count, number, pairs, seconds_between, table, time};
use crate::admin::answer::StatusReport;

pub(super) fn status(status: &StatusReport, reader: &Reader) -> String {
    let state = match status.busy {
        None if status.ready => "ready".to_owned(),
        None => "not ready".to_owned(),
        Some(reason) => format!("takes no mail: {}", reason.text()),
    };
    let directory = match (status.generation, status.generation_at) {
        (Some(generation), Some(at)) => format!(
            "{}, {}; generation {generation} since {}",
            count(status.recipients, "recipient", "recipients"),
            count(status.groups, "group", "groups"),
            time(at, reader)
        ),
        _ => "not loaded yet".to_owned(),
    };
    let mut out = pairs(&[
        ("muster", format!("{} on {}", status.version, status.hostname)),
        ("state", state),
        (
            "running",
            format!(
                "{} since {}",
                age(seconds_between(status.started_at, reader.now)),
                time(status.started_at, reader)
            ),
        ),
        ("directory", directory),
        (
            "queue",
            format!(
                "{} for {}",
                count(status.messages, "message", "messages"),
                count(status.queued_recipients, "recipient", "recipients")
            ),
        ),
        ("moderation", format!("{} waiting", number(status.holds))),
        ("lists", lists(status, reader)),
    ]);
    let signing = &status.signing;
    if signing.signed_total + signing.failed_total > 0 {
        let failed = match signing.failed_total {
            0 => String::new(),
            failed => format!("; {} times NONE could be made and copies waited", number(failed)),
        };
        let signed = format!("{}{failed}", count(signing.signed_total, "message", "messages"));
        out.push_str(&pairs(&[("signed", signed)]));
    }
    if !status.listeners.is_empty() {
        let rows = status.listeners.iter().map(|listener| {
            vec![
                listener.name.clone(),
                listener.role.clone(),
                listener.address.clone(),
                number(listener.sessions),
            ]
        });
        out.push_str(&table(
            &["listener", "role", "address", "sessions"],
            rows.collect(),
            &[3],
        ));
    }
    for note in &status.notes {
        out.push_str(&format!("note: {}\n", clean(note)));
    }
    out
}

/// What guard and verification say about lists.
fn lists(status: &StatusReport, reader: &Reader) -> String {
    let verification = &status.verification;
    let verified = match verification.at {
        None => "none verified since the start".to_owned(),
        Some(at) => format!(
            "{} verified, {}, latest {} ago",
            number(verification.lists_total),
            match verification.differences_total {
                0 => "no difference".to_owned(),
                differed => format!("{} DIFFERED and were repaired", number(differed)),
            },
            age(seconds_between(at, reader.now))
        ),
    };
    format!("{} held by the guard; {verified}", number(status.lists_held))
}
