//! Authors (RFC 5322 §3.6.2): who says to have written the message.
//!
//! One strict grammar for policy: what two readers could read differently is [`Authors::Unclear`], which
//! callers treat as "no match" (`reliability.md` §3.1).

use super::HeaderSection;
use super::words::{has_outside_quotes, outside_quotes, without_comments};
use crate::mail::Mailbox;

/// Most authors that are read; more are unclear.
const AUTHORS_MAX: usize = 100;

/// What the `From` field says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Authors {
    /// No `From` field.
    #[default]
    Missing,
    /// These mailboxes, at least one.
    Named(Vec<Mailbox>),
    /// Several fields, no mailbox, or something that readers disagree about.
    Unclear,
}

/// Reads the authors of a section.
#[must_use]
pub fn authors_of(section: &HeaderSection<'_>) -> Authors {
    let mut fields = section.all("From");
    let Some(field) = fields.next() else {
        return Authors::Missing;
    };
    if fields.next().is_some() {
        return Authors::Unclear;
    }
    mailbox_list(&field.unfolded()).map_or(Authors::Unclear, Authors::Named)
}

/// `mailbox-list` of RFC 5322 §3.4; groups, routes and empty elements are not read.
fn mailbox_list(value: &str) -> Option<Vec<Mailbox>> {
    let value = without_comments(value)?;
    let mut mailboxes = Vec::new();
    for element in outside_quotes(&value, ',') {
        if mailboxes.len() == AUTHORS_MAX {
            return None;
        }
        mailboxes.push(mailbox(element.trim())?);
    }
    Some(mailboxes)
}

fn mailbox(element: &str) -> Option<Mailbox> {
    let Some(rest) = element.strip_suffix('>') else {
        // No brackets: only a bare address. A blank, a second `@` or a quote would be somebody's guess.
        return Mailbox::parse(element).ok();
    };
    let open = bracket(rest)?;
    let (phrase, address) = (&rest[..open], &rest[open + 1..]);
    // An `@`, colon or semicolon in the unquoted phrase is what look-alike senders write.
    if has_outside_quotes(phrase, &['@', ':', ';']) {
        return None;
    }
    Mailbox::parse(address).ok()
}

/// The bracket that opens the address: the only one outside quoted-strings.
fn bracket(text: &str) -> Option<usize> {
    let open = text.rfind('<')?;
    let alone = !has_outside_quotes(&text[..open], &['<', '>']) && !has_outside_quotes(&text[open + 1..], &['>']);
    alone.then_some(open)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_authors_strictly() {
        let unclear = || None;
        for (field, expected) in [
            ("From: lena@contoso.example", Some(vec!["lena@contoso.example"])),
            ("from: Lena <lena@contoso.example>", Some(vec!["lena@contoso.example"])),
            (
                "From: \"A, B\" <a@x.example>, b@x.example",
                Some(vec!["a@x.example", "b@x.example"]),
            ),
            (
                "From: Lena (Sales <fake@x.example>)\r\n <lena@contoso.example>",
                Some(vec!["lena@contoso.example"]),
            ),
            (
                "From: \"cfo@contoso.example\" <x@mail.example>",
                Some(vec!["x@mail.example"]),
            ),
            (
                "From: =?utf-8?Q?Gr=C3=BC=C3=9Fe?= <x@mail.example>",
                Some(vec!["x@mail.example"]),
            ),
            ("From: cfo@contoso.example <x@mail.example>", unclear()),
            ("From: \"Lena\" cfo@contoso.example <x@mail.example>", unclear()),
            ("From: <a@x.example> <b@x.example>", unclear()),
            ("From: a <b@x.example <c@x.example>", unclear()),
            ("From: \"a <b\" <c@x.example>", Some(vec!["c@x.example"])),
            ("From: a@x.example b@x.example", unclear()),
            ("From: <@relay.example:a@x.example>", unclear()),
            ("From: friends: a@x.example;", unclear()),
            ("From: a@x.example,", unclear()),
            ("From: a@x.example\r\nFrom: b@x.example", unclear()),
            ("From: \"open <a@x.example>", unclear()),
            ("From: a@x.example\u{0}", unclear()),
            ("From:", unclear()),
        ] {
            let message = format!("{field}\r\n\r\n");
            let section = HeaderSection::parse(message.as_bytes()).expect("small");
            let read = authors_of(&section);
            let expected = expected.map_or(Authors::Unclear, |list| {
                Authors::Named(list.iter().map(|text| Mailbox::parse(text).expect("valid")).collect())
            });
            assert_eq!(read, expected, "{field}");
        }
        let section = HeaderSection::parse(b"Subject: x\r\n\r\n").expect("small");
        assert_eq!(authors_of(&section), Authors::Missing);
    }
}
