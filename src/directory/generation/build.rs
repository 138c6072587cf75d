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
use crate::directory::columns::{Class, Coding, ColumnId, Columns, Precoded};
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
    /// Per attribute the rows of a batch that have it, and where among their attributes.
    wanted: Vec<Vec<(u32, u32)>>,
}

/// Codes of the attributes of a batch, row by row.
#[derive(Default)]
struct BatchCodes {
    codes: Vec<Option<u32>>,
    /// Where the codes of each row begin, and where the last ones end.
    ends: Vec<usize>,
}

impl BatchCodes {
    fn of(&self, row: usize) -> &[Option<u32>] {
        let range = self.ends.get(row).zip(self.ends.get(row + 1));
        range
            .and_then(|(start, end)| self.codes.get(*start..*end))
            .unwrap_or_default()
    }

    fn set(&mut self, row: usize, slot: usize, code: Option<u32>) {
        let place = self.ends.get(row).map(|start| start + slot);
        if let Some(place) = place.and_then(|place| self.codes.get_mut(place)) {
            *place = code;
        }
    }
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            rows: Rows::default(),
            columns: Columns::empty(),
            coded: (0..ColumnId::COUNT).map(|_| ColumnBuilder::default()).collect(),
            shards: vec![Vec::new(); SHARDS],
            live: RoaringBitmap::new(),
            groups: RoaringBitmap::new(),
            candidates: RoaringBitmap::new(),
            whole: RoaringBitmap::new(),
            leaves_for: Vec::new(),
            last: None,
            wanted: vec![Vec::new(); Attribute::ALL.len()],
        }
    }

    /// Takes the next rows. Values are coded column by column, so that one dictionary at a time is in the hands of the
    /// processor: row by row each look-up would miss its caches.
    pub(super) fn take(&mut self, mut batch: Prepared) {
        self.take_keys(&mut batch);
        let octets = std::mem::take(&mut batch.octets);
        let facts: Vec<Option<Facts<'_>>> = batch.rows.iter().map(|row| row.form.facts(&octets)).collect();
        let codes = self.code_columns(&batch.rows, &facts);
        let mut written = Vec::with_capacity(batch.rows.len());
        let mut scratch = Vec::with_capacity(4_096);
        for (place, (row, facts)) in batch.rows.iter().zip(&facts).enumerate() {
            let made = match facts {
                Some(facts) => self.row(row, facts, codes.of(place), &mut scratch),
                None => match &row.form {
                    PreparedForm::Gone(tombstone) => Row::Gone(Arc::clone(tombstone)),
                    PreparedForm::Whole(object) => Row::Whole(Arc::clone(object)),
                    // The record was read when it was prepared.
                    PreparedForm::Person { .. } => Row::Packed(Vec::new()),
                },
            };
            written.push((row.ordinal, made));
        }
        self.rows.write(written);
    }

    /// Takes the keys of the rows, and leaves rows out that are out of order: they would be written over others; the
    /// store gives each once.
    fn take_keys(&mut self, batch: &mut Prepared) {
        let mut keys = batch.keys.iter();
        let mut taken = 0;
        batch.rows.retain(|row| {
            let own = keys.by_ref().take(row.keys - taken);
            taken = row.keys;
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
            }
            in_order
        });
    }

    /// Codes all attributes of these rows and lists the rows under them.
    fn code_columns(&mut self, rows: &[PreparedRow], facts: &[Option<Facts<'_>>]) -> BatchCodes {
        let mut codes = BatchCodes::default();
        for (place, facts) in (0_u32..).zip(facts) {
            codes.ends.push(codes.codes.len());
            for (slot, (attribute, _)) in (0_u32..).zip(facts.iter().flat_map(|facts| &facts.attributes)) {
                if let Some(wanted) = self.wanted.get_mut(*attribute as usize) {
                    wanted.push((place, slot));
                }
                codes.codes.push(None);
            }
        }
        codes.ends.push(codes.codes.len());
        for attribute in Attribute::ALL.iter().copied() {
            let Some(wanted) = self.wanted.get_mut(attribute as usize).map(std::mem::take) else {
                continue;
            };
            for (place, slot) in &wanted {
                let (place, slot) = (*place as usize, *slot as usize);
                let value = facts
                    .get(place)
                    .and_then(Option::as_ref)
                    .and_then(|facts| facts.attributes.get(slot));
                let (Some((_, value)), Some(row)) = (value, rows.get(place)) else {
                    continue;
                };
                let code = self.columns.code(attribute, value);
                self.list_one(ColumnId::Attribute(attribute), code, row.ordinal);
                codes.set(place, slot, code);
            }
            if let Some(slot) = self.wanted.get_mut(attribute as usize) {
                // The room is used again for the next batch.
                *slot = wanted;
                slot.clear();
            }
        }
        codes
    }

    fn row(
        &mut self,
        row: &PreparedRow,
        facts: &Facts<'_>,
        codes: &[Option<u32>],
        scratch: &mut Vec<u8>,
    ) -> Row<Vec<u8>> {
        let ordinal = row.ordinal;
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
        let mut coder = self.columns.coder(class);
        let is_person = matches!(row.form, PreparedForm::Person { .. });
        let coding = if is_person {
            scratch.clear();
            let mut precoded = Precoded::new(coder, codes);
            write(facts, &mut precoded, scratch);
            precoded.finish()
        } else {
            coder.code_places(facts);
            coder.finish()
        };
        let packs = is_person && has_source(&coding);
        for (column, code) in coding {
            self.list_one(column, code, ordinal);
        }
        if packs {
            return Row::Packed(scratch.to_vec());
        }
        self.whole.insert(ordinal.0);
        match &row.form {
            PreparedForm::Whole(object) => Row::Whole(Arc::clone(object)),
            PreparedForm::Gone(_) | PreparedForm::Person { .. } => Row::Whole(Arc::new(Facts::to_object(facts))),
        }
    }

    fn list_one(&mut self, column: ColumnId, code: Option<u32>, ordinal: Ordinal) {
        let Some(builder) = self.coded.get_mut(column.place()) else {
            return;
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

    /// The generation.
    pub(super) fn finish(mut self, number: u64, now: Timestamp) -> Directory {
        for column in ColumnId::all() {
            let Some(builder) = self.coded.get_mut(column.place()).map(std::mem::take) else {
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
