//! `moderate list|show|approve|reject`.

use super::Reader;
use super::text::{age, clean, clock, count, pairs, path, seconds_between, sender, size, subject, table, time};
use crate::admin::answer::{HoldDecided, HoldShown, HoldSummary, HoldsDecided};
use crate::admin::command::HoldAnswer;
use crate::spool::message::Membership;
use crate::track::{Decision, HoldCause};

pub(super) fn list(holds: &[HoldSummary], reader: &Reader) -> String {
    if holds.is_empty() {
        return "nothing waits for a moderator\n".to_owned();
    }
    let rows = holds.iter().map(|hold| {
        vec![
            hold.id.clone(),
            hold.group.clone(),
            sender(&hold.from),
            subject(hold.subject.as_deref()),
            size(hold.size_bytes),
            age(seconds_between(hold.held_at, reader.now)),
            age(seconds_between(reader.now, hold.expires_at)),
        ]
    });
    let header = ["id", "group", "from", "subject", "size", "age", "expires in"];
    table(&header, rows.collect(), &[4])
}

pub(super) fn show(shown: &HoldShown, reader: &Reader) -> String {
    let hold = &shown.summary;
    let decided = match (&shown.decided_by, shown.decided_at) {
        (Some(by), Some(at)) => format!("{} by {by} at {}", shown.state, time(at, reader)),
        _ => shown.state.clone(),
    };
    // With the decision the message has gone its way; what only it could tell is left out.
    let waits = shown.state == "waiting";
    let while_it_waits = |text: String| if waits { text } else { String::new() };
    pairs(&[
        ("hold", hold.id.clone()),
        ("state", decided),
        ("comment", shown.comment.clone().unwrap_or_default()),
        ("message", shown.message.to_string()),
        ("group", hold.group.clone()),
        ("why", why(shown.cause).to_owned()),
        ("reached by", path(&shown.path)),
        ("from", sender(&hold.from)),
        (
            "proof",
            match &shown.sender_proof {
                Some(proof) => format!("internal, proven by {proof}"),
                None => while_it_waits("none: external".to_owned()),
            },
        ),
        ("subject", subject(hold.subject.as_deref())),
        ("size", while_it_waits(size(hold.size_bytes))),
        (
            "would reach",
            while_it_waits(format!("{} today", count(shown.recipients, "recipient", "recipients"))),
        ),
        (
            "goes to",
            match shown.membership {
                Membership::Release => "members at release",
                Membership::Submission => "members at submission",
            }
            .to_owned(),
        ),
        ("held", time(hold.held_at, reader)),
        ("expires", while_it_waits(time(hold.expires_at, reader))),
        ("moderators", shown.moderators.join(", ")),
    ])
}

/// Why a message is held, in words.
pub(super) fn why(cause: HoldCause) -> &'static str {
    match cause {
        HoldCause::Moderation => "moderated",
        HoldCause::LargeGroup => "large and open: its owners decide",
        HoldCause::Confirmation => "large: its sender is asked to confirm",
        HoldCause::Quarantine => "claims an address of ours without proof",
        HoldCause::Content => "a content filter is suspicious of it",
        HoldCause::Storm => "replies to all on its thread are braked",
    }
}

pub(super) fn decided(decided: &HoldDecided, reader: &Reader) -> String {
    let word = decided.decision.word();
    let (id, by) = (clean(&decided.id), clean(&decided.by));
    if decided.missing > 0 {
        let more = count(decided.missing.into(), "more approval is", "more approvals are");
        let word = if decided.applied { "counted" } else { "counted before" };
        return format!("{id}: approval by {by} {word}; {more} needed\n");
    }
    if !decided.applied {
        return format!("{id} was already {word} by {by} at {}\n", clock(decided.at, reader));
    }
    match decided.decision {
        Decision::Approved => format!(
            "{id} {word}: {}\n",
            count(decided.recipients, "recipient", "recipients")
        ),
        Decision::Rejected | Decision::Expired => format!("{id} {word}\n"),
    }
}

pub(super) fn many(decided: &HoldsDecided) -> String {
    let what = format!(
        "{} from {}",
        count(decided.messages, "message", "messages"),
        count(decided.senders, "sender", "senders")
    );
    let reach = match decided.answer {
        HoldAnswer::Approve => format!(" to {}", count(decided.recipients, "recipient", "recipients")),
        HoldAnswer::Reject => String::new(),
    };
    let (would, done) = match decided.answer {
        HoldAnswer::Approve => ("would approve", "approved"),
        HoldAnswer::Reject => ("would refuse", "refused"),
    };
    let mut text = match (decided.messages, decided.done) {
        (0, _) => "nothing that waits matches\n".to_owned(),
        (_, true) => format!("{done}: {what}{reach}\n"),
        (_, false) => format!("{would} {what}{reach}\nnothing was changed; add --yes to do it\n"),
    };
    for left in &decided.left {
        text.push_str(&format!("{} left: {}\n", clean(&left.id), clean(&left.why)));
    }
    if let (true, Some(operation)) = (decided.done, &decided.operation) {
        text.push_str(&format!("operation {operation}\n"));
    }
    text
}
