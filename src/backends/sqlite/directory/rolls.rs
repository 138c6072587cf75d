//! The table of rolls.
//!
//! In: a batch within its transaction. Out: rows in the order of groups. Never: a damaged row taken for a roll.

use rusqlite::{Connection, Row};

use super::super::record::octets;
use super::sum;
use crate::store::directory::{ChangeBatch, DirectoryState, RollRow};

pub(super) const TABLES: &str = "
CREATE TABLE rolls (
    owner INTEGER PRIMARY KEY, version INTEGER NOT NULL, entries BLOB NOT NULL, unresolved TEXT NOT NULL,
    provenance TEXT NOT NULL, sum INTEGER NOT NULL);
";

/// Writes a batch's part; the caller commits.
pub(super) fn write(connection: &Connection, batch: &ChangeBatch) -> rusqlite::Result<()> {
    for group in &batch.rolls_removed {
        connection
            .prepare_cached("DELETE FROM rolls WHERE owner = ?1")?
            .execute([group])?;
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
        connection.prepare_cached(sql)?.execute(values)?;
    }
    Ok(())
}

/// Reads all rolls; damaged rows are named.
pub(super) fn load(connection: &Connection, state: &mut DirectoryState) -> rusqlite::Result<()> {
    let sql = "SELECT owner, version, entries, unresolved, provenance, sum FROM rolls ORDER BY owner";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        match roll(row)? {
            Some(roll) => state.rolls.push(roll),
            None => state.damaged.push(format!("roll of group {}", row.get::<_, i64>(0)?)),
        }
    }
    Ok(())
}

fn roll_sum(group: u32, version: u64, entries: &[u8], unresolved: &str, provenance: &str) -> u32 {
    let (group, version) = (group.to_le_bytes(), version.to_le_bytes());
    sum(&[&group, &version, entries, unresolved.as_bytes(), provenance.as_bytes()])
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
