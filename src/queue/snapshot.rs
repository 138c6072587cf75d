//! The queue as people see it.

use jiff::Timestamp;
use serde::Serialize;

use super::{DestinationId, Queue};
use crate::mail::{MessageId, Reply, SetId};
use crate::track::Reason;

/// One set at one destination.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ItemView {
    /// The set.
    pub set: SetId,
    /// Its message.
    pub message: MessageId,
    /// Next hop name, or `domain:…`.
    pub next_hop: String,
    /// Reverse-path of its copies; empty for null.
    pub reverse_path: String,
    /// Recipients in the set.
    pub recipients: u32,
    /// Of them at this next hop, ready to be sent.
    pub ready: u64,
    /// Of them deferred.
    pub deferred: u64,
    /// Of them held back by an operator.
    pub stopped: u64,
    /// Batches in flight.
    pub batches_in_flight: u32,
    /// Attempts that deferred somebody.
    pub attempts: u32,
    /// When it is tried again, if it waits.
    pub next_attempt_at: Option<Timestamp>,
    /// When it entered the queue.
    pub queued_at: Timestamp,
    /// When it is given up.
    pub expires_at: Timestamp,
    /// Why it waits.
    pub reason: Option<Reason>,
    /// The last reply that made it wait.
    pub reply: Option<Reply>,
}

/// One destination.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct DestinationView {
    /// Next hop name, or `domain:…`.
    pub next_hop: String,
    /// Sets that wait for it.
    pub sets: usize,
    /// Recipients ready to be sent.
    pub ready: u64,
    /// Recipients deferred.
    pub deferred: u64,
    /// Batches in flight.
    pub batches_in_flight: usize,
    /// Sessions it may have now.
    pub sessions_max: usize,
    /// Its recipient limit, if it has shown one.
    pub recipients_learned: Option<usize>,
    /// An operator leaves it alone.
    pub suspended: bool,
    /// Why it is left alone, if it is.
    pub reason: Option<Reason>,
    /// Its last reply, if it is left alone.
    pub reply: Option<Reply>,
    /// When it is tried again, if it is left alone.
    pub retry_at: Option<Timestamp>,
}

/// Everything in the queue.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct QueueView {
    /// Sets, oldest first.
    pub items: Vec<ItemView>,
    /// Destinations with work or trouble, by name.
    pub destinations: Vec<DestinationView>,
}

impl Queue {
    /// The queue as it stands. Costs a row per set.
    #[must_use]
    pub fn view(&self) -> QueueView {
        let mut destinations: Vec<DestinationView> = self.destinations().map(|id| self.destination_view(id)).collect();
        let mut items = Vec::with_capacity(self.items.len());
        for item in self.items.values() {
            let entry = &self.sets[&item.set];
            let place = self.place(item.destination);
            let trouble = place.destination.trouble();
            let there = &mut destinations[item.destination.0 as usize];
            there.sets += 1;
            there.ready += item.ready.len();
            there.deferred += item.deferred.len();
            let next = item.next_attempt_at;
            let hop_retry = trouble.filter(|_| item.in_line).map(|trouble| trouble.retry_at);
            items.push(ItemView {
                set: item.set,
                message: item.message,
                next_hop: place.name.to_string(),
                reverse_path: entry.reverse_path.as_str().to_owned(),
                recipients: entry.recipients,
                ready: item.ready.len(),
                deferred: item.deferred.len(),
                stopped: item.withheld.len(),
                batches_in_flight: item.in_flight,
                attempts: item.attempts,
                next_attempt_at: [next, hop_retry].into_iter().flatten().min(),
                queued_at: entry.queued_at,
                expires_at: entry.expires_at,
                reason: entry.last.as_ref().map(|last| last.reason),
                reply: entry.last.as_ref().and_then(|last| last.reply.clone()),
            });
        }
        items.sort_by(|a, b| (a.queued_at, a.set, &a.next_hop).cmp(&(b.queued_at, b.set, &b.next_hop)));
        destinations.retain(|view| view.sets > 0 || view.retry_at.is_some() || view.suspended);
        destinations.sort_by(|a, b| a.next_hop.cmp(&b.next_hop));
        QueueView { items, destinations }
    }

    fn destination_view(&self, id: DestinationId) -> DestinationView {
        let place = self.place(id);
        let trouble = place.destination.trouble();
        DestinationView {
            next_hop: place.name.to_string(),
            sets: 0,
            ready: 0,
            deferred: 0,
            batches_in_flight: place.destination.busy(),
            sessions_max: place.destination.window(),
            recipients_learned: place.destination.learned(),
            suspended: place.destination.is_suspended(),
            reason: if place.destination.is_suspended() {
                Some(Reason::NextHopSuspended)
            } else {
                trouble.map(|trouble| trouble.reason)
            },
            reply: trouble.and_then(|trouble| trouble.reply.clone()),
            retry_at: trouble.map(|trouble| trouble.retry_at),
        }
    }
}
