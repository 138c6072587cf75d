//! Segment files: bodies of middle size share a preallocated file and one sync per group commit.
//!
//! In: bodies, from the committer only. Out: a place that may be named once [`Segments::sync`] has returned.
//! Never: a place written twice while anything names it or reads it. A segment is free when its last message
//! has ended; free segments are written over before new ones are made, because writing over costs no
//! metadata.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::record::Place;
use super::sync;
use crate::limits::{SEGMENT_OCTETS, SEGMENT_SPARES_MAX};
use crate::spool::content::StoredBody;

/// One open segment file. While anybody holds it, it is not written over.
#[derive(Debug)]
pub(super) struct Segment {
    number: u32,
    file: File,
}

/// Segment files that are open for reading or writing.
#[derive(Debug)]
pub(super) struct SegmentShelf {
    folder: PathBuf,
    open: Mutex<HashMap<u32, Weak<Segment>>>,
}

impl SegmentShelf {
    /// Uses a folder that exists.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            open: Mutex::default(),
        }
    }

    /// A body for reading. Its octets are to be checked against the sum before they are believed.
    pub(super) fn body(&self, segment: u32, offset: u32, len: u32) -> io::Result<SegmentBody> {
        Ok(SegmentBody {
            segment: self.open(segment)?,
            offset,
            len,
        })
    }

    fn path(&self, number: u32) -> PathBuf {
        self.folder.join(format!("{number:08}.seg"))
    }

    fn open(&self, number: u32) -> io::Result<Arc<Segment>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(segment) = open.get(&number).and_then(Weak::upgrade) {
            return Ok(segment);
        }
        let file = OpenOptions::new().read(true).write(true).open(self.path(number))?;
        let segment = Arc::new(Segment { number, file });
        open.insert(number, Arc::downgrade(&segment));
        Ok(segment)
    }

    /// Forgets a segment; true if nobody reads it.
    fn close(&self, number: u32) -> bool {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.remove(&number).is_none_or(|segment| segment.strong_count() == 0)
    }
}

/// A body within a segment.
#[derive(Debug)]
pub(super) struct SegmentBody {
    segment: Arc<Segment>,
    offset: u32,
    len: u32,
}

impl StoredBody for SegmentBody {
    fn len(&self) -> u64 {
        u64::from(self.len)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let left = self.len().saturating_sub(offset);
        let count = into.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if count == 0 {
            return Ok(0);
        }
        self.segment
            .file
            .read_at(&mut into[..count], u64::from(self.offset) + offset)
    }

    fn name(&self) -> String {
        format!("in segment {} at {}", self.segment.number, self.offset)
    }

    fn keep(&self) {}
}

/// The committer's side: where bodies are appended, and what is still needed.
#[derive(Debug)]
pub(super) struct Segments {
    shelf: Arc<SegmentShelf>,
    /// Where the next body goes.
    current: Option<(Arc<Segment>, u64)>,
    /// Written since the last sync.
    unsynced: Vec<Arc<Segment>>,
    /// Bodies per segment that a message names.
    live: HashMap<u32, u32>,
    /// Segments whose last body ended since the last [`Segments::settle`].
    ended: Vec<u32>,
    spares: Vec<u32>,
    next: u32,
}

impl Segments {
    /// Takes stock: `live` says how many messages name each segment; other files become spares or go.
    pub(super) fn open(shelf: Arc<SegmentShelf>, live: HashMap<u32, u32>) -> io::Result<Self> {
        let mut segments = Self {
            current: None,
            unsynced: Vec::new(),
            ended: Vec::new(),
            spares: Vec::new(),
            next: live.keys().max().map_or(1, |number| number + 1),
            live,
            shelf,
        };
        for entry in fs::read_dir(&segments.shelf.folder)? {
            let path = entry?.path();
            let Some(number) = number_of(&path) else {
                continue;
            };
            segments.next = segments.next.max(number.saturating_add(1));
            if !segments.live.contains_key(&number) {
                segments.free(number, fs::metadata(&path)?.len() == SEGMENT_OCTETS);
            }
        }
        Ok(segments)
    }

