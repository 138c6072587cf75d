//! `trace.db`: tracking events after they have left the spool, looked up by message, time and recipient.
//!
//! A recipient is found by an index of addresses; rosters too large for that are searched one by one, so that
//! a message to 100,000 people costs one row here as well.

mod rows;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use super::open::{OpenFault, open_database};
use super::record::{IdColumn, octets};
use super::schema::{self, Role, keep_meta, meta};
use crate::limits::TRACE_INDEXED_RECIPIENTS_MAX;
use crate::mail::{Mailbox, MessageId, SetId};
use crate::spool::roster::Roster;
use crate::store::StoreFault;
use crate::store::trace::{TraceStore, TraceWindow, folded, names, queued, recipients};
use crate::track::Event;

const VERSION: i64 = 2;
/// Frames of the log after which it is moved into the database; this store is not on the mail path.
const CHECKPOINT_PAGES: u32 = 4_000;

/// Tables beside those of events. Times are microseconds since the epoch.
const TABLES: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE TABLE rosters (
    message BLOB NOT NULL, id INTEGER NOT NULL, at INTEGER NOT NULL, indexed INTEGER NOT NULL,
    roster BLOB NOT NULL, PRIMARY KEY (message, id));
CREATE INDEX rosters_at ON rosters (at) WHERE indexed = 0;
CREATE TABLE recipients (
    address TEXT NOT NULL, at INTEGER NOT NULL, message BLOB NOT NULL,
    PRIMARY KEY (address, at, message)) WITHOUT ROWID;
";

/// The trace on SQLite. The data directory must belong to this process: open the spool first.
#[derive(Debug)]
pub struct SqliteTraceStore {
    writer: Mutex<Writer>,
    reader: Mutex<Connection>,
}

#[derive(Debug)]
struct Writer {
    connection: Connection,
    through: u64,
    suspect: Option<StoreFault>,
}

impl SqliteTraceStore {
    /// Opens or creates `trace.db` in a data directory.
    pub fn open(path: &Path) -> Result<Self, OpenFault> {
        let path = path.join("trace.db");
        let fault = || OpenFault::database(&path);
        rows::renew(&path, VERSION).map_err(fault())?;
        let connection = open_database(&path, &format!("{TABLES}{}", rows::TABLES), VERSION)?;
        connection
            .pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)
            .map_err(fault())?;
        // Since reports come back to the number of a set; a store of an earlier release has no such index.
        connection
            .execute_batch("CREATE INDEX IF NOT EXISTS rosters_id ON rosters (id)")
            .map_err(fault())?;
        let through = meta(&connection, "through").map_err(fault())?.unwrap_or(0) as u64;
        let reader = schema::connect(&path, Role::Reader).map_err(fault())?;
        Ok(Self {
            writer: Mutex::new(Writer {
                connection,
                through,
                suspect: None,
            }),
            reader: Mutex::new(reader),
        })
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreFault> {
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        read(&reader).map_err(|fault| StoreFault::Unreadable(fault.to_string()))
    }
}

impl Writer {
    /// Runs one commit; its failure ends all writing.
    fn commit<T>(
        &mut self,
        what: &str,
        write: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreFault> {
        if let Some(fault) = &self.suspect {
            return Err(fault.clone());
        }
        let done = self.connection.transaction().and_then(|transaction| {
            let answer = write(&transaction)?;
            transaction.commit()?;
            Ok(answer)
        });
        done.map_err(|fault| {
            let fault = StoreFault::Suspect(format!("{what}: {fault}"));
            tracing::error!(%fault, "trace.db takes no events until a restart");
            self.suspect = Some(fault.clone());
            fault
        })
    }
}

impl TraceStore for SqliteTraceStore {
    fn append(&self, events: &[(u64, Event)], rosters: &[(SetId, Vec<u8>)]) -> Result<(), StoreFault> {
        let queued = queued(events);
        let mut decoded = Vec::with_capacity(rosters.len());
        for (set, octets) in rosters {
            let roster = Roster::decode(octets).map_err(|fault| StoreFault::Contradiction(fault.to_string()))?;
            if let Some((message, at)) = queued.get(set) {
                decoded.push((*message, *set, *at, octets, roster));
            }
        }
        let mut writer = self.writer();
        let before = writer.through;
        let through = events.iter().map(|(number, _)| *number).fold(before, u64::max);
        writer.commit("events", |connection| {
            let new = || events.iter().filter(|(number, _)| *number > before);
            rows::insert(connection, new())?;
            let mut named = Vec::new();
            for (_, event) in new() {
                let found = recipients(&event.kind).into_iter();
                named.extend(found.map(|address| (folded(address), micros(event.at), event.message)));
            }
            for (message, set, at, octets, roster) in &decoded {
                if insert_roster(connection, (*message, *set), *at, octets, roster)? {
                    named.extend(roster.iter().map(|(_, _, path)| (folded(path), micros(*at), *message)));
                }
            }
            insert_recipients(connection, named)?;
            keep_meta(connection, "through", through as i64)
        })?;
        writer.through = through;
        Ok(())
    }

