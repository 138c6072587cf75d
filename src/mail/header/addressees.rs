//! Addressees (RFC 5322 §3.6.3): whom To and Cc name.
//!
//! In: a header section. Out: the addresses that any reader would find there. An element that readers could take
//! for different addresses names nobody. Never: Bcc, which tells only whom it was shown to.

use std::collections::HashSet;

use super::HeaderSection;
use super::words::{has_outside_quotes, outside_quotes, without_comments};
use crate::limits::ADDRESSEES_MAX;
use crate::mail::{AddressKey, Mailbox};

/// Reads To, Cc and, where a message was sent on, Resent-To and Resent-Cc.
#[must_use]
pub fn addressees_of(section: &HeaderSection<'_>) -> HashSet<AddressKey> {
    let mut found = HashSet::new();
    for name in ["To", "Cc", "Resent-To", "Resent-Cc"] {
        for field in section.all(name) {
            let value = field.unfolded();
            let Some(value) = without_comments(&value) else {
                continue;
            };
            let elements = outside_quotes(&value, ',').flat_map(|element| outside_quotes(element, ';'));
            for element in elements {
                if found.len() >= ADDRESSEES_MAX {
                    return found;
                }
                found.extend(address(element).map(|mailbox| mailbox.key()));
            }
        }
    }
    found
}

/// `Team <team@contoso.example>`, `team@contoso.example`, or the same after the name of a group and its colon.
fn address(element: &str) -> Option<Mailbox> {
    let element = outside_quotes(element, ':').last()?.trim();
    let Some(rest) = element.strip_suffix('>') else {
        return Mailbox::parse(element).ok();
    };
    let (phrase, inner) = rest.split_at(rest.rfind('<')?);
    (!has_outside_quotes(phrase, &['<', '>'])).then_some(())?;
    Mailbox::parse(inner.strip_prefix('<')?.trim()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_whom_to_and_cc_name() {
        for (fields, expected) in [
            ("To: team@contoso.example", &["team@contoso.example"][..]),
            ("to: Team <TEAM@contoso.example>", &["team@contoso.example"]),
            (
                "Cc: \"a, b\" <a@x.example>,\r\n\tb@x.example (b, too)",
                &["a@x.example", "b@x.example"],
            ),
            (
                "To: friends: a@x.example, B <b@x.example>;, c@x.example",
                &["a@x.example", "b@x.example", "c@x.example"],
            ),
            ("To: undisclosed-recipients:;", &[]),
            ("Bcc: team@contoso.example", &[]),
            ("X-To: team@contoso.example\r\nSubject: team@contoso.example", &[]),
            // Somebody else's name, or a quoted or commented address, is no addressee.
            ("To: \"team@contoso.example\" <x@mail.example>", &["x@mail.example"]),
            ("To: x@mail.example (team@contoso.example)", &["x@mail.example"]),
            ("To: team@contoso.example <x@mail.example>", &["x@mail.example"]),
            ("To: <a@x.example> <b@x.example>", &[]),
            ("To: \"open <a@x.example>", &[]),
        ] {
            let message = format!("{fields}\r\n\r\n");
            let section = HeaderSection::parse(message.as_bytes()).expect("small");
            let mut found: Vec<String> = addressees_of(&section)
                .iter()
                .map(|key| key.as_str().to_owned())
                .collect();
            found.sort();
            assert_eq!(found, expected, "{fields}");
        }
    }
}
