//! The rows that have a value: a short list, or segments that generations share.
//!
//! In: rows. Out: sets and members. Never: a copy of more than one segment or short list for one row.

use std::borrow::Cow;
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::octets::{Cursor, put_number};

/// Longest list kept as numbers; 8 KiB are copied when it changes, as much as of a segment.
const FEW_MAX: usize = 2_048;

/// Rows of a segment: one container of a bitmap.
const SEGMENT_BITS: u32 = 16;

/// Rows in ascending order.
#[derive(Debug, Clone)]
pub(super) enum RowList {
    Few(Arc<[u32]>),
    /// Each holds the rows of its own range of 65,536 and no other.
    Many(Vec<Arc<RoaringBitmap>>),
}

impl Default for RowList {
    fn default() -> Self {
        Self::Few(Arc::from([]))
    }
}

impl RowList {
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Few(rows) => rows.is_empty(),
            Self::Many(segments) => segments.iter().all(|segment| segment.is_empty()),
        }
    }

    /// Rows that come or go, in ascending order.
    pub(super) fn edit(&mut self, changes: impl Iterator<Item = (u32, bool)>) {
        match self {
            Self::Few(rows) => {
                let rows = merged(rows, changes);
                *self = if rows.len() > FEW_MAX {
                    Self::of_many(rows.into_iter())
                } else {
                    Self::Few(rows.into())
                };
            }
            Self::Many(segments) => {
                for (row, present) in changes {
                    let index = (row >> SEGMENT_BITS) as usize;
                    if segments.len() <= index {
                        segments.resize(index + 1, Arc::default());
                    }
                    let Some(segment) = segments.get_mut(index) else {
                        continue;
                    };
                    if segment.contains(row) != present {
                        let segment = Arc::make_mut(segment);
                        if present {
                            segment.insert(row);
                        } else {
                            segment.remove(row);
                        }
                    }
                }
                let length: u64 = segments.iter().map(|segment| segment.len()).sum();
                // Half the bound, so that a value at the bound does not change its form with every row.
                if length < FEW_MAX as u64 / 2 {
                    *self = Self::Few(segments.iter().flat_map(|segment| segment.iter()).collect());
                }
            }
        }
    }

    /// Writes the list for an image.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Few(rows) => {
                put_number(out, (rows.len() as u64) << 1);
                rows.iter().for_each(|row| out.extend_from_slice(&row.to_le_bytes()));
            }
            Self::Many(segments) => {
                put_number(out, (segments.len() as u64) << 1 | 1);
                segments.iter().for_each(|segment| put_set(out, segment));
            }
        }
    }

    /// Reads what [`RowList::put`] wrote; none if it is damaged.
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        let head = cursor.number()?;
        let count = usize::try_from(head >> 1).ok()?;
        if head & 1 == 1 {
            let segments = (0..count).map(|_| read_set(cursor).map(Arc::new));
            return segments.collect::<Option<Vec<_>>>().map(Self::Many);
        }
        let (rows, rest) = cursor.take(count.checked_mul(4)?)?.as_chunks::<4>();
        let rows: Arc<[u32]> = rows.iter().map(|row| u32::from_le_bytes(*row)).collect();
        rest.is_empty().then_some(Self::Few(rows))
    }

    fn of_many(rows: impl Iterator<Item = u32>) -> Self {
        let mut builder = ListBuilder::default();
        rows.for_each(|row| builder.push(row));
        builder.finish()
    }
}

fn merged(old: &[u32], changes: impl Iterator<Item = (u32, bool)>) -> Vec<u32> {
    let mut rows = Vec::with_capacity(old.len() + 1);
    let mut rest = old;
    for (row, present) in changes {
        let (before, after) = rest.split_at(rest.partition_point(|each| *each < row));
        rows.extend_from_slice(before);
        rest = match after.split_first() {
            Some((first, tail)) if *first == row => tail,
            Some(_) | None => after,
        };
        // The same row twice would be a fault of the caller; one is enough.
        if present && rows.last() != Some(&row) {
            rows.push(row);
        }
    }
    rows.extend_from_slice(rest);
    rows
}

