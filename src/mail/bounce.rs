//! Reports of other systems, read: who was not reached, and what was said.
//!
//! In: the octets of a message that came to a return path. Out: failures with addresses and codes; or a delay, a
//! success, or no report at all. Reads RFC 3464 and, where a system writes its own, the texts of Exim, qmail,
//! Postfix, Exchange and Gmail. Never: an address that the message does not name; a part deeper than the first
//! level; more than the first octets and the first recipients.

mod parts;
mod status;
mod texts;

use crate::limits::{BOUNCE_OCTETS_MAX, BOUNCE_RECIPIENTS_MAX};
use crate::mail::header::HeaderSection;
use crate::mail::{EnhancedStatus, Mailbox, Reply};

/// Longest diagnostic that is passed on. Unit: characters.
const DIAGNOSTIC_CHARACTERS_MAX: usize = 300;

/// What a message that came to a return path is.
#[derive(Clone, PartialEq, Debug)]
pub enum Bounce {
    /// Somebody was not reached, for good; at least one.
    Failed(Vec<Failure>),
    /// Still being tried.
    Delayed,
    /// Delivered, relayed or expanded: good news that was asked for.
    Delivered,
    /// No report: an automatic reply, or something else.
    Other,
}

/// Somebody who was not reached.
#[derive(Clone, PartialEq, Debug)]
pub struct Failure {
    /// Who; none if the report does not say.
    pub address: Option<Mailbox>,
    /// What was said, as a permanent reply.
    pub reply: Reply,
    /// Who said it.
    pub remote: Option<String>,
}

/// Reads a message.
#[must_use]
pub fn read(message: &[u8]) -> Bounce {
    let message = &message[..message.len().min(BOUNCE_OCTETS_MAX)];
    let Ok(section) = HeaderSection::parse(message) else {
        return Bounce::Other;
    };
    let parts = parts::of(&section, message);
    if let Some(report) = &parts.status {
        return status::read(report);
    }
    let failed = texts::read(&section, &parts.text);
    match failed {
        Some(failed) => Bounce::Failed(failed),
        None => Bounce::Other,
    }
}

/// A reply from what a report says; a failure is permanent whatever class its code has.
fn failure_reply(status: Option<EnhancedStatus>, text: &str) -> Reply {
    let (code, said, rest) = leading_codes(text);
    let status = status
        .filter(|status| status.subject != 0 || status.detail != 0)
        .or(said)
        .or(status);
    let status = status.map_or((5, 0, 0), |status| (5, status.subject, status.detail));
    let shown = shown(rest);
    let text = if shown.is_empty() {
        "reported as undeliverable".to_owned()
    } else {
        shown
    };
    Reply::new(
        code.filter(|code| (500..600).contains(code)).unwrap_or(550),
        status,
        text,
    )
}

/// A text for one line, without control characters and not too long.
fn shown(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let plain = line.chars().filter(|c| !c.is_control());
    plain.take(DIAGNOSTIC_CHARACTERS_MAX).collect()
}

/// `550 5.1.1 text`, `550-5.1.1 text`, `#5.1.1 text`: code, status and the text after them.
fn leading_codes(text: &str) -> (Option<u16>, Option<EnhancedStatus>, &str) {
    let mut rest = text.trim_start_matches(['#', '<', ' ', '\t']);
    let mut code = None;
    if let Some((digits, after)) = rest.split_at_checked(3)
        && digits.bytes().all(|b| b.is_ascii_digit())
        && after.starts_with([' ', '-'])
    {
        code = digits.parse().ok().filter(|code| (200..600).contains(code));
        if code.is_some() {
            rest = after[1..].trim_start_matches(['#', ' ']);
        }
    }
    let word = rest.split([' ', '>', ';', ',', ')']).next().unwrap_or_default();
    match word.parse() {
        Ok(status) => (code, Some(status), rest[word.len()..].trim_start()),
        Err(_) => (code, None, rest),
    }
}

/// Adds a failure unless its address is known already.
fn add(failures: &mut Vec<Failure>, failure: Failure) {
    let known = failures.iter().any(|known| match (&known.address, &failure.address) {
        (Some(one), Some(other)) => one.key() == other.key(),
        (_, None) => true,
        (None, Some(_)) => false,
    });
    if !known && failures.len() < BOUNCE_RECIPIENTS_MAX {
        failures.push(failure);
    }
}

#[cfg(test)]
mod tests;
