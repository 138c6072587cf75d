//! Reading what was committed: from the journal's memory, which the committer holds shortly, or on connections of their
//! own that never wait for it.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension};

use super::body::{self, Bodies};
use super::columns::{RosterWanted, SET_COLUMNS, SetColumns, join_young, join_young_message};
use super::live::Entry;
use super::operation::{Damaged, Operation, row_sum};
use super::record::{self, Damage, IdColumn, Place};
use super::schema::{self, Role};
use super::segment::SegmentShelf;
use super::shared::Shared;
use crate::limits::ROSTER_CHECKED_AT_OPEN_OCTETS_MAX;
use crate::mail::{HoldId, MessageId, SetId};
use crate::spool::content::{Content, Octets, StoredBody};
use crate::spool::message::{Hold, StoredMessage, StoredSet};
use crate::spool::{Recovered, SpoolFault};
use crate::track::Event;

/// Connections kept open for the next reader.
const READERS_KEPT_MAX: usize = 8;

/// Everything that reads.
pub(super) struct Reader {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    shared: Arc<Shared>,
    bodies: Arc<Bodies>,
    shelf: Arc<SegmentShelf>,
}

impl Reader {
    /// Reads `mail.db` at `path`.
    pub(super) fn new(path: PathBuf, shared: Arc<Shared>, bodies: Arc<Bodies>, shelf: Arc<SegmentShelf>) -> Self {
        Self {
            path,
            idle: Mutex::default(),
            shared,
            bodies,
            shelf,
        }
    }

    /// Lends a connection for one short read.
    fn with<T>(&self, what: &str, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, SpoolFault> {
        let unreadable = |fault: rusqlite::Error| SpoolFault::Unreadable(format!("{what}: {fault}"));
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => schema::connect(&self.path, Role::Reader).map_err(unreadable)?,
        };
        let answer = read(&connection).map_err(unreadable)?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < READERS_KEPT_MAX {
            idle.push(connection);
        }
        Ok(answer)
    }

    fn entry(&self, id: MessageId) -> Result<Entry, SpoolFault> {
        self.shared.live.find(id).ok_or_else(|| missing("message", id))
    }

    /// Lists damage, and says so.
    fn quarantine(&self, what: &'static str, id: i64, message: Option<MessageId>, damage: Damage) -> SpoolFault {
        let Damage(why) = damage;
        tracing::error!(what, id, message = ?message, why, "a damaged row is set aside");
        let fault = SpoolFault::Unreadable(format!("{what} {id}: {why}"));
        let damaged = Damaged { what, id, message, why };
        // If the committer has ended, the next start finds the damage again.
        let _ = self.shared.queue.push(Operation::Quarantine(damaged));
        fault
    }

    fn row(&self, id: MessageId) -> Result<(StoredMessage, Option<Bytes>), SpoolFault> {
        type Columns = (Vec<u8>, Vec<u8>, i64, Option<Vec<u8>>);
        if let Some(young) = self.shared.young.message(id) {
            return join_young_message(young);
        }
        let no = self.entry(id)?.no;
        let found: Option<Columns> = self.with("a message", |connection| {
            connection
                .prepare_cached("SELECT row, prefix, sum, inline FROM contents WHERE no = ?1")?
                .query_row([no], |row| {
                    let sum = row.get_ref(2)?.as_i64().unwrap_or(-1);
                    Ok((
                        record::octets(row, 0)?,
                        record::octets(row, 1)?,
                        sum,
                        record::octets_or_null(row, 3)?,
                    ))
                })
                .optional()
        })?;
        let (row, prefix, sum, inline) = found.ok_or_else(|| missing("message", id))?;
        let read = || -> Result<StoredMessage, Damage> {
            let message: StoredMessage = record::decode(&row)?;
            if i64::from(row_sum(&prefix, inline.as_deref())) != sum || message.id != id {
                return Err(Damage("its checksum differs".to_owned()));
            }
            Ok(message)
        };
        let mut message = read().map_err(|damage| self.quarantine("content", no, Some(id), damage))?;
        message.prefix = prefix.into();
        Ok((message, inline.map(Bytes::from)))
    }