/// Sets and clears rows of a bitmap; one that does not change stays shared.
pub(super) fn edit_set(set: &mut Arc<RoaringBitmap>, changes: impl Iterator<Item = (u32, bool)>) {
    for (row, present) in changes {
        if set.contains(row) != present {
            let set = Arc::make_mut(set);
            if present {
                set.insert(row);
            } else {
                set.remove(row);
            }
        }
    }
}

/// Writes a set for an image.
pub(super) fn put_set(out: &mut Vec<u8>, set: &RoaringBitmap) {
    put_number(out, set.serialized_size() as u64);
    set.serialize_into(&mut *out).expect("memory takes all octets");
}

/// Reads what [`put_set`] wrote; none if it is damaged.
pub(super) fn read_set(cursor: &mut Cursor<'_>) -> Option<RoaringBitmap> {
    let length = cursor.count()?;
    RoaringBitmap::deserialize_from(cursor.take(length)?).ok()
}

/// A list under construction, rows coming in ascending order.
#[derive(Debug, Default)]
pub(super) struct ListBuilder {
    few: Vec<u32>,
    segments: Vec<Arc<RoaringBitmap>>,
    open: RoaringBitmap,
    many: bool,
}

impl ListBuilder {
    pub(super) fn push(&mut self, row: u32) {
        if !self.many {
            self.few.push(row);
            if self.few.len() > FEW_MAX {
                self.many = true;
                for row in std::mem::take(&mut self.few) {
                    self.push_segment(row);
                }
            }
            return;
        }
        self.push_segment(row);
    }

    fn push_segment(&mut self, row: u32) {
        let index = (row >> SEGMENT_BITS) as usize;
        while self.segments.len() < index {
            self.segments.push(Arc::new(std::mem::take(&mut self.open)));
        }
        self.open.insert(row);
    }

    pub(super) fn finish(mut self) -> RowList {
        if self.many {
            self.segments.push(Arc::new(self.open));
            self.segments.shrink_to_fit();
            RowList::Many(self.segments)
        } else {
            RowList::Few(self.few.into())
        }
    }
}

/// The rows of a value, where they are stored.
#[derive(Debug, Clone, Copy)]
pub struct Postings<'a>(Rows<'a>);

