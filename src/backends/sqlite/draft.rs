//! A commit for the journal, put together: what most mail needs, without a row of the database.
//!
//! In: operations, in the order of their calls. Out: a frame, and the changes that it says made in memory; or the
//! operation back, for the database. Never: an operation of which a part is in the frame and a part is not.

use jiff::Timestamp;
use uuid::Uuid;

use super::answer::{Answer, Trouble};
use super::journal::Frame;
use super::journal::entry::{Accepted, AcceptedSet, Entry, Lines, Settled};
use super::journal::young::{Found, Kept};
use super::live;
use super::operation::{Operation, ReadyAcceptance, ReadyBody, ReadyEvents, ReadySettlement};
use super::recent::Newest;
use super::state::State;
use super::sync;
use crate::limits::{JOURNAL_ENTRY_OCTETS_MAX, JOURNAL_FRAME_OCTETS_MAX};
use crate::mail::MessageId;
use crate::spool::SpoolFault;

/// What became of an operation.
pub(super) enum Drafted {
    /// It is in the frame; the answer waits for the sync.
    Done(Answer),
    /// It belongs into the database.
    Heavy(Operation),
    /// So does this, and its message is still in the journal: that is to be moved first.
    Later(Operation),
    /// Nothing of this commit can be kept.
    Trouble(Trouble, Answer),
}

/// A frame and its changes.
pub(super) struct Draft<'a> {
    state: &'a mut State,
    kept: &'a mut Kept,
    now: Timestamp,
    frame: Frame,
    number: u64,
    /// Number of its first event.
    first_event: u64,
    octets: usize,
    is_empty: bool,
    events: Vec<Newest>,
    files_ended: Vec<Uuid>,
}

/// A draft that is ready to be written.
pub(super) struct Ready {
    /// None if nothing was changed.
    pub(super) frame: Option<Frame>,
    /// Its events, in the order of their numbers.
    pub(super) events: Vec<Newest>,
    /// Body files whose messages end with it.
    pub(super) files_ended: Vec<Uuid>,
}

impl<'a> Draft<'a> {
    /// An empty one.
    pub(super) fn new(state: &'a mut State, kept: &'a mut Kept, now: Timestamp) -> Self {
        Self {
            frame: state.journal.frame(),
            number: state.journal.next(),
            first_event: state.next_event,
            state,
            kept,
            now,
            octets: 0,
            is_empty: true,
            events: Vec::new(),
            files_ended: Vec::new(),
        }
    }

    /// True if the next operation should wait for another frame.
    pub(super) fn is_long(&self) -> bool {
        self.octets >= JOURNAL_FRAME_OCTETS_MAX
    }

    /// Ends it.
    pub(super) fn finish(self) -> Ready {
        Ready {
            frame: (!self.is_empty).then_some(self.frame),
            events: self.events,
            files_ended: self.files_ended,
        }
    }

    /// Takes an operation, or says why not. `beside`: operations before it belong into the database, and what is of
    /// their mail follows them there.
    pub(super) fn take(&mut self, operation: Operation, beside: bool) -> Drafted {
        match operation {
            Operation::Accept(ready, promise)
                if ready.is_light() && ready.journal_octets() <= JOURNAL_ENTRY_OCTETS_MAX =>
            {
                match self.accept(*ready) {
                    Ok(answer) if sync::early_reply() => {
                        promise.resolve(answer);
                        Drafted::Done(Answer::None)
                    }
                    Ok(answer) => Drafted::Done(Answer::Done(promise, answer)),
                    Err(trouble) => Drafted::Trouble(trouble, Answer::Done(promise, Ok(()))),
                }
            }
            Operation::Settle(ready, promise) => match self.kept.find(ready.set) {
                None => Drafted::Heavy(Operation::Settle(ready, promise)),
                Some(_) if !ready.is_light() || ready.journal_octets() > JOURNAL_ENTRY_OCTETS_MAX => {
                    Drafted::Later(Operation::Settle(ready, promise))
                }
                Some(found) => match self.settle(found, *ready) {
                    Ok(answer) => Drafted::Done(Answer::Done(promise, answer)),
                    Err(trouble) => Drafted::Trouble(trouble, Answer::Done(promise, Ok(()))),
                },
            },
            Operation::Record(events) => self.record(events, beside),
            Operation::OutboxStored(number, promise) if !self.state.has_left(number) => {
                let through = self.state.storable(number, self.first_event - 1);
                self.state.outbox_through = through;
                self.write(Entry::Stored(through));
                Drafted::Done(Answer::Done(promise, Ok(())))
            }
            operation => Drafted::Heavy(operation),
        }
    }