    /// A message without its content.
    pub(super) fn message(&self, id: MessageId) -> Result<StoredMessage, SpoolFault> {
        Ok(self.row(id)?.0)
    }

    /// A message's content.
    pub(super) fn content(&self, id: MessageId) -> Result<Content, SpoolFault> {
        let entry = self.entry(id)?;
        let unreadable = |fault: std::io::Error| SpoolFault::Unreadable(format!("the content of {id}: {fault}"));
        let (body, sum): (Arc<dyn StoredBody>, u32) = match entry.place {
            Place::Inline => {
                let (_, inline) = self.row(id)?;
                return Ok(Content::in_memory(inline.unwrap_or_default()));
            }
            Place::Segment {
                segment,
                offset,
                len,
                sum,
            } => (
                Arc::new(self.shelf.body(segment, offset, len).map_err(unreadable)?),
                sum,
            ),
            Place::File { name, len, sum } => (Arc::new(self.bodies.open(name, len, sum).map_err(unreadable)?), sum),
        };
        // Now that the body is held its segment cannot be written over; before, the message may have ended.
        self.entry(id)?;
        if !entry.checked {
            if !body::is_intact(&*body, sum).map_err(unreadable)? {
                let damage = Damage("the checksum of its body differs".to_owned());
                return Err(self.quarantine("content", entry.no, Some(id), damage));
            }
            if let Some(entry) = self.shared.live.lock().get_mut(&id) {
                entry.checked = true;
            }
        }
        let head = body::head(&*body).map_err(unreadable)?;
        Ok(Content {
            octets: Octets::Stored(body),
            head,
        })
    }

    /// A set with roster and progress.
    pub(super) fn set(&self, id: SetId) -> Result<StoredSet, SpoolFault> {
        if let Some(young) = self.shared.young.set(id) {
            return join_young(young, RosterWanted::Read);
        }
        let found = self.with("a set", |connection| {
            let sql = format!("{SET_COLUMNS} WHERE s.id = ?1");
            connection
                .prepare_cached(&sql)?
                .query_row([id.0 as i64], SetColumns::read)
                .optional()
        })?;
        let columns = found.ok_or_else(|| missing("set", id))?;
        let set = self.join(columns, RosterWanted::Read)?;
        // A set whose message has ended is only here for the trace.
        self.entry(set.set.message).map_err(|_| missing("set", id))?;
        Ok(set)
    }

    /// All sets of a message.
    pub(super) fn sets_of(&self, id: MessageId) -> Result<Vec<StoredSet>, SpoolFault> {
        if let Some(young) = self.shared.young.message(id) {
            let sets = young.sets.into_iter();
            return sets.map(|set| join_young(set, RosterWanted::Read)).collect();
        }
        let no = self.entry(id)?.no;
        let columns: Vec<SetColumns> = self.with("sets", |connection| {
            let sql = format!("{SET_COLUMNS} WHERE s.message = ?1 ORDER BY s.id");
            connection
                .prepare_cached(&sql)?
                .query_map([no], SetColumns::read)?
                .collect()
        })?;
        columns
            .into_iter()
            .map(|columns| self.join(columns, RosterWanted::Read))
            .collect()
    }

    /// A roster as encoded.
    pub(super) fn roster_octets(&self, id: SetId) -> Result<Vec<u8>, SpoolFault> {
        let in_memory = self.shared.recent.take_roster(id);
        if let Some(octets) = in_memory.or_else(|| self.shared.young.roster(id)) {
            return Ok(octets.into());
        }
        let found = self.with("a roster", |connection| {
            connection
                .prepare_cached("SELECT roster FROM sets WHERE id = ?1")?
                .query_row([id.0 as i64], |row| record::octets(row, 0))
                .optional()
        })?;
        found.ok_or_else(|| missing("set", id))
    }

