//! Moving mail from the journal to the database: in bulk, and only what is still needed.
//!
//! In: an open transaction, and what frames up to a number brought. Out: rows. Never: a message of whose frame the rest
//! stays behind; the caller says in the same transaction up to which frame the database holds everything.

use rusqlite::Connection;

use super::super::answer::Trouble;
use super::super::rows::{self, MessageRow, SetRowOf};
use super::entry::AcceptedSet;
use super::young::{Line, Part, YoungMessage};
use crate::mail::{MessageId, SetId};

/// What was written.
#[derive(Debug, Default)]
pub(crate) struct Moved {
    /// Row numbers of messages.
    pub(crate) numbers: Vec<(MessageId, i64)>,
    /// Sets of ended messages, by the number of the QUEUE event that still needs their roster.
    pub(crate) left: Vec<(u64, SetId)>,
}

/// Writes a part of the journal, with row numbers from `next_no` on.
pub(crate) fn write(connection: &Connection, part: &Part, next_no: &mut i64) -> Result<Moved, Trouble> {
    let mut moved = Moved::default();
    let mut number = || {
        *next_no += 1;
        *next_no - 1
    };
    for message in &part.messages {
        let no = number();
        write_message(connection, no, message)?;
        moved.numbers.push((message.accepted.id, no));
    }
    for set in &part.left {
        // Of a message that the database never knew: its number is nobody's.
        write_set(connection, number(), set)?;
        moved.left.push((set.queued, set.id));
    }
    write_events(connection, &part.lines)?;
    Ok(moved)
}

fn write_set(connection: &Connection, no: i64, set: &AcceptedSet) -> Result<(), Trouble> {
    let row = SetRowOf {
        no,
        id: set.id,
        queued: set.queued,
        recipients: set.recipients,
        row: &set.row,
        roster: &set.roster,
    };
    row.insert(connection)
}

fn write_message(connection: &Connection, no: i64, message: &YoungMessage) -> Result<(), Trouble> {
    let accepted = &message.accepted;
    let row = MessageRow {
        no,
        id: accepted.id,
        pending: false,
        place: accepted.place,
        row: &accepted.row,
        prefix: &accepted.prefix,
        sum: accepted.sum,
        inline: accepted.inline.as_deref(),
    };
    row.insert(connection)?;
    for set in &message.sets {
        write_set(connection, no, &set.accepted)?;
        if let Some(state) = &set.state {
            rows::settle(connection, set.accepted.id, 0, &set.progress, set.finished, state)?;
        }
    }
    Ok(())
}

/// Events that are not stored elsewhere, a row for each run of numbers: others may have gone to the database at once.
fn write_events(connection: &Connection, lines: &[Line]) -> Result<(), Trouble> {
    let mut run: Vec<&str> = Vec::new();
    let mut first = 0;
    for line in lines {
        if first + run.len() as u64 != line.number {
            rows::insert_events(connection, first, &run)?;
            run.clear();
            first = line.number;
        }
        run.push(&line.text);
    }
    rows::insert_events(connection, first, &run)
}
