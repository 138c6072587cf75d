//! One roll: who belongs to a group directly, in which version, and how that came to be.
//!
//! In: entries as [`mod@super::build`] found them. Out: an immutable value that passes share.
//! Never: changes in place; a new version replaces it.

use std::sync::Arc;

use jiff::Timestamp;
use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};

use super::objects::Objects;
use crate::directory::Ordinal;
use crate::mail::{AddressKey, Mailbox};

/// The direct entries of a group.
///
/// A bare address that no object carries is an implicit contact. It has no ordinal: its address is its
/// identity, and the entry is bound to an object when one with that address appears.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Entries {
    /// Persons and nested groups that the directory knows.
    pub objects: Objects,
    /// Implicit contacts, one per compare form, in the order of that form.
    pub outside: Arc<[Mailbox]>,
    /// Entries that name nobody, or several objects; shown and bound when that changes.
    pub unresolved: Arc<[Box<str>]>,
}

impl Entries {
    /// Entries from their parts; `outside` is sorted and freed of repetitions here.
    #[must_use]
    pub fn new(objects: RoaringBitmap, outside: Vec<Mailbox>, mut unresolved: Vec<Box<str>>) -> Self {
        let mut keyed: Vec<(AddressKey, Mailbox)> = outside.into_iter().map(|each| (each.key(), each)).collect();
        keyed.sort_unstable();
        keyed.dedup_by(|later, earlier| later.0 == earlier.0);
        unresolved.sort_unstable();
        unresolved.dedup();
        Self {
            objects: objects.into(),
            outside: keyed.into_iter().map(|(_, mailbox)| mailbox).collect(),
            unresolved: unresolved.into(),
        }
    }

    /// Entries that can receive mail: objects and implicit contacts.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.objects.len() + self.outside.len() as u64
    }

    /// True if nobody can receive mail through it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.outside.is_empty()
    }

    /// True if an implicit contact has this address.
    #[must_use]
    pub fn has_outside(&self, key: &AddressKey) -> bool {
        self.outside.binary_search_by(|each| each.key().cmp(key)).is_ok()
    }
}

/// Why a version was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The group was not there before.
    Created,
    /// The group's settings or rule changed.
    GroupChanged,
    /// A directory change touched it.
    DirectoryChanged,
    /// The interval had passed, or a verification was due.
    Scheduled,
    /// An operator asked.
    Requested,
    /// A pin was set, taken away, or ended.
    Pinned,
    /// The rule depends on the time, and the time came.
    Clock,
    /// The guard brought the list from before back.
    Guarded,
    /// What the guard held came back within its limits.
    Released,
    /// An operator accepted what the guard held.
    Accepted,
    /// A decision made here about the group's rule or list.
    Decided,
    /// A verification found the patched list different from the computed one.
    Repaired,
    /// The first objects of a source, or the first time that it names this group.
    FirstLoad,
}

impl Cause {
    /// Every cause, in the order of their codes.
    pub const ALL: [Self; 13] = [
        Self::Created,
        Self::GroupChanged,
        Self::DirectoryChanged,
        Self::Scheduled,
        Self::Requested,
        Self::Pinned,
        Self::Clock,
        Self::Guarded,
        Self::Released,
        Self::Accepted,
        Self::Decided,
        Self::Repaired,
        Self::FirstLoad,
    ];

    /// Its number in the stored form; does not change.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The cause with this number.
    #[must_use]
    pub fn of_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }
}

/// Where a version comes from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Provenance {
    /// Number of the directory generation it was computed from.
    pub generation: u64,
    /// Hash of the rule or member list it was computed by; another hash means another rule.
    pub filter_hash: u64,
    /// When the entries were computed, or patched to what they are.
    pub computed_at: Timestamp,
    /// When the whole list was last computed by its rule. It may lie before `computed_at`: a patch looks at single
    /// entries and confirms nothing about the others, so a list that is patched all day still comes due.
    pub confirmed_at: Timestamp,
    /// Why.
    pub cause: Cause,
}

/// A group's stored list.
#[derive(Clone, PartialEq, Debug)]
pub struct Roll {
    /// The group.
    pub group: Ordinal,
    /// Counts up with every change of the entries, from 1.
    pub version: u64,
    /// Its members.
    pub entries: Entries,
    /// Who gets the copies of a Microsoft 365 group that is expanded here: its subscribers, another list
    /// than its members (Set-UnifiedGroup). None: the members do.
    pub subscribers: Option<Entries>,
    /// Where this version comes from.
    pub provenance: Provenance,
}

impl Roll {
    /// Who gets the copies.
    #[must_use]
    pub fn receivers(&self) -> &Entries {
        self.subscribers.as_ref().unwrap_or(&self.entries)
    }

    /// Seconds since the entries were last known to be right; 0 if the clock stands before that.
    #[must_use]
    pub fn age_seconds(&self, now: Timestamp) -> u64 {
        u64::try_from(now.as_second() - self.provenance.confirmed_at.as_second()).unwrap_or(0)
    }

    /// True if both hold the same entries, whatever their versions.
    #[must_use]
    pub fn same_entries(&self, entries: &Entries, subscribers: Option<&Entries>) -> bool {
        self.entries == *entries && self.subscribers.as_ref() == subscribers
    }
}
