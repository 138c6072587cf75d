//! Rolls: a base and the differences after it, in one table each, and one small row that tells how they stand.
//!
//! In: a batch within its transaction. Out: rolls in the order of groups, replayed. Never: a damaged row taken for a
//! version; a whole list written for the change of a few.
//!
//! `history` is ordered by group and version, so that the versions of one group lie together. A group that is gone
//! keeps its base and history until they are older than the retention.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row};
use serde::{Deserialize, Serialize};

use super::super::record::{self, octets};
use super::sum;
use crate::directory::Ordinal;
use crate::rolls::history::{self, Difference};
use crate::rolls::{Provenance, Roll, codec};
use crate::store::StoreFault;
use crate::store::directory::{ChangeBatch, DirectoryState};
use crate::store::life::{Chain, FormerRoll, HistoryQuery, RollChange};

pub(super) const TABLES: &str = "
CREATE TABLE rolls (
    owner INTEGER PRIMARY KEY, version INTEGER NOT NULL, entries BLOB NOT NULL, provenance TEXT NOT NULL,
    sum INTEGER NOT NULL);
CREATE TABLE versions (
    owner INTEGER PRIMARY KEY, version INTEGER NOT NULL, at INTEGER NOT NULL, gone_at INTEGER, row BLOB NOT NULL);
CREATE TABLE history (
    owner INTEGER, version INTEGER, at INTEGER NOT NULL, octets BLOB NOT NULL,
    PRIMARY KEY (owner, version)) WITHOUT ROWID;
";

/// How the roll of a group stands: the latest version beside what was written for it.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
struct Standing {
    chain: Chain,
    /// Version of the base; 0: the history itself begins with the first version.
    base: u64,
    /// The latest version was found right again since.
    confirmed: Option<Provenance>,
}

/// What contradicts the rolls of a batch, if anything: a difference must follow the version that is stored.
pub(super) fn check(connection: &Connection, batch: &ChangeBatch) -> rusqlite::Result<Result<(), StoreFault>> {
    for change in &batch.rolls {
        let stored = version(connection, change.roll.group)?;
        let (group, made) = (change.roll.group.0, change.roll.version);
        let fits = match change.difference.as_deref() {
            Some(difference) => {
                difference.version == made && difference.group == change.roll.group && difference.before == stored
            }
            None => stored.is_none_or(|stored| stored < made),
        };
        if !fits {
            let stored = stored.map_or_else(|| "none".to_owned(), |stored| stored.to_string());
            let text = format!("version {made} of the roll of group {group} does not follow version {stored}");
            return Ok(Err(StoreFault::Contradiction(text)));
        }
    }
    Ok(Ok(()))
}

fn version(connection: &Connection, group: Ordinal) -> rusqlite::Result<Option<u64>> {
    let sql = "SELECT version FROM versions WHERE owner = ?1 AND gone_at IS NULL";
    let mut statement = connection.prepare_cached(sql)?;
    let found: Option<i64> = statement.query_row([group.0], |row| row.get(0)).optional()?;
    Ok(found.map(|version| version as u64))
}

/// Writes a batch's part; the caller commits.
pub(super) fn write(connection: &Connection, batch: &ChangeBatch) -> rusqlite::Result<()> {
    for group in &batch.rolls_removed {
        let sql = "UPDATE versions SET gone_at = ?2 WHERE owner = ?1";
        connection
            .prepare_cached(sql)?
            .execute((group, batch.at.as_microsecond()))?;
    }
    for change in &batch.rolls {
        write_version(connection, change)?;
    }
    for roll in &batch.rolls_confirmed {
        let Some((_, mut standing)) = standing(connection, roll.group)? else {
            continue;
        };
        standing.confirmed = Some(roll.provenance.clone());
        keep_standing(connection, roll, &standing)?;
    }
    Ok(())
}

