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
                version: 0,
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
        if list.version == roll.version {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::testing::{directory, group, person};
    use crate::rolls::{Cause, Provenance, RollTable};

    fn roll(group: Ordinal, version: u64, second: i64, objects: &[Ordinal]) -> Roll {
        let at = Timestamp::from_second(second).expect("a test time");
        Roll {
            group,
            version,
            entries: Entries::new(objects.iter().map(|each| each.0).collect(), Vec::new(), Vec::new()),
            subscribers: None,
            provenance: Provenance {
                generation: version,
                filter_hash: 0,
                computed_at: at,
                confirmed_at: at,
                cause: Cause::DirectoryChanged,
            },
        }
    }

    #[test]
    fn lists_below_are_those_of_the_time_and_none_is_guessed() {
        let names = ["outer", "inner", "lena", "max"].map(|name| format!("{name}@contoso.example"));
        let [outer, inner, lena, max] = &names;
        let directory = directory([group(outer), group(inner), person(lena), person(max)]);
        let ordinal = |name: &str| directory.lookup_reference(name).one().expect("there");
        let [outer, inner, lena, max] = [ordinal(outer), ordinal(inner), ordinal(lena), ordinal(max)];
        let lists = [
            roll(outer, 1, 10, &[inner]),
            roll(inner, 1, 20, &[lena]),
            roll(inner, 2, 30, &[max]),
        ];
        let history = [
            Difference::between(Some(&lists[1]), &lists[2], Vec::new()),
            Difference::between(None, &lists[1], Vec::new()),
        ];
        let [first, _, last] = lists;
        let view = View::new(directory, RollTable::default().with_rolls([first, last]));
        let told = |second: i64, newest: usize| {
            let time = Timestamp::from_second(second).expect("a test time");
            let history = &history[..newest];
            below(&view, outer, time, |group| {
                Ok(if group == inner { history.to_vec() } else { Vec::new() })
            })
            .map(|then| {
                let list = then.rolls.roll(inner).expect("a list");
                list.entries.objects.iter().map(Ordinal).collect::<Vec<_>>()
            })
        };
        assert_eq!(told(40, 0), Ok(vec![max]), "nothing since");
        assert_eq!(told(25, 2), Ok(vec![lena]));
        assert_eq!(told(15, 2), Ok(vec![]), "it had no list yet");
        assert!(matches!(told(15, 1), Err(PastFault::Forgotten { group, .. }) if group == names[1]));
    }
}
