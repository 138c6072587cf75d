//! History: for each version of a roll what it changed and why.
//!
//! In: the roll before and after, and a cause per entry. Out: a [`Difference`] that can be applied, taken back and
//! stored; [`at`] answers who was in the list at a time. Never: a whole list where its change is enough; a
//! difference applied to a list that it does not fit.
//!
//! A difference costs what changed, not what the roll holds. One that carries a change from version *n* to
//! *n* + 1 fits version *n* exactly: what it adds is not there, what it removes is.

mod cause;
mod codec;
mod past;

use jiff::Timestamp;
use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};

use super::roll::{Cause, Entries, Provenance, Roll};
use crate::directory::Ordinal;
use crate::mail::Mailbox;

pub use cause::{CAUSE_TEXT_OCTETS_MAX, Detail, Details, Direction, EntryCause, PinAction, cut};
pub use codec::{HISTORY_OCTETS_MAX, decode, encode};
pub use past::{ListAt, Past, at, back_to_version, diff};

/// Why a difference cannot be read or used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HistoryFault {
    /// The octets are not what was written.
    #[error("the history is damaged: {0}")]
    Damaged(&'static str),
    /// It carries from or to another version than the list has.
    #[error("the history has a gap: version {expected} was expected, {found} was found")]
    Gap {
        /// The version the list has.
        expected: u64,
        /// The version the difference fits.
        found: u64,
    },
    /// It adds what is there or removes what is not.
    #[error("the history does not fit the list of version {0}")]
    Unfit(u64),
}

/// What changed in one list.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct EntriesChange {
    /// Objects that came.
    pub added: RoaringBitmap,
    /// Objects that went.
    pub removed: RoaringBitmap,
    /// Implicit contacts that came.
    pub outside_added: Vec<Mailbox>,
    /// Implicit contacts that went.
    pub outside_removed: Vec<Mailbox>,
    /// Texts that name nobody (any more).
    pub unresolved_added: Vec<Box<str>>,
    /// Texts that are gone or name somebody now.
    pub unresolved_removed: Vec<Box<str>>,
}

impl EntriesChange {
    /// A change of objects alone: the cheap form for a patched roll.
    #[must_use]
    pub fn of_objects(added: RoaringBitmap, removed: RoaringBitmap) -> Self {
        Self {
            added,
            removed,
            ..Self::default()
        }
    }

    /// What carries `before` to `after`. Cost: both lists once; nothing where they share their parts.
    #[must_use]
    pub fn between(before: &Entries, after: &Entries) -> Self {
        let mut change = Self::default();
        (change.added, change.removed) = before.objects.change_to(&after.objects);
        if before.outside != after.outside {
            change.outside_added = missing(&after.outside, &before.outside);
            change.outside_removed = missing(&before.outside, &after.outside);
        }
        if before.unresolved != after.unresolved {
            change.unresolved_added = missing(&after.unresolved, &before.unresolved);
            change.unresolved_removed = missing(&before.unresolved, &after.unresolved);
        }
        change
    }

    /// True if nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.keeps_texts()
    }

    /// True if only objects changed.
    #[must_use]
    pub fn keeps_texts(&self) -> bool {
        self.outside_added.is_empty()
            && self.outside_removed.is_empty()
            && self.unresolved_added.is_empty()
            && self.unresolved_removed.is_empty()
    }

    /// Entries that came and can receive mail.
    #[must_use]
    pub fn added_count(&self) -> u64 {
        self.added.len() + self.outside_added.len() as u64
    }

    /// Entries that went and could receive mail.
    #[must_use]
    pub fn removed_count(&self) -> u64 {
        self.removed.len() + self.outside_removed.len() as u64
    }

    /// The change the other way.
    #[must_use]
    pub fn reversed(&self) -> Self {
        Self {
            added: self.removed.clone(),
            removed: self.added.clone(),
            outside_added: self.outside_removed.clone(),
            outside_removed: self.outside_added.clone(),
            unresolved_added: self.unresolved_removed.clone(),
            unresolved_removed: self.unresolved_added.clone(),
        }
    }

    /// This change and then another one, as one change.
    #[must_use]
    pub fn then(&self, next: &Self) -> Self {
        let came = |first: &RoaringBitmap,
                    second: &RoaringBitmap,
                    went_before: &RoaringBitmap,
                    goes: &RoaringBitmap| { (first - goes) | (second - went_before) };
        Self {
            added: came(&self.added, &next.added, &self.removed, &next.removed),
            removed: came(&self.removed, &next.removed, &self.added, &next.added),
            outside_added: joined(
                &self.outside_added,
                &next.outside_added,
                &self.outside_removed,
                &next.outside_removed,
            ),
            outside_removed: joined(
                &self.outside_removed,
                &next.outside_removed,
                &self.outside_added,
                &next.outside_added,
            ),
            unresolved_added: joined(
                &self.unresolved_added,
                &next.unresolved_added,
                &self.unresolved_removed,
                &next.unresolved_removed,
            ),
            unresolved_removed: joined(
                &self.unresolved_removed,
                &next.unresolved_removed,
                &self.unresolved_added,
                &next.unresolved_added,
            ),
        }
    }

    /// The list after the change; none if the change does not fit it.
    #[must_use]
    pub fn apply(&self, entries: &Entries) -> Option<Entries> {
        let mut after = entries.clone();
        self.apply_to(&mut after).then_some(after)
    }

    /// Changes a list in place, cheaply if nobody shares it. False: the change does not fit, and the list is as it
    /// was.
    #[must_use]
    pub fn apply_to(&self, entries: &mut Entries) -> bool {
        let texts = if self.keeps_texts() {
            None
        } else {
            let outside = replaced(&entries.outside, &self.outside_removed, &self.outside_added);
            let unresolved = replaced(&entries.unresolved, &self.unresolved_removed, &self.unresolved_added);
            let (Some(outside), Some(unresolved)) = (outside, unresolved) else {
                return false;
            };
            Some(Entries::new(RoaringBitmap::new(), outside, unresolved))
        };
        if !entries.objects.change(&self.added, &self.removed) {
            return false;
        }
        if let Some(texts) = texts {
            entries.outside = texts.outside;
            entries.unresolved = texts.unresolved;
        }
        true
    }
}

