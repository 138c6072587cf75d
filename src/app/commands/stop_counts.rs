//! What a stop is about, and what became of it: in the queue, in moderation, in the store and in the trace.
//!
//! In: a stop, what was found of it under the queue's lock. Out: recipients by message. Never: one counted twice.

use std::collections::{BTreeSet, HashMap};

use roaring::RoaringBitmap;

use super::queue::unavailable;
use super::trace;
use crate::admin::service::Refusal;
use crate::app::service::Service;
use crate::mail::{MessageId, SetId};
use crate::policy::stop::{Scope, Stop};
use crate::queue::{HeldBack, Masks};
use crate::spool::message::{Hold, RecipientOutcome, StoredSet};
use crate::spool::{Spool as _, SpoolFault};
use crate::track::EventKind;

/// What an order found: what the stop is about, message by message.
#[derive(Default)]
pub(super) struct Found {
    /// Sets in the queue that the stop is about, with what was found of them.
    pub queued: HashMap<SetId, HeldBack>,
    /// The ranks that it is about.
    pub masks: Masks,
    /// Messages it is about, as far as they are known.
    pub messages: BTreeSet<MessageId>,
    /// Holds of its thread.
    pub holds: Vec<Hold>,
}

/// Recipients of one message.
#[derive(Clone, Copy, Default)]
pub(super) struct Counts {
    pub held: u64,
    pub in_flight: u64,
    pub delivered: u64,
    pub failed: u64,
}

pub(super) fn within(mut held: HeldBack, mask: &RoaringBitmap) -> HeldBack {
    held.held &= mask;
    held.in_flight &= mask;
    held
}

/// What a stop is about, in the queue, in moderation and, of a thread, among the replies that were counted.
pub(super) fn look(service: &Service, stop: &Stop) -> Result<Found, Refusal> {
    let mut found = Found::default();
    let queued = service.delivery.queued();
    let mut about = stop.clone();
    about.ended = None;
    about.until = None;
    let masks = service.categorizer.masks_of_stored(&queued, Some(&about));
    let waits = service.delivery.open_within(&masks);
    for (set, message) in queued {
        if let Some(held) = waits
            .get(&set)
            .filter(|_| masks.get(&set).is_some_and(|mask| !mask.is_empty()))
        {
            found.queued.insert(set, held.clone());
            found.messages.insert(message);
        }
    }
    found.masks = masks;
    found.masks.retain(|set, _| found.queued.contains_key(set));
    match &stop.scope {
        Scope::Message { message } => drop(found.messages.insert(*message)),
        Scope::Group { .. } => {}
        Scope::Thread { thread } => {
            let of_thread = service
                .categorizer
                .watched()
                .into_iter()
                .filter(|watched| watched.thread == *thread);
            found.messages.extend(of_thread.flat_map(|watched| watched.passed));
            found.holds = service.spool.holds().map_err(unavailable)?;
            found.holds.retain(|hold| hold.thread.as_deref() == Some(thread));
        }
    }
    Ok(found)
}

/// What became of the recipients of one message that a stop is about.
pub(super) fn counted(
    service: &Service,
    stop: &Stop,
    id: MessageId,
    queued: &HashMap<SetId, HeldBack>,
) -> Result<Counts, Refusal> {
    let mut counts = Counts::default();
    let read = || -> Result<_, SpoolFault> {
        Ok((
            service.spool.message(id)?,
            service.spool.content(id)?,
            service.spool.sets_of(id)?,
        ))
    };
    let (message, content, sets) = match read() {
        Ok(read) => read,
        Err(SpoolFault::Missing(_)) => return traced(service, id),
        Err(fault) => return Err(unavailable(fault)),
    };
    for stored in &sets {
        let mask = service.categorizer.mask_by(stop, &message, &content.head, &stored.set);
        let held = queued.get(&stored.set.id).cloned().unwrap_or_default();
        let (relayed, failed) = settled(stored);
        let before = |ranks: RoaringBitmap| ((ranks & &mask) - &held.in_flight) - &held.held;
        counts.held += held.held.len();
        counts.in_flight += held.in_flight.len();
        counts.delivered += before(relayed).len();
        counts.failed += before(failed).len();
    }
    Ok(counts)
}

/// Ranks that were relayed, and those that failed or were dropped.
fn settled(stored: &StoredSet) -> (RoaringBitmap, RoaringBitmap) {
    let (mut relayed, mut failed) = (RoaringBitmap::new(), RoaringBitmap::new());
    for (_, progress) in &stored.progress {
        let ranks = progress.first..=progress.last;
        match progress.outcome {
            RecipientOutcome::Relayed => drop(relayed.insert_range(ranks)),
            RecipientOutcome::Failed { .. } | RecipientOutcome::Dropped { .. } => drop(failed.insert_range(ranks)),
            RecipientOutcome::Deferred { .. } => {}
        }
    }
    (relayed, failed)
}

/// The same of a message that has left the spool: by its events in the trace, and those on their way there.
fn traced(service: &Service, id: MessageId) -> Result<Counts, Refusal> {
    let through = service.traces.stored_through().map_err(trace::unavailable)?;
    let mut events = service.traces.of_message(id).map_err(trace::unavailable)?;
    let waiting = service.spool.outbox(usize::MAX).map_err(unavailable)?;
    let waiting = waiting
        .into_iter()
        .filter(|(number, event)| *number > through && event.message == id);
    events.extend(waiting.map(|(_, event)| event));
    let mut counts = Counts::default();
    for event in &events {
        match &event.kind {
            EventKind::Send { ranks, .. } => {
                counts.delivered += ranks
                    .iter()
                    .map(|(first, last)| u64::from(last - first) + 1)
                    .sum::<u64>();
            }
            EventKind::Fail { .. } => counts.failed += 1,
            _ => {}
        }
    }
    Ok(counts)
}