    fn stored_through(&self) -> Result<u64, StoreFault> {
        Ok(self.writer().through)
    }

    fn of_message(&self, id: MessageId) -> Result<Vec<Event>, StoreFault> {
        self.read(|connection| rows::of_message(connection, id))?
    }

    fn between(&self, window: TraceWindow, after: u64, count_max: usize) -> Result<Vec<(u64, Event)>, StoreFault> {
        self.read(|connection| rows::between(connection, window, after, count_max))?
    }

    fn of_recipient(
        &self,
        recipient: &Mailbox,
        window: TraceWindow,
        count_max: usize,
    ) -> Result<Vec<MessageId>, StoreFault> {
        let (from, until) = (micros(window.from), micros(window.until));
        let mut found = BTreeSet::new();
        self.read(|connection| {
            // Ids sort by time: the newest are kept when there are too many.
            let keep = |id: MessageId, found: &mut BTreeSet<MessageId>| {
                found.insert(id);
                if found.len() > count_max {
                    found.pop_first();
                }
            };
            let sql = "SELECT message FROM recipients WHERE address = ?1 AND at >= ?2 AND at < ?3";
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query((recipient.key().as_str(), from, until))?;
            while let Some(row) = rows.next()? {
                keep(row.get::<_, IdColumn>(0)?.0, &mut found);
            }
            let sql = "SELECT message, roster FROM rosters WHERE indexed = 0 AND at >= ?1 AND at < ?2";
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query((from, until))?;
            while let Some(row) = rows.next()? {
                let IdColumn(id) = row.get(0)?;
                if !found.contains(&id)
                    && Roster::decode(&octets(row, 1)?).is_ok_and(|roster| names(&roster, recipient))
                {
                    keep(id, &mut found);
                }
            }
            Ok(())
        })?;
        Ok(found.into_iter().rev().collect())
    }

    fn roster(&self, message: MessageId, set: SetId) -> Result<Option<Roster>, StoreFault> {
        let found = self.read(|connection| {
            connection
                .prepare_cached("SELECT roster FROM rosters WHERE message = ?1 AND id = ?2")?
                .query_row((IdColumn(message), set.0 as i64), |row| octets(row, 0))
                .optional()
        })?;
        let decode = |octets: Vec<u8>| Roster::decode(&octets);
        let decoded = found.map(decode).transpose();
        decoded.map_err(|fault| StoreFault::Unreadable(format!("the roster of {set}: {fault}")))
    }

    fn message_of(&self, set: SetId) -> Result<Option<MessageId>, StoreFault> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT message FROM rosters WHERE id = ?1 ORDER BY at DESC LIMIT 1")?
                .query_row([set.0 as i64], |row| row.get::<_, IdColumn>(0))
                .optional()
        })
        .map(|found| found.map(|IdColumn(message)| message))
    }

    fn prune(&self, before: Timestamp) -> Result<u64, StoreFault> {
        self.writer().commit("removing old events", |connection| {
            let count = rows::prune(connection, before)?;
            let before = micros(before);
            connection.execute("DELETE FROM rosters WHERE at < ?1", [before])?;
            connection.execute("DELETE FROM recipients WHERE at < ?1", [before])?;
            Ok(count)
        })
    }
}

fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

