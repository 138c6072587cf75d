//! Ranks that an operator holds back: they stay open, are never sent, and expire with nobody.
//!
//! A set's *mask* says which of its ranks are held. Ranks that would become ready and lie in it are put aside; those in
//! a batch that is out are told apart, so that an operator hears the truth about them.

use std::collections::HashMap;

use roaring::RoaringBitmap;

use super::ranks;
use super::{Batch, BatchKind, DestinationId, Due, Queue};
use crate::mail::{MessageId, SetId};

/// Which ranks of which sets are held back.
pub type Masks = HashMap<SetId, RoaringBitmap>;

/// How a mask finds a set.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct HeldBack {
    /// Ranks of the mask that wait because of it.
    pub held: RoaringBitmap,
    /// Ranks of the mask that are being delivered at this moment.
    pub in_flight: RoaringBitmap,
    /// Ranks that go on because the mask has become smaller.
    pub let_go: u64,
}

impl Queue {
    /// Sets that are in the queue, with their messages.
    pub fn sets(&self) -> impl Iterator<Item = (SetId, MessageId)> {
        self.sets.iter().map(|(set, entry)| (*set, entry.message))
    }

    /// The mask of a set.
    #[must_use]
    pub fn mask(&self, set: SetId) -> Option<&RoaringBitmap> {
        self.sets.get(&set).map(|entry| &entry.stopped)
    }

    /// Replaces the mask of a set; returns what it finds, and which destinations may have work now.
    pub fn hold_back(&mut self, set: SetId, mask: RoaringBitmap) -> (HeldBack, Vec<DestinationId>) {
        let Some(entry) = self.sets.get_mut(&set) else {
            return (HeldBack::default(), Vec::new());
        };
        entry.by_stops = mask;
        self.apply_masks(set)
    }

    /// Holds back what stops and hands hold of a set, and lets go what neither does.
    pub(super) fn apply_masks(&mut self, set: SetId) -> (HeldBack, Vec<DestinationId>) {
        let Some(entry) = self.sets.get_mut(&set) else {
            return (HeldBack::default(), Vec::new());
        };
        entry.stopped = &entry.by_stops | &entry.by_hand;
        let items = entry.items.clone();
        let mut wake = Vec::new();
        let mut let_go = 0;
        for id in items {
            self.leave_line(id);
            let Some(item) = self.items.get_mut(&id) else { continue };
            let mask = &self.sets[&set].stopped;
            let freed = &item.withheld - mask;
            item.withheld -= &freed;
            let mut ready = std::mem::take(&mut item.ready);
            if !freed.is_empty() {
                let_go += freed.len();
                // Time has passed since they were judged: today's address is asked for.
                item.waited = true;
                wake.push(item.destination);
                ready |= freed;
            }
            self.make_ready(id, &ready);
        }
        let found = self.held_back(set);
        (HeldBack { let_go, ..found }, wake)
    }

    /// What the mask of a set holds now.
    #[must_use]
    pub fn held_back(&self, set: SetId) -> HeldBack {
        let mask = self.sets.get(&set).map(|entry| &entry.stopped);
        mask.map_or_else(HeldBack::default, |mask| self.open_within(set, mask))
    }

    /// What a mask would hold of a set: open ranks that are not being delivered, and those that are.
    #[must_use]
    pub fn open_within(&self, set: SetId, mask: &RoaringBitmap) -> HeldBack {
        let mut found = HeldBack::default();
        let items = self.sets.get(&set).into_iter().flat_map(|entry| &entry.items);
        for item in items.map(|item| &self.items[item]) {
            for ranks in [&item.ready, &item.deferred, &item.withheld] {
                found.held |= ranks & mask;
            }
            found.in_flight |= &item.out & mask;
        }
        found
    }

    /// Takes ranks that are held back out of the queue, to be settled as given up. What is being delivered is left; if
    /// they are the whole set, it does not come back.
    pub fn withdraw_held(&mut self, set: SetId, ranks_meant: &RoaringBitmap) -> Vec<Batch> {
        let Some(entry) = self.sets.get(&set) else {
            return Vec::new();
        };
        let mask = &entry.stopped & ranks_meant;
        if mask.len() == u64::from(entry.recipients) {
            return self.withdraw(set);
        }
        let items = entry.items.clone();
        let mut batches = Vec::new();
        for id in items {
            let Some(item) = self.items.get_mut(&id) else { continue };
            let mut ranks = &(&item.withheld | &item.deferred) & &mask;
            item.withheld -= &ranks;
            item.deferred -= &ranks;
            if item.deferred.is_empty()
                && let Some(at) = item.next_attempt_at.take()
            {
                self.wheel.remove(at, Due::Item(id));
            }
            if ranks.is_empty() {
                continue;
            }
            item.in_flight += 1;
            batches.push(Batch {
                set,
                message: item.message,
                destination: item.destination,
                ranks: ranks::take_lowest(&mut ranks, usize::MAX),
                again: false,
                item: id,
                kind: BatchKind::Withdrawn,
            });
        }
        batches
    }
}
