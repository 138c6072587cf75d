//! Fields that do not get in: results forged in our name, and an organisation's own marks from whoever is not of it.
//!
//! In: content as it arrives, in any pieces. Out: the same octets without the unwelcome fields.
//! Never: touches another octet; keeps back more than one header section.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

use super::words::{unquoted, without_comments};
use super::{Field, field_start, without_line_end};
use crate::limits::HEADER_SECTION_OCTETS_MAX;

/// Results of checks (RFC 8601).
pub const RESULTS_FIELD: &str = "Authentication-Results";

/// Beginnings of the fields by which Exchange marks what its own organisation found out: the header firewall's
/// two, the tenant's, and the form in which the first cross to the cloud and are taken up again there.
const ORGANISATION_FIELDS: [&str; 4] = [
    "X-MS-Exchange-Organization-",
    "X-MS-Exchange-Forest-",
    "X-MS-Exchange-CrossTenant-",
    "X-MS-Exchange-CrossPremises-",
];

/// What becomes of the marks of an organisation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OrganisationFields {
    /// They stay: the session is trusted.
    Kept,
    /// They go.
    Removed,
    /// They stay if the provider's stamp names our tenant.
    KeptIf(Stamp),
}

/// A field that a provider writes, and the value that stands for us.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stamp {
    /// Name of the field.
    pub field: Arc<str>,
    /// Our tenant. Compared without ASCII case.
    pub tenant: Arc<str>,
}

impl Stamp {
    /// True if the header section has exactly one such field and it names our tenant. Two are none: one of them is
    /// the sender's.
    #[must_use]
    pub fn is_on(&self, message: &[u8]) -> bool {
        let mut found = 0;
        let mut ours = false;
        each_field(message, &mut |field, _| {
            if field.is(&self.field) {
                found += 1;
                ours = field.unfolded().eq_ignore_ascii_case(&self.tenant);
            }
        });
        found == 1 && ours
    }
}

/// Which fields are unwelcome.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unwelcome {
    /// Results that claim to be ours; none: all results stay.
    pub authserv_id: Option<Arc<str>>,
    /// Marks of the organisation.
    pub organisation: OrganisationFields,
}

impl Unwelcome {
    /// No field at all.
    #[must_use]
    pub fn nothing() -> Self {
        Self {
            authserv_id: None,
            organisation: OrganisationFields::Kept,
        }
    }

    fn organisation_goes(&self, message: &[u8]) -> bool {
        match &self.organisation {
            OrganisationFields::Kept => false,
            OrganisationFields::Removed => true,
            OrganisationFields::KeptIf(stamp) => !stamp.is_on(message),
        }
    }

    fn forged(&self, field: &Field<'_>) -> bool {
        let Some(ours) = &self.authserv_id else { return false };
        field.is(RESULTS_FIELD) && claims(&field.unfolded(), ours)
    }

    /// The header section without the unwelcome fields; none if all are welcome.
    fn without(&self, head: &[u8]) -> Option<Vec<u8>> {
        let organisation_goes = self.organisation_goes(head);
        let mut kept = None::<Vec<u8>>;
        let mut from = 0;
        each_field(head, &mut |field, span| {
            if (organisation_goes && is_organisations(field.name)) || self.forged(field) {
                kept.get_or_insert_default().extend_from_slice(&head[from..span.start]);
                from = span.end;
            }
        });
        let mut kept = kept?;
        kept.extend_from_slice(&head[from..]);
        Some(kept)
    }
}

fn is_organisations(name: &str) -> bool {
    ORGANISATION_FIELDS.iter().any(|prefix| {
        name.get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    })
}

/// True if results say that `ours` wrote them (RFC 8601 §2.2: the first word, with or without a version behind it).
/// What cannot be read counts as ours: another reader may find our name in it.
fn claims(value: &str, ours: &str) -> bool {
    let Some(value) = without_comments(value) else {
        return true;
    };
    let value = value.trim_start();
    let id = if let Some(quoted) = value.strip_prefix('"') {
        let end = quoted.find('"').map_or(value.len(), |end| end + 2);
        unquoted(&value[..end])
    } else {
        let end = value.find([';', '/', ' ', '\t']).unwrap_or(value.len());
        value[..end].to_owned()
    };
    let plain = |name: &str| name.trim().trim_end_matches('.').to_ascii_lowercase();
    plain(&id) == plain(ours)
}

