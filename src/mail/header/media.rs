//! `Content-Type` (RFC 2045 §5.1): type, subtype and parameters, read leniently but never guessed.

use super::words::{outside_quotes, unquoted, without_comments};

/// A media type with its parameters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MediaType {
    kind: String,
    subtype: String,
    parameters: Vec<(String, String)>,
}

impl MediaType {
    /// Reads an unfolded value; none if there is no `type/subtype`. Comments are skipped.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let value = without_comments(value)?;
        let mut pieces = outside_quotes(&value, ';');
        let (kind, subtype) = pieces.next()?.split_once('/')?;
        let (kind, subtype) = (kind.trim(), subtype.trim());
        if !is_token(kind) || !is_token(subtype) {
            return None;
        }
        let parameters = pieces
            .filter_map(|piece| {
                let (name, value) = piece.split_once('=')?;
                Some((name.trim().to_ascii_lowercase(), unquoted(value)))
            })
            .collect();
        Some(Self {
            kind: kind.to_owned(),
            subtype: subtype.to_owned(),
            parameters,
        })
    }

    /// True for this type and subtype, in any case.
    #[must_use]
    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
    }

    /// True for `multipart/…`.
    #[must_use]
    pub fn is_multipart(&self) -> bool {
        self.kind.eq_ignore_ascii_case("multipart")
    }

    /// The first parameter of a lower-case name, unquoted.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&b))
}
