//! What is kept about rolls beside their latest version: history, holds, pins, decisions, suspects, who did what.
//!
//! In: parts of a change batch. Out: all that serves, at start; history and changes by query. Never: a part of a
//! batch without the rest; a version whose difference does not follow the one before.
//!
//! A roll is stored as a *base* and the differences after it. The base is written anew when the differences
//! together outgrow it ([`Chain::wants_base`]), so that a change costs octets in proportion to itself.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::directory::attribute::Attribute;
use crate::directory::{ObjectId, Ordinal, SourceId};
use crate::mail::AddressKey;
use crate::rolls::Roll;
use crate::rolls::history::Difference;
use crate::rolls::hold::Hold;
use crate::rolls::local::LocalDecisions;
use crate::rolls::pin::Pins;
use crate::rolls::suspect::{SuspectChange, Suspicion};

/// A new version of a roll.
#[derive(Clone, PartialEq, Debug)]
pub struct RollChange {
    /// The version that serves.
    pub roll: Arc<Roll>,
    /// What carries the version before to it. None: the roll is stored whole and its history begins anew.
    pub difference: Option<Arc<Difference>>,
}

/// An object that is gone: history names it by this.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GoneRow {
    /// Its ordinal, which stays used.
    pub ordinal: Ordinal,
    /// Its id in its source.
    pub id: ObjectId,
    /// Its primary address.
    pub address: String,
    /// What people called it.
    pub name: String,
    /// When it went.
    pub at: Timestamp,
}

/// The last change of one value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AttributeChange {
    /// Whose.
    pub ordinal: Ordinal,
    /// Which.
    pub attribute: Attribute,
    /// When.
    pub at: Timestamp,
    /// The value before, cut if long; none: absent.
    pub before: Option<Arc<str>>,
    /// The value since.
    pub after: Option<Arc<str>>,
    /// The source that said so.
    pub source: SourceId,
}

/// Something that somebody decided.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// What, as a stable word: `guard-accept`, `pin`, `unpin`, `convert`, `suppress`, …
    pub what: String,
    /// About whom: a group's or person's primary address.
    pub subject: String,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// The particulars, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// The part of a batch that needs no new generation.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct LifeBatch {
    /// Objects that went.
    pub gone: Vec<GoneRow>,
    /// Values that changed. Leave them out of a first load.
    pub attribute_changes: Vec<AttributeChange>,
    /// Groups whose pins changed, with all of them.
    pub pins: Vec<(Ordinal, Pins)>,
    /// Groups whose hold changed; none: it ended.
    pub holds: Vec<(Ordinal, Option<Hold>)>,
    /// Groups, by id, about which something was decided here; empty: nothing holds any more.
    pub decisions: Vec<(ObjectId, LocalDecisions)>,
    /// Suspicions that changed.
    pub suspects: Vec<SuspectChange>,
    /// Who did what.
    pub audit: Vec<AuditEntry>,
}

impl LifeBatch {
    /// True if there is nothing to keep.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What is read at start.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct LifeState {
    /// Pins by group.
    pub pins: Vec<(Ordinal, Pins)>,
    /// What the guard holds.
    pub holds: Vec<Hold>,
    /// What was decided here, by id of the group.
    pub decisions: Vec<(ObjectId, LocalDecisions)>,
    /// What is known against addresses.
    pub suspects: Vec<Suspicion>,
}

/// Which versions of a group's history are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HistoryQuery {
    /// Back to the version that served at this time, included; none: as far as it goes.
    pub since: Option<Timestamp>,
    /// Only versions below this one: the next page.
    pub below: Option<u64>,
    /// Most differences.
    pub count_max: usize,
}

impl Default for HistoryQuery {
    fn default() -> Self {
        Self {
            since: None,
            below: None,
            count_max: usize::MAX,
        }
    }
}

impl HistoryQuery {
    /// Everything needed to tell the list of a time.
    #[must_use]
    pub fn back_to(time: Timestamp) -> Self {
        Self {
            since: Some(time),
            ..Self::default()
        }
    }
}

/// The last roll of a group that is gone, so that its history can still be told.
#[derive(Clone, PartialEq, Debug)]
pub struct FormerRoll {
    /// The roll.
    pub roll: Roll,
    /// When the group went.
    pub gone_at: Timestamp,
}

/// How much was written since the base of a roll.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Chain {
    /// Octets of the base.
    pub base_octets: u64,
    /// Octets of the differences after it.
    pub octets: u64,
    /// How many they are.
    pub count: u32,
}

/// Octets that a small roll may gather before its base is written anew.
const CHAIN_OCTETS_SPARE: u64 = 512;
/// Most differences after a base: they are replayed one by one at start.
const CHAIN_COUNT_MAX: u32 = 2_000;

impl Chain {
    /// The chain with a further difference.
    #[must_use]
    pub fn with(self, octets: usize) -> Self {
        Self {
            octets: self.octets + octets as u64,
            count: self.count + 1,
            ..self
        }
    }

    /// True if the base is to be written anew: what was written since is as much as it.
    #[must_use]
    pub fn wants_base(self) -> bool {
        self.octets > self.base_octets + CHAIN_OCTETS_SPARE || self.count > CHAIN_COUNT_MAX
    }
}

/// What was removed because it was older than the retention.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pruned {
    /// Versions of rolls.
    pub versions: u64,
    /// Objects that went, changes of values, deeds.
    pub others: u64,
}

/// The key by which a suspicion is stored.
#[must_use]
pub fn suspect_key(key: &AddressKey) -> &str {
    key.as_str()
}