    /// Events of mail that is here go here, those of other mail behind what was said of it before.
    fn record(&mut self, events: ReadyEvents, beside: bool) -> Drafted {
        let (here, elsewhere) = match beside {
            true => events.split(|event| self.kept.has(event.message)),
            false => (events, ReadyEvents::default()),
        };
        if !here.events.is_empty() {
            let lines = self.push_events(here);
            self.write(Entry::Events(lines));
        }
        if elsewhere.events.is_empty() {
            Drafted::Done(Answer::None)
        } else {
            Drafted::Heavy(Operation::Record(elsewhere))
        }
    }

    fn accept(&mut self, ready: ReadyAcceptance) -> Result<Result<(), SpoolFault>, Trouble> {
        if let Err(fault) = self.state.check(&ready) {
            return Ok(Err(fault));
        }
        self.insert(ready)?;
        Ok(Ok(()))
    }

    fn settle(&mut self, found: Found, ready: ReadySettlement) -> Result<Result<(), SpoolFault>, Trouble> {
        if let Err(fault) = ready.reports.iter().try_for_each(|report| self.state.check(report)) {
            return Ok(Err(fault));
        }
        let lines = self.push_events(ready.events);
        self.write(Entry::Settle(Settled {
            set: ready.set,
            message: found.message,
            accepted: found.frame,
            progress: ready.progress,
            state: ready.state,
            finished: ready.finished,
            lines,
        }));
        for report in ready.reports {
            self.insert(report)?;
        }
        let ends_now = ready.finished && !found.finished;
        let is_over = self.state.live.lock().get_mut(&found.message).is_some_and(|entry| {
            entry.sets_open -= u32::from(ends_now);
            entry.is_over()
        });
        if is_over {
            self.end(found.message);
        }
        Ok(Ok(()))
    }

    fn insert(&mut self, ready: ReadyAcceptance) -> Result<(), Trouble> {
        let place = self.state.place(&ready.body)?;
        let outcome = ready.outcome.unwrap_or_default();
        let queued = outcome.events.queued.clone();
        let lines = self.push_events(outcome.events);
        let sets_open = outcome.sets.len() as u32;
        let mut sets = Vec::with_capacity(outcome.sets.len());
        for set in outcome.sets {
            self.state.raise_set_high(set.id);
            let line = queued.iter().find(|(_, queued)| *queued == set.id);
            let queued = line.map_or(0, |(line, _)| lines.first + line);
            if let Some(newest) = queued
                .checked_sub(self.first_event)
                .and_then(|at| self.events.get_mut(at as usize))
            {
                newest.keep_roster(set.roster.clone());
            }
            sets.push(AcceptedSet {
                id: set.id,
                queued,
                recipients: set.recipients,
                row: set.row,
                roster: set.roster,
            });
        }
        self.write(Entry::Accept(Accepted {
            id: ready.id,
            row: ready.row,
            prefix: ready.prefix,
            sum: ready.sum,
            place,
            inline: match ready.body {
                ReadyBody::Inline(octets) => Some(octets),
                ReadyBody::Segment(..) | ReadyBody::File(..) => None,
            },
            sets,
            lines,
        }));
        let entry = live::Entry::young(place, sets_open);
        self.state.live.lock().insert(ready.id, entry);
        for report in outcome.reports {
            self.insert(report)?;
        }
        if sets_open == 0 {
            self.end(ready.id);
        }
        Ok(())
    }

    /// A message that nothing keeps alive ends.
    fn end(&mut self, id: MessageId) {
        let Some(entry) = self.state.live.lock().remove(&id) else {
            return;
        };
        self.files_ended.extend(self.state.release(entry.place));
        let lines = self.push_events(ReadyEvents::done(id, self.now));
        self.write(Entry::Events(lines));
    }

    /// Gives events their numbers.
    fn push_events(&mut self, ready: ReadyEvents) -> Lines {
        let first = self.state.next_event;
        self.state.next_event += ready.lines.len() as u64;
        let (lines, newest) = ready.newest();
        self.events.extend(newest);
        Lines { first, lines }
    }

    fn write(&mut self, entry: Entry) {
        self.is_empty = false;
        self.octets = self.frame.add(&entry);
        self.kept.apply(self.number, self.state.journal_through, entry);
    }
}
