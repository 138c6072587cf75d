//! The parts of a first generation, put together row by row.
//!
//! In: objects taken apart, in the order of ordinals. Out: the generation, and names that several objects carry.

use std::sync::Arc;

use jiff::Timestamp;
use roaring::RoaringBitmap;

use super::Directory;
use super::load::{Prepared, PreparedForm, PreparedRow};
use super::rows::{Row, Rows};
use crate::directory::attribute::Attribute;
use crate::directory::columns::{Class, Coding, ColumnId, Columns};
use crate::directory::facts::Facts;
use crate::directory::index::{Entry, KeyHash, KeyIndex, Ordinal, SHARDS};
use crate::directory::posting::ListBuilder;
use crate::directory::record::write;

/// Rows of one column under construction.
#[derive(Default)]
struct ColumnBuilder {
    lists: Vec<ListBuilder>,
    inline: RoaringBitmap,
}

/// A generation under construction.
pub(super) struct Builder {
    rows: Rows,
    columns: Columns,
    coded: Vec<ColumnBuilder>,
    shards: Vec<Vec<Entry>>,
    live: RoaringBitmap,
    groups: RoaringBitmap,
    candidates: RoaringBitmap,
    whole: RoaringBitmap,
    leaves_for: Vec<(Ordinal, [KeyHash; 2])>,
    last: Option<Ordinal>,
}

/// Columns beside those of attributes.
const OTHER_COLUMNS: [ColumnId; 4] = [ColumnId::Class, ColumnId::Source, ColumnId::Parent, ColumnId::Stated];

fn place_of(column: ColumnId) -> usize {
    match column {
        ColumnId::Class => 0,
        ColumnId::Source => 1,
        ColumnId::Parent => 2,
        ColumnId::Stated => 3,
        ColumnId::Attribute(attribute) => OTHER_COLUMNS.len() + attribute as usize,
    }
}

impl Builder {
    pub(super) fn new() -> Self {
        let count = OTHER_COLUMNS.len() + Attribute::ALL.len();
        Self {
            rows: Rows::default(),
            columns: Columns::empty(),
            coded: (0..count).map(|_| ColumnBuilder::default()).collect(),
            shards: vec![Vec::new(); SHARDS],
            live: RoaringBitmap::new(),
            groups: RoaringBitmap::new(),
            candidates: RoaringBitmap::new(),
            whole: RoaringBitmap::new(),
            leaves_for: Vec::new(),
            last: None,
        }
    }

    pub(super) fn take(&mut self, batch: Prepared) {
        let mut written = Vec::with_capacity(batch.rows.len());
        let mut scratch = Vec::with_capacity(4_096);
        let mut keys = batch.keys.iter();
        let mut taken = 0;
        for row in batch.rows {
            let own = keys.by_ref().take(row.keys - taken);
            taken = row.keys;
            // A row out of order would be written over another; the store gives each once.
            let in_order = self.last.is_none_or(|last| last < row.ordinal);
            for hash in own.filter(|_| in_order) {
                if let Some(shard) = self.shards.get_mut(hash.shard()) {
                    shard.push(Entry {
                        tag: hash.tag(),
                        ordinal: row.ordinal.0,
                    });
                }
            }
            if in_order {
                self.last = Some(row.ordinal);
                written.push((row.ordinal, self.row(row, &batch.octets, &mut scratch)));
            }
        }
        self.rows.write(written);
    }

    fn row(&mut self, row: PreparedRow, octets: &[u8], scratch: &mut Vec<u8>) -> Row<Vec<u8>> {
        let ordinal = row.ordinal;
        let Some(facts) = row.form.facts(octets) else {
            return match row.form {
                PreparedForm::Gone(tombstone) => Row::Gone(tombstone),
                PreparedForm::Whole(object) => Row::Whole(object),
                // The record was read when it was prepared.
                PreparedForm::Person { .. } => Row::Packed(Vec::new()),
            };
        };
        self.live.insert(ordinal.0);
        if facts.kind.is_group() {
            self.groups.insert(ordinal.0);
        }
        if facts.is_candidate() {
            self.candidates.insert(ordinal.0);
        }
        self.leaves_for.push((ordinal, row.leaves_for));
        let class = Class {
            kind: facts.kind,
            state: facts.state,
        };
        let coder = self.columns.coder(class);
        let is_person = matches!(row.form, PreparedForm::Person { .. });
        let coding = if is_person {
            scratch.clear();
            let mut coder = coder;
            write(&facts, &mut coder, scratch);
            coder.finish()
        } else {
            coder.code_all(&facts)
        };
        let packs = is_person && has_source(&coding);
        self.list(coding, ordinal);
        if packs {
            return Row::Packed(scratch.to_vec());
        }
        self.whole.insert(ordinal.0);
        match &row.form {
            PreparedForm::Whole(object) => Row::Whole(Arc::clone(object)),
            PreparedForm::Gone(_) | PreparedForm::Person { .. } => Row::Whole(Arc::new(Facts::to_object(&facts))),
        }
    }