#[derive(Debug, Clone, Copy)]
enum Rows<'a> {
    Few(&'a [u32]),
    Many(&'a RoaringBitmap),
    Segments(&'a [Arc<RoaringBitmap>]),
}

impl<'a> From<&'a RowList> for Postings<'a> {
    fn from(rows: &'a RowList) -> Self {
        Self(match rows {
            RowList::Few(rows) => Rows::Few(rows),
            RowList::Many(segments) => Rows::Segments(segments),
        })
    }
}

impl<'a> Postings<'a> {
    /// A few rows in ascending order.
    pub fn few(rows: &'a [u32]) -> Self {
        Self(Rows::Few(rows))
    }

    /// Many rows.
    pub fn many(rows: &'a RoaringBitmap) -> Self {
        Self(Rows::Many(rows))
    }

    /// Number of rows.
    pub fn len(self) -> u64 {
        match self.0 {
            Rows::Few(rows) => rows.len() as u64,
            Rows::Many(rows) => rows.len(),
            Rows::Segments(segments) => segments.iter().map(|segment| segment.len()).sum(),
        }
    }

    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// True if the row is among them.
    pub fn contains(self, row: u32) -> bool {
        match self.0 {
            Rows::Few(rows) => rows.binary_search(&row).is_ok(),
            Rows::Many(rows) => rows.contains(row),
            Rows::Segments(segments) => segments
                .get((row >> SEGMENT_BITS) as usize)
                .is_some_and(|segment| segment.contains(row)),
        }
    }

    /// The rows in ascending order.
    pub fn iter(self) -> Box<dyn Iterator<Item = u32> + 'a> {
        match self.0 {
            Rows::Few(rows) => Box::new(rows.iter().copied()),
            Rows::Many(rows) => Box::new(rows.iter()),
            Rows::Segments(segments) => Box::new(segments.iter().flat_map(|segment| segment.iter())),
        }
    }

    /// Calls `visit` with every row in ascending order.
    pub fn each(self, visit: &mut dyn FnMut(u32)) {
        match self.0 {
            Rows::Few(rows) => rows.iter().for_each(|row| visit(*row)),
            Rows::Many(rows) => rows.iter().for_each(visit),
            Rows::Segments(segments) => segments.iter().for_each(|segment| segment.iter().for_each(&mut *visit)),
        }
    }

    /// The rows as a list, if they are few.
    pub fn small(self) -> Option<&'a [u32]> {
        match self.0 {
            Rows::Few(rows) => Some(rows),
            Rows::Many(_) | Rows::Segments(_) => None,
        }
    }

    /// The rows as one set; borrowed where they are one.
    pub fn to_set(self) -> Cow<'a, RoaringBitmap> {
        match self.0 {
            Rows::Few(rows) => Cow::Owned(rows.iter().copied().collect()),
            Rows::Many(rows) => Cow::Borrowed(rows),
            Rows::Segments([only]) => Cow::Borrowed(only),
            Rows::Segments(segments) => {
                let mut set = RoaringBitmap::new();
                segments.iter().for_each(|segment| set |= &**segment);
                Cow::Owned(set)
            }
        }
    }

    /// Puts the rows into a set.
    pub fn add_to(self, set: &mut RoaringBitmap) {
        match self.0 {
            Rows::Few(rows) => set.extend(rows.iter().copied()),
            Rows::Many(rows) => *set |= rows,
            Rows::Segments(segments) => segments.iter().for_each(|segment| *set |= &**segment),
        }
    }

    /// Takes the rows out of a set.
    pub fn remove_from(self, set: &mut RoaringBitmap) {
        match self.0 {
            Rows::Few(rows) => rows.iter().for_each(|row| {
                set.remove(*row);
            }),
            Rows::Many(rows) => *set -= rows,
            Rows::Segments(segments) => segments.iter().for_each(|segment| *set -= &**segment),
        }
    }

    /// The rows that are in a set too.
    pub fn within(self, set: &RoaringBitmap) -> RoaringBitmap {
        match self.0 {
            Rows::Few(rows) => rows.iter().copied().filter(|row| set.contains(*row)).collect(),
            Rows::Many(rows) => rows & set,
            Rows::Segments(segments) => {
                let mut found = RoaringBitmap::new();
                segments.iter().for_each(|segment| found |= &**segment & set);
                found
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lists_follow_a_set(
            first in prop::collection::btree_set(0_u32..200_000, 0..4_000),
            rounds in prop::collection::vec(prop::collection::btree_map(0_u32..200_000, any::<bool>(), 0..3_000), 0..4),
        ) {
            let mut model: BTreeSet<u32> = first.clone();
            let mut builder = ListBuilder::default();
            first.iter().for_each(|row| builder.push(*row));
            let mut list = builder.finish();
            for changes in rounds {
                for (row, present) in &changes {
                    if *present { model.insert(*row); } else { model.remove(row); }
                }
                list.edit(changes.into_iter());
                let postings = Postings::from(&list);
                prop_assert_eq!(postings.iter().collect::<Vec<_>>(), model.iter().copied().collect::<Vec<_>>());
                prop_assert_eq!(postings.len(), model.len() as u64);
                prop_assert_eq!(list.is_empty(), model.is_empty());
                let mut set = RoaringBitmap::new();
                postings.add_to(&mut set);
                prop_assert_eq!(set.len(), model.len() as u64);
                prop_assert_eq!(postings.within(&set).len(), model.len() as u64);
                postings.remove_from(&mut set);
                prop_assert!(set.is_empty());
            }
        }
    }
}
