//! Bodies in files of their own, and the writer that decides where octets go.
//!
//! In: octets as they arrive. Out: content in memory, or a file that is on stable storage with its directory.
//! Never: a file without an owner; what no commit names is removed when dropped, or at the next start.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use uuid::Uuid;

use super::record::Place;
use super::space::Space;
use super::sync;
use crate::env::Env;
use crate::limits::{HEADER_SECTION_OCTETS_MAX, SEGMENT_CONTENT_OCTETS_MAX};
use crate::spool::content::{Content, ContentWriter, Octets, StoredBody};

/// Octets read at once while looking for the end of a header section or checking a sum.
const CHUNK_OCTETS: usize = 64 * 1024;

/// The folder of body files.
pub(super) struct Bodies {
    folder: PathBuf,
    env: Env,
    space: Arc<Space>,
    /// Files that were finished and that no commit names yet.
    fresh: Mutex<HashSet<Uuid>>,
}

impl Bodies {
    /// Uses a folder that exists.
    pub(super) fn new(folder: PathBuf, env: Env, space: Arc<Space>) -> Self {
        Self {
            folder,
            env,
            space,
            fresh: Mutex::default(),
        }
    }

    /// A writer for one message.
    pub(super) fn writer(self: &Arc<Self>) -> Writer {
        Writer {
            bodies: self.clone(),
            memory: BytesMut::new(),
            file: None,
            len: 0,
            sum: crc32fast::Hasher::new(),
        }
    }

    /// Takes a fresh file for a commit. False: it belongs to another message or another spool.
    pub(super) fn take_fresh(&self, name: Uuid) -> bool {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner).remove(&name)
    }

    /// Copies content that this spool does not own into a place of its own.
    pub(super) fn copy(self: &Arc<Self>, content: &Content) -> io::Result<Content> {
        let mut writer = Box::new(self.writer());
        let mut chunk = vec![0; CHUNK_OCTETS];
        let mut offset = 0;
        loop {
            let count = content.read_at(offset, &mut chunk)?;
            if count == 0 {
                return writer.finish();
            }
            writer.write(&chunk[..count])?;
            offset += count as u64;
        }
    }

    /// Path of a body.
    pub(super) fn path(&self, name: Uuid) -> PathBuf {
        self.folder.join(name.to_string())
    }

    /// Opens a body that a commit names.
    pub(super) fn open(self: &Arc<Self>, name: Uuid, len: u64, sum: u32) -> io::Result<FileBody> {
        let file = File::open(self.path(name))?;
        if file.metadata()?.len() != len {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the body file has another length",
            ));
        }
        Ok(FileBody {
            file,
            name,
            len,
            sum,
            named: AtomicBool::new(true),
            bodies: self.clone(),
        })
    }

    /// Removes the file of a message that ended. A reader that has it open keeps its octets.
    pub(super) fn remove(&self, name: Uuid) {
        if let Err(fault) = fs::remove_file(self.path(name)) {
            tracing::warn!(body = %name, %fault, "a body file could not be removed; the next start removes it");
        }
    }

    /// Removes every file that no message names; returns how many.
    pub(super) fn remove_leftovers(&self, named: &HashSet<Uuid>) -> io::Result<usize> {
        let mut removed = 0;
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let known = name
                .and_then(|name| Uuid::parse_str(name).ok())
                .is_some_and(|name| named.contains(&name));
            if !known {
                fs::remove_file(&path)?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    fn create(&self) -> io::Result<(Uuid, File)> {
        let mut random = [0; 16];
        self.env.chance.fill(&mut random);
        let name = uuid::Builder::from_random_bytes(random).into_uuid();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(self.path(name))?;
        Ok((name, file))
    }
}

/// Takes octets into memory, and beyond [`SEGMENT_CONTENT_OCTETS_MAX`] into a file.
pub(super) struct Writer {
    bodies: Arc<Bodies>,
    memory: BytesMut,
    file: Option<FileBody>,
    len: u64,
    sum: crc32fast::Hasher,
}

impl Writer {
    fn spill(&mut self) -> io::Result<&mut FileBody> {
        if self.file.is_none() {
            let (name, file) = self.bodies.create()?;
            self.file = Some(FileBody {
                file,
                name,
                len: 0,
                sum: 0,
                named: AtomicBool::new(false),
                bodies: self.bodies.clone(),
            });
        }
        self.file
            .as_mut()
            .ok_or_else(|| io::Error::other("a body file was just created"))
    }

    /// Moves what is in memory to the end of the file.
    fn flush(&mut self) -> io::Result<()> {
        if self.bodies.space.is_low() {
            return Err(io::Error::new(
                io::ErrorKind::StorageFull,
                "free space is below the floor",
            ));
        }
        let octets = self.memory.split();
        let body = self.spill()?;
        body.file.write_all_at(&octets, body.len)?;
        body.len += octets.len() as u64;
        self.memory = octets;
        self.memory.clear();
        Ok(())
    }
}

impl ContentWriter for Writer {
    fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.len += octets.len() as u64;
        self.sum.update(octets);
        let mut rest = octets;
        while self.memory.len() + rest.len() > SEGMENT_CONTENT_OCTETS_MAX {
            let (now, later) = rest.split_at(SEGMENT_CONTENT_OCTETS_MAX - self.memory.len());
            self.memory.extend_from_slice(now);
            self.flush()?;
            rest = later;
        }
        self.memory.extend_from_slice(rest);
        Ok(())
    }

    fn len(&self) -> u64 {
        self.len
    }

    fn is_large(&self) -> bool {
        self.file.is_some()
    }

    fn finish(mut self: Box<Self>) -> io::Result<Content> {
        if self.file.is_none() {
            return Ok(Content::in_memory(self.memory.split().freeze()));
        }
        self.flush()?;
        let Some(mut body) = self.file.take() else {
            return Err(io::Error::other("flushing leaves a body file"));
        };
        body.sum = self.sum.clone().finalize();
        sync::new_file(&body.file)?;
        sync::directory(&self.bodies.folder)?;
        let fresh = &self.bodies.fresh;
        fresh.lock().unwrap_or_else(PoisonError::into_inner).insert(body.name);
        let head = head(&body)?;
        Ok(Content {
            octets: Octets::Stored(Arc::new(body)),
            head,
        })
    }
}

