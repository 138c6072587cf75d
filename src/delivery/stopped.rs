//! Stops as delivery carries them out: what is held back, let go, or given up.

use super::DeliveryHandle;
use super::dispatcher::{Shared, State};
use super::verdict::Verdict;
use crate::mail::{MessageId, Reply, SetId};
use crate::queue::marks::{SetMarks, bitmap};
use crate::queue::{HeldBack, Masks};
use crate::routing;
use crate::spool::message::StoredSet;
use crate::track::Reason;
use roaring::RoaringBitmap;
use std::collections::HashMap;

/// How stopped recipients are given up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GiveUp {
    /// Nobody is told but the tracking log.
    Silently,
    /// Senders get a report.
    WithReport,
}

impl DeliveryHandle {
    /// Sets that are in the queue, with their messages.
    #[must_use]
    pub fn queued(&self) -> Vec<(SetId, MessageId)> {
        self.shared.state().queue.sets().collect()
    }

    /// Sets in the queue of which something is held back.
    #[must_use]
    pub fn masked(&self) -> Vec<(SetId, MessageId)> {
        let state = self.shared.state();
        let masked = |set: &SetId| state.queue.mask(*set).is_some_and(|mask| !mask.is_empty());
        state.queue.sets().filter(|(set, _)| masked(set)).collect()
    }

    /// Replaces masks, all at one moment; returns what each found.
    pub fn hold_back(&self, masks: Masks) -> HashMap<SetId, HeldBack> {
        let now = self.shared.now();
        let mut state = self.shared.state();
        let mut found = HashMap::with_capacity(masks.len());
        for (set, mask) in masks {
            let (held, wake) = state.queue.hold_back(set, mask);
            found.insert(set, held);
            for id in wake {
                self.shared.pump(&mut state, id, now);
            }
        }
        found
    }

    /// What masks hold now.
    #[must_use]
    pub fn held_back(&self, sets: impl IntoIterator<Item = SetId>) -> HashMap<SetId, HeldBack> {
        let state = self.shared.state();
        sets.into_iter().map(|set| (set, state.queue.held_back(set))).collect()
    }

    /// What masks would hold of sets now, and what of it is being delivered.
    #[must_use]
    pub fn open_within(&self, masks: &Masks) -> HashMap<SetId, HeldBack> {
        let state = self.shared.state();
        let open = masks
            .iter()
            .map(|(set, mask)| (*set, state.queue.open_within(*set, mask)));
        open.collect()
    }

    /// Gives up what is held back of these ranks.
    pub fn give_up(&self, masks: &Masks, how: GiveUp) {
        let mut state = self.shared.state();
        let mut withdrawn = Vec::new();
        for (set, mask) in masks {
            withdrawn.extend(state.queue.withdraw_held(*set, mask));
        }
        drop(state);
        for batch in withdrawn {
            let reason = Reason::DroppedByOperator;
            let verdict = match how {
                GiveUp::Silently => Verdict::Dropped(reason),
                GiveUp::WithReport => Verdict::Failed(reason, given_up()),
            };
            self.shared.spawn_withdrawn(batch, verdict);
        }
    }

    /// Queues what was open before a restart, of which some is held back or rerouted.
    pub fn recover_stopped(&self, sets: Vec<StoredSet>, masks: Masks, marks: &[SetMarks]) {
        self.shared.recover(sets, masks, marks);
    }

    /// Holds exactly these ranks by hand, all at one moment.
    pub fn hold_by_hand(&self, masks: Masks) {
        let now = self.shared.now();
        let mut state = self.shared.state();
        for (set, mask) in masks {
            for id in state.queue.hold_by_hand(set, mask) {
                self.shared.pump(&mut state, id, now);
            }
        }
    }

    /// Sends ranks of a set to another destination; returns who moved.
    #[must_use]
    pub fn reroute(&self, set: SetId, ranks: &RoaringBitmap, label: &str) -> RoaringBitmap {
        let now = self.shared.now();
        let mut state = self.shared.state();
        let to = self.shared.destination(&mut state, label);
        let moved = state.queue.reroute(set, ranks, to);
        self.shared.pump(&mut state, to, now);
        moved
    }

    /// Leaves exactly these next hops alone; the others go on at once. What a session is sending is finished.
    pub fn suspend(&self, names: Vec<String>) {
        let now = self.shared.now();
        let mut state = self.shared.state();
        state.suspended = names;
        for id in state.queue.destinations() {
            let label = state.queue.name(id).to_owned();
            let suspended = self.shared.is_suspended(&state.suspended, &label);
            state.queue.at_mut(id).suspend(suspended);
            self.shared.pump(&mut state, id, now);
        }
    }
}

impl Shared {
    /// True if an operator has suspended a destination, or the next hop it stands for.
    pub(super) fn is_suspended(&self, suspended: &[String], label: &str) -> bool {
        let routes = self.routes.load();
        let hop = routes.by_label(label).map(|(id, _)| routes.hop(id).name.as_str());
        suspended
            .iter()
            .any(|name| routing::is_of(label, name) || Some(name.as_str()) == hop)
    }

    /// What an operator had decided about a set. The caller holds the lock.
    pub(super) fn mark_recovered(&self, state: &mut State, marks: &SetMarks) {
        state.queue.hold_by_hand(marks.set, marks.held());
        for (label, ranks) in &marks.rerouted {
            let to = self.destination(state, label);
            state.queue.reroute(marks.set, &bitmap(ranks), to);
        }
    }

    /// Holds back before a session can ask for it. The caller holds the lock.
    pub(super) fn mask_new(state: &mut State, masks: &mut Masks, set: SetId) {
        if let Some(mask) = masks.remove(&set).filter(|mask| !mask.is_empty()) {
            state.queue.hold_back(set, mask);
        }
    }
}

/// What a sender is told whose message an operator has stopped for good.
fn given_up() -> Reply {
    Reply::new(
        550,
        (5, 7, 1),
        "An administrator has stopped the delivery of this message",
    )
}
