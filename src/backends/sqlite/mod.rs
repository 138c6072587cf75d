//! The embedded store: SQLite databases and body files under one data directory.
//!
//! `mail.db` (messages, delivery sets, holds, the outbox of events) is the only database on the mail path, and before
//! it lies the `journal`, where most mail begins and ends. One committer thread writes both (`committer`); readers
//! have connections of their own (`read`); checkpoints and file removal happen beside (`housekeeper`).
//!
//! ```text
//! accept ─┐ encoded by      ┌ segments: one sync    ┐
//! settle ─┤ the caller  ──▶ │ journal: one frame     │──▶ every answer
//! decide ─┘                 └ or mail.db: one COMMIT ┘
//!                             journal ──▶ mail.db, in bulk: what is still there after two seconds
//! ```

mod answer;
mod apply;
mod body;
mod columns;
mod committer;
pub mod directory;
mod draft;
mod housekeeper;
mod journal;
mod live;
mod load;
mod lock;
mod moving;
mod open;
mod operation;
mod queue;
mod read;
mod recent;
mod record;
mod rows;
mod schema;
mod segment;
mod shared;
mod space;
mod state;
pub mod stops;
mod sync;
#[cfg(test)]
mod tests;
pub mod trace;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use jiff::Timestamp;

pub use open::{OpenFault, SpoolSettings};
pub use operation::Damaged;
pub use space::{Disk, SystemDisk};

use crate::limits::{JOURNAL_MEMORY_OCTETS_BOUND, OUTBOX_EVENTS_MAX};
use crate::mail::{HoldId, MessageId, SetId};
use crate::spool::content::{Content, ContentWriter};
use crate::spool::message::{Acceptance, Hold, HoldDecision, Outcome, Settlement, StoredMessage, StoredSet};
use crate::spool::promise::{answered, promise};
use crate::spool::{Commit, Decided, Readiness, Recovered, Spool, SpoolFault};
use crate::track::Event;
use body::Bodies;
use operation::{Operation, ReadyAcceptance, ReadyDecision, ReadyEvents, ReadyOutcome, ReadySettlement};
use read::Reader;
use shared::Shared;

/// The durable spool on SQLite. [`SqliteSpool::open`] takes the data directory for this process alone;
/// dropping it finishes what waits, empties the log and gives the directory back.
pub struct SqliteSpool {
    shared: Arc<Shared>,
    bodies: Arc<Bodies>,
    reader: Reader,
    queue_messages_max: usize,
    set_last: AtomicU64,
    hold_last: AtomicU64,
    threads: Vec<JoinHandle<()>>,
    _lock: lock::DirectoryLock,
}

impl std::fmt::Debug for SqliteSpool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SqliteSpool({} messages)", self.shared.live.len())
    }
}

impl SqliteSpool {
    /// Messages in the spool.
    #[must_use]
    pub fn messages(&self) -> usize {
        self.shared.live.len()
    }

    /// Events that wait to be moved to the trace.
    #[must_use]
    pub fn outbox_len(&self) -> u64 {
        self.shared.outbox_count.load(Ordering::Acquire)
    }

    /// Rows that were found damaged: they are kept, not delivered, and wait for an operator.
    pub fn quarantined(&self) -> Result<Vec<Damaged>, SpoolFault> {
        self.reader.quarantined()
    }

    /// What keeps new mail out, if anything.
    fn bound(&self) -> Option<SpoolFault> {
        if let Some(fault) = self.shared.suspicion() {
            return Some(fault);
        }
        if self.shared.space.is_low() {
            return Some(SpoolFault::DiskLow);
        }
        let full = self.shared.live.len() >= self.queue_messages_max
            || self.outbox_len() >= OUTBOX_EVENTS_MAX
            || self.shared.queue.is_full()
            || self.shared.young_octets.load(Ordering::Relaxed) >= JOURNAL_MEMORY_OCTETS_BOUND;
        full.then_some(SpoolFault::Full)
    }

    /// Enqueues what was encoded, or answers why not.
    fn submit<T: Send + 'static, R>(
        &self,
        ready: Result<R, SpoolFault>,
        operation: impl FnOnce(R, crate::spool::promise::Promise<T>) -> Operation,
    ) -> Commit<T> {
        let ready = match self.shared.suspicion().map_or(ready, Err) {
            Ok(ready) => ready,
            Err(fault) => return answered(Err(fault)),
        };
        let (promise, commit) = promise();
        if let Some(refused) = self.shared.queue.push(operation(ready, promise)) {
            refused.refuse(&SpoolFault::Suspect("the spool is closed".to_owned()));
        }
        commit
    }
}

