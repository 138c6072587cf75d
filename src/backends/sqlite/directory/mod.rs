//! `directory.db`: objects, ordinals and rolls, each generation one commit.

mod objects;
mod rolls;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension};

use super::open::{OpenFault, open_database};
use super::schema::{keep_meta, meta};
use crate::env::Env;
use crate::store::StoreFault;
use crate::store::directory::{ChangeBatch, DirectoryState, DirectoryStore, Known};

const VERSION: i64 = 1;
/// Frames of the log after which it is moved into the database; this store is not on the mail path.
const CHECKPOINT_PAGES: u32 = 2_000;

const META: &str = "CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;";

/// The directory store on SQLite. The data directory must belong to this process: open the spool first.
#[derive(Debug)]
pub struct SqliteDirectoryStore {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    connection: Connection,
    known: Known,
    suspect: Option<StoreFault>,
}

impl SqliteDirectoryStore {
    /// Opens or creates `directory.db` in a data directory. A new one gets a new space.
    pub fn open(path: &Path, env: &Env) -> Result<Self, OpenFault> {
        let path: PathBuf = path.join("directory.db");
        let fault = || OpenFault::database(&path);
        let connection = open_database(&path, &tables(), VERSION)?;
        connection
            .pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)
            .map_err(fault())?;
        if space(&connection).map_err(fault())?.is_none() {
            let mut random = [0; 16];
            env.chance.fill(&mut random);
            let space = uuid::Builder::from_random_bytes(random).into_uuid().to_string();
            let sql = "INSERT INTO meta (name, value) VALUES ('space', ?1)";
            connection.execute(sql, [space]).map_err(fault())?;
        }
        let known = Known::new(&load(&connection).map_err(fault())?);
        Ok(Self {
            inner: Mutex::new(Inner {
                connection,
                known,
                suspect: None,
            }),
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DirectoryStore for SqliteDirectoryStore {
    fn load(&self) -> Result<DirectoryState, StoreFault> {
        load(&self.inner().connection).map_err(|fault| StoreFault::Unreadable(fault.to_string()))
    }

    fn store(&self, batch: ChangeBatch) -> Result<(), StoreFault> {
        let mut inner = self.inner();
        if let Some(fault) = &inner.suspect {
            return Err(fault.clone());
        }
        inner.known.check(&batch)?;
        if let Err(fault) = write(&mut inner.connection, &batch) {
            let fault = StoreFault::Suspect(format!("a commit of generation {}: {fault}", batch.generation));
            tracing::error!(%fault, "directory.db takes no changes until a restart");
            inner.suspect = Some(fault.clone());
            return Err(fault);
        }
        inner.known.apply(&batch);
        Ok(())
    }
}

/// The tables of a new database.
fn tables() -> String {
    [META, objects::TABLES, rolls::TABLES].concat()
}

fn space(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT value FROM meta WHERE name = 'space'";
    connection.query_row(sql, [], |row| row.get(0)).optional()
}

fn write(connection: &mut Connection, batch: &ChangeBatch) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    objects::write(&transaction, batch)?;
    rolls::write(&transaction, batch)?;
    keep_meta(&transaction, "generation", batch.generation as i64)?;
    keep_meta(&transaction, "ordinal_next", i64::from(batch.ordinal_next))?;
    transaction.commit()
}

fn load(connection: &Connection) -> rusqlite::Result<DirectoryState> {
    let mut state = DirectoryState {
        space: space(connection)?.unwrap_or_default(),
        generation: meta(connection, "generation")?.unwrap_or(0) as u64,
        ordinal_next: meta(connection, "ordinal_next")?.unwrap_or(0) as u32,
        ..DirectoryState::default()
    };
    objects::load(connection, &mut state)?;
    rolls::load(connection, &mut state)?;
    for damaged in &state.damaged {
        tracing::error!(damaged, "directory.db has a damaged row; it is left out");
    }
    Ok(state)
}

/// Checksum of a row: each part with its length.
fn sum(parts: &[&[u8]]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    for part in parts {
        sum.update(&(part.len() as u64).to_le_bytes());
        sum.update(part);
    }
    sum.finalize()
}

#[cfg(test)]
mod tests;
