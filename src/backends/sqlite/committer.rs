//! The committer: one thread that makes whatever has arrived durable with one sync.
//!
//! In: operations from any thread. Out: answers, after the sync that covers them; while it syncs, the next
//! batch gathers. What most mail needs goes into a frame of the journal ([`super::draft`]), the rest into a
//! transaction of the database ([`super::apply`]); in between, mail that stays is moved from the one to the other.
//! Never: a second try. After an error of a commit, sync or write everything is refused until a
//! restart; only a disk that is plainly full takes the commit back and goes on.

use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::sync::{Arc, PoisonError};

use rusqlite::Connection;
use uuid::Uuid;

use super::answer::{Answer, Trouble};
use super::apply::Batch;
use super::draft::{Draft, Drafted, Ready};
use super::housekeeper::Chore;
use super::journal::moved::{self, Moved};
use super::load;
use super::moving::Moving;
use super::operation::Operation;
use super::recent::Newest;
use super::rows;
use super::schema::keep_meta;
use super::shared::Shared;
use super::state::State;
use super::sync;
use crate::limits::{JOURNAL_MEMORY_OCTETS_MAX, JOURNAL_MOVE_MESSAGES_MAX, WAL_OCTETS_MAX};
use crate::spool::SpoolFault;

/// Octets a transaction adds to the log beside content: pages of trees that any one touches.
const COMMIT_LOG_OCTETS: u64 = 64 * 1024;
/// Octets an operation adds to the log beside content.
const OPERATION_LOG_OCTETS: u64 = 1_024;

/// What a commit left to be done after it.
struct Committed {
    /// Body files whose messages ended.
    files_ended: Vec<Uuid>,
    /// Its events, in the order of their numbers.
    events: Vec<Newest>,
}

/// Operations by where they go.
struct Sorted {
    ready: Ready,
    /// For what is in the frame.
    answers: Vec<Answer>,
    /// Why the frame cannot be kept.
    trouble: Option<Trouble>,
    heavy: Vec<Operation>,
    /// To be looked at when this is done.
    later: Vec<Operation>,
    /// What is in the journal is to be moved before.
    moves_first: bool,
}

/// The thread's own state.
pub(super) struct Committer {
    shared: Arc<Shared>,
    connection: Connection,
    state: State,
    chores: Sender<Chore>,
    log_octets: u64,
    moving: Moving,
}

impl Committer {
    /// Puts it together; [`Committer::run`] is the thread.
    pub(super) fn new(shared: Arc<Shared>, connection: Connection, state: State, chores: Sender<Chore>) -> Self {
        Self {
            shared,
            connection,
            state,
            chores,
            log_octets: 0,
            moving: Moving::default(),
        }
    }

    /// Works until the queue is stopped and empty; then the database holds everything.
    pub(super) fn run(mut self) {
        let mut patience = None;
        while let Some(mut operations) = self.shared.queue.take(patience) {
            loop {
                operations = self.commit(operations);
                self.move_due();
                if operations.is_empty() {
                    break;
                }
            }
            let is_suspect = self.shared.suspicion().is_some();
            patience = if is_suspect { None } else { self.moving.patience() };
        }
        if self.shared.suspicion().is_none() {
            // What cannot be moved stays in the journal for the next start.
            let _ = self.move_through(self.state.journal.next() - 1);
        }
    }

    /// Commits operations from the first on; returns those that are to be committed next.
    fn commit(&mut self, operations: Vec<Operation>) -> Vec<Operation> {
        if operations.is_empty() {
            return operations;
        }
        if let Some(fault) = self.shared.suspicion() {
            return refuse(operations, &fault);
        }
        let sorted = self.sort(operations);
        let answered = match sorted.trouble {
            Some(trouble) => Err(trouble),
            None => self.write(sorted.ready),
        };
        if let Err(fault) = self.answer(sorted.answers, answered) {
            refuse(sorted.heavy, &fault);
            return refuse(sorted.later, &fault);
        }
        if !sorted.heavy.is_empty() {
            self.commit_rows(sorted.heavy);
        }
        let mut later = sorted.later.into_iter();
        if sorted.moves_first
            && let Err(fault) = self.move_through(self.state.journal.next() - 1)
        {
            // What is behind it may need nothing moved.
            refuse(later.next(), &fault);
        }
        later.collect()
    }

