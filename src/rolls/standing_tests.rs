use std::sync::Arc;

use proptest::prelude::*;
use roaring::RoaringBitmap;

use super::*;
use crate::directory::GroupSettings;
use crate::directory::SourceId;
use crate::directory::attribute::Attribute;
use crate::directory::group::GuardSettings;
use crate::rolls::history::PinAction;

const GROUP: Ordinal = Ordinal(1_000_000);

fn time(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a test time")
}

fn office(after: &str) -> EntryCause {
    EntryCause::attribute(Attribute::Office, Some("Berlin"), Some(after), &SourceId::new("svc-hr"))
}

/// A group as a keeper would keep it.
#[derive(Default)]
struct Kept {
    standing: Standing,
    served: Option<Arc<Roll>>,
    computed: Option<Arc<Roll>>,
    history: Vec<Difference>,
    step: Option<HoldStep>,
    limits: GuardLimits,
}

impl Kept {
    fn take(&mut self, settled: Settled) {
        self.standing = settled.standing;
        self.step = Some(settled.hold);
        if let Some(served) = settled.served {
            let replayed = served.difference.apply(self.served.as_deref());
            assert_eq!(replayed.as_ref().map(|roll| &roll.entries), Ok(&served.roll.entries));
            if settled.computed_serves {
                self.computed = Some(Arc::clone(&served.roll));
            }
            self.served = Some(served.roll);
            self.history.push(served.difference);
        }
    }

    fn compute(&mut self, objects: impl IntoIterator<Item = u32>, cause: Cause, second: i64, why: &EntryCause) {
        let entries = Entries::new(objects.into_iter().collect(), Vec::new(), Vec::new());
        let provenance = Provenance {
            generation: 1,
            filter_hash: 7,
            computed_at: time(second),
            confirmed_at: time(second),
            cause,
        };
        let after = Arc::new(Roll {
            group: GROUP,
            version: self.computed.as_ref().map_or(1, |roll| roll.version + 1),
            entries,
            subscribers: None,
            provenance,
        });
        let before = self.computed.clone();
        let mut difference = Difference::between(before.as_deref(), &after, Vec::new());
        let mut details = Details::default();
        details.note_all(why.clone(), &difference.entries.added, &difference.entries.removed);
        difference.details = details.finish();
        self.computed = Some(Arc::clone(&after));
        let settled = self.standing.computed(&Arrival {
            served: self.served.as_ref(),
            before: before.as_ref(),
            after: &after,
            difference: &difference,
            guarding: Guarding::of(cause),
            limits: &self.limits,
            now: time(second),
        });
        self.take(settled);
    }

    fn change(&mut self, objects: impl IntoIterator<Item = u32>, second: i64) {
        self.compute(objects, Cause::DirectoryChanged, second, &office("BER"));
    }

    fn created(objects: impl IntoIterator<Item = u32>) -> Self {
        let mut kept = Self::default();
        kept.compute(
            objects,
            Cause::Created,
            0,
            &EntryCause::Appeared {
                source: SourceId::new("hr"),
            },
        );
        kept
    }

    fn serves(&self) -> Vec<u32> {
        self.served
            .iter()
            .flat_map(|roll| roll.entries.objects.iter())
            .collect()
    }

    fn size(&self) -> u64 {
        self.served.as_ref().map_or(0, |roll| roll.entries.len())
    }

    fn hold(&self) -> &Hold {
        self.standing.hold.as_deref().expect("held")
    }
}

fn decision(reason: &str, second: i64) -> Decision {
    Decision {
        by: "eva".into(),
        reason: reason.into(),
        at: time(second),
    }
}

