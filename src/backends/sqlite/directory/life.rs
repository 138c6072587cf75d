//! What is kept beside the rolls: who is gone, values that changed, pins, holds, decisions, suspects, deeds.
//!
//! In: a batch within its transaction. Out: what serves, at start; the rest by query. Never: a damaged row taken for
//! a decision.
//!
//! Rows are JSON with a CRC-32 after it, as in `mail.db`; a hold's proposal is stored as the history writes it.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, Row};
use serde::de::DeserializeOwned;

use super::super::record::{self, Damage, octets};
use crate::directory::attribute::Attribute;
use crate::directory::{ObjectId, Ordinal, SourceId};
use crate::rolls::hold::Hold;
use crate::rolls::local::LocalDecisions;
use crate::rolls::pin::{Pin, Pins};
use crate::rolls::suspect::Suspicion;
use crate::store::directory::DirectoryState;
use crate::store::life::{AttributeChange, AuditEntry, GoneRow, LifeBatch, LifeState};

pub(super) const TABLES: &str = "
CREATE TABLE gone (ordinal INTEGER PRIMARY KEY, at INTEGER NOT NULL, row BLOB NOT NULL);
CREATE TABLE attribute_changes (
    ordinal INTEGER, attribute TEXT, at INTEGER NOT NULL, before TEXT, after TEXT, source TEXT NOT NULL,
    PRIMARY KEY (ordinal, attribute)) WITHOUT ROWID;
CREATE TABLE pins (owner INTEGER PRIMARY KEY, row BLOB NOT NULL);
CREATE TABLE guard_holds (owner INTEGER PRIMARY KEY, row BLOB NOT NULL, proposed BLOB NOT NULL);
CREATE TABLE decisions (id TEXT PRIMARY KEY, row BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE suspects (address TEXT PRIMARY KEY, row BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE audit (no INTEGER PRIMARY KEY, at INTEGER NOT NULL, subject TEXT NOT NULL, row BLOB NOT NULL);
CREATE INDEX audit_subject ON audit (subject);
";

/// Writes a batch's part; the caller commits.
pub(super) fn write(connection: &Connection, life: &LifeBatch) -> rusqlite::Result<()> {
    for gone in &life.gone {
        let sql = "INSERT OR REPLACE INTO gone (ordinal, at, row) VALUES (?1, ?2, ?3)";
        let values = (gone.ordinal.0, gone.at.as_microsecond(), record::encode(gone));
        connection.prepare_cached(sql)?.execute(values)?;
    }
    for change in &life.attribute_changes {
        write_change(connection, change)?;
    }
    for (group, pins) in &life.pins {
        let list: Vec<&Pin> = pins.iter().collect();
        let row = (!list.is_empty()).then(|| record::encode(&list));
        keep(connection, "pins", "owner", group.0, row)?;
    }
    for (group, hold) in &life.holds {
        match hold {
            None => keep(connection, "guard_holds", "owner", group.0, None)?,
            Some(hold) => {
                let (text, proposed) = hold.encode();
                let sql = "INSERT OR REPLACE INTO guard_holds (owner, row, proposed) VALUES (?1, ?2, ?3)";
                let row = record::seal(text.into_bytes());
                connection.prepare_cached(sql)?.execute((group.0, row, proposed))?;
            }
        }
    }
    for (group, decisions) in &life.decisions {
        let row = (!decisions.is_empty()).then(|| record::encode(decisions));
        keep(connection, "decisions", "id", group.as_str(), row)?;
    }
    for change in &life.suspects {
        let row = change.suspicion.as_ref().map(record::encode);
        keep(connection, "suspects", "address", change.key.as_str(), row)?;
    }
    for entry in &life.audit {
        let sql = "INSERT INTO audit (at, subject, row) VALUES (?1, ?2, ?3)";
        let values = (entry.at.as_microsecond(), &entry.subject, record::encode(entry));
        connection.prepare_cached(sql)?.execute(values)?;
    }
    Ok(())
}

fn write_change(connection: &Connection, change: &AttributeChange) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO attribute_changes (ordinal, attribute, at, before, after, source) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let values = (
        change.ordinal.0,
        change.attribute.name(),
        change.at.as_microsecond(),
        change.before.as_deref(),
        change.after.as_deref(),
        change.source.as_str(),
    );
    connection.prepare_cached(sql)?.execute(values).map(|_| ())
}

/// Keeps a row under its key, or takes it away.
fn keep(
    connection: &Connection,
    table: &str,
    column: &str,
    key: impl rusqlite::ToSql,
    row: Option<Vec<u8>>,
) -> rusqlite::Result<()> {
    match row {
        Some(row) => {
            let sql = format!("INSERT OR REPLACE INTO {table} ({column}, row) VALUES (?1, ?2)");
            connection.prepare_cached(&sql)?.execute((key, row))?;
        }
        None => {
            let sql = format!("DELETE FROM {table} WHERE {column} = ?1");
            connection.prepare_cached(&sql)?.execute([key])?;
        }
    }
    Ok(())
}

/// Reads what serves; damaged rows are named.
pub(super) fn load(connection: &Connection, state: &mut DirectoryState) -> rusqlite::Result<()> {
    let mut life = LifeState::default();
    let damaged = &mut state.damaged;
    each(connection, "SELECT owner, row FROM pins ORDER BY owner", |row| {
        let (group, octets): (u32, Vec<u8>) = (row.get(0)?, octets(row, 1)?);
        match record::decode::<Vec<Pin>>(&octets) {
            Ok(pins) => life.pins.push((Ordinal(group), pins.into_iter().collect::<Pins>())),
            Err(Damage(fault)) => damaged.push(format!("pins of group {group}: {fault}")),
        }
        Ok(())
    })?;
    let sql = "SELECT owner, row, proposed FROM guard_holds ORDER BY owner";
    each(connection, sql, |row| {
        let group: u32 = row.get(0)?;
        match hold(&octets(row, 1)?, &octets(row, 2)?) {
            Ok(hold) => life.holds.push(hold),
            Err(fault) => damaged.push(format!("hold of group {group}: {fault}")),
        }
        Ok(())
    })?;
    each(connection, "SELECT id, row FROM decisions ORDER BY id", |row| {
        let id: String = row.get(0)?;
        match record::decode::<LocalDecisions>(&octets(row, 1)?) {
            Ok(decisions) => life.decisions.push((ObjectId::new(id), decisions)),
            Err(Damage(fault)) => damaged.push(format!("decisions about group {id}: {fault}")),
        }
        Ok(())
    })?;
    each(
        connection,
        "SELECT address, row FROM suspects ORDER BY address",
        |row| {
            let address: String = row.get(0)?;
            match record::decode::<Suspicion>(&octets(row, 1)?) {
                Ok(suspicion) => life.suspects.push(suspicion),
                Err(Damage(fault)) => damaged.push(format!("suspicion of {address}: {fault}")),
            }
            Ok(())
        },
    )?;
    state.life = life;
    Ok(())
}

fn hold(row: &[u8], proposed: &[u8]) -> Result<Hold, String> {
    let text = record::unseal(row).map_err(|Damage(fault)| fault)?;
    let text = std::str::from_utf8(text).map_err(|fault| fault.to_string())?;
    Hold::decode(text, proposed).map_err(|fault| fault.to_string())
}

fn each(
    connection: &Connection,
    sql: &str,
    mut read: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        read(row)?;
    }
    Ok(())
}

