//! One operation after the other within a transaction.
//!
//! In: a ready operation. Out: its answer, to be given only after the commit.
//! Never: half an operation. What cannot be done is found out before the first row is written; an error after
//! that takes the whole transaction back.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};
use uuid::Uuid;

use super::answer::{Answer, Trouble};
use super::live::Entry;
use super::operation::{
    Damaged, Operation, ReadyAcceptance, ReadyDecision, ReadyEvents, ReadyHold, ReadyOutcome, ReadySet, ReadySettlement,
};
use super::recent::Newest;
use super::record::{self, IdColumn};
use super::rows::{self, MessageRow, SetRowOf};
use super::schema::keep_meta;
use super::state::State;
use crate::mail::{MessageId, SetId};
use crate::spool::message::{Hold, HoldState};
use crate::spool::{Decided, SpoolFault};

/// One transaction.
pub(super) struct Batch<'a> {
    connection: &'a Connection,
    state: &'a mut State,
    now: Timestamp,
    lines: Vec<String>,
    /// The same events.
    pub(super) events: Vec<Newest>,
    hold_high: u64,
    /// Body files whose messages end with this transaction.
    pub(super) files_ended: Vec<Uuid>,
}

impl<'a> Batch<'a> {
    /// Begins within an open transaction.
    pub(super) fn new(connection: &'a Connection, state: &'a mut State, now: Timestamp) -> Self {
        let hold_high = state.hold_high;
        Self {
            connection,
            state,
            now,
            lines: Vec::new(),
            events: Vec::new(),
            hold_high,
            files_ended: Vec::new(),
        }
    }

    /// Does one operation.
    pub(super) fn apply(&mut self, operation: Operation) -> Result<Answer, Trouble> {
        Ok(match operation {
            Operation::Accept(ready, promise) => Answer::Done(promise, self.accept(*ready)?),
            Operation::Complete(id, outcome, promise) => Answer::Done(promise, self.complete(id, *outcome)?),
            Operation::Settle(ready, promise) => Answer::Done(promise, self.settle(*ready)?),
            Operation::Decide(ready, promise) => Answer::Decided(promise, self.decide(*ready)?),
            Operation::Record(events) => {
                self.push_events(events);
                Answer::None
            }
            Operation::OutboxStored(number, promise) => {
                self.outbox_stored(number)?;
                Answer::Done(promise, Ok(()))
            }
            Operation::ForgetHolds(before, promise) => {
                self.run("DELETE FROM holds WHERE decided_at < ?1", [before])?;
                Answer::Done(promise, Ok(()))
            }
            Operation::Quarantine(damaged) => {
                self.quarantine(&damaged)?;
                Answer::None
            }
        })
    }

    /// Writes what the operations left to be written once: events and high-water marks.
    pub(super) fn finish(&mut self) -> Result<(), Trouble> {
        let lines: Vec<&str> = self.lines.iter().map(String::as_str).collect();
        let first = self.state.next_event - lines.len() as u64;
        rows::insert_events(self.connection, first, &lines)?;
        if self.state.set_kept != self.state.set_high {
            keep_meta(self.connection, "set_high", self.state.set_high as i64)?;
            self.state.set_kept = self.state.set_high;
        }
        if self.hold_high != self.state.hold_high {
            keep_meta(self.connection, "hold_high", self.state.hold_high as i64)?;
        }
        Ok(())
    }

    fn run(&self, sql: &str, values: impl rusqlite::Params) -> Result<(), Trouble> {
        rows::run(self.connection, sql, values)
    }

    fn accept(&mut self, ready: ReadyAcceptance) -> Result<Result<(), SpoolFault>, Trouble> {
        if let Err(fault) = self.state.check(&ready) {
            return Ok(Err(fault));
        }
        self.insert(ready)?;
        Ok(Ok(()))
    }

    fn complete(&mut self, id: MessageId, outcome: ReadyOutcome) -> Result<Result<(), SpoolFault>, Trouble> {
        let Some(entry) = self.state.live.find(id).filter(|entry| entry.pending) else {
            return Ok(Err(SpoolFault::Missing(format!("the pending pass of {id}"))));
        };
        if let Err(fault) = self.state.check_outcome(id, &outcome) {
            return Ok(Err(fault));
        }
        self.run("UPDATE messages SET pending = 0 WHERE no = ?1", [entry.no])?;
        self.change(id, |entry| entry.pending = false);
        self.apply_outcome(id, entry.no, outcome)?;
        self.end_if_over(id)?;
        Ok(Ok(()))
    }

