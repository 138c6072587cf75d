//! Opening a spool: lock, recovery, stock-taking, threads.
//!
//! SQLite replays its log by itself. Then every message row is checked, body files that no row names are
//! removed, missing bodies and damaged rows are set aside and reported; they do not stop the rest.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc;

use rusqlite::Connection;

use super::SqliteSpool;
use super::answer::Trouble;
use super::body::{Bodies, make_folder};
use super::committer::Committer;
use super::housekeeper;
use super::journal::resume::resume;
use super::live::Live;
use super::load::{self, Loaded};
use super::lock::{DirectoryLock, LockFault};
use super::operation::Damaged;
use super::read::Reader;
use super::record::Place;
use super::rows;
use super::schema::{self, MAIL, MAIL_VERSION, Role};
use super::segment::{SegmentShelf, Segments};
use super::shared::Shared;
use super::space::{Disk, Space, SystemDisk};
use super::state::State;
use super::sync;
use crate::env::Env;
use crate::limits::{DISK_FLOOR_BYTES, DISK_RESUME_BYTES, QUEUE_MESSAGES_MAX};

/// Bounds of one spool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SpoolSettings {
    /// Most messages; beyond it 451.
    pub queue_messages_max: usize,
    /// Free space below which no mail is taken.
    pub disk_floor_bytes: u64,
    /// Distance above the floor at which mail is taken again.
    pub disk_resume_bytes: u64,
}

impl Default for SpoolSettings {
    fn default() -> Self {
        Self {
            queue_messages_max: QUEUE_MESSAGES_MAX,
            disk_floor_bytes: DISK_FLOOR_BYTES,
            disk_resume_bytes: DISK_RESUME_BYTES,
        }
    }
}

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenFault {
    /// Another process has the data directory.
    #[error("{path} is in use by another muster{}", holder.as_deref().map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    Taken {
        /// The data directory.
        path: PathBuf,
        /// Process id, if known.
        holder: Option<String>,
    },
    /// Made by a newer version.
    #[error("{path} has tables of version {found}; this muster knows version {known}")]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// A file or folder cannot be used.
    #[error("{path} cannot be used: {fault}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        fault: io::Error,
    },
    /// The database cannot be used.
    #[error("{path} cannot be opened: {fault}")]
    Database {
        /// Which.
        path: PathBuf,
        /// Why.
        fault: rusqlite::Error,
    },
}

impl OpenFault {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |fault| Self::Io { path, fault }
    }

    fn stock(folders: &Folders) -> impl FnOnce(Trouble) -> Self {
        let (database, journal) = (folders.database.clone(), folders.journal.clone());
        move |trouble| match trouble {
            Trouble::Sql(fault) => Self::Database { path: database, fault },
            Trouble::Io(fault) => Self::Io { path: journal, fault },
        }
    }

    pub(super) fn database(path: &Path) -> impl FnOnce(rusqlite::Error) -> Self {
        let path = path.to_owned();
        move |fault| Self::Database { path, fault }
    }
}

impl SqliteSpool {
    /// Opens or creates the spool in a data directory and takes the directory for this process.
    pub fn open(path: &Path, settings: SpoolSettings, env: Env) -> Result<Self, OpenFault> {
        Self::open_on(path, settings, env, Arc::new(SystemDisk))
    }

    /// The same on another disk than the real one: tests put trouble there.
    pub fn open_on(path: &Path, settings: SpoolSettings, env: Env, disk: Arc<dyn Disk>) -> Result<Self, OpenFault> {
        let folders = Folders::make(path)?;
        let lock = DirectoryLock::take(path).map_err(|fault| match fault {
            LockFault::Taken(holder) => OpenFault::Taken {
                path: path.to_owned(),
                holder,
            },
            LockFault::Io(fault) => OpenFault::io(path)(fault),
        })?;
        schema::renew(&folders.database, MAIL_VERSION).map_err(OpenFault::database(&folders.database))?;
        let connection = open_database(&folders.database, MAIL, MAIL_VERSION)?;
        let floor = settings.disk_floor_bytes;
        let space = Arc::new(Space::new(
            disk,
            path.to_owned(),
            env.clone(),
            floor,
            settings.disk_resume_bytes,
        ));
        let bodies = Arc::new(Bodies::new(folders.bodies.clone(), env.clone(), space.clone()));
        let shelf = Arc::new(SegmentShelf::new(folders.segments.clone()));
        let stock = Stock::take(&connection, &folders, &bodies, &shelf, &env)?;

        let live = stock.state.live.clone();
        let shared = Arc::new(Shared::new(env, live, space));
        shared.publish(&stock.state);
        let (set_last, hold_last) = (stock.state.set_high, stock.state.hold_high);
        let cleaner =
            schema::connect(&folders.database, Role::Checkpointer).map_err(OpenFault::database(&folders.database))?;
        let (chores, to_do) = mpsc::channel();
        let committer = Committer::new(shared.clone(), connection, stock.state, chores);
        let threads = vec![
            spawn("muster-commit", path, move || committer.run())?,
            spawn("muster-keep", path, {
                let (shared, bodies) = (shared.clone(), bodies.clone());
                move || housekeeper::run(&shared, &bodies, &cleaner, &to_do)
            })?,
        ];
        Ok(Self {
            reader: Reader::new(folders.database, shared.clone(), bodies.clone(), shelf),
            shared,
            bodies,
            queue_messages_max: settings.queue_messages_max,
            set_last: AtomicU64::new(set_last),
            hold_last: AtomicU64::new(hold_last),
            threads,
            _lock: lock,
        })
    }
}

