//! Guard: a list that shrinks or grows too much within a window waits for an operator.
//!
//! In: the changes of the last hour, the limits. Out: pass, or which limit was broken and by how much. Never: many
//! small changes that together get past a limit; a hold because of an operator's own decision.
//!
//! Measured are distinct entries that can receive mail: *lost* are those that were in some version of the window and
//! are not in the newest; *grown* are those in the newest that were not in every version. Lost is a share of the
//! largest version before the newest, grown of the smallest. A limit is broken when its share **and** its count are
//! exceeded: a share alone would hold every change of a small group, a count alone every ordinary day of a large
//! one. Exactly at a limit passes.
//!
//! Not held are: a new group, the first load of a source, and what an operator decided or accepted. Each of them
//! begins the window anew.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};

use super::history::{Detail, Difference, EntriesChange, SubscribersChange};
use super::hold::Blames;
use super::roll::{Cause, Entries, Roll};
use crate::directory::GroupSettings;
use crate::mail::Mailbox;

/// Most changes joined at a time: joining half of a window at once would be felt.
const JOINED_MAX: usize = 8;

/// So many objects of one change are few.
const MET_FEW_MAX: u64 = 64;

/// Most changes remembered one by one in a window; beyond it those that lie closer together than twice this part of
/// it are joined, and count until the last of them leaves the window.
pub const WINDOW_MARKS_MAX: usize = 256;

/// Bounds of what a list may lose or gain within a window.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GuardLimits {
    /// Percent of the largest version that may go.
    pub shrink_share_percent: u32,
    /// Entries that may go, whatever their share.
    pub shrink_count: u32,
    /// Percent of the smallest version that may come.
    pub growth_share_percent: u32,
    /// Entries that may come, whatever their share.
    pub growth_count: u32,
    /// How long changes are counted together.
    pub window: Duration,
}

impl Default for GuardLimits {
    fn default() -> Self {
        Self {
            shrink_share_percent: 20,
            shrink_count: 10,
            // More than twice as many, and more than a department: a filter that lost a clause.
            growth_share_percent: 100,
            growth_count: 100,
            window: Duration::from_secs(60 * 60),
        }
    }
}

impl GuardLimits {
    /// The group's own limits over these.
    #[must_use]
    pub fn of(self, group: Option<&GroupSettings>) -> Self {
        let Some(own) = group.and_then(|group| group.guard.as_deref()) else {
            return self;
        };
        Self {
            shrink_share_percent: own.shrink_share_percent.unwrap_or(self.shrink_share_percent),
            shrink_count: own.shrink_count.unwrap_or(self.shrink_count),
            growth_share_percent: own.growth_share_percent.unwrap_or(self.growth_share_percent),
            growth_count: own.growth_count.unwrap_or(self.growth_count),
            window: own.window.unwrap_or(self.window),
        }
    }

    /// Which limit a measure breaks, if any; shrinking is named first.
    #[must_use]
    pub fn judge(&self, measure: &Measure) -> Option<Limit> {
        let exceeds = |count: u64, of: u64, share: u32, bound: u32| {
            count > u64::from(bound) && u128::from(count) * 100 > u128::from(of) * u128::from(share)
        };
        if exceeds(
            measure.lost,
            measure.largest,
            self.shrink_share_percent,
            self.shrink_count,
        ) {
            return Some(Limit::Shrink {
                lost: measure.lost,
                of: measure.largest,
                share_percent: self.shrink_share_percent,
                count: self.shrink_count,
            });
        }
        exceeds(
            measure.grown,
            measure.smallest,
            self.growth_share_percent,
            self.growth_count,
        )
        .then_some(Limit::Growth {
            grown: measure.grown,
            of: measure.smallest,
            share_percent: self.growth_share_percent,
            count: self.growth_count,
        })
    }
}

/// How far a list moved within a window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Measure {
    /// Entries that were there and are not.
    pub lost: u64,
    /// Size of the largest version before the newest.
    pub largest: u64,
    /// Entries that are there and were not always.
    pub grown: u64,
    /// Size of the smallest version before the newest.
    pub smallest: u64,
}