    fn settle(&mut self, ready: ReadySettlement) -> Result<Result<(), SpoolFault>, Trouble> {
        let sql = "SELECT m.id, coalesce(t.finished, 0), coalesce(t.rows, 0) FROM sets s \
                   JOIN messages m ON m.no = s.message LEFT JOIN states t ON t.id = s.id WHERE s.id = ?1";
        let found = self
            .connection
            .prepare_cached(sql)?
            .query_row([ready.set.0 as i64], |row| {
                Ok((
                    row.get::<_, IdColumn>(0)?,
                    row.get::<_, bool>(1)?,
                    row.get::<_, i64>(2)?,
                ))
            })
            .optional()?;
        let found = found.and_then(|(id, finished, rows)| {
            let IdColumn(id) = id;
            Some((id, self.state.live.find(id)?, finished, rows))
        });
        let Some((id, entry, was_finished, rows)) = found else {
            return Ok(Err(SpoolFault::Missing(format!("set {}", ready.set))));
        };
        for report in &ready.reports {
            if let Err(fault) = self.state.check(report) {
                return Ok(Err(fault));
            }
        }
        self.push_events(ready.events);
        let ends_now = ready.finished && !was_finished;
        let ended = Entry {
            sets_open: entry.sets_open - u32::from(ends_now),
            ..entry
        };
        // The last settlement of a message would write rows only to delete them.
        if !ended.is_over() {
            let finished = ready.finished || was_finished;
            rows::settle(
                self.connection,
                ready.set,
                rows,
                &ready.progress,
                finished,
                &ready.state,
            )?;
        }
        for report in ready.reports {
            self.insert(report)?;
        }
        self.change(id, |entry| *entry = ended);
        self.end_if_over(id)?;
        Ok(Ok(()))
    }

    fn decide(&mut self, ready: ReadyDecision) -> Result<Result<Decided, SpoolFault>, Trouble> {
        let missing = || Ok(Err(SpoolFault::Missing(format!("hold {}", ready.hold))));
        let octets = self
            .connection
            .prepare_cached("SELECT row FROM holds WHERE id = ?1")?
            .query_row([ready.hold.0 as i64], |row| record::octets(row, 0))
            .optional()?;
        let Some(octets) = octets else {
            return missing();
        };
        let mut hold: Hold = match record::decode(&octets) {
            Ok(hold) => hold,
            Err(damage) => return Ok(Err(SpoolFault::Unreadable(format!("hold {}: {damage}", ready.hold)))),
        };
        if hold.state != HoldState::Waiting || ready.approval.revision != hold.approval.revision + 1 {
            return Ok(Ok(Decided::Already(Box::new(hold))));
        }
        let Some(entry) = self.state.live.find(hold.message) else {
            return missing();
        };
        if let Err(fault) = self.state.check_outcome(hold.message, &ready.outcome) {
            return Ok(Err(fault));
        }
        hold.state = ready.state;
        hold.approval = ready.approval;
        let changed = ReadyHold::new(&hold);
        let sql = "UPDATE holds SET decided_at = ?2, row = ?3 WHERE id = ?1";
        self.run(sql, (ready.hold.0 as i64, changed.decided_at, changed.row))?;
        if changed.decided_at.is_some() {
            self.change(hold.message, |entry| {
                entry.holds_waiting = entry.holds_waiting.saturating_sub(1);
            });
        }
        self.apply_outcome(hold.message, entry.no, ready.outcome)?;
        self.end_if_over(hold.message)?;
        Ok(Ok(Decided::Applied))
    }

    fn outbox_stored(&mut self, number: u64) -> Result<(), Trouble> {
        let committed = self.state.next_event - self.lines.len() as u64 - 1;
        let through = self.state.storable(number, committed);
        self.state.outbox_through = through;
        let later = self.state.left.split_off(&(through + 1));
        let gone = std::mem::replace(&mut self.state.left, later);
        rows::forget_events(self.connection, through, gone.into_values())
    }

    fn quarantine(&mut self, damaged: &Damaged) -> Result<(), Trouble> {
        if let Some(id) = damaged.message {
            self.change(id, |entry| entry.quarantined = true);
        }
        rows::insert_damaged(self.connection, damaged, self.now)
    }

