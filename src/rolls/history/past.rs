//! Who was in the list: from the list of today backwards.
//!
//! In: the current roll and its differences, newest first. Out: the list of a time or version, or how far back
//! it is known. Never: an answer across a gap.

use jiff::Timestamp;

use super::{Difference, EntriesChange, HistoryFault};
use crate::rolls::roll::{Entries, Roll};

/// A list as it was.
#[derive(Clone, PartialEq, Debug)]
pub struct ListAt {
    /// Its version.
    pub version: u64,
    /// Its members.
    pub entries: Entries,
    /// Its subscribers, if it had its own list of them.
    pub subscribers: Option<Entries>,
}

impl From<&Roll> for ListAt {
    fn from(roll: &Roll) -> Self {
        Self {
            version: roll.version,
            entries: roll.entries.clone(),
            subscribers: roll.subscribers.clone(),
        }
    }
}

/// What is known about a list at a time.
#[derive(Clone, PartialEq, Debug)]
pub enum Past {
    /// The list.
    Known(ListAt),
    /// The group had no list yet.
    NotYet,
    /// The history does not reach back so far; it begins after this time.
    Unknown {
        /// When the oldest version that can be told came to serve; none: only today's version is known.
        from: Option<Timestamp>,
    },
}

/// The list that served at a time.
///
/// `newest_first` holds the group's differences in falling order of versions, beginning with the one that made the
/// current roll; more than is needed does no harm. A version serves from [`Difference::at`] (included) until the
/// next one. Cost: each difference after `time` once, and each changed bitmap once per difference.
///
/// Where several versions came at the very same time the last of them is the answer.
pub fn at(
    current: &Roll,
    newest_first: impl IntoIterator<Item = impl std::borrow::Borrow<Difference>>,
    time: Timestamp,
) -> Result<Past, HistoryFault> {
    walk(
        current,
        newest_first,
        |difference| difference.at <= time,
        |roll| roll.provenance.computed_at <= time,
    )
}

/// The list of a version; [`Past::NotYet`] for a version that never was.
pub fn back_to_version(
    current: &Roll,
    newest_first: impl IntoIterator<Item = impl std::borrow::Borrow<Difference>>,
    version: u64,
) -> Result<Past, HistoryFault> {
    walk(
        current,
        newest_first,
        |difference| difference.version <= version,
        |roll| roll.version <= version,
    )
}

fn walk(
    current: &Roll,
    newest_first: impl IntoIterator<Item = impl std::borrow::Borrow<Difference>>,
    reached: impl Fn(&Difference) -> bool,
    reached_now: impl Fn(&Roll) -> bool,
) -> Result<Past, HistoryFault> {
    let mut list = ListAt::from(current);
    if reached_now(current) {
        return Ok(Past::Known(list));
    }
    let mut from = None;
    for difference in newest_first {
        let difference = difference.borrow();
        if reached(difference) {
            return Ok(Past::Known(list));
        }
        from = Some(difference.at);
        match difference.take_back(&list)? {
            Some(before) => list = before,
            None => return Ok(Past::NotYet),
        }
    }
    // The list that is left served before the oldest difference known, but since when nobody can say.
    Ok(Past::Unknown { from })
}

/// What carries one list to another, as `group diff` shows it; causes are in the differences between them.
#[must_use]
pub fn diff(from: &ListAt, to: &ListAt) -> EntriesChange {
    EntriesChange::between(&from.entries, &to.entries)
}