    fn join(&self, columns: SetColumns, wanted: RosterWanted) -> Result<StoredSet, SpoolFault> {
        let id = columns.id;
        let rows: Vec<(i64, Vec<u8>)> = self.with("progress", |connection| {
            connection
                .prepare_cached("SELECT no, row FROM progress WHERE id = ?1 ORDER BY no")?
                .query_map([id], |row| Ok((row.get(0)?, record::octets(row, 1)?)))?
                .collect()
        })?;
        let message = columns.message();
        columns
            .join(rows, wanted)
            .map_err(|damage| self.quarantine("set", id, message, damage))
    }

    /// A hold in whatever state.
    pub(super) fn hold(&self, id: HoldId) -> Result<Hold, SpoolFault> {
        let found: Option<Vec<u8>> = self.with("a hold", |connection| {
            connection
                .prepare_cached("SELECT row FROM holds WHERE id = ?1")?
                .query_row([id.0 as i64], |row| record::octets(row, 0))
                .optional()
        })?;
        let octets = found.ok_or_else(|| missing("hold", id))?;
        record::decode(&octets).map_err(|damage| self.quarantine("hold", id.0 as i64, None, damage))
    }

    /// Holds that wait, oldest first. Damaged ones are set aside.
    pub(super) fn holds(&self) -> Result<Vec<Hold>, SpoolFault> {
        self.read_holds("SELECT id, row FROM holds WHERE decided_at IS NULL", ())
    }

    /// Every hold of a message, oldest first. Damaged ones are set aside.
    pub(super) fn holds_of(&self, message: MessageId) -> Result<Vec<Hold>, SpoolFault> {
        let key = message.0.as_bytes().to_vec();
        self.read_holds("SELECT id, row FROM holds WHERE message = ?1", (key,))
    }

    fn read_holds(&self, query: &str, parameters: impl rusqlite::Params) -> Result<Vec<Hold>, SpoolFault> {
        let rows: Vec<(i64, Vec<u8>)> = self.with("holds", |connection| {
            connection
                .prepare_cached(query)?
                .query_map(parameters, |row| Ok((row.get(0)?, record::octets(row, 1)?)))?
                .collect()
        })?;
        let mut holds = Vec::with_capacity(rows.len());
        for (id, octets) in rows {
            match record::decode::<Hold>(&octets) {
                Ok(hold) => holds.push(hold),
                Err(damage) => drop(self.quarantine("hold", id, None, damage)),
            }
        }
        holds.sort_by_key(|hold| (hold.held_at, hold.id));
        Ok(holds)
    }

    /// Everything that is open. What is in quarantine stays there.
    pub(super) fn recover(&self) -> Result<Recovered, SpoolFault> {
        let young = self.shared.young.sets();
        let aside: Vec<(String, i64)> = self.with("the quarantine", |connection| {
            connection
                .prepare_cached("SELECT what, id FROM quarantine")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })?;
        let is_aside = |what: &str, id: i64| aside.iter().any(|(kind, no)| kind == what && *no == id);
        let columns: Vec<SetColumns> = self.with("open sets", |connection| {
            let sql = format!(
                "SELECT s.id, s.message, s.recipients, s.row, t.state, \
                 CASE WHEN length(s.roster) <= {ROSTER_CHECKED_AT_OPEN_OCTETS_MAX} THEN s.roster END, length(s.roster) \
                 FROM sets s JOIN messages m ON m.no = s.message LEFT JOIN states t ON t.id = s.id \
                 WHERE coalesce(t.finished, 0) = 0 ORDER BY s.id"
            );
            connection.prepare(&sql)?.query_map([], SetColumns::read)?.collect()
        })?;
        let mut recovered = Recovered::default();
        for set in young.into_iter().filter(|set| !set.finished) {
            recovered.sets.push(join_young(set, RosterWanted::CheckedOnly)?);
        }
        for columns in columns {
            if is_aside("set", columns.id) || is_aside("content", columns.no) {
                continue;
            }
            // Damage was reported and set aside; the rest goes on.
            recovered.sets.extend(self.join(columns, RosterWanted::CheckedOnly));
        }
        recovered.sets.sort_by_key(|set| set.set.id);
        recovered.sets.dedup_by_key(|set| set.set.id);
        for (id, entry) in self.shared.live.lock().iter() {
            if entry.pending && !is_aside("content", entry.no) {
                recovered.pending.push(*id);
            }
        }
        recovered.pending.sort();
        recovered.holds = self.holds()?;
        Ok(recovered)
    }

