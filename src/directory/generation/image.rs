//! A generation as octets, for a quick start: read back in a second where stored objects take ten to be taken apart.
//!
//! In: a generation. Out: pieces, and from all of them the same generation again. Pieces are read by several threads
//! and put together in any order. An image is for the program that wrote it: see [`layout`].
//! Never: a generation of damaged, missing or foreign pieces; whoever keeps an image keeps checksums too.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use jiff::Timestamp;
use roaring::RoaringBitmap;

use super::Directory;
use super::rows::{CHUNK_ROWS, ChunkRead, Rows};
use crate::directory::attribute::Attribute;
use crate::directory::columns::{ColumnId, ColumnRead, Columns};
use crate::directory::index::{Entry, KeyHash, KeyIndex, SHARDS, Space};
use crate::directory::octets::{Cursor, put_number};
use crate::directory::posting::{put_set, read_set};

/// Counts up whenever what a piece says changes; held by a test.
const FORMAT: u32 = 1;

/// What stands first in a piece.
const SETS: u8 = 0;
const ROWS: u8 = 1;
const KEYS: u8 = 2;
const COLUMN: u8 = 3;

/// Tells an image of this program from those of others: release, order of attributes, hashes.
#[must_use]
pub fn layout() -> u64 {
    let mut hasher = DefaultHasher::new();
    (FORMAT, env!("CARGO_PKG_VERSION"), Attribute::NAMES, CHUNK_ROWS, SHARDS).hash(&mut hasher);
    KeyHash::of(Space::Address, "lena@contoso.example").hash(&mut hasher);
    hasher.finish()
}

/// One piece, read.
pub struct Piece(Part);

enum Part {
    Sets(Box<Sets>),
    Rows(usize, ChunkRead),
    Keys(usize, Vec<Arc<[Entry]>>),
    Column(usize, ColumnRead),
}

/// Sets of rows, and how many pieces of the other kinds there are.
struct Sets {
    number: u64,
    chunks: usize,
    live: RoaringBitmap,
    groups: RoaringBitmap,
    plain: RoaringBitmap,
    candidates: RoaringBitmap,
    whole: RoaringBitmap,
}

impl Directory {
    /// Calls `put` with each piece of the image, until it fails.
    pub fn each_piece<E>(&self, mut put: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let mut piece = Vec::new();
        let mut say = |kind: u8, place: usize, write: &dyn Fn(&mut Vec<u8>)| {
            piece.clear();
            piece.push(kind);
            put_number(&mut piece, place as u64);
            write(&mut piece);
            put(&piece)
        };
        let chunks = self.rows.chunk_count();
        say(SETS, 0, &|out| {
            put_number(out, self.number);
            put_number(out, chunks as u64);
            for set in [&self.live, &self.groups, &self.plain, &self.candidates, &self.whole] {
                put_set(out, set);
            }
        })?;
        for chunk in 0..chunks {
            say(ROWS, chunk, &|out| self.rows.put_chunk(chunk, out))?;
        }
        for group in 0..self.keys.group_count() {
            say(KEYS, group, &|out| self.keys.put_group(group, out))?;
        }
        for (place, column) in ColumnId::all().enumerate() {
            say(COLUMN, place, &|out| self.columns.put(column, out))?;
        }
        Ok(())
    }
}

impl Piece {
    /// Reads a piece; none if it is damaged.
    #[must_use]
    pub fn read(octets: &[u8]) -> Option<Self> {
        let mut cursor = Cursor(octets);
        let kind = cursor.byte()?;
        let place = cursor.count()?;
        let part = match kind {
            SETS => Part::Sets(Box::new(Sets::read(&mut cursor)?)),
            ROWS => Part::Rows(place, Rows::read_chunk(&mut cursor)?),
            KEYS => Part::Keys(place, KeyIndex::read_group(&mut cursor)?),
            COLUMN => Part::Column(place, ColumnRead::read(&mut cursor)?),
            _ => return None,
        };
        cursor.is_empty().then_some(Self(part))
    }
}

impl Sets {
    fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        Some(Self {
            number: cursor.number()?,
            chunks: cursor.count()?,
            live: read_set(cursor)?,
            groups: read_set(cursor)?,
            plain: read_set(cursor)?,
            candidates: read_set(cursor)?,
            whole: read_set(cursor)?,
        })
    }
}

/// Pieces put together.
#[derive(Default)]
pub struct Assembly {
    sets: Option<Box<Sets>>,
    chunks: Vec<(usize, ChunkRead)>,
    keys: Vec<(usize, Vec<Arc<[Entry]>>)>,
    columns: Vec<(usize, ColumnRead)>,
}

impl Assembly {
    /// Takes a piece, in any order.
    pub fn take(&mut self, Piece(part): Piece) {
        match part {
            Part::Sets(sets) => self.sets = Some(sets),
            Part::Rows(place, chunk) => self.chunks.push((place, chunk)),
            Part::Keys(place, group) => self.keys.push((place, group)),
            Part::Column(place, column) => self.columns.push((place, column)),
        }
    }

    /// The generation; none if a piece is missing or came twice.
    #[must_use]
    pub fn finish(mut self, now: Timestamp) -> Option<Directory> {
        let sets = *self.sets?;
        let chunks = in_order(&mut self.chunks, sets.chunks)?;
        let keys = in_order(&mut self.keys, KeyIndex::empty().group_count())?;
        let mut columns = Columns::empty();
        in_order(&mut self.columns, ColumnId::COUNT)?.for_each(|column| columns.set(column));
        let directory = Directory {
            number: sets.number,
            loaded_at: now,
            rows: Rows::of_chunks(chunks),
            keys: KeyIndex::of_shards(keys.flatten().collect()),
            columns,
            live: Arc::new(sets.live),
            groups: Arc::new(sets.groups),
            plain: Arc::new(sets.plain),
            candidates: Arc::new(sets.candidates),
            whole: Arc::new(sets.whole),
        };
        Some(directory)
    }
}

/// The parts in their order, if each place has one.
fn in_order<T>(parts: &mut Vec<(usize, T)>, count: usize) -> Option<impl Iterator<Item = T>> {
    parts.sort_by_key(|(place, _)| *place);
    let complete = parts.len() == count && parts.iter().enumerate().all(|(place, (each, _))| *each == place);
    complete.then(|| std::mem::take(parts).into_iter().map(|(_, part)| part))
}
