//! `directory.db`: objects, ordinals and rolls, each generation one commit.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, Row};

use super::open::{OpenFault, open_database};
use super::record::octets;
use super::schema::{keep_meta, meta};
use crate::env::Env;
use crate::store::StoreFault;
use crate::store::directory::{ChangeBatch, DirectoryState, DirectoryStore, Known, ObjectRow, RollRow};

const VERSION: i64 = 1;
/// Frames of the log after which it is moved into the database; this store is not on the mail path.
const CHECKPOINT_PAGES: u32 = 2_000;

const TABLES: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE TABLE objects (
    ordinal INTEGER PRIMARY KEY, id TEXT NOT NULL, source TEXT NOT NULL, json TEXT NOT NULL,
    sum INTEGER NOT NULL);
CREATE TABLE rolls (
    owner INTEGER PRIMARY KEY, version INTEGER NOT NULL, entries BLOB NOT NULL, unresolved TEXT NOT NULL,
    provenance TEXT NOT NULL, sum INTEGER NOT NULL);
";

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
        let connection = open_database(&path, TABLES, VERSION)?;
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

fn space(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT value FROM meta WHERE name = 'space'";
    connection.query_row(sql, [], |row| row.get(0)).optional()
}

fn write(connection: &mut Connection, batch: &ChangeBatch) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    for ordinal in &batch.objects_removed {
        transaction
            .prepare_cached("DELETE FROM objects WHERE ordinal = ?1")?
            .execute([ordinal])?;
    }
    for group in &batch.rolls_removed {
        transaction
            .prepare_cached("DELETE FROM rolls WHERE owner = ?1")?
            .execute([group])?;
    }
    for object in &batch.objects {
        let sql = "INSERT INTO objects (ordinal, id, source, json, sum) VALUES (?1, ?2, ?3, ?4, ?5) \
                   ON CONFLICT (ordinal) DO UPDATE SET id = ?2, source = ?3, json = ?4, sum = ?5";
        let values = (
            object.ordinal,
            &object.id,
            &object.source,
            &object.json,
            object_sum(object),
        );
        transaction.prepare_cached(sql)?.execute(values)?;
    }
    for roll in &batch.rolls {
        let unresolved = serde_json::to_string(&roll.unresolved).expect("strings serialise");
        let sum = roll_sum(roll.group, roll.version, &roll.entries, &unresolved, &roll.provenance);
        let sql = "INSERT INTO rolls (owner, version, entries, unresolved, provenance, sum) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (owner) \
                   DO UPDATE SET version = ?2, entries = ?3, unresolved = ?4, provenance = ?5, sum = ?6";
        let values = (
            roll.group,
            roll.version as i64,
            &roll.entries,
            unresolved,
            &roll.provenance,
            sum,
        );
        transaction.prepare_cached(sql)?.execute(values)?;
    }
    keep_meta(&transaction, "generation", batch.generation as i64)?;
    keep_meta(&transaction, "ordinal_next", i64::from(batch.ordinal_next))?;
    transaction.commit()
}

fn sum(parts: &[&[u8]]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    for part in parts {
        sum.update(&(part.len() as u64).to_le_bytes());
        sum.update(part);
    }
    sum.finalize()
}

fn object_sum(object: &ObjectRow) -> u32 {
    let ordinal = object.ordinal.to_le_bytes();
    sum(&[
        &ordinal,
        object.id.as_bytes(),
        object.source.as_bytes(),
        object.json.as_bytes(),
    ])
}

fn roll_sum(group: u32, version: u64, entries: &[u8], unresolved: &str, provenance: &str) -> u32 {
    let (group, version) = (group.to_le_bytes(), version.to_le_bytes());
    sum(&[&group, &version, entries, unresolved.as_bytes(), provenance.as_bytes()])
}

fn load(connection: &Connection) -> rusqlite::Result<DirectoryState> {
    let mut state = DirectoryState {
        space: space(connection)?.unwrap_or_default(),
        generation: meta(connection, "generation")?.unwrap_or(0) as u64,
        ordinal_next: meta(connection, "ordinal_next")?.unwrap_or(0) as u32,
        ..DirectoryState::default()
    };
    let mut statement = connection.prepare("SELECT ordinal, id, source, json, sum FROM objects ORDER BY ordinal")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        match object(row) {
            Some(object) => state.objects.push(object),
            None => state
                .damaged
                .push(format!("object with ordinal {}", row.get::<_, i64>(0)?)),
        }
    }
    let sql = "SELECT owner, version, entries, unresolved, provenance, sum FROM rolls ORDER BY owner";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        match roll(row)? {
            Some(roll) => state.rolls.push(roll),
            None => state.damaged.push(format!("roll of group {}", row.get::<_, i64>(0)?)),
        }
    }
    for damaged in &state.damaged {
        tracing::error!(damaged, "directory.db has a damaged row; it is left out");
    }
    Ok(state)
}

fn object(row: &Row<'_>) -> Option<ObjectRow> {
    let object = ObjectRow {
        ordinal: row.get(0).ok()?,
        id: row.get(1).ok()?,
        source: row.get(2).ok()?,
        json: row.get(3).ok()?,
    };
    (row.get::<_, u32>(4).ok()? == object_sum(&object)).then_some(object)
}

fn roll(row: &Row<'_>) -> rusqlite::Result<Option<RollRow>> {
    let entries = octets(row, 2)?;
    let read = || -> Option<RollRow> {
        let (group, version): (u32, i64) = (row.get(0).ok()?, row.get(1).ok()?);
        let (unresolved, provenance): (String, String) = (row.get(3).ok()?, row.get(4).ok()?);
        let found = roll_sum(group, version as u64, &entries, &unresolved, &provenance);
        (row.get::<_, u32>(5).ok()? == found).then_some(())?;
        Some(RollRow {
            group,
            version: version as u64,
            unresolved: serde_json::from_str(&unresolved).ok()?,
            provenance,
            entries,
        })
    };
    Ok(read())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::directory::contract::{check, object, roll};

    #[test]
    fn keeps_the_contract_and_reads_back_after_reopening() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = SqliteDirectoryStore::open(folder.path(), &Env::system()).expect("opens");
        let expected = check(&store);
        drop(store);
        let store = SqliteDirectoryStore::open(folder.path(), &Env::system()).expect("opens");
        assert_eq!(store.load(), Ok(expected), "the space too");
        let again = ChangeBatch {
            generation: 3,
            ordinal_next: 5,
            objects: vec![object(2)],
            ..ChangeBatch::default()
        };
        assert!(store.store(again).is_err(), "removed ordinals are remembered");
    }

    #[test]
    fn damaged_rows_are_named_and_left_out() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = SqliteDirectoryStore::open(folder.path(), &Env::system()).expect("opens");
        let batch = ChangeBatch {
            generation: 1,
            ordinal_next: 3,
            objects: (0..3).map(object).collect(),
            rolls: vec![roll(0, 1), roll(1, 1)],
            ..ChangeBatch::default()
        };
        store.store(batch).expect("stores");
        let damage = "UPDATE objects SET json = '{}' WHERE ordinal = 1; UPDATE rolls SET version = 2 WHERE owner = 0";
        store.inner().connection.execute_batch(damage).expect("changes");
        let state = store.load().expect("loads");
        assert_eq!(state.damaged, ["object with ordinal 1", "roll of group 0"]);
        assert_eq!((state.objects.len(), state.rolls.len()), (2, 1));
    }
}
