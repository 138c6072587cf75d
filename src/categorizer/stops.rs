//! Operators' stops: which copies they hold back, wherever copies come from.
//!
//! In: stops that are on, messages with their sets. Out: masks for the queue. Never: a copy that slips past between
//! the making of a stop and the queue; a report of our own held back with the mail it is about.

use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use roaring::RoaringBitmap;

use super::Categorizer;
use crate::mail::header::{HeaderFacts, ThreadFacts};
use crate::mail::{Mailbox, MessageId, SetId, StopId};
use crate::policy::stop::{Scope, Stop};
use crate::policy::storm::Ended;
use crate::queue::Masks;
use crate::rolls::View;
use crate::spool::SpoolFault;
use crate::spool::content::Content;
use crate::spool::message::{DeliverySet, MessageKind, StoredMessage, StoredSet};
use crate::spool::roster::Roster;
use crate::store::StoreFault;
use crate::track::{Event, EventKind, Reason};

impl Categorizer {
    /// Hands copies to delivery, with what is held back of them.
    pub(super) fn hand_over(&self, message: Arc<StoredMessage>, content: Content, sets: Vec<DeliverySet>) {
        let stops = self.brakes.stops.read().unwrap_or_else(PoisonError::into_inner);
        let on = self.on(&stops);
        if on.is_empty() {
            self.dispatch.enqueue(message, content, sets, Masks::new());
            return;
        }
        let masks = self.masks(&message, &content.head, &sets, &on);
        let held: Vec<Event> = sets
            .iter()
            .filter_map(|set| self.held_event(set, masks.get(&set.id)?))
            .collect();
        self.dispatch.enqueue(message, content, sets, masks);
        drop(stops);
        if !held.is_empty() {
            self.spool.record(held);
        }
    }

    /// Every stop that is kept.
    #[must_use]
    pub fn stops(&self) -> Vec<Stop> {
        let stops = self.brakes.stops.read().unwrap_or_else(PoisonError::into_inner);
        stops.clone()
    }

    /// Puts a stop on, or another end to one that is on; it is kept first. From now on it holds back whatever is handed
    /// over; what is in the queue already is the caller's to look for.
    pub fn put_stop(&self, mut stop: Stop) -> Result<Stop, StoreFault> {
        let now = self.now();
        let mut stops = self.brakes.stops.write().unwrap_or_else(PoisonError::into_inner);
        let same = stops.iter().find(|known| known.is_on(now) && known.scope == stop.scope);
        let last = stops.iter().map(|stop| stop.id.0).max().unwrap_or(0);
        match same {
            Some(same) => {
                stop.id = same.id;
                stop.since = same.since;
            }
            None => stop.id = StopId(last + 1),
        }
        if let Some(store) = self.brakes.store() {
            store.keep_stop(&stop)?;
        }
        stops.retain(|known| known.id != stop.id);
        stops.push(stop.clone());
        drop(stops);
        self.brakes.stops_changed.notify_one();
        Ok(stop)
    }

    /// Ends stops that nobody ended yet. What they held is the caller's to let go.
    pub fn end_stops(&self, wanted: impl Fn(&Stop) -> bool, by: &str) -> Result<Vec<Stop>, StoreFault> {
        let now = self.now();
        let mut stops = self.brakes.stops.write().unwrap_or_else(PoisonError::into_inner);
        let mut ended = Vec::new();
        for stop in stops.iter_mut().filter(|stop| stop.ended.is_none() && wanted(stop)) {
            let mut over = stop.clone();
            over.ended = Some(Ended {
                at: now,
                by: by.to_owned(),
            });
            if let Some(store) = self.brakes.store() {
                store.keep_stop(&over)?;
            }
            *stop = over.clone();
            ended.push(over);
        }
        Ok(ended)
    }

    /// Masks of sets that the store holds, by stops that are on: by this one, or by all. A set that cannot be read cannot
    /// be sent either, and is left out.
    #[must_use]
    pub fn masks_of_stored(&self, sets: &[(SetId, MessageId)], by: Option<&Stop>) -> Masks {
        let stops = by.map_or_else(|| self.stops(), |stop| vec![stop.clone()]);
        let on = self.on(&stops);
        let mut masks = Masks::new();
        for (set, message) in sets {
            match self.mask_of_stored(*set, *message, &on) {
                Ok(mask) => drop(masks.insert(*set, mask)),
                // It ended meanwhile.
                Err(SpoolFault::Missing(_)) => {}
                Err(fault) => tracing::error!(%fault, %set, "a set cannot be read to see whether it is stopped"),
            }
        }
        masks
    }

