//! What an operator has decided about recipients in the queue: hold them, send them elsewhere.
//!
//! Kept by whoever carries it out, so that a restart changes nothing; the queue itself knows ranks only.

use jiff::Timestamp;
use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};

use super::ranks::{self, Ranges};
use super::{DestinationId, Queue};
use crate::mail::SetId;

/// Decisions about one set.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SetMarks {
    /// The set.
    pub set: SetId,
    /// Ranks that are held.
    #[serde(default)]
    pub held: Ranges,
    /// Ranks that go to another destination than routes say, by its label.
    #[serde(default)]
    pub rerouted: Vec<(String, Ranges)>,
}

impl SetMarks {
    /// Nothing is decided.
    #[must_use]
    pub fn new(set: SetId) -> Self {
        Self {
            set,
            held: Ranges::new(),
            rerouted: Vec::new(),
        }
    }

    /// True if nothing is decided.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty() && self.rerouted.is_empty()
    }

    /// Ranks that are held.
    #[must_use]
    pub fn held(&self) -> RoaringBitmap {
        bitmap(&self.held)
    }

    /// Holds more ranks.
    pub fn hold(&mut self, more: &RoaringBitmap) {
        self.held = ranges(self.held() | more);
    }

    /// Holds these no longer; returns which of them were held.
    pub fn release(&mut self, meant: &RoaringBitmap) -> RoaringBitmap {
        let held = self.held();
        let freed = &held & meant;
        self.held = ranges(held - &freed);
        freed
    }

    /// Sends ranks elsewhere from now on.
    pub fn reroute(&mut self, meant: &RoaringBitmap, label: &str) {
        for (_, there) in &mut self.rerouted {
            *there = ranges(bitmap(there) - meant);
        }
        self.rerouted.retain(|(_, there)| !there.is_empty());
        match self.rerouted.iter_mut().find(|(known, _)| known == label) {
            Some((_, there)) => *there = ranges(bitmap(there) | meant),
            None => self.rerouted.push((label.to_owned(), ranges(meant.clone()))),
        }
    }
}

/// A next hop that is left alone until an operator says otherwise.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Suspension {
    /// Its name, or the label of one MX domain.
    pub next_hop: String,
    /// Since when.
    pub since: Timestamp,
    /// Who did it.
    pub by: String,
    /// Why.
    pub reason: Option<String>,
}

/// Ranges as a bitmap.
#[must_use]
pub fn bitmap(ranges: &[(u32, u32)]) -> RoaringBitmap {
    let mut all = RoaringBitmap::new();
    ranks::add(&mut all, ranges);
    all
}

/// A bitmap as ranges.
#[must_use]
pub fn ranges(mut all: RoaringBitmap) -> Ranges {
    ranks::take_lowest(&mut all, usize::MAX)
}

impl Queue {
    /// Holds exactly these ranks of a set, beside what stops hold; returns which destinations may have work now.
    pub fn hold_by_hand(&mut self, set: SetId, held: RoaringBitmap) -> Vec<DestinationId> {
        let Some(entry) = self.sets.get_mut(&set) else {
            return Vec::new();
        };
        entry.by_hand = held;
        self.apply_masks(set).1
    }

    /// Sends ranks of a set to another destination, whatever routes say; those that are being delivered are left.
    /// Returns who moved.
    pub fn reroute(&mut self, set: SetId, meant: &RoaringBitmap, to: DestinationId) -> RoaringBitmap {
        let Some(entry) = self.sets.get(&set) else {
            return RoaringBitmap::new();
        };
        let (message, items) = (entry.message, entry.items.clone());
        let there = items.iter().copied().find(|id| self.items[id].destination == to);
        let mut moved = RoaringBitmap::new();
        let mut attempts = 0;
        for id in items {
            if Some(id) == there {
                let item = &self.items[&id];
                moved |= (&item.ready | &item.deferred | &item.withheld) & meant;
                continue;
            }
            self.leave_line(id);
            let Some(item) = self.items.get_mut(&id) else { continue };
            let leaving = (&item.ready | &item.deferred | &item.withheld) & meant;
            item.ready -= &leaving;
            item.deferred -= &leaving;
            item.withheld -= &leaving;
            attempts = attempts.max(item.attempts);
            if item.deferred.is_empty()
                && let Some(at) = item.next_attempt_at.take()
            {
                self.wheel.remove(at, super::Due::Item(id));
            }
            moved |= leaving;
            self.line_up(id);
        }
        if moved.is_empty() {
            return moved;
        }
        let there = there.unwrap_or_else(|| self.make_item(set, message, to));
        let item = self.item_mut(there);
        item.attempts = item.attempts.max(attempts);
        // Where they are already they may wait for another attempt: they are tried now.
        item.deferred -= &moved;
        if item.deferred.is_empty()
            && let Some(at) = item.next_attempt_at.take()
        {
            self.wheel.remove(at, super::Due::Item(there));
        }
        let fresh = &moved - &self.items[&there].ready;
        self.make_ready(there, &fresh);
        if let Some(entry) = self.sets.get_mut(&set) {
            entry.pinned |= &moved;
            for id in entry.items.clone() {
                self.forget_if_spent(id);
            }
        }
        moved
    }

