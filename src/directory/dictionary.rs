//! Distinct values of one column, each with a code and the rows that have it.
//!
//! In: values and rows. Out: the code of a value, the value of a code, its rows. Generations share all parts that
//! did not change: values in chunks of 64, the index in 64 shards, rows in segments of 65,536.
//! Never: a code that changes its value while a row has it; more values than the limit: later ones stay in their
//! rows.

use std::sync::Arc;

use roaring::RoaringBitmap;

use super::octets::{Cursor, put_number};
use super::posting::{RowList, put_set, read_set};

/// Values copied together when one of them changes.
const CHUNK_VALUES: usize = 64;

/// Parts of the index from hash to code.
const SHARDS: usize = 64;

/// A value that can have a code.
pub(super) trait Coded: Clone {
    /// The same for equal values, in every run.
    fn code_hash(&self) -> u64;

    /// Writes it for an image.
    fn put(&self, out: &mut Vec<u8>);

    /// Reads what [`Coded::put`] wrote; none if it is damaged.
    fn read(cursor: &mut Cursor<'_>) -> Option<Self>;
}

/// The dictionary of one column.
#[derive(Debug, Clone)]
pub(super) struct Dictionary<V> {
    chunks: Vec<Arc<[Entry<V>; CHUNK_VALUES]>>,
    /// Codes given so far, those that are free again included.
    given: usize,
    index: Vec<Arc<Vec<(u32, u32)>>>,
    vacant: Option<u32>,
    used: usize,
    limit: usize,
    inline: Arc<RoaringBitmap>,
}

#[derive(Debug, Clone)]
enum Entry<V> {
    Used { value: V, rows: RowList },
    Vacant { next: Option<u32> },
}

/// A row that begins or ceases to have a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RowEdit {
    /// None: the value is in the row itself.
    pub(super) code: Option<u32>,
    pub(super) row: u32,
    pub(super) present: bool,
}

impl<V: Coded> Dictionary<V> {
    pub(super) fn new(limit: usize) -> Self {
        let nothing = Arc::new(Vec::new());
        Self {
            chunks: Vec::new(),
            given: 0,
            index: vec![nothing; SHARDS],
            vacant: None,
            used: 0,
            limit,
            inline: Arc::default(),
        }
    }

    /// Rows whose values have no code.
    pub(super) fn inline(&self) -> &RoaringBitmap {
        &self.inline
    }

    /// The code of the value that `is` recognises.
    pub(super) fn find(&self, hash: u64, is: impl Fn(&V) -> bool) -> Option<u32> {
        let (shard, tag) = place_of(hash);
        let list = self.index.get(shard)?;
        let rest = list.get(first_of(list, tag)..)?;
        rest.iter()
            .take_while(|(each, _)| *each == tag)
            .map(|(_, code)| *code)
            .find(|code| self.value(*code).is_some_and(&is))
    }

    /// The value of a code.
    pub(super) fn value(&self, code: u32) -> Option<&V> {
        match self.entry(code)? {
            Entry::Used { value, .. } => Some(value),
            Entry::Vacant { .. } => None,
        }
    }

    /// The rows that have a code.
    pub(super) fn rows(&self, code: u32) -> Option<&RowList> {
        match self.entry(code)? {
            Entry::Used { rows, .. } => Some(rows),
            Entry::Vacant { .. } => None,
        }
    }

    /// Values in use with their codes and rows.
    pub(super) fn entries(&self) -> impl Iterator<Item = (u32, &V, &RowList)> {
        let all = self.chunks.iter().flat_map(|chunk| chunk.iter());
        (0_u32..).zip(all).filter_map(|(code, entry)| match entry {
            Entry::Used { value, rows } => Some((code, value, rows)),
            Entry::Vacant { .. } => None,
        })
    }

    fn entry(&self, code: u32) -> Option<&Entry<V>> {
        let code = code as usize;
        self.chunks.get(code / CHUNK_VALUES)?.get(code % CHUNK_VALUES)
    }

    fn entry_mut(&mut self, code: u32) -> Option<&mut Entry<V>> {
        let code = code as usize;
        Arc::make_mut(self.chunks.get_mut(code / CHUNK_VALUES)?).get_mut(code % CHUNK_VALUES)
    }

    /// True if another value can have a code.
    pub(super) fn has_room(&self) -> bool {
        self.used < self.limit
    }

    /// Gives a code to a value that has none. Its rows follow by [`Dictionary::edit`].
    pub(super) fn insert(&mut self, value: V) -> Option<u32> {
        if !self.has_room() {
            return None;
        }
        let hash = value.code_hash();
        let entry = Entry::Used {
            value,
            rows: RowList::default(),
        };
        let code = match self.vacant {
            Some(code) => {
                let slot = self.entry_mut(code)?;
                let next = match slot {
                    Entry::Vacant { next } => *next,
                    Entry::Used { .. } => return None,
                };
                *slot = entry;
                self.vacant = next;
                code
            }
            None => self.append(entry)?,
        };
        let (shard, tag) = place_of(hash);
        let list = Arc::make_mut(self.index.get_mut(shard)?);
        let at = list.partition_point(|each| *each < (tag, code));
        list.insert(at, (tag, code));
        self.used += 1;
        Some(code)
    }

    fn append(&mut self, entry: Entry<V>) -> Option<u32> {
        if self.given == self.chunks.len() * CHUNK_VALUES {
            let vacant = std::array::from_fn(|_| Entry::Vacant { next: None });
            self.chunks.push(Arc::new(vacant));
        }
        let code = u32::try_from(self.given).ok()?;
        *self.entry_mut(code)? = entry;
        self.given += 1;
        Some(code)
    }

