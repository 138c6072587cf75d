//! The header section (RFC 5322 §2.2), read in place.
//!
//! In: the first octets of a message. Out: its fields in order, borrowed, with raw and unfolded values;
//! and the [`HeaderFacts`] a categorisation pass needs.
//! Never: copies a field that nobody asked for, changes an octet, decides who a sender is (header fields
//! only restrict, DESIGN §6), takes more than linear time.

mod addressees;
mod author;
mod facts;
mod media;
pub mod sieve;
pub mod thread;
mod words;

use std::borrow::Cow;

use crate::limits;

pub use addressees::addressees_of;
pub use author::{AuthorFault, Authors, authors_of};
pub use facts::{AutoSubmitted, HeaderFacts, ReportFacts, TLS_REQUIRED_FIELD};
pub use media::MediaType;
pub use thread::ThreadFacts;
pub use words::decoded_for_display;

/// Why a header section is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderFault {
    /// More octets than [`limits::HEADER_SECTION_OCTETS_MAX`] without an end.
    #[error("the header section is larger than allowed")]
    TooLarge,
    /// More fields than [`limits::HEADER_FIELDS_MAX`].
    #[error("the header section has more fields than allowed")]
    TooManyFields,
}

/// One field, borrowed from the message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field<'a> {
    /// Before the colon, without the blanks that RFC 5322 §4.5 once allowed there. Printable ASCII.
    pub name: &'a str,
    /// After the colon as it stands, folds included, without the final CRLF.
    pub raw: &'a [u8],
}

impl<'a> Field<'a> {
    /// True if the field has this name; names ignore ASCII case.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The value unfolded (RFC 5322 §2.2.3: the CRLF goes, the blank stays) and trimmed. Octets that are
    /// not UTF-8 (RFC 6532) become U+FFFD. Borrowed where nothing had to change.
    #[must_use]
    pub fn unfolded(&self) -> Cow<'a, str> {
        match String::from_utf8_lossy(self.raw) {
            Cow::Borrowed(text) => {
                let text = text.trim_matches(is_blank_or_end);
                if text.contains(['\r', '\n']) {
                    Cow::Owned(text.replace(['\r', '\n'], ""))
                } else {
                    Cow::Borrowed(text)
                }
            }
            Cow::Owned(text) => Cow::Owned(text.trim_matches(is_blank_or_end).replace(['\r', '\n'], "")),
        }
    }
}

fn is_blank_or_end(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// The fields of a message in the order in which they stand.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HeaderSection<'a> {
    fields: Vec<Field<'a>>,
    /// Octets up to the empty line, that line not included.
    pub octets: usize,
    /// Lines that are neither a field nor the continuation of one.
    pub malformed_lines: usize,
}

impl<'a> HeaderSection<'a> {
    /// Reads the header section at the start of `message`. A message without an empty line is all header.
    ///
    /// Differs: some readers end the section at the first line that is no field. We skip such a line and
    /// read on, so that a Received or loop field hidden below it still counts.
    pub fn parse(message: &'a [u8]) -> Result<Self, HeaderFault> {
        let mut section = Self::default();
        let mut open: Option<(&'a str, usize)> = None;
        let mut at = 0;
        while at < message.len() {
            let end = memchr::memchr(b'\n', &message[at..]).map_or(message.len(), |found| at + found + 1);
            let line = without_line_end(&message[at..end]);
            if line.is_empty() {
                break;
            }
            if end > limits::HEADER_SECTION_OCTETS_MAX {
                return Err(HeaderFault::TooLarge);
            }
            if !matches!(line[0], b' ' | b'\t') {
                section.close(message, open.take(), at);
                open = field_start(line).map(|(name, value)| (name, at + value));
                if open.is_none() {
                    section.malformed_lines += 1;
                } else if section.fields.len() == limits::HEADER_FIELDS_MAX {
                    return Err(HeaderFault::TooManyFields);
                }
            } else if open.is_none() {
                section.malformed_lines += 1;
            }
            at = end;
        }
        if at >= limits::HEADER_SECTION_OCTETS_MAX {
            return Err(HeaderFault::TooLarge);
        }
        section.close(message, open, at);
        section.octets = at;
        Ok(section)
    }

    fn close(&mut self, message: &'a [u8], open: Option<(&'a str, usize)>, end: usize) {
        if let Some((name, start)) = open {
            let raw = without_line_end(&message[start..end]);
            self.fields.push(Field { name, raw });
        }
    }