#[test]
fn a_mass_removal_is_held_with_its_cause_and_accepted() {
    let mut kept = Kept::created(0..418);
    kept.change(402..418, 100);
    assert_eq!((kept.size(), kept.step), (418, Some(HoldStep::Began)));
    assert_eq!(kept.history.len(), 1, "the old version serves on, under its number");
    let hold = kept.hold();
    assert_eq!(
        hold.limit.to_string(),
        "would remove 402 of 418 (96%, limit 20% and 10)"
    );
    let [blame] = hold.blames.list() else {
        panic!("one cause")
    };
    assert_eq!(
        (blame.detail.cause.clone(), blame.detail.removed.len(), blame.first),
        (office("BER"), 402, time(100))
    );
    let (text, proposed) = hold.encode();
    assert_eq!(Hold::decode(&text, &proposed).as_ref(), Ok(hold));

    let computed = kept.computed.clone().expect("computed");
    let accepted = kept
        .standing
        .accept(
            kept.served.as_ref(),
            &computed,
            &decision("office codes", 200),
            time(200),
        )
        .expect("there is a hold");
    kept.take(accepted);
    assert_eq!((kept.size(), kept.step), (16, Some(HoldStep::Ended)));
    let last = kept.history.last().expect("a new version");
    assert_eq!((last.version, last.cause), (2, Cause::Accepted));
    let causes: Vec<String> = last.causes_of(Ordinal(3)).map(ToString::to_string).collect();
    assert_eq!(
        causes,
        [
            "Office changed from \"Berlin\" to \"BER\" (svc-hr)",
            "accepted by eva: office codes"
        ]
    );
    assert!(
        Arc::ptr_eq(
            kept.served.as_ref().expect("serves"),
            kept.computed.as_ref().expect("computed")
        ),
        "one roll again"
    );
    kept.change(402..418, 300);
    assert!(kept.standing.hold.is_none(), "accepted once is accepted");
}

#[test]
fn leavers_who_arrive_one_by_one_are_held_and_the_list_before_the_first_serves_again() {
    let mut kept = Kept::created(0..50);
    for gone in 1..=10_u32 {
        kept.change(gone..50, 60 * i64::from(gone));
        assert!(kept.standing.hold.is_none(), "{gone} of 50 are within the limit");
    }
    kept.change(11..50, 60 * 11);
    assert_eq!((kept.size(), kept.step), (50, Some(HoldStep::Began)));
    let last = kept.history.last().expect("a version");
    assert_eq!((last.cause, last.entries.added.len()), (Cause::Guarded, 10));
    assert_eq!(kept.hold().list_of_version, 1);
    assert_eq!(kept.hold().proposed.entries.removed.len(), 11);
    assert_eq!(kept.hold().blames.list()[0].first, time(60));

    // Rejected: it goes on being computed and the list serves.
    kept.take(
        kept.standing
            .reject(decision("wrong export", 700))
            .expect("there is a hold"),
    );
    kept.change(20..50, 800);
    assert_eq!((kept.size(), kept.step), (50, Some(HoldStep::Changed)));
    assert_eq!(
        kept.hold().rejected.as_ref().map(|decision| &*decision.reason),
        Some("wrong export")
    );
    // Back within the limits it serves by itself, and what is left of it counts.
    kept.change(9..50, 900);
    assert_eq!((kept.size(), kept.step), (41, Some(HoldStep::Ended)));
    assert_eq!(kept.history.last().map(|last| last.cause), Some(Cause::Released));
    kept.change(11..50, 1_000);
    assert_eq!((kept.size(), kept.step), (50, Some(HoldStep::Began)));
}

#[test]
fn what_is_older_than_the_window_does_not_count() {
    let mut kept = Kept::created(0..100);
    kept.change(20..100, 0);
    kept.change(36..100, 3_601);
    assert!(kept.standing.hold.is_none(), "16 of 80 after an hour and a second");
    kept.change(37..100, 3_601 + 3_600);
    assert_eq!(
        (kept.size(), kept.step),
        (80, Some(HoldStep::Began)),
        "17 of 80 within one hour"
    );
}

#[test]
fn a_steady_change_within_the_limits_is_never_held_however_often_it_happens() {
    // Three hundred of two thousand an hour, one by one, until nobody is left who was there at first.
    let mut kept = Kept::created(0..2_000);
    for number in 1..2_000 {
        kept.change(number..2_000 + number, 12 * i64::from(number));
        assert!(kept.standing.hold.is_none(), "change {number}");
    }
    // Twice as fast they are too many within one hour, also among changes that are joined.
    let begun = 12 * 2_000;
    let held = (1..=300).find(|number| {
        kept.change(1_999 + 2 * number..3_999 + 2 * number, begun + 12 * i64::from(*number));
        kept.standing.hold.is_some()
    });
    assert!(held.is_some_and(|number| (90..=110).contains(&number)), "{held:?}");
}

