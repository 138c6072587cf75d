//! `directory.db`: objects, ordinals and rolls, each generation one commit.

mod checkpoint;
mod earlier;
mod image;
mod life;
mod objects;
mod rolls;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use self::checkpoint::{Checkpointer, note_length};
use self::image::{Images, Touched};
use super::open::{OpenFault, open_database};
use super::schema::{Role, connect, keep_meta, meta};
use crate::directory::{Directory, Ordinal};
use crate::env::Env;
use crate::rolls::history::Difference;
use crate::store::StoreFault;
use crate::store::directory::{ChangeBatch, DirectoryState, DirectoryStore, Known, SinceImage};
use crate::store::life::{AttributeChange, AuditEntry, FormerRoll, GoneRow, HistoryQuery, LifeBatch, Pruned};

/// Version of the tables. 1: objects as JSON, and rolls stored whole. 2: rolls with their history. 3: objects as
/// records. 4: what changed since the image. 5: history by one number.
const VERSION: i64 = 5;

const META: &str = "CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;";

/// The directory store on SQLite. The data directory must belong to this process: open the spool first.
#[derive(Debug)]
pub struct SqliteDirectoryStore {
    inner: Arc<Mutex<Inner>>,
    checkpointer: Checkpointer,
    images: Images,
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
        earlier::migrate(&path).map_err(fault())?;
        let connection = open_database(&path, &tables(), VERSION)?;
        if space(&connection).map_err(fault())?.is_none() {
            let mut random = [0; 16];
            env.chance.fill(&mut random);
            let space = uuid::Builder::from_random_bytes(random).into_uuid().to_string();
            let sql = "INSERT INTO meta (name, value) VALUES ('space', ?1)";
            connection.execute(sql, [space]).map_err(fault())?;
        }
        let counter = |name| meta(&connection, name).map_err(fault()).map(Option::unwrap_or_default);
        let known = Known {
            generation: counter("generation")? as u64,
            ordinal_next: counter("ordinal_next")? as u32,
        };
        let images = Images::open(&path, &connection, known, env).map_err(fault())?;
        note_length(&connection);
        let inner = Arc::new(Mutex::new(Inner {
            connection,
            known,
            suspect: None,
        }));
        let checkpointer = Checkpointer::start(&path, &inner).map_err(fault())?;
        Ok(Self {
            inner,
            checkpointer,
            images,
        })
    }

    /// Free octets that an image must leave: those below which mail is refused.
    #[must_use]
    pub fn with_disk_floor(mut self, bytes: u64) -> Self {
        self.images.set_disk_floor(bytes);
        self
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DirectoryStore for SqliteDirectoryStore {
    fn load(&self) -> Result<DirectoryState, StoreFault> {
        load(&self.inner().connection).map_err(unreadable)
    }

    fn objects(&self, visit: &mut dyn FnMut(Ordinal, &[u8])) -> Result<Vec<String>, StoreFault> {
        objects::read(&self.inner().connection, visit).map_err(unreadable)
    }

    fn store(&self, batch: ChangeBatch) -> Result<(), StoreFault> {
        let mut inner = self.inner();
        if let Some(fault) = &inner.suspect {
            return Err(fault.clone());
        }
        inner
            .known
            .check(&batch, |ordinal| objects::id_of(&inner.connection, ordinal))?;
        rolls::check(&inner.connection, &batch).map_err(unreadable)??;
        let written = self
            .images
            .note(&batch, |touched| write(&mut inner.connection, &batch, touched));
        if let Err(fault) = written {
            // The table refuses a second ordinal for an id; the transaction is rolled back and the store is sound.
            if fault.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation) {
                return Err(StoreFault::Contradiction(fault.to_string()));
            }
            return Err(inner.suspect(&format!("generation {}", batch.generation), &fault));
        }
        inner.known.apply(&batch);
        drop(inner);
        self.checkpointer.look();
        Ok(())
    }

    fn recall(&self, now: Timestamp) -> Result<Option<Directory>, StoreFault> {
        self.images.recall(&self.inner, now)
    }

    fn keep_image(&self, latest: &dyn Fn() -> Arc<Directory>) -> Result<(), StoreFault> {
        self.images.keep(&self.inner, latest)
    }

    fn since_image(&self) -> SinceImage {
        self.images.since()
    }

    fn keep(&self, batch: LifeBatch) -> Result<(), StoreFault> {
        let kept = self
            .inner()
            .change("decisions", |transaction| life::write(transaction, &batch));
        self.checkpointer.look();
        kept
    }

    fn history(&self, group: Ordinal, query: HistoryQuery) -> Result<Vec<Difference>, StoreFault> {
        rolls::history(&self.inner().connection, group, query).map_err(unreadable)
    }

    fn history_since(&self, time: Timestamp) -> Result<Vec<Difference>, StoreFault> {
        rolls::history_since(&self.inner().connection, time).map_err(unreadable)
    }

    fn former_roll(&self, group: Ordinal) -> Result<Option<FormerRoll>, StoreFault> {
        rolls::former(&self.inner().connection, group).map_err(unreadable)
    }

    fn gone(&self, ordinals: &[Ordinal]) -> Result<Vec<GoneRow>, StoreFault> {
        life::gone(&self.inner().connection, ordinals).map_err(unreadable)
    }

    fn attribute_changes(&self, ordinal: Ordinal) -> Result<Vec<AttributeChange>, StoreFault> {
        life::changes(&self.inner().connection, ordinal).map_err(unreadable)
    }

    fn audit(&self, subject: Option<&str>, count_max: usize) -> Result<Vec<AuditEntry>, StoreFault> {
        life::audit(&self.inner().connection, subject, count_max).map_err(unreadable)
    }

    fn prune(&self, before: Timestamp) -> Result<Pruned, StoreFault> {
        let pruned = self.inner().change("a pruning", |transaction| {
            Ok(Pruned {
                versions: rolls::prune(transaction, before)?,
                others: life::prune(transaction, before)?,
            })
        });
        self.checkpointer.look();
        pruned
    }
}

