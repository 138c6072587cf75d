//! Values that people have in another spelling than a filter asks for.
//!
//! In: a text a clause asks for, the values of a column with their people. Out: the values that probably mean the same,
//! how they differ, how many have them. Bounded: at most [`VALUES_MAX`] values are looked at.

use roaring::RoaringBitmap;

use super::abbreviation::same_place;
use crate::directory::attribute::{Attribute, edit_distance};
use crate::directory::filter::fold::fold;
use crate::directory::generation::Directory;
use crate::directory::group::ComparisonProfile;
use crate::directory::index::Ordinal;
use crate::directory::value::ValueRef;

/// Most values looked at for one clause; columns with more are of unique values, where spelling tells little.
const VALUES_MAX: usize = 50_000;

/// How a stored value differs from the one asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Difference {
    Blank,
    Case,
    Accent,
    Abbreviation,
    /// A letter or two.
    Letters,
}

impl Difference {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Blank => "with other blanks",
            Self::Case => "in other case",
            Self::Accent => "with other accents",
            Self::Abbreviation => "abbreviated or in full",
            Self::Letters => "a letter or two apart",
        }
    }
}

/// A value people have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Variant {
    pub(super) value: String,
    pub(super) difference: Difference,
    pub(super) people: u64,
}

/// Values of the attribute that probably mean `asked`, the most frequent first; letters count only where nobody has
/// the value itself.
pub(super) fn variants(
    directory: &Directory,
    attribute: Attribute,
    asked: &str,
    profile: ComparisonProfile,
    everybody: &RoaringBitmap,
    matches_nobody: bool,
) -> Vec<Variant> {
    let mut found: Vec<Variant> = Vec::new();
    let mut look = |value: &str, people: u64| {
        let Some(difference) = difference(asked, value, profile) else {
            return;
        };
        if people == 0 || difference == Difference::Letters && !matches_nobody {
            return;
        }
        match found.iter_mut().find(|each| each.value == value) {
            Some(known) => known.people += people,
            None => found.push(Variant {
                value: value.to_owned(),
                difference,
                people,
            }),
        }
    };
    let mut looked = 0;
    let column = directory.column(attribute);
    for (value, postings) in column.coded().take(VALUES_MAX) {
        looked += 1;
        for text in texts(value).filter(|text| difference_is_possible(asked, text)) {
            look(text, postings.to_set().intersection_len(everybody));
        }
    }
    for row in column.inline().iter().take(VALUES_MAX - looked.min(VALUES_MAX)) {
        if let Some(row_ref) = directory.row(Ordinal(row))
            && everybody.contains(row)
        {
            texts(&row_ref.value(attribute)).for_each(|text| look(text, 1));
        }
    }
    // Another letter is told only where no better likeness is.
    if found.iter().any(|each| each.difference < Difference::Letters) {
        found.retain(|each| each.difference < Difference::Letters);
    }
    found.sort_by(|a, b| b.people.cmp(&a.people).then_with(|| a.value.cmp(&b.value)));
    found.truncate(8);
    found
}

/// What a value says: one text, or each of several.
fn texts<'v>(value: &'v ValueRef<'_>) -> impl Iterator<Item = &'v str> {
    let texts = match value {
        ValueRef::Text(text) => std::slice::from_ref(text),
        ValueRef::Texts(texts) => texts,
        _ => &[],
    };
    texts.iter().map(|text| &**text)
}

/// Abbreviations apart, texts of very different length mean different things.
fn difference_is_possible(asked: &str, stored: &str) -> bool {
    asked.len().abs_diff(stored.len()) <= 16 || same_place(asked, stored)
}

fn difference(asked: &str, stored: &str, profile: ComparisonProfile) -> Option<Difference> {
    if fold(asked, profile) == fold(stored, profile) {
        return None;
    }
    let blanks = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (asked_plain, stored_plain) = (blanks(asked), blanks(stored));
    let cloud = ComparisonProfile::Cloud;
    if asked_plain == stored_plain || fold(&asked_plain, profile) == fold(&stored_plain, profile) {
        return Some(Difference::Blank);
    }
    if fold(&asked_plain, cloud) == fold(&stored_plain, cloud) {
        return Some(Difference::Case);
    }
    let ad = ComparisonProfile::ActiveDirectory;
    if fold(&asked_plain, ad) == fold(&stored_plain, ad) {
        return Some(Difference::Accent);
    }
    if same_place(&asked_plain, &stored_plain) {
        return Some(Difference::Abbreviation);
    }
    let (one, other) = (fold(&asked_plain, ad), fold(&stored_plain, ad));
    let length = one.chars().count().min(other.chars().count());
    // Numbers and short codes differ by a letter because they are different.
    let allowed = match length {
        0..=4 => 0,
        5..=8 => 1,
        _ => 2,
    };
    let has_digits = one.bytes().chain(other.bytes()).any(|byte| byte.is_ascii_digit());
    (!has_digits && allowed > 0 && edit_distance(&one, &other) <= allowed).then_some(Difference::Letters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likenesses() {
        let cloud = ComparisonProfile::Cloud;
        for (asked, stored, likeness) in [
            ("Berlin", "Berlin ", Some(Difference::Blank)),
            ("Berlin", " berlin", Some(Difference::Blank)),
            ("North Building", "North  Building", Some(Difference::Blank)),
            ("Zürich", "Zurich", Some(Difference::Accent)),
            ("Washington", "WA", Some(Difference::Abbreviation)),
            ("Marketing", "Marktingg", Some(Difference::Letters)),
            ("Berlin", "BERLIN", None),
            ("Berlin", "Bern", None),
            ("50001", "50002", None),
            ("Sales", "Legal", None),
        ] {
            assert_eq!(difference(asked, stored, cloud), likeness, "{asked} {stored}");
        }
        assert_eq!(difference("Zürich", "Zurich", ComparisonProfile::ActiveDirectory), None);
    }
}