#[test]
fn limits_are_exact() {
    // (of, kept, added, held)
    for (of, gone, added, held) in [
        (100, 20, 0, false),
        (100, 21, 0, true),
        (40, 10, 0, false), // a quarter, but only ten
        (40, 11, 0, true),
        (5, 5, 0, false),
        (100, 0, 100, false),
        (100, 0, 101, true),
        (99, 0, 100, false), // more than as many, but a hundred
        (1_000, 0, 1_000, false),
        (1_000, 0, 1_001, true),
        (1_000, 150, 150, false),
        (1_000, 201, 201, true), // as many, but others
    ] {
        let mut kept = Kept::created(0..of);
        kept.change((gone..of).chain(10_000..10_000 + added), 10);
        assert_eq!(kept.standing.hold.is_some(), held, "-{gone} +{added} of {of}");
    }
}

#[test]
fn an_operators_decision_is_not_held_and_begins_anew() {
    let mut kept = Kept::created(0..100);
    kept.change(15..100, 10);
    kept.compute(50..100, Cause::Decided, 20, &EntryCause::Rule);
    assert_eq!((kept.size(), kept.step), (50, Some(HoldStep::None)));
    kept.change(60..100, 30);
    assert_eq!((kept.size(), kept.step), (40, Some(HoldStep::None)), "10 of 50");
    kept.change(80..100, 40);
    assert_eq!((kept.size(), kept.step), (50, Some(HoldStep::Began)));
    kept.compute(0..3, Cause::Decided, 50, &EntryCause::Rule);
    assert_eq!((kept.size(), kept.step), (3, Some(HoldStep::Ended)), "overtaken");
}

