//! The objects of a list, in parts that its versions share.
//!
//! In: ordinals. Out: a set that is copied by a pointer, and its next version. Never: more copied for the change of
//! one object than a short list, or one segment (8 KiB at most) and the pointers to the others.

use std::fmt;
use std::ops::{BitAnd, Sub};
use std::sync::Arc;

use roaring::RoaringBitmap;

/// Up to this many objects are kept as numbers: four octets each are less than sixteen containers that hold a handful,
/// and most lists of an organisation with many groups are so short.
const FEW_MAX: u64 = 1_024;

/// Ordinals of a segment: one container of a bitmap.
const SEGMENT_BITS: u32 = 16;

/// Ordinals in ascending order.
#[derive(Clone, PartialEq, Eq)]
pub struct Objects(Form);

/// Equal sets have equal forms: the number of objects decides, and nothing else.
#[derive(Clone, PartialEq, Eq)]
enum Form {
    Few(Arc<[u32]>),
    /// Each holds ordinals of its own range of 65,536 and no other; none is empty; in the order of ranges.
    Many(Arc<[Arc<RoaringBitmap>]>),
}

impl Default for Objects {
    fn default() -> Self {
        Self(Form::Few(Arc::from([])))
    }
}

impl From<RoaringBitmap> for Objects {
    fn from(set: RoaringBitmap) -> Self {
        if set.len() <= FEW_MAX {
            return Self(Form::Few(set.iter().collect()));
        }
        let mut segments: Vec<Arc<RoaringBitmap>> = Vec::new();
        let mut rest = set.iter();
        while let Some(first) = rest.next() {
            let last = last_of(segment_of(first));
            let mut range = RoaringBitmap::new();
            range.insert_range(first..=last);
            // The copy has room for its one container and no more.
            segments.push(Arc::new((&set & &range).clone()));
            let Some(next) = last.checked_add(1) else { break };
            rest.advance_to(next);
        }
        Self(Form::Many(segments.into()))
    }
}

impl FromIterator<u32> for Objects {
    fn from_iter<I: IntoIterator<Item = u32>>(ordinals: I) -> Self {
        ordinals.into_iter().collect::<RoaringBitmap>().into()
    }
}

impl Objects {
    /// Number of objects.
    #[must_use]
    pub fn len(&self) -> u64 {
        match &self.0 {
            Form::Few(few) => few.len() as u64,
            Form::Many(segments) => segments.iter().map(|segment| segment.len()).sum(),
        }
    }

