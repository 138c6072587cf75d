//! What the time, a dead hop and an operator bring.

use jiff::Timestamp;

use super::item::LastAnswer;
use super::notice::Notice;
use super::ranks::{self, Ranges};
use super::settle::Delayed;
use super::{Batch, BatchKind, DestinationId, Due, ItemId, Queue};
use crate::mail::{MessageId, SetId};

/// What has become due.
#[derive(Clone, Debug, Default)]
pub struct Tick {
    /// Destinations that may have work now.
    pub wake: Vec<DestinationId>,
    /// Reports to be made now.
    pub notices: Vec<Notice>,
}

/// A set that waits for its destination, told once per item.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waiting {
    /// The set.
    pub set: SetId,
    /// Its message.
    pub message: MessageId,
    /// Who waits.
    pub ranks: Ranges,
}

/// What follows when a hop cannot be reached.
#[derive(Clone, Debug, Default)]
pub struct Unreachable {
    /// When it is tried again; none if other sessions to it are open and only their number was lowered.
    pub retry_at: Option<Timestamp>,
    /// Sets that wait for it and did not know yet.
    pub waiting: Vec<Waiting>,
    /// Recipients whose time is over, to be settled as expired.
    pub expired: Vec<Batch>,
    /// Delay reports to be made.
    pub delayed: Vec<Delayed>,
}

impl Queue {
    /// When something becomes due.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        [self.wheel.next(), self.notices.next()].into_iter().flatten().min()
    }

    /// What has become due.
    pub fn tick(&mut self, now: Timestamp) -> Tick {
        let mut tick = Tick::default();
        while let Some(due) = self.wheel.pop(now) {
            let destination = match due {
                Due::Item(id) => self.item_due(id, now),
                Due::Destination(id) => Some(id),
            };
            tick.wake.extend(destination);
        }
        tick.wake.sort_unstable();
        tick.wake.dedup();
        tick.notices = self.notices.due(now);
        tick
    }

    /// An item's deferred ranks become ready, if its time still holds.
    fn item_due(&mut self, id: ItemId, now: Timestamp) -> Option<DestinationId> {
        let item = self.items.get_mut(&id)?;
        if item.next_attempt_at.is_none_or(|at| at > now) {
            return None;
        }
        item.next_attempt_at = None;
        let destination = item.destination;
        let ranks = std::mem::take(&mut item.deferred);
        self.make_ready(id, &ranks);
        Some(destination)
    }

    /// No session to a destination could be made. `others` sessions to it are open.
    pub fn unreachable(
        &mut self,
        id: DestinationId,
        others: usize,
        answer: LastAnswer,
        now: Timestamp,
        chance: u64,
    ) -> Unreachable {
        let LastAnswer { reason, reply } = answer.clone();
        let destination = &mut self.place_mut(id).destination;
        let mut brought = Unreachable {
            retry_at: destination.unreachable(others, reason, reply, now, chance),
            ..Unreachable::default()
        };
        let Some(retry_at) = brought.retry_at else {
            return brought;
        };
        self.wheel.add(retry_at, Due::Destination(id));
        let mut here: Vec<ItemId> = self
            .items
            .iter()
            .filter(|(_, item)| item.destination == id && item.in_line)
            .map(|(item, _)| *item)
            .collect();
        here.sort_unstable();
        for item in here {
            self.wait_for(item, &answer, now, &mut brought);
        }
        brought
    }

    fn wait_for(&mut self, id: ItemId, answer: &LastAnswer, now: Timestamp, brought: &mut Unreachable) {
        let item = self.items.get_mut(&id).expect("just listed");
        let set = item.set;
        let entry = self.sets.get_mut(&set).expect("a set lives as long as its items");
        entry.last = Some(answer.clone());
        if entry.is_expired(now) {
            brought.expired.extend(self.withdraw_item(id));
            return;
        }
        if !item.told {
            item.told = true;
            let mut ready = item.ready.clone();
            brought.waiting.push(Waiting {
                set,
                message: item.message,
                ranks: ranks::take_lowest(&mut ready, usize::MAX),
            });
        }
        brought.delayed.extend(self.delay_of(set, now));
    }

    /// If a set that was just added has to wait for its destination: for whom, to be tracked once.
    pub fn waits(&mut self, set: SetId, now: Timestamp) -> Option<(Waiting, LastAnswer, Timestamp)> {
        let entry = self.sets.get_mut(&set)?;
        let item = self.items.get_mut(entry.items.first()?)?;
        if item.ready.is_empty() {
            return None;
        }
        let destination = &self.places[item.destination.0 as usize].destination;
        let trouble = destination.trouble().filter(|trouble| trouble.retry_at > now)?;
        let answer = LastAnswer {
            reason: trouble.reason,
            reply: trouble.reply.clone(),
        };
        item.told = true;
        entry.last = Some(answer.clone());
        let mut ready = item.ready.clone();
        let waiting = Waiting {
            set,
            message: item.message,
            ranks: ranks::take_lowest(&mut ready, usize::MAX),
        };
        Some((waiting, answer, trouble.retry_at))
    }

    /// Takes everything of a set that is not in flight out of the queue, and lets nothing of it come back: what is
    /// deferred from now on is to be settled as dropped ([`super::item::SetEntry::dropped`]).
    pub fn withdraw(&mut self, set: SetId) -> Vec<Batch> {
        let Some(entry) = self.sets.get_mut(&set) else {
            return Vec::new();
        };
        entry.dropped = true;
        let items = entry.items.clone();
        items.into_iter().filter_map(|item| self.withdraw_item(item)).collect()
    }

    fn withdraw_item(&mut self, id: ItemId) -> Option<Batch> {
        self.leave_line(id);
        let item = self.items.get_mut(&id)?;
        if let Some(at) = item.next_attempt_at {
            self.wheel.remove(at, Due::Item(id));
        }
        let ranks = item.take_all();
        if ranks.is_empty() {
            return None;
        }
        item.in_flight += 1;
        Some(Batch {
            set: item.set,
            message: item.message,
            destination: item.destination,
            ranks,
            again: false,
            item: id,
            kind: BatchKind::Withdrawn,
        })
    }

    /// Deferred recipients of a set are tried now; returns the destinations to wake. Their hop, if it is left
    /// alone, is asked again too.
    pub fn retry_set(&mut self, set: SetId, now: Timestamp) -> Vec<DestinationId> {
        let Some(entry) = self.sets.get(&set) else {
            return Vec::new();
        };
        let mut wake = Vec::new();
        for id in entry.items.clone() {
            let item = self.item_mut(id);
            let destination = item.destination;
            if let Some(at) = item.next_attempt_at {
                item.next_attempt_at = Some(now);
                self.wheel.remove(at, Due::Item(id));
                self.item_due(id, now);
            }
            self.at_mut(destination).retry_now(now);
            wake.push(destination);
        }
        wake
    }

    /// A destination and everything deferred there is tried now.
    pub fn retry_destination(&mut self, id: DestinationId, now: Timestamp) {
        let there: Vec<(ItemId, Timestamp)> = self
            .items
            .iter()
            .filter(|(_, item)| item.destination == id)
            .filter_map(|(known, item)| Some((*known, item.next_attempt_at?)))
            .collect();
        for (item, at) in there {
            self.wheel.remove(at, Due::Item(item));
            self.item_mut(item).next_attempt_at = Some(now);
            self.item_due(item, now);
        }
        self.at_mut(id).retry_now(now);
    }
}
