//! The image of the directory: a file beside `directory.db` from which a large directory starts in seconds.
//!
//! The database names the file and notes the objects that changed since; so an image is never taken for newer or
//! older than it is, whatever crashes or is copied. It holds nothing that the objects do not say: it may be removed.
//! In: generations, commits. Out: the latest generation at a start. Never: an image that is damaged or of another
//! program; a burst of writes that keeps mail's syncs waiting: the file is synced every few MiB.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use super::Inner;
use super::objects::{self, Now};
use crate::backends::sqlite::space::{Disk, SystemDisk};
use crate::backends::sqlite::sync;
use crate::directory::generation::image::{Assembly, Piece, layout};
use crate::directory::{Directory, Ordinal, RecipientObject};
use crate::env::{Chance, Env};
use crate::limits::DISK_FLOOR_BYTES;
use crate::store::StoreFault;
use crate::store::directory::{ChangeBatch, Known, SinceImage};

/// `image` has one row or none.
pub(super) const TABLES: &str = "
CREATE TABLE image (name TEXT NOT NULL, generation INTEGER NOT NULL);
CREATE TABLE touched (ordinal INTEGER PRIMARY KEY, generation INTEGER NOT NULL);
";

/// Most objects noted since an image; beyond, reading all objects is as quick.
const NOTED_MAX: usize = 100_000;

/// Octets written between two syncs.
const SYNC_OCTETS: usize = 4 << 20;

/// Longest piece; a longer one is damage.
const PIECE_OCTETS_MAX: u32 = 1 << 30;

/// Pieces read and not yet taken apart.
const PIECES_MAX: usize = 8;

const MAGIC: &[u8; 16] = b"muster directory";

/// What a commit notes for the image.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Touched {
    /// There is no image.
    Nothing,
    /// The objects that change.
    Objects,
    /// More than is worth noting: the image goes.
    Forget,
}

/// The file the database names.
#[derive(Clone, Debug)]
struct Image {
    name: String,
    generation: u64,
}

#[derive(Debug, Default)]
struct State {
    image: Option<Image>,
    /// All changes after this generation are noted; none: they are not.
    noted_from: Option<u64>,
    noted: usize,
    /// The last generation that is known to have changed objects.
    changed: u64,
}

impl State {
    fn without_image(changed: u64) -> Self {
        Self {
            changed,
            ..Self::default()
        }
    }
}

/// Images of one database.
pub(super) struct Images {
    folder: PathBuf,
    chance: Arc<dyn Chance>,
    disk_floor: u64,
    state: Mutex<State>,
    /// Held while one is written.
    writing: Mutex<()>,
}

/// Why an image is of no use.
#[derive(Debug, thiserror::Error)]
enum ImageFault {
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    #[error("another release wrote it")]
    Layout,
    #[error("it is damaged")]
    Damaged,
    #[error("what changed since cannot be read: {0}")]
    Changes(rusqlite::Error),
    #[error("the changed object with ordinal {0} cannot be read")]
    Object(u32),
}

impl std::fmt::Debug for Images {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.state().fmt(out)
    }
}

impl Images {
    /// What the database at `path` says.
    pub(super) fn open(path: &Path, connection: &Connection, known: Known, env: &Env) -> rusqlite::Result<Self> {
        let sql = "SELECT name, generation FROM image";
        let image = connection.query_row(sql, [], |row| {
            Ok(Image {
                name: row.get(0)?,
                generation: row.get::<_, i64>(1)? as u64,
            })
        });
        let image = image.optional()?;
        if image.is_none() {
            connection.execute("DELETE FROM touched", [])?;
        }
        let noted: i64 = connection.query_row("SELECT count(*) FROM touched", [], |row| row.get(0))?;
        let images = Self {
            folder: path.parent().map(Path::to_path_buf).unwrap_or_default(),
            chance: Arc::clone(&env.chance),
            disk_floor: DISK_FLOOR_BYTES,
            state: Mutex::new(State {
                noted_from: image.as_ref().map(|image| image.generation),
                image,
                noted: usize::try_from(noted).unwrap_or(usize::MAX),
                changed: known.generation,
            }),
            writing: Mutex::new(()),
        };
        images.clear_away();
        Ok(images)
    }