    /// True if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Form::Few(few) => few.is_empty(),
            Form::Many(segments) => segments.is_empty(),
        }
    }

    /// True if the object is among them.
    #[must_use]
    pub fn contains(&self, ordinal: u32) -> bool {
        match &self.0 {
            Form::Few(few) => few.binary_search(&ordinal).is_ok(),
            Form::Many(segments) => place_of(segments, segment_of(ordinal))
                .ok()
                .and_then(|place| segments.get(place))
                .is_some_and(|segment| segment.contains(ordinal)),
        }
    }

    /// They, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        let (few, segments): (&[u32], &[Arc<RoaringBitmap>]) = match &self.0 {
            Form::Few(few) => (few, &[]),
            Form::Many(segments) => (&[], segments),
        };
        few.iter()
            .copied()
            .chain(segments.iter().flat_map(|segment| segment.iter()))
    }

    /// They as one set. Cost: all of them.
    #[must_use]
    pub fn to_set(&self) -> RoaringBitmap {
        match &self.0 {
            Form::Few(few) => few.iter().copied().collect(),
            Form::Many(segments) => joined(segments.iter().map(|segment| (**segment).clone())),
        }
    }

    /// How many of a set are among them.
    #[must_use]
    pub fn intersection_len(&self, set: &RoaringBitmap) -> u64 {
        match &self.0 {
            Form::Few(few) => few.iter().filter(|ordinal| set.contains(**ordinal)).count() as u64,
            Form::Many(segments) => segments.iter().map(|segment| segment.intersection_len(set)).sum(),
        }
    }

    /// What carries these to others: who comes and who goes. Cost: the segments that the two do not share.
    #[must_use]
    pub fn change_to(&self, after: &Self) -> (RoaringBitmap, RoaringBitmap) {
        let (mut added, mut removed) = (RoaringBitmap::new(), RoaringBitmap::new());
        match (&self.0, &after.0) {
            (Form::Many(before), Form::Many(after)) => {
                let less = |these: &[Arc<RoaringBitmap>], others: &[Arc<RoaringBitmap>], set: &mut RoaringBitmap| {
                    for segment in these {
                        let place = segment.min().map(|first| place_of(others, segment_of(first)));
                        match place.and_then(Result::ok).and_then(|place| others.get(place)) {
                            Some(other) if Arc::ptr_eq(segment, other) => {}
                            Some(other) => *set |= &**segment - &**other,
                            None => *set |= &**segment,
                        }
                    }
                };
                less(before, after, &mut removed);
                less(after, before, &mut added);
            }
            (Form::Few(_), _) | (_, Form::Few(_)) => {
                removed.extend(self.iter().filter(|ordinal| !after.contains(*ordinal)));
                added.extend(after.iter().filter(|ordinal| !self.contains(*ordinal)));
            }
        }
        (added, removed)
    }

    /// They with these and without those, whoever of them was there.
    #[must_use]
    pub fn with(&self, these: &RoaringBitmap, without: &RoaringBitmap) -> Self {
        let mut added = these - without;
        added -= self & &added;
        let mut next = self.clone();
        let fits = next.change(&added, &(self & without));
        debug_assert!(fits, "only what is not there comes, and only what is goes");
        next
    }

    /// Lets objects come and go, in place where nobody shares them. False if one that comes is there or one that goes
    /// is not; then they are as they were.
    #[must_use]
    pub fn change(&mut self, added: &RoaringBitmap, removed: &RoaringBitmap) -> bool {
        if self.intersection_len(added) > 0 || self.intersection_len(removed) < removed.len() {
            return false;
        }
        if added.is_empty() && removed.is_empty() {
            return true;
        }
        let length = self.len() + added.len() - removed.len();
        match &mut self.0 {
            Form::Many(segments)
                if length > FEW_MAX && added.iter().all(|each| place_of(segments, segment_of(each)).is_ok()) =>
            {
                let segments = Arc::make_mut(segments);
                let changes = added.iter().map(|each| (each, true));
                for (ordinal, comes) in changes.chain(removed.iter().map(|each| (each, false))) {
                    let place = place_of(segments, segment_of(ordinal)).ok();
                    let Some(segment) = place.and_then(|place| segments.get_mut(place)) else {
                        continue;
                    };
                    let segment = Arc::make_mut(segment);
                    if comes {
                        segment.insert(ordinal);
                    } else {
                        segment.remove(ordinal);
                    }
                }
                if segments.iter().any(|segment| segment.is_empty()) {
                    *self = self.to_set().into();
                }
            }
            // Another form, or a segment more: once in a long while.
            Form::Few(_) | Form::Many(_) => *self = ((self.to_set() | added) - removed).into(),
        }
        true
    }
}

impl BitAnd<&RoaringBitmap> for &Objects {
    type Output = RoaringBitmap;

    fn bitand(self, set: &RoaringBitmap) -> RoaringBitmap {
        match &self.0 {
            Form::Few(few) => few.iter().copied().filter(|each| set.contains(*each)).collect(),
            Form::Many(segments) => joined(segments.iter().map(|segment| &**segment & set)),
        }
    }
}

impl Sub<&RoaringBitmap> for &Objects {
    type Output = RoaringBitmap;

    fn sub(self, set: &RoaringBitmap) -> RoaringBitmap {
        match &self.0 {
            Form::Few(few) => few.iter().copied().filter(|each| !set.contains(*each)).collect(),
            Form::Many(segments) => joined(segments.iter().map(|segment| &**segment - set)),
        }
    }
}

impl fmt::Debug for Objects {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_set().fmt(out)
    }
}

