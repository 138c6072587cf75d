//! How texts compare in filters. Envelope addresses never fold this way.
//!
//! On-premises Active Directory ignores case, accents, kana type and width; Exchange Online ignores case only.
//! Differs: linguistic equalities beyond Unicode compatibility (ß = ss, æ = ae) are not copied.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::directory::group::ComparisonProfile;

/// The comparison form of a text.
pub(super) fn fold(text: &str, profile: ComparisonProfile) -> Cow<'_, str> {
    if text.is_ascii() {
        return if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(text.to_ascii_lowercase())
        } else {
            Cow::Borrowed(text)
        };
    }
    Cow::Owned(match profile {
        ComparisonProfile::Cloud => text.to_lowercase(),
        ComparisonProfile::ActiveDirectory => text
            .nfkd()
            .filter(|c| is_voice_mark(*c) || !is_combining_mark(*c))
            .map(hiragana)
            .collect::<String>()
            .to_lowercase(),
    })
}

/// The marks that turn か into が are part of the letter, not an accent.
fn is_voice_mark(character: char) -> bool {
    matches!(character, '\u{3099}' | '\u{309a}')
}

/// Katakana lie 0x60 above hiragana.
fn hiragana(character: char) -> char {
    match character {
        '\u{30a1}'..='\u{30f6}' => char::from_u32(u32::from(character) - 0x60).unwrap_or(character),
        _ => character,
    }
}

/// A text with `*` for any characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Pattern {
    /// Folded pieces between the stars; never empty.
    pieces: Box<[Box<str>]>,
}

impl Pattern {
    pub(super) fn new(text: &str, profile: ComparisonProfile) -> Self {
        Self {
            pieces: text.split('*').map(|piece| fold(piece, profile).into()).collect(),
        }
    }

    /// A pattern of pieces in which `*` is an ordinary character.
    pub(super) fn of_pieces<'a>(pieces: impl IntoIterator<Item = &'a str>, profile: ComparisonProfile) -> Self {
        Self {
            pieces: pieces.into_iter().map(|piece| fold(piece, profile).into()).collect(),
        }
    }

    /// The folded pieces.
    pub(super) fn pieces(&self) -> &[Box<str>] {
        &self.pieces
    }

    /// True if the folded text fits. Linear: every piece is searched once, from where the last one ended.
    pub(super) fn fits(&self, folded: &str) -> bool {
        let [first, rest @ ..] = &*self.pieces else {
            return false;
        };
        let Some((last, middle)) = rest.split_last() else {
            return **first == *folded;
        };
        let Some(mut left) = folded.strip_prefix(&**first) else {
            return false;
        };
        for piece in middle {
            let Some((_, after)) = left.split_once(&**piece) else {
                return false;
            };
            left = after;
        }
        left.ends_with(&**last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_differ_in_accents_kana_and_width() {
        let ad = |text| fold(text, ComparisonProfile::ActiveDirectory).into_owned();
        let cloud = |text| fold(text, ComparisonProfile::Cloud).into_owned();
        for (a, b) in [
            ("Zürich", "zurich"),
            ("Ａ１", "a1"),
            ("カナ", "かな"),
            ("ｶﾅ", "かな"),
            ("École", "ECOLE"),
        ] {
            assert_eq!(ad(a), ad(b), "{a} {b}");
            assert_ne!(cloud(a), cloud(b), "{a} {b}");
        }
        assert_eq!(cloud("ZÜRICH"), cloud("zürich"));
        assert_ne!(ad("か"), ad("が"));
    }

    #[test]
    fn patterns() {
        for (pattern, text, fits) in [
            ("sales*", "sales north", true),
            ("sales*", "sales", true),
            ("*sales", "north sales", true),
            ("*sales", "sales north", false),
            ("s*s", "s", false),
            ("s*s", "ss", true),
            ("*a*b*", "xaxbx", true),
            ("*a*b*", "xbxax", false),
            ("a*a*a", "aa", false),
            ("sales", "sales", true),
            ("sales", "sales north", false),
            ("*", "", true),
        ] {
            assert_eq!(
                Pattern::new(pattern, ComparisonProfile::Cloud).fits(text),
                fits,
                "{pattern} {text}"
            );
        }
    }
}
