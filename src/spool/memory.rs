//! A spool in memory, with faults on request: for tests and simulation.
//!
//! The contract is that of the durable spool; [`MemorySpool::survivor`] is what a restart would find. What is
//! never asked for never fails: without faults every commit is answered at once.

mod state;

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use jiff::Timestamp;

use super::content::{Content, ContentWriter};
use super::message::{Acceptance, Hold, HoldDecision, MessageKind, Outcome, Settlement, StoredMessage, StoredSet};
use super::promise::{Promise, answered, promise};
use super::roster::Roster;
use super::{Commit, Decided, Readiness, Recovered, Spool, SpoolFault};
use crate::env::Env;
use crate::mail::{HoldId, MessageId, SetId};
use crate::track::Event;
use state::{KeptSet, State};

/// The spool in memory.
pub struct MemorySpool {
    env: Env,
    state: Mutex<State>,
    faults: Mutex<Faults>,
    set_last: AtomicU64,
    hold_last: AtomicU64,
}

/// What goes wrong on request.
#[derive(Default)]
struct Faults {
    /// Answers of the next commits.
    next: VecDeque<SpoolFault>,
    suspect: Option<SpoolFault>,
    busy: Option<SpoolFault>,
    /// Commits wait for [`MemorySpool::release_commits`].
    delayed: Option<VecDeque<Operation>>,
}

enum Operation {
    Accept(Box<Acceptance>, Promise<()>),
    Complete(MessageId, Box<Outcome>, Promise<()>),
    Settle(Box<Settlement>, Promise<()>),
    Decide(Box<HoldDecision>, Promise<Decided>),
    Record(Vec<Event>),
    OutboxStored(u64, Promise<()>),
    ForgetHolds(Timestamp, Promise<()>),
}

impl MemorySpool {
    /// An empty spool; the clock dates DONE events.
    #[must_use]
    pub fn new(env: Env) -> Self {
        Self::with_state(env, State::default())
    }

    fn with_state(env: Env, state: State) -> Self {
        Self {
            env,
            set_last: AtomicU64::new(state.set_high),
            hold_last: AtomicU64::new(state.hold_high),
            state: Mutex::new(state),
            faults: Mutex::default(),
        }
    }

    /// The next commit comes to nothing with this answer; after [`SpoolFault::Suspect`] all later ones do.
    pub fn fail_next_commit(&self, fault: SpoolFault) {
        self.faults().next.push_back(fault);
    }

    /// What [`Spool::readiness`], [`Spool::writer`] and new mail are answered from now on.
    pub fn set_busy(&self, fault: Option<SpoolFault>) {
        self.faults().busy = fault;
    }

    /// Commits are neither made nor answered until they are released.
    pub fn delay_commits(&self) {
        self.faults().delayed.get_or_insert_default();
    }

    /// Makes and answers what was delayed, in order; later commits are answered at once again.
    pub fn release_commits(&self) {
        let delayed = self.faults().delayed.take();
        for operation in delayed.into_iter().flatten() {
            self.commit(operation);
        }
    }

    /// What a restart would find after a crash now: all that was committed, nothing that was delayed.
    #[must_use]
    pub fn survivor(&self) -> Self {
        Self::with_state(self.env.clone(), self.state().clone())
    }

    /// Messages in the spool.
    #[must_use]
    pub fn messages(&self) -> usize {
        self.state().messages.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bound(&self) -> Option<SpoolFault> {
        let faults = self.faults();
        faults.suspect.clone().or_else(|| faults.busy.clone())
    }

    fn submit<T: Send + 'static>(&self, operation: impl FnOnce(Promise<T>) -> Operation) -> Commit<T> {
        let (promise, commit) = promise();
        self.enqueue(operation(promise));
        commit
    }

    fn enqueue(&self, operation: Operation) {
        if let Some(delayed) = self.faults().delayed.as_mut() {
            delayed.push_back(operation);
            return;
        }
        self.commit(operation);
    }

    fn commit(&self, operation: Operation) {
        if let Some(fault) = self.next_fault() {
            operation.refuse(&fault);
            return;
        }
        let now = self.env.clock.now();
        operation.apply(&mut self.state(), now);
    }

