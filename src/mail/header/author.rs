//! Authors (RFC 5322 §3.6.2): who says to have written the message.
//!
//! One strict grammar for policy: what two readers could read differently is [`Authors::Unclear`] with the reason,
//! which callers treat as "no match" or refuse (`reliability.md` §3.1).

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
    Unclear(AuthorFault),
}

/// Why the authors of a message are not read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AuthorFault {
    /// More than one `From` field (RFC 5322 §3.6 allows one): readers show the first, the last or both.
    SeveralFields,
    /// Group syntax (RFC 6854 allows it): a name without a mailbox, or mailboxes that many readers do not show.
    Group,
    /// An encoded-word where an address belongs (RFC 2047 §5 forbids it): some readers decode it.
    Encoded,
    /// Anything else that is no `mailbox-list`: no address, a second `@`, a route, a quote that does not end, an
    /// address in an unquoted display name, more than a hundred mailboxes.
    Malformed,
}

/// Reads the authors of a section.
#[must_use]
pub fn authors_of(section: &HeaderSection<'_>) -> Authors {
    let mut fields = section.all("From");
    let Some(field) = fields.next() else {
        return Authors::Missing;
    };
    if fields.next().is_some() {
        return Authors::Unclear(AuthorFault::SeveralFields);
    }
    let value = field.unfolded();
    mailbox_list(&value).map_or_else(|| Authors::Unclear(fault(&value)), Authors::Named)
}

/// Why a value is no list of mailboxes, for people: the answer is the same.
fn fault(value: &str) -> AuthorFault {
    let Some(value) = without_comments(value) else {
        return AuthorFault::Malformed;
    };
    let outside = |element: &str, wanted: &[char]| has_outside_quotes(element, wanted);
    let is_encoded = |element: &str| {
        let address = element.rfind('<').map_or(element, |open| &element[open..]);
        address.contains("=?")
    };
    if outside(&value, &[';']) && outside(&value, &[':']) {
        AuthorFault::Group
    } else if outside_quotes(&value, ',').any(|element| mailbox(element.trim()).is_none() && is_encoded(element)) {
        AuthorFault::Encoded
    } else {
        AuthorFault::Malformed
    }
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
    // An encoded-word is a valid atom; a reader that decodes it sees another address.
    address(element).filter(|mailbox| !mailbox.as_str().contains("=?"))
}

fn address(element: &str) -> Option<Mailbox> {
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
        use AuthorFault::{Encoded, Group, Malformed, SeveralFields};
        for (field, expected) in [
            ("From: lena@contoso.example", Ok(vec!["lena@contoso.example"])),
            ("from: Lena <lena@contoso.example>", Ok(vec!["lena@contoso.example"])),
            (
                "From: \"A, B\" <a@x.example>, b@x.example",
                Ok(vec!["a@x.example", "b@x.example"]),
            ),
            (
                "From: Lena (Sales <fake@x.example>)\r\n <lena@contoso.example>",
                Ok(vec!["lena@contoso.example"]),
            ),
            (
                "From: \"cfo@contoso.example\" <x@mail.example>",
                Ok(vec!["x@mail.example"]),
            ),
            (
                "From: =?utf-8?Q?Gr=C3=BC=C3=9Fe?= <x@mail.example>",
                Ok(vec!["x@mail.example"]),
            ),
            ("From: cfo@contoso.example <x@mail.example>", Err(Malformed)),
            ("From: \"Lena\" cfo@contoso.example <x@mail.example>", Err(Malformed)),
            ("From: <a@x.example> <b@x.example>", Err(Malformed)),
            ("From: a <b@x.example <c@x.example>", Err(Malformed)),
            ("From: \"a <b\" <c@x.example>", Ok(vec!["c@x.example"])),
            ("From: a@x.example b@x.example", Err(Malformed)),
            ("From: <@relay.example:a@x.example>", Err(Malformed)),
            ("From: friends: a@x.example;", Err(Group)),
            ("From: undisclosed:;", Err(Group)),
            ("From: =?utf-8?Q?a=40x.example?=", Err(Encoded)),
            ("From: Lena <=?utf-8?Q?a?=@x.example>", Err(Encoded)),
            ("From: Lena <a@=?utf-8?Q?x?=.example>", Err(Encoded)),
            ("From: a@x.example,", Err(Malformed)),
            ("From: a@x.example\r\nFrom: b@x.example", Err(SeveralFields)),
            ("From: \"open <a@x.example>", Err(Malformed)),
            ("From: a@x.example\u{0}", Err(Malformed)),
            ("From:", Err(Malformed)),
        ] {
            let message = format!("{field}\r\n\r\n");
            let section = HeaderSection::parse(message.as_bytes()).expect("small");
            let read = authors_of(&section);
            let named = |list: Vec<&str>| list.iter().map(|text| Mailbox::parse(text).expect("valid")).collect();
            let expected = expected.map_or_else(Authors::Unclear, |list| Authors::Named(named(list)));
            assert_eq!(read, expected, "{field}");
        }
        let section = HeaderSection::parse(b"Subject: x\r\n\r\n").expect("small");
        assert_eq!(authors_of(&section), Authors::Missing);
    }
}
