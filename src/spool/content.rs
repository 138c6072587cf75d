//! A message's octets, in memory or in a file, read in pieces.

use std::fmt;
use std::io;
use std::sync::Arc;

use bytes::Bytes;

/// Octets kept in a file of the spool; removed when nobody holds it and no commit has named it.
pub trait StoredBody: Send + Sync + fmt::Debug {
    /// Octets.
    fn len(&self) -> u64;

    /// True if there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads at `offset`; returns how many octets, 0 at the end.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize>;

    /// How the spool's rows name it.
    fn name(&self) -> String;

    /// A commit now names the file: dropping this no longer removes it.
    fn keep(&self);
}

/// Where the octets are.
#[derive(Clone, Debug)]
pub enum Octets {
    /// In memory.
    Memory(Bytes),
    /// In a file.
    Stored(Arc<dyn StoredBody>),
}

/// A message's content: header section and body as they came, CRLF ended, dots unstuffed.
#[derive(Clone, Debug)]
pub struct Content {
    /// The octets.
    pub octets: Octets,
    /// The first octets, at least the whole header section (its size is bounded by
    /// [`crate::limits::HEADER_SECTION_OCTETS_MAX`]).
    pub head: Bytes,
}

impl Content {
    /// Content that fits in memory.
    #[must_use]
    pub fn in_memory(octets: impl Into<Bytes>) -> Self {
        let octets = octets.into();
        let head = octets.slice(..octets.len().min(crate::limits::HEADER_SECTION_OCTETS_MAX));
        Self {
            octets: Octets::Memory(octets),
            head,
        }
    }

    /// Octets.
    #[must_use]
    pub fn len(&self) -> u64 {
        match &self.octets {
            Octets::Memory(octets) => octets.len() as u64,
            Octets::Stored(body) => body.len(),
        }
    }

    /// True if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads at `offset`; returns how many octets, 0 at the end.
    pub fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        match &self.octets {
            Octets::Memory(octets) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(octets.len());
                let count = into.len().min(octets.len() - start);
                into[..count].copy_from_slice(&octets[start..start + count]);
                Ok(count)
            }
            Octets::Stored(body) => body.read_at(offset, into),
        }
    }
}

/// Takes a message's octets as they arrive. May block shortly (page cache); [`ContentWriter::finish`] of a
/// large message syncs file and directory and belongs on a blocking thread.
pub trait ContentWriter: Send {
    /// Appends octets.
    fn write(&mut self, octets: &[u8]) -> io::Result<()>;

    /// Octets so far.
    fn len(&self) -> u64;

    /// True if there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True if [`ContentWriter::finish`] will sync a file.
    fn is_large(&self) -> bool;

    /// Ends writing. A file is synced, with its directory, before this returns.
    fn finish(self: Box<Self>) -> io::Result<Content>;
}