    /// Appends a body of at most [`crate::limits::SEGMENT_CONTENT_OCTETS_MAX`] octets.
    pub(super) fn append(&mut self, octets: &[u8], sum: u32) -> io::Result<Place> {
        let len = octets.len() as u64;
        let (segment, offset) = match self.current.take() {
            Some((segment, offset)) if offset + len <= SEGMENT_OCTETS => (segment, offset),
            Some(_) | None => (self.begin()?, 0),
        };
        segment.file.write_all_at(octets, offset)?;
        if !self.unsynced.iter().any(|known| known.number == segment.number) {
            self.unsynced.push(segment.clone());
        }
        let number = segment.number;
        *self.live.entry(number).or_default() += 1;
        self.current = Some((segment, offset + len));
        let small = |value: u64| u32::try_from(value).map_err(io::Error::other);
        Ok(Place::Segment {
            segment: number,
            offset: small(offset)?,
            len: small(len)?,
            sum,
        })
    }

    /// Puts everything appended on stable storage.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        for segment in self.unsynced.drain(..) {
            // Not taken for a full disk: what a failed sync left behind nobody knows.
            sync::file(&segment.file).map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// A message that names a segment has ended; takes effect with [`Segments::settle`].
    pub(super) fn release(&mut self, number: u32) {
        if let Some(count) = self.live.get_mut(&number) {
            *count -= 1;
            if *count == 0 {
                self.live.remove(&number);
                self.ended.push(number);
            }
        }
    }

    /// After a commit: what ended in it is free now.
    pub(super) fn settle(&mut self) {
        for number in std::mem::take(&mut self.ended) {
            let current = self
                .current
                .as_ref()
                .is_some_and(|(segment, _)| segment.number == number);
            if !current && !self.live.contains_key(&number) {
                let unread = self.shelf.close(number);
                self.free(number, unread);
            }
        }
    }

    /// After a transaction that was taken back: counts anew what messages name.
    pub(super) fn recount(&mut self, live: HashMap<u32, u32>) {
        let before = std::mem::replace(&mut self.live, live);
        self.ended = before.into_keys().collect();
        self.settle();
    }

    /// A segment to write from its beginning.
    fn begin(&mut self) -> io::Result<Arc<Segment>> {
        // The one that is full now may have lost its last body before it was full.
        if let Some((full, _)) = self.current.take() {
            self.ended.push(full.number);
        }
        if let Some(number) = self.spares.pop() {
            return self.shelf.open(number);
        }
        let number = self.next;
        self.next += 1;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(self.shelf.path(number))?;
        sync::reserve(&file, SEGMENT_OCTETS)?;
        sync::new_file(&file)?;
        sync::directory(&self.shelf.folder)?;
        self.shelf.open(number)
    }

    /// Keeps a segment for later if it is whole and nobody reads it, else removes it.
    fn free(&mut self, number: u32, reusable: bool) {
        if reusable && self.spares.len() < SEGMENT_SPARES_MAX {
            self.spares.push(number);
        } else if let Err(fault) = fs::remove_file(self.shelf.path(number)) {
            tracing::warn!(segment = number, %fault, "a free segment could not be removed; the next start removes it");
        }
    }
}

pub(super) fn number_of(path: &Path) -> Option<u32> {
    let name = path.file_name()?.to_str()?;
    name.strip_suffix(".seg")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(place: Place) -> u32 {
        match place {
            Place::Segment { segment, .. } => segment,
            Place::Inline | Place::File { .. } => panic!("appended to a segment"),
        }
    }

    #[test]
    fn a_segment_is_written_over_only_when_nobody_names_or_reads_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let shelf = Arc::new(SegmentShelf::new(folder.path().to_owned()));
        let mut segments = Segments::open(shelf.clone(), HashMap::new()).expect("an empty folder opens");
        let body = vec![7; 1 << 20];
        let per_segment = SEGMENT_OCTETS / body.len() as u64;
        let fill = |segments: &mut Segments| {
            let places: Vec<Place> = (0..per_segment)
                .map(|_| segments.append(&body, 0).expect("appends"))
                .collect();
            segments.sync().expect("syncs");
            number(places[0])
        };
        let first = fill(&mut segments);
        let second = fill(&mut segments);
        assert_ne!(first, second);
        let reader = shelf.body(first, 0, 4).expect("is there");
        for _ in 0..per_segment {
            segments.release(first);
        }
        segments.settle();
        assert!(
            !folder.path().join(format!("{first:08}.seg")).exists(),
            "read: removed, not reused"
        );
        let mut octets = [0; 4];
        assert_eq!(reader.read_at(0, &mut octets).expect("still readable"), 4);
        assert_eq!(octets, [7; 4]);
        let third = fill(&mut segments);
        for _ in 0..per_segment {
            segments.release(second);
        }
        segments.settle();
        let fourth = fill(&mut segments);
        assert_eq!(fourth, second, "unread and free: written over");
        assert_ne!(third, fourth);
    }
}
