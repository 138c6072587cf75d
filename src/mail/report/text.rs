//! Text of others made harmless, and the header section of our own letters.

use lettre::message::header::{HeaderName, HeaderValue, Headers};

use super::{AboutMessage, Letterhead};
use crate::mail::trace::{date_text, folded, safe_domain};
use crate::mail::{MessageId, header};

/// Most octets of one foreign value in a report.
const VALUE_OCTETS_MAX: usize = 800;

/// One line: control characters are blanks, blanks are single, at most 800 octets.
#[must_use]
pub fn one_line(value: &str) -> String {
    let mut out = String::with_capacity(value.len().min(VALUE_OCTETS_MAX));
    for word in value.split(|c: char| c.is_control() || c.is_whitespace()) {
        if word.is_empty() {
            continue;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
        if out.len() > VALUE_OCTETS_MAX {
            out.truncate(out.floor_char_boundary(VALUE_OCTETS_MAX));
            out.truncate(out.trim_end().len());
            break;
        }
    }
    out
}

/// [`one_line`] in ASCII; other characters become `?`.
pub(super) fn ascii_line(value: &str) -> String {
    one_line(value)
        .chars()
        .map(|c| if c.is_ascii() { c } else { '?' })
        .collect()
}

/// A field of the delivery-status part, folded, CRLF ended. The value has gone through [`one_line`].
pub(super) fn field(out: &mut String, name: &str, value: &str) {
    out.push_str(&folded(name, value.split(' ').filter(|word| !word.is_empty())));
    out.push_str("\r\n");
}

/// xtext (RFC 3461 §4) decoded, if every octet of it is printable; else as it stands, for it is printable.
pub(super) fn xtext_decoded(xtext: &str) -> String {
    let mut octets = Vec::with_capacity(xtext.len());
    let mut rest = xtext.as_bytes();
    while let Some((&octet, tail)) = rest.split_first() {
        rest = tail;
        if octet != b'+' {
            octets.push(octet);
            continue;
        }
        let pair = rest.split_at_checked(2).and_then(|(pair, tail)| {
            rest = tail;
            u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()
        });
        match pair {
            Some(octet) => octets.push(octet),
            None => return xtext.to_owned(),
        }
    }
    match String::from_utf8(octets) {
        Ok(text) if !text.chars().any(char::is_control) => text,
        _ => xtext.to_owned(),
    }
}

/// A subject for people.
#[must_use]
pub fn readable_subject(subject: Option<&str>) -> String {
    let subject = one_line(&header::decoded_for_display(subject.unwrap_or_default()));
    if subject.is_empty() {
        "(no subject)".to_owned()
    } else {
        subject
    }
}

/// A boundary that no part holds, made from the report's id so that the same report is the same octets.
pub(super) fn boundary(id: MessageId, parts: &[&[u8]]) -> String {
    let mut boundary = format!("muster-{}", id.0.simple());
    while parts
        .iter()
        .any(|part| memchr::memmem::find(part, boundary.as_bytes()).is_some())
    {
        // Whoever guessed the id of a report not yet made has won nothing but a longer boundary.
        boundary.push_str("-x");
    }
    boundary
}

/// The fields above the MIME fields of a letter (RFC 5322 §3.6), CRLF ended, without the empty line.
pub(super) fn header_section(
    letterhead: &Letterhead,
    about: &AboutMessage,
    subject: &str,
    auto_submitted: &str,
) -> String {
    let host = safe_domain(&letterhead.host);
    let mut fields = vec![
        plain("Date", date_text(letterhead.made_at)),
        // A mailbox is proof: no control octet, no blank outside quotes (`mail/address.rs`).
        plain("From", format!("Mail Delivery System <{}>", letterhead.postmaster)),
        plain("To", format!("<{}>", letterhead.to)),
        HeaderValue::new(HeaderName::new_from_ascii_str("Subject"), subject.to_owned()),
        plain("Message-ID", format!("<{}@{host}>", letterhead.id)),
    ];
    if let Some(id) = about.header_message_id.as_deref().and_then(message_id) {
        fields.push(plain("In-Reply-To", id.to_owned()));
        fields.push(plain("References", id.to_owned()));
    }
    fields.push(plain("Auto-Submitted", auto_submitted.to_owned()));
    fields.push(plain("MIME-Version", "1.0".to_owned()));
    let mut headers = Headers::with_capacity(fields.len());
    for value in fields {
        headers.insert_raw(value);
    }
    headers.to_string()
}

fn plain(name: &'static str, value: String) -> HeaderValue {
    HeaderValue::dangerous_new_pre_encoded(HeaderName::new_from_ascii_str(name), value.clone(), value)
}

/// A message id that can be repeated: `<left@right>` of printable ASCII.
fn message_id(value: &str) -> Option<&str> {
    let value = value.trim();
    let inner = value.strip_prefix('<')?.strip_suffix('>')?;
    let plain = !inner.is_empty() && inner.bytes().all(|b| b.is_ascii_graphic() && b != b'<' && b != b'>');
    (plain && value.len() <= 200).then_some(value)
}
