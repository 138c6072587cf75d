//! Who has been met: one copy per person, first by object, then by final address (DESIGN promise 8).
//!
//! Plain objects have a final address that nobody shares, so for them a bit is enough. A final address of
//! anybody else is compared by its key, and if it is that of a plain object, by that object's bit: so both ways
//! to a person meet in one place, and no plain member's address is ever hashed.

use std::collections::{HashMap, HashSet};

use roaring::RoaringBitmap;

use super::request::Committed;
use crate::directory::{Directory, Lookup, Ordinal};
use crate::mail::AddressKey;
use crate::track::Reason;

/// What became of a group, or of a person who got no copy by the way he was met.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// It is being walked: a cycle.
    Open,
    /// Its members were reached.
    Reached,
    /// It leads to nobody.
    Empty,
    /// Refused, and told.
    Refused,
    /// Held.
    Held,
    /// A forward that led to nobody, for this reason; somebody is told once for each who is met so.
    Lost(Reason),
}

/// Everything met in one expansion.
#[derive(Default)]
pub(super) struct Seen {
    /// Persons that were judged, and Microsoft 365 groups relayed whole.
    pub(super) objects: RoaringBitmap,
    /// Groups, and persons who got no copy.
    pub(super) fates: HashMap<Ordinal, Fate>,
    /// Objects with a hold in this expansion.
    pub(super) held: RoaringBitmap,
    /// Persons left out by a rule that holds for members only.
    pub(super) dropped: RoaringBitmap,
    /// Lost forwards that were refused.
    pub(super) told: RoaringBitmap,
    finals: HashSet<AddressKey>,
}

/// Whether a final address is new.
pub(super) enum Final {
    /// It is; the object it belongs to, if that is known.
    New(Option<Ordinal>),
    /// Somebody was reached by it.
    Known,
}

impl Seen {
    /// Everybody who already has the message counts as seen.
    pub(super) fn after(committed: &Committed, directory: &Directory) -> Self {
        let mut seen = Self {
            objects: committed.objects.clone(),
            finals: committed.finals.clone(),
            ..Self::default()
        };
        for key in &committed.finals {
            if let Some(plain) = plain_with(key, directory) {
                seen.objects.insert(plain.0);
            }
        }
        seen
    }

    /// Notes the final address of a recipient that is not taken set-wise.
    pub(super) fn reach(&mut self, key: AddressKey, object: Option<Ordinal>, directory: &Directory) -> Final {
        if let Some(plain) = plain_with(&key, directory) {
            // The object itself was noted when it was met.
            return if object == Some(plain) || self.objects.insert(plain.0) {
                Final::New(Some(plain))
            } else {
                Final::Known
            };
        }
        if self.finals.insert(key) {
            Final::New(object)
        } else {
            Final::Known
        }
    }
}

fn plain_with(key: &AddressKey, directory: &Directory) -> Option<Ordinal> {
    match directory.lookup_final(key) {
        Lookup::One(ordinal) if directory.plain().contains(ordinal.0) => Some(ordinal),
        Lookup::One(_) | Lookup::None | Lookup::Ambiguous(_) => None,
    }
}
