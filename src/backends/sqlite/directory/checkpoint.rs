//! Moves the write-ahead log of `directory.db` into the database, beside the commits.
//!
//! In: the length of the log after each commit. Out: a database that has all of it, and a log that the next commit
//! writes from its beginning. Never: a commit that waits for the sync of every page that changed since the last time,
//! or for the file system to free the log: half a second now and then, on a path that answers in milliseconds.
//!
//! The log is moved in a pause of the commits. A stream of them that does not pause has it moved when it is long;
//! then one commit waits for the last stretch.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use super::Inner;
use crate::backends::sqlite::schema::{PAGE_OCTETS, Role, connect};
use crate::limits::WAL_OCTETS_MAX;

/// A log shorter than this is left alone: a start reads it in milliseconds.
const LOG_OCTETS_WORTH: u64 = 4 << 20;

/// A log longer than this is cut after it was moved, for which a commit may have to wait: a first load leaves one.
const LOG_FILE_OCTETS_MAX: u64 = 2 * WAL_OCTETS_MAX;

/// A stretch shorter than this is moved while a commit waits for it: a few milliseconds.
const LAST_STRETCH_OCTETS: u64 = 512 << 10;

/// Most rounds beside commits that add to the log as fast as it is moved.
const ROUNDS_MAX: usize = 8;

/// So long without a commit is a pause.
const PAUSE: Duration = Duration::from_secs(1);

thread_local! {
    /// Pages in the log after this thread's last commit.
    static LOG_PAGES: Cell<u64> = const { Cell::new(0) };
}

/// Lets commits of this connection note how long they leave the log.
pub(super) fn note_length(connection: &Connection) {
    connection.wal_hook(Some(|_, pages| {
        LOG_PAGES.set(u64::try_from(pages).unwrap_or(0));
        Ok(())
    }));
}

/// The thread that does it.
#[derive(Debug)]
pub(super) struct Checkpointer {
    log_octets: Arc<AtomicU64>,
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    /// Starts it over the database at `path`.
    pub(super) fn start(path: &Path, inner: &Arc<Mutex<Inner>>) -> rusqlite::Result<Self> {
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let log_octets = Arc::new(AtomicU64::new(0));
        let mover = Mover {
            connection: connect(path, Role::Checkpointer)?,
            inner: Arc::clone(inner),
            log: log.into(),
            log_octets: Arc::clone(&log_octets),
        };
        // One token is enough: a commit that finds it taken is seen by whoever takes it.
        let (wake, woken) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("directory-log".to_owned())
            .spawn(move || mover.run(&woken))
            .map_err(|fault| rusqlite::Error::ToSqlConversionFailure(Box::new(fault)))?;
        Ok(Self {
            log_octets,
            wake: Some(wake),
            thread: Some(thread),
        })
    }

    /// Looks at the log after a commit of this thread and wakes the mover if it is worth it.
    pub(super) fn look(&self) {
        let octets = LOG_PAGES.get() * u64::from(PAGE_OCTETS);
        self.log_octets.store(octets, Ordering::Relaxed);
        if let (true, Some(wake)) = (octets >= LOG_OCTETS_WORTH, &self.wake) {
            match wake.try_send(()) {
                // It is at work, or about to be; or it has ended with a fault that was logged.
                Ok(()) | Err(TrySendError::Full(()) | TrySendError::Disconnected(())) => {}
            }
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        drop(self.wake.take());
        if let Some(thread) = self.thread.take() {
            // It never panics; a panic would have been printed.
            let _ = thread.join();
        }
    }
}

struct Mover {
    connection: Connection,
    inner: Arc<Mutex<Inner>>,
    log: PathBuf,
    log_octets: Arc<AtomicU64>,
}

/// How much may wait for the log.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moving {
    /// Nothing: what is committed meanwhile stays in the log.
    Beside,
    /// The next commit, for the last stretch, so that the log is empty once.
    ToTheEnd,
    /// Commits, until the file is cut.
    AndCut,
}

impl Mover {
    fn run(self, woken: &Receiver<()>) {
        while woken.recv().is_ok() {
            let moving = self.moment(woken);
            if !self.checkpoint(moving) {
                return;
            }
        }
        self.checkpoint(Moving::AndCut);
    }

    /// Waits for a pause, or until the log is too long to wait for one.
    fn moment(&self, woken: &Receiver<()>) -> Moving {
        loop {
            if self.log_octets.load(Ordering::Relaxed) >= WAL_OCTETS_MAX {
                return Moving::ToTheEnd;
            }
            match woken.recv_timeout(PAUSE) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => return Moving::Beside,
                Err(RecvTimeoutError::Disconnected) => return Moving::AndCut,
            }
        }
    }

    /// Moves the log while commits go on. What they add is moved too, if it would be much to wait for.
    fn beside(&self, moving: Moving, run: &dyn Fn(&str) -> rusqlite::Result<()>) -> rusqlite::Result<()> {
        for _ in 0..ROUNDS_MAX {
            let before = self.log_octets.load(Ordering::Relaxed);
            run("PASSIVE")?;
            let added = self.log_octets.load(Ordering::Relaxed).saturating_sub(before);
            if moving != Moving::ToTheEnd || added < LAST_STRETCH_OCTETS {
                break;
            }
        }
        Ok(())
    }

    /// False: the store is suspect and stays as it is until a restart (DESIGN §7).
    fn checkpoint(&self, moving: Moving) -> bool {
        let lock = || self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if lock().suspect.is_some() {
            return false;
        }
        let run = |mode: &str| {
            let sql = format!("PRAGMA wal_checkpoint({mode})");
            self.connection.query_row(&sql, [], |_| Ok(()))
        };
        let is_huge = || std::fs::metadata(&self.log).is_ok_and(|facts| facts.len() > LOG_FILE_OCTETS_MAX);
        let moved = self.beside(moving, &run).and_then(|()| {
            let rest = match moving {
                Moving::AndCut => "TRUNCATE",
                Moving::Beside | Moving::ToTheEnd if is_huge() => "TRUNCATE",
                Moving::ToTheEnd => "PASSIVE",
                Moving::Beside => return Ok(()),
            };
            let gate = lock();
            let rest = run(rest);
            // The next commit says how long the log is then.
            self.log_octets.store(0, Ordering::Relaxed);
            drop(gate);
            rest
        });
        match moved {
            Ok(()) => true,
            // A full disk: pages stay in the log, where they are safe.
            Err(fault) if fault.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull) => {
                tracing::warn!(%fault, "no room to empty the write-ahead log of directory.db");
                true
            }
            Err(fault) => {
                lock().suspect("a checkpoint", &fault);
                false
            }
        }
    }
}
