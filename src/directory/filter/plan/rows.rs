//! Sets of rows, or of all rows but some: what a clause answers.
//!
//! In: the rows that pass a test, or those that fail it. Out: the same under `and`, `or` and `not`.
//! Never: a negation written out before the universe is known, which would touch every row of the directory.

use std::borrow::Cow;

use roaring::RoaringBitmap;

/// Rows by their ordinals.
#[derive(Debug, Clone)]
pub(super) enum Rows<'a> {
    /// These.
    In(Cow<'a, RoaringBitmap>),
    /// Every row of the universe but these.
    AllBut(Cow<'a, RoaringBitmap>),
}

impl<'a> Rows<'a> {
    /// No row.
    pub(super) fn none() -> Self {
        Self::In(Cow::Owned(RoaringBitmap::new()))
    }

    /// Every row.
    pub(super) fn all() -> Self {
        Self::AllBut(Cow::Owned(RoaringBitmap::new()))
    }

    /// True if nothing can be in it, whatever the universe.
    pub(super) fn is_none(&self) -> bool {
        match self {
            Self::In(rows) => rows.is_empty(),
            Self::AllBut(_) => false,
        }
    }

    /// True if everything is in it, whatever the universe.
    pub(super) fn is_all(&self) -> bool {
        match self {
            Self::In(_) => false,
            Self::AllBut(rows) => rows.is_empty(),
        }
    }

    pub(super) fn not(self) -> Self {
        match self {
            Self::In(rows) => Self::AllBut(rows),
            Self::AllBut(rows) => Self::In(rows),
        }
    }

    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::In(one), Self::In(two)) => Self::In(intersection(one, two)),
            (Self::In(one), Self::AllBut(two)) | (Self::AllBut(two), Self::In(one)) => Self::In(difference(one, &two)),
            (Self::AllBut(one), Self::AllBut(two)) => Self::AllBut(union(one, two)),
        }
    }

    /// De Morgan: the same work as `and`, on the complements.
    pub(super) fn or(self, other: Self) -> Self {
        self.not().and(other.not()).not()
    }

    /// The rows themselves, once the universe is known.
    pub(super) fn within(self, universe: &RoaringBitmap) -> RoaringBitmap {
        match self {
            Self::In(Cow::Owned(mut rows)) => {
                rows &= universe;
                rows
            }
            Self::In(Cow::Borrowed(rows)) => rows & universe,
            Self::AllBut(rows) => universe - &*rows,
        }
    }

    /// The same rows, borrowed from nobody.
    pub(super) fn into_owned(self) -> Rows<'static> {
        match self {
            Self::In(rows) => Rows::In(Cow::Owned(rows.into_owned())),
            Self::AllBut(rows) => Rows::AllBut(Cow::Owned(rows.into_owned())),
        }
    }

    /// The same rows, for as long as `self` lives.
    pub(super) fn borrowed(&'a self) -> Self {
        match self {
            Self::In(rows) => Self::In(Cow::Borrowed(rows)),
            Self::AllBut(rows) => Self::AllBut(Cow::Borrowed(rows)),
        }
    }
}

type Set<'a> = Cow<'a, RoaringBitmap>;

fn intersection<'a>(one: Set<'a>, two: Set<'a>) -> Set<'a> {
    Cow::Owned(match (one, two) {
        (Cow::Owned(mut one), two) => {
            one &= &*two;
            one
        }
        (one, Cow::Owned(mut two)) => {
            two &= &*one;
            two
        }
        (Cow::Borrowed(one), Cow::Borrowed(two)) => one & two,
    })
}

fn union<'a>(one: Set<'a>, two: Set<'a>) -> Set<'a> {
    if one.is_empty() {
        return two;
    }
    if two.is_empty() {
        return one;
    }
    Cow::Owned(match (one, two) {
        (Cow::Owned(mut one), two) => {
            one |= &*two;
            one
        }
        (one, Cow::Owned(mut two)) => {
            two |= &*one;
            two
        }
        (Cow::Borrowed(one), Cow::Borrowed(two)) => one | two,
    })
}

fn difference<'a>(one: Set<'a>, two: &RoaringBitmap) -> Set<'a> {
    if two.is_empty() {
        return one;
    }
    Cow::Owned(match one {
        Cow::Owned(mut one) => {
            one -= two;
            one
        }
        Cow::Borrowed(one) => one - two,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(numbers: &[u32]) -> RoaringBitmap {
        numbers.iter().copied().collect()
    }

    #[test]
    fn complements_combine_as_the_sets_they_stand_for() {
        let universe = set(&[0, 1, 2, 3, 4]);
        let (one, two) = (set(&[0, 1]), set(&[1, 2]));
        let forms = |rows: &RoaringBitmap| {
            [
                Rows::In(Cow::Owned(rows.clone())),
                Rows::AllBut(Cow::Owned(rows.clone())),
            ]
        };
        for left in forms(&one) {
            for right in forms(&two) {
                let (l, r) = (left.clone().within(&universe), right.clone().within(&universe));
                assert_eq!(left.clone().and(right.borrowed()).within(&universe), &l & &r);
                assert_eq!(left.clone().or(right.borrowed()).within(&universe), &l | &r);
                assert_eq!(left.borrowed().and(right.borrowed()).within(&universe), &l & &r);
            }
            assert_eq!(left.clone().not().within(&universe), &universe - left.within(&universe));
        }
        assert!(Rows::none().is_none() && Rows::all().is_all() && !Rows::all().is_none());
    }
}
