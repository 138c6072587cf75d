//! The journal: where a commit goes first, with one write and one sync.
//!
//! Most mail is gone within the second. Its rows would be written to `mail.db` only to be deleted there; so they
//! wait here and in memory ([`young`]), and only what stays is moved to the database ([`moved`]), in bulk.
//!
//! In: frames of entries ([`entry`]). Out: a frame is on stable storage when [`Journal::append`] has returned; after
//! a crash [`read`] gives every frame again that the database does not hold. Never: a frame in a sector that an
//! earlier one has part of, so that a write cut off by a power failure harms nothing that was promised.
//!
//! ```text
//! 00000001.mjl  │ frame 7 │ frame 8 ░│ frame 9    │ (frame 3 of an earlier use, passed over)
//! frame         = magic, length, number, CRC-32 of the entries, salt, CRC-32 of the header │ entries │ zeros
//! ```
//!
//! The salt is drawn at each start and kept in the database: content that looks like a frame does not know it.

pub(crate) mod entry;
#[cfg(test)]
mod model_tests;
pub(crate) mod moved;
pub(crate) mod resume;
mod scan;
#[cfg(test)]
mod tests;
pub(crate) mod young;

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::sync;
use crate::limits::{JOURNAL_FILE_OCTETS, JOURNAL_FRAME_OCTETS_MAX, JOURNAL_SPARES_MAX};
use scan::{Found, read};

/// Octets that a frame begins at a multiple of: no two share a sector of a disk, so that one cut off while it is written
/// leaves the one before it as it was.
const PAGE: usize = 4_096;
/// Octets of a frame before its entries.
const HEADER: usize = 32;
/// Octets of a header that its sum covers.
const HEADER_SUMMED: usize = 28;
const MAGIC: [u8; 4] = *b"mjl1";

/// A frame that is being put together.
#[derive(Debug)]
pub(crate) struct Frame(Vec<u8>);

impl Frame {
    /// An empty one, in a buffer that is used again.
    fn new(mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        buffer.resize(HEADER, 0);
        Self(buffer)
    }

    /// Appends an entry; returns how many octets it has now.
    pub(crate) fn add(&mut self, entry: &entry::Entry) -> usize {
        entry.encode(&mut self.0);
        self.0.len()
    }

    /// Closes it with its number.
    fn close(&mut self, number: u64, salt: u64) -> io::Result<()> {
        let len = self.0.len() - HEADER;
        let len = u32::try_from(len).map_err(|_| io::Error::other("a frame of the journal is over 4 GiB"))?;
        let sum = crc32fast::hash(&self.0[HEADER..]);
        self.0[0..4].copy_from_slice(&MAGIC);
        self.0[4..8].copy_from_slice(&len.to_le_bytes());
        self.0[8..16].copy_from_slice(&number.to_le_bytes());
        self.0[16..20].copy_from_slice(&sum.to_le_bytes());
        self.0[20..28].copy_from_slice(&salt.to_le_bytes());
        let sum = crc32fast::hash(&self.0[..HEADER_SUMMED]);
        self.0[HEADER_SUMMED..HEADER].copy_from_slice(&sum.to_le_bytes());
        self.0.resize(self.0.len().next_multiple_of(PAGE), 0);
        Ok(())
    }
}

/// A file of the journal.
#[derive(Debug)]
struct Volume {
    path: PathBuf,
    file: File,
    /// Where the next frame goes.
    end: u64,
    /// Number of its newest frame.
    last: u64,
}

/// The files, written one after the other and used again when the database holds what they say.
#[derive(Debug)]
pub(crate) struct Journal {
    folder: PathBuf,
    current: Option<Volume>,
    full: VecDeque<Volume>,
    spares: Vec<Volume>,
    next_file: u32,
    /// Number of the next frame.
    next: u64,
    salt: u64,
    buffer: Vec<u8>,
}

impl Journal {
    /// Takes the files of a folder whose frames the database holds, all of them; `next` is above all their numbers.
    pub(crate) fn open(folder: PathBuf, next: u64, salt: u64) -> io::Result<Self> {
        let mut journal = Self {
            current: None,
            full: VecDeque::new(),
            spares: Vec::new(),
            next_file: 1,
            next,
            salt,
            buffer: Vec::new(),
            folder,
        };
        for path in files(&journal.folder)? {
            let number = number_of(&path).unwrap_or_default();
            journal.next_file = journal.next_file.max(number.saturating_add(1));
            if fs::metadata(&path)?.len() != JOURNAL_FILE_OCTETS || journal.spares.len() >= JOURNAL_SPARES_MAX {
                fs::remove_file(&path)?;
                continue;
            }
            let file = OpenOptions::new().read(true).write(true).open(&path)?;
            journal.spares.push(Volume::empty(path, file));
        }
        Ok(journal)
    }

