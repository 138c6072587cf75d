//! The committer: one thread that turns whatever has arrived into one transaction and one sync.
//!
//! In: operations from any thread. Out: answers, after the sync that covers them; while it syncs, the next
//! batch gathers. Never: a second try. After an error of a commit, sync or write everything is refused until a
//! restart; only a disk that is plainly full takes the transaction back and goes on.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use rusqlite::Connection;

use super::answer::{Answer, Trouble};
use super::apply::{Batch, State};
use super::housekeeper::Chore;
use super::live::Live;
use super::load;
use super::operation::Operation;
use super::recent::{Newest, Recent};
use super::space::Space;
use super::sync;
use crate::env::Env;
use crate::limits::{
    COMMIT_OCTETS_MAX, COMMIT_OPERATIONS_MAX, COMMIT_QUEUE_MAX, COMMIT_QUEUE_OCTETS_MAX, WAL_OCTETS_MAX,
};
use crate::spool::SpoolFault;

/// Octets a commit adds to the log beside content: pages of trees that any transaction touches.
const COMMIT_LOG_OCTETS: u64 = 64 * 1024;
/// Octets an operation adds to the log beside content.
const OPERATION_LOG_OCTETS: u64 = 1_024;

/// What all threads of one spool share.
pub(super) struct Shared {
    pub(super) env: Env,
    pub(super) live: Arc<Live>,
    pub(super) space: Arc<Space>,
    pub(super) queue: Queue,
    /// Events of the last commits.
    pub(super) recent: Recent,
    /// Held by a commit; taken by the checkpointer for its last stretch.
    pub(super) gate: Mutex<()>,
    /// Events in the outbox, and the number up to which they are stored elsewhere.
    pub(super) outbox_count: AtomicU64,
    pub(super) outbox_through: AtomicU64,
    is_suspect: AtomicBool,
    suspicion: Mutex<Option<String>>,
}

impl Shared {
    /// A healthy spool.
    pub(super) fn new(env: Env, live: Arc<Live>, space: Arc<Space>) -> Self {
        Self {
            env,
            live,
            space,
            queue: Queue::default(),
            recent: Recent::default(),
            gate: Mutex::default(),
            outbox_count: AtomicU64::new(0),
            outbox_through: AtomicU64::new(0),
            is_suspect: AtomicBool::new(false),
            suspicion: Mutex::default(),
        }
    }

    /// Why nothing is promised any more, if so.
    pub(super) fn suspicion(&self) -> Option<SpoolFault> {
        if !self.is_suspect.load(Ordering::Acquire) {
            return None;
        }
        let why = self.suspicion.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Some(SpoolFault::Suspect(why.unwrap_or_default()))
    }

    /// Promises nothing from now on.
    pub(super) fn suspect(&self, why: String) -> SpoolFault {
        tracing::error!(why, "the store is suspect; nothing is promised until a restart");
        let mut suspicion = self.suspicion.lock().unwrap_or_else(PoisonError::into_inner);
        let why = suspicion.get_or_insert(why).clone();
        self.is_suspect.store(true, Ordering::Release);
        SpoolFault::Suspect(why)
    }

    /// Publishes how far the outbox is.
    pub(super) fn publish(&self, state: &State) {
        let count = state.next_event - 1 - state.outbox_through;
        self.outbox_count.store(count, Ordering::Release);
        self.outbox_through.store(state.outbox_through, Ordering::Release);
    }
}

/// Operations that wait, in the order of their calls.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

#[derive(Default)]
struct Waiting {
    operations: VecDeque<Operation>,
    octets: usize,
    stopping: bool,
}