    /// Makes the edits, sorted by code and row; values that no row has any more give up their codes.
    pub(super) fn edit(&mut self, edits: &[RowEdit]) {
        for group in edits.chunk_by(|a, b| a.code == b.code) {
            let changes = group.iter().map(|edit| (edit.row, edit.present));
            match group.first().and_then(|edit| edit.code) {
                None => super::posting::edit_set(&mut self.inline, changes),
                Some(code) => {
                    let Some(Entry::Used { rows, .. }) = self.entry_mut(code) else {
                        continue;
                    };
                    rows.edit(changes);
                    if rows.is_empty() {
                        self.release(code);
                    }
                }
            }
        }
    }

    fn release(&mut self, code: u32) {
        let next = self.vacant;
        let Some(slot) = self.entry_mut(code) else { return };
        let Entry::Used { value, .. } = std::mem::replace(slot, Entry::Vacant { next }) else {
            return;
        };
        self.vacant = Some(code);
        self.used -= 1;
        let (shard, tag) = place_of(value.code_hash());
        if let Some(list) = self.index.get_mut(shard) {
            Arc::make_mut(list).retain(|each| *each != (tag, code));
        }
    }

    /// Sets all rows at once, for a first load: rows per code in ascending order.
    pub(super) fn fill(&mut self, rows: Vec<RowList>, mut inline: RoaringBitmap) {
        for (code, list) in (0_u32..).zip(rows) {
            if let Some(Entry::Used { rows, .. }) = self.entry_mut(code) {
                *rows = list;
            }
        }
        // Nearly all rows, or nearly none: runs, so that the next change copies little.
        inline.optimize();
        self.inline = Arc::new(inline);
    }

    /// Writes the dictionary for an image.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        put_number(out, self.given as u64);
        for entry in self.chunks.iter().flat_map(|chunk| chunk.iter()).take(self.given) {
            match entry {
                Entry::Used { value, rows } => {
                    out.push(1);
                    value.put(out);
                    rows.put(out);
                }
                Entry::Vacant { .. } => out.push(0),
            }
        }
        put_set(out, &self.inline);
    }

    /// Reads what [`Dictionary::put`] wrote; none if it is damaged.
    pub(super) fn read(cursor: &mut Cursor<'_>, limit: usize) -> Option<Self> {
        let mut read = Self::new(limit);
        let mut index: Vec<Vec<(u32, u32)>> = vec![Vec::new(); SHARDS];
        for code in 0..u32::try_from(cursor.number()?).ok()? {
            let entry = match cursor.byte()? {
                0 => {
                    let next = read.vacant.replace(code);
                    Entry::Vacant { next }
                }
                _ => {
                    let value = V::read(cursor)?;
                    let (shard, tag) = place_of(value.code_hash());
                    index.get_mut(shard)?.push((tag, code));
                    read.used += 1;
                    let rows = RowList::read(cursor)?;
                    Entry::Used { value, rows }
                }
            };
            read.append(entry)?;
        }
        for (shard, mut list) in read.index.iter_mut().zip(index) {
            list.sort_unstable();
            list.shrink_to_fit();
            *shard = Arc::new(list);
        }
        read.inline = Arc::new(read_set(cursor)?);
        Some(read)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the halves are what is meant")]
fn place_of(hash: u64) -> (usize, u32) {
    ((hash >> 58) as usize, hash as u32)
}

/// The place of the first entry with this tag, or of where it would be.
///
/// Tags are hashes, so one of a list of *n* lies near its share of *n*: one look at memory where a binary search
/// takes eight.
fn first_of(list: &[(u32, u32)], tag: u32) -> usize {
    let guess = (u64::from(tag) * list.len() as u64) >> 32;
    let mut at = usize::try_from(guess).unwrap_or(0);
    while at > 0 && list.get(at - 1).is_some_and(|(each, _)| *each >= tag) {
        at -= 1;
    }
    while list.get(at).is_some_and(|(each, _)| *each < tag) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::posting::Postings;
    use crate::directory::value::Value;

    fn text(number: u32) -> Value {
        Value::Text(format!("value {number}").into())
    }

    fn find(dictionary: &Dictionary<Value>, number: u32) -> Option<u32> {
        dictionary.find(text(number).code_hash(), |each| *each == text(number))
    }

    fn edit(code: Option<u32>, row: u32, present: bool) -> RowEdit {
        RowEdit { code, row, present }
    }

    #[test]
    fn a_full_dictionary_takes_no_more_until_a_value_goes() {
        let mut dictionary = Dictionary::new(200);
        for number in 0..200 {
            let code = dictionary.insert(text(number)).expect("room");
            dictionary.edit(&[edit(Some(code), number, true)]);
        }
        assert!(!dictionary.has_room() && dictionary.insert(text(200)).is_none());
        dictionary.edit(&[edit(None, 200, true)]);
        assert!(dictionary.inline().contains(200));
        let before = dictionary.clone();
        let code = find(&dictionary, 77).expect("coded");
        dictionary.edit(&[edit(Some(code), 77, false)]);
        assert_eq!(find(&dictionary, 77), None);
        assert_eq!(dictionary.insert(text(300)), Some(code), "the code is free again");
        assert_eq!(find(&dictionary, 300), Some(code));
        // The generation before still says what it said.
        assert_eq!(find(&before, 77), Some(code));
        let rows = before
            .rows(code)
            .map(|rows| Postings::from(rows).iter().collect::<Vec<_>>());
        assert_eq!(rows, Some(vec![77]));
        let shared = before.chunks.iter().zip(&dictionary.chunks);
        assert_eq!(
            shared.filter(|(a, b)| !Arc::ptr_eq(a, b)).count(),
            1,
            "one chunk was copied"
        );
    }
}
