//! Tracking events as log lines: the keys of their JSON form, one line per event.
//!
//! Every line has `event` (the stable name), `id` (the message) and `at` (when it happened, RFC 3339), then
//! what the event knows, under the key that `trace --json` shows it by. Addressed recipients are named up to
//! `NAMED_MAX`; members of groups are not, but for one that failed or was left out. What a message or a
//! moderator says (subject, comment) is not logged, nested groups at level `debug` only; `trace` shows all of it
//! to those who may ask.

use serde_json::{Map, Value};

use crate::mail::Reply;
use crate::track::{Event, EventKind};

/// Where the lines are filed, so that a level can name them: `info,muster::track=warn` leaves them out.
pub const TARGET: &str = "muster::track";

/// Most names in a list.
const NAMED_MAX: usize = 10;

/// An event's own fields.
struct Fields(Map<String, Value>);

impl Fields {
    fn of(event: &Event) -> Self {
        match serde_json::to_value(event) {
            Ok(Value::Object(fields)) => Self(fields),
            // An event is plain data with text keys; were it not, its name and id would still be logged.
            Ok(_) | Err(_) => Self(Map::new()),
        }
    }

    /// A text; of a list the first names.
    fn text(&self, key: &str) -> Option<String> {
        match self.0.get(key)? {
            Value::String(text) => Some(text.clone()),
            Value::Array(list) => {
                let names: Vec<&str> = list.iter().filter_map(Value::as_str).take(NAMED_MAX).collect();
                (!names.is_empty()).then(|| names.join(", "))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
        }
    }

    /// A number; of a list of names how many, of ranges of ranks how many ranks.
    fn count(&self, key: &str) -> Option<u64> {
        match self.0.get(key)? {
            Value::Number(number) => number.as_u64(),
            Value::Array(list) => Some(list.iter().map(ranks).sum()),
            Value::Null | Value::Bool(_) | Value::String(_) | Value::Object(_) => None,
        }
    }

    fn reply(&self) -> Option<String> {
        let reply: Reply = serde_json::from_value(self.0.get("reply")?.clone()).ok()?;
        Some(reply.to_string())
    }
}

/// Ranks in `[first, last]`; any other element counts as one.
fn ranks(element: &Value) -> u64 {
    let bound = |index: usize| element.get(index).and_then(Value::as_u64);
    match (bound(0), bound(1)) {
        (Some(first), Some(last)) => last.saturating_sub(first) + 1,
        _ => 1,
    }
}

/// A group inside another: `trace` tells it; one message to all staff would fill the log with it.
fn is_detail(event: &Event) -> bool {
    matches!(&event.kind, EventKind::Expand { path, .. } if !path.is_empty())
}

/// Logs an event.
pub fn log_event(event: &Event) {
    if !tracing::enabled!(target: TARGET, tracing::Level::INFO) {
        return;
    }
    if is_detail(event) && !tracing::enabled!(target: TARGET, tracing::Level::DEBUG) {
        return;
    }
    let fields = Fields::of(event);
    tracing::info!(
        target: TARGET,
        event = event.kind.name(),
        id = %event.message,
        at = %event.at,
        listener = fields.text("listener"),
        client = fields.text("client"),
        helo = fields.text("helo"),
        reverse_path = fields.text("reverse_path"),
        recipient = fields.text("recipient"),
        addressed = fields.text("recipients"),
        recipients = fields.count("recipients").or_else(|| fields.count("ranks")),
        size_bytes = fields.count("size_bytes"),
        sender_proof = fields.text("sender_proof"),
        header_message_id = fields.text("header_message_id"),
        group = fields.text("group"),
        path = fields.text("path"),
        roll_version = fields.count("roll_version"),
        roll_age_seconds = fields.count("roll_age_seconds"),
        entries = fields.count("entries"),
        added = fields.count("added"),
        duplicates = fields.count("duplicates"),
        hold = fields.count("hold").map(|number| format!("m-{number}")),
        decision = fields.text("decision"),
        by = fields.text("by"),
        expires_at = fields.text("expires_at"),
        set = fields.count("set").map(|number| format!("s-{number}")),
        next_hop = fields.text("next_hop"),
        remote = fields.text("remote"),
        protection = fields.text("protection"),
        retry_at = fields.text("retry_at"),
        reply = fields.reply(),
        reason = fields.text("reason"),
        note = fields.text("note"),
        report = fields.text("report"),
        report_id = fields.text("id"),
        to = fields.text("to"),
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