    pub(super) fn set_disk_floor(&mut self, bytes: u64) {
        self.disk_floor = bytes;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn since(&self) -> SinceImage {
        let state = self.state();
        match &state.image {
            None => SinceImage::Missing,
            Some(_) => SinceImage::Changed(state.noted),
        }
    }

    /// Has a commit note what it changes; `commit` is told what.
    pub(super) fn note(
        &self,
        batch: &ChangeBatch,
        commit: impl FnOnce(Touched) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        let mut state = self.state();
        let noted = state.noted + batch.objects.len() + batch.objects_removed.len();
        let touched = match state.noted_from {
            None => Touched::Nothing,
            Some(_) if noted > NOTED_MAX => Touched::Forget,
            Some(_) => Touched::Objects,
        };
        commit(touched)?;
        if noted > state.noted {
            state.changed = batch.generation;
        }
        match touched {
            Touched::Nothing => {}
            Touched::Objects => state.noted = noted,
            Touched::Forget => *state = State::without_image(state.changed),
        }
        Ok(())
    }

    /// The latest generation from the image and what changed since.
    pub(super) fn recall(&self, inner: &Mutex<Inner>, now: Timestamp) -> Result<Option<Directory>, StoreFault> {
        let Some(image) = self.state().image.clone() else {
            return Ok(None);
        };
        let recalled = read(&self.folder.join(&image.name), now).and_then(|directory| {
            let inner = inner.lock().unwrap_or_else(PoisonError::into_inner);
            let is_this = directory.number() == image.generation && image.generation <= inner.known.generation;
            let directory = is_this.then_some(directory).ok_or(ImageFault::Damaged)?;
            let (objects, gone) = changed_since(&inner.connection, &image)?;
            Ok(directory.caught_up(objects, &gone, inner.known.generation, now))
        });
        match recalled {
            Ok(directory) => Ok(Some(directory)),
            Err(fault) => {
                tracing::warn!(image = image.name, %fault, "the image of the directory is of no use; all objects are read");
                let mut inner = inner.lock().unwrap_or_else(PoisonError::into_inner);
                let mut state = self.state();
                inner.change("an image", forget)?;
                *state = State::without_image(state.changed);
                Ok(None)
            }
        }
    }

    /// Writes an image of the generation that `latest` gives, then has the database name it.
    pub(super) fn keep(&self, inner: &Mutex<Inner>, latest: &dyn Fn() -> Arc<Directory>) -> Result<(), StoreFault> {
        let Ok(_one_at_a_time) = self.writing.try_lock() else {
            return Ok(());
        };
        self.has_room()
            .map_err(|fault| StoreFault::Unreadable(format!("an image: {fault}")))?;
        let noted_from = {
            let mut state = self.state();
            let changed = state.changed;
            *state.noted_from.get_or_insert(changed)
        };
        // Asked for after changes are noted: what this generation does not have is among them.
        let directory = latest();
        if directory.number() < noted_from {
            // A commit was not yet in the view; the next call finds it there.
            return Ok(());
        }
        let mut octets = [0; 8];
        self.chance.fill(&mut octets);
        let image = Image {
            name: format!("directory-{:016x}.image", u64::from_le_bytes(octets)),
            generation: directory.number(),
        };
        let written = write_file(&self.folder, &image.name, &directory)
            .map_err(|fault| StoreFault::Unreadable(format!("{}: {fault}", image.name)));
        let kept = written.and_then(|()| self.name(inner, &image));
        self.clear_away();
        kept
    }

    /// An image is smaller than its database, and lies beside the one before for a moment.
    fn has_room(&self) -> std::io::Result<()> {
        let database = fs::metadata(self.folder.join("directory.db"))?.len();
        let free = SystemDisk.free_bytes(&self.folder)?;
        if free < self.disk_floor.saturating_add(database) {
            let text = format!(
                "{free} octets are free, {database} and the floor of {} are needed",
                self.disk_floor
            );
            return Err(std::io::Error::new(std::io::ErrorKind::StorageFull, text));
        }
        Ok(())
    }

    /// Has the database name an image that is written.
    fn name(&self, inner: &Mutex<Inner>, image: &Image) -> Result<(), StoreFault> {
        let mut inner = inner.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.state();
        if state.noted_from.is_none_or(|from| from > image.generation) {
            // So much changed meanwhile that nothing was noted any more.
            return Ok(());
        }
        let noted: i64 = inner.change("an image", |transaction| {
            transaction.execute("DELETE FROM image", [])?;
            let sql = "INSERT INTO image (name, generation) VALUES (?1, ?2)";
            transaction.execute(sql, (&image.name, image.generation as i64))?;
            transaction.execute("DELETE FROM touched WHERE generation <= ?1", [image.generation as i64])?;
            transaction.query_row("SELECT count(*) FROM touched", [], |row| row.get(0))
        })?;
        *state = State {
            image: Some(image.clone()),
            noted_from: Some(image.generation),
            noted: usize::try_from(noted).unwrap_or(usize::MAX),
            changed: state.changed,
        };
        Ok(())
    }

    /// Removes files that the database does not name.
    fn clear_away(&self) {
        let named = self.state().image.clone();
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            let is_image = name.starts_with("directory-") && name.ends_with(".image");
            let is_named = named.as_ref().is_some_and(|image| image.name == name);
            if !is_image || is_named {
                continue;
            }
            if let Err(fault) = fs::remove_file(entry.path()) {
                tracing::warn!(name, %fault, "an old image of the directory cannot be removed");
            }
        }
    }
}

/// Writes a batch's part; the caller commits.
pub(super) fn write(connection: &Connection, batch: &ChangeBatch, touched: Touched) -> rusqlite::Result<()> {
    match touched {
        Touched::Nothing => Ok(()),
        Touched::Forget => forget(connection),
        Touched::Objects => {
            let sql = "INSERT INTO touched (ordinal, generation) VALUES (?1, ?2) \
                       ON CONFLICT (ordinal) DO UPDATE SET generation = ?2";
            let mut insert = connection.prepare_cached(sql)?;
            let changed = batch.objects.iter().map(|row| row.ordinal);
            for ordinal in changed.chain(batch.objects_removed.iter().copied()) {
                insert.execute((ordinal, batch.generation as i64))?;
            }
            Ok(())
        }
    }
}

