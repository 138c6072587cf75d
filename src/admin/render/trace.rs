//! `trace`.

use super::Reader;
use super::roll::origin;
use super::text::{clean, clock, count, number, path, sender, subject, time, version};
use crate::admin::answer::{RecipientFate, TracedMessage, WasList, WasMember};
use crate::track::{Decision, EventKind};

pub(super) fn messages(messages: &[TracedMessage], reader: &Reader) -> String {
    if messages.is_empty() {
        return "nothing found\n".to_owned();
    }
    let mut out = String::new();
    for message in messages {
        out.push_str(&format!(
            "{}  from {}  {}\n  message {}\n",
            time(message.at, reader),
            sender(&message.from),
            subject(message.subject.as_deref()),
            message.message
        ));
        for event in &message.events {
            if let EventKind::Note { reason, note, .. } = &event.kind {
                out.push_str(&format!("  noted: {} ({})\n", clean(note), reason.text()));
            }
        }
        for fate in &message.fates {
            fate_lines(&mut out, fate, reader);
        }
        if !message.fates.iter().any(|fate| fate.event == "SEND") && message.recipients > 0 {
            let recipients = count(message.recipients, "recipient", "recipients");
            out.push_str(&format!(
                "  to {}; {recipients}, {} delivered\n",
                clean(&message.to.join(", ")),
                number(delivered_of(message))
            ));
        } else if message.fates.is_empty() {
            out.push_str(&format!("  to {}; no recipients\n", clean(&message.to.join(", "))));
        }
    }
    out
}

/// Recipients that a next hop took, each counted once.
fn delivered_of(message: &TracedMessage) -> u64 {
    let ranks = message.events.iter().map(|event| match &event.kind {
        EventKind::Send { ranks, .. } => ranks
            .iter()
            .map(|(first, last)| u64::from(last.saturating_sub(*first)) + 1)
            .sum(),
        _ => 0,
    });
    ranks.sum::<u64>().min(message.recipients)
}

/// Event names as people say them; the names themselves stand in the JSON and in the logs.
fn word(event: &str) -> &str {
    match event {
        "SEND" => "DELIVERED",
        "FAIL" => "FAILED",
        "DEFER" => "WAITING",
        "DROP" => "LEFT OUT",
        "REFUSE" => "REFUSED",
        "HOLD" => "HELD",
        "QUEUE" => "QUEUED",
        other => other,
    }
}

fn fate_word(fate: &RecipientFate) -> String {
    match fate.decision {
        Some(Decision::Approved) => "APPROVED".to_owned(),
        Some(Decision::Rejected) => "REJECTED".to_owned(),
        Some(Decision::Expired) => "EXPIRED".to_owned(),
        None => clean(word(&fate.event)),
    }
}

fn fate_lines(out: &mut String, fate: &RecipientFate, reader: &Reader) {
    let mut parts = vec![
        clean(&fate.recipient),
        format!("{} {}", fate_word(fate), clock(fate.at, reader)),
    ];
    if let Some(hop) = &fate.next_hop {
        parts.push(clean(hop));
    }
    if let Some(rule) = &fate.rule {
        parts.push(format!("by rule {}", clean(rule)));
    }
    if let Some(reply) = &fate.reply {
        parts.push(clean(&reply.to_string()));
    }
    if let Some(reason) = fate.reason {
        parts.push(format!("({})", reason.text()));
    }
    if let Some(to) = &fate.report_to {
        parts.push(format!("report sent to {}", clean(to)));
    }
    out.push_str(&format!("  {}\n", parts.join("  ")));
    if !fate.path.is_empty() {
        let list = match fate.roll_version {
            Some(number) => format!("    list {}", version(Some(number), fate.roll_age_seconds)),
            None => String::new(),
        };
        out.push_str(&format!(
            "    path {} > {}{list}\n",
            path(&fate.path),
            clean(&fate.recipient)
        ));
    }
}

/// Was somebody in the lists that a message was expanded with?
pub(super) fn was(was: &WasMember, reader: &Reader) -> String {
    let who = clean(&was.recipient);
    let mut out = String::new();
    if was.addressed {
        out.push_str(&format!("yes: the message names {who}\n"));
    }
    for list in was.lists.iter().filter(|list| list.member == Some(true)) {
        out.push_str(&format!(
            "yes: {who} was in list v{} of {}\n",
            list.version,
            through(list)
        ));
    }
    if was.member {
        return out;
    }
    if was.lists.is_empty() {
        return format!("no: the message was not expanded, and does not name {who}\n");
    }
    for list in &was.lists {
        let group = through(list);
        let text = match (list.member, &list.change) {
            (None, _) => format!(
                "unknown: the history of {group} does not reach back to v{}",
                list.version
            ),
            (Some(_), None) => format!(
                "no: {who} was not in list v{} of {group}, and is not since",
                list.version
            ),
            (Some(_), Some(change)) => format!(
                "no: {who} was not in list v{} of {group}; {} at {}: {}{}",
                list.version,
                clean(&change.change),
                time(change.at, reader),
                clean(&change.cause),
                origin(change.source.as_deref(), change.by.as_deref())
            ),
        };
        out.push_str(&format!("{text}\n"));
    }
    out
}

fn through(list: &WasList) -> String {
    let mut groups = list.path.clone();
    groups.push(list.group.clone());
    path(&groups)
}
