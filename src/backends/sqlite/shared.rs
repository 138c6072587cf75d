//! What the threads of one spool share.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::journal::young::Young;
use super::live::Live;
use super::queue::Queue;
use super::recent::Recent;
use super::space::Space;
use super::state::State;
use crate::env::Env;
use crate::spool::SpoolFault;

/// What all threads of one spool share.
pub(super) struct Shared {
    pub(super) env: Env,
    pub(super) live: Arc<Live>,
    pub(super) space: Arc<Space>,
    pub(super) queue: Queue,
    /// Mail that is in the journal and not in the database.
    pub(super) young: Young,
    /// Octets of it, about.
    pub(super) young_octets: AtomicUsize,
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
            young: Young::default(),
            young_octets: AtomicUsize::new(0),
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

    /// The number up to which events are stored elsewhere, and that of the last one committed.
    pub(super) fn outbox(&self) -> (u64, u64) {
        let through = self.outbox_through.load(Ordering::Acquire);
        (through, through + self.outbox_count.load(Ordering::Acquire))
    }
}
