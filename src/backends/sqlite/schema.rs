//! Connections and tables.
//!
//! `mail.db` is the only database on the mail path. Rows that are scanned at start (`messages`) are small and
//! apart from those that hold content; rows that never change (`sets`, with the roster) are apart from those
//! that do (`states`, `progress`), so that settling never rewrites a roster.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::sync;

/// Version of the tables of `mail.db`. Version 1 had the same, but no journal beside it: what knows nothing of the
/// journal must not open a directory that has one, or the mail in it would wait for ever.
pub(super) const MAIL_VERSION: i64 = 2;

/// Octets of a page of a database made here.
pub(super) const PAGE_OCTETS: u32 = 8_192;
const STATEMENTS_MAX: usize = 64;
const CACHE_KIB: u32 = 16 * 1024;
const READER_CACHE_KIB: u32 = 2 * 1024;
/// Writers of one database are few and commits are short; longer than this means a stuck process.
const BUSY_WAIT: Duration = Duration::from_secs(10);

/// Columns named `row` and `lines` and `state` are JSON with a CRC-32 (little-endian) after it.
pub(super) const MAIL: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE TABLE messages (
    no INTEGER PRIMARY KEY, id BLOB NOT NULL, pending INTEGER NOT NULL, place TEXT NOT NULL, sum INTEGER NOT NULL);
CREATE TABLE contents (
    no INTEGER PRIMARY KEY, row BLOB NOT NULL, prefix BLOB NOT NULL, sum INTEGER NOT NULL, inline BLOB);
CREATE TABLE sets (
    id INTEGER PRIMARY KEY, message INTEGER NOT NULL, queued INTEGER NOT NULL, recipients INTEGER NOT NULL,
    row BLOB NOT NULL, roster BLOB NOT NULL);
CREATE INDEX sets_message ON sets (message);
CREATE TABLE states (id INTEGER PRIMARY KEY, finished INTEGER NOT NULL, rows INTEGER NOT NULL, state BLOB NOT NULL);
CREATE TABLE progress (id INTEGER, no INTEGER, row BLOB NOT NULL, PRIMARY KEY (id, no)) WITHOUT ROWID;
CREATE TABLE holds (id INTEGER PRIMARY KEY, message BLOB NOT NULL, decided_at INTEGER, row BLOB NOT NULL);
CREATE INDEX holds_of_message ON holds (message);
CREATE INDEX holds_decided ON holds (decided_at) WHERE decided_at IS NOT NULL;
CREATE TABLE outbox (first INTEGER PRIMARY KEY, count INTEGER NOT NULL, lines BLOB NOT NULL);
CREATE TABLE quarantine (
    what TEXT NOT NULL, id INTEGER NOT NULL, message BLOB, why TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (what, id)) WITHOUT ROWID;
";

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Commits.
    Writer,
    /// Reads what was committed.
    Reader,
    /// Moves the write-ahead log into the database.
    Checkpointer,
}

/// Opens a connection. The write-ahead log is never checkpointed by a commit or a close, only by the
/// checkpointer: after a failed sync nothing may try again (DESIGN §7).
pub(super) fn connect(path: &Path, role: Role) -> rusqlite::Result<Connection> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if role == Role::Writer {
        flags |= OpenFlags::SQLITE_OPEN_CREATE;
    }
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_WAIT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.pragma_update(None, "synchronous", sync::pragma())?;
    if role == Role::Writer {
        connection.pragma_update(None, "page_size", PAGE_OCTETS)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
    }
    let cache = if role == Role::Writer {
        CACHE_KIB
    } else {
        READER_CACHE_KIB
    };
    connection.pragma_update(None, "cache_size", -i64::from(cache))?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    if role == Role::Reader {
        connection.pragma_update(None, "query_only", true)?;
    }
    Ok(connection)
}

/// Creates the tables in a new database; returns the version found in an old one.
pub(super) fn prepare(connection: &mut Connection, tables: &str, version: i64) -> rusqlite::Result<i64> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found != 0 {
        return Ok(found);
    }
    let transaction = connection.transaction()?;
    transaction.execute_batch(tables)?;
    transaction.pragma_update(None, "user_version", version)?;
    transaction.commit()?;
    Ok(version)
}

/// Brings a `mail.db` of version 1 to today's version.
pub(super) fn renew(path: &Path, today: i64) -> rusqlite::Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let connection = connect(path, Role::Writer)?;
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found == 1 {
        connection.pragma_update(None, "user_version", today)?;
        tracing::info!(from = 1, to = today, "mail.db has today's version now");
    }
    Ok(())
}

/// A number kept in `meta`.
pub(super) fn meta(connection: &Connection, name: &str) -> rusqlite::Result<Option<i64>> {
    let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE name = ?1")?;
    statement.query_row([name], |row| row.get(0)).optional()
}

/// Keeps a number in `meta`.
pub(super) fn keep_meta(connection: &Connection, name: &str, value: i64) -> rusqlite::Result<()> {
    let mut statement = connection
        .prepare_cached("INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2")?;
    statement.execute((name, value)).map(|_| ())
}
