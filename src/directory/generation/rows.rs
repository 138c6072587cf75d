//! Rows by ordinal: blocks of 32 in one piece of memory, so that generations share what did not change and a scan
//! reads one octet after the other.
//!
//! In: rows to write. Out: the row of an ordinal. Never: a block copied that nobody writes to.

use std::sync::Arc;

use crate::directory::change::Tombstone;
use crate::directory::index::Ordinal;
use crate::directory::octets::{Cursor, put_number};
use crate::directory::recipient::RecipientObject;
use crate::directory::stored;

/// Rows copied together when one of them changes: about 16 KiB of packed people.
pub(super) const BLOCK_ROWS: usize = 32;

/// Blocks that are listed together.
const CHUNK_BLOCKS: usize = 32;

/// Rows of a chunk.
pub(super) const CHUNK_ROWS: usize = BLOCK_ROWS * CHUNK_BLOCKS;

/// One row.
#[derive(Debug, Clone)]
pub(super) enum Row<P> {
    /// A person without settings of its own, packed.
    Packed(P),
    /// Any other object.
    Whole(Arc<RecipientObject>),
    /// What is left of an object.
    Gone(Arc<Tombstone>),
}

/// Rows that are no packed people, each with its place in the block.
type Others = Box<[(u8, Row<()>)]>;

/// Rows next to each other.
#[derive(Debug, Default)]
struct Block {
    /// Where each packed row ends; it begins where the one before ends.
    ends: [u32; BLOCK_ROWS],
    octets: Box<[u8]>,
    others: Others,
}

impl Block {
    fn other(&self, place: usize) -> Option<&Row<()>> {
        let found = self
            .others
            .binary_search_by_key(&place, |(place, _)| usize::from(*place))
            .ok()?;
        self.others.get(found).map(|(_, row)| row)
    }

    fn packed(&self, place: usize) -> Option<&[u8]> {
        let end = *self.ends.get(place)? as usize;
        let start = match place.checked_sub(1) {
            None => 0,
            Some(before) => *self.ends.get(before)? as usize,
        };
        if start < end { self.octets.get(start..end) } else { None }
    }

    /// Writes the block for an image: lengths of packed rows, their octets, the other rows.
    fn put(&self, out: &mut Vec<u8>) {
        let mut before = 0;
        for end in self.ends {
            put_number(out, u64::from(end - before));
            before = end;
        }
        out.extend_from_slice(&self.octets);
        put_number(out, self.others.len() as u64);
        for (place, row) in &self.others {
            match row {
                Row::Packed(()) => {}
                Row::Whole(object) => {
                    let octets = stored::encode(object);
                    out.extend_from_slice(&[*place, WHOLE]);
                    put_number(out, octets.len() as u64);
                    out.extend_from_slice(&octets);
                }
                Row::Gone(tombstone) => {
                    out.extend_from_slice(&[*place, GONE]);
                    tombstone.put(out);
                }
            }
        }
    }

    /// Reads what [`Block::put`] wrote; none if it is damaged.
    fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        let mut ends = [0_u32; BLOCK_ROWS];
        let mut end = 0_u32;
        for slot in &mut ends {
            end = end.checked_add(u32::try_from(cursor.number()?).ok()?)?;
            *slot = end;
        }
        let octets = cursor.take(usize::try_from(end).ok()?)?.into();
        let others = (0..cursor.count()?).map(|_| {
            let place = cursor.byte()?;
            let row = match cursor.byte()? {
                WHOLE => {
                    let length = cursor.count()?;
                    Row::Whole(Arc::new(stored::decode(cursor.take(length)?).ok()?))
                }
                GONE => Row::Gone(Arc::new(Tombstone::read(cursor)?)),
                _ => return None,
            };
            Some((place, row))
        });
        let others = others.collect::<Option<Others>>()?;
        Some(Self { ends, octets, others })
    }
}

/// How other rows are marked in an image.
const WHOLE: u8 = 1;
const GONE: u8 = 2;