    /// All fields, topmost first.
    #[must_use]
    pub fn fields(&self) -> &[Field<'a>] {
        &self.fields
    }

    /// Every field of a name, topmost first.
    pub fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s Field<'a>> {
        self.fields.iter().filter(move |field| field.is(name))
    }

    /// The topmost field of a name.
    #[must_use]
    pub fn first(&self, name: &str) -> Option<&Field<'a>> {
        self.fields.iter().find(|field| field.is(name))
    }
}

fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Name and the offset of the value, if the line begins a field (RFC 5322 §3.6.8: printable ASCII but `:`).
fn field_start(line: &[u8]) -> Option<(&str, usize)> {
    let colon = memchr::memchr(b':', line)?;
    let name = line[..colon].trim_ascii_end();
    if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
        return None;
    }
    Some((std::str::from_utf8(name).ok()?, colon + 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SAMPLE: &[u8] = b"Received: from a\r\n by b;\r\n\tSat\r\nSubject : Hello\r\nX:\r\n\r\nBody: no\r\n";

    #[test]
    fn reads_fields_folds_and_the_end() {
        let section = HeaderSection::parse(SAMPLE).expect("small");
        let rows: Vec<(&str, String)> = section
            .fields()
            .iter()
            .map(|field| (field.name, field.unfolded().into_owned()))
            .collect();
        assert_eq!(
            rows,
            [
                ("Received", "from a by b;\tSat".to_owned()),
                ("Subject", "Hello".to_owned()),
                ("X", String::new()),
            ]
        );
        assert_eq!(section.fields()[0].raw, b" from a\r\n by b;\r\n\tSat");
        assert_eq!(&SAMPLE[section.octets..], b"\r\nBody: no\r\n");
        assert_eq!(section.malformed_lines, 0);
    }

    #[test]
    fn odd_sections() {
        for (message, fields, malformed, why) in [
            (&b""[..], 0, 0, "nothing"),
            (b"\r\nSubject: body\r\n", 0, 0, "no header section"),
            (b"Subject: x", 1, 0, "cut off without a line end"),
            (
                b" continuation of nothing\r\nSubject: x\r\n\r\n",
                1,
                1,
                "begins with a fold",
            ),
            (
                b"no field\r\n and its fold\r\nSubject: x\r\n\r\n",
                1,
                2,
                "a line without colon is skipped",
            ),
            (b"bad name: x\r\nSubject: x\r\n\r\n", 1, 1, "a blank inside the name"),
            (b": x\r\n\r\n", 0, 1, "no name"),
            (b"S\xc3\xbc: x\r\n\r\n", 0, 1, "a name outside ASCII"),
        ] {
            let section = HeaderSection::parse(message).expect("small");
            assert_eq!(
                (section.fields().len(), section.malformed_lines),
                (fields, malformed),
                "{why}"
            );
        }
    }

    #[test]
    fn bounds_hold() {
        let many = "A: b\r\n".repeat(limits::HEADER_FIELDS_MAX);
        assert!(HeaderSection::parse(format!("{many}\r\n").as_bytes()).is_ok());
        assert_eq!(
            HeaderSection::parse(format!("{many}A: b\r\n\r\n").as_bytes()),
            Err(HeaderFault::TooManyFields)
        );
        let folded = format!("A: b\r\n{}", " c\r\n".repeat(limits::HEADER_SECTION_OCTETS_MAX / 4));
        assert_eq!(HeaderSection::parse(folded.as_bytes()), Err(HeaderFault::TooLarge));
        let cut = &folded.as_bytes()[..limits::HEADER_SECTION_OCTETS_MAX];
        assert_eq!(
            HeaderSection::parse(cut),
            Err(HeaderFault::TooLarge),
            "the end is not in the head"
        );
    }

    proptest! {
        /// Fields and skipped lines are exactly the section: nothing is read twice or invented.
        #[test]
        fn never_invents_octets(message in proptest::collection::vec(
            prop_oneof![Just(b'\r'), Just(b'\n'), Just(b':'), Just(b' '), Just(b'a'), any::<u8>()], 0..200)) {
            let section = HeaderSection::parse(&message).expect("small");
            prop_assert!(section.octets <= message.len());
            let mut last = message.as_ptr() as usize;
            for field in section.fields() {
                let start = field.name.as_ptr() as usize;
                prop_assert!(start >= last);
                last = field.raw.as_ptr() as usize + field.raw.len();
                prop_assert!(!field.unfolded().contains(['\r', '\n']));
            }
        }
    }
}
