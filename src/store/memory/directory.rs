//! A directory in memory: what the contract asks for, by the plainest means.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::directory::attribute::Attribute;
use crate::directory::{ObjectId, Ordinal};
use crate::mail::AddressKey;
use crate::rolls::Roll;
use crate::rolls::history::Difference;
use crate::rolls::hold::Hold;
use crate::rolls::local::LocalDecisions;
use crate::rolls::pin::Pins;
use crate::rolls::suspect::Suspicion;
use crate::store::StoreFault;
use crate::store::directory::{ChangeBatch, DirectoryState, DirectoryStore, Known, ObjectRow, second_ordinal};
use crate::store::life::{
    AttributeChange, AuditEntry, FormerRoll, GoneRow, HistoryQuery, LifeBatch, LifeState, Pruned,
};

/// A directory in memory, with a fault on request.
#[derive(Debug)]
pub struct MemoryDirectoryStore {
    state: Mutex<Directory>,
}

#[derive(Debug, Default)]
struct Directory {
    space: String,
    generation: u64,
    digests: BTreeMap<String, String>,
    ordinal_next: u32,
    objects: BTreeMap<u32, ObjectRow>,
    rolls: BTreeMap<u32, Roll>,
    former: BTreeMap<u32, FormerRoll>,
    history: BTreeMap<(u32, u64), Difference>,
    gone: BTreeMap<u32, GoneRow>,
    changes: BTreeMap<(Ordinal, Attribute), AttributeChange>,
    pins: BTreeMap<Ordinal, Pins>,
    holds: BTreeMap<Ordinal, Hold>,
    decisions: BTreeMap<ObjectId, LocalDecisions>,
    suspects: BTreeMap<AddressKey, Suspicion>,
    audit: Vec<AuditEntry>,
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

/// Keeps a value under its key, or takes it away.
fn set<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: Option<V>) {
    match value {
        Some(value) => {
            map.insert(key, value);
        }
        None => {
            map.remove(&key);
        }
    }
}

impl Directory {
    fn all(&self) -> DirectoryState {
        DirectoryState {
            space: self.space.clone(),
            generation: self.generation,
            digests: self
                .digests
                .iter()
                .map(|(source, digest)| (source.clone(), digest.clone()))
                .collect(),
            ordinal_next: self.ordinal_next,
            rolls: self.rolls.values().cloned().collect(),
            life: LifeState {
                pins: self.pins.iter().map(|(group, pins)| (*group, pins.clone())).collect(),
                holds: self.holds.values().cloned().collect(),
                decisions: self
                    .decisions
                    .iter()
                    .map(|(id, all)| (id.clone(), all.clone()))
                    .collect(),
                suspects: self.suspects.values().cloned().collect(),
            },
            damaged: Vec::new(),
        }
    }

    fn check_ids(&self, batch: &ChangeBatch) -> Result<(), StoreFault> {
        let mut ordinals: BTreeMap<&str, u32> = self
            .objects
            .values()
            .filter(|row| !batch.objects_removed.contains(&row.ordinal))
            .map(|row| (row.id.as_str(), row.ordinal))
            .collect();
        for row in &batch.objects {
            if ordinals
                .insert(&row.id, row.ordinal)
                .is_some_and(|known| known != row.ordinal)
            {
                return Err(second_ordinal(&row.id));
            }
        }
        Ok(())
    }

    fn check_rolls(&self, batch: &ChangeBatch) -> Result<(), StoreFault> {
        for change in &batch.rolls {
            let stored = self.rolls.get(&change.roll.group.0).map(|roll| roll.version);
            let fits = match change.difference.as_deref() {
                Some(difference) => {
                    difference.version == change.roll.version
                        && difference.group == change.roll.group
                        && difference.before == stored
                }
                None => stored.is_none_or(|stored| stored < change.roll.version),
            };
            if !fits {
                let text = format!("version {} does not follow {stored:?}", change.roll.version);
                return Err(StoreFault::Contradiction(text));
            }
        }
        Ok(())
    }

    fn take_rolls(&mut self, batch: &ChangeBatch) {
        for group in &batch.rolls_removed {
            if let Some(roll) = self.rolls.remove(group) {
                let former = FormerRoll {
                    roll,
                    gone_at: batch.at,
                };
                self.former.insert(*group, former);
            }
        }
        for change in &batch.rolls {
            let group = change.roll.group.0;
            match &change.difference {
                Some(difference) => {
                    self.history.insert((group, difference.version), (**difference).clone());
                }
                None => self.history.retain(|(owner, _), _| *owner != group),
            }
            self.rolls.insert(group, (*change.roll).clone());
        }
        for roll in &batch.rolls_confirmed {
            if let Some(known) = self.rolls.get_mut(&roll.group.0) {
                known.provenance.confirmed_at = roll.provenance.confirmed_at;
                known.provenance.generation = roll.provenance.generation;
                known.provenance.filter_hash = roll.provenance.filter_hash;
            }
        }
    }

    fn take_life(&mut self, life: LifeBatch) {
        self.gone.extend(life.gone.into_iter().map(|row| (row.ordinal.0, row)));
        let changes = life.attribute_changes.into_iter();
        self.changes
            .extend(changes.map(|change| ((change.ordinal, change.attribute), change)));
        for (group, pins) in life.pins {
            set(&mut self.pins, group, Some(pins).filter(|pins| !pins.is_empty()));
        }
        for (group, hold) in life.holds {
            set(&mut self.holds, group, hold);
        }
        for (id, decisions) in life.decisions {
            set(&mut self.decisions, id, Some(decisions).filter(|all| !all.is_empty()));
        }
        for change in life.suspects {
            set(&mut self.suspects, change.key, change.suspicion);
        }
        self.audit.extend(life.audit);
    }
}

