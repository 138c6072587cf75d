//! `stops.db`: brakes, stops and decisions about the queue, each a row, each change a commit.
//!
//! Apart from `mail.db`, so that the committer of the mail path has nothing to do with them: a change is rare, and
//! waits for nobody's mail.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use rusqlite::Connection;
use serde::de::DeserializeOwned;

use super::open::{OpenFault, open_database};
use super::record::{self, octets};
use crate::policy::stop::Stop;
use crate::policy::storm::Brake;
use crate::queue::marks::{SetMarks, Suspension};
use crate::store::StoreFault;
use crate::store::stops::{StopState, StopStore, stop_end};

const VERSION: i64 = 1;
/// Frames of the log after which it is moved into the database; this store is not on the mail path.
const CHECKPOINT_PAGES: u32 = 100;

/// `over` is when it was or will be over, in microseconds since the epoch; null: never by itself.
const TABLES: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE TABLE brakes (
    thread TEXT NOT NULL, owner TEXT NOT NULL, since INTEGER NOT NULL, over INTEGER NOT NULL, row BLOB NOT NULL,
    PRIMARY KEY (thread, owner, since)) WITHOUT ROWID;
CREATE TABLE stops (id INTEGER PRIMARY KEY, over INTEGER, row BLOB NOT NULL);
";

/// What a database of an earlier release lacks.
const LATER_TABLES: &str = "
CREATE TABLE IF NOT EXISTS marks (set_id INTEGER PRIMARY KEY, row BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS suspended (next_hop TEXT PRIMARY KEY, row BLOB NOT NULL) WITHOUT ROWID;
";

/// The store of stops on SQLite. The data directory must belong to this process: open the spool first.
#[derive(Debug)]
pub struct SqliteStopStore(Mutex<Connection>);

impl SqliteStopStore {
    /// Opens or creates `stops.db` in a data directory.
    pub fn open(path: &Path) -> Result<Self, OpenFault> {
        let path = path.join("stops.db");
        let connection = open_database(&path, TABLES, VERSION)?;
        connection
            .pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)
            .map_err(OpenFault::database(&path))?;
        connection
            .execute_batch(LATER_TABLES)
            .map_err(OpenFault::database(&path))?;
        Ok(Self(Mutex::new(connection)))
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, sql: &str, values: impl rusqlite::Params) -> Result<(), StoreFault> {
        let done = self
            .connection()
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(values));
        done.map(|_| ()).map_err(|fault| StoreFault::Suspect(fault.to_string()))
    }
}

impl StopStore for SqliteStopStore {
    fn load(&self) -> Result<StopState, StoreFault> {
        let connection = self.connection();
        let unreadable = |fault: rusqlite::Error| StoreFault::Unreadable(fault.to_string());
        Ok(StopState {
            brakes: rows(&connection, "SELECT row FROM brakes ORDER BY since").map_err(unreadable)?,
            stops: rows(&connection, "SELECT row FROM stops ORDER BY id").map_err(unreadable)?,
            marks: rows(&connection, "SELECT row FROM marks").map_err(unreadable)?,
            suspensions: rows(&connection, "SELECT row FROM suspended").map_err(unreadable)?,
        })
    }

    fn keep_brake(&self, brake: &Brake) -> Result<(), StoreFault> {
        let over = brake.ended.as_ref().map_or(brake.until, |ended| ended.at);
        self.run(
            "INSERT OR REPLACE INTO brakes (thread, owner, since, over, row) VALUES (?1, ?2, ?3, ?4, ?5)",
            (
                &*brake.thread,
                brake.group.as_str(),
                brake.since.as_microsecond(),
                over.as_microsecond(),
                record::encode(brake),
            ),
        )
    }

    fn keep_stop(&self, stop: &Stop) -> Result<(), StoreFault> {
        let over = stop_end(stop).map(Timestamp::as_microsecond);
        self.run(
            "INSERT OR REPLACE INTO stops (id, over, row) VALUES (?1, ?2, ?3)",
            (stop.id.0 as i64, over, record::encode(stop)),
        )
    }

    fn forget(&self, before: Timestamp) -> Result<(), StoreFault> {
        let before = before.as_microsecond();
        self.run("DELETE FROM brakes WHERE over < ?1", [before])?;
        self.run("DELETE FROM stops WHERE over < ?1", [before])
    }

    fn keep_marks(&self, marks: &SetMarks) -> Result<(), StoreFault> {
        let set = marks.set.0 as i64;
        if marks.is_empty() {
            return self.run("DELETE FROM marks WHERE set_id = ?1", [set]);
        }
        self.run(
            "INSERT OR REPLACE INTO marks (set_id, row) VALUES (?1, ?2)",
            (set, record::encode(marks)),
        )
    }

    fn keep_suspension(&self, suspension: &Suspension) -> Result<(), StoreFault> {
        self.run(
            "INSERT OR REPLACE INTO suspended (next_hop, row) VALUES (?1, ?2)",
            (&suspension.next_hop, record::encode(suspension)),
        )
    }

    fn end_suspension(&self, next_hop: &str) -> Result<(), StoreFault> {
        self.run("DELETE FROM suspended WHERE next_hop = ?1", [next_hop])
    }
}

/// A damaged row is left out and said: what it held back goes on, which an operator must know.
fn rows<T: DeserializeOwned>(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<T>> {
    let mut found = Vec::new();
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        match record::decode(&octets(row, 0)?) {
            Ok(one) => found.push(one),
            Err(damage) => tracing::error!(%damage, "stops.db has a damaged row: a brake or stop is not on any more"),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::StopId;
    use crate::policy::stop::Scope;
    use crate::policy::storm::Ended;

    #[test]
    fn a_stop_is_there_after_a_restart_and_its_end_too() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |second: i64| Timestamp::from_second(second).expect("in range");
        let mut stop = Stop {
            id: StopId(7),
            scope: Scope::Thread { thread: "<a@x>".into() },
            since: at(10),
            until: None,
            by: "eva".to_owned(),
            reason: "storm".to_owned(),
            ended: None,
        };
        let open = || SqliteStopStore::open(folder.path()).expect("it opens");
        open().keep_stop(&stop).expect("kept");
        assert_eq!(open().load().expect("read").stops, [stop.clone()]);
        let store = open();
        store.forget(at(1_000)).expect("done");
        assert_eq!(store.load().expect("read").stops.len(), 1, "what is on stays");
        stop.ended = Some(Ended {
            at: at(20),
            by: "eva".to_owned(),
        });
        store.keep_stop(&stop).expect("kept");
        assert_eq!(store.load().expect("read").stops, [stop]);
        store.forget(at(1_000)).expect("done");
        assert_eq!(store.load().expect("read").stops, []);
    }
}
