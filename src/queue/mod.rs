//! The queue: which recipients of which set go out next, where, and when again.
//!
//! In: sets, what sessions made of their batches, the time, chance.
//! Out: batches, when they are due again, which reports are due.
//! Never: loses a rank. Each open rank lies in exactly one place: ready, deferred or in a batch that is out;
//! it leaves by a final outcome only. Rosters and contents are elsewhere: the queue knows ids and ranks, so a
//! long queue is small.

pub mod destination;
mod due;
pub mod fair;
pub mod item;
pub mod marks;
pub mod notice;
pub mod ranks;
pub mod retry;
mod settle;
pub mod snapshot;
mod stopped;
pub mod wheel;

#[cfg(test)]
mod fairness_tests;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use roaring::RoaringBitmap;

use crate::limits;
use crate::mail::{MessageId, Priority, SetId};
pub use destination::{Bounds, Destination, Trouble};
pub use due::{Tick, Unreachable, Waiting};
use fair::{Fair, Then, Turn};
use item::{FlowKey, Item, SetEntry};
pub use item::{LastAnswer, NewSet, Past};
use notice::Notices;
pub use notice::{Notice, NoticeKey, Told};
use ranks::Ranges;
pub use settle::{Delayed, Settle, Settled, Standing};
pub use stopped::{HeldBack, Masks};
use wheel::Wheel;

/// A destination in the queue: a next hop, or a domain's mail exchangers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct DestinationId(pub u32);

/// A set's share of one destination.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ItemId(u64);

/// Recipients that leave together in one transaction. Whoever holds one must settle it or give it back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Batch {
    /// The set.
    pub set: SetId,
    /// Its message.
    pub message: MessageId,
    /// Where.
    pub destination: DestinationId,
    /// Which of its recipients.
    pub ranks: Ranges,
    /// Some were tried before: today's address and next hop are to be asked for (DESIGN §5).
    pub again: bool,
    item: ItemId,
    kind: BatchKind,
}

impl Batch {
    /// Recipients in it.
    #[must_use]
    pub fn len(&self) -> u32 {
        ranks::count(&self.ranks)
    }

    /// True without recipients.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranks.is_empty()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum BatchKind {
    /// For a session, of a small message.
    Small,
    /// For a session, of a large message.
    Large,
    /// Taken out to be settled without a session: expired or dropped.
    Withdrawn,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Due {
    Item(ItemId),
    Destination(DestinationId),
}

/// Is the set of a flow one that is not small, how urgent is it, whose is it?
type Flow = (bool, Priority, FlowKey);

fn flow_of(entry: &SetEntry) -> Flow {
    (!entry.is_small(), entry.priority, entry.flow)
}

#[derive(Debug)]
struct Place {
    name: Box<str>,
    destination: Destination,
    line: Fair<Flow, ItemId>,
    ready: u64,
}

impl Place {
    /// Batches that could be cut now, about.
    fn waiting(&self, now: Timestamp) -> usize {
        let by_size = self.ready.div_ceil(self.destination.recipients_max(now) as u64);
        self.line.len().max(usize::try_from(by_size).unwrap_or(usize::MAX))
    }
}

/// The queue.
#[derive(Debug)]
pub struct Queue {
    places: Vec<Place>,
    names: HashMap<Box<str>, DestinationId>,
    sets: HashMap<SetId, SetEntry>,
    messages: HashMap<MessageId, Vec<SetId>>,
    items: HashMap<ItemId, Item>,
    items_made: u64,
    wheel: Wheel<Due>,
    notices: Notices,
}

impl Default for Queue {
    fn default() -> Self {
        Self::new(limits::REPORT_GATHER)
    }
}

impl Queue {
    /// An empty queue that gathers failures for at most `gather`.
    #[must_use]
    pub fn new(gather: Duration) -> Self {
        Self {
            places: Vec::new(),
            names: HashMap::new(),
            sets: HashMap::new(),
            messages: HashMap::new(),
            items: HashMap::new(),
            items_made: 0,
            wheel: Wheel::new(),
            notices: Notices::new(gather),
        }
    }

    /// The destination of a name; made with `bounds` if it is new.
    pub fn destination(&mut self, name: &str, bounds: impl FnOnce() -> Bounds) -> DestinationId {
        if let Some(id) = self.names.get(name) {
            return *id;
        }
        let id = DestinationId(self.places.len() as u32);
        self.names.insert(name.into(), id);
        self.places.push(Place {
            name: name.into(),
            destination: Destination::new(bounds()),
            line: Fair::new(),
            ready: 0,
        });
        id
    }

    /// The destination of a name, if it was ever used.
    #[must_use]
    pub fn find_destination(&self, name: &str) -> Option<DestinationId> {
        self.names.get(name).copied()
    }

    /// All destinations.
    pub fn destinations(&self) -> impl Iterator<Item = DestinationId> + use<> {
        (0..self.places.len() as u32).map(DestinationId)
    }

