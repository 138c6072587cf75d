//! Moves the write-ahead log of `directory.db` into the database, beside the commits.
//!
//! A commit that had to do it itself would wait for the sync of every page that changed since the last time: half a
//! second now and then, on a path that answers in milliseconds.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::Inner;
use crate::backends::sqlite::schema::{Role, connect};

/// Octets of the log from which on it is moved.
const LOG_OCTETS: u64 = 16 << 20;

/// The thread that does it.
#[derive(Debug)]
pub(super) struct Checkpointer {
    log: PathBuf,
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    /// Starts it over the database at `path`.
    pub(super) fn start(path: &Path, inner: &Arc<Mutex<Inner>>) -> rusqlite::Result<Self> {
        let connection = connect(path, Role::Checkpointer)?;
        let (wake, woken) = sync_channel(1);
        let inner = Arc::clone(inner);
        let thread = std::thread::Builder::new()
            .name("directory-log".to_owned())
            .spawn(move || run(&connection, &inner, &woken))
            .map_err(|fault| rusqlite::Error::ToSqlConversionFailure(Box::new(fault)))?;
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        Ok(Self {
            log: log.into(),
            wake: Some(wake),
            thread: Some(thread),
        })
    }

    /// Looks at the log after a commit and wakes the thread if it is long.
    pub(super) fn look(&self) {
        let long = std::fs::metadata(&self.log).is_ok_and(|facts| facts.len() >= LOG_OCTETS);
        if let (true, Some(wake)) = (long, &self.wake) {
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

fn run(connection: &Connection, inner: &Mutex<Inner>, woken: &Receiver<()>) {
    while woken.recv().is_ok() {
        if !checkpoint(connection, inner) {
            return;
        }
    }
    checkpoint(connection, inner);
}

/// Most of the log while commits go on, the rest while the next commit waits, so that the log is empty once and is
/// cut. False: the store is suspect and stays as it is until a restart (DESIGN §7).
fn checkpoint(connection: &Connection, inner: &Mutex<Inner>) -> bool {
    let lock = || inner.lock().unwrap_or_else(PoisonError::into_inner);
    if lock().suspect.is_some() {
        return false;
    }
    let run = |mode: &str| connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(()));
    let moved = run("PASSIVE").and_then(|()| {
        let gate = lock();
        let rest = run("TRUNCATE");
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