    /// Drafts a frame of what the journal takes.
    fn sort(&mut self, operations: Vec<Operation>) -> Sorted {
        let shared = self.shared.clone();
        let mut kept = shared.young.lock();
        let mut draft = Draft::new(&mut self.state, &mut kept, shared.env.clock.now());
        let mut answers = Vec::with_capacity(operations.len());
        let (mut heavy, mut later) = (Vec::new(), Vec::new());
        let (mut trouble, mut moves_first) = (None, false);
        let mut operations = operations.into_iter();
        while !moves_first && trouble.is_none() && !draft.is_long() {
            let Some(operation) = operations.next() else { break };
            match draft.take(operation, !heavy.is_empty()) {
                Drafted::Done(answer) => answers.push(answer),
                Drafted::Heavy(operation) => heavy.push(operation),
                Drafted::Later(operation) => {
                    later.push(operation);
                    moves_first = true;
                }
                Drafted::Trouble(found, answer) => {
                    answers.push(answer);
                    trouble = Some(found);
                }
            }
        }
        later.extend(operations);
        Sorted {
            ready: draft.finish(),
            answers,
            trouble,
            heavy,
            later,
            moves_first,
        }
    }

    /// Puts a draft on stable storage.
    fn write(&mut self, ready: Ready) -> Result<Committed, Trouble> {
        if let Some(frame) = ready.frame {
            // Bodies first: a frame may name only what is on stable storage.
            self.state.segments.sync()?;
            self.shared.space.disk().before_commit()?;
            self.state.journal.append(frame)?;
            let now = self.shared.env.clock.monotonic();
            self.moving.note(now, self.state.journal.next() - 1);
        }
        Ok(Committed {
            files_ended: ready.files_ended,
            events: ready.events,
        })
    }

    /// Commits operations as rows of the database.
    fn commit_rows(&mut self, operations: Vec<Operation>) {
        let shared = self.shared.clone();
        let octets: usize = operations.iter().map(Operation::content_octets).sum();
        self.log_octets += octets as u64 + OPERATION_LOG_OCTETS * operations.len() as u64 + COMMIT_LOG_OCTETS;
        let mut answers = Vec::with_capacity(operations.len());
        let mut operations = operations.into_iter();
        let done = {
            let _gate = shared.gate.lock().unwrap_or_else(PoisonError::into_inner);
            self.transact(&mut operations, &mut answers)
        };
        if let Err(fault) = self.answer(answers, done) {
            refuse(operations, &fault);
        }
        self.checkpoint_if_long();
    }

    /// After a commit: gives the answers that waited for it.
    fn answer(&mut self, answers: Vec<Answer>, done: Result<Committed, Trouble>) -> Result<(), SpoolFault> {
        match done {
            Ok(Committed { files_ended, events }) => {
                let first = self.state.next_event - events.len() as u64;
                self.shared.publish(&self.state);
                self.shared.recent.add(first, events);
                answers.into_iter().for_each(Answer::give);
                self.state.segments.settle();
                self.ask(files_ended.into_iter().map(Chore::Remove));
                Ok(())
            }
            Err(trouble) => {
                let fault = self.take_back(&trouble);
                answers.into_iter().for_each(|answer| answer.fail(&fault));
                Err(fault)
            }
        }
    }

    fn ask(&self, chores: impl IntoIterator<Item = Chore>) {
        for chore in chores {
            // Without a housekeeper the next start removes what is left over.
            let _ = self.chores.send(chore);
        }
    }

    fn checkpoint_if_long(&mut self) {
        if self.log_octets >= WAL_OCTETS_MAX {
            self.log_octets = 0;
            self.ask([Chore::Checkpoint]);
        }
    }

