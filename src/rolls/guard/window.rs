//! The window of the guard: what happened to one list in the last hour.
//!
//! In: differences as they happen, or as they are stored. Out: how far the list moved, and the list from before.
//! Never: a change forgotten before its time; more than a bounded number of marks for changes without end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use roaring::RoaringBitmap;

use super::{Guarding, Limit, Measure};
use crate::mail::Mailbox;
use crate::rolls::history::{Detail, Difference, EntriesChange, SubscribersChange};
use crate::rolls::hold::Blames;
use crate::rolls::roll::{Cause, Entries, Roll};

/// Most changes joined at a time: joining half of a window at once would be felt.
const JOINED_MAX: usize = 8;

/// So many objects of one change are few.
const MET_FEW_MAX: u64 = 64;

/// Most changes remembered one by one in a window; beyond it those that lie closer together than twice this part of
/// it are joined, and count until the last of them leaves the window.
pub const WINDOW_MARKS_MAX: usize = 256;

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
