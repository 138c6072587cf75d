//! Operations that wait for the committer.
//!
//! In: operations from any thread. Out: what has arrived, in the order of the calls. Never: one taken twice or after
//! the end.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::operation::Operation;
use crate::limits::{COMMIT_OCTETS_MAX, COMMIT_OPERATIONS_MAX, COMMIT_QUEUE_MAX, COMMIT_QUEUE_OCTETS_MAX};

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

    /// Everything that waits, up to the size of a batch; nothing if none came in time, none after the end.
    pub(super) fn take(&self, patience: Option<Duration>) -> Option<Vec<Operation>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        while waiting.operations.is_empty() {
            if waiting.stopping {
                return None;
            }
            let Some(patience) = patience else {
                waiting = self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let (again, timeout) = self
                .arrived
                .wait_timeout(waiting, patience)
                .unwrap_or_else(PoisonError::into_inner);
            waiting = again;
            if timeout.timed_out() && waiting.operations.is_empty() && !waiting.stopping {
                return Some(Vec::new());
            }
        }
        Some(waiting.batch())
    }
}

impl Waiting {
    fn batch(&mut self) -> Vec<Operation> {
        let mut batch = Vec::with_capacity(self.operations.len().min(COMMIT_OPERATIONS_MAX));
        let mut octets = 0;
        while batch.len() < COMMIT_OPERATIONS_MAX && octets < COMMIT_OCTETS_MAX {
            let Some(operation) = self.operations.pop_front() else {
                break;
            };
            octets += operation.content_octets();
            batch.push(operation);
        }
        self.octets = self.octets.saturating_sub(octets);
        batch
    }
}