/// The limit that was broken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// Too many would go.
    #[error("would remove {lost} of {of} ({}%, limit {share_percent}% and {count})", percent(*.lost, *.of))]
    Shrink {
        /// Entries that would go.
        lost: u64,
        /// Size of the largest version of the window.
        of: u64,
        /// The share that was exceeded.
        share_percent: u32,
        /// The count that was exceeded.
        count: u32,
    },
    /// Too many would come.
    #[error("would add {grown} to {of} ({}%, limit {share_percent}% and {count})", percent(*.grown, *.of))]
    Growth {
        /// Entries that would come.
        grown: u64,
        /// Size of the smallest version of the window.
        of: u64,
        /// The share that was exceeded.
        share_percent: u32,
        /// The count that was exceeded.
        count: u32,
    },
}

/// Rounded to the nearest; a part of nothing counts as a hundred.
fn percent(part: u64, of: u64) -> u64 {
    (part * 100 + of / 2).checked_div(of).unwrap_or(100)
}

/// Whether a new version is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Guarding {
    /// It is.
    Guarded,
    /// An operator decided it, or there is nothing to compare with: the window begins anew.
    Exempt,
}

impl Guarding {
    /// What the cause of a version says.
    #[must_use]
    pub fn of(cause: Cause) -> Self {
        match cause {
            Cause::Created | Cause::FirstLoad | Cause::Accepted | Cause::Decided => Self::Exempt,
            Cause::GroupChanged
            | Cause::DirectoryChanged
            | Cause::Scheduled
            | Cause::Requested
            | Cause::Pinned
            | Cause::Clock
            | Cause::Guarded
            | Cause::Released
            | Cause::Repaired => Self::Guarded,
        }
    }
}

/// One change of the window, or several that were joined.
#[derive(Clone, PartialEq, Debug)]
struct Mark {
    /// When the first of them happened, and the last.
    since: Timestamp,
    at: Timestamp,
    /// The version before.
    version: u64,
    entries: EntriesChange,
    subscribers: Option<EntriesChange>,
    /// Everybody among the receivers who came or went in it, even if the change as a whole leaves them alone.
    met: Met,
    /// Sizes of the versions that it and those joined to it followed.
    largest: u64,
    smallest: u64,
    details: Vec<Arc<[Detail]>>,
}

#[derive(Clone, PartialEq, Debug, Default)]
struct Met {
    objects: RoaringBitmap,
    outside: BTreeSet<Mailbox>,
}

impl Met {
    fn join(&mut self, other: &Self) {
        self.objects |= &other.objects;
        self.outside.extend(other.outside.iter().cloned());
    }
}

impl Mark {
    /// None: the change is none of receivers that can be measured (a list of subscribers began or ended).
    fn new(difference: &Difference, after: &Roll, at: Timestamp) -> Option<Self> {
        let subscribers = match &difference.subscribers {
            None => None,
            Some(SubscribersChange::Changed(change)) => Some(change.clone()),
            Some(SubscribersChange::Started(_) | SubscribersChange::Ended(_)) => return None,
        };
        let nothing = EntriesChange::default();
        let change = match (&subscribers, &after.subscribers) {
            (Some(change), _) => change,
            (None, None) => &difference.entries,
            (None, Some(_)) => &nothing,
        };
        let receivers = after.receivers();
        let before = (receivers.len() + change.removed_count()).saturating_sub(change.added_count());
        let outside = change.outside_added.iter().chain(&change.outside_removed);
        Some(Self {
            since: at,
            at,
            version: difference.before.unwrap_or(0),
            met: Met {
                objects: &change.added | &change.removed,
                outside: outside.cloned().collect(),
            },
            largest: before,
            smallest: before,
            entries: difference.entries.clone(),
            subscribers,
            details: vec![difference.details.as_slice().into()],
        })
    }

    fn removes(&self) -> bool {
        self.entries.removed_count() > 0 || self.subscribers.as_ref().is_some_and(|list| list.removed_count() > 0)
    }

    fn adds(&self) -> bool {
        self.entries.added_count() > 0 || self.subscribers.as_ref().is_some_and(|list| list.added_count() > 0)
    }