    fn transact(
        &mut self,
        operations: &mut impl Iterator<Item = Operation>,
        answers: &mut Vec<Answer>,
    ) -> Result<Committed, Trouble> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let now = self.shared.env.clock.now();
        let mut batch = Batch::new(&self.connection, &mut self.state, now);
        for operation in operations {
            let is_early = matches!(operation, Operation::Accept(..)) && sync::early_reply();
            let mut answer = batch.apply(operation)?;
            if is_early {
                std::mem::replace(&mut answer, Answer::None).give();
            }
            answers.push(answer);
        }
        batch.finish()?;
        let Batch {
            files_ended, events, ..
        } = batch;
        // Bodies first: a row may name only what is on stable storage.
        self.state.segments.sync()?;
        self.shared.space.disk().before_commit()?;
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        self.shared.young.lock().store(self.state.outbox_through);
        Ok(Committed { files_ended, events })
    }

    /// Moves what is old or takes too much room from the journal to the database: a part, or as much as must be.
    fn move_due(&mut self) {
        let now = self.shared.env.clock.monotonic();
        loop {
            let due = {
                let kept = self.shared.young.lock();
                let due = self.moving.due(now, &self.state.journal, &kept);
                due.map(|through| kept.bounded(through, JOURNAL_MOVE_MESSAGES_MAX, JOURNAL_MEMORY_OCTETS_MAX / 2))
            };
            let Some(through) = due else { break };
            if self.move_through(through).is_err() {
                self.moving.pause(now);
                break;
            }
            if !self.moving.is_urgent() {
                break;
            }
        }
        let octets = self.shared.young.lock().octets();
        self.shared.young_octets.store(octets, Ordering::Relaxed);
    }

    /// Moves everything of frames up to `through` to the database.
    fn move_through(&mut self, through: u64) -> Result<(), SpoolFault> {
        if let Some(fault) = self.shared.suspicion() {
            return Err(fault);
        }
        if through <= self.state.journal_through {
            return Ok(());
        }
        let shared = self.shared.clone();
        let done = {
            let _gate = shared.gate.lock().unwrap_or_else(PoisonError::into_inner);
            self.move_rows(through)
        };
        match done {
            Ok(moved) => self.moved(through, moved),
            Err(trouble) => {
                self.roll_back(&trouble)?;
                // Nothing has changed in memory.
                tracing::warn!(%trouble, "the disk is full; mail stays in the journal");
                return Err(SpoolFault::DiskLow);
            }
        }
        self.checkpoint_if_long();
        Ok(())
    }

    fn move_rows(&mut self, through: u64) -> Result<Moved, Trouble> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        // Taken out first: readers do not wait for the rows.
        let part = self.shared.young.lock().part(through);
        let moved = moved::write(&self.connection, &part, &mut self.state.next_no)?;
        rows::forget_events(&self.connection, self.state.outbox_through, [])?;
        keep_meta(&self.connection, "set_high", self.state.set_high as i64)?;
        keep_meta(&self.connection, "journal_through", through as i64)?;
        self.shared.space.disk().before_commit()?;
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(moved)
    }

    /// The database holds it: nothing of it is needed in memory and in the journal.
    fn moved(&mut self, through: u64, moved: Moved) {
        self.log_octets += OPERATION_LOG_OCTETS * moved.numbers.len() as u64 + COMMIT_LOG_OCTETS;
        {
            let mut live = self.state.live.lock();
            for (id, no) in moved.numbers {
                if let Some(entry) = live.get_mut(&id) {
                    entry.no = no;
                }
            }
        }
        // Readers look into the journal first: what is no longer there has its row by now.
        let octets = {
            let mut kept = self.shared.young.lock();
            let before = kept.octets();
            kept.moved(through);
            (before - kept.octets()) as u64
        };
        self.log_octets += octets;
        self.state.left.extend(moved.left);
        self.state.set_kept = self.state.set_high;
        self.state.journal_through = through;
        self.state.journal.release(through);
        self.moving.moved(through);
    }

    /// Ends a transaction that cannot be finished. A full disk is no fault of the store; anything else makes it suspect.
    fn roll_back(&self, trouble: &Trouble) -> Result<(), SpoolFault> {
        if !self.connection.is_autocommit() {
            // An error here changes nothing: either the store is suspect or the next BEGIN fails.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        if !trouble.is_full() {
            return Err(self
                .shared
                .suspect(format!("{}: {trouble}", self.shared.env.clock.now())));
        }
        self.shared.space.found_full();
        Ok(())
    }

    /// After trouble in a commit: what it changed in memory is read anew.
    fn take_back(&mut self, trouble: &Trouble) -> SpoolFault {
        if let Err(suspect) = self.roll_back(trouble) {
            return suspect;
        }
        tracing::warn!(%trouble, "the disk is full; what was being stored is refused");
        match load::rebuild(&self.connection, &mut self.state) {
            Ok(kept) => {
                *self.shared.young.lock() = kept;
                SpoolFault::DiskLow
            }
            Err(fault) => self.shared.suspect(format!("after a full disk: {fault}")),
        }
    }
}

fn refuse(operations: impl IntoIterator<Item = Operation>, fault: &SpoolFault) -> Vec<Operation> {
    for operation in operations {
        operation.refuse(fault);
    }
    Vec::new()
}