    fn mask_of_stored(&self, set: SetId, id: MessageId, on: &[&Stop]) -> Result<RoaringBitmap, SpoolFault> {
        if on.is_empty() {
            return Ok(RoaringBitmap::new());
        }
        let message = self.spool.message(id)?;
        let by_thread = on.iter().any(|stop| matches!(stop.scope, Scope::Thread { .. }));
        let head = if by_thread {
            self.spool.content(id)?.head
        } else {
            Bytes::new()
        };
        if !self.may_hold(&message, &head, on) {
            return Ok(RoaringBitmap::new());
        }
        let StoredSet { set, .. } = self.spool.set(set)?;
        let mut masks = self.masks(&message, &head, std::slice::from_ref(&set), on);
        Ok(masks.remove(&set.id).unwrap_or_default())
    }

    /// Ranks of a set that a stop is about, on or not.
    #[must_use]
    pub fn mask_by(&self, stop: &Stop, message: &StoredMessage, head: &[u8], set: &DeliverySet) -> RoaringBitmap {
        let mut masks = self.masks(message, head, std::slice::from_ref(set), &[stop]);
        masks.remove(&set.id).unwrap_or_default()
    }

    /// Id of the first message of a thread, by the id of any message of it that is known.
    #[must_use]
    pub fn thread_root(&self, id: &str) -> Arc<str> {
        let known = self.brakes.storms().root(id);
        known.unwrap_or_else(|| Arc::from(id))
    }

    /// Resolves when stops have changed.
    pub async fn stops_noticed(&self) {
        self.brakes.stops_changed.notified().await;
    }

    /// False if no stop can hold any of its copies: its rosters need not be read.
    fn may_hold(&self, message: &StoredMessage, head: &[u8], on: &[&Stop]) -> bool {
        let view = self.view();
        let addressed = |stop: &Stop| {
            let mut recipients = message.envelope.recipients.iter();
            recipients.any(|to| holds(stop, to.forward_path.as_str(), &view))
        };
        self.holds_whole(message, head, on) || on.iter().any(|stop| addressed(stop))
    }

    fn holds_whole(&self, message: &StoredMessage, head: &[u8], on: &[&Stop]) -> bool {
        let own = matches!(message.kind, MessageKind::Report { .. });
        let thread = if own {
            ThreadFacts::default()
        } else {
            HeaderFacts::read(head).map(|head| head.thread).unwrap_or_default()
        };
        let root = self.brakes.storms().thread_of(&thread);
        on.iter()
            .any(|stop| stop.holds_message(message.id, &thread, root.as_deref()))
    }

    fn masks(&self, message: &StoredMessage, head: &[u8], sets: &[DeliverySet], on: &[&Stop]) -> Masks {
        let whole = self.holds_whole(message, head, on);
        let view = self.view();
        let mut masks = Masks::new();
        for set in sets {
            let mask = if whole {
                (0..set.roster.len()).collect()
            } else {
                mask_of(&set.roster, on, &view)
            };
            if !mask.is_empty() {
                masks.insert(set.id, mask);
            }
        }
        masks
    }

    fn on<'a>(&self, stops: &'a [Stop]) -> Vec<&'a Stop> {
        let now = self.now();
        stops.iter().filter(|stop| stop.is_on(now)).collect()
    }

    /// Why it waits, for the trace.
    fn held_event(&self, set: &DeliverySet, mask: &RoaringBitmap) -> Option<Event> {
        let (first, last) = (mask.min()?, mask.max()?);
        let ranks = if mask.len() == u64::from(last - first) + 1 {
            vec![(first, last)]
        } else {
            mask.iter().map(|rank| (rank, rank)).collect()
        };
        Some(Event {
            at: self.now(),
            message: set.message,
            kind: EventKind::Defer {
                set: set.id,
                next_hop: set.next_hop.clone(),
                ranks,
                reply: None,
                reason: Reason::StoppedByOperator,
                retry_at: set.expires_at,
            },
        })
    }
}

/// Ranks that were addressed to a stopped group.
fn mask_of(roster: &Roster, on: &[&Stop], view: &View) -> RoaringBitmap {
    let held: Vec<bool> = roster
        .origins
        .iter()
        .map(|origin| on.iter().any(|stop| holds(stop, &origin.addressed, view)))
        .collect();
    if !held.contains(&true) {
        return RoaringBitmap::new();
    }
    let is_held = |rank: &u32| held.get(roster.origin_of(*rank) as usize).copied().unwrap_or(false);
    (0..roster.len()).filter(is_held).collect()
}

/// True if a stop holds mail addressed so.
fn holds(stop: &Stop, addressed: &str, view: &View) -> bool {
    let Scope::Group { address, .. } = &stop.scope else {
        return false;
    };
    let found = Mailbox::parse(addressed).ok().and_then(|mailbox| {
        let same = mailbox.key() == address.key();
        let object = view
            .directory
            .lookup(&mailbox.key())
            .one()
            .and_then(|ordinal| view.object(ordinal));
        same.then_some(true)
            .or_else(|| object.map(|object| stop.holds_addressed(&object.id)))
    });
    found.unwrap_or(false)
}