fn missing<T: Clone + Ord>(of: &[T], from: &[T]) -> Vec<T> {
    let known: std::collections::BTreeSet<&T> = from.iter().collect();
    of.iter().filter(|item| !known.contains(item)).cloned().collect()
}

/// What `first` and `second` did together, without what was undone.
fn joined<T: Clone + Ord>(first: &[T], second: &[T], undone_before: &[T], undoes: &[T]) -> Vec<T> {
    let mut both = missing(first, undoes);
    both.extend(missing(second, undone_before));
    both
}

fn replaced<T: Clone + Ord>(list: &[T], removed: &[T], added: &[T]) -> Option<Vec<T>> {
    let mut gone: std::collections::BTreeSet<&T> = removed.iter().collect();
    let mut kept: Vec<T> = list.iter().filter(|item| !gone.remove(item)).cloned().collect();
    if !gone.is_empty() {
        return None;
    }
    kept.extend(added.iter().cloned());
    Some(kept)
}

/// What changed in the subscribers of a Microsoft 365 group that is expanded here.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SubscribersChange {
    /// There was no such list before.
    Started(EntriesChange),
    /// It changed.
    Changed(EntriesChange),
    /// There is no such list any more.
    Ended(EntriesChange),
}

impl SubscribersChange {
    fn between(before: Option<&Entries>, after: Option<&Entries>) -> Option<Self> {
        let nobody = Entries::default();
        match (before, after) {
            (None, None) => None,
            (None, Some(after)) => Some(Self::Started(EntriesChange::between(&nobody, after))),
            (Some(before), None) => Some(Self::Ended(EntriesChange::between(before, &nobody))),
            (Some(before), Some(after)) => {
                let change = EntriesChange::between(before, after);
                (!change.is_empty()).then_some(Self::Changed(change))
            }
        }
    }

    /// What changed in the list.
    #[must_use]
    pub fn change(&self) -> &EntriesChange {
        match self {
            Self::Started(change) | Self::Changed(change) | Self::Ended(change) => change,
        }
    }

    fn reversed(&self) -> Self {
        match self {
            Self::Started(change) => Self::Ended(change.reversed()),
            Self::Changed(change) => Self::Changed(change.reversed()),
            Self::Ended(change) => Self::Started(change.reversed()),
        }
    }

    fn apply(&self, list: Option<&Entries>) -> Option<Option<Entries>> {
        match (self, list) {
            (Self::Started(change), None) => change.apply(&Entries::default()).map(Some),
            (Self::Changed(change), Some(list)) => change.apply(list).map(Some),
            (Self::Ended(change), Some(list)) => {
                let rest = change.apply(list)?;
                (rest == Entries::default()).then_some(None)
            }
            (Self::Started(_), Some(_)) | (Self::Changed(_) | Self::Ended(_), None) => None,
        }
    }
}

/// One version of a roll as its difference to the version before, and why.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Difference {
    /// The group.
    pub group: Ordinal,
    /// The version this made.
    pub version: u64,
    /// The version it follows; none: the roll was not there.
    pub before: Option<u64>,
    /// When it came to serve; not before the version before (the keeper holds a clock that went back).
    pub at: Timestamp,
    /// The generation of the directory it was computed from.
    pub generation: u64,
    /// Hash of the rule or list it was computed by.
    pub filter_hash: u64,
    /// Why the roll was computed.
    pub cause: Cause,
    /// What changed among the members.
    pub entries: EntriesChange,
    /// What changed among the subscribers, if anything.
    pub subscribers: Option<SubscribersChange>,
    /// Why, per entry; entries that none of them names came or went by `cause`.
    pub details: Vec<Detail>,
}

