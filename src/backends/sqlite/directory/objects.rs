//! The table of recipient objects.
//!
//! In: a batch within its transaction. Out: rows in the order of ordinals. Never: a damaged row taken for an object.

use rusqlite::{Connection, Row};

use super::sum;
use crate::store::directory::{ChangeBatch, DirectoryState, ObjectRow};

pub(super) const TABLES: &str = "
CREATE TABLE objects (
    ordinal INTEGER PRIMARY KEY, id TEXT NOT NULL, source TEXT NOT NULL, json TEXT NOT NULL,
    sum INTEGER NOT NULL);
";

/// Writes a batch's part; the caller commits.
pub(super) fn write(connection: &Connection, batch: &ChangeBatch) -> rusqlite::Result<()> {
    for ordinal in &batch.objects_removed {
        connection
            .prepare_cached("DELETE FROM objects WHERE ordinal = ?1")?
            .execute([ordinal])?;
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
        connection.prepare_cached(sql)?.execute(values)?;
    }
    Ok(())
}

/// Reads all objects; damaged rows are named.
pub(super) fn load(connection: &Connection, state: &mut DirectoryState) -> rusqlite::Result<()> {
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
    Ok(())
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

fn object(row: &Row<'_>) -> Option<ObjectRow> {
    let object = ObjectRow {
        ordinal: row.get(0).ok()?,
        id: row.get(1).ok()?,
        source: row.get(2).ok()?,
        json: row.get(3).ok()?,
    };
    (row.get::<_, u32>(4).ok()? == object_sum(&object)).then_some(object)
}
