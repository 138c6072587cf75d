use proptest::prelude::*;

use super::*;
use crate::directory::SourceId;
use crate::directory::attribute::Attribute;

/// One version as a test makes it: objects by number, outside addresses, texts, subscribers.
#[derive(Debug, Clone)]
struct Shape {
    objects: Vec<u32>,
    outside: Vec<usize>,
    texts: Vec<usize>,
    subscribers: Option<Vec<u32>>,
    pause: i64,
}

const OUTSIDE: [&str; 4] = [
    "a@outside.example",
    "A@Outside.example",
    "grüße@bücher.example",
    "b@outside.example",
];
const TEXTS: [&str; 3] = ["CN=Gone,DC=contoso", "nobody", "Lena Berg"];

fn shape() -> impl Strategy<Value = Shape> {
    (
        prop_oneof![
            prop::collection::vec(0..200_u32, 0..40),
            (0..3_u32, 100..400_u32).prop_map(|(first, count)| (first..first + count).collect()),
        ],
        prop::collection::vec(0..OUTSIDE.len(), 0..3),
        prop::collection::vec(0..TEXTS.len(), 0..3),
        prop::option::of(prop::collection::vec(0..50_u32, 0..5)),
        0..3_i64,
    )
        .prop_map(|(objects, outside, texts, subscribers, pause)| Shape {
            objects,
            outside,
            texts,
            subscribers,
            pause,
        })
}

fn time(second: i64) -> Timestamp {
    Timestamp::new(second, 7).expect("a test time")
}

fn roll(shape: &Shape, version: u64, second: i64) -> Roll {
    let texts = shape.texts.iter().map(|text| TEXTS[*text].into()).collect();
    let outside = shape.outside.iter().map(|text| OUTSIDE[*text].parse().expect("valid"));
    Roll {
        group: Ordinal(9),
        version,
        entries: Entries::new(shape.objects.iter().copied().collect(), outside.collect(), texts),
        subscribers: shape
            .subscribers
            .as_ref()
            .map(|list| Entries::new(list.iter().copied().collect(), Vec::new(), Vec::new())),
        provenance: Provenance {
            generation: version + 40,
            filter_hash: version * 0x0123_4567_89AB,
            computed_at: time(second),
            confirmed_at: time(second),
            cause: Cause::ALL[version as usize % Cause::ALL.len()],
        },
    }
}

/// A life of a roll: every version and the differences that lead to them.
fn life(shapes: &[Shape]) -> (Vec<Roll>, Vec<Difference>) {
    let mut second = 1_000;
    let mut rolls: Vec<Roll> = Vec::new();
    let mut differences = Vec::new();
    for (index, shape) in shapes.iter().enumerate() {
        second += shape.pause;
        let roll = roll(shape, index as u64 + 1, second);
        differences.push(Difference::between(rolls.last(), &roll, details(&roll)));
        rolls.push(roll);
    }
    (rolls, differences)
}

fn details(roll: &Roll) -> Vec<Detail> {
    let mut details = Details::default();
    let source = SourceId::new("hr");
    let cause = EntryCause::attribute(Attribute::Office, Some("Berlin "), None, &source);
    details.note_all(cause, &roll.entries.objects.to_set(), &RoaringBitmap::new());
    details.finish()
}

proptest! {
    #[test]
    fn replaying_gives_the_rolls_at_every_instant(shapes in prop::collection::vec(shape(), 1..12)) {
        let (rolls, differences) = life(&shapes);
        let mut replayed: Option<Roll> = None;
        for (roll, difference) in rolls.iter().zip(&differences) {
            let stored = decode(&encode(difference)).expect("reads back");
            prop_assert_eq!(&stored, difference);
            let next = stored.apply(replayed.as_ref()).expect("fits");
            prop_assert_eq!(&next, roll);
            if let Some(mut in_place) = replayed.take() {
                prop_assert_eq!(stored.apply_to(&mut in_place), Ok(()));
                prop_assert_eq!(&in_place, roll);
            }
            replayed = Some(next);
        }
        let current = rolls.last().expect("at least one");
        for second in 998..1_040 {
            let expected = rolls.iter().rev().find(|roll| roll.provenance.computed_at <= time(second));
            let answer = at(current, differences.iter().rev(), time(second)).expect("no gap");
            match expected {
                None => prop_assert_eq!(answer, Past::NotYet),
                Some(roll) => prop_assert_eq!(answer, Past::Known(ListAt::from(roll))),
            }
        }
        for roll in &rolls {
            let answer = back_to_version(current, differences.iter().rev(), roll.version);
            prop_assert_eq!(answer, Ok(Past::Known(ListAt::from(roll))));
        }
    }

    #[test]
    fn two_changes_in_one_do_the_same(shapes in prop::collection::vec(shape(), 3)) {
        let rolls: Vec<Roll> = shapes.iter().map(|shape| roll(shape, 1, 0)).collect();
        let first = EntriesChange::between(&rolls[0].entries, &rolls[1].entries);
        let second = EntriesChange::between(&rolls[1].entries, &rolls[2].entries);
        let both = first.then(&second);
        prop_assert_eq!(both.apply(&rolls[0].entries), Some(rolls[2].entries.clone()));
        prop_assert_eq!(both.reversed().apply(&rolls[2].entries), Some(rolls[0].entries.clone()));
    }

    #[test]
    fn arbitrary_octets_are_refused_without_a_panic(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut signed = octets.clone();
        signed.insert(0, 1);
        let sum = crc32fast::hash(&signed);
        signed.extend_from_slice(&sum.to_le_bytes());
        // Whatever reads back is written in a form that reads back the same.
        if let Ok(difference) = decode(&signed) {
            prop_assert_eq!(decode(&encode(&difference)), Ok(difference));
        }
        prop_assert!(decode(&octets).is_err());
    }
}