    /// Reads back what the database does not hold; `through` says up to where it does.
    pub(crate) fn read(&self, through: u64) -> io::Result<Found> {
        read(&self.folder, self.salt, through..self.next)
    }

    /// Number of the frame that is appended next.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// A frame to fill.
    pub(crate) fn frame(&mut self) -> Frame {
        Frame::new(std::mem::take(&mut self.buffer))
    }

    /// Writes a frame and puts it on stable storage.
    ///
    /// A disk without room is [`io::ErrorKind::StorageFull`]: then nothing of it counts, and a later frame takes its
    /// number. Whatever a sync answers is another error, for what it left behind nobody knows.
    pub(crate) fn append(&mut self, mut frame: Frame) -> io::Result<()> {
        let number = self.next;
        frame.close(number, self.salt)?;
        let len = frame.0.len() as u64;
        let volume = self.room(len)?;
        if let Err(fault) = volume.file.write_all_at(&frame.0, volume.end) {
            // It may be whole but for its zeros: without a header it is none.
            volume
                .file
                .write_all_at(&[0; HEADER], volume.end)
                .map_err(io::Error::other)?;
            return Err(fault);
        }
        sync::file(&volume.file).map_err(io::Error::other)?;
        volume.end += len;
        volume.last = number;
        self.next += 1;
        if frame.0.capacity() <= 2 * JOURNAL_FRAME_OCTETS_MAX {
            self.buffer = frame.0;
        }
        Ok(())
    }

    /// Frees files whose frames all have a number of at most `through`.
    pub(crate) fn release(&mut self, through: u64) {
        while self.full.front().is_some_and(|volume| volume.last <= through) {
            let Some(mut volume) = self.full.pop_front() else { break };
            volume.end = 0;
            if self.spares.len() < JOURNAL_SPARES_MAX {
                self.spares.push(volume);
            } else if let Err(fault) = fs::remove_file(&volume.path) {
                let path = volume.path.display();
                tracing::warn!(%path, %fault, "a free file of the journal could not be removed; the next start does");
            }
        }
    }

    /// If so many files are in use or more: the number of the last frame in the oldest.
    pub(crate) fn oldest(&self, files: usize) -> Option<u64> {
        let oldest = self.full.front()?;
        (self.full.len() + 1 >= files).then_some(oldest.last)
    }

    /// A file with room for so many octets.
    fn room(&mut self, octets: u64) -> io::Result<&mut Volume> {
        let fits = |volume: &Volume| volume.end + octets <= JOURNAL_FILE_OCTETS;
        if !self.current.as_ref().is_some_and(fits) {
            let fresh = match self.spares.pop() {
                Some(spare) => spare,
                None => self.create()?,
            };
            self.full.extend(self.current.replace(fresh));
        }
        self.current
            .as_mut()
            .ok_or_else(|| io::Error::other("a file of the journal was just opened"))
    }

    /// A new file, with its directory entry and its room on stable storage.
    fn create(&mut self) -> io::Result<Volume> {
        let path = self.folder.join(format!("{:08}.mjl", self.next_file));
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
        self.next_file += 1;
        let made = sync::reserve(&file, JOURNAL_FILE_OCTETS)
            .and_then(|()| sync::new_file(&file))
            .and_then(|()| sync::directory(&self.folder));
        if let Err(fault) = made {
            // Without room for it, it is only in the way.
            let _ = fs::remove_file(&path);
            return Err(fault);
        }
        Ok(Volume::empty(path, file))
    }
}

impl Volume {
    fn empty(path: PathBuf, file: File) -> Self {
        Self {
            path,
            file,
            end: 0,
            last: 0,
        }
    }
}

/// Paths of the files of a journal, oldest name first.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if number_of(&path).is_some() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn number_of(path: &Path) -> Option<u32> {
    path.file_name()?.to_str()?.strip_suffix(".mjl")?.parse().ok()
}
