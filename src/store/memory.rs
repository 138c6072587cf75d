//! Stores in memory, for tests and simulation.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::StoreFault;
use super::directory::{ChangeBatch, DirectoryState, DirectoryStore, Known, ObjectRow, RollRow};
use super::trace::{TraceStore, TraceWindow, folded, names, queued, recipients};
use crate::mail::{Mailbox, MessageId, SetId};
use crate::spool::roster::Roster;
use crate::track::Event;

/// A directory in memory, with a fault on request.
#[derive(Debug)]
pub struct MemoryDirectoryStore {
    state: Mutex<Directory>,
}

#[derive(Debug, Default)]
struct Directory {
    space: String,
    generation: u64,
    ordinal_next: u32,
    objects: BTreeMap<u32, ObjectRow>,
    rolls: BTreeMap<u32, RollRow>,
    fault: Option<StoreFault>,
}

impl MemoryDirectoryStore {
    /// An empty directory of a space (UUID text).
    #[must_use]
    pub fn new(space: impl Into<String>) -> Self {
        let state = Directory {
            space: space.into(),
            ..Directory::default()
        };
        Self {
            state: Mutex::new(state),
        }
    }

    /// The next batch comes to nothing with this answer.
    pub fn fail_next_store(&self, fault: StoreFault) {
        self.state().fault = Some(fault);
    }

    fn state(&self) -> MutexGuard<'_, Directory> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Directory {
    fn all(&self) -> DirectoryState {
        DirectoryState {
            space: self.space.clone(),
            generation: self.generation,
            ordinal_next: self.ordinal_next,
            objects: self.objects.values().cloned().collect(),
            rolls: self.rolls.values().cloned().collect(),
            damaged: Vec::new(),
        }
    }
}

impl DirectoryStore for MemoryDirectoryStore {
    fn load(&self) -> Result<DirectoryState, StoreFault> {
        Ok(self.state().all())
    }

    fn store(&self, batch: ChangeBatch) -> Result<(), StoreFault> {
        let mut state = self.state();
        if let Some(fault) = state.fault.take() {
            return Err(fault);
        }
        Known::new(&state.all()).check(&batch)?;
        state.generation = batch.generation;
        state.ordinal_next = batch.ordinal_next;
        for ordinal in batch.objects_removed {
            state.objects.remove(&ordinal);
        }
        for group in batch.rolls_removed {
            state.rolls.remove(&group);
        }
        state
            .objects
            .extend(batch.objects.into_iter().map(|object| (object.ordinal, object)));
        state
            .rolls
            .extend(batch.rolls.into_iter().map(|roll| (roll.group, roll)));
        Ok(())
    }
}

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
    use crate::store::{directory, trace};

    #[test]
    fn the_directory_keeps_its_contract() {
        let store = MemoryDirectoryStore::new("space");
        directory::contract::check(&store);
        let fault = StoreFault::Suspect("a test".to_owned());
        store.fail_next_store(fault.clone());
        assert_eq!(store.store(ChangeBatch::default()), Err(fault));
    }

    #[test]
    fn the_trace_keeps_its_contract() {
        trace::contract::check(&MemoryTraceStore::new());
    }
}