fn segment_of(ordinal: u32) -> u32 {
    ordinal >> SEGMENT_BITS
}

fn last_of(segment: u32) -> u32 {
    (segment << SEGMENT_BITS) | ((1 << SEGMENT_BITS) - 1)
}

/// Where a segment is, or belongs.
fn place_of(segments: &[Arc<RoaringBitmap>], segment: u32) -> Result<usize, usize> {
    segments.binary_search_by_key(&Some(segment), |each| each.min().map(segment_of))
}

fn joined(parts: impl Iterator<Item = RoaringBitmap>) -> RoaringBitmap {
    let mut all = RoaringBitmap::new();
    parts.for_each(|part| all |= part);
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn segments(objects: &Objects) -> &[Arc<RoaringBitmap>] {
        match &objects.0 {
            Form::Few(_) => &[],
            Form::Many(segments) => segments,
        }
    }

    #[test]
    fn one_change_copies_one_segment() {
        let all: Objects = (0..500_000).step_by(3).collect();
        let mut next = all.clone();
        assert!(next.change(&RoaringBitmap::from([70_000]), &RoaringBitmap::new()));
        let shared = segments(&all).iter().zip(segments(&next));
        let own: Vec<usize> = shared
            .enumerate()
            .filter(|(_, (one, other))| !Arc::ptr_eq(one, other))
            .map(|(place, _)| place)
            .collect();
        assert_eq!((segments(&next).len(), own), (8, vec![1]));
        assert_eq!(all.change_to(&next).0, RoaringBitmap::from([70_000]));
        assert!(!all.contains(70_000) && next.contains(70_000));
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        for end in [100, 100_000] {
            let before: Objects = (0..end).step_by(2).collect();
            let mut after = before.clone();
            assert!(!after.change(&RoaringBitmap::from([4]), &RoaringBitmap::new()));
            assert!(!after.change(&RoaringBitmap::from([5]), &RoaringBitmap::from([7])));
            assert_eq!(after, before);
        }
    }

    fn set() -> impl Strategy<Value = BTreeSet<u32>> {
        // Around both bounds: that of the forms, and that of a segment.
        let near = prop::collection::btree_set(65_000_u32..66_600, 0..1_600);
        let far = prop::collection::btree_set(any::<u32>(), 0..40);
        (near, far).prop_map(|(near, far)| near.union(&far).copied().collect())
    }

    proptest! {
        #[test]
        fn follows_a_set(one in set(), other in set()) {
            let bitmap = |set: &BTreeSet<u32>| set.iter().copied().collect::<RoaringBitmap>();
            let (before, after): (Objects, Objects) = (one.iter().copied().collect(), other.iter().copied().collect());
            prop_assert_eq!(before.len(), one.len() as u64);
            prop_assert_eq!(before.is_empty(), one.is_empty());
            prop_assert_eq!(before.iter().collect::<Vec<_>>(), one.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(before.to_set(), bitmap(&one));
            prop_assert!(one.iter().all(|each| before.contains(*each)));
            prop_assert!(other.iter().all(|each| before.contains(*each) == one.contains(each)));
            let (common, own) = (&bitmap(&one) & &bitmap(&other), &bitmap(&one) - &bitmap(&other));
            prop_assert_eq!(&before & &bitmap(&other), common.clone());
            prop_assert_eq!(&before - &bitmap(&other), own.clone());
            prop_assert_eq!(before.intersection_len(&bitmap(&other)), common.len());
            let (added, removed) = before.change_to(&after);
            prop_assert_eq!(&added, &(&bitmap(&other) - &bitmap(&one)));
            prop_assert_eq!(&removed, &own);
            let mut next = before.clone();
            prop_assert!(next.change(&added, &removed));
            prop_assert_eq!(&next, &after, "equal sets have equal forms");
            prop_assert_eq!(&before.with(&bitmap(&other), &bitmap(&one)), &Objects::from(added.clone()));
            prop_assert_eq!(before.with(&bitmap(&other), &own), after);
            prop_assert!(next.change(&removed, &added));
            prop_assert_eq!(next, before);
        }
    }
}