fn simple(objects: &[u32]) -> Shape {
    Shape {
        objects: objects.to_vec(),
        outside: vec![0],
        texts: vec![1],
        subscribers: None,
        pause: 1,
    }
}

#[test]
fn damage_is_noticed() {
    let (_, differences) = life(&[simple(&[1, 2, 90]), simple(&[2, 3])]);
    let octets = encode(&differences[1]);
    for index in 0..octets.len() {
        let mut damaged = octets.clone();
        damaged[index] ^= 1;
        assert!(decode(&damaged).is_err(), "octet {index}");
        assert!(decode(&octets[..index]).is_err(), "cut at {index}");
    }
}

#[test]
fn pruned_history_says_how_far_back_it_reaches() {
    let (rolls, differences) = life(&[simple(&[1]), simple(&[1, 2]), simple(&[2]), simple(&[2, 3])]);
    let current = &rolls[3];
    let kept = || differences[2..].iter().rev();
    assert_eq!(
        at(current, kept(), differences[2].at),
        Ok(Past::Known(ListAt::from(&rolls[2])))
    );
    let from = Some(differences[2].at);
    assert_eq!(at(current, kept(), differences[1].at), Ok(Past::Unknown { from }));
    let nothing: [&Difference; 0] = [];
    assert_eq!(
        at(current, nothing, differences[1].at),
        Ok(Past::Unknown { from: None })
    );
    assert_eq!(
        at(current, nothing, current.provenance.computed_at),
        Ok(Past::Known(ListAt::from(current)))
    );
}

#[test]
fn a_difference_that_does_not_fit_is_refused() {
    let (rolls, differences) = life(&[simple(&[1]), simple(&[1, 2]), simple(&[2])]);
    let gap = |expected, found| HistoryFault::Gap { expected, found };
    assert_eq!(differences[2].apply(Some(&rolls[0])), Err(gap(1, 2)));
    assert_eq!(differences[1].apply(None), Err(gap(0, 1)));
    let mut other = rolls[1].clone();
    other.entries = rolls[2].entries.clone();
    assert_eq!(differences[2].apply(Some(&other)), Err(HistoryFault::Unfit(2)));
    let across = [&differences[2], &differences[0]];
    assert_eq!(at(&rolls[2], across, time(0)), Err(gap(2, 1)));
}

#[test]
fn the_cause_of_an_entry_is_found() {
    let (_, differences) = life(&[simple(&[1]), simple(&[1, 2]), simple(&[2])]);
    let added = differences[1].cause_of(Ordinal(2)).expect("it came");
    assert_eq!(added.0, Direction::Added);
    assert!(matches!(added.1, Some(EntryCause::Attribute { .. })));
    assert_eq!(differences[1].cause_of(Ordinal(1)), None);
    assert_eq!(
        differences[2].cause_of(Ordinal(1)),
        Some((Direction::Removed, None)),
        "nothing finer than the cause of the version is known"
    );
}

#[test]
fn one_person_costs_little_whatever_the_roll_holds() {
    let everybody: Vec<u32> = (0..100_000).collect();
    let (_, differences) = life(&[simple(&everybody), simple(&everybody[1..])]);
    let mut difference = differences[1].clone();
    difference.details = Vec::new();
    assert!(encode(&difference).len() < 64, "{}", encode(&difference).len());
}