/// Where one row is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Slot<'a> {
    Packed(&'a [u8]),
    Whole(&'a Arc<RecipientObject>),
    Gone(&'a Arc<Tombstone>),
}

type Chunk = [Arc<Block>; CHUNK_BLOCKS];

/// A chunk read from an image.
pub(super) struct ChunkRead(Arc<Chunk>);

/// All rows of a generation.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    chunks: Vec<Arc<Chunk>>,
}

impl Rows {
    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// The row of an ordinal.
    pub(super) fn slot(&self, ordinal: Ordinal) -> Option<Slot<'_>> {
        let (chunk, block, place) = place_of(ordinal.0);
        let block = self.chunks.get(chunk)?.get(block)?;
        if let Some(octets) = block.packed(place) {
            return Some(Slot::Packed(octets));
        }
        match block.other(place)? {
            Row::Packed(()) => None,
            Row::Whole(object) => Some(Slot::Whole(object)),
            Row::Gone(tombstone) => Some(Slot::Gone(tombstone)),
        }
    }

    /// Writes rows, in the order of their ordinals, each once.
    pub(super) fn write(&mut self, rows: Vec<(Ordinal, Row<Vec<u8>>)>) {
        let mut rows = rows.into_iter().peekable();
        while let Some(first) = rows.peek().map(|(ordinal, _)| ordinal.0) {
            let (chunk, block, _) = place_of(first);
            let mut fresh: [Option<Row<Vec<u8>>>; BLOCK_ROWS] = Default::default();
            while let Some((ordinal, row)) = rows.next_if(|(ordinal, _)| {
                let (in_chunk, in_block, _) = place_of(ordinal.0);
                (in_chunk, in_block) == (chunk, block)
            }) {
                if let Some(slot) = fresh.get_mut(place_of(ordinal.0).2) {
                    *slot = Some(row);
                }
            }
            let slot = self.block_mut(chunk, block);
            *slot = Arc::new(rewritten(slot, fresh));
        }
    }

    /// How many chunks there are.
    pub(super) fn chunk_count(&self) -> usize {
        self.chunks.len()
    }

    /// Writes one chunk for an image.
    pub(super) fn put_chunk(&self, chunk: usize, out: &mut Vec<u8>) {
        for block in self.chunks.get(chunk).iter().flat_map(|chunk| chunk.iter()) {
            block.put(out);
        }
    }

    /// Reads what [`Rows::put_chunk`] wrote; none if it is damaged.
    pub(super) fn read_chunk(cursor: &mut Cursor<'_>) -> Option<ChunkRead> {
        let mut chunk: Chunk = Default::default();
        for block in &mut chunk {
            *block = Arc::new(Block::read(cursor)?);
        }
        Some(ChunkRead(Arc::new(chunk)))
    }

    /// All rows, from their chunks in order.
    pub(super) fn of_chunks(chunks: impl Iterator<Item = ChunkRead>) -> Self {
        Self {
            chunks: chunks.map(|ChunkRead(chunk)| chunk).collect(),
        }
    }

    fn block_mut(&mut self, chunk: usize, block: usize) -> &mut Arc<Block> {
        if self.chunks.len() <= chunk {
            let vacant: Arc<Block> = Arc::default();
            let vacant: Arc<Chunk> = Arc::new(std::array::from_fn(|_| Arc::clone(&vacant)));
            self.chunks.resize(chunk + 1, vacant);
        }
        let chunk = self.chunks.get_mut(chunk).expect("made just now if it was not there");
        let blocks = Arc::make_mut(chunk);
        blocks.get_mut(block).expect("a place within a chunk")
    }

    /// Blocks shared with another generation, of all that this one has; for tests of the memory promise.
    #[cfg(test)]
    pub(super) fn shared_with(&self, other: &Self) -> usize {
        let pairs = self.chunks.iter().zip(&other.chunks);
        let same =
            |(a, b): (&Arc<Chunk>, &Arc<Chunk>)| a.iter().zip(b.iter()).filter(|(a, b)| Arc::ptr_eq(a, b)).count();
        pairs.map(same).sum()
    }
}

/// A block with some rows replaced.
fn rewritten(old: &Block, fresh: [Option<Row<Vec<u8>>>; BLOCK_ROWS]) -> Block {
    let added: usize = fresh
        .iter()
        .map(|row| match row {
            Some(Row::Packed(octets)) => octets.len(),
            Some(Row::Whole(_) | Row::Gone(_)) | None => 0,
        })
        .sum();
    let mut octets = Vec::with_capacity(old.octets.len() + added);
    let mut others = Vec::new();
    let mut ends = [0_u32; BLOCK_ROWS];
    for (place, (row, end)) in fresh.into_iter().zip(&mut ends).enumerate() {
        // A block has 32 places.
        let number = place as u8;
        match row {
            Some(Row::Packed(new)) => octets.extend_from_slice(&new),
            Some(Row::Whole(object)) => others.push((number, Row::Whole(object))),
            Some(Row::Gone(tombstone)) => others.push((number, Row::Gone(tombstone))),
            None => match (old.packed(place), old.other(place)) {
                (Some(kept), _) => octets.extend_from_slice(kept),
                (None, Some(kept)) => others.push((number, kept.clone())),
                (None, None) => {}
            },
        }
        *end = u32::try_from(octets.len()).unwrap_or(u32::MAX);
    }
    Block {
        ends,
        octets: octets.into_boxed_slice(),
        others: others.into_boxed_slice(),
    }
}

fn place_of(ordinal: u32) -> (usize, usize, usize) {
    // A u32 fits a usize on every platform we build for.
    let number = ordinal as usize;
    (
        number / CHUNK_ROWS,
        number % CHUNK_ROWS / BLOCK_ROWS,
        number % BLOCK_ROWS,
    )
}