impl Queue {
    /// Adds an operation; gives it back if the committer has ended.
    pub(super) fn push(&self, operation: Operation) -> Option<Operation> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.stopping {
            return Some(operation);
        }
        waiting.octets += operation.content_octets();
        waiting.operations.push_back(operation);
        if waiting.operations.len() == 1 {
            self.arrived.notify_one();
        }
        None
    }

    /// True if new mail must wait outside. Outcomes of mail already taken are bounded by who reports them.
    pub(super) fn is_full(&self) -> bool {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.operations.len() >= COMMIT_QUEUE_MAX || waiting.octets >= COMMIT_QUEUE_OCTETS_MAX
    }

    /// No operation is taken any more; those that wait are still done.
    pub(super) fn stop(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).stopping = true;
        self.arrived.notify_all();
    }

    /// Everything that waits, up to the size of a batch; none after the end.
    fn take(&self) -> Option<Vec<Operation>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        while waiting.operations.is_empty() {
            if waiting.stopping {
                return None;
            }
            waiting = self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        let mut batch = Vec::with_capacity(waiting.operations.len().min(COMMIT_OPERATIONS_MAX));
        let mut octets = 0;
        while batch.len() < COMMIT_OPERATIONS_MAX && octets < COMMIT_OCTETS_MAX {
            let Some(operation) = waiting.operations.pop_front() else {
                break;
            };
            octets += operation.content_octets();
            batch.push(operation);
        }
        waiting.octets = waiting.octets.saturating_sub(octets);
        Some(batch)
    }
}

/// What a transaction left to be done after it.
struct Committed {
    /// Body files whose messages ended.
    files_ended: Vec<uuid::Uuid>,
    /// Its events, in the order of their numbers.
    events: Vec<Newest>,
}

/// The thread's own state.
pub(super) struct Committer {
    shared: Arc<Shared>,
    connection: Connection,
    state: State,
    chores: Sender<Chore>,
    log_octets: u64,
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
        }
    }

    /// Works until the queue is stopped and empty.
    pub(super) fn run(mut self) {
        while let Some(operations) = self.shared.queue.take() {
            match self.shared.suspicion() {
                Some(fault) => operations.into_iter().for_each(|operation| operation.refuse(&fault)),
                None => self.commit(operations),
            }
        }
    }

    fn commit(&mut self, operations: Vec<Operation>) {
        let shared = self.shared.clone();
        let octets: usize = operations.iter().map(Operation::content_octets).sum();
        self.log_octets += octets as u64 + OPERATION_LOG_OCTETS * operations.len() as u64 + COMMIT_LOG_OCTETS;
        let mut answers = Vec::with_capacity(operations.len());
        let mut operations = operations.into_iter();
        let done = {
            let _gate = shared.gate.lock().unwrap_or_else(PoisonError::into_inner);
            self.transact(&mut operations, &mut answers)
        };
        match done {
            Ok(Committed { files_ended, events }) => {
                let first = self.state.next_event - events.len() as u64;
                shared.publish(&self.state);
                shared.recent.add(first, events);
                answers.into_iter().for_each(Answer::give);
                self.state.segments.settle();
                self.ask(files_ended.into_iter().map(Chore::Remove));
            }
            Err(trouble) => {
                let fault = self.take_back(&trouble);
                answers.into_iter().for_each(|answer| answer.fail(&fault));
                operations.for_each(|operation| operation.refuse(&fault));
            }
        }
        if self.log_octets >= WAL_OCTETS_MAX {
            self.log_octets = 0;
            self.ask([Chore::Checkpoint]);
        }
    }

    fn ask(&self, chores: impl IntoIterator<Item = Chore>) {
        for chore in chores {
            // Without a housekeeper the next start removes what is left over.
            let _ = self.chores.send(chore);
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
        Ok(Committed { files_ended, events })
    }

    /// After trouble: a full disk takes the transaction back, anything else makes the store suspect.
    fn take_back(&mut self, trouble: &Trouble) -> SpoolFault {
        if !self.connection.is_autocommit() {
            // An error here changes nothing: either the store is suspect or the next BEGIN fails.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        if !trouble.is_full() {
            return self
                .shared
                .suspect(format!("{}: {trouble}", self.shared.env.clock.now()));
        }
        tracing::warn!(%trouble, "the disk is full; what was being stored is refused");
        match load::load(&self.connection) {
            Ok(loaded) => {
                self.shared.space.found_full();
                loaded.restore(&mut self.state);
                SpoolFault::DiskLow
            }
            Err(fault) => self.shared.suspect(format!("after a full disk: {fault}")),
        }
    }
}