/// A row of the log of a query; a damaged one is left out and said.
fn readable<T: DeserializeOwned>(row: &Row<'_>, column: usize, what: &str) -> rusqlite::Result<Option<T>> {
    match record::decode(&octets(row, column)?) {
        Ok(value) => Ok(Some(value)),
        Err(Damage(fault)) => {
            tracing::error!(what, fault, "directory.db has a damaged row; it is left out");
            Ok(None)
        }
    }
}

/// Those of these objects that are gone.
pub(super) fn gone(connection: &Connection, ordinals: &[Ordinal]) -> rusqlite::Result<Vec<GoneRow>> {
    let mut statement = connection.prepare_cached("SELECT row FROM gone WHERE ordinal = ?1")?;
    let mut found = Vec::new();
    for ordinal in ordinals {
        let mut rows = statement.query([ordinal.0])?;
        if let Some(row) = rows.next()? {
            found.extend(readable(row, 0, "an object that is gone")?);
        }
    }
    Ok(found)
}

/// The last change of each value of an object.
pub(super) fn changes(connection: &Connection, ordinal: Ordinal) -> rusqlite::Result<Vec<AttributeChange>> {
    let sql = "SELECT attribute, at, before, after, source FROM attribute_changes WHERE ordinal = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([ordinal.0])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        let at = Timestamp::from_microsecond(row.get(1)?);
        // A name that a newer program wrote is none that can be asked for.
        let (Some(attribute), Ok(at)) = (Attribute::from_name(&name), at) else {
            continue;
        };
        let text = |text: Option<String>| text.map(Arc::from);
        found.push(AttributeChange {
            ordinal,
            attribute,
            at,
            before: text(row.get(2)?),
            after: text(row.get(3)?),
            source: SourceId::new(row.get::<_, String>(4)?),
        });
    }
    found.sort_by_key(|change| change.attribute);
    Ok(found)
}

/// Deeds, newest first.
pub(super) fn audit(
    connection: &Connection,
    subject: Option<&str>,
    count_max: usize,
) -> rusqlite::Result<Vec<AuditEntry>> {
    let sql = "SELECT row FROM audit WHERE ?1 IS NULL OR subject = ?1 ORDER BY no DESC LIMIT ?2";
    let count_max = i64::try_from(count_max).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query((subject, count_max))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.extend(readable(row, 0, "a deed")?);
    }
    Ok(found)
}

/// Removes what is older than the retention; returns how many rows that were.
pub(super) fn prune(connection: &Connection, before: Timestamp) -> rusqlite::Result<u64> {
    let mut removed = 0;
    for table in ["gone", "attribute_changes", "audit"] {
        let sql = format!("DELETE FROM {table} WHERE at < ?1");
        removed += connection.execute(&sql, [before.as_microsecond()])? as u64;
    }
    Ok(removed)
}