    /// The oldest events of the outbox. A damaged row is passed over and leaves with the next confirmation.
    pub(super) fn outbox(&self, count_max: usize) -> Result<Vec<(u64, Event)>, SpoolFault> {
        let (through, last) = self.shared.outbox();
        if let Some(events) = self.shared.recent.take(through, count_max) {
            return Ok(events);
        }
        let mut events = Vec::new();
        let mut next = through + 1;
        while next <= last && events.len() < count_max {
            let room = count_max - events.len();
            match self.shared.young.events(next..=last, room) {
                Ok(lines) => {
                    next += lines.len() as u64;
                    events.extend(young_events(lines)?);
                }
                Err(first) => {
                    // The database has all that the journal does not.
                    let until = first.map_or(last, |first| first - 1);
                    let found = self.stored_events(next..=until, room)?;
                    let is_all = found.len() < room;
                    events.extend(found);
                    next = if is_all { until + 1 } else { last + 1 };
                }
            }
        }
        Ok(events)
    }

    /// Events of the database.
    fn stored_events(&self, numbers: RangeInclusive<u64>, count_max: usize) -> Result<Vec<(u64, Event)>, SpoolFault> {
        let mut events = Vec::new();
        self.with("the outbox", |connection| {
            let sql = "SELECT first, lines FROM outbox WHERE first + count - 1 >= ?1 AND first <= ?2 ORDER BY first";
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query([*numbers.start() as i64, *numbers.end() as i64])?;
            while events.len() < count_max {
                let Some(row) = rows.next()? else {
                    break;
                };
                let first = row.get::<_, i64>(0)? as u64;
                match lines(&record::octets(row, 1)?) {
                    Ok(lines) => {
                        let numbered = (first..).zip(lines).filter(|(number, _)| numbers.contains(number));
                        events.extend(numbered.take(count_max - events.len()));
                    }
                    Err(Damage(why)) => tracing::error!(first, why, "events of the outbox are damaged and lost"),
                }
            }
            Ok(())
        })?;
        Ok(events)
    }

    /// What is in quarantine.
    pub(super) fn quarantined(&self) -> Result<Vec<Damaged>, SpoolFault> {
        self.with("the quarantine", |connection| {
            let mut statement = connection.prepare_cached("SELECT what, id, message, why FROM quarantine")?;
            let rows = statement.query_map([], |row| {
                Ok(Damaged {
                    what: match row.get_ref(0)?.as_str()? {
                        "message" => "message",
                        "journal" => "journal",
                        "set" => "set",
                        "hold" => "hold",
                        _ => "content",
                    },
                    id: row.get(1)?,
                    message: row.get::<_, Option<IdColumn>>(2)?.map(|IdColumn(id)| id),
                    why: row.get(3)?,
                })
            })?;
            rows.collect()
        })
    }
}

fn young_events(lines: Vec<(u64, String)>) -> Result<Vec<(u64, Event)>, SpoolFault> {
    let event = |line: &str| {
        serde_json::from_str(line).map_err(|fault| SpoolFault::Unreadable(format!("an event of the journal: {fault}")))
    };
    lines
        .into_iter()
        .map(|(number, line)| Ok((number, event(&line)?)))
        .collect()
}

fn missing(what: &str, id: impl std::fmt::Display) -> SpoolFault {
    SpoolFault::Missing(format!("{what} {id}"))
}

fn lines(octets: &[u8]) -> Result<Vec<Event>, Damage> {
    record::unseal(octets)?
        .split(|octet| *octet == b'\n')
        .map(|line| serde_json::from_slice(line).map_err(|fault| Damage(fault.to_string())))
        .collect()
}
