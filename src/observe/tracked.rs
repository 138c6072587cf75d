//! Tracking events as log lines: the keys of their JSON form, one line per event.
//!
//! Every line has `event` (the stable name), `id` (the message) and `at` (when it happened, RFC 3339), then
//! what the event knows, under the key that `trace --json` shows it by. Addressed recipients are named up to
//! `NAMED_MAX`; members of groups are not, but for one that failed or was left out. What a message or a
//! moderator says (subject, comment) is not logged, nested groups at level `debug` only; `trace` shows all of it
//! to those who may ask.

use std::borrow::Cow;
use std::net::IpAddr;

use jiff::Timestamp;

use crate::mail::{HoldId, MessageId, Reply, SetId};
use crate::track::{Event, EventKind};

/// Where the lines are filed, so that a level can name them: `info,muster::track=warn` leaves them out.
pub const TARGET: &str = "muster::track";

/// Most names in a list.
const NAMED_MAX: usize = 10;

/// What a line can show after `event`, `id` and `at`, in this order; most events have few of them.
#[derive(Default)]
struct Fields<'a> {
    listener: Option<&'a str>,
    client: Option<IpAddr>,
    helo: Option<&'a str>,
    reverse_path: Option<&'a str>,
    recipient: Option<&'a str>,
    addressed: Option<Cow<'a, str>>,
    recipients: Option<u64>,
    size_bytes: Option<u64>,
    sender_proof: Option<&'a str>,
    header_message_id: Option<&'a str>,
    group: Option<&'a str>,
    path: Option<Cow<'a, str>>,
    roll_version: Option<u64>,
    roll_age_seconds: Option<u64>,
    entries: Option<u64>,
    added: Option<u64>,
    duplicates: Option<u64>,
    hold: Option<HoldId>,
    decision: Option<&'static str>,
    by: Option<&'a str>,
    expires_at: Option<Timestamp>,
    set: Option<SetId>,
    next_hop: Option<&'a str>,
    remote: Option<&'a str>,
    protection: Option<&'a str>,
    retry_at: Option<Timestamp>,
    reply: Option<&'a Reply>,
    reason: Option<&'static str>,
    note: Option<&'a str>,
    report: Option<&'static str>,
    report_id: Option<MessageId>,
    to: Option<&'a str>,
}

/// The first names of a list; none of an empty one.
fn names(list: &[String]) -> Option<Cow<'_, str>> {
    match list {
        [] => None,
        [one] => Some(Cow::Borrowed(one)),
        several => Some(Cow::Owned(several[..several.len().min(NAMED_MAX)].join(", "))),
    }
}

/// Ranks in ranges that include both ends.
fn count(ranges: &[(u32, u32)]) -> u64 {
    let ranks = |&(first, last): &(u32, u32)| u64::from(last.saturating_sub(first)) + 1;
    ranges.iter().map(ranks).sum()
}

/// A group inside another: `trace` tells it; one message to all staff would fill the log with it.
fn is_detail(event: &Event) -> bool {
    matches!(&event.kind, EventKind::Expand { path, .. } if !path.is_empty())
}

impl<'a> Fields<'a> {
    fn of(event: &'a EventKind) -> Self {
        match event {
            EventKind::Receive { .. } | EventKind::Refuse { .. } | EventKind::Note { .. } => Self::of_intake(event),
            EventKind::Expand { .. } | EventKind::Drop { .. } | EventKind::Branch { .. } => Self::of_expansion(event),
            EventKind::Hold { .. } | EventKind::Decide { .. } | EventKind::Vote { .. } => Self::of_moderation(event),
            EventKind::Queue { .. } | EventKind::Send { .. } | EventKind::Defer { .. } | EventKind::Fail { .. } => {
                Self::of_delivery(event)
            }
            EventKind::Report {
                report,
                to,
                id,
                recipients,
            } => Self {
                report: Some(report.word()),
                to: Some(to),
                report_id: Some(*id),
                recipients: Some(*recipients),
                ..Self::default()
            },
            EventKind::Done => Self::default(),
        }
    }

    fn of_intake(event: &'a EventKind) -> Self {
        match event {
            EventKind::Receive {
                listener,
                client,
                helo,
                reverse_path,
                recipients,
                size_bytes,
                sender_proof,
                header_message_id,
                ..
            } => Self {
                listener: Some(listener),
                client: *client,
                helo: helo.as_deref(),
                reverse_path: Some(reverse_path),
                addressed: names(recipients),
                recipients: Some(recipients.len() as u64),
                size_bytes: Some(*size_bytes),
                sender_proof: Some(sender_proof),
                header_message_id: header_message_id.as_deref(),
                ..Self::default()
            },
            EventKind::Refuse {
                recipient,
                reverse_path,
                listener,
                client,
                reply,
                reason,
                ..
            } => Self {
                recipient: recipient.as_deref(),
                reverse_path: Some(reverse_path),
                listener: Some(listener),
                client: *client,
                reply: Some(reply),
                reason: Some(reason.code()),
                ..Self::default()
            },
            EventKind::Note {
                client, reason, note, ..
            } => Self {
                client: Some(*client),
                reason: Some(reason.code()),
                note: Some(note),
                ..Self::default()
            },
            _ => Self::default(),
        }
    }

