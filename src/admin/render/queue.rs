//! `queue list|summary|show`, and what was done.

use super::Reader;
use super::text::{age, clean, count, number, pairs, seconds_between, sender, subject, table, time};
use crate::admin::answer::{HopSuspended, NextHopSummary, QueueActed, QueueChanged, QueueItem, QueueShown};
use crate::admin::command::QueueAction;

pub(super) fn list(items: &[QueueItem], reader: &Reader) -> String {
    if items.is_empty() {
        return "the queue is empty\n".to_owned();
    }
    let rows = items.iter().map(|item| {
        vec![
            item.set.clone(),
            item.next_hop.clone(),
            number(item.open),
            sender(&item.from),
            age(seconds_between(item.queued_at, reader.now)),
            due(item, reader),
            why(item),
        ]
    });
    let header = ["set", "next hop", "open", "from", "age", "next try", "why it waits"];
    table(&header, rows.collect(), &[2])
}

fn due(item: &QueueItem, reader: &Reader) -> String {
    match item.next_attempt_at {
        Some(at) if at > reader.now => format!("in {}", age(seconds_between(reader.now, at))),
        Some(_) | None => "now".to_owned(),
    }
}

fn why(item: &QueueItem) -> String {
    match (&item.reply, item.reason) {
        (Some(reply), _) => reply.to_string(),
        (None, Some(reason)) => reason.text().to_owned(),
        (None, None) => "-".to_owned(),
    }
}

pub(super) fn summary(hops: &[NextHopSummary]) -> String {
    if hops.is_empty() {
        return "no next hops\n".to_owned();
    }
    let rows = hops.iter().map(|hop| {
        vec![
            hop.next_hop.clone(),
            number(hop.ready),
            number(hop.deferred),
            hop.oldest_seconds.map_or_else(|| "-".to_owned(), age),
            format!("{} of {}", hop.sessions, hop.sessions_max),
            hop.last_error.clone().unwrap_or_else(|| "-".to_owned()),
        ]
    });
    let header = ["next hop", "ready", "deferred", "oldest", "sessions", "last error"];
    table(&header, rows.collect(), &[1, 2])
}

pub(super) fn show(shown: &QueueShown, reader: &Reader) -> String {
    let item = &shown.item;
    let mut out = pairs(&[
        ("set", item.set.clone()),
        ("message", item.message.to_string()),
        ("from", sender(&item.from)),
        ("subject", subject(shown.subject.as_deref())),
        ("next hop", item.next_hop.clone()),
        (
            "recipients",
            format!(
                "{}: {} relayed, {} failed, {} open",
                number(item.recipients),
                number(shown.relayed),
                number(shown.failed),
                number(item.open)
            ),
        ),
        ("queued", time(item.queued_at, reader)),
        ("attempts", item.attempts.to_string()),
        ("next try", due(item, reader)),
        ("given up", time(item.expires_at, reader)),
        ("why", why(item)),
    ]);
    for open in &shown.open_recipients {
        let why = match (&open.reply, open.reason) {
            (Some(reply), _) => reply.to_string(),
            (None, Some(reason)) => reason.text().to_owned(),
            (None, None) => "not tried yet".to_owned(),
        };
        out.push_str(&format!("  {}  {}\n", clean(&open.recipient), clean(&why)));
    }
    let unnamed = item.open.saturating_sub(shown.open_recipients.len() as u64);
    if unnamed > 0 {
        out.push_str(&format!("  and {} more\n", number(unnamed)));
    }
    out
}

pub(super) fn changed(changed: &QueueChanged, verb: &str, done: &str) -> String {
    let what = format!(
        "{} of {} in {}",
        count(changed.recipients, "recipient", "recipients"),
        count(changed.messages, "message", "messages"),
        count(changed.sets, "delivery set", "delivery sets")
    );
    match (changed.sets, changed.done) {
        (0, _) => "nothing in the queue matches\n".to_owned(),
        (_, true) => format!("{done}: {what}\n"),
        (_, false) => format!("would {verb} {what}\nnothing was changed; add --yes to do it\n"),
    }
}

/// `queue hold|release|drop|bounce|reroute`.
pub(super) fn acted(acted: &QueueActed) -> String {
    let what = format!(
        "{} of {} in {}",
        count(acted.recipients, "recipient", "recipients"),
        count(acted.messages, "message", "messages"),
        count(acted.sets, "delivery set", "delivery sets")
    );
    let (verb, done) = match &acted.verb {
        QueueAction::Hold => ("hold".to_owned(), "held".to_owned()),
        QueueAction::Release => ("release".to_owned(), "released".to_owned()),
        QueueAction::Drop => ("drop".to_owned(), "dropped".to_owned()),
        QueueAction::Bounce => (
            "give up, with reports to the senders,".to_owned(),
            "given up, with reports to the senders".to_owned(),
        ),
        QueueAction::Reroute(to) => (format!("send to {}", clean(to)), format!("sent to {}", clean(to))),
    };
    let mut out = match (acted.recipients, acted.done) {
        (0, _) => "nobody in the queue matches\n".to_owned(),
        (_, true) => format!("{done}: {what}\n"),
        (_, false) => format!("would {verb} {what}\nnothing was changed; add --yes to do it\n"),
    };
    if acted.in_flight > 0 {
        out.push_str(&format!(
            "{} being delivered at this moment {} left alone\n",
            count(acted.in_flight, "recipient", "recipients"),
            if acted.in_flight == 1 { "is" } else { "are" }
        ));
    }
    out
}

/// `queue suspend|resume`.
pub(super) fn suspended(done: &HopSuspended) -> String {
    let hop = clean(&done.next_hop);
    let waiting = format!(
        "{} in {} for it",
        count(done.recipients, "recipient", "recipients"),
        count(done.sets, "delivery set", "delivery sets")
    );
    match (done.suspended, done.applied) {
        (true, true) => format!("{hop} is suspended; {waiting}; to go on: muster queue resume {hop}\n"),
        (true, false) => format!("{hop} was suspended already; {waiting}\n"),
        (false, true) => format!("{hop} goes on; {waiting}\n"),
        (false, false) => format!("{hop} was not suspended; {waiting}\n"),
    }
}