impl DirectoryStore for MemoryDirectoryStore {
    fn load(&self) -> Result<DirectoryState, StoreFault> {
        Ok(self.state().all())
    }

    fn objects(&self, visit: &mut dyn FnMut(Ordinal, &[u8])) -> Result<Vec<String>, StoreFault> {
        let objects = self.state().objects.clone();
        objects
            .values()
            .for_each(|row| visit(Ordinal(row.ordinal), &row.octets));
        Ok(Vec::new())
    }

    fn store(&self, batch: ChangeBatch) -> Result<(), StoreFault> {
        let mut state = self.state();
        if let Some(fault) = state.fault.take() {
            return Err(fault);
        }
        let known = Known {
            generation: state.generation,
            ordinal_next: state.ordinal_next,
        };
        known.check(&batch, |ordinal| {
            Ok(state.objects.get(&ordinal).map(|row| row.id.clone()))
        })?;
        state.check_ids(&batch)?;
        state.check_rolls(&batch)?;
        state.generation = batch.generation;
        for (source, digest) in &batch.digests {
            match digest {
                Some(digest) => state.digests.insert(source.clone(), digest.clone()),
                None => state.digests.remove(source),
            };
        }
        state.ordinal_next = batch.ordinal_next;
        for ordinal in &batch.objects_removed {
            state.objects.remove(ordinal);
        }
        state.take_rolls(&batch);
        state
            .objects
            .extend(batch.objects.into_iter().map(|object| (object.ordinal, object)));
        state.take_life(batch.life);
        Ok(())
    }

    fn keep(&self, life: LifeBatch) -> Result<(), StoreFault> {
        let mut state = self.state();
        match state.fault.take() {
            Some(fault) => Err(fault),
            None => {
                state.take_life(life);
                Ok(())
            }
        }
    }

    fn history(&self, group: Ordinal, query: HistoryQuery) -> Result<Vec<Difference>, StoreFault> {
        let state = self.state();
        let below = query.below.unwrap_or(u64::MAX);
        let mut found = Vec::new();
        for (_, difference) in state.history.range((group.0, 0)..(group.0, below)).rev() {
            if found.len() >= query.count_max {
                break;
            }
            found.push(difference.clone());
            if query.since.is_some_and(|since| difference.at <= since) {
                break;
            }
        }
        Ok(found)
    }

    fn history_since(&self, time: Timestamp) -> Result<Vec<Difference>, StoreFault> {
        let state = self.state();
        let young = state
            .history
            .values()
            .filter(|each| each.at >= time && each.version > 1 && state.rolls.contains_key(&each.group.0));
        Ok(young.cloned().collect())
    }

    fn former_roll(&self, group: Ordinal) -> Result<Option<FormerRoll>, StoreFault> {
        Ok(self.state().former.get(&group.0).cloned())
    }

    fn gone(&self, ordinals: &[Ordinal]) -> Result<Vec<GoneRow>, StoreFault> {
        let state = self.state();
        let rows = ordinals.iter().filter_map(|ordinal| state.gone.get(&ordinal.0));
        Ok(rows.cloned().collect())
    }

    fn attribute_changes(&self, ordinal: Ordinal) -> Result<Vec<AttributeChange>, StoreFault> {
        let state = self.state();
        let changes = state.changes.values().filter(|change| change.ordinal == ordinal);
        Ok(changes.cloned().collect())
    }

    fn audit(&self, subject: Option<&str>, count_max: usize) -> Result<Vec<AuditEntry>, StoreFault> {
        let state = self.state();
        let meant = |entry: &&AuditEntry| subject.is_none_or(|subject| entry.subject == subject);
        Ok(state
            .audit
            .iter()
            .rev()
            .filter(meant)
            .take(count_max)
            .cloned()
            .collect())
    }

    /// Everything that is old goes: a roll is kept whole here and needs no differences.
    fn prune(&self, before: Timestamp) -> Result<Pruned, StoreFault> {
        let mut state = self.state();
        let state = &mut *state;
        let (versions, others) = (
            state.history.len(),
            state.gone.len() + state.changes.len() + state.audit.len(),
        );
        let old: Vec<u32> = state
            .former
            .iter()
            .filter(|(_, former)| former.gone_at < before)
            .map(|(group, _)| *group)
            .collect();
        state.former.retain(|group, _| !old.contains(group));
        state
            .history
            .retain(|(group, _), difference| difference.at >= before && !old.contains(group));
        state.gone.retain(|_, row| row.at >= before);
        state.changes.retain(|_, change| change.at >= before);
        state.audit.retain(|entry| entry.at >= before);
        let left = state.gone.len() + state.changes.len() + state.audit.len();
        Ok(Pruned {
            versions: (versions - state.history.len()) as u64,
            others: (others - left) as u64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::directory::contract;

    #[test]
    fn keeps_the_contract() {
        let store = MemoryDirectoryStore::new("space");
        contract::check(&store);
        let fault = StoreFault::Suspect("a test".to_owned());
        store.fail_next_store(fault.clone());
        assert_eq!(store.store(ChangeBatch::default()), Err(fault));
        contract::check_history(&MemoryDirectoryStore::new("space"));
        contract::check_life(&MemoryDirectoryStore::new("space"));
    }
}