/// Visits every field with its octets, line ends included. A line that is no field ends the one before it.
fn each_field(message: &[u8], visit: &mut dyn FnMut(&Field<'_>, std::ops::Range<usize>)) {
    let mut open: Option<(&str, usize, usize)> = None;
    let mut at = 0;
    let mut close = |open: Option<(&str, usize, usize)>, end: usize| {
        if let Some((name, start, value)) = open {
            let raw = without_line_end(&message[value..end]);
            visit(&Field { name, raw }, start..end);
        }
    };
    while at < message.len() {
        let end = memchr::memchr(b'\n', &message[at..]).map_or(message.len(), |found| at + found + 1);
        let line = without_line_end(&message[at..end]);
        if line.is_empty() {
            break;
        }
        if !matches!(line[0], b' ' | b'\t') {
            close(open.take(), at);
            open = field_start(line).map(|(name, value)| (name, at, at + value));
        }
        at = end;
    }
    close(open, at);
}

/// Takes unwelcome fields out of content while it arrives.
#[derive(Debug)]
pub struct Sieve {
    unwelcome: Unwelcome,
    place: Place,
    original: Option<Bytes>,
}

#[derive(Debug)]
enum Place {
    /// The header section, as far as it has come.
    Head(Vec<u8>),
    Body,
}

impl Sieve {
    /// At the beginning of a message.
    #[must_use]
    pub fn new(unwelcome: Unwelcome) -> Self {
        Self {
            unwelcome,
            place: Place::Head(Vec::new()),
            original: None,
        }
    }

    /// Takes the next piece, gives back what goes on: nothing until the header section is complete.
    pub fn push<'a>(&mut self, octets: &'a [u8]) -> Cow<'a, [u8]> {
        let Place::Head(waiting) = &mut self.place else {
            return Cow::Borrowed(octets);
        };
        // Most header sections come in one piece, and nothing is taken out of them.
        if waiting.is_empty()
            && let Some(end) = head_end(octets, 0)
        {
            self.place = Place::Body;
            return match self.clean(&octets[..end]) {
                None => Cow::Borrowed(octets),
                Some(mut kept) => {
                    kept.extend_from_slice(&octets[end..]);
                    Cow::Owned(kept)
                }
            };
        }
        let seen = waiting.len().saturating_sub(3);
        waiting.extend_from_slice(octets);
        let end = match head_end(waiting, seen) {
            Some(end) => end,
            // Beyond the bound the message is refused; nothing more is kept back.
            None if waiting.len() > HEADER_SECTION_OCTETS_MAX => waiting.len(),
            None => return Cow::Borrowed(&[]),
        };
        let all = std::mem::take(waiting);
        self.place = Place::Body;
        Cow::Owned(self.cleaned(all, end))
    }

    /// The end of the content: what was kept back of a message that is all header.
    pub fn finish(&mut self) -> Vec<u8> {
        match std::mem::replace(&mut self.place, Place::Body) {
            Place::Head(waiting) => {
                let end = waiting.len();
                self.cleaned(waiting, end)
            }
            Place::Body => Vec::new(),
        }
    }

    /// The header section as it came, if a field was taken out: signatures were made over it.
    #[must_use]
    pub fn original(&self) -> Option<&Bytes> {
        self.original.as_ref()
    }

    fn cleaned(&mut self, all: Vec<u8>, end: usize) -> Vec<u8> {
        match self.clean(&all[..end]) {
            None => all,
            Some(mut kept) => {
                kept.extend_from_slice(&all[end..]);
                kept
            }
        }
    }

    fn clean(&mut self, head: &[u8]) -> Option<Vec<u8>> {
        let kept = self.unwelcome.without(head)?;
        self.original = Some(Bytes::copy_from_slice(head));
        Some(kept)
    }
}

