//! A view whose lists are those of an earlier time: what a message would have reached when it was held.
//!
//! In: the view of now, a group, a time, the differences since. Out: the same view with the lists of that time for the
//! group and all that were nested below it. Never: a list guessed where the history does not reach back.

use std::collections::HashSet;

use jiff::Timestamp;

use super::history::{self, Difference, HistoryFault, ListAt, Past};
use super::roll::{Entries, Roll};
use super::{RollEntry, View};
use crate::directory::Ordinal;

/// Why the lists of a time cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PastFault {
    /// Whoever keeps the history does not answer.
    #[error("{0}")]
    Unanswered(String),
    /// What is stored contradicts itself.
    #[error(transparent)]
    History(#[from] HistoryFault),
    /// Older than the history that is kept.
    #[error("the list of {group} at {at} is no longer kept")]
    Forgotten {
        /// Primary address.
        group: String,
        /// The time asked for.
        at: Timestamp,
    },
}

/// The view with the lists of `time` for `group` and the groups that were nested below it.
///
/// Who is in the directory, and every rule but membership, is as it is now. `differences` gives the history of a group
/// back to a time, newest first. Cost: the changes of those lists since then.
pub fn below(
    view: &View,
    group: Ordinal,
    time: Timestamp,
    mut differences: impl FnMut(Ordinal) -> Result<Vec<Difference>, PastFault>,
) -> Result<View, PastFault> {
    let mut seen: HashSet<Ordinal> = [group].into();
    let mut open = vec![group];
    let mut changed = Vec::new();
    while let Some(group) = open.pop() {
        let Some(roll) = view.rolls.roll(group) else { continue };
        let list = match history::at(roll, differences(group)?, time)? {
            Past::Known(list) => list,
            // It was nobody's list then.
            Past::NotYet => ListAt {
                version: roll.version,
                entries: Entries::default(),
                subscribers: None,
            },
            Past::Unknown { .. } => {
                let address = view.object(group).map(|object| object.primary.to_string());
                return Err(PastFault::Forgotten {
                    group: address.unwrap_or_default(),
                    at: time,
                });
            }
        };
        let nested = &list.entries.objects & view.directory.group_set();
        open.extend(nested.into_iter().map(Ordinal).filter(|nested| seen.insert(*nested)));
        if list.version == roll.version && list.entries == roll.entries {
            continue;
        }
        let entry = RollEntry {
            roll: Some(Roll::clone(roll).back_at(list).into()),
            ..view.rolls.entry(group).cloned().unwrap_or_default()
        };
        changed.push((group, Some(entry)));
    }
    Ok(View {
        rolls: view.rolls.with(changed).into(),
        ..view.clone()
    })
}

impl Roll {
    /// With other entries. Its age is that of the list of now, which nothing contradicts.
    fn back_at(self, list: ListAt) -> Self {
        Self {
            version: list.version,
            entries: list.entries,
            subscribers: list.subscribers,
            ..self
        }
    }
}
