//! Stores in memory, for tests and simulation.

mod directory;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::StoreFault;
use super::trace::{TraceStore, TraceWindow, folded, names, queued, recipients};
use crate::mail::{Mailbox, MessageId, SetId};
use crate::spool::roster::Roster;
use crate::track::Event;

pub use directory::MemoryDirectoryStore;

/// A trace in memory.
#[derive(Debug, Default)]
pub struct MemoryTraceStore {
    state: Mutex<Trace>,
}

#[derive(Debug, Default)]
struct Trace {
    through: u64,
    events: BTreeMap<u64, Event>,
    rosters: BTreeMap<(MessageId, SetId), (Timestamp, Roster)>,
}

impl MemoryTraceStore {
    /// An empty trace.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, Trace> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TraceStore for MemoryTraceStore {
    fn append(&self, events: &[(u64, Event)], rosters: &[(SetId, Vec<u8>)]) -> Result<(), StoreFault> {
        let mut state = self.state();
        let queued = queued(events);
        for (set, octets) in rosters {
            let roster = Roster::decode(octets).map_err(|fault| StoreFault::Contradiction(fault.to_string()))?;
            if let Some((message, at)) = queued.get(set) {
                state.rosters.insert((*message, *set), (*at, roster));
            }
        }
        for (number, event) in events {
            if *number > state.through {
                state.through = *number;
                state.events.insert(*number, event.clone());
            }
        }
        Ok(())
    }

    fn stored_through(&self) -> Result<u64, StoreFault> {
        Ok(self.state().through)
    }

    fn of_message(&self, id: MessageId) -> Result<Vec<Event>, StoreFault> {
        let state = self.state();
        let events = state.events.values().filter(|event| event.message == id);
        Ok(events.cloned().collect())
    }

    fn between(&self, window: TraceWindow, after: u64, count_max: usize) -> Result<Vec<(u64, Event)>, StoreFault> {
        let state = self.state();
        let events = state.events.range(after.saturating_add(1)..);
        let events = events.filter(|(_, event)| window.holds(event.at));
        Ok(events
            .take(count_max)
            .map(|(number, event)| (*number, event.clone()))
            .collect())
    }

    fn of_recipient(
        &self,
        recipient: &Mailbox,
        window: TraceWindow,
        count_max: usize,
    ) -> Result<Vec<MessageId>, StoreFault> {
        let state = self.state();
        let key = recipient.key();
        let named = state
            .events
            .values()
            .filter(|event| window.holds(event.at))
            .filter(|event| {
                recipients(&event.kind)
                    .iter()
                    .any(|address| folded(address) == key.as_str())
            })
            .map(|event| event.message);
        let queued = state
            .rosters
            .iter()
            .filter(|(_, (at, roster))| window.holds(*at) && names(roster, recipient))
            .map(|((message, _), _)| *message);
        let mut found: Vec<MessageId> = named.chain(queued).collect();
        found.sort();
        found.dedup();
        found.reverse();
        found.truncate(count_max);
        Ok(found)
    }

    fn roster(&self, message: MessageId, set: SetId) -> Result<Option<Roster>, StoreFault> {
        Ok(self
            .state()
            .rosters
            .get(&(message, set))
            .map(|(_, roster)| roster.clone()))
    }

    fn message_of(&self, set: SetId) -> Result<Option<MessageId>, StoreFault> {
        let state = self.state();
        let mut found = state.rosters.keys().filter(|(_, id)| *id == set);
        Ok(found.next_back().map(|(message, _)| *message))
    }

    fn prune(&self, before: Timestamp) -> Result<u64, StoreFault> {
        let mut state = self.state();
        let count = state.events.len();
        state.events.retain(|_, event| event.at >= before);
        state.rosters.retain(|_, (at, _)| *at >= before);
        Ok((count - state.events.len()) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::trace;

    #[test]
    fn the_trace_keeps_its_contract() {
        trace::contract::check(&MemoryTraceStore::new());
    }
}