fn write_version(connection: &Connection, change: &RollChange) -> rusqlite::Result<()> {
    let roll = &*change.roll;
    let mut standing = match standing(connection, roll.group)? {
        Some((_, standing)) => standing,
        None => Standing::default(),
    };
    standing.confirmed = Some(roll.provenance.clone()).filter(|it| it.confirmed_at != it.computed_at);
    match change.difference.as_deref() {
        None => {
            let sql = "DELETE FROM history WHERE owner = ?1";
            connection.prepare_cached(sql)?.execute([roll.group.0])?;
            write_base(connection, roll, &mut standing)?;
        }
        Some(difference) => {
            let octets = history::encode(difference);
            if difference.before.is_none() {
                // The first version is its own base: it is not written twice.
                standing.base = 0;
                standing.chain = Chain {
                    base_octets: octets.len() as u64,
                    ..Chain::default()
                };
            } else {
                standing.chain = standing.chain.with(octets.len());
            }
            let sql = "INSERT INTO history (owner, version, at, octets) VALUES (?1, ?2, ?3, ?4)";
            let at = difference.at.as_microsecond();
            connection
                .prepare_cached(sql)?
                .execute((roll.group.0, roll.version as i64, at, octets))?;
            if standing.chain.wants_base() {
                write_base(connection, roll, &mut standing)?;
            }
        }
    }
    keep_standing(connection, roll, &standing)
}

fn write_base(connection: &Connection, roll: &Roll, standing: &mut Standing) -> rusqlite::Result<()> {
    let entries = codec::encode(&roll.entries, roll.subscribers.as_ref());
    let provenance = serde_json::to_string(&roll.provenance).expect("numbers, times and a word serialise");
    let sum = roll_sum(roll.group.0, roll.version, &entries, &provenance);
    standing.base = roll.version;
    standing.chain = Chain {
        base_octets: entries.len() as u64,
        ..Chain::default()
    };
    let sql = "INSERT INTO rolls (owner, version, entries, provenance, sum) VALUES (?1, ?2, ?3, ?4, ?5) \
               ON CONFLICT (owner) DO UPDATE SET version = ?2, entries = ?3, provenance = ?4, sum = ?5";
    connection
        .prepare_cached(sql)?
        .execute((roll.group.0, roll.version as i64, entries, provenance, sum))
        .map(|_| ())
}

fn keep_standing(connection: &Connection, roll: &Roll, standing: &Standing) -> rusqlite::Result<()> {
    let sql = "INSERT INTO versions (owner, version, at, gone_at, row) VALUES (?1, ?2, ?3, NULL, ?4) \
               ON CONFLICT (owner) DO UPDATE SET version = ?2, at = ?3, gone_at = NULL, row = ?4";
    let at = roll.provenance.computed_at.as_microsecond();
    connection
        .prepare_cached(sql)?
        .execute((roll.group.0, roll.version as i64, at, record::encode(standing)))
        .map(|_| ())
}

fn standing(connection: &Connection, group: Ordinal) -> rusqlite::Result<Option<(u64, Standing)>> {
    let mut statement = connection.prepare_cached("SELECT version, row FROM versions WHERE owner = ?1")?;
    statement
        .query_row([group.0], |row| {
            let version = row.get::<_, i64>(0)? as u64;
            // A damaged row only forgets how much was written and when the list was confirmed.
            let standing = record::decode(&octets(row, 1)?).unwrap_or_default();
            Ok((version, standing))
        })
        .optional()
}

/// Reads all rolls of groups that are there. What cannot be read is named and taken away, so that the history goes
/// on from the last version that can.
pub(super) fn load(connection: &Connection, state: &mut DirectoryState) -> rusqlite::Result<()> {
    let sql = "SELECT owner FROM versions WHERE gone_at IS NULL ORDER BY owner";
    let mut statement = connection.prepare(sql)?;
    let owners: Vec<u32> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for owner in owners {
        let group = Ordinal(owner);
        let replayed = replay(connection, group)?;
        if let Some(damaged) = replayed.damaged {
            state.damaged.push(format!("roll of group {owner}: {damaged}"));
            heal(connection, group, replayed.roll.as_ref())?;
        }
        state.rolls.extend(replayed.roll);
    }
    Ok(())
}

struct Replayed {
    roll: Option<Roll>,
    damaged: Option<String>,
}

