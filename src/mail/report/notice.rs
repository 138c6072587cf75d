//! Letters that are no delivery status: the end of a moderation, a group that lost a nested group.

use std::fmt::Write as _;

use jiff::Timestamp;
use lettre::message::SinglePart;

use super::text::{header_section, one_line, readable_subject};
use super::{AboutMessage, Composed, Letterhead};
use crate::mail::Mailbox;
use crate::mail::trace::date_text;

/// Most characters of a moderator's comment that are passed on.
const COMMENT_CHARACTERS_MAX: usize = 2_000;

/// Most vanished groups that are named.
const VANISHED_NAMED_MAX: usize = 100;

/// What a letter says.
#[derive(Clone, Debug)]
pub enum Notice<'a> {
    /// To the sender: a moderator refused. Who, is not said (as in Exchange).
    ModerationRejected {
        /// The moderated recipient.
        group: &'a Mailbox,
        /// The moderator's words to the sender.
        comment: Option<&'a str>,
    },
    /// To the sender: nobody decided in time.
    ModerationExpired {
        /// The moderated recipient.
        group: &'a Mailbox,
        /// Since when it waited.
        held_at: Timestamp,
    },
    /// To the owner: nested groups that no longer exist were left out (DESIGN §5: not bounced to the sender).
    NestedGroupsVanished {
        /// The owner's group.
        group: &'a Mailbox,
        /// The entries as they stand in its list.
        vanished: &'a [String],
    },
}

/// Writes a letter.
#[must_use]
pub fn compose_notice(letterhead: &Letterhead, about: &AboutMessage, notice: &Notice<'_>) -> Composed {
    let subject_of_message = readable_subject(about.subject.as_deref());
    let (subject, mut text, auto_submitted) = match notice {
        Notice::ModerationRejected { group, comment } => (
            format!("Rejected: {subject_of_message}"),
            rejected(&subject_of_message, group, *comment),
            "auto-replied",
        ),
        Notice::ModerationExpired { group, held_at } => (
            format!("Expired: {subject_of_message}"),
            format!(
                "Your message \"{subject_of_message}\" to {group} needed the consent of a moderator.\n\
                 It has waited since {}, nobody decided in time, and it was not passed on.\n\n\
                 Send it again if it still matters, or ask the group's owner.\n",
                date_text(*held_at)
            ),
            "auto-replied",
        ),
        Notice::NestedGroupsVanished { group, vanished } => (
            format!("Your group {group} names groups that no longer exist"),
            vanished_text(&subject_of_message, group, vanished),
            // RFC 3834 §5: the owner sent nothing that this could answer.
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

fn rejected(subject: &str, group: &Mailbox, comment: Option<&str>) -> String {
    let mut text = format!(
        "Your message \"{subject}\" to {group} needed the consent of a moderator.\n\
         It was refused and has not been passed on.\n"
    );
    let comment = comment.map(str::trim).filter(|comment| !comment.is_empty());
    if let Some(comment) = comment {
        text.push_str("\nThe moderator wrote:\n\n");
        let comment: String = comment.chars().take(COMMENT_CHARACTERS_MAX).collect();
        for line in comment.lines() {
            writeln!(text, "  {}", one_line(line)).expect("writing to a string");
        }
    }
    text
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