/// Where the header section ends, its empty line not included; `from` octets hold no end.
fn head_end(octets: &[u8], from: usize) -> Option<usize> {
    if from == 0 && octets.starts_with(b"\r\n") {
        return Some(0);
    }
    memchr::memmem::find(&octets[from..], b"\r\n\r\n").map(|found| from + found + 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stranger() -> Unwelcome {
        Unwelcome {
            authserv_id: Some("mx.contoso.example".into()),
            organisation: OrganisationFields::Removed,
        }
    }

    fn sieved(unwelcome: Unwelcome, message: &[u8], piece: usize) -> (Vec<u8>, Option<Bytes>) {
        let mut sieve = Sieve::new(unwelcome);
        let mut out = Vec::new();
        for piece in message.chunks(piece.max(1)) {
            out.extend_from_slice(&sieve.push(piece));
        }
        out.extend(sieve.finish());
        (out, sieve.original().cloned())
    }

    #[test]
    fn forged_results_and_organisation_fields_go_and_nothing_else() {
        for (field, goes) in [
            ("Authentication-Results: mx.contoso.example; spf=pass", true),
            ("authentication-results:\r\n\tMX.Contoso.Example 1; dmarc=pass", true),
            ("Authentication-Results: mx.contoso.example/1; dmarc=pass", true),
            ("Authentication-Results: (a) \"mx.contoso.example\" ; dmarc=pass", true),
            ("Authentication-Results: (a\\)) mx.contoso.example.; dmarc=pass", true),
            ("Authentication-Results : mx.contoso.example; dmarc=pass", true),
            // What we cannot read, another may.
            ("Authentication-Results: (mx.contoso.example; dmarc=pass", true),
            ("Authentication-Results: mx.other.example; spf=pass", false),
            ("Authentication-Results: mx.contoso.example.other; spf=pass", false),
            ("X-Authentication-Results: mx.contoso.example; spf=pass", false),
            ("ARC-Authentication-Results: i=1; mx.contoso.example; spf=pass", false),
            ("X-MS-Exchange-Organization-AuthAs: Internal", true),
            ("x-ms-exchange-organization-authas: Internal", true),
            ("X-MS-Exchange-CrossTenant-Id:\r\n abc", true),
            ("X-MS-Exchange-CrossPremises-AuthAs: Internal", true),
            ("X-MS-Exchange-Forest-RulesExecuted: x", true),
            ("X-MS-Exchange-Organization: x", false),
            ("X-MS-Has-Attach: yes", false),
        ] {
            let before = "Received: from a\r\n by b\r\n";
            let after = "Subject: x\r\n\r\nX-MS-Exchange-Organization-AuthAs: body\r\n";
            let message = format!("{before}{field}\r\n{after}");
            let expected = if goes {
                format!("{before}{after}")
            } else {
                message.clone()
            };
            for piece in [1, 2, 7, 4_096] {
                let (out, original) = sieved(stranger(), message.as_bytes(), piece);
                assert_eq!(String::from_utf8_lossy(&out), expected, "{field} in pieces of {piece}");
                assert_eq!(original.is_some(), goes, "{field}");
            }
            let (out, _) = sieved(Unwelcome::nothing(), message.as_bytes(), 4_096);
            assert_eq!(out, message.as_bytes(), "{field}");
        }
    }

    #[test]
    fn one_stamp_of_ours_keeps_the_marks() {
        let stamp = Stamp {
            field: "X-MS-Exchange-CrossTenant-Id".into(),
            tenant: "0f1e-Ours".into(),
        };
        for (fields, ours) in [
            ("X-MS-Exchange-CrossTenant-Id: 0F1E-ours\r\n", true),
            ("X-MS-Exchange-CrossTenant-Id:\r\n 0f1e-ours\r\n", true),
            ("X-MS-Exchange-CrossTenant-Id: theirs\r\n", false),
            ("X-MS-Exchange-CrossTenant-Id: 0f1e-ours, theirs\r\n", false),
            (
                "X-MS-Exchange-CrossTenant-Id: 0f1e-ours\r\nx-ms-exchange-crosstenant-id: theirs\r\n",
                false,
            ),
            (
                "X-MS-Exchange-CrossTenant-Id: 0f1e-ours\r\nX-MS-Exchange-CrossTenant-Id: 0f1e-ours\r\n",
                false,
            ),
            ("Subject: x\r\n", false),
        ] {
            assert_eq!(stamp.is_on(format!("{fields}\r\n").as_bytes()), ours, "{fields}");
            let unwelcome = Unwelcome {
                authserv_id: None,
                organisation: OrganisationFields::KeptIf(stamp.clone()),
            };
            let message = format!("{fields}X-MS-Exchange-Organization-AuthAs: Internal\r\n\r\n");
            let (out, _) = sieved(unwelcome, message.as_bytes(), 11);
            let kept = String::from_utf8_lossy(&out).contains("AuthAs");
            assert_eq!(kept, ours, "{fields}");
        }
        assert!(
            !stamp.is_on(b"\r\nX-MS-Exchange-CrossTenant-Id: 0f1e-ours\r\n"),
            "a body"
        );
    }

    proptest! {
        /// However it is cut into pieces, what goes on is the same; without unwelcome fields it is the message.
        #[test]
        fn pieces_make_no_difference(
            lines in proptest::collection::vec(prop_oneof![
                Just("Subject: x\r\n"), Just(" fold\r\n"), Just("no field\r\n"), Just("\r\n"),
                Just("X-MS-Exchange-Organization-A: b\r\n"),
                Just("Authentication-Results: mx.contoso.example; spf=pass\r\n"),
            ], 0..12),
            piece in 1_usize..40,
        ) {
            let message = lines.concat();
            let whole = sieved(stranger(), message.as_bytes(), message.len().max(1));
            prop_assert_eq!(&sieved(stranger(), message.as_bytes(), piece), &whole);
            if whole.1.is_none() {
                prop_assert_eq!(whole.0, message.into_bytes());
            }
        }
    }
}