impl Difference {
    /// What carries one version to the next. Cost: both lists once.
    #[must_use]
    pub fn between(before: Option<&Roll>, after: &Roll, details: Vec<Detail>) -> Self {
        let nobody = Entries::default();
        let entries = EntriesChange::between(before.map_or(&nobody, |roll| &roll.entries), &after.entries);
        let listed = before.and_then(|roll| roll.subscribers.as_ref());
        Self {
            group: after.group,
            version: after.version,
            before: before.map(|roll| roll.version),
            at: after.provenance.computed_at,
            generation: after.provenance.generation,
            filter_hash: after.provenance.filter_hash,
            cause: after.provenance.cause,
            entries,
            subscribers: SubscribersChange::between(listed, after.subscribers.as_ref()),
            details,
        }
    }

    /// The roll after the change; none for `before` stands for the state without a roll.
    pub fn apply(&self, before: Option<&Roll>) -> Result<Roll, HistoryFault> {
        let found = before.map(|roll| roll.version);
        if found != self.before {
            return Err(HistoryFault::Gap {
                expected: found.unwrap_or(0),
                found: self.before.unwrap_or(0),
            });
        }
        let nobody = Entries::default();
        let unfit = HistoryFault::Unfit(found.unwrap_or(0));
        let entries = before.map_or(&nobody, |roll| &roll.entries);
        let listed = before.and_then(|roll| roll.subscribers.as_ref());
        Ok(Roll {
            group: self.group,
            version: self.version,
            entries: self.entries.apply(entries).ok_or(unfit)?,
            subscribers: match &self.subscribers {
                Some(change) => change.apply(listed).ok_or(unfit)?,
                None => listed.cloned(),
            },
            provenance: self.provenance(),
        })
    }

    /// Makes the next version of a roll in place: for replaying many differences.
    pub fn apply_to(&self, roll: &mut Roll) -> Result<(), HistoryFault> {
        if self.before != Some(roll.version) {
            return Err(HistoryFault::Gap {
                expected: roll.version,
                found: self.before.unwrap_or(0),
            });
        }
        let unfit = HistoryFault::Unfit(roll.version);
        let subscribers = match &self.subscribers {
            Some(change) => Some(change.apply(roll.subscribers.as_ref()).ok_or(unfit)?),
            None => None,
        };
        if !self.entries.apply_to(&mut roll.entries) {
            return Err(unfit);
        }
        if let Some(subscribers) = subscribers {
            roll.subscribers = subscribers;
        }
        roll.version = self.version;
        roll.provenance = self.provenance();
        Ok(())
    }

    fn provenance(&self) -> Provenance {
        Provenance {
            generation: self.generation,
            filter_hash: self.filter_hash,
            computed_at: self.at,
            confirmed_at: self.at,
            cause: self.cause,
        }
    }

    /// The list before the change; none if there was no roll.
    fn take_back(&self, list: &ListAt) -> Result<Option<ListAt>, HistoryFault> {
        if list.version != self.version {
            return Err(HistoryFault::Gap {
                expected: list.version,
                found: self.version,
            });
        }
        let unfit = HistoryFault::Unfit(self.version);
        let Some(version) = self.before else { return Ok(None) };
        let subscribers = match &self.subscribers {
            Some(change) => change.reversed().apply(list.subscribers.as_ref()).ok_or(unfit)?,
            None => list.subscribers.clone(),
        };
        Ok(Some(ListAt {
            version,
            entries: self.entries.reversed().apply(&list.entries).ok_or(unfit)?,
            subscribers,
        }))
    }

    /// Why an object came or went in this version; none if it did neither, or nothing finer than
    /// [`Difference::cause`] is known.
    #[must_use]
    pub fn cause_of(&self, object: Ordinal) -> Option<(Direction, Option<&EntryCause>)> {
        let direction = if self.entries.added.contains(object.0) {
            Direction::Added
        } else if self.entries.removed.contains(object.0) {
            Direction::Removed
        } else {
            return None;
        };
        let explains = |detail: &&Detail| match direction {
            Direction::Added => detail.added.contains(object.0),
            Direction::Removed => detail.removed.contains(object.0),
        };
        Some((
            direction,
            self.details.iter().find(explains).map(|detail| &detail.cause),
        ))
    }

    /// Everything that is said about why an object came or went: what changed first, who accepted it after that.
    pub fn causes_of(&self, object: Ordinal) -> impl Iterator<Item = &EntryCause> {
        let names = move |detail: &&Detail| detail.added.contains(object.0) || detail.removed.contains(object.0);
        self.details.iter().filter(names).map(|detail| &detail.cause)
    }
}

#[cfg(test)]
#[path = "history/tests.rs"]
mod tests;
