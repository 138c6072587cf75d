//! Databases of earlier releases: brought to today's tables at the first open, in one commit.
//!
//! In: `directory.db` of an earlier version. Out: the same objects, rolls and history in today's tables. Never: a
//! database half of one version and half of another; a damaged row that is sound afterwards.

use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, Row};

use super::super::record::octets;
use super::{Role, VERSION, connect, image, life, objects, rolls, sum};
use crate::directory::{Ordinal, RecipientObject, stored};
use crate::rolls::{Roll, codec};
use crate::store::directory::ObjectRow;
use crate::store::life::RollChange;

/// Brings a database of an earlier release to today's tables, in one commit.
pub(super) fn migrate(path: &Path) -> rusqlite::Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let mut connection = connect(path, Role::Writer)?;
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if !(1..VERSION).contains(&found) {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    if found == 1 {
        rolls_from_1(&transaction)?;
        transaction.execute_batch(life::TABLES)?;
    } else {
        rolls_from_4(&transaction)?;
    }
    if found < 3 {
        objects_from_2(&transaction)?;
    }
    if found < 4 {
        transaction.execute_batch(image::TABLES)?;
    }
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    tracing::info!(from = found, to = VERSION, "directory.db has today's tables now");
    Ok(())
}

/// Tables of version 1: rolls were stored whole, and there was no history.
fn rolls_from_1(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("ALTER TABLE rolls RENAME TO rolls_1")?;
    connection.execute_batch(rolls::TABLES)?;
    connection.execute_batch(rolls::HISTORY)?;
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
            rolls::write_version(connection, &change)?;
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

/// Objects of a database of version 1 or 2, which were JSON, in today's table. The caller commits.
///
/// What was damaged stays damaged, so that the next start names it as the one before did.
fn objects_from_2(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("ALTER TABLE objects RENAME TO objects_2")?;
    connection.execute_batch(objects::TABLES)?;
    {
        let mut statement =
            connection.prepare("SELECT ordinal, id, source, json, sum FROM objects_2 ORDER BY ordinal")?;
        let mut insert =
            connection.prepare("INSERT OR IGNORE INTO objects (ordinal, id, octets, sum) VALUES (?1, ?2, ?3, ?4)")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let ordinal: i64 = row.get(0)?;
            let kept = match object_of_2(row) {
                Some(ObjectRow { ordinal, id, octets }) => {
                    let sum = objects::object_sum(ordinal, &id, &octets);
                    insert.execute((ordinal, &id, &octets, sum))?
                }
                None => 0,
            };
            if kept == 0 {
                insert.execute((
                    ordinal,
                    format!("damaged, ordinal {ordinal}"),
                    &[][..],
                    objects::DAMAGED,
                ))?;
            }
        }
    }
    connection.execute_batch("DROP TABLE objects_2")
}

fn object_of_2(row: &Row<'_>) -> Option<ObjectRow> {
    let ordinal: u32 = row.get(0).ok()?;
    let (id, source, json): (String, String, String) = (row.get(1).ok()?, row.get(2).ok()?, row.get(3).ok()?);
    let found = sum(&[
        &ordinal.to_le_bytes(),
        id.as_bytes(),
        source.as_bytes(),
        json.as_bytes(),
    ]);
    (row.get::<_, u32>(4).ok()? == found).then_some(())?;
    // An object that this release cannot read is kept as it is.
    let octets = match serde_json::from_str::<RecipientObject>(&json) {
        Ok(object) => stored::encode(&object),
        Err(_) => [&[stored::FORM_JSON], json.as_bytes()].concat(),
    };
    Some(ObjectRow { ordinal, id, octets })
}

/// The history of versions 2 to 4: its key was made of two columns.
fn rolls_from_4(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("ALTER TABLE history RENAME TO history_4")?;
    connection.execute_batch(rolls::HISTORY)?;
    connection.execute_batch(
        "INSERT INTO history (key, at, octets) SELECT (owner << 32) | version, at, octets FROM history_4;
         DROP TABLE history_4;",
    )
}
