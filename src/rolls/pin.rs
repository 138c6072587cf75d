//! Pins: people who are in a list, or out of it, whatever the list says itself.
//!
//! In: what the list says, the pins, the time. Out: who is in it, and the next instant at which a pin ends.
//! Never: two pins for one person; a pin that its person can see if it keeps the person out.
//!
//! A pin remembers what the list itself says about its person, so that the list can be told from the pinned one
//! without being stored twice.

use std::sync::Arc;

use jiff::Timestamp;
use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};

use super::history::{Difference, EntriesChange, EntryCause, PinAction, SubscribersChange};
use super::roll::Entries;
use crate::directory::Ordinal;

/// One person's pin in one group.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Pin {
    /// The person (or nested group).
    pub object: Ordinal,
    /// Which way.
    pub action: PinAction,
    /// Why, in words.
    pub reason: Arc<str>,
    /// Who set it.
    pub by: Arc<str>,
    /// When it was set.
    pub since: Timestamp,
    /// From this instant on it holds no more; none: until it is taken away.
    pub until: Option<Timestamp>,
    /// What the list itself says: kept up by [`Pins::observe`].
    #[serde(default)]
    pub listed: bool,
}

impl Pin {
    /// The cause that history shows.
    #[must_use]
    pub fn cause(&self) -> EntryCause {
        EntryCause::Pinned {
            action: self.action,
            by: Arc::clone(&self.by),
            reason: Arc::clone(&self.reason),
            until: self.until,
        }
    }

    /// True if it holds no more.
    #[must_use]
    pub fn ended(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

/// The pins of one group, one per person.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Pins {
    by_object: Arc<[Pin]>,
}

impl FromIterator<Pin> for Pins {
    /// A later pin replaces an earlier one of the same person.
    fn from_iter<I: IntoIterator<Item = Pin>>(pins: I) -> Self {
        let map: std::collections::BTreeMap<Ordinal, Pin> = pins.into_iter().map(|pin| (pin.object, pin)).collect();
        Self {
            by_object: map.into_values().collect(),
        }
    }
}

impl Pins {
    /// True if nobody is pinned.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_object.is_empty()
    }

    /// All pins, by person.
    pub fn iter(&self) -> impl Iterator<Item = &Pin> {
        self.by_object.iter()
    }

    /// A person's pin.
    #[must_use]
    pub fn of(&self, object: Ordinal) -> Option<&Pin> {
        let place = self.by_object.binary_search_by_key(&object, |pin| pin.object).ok()?;
        self.by_object.get(place)
    }

    /// With this pin in place of the person's earlier one.
    #[must_use]
    pub fn with(&self, pin: Pin) -> Self {
        self.iter().cloned().chain([pin]).collect()
    }

    /// Without a person's pin.
    #[must_use]
    pub fn without(&self, object: Ordinal) -> Self {
        self.iter().filter(|pin| pin.object != object).cloned().collect()
    }

    /// Without those that have ended, and these.
    #[must_use]
    pub fn expire(&self, now: Timestamp) -> (Self, Vec<Pin>) {
        let (ended, kept): (Vec<Pin>, Vec<Pin>) = self.iter().cloned().partition(|pin| pin.ended(now));
        (kept.into_iter().collect(), ended)
    }

    /// The next instant at which a pin ends.
    #[must_use]
    pub fn next_change(&self) -> Option<Timestamp> {
        self.iter().filter_map(|pin| pin.until).min()
    }

    /// Remembers what the list itself says about each person. Use it whenever the list changed.
    #[must_use]
    pub fn observe(&self, list: &Entries) -> Self {
        if self.iter().all(|pin| pin.listed == list.objects.contains(pin.object.0)) {
            return self.clone();
        }
        let observed = self.iter().cloned().map(|mut pin| {
            pin.listed = list.objects.contains(pin.object.0);
            pin
        });
        observed.collect()
    }

    fn objects(&self, is_meant: impl Fn(&Pin) -> bool) -> RoaringBitmap {
        let those = self.iter().filter(|pin| is_meant(pin));
        those.map(|pin| pin.object.0).collect()
    }

    /// Who is in the list: (what it says ∪ included) − excluded. Shares the list where no pin changes it.
    #[must_use]
    pub fn apply(&self, list: &Entries) -> Entries {
        Entries {
            objects: list.objects.with(
                &self.objects(|pin| pin.action == PinAction::Include),
                &self.objects(|pin| pin.action == PinAction::Exclude),
            ),
            ..list.clone()
        }
    }

    /// What the list says itself, from the pinned one: the way back from [`Pins::apply`].
    #[must_use]
    pub fn restore(&self, pinned: &Entries) -> Entries {
        Entries {
            objects: pinned
                .objects
                .with(&self.objects(|pin| pin.listed), &self.objects(|pin| !pin.listed)),
            ..pinned.clone()
        }
    }
}

/// Who looks at a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Viewer {
    /// An operator or owner: sees everything.
    Trusted,
    /// A person.
    Person(Ordinal),
}

/// The pins that a viewer may see: an excluded person does not see that pin.
pub fn visible_to(pins: &Pins, viewer: Viewer) -> impl Iterator<Item = &Pin> {
    pins.iter().filter(move |pin| match (viewer, pin.action) {
        (Viewer::Trusted, _) | (Viewer::Person(_), PinAction::Include) => true,
        (Viewer::Person(person), PinAction::Exclude) => pin.object != person,
    })
}