    fn next_fault(&self) -> Option<SpoolFault> {
        let mut faults = self.faults();
        if faults.suspect.is_some() {
            return faults.suspect.clone();
        }
        let fault = faults.next.pop_front();
        if let Some(SpoolFault::Suspect(_)) = fault {
            faults.suspect.clone_from(&fault);
        }
        fault
    }
}

impl Operation {
    fn refuse(self, fault: &SpoolFault) {
        match self {
            Self::Accept(_, promise)
            | Self::Complete(_, _, promise)
            | Self::Settle(_, promise)
            | Self::OutboxStored(_, promise)
            | Self::ForgetHolds(_, promise) => promise.resolve(Err(fault.clone())),
            Self::Decide(_, promise) => promise.resolve(Err(fault.clone())),
            Self::Record(_) => {}
        }
    }

    fn apply(self, state: &mut State, now: Timestamp) {
        match self {
            Self::Accept(acceptance, promise) => promise.resolve(state.accept(*acceptance, now)),
            Self::Complete(id, outcome, promise) => promise.resolve(state.complete(id, *outcome, now)),
            Self::Settle(settlement, promise) => promise.resolve(state.settle(*settlement, now)),
            Self::Decide(decision, promise) => promise.resolve(state.decide(*decision, now)),
            Self::Record(events) => drop(state.push(events)),
            Self::OutboxStored(number, promise) => promise.resolve(state.outbox_stored(number)),
            Self::ForgetHolds(before, promise) => promise.resolve(state.forget_holds(before)),
        }
    }
}

impl Spool for MemorySpool {
    fn readiness(&self) -> Readiness {
        self.bound().map_or(Readiness::Ready, Readiness::Busy)
    }

    fn writer(&self) -> Result<Box<dyn ContentWriter>, SpoolFault> {
        match self.bound() {
            Some(fault) => Err(fault),
            None => Ok(Box::new(MemoryWriter(BytesMut::new()))),
        }
    }

