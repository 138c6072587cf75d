//! Work beside the commit path: checkpoints of the write-ahead log, removal of body files.

use std::sync::mpsc::Receiver;
use std::sync::{Arc, PoisonError};

use rusqlite::Connection;
use uuid::Uuid;

use super::body::Bodies;
use super::shared::Shared;

/// One piece of work.
pub(super) enum Chore {
    /// A message has ended; its file goes.
    Remove(Uuid),
    /// The log is long.
    Checkpoint,
}

/// Works until the committer has ended, then empties the log once more.
pub(super) fn run(shared: &Arc<Shared>, bodies: &Arc<Bodies>, connection: &Connection, chores: &Receiver<Chore>) {
    while let Ok(chore) = chores.recv() {
        match chore {
            Chore::Remove(name) => bodies.remove(name),
            Chore::Checkpoint => checkpoint(shared, connection),
        }
    }
    checkpoint(shared, connection);
}

/// Moves the log into the database: most of it while commits go on, the rest while the next commit waits,
/// so that the log is empty once and the next commit writes it from its beginning.
///
/// A failed checkpoint is a failed sync: the pages may be lost although a second try would succeed.
fn checkpoint(shared: &Shared, connection: &Connection) {
    if shared.suspicion().is_some() {
        return;
    }
    let first = passive(connection);
    let second = first.and_then(|()| {
        let _gate = shared.gate.lock().unwrap_or_else(PoisonError::into_inner);
        passive(connection)
    });
    match second {
        Ok(()) => {}
        // A full disk: pages stay in the log, where they are safe.
        Err(fault) if fault.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull) => {
            tracing::warn!(%fault, "no room to empty the write-ahead log");
        }
        Err(fault) => {
            shared.suspect(format!("{}: a checkpoint: {fault}", shared.env.clock.now()));
        }
    }
}

fn passive(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
}
