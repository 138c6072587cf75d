//! Operators' decisions about the queue, kept over restarts: who is held by hand, who goes elsewhere, which next hops are
//! suspended.
//!
//! In: decisions. Out: the same after a restart, before anything is sent. Never: carried out before it is kept.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use roaring::RoaringBitmap;

use crate::mail::SetId;
use crate::queue::Masks;
use crate::queue::marks::{SetMarks, Suspension};
use crate::store::StoreFault;
use crate::store::stops::SharedStopStore;

/// What is decided.
pub struct Marks {
    store: SharedStopStore,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    sets: HashMap<SetId, SetMarks>,
    suspensions: Vec<Suspension>,
}

impl Marks {
    /// Takes up what was kept.
    pub fn load(store: SharedStopStore) -> Result<Self, StoreFault> {
        let state = store.load()?;
        let known = Known {
            sets: state.marks.into_iter().map(|marks| (marks.set, marks)).collect(),
            suspensions: state.suspensions,
        };
        Ok(Self {
            store,
            known: Mutex::new(known),
        })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decisions about sets that are open; those about others are forgotten.
    pub fn of_open(&self, open: &HashSet<SetId>) -> Result<Vec<SetMarks>, StoreFault> {
        let mut known = self.known();
        let over: Vec<SetId> = known.sets.keys().filter(|set| !open.contains(set)).copied().collect();
        for set in over {
            self.store.keep_marks(&SetMarks::new(set))?;
            known.sets.remove(&set);
        }
        Ok(known.sets.values().cloned().collect())
    }

    /// Changes what is decided about sets; returns who is held of them then.
    pub fn change(&self, meant: &Masks, change: impl Fn(&mut SetMarks, &RoaringBitmap)) -> Result<Masks, StoreFault> {
        let mut known = self.known();
        let mut held = Masks::new();
        for (set, ranks) in meant {
            let before = known.sets.get(set).cloned();
            let mut marks = before.clone().unwrap_or_else(|| SetMarks::new(*set));
            change(&mut marks, ranks);
            held.insert(*set, marks.held());
            if before.as_ref() == Some(&marks) || (before.is_none() && marks.is_empty()) {
                continue;
            }
            self.store.keep_marks(&marks)?;
            if marks.is_empty() {
                known.sets.remove(set);
            } else {
                known.sets.insert(*set, marks);
            }
        }
        Ok(held)
    }

    /// Who is held of a set.
    #[must_use]
    pub fn held(&self, set: SetId) -> RoaringBitmap {
        self.known().sets.get(&set).map(SetMarks::held).unwrap_or_default()
    }

    /// Suspends a next hop; false if it was.
    pub fn suspend(&self, suspension: Suspension) -> Result<bool, StoreFault> {
        let mut known = self.known();
        let was = known
            .suspensions
            .iter()
            .any(|each| each.next_hop == suspension.next_hop);
        if !was {
            self.store.keep_suspension(&suspension)?;
            known.suspensions.push(suspension);
        }
        Ok(!was)
    }

    /// Ends a suspension; false if there was none.
    pub fn resume(&self, next_hop: &str) -> Result<bool, StoreFault> {
        let mut known = self.known();
        let was = known.suspensions.iter().any(|each| each.next_hop == next_hop);
        if was {
            self.store.end_suspension(next_hop)?;
            known.suspensions.retain(|each| each.next_hop != next_hop);
        }
        Ok(was)
    }

    /// Names of suspended next hops.
    #[must_use]
    pub fn suspended(&self) -> Vec<String> {
        self.known()
            .suspensions
            .iter()
            .map(|each| each.next_hop.clone())
            .collect()
    }
}