    fn new_set_id(&self) -> SetId {
        SetId(self.set_last.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn new_hold_id(&self) -> HoldId {
        HoldId(self.hold_last.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn accept(&self, acceptance: Acceptance) -> Commit<()> {
        if acceptance.message.message.kind == MessageKind::Submitted
            && let Some(fault) = self.bound()
        {
            return answered(Err(fault));
        }
        self.submit(|promise| Operation::Accept(Box::new(acceptance), promise))
    }

    fn complete(&self, message: MessageId, outcome: Outcome) -> Commit<()> {
        self.submit(|promise| Operation::Complete(message, Box::new(outcome), promise))
    }

    fn settle(&self, settlement: Settlement) -> Commit<()> {
        self.submit(|promise| Operation::Settle(Box::new(settlement), promise))
    }

    fn decide(&self, decision: HoldDecision) -> Commit<Decided> {
        self.submit(|promise| Operation::Decide(Box::new(decision), promise))
    }

    fn record(&self, events: Vec<Event>) {
        self.enqueue(Operation::Record(events));
    }

    fn message(&self, id: MessageId) -> Result<StoredMessage, SpoolFault> {
        Ok(self.state().message(id)?.message.clone())
    }

    fn content(&self, id: MessageId) -> Result<Content, SpoolFault> {
        Ok(self.state().message(id)?.content.clone())
    }

    fn set(&self, id: SetId) -> Result<StoredSet, SpoolFault> {
        let state = self.state();
        let set = state.set(id)?;
        if set.left {
            return Err(SpoolFault::Missing(format!("set {id}")));
        }
        Ok(set.stored.clone())
    }

    fn sets_of(&self, id: MessageId) -> Result<Vec<StoredSet>, SpoolFault> {
        let state = self.state();
        state.message(id)?;
        let sets = state.sets.values().map(|set| &set.stored);
        Ok(sets.filter(|stored| stored.set.message == id).cloned().collect())
    }

    fn roster_octets(&self, id: SetId) -> Result<Vec<u8>, SpoolFault> {
        Ok(self.state().set(id)?.stored.set.roster.encode())
    }

    fn hold(&self, id: HoldId) -> Result<Hold, SpoolFault> {
        let hold = self.state().holds.get(&id).cloned();
        hold.ok_or_else(|| SpoolFault::Missing(format!("hold {id}")))
    }

    fn holds(&self) -> Result<Vec<Hold>, SpoolFault> {
        Ok(self.state().holds_waiting())
    }

    fn holds_of(&self, message: MessageId) -> Result<Vec<Hold>, SpoolFault> {
        let state = self.state();
        let mut holds: Vec<Hold> = state
            .holds
            .values()
            .filter(|hold| hold.message == message)
            .cloned()
            .collect();
        holds.sort_by_key(|hold| (hold.held_at, hold.id));
        Ok(holds)
    }

    fn recover(&self) -> Result<Recovered, SpoolFault> {
        let state = self.state();
        let open = state.sets.values().filter(|set| !set.finished && !set.left);
        let without_roster = |set: &KeptSet| {
            let mut stored = set.stored.clone();
            stored.set.roster = Roster::default();
            stored
        };
        let pending = state.messages.iter().filter(|(_, kept)| kept.pending);
        let mut pending: Vec<MessageId> = pending.map(|(id, _)| *id).collect();
        pending.sort();
        Ok(Recovered {
            sets: open.map(without_roster).collect(),
            pending,
            holds: state.holds_waiting(),
        })
    }

    fn outbox(&self, count_max: usize) -> Result<Vec<(u64, Event)>, SpoolFault> {
        Ok(self.state().outbox.iter().take(count_max).cloned().collect())
    }

    fn outbox_stored(&self, number: u64) -> Commit<()> {
        self.submit(|promise| Operation::OutboxStored(number, promise))
    }

    fn forget_holds(&self, before: Timestamp) -> Commit<()> {
        self.submit(|promise| Operation::ForgetHolds(before, promise))
    }
}

/// Octets in memory, whatever their number.
struct MemoryWriter(BytesMut);

impl ContentWriter for MemoryWriter {
    fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.0.extend_from_slice(octets);
        Ok(())
    }

    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn is_large(&self) -> bool {
        false
    }

    fn finish(self: Box<Self>) -> io::Result<Content> {
        let octets: Bytes = self.0.freeze();
        Ok(Content::in_memory(octets))
    }
}

#[cfg(test)]
mod tests {
    use super::super::contract::{Sample, check_all};
    use super::super::promise::wait;
    use super::*;

    fn spool() -> MemorySpool {
        MemorySpool::new(Env::system())
    }

    #[test]
    fn keeps_the_contract() {
        check_all(|| Box::new(spool()));
    }

    #[test]
    fn a_failed_commit_leaves_nothing() {
        let spool = spool();
        let sample = Sample::new(&spool, 3);
        spool.fail_next_commit(SpoolFault::DiskLow);
        assert_eq!(wait(spool.accept(sample.acceptance.clone())), Err(SpoolFault::DiskLow));
        assert_eq!(spool.messages(), 0);
        assert_eq!(wait(spool.accept(sample.acceptance)), Ok(()));
    }

    #[test]
    fn a_suspect_spool_promises_nothing_more() {
        let spool = spool();
        let fault = SpoolFault::Suspect("a test".to_owned());
        spool.fail_next_commit(fault.clone());
        for _ in 0..2 {
            assert_eq!(
                wait(spool.accept(Sample::new(&spool, 1).acceptance)),
                Err(fault.clone())
            );
        }
        assert_eq!(spool.readiness(), Readiness::Busy(fault));
        assert_eq!(spool.survivor().readiness(), Readiness::Ready);
    }

    #[test]
    fn a_crash_loses_what_was_delayed_and_only_that() {
        let spool = spool();
        let first = Sample::new(&spool, 1);
        wait(spool.accept(first.acceptance.clone())).expect("no fault was asked for");
        spool.delay_commits();
        let second = Sample::new(&spool, 1);
        let commit = spool.accept(second.acceptance.clone());
        let survivor = spool.survivor();
        assert!(survivor.message(first.id()).is_ok());
        assert!(survivor.message(second.id()).is_err());
        spool.release_commits();
        assert_eq!(wait(commit), Ok(()));
        assert!(spool.message(second.id()).is_ok());
    }
}