fn replay(connection: &Connection, group: Ordinal) -> rusqlite::Result<Replayed> {
    let Some((version, standing)) = standing(connection, group)? else {
        return Ok(Replayed {
            roll: None,
            damaged: None,
        });
    };
    let sql = "SELECT owner, version, entries, provenance, sum FROM rolls WHERE owner = ?1";
    let stored: Option<Option<Roll>> = connection.prepare_cached(sql)?.query_row([group.0], base).optional()?;
    let is_damaged = match &stored {
        Some(base) => base.is_none(),
        None => standing.base > 0,
    };
    let mut roll = stored.flatten();
    let mut damaged = is_damaged.then(|| "its base".to_owned());
    if damaged.is_none() {
        let sql = "SELECT octets FROM history WHERE owner = ?1 AND version > ?2 ORDER BY version";
        let mut statement = connection.prepare_cached(sql)?;
        let after = roll.as_ref().map_or(0, |roll: &Roll| roll.version);
        let mut rows = statement.query((group.0, after as i64))?;
        while let Some(row) = rows.next()? {
            let step = history::decode(&octets(row, 0)?).and_then(|difference| match &mut roll {
                Some(roll) => difference.apply_to(roll),
                None => difference.apply(None).map(|first| roll = Some(first)),
            });
            if let Err(fault) = step {
                damaged = Some(fault.to_string());
                break;
            }
        }
    }
    let reached = roll.as_ref().map_or(0, |roll| roll.version);
    if damaged.is_none() && reached != version {
        damaged = Some(format!("version {version} was written, {reached} is there"));
    }
    if let (Some(roll), Some(confirmed)) = (&mut roll, standing.confirmed)
        && reached == version
    {
        roll.provenance.confirmed_at = confirmed.confirmed_at;
        roll.provenance.generation = confirmed.generation;
        roll.provenance.filter_hash = confirmed.filter_hash;
    }
    Ok(Replayed { roll, damaged })
}

/// Takes away what lies beyond the last version that can be read, and stores that one whole.
fn heal(connection: &Connection, group: Ordinal, roll: Option<&Roll>) -> rusqlite::Result<()> {
    let reached = roll.map_or(0, |roll| roll.version as i64);
    match roll {
        Some(roll) => {
            let sql = "DELETE FROM history WHERE owner = ?1 AND version > ?2";
            connection.prepare_cached(sql)?.execute((group.0, reached))?;
            let mut standing = Standing::default();
            write_base(connection, roll, &mut standing)?;
            keep_standing(connection, roll, &standing)
        }
        None => forget(connection, group),
    }
}

fn forget(connection: &Connection, group: Ordinal) -> rusqlite::Result<()> {
    for table in ["rolls", "versions", "history"] {
        let sql = format!("DELETE FROM {table} WHERE owner = ?1");
        connection.prepare_cached(&sql)?.execute([group.0])?;
    }
    Ok(())
}

fn roll_sum(group: u32, version: u64, entries: &[u8], provenance: &str) -> u32 {
    let (group, version) = (group.to_le_bytes(), version.to_le_bytes());
    sum(&[&group, &version, entries, provenance.as_bytes()])
}

fn base(row: &Row<'_>) -> rusqlite::Result<Option<Roll>> {
    let octets = octets(row, 2)?;
    let read = || -> Option<Roll> {
        let (group, version): (u32, i64) = (row.get(0).ok()?, row.get(1).ok()?);
        let provenance: String = row.get(3).ok()?;
        let found = roll_sum(group, version as u64, &octets, &provenance);
        (row.get::<_, u32>(4).ok()? == found).then_some(())?;
        let (entries, subscribers) = codec::decode(&octets).ok()?;
        Some(Roll {
            group: Ordinal(group),
            version: version as u64,
            entries,
            subscribers,
            provenance: serde_json::from_str(&provenance).ok()?,
        })
    };
    Ok(read())
}

/// A group's differences, newest first.
pub(super) fn history(
    connection: &Connection,
    group: Ordinal,
    query: HistoryQuery,
) -> rusqlite::Result<Vec<Difference>> {
    let sql = "SELECT octets FROM history WHERE owner = ?1 AND version < ?2 ORDER BY version DESC";
    let below = query
        .below
        .map_or(i64::MAX, |below| i64::try_from(below).unwrap_or(i64::MAX));
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query((group.0, below))?;
    let mut found = Vec::new();
    while found.len() < query.count_max
        && let Some(row) = rows.next()?
    {
        let Ok(difference) = history::decode(&octets(row, 0)?) else {
            tracing::error!(
                group = group.0,
                "a version in directory.db is damaged; its history ends there"
            );
            break;
        };
        let reached = query.since.is_some_and(|since| difference.at <= since);
        found.push(difference);
        if reached {
            break;
        }
    }
    Ok(found)
}

