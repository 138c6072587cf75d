//! What the committer must know, read from the database: at start, and after a transaction was taken back.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;

use rusqlite::Connection;
use uuid::Uuid;

use super::answer::Trouble;
use super::journal::young::Kept;
use super::live::Entry;
use super::operation::Damaged;
use super::record::{IdColumn, Place};
use super::schema::meta;
use super::state::State;
use crate::mail::{MessageId, SetId};

/// The durable state without contents.
pub(super) struct Loaded {
    pub(super) messages: HashMap<MessageId, Entry>,
    pub(super) next_no: i64,
    pub(super) next_event: u64,
    pub(super) outbox_through: u64,
    pub(super) left: BTreeMap<u64, SetId>,
    pub(super) set_high: u64,
    pub(super) hold_high: u64,
    /// The frame of the journal up to which the database holds everything.
    pub(super) journal_through: u64,
    /// Rows of `messages` that are not what was written.
    pub(super) damaged: Vec<Damaged>,
}

impl Loaded {
    /// Replaces what the committer believed.
    fn restore(self, state: &mut State) {
        *state.live.lock() = self.messages;
        state.next_no = state.next_no.max(self.next_no);
        state.next_event = self.next_event;
        state.outbox_through = self.outbox_through;
        state.left = self.left;
        state.set_high = self.set_high;
        state.set_kept = self.set_high;
        state.hold_high = self.hold_high;
        state.journal_through = self.journal_through;
        let segments = state.live.segments();
        state.segments.recount(segments);
    }

    /// Names of body files.
    pub(super) fn files(&self) -> HashSet<Uuid> {
        let places = self.messages.values().map(|entry| entry.place);
        places
            .filter_map(|place| match place {
                Place::File { name, .. } => Some(name),
                Place::Inline | Place::Segment { .. } => None,
            })
            .collect()
    }
}

/// Reads everything.
pub(super) fn load(connection: &Connection) -> rusqlite::Result<Loaded> {
    let mut damaged = Vec::new();
    let (mut messages, ids) = messages(connection, &mut damaged)?;
    let mut keep = |no: i64, change: fn(&mut Entry)| {
        if let Some(entry) = ids.get(&no).and_then(|id| messages.get_mut(id)) {
            change(entry);
        }
    };
    // The index holds message and set: rosters are not touched.
    let sql = "SELECT s.message FROM sets s INDEXED BY sets_message LEFT JOIN states t ON t.id = s.id \
               WHERE coalesce(t.finished, 0) = 0";
    for no in numbers(connection, sql)? {
        keep(no, |entry| entry.sets_open += 1);
    }
    let mut statement = connection.prepare("SELECT message FROM holds WHERE decided_at IS NULL")?;
    for id in statement.query_map([], |row| row.get::<_, IdColumn>(0))? {
        if let Some(entry) = messages.get_mut(&id?.0) {
            entry.holds_waiting += 1;
        }
    }
    let mut statement = connection.prepare("SELECT message FROM quarantine WHERE message IS NOT NULL")?;
    for id in statement.query_map([], |row| row.get::<_, IdColumn>(0))? {
        if let Some(entry) = messages.get_mut(&id?.0) {
            entry.quarantined = true;
        }
    }
    let number = |name| Ok::<_, rusqlite::Error>(meta(connection, name)?.unwrap_or(0) as u64);
    let (event_high, event_last) = (number("event_high")?, last_event(connection)?);
    // Numbers that a start passed over are of no event: none of them waits to be stored elsewhere.
    let passed_over = if event_last == 0 { event_high } else { 0 };
    let outbox_through = number("outbox_through")?.max(passed_over);
    Ok(Loaded {
        messages,
        next_no: next_no(connection)?,
        next_event: outbox_through.max(event_last).max(event_high) + 1,
        outbox_through,
        left: left(connection)?,
        set_high: number("set_high")?,
        hold_high: number("hold_high")?,
        journal_through: number("journal_through")?,
        damaged,
    })
}

/// Number of the last event of the outbox; 0 if it is empty.
pub(super) fn last_event(connection: &Connection) -> rusqlite::Result<u64> {
    let sql = "SELECT coalesce(max(first + count - 1), 0) FROM outbox";
    connection.query_row(sql, [], |row| Ok(row.get::<_, i64>(0)? as u64))
}

/// A row number that no message has, nor any set that is left of one.
pub(super) fn next_no(connection: &Connection) -> rusqlite::Result<i64> {
    let sql = "SELECT max(coalesce((SELECT max(no) FROM messages), 0), coalesce((SELECT max(message) FROM sets), 0))";
    let last: i64 = connection.query_row(sql, [], |row| row.get(0))?;
    Ok(last + 1)
}

/// Reads everything anew, the journal included, after a commit that was taken back.
pub(super) fn rebuild(connection: &Connection, state: &mut State) -> Result<Kept, Trouble> {
    let mut loaded = load(connection)?;
    let found = state.journal.read(loaded.journal_through)?;
    let written = state.journal.next() - 1 - loaded.journal_through;
    if found.frames.len() as u64 != written || !found.damaged.is_empty() {
        // The next start tells what is damaged and keeps it.
        let fault = io::Error::new(
            io::ErrorKind::InvalidData,
            "the journal does not read back as it was written",
        );
        return Err(fault.into());
    }
    let kept = Kept::read(found.frames, loaded.outbox_through, loaded.journal_through);
    for (id, message) in kept.messages() {
        let open = message.sets.iter().filter(|set| !set.finished).count();
        let entry = Entry::young(message.accepted.place, open as u32);
        loaded.messages.insert(id, entry);
    }
    loaded.restore(state);
    state.next_event = state.next_event.max(kept.event_last + 1);
    state.outbox_through = kept.stored();
    state.raise_set_high(SetId(kept.set_last));
    Ok(kept)
}

type Messages = (HashMap<MessageId, Entry>, HashMap<i64, MessageId>);

fn messages(connection: &Connection, damaged: &mut Vec<Damaged>) -> rusqlite::Result<Messages> {
    let mut messages = HashMap::new();
    let mut ids = HashMap::new();
    let mut statement = connection.prepare("SELECT no, id, pending, place, sum FROM messages")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let no: i64 = row.get(0)?;
        let read = || -> Option<(MessageId, Place, bool)> {
            let IdColumn(id) = row.get(1).ok()?;
            let place: Place = row.get::<_, String>(3).ok()?.parse().ok()?;
            let sum: i64 = row.get(4).ok()?;
            (place.row_sum(id) == sum).then_some((id, place, row.get(2).ok()?))
        };
        let Some((id, place, pending)) = read() else {
            damaged.push(Damaged {
                what: "message",
                id: no,
                message: None,
                why: "its checksum differs".to_owned(),
            });
            continue;
        };
        let entry = Entry {
            no,
            place,
            sets_open: 0,
            holds_waiting: 0,
            pending,
            checked: false,
            quarantined: false,
        };
        messages.insert(id, entry);
        ids.insert(no, id);
    }
    Ok((messages, ids))
}

fn numbers(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<i64>> {
    connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
}

/// Sets of messages that have ended, kept for the trace.
fn left(connection: &Connection) -> rusqlite::Result<BTreeMap<u64, SetId>> {
    let sql = "SELECT queued, id FROM sets WHERE message NOT IN (SELECT no FROM messages)";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| {
        Ok((row.get::<_, i64>(0)? as u64, SetId(row.get::<_, i64>(1)? as u64)))
    })?;
    rows.collect()
}