    /// Name of a destination.
    #[must_use]
    pub fn name(&self, id: DestinationId) -> &str {
        &self.place(id).name
    }

    /// What is known about a destination.
    #[must_use]
    pub fn at(&self, id: DestinationId) -> &Destination {
        &self.place(id).destination
    }

    /// To tell a destination how it went.
    pub fn at_mut(&mut self, id: DestinationId) -> &mut Destination {
        &mut self.place_mut(id).destination
    }

    fn place(&self, id: DestinationId) -> &Place {
        &self.places[id.0 as usize]
    }

    fn place_mut(&mut self, id: DestinationId) -> &mut Place {
        &mut self.places[id.0 as usize]
    }

    /// A set in the queue.
    #[must_use]
    pub fn set(&self, id: SetId) -> Option<&SetEntry> {
        self.sets.get(&id)
    }

    /// Sets of a message that are in the queue.
    #[must_use]
    pub fn sets_of(&self, message: MessageId) -> &[SetId] {
        self.messages.get(&message).map_or(&[], Vec::as_slice)
    }

    /// True if ranks of a set could be sent now or are out.
    #[must_use]
    pub fn is_active(&self, set: SetId) -> bool {
        let mut items = self.sets.get(&set).into_iter().flat_map(|entry| &entry.items);
        items.any(|item| self.items[item].in_flight > 0 || !self.items[item].ready.is_empty())
    }

    /// True if ranks of a set could be sent now.
    #[must_use]
    pub fn has_ready(&self, set: SetId) -> bool {
        let mut items = self.sets.get(&set).into_iter().flat_map(|entry| &entry.items);
        items.any(|item| !self.items[item].ready.is_empty())
    }

    /// Sets in the queue.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sets.len()
    }

    /// True if nothing is in the queue.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    /// Adds a set that was just committed.
    pub fn add(&mut self, set: NewSet, destination: DestinationId) {
        self.restore(set, destination, Past::default());
    }

    /// Adds a set as it stood before a restart. Outcomes that were not reported follow by [`Queue::tell`].
    pub fn restore(&mut self, set: NewSet, destination: DestinationId, past: Past) {
        let id = set.id;
        let mut ready = RoaringBitmap::new();
        if set.recipients > 0 {
            ready.insert_range(0..set.recipients);
        }
        ready -= &past.closed;
        let open = ready.len() as u32;
        let deferred = if past.deferred.is_empty() {
            RoaringBitmap::new()
        } else {
            past.deferred & &ready
        };
        if !deferred.is_empty() {
            ready -= &deferred;
        }
        let entry = SetEntry {
            message: set.message,
            reverse_path: set.reverse_path,
            flow: set.flow,
            priority: set.priority,
            recipients: set.recipients,
            open,
            untried: ready.len() as u32,
            tried: deferred.clone(),
            queued_at: set.queued_at,
            expires_at: set.expires_at,
            attempts: past.attempts,
            delay_reported: past.delay_reported,
            dropped: false,
            stopped: RoaringBitmap::new(),
            by_stops: RoaringBitmap::new(),
            by_hand: RoaringBitmap::new(),
            pinned: RoaringBitmap::new(),
            rows: past.rows,
            reported_through: past.reported_through,
            unreported: 0,
            last: None,
            items: Vec::new(),
        };
        self.messages.entry(set.message).or_default().push(id);
        self.sets.insert(id, entry);
        if open == 0 {
            return;
        }
        let item = self.make_item(id, set.message, destination);
        let known = self.item_mut(item);
        known.attempts = past.attempts;
        known.ready = ready;
        if !deferred.is_empty() {
            let at = past.next_attempt_at.unwrap_or(Timestamp::UNIX_EPOCH);
            known.deferred = deferred;
            known.next_attempt_at = Some(at);
            self.wheel.add(at, Due::Item(item));
        }
        self.line_up(item);
    }

    fn make_item(&mut self, set: SetId, message: MessageId, destination: DestinationId) -> ItemId {
        self.items_made += 1;
        let id = ItemId(self.items_made);
        self.items.insert(id, Item::new(set, message, destination));
        if let Some(entry) = self.sets.get_mut(&set) {
            entry.items.push(id);
        }
        id
    }

    fn item_mut(&mut self, id: ItemId) -> &mut Item {
        self.items
            .get_mut(&id)
            .expect("an item lives as long as ranks or batches of it are about")
    }

    /// An item with ready ranks joins its destination's line; the line's length is kept by [`Place::ready`].
    fn line_up(&mut self, id: ItemId) {
        let Some(item) = self.items.get_mut(&id) else { return };
        if item.in_line || item.ready.is_empty() {
            return;
        }
        item.in_line = true;
        let entry = &self.sets[&item.set];
        let flow = flow_of(entry);
        let place = &mut self.places[item.destination.0 as usize];
        place.ready += item.ready.len();
        place.line.join(flow, flow.1, id);
    }

