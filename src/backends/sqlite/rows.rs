//! Rows of `mail.db`, written by commits and by moves from the journal alike.

use jiff::Timestamp;
use rusqlite::{Connection, Params};

use super::answer::Trouble;
use super::operation::Damaged;
use super::record::{self, IdColumn, Place};
use super::schema::keep_meta;
use crate::limits::OUTBOX_ROW_EVENTS_MAX;
use crate::mail::{MessageId, SetId};

/// Runs one statement that is kept prepared.
pub(super) fn run(connection: &Connection, sql: &str, values: impl Params) -> Result<(), Trouble> {
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// A message with its content, as two rows.
pub(super) struct MessageRow<'a> {
    pub(super) no: i64,
    pub(super) id: MessageId,
    pub(super) pending: bool,
    pub(super) place: Place,
    pub(super) row: &'a [u8],
    pub(super) prefix: &'a [u8],
    /// CRC-32 of prefix and inline content.
    pub(super) sum: u32,
    pub(super) inline: Option<&'a [u8]>,
}

impl MessageRow<'_> {
    /// Writes it.
    pub(super) fn insert(&self, connection: &Connection) -> Result<(), Trouble> {
        let sql = "INSERT INTO messages (no, id, pending, place, sum) VALUES (?1, ?2, ?3, ?4, ?5)";
        let (id, place) = (IdColumn(self.id), self.place.to_string());
        run(
            connection,
            sql,
            (self.no, id, self.pending, place, self.place.row_sum(self.id)),
        )?;
        let sql = "INSERT INTO contents (no, row, prefix, sum, inline) VALUES (?1, ?2, ?3, ?4, ?5)";
        run(connection, sql, (self.no, self.row, self.prefix, self.sum, self.inline))
    }
}

/// A delivery set of the message with the number `no`.
pub(super) struct SetRowOf<'a> {
    pub(super) no: i64,
    pub(super) id: SetId,
    /// Number of its QUEUE event; 0 if it has none.
    pub(super) queued: u64,
    pub(super) recipients: u32,
    pub(super) row: &'a [u8],
    pub(super) roster: &'a [u8],
}

impl SetRowOf<'_> {
    /// Writes it.
    pub(super) fn insert(&self, connection: &Connection) -> Result<(), Trouble> {
        let sql = "INSERT INTO sets (id, message, queued, recipients, row, roster) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let (id, queued) = (self.id.0 as i64, self.queued as i64);
        run(
            connection,
            sql,
            (id, self.no, queued, self.recipients, self.row, self.roster),
        )
    }
}

/// Appends progress behind `rows` rows, and says where the set stands now.
pub(super) fn settle(
    connection: &Connection,
    set: SetId,
    rows: i64,
    progress: &[Vec<u8>],
    finished: bool,
    state: &[u8],
) -> Result<(), Trouble> {
    for (no, row) in (rows + 1..).zip(progress) {
        let sql = "INSERT INTO progress (id, no, row) VALUES (?1, ?2, ?3)";
        run(connection, sql, (set.0 as i64, no, row))?;
    }
    let sql = "INSERT INTO states (id, finished, rows, state) VALUES (?1, ?2, ?3, ?4) \
               ON CONFLICT (id) DO UPDATE SET finished = ?2, rows = ?3, state = ?4";
    run(
        connection,
        sql,
        (set.0 as i64, finished, rows + progress.len() as i64, state),
    )
}

/// Forgets events up to `through`, which are stored elsewhere, and sets that only they needed.
pub(super) fn forget_events(
    connection: &Connection,
    through: u64,
    sets: impl IntoIterator<Item = SetId>,
) -> Result<(), Trouble> {
    let sql = "DELETE FROM outbox WHERE first <= ?1 AND first + count - 1 <= ?1";
    run(connection, sql, [through as i64])?;
    keep_meta(connection, "outbox_through", through as i64)?;
    for set in sets {
        run(connection, "DELETE FROM sets WHERE id = ?1", [set.0 as i64])?;
    }
    Ok(())
}

/// Appends events to the outbox; the first has the number `first`.
pub(super) fn insert_events(connection: &Connection, mut first: u64, lines: &[&str]) -> Result<(), Trouble> {
    for chunk in lines.chunks(OUTBOX_ROW_EVENTS_MAX) {
        let octets = record::seal(chunk.join("\n").into_bytes());
        let sql = "INSERT INTO outbox (first, count, lines) VALUES (?1, ?2, ?3)";
        run(connection, sql, (first as i64, chunk.len() as i64, octets))?;
        first += chunk.len() as u64;
    }
    Ok(())
}

/// Lists a damaged row or frame for the operator.
pub(super) fn insert_damaged(connection: &Connection, damaged: &Damaged, at: Timestamp) -> Result<(), Trouble> {
    let sql = "INSERT INTO quarantine (what, id, message, why, at) VALUES (?1, ?2, ?3, ?4, ?5) \
               ON CONFLICT (what, id) DO NOTHING";
    let message = damaged.message.map(IdColumn);
    let values = (damaged.what, damaged.id, message, &damaged.why, at.as_microsecond());
    run(connection, sql, values)
}