    fn of_expansion(event: &'a EventKind) -> Self {
        match event {
            EventKind::Expand {
                group,
                path,
                roll_version,
                roll_age_seconds,
                entries,
                added,
                duplicates,
                ..
            } => Self {
                group: Some(group),
                path: names(path),
                roll_version: Some(*roll_version),
                roll_age_seconds: Some(*roll_age_seconds),
                entries: Some(*entries),
                added: Some(*added),
                duplicates: Some(*duplicates),
                ..Self::default()
            },
            EventKind::Drop {
                recipient,
                group,
                reason,
                ..
            } => Self {
                recipient: Some(recipient),
                group: group.as_deref(),
                reason: Some(reason.code()),
                ..Self::default()
            },
            EventKind::Branch {
                recipient,
                path,
                reply,
                reason,
                ..
            } => Self {
                recipient: Some(recipient),
                path: names(path),
                reply: Some(reply),
                reason: Some(reason.code()),
                ..Self::default()
            },
            _ => Self::default(),
        }
    }

    fn of_moderation(event: &'a EventKind) -> Self {
        match event {
            EventKind::Hold {
                hold,
                group,
                expires_at,
                ..
            } => Self {
                hold: Some(*hold),
                group: Some(group),
                expires_at: Some(*expires_at),
                ..Self::default()
            },
            EventKind::Decide { hold, decision, by, .. } => Self {
                hold: Some(*hold),
                decision: Some(decision.word()),
                by: Some(by),
                ..Self::default()
            },
            EventKind::Vote { hold, by, .. } => Self {
                hold: Some(*hold),
                by: Some(by),
                ..Self::default()
            },
            _ => Self::default(),
        }
    }

    fn of_delivery(event: &'a EventKind) -> Self {
        match event {
            EventKind::Queue {
                set,
                next_hop,
                recipients,
                reverse_path,
                ..
            } => Self {
                set: Some(*set),
                next_hop: Some(next_hop),
                recipients: Some(*recipients),
                reverse_path: Some(reverse_path),
                ..Self::default()
            },
            EventKind::Send {
                set,
                next_hop,
                remote,
                protection,
                ranks,
                reply,
                ..
            } => Self {
                set: Some(*set),
                next_hop: Some(next_hop),
                remote: Some(remote),
                protection: protection.as_deref(),
                recipients: Some(count(ranks)),
                reply: Some(reply),
                ..Self::default()
            },
            EventKind::Defer {
                set,
                next_hop,
                ranks,
                reply,
                reason,
                retry_at,
                ..
            } => Self {
                set: Some(*set),
                next_hop: Some(next_hop),
                recipients: Some(count(ranks)),
                reply: reply.as_ref(),
                reason: Some(reason.code()),
                retry_at: Some(*retry_at),
                ..Self::default()
            },
            EventKind::Fail {
                set,
                next_hop,
                recipient,
                reply,
                reason,
                ..
            } => Self {
                set: Some(*set),
                next_hop: Some(next_hop),
                recipient: Some(recipient),
                reply: Some(reply),
                reason: Some(reason.code()),
                ..Self::default()
            },
            _ => Self::default(),
        }
    }
}