impl Drop for SqliteSpool {
    fn drop(&mut self) {
        self.shared.queue.stop();
        for thread in self.threads.drain(..) {
            // A panic there has already answered every waiter.
            let _ = thread.join();
        }
    }
}

impl Spool for SqliteSpool {
    fn readiness(&self) -> Readiness {
        self.bound().map_or(Readiness::Ready, Readiness::Busy)
    }

    fn writer(&self) -> Result<Box<dyn ContentWriter>, SpoolFault> {
        match self.bound() {
            Some(fault) => Err(fault),
            None => Ok(Box::new(self.bodies.writer())),
        }
    }

    fn new_set_id(&self) -> SetId {
        SetId(self.set_last.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn new_hold_id(&self) -> HoldId {
        HoldId(self.hold_last.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn accept(&self, acceptance: Acceptance) -> Commit<()> {
        if operation::is_bounded(&acceptance)
            && let Some(fault) = self.bound()
        {
            return answered(Err(fault));
        }
        let ready = ReadyAcceptance::new(&self.bodies, acceptance);
        self.submit(ready, |ready, promise| Operation::Accept(Box::new(ready), promise))
    }

    fn complete(&self, message: MessageId, outcome: Outcome) -> Commit<()> {
        let ready = ReadyOutcome::new(&self.bodies, outcome);
        self.submit(ready, |ready, promise| {
            Operation::Complete(message, Box::new(ready), promise)
        })
    }

    fn settle(&self, settlement: Settlement) -> Commit<()> {
        let ready = ReadySettlement::new(&self.bodies, settlement);
        self.submit(ready, |ready, promise| Operation::Settle(Box::new(ready), promise))
    }

    fn decide(&self, decision: HoldDecision) -> Commit<Decided> {
        let ready = ReadyDecision::new(&self.bodies, decision);
        self.submit(ready, |ready, promise| Operation::Decide(Box::new(ready), promise))
    }

    fn record(&self, events: Vec<Event>) {
        // Refusals of a flood must not fill the memory; what was refused has also been logged.
        if self.bound().is_some_and(|fault| fault == SpoolFault::Full) {
            tracing::warn!(count = events.len(), "events are not tracked: the spool is at a bound");
            return;
        }
        // Refused only after the end, when nobody can read it any more.
        let _ = self.shared.queue.push(Operation::Record(ReadyEvents::new(events)));
    }

    fn message(&self, id: MessageId) -> Result<StoredMessage, SpoolFault> {
        self.reader.message(id)
    }

    fn content(&self, id: MessageId) -> Result<Content, SpoolFault> {
        self.reader.content(id)
    }

    fn set(&self, id: SetId) -> Result<StoredSet, SpoolFault> {
        self.reader.set(id)
    }

    fn sets_of(&self, id: MessageId) -> Result<Vec<StoredSet>, SpoolFault> {
        self.reader.sets_of(id)
    }

    fn roster_octets(&self, id: SetId) -> Result<Vec<u8>, SpoolFault> {
        self.reader.roster_octets(id)
    }

    fn hold(&self, id: HoldId) -> Result<Hold, SpoolFault> {
        self.reader.hold(id)
    }

    fn holds(&self) -> Result<Vec<Hold>, SpoolFault> {
        self.reader.holds()
    }

    fn holds_of(&self, message: MessageId) -> Result<Vec<Hold>, SpoolFault> {
        self.reader.holds_of(message)
    }

    fn recover(&self) -> Result<Recovered, SpoolFault> {
        self.reader.recover()
    }

    fn outbox(&self, count_max: usize) -> Result<Vec<(u64, Event)>, SpoolFault> {
        self.reader.outbox(count_max)
    }

    fn outbox_stored(&self, number: u64) -> Commit<()> {
        self.submit(Ok(number), Operation::OutboxStored)
    }

    fn forget_holds(&self, before: Timestamp) -> Commit<()> {
        self.submit(Ok(before.as_microsecond()), Operation::ForgetHolds)
    }
}