/// The list as a viewer may see it: an excluded person whom the list itself has sees it with itself in it.
#[must_use]
pub fn entries_seen_by(list: &Entries, pins: &Pins, viewer: Viewer) -> Entries {
    let Viewer::Person(person) = viewer else {
        return list.clone();
    };
    match pins.of(person) {
        Some(pin) if pin.action == PinAction::Exclude && pin.listed => Entries {
            objects: list
                .objects
                .with(&RoaringBitmap::from([person.0]), &RoaringBitmap::new()),
            ..list.clone()
        },
        Some(_) | None => list.clone(),
    }
}

/// A version as a viewer may see it: without the person's own exclusion and its end. None: nothing is left of it.
#[must_use]
pub fn difference_seen_by(difference: &Difference, viewer: Viewer) -> Option<Difference> {
    let Viewer::Person(person) = viewer else {
        return Some(difference.clone());
    };
    let secret = |cause: &EntryCause| match cause {
        EntryCause::Pinned { action, .. } => *action == PinAction::Exclude,
        EntryCause::Unpinned { .. } | EntryCause::PinEnded => true,
        EntryCause::Attribute { .. }
        | EntryCause::Moved { .. }
        | EntryCause::Appeared { .. }
        | EntryCause::Gone { .. }
        | EntryCause::Settings
        | EntryCause::Rule
        | EntryCause::Listed
        | EntryCause::Reference { .. }
        | EntryCause::Membership { .. }
        | EntryCause::Clock
        | EntryCause::Guarded
        | EntryCause::Released
        | EntryCause::Accepted { .. }
        | EntryCause::Decided { .. }
        | EntryCause::Repaired => false,
    };
    if !difference.causes_of(person).any(secret) {
        return Some(difference.clone());
    }
    let mut shown = difference.clone();
    let forget = |change: &mut EntriesChange| {
        change.added.remove(person.0);
        change.removed.remove(person.0);
    };
    forget(&mut shown.entries);
    match &mut shown.subscribers {
        Some(SubscribersChange::Started(change) | SubscribersChange::Changed(change)) => forget(change),
        Some(SubscribersChange::Ended(change)) => forget(change),
        None => {}
    }
    for detail in &mut shown.details {
        detail.added.remove(person.0);
        detail.removed.remove(person.0);
    }
    shown
        .details
        .retain(|detail| !detail.added.is_empty() || !detail.removed.is_empty());
    (!shown.entries.is_empty() || shown.subscribers.is_some()).then_some(shown)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn time(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a test time")
    }

    fn pin(object: u32, action: PinAction, until: Option<i64>) -> Pin {
        Pin {
            object: Ordinal(object),
            action,
            reason: "holiday cover".into(),
            by: "eva".into(),
            since: time(0),
            until: until.map(time),
            listed: false,
        }
    }

    fn list(objects: &[u32]) -> Entries {
        Entries::new(objects.iter().copied().collect(), Vec::new(), vec!["nobody".into()])
    }

    fn numbers(entries: &Entries) -> Vec<u32> {
        entries.objects.iter().collect()
    }

    #[test]
    fn pins_beat_the_list_until_they_end() {
        let pins: Pins = [
            pin(7, PinAction::Include, Some(100)),
            pin(2, PinAction::Exclude, None),
            pin(3, PinAction::Exclude, Some(50)),
            pin(3, PinAction::Include, Some(60)), // replaces the one before
        ]
        .into_iter()
        .collect();
        let pins = pins.observe(&list(&[1, 2]));
        assert_eq!(numbers(&pins.apply(&list(&[1, 2]))), [1, 3, 7]);
        assert_eq!(pins.next_change(), Some(time(60)));
        let (rest, ended) = pins.expire(time(59));
        assert!(ended.is_empty());
        assert_eq!(rest, pins);
        let (rest, ended) = pins.expire(time(60));
        assert_eq!(ended.iter().map(|pin| pin.object.0).collect::<Vec<_>>(), [3]);
        let (rest, _) = rest.expire(time(100));
        assert_eq!(numbers(&rest.apply(&list(&[1, 2]))), [1]);
        assert_eq!(rest.next_change(), None);
        assert_eq!(numbers(&rest.without(Ordinal(2)).apply(&list(&[1, 2]))), [1, 2]);
    }

    #[test]
    fn an_excluded_person_does_not_see_it() {
        let pins: Pins = [pin(2, PinAction::Exclude, None), pin(5, PinAction::Include, None)]
            .into_iter()
            .collect();
        let pins = pins.observe(&list(&[1, 2]));
        let pinned = pins.apply(&list(&[1, 2]));
        let seen = |viewer| {
            (
                visible_to(&pins, viewer).map(|pin| pin.object.0).collect::<Vec<_>>(),
                numbers(&entries_seen_by(&pinned, &pins, viewer)),
            )
        };
        assert_eq!(seen(Viewer::Trusted), (vec![2, 5], vec![1, 5]));
        assert_eq!(seen(Viewer::Person(Ordinal(1))), (vec![2, 5], vec![1, 5]));
        assert_eq!(seen(Viewer::Person(Ordinal(2))), (vec![5], vec![1, 2, 5]));
    }

    proptest! {
        #[test]
        fn the_list_itself_can_be_told_from_the_pinned_one(
            objects in prop::collection::btree_set(0..30_u32, 0..20),
            pinned in prop::collection::vec((0..30_u32, any::<bool>()), 0..8),
        ) {
            let objects: Vec<u32> = objects.into_iter().collect();
            let action = |include| if include { PinAction::Include } else { PinAction::Exclude };
            let pins: Pins = pinned.iter().map(|(object, include)| pin(*object, action(*include), None)).collect();
            let pins = pins.observe(&list(&objects));
            let applied = pins.apply(&list(&objects));
            for pin in pins.iter() {
                prop_assert_eq!(applied.objects.contains(pin.object.0), pin.action == PinAction::Include);
            }
            prop_assert_eq!(pins.restore(&applied), list(&objects));
        }
    }
}