fn forget(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("DELETE FROM image; DELETE FROM touched;")
}

type Changed = (Vec<(Ordinal, RecipientObject)>, Vec<Ordinal>);

/// What changed since an image, as it is now.
fn changed_since(connection: &Connection, image: &Image) -> Result<Changed, ImageFault> {
    let (mut objects, mut gone) = (Vec::new(), Vec::new());
    for (ordinal, now) in objects::touched_after(connection, image.generation).map_err(ImageFault::Changes)? {
        match now {
            Now::Object(object) => objects.push((ordinal, *object)),
            Now::Gone => gone.push(ordinal),
            Now::Damaged => return Err(ImageFault::Object(ordinal.0)),
        }
    }
    Ok((objects, gone))
}

/// A file of frames: length, checksum, octets. The first says whose it is.
fn write_file(folder: &Path, name: &str, directory: &Directory) -> std::io::Result<()> {
    let file = File::create_new(folder.join(name))?;
    let mut out = BufWriter::with_capacity(1 << 20, &file);
    let mut waiting = 0;
    let mut put = |octets: &[u8]| {
        let length = u32::try_from(octets.len()).map_err(std::io::Error::other)?;
        out.write_all(&length.to_le_bytes())?;
        out.write_all(&crc32fast::hash(octets).to_le_bytes())?;
        out.write_all(octets)?;
        waiting += octets.len();
        if waiting >= SYNC_OCTETS {
            waiting = 0;
            out.flush()?;
            sync::file(&file)?;
        }
        Ok::<(), std::io::Error>(())
    };
    put(&[&MAGIC[..], &layout().to_le_bytes()].concat())?;
    directory.each_piece(&mut put)?;
    out.flush()?;
    drop(out);
    sync::new_file(&file)?;
    sync::directory(folder)
}

/// Reads a file; pieces are taken apart on as many threads as there are cores, while the next are read.
fn read(path: &Path, now: Timestamp) -> Result<Directory, ImageFault> {
    let mut file = BufReader::with_capacity(1 << 20, File::open(path)?);
    let first = next_frame(&mut file)?.ok_or(ImageFault::Damaged)?;
    let first = first.sound().ok_or(ImageFault::Damaged)?;
    if *first != [&MAGIC[..], &layout().to_le_bytes()].concat() {
        return Err(ImageFault::Layout);
    }
    let (give, frames) = sync_channel::<Frame>(PIECES_MAX);
    let frames = Mutex::new(frames);
    let work = || {
        let mut pieces = Vec::new();
        loop {
            let next = frames.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(frame) = next else { return pieces };
            pieces.push(frame.sound().and_then(Piece::read));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut assembly = Assembly::default();
    let mut sound = true;
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let fed = feed(&mut file, &give);
        drop(give);
        for worker in workers {
            let pieces = worker.join().expect("reading pieces does not panic");
            for piece in pieces {
                match piece {
                    Some(piece) => assembly.take(piece),
                    None => sound = false,
                }
            }
        }
        fed
    })?;
    let directory = assembly.finish(now).filter(|_| sound);
    directory.ok_or(ImageFault::Damaged)
}

/// Gives all frames of a file to whoever takes them.
fn feed(file: &mut impl Read, give: &SyncSender<Frame>) -> Result<(), ImageFault> {
    while let Some(frame) = next_frame(file)? {
        // Fails only if all others panicked, which the scope reports.
        let _ = give.send(frame);
    }
    Ok(())
}

/// Octets with the checksum they should have.
struct Frame {
    octets: Vec<u8>,
    sum: u32,
}

impl Frame {
    fn sound(&self) -> Option<&[u8]> {
        (crc32fast::hash(&self.octets) == self.sum).then_some(&self.octets)
    }
}

/// The next frame; none at the end.
fn next_frame(file: &mut impl Read) -> Result<Option<Frame>, ImageFault> {
    let mut head = [0; 8];
    match file.read_exact(&mut head) {
        Ok(()) => {}
        // A file that was cut lacks pieces; that is noticed when they are put together.
        Err(fault) if fault.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(fault) => return Err(fault.into()),
    }
    let [a, b, c, d, e, f, g, h] = head;
    let length = u32::from_le_bytes([a, b, c, d]);
    if length > PIECE_OCTETS_MAX {
        return Err(ImageFault::Damaged);
    }
    // A u32 fits a usize on every platform we build for.
    let mut octets = Vec::with_capacity(length as usize);
    let read = file.take(u64::from(length)).read_to_end(&mut octets)?;
    if read != length as usize {
        return Err(ImageFault::Damaged);
    }
    let sum = u32::from_le_bytes([e, f, g, h]);
    Ok(Some(Frame { octets, sum }))
}
