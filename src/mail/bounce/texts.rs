//! Reports without a delivery status: the field and texts of Exim, qmail, Postfix, Exchange and Gmail.
//!
//! Only what a system writes in its own form is read; a sentence that a person could have written is no report.

use super::{Failure, add, failure_reply};
use crate::mail::Mailbox;
use crate::mail::header::HeaderSection;

/// Lines of one text that are looked at.
const LINES_MAX: usize = 400;
/// Lines after an address that belong to it.
const SAID_LINES_MAX: usize = 12;

/// The failures of a report; none if it is no report.
pub(super) fn read(section: &HeaderSection<'_>, text: &str) -> Option<Vec<Failure>> {
    let lines: Vec<&str> = text.lines().take(LINES_MAX).collect();
    let mut failed = Vec::new();
    exim(section, &lines, &mut failed);
    if failed.is_empty() {
        for form in [bracketed, exchange, gmail] {
            form(&lines, &mut failed);
            if !failed.is_empty() {
                break;
            }
        }
    }
    (!failed.is_empty()).then_some(failed)
}

/// Exim, and Gmail of old: `X-Failed-Recipients: a@x.example, b@x.example`.
fn exim(section: &HeaderSection<'_>, lines: &[&str], failed: &mut Vec<Failure>) {
    for field in section.all("X-Failed-Recipients") {
        for address in field.unfolded().split(',') {
            let Ok(address) = Mailbox::parse(address.trim()) else {
                continue;
            };
            let place = lines.iter().position(|line| names(line, &address));
            let said = place.map_or_else(String::new, |place| said_after(lines, place));
            add(failed, failure(Some(address), &said));
        }
    }
}

/// qmail (`Hi. This is the qmail-send program at …`) and Postfix without a status part (`I'm sorry to have to inform
/// you …`): `<address>:` and what was said, on the same line or the lines after it.
fn bracketed(lines: &[&str], failed: &mut Vec<Failure>) {
    let begins = |line: &str| {
        line.contains("This is the qmail-send program")
            || line.contains("This is the mail system at host")
            || line.contains("I'm sorry to have to inform you")
            || line.contains("I'm afraid I wasn't able to deliver your message")
    };
    let Some(start) = lines.iter().position(|line| begins(line)) else {
        return;
    };
    for (place, line) in lines.iter().enumerate().skip(start) {
        // qmail writes this before its copy, Postfix begins a part instead.
        if line.starts_with("--- Below this line is a copy") {
            return;
        }
        let Some((address, rest)) = line.strip_prefix('<').and_then(|line| line.split_once(">:")) else {
            continue;
        };
        let Ok(address) = Mailbox::parse(address) else { continue };
        let said = format!("{rest} {}", said_after(lines, place));
        add(failed, failure(Some(address), &said));
    }
}

/// Exchange (`did not reach …`, `Delivery has failed to these recipients or groups:`, `couldn't be delivered`) without
/// a status part: the address on a line of its own or with a date, then the reason and `#5.1.1 …#`.
fn exchange(lines: &[&str], failed: &mut Vec<Failure>) {
    let begins = [
        "did not reach some or all of the intended recipients",
        "did not reach the following recipient(s)",
        "Delivery has failed to these recipients",
        "couldn't be delivered",
        "The following recipient(s) cannot be reached",
    ];
    let Some(start) = lines
        .iter()
        .position(|line| begins.iter().any(|text| line.contains(text)))
    else {
        return;
    };
    for (place, line) in lines.iter().enumerate().skip(start) {
        let line = line.trim();
        let address = address_in(line);
        let alone = address.as_ref().is_some_and(|address| {
            let rest = line.replace(address.as_str(), "");
            let rest = rest.trim_matches(|c: char| !c.is_alphanumeric());
            rest.is_empty() || rest.starts_with("on ") || rest.starts_with("mailto")
        });
        if let Some(address) = address.filter(|_| alone) {
            let said = said_after(lines, place);
            add(failed, failure(Some(address), &said));
        }
    }
}

/// Gmail: `Delivery to the following recipient failed permanently:`, the address, then the other server's words.
fn gmail(lines: &[&str], failed: &mut Vec<Failure>) {
    let begins = |line: &str| {
        line.contains("Delivery to the following recipient") && line.contains("failed")
            || line.contains("Your message wasn't delivered to")
    };
    let Some(start) = lines.iter().position(|line| begins(line)) else {
        return;
    };
    let found = lines
        .iter()
        .enumerate()
        .skip(start)
        .find_map(|(place, line)| Some((place, address_in(line)?)));
    if let Some((place, address)) = found {
        let said = lines[place + 1..].join(" ");
        let marks = [
            "error that the other server returned was:",
            "The response from the remote server was:",
            "The response was:",
        ];
        let said = marks
            .iter()
            .find_map(|mark| said.split_once(mark))
            .map_or(said.as_str(), |(_, said)| said);
        add(failed, failure(Some(address), said));
    }
}

fn failure(address: Option<Mailbox>, said: &str) -> Failure {
    let coded = coded(said);
    let mut reply = failure_reply(None, coded);
    let (_, _, after) = super::leading_codes(coded);
    // qmail writes the code last.
    if !after.contains(char::is_alphanumeric) && said.contains(char::is_alphabetic) {
        reply.text = super::shown(said).into();
    }
    Failure {
        address,
        reply,
        remote: None,
    }
}

/// The text from its first code on; all of it if it has none.
fn coded(said: &str) -> &str {
    let starts = |at: &usize| {
        let before = at.checked_sub(1).and_then(|before| said.as_bytes().get(before));
        let fresh = before.is_none_or(|octet| !octet.is_ascii_alphanumeric() && *octet != b'.');
        let (code, status, _) = super::leading_codes(&said[*at..]);
        fresh && said.as_bytes()[*at].is_ascii_digit() && (code.is_some_and(|code| code >= 400) || status.is_some())
    };
    let at = (0..said.len()).filter(|at| said.is_char_boundary(*at)).find(starts);
    at.map_or(said, |at| said[at..].split('#').next().unwrap_or_default())
        .trim()
}

/// The lines that follow an address, up to an empty line after the first of them or the next address.
fn said_after(lines: &[&str], place: usize) -> String {
    let mut said: Vec<&str> = Vec::new();
    for line in lines.iter().skip(place + 1).take(SAID_LINES_MAX) {
        let line = line.trim();
        if line.is_empty() && said.is_empty() {
            continue;
        }
        if line.is_empty() || line.starts_with('<') && line.contains(">:") {
            break;
        }
        said.push(line);
    }
    said.join(" ")
}

fn names(line: &str, address: &Mailbox) -> bool {
    address_in(line).is_some_and(|found| found.key() == address.key())
}

/// The first address in a line.
fn address_in(line: &str) -> Option<Mailbox> {
    let apart =
        |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '(' | ')' | '[' | ']' | ',' | ';' | ':' | '\'' | '*');
    line.split(apart)
        .filter(|word| word.contains('@'))
        .find_map(|word| Mailbox::parse(word.trim_end_matches('.')).ok())
}
