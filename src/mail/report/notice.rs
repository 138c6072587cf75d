//! Letters that are no delivery status: a group that lost a nested group.

use std::fmt::Write as _;

use lettre::message::SinglePart;

use super::text::{header_section, one_line, readable_subject};
use super::{AboutMessage, Composed, Letterhead};
use crate::mail::Mailbox;

/// Most vanished groups that are named.
const VANISHED_NAMED_MAX: usize = 100;

/// What a letter says.
#[derive(Clone, Debug)]
pub enum Notice<'a> {
    /// To the owner: nested groups that no longer exist were left out (DESIGN §5: not bounced to the sender).
    NestedGroupsVanished {
        /// The owner's group.
        group: &'a Mailbox,
        /// The entries as they stand in its list.
        vanished: &'a [String],
    },
    /// To those who decide about a group: a storm of replies to all is braked.
    ThreadBraked {
        /// The brake.
        brake: &'a BrakeWords<'a>,
    },
}

/// What a letter says of a brake.
#[derive(Clone, Debug)]
pub struct BrakeWords<'a> {
    /// The group.
    pub group: &'a Mailbox,
    /// Id of the first message of the thread.
    pub thread: &'a str,
    /// Replies that brought it on.
    pub replies: u32,
    /// Minutes in which they came, rounded up.
    pub minutes: u64,
    /// When it ends by itself, as people read it.
    pub until: String,
    /// True if further replies wait here; else their senders are told to come again.
    pub holds: bool,
}

/// Writes a letter.
#[must_use]
pub fn compose_notice(letterhead: &Letterhead, about: &AboutMessage, notice: &Notice<'_>) -> Composed {
    let subject_of_message = readable_subject(about.subject.as_deref());
    let (subject, mut text, auto_submitted) = match notice {
        Notice::NestedGroupsVanished { group, vanished } => (
            format!("Your group {group} names groups that no longer exist"),
            vanished_text(&subject_of_message, group, vanished),
            // RFC 3834 §5: the owner sent nothing that this could answer.
            "auto-generated",
        ),
        Notice::ThreadBraked { brake } => (
            format!("Replies to all to {} are braked: {subject_of_message}", brake.group),
            braked_text(&subject_of_message, brake),
            "auto-generated",
        ),
    };
    write!(
        text,
        "\nThis letter was made by the mail system {}.\nIf you need help, send it to {}.\nMessage number: {}\n",
        one_line(&letterhead.host),
        letterhead.postmaster,
        about.id
    )
    .expect("writing to a string");
    let mut octets = header_section(letterhead, about, &subject, auto_submitted).into_bytes();
    octets.extend_from_slice(&SinglePart::plain(text).formatted());
    Composed::new(octets, letterhead, subject)
}

fn braked_text(subject: &str, brake: &BrakeWords<'_>) -> String {
    let then = if brake.holds {
        "Further replies on this thread to the group wait: nobody but you is told, and they are released or refused\n\
         one by one or together (`muster moderate`). Those that nobody decides about are returned to their senders."
    } else {
        "Further replies on this thread to the group are refused for now (450): their senders' systems try again\n\
         until the brake ends, or tell them."
    };
    let minutes = if brake.minutes <= 1 {
        "1 minute".to_owned()
    } else {
        format!("{} minutes", brake.minutes)
    };
    format!(
        "{} replies to all came to {} within {minutes} on one thread:\n\n  {subject}\n  {}\n\n{then}\n\n\
         Other mail to the group goes on. The brake ends at {}. Moderators and owners of the group may still\n\
         write on the thread.\n\n\
         `muster watch` shows it, `muster stop --thread ID --lift` ends it now.\n",
        brake.replies,
        brake.group,
        one_line(brake.thread),
        brake.until,
    )
}

fn vanished_text(subject: &str, group: &Mailbox, vanished: &[String]) -> String {
    let mut text = format!(
        "You own the group {group}. When the message \"{subject}\" was sent to it, these entries of its list\n\
         named no group any more and were left out:\n\n"
    );
    for entry in vanished.iter().take(VANISHED_NAMED_MAX) {
        writeln!(text, "  {}", one_line(entry)).expect("writing to a string");
    }
    if let Some(more) = vanished.len().checked_sub(VANISHED_NAMED_MAX).filter(|&more| more > 0) {
        writeln!(text, "  and {more} more").expect("writing to a string");
    }
    text.push_str("\nEverybody else received the message. Remove these entries, or put other groups in their place.\n");
    text
}