    fn list(&mut self, coding: Coding, ordinal: Ordinal) {
        for (column, code) in coding {
            let Some(builder) = self.coded.get_mut(place_of(column)) else {
                continue;
            };
            match code {
                None => {
                    builder.inline.insert(ordinal.0);
                }
                Some(code) => {
                    // A u32 fits a usize on every platform we build for.
                    let code = code as usize;
                    if builder.lists.len() <= code {
                        builder.lists.resize_with(code + 1, ListBuilder::default);
                    }
                    if let Some(list) = builder.lists.get_mut(code) {
                        list.push(ordinal.0);
                    }
                }
            }
        }
    }

    /// The generation.
    pub(super) fn finish(mut self, number: u64, now: Timestamp) -> Directory {
        let attributes = Attribute::ALL.iter().map(|attribute| ColumnId::Attribute(*attribute));
        for column in OTHER_COLUMNS.into_iter().chain(attributes) {
            let Some(builder) = self.coded.get_mut(place_of(column)).map(std::mem::take) else {
                continue;
            };
            if !builder.lists.is_empty() || !builder.inline.is_empty() {
                let lists = builder.lists.into_iter().map(ListBuilder::finish).collect();
                self.columns.fill(column, lists, builder.inline);
            }
        }
        let keys = KeyIndex::of_shards(sorted(std::mem::take(&mut self.shards)));
        let mut directory = Directory {
            number,
            loaded_at: now,
            rows: self.rows,
            keys,
            columns: self.columns,
            live: compact(self.live),
            groups: compact(self.groups),
            plain: Arc::default(),
            candidates: compact(self.candidates),
            whole: compact(self.whole),
        };
        directory.plain = compact(plain(&directory, &self.leaves_for));
        directory
    }
}

fn has_source(coding: &Coding) -> bool {
    coding
        .iter()
        .any(|(column, code)| *column == ColumnId::Source && code.is_some())
}

/// Nearly all rows, or few: as runs a change of one copies little.
fn compact(mut set: RoaringBitmap) -> Arc<RoaringBitmap> {
    set.optimize();
    Arc::new(set)
}

/// Shards in order, on two threads.
fn sorted(mut shards: Vec<Vec<Entry>>) -> Vec<Arc<[Entry]>> {
    let sort = |list: &mut Vec<Entry>| -> Arc<[Entry]> {
        let mut list = std::mem::take(list);
        list.sort_unstable();
        list.dedup();
        list.into()
    };
    let (low, high) = shards.split_at_mut(SHARDS / 2);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| high.iter_mut().map(sort).collect::<Vec<_>>());
        let mut all: Vec<_> = low.iter_mut().map(sort).collect();
        all.extend(other.join().expect("sorting does not panic"));
        all
    })
}

/// Rows that nobody shares a final address with, on two threads.
fn plain(directory: &Directory, leaves_for: &[(Ordinal, [KeyHash; 2])]) -> RoaringBitmap {
    let judge = |part: &[(Ordinal, [KeyHash; 2])]| -> RoaringBitmap {
        let mut plain = RoaringBitmap::new();
        for (ordinal, hashes) in part {
            let alone = hashes
                .iter()
                .all(|hash| directory.keys.candidates(*hash).all(|each| each == *ordinal));
            // Where hashes meet, the names themselves are compared.
            let holds = if alone {
                directory.row(*ordinal).is_some_and(|row| row.needs_no_judgement())
            } else {
                directory.judge_plain(*ordinal)
            };
            if holds {
                plain.insert(ordinal.0);
            }
        }
        plain
    };
    let (low, high) = leaves_for.split_at(leaves_for.len() / 2);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| judge(high));
        let mut all = judge(low);
        all |= other.join().expect("judging does not panic");
        all
    })
}