/// Stores who is named where, in the order of the table: then a page is touched once.
fn insert_recipients(connection: &Connection, mut named: Vec<(String, i64, MessageId)>) -> rusqlite::Result<()> {
    named.sort_unstable();
    named.dedup();
    let mut insert = connection
        .prepare_cached("INSERT INTO recipients (address, at, message) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?;
    for (address, at, message) in named {
        insert.execute((address, at, IdColumn(message)))?;
    }
    Ok(())
}

/// Stores a roster; true if its recipients belong into the index of addresses.
fn insert_roster(
    connection: &Connection,
    (message, set): (MessageId, SetId),
    at: Timestamp,
    octets: &[u8],
    roster: &Roster,
) -> rusqlite::Result<bool> {
    let indexed = roster.len() <= TRACE_INDEXED_RECIPIENTS_MAX;
    let sql = "INSERT INTO rosters (message, id, at, indexed, roster) VALUES (?1, ?2, ?3, ?4, ?5) \
               ON CONFLICT (message, id) DO NOTHING";
    connection
        .prepare_cached(sql)?
        .execute((IdColumn(message), set.0 as i64, micros(at), indexed, octets))?;
    Ok(indexed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::trace::contract;

    #[test]
    fn keeps_the_contract() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let trace = SqliteTraceStore::open(folder.path()).expect("opens");
        contract::check(&trace);
        let through = trace.stored_through();
        drop(trace);
        let trace = SqliteTraceStore::open(folder.path()).expect("opens");
        assert_eq!(trace.stored_through(), through);
    }

    /// Tables as version 1 had them.
    const VERSION_1: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE TABLE events (
    number INTEGER PRIMARY KEY, at INTEGER NOT NULL, message BLOB NOT NULL, event TEXT NOT NULL);
CREATE INDEX events_message ON events (message);
CREATE INDEX events_at ON events (at);
CREATE TABLE rosters (
    message BLOB NOT NULL, id INTEGER NOT NULL, at INTEGER NOT NULL, indexed INTEGER NOT NULL,
    roster BLOB NOT NULL, PRIMARY KEY (message, id));
CREATE INDEX rosters_at ON rosters (at) WHERE indexed = 0;
CREATE TABLE recipients (
    address TEXT NOT NULL, at INTEGER NOT NULL, message BLOB NOT NULL,
    PRIMARY KEY (address, at, message)) WITHOUT ROWID;
PRAGMA user_version = 1;
";

    #[test]
    fn what_version_1_stored_is_found_and_pruned() {
        let event = |minute: i64| Event {
            at: Timestamp::from_second(minute * 60).expect("a time"),
            message: MessageId(uuid::Uuid::from_u128(minute as u128 % 2)),
            kind: crate::track::EventKind::Done,
        };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let old = schema::connect(&folder.path().join("trace.db"), Role::Writer).expect("opens");
        old.execute_batch(VERSION_1).expect("tables");
        for number in 1..=5_000 {
            let event = event(number);
            let line = serde_json::to_string(&event).expect("plain");
            old.prepare_cached("INSERT INTO events (number, at, message, event) VALUES (?1, ?2, ?3, ?4)")
                .and_then(|mut insert| insert.execute((number, micros(event.at), IdColumn(event.message), line)))
                .expect("inserts");
        }
        keep_meta(&old, "through", 5_000).expect("keeps");
        drop(old);
        let trace = SqliteTraceStore::open(folder.path()).expect("opens");
        trace
            .append(&[(5_001, event(5_001)), (5_002, event(5_002))], &[])
            .expect("appends");
        let numbers = |window, after| -> Vec<u64> {
            let found = trace.between(window, after, 10_000).expect("reads");
            found.into_iter().map(|(number, _)| number).collect()
        };
        assert_eq!(numbers(TraceWindow::ALL, 0), (1..=5_002).collect::<Vec<_>>());
        assert_eq!(numbers(TraceWindow::ALL, 4_990), (4_991..=5_002).collect::<Vec<_>>());
        let window = TraceWindow {
            from: event(2_040).at,
            until: event(2_060).at,
        };
        assert_eq!(numbers(window, 0), (2_040..2_060).collect::<Vec<_>>());
        let of_one = trace.of_message(event(1).message).expect("reads");
        assert_eq!(of_one.len(), 2_501);
        assert!(of_one.is_sorted_by_key(|event| event.at));
        assert_eq!(trace.prune(event(5_002).at), Ok(5_001));
        assert_eq!(numbers(TraceWindow::ALL, 0), [5_002]);
    }
}