/// A body in a file of its own.
pub(super) struct FileBody {
    file: File,
    name: Uuid,
    len: u64,
    sum: u32,
    named: AtomicBool,
    bodies: Arc<Bodies>,
}

impl std::fmt::Debug for FileBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FileBody({}, {} octets)", self.name, self.len)
    }
}

impl StoredBody for FileBody {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(into, offset)
    }

    fn name(&self) -> String {
        Place::File {
            name: self.name,
            len: self.len,
            sum: self.sum,
        }
        .to_string()
    }

    fn keep(&self) {
        self.named.store(true, Ordering::Release);
    }
}

impl Drop for FileBody {
    fn drop(&mut self) {
        if !self.named.load(Ordering::Acquire) {
            self.bodies.take_fresh(self.name);
            self.bodies.remove(self.name);
        }
    }
}

/// The first octets of a body: at least its header section, at most [`HEADER_SECTION_OCTETS_MAX`].
pub(super) fn head(body: &dyn StoredBody) -> io::Result<Bytes> {
    let mut head = BytesMut::new();
    while head.len() < HEADER_SECTION_OCTETS_MAX {
        let known = head.len();
        head.resize((known + CHUNK_OCTETS / 4).min(HEADER_SECTION_OCTETS_MAX), 0);
        let count = body.read_at(known as u64, &mut head[known..])?;
        head.truncate(known + count);
        // The empty line may straddle two reads.
        if count == 0 || memchr::memmem::find(&head[known.saturating_sub(3)..], b"\r\n\r\n").is_some() {
            break;
        }
    }
    Ok(head.freeze())
}

/// True if a body's octets have the sum that was written down.
pub(super) fn is_intact(body: &dyn StoredBody, sum: u32) -> io::Result<bool> {
    let mut found = crc32fast::Hasher::new();
    let mut chunk = vec![0; CHUNK_OCTETS];
    let mut offset = 0;
    loop {
        let count = body.read_at(offset, &mut chunk)?;
        if count == 0 {
            return Ok(offset == body.len() && found.finalize() == sum);
        }
        found.update(&chunk[..count]);
        offset += count as u64;
    }
}

/// Makes a folder, on stable storage, if it is not there.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    if !path.is_dir() {
        fs::create_dir_all(path)?;
        if let Some(parent) = path.parent() {
            sync::directory(parent)?;
        }
    }
    sync::directory(path)
}

/// Reads a whole small file, or nothing if it is not there.
pub(super) fn read_small(path: &Path, octets_max: u64) -> io::Result<Option<String>> {
    match File::open(path) {
        Ok(file) => {
            let mut text = String::new();
            file.take(octets_max).read_to_string(&mut text)?;
            Ok(Some(text))
        }
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(fault) => Err(fault),
    }
}