/// The differences of all groups since a time, the first version of each left aside: it is the whole list.
pub(super) fn history_since(connection: &Connection, time: Timestamp) -> rusqlite::Result<Vec<Difference>> {
    // Only groups whose latest version is young enough are looked at.
    let sql = "SELECT owner FROM versions WHERE at >= ?1 AND version > 1 AND gone_at IS NULL ORDER BY owner";
    let mut statement = connection.prepare(sql)?;
    let owners: Vec<u32> = statement
        .query_map([time.as_microsecond()], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let sql = "SELECT octets FROM history WHERE owner = ?1 AND version > 1 AND at >= ?2 ORDER BY version";
    let mut statement = connection.prepare(sql)?;
    let mut all = Vec::new();
    for owner in owners {
        let mut rows = statement.query((owner, time.as_microsecond()))?;
        while let Some(row) = rows.next()? {
            // A damaged one is a gap, at which whoever follows the versions ends.
            all.extend(history::decode(&octets(row, 0)?).ok());
        }
    }
    Ok(all)
}

/// The last roll of a group that is gone.
pub(super) fn former(connection: &Connection, group: Ordinal) -> rusqlite::Result<Option<FormerRoll>> {
    let sql = "SELECT gone_at FROM versions WHERE owner = ?1 AND gone_at IS NOT NULL";
    let mut statement = connection.prepare_cached(sql)?;
    let gone_at: Option<i64> = statement.query_row([group.0], |row| row.get(0)).optional()?;
    let Some(gone_at) = gone_at.and_then(|at| Timestamp::from_microsecond(at).ok()) else {
        return Ok(None);
    };
    let roll = replay(connection, group)?.roll;
    Ok(roll.map(|roll| FormerRoll { roll, gone_at }))
}

/// Removes what is older than the retention; returns how many versions that were.
pub(super) fn prune(connection: &Connection, before: Timestamp) -> rusqlite::Result<u64> {
    let before = before.as_microsecond();
    let mut statement = connection.prepare("SELECT owner, gone_at, row FROM versions ORDER BY owner")?;
    let owners: Vec<(u32, Option<i64>, Standing)> = statement
        .query_map([], |row| {
            let standing = record::decode(&octets(row, 2)?).unwrap_or_default();
            Ok((row.get(0)?, row.get(1)?, standing))
        })?
        .collect::<Result<_, _>>()?;
    let mut removed = 0;
    for (owner, gone_at, standing) in owners {
        if gone_at.is_some_and(|gone_at| gone_at < before) {
            forget(connection, Ordinal(owner))?;
            removed += 1;
            continue;
        }
        // Versions of one group are in the order of time: the first young one ends the search.
        let sql = "SELECT version FROM history WHERE owner = ?1 AND at >= ?2 ORDER BY version LIMIT 1";
        let young: Option<i64> = connection
            .prepare_cached(sql)?
            .query_row((owner, before), |row| row.get(0))
            .optional()?;
        let end = young.unwrap_or(i64::MAX).min(standing.base as i64 + 1);
        let sql = "DELETE FROM history WHERE owner = ?1 AND version < ?2";
        removed += connection.prepare_cached(sql)?.execute((owner, end))? as u64;
    }
    Ok(removed)
}

/// Tables of version 1: rolls were stored whole, and there was no history.
pub(super) fn migrate_from_1(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("ALTER TABLE rolls RENAME TO rolls_1")?;
    connection.execute_batch(TABLES)?;
    {
        let sql = "SELECT owner, version, entries, unresolved, provenance, sum FROM rolls_1 ORDER BY owner";
        let mut statement = connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let Some(roll) = roll_of_1(row)? else {
                let owner = row.get::<_, i64>(0)?;
                tracing::error!(owner, "a roll in directory.db is damaged; it is computed again");
                continue;
            };
            let change = RollChange {
                roll: Arc::new(roll),
                difference: None,
            };
            write_version(connection, &change)?;
        }
    }
    connection.execute_batch("DROP TABLE rolls_1")
}

fn roll_of_1(row: &Row<'_>) -> rusqlite::Result<Option<Roll>> {
    let octets = octets(row, 2)?;
    let read = || -> Option<Roll> {
        let (group, version): (u32, i64) = (row.get(0).ok()?, row.get(1).ok()?);
        let (unresolved, provenance): (String, String) = (row.get(3).ok()?, row.get(4).ok()?);
        let (owner, number) = (group.to_le_bytes(), (version as u64).to_le_bytes());
        let parts: [&[u8]; 5] = [&owner, &number, &octets, unresolved.as_bytes(), provenance.as_bytes()];
        (row.get::<_, u32>(5).ok()? == sum(&parts)).then_some(())?;
        let (entries, subscribers) = codec::decode(&octets).ok()?;
        Some(Roll {
            group: Ordinal(group),
            version: version as u64,
            entries,
            subscribers,
            provenance: serde_json::from_str(&provenance).ok()?,
        })
    };
    Ok(read())
}