#[test]
fn the_limits_of_a_group_come_before_the_default() {
    let settings = GroupSettings {
        guard: Some(Box::new(GuardSettings {
            shrink_share_percent: Some(5),
            shrink_count: Some(0),
            ..GuardSettings::default()
        })),
        ..GroupSettings::default()
    };
    let limits = GuardLimits::default().of(Some(&settings));
    assert_eq!((limits.shrink_share_percent, limits.shrink_count), (5, 0));
    assert_eq!(limits.growth_count, GuardLimits::default().growth_count);
    let mut kept = Kept::created(0..100);
    kept.limits = limits;
    kept.change(5..100, 10);
    assert!(kept.standing.hold.is_none());
    kept.change(6..100, 20);
    assert!(kept.standing.hold.is_some());
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

#[test]
fn a_pin_makes_a_version_and_its_end_another() {
    let mut kept = Kept::created(0..4);
    let pinned = kept.standing.pin(
        kept.served.as_ref(),
        kept.computed.as_ref(),
        pin(9, PinAction::Include, Some(100)),
        time(5),
    );
    assert!(pinned.pins_changed);
    kept.take(pinned);
    let pinned = kept.standing.pin(
        kept.served.as_ref(),
        kept.computed.as_ref(),
        pin(2, PinAction::Exclude, None),
        time(6),
    );
    kept.take(pinned);
    assert_eq!(kept.serves(), [0, 1, 3, 9]);
    // The list goes on changing under the pins; a change of a pinned person makes no version but is remembered.
    kept.change(0..5, 10);
    assert_eq!(kept.serves(), [0, 1, 3, 4, 9]);
    let versions = kept.history.len();
    kept.change([0, 1, 3, 4], 11);
    assert_eq!(kept.history.len(), versions);
    let served = kept.served.clone().expect("serves");
    let computed = kept.standing.computed_of(&served).expect("fits");
    assert_eq!(
        Some(&computed.entries),
        kept.computed.as_ref().map(|roll| &roll.entries)
    );

    kept.take(
        kept.standing
            .expire(kept.served.as_ref(), kept.computed.as_ref(), time(100)),
    );
    assert_eq!(kept.serves(), [0, 1, 3, 4]);
    let last = kept.history.last().expect("a version");
    assert_eq!((last.cause, last.at), (Cause::Pinned, time(100)));
    assert_eq!(
        last.cause_of(Ordinal(9)).and_then(|(_, cause)| cause.cloned()),
        Some(EntryCause::PinEnded)
    );
    let unpinned = kept.standing.unpin(
        kept.served.as_ref(),
        kept.computed.as_ref(),
        Ordinal(2),
        "jan",
        time(110),
    );
    assert!(unpinned.standing.pins.is_empty() && unpinned.served.is_none());
}

#[test]
fn a_group_can_be_pinned_before_it_has_a_list() {
    let mut kept = Kept::default();
    kept.take(kept.standing.pin(None, None, pin(9, PinAction::Include, None), time(0)));
    kept.compute(0..2, Cause::Created, 1, &EntryCause::Listed);
    assert_eq!(kept.serves(), [0, 1, 9]);
}

#[derive(Debug, Clone)]
enum Event {
    Leave(Vec<u32>),
    Join(Vec<u32>),
    Pin(u32, bool),
    Unpin(u32),
    Accept,
    Wait(i64),
}

fn event() -> impl Strategy<Value = Event> {
    let people = || prop::collection::vec(0..120_u32, 1..12);
    prop_oneof![
        5 => people().prop_map(Event::Leave),
        4 => people().prop_map(Event::Join),
        1 => (0..120_u32, any::<bool>()).prop_map(|(object, include)| Event::Pin(object, include)),
        1 => (0..120_u32).prop_map(Event::Unpin),
        1 => Just(Event::Accept),
        3 => (0..2_000_i64).prop_map(Event::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever serves, in no hour did it lose or gain more than the limits against any version that served in
    /// that hour, unless an operator accepted it (or pinned it).
    #[test]
    fn no_sequence_of_small_changes_gets_past_the_limits(events in prop::collection::vec(event(), 1..60)) {
        let mut kept = Kept::created(0..100);
        let limits = kept.limits;
        let mut list: std::collections::BTreeSet<u32> = (0..100).collect();
        let mut now = 0;
        // Lists that served, pins aside, since the last decision of an operator.
        let mut served: Vec<(i64, RoaringBitmap)> = vec![(0, (0..100).collect())];
        for event in events {
            match event {
                Event::Leave(people) => people.iter().for_each(|one| { list.remove(one); }),
                Event::Join(people) => list.extend(people),
                Event::Pin(object, include) => {
                    let action = if include { PinAction::Include } else { PinAction::Exclude };
                    let pin = pin(object, action, None);
                    kept.take(kept.standing.pin(kept.served.as_ref(), kept.computed.as_ref(), pin, time(now)));
                }
                Event::Unpin(object) => {
                    kept.take(kept.standing.unpin(
                        kept.served.as_ref(),
                        kept.computed.as_ref(),
                        Ordinal(object),
                        "eva",
                        time(now),
                    ));
                }
                Event::Accept => {
                    let computed = kept.computed.clone().expect("computed");
                    let accepted = kept.standing.accept(kept.served.as_ref(), &computed, &decision("", now), time(now));
                    if let Ok(accepted) = accepted {
                        kept.take(accepted);
                        served.clear();
                    }
                }
                Event::Wait(seconds) => now += seconds,
            }
            let target: RoaringBitmap = list.iter().copied().collect();
            if kept.computed.as_ref().is_some_and(|roll| roll.entries.objects.to_set() != target) {
                kept.change(list.iter().copied(), now);
            }
            let roll = kept.served.as_ref().expect("serves");
            let serves = kept.standing.pins.restore(&roll.entries).objects.to_set();
            let computed = kept.standing.computed_of(roll).expect("fits");
            prop_assert_eq!(computed.entries.objects.to_set(), target.clone(), "the computed list can be told from the one that serves");
            if kept.standing.hold.is_none() {
                prop_assert_eq!(&serves, &target);
            }
            if kept.step.take() == Some(HoldStep::Began)
                && let Some(last) = served.iter().position(|(_, list)| *list == serves)
            {
                // The guard itself took back what came after this list.
                served.truncate(last + 1);
            }
            let recent = served.iter().enumerate().filter(|(index, _)| {
                let until = served.get(index + 1).map_or(now, |(at, _)| *at);
                now - until <= 3_600
            });
            let recent: Vec<&RoaringBitmap> = recent.map(|(_, (_, list))| list).collect();
            let largest = recent.iter().map(|list| list.len()).max().unwrap_or(0);
            for before in recent {
                let lost = (before - &serves).len();
                prop_assert!(lost <= 10 || lost * 100 <= largest * 20, "{} of {} lost within an hour", lost, largest);
                let grown = (&serves - before).len();
                prop_assert!(
                    grown <= u64::from(limits.growth_count) || grown * 100 <= before.len() * 100,
                    "{} grown from {} within an hour", grown, before.len()
                );
            }
            served.push((now, serves));
        }
        let mut replayed: Option<Roll> = None;
        for difference in &kept.history {
            replayed = Some(difference.apply(replayed.as_ref()).expect("the history has no gap"));
        }
        prop_assert_eq!(replayed.map(|roll| roll.entries), kept.served.as_ref().map(|roll| roll.entries.clone()));
    }
}