    fn insert(&mut self, ready: ReadyAcceptance) -> Result<(), Trouble> {
        let no = self.state.next_no;
        self.state.next_no += 1;
        let place = self.state.place(&ready.body)?;
        let pending = ready.outcome.is_none();
        let row = MessageRow {
            no,
            id: ready.id,
            pending,
            place,
            row: &ready.row,
            prefix: &ready.prefix,
            sum: ready.sum,
            inline: ready.body.inline(),
        };
        row.insert(self.connection)?;
        let entry = Entry {
            no,
            pending,
            ..Entry::young(place, 0)
        };
        self.state.live.lock().insert(ready.id, entry);
        if let Some(outcome) = ready.outcome {
            self.apply_outcome(ready.id, no, outcome)?;
        }
        self.end_if_over(ready.id)
    }

    fn apply_outcome(&mut self, id: MessageId, no: i64, outcome: ReadyOutcome) -> Result<(), Trouble> {
        let queued = outcome.events.queued.clone();
        let base = self.push_events(outcome.events);
        let sets = outcome.sets.len() as u32;
        let mut holds = 0;
        for set in outcome.sets {
            let number = queued.iter().find(|(_, queued)| *queued == set.id);
            self.insert_set(no, number.map(|(index, _)| base + index), set)?;
        }
        for hold in outcome.holds {
            holds += u32::from(hold.decided_at.is_none());
            self.state.hold_high = self.state.hold_high.max(hold.id.0);
            let sql = "INSERT INTO holds (id, message, decided_at, row) VALUES (?1, ?2, ?3, ?4)";
            self.run(sql, (hold.id.0 as i64, IdColumn(id), hold.decided_at, &hold.row))?;
        }
        self.change(id, |entry| {
            entry.sets_open += sets;
            entry.holds_waiting += holds;
        });
        for report in outcome.reports {
            self.insert(report)?;
        }
        Ok(())
    }

    fn insert_set(&mut self, no: i64, queued: Option<u64>, set: ReadySet) -> Result<(), Trouble> {
        self.state.raise_set_high(set.id);
        let row = SetRowOf {
            no,
            id: set.id,
            queued: queued.unwrap_or(0),
            recipients: set.recipients,
            row: &set.row,
            roster: &set.roster,
        };
        row.insert(self.connection)?;
        let age = queued.map(|queued| (self.state.next_event - queued) as usize);
        let at = age.and_then(|age| self.events.len().checked_sub(age));
        if let Some(newest) = at.and_then(|at| self.events.get_mut(at)) {
            newest.keep_roster(set.roster);
        }
        Ok(())
    }

    /// Appends events; returns the number of the first.
    fn push_events(&mut self, events: ReadyEvents) -> u64 {
        let base = self.state.next_event;
        self.state.next_event += events.lines.len() as u64;
        let (lines, newest) = events.newest();
        self.events.extend(newest);
        self.lines.extend(lines);
        base
    }

    fn change(&self, id: MessageId, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.state.live.lock().get_mut(&id) {
            change(entry);
        }
    }

    /// Deletes a message that nothing keeps alive.
    fn end_if_over(&mut self, id: MessageId) -> Result<(), Trouble> {
        let entry = match self.state.live.find(id) {
            Some(entry) if entry.is_over() => entry,
            Some(_) | None => return Ok(()),
        };
        self.state.live.lock().remove(&id);
        let sql = "SELECT s.id, s.queued, t.id IS NOT NULL FROM sets s LEFT JOIN states t ON t.id = s.id \
                   WHERE s.message = ?1";
        let sets: Vec<(i64, i64, bool)> = self
            .connection
            .prepare_cached(sql)?
            .query_map([entry.no], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<Result<_, _>>()?;
        for (set, queued, has_state) in sets {
            // Progress is written together with a state, and most sets end with their first settlement.
            if has_state {
                self.run("DELETE FROM progress WHERE id = ?1", [set])?;
                self.run("DELETE FROM states WHERE id = ?1", [set])?;
            }
            if queued as u64 > self.state.outbox_through {
                self.state.left.insert(queued as u64, SetId(set as u64));
            } else {
                self.run("DELETE FROM sets WHERE id = ?1", [set])?;
            }
        }
        self.run("DELETE FROM contents WHERE no = ?1", [entry.no])?;
        self.run("DELETE FROM messages WHERE no = ?1", [entry.no])?;
        if entry.quarantined {
            self.run("DELETE FROM quarantine WHERE message = ?1", [IdColumn(id)])?;
        }
        self.files_ended.extend(self.state.release(entry.place));
        self.push_events(ReadyEvents::done(id, self.now));
        Ok(())
    }
}