    fn join(&mut self, later: &Self) {
        self.at = later.at;
        self.entries = self.entries.then(&later.entries);
        self.subscribers = match (self.subscribers.take(), &later.subscribers) {
            (Some(first), Some(second)) => Some(first.then(second)),
            (first, second) => first.or_else(|| second.clone()),
        };
        self.met.join(&later.met);
        self.largest = self.largest.max(later.largest);
        self.smallest = self.smallest.min(later.smallest);
        self.details.extend_from_slice(&later.details);
    }
}

/// The changes of the last hour, oldest first. Copied by a pointer; with a further change the pointers are copied.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Window {
    marks: Arc<[Arc<Mark>]>,
}

/// The list from before a window's first removal, or addition.
#[derive(Clone, PartialEq, Debug)]
pub struct Before {
    /// Its version.
    pub version: u64,
    /// It.
    pub list: Roll,
    /// Why all that happened since did happen.
    pub blames: Blames,
    /// What had happened in the window before.
    pub window: Window,
}

impl Window {
    /// True if nothing happened.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// Forgets what is older than the window: a change counts as long as its age is at most the window.
    pub fn prune(&mut self, now: Timestamp, window: Duration) {
        let is_recent = |mark: &Arc<Mark>| !is_older(mark.at, now, window);
        let first = self.marks.iter().position(is_recent).unwrap_or(self.marks.len());
        if let Some(kept) = self.marks.get(first..).filter(|_| first > 0) {
            self.marks = kept.into();
        }
    }

    /// When the oldest change leaves the window.
    #[must_use]
    pub fn next_change(&self, window: Duration) -> Option<Timestamp> {
        let oldest = self.marks.first()?;
        oldest.at.checked_add(window).ok()
    }

    /// Takes a change into account that led to `after`.
    pub fn push(&mut self, difference: &Difference, after: &Roll, at: Timestamp) {
        let Some(mark) = Mark::new(difference, after, at) else {
            *self = Self::default();
            return;
        };
        self.marks = self.marks.iter().cloned().chain([Arc::new(mark)]).collect();
    }

    /// Joins changes that lie close together, if there are more than are remembered one by one.
    pub fn thin(&mut self, window: Duration) {
        if self.marks.len() <= WINDOW_MARKS_MAX {
            return;
        }
        let span = window / (WINDOW_MARKS_MAX as u32 / 2);
        let mut thinned: Vec<Arc<Mark>> = Vec::with_capacity(self.marks.len());
        let mut joined = 0;
        for mark in self.marks.iter() {
            match thinned.last_mut() {
                Some(last) if joined < JOINED_MAX && !is_older(last.since, mark.at, span) => {
                    Arc::make_mut(last).join(mark);
                    joined += 1;
                }
                Some(_) | None => thinned.push(Arc::clone(mark)),
            }
        }
        self.marks = thinned.into();
    }

    /// Takes the changes of the last hour into account as they are stored, oldest first, up to the roll that serves:
    /// a restart is no way past the guard.
    pub fn restore(&mut self, differences: &[Difference], current: &Roll) {
        let mut after = current.clone();
        let mut steps: Vec<(&Difference, Roll)> = Vec::new();
        for difference in differences.iter().rev() {
            if difference.version != after.version {
                break;
            }
            let mut before = after.clone();
            let Some(entries) = difference.entries.reversed().apply(&after.entries) else {
                break;
            };
            before.entries = entries;
            before.version = difference.before.unwrap_or(0);
            match (&difference.subscribers, &after.subscribers) {
                (None, _) => {}
                (Some(SubscribersChange::Changed(change)), Some(list)) => {
                    let Some(list) = change.reversed().apply(list) else {
                        break;
                    };
                    before.subscribers = Some(list);
                }
                (Some(_), _) => break,
            }
            steps.push((difference, after));
            after = before;
        }
        for (difference, after) in steps.into_iter().rev() {
            match (Guarding::of(difference.cause), difference.cause) {
                (Guarding::Exempt, _) => *self = Self::default(),
                // Pins lie over what is measured.
                (Guarding::Guarded, Cause::Pinned) => {}
                (Guarding::Guarded, _) => self.push(difference, &after, difference.at),
            }
        }
    }