    /// Ranks become ready; the item may stand in line already.
    fn make_ready(&mut self, id: ItemId, ranks: &RoaringBitmap) {
        let Some(item) = self.items.get_mut(&id) else { return };
        let mask = &self.sets[&item.set].stopped;
        let rest = if mask.is_empty() {
            Cow::Borrowed(ranks)
        } else {
            item.withheld |= ranks & mask;
            Cow::Owned(ranks - mask)
        };
        if item.in_line {
            self.places[item.destination.0 as usize].ready += rest.len();
        }
        item.ready |= &*rest;
        self.line_up(id);
    }

    /// Takes an item out of the line, its ready ranks with it.
    fn leave_line(&mut self, id: ItemId) {
        let Some(item) = self.items.get_mut(&id) else { return };
        if !item.in_line {
            return;
        }
        item.in_line = false;
        let entry = &self.sets[&item.set];
        let flow = flow_of(entry);
        let place = &mut self.places[item.destination.0 as usize];
        place.ready -= item.ready.len();
        place.line.leave(flow, id);
    }

    /// Sessions that should be at work for a destination now.
    #[must_use]
    pub fn sessions_wanted(&self, id: DestinationId, now: Timestamp) -> usize {
        let place = self.place(id);
        place.destination.sessions_wanted(place.waiting(now), now)
    }

    /// The next batch for a session to `id`, if anything may be sent there now.
    ///
    /// One message holds at most half of the sessions while others wait, and some sessions are kept for small
    /// messages (DESIGN §7).
    pub fn take(&mut self, id: DestinationId, now: Timestamp) -> Option<Batch> {
        let place = &mut self.places[id.0 as usize];
        let destination = &mut place.destination;
        if place.line.is_empty() || destination.is_waiting(now) {
            return None;
        }
        let only_small = destination.keeps_rest_for_small();
        let share = (destination.window() / 2).max(1);
        let flow_turn = |(is_large, ..): Flow| {
            if is_large && only_small {
                Turn::Later
            } else {
                Turn::Take
            }
        };
        let items = &self.items;
        let turn = |item: ItemId| {
            if destination.busy_with(items[&item].message) >= share {
                Turn::Later
            } else {
                Turn::Take
            }
        };
        let (flow, item_id) = place
            .line
            .choose(flow_turn, turn)
            .or_else(|| place.line.choose(flow_turn, |_| Turn::Take))?;
        let item = self.items.get_mut(&item_id)?;
        let ranks = ranks::take_lowest(&mut item.ready, destination.recipients_max(now));
        let cost = ranks::count(&ranks);
        item.in_flight += 1;
        ranks::add(&mut item.out, &ranks);
        item.in_line = !item.ready.is_empty();
        let then = if item.in_line { Then::Waits } else { Then::Leaves };
        place.line.served(flow, cost, then);
        place.ready -= u64::from(cost);
        destination.begin(item.message, flow.0);
        Some(Batch {
            set: item.set,
            message: item.message,
            destination: id,
            ranks,
            again: item.attempts > 0 || item.waited,
            item: item_id,
            kind: if flow.0 { BatchKind::Large } else { BatchKind::Small },
        })
    }

    /// Puts a batch back as if it had not been taken.
    pub fn give_back(&mut self, batch: Batch) {
        self.end_batch(&batch);
        let mut ranks = RoaringBitmap::new();
        ranks::add(&mut ranks, &batch.ranks);
        self.make_ready(batch.item, &ranks);
        self.forget_if_spent(batch.item);
    }

    /// Moves some ranks of a batch to another destination: their recipients have moved.
    pub fn move_ranks(&mut self, batch: &mut Batch, moved: &[(u32, u32)], to: DestinationId) {
        let mut ranks = RoaringBitmap::new();
        ranks::add(&mut ranks, moved);
        let mut left = RoaringBitmap::new();
        ranks::add(&mut left, &batch.ranks);
        ranks &= &left;
        left -= &ranks;
        batch.ranks = ranks::take_lowest(&mut left, usize::MAX);
        let here = self.item_mut(batch.item);
        here.out -= &ranks;
        let attempts = here.attempts;
        let Some(entry) = self.sets.get(&batch.set) else { return };
        let there = entry
            .items
            .iter()
            .copied()
            .find(|item| self.items[item].destination == to);
        let there = there.unwrap_or_else(|| self.make_item(batch.set, batch.message, to));
        let item = self.item_mut(there);
        item.attempts = item.attempts.max(attempts);
        self.make_ready(there, &ranks);
    }

    fn end_batch(&mut self, batch: &Batch) {
        let is_large = match batch.kind {
            BatchKind::Withdrawn => None,
            BatchKind::Small => Some(false),
            BatchKind::Large => Some(true),
        };
        if let Some(is_large) = is_large {
            self.place_mut(batch.destination)
                .destination
                .end(batch.message, is_large);
        }
        let item = self.item_mut(batch.item);
        item.in_flight -= 1;
        for (first, last) in &batch.ranks {
            item.out.remove_range(*first..=*last);
        }
    }
}
