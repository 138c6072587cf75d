//! What sessions need of a set: roster, message and content, kept while they are at work on it.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use crate::mail::return_path::{Copies, ReturnPathRule, ReturnedCopy, copy_of};
use crate::mail::trace::NO_AUTO_REPLIES_FIELD;
use crate::mail::{Notify, ReversePath, SetId};
use crate::spool::content::{Content, Octets};
use crate::spool::message::{DeliverySet, StoredMessage};
use crate::spool::{SharedSpool, SpoolFault};

/// A set with everything needed to send it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The set with its roster.
    pub set: Arc<DeliverySet>,
    /// Its message.
    pub message: Arc<StoredMessage>,
    /// The message's content.
    pub content: Content,
}

impl Loaded {
    /// Reads a set from the store. Blocks.
    pub fn read(spool: &SharedSpool, id: SetId) -> Result<Self, SpoolFault> {
        let stored = spool.set(id)?;
        let message = spool.message(stored.set.message)?;
        let content = spool.content(stored.set.message)?;
        Ok(Self {
            set: Arc::new(stored.set),
            message: Arc::new(message),
            content,
        })
    }

    /// Fields that go before the content: the message's trace fields, and what the copies ask for.
    #[must_use]
    pub fn prefix(&self) -> Bytes {
        if !self.set.no_auto_replies {
            return self.message.prefix.clone();
        }
        let mut prefix = self.message.prefix.to_vec();
        prefix.extend_from_slice(NO_AUTO_REPLIES_FIELD.as_bytes());
        prefix.into()
    }

    /// The reverse-path that a next hop's rule gives a batch of these copies.
    #[must_use]
    pub fn reverse_path(&self, rule: &ReturnPathRule, ranges: &[(u32, u32)], now: Timestamp) -> ReversePath {
        let ends = ranges.first().zip(ranges.last());
        let ranks = ends.map_or((0, 0), |(first, last)| (first.0, last.1));
        let copies = Copies {
            reverse_path: &self.set.reverse_path,
            message_reverse_path: &self.message.envelope.reverse_path,
            copy: ReturnedCopy {
                proved: self.message.arrival.proof.is_some(),
                quiet: self.set.no_auto_replies,
                ..copy_of(self.set.id, self.set.message, ranks)
            },
        };
        rule.apply(&copies, now)
    }

    /// DSN requests of a rank.
    #[must_use]
    pub fn notify(&self, rank: u32) -> Notify {
        let roster = &self.set.roster;
        let origin = roster.origins.get(roster.origin_of(rank) as usize);
        origin.and_then(|origin| origin.notify).unwrap_or(Notify::DEFAULT)
    }

    /// Somebody asked to be told of success.
    #[must_use]
    pub fn wants_success(&self) -> bool {
        let asks = |notify: Option<Notify>| notify.is_some_and(|notify| notify.success);
        !self.set.reverse_path.is_null() && self.set.roster.origins.iter().any(|origin| asks(origin.notify))
    }

    /// Octets in memory, about.
    fn octets(&self) -> usize {
        let content = match &self.content.octets {
            Octets::Memory(octets) => octets.len(),
            Octets::Stored(_) => self.content.head.len(),
        };
        // A recipient is some 24 octets of address and 8 of numbers.
        512 + content + 32 * self.set.roster.len() as usize
    }
}

/// Sets in memory, within a bound.
#[derive(Debug)]
pub struct Shelf {
    sets: HashMap<SetId, (Arc<Loaded>, usize)>,
    octets: usize,
    octets_max: usize,
}

impl Shelf {
    /// An empty shelf for so many octets.
    #[must_use]
    pub fn new(octets_max: usize) -> Self {
        Self {
            sets: HashMap::new(),
            octets: 0,
            octets_max,
        }
    }

    /// Keeps a set if there is room; else it is read from the store when its turn comes.
    pub fn offer(&mut self, loaded: Loaded) {
        if self.octets < self.octets_max {
            self.keep(Arc::new(loaded));
        }
    }

    /// Keeps a set that a session has just read and that has more batches to come. Their number is bounded by that
    /// of sessions.
    pub fn keep(&mut self, loaded: Arc<Loaded>) {
        let octets = loaded.octets();
        self.octets += octets;
        if let Some((_, before)) = self.sets.insert(loaded.set.id, (loaded, octets)) {
            self.octets -= before;
        }
    }

    /// A set, if it is in memory.
    #[must_use]
    pub fn find(&self, id: SetId) -> Option<Arc<Loaded>> {
        self.sets.get(&id).map(|(loaded, _)| Arc::clone(loaded))
    }

    /// Lets a set go.
    pub fn drop(&mut self, id: SetId) {
        if let Some((_, octets)) = self.sets.remove(&id) {
            self.octets -= octets;
        }
    }
}