/// Logs an event.
pub fn log_event(event: &Event) {
    if !tracing::enabled!(target: TARGET, tracing::Level::INFO) {
        return;
    }
    if is_detail(event) && !tracing::enabled!(target: TARGET, tracing::Level::DEBUG) {
        return;
    }
    let fields = Fields::of(&event.kind);
    tracing::info!(
        target: TARGET,
        event = event.kind.name(),
        id = %event.message,
        at = %event.at,
        listener = fields.listener,
        client = fields.client.map(|address| address.to_string()),
        helo = fields.helo,
        reverse_path = fields.reverse_path,
        recipient = fields.recipient,
        addressed = fields.addressed.as_deref(),
        recipients = fields.recipients,
        size_bytes = fields.size_bytes,
        sender_proof = fields.sender_proof,
        header_message_id = fields.header_message_id,
        group = fields.group,
        path = fields.path.as_deref(),
        roll_version = fields.roll_version,
        roll_age_seconds = fields.roll_age_seconds,
        entries = fields.entries,
        added = fields.added,
        duplicates = fields.duplicates,
        hold = fields.hold.map(|hold| format!("m-{}", hold.0)),
        decision = fields.decision,
        by = fields.by,
        expires_at = fields.expires_at.map(|at| at.to_string()),
        set = fields.set.map(|set| format!("s-{}", set.0)),
        next_hop = fields.next_hop,
        remote = fields.remote,
        protection = fields.protection,
        retry_at = fields.retry_at.map(|at| at.to_string()),
        reply = fields.reply.map(Reply::to_string),
        reason = fields.reason,
        note = fields.note,
        report = fields.report,
        report_id = fields.report_id.map(|id| id.to_string()),
        to = fields.to,
    );
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::mail::{HoldId, MessageId, SetId};
    use crate::observe::log::tests::Kept;
    use crate::observe::log::{LogFormat, subscriber};
    use crate::track::{Decision, HoldCause, Reason, ReportKind};

    fn text(words: &str) -> String {
        words.to_owned()
    }

    /// One event of each kind with the fields its line must show after `event`, `id` and `at`.
    fn samples() -> Vec<(EventKind, &'static str)> {
        let at = "2026-11-21T07:21:30Z".parse().expect("a time");
        let reply = || Reply::new(250, (2, 6, 0), "queued\nwell");
        vec![
            (
                EventKind::Receive {
                    listener: text("inbound"),
                    client: Some("192.0.2.1".parse().expect("an address")),
                    helo: None,
                    reverse_path: text("a@x.example"),
                    recipients: (0..12).map(|number| format!("g{number}@y.example")).collect(),
                    size_bytes: 2_000,
                    sender_proof: text("external"),
                    header_message_id: None,
                    subject: Some(text("Secret")),
                },
                "listener=inbound client=192.0.2.1 reverse_path=a@x.example addressed=g0@y.example, g1@y.example, \
                 g2@y.example, g3@y.example, g4@y.example, g5@y.example, g6@y.example, g7@y.example, g8@y.example, \
                 g9@y.example recipients=12 size_bytes=2000 sender_proof=external",
            ),
            (
                EventKind::Decide {
                    hold: HoldId(17),
                    decision: Decision::Rejected,
                    by: text("eva@y.example"),
                    comment: Some(text("Secret")),
                    operation: None,
                },
                "hold=m-17 decision=rejected by=eva@y.example",
            ),
            (
                EventKind::Hold {
                    hold: HoldId(17),
                    group: text("g@y.example"),
                    moderators: vec![text("eva@y.example")],
                    expires_at: at,
                    cause: HoldCause::Moderation,
                    thread: None,
                },
                "group=g@y.example hold=m-17 expires_at=2026-11-21T07:21:30Z",
            ),
            (
                EventKind::Send {
                    set: SetId(12),
                    next_hop: text("cloud"),
                    remote: text("cloud.example"),
                    protection: Some(text("TLSv1.3 verified")),
                    ranks: vec![(0, 499), (501, 501)],
                    reply: reply(),
                },
                "recipients=501 set=s-12 next_hop=cloud remote=cloud.example protection=TLSv1.3 verified reply=250 2.6.0 queued well",
            ),
            (
                EventKind::Drop {
                    recipient: text("old@y.example"),
                    group: None,
                    reason: Reason::MemberDeleted,
                },
                "recipient=old@y.example reason=member-deleted",
            ),
            (
                EventKind::Report {
                    report: ReportKind::Failed,
                    to: text("a@x.example"),
                    id: MessageId(Uuid::from_u128(2)),
                    recipients: 3,
                },
                "recipients=3 report=failed report_id=00000000-0000-0000-0000-000000000002 to=a@x.example",
            ),
            (EventKind::Done, ""),
        ]
    }

    #[test]
    fn events_are_lines_with_stable_keys() {
        for (kind, fields) in samples() {
            let event = Event {
                at: "2026-11-21T07:21:30Z".parse().expect("a time"),
                message: MessageId(Uuid::from_u128(1)),
                kind,
            };
            let kept = Kept::default();
            let (subscriber, _) = subscriber(LogFormat::Text, "info", kept.clone()).expect("a level");
            tracing::subscriber::with_default(subscriber, || log_event(&event));
            let line = kept.text().replace('"', "");
            let name = event.kind.name();
            let expected = format!(
                "muster::track: event={name} id=00000000-0000-0000-0000-000000000001 at=2026-11-21T07:21:30Z {fields}"
            );
            assert!(line.trim_end().ends_with(expected.trim_end()), "{line}\n{expected}");
            assert!(!line.contains("Secret"), "{line}");
        }
    }

    #[test]
    fn a_level_can_leave_them_out() {
        let kept = Kept::default();
        let (subscriber, _) = subscriber(LogFormat::Json, "info,muster::track=warn", kept.clone()).expect("a level");
        let event = Event {
            at: "2026-11-21T07:21:30Z".parse().expect("a time"),
            message: MessageId(Uuid::nil()),
            kind: EventKind::Done,
        };
        tracing::subscriber::with_default(subscriber, || log_event(&event));
        assert_eq!(kept.text(), "");
    }
}
