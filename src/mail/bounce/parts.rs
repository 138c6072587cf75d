//! The parts of a message that a report is read from: the delivery status and the first text.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::mail::header::{HeaderSection, MediaType};

/// Most parts of the first level that are looked at.
const PARTS_MAX: usize = 50;

/// What was found.
#[derive(Default)]
pub(super) struct Parts {
    /// `message/delivery-status` or `message/global-delivery-status`, decoded.
    pub(super) status: Option<String>,
    /// The first text, decoded.
    pub(super) text: String,
}

/// Looks into a message.
pub(super) fn of(section: &HeaderSection<'_>, message: &[u8]) -> Parts {
    let body = body_of(section, message);
    let media = media(section);
    let boundary = media
        .as_ref()
        .filter(|media| media.is_multipart())
        .and_then(|media| media.parameter("boundary"));
    let mut parts = Parts::default();
    let Some(boundary) = boundary.filter(|boundary| !boundary.is_empty()) else {
        parts.text = decoded(section, body);
        return parts;
    };
    for part in split(body, boundary).take(PARTS_MAX) {
        let Ok(section) = HeaderSection::parse(part) else {
            continue;
        };
        let body = body_of(&section, part);
        let media = media_of_part(&section);
        if media.is("message", "delivery-status") || media.is("message", "global-delivery-status") {
            parts.status = parts.status.or_else(|| Some(decoded(&section, body)));
        } else if parts.text.is_empty() && media.is("text", "plain") {
            parts.text = decoded(&section, body);
        }
    }
    parts
}

fn media(section: &HeaderSection<'_>) -> Option<MediaType> {
    MediaType::parse(&section.first("Content-Type")?.unfolded())
}

fn media_of_part(section: &HeaderSection<'_>) -> MediaType {
    media(section).unwrap_or_else(|| MediaType::parse("text/plain").expect("it is a media type"))
}

fn body_of<'a>(section: &HeaderSection<'_>, message: &'a [u8]) -> &'a [u8] {
    let body = message.get(section.octets..).unwrap_or_default();
    body.strip_prefix(b"\r\n")
        .or_else(|| body.strip_prefix(b"\n"))
        .unwrap_or(body)
}

/// The octets between the delimiter lines of a boundary.
fn split<'a>(body: &'a [u8], boundary: &str) -> impl Iterator<Item = &'a [u8]> {
    let delimiter = format!("--{boundary}");
    let mut starts = Vec::new();
    let mut at = 0;
    for line in body.split_inclusive(|octet| *octet == b'\n') {
        let text = line.trim_ascii_end();
        let is_end = text.strip_suffix(b"--") == Some(delimiter.as_bytes());
        if text == delimiter.as_bytes() || is_end {
            starts.push((at, at + line.len(), is_end));
        }
        at += line.len();
    }
    let ends: Vec<usize> = starts
        .iter()
        .skip(1)
        .map(|(start, ..)| *start)
        .chain([body.len()])
        .collect();
    starts
        .into_iter()
        .zip(ends)
        .filter_map(move |((_, from, is_end), until)| (!is_end).then(|| body.get(from..until)).flatten())
}

fn decoded(section: &HeaderSection<'_>, body: &[u8]) -> String {
    let encoding = section
        .first("Content-Transfer-Encoding")
        .map(|field| field.unfolded().trim().to_ascii_lowercase());
    let octets: Cow<'_, [u8]> = match encoding.as_deref() {
        Some("quoted-printable") => quoted_printable(body).into(),
        Some("base64") => {
            let digits: Vec<u8> = body
                .iter()
                .copied()
                .filter(|octet| !octet.is_ascii_whitespace())
                .collect();
            BASE64.decode(digits).unwrap_or_default().into()
        }
        _ => body.into(),
    };
    String::from_utf8_lossy(&octets).replace("\r\n", "\n")
}

/// RFC 2045 §6.7; what is no escape stays as it is.
fn quoted_printable(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some((octet, after)) = rest.split_first() {
        rest = after;
        if *octet != b'=' {
            out.push(*octet);
            continue;
        }
        let line_end = [&b"\r\n"[..], b"\n"].into_iter().find(|end| after.starts_with(end));
        let hexadecimal = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let decoded = hexadecimal.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (line_end, decoded) {
            (Some(end), _) => rest = &after[end.len()..],
            (None, Some(decoded)) => {
                out.push(decoded);
                rest = &after[2..];
            }
            (None, None) => out.push(b'='),
        }
    }
    out
}