    /// Everybody who came or went. Few at a time are gathered as numbers: a set that grows by one is copied each time.
    fn met(&self) -> Met {
        let is_few = |mark: &&Arc<Mark>| mark.met.objects.len() <= MET_FEW_MAX;
        let few = self.marks.iter().filter(is_few);
        let mut numbers: Vec<u32> = few.flat_map(|mark| mark.met.objects.iter()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let mut met = Met {
            objects: RoaringBitmap::from_sorted_iter(numbers).unwrap_or_default(),
            outside: BTreeSet::new(),
        };
        for mark in self.marks.iter() {
            if !is_few(&mark) {
                met.objects |= &mark.met.objects;
            }
            met.outside.extend(mark.met.outside.iter().cloned());
        }
        met
    }

    /// How far the list moved. Cost: the changes of the window.
    #[must_use]
    pub fn measure(&self, receivers: &Entries) -> Measure {
        let met = self.met();
        let here = receivers.objects.intersection_len(&met.objects);
        let outside_here = met.outside.iter().filter(|each| receivers.has_outside(&each.key()));
        let outside_here = outside_here.count() as u64;
        let sizes = |size: fn(&Mark) -> u64| self.marks.iter().map(move |mark| size(mark));
        Measure {
            lost: met.objects.len() - here + met.outside.len() as u64 - outside_here,
            largest: sizes(|mark| mark.largest).max().unwrap_or(0),
            grown: here + outside_here,
            smallest: sizes(|mark| mark.smallest).min().unwrap_or(0),
        }
    }

    /// The list from before the first change that did what the limit forbids. None: the window does not fit the roll (a bug, or damage), or holds no such change.
    #[must_use]
    pub fn before_the_first(&self, limit: &Limit, roll: &Roll) -> Option<Before> {
        let forbidden = |mark: &Arc<Mark>| match limit {
            Limit::Shrink { .. } => mark.removes(),
            Limit::Growth { .. } => mark.adds(),
        };
        let first = self.marks.iter().position(forbidden)?;
        let mut back = roll.clone();
        let mut blames = Blames::default();
        for mark in self.marks[first..].iter().rev() {
            back.entries = mark.entries.reversed().apply(&back.entries)?;
            if let (Some(change), Some(list)) = (&mark.subscribers, &back.subscribers) {
                back.subscribers = Some(change.reversed().apply(list)?);
            }
            for detail in mark.details.iter().flat_map(|details| details.iter()) {
                blames.add(mark.at, mark.at, detail);
            }
        }
        Some(Before {
            version: self.marks[first].version,
            list: back,
            blames,
            window: Self {
                marks: self.marks[..first].into(),
            },
        })
    }
}

/// True if a time lies further back than this. What the clock says of the future is not old.
fn is_older(time: Timestamp, now: Timestamp, age: Duration) -> bool {
    let since = now.duration_since(time);
    !since.is_negative() && since.unsigned_abs() > age
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::Ordinal;
    use crate::rolls::roll::Provenance;

    fn time(second: u64) -> Timestamp {
        Timestamp::from_second(i64::try_from(second).expect("small")).expect("a test time")
    }

    fn roll(version: u64, objects: std::ops::Range<u32>) -> Roll {
        Roll {
            group: Ordinal(9),
            version,
            entries: Entries::new(objects.collect(), Vec::new(), Vec::new()),
            subscribers: None,
            provenance: Provenance {
                generation: version,
                filter_hash: 7,
                computed_at: time(version),
                confirmed_at: time(version),
                cause: Cause::DirectoryChanged,
            },
        }
    }

    #[test]
    fn a_burst_is_remembered_in_few_marks_and_measured_in_full() {
        let mut window = Window::default();
        let mut last = roll(1, 0..10_000);
        for version in 2..=2_000 {
            let next = roll(version, u32::try_from(version).expect("small")..10_000);
            let difference = Difference::between(Some(&last), &next, Vec::new());
            window.push(&difference, &next, time(version / 100));
            window.thin(Duration::from_secs(3_600));
            assert!(window.marks.len() <= WINDOW_MARKS_MAX);
            last = next;
        }
        let measure = window.measure(&last.entries);
        assert_eq!((measure.lost, measure.grown), (2_000, 0));
        assert_eq!((measure.largest, measure.smallest), (10_000, 8_001));
        let mut empty = window.clone();
        empty.prune(time(3_621), Duration::from_secs(3_600));
        assert!(empty.is_empty() && !window.is_empty());
    }
}
