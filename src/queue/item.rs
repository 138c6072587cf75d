//! A delivery set in the queue: which of its ranks are open, and where.
//!
//! A [`SetEntry`] stands for the set as stored; its open ranks lie in one or more [`Item`]s, one per
//! destination: usually one, more after recipients moved to another next hop (DESIGN §5).

use jiff::Timestamp;
use roaring::RoaringBitmap;

use super::ranks::{self, Ranges};
use super::{DestinationId, ItemId};
use crate::mail::{MessageId, Priority, Reply, ReversePath, SetId};
use crate::track::Reason;

/// Whose turn the set's recipients count as: a hash of the sender or group (DESIGN §7).
pub type FlowKey = u64;

/// A set to be queued.
#[derive(Clone, Debug)]
pub struct NewSet {
    /// The set.
    pub id: SetId,
    /// Its message.
    pub message: MessageId,
    /// Where to report to.
    pub reverse_path: ReversePath,
    /// Sender or group.
    pub flow: FlowKey,
    /// How urgent it is.
    pub priority: Priority,
    /// Recipients in its roster.
    pub recipients: u32,
    /// When it entered the queue.
    pub queued_at: Timestamp,
    /// When it is given up.
    pub expires_at: Timestamp,
}

/// How far a recovered set had come.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// Ranks that are settled for good.
    pub closed: RoaringBitmap,
    /// Open ranks that were tried and deferred.
    pub deferred: RoaringBitmap,
    /// Attempts that deferred somebody.
    pub attempts: u32,
    /// When the deferred are due.
    pub next_attempt_at: Option<Timestamp>,
    /// A delay report was sent.
    pub delay_reported: bool,
    /// Progress rows written.
    pub rows: u64,
    /// Failures up to this row have been reported.
    pub reported_through: u64,
}

/// The last answer that made somebody wait.
#[derive(Clone, PartialEq, Debug)]
pub struct LastAnswer {
    /// Why.
    pub reason: Reason,
    /// The reply, if there was one.
    pub reply: Option<Reply>,
}

/// A set in the queue.
#[derive(Clone, Debug)]
pub struct SetEntry {
    /// Its message.
    pub message: MessageId,
    /// Where to report to.
    pub reverse_path: ReversePath,
    /// Sender or group.
    pub flow: FlowKey,
    /// How urgent it is.
    pub priority: Priority,
    /// Recipients in its roster.
    pub recipients: u32,
    /// Ranks without a final outcome.
    pub open: u32,
    /// Ranks that were never answered for, in the queue or in flight.
    pub untried: u32,
    /// Ranks that were deferred at least once.
    pub tried: RoaringBitmap,
    /// When it entered the queue.
    pub queued_at: Timestamp,
    /// When it is given up.
    pub expires_at: Timestamp,
    /// Attempts that deferred somebody.
    pub attempts: u32,
    /// A delay report was made.
    pub delay_reported: bool,
    /// An operator dropped it: nothing of it is tried again.
    pub dropped: bool,
    /// Ranks that an operator holds back ([`super::HeldBack`]): by a stop or by hand.
    pub stopped: RoaringBitmap,
    /// Of them those that stops hold.
    pub by_stops: RoaringBitmap,
    /// Of them those that are held by hand.
    pub by_hand: RoaringBitmap,
    /// Ranks that an operator has sent to another destination.
    pub pinned: RoaringBitmap,
    /// Progress rows written.
    pub rows: u64,
    /// Failures up to this row have been reported.
    pub reported_through: u64,
    /// Outcomes that wait for a report, or are in one that is not stored yet: the set may not end before.
    pub unreported: u32,
    /// The last answer that made somebody wait.
    pub last: Option<LastAnswer>,
    /// Its items.
    pub items: Vec<ItemId>,
}

impl SetEntry {
    /// True if recipients that are deferred now are given up instead.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.expires_at
    }

    /// True for a set that may use the session kept for small messages.
    #[must_use]
    pub fn is_small(&self) -> bool {
        self.recipients <= crate::limits::SMALL_MESSAGE_RECIPIENTS_MAX
    }
}

/// The open ranks of a set at one destination.
#[derive(Clone, Debug)]
pub struct Item {
    /// The set.
    pub set: SetId,
    /// Its message.
    pub message: MessageId,
    /// Where.
    pub destination: DestinationId,
    /// Ranks that may be sent now.
    pub ready: RoaringBitmap,
    /// Ranks that wait for [`Item::next_attempt_at`].
    pub deferred: RoaringBitmap,
    /// Ranks that would be ready and are held back.
    pub withheld: RoaringBitmap,
    /// Ranks in batches that are out to be sent.
    pub out: RoaringBitmap,
    /// Some were held back for a while.
    pub waited: bool,
    /// Batches out.
    pub in_flight: u32,
    /// Rounds that deferred somebody here; above 0 today's address is asked for (DESIGN §5).
    pub attempts: u32,
    /// When the deferred ranks are ready again.
    pub next_attempt_at: Option<Timestamp>,
    /// It stands in its destination's line.
    pub in_line: bool,
    /// The tracking log has been told that it waits for its destination.
    pub told: bool,
}

impl Item {
    /// An item without ranks.
    #[must_use]
    pub fn new(set: SetId, message: MessageId, destination: DestinationId) -> Self {
        Self {
            set,
            message,
            destination,
            ready: RoaringBitmap::new(),
            deferred: RoaringBitmap::new(),
            withheld: RoaringBitmap::new(),
            out: RoaringBitmap::new(),
            waited: false,
            in_flight: 0,
            attempts: 0,
            next_attempt_at: None,
            in_line: false,
            told: false,
        }
    }

    /// Takes out all ranks that are not in flight.
    #[must_use]
    pub fn take_all(&mut self) -> Ranges {
        let mut all = std::mem::take(&mut self.ready);
        all |= std::mem::take(&mut self.deferred);
        all |= std::mem::take(&mut self.withheld);
        self.next_attempt_at = None;
        ranks::take_lowest(&mut all, usize::MAX)
    }

    /// True if nothing of it is left.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.in_flight == 0 && self.ready.is_empty() && self.deferred.is_empty() && self.withheld.is_empty()
    }
}
