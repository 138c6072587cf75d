//! Rolls: a base and the differences after it, in one table each, and one small row that tells how they stand.
//!
//! In: a batch within its transaction. Out: rolls in the order of groups, replayed. Never: a damaged row taken for a
//! version; a whole list written for the change of a few.
//!
//! `history` is ordered by group and version, so that the versions of one group lie together, under one number: a
//! search by a key of columns would read the whole list that a first version is at every step. A group that is gone
//! keeps its base and history until they are older than the retention.

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
";
pub(super) const HISTORY: &str = "
CREATE TABLE history (key INTEGER PRIMARY KEY, at INTEGER NOT NULL, octets BLOB NOT NULL);
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

/// The number of a group's version in `history`: the group in the upper half, the version in the lower.
fn key(group: Ordinal, version: u64) -> i64 {
    (i64::from(group.0) << 32) | version.min(VERSION_MAX) as i64
}

/// The numbers of a group's versions from one on, as first and last.
fn keys_from(group: Ordinal, version: u64) -> (i64, i64) {
    (key(group, version), key(group, VERSION_MAX))
}

/// The highest version a roll can have; a version a second reaches it in 136 years.
const VERSION_MAX: u64 = u32::MAX as u64;

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
        if !fits || made > VERSION_MAX {
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

pub(super) fn write_version(connection: &Connection, change: &RollChange) -> rusqlite::Result<()> {
    let roll = &*change.roll;
    let mut standing = match standing(connection, roll.group)? {
        Some((_, standing)) => standing,
        None => Standing::default(),
    };
    standing.confirmed = Some(roll.provenance.clone()).filter(|it| it.confirmed_at != it.computed_at);
    match change.difference.as_deref() {
        None => {
            forget_from(connection, roll.group, 0)?;
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
            let sql = "INSERT INTO history (key, at, octets) VALUES (?1, ?2, ?3)";
            let at = difference.at.as_microsecond();
            connection
                .prepare_cached(sql)?
                .execute((key(roll.group, roll.version), at, octets))?;
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
        let sql = "SELECT octets FROM history WHERE key BETWEEN ?1 AND ?2 ORDER BY key";
        let mut statement = connection.prepare_cached(sql)?;
        let next = roll.as_ref().map_or(0, |roll: &Roll| roll.version + 1);
        let mut rows = statement.query(keys_from(group, next))?;
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
    match roll {
        Some(roll) => {
            forget_from(connection, group, roll.version + 1)?;
            let mut standing = Standing::default();
            write_base(connection, roll, &mut standing)?;
            keep_standing(connection, roll, &standing)
        }
        None => forget(connection, group),
    }
}

fn forget(connection: &Connection, group: Ordinal) -> rusqlite::Result<()> {
    for table in ["rolls", "versions"] {
        let sql = format!("DELETE FROM {table} WHERE owner = ?1");
        connection.prepare_cached(&sql)?.execute([group.0])?;
    }
    forget_from(connection, group, 0)
}

/// Takes away a group's history from a version on.
fn forget_from(connection: &Connection, group: Ordinal, version: u64) -> rusqlite::Result<()> {
    let sql = "DELETE FROM history WHERE key BETWEEN ?1 AND ?2";
    connection
        .prepare_cached(sql)?
        .execute(keys_from(group, version))
        .map(|_| ())
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
    let last = match query.below {
        // No version is 0.
        Some(below) => below.saturating_sub(1),
        None => VERSION_MAX,
    };
    let sql = "SELECT octets FROM history WHERE key BETWEEN ?1 AND ?2 ORDER BY key DESC";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query((key(group, 0), key(group, last)))?;
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
    let sql = "SELECT octets FROM history WHERE key BETWEEN ?1 AND ?2 AND at >= ?3 ORDER BY key";
    let mut statement = connection.prepare(sql)?;
    let mut all = Vec::new();
    for owner in owners {
        let (first, last) = keys_from(Ordinal(owner), 2);
        let mut rows = statement.query((first, last, time.as_microsecond()))?;
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
        let group = Ordinal(owner);
        let sql = "SELECT key FROM history WHERE key BETWEEN ?1 AND ?2 AND at >= ?3 ORDER BY key LIMIT 1";
        let (first, last) = keys_from(group, 0);
        let young: Option<i64> = connection
            .prepare_cached(sql)?
            .query_row((first, last, before), |row| row.get(0))
            .optional()?;
        let end = key(group, standing.base + 1).min(young.unwrap_or(i64::MAX));
        let sql = "DELETE FROM history WHERE key >= ?1 AND key < ?2";
        removed += connection.prepare_cached(sql)?.execute((first, end))? as u64;
    }
    Ok(removed)
}
