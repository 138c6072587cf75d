//! The table of recipient objects.
//!
//! In: a batch within its transaction. Out: rows in the order of ordinals. Never: a damaged row taken for an object;
//! two rows with one id, which the table itself refuses.

use rusqlite::{Connection, OptionalExtension, Row};

use super::sum;
use crate::directory::{Ordinal, RecipientObject, stored};
use crate::store::StoreFault;
use crate::store::directory::{ChangeBatch, ObjectRow};

pub(super) const TABLES: &str = "
CREATE TABLE objects (
    ordinal INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, octets BLOB NOT NULL, sum INTEGER NOT NULL);
";

/// The checksum of a row that was damaged before; no row has it.
pub(super) const DAMAGED: i64 = -1;

/// Writes a batch's part; the caller commits.
pub(super) fn write(connection: &Connection, batch: &ChangeBatch) -> rusqlite::Result<()> {
    let mut delete = connection.prepare_cached("DELETE FROM objects WHERE ordinal = ?1")?;
    for ordinal in &batch.objects_removed {
        delete.execute([ordinal])?;
    }
    let mut insert = connection.prepare_cached(
        "INSERT INTO objects (ordinal, id, octets, sum) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (ordinal) DO UPDATE SET id = ?2, octets = ?3, sum = ?4",
    )?;
    for ObjectRow { ordinal, id, octets } in &batch.objects {
        insert.execute((ordinal, id, octets, object_sum(*ordinal, id, octets)))?;
    }
    Ok(())
}

/// Whose an ordinal is.
pub(super) fn id_of(connection: &Connection, ordinal: u32) -> Result<Option<String>, StoreFault> {
    let read = || {
        let mut statement = connection.prepare_cached("SELECT id FROM objects WHERE ordinal = ?1")?;
        statement.query_row([ordinal], |row| row.get(0)).optional()
    };
    read().map_err(super::unreadable)
}

/// Reads all objects; returns which rows are damaged.
pub(super) fn read(connection: &Connection, visit: &mut dyn FnMut(Ordinal, &[u8])) -> rusqlite::Result<Vec<String>> {
    let mut damaged = Vec::new();
    let mut statement = connection.prepare("SELECT ordinal, id, octets, sum FROM objects ORDER BY ordinal")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        match sound(row) {
            Some((ordinal, octets)) => visit(ordinal, octets),
            None => damaged.push(format!("object with ordinal {}", row.get::<_, i64>(0)?)),
        }
    }
    Ok(damaged)
}

/// What an ordinal stands for now.
pub(super) enum Now {
    Object(Box<RecipientObject>),
    Gone,
    Damaged,
}

/// The objects that were touched after a generation, as they are now.
pub(super) fn touched_after(connection: &Connection, generation: u64) -> rusqlite::Result<Vec<(Ordinal, Now)>> {
    let sql = "SELECT touched.ordinal, id, octets, sum FROM touched LEFT JOIN objects USING (ordinal) \
               WHERE generation > ?1 ORDER BY touched.ordinal";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([generation as i64], |row| {
        let ordinal = Ordinal(row.get(0)?);
        if row.get_ref(1)? == rusqlite::types::ValueRef::Null {
            return Ok((ordinal, Now::Gone));
        }
        let object = sound(row).and_then(|(_, octets)| stored::decode(octets).ok());
        let now = object.map_or(Now::Damaged, |object| Now::Object(Box::new(object)));
        Ok((ordinal, now))
    })?;
    rows.collect()
}

fn sound<'r>(row: &'r Row<'_>) -> Option<(Ordinal, &'r [u8])> {
    let ordinal: u32 = row.get(0).ok()?;
    let id = row.get_ref(1).ok()?.as_str().ok()?;
    let octets = row.get_ref(2).ok()?.as_blob().ok()?;
    (row.get::<_, u32>(3).ok()? == object_sum(ordinal, id, octets)).then_some((Ordinal(ordinal), octets))
}

pub(super) fn object_sum(ordinal: u32, id: &str, octets: &[u8]) -> u32 {
    sum(&[&ordinal.to_le_bytes(), id.as_bytes(), octets])
}
