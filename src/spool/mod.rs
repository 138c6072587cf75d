//! What the mail path needs kept: messages, delivery sets, holds.
//!
//! In: acceptances, settlements, decisions; many may share one sync (a group commit).
//! Out: a [`Commit`] that resolves only after the sync that covers it.
//! Never: a promise before the sync; a second try of a sync that failed (DESIGN §7).

pub mod approval;
pub mod content;
#[cfg(test)]
pub(crate) mod contract;
pub mod memory;
pub mod message;
pub mod promise;
pub mod roster;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use jiff::Timestamp;

use crate::mail::{HoldId, MessageId, SetId};
use crate::track::{Event, Reason};
use content::{Content, ContentWriter};
use message::{Acceptance, Hold, HoldDecision, Settlement, StoredMessage, StoredSet};

/// A promise about durability: resolves when the sync that covers it has returned.
pub type Commit<T> = Pin<Box<dyn Future<Output = Result<T, SpoolFault>> + Send>>;

/// Why the spool cannot promise. Every one of them is a 4yz to a client (DESIGN promise 7).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpoolFault {
    /// A sync or commit failed; nothing is promised until a restart.
    #[error("the store is suspect since {0}")]
    Suspect(String),
    /// Free space is below the floor.
    #[error("free space is below the floor")]
    DiskLow,
    /// Queue bound.
    #[error("the queue is at its bound")]
    Full,
    /// A read failed.
    #[error("the store cannot read {0}")]
    Unreadable(String),
    /// No such message, set or hold.
    #[error("no such thing in the spool: {0}")]
    Missing(String),
}

impl SpoolFault {
    /// The reason as tracked.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Suspect(_) | Self::Unreadable(_) => Reason::StoreSuspect,
            Self::DiskLow => Reason::DiskLow,
            Self::Full => Reason::QueueFull,
            Self::Missing(_) => Reason::Broken,
        }
    }
}

/// Whether the spool takes more mail now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// Takes mail.
    Ready,
    /// Takes none for now.
    Busy(SpoolFault),
}

/// Everything that is still open after a restart.
#[derive(Debug, Default)]
pub struct Recovered {
    /// Sets with open recipients, with their progress but without roster (see [`Spool::set`]).
    pub sets: Vec<StoredSet>,
    /// Messages accepted whose pass had not ended.
    pub pending: Vec<MessageId>,
    /// Holds that wait.
    pub holds: Vec<Hold>,
}

/// How a change of a hold ended: a compare-and-set, so two moderators give one winner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided {
    /// This change counts.
    Applied,
    /// Another came first; here is the hold. It may still wait: then the change is judged again.
    Already(Box<Hold>),
}

/// The durable state of the mail path.
///
/// All methods that return a [`Commit`] enqueue at once and in call order; dropping the future does not
/// undo anything.
pub trait Spool: Send + Sync + 'static {
    /// Whether more mail may be taken. Cheap; asked at MAIL.
    fn readiness(&self) -> Readiness;

    /// Where a message's octets go while they arrive.
    fn writer(&self) -> Result<Box<dyn ContentWriter>, SpoolFault>;

    /// A set id that was never used before.
    fn new_set_id(&self) -> SetId;

    /// A hold id that was never used before.
    fn new_hold_id(&self) -> HoldId;

    /// Keeps a message with the outcome of its pass, or with the pass still to be made.
    fn accept(&self, acceptance: Acceptance) -> Commit<()>;

    /// Keeps the outcome of a pass that was pending.
    fn complete(&self, message: MessageId, outcome: message::Outcome) -> Commit<()>;

    /// Keeps what became of some recipients. The spool deletes a message with its last open set, hold
    /// and pending pass.
    fn settle(&self, settlement: Settlement) -> Commit<()>;

    /// Changes a hold that waits: a decision together with its release, or a step on the way to it. Applied only
    /// if the hold waits and its [`approval::Approval::revision`] is one less than that of the change.
    fn decide(&self, decision: HoldDecision) -> Commit<Decided>;

    /// Keeps tracking events that belong to no other commit (refusals). Not waited for.
    fn record(&self, events: Vec<Event>);

    /// A message without its content.
    fn message(&self, id: MessageId) -> Result<StoredMessage, SpoolFault>;

    /// A message's content, prefix not included.
    fn content(&self, id: MessageId) -> Result<Content, SpoolFault>;

    /// A set with roster and progress.
    fn set(&self, id: SetId) -> Result<StoredSet, SpoolFault>;

    /// All sets of a message, with rosters, finished ones included.
    fn sets_of(&self, id: MessageId) -> Result<Vec<StoredSet>, SpoolFault>;

    /// A set's roster as [`roster::Roster::encode`] wrote it; kept after the end of its message until the set's
    /// QUEUE event has left the outbox, so that the trace can name who was behind a rank.
    fn roster_octets(&self, id: SetId) -> Result<Vec<u8>, SpoolFault>;

    /// A hold in whatever state it is.
    fn hold(&self, id: HoldId) -> Result<Hold, SpoolFault>;

    /// Holds that wait, oldest first.
    fn holds(&self) -> Result<Vec<Hold>, SpoolFault>;

    /// Every hold of a message, in whatever state.
    fn holds_of(&self, message: MessageId) -> Result<Vec<Hold>, SpoolFault>;

    /// What a restart must take up again.
    fn recover(&self) -> Result<Recovered, SpoolFault>;

    /// The oldest tracking events not yet stored elsewhere, with their outbox numbers.
    fn outbox(&self, count_max: usize) -> Result<Vec<(u64, Event)>, SpoolFault>;

    /// Removes events up to and including `number` from the outbox.
    fn outbox_stored(&self, number: u64) -> Commit<()>;

    /// Removes terminal holds decided before `before`.
    fn forget_holds(&self, before: Timestamp) -> Commit<()>;
}

/// A spool shared by everything that takes, decides and delivers.
pub type SharedSpool = Arc<dyn Spool>;
