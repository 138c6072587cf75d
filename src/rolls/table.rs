//! All rolls of one view: a map from group to roll whose untouched parts successive views share.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::listed::ListMemo;
use super::roll::Roll;
use crate::directory::Ordinal;

/// Parts that are copied one by one when a roll in them changes: 25 entries each at 100,000 groups, and a change
/// copies the list of parts (32 KB) besides.
const PARTS: usize = 4_096;

/// What became of the latest attempt to compute a roll, if it gave no new version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Attempt {
    /// Not made yet, or under way.
    Pending,
    /// The guard holds back what was computed; the list from before serves.
    Held {
        /// Since when.
        since: Timestamp,
    },
    /// The rule could not be evaluated; the last good version serves.
    Failed {
        /// When.
        at: Timestamp,
        /// What was wrong, for the operator.
        fault: Arc<str>,
    },
}

/// What is known about a group's roll.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct RollEntry {
    /// The last good version; none before the first.
    pub roll: Option<Arc<Roll>>,
    /// How the latest attempt stands, unless it succeeded.
    pub attempt: Option<Attempt>,
}

impl RollEntry {
    /// Says that the guard holds the list since a time, or holds it no longer. True if that was not said before.
    pub fn mark_held(&mut self, since: Option<Timestamp>) -> bool {
        let attempt = match (since, &self.attempt) {
            (Some(since), _) => Some(Attempt::Held { since }),
            (None, Some(Attempt::Held { .. })) => None,
            (None, other) => other.clone(),
        };
        let changed = attempt != self.attempt;
        self.attempt = attempt;
        changed
    }
}

/// Rolls by group. Cloning is cheap; a clone that changes copies only the parts it touches.
#[derive(Clone, Debug)]
pub struct RollTable {
    parts: Arc<[Arc<HashMap<u32, RollEntry>>]>,
    count: usize,
    lists: Arc<ListMemo>,
}

impl Default for RollTable {
    fn default() -> Self {
        Self {
            parts: vec![Arc::default(); PARTS].into(),
            count: 0,
            lists: Arc::default(),
        }
    }
}

impl RollTable {
    /// Groups that have an entry.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Lists of senders that were asked for; a table with other rolls begins anew.
    pub(super) fn lists(&self) -> &ListMemo {
        &self.lists
    }

    /// True before the first roll.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// What is known about a group's roll.
    #[must_use]
    pub fn entry(&self, group: Ordinal) -> Option<&RollEntry> {
        self.parts.get(part_of(group))?.get(&group.0)
    }

    /// A group's last good roll.
    #[must_use]
    pub fn roll(&self, group: Ordinal) -> Option<&Arc<Roll>> {
        self.entry(group)?.roll.as_ref()
    }

    /// All last good rolls, in no order.
    pub fn rolls(&self) -> impl Iterator<Item = &Arc<Roll>> {
        self.parts
            .iter()
            .flat_map(|part| part.values())
            .filter_map(|entry| entry.roll.as_ref())
    }

    /// The table with these changes: a new entry, or none to forget the group.
    #[must_use]
    pub fn with(&self, changes: impl IntoIterator<Item = (Ordinal, Option<RollEntry>)>) -> Self {
        let mut changes = changes.into_iter().peekable();
        if changes.peek().is_none() {
            return self.clone();
        }
        // Collected at its exact length: one allocation.
        let mut parts: Arc<[Arc<HashMap<u32, RollEntry>>]> = self.parts.iter().cloned().collect();
        let mut count = self.count;
        if let Some(parts) = Arc::get_mut(&mut parts) {
            for (group, entry) in changes {
                let part = Arc::make_mut(&mut parts[part_of(group)]);
                let before = part.len();
                match entry {
                    Some(entry) => part.insert(group.0, entry),
                    None => part.remove(&group.0),
                };
                count = count + part.len() - before;
            }
        }
        Self {
            parts,
            count,
            lists: Arc::default(),
        }
    }

    /// The table with these rolls as the last good versions.
    #[must_use]
    pub fn with_rolls(&self, rolls: impl IntoIterator<Item = Roll>) -> Self {
        self.with(rolls.into_iter().map(|roll| {
            let entry = RollEntry {
                roll: Some(Arc::new(roll)),
                attempt: None,
            };
            (entry.roll.as_ref().map_or(Ordinal(0), |roll| roll.group), Some(entry))
        }))
    }

    /// The table after a failed attempt: the last good version stays.
    #[must_use]
    pub fn with_failure(&self, group: Ordinal, at: Timestamp, fault: Arc<str>) -> Self {
        let mut entry = self.entry(group).cloned().unwrap_or_default();
        entry.attempt = Some(Attempt::Failed { at, fault });
        self.with([(group, Some(entry))])
    }
}

fn part_of(group: Ordinal) -> usize {
    // Groups often have neighbouring ordinals; the low bits spread them evenly.
    group.0 as usize % PARTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rolls::roll::{Cause, Entries, Provenance};

    fn roll(group: u32, version: u64) -> Roll {
        Roll {
            group: Ordinal(group),
            version,
            entries: Entries::default(),
            subscribers: None,
            provenance: Provenance {
                generation: 1,
                filter_hash: 0,
                computed_at: Timestamp::UNIX_EPOCH,
                confirmed_at: Timestamp::UNIX_EPOCH,
                cause: Cause::Created,
            },
        }
    }

    #[test]
    fn a_change_leaves_the_old_table_as_it_was_and_shares_the_rest() {
        let old = RollTable::default().with_rolls([roll(1, 1), roll(2, 1), roll(4_097, 1)]);
        let new = old.with_rolls([roll(1, 2)]).with([(Ordinal(2), None)]);
        assert_eq!((old.len(), new.len()), (3, 2));
        assert_eq!(old.roll(Ordinal(1)).map(|roll| roll.version), Some(1));
        assert_eq!(new.roll(Ordinal(1)).map(|roll| roll.version), Some(2));
        assert_eq!(new.roll(Ordinal(4_097)).map(|roll| roll.version), Some(1));
        assert!(new.roll(Ordinal(2)).is_none());
        let shared = old
            .parts
            .iter()
            .zip(new.parts.iter())
            .filter(|(a, b)| Arc::ptr_eq(a, b));
        assert_eq!(shared.count(), PARTS - 2);
    }

    #[test]
    fn a_failure_keeps_the_last_good_version() {
        let table = RollTable::default().with_rolls([roll(1, 4)]);
        let table = table.with_failure(Ordinal(1), Timestamp::UNIX_EPOCH, "column 9".into());
        let entry = table.entry(Ordinal(1)).expect("kept");
        assert_eq!(entry.roll.as_ref().map(|roll| roll.version), Some(4));
        assert!(matches!(entry.attempt, Some(Attempt::Failed { .. })));
    }
}
