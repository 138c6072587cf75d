//! Documents: TOML or JSON as one tree in which every value knows its place.
//!
//! In: a text. Out: a [`Node`] tree, read key by key with all faults gathered. Never: stops at the first fault;
//! an administrator who mends one line should not be shown the next one only then. (This is why the readers of
//! settings and directory files are not `serde` derives: those end at the first fault.)

mod json;
pub mod read;
mod toml;
pub mod units;

use std::ops::Range;

use serde_spanned::Spanned;

pub use json::parse as parse_json;
pub use read::{Key, Read, Reader};
pub use toml::parse as parse_toml;

/// Largest document read, in octets: an organisation of a million people takes about as much as a file.
pub const DOCUMENT_OCTETS_MAX: u64 = 512 * 1024 * 1024;

/// A value and the octets of the text it stands in.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Octets of the text; for a table under a header, the header.
    pub span: Range<usize>,
    /// What stands there.
    pub value: NodeValue,
}

/// What can stand in a document.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeValue {
    /// JSON's `null`; reads as a key that is not there.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number, as it was written.
    Number(String),
    /// A text.
    Text(String),
    /// A date or time of TOML, as it was written.
    Time(String),
    /// Values in their order.
    List(Vec<Node>),
    /// Keys in their order.
    Table(Vec<Entry>),
}

impl NodeValue {
    /// What it is, in words: "found a list".
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean(_) => "true or false",
            Self::Integer(_) | Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::Time(_) => "a date",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// A key of a table with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key with its place.
    pub key: Spanned<String>,
    /// Its value.
    pub node: Node,
}

/// Something wrong at a place of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Octets of the text.
    pub span: Range<usize>,
    /// Where in the tree: `listeners[1].address`; empty for the document itself.
    pub path: String,
    /// What is wrong and what was expected, one sentence without a full stop.
    pub message: String,
    /// What was probably meant.
    pub suggestion: Option<String>,
}

/// Line and column of an octet, both from 1; the column counts characters.
#[must_use]
pub fn line_and_column(source: &str, octet: usize) -> (usize, usize) {
    let mut end = octet.min(source.len());
    while !source.is_char_boundary(end) {
        end -= 1;
    }
    let before = source.get(..end).unwrap_or("");
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = before.bytes().filter(|octet| *octet == b'\n').count() + 1;
    (line, before.get(line_start..).unwrap_or("").chars().count() + 1)
}

/// The candidate that was probably meant by a misspelt word.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    crate::directory::attribute::nearest(word, candidates.into_iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let source = "name = \"Zürich\"\nkey = 1\n";
        assert_eq!(line_and_column(source, 0), (1, 1));
        assert_eq!(line_and_column(source, source.find('h').expect("there")), (1, 14));
        assert_eq!(line_and_column(source, source.find("key").expect("there")), (2, 1));
        assert_eq!(line_and_column(source, 10_000), (3, 1));
    }
}
