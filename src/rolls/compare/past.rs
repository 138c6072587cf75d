//! The lists as they were: whom a group led to at a time.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use roaring::RoaringBitmap;

use crate::directory::attribute::Attribute;
use crate::directory::{Ordinal, SourceId};
use crate::mail::Mailbox;
use crate::rolls::history::{self, Difference, HistoryFault, ListAt, Past};
use crate::rolls::roll::{Entries, Roll};
use crate::rolls::view::View;

/// What is kept about the past.
pub trait Pasts {
    /// The differences of a group's list, newest first, as [`history::at`] wants them; none if none are kept.
    fn differences(&self, group: Ordinal) -> Vec<Difference>;

    /// Changes of an object's values, newest first.
    fn attribute_changes(&self, object: Ordinal) -> Vec<AttributeChange>;
}

/// One value that changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AttributeChange {
    /// Which.
    pub attribute: Attribute,
    /// When.
    pub at: Timestamp,
    /// The value before; none: absent.
    pub before: Option<Arc<str>>,
    /// The value after it.
    pub after: Option<Arc<str>>,
    /// Who said so.
    pub source: SourceId,
}

/// Whom a group leads to.
pub(super) struct Reach {
    /// Individuals, those that are gone by now included.
    pub(super) objects: RoaringBitmap,
    /// Implicit contacts.
    pub(super) outside: Vec<Mailbox>,
    /// The group and those nested in it.
    pub(super) through: Vec<Ordinal>,
    /// The list of the time is not known for one of them; the oldest that is kept was taken.
    pub(super) by_later_list: bool,
}

/// The lists of one comparison; each version that matters is put together once.
pub(super) struct Lists<'a> {
    view: &'a View,
    pasts: &'a dyn Pasts,
    groups: HashMap<Ordinal, Timeline>,
}

struct Timeline {
    current: Option<Arc<Roll>>,
    newest_first: Vec<Difference>,
    /// By the place of the newest difference that is not after the time.
    known: HashMap<usize, (Entries, Certainty)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Certainty {
    /// The list of the time.
    Kept,
    /// The oldest that is kept, because the history does not reach back.
    Later,
}

impl<'a> Lists<'a> {
    pub(super) fn new(view: &'a View, pasts: &'a dyn Pasts) -> Self {
        Self {
            view,
            pasts,
            groups: HashMap::new(),
        }
    }

    /// Everybody a group led to at a time, nested groups followed.
    pub(super) fn reach(&mut self, group: Ordinal, time: Timestamp) -> Reach {
        let mut reach = Reach {
            objects: RoaringBitmap::new(),
            outside: Vec::new(),
            through: Vec::new(),
            by_later_list: false,
        };
        let mut seen = HashSet::from([group]);
        let mut waiting = VecDeque::from([group]);
        while let Some(group) = waiting.pop_front() {
            reach.through.push(group);
            let (entries, certainty) = self.list_at(group, time);
            reach.by_later_list |= certainty == Certainty::Later;
            let nested = &entries.objects & self.view.directory.group_set();
            reach.objects |= &entries.objects - &nested;
            reach.outside.extend(entries.outside.iter().cloned());
            for number in nested {
                let cloud = self
                    .view
                    .group(Ordinal(number))
                    .is_some_and(|group| group.kind.is_microsoft365_group());
                if cloud {
                    reach.objects.insert(number);
                } else if seen.insert(Ordinal(number)) {
                    waiting.push_back(Ordinal(number));
                }
            }
        }
        reach
    }

    /// The differences of a group's list, newest first.
    pub(super) fn differences(&mut self, group: Ordinal) -> &[Difference] {
        &self.timeline(group).newest_first
    }

    /// Changes of an object's values, newest first.
    pub(super) fn attribute_changes(&self, object: Ordinal) -> Vec<AttributeChange> {
        self.pasts.attribute_changes(object)
    }

    fn timeline(&mut self, group: Ordinal) -> &mut Timeline {
        let (view, pasts) = (self.view, self.pasts);
        self.groups.entry(group).or_insert_with(|| Timeline {
            current: view.roll(group).cloned(),
            newest_first: pasts.differences(group),
            known: HashMap::new(),
        })
    }

    fn list_at(&mut self, group: Ordinal, time: Timestamp) -> (Entries, Certainty) {
        let timeline = self.timeline(group);
        let Some(current) = timeline.current.clone() else {
            return (Entries::default(), Certainty::Later);
        };
        let place = timeline.newest_first.partition_point(|difference| difference.at > time);
        if let Some(known) = timeline.known.get(&place) {
            return known.clone();
        }
        let list = match list_of(&current, &timeline.newest_first, time) {
            Ok(list) => list,
            Err(fault) => {
                tracing::warn!(group = group.0, %fault, "the history of a list cannot be read; today's is compared");
                (current.receivers().clone(), Certainty::Later)
            }
        };
        timeline.known.insert(place, list.clone());
        list
    }
}

/// The list of a time, else the oldest that is kept.
fn list_of(current: &Roll, newest_first: &[Difference], time: Timestamp) -> Result<(Entries, Certainty), HistoryFault> {
    let receivers = |list: ListAt| list.subscribers.unwrap_or(list.entries);
    if let Past::Known(list) = history::at(current, newest_first, time)? {
        return Ok((receivers(list), Certainty::Kept));
    }
    let Some(oldest) = newest_first.last() else {
        return Ok((current.receivers().clone(), Certainty::Later));
    };
    let Past::Known(list) = history::back_to_version(current, newest_first, oldest.version)? else {
        return Ok((current.receivers().clone(), Certainty::Later));
    };
    // What served before the oldest difference is nearer to the time; the first version of a list follows nothing.
    let before = oldest.before.filter(|_| list.subscribers.is_none());
    let entries = before.and_then(|_| oldest.entries.reversed().apply(&list.entries));
    Ok((entries.unwrap_or_else(|| receivers(list)), Certainty::Later))
}