impl Inner {
    /// One commit. After one that failed nothing more is taken.
    fn change<T>(
        &mut self,
        what: &str,
        change: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreFault> {
        if let Some(fault) = &self.suspect {
            return Err(fault.clone());
        }
        let commit = || {
            let transaction = self.connection.transaction()?;
            let done = change(&transaction)?;
            transaction.commit()?;
            Ok(done)
        };
        commit().map_err(|fault| self.suspect(what, &fault))
    }

    fn suspect(&mut self, what: &str, fault: &rusqlite::Error) -> StoreFault {
        let fault = StoreFault::Suspect(format!("a commit of {what}: {fault}"));
        tracing::error!(%fault, "directory.db takes no changes until a restart");
        self.suspect = Some(fault.clone());
        fault
    }
}

fn unreadable(fault: rusqlite::Error) -> StoreFault {
    StoreFault::Unreadable(fault.to_string())
}

/// The tables of a new database.
fn tables() -> String {
    [
        META,
        objects::TABLES,
        image::TABLES,
        rolls::TABLES,
        rolls::HISTORY,
        life::TABLES,
    ]
    .concat()
}

/// Names of the rows of `meta` that hold the digest of a source's latest snapshot.
const DIGEST: &str = "digest:";

fn keep_digest(connection: &Connection, source: &str, digest: Option<&str>) -> rusqlite::Result<()> {
    let name = format!("{DIGEST}{source}");
    match digest {
        Some(digest) => {
            let sql = "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2";
            connection.prepare_cached(sql)?.execute((name, digest))?
        }
        None => connection
            .prepare_cached("DELETE FROM meta WHERE name = ?1")?
            .execute([name])?,
    };
    Ok(())
}

fn digests(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let sql = "SELECT substr(name, ?1), value FROM meta WHERE substr(name, 1, ?1 - 1) = ?2 ORDER BY name";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map((DIGEST.len() as i64 + 1, DIGEST), |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

fn space(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT value FROM meta WHERE name = 'space'";
    connection.query_row(sql, [], |row| row.get(0)).optional()
}

fn write(connection: &mut Connection, batch: &ChangeBatch, touched: Touched) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    image::write(&transaction, batch, touched)?;
    objects::write(&transaction, batch)?;
    rolls::write(&transaction, batch)?;
    life::write(&transaction, &batch.life)?;
    for (source, digest) in &batch.digests {
        keep_digest(&transaction, source, digest.as_deref())?;
    }
    keep_meta(&transaction, "generation", batch.generation as i64)?;
    keep_meta(&transaction, "ordinal_next", i64::from(batch.ordinal_next))?;
    transaction.commit()
}

fn load(connection: &Connection) -> rusqlite::Result<DirectoryState> {
    let mut state = DirectoryState {
        space: space(connection)?.unwrap_or_default(),
        generation: meta(connection, "generation")?.unwrap_or(0) as u64,
        digests: digests(connection)?,
        ordinal_next: meta(connection, "ordinal_next")?.unwrap_or(0) as u32,
        ..DirectoryState::default()
    };
    rolls::load(connection, &mut state)?;
    life::load(connection, &mut state)?;
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
mod image_tests;
#[cfg(test)]
mod tests;