    /// Ranks that an operator has sent where they are: routes are not asked again. Empty for nearly every set.
    #[must_use]
    pub fn pinned(&self, set: SetId) -> RoaringBitmap {
        self.sets
            .get(&set)
            .map(|entry| entry.pinned.clone())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use uuid::Uuid;

    use super::*;
    use crate::mail::{MessageId, Priority, ReversePath};
    use crate::queue::{Bounds, NewSet, Settle};

    fn now() -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn queue() -> (Queue, DestinationId, DestinationId) {
        let mut queue = Queue::default();
        let cloud = queue.destination("cloud", Bounds::default);
        let onprem = queue.destination("onprem", Bounds::default);
        let set = NewSet {
            id: SetId(1),
            message: MessageId(Uuid::from_u128(1)),
            reverse_path: ReversePath::Null,
            flow: 1,
            priority: Priority::Normal,
            recipients: 10,
            queued_at: now(),
            expires_at: now() + std::time::Duration::from_secs(86_400),
        };
        queue.add(set, cloud);
        (queue, cloud, onprem)
    }

    fn taken(queue: &mut Queue, hop: DestinationId) -> BTreeSet<u32> {
        let batches: Vec<_> = std::iter::from_fn(|| queue.take(hop, now())).collect();
        let ranks = batches.iter().flat_map(|batch| ranks::each(&batch.ranks)).collect();
        for batch in batches {
            queue.settle(&batch, Settle::default(), now(), 0);
        }
        ranks
    }

    #[test]
    fn who_is_held_by_hand_waits_beside_stops() {
        let (mut queue, cloud, _) = queue();
        queue.hold_back(SetId(1), [0, 1].into_iter().collect());
        queue.hold_by_hand(SetId(1), [1, 2].into_iter().collect());
        assert_eq!(taken(&mut queue, cloud), (3..10).collect());
        // The stop ends; what a hand holds waits on.
        queue.hold_back(SetId(1), RoaringBitmap::new());
        assert_eq!(taken(&mut queue, cloud), [0].into());
        assert_eq!(queue.hold_by_hand(SetId(1), RoaringBitmap::new()), [cloud]);
        assert_eq!(taken(&mut queue, cloud), [1, 2].into());
        assert!(queue.is_empty());
    }

    #[test]
    fn who_is_rerouted_goes_there_and_stays_there() {
        let (mut queue, cloud, onprem) = queue();
        let first = queue.take(cloud, now()).expect("ready");
        queue.give_back(first);
        let meant: RoaringBitmap = [2, 3].into_iter().collect();
        assert_eq!(queue.reroute(SetId(1), &meant, onprem), meant);
        assert_eq!(queue.pinned(SetId(1)).iter().next(), Some(2));
        assert!(!queue.pinned(SetId(1)).contains(4));
        let there = queue.take(onprem, now()).expect("moved");
        assert_eq!(there.ranks, [(2, 3)]);
        let settle = Settle {
            deferred: vec![(2, 3)],
            ..Settle::default()
        };
        let settled = queue.settle(&there, settle, now(), 0).expect("known");
        let due = settled.retry_at.expect("deferred");
        queue.tick(due);
        assert_eq!(queue.take(onprem, due).expect("again").ranks, [(2, 3)]);
        assert_eq!(taken(&mut queue, cloud).len(), 8);
    }

    #[test]
    fn deferred_and_held_recipients_move_too_and_one_in_flight_does_not() {
        let (mut queue, cloud, onprem) = queue();
        queue.hold_by_hand(SetId(1), [9].into_iter().collect());
        let batch = queue.take(cloud, now()).expect("ready");
        assert_eq!(batch.len(), 9);
        let all: RoaringBitmap = (0..10).collect();
        assert_eq!(
            queue.reroute(SetId(1), &all, onprem),
            [9].into_iter().collect::<RoaringBitmap>()
        );
        assert!(queue.take(onprem, now()).is_none(), "held there as well");
        let settle = Settle {
            deferred: vec![(0, 8)],
            ..Settle::default()
        };
        queue.settle(&batch, settle, now(), 0);
        assert_eq!(queue.reroute(SetId(1), &all, onprem), all);
        assert_eq!(taken(&mut queue, onprem), (0..9).collect());
        assert_eq!(queue.hold_by_hand(SetId(1), RoaringBitmap::new()), [onprem]);
        assert_eq!(taken(&mut queue, onprem), [9].into());
        assert!(queue.is_empty());
    }

    #[test]
    fn a_suspended_hop_is_left_alone() {
        let (mut queue, cloud, _) = queue();
        queue.at_mut(cloud).suspend(true);
        assert!(queue.take(cloud, now()).is_none());
        assert_eq!(queue.sessions_wanted(cloud, now()), 0);
        queue.at_mut(cloud).suspend(false);
        assert_eq!(taken(&mut queue, cloud).len(), 10);
    }

    #[test]
    fn marks_add_up() {
        let set = |ranks: &[u32]| ranks.iter().copied().collect::<RoaringBitmap>();
        let mut marks = SetMarks::new(SetId(1));
        marks.hold(&set(&[1, 2, 3]));
        marks.hold(&set(&[5]));
        assert_eq!(marks.release(&set(&[2, 7])), set(&[2]));
        assert_eq!(marks.held, [(1, 1), (3, 3), (5, 5)]);
        marks.reroute(&set(&[1, 2]), "a");
        marks.reroute(&set(&[2]), "b");
        assert_eq!(
            marks.rerouted,
            [("a".to_owned(), vec![(1, 1)]), ("b".to_owned(), vec![(2, 2)])]
        );
    }
}