fn spawn(
    name: &str,
    path: &Path,
    work: impl FnOnce() + Send + 'static,
) -> Result<std::thread::JoinHandle<()>, OpenFault> {
    let thread = std::thread::Builder::new().name(name.to_owned());
    thread.spawn(work).map_err(OpenFault::io(path))
}

/// Where things are in a data directory.
struct Folders {
    database: PathBuf,
    bodies: PathBuf,
    segments: PathBuf,
    journal: PathBuf,
}

impl Folders {
    fn make(path: &Path) -> Result<Self, OpenFault> {
        let folders = Self {
            database: path.join("mail.db"),
            bodies: path.join("bodies"),
            segments: path.join("segments"),
            journal: path.join("journal"),
        };
        for folder in [path, &folders.bodies, &folders.segments, &folders.journal] {
            make_folder(folder).map_err(OpenFault::io(folder))?;
        }
        Ok(folders)
    }
}

/// Opens a database for writing; its files and their directory entries are on stable storage afterwards.
pub(super) fn open_database(path: &Path, tables: &str, version: i64) -> Result<Connection, OpenFault> {
    let database = || OpenFault::database(path);
    let mut connection = schema::connect(path, Role::Writer).map_err(database())?;
    let found = schema::prepare(&mut connection, tables, version).map_err(database())?;
    if found != version {
        return Err(OpenFault::Newer {
            path: path.to_owned(),
            found,
            known: version,
        });
    }
    // The first write makes the log file; then its directory entry is synced, before any promise.
    schema::keep_meta(&connection, "version", version).map_err(database())?;
    let folder = path.parent().unwrap_or(path);
    sync::directory(folder).map_err(OpenFault::io(folder))?;
    Ok(connection)
}

/// What was found.
struct Stock {
    state: State,
}

impl Stock {
    fn take(
        connection: &Connection,
        folders: &Folders,
        bodies: &Arc<Bodies>,
        shelf: &Arc<SegmentShelf>,
        env: &Env,
    ) -> Result<Self, OpenFault> {
        let database = || OpenFault::database(&folders.database);
        if schema::meta(connection, "outbox_through")
            .map_err(database())?
            .is_none()
        {
            // Numbers of a new spool begin above those of any earlier one, so that a trace that outlives
            // its spool does not take new events for old ones.
            let now = env.clock.now().as_microsecond().max(0);
            schema::keep_meta(connection, "outbox_through", now).map_err(database())?;
        }
        let resumed = resume(connection, &folders.journal, env).map_err(OpenFault::stock(folders))?;
        let mut loaded = load::load(connection).map_err(database())?;
        let mut segments = HashMap::new();
        missing_bodies(&mut loaded, folders, bodies, &mut segments);
        let now = env.clock.now();
        for damaged in &loaded.damaged {
            tracing::error!(what = damaged.what, id = damaged.id, message = ?damaged.message, why = damaged.why,
                "a damaged message is set aside");
            rows::insert_damaged(connection, damaged, now).map_err(OpenFault::stock(folders))?;
        }
        // A damaged row or frame may name any file: then nothing is thrown away.
        let unknown = resumed.is_damaged || loaded.damaged.iter().any(|damaged| damaged.message.is_none());
        if unknown {
            all_segments(&folders.segments, &mut segments).map_err(OpenFault::io(&folders.segments))?;
        } else {
            let removed = bodies.remove_leftovers(&loaded.files());
            let removed = removed.map_err(OpenFault::io(&folders.bodies))?;
            if removed > 0 {
                tracing::info!(removed, "bodies without a message were removed");
            }
        }
        let segments = Segments::open(shelf.clone(), segments).map_err(OpenFault::io(&folders.segments))?;
        let mut state = State {
            live: Arc::new(Live::default()),
            segments,
            next_no: loaded.next_no,
            next_event: loaded.next_event,
            outbox_through: loaded.outbox_through,
            left: std::mem::take(&mut loaded.left),
            set_high: loaded.set_high,
            set_kept: loaded.set_high,
            hold_high: loaded.hold_high,
            journal: resumed.journal,
            journal_through: loaded.journal_through,
        };
        *state.live.lock() = loaded.messages;
        state.next_no = state.next_no.max(1);
        Ok(Self { state })
    }
}

/// Counts bodies per segment, and finds messages whose body is not there any more.
fn missing_bodies(loaded: &mut Loaded, folders: &Folders, bodies: &Arc<Bodies>, segments: &mut HashMap<u32, u32>) {
    let mut there = HashMap::new();
    for (id, entry) in &mut loaded.messages {
        let missing = match entry.place {
            Place::Inline => false,
            Place::Segment {
                segment, offset, len, ..
            } => {
                *segments.entry(segment).or_default() += 1;
                let octets = *there.entry(segment).or_insert_with(|| {
                    let path = folders.segments.join(format!("{segment:08}.seg"));
                    std::fs::metadata(path).map_or(0, |found| found.len())
                });
                octets < u64::from(offset) + u64::from(len)
            }
            Place::File { name, len, .. } => {
                std::fs::metadata(bodies.path(name)).map_or(true, |found| found.len() != len)
            }
        };
        if missing && !entry.quarantined {
            entry.quarantined = true;
            loaded.damaged.push(Damaged {
                what: "content",
                id: entry.no,
                message: Some(*id),
                why: "its body is missing or cut short".to_owned(),
            });
        }
    }
}

fn all_segments(folder: &Path, segments: &mut HashMap<u32, u32>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        if let Some(number) = super::segment::number_of(&entry?.path()) {
            *segments.entry(number).or_default() += 1;
        }
    }
    Ok(())
}
