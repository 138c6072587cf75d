use proptest::prelude::*;

use super::*;
use crate::directory::testing::{CountingOrdinals, ObjectBuilder, contact, dynamic_group, group, person};
use crate::directory::{ChangeSet, ObjectId};
use crate::rolls::affected::touched;
use crate::rolls::build;

/// What may be changed: an object of a small world, in one of its shapes, or its removal.
#[derive(Debug, Clone)]
struct Edit {
    number: usize,
    shape: usize,
    removed: bool,
}

const NAMES: [&str; 5] = ["lena", "jonas", "team", "both", "guid-3"];

/// Objects whose names collide on purpose: an address, alias, id and X500 address of one are those of another.
fn object(number: usize, shape: usize) -> ObjectBuilder {
    let name = NAMES[shape % NAMES.len()];
    let id = format!("guid-{number}");
    let builder = match number {
        0 | 1 => person(&format!("p{number}@contoso.example")),
        2 => contact("c@contoso.example", "c@outside.example"),
        3 => group("g@contoso.example").members(&["lena@contoso.example", "X500:/o=x/cn=both", "guid-1"]),
        4 => group("h@contoso.example").members(&["lena", "jonas@contoso.example", "both", "x@outside.example"]),
        5 => group("i@contoso.example").members(&["guid-3", "g@contoso.example", "guid-5", "CN=lena,DC=x"]),
        _ => dynamic_group("d@contoso.example", "Alias -eq 'lena'"),
    };
    let builder = builder.id(&id).alias(Some(name));
    let builder = match shape % 4 {
        0 => builder,
        1 => builder.proxy(&format!("smtp:{name}@contoso.example")),
        2 => builder.proxy(&format!("X500:/o=x/cn={name}")),
        _ => builder.dn(&format!("CN={name},DC=x")),
    };
    if shape % 7 == 3 {
        builder.proxy("smtp:x@outside.example")
    } else {
        builder
    }
}

fn step(view: &View, edits: &[Edit], ordinals: &mut CountingOrdinals) -> (View, Update) {
    let mut changes = ChangeSet::default();
    for edit in edits {
        let built = object(edit.number, edit.shape).build();
        if edit.removed {
            changes.removals.push(built.id);
        } else if changes.upserts.iter().all(|other| other.id != built.id) {
            changes.upserts.push(built);
        }
    }
    let mut ids: Vec<ObjectId> = changes.upserts.iter().map(|object| object.id.clone()).collect();
    ids.extend(changes.removals.iter().cloned());
    let number = view.directory.number() + 1;
    let (after, _) = view.directory.apply(changes, ordinals, number, Timestamp::UNIX_EPOCH);
    let touched = touched(&ids, &view.directory, &after);
    let update = followed(view, &after, &touched, &RollDefaults::default(), Timestamp::UNIX_EPOCH);
    (View::new(after, update.rolls.clone()), update)
}

fn followed(
    view: &View,
    after: &Directory,
    touched: &RoaringBitmap,
    defaults: &RollDefaults,
    now: Timestamp,
) -> Update {
    let watch = Watch::of(&view.directory, EvaluationOptions::default());
    let work = PlanOptions::alone(now);
    follow(view, after, touched, &watch, &Following { defaults, work })
}

fn full_rebuild(directory: &Directory) -> Vec<(Ordinal, super::super::Built)> {
    let options = EvaluationOptions::default();
    let groups = directory.groups().map(|(group, _)| group);
    groups
        .map(|group| {
            (
                group,
                build(directory, group, &options, Timestamp::UNIX_EPOCH).expect("valid rules"),
            )
        })
        .collect()
}

fn edit() -> impl Strategy<Value = Edit> {
    (0..7_usize, 0..28_usize, prop::bool::weighted(0.2)).prop_map(|(number, shape, removed)| Edit {
        number,
        shape,
        removed,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn following_changes_equals_a_full_rebuild(steps in prop::collection::vec(prop::collection::vec(edit(), 1..4), 1..12)) {
        let mut ordinals = CountingOrdinals::default();
        let mut view = View::empty();
        for edits in &steps {
            let (next, _) = step(&view, edits, &mut ordinals);
            view = next;
            let expected = full_rebuild(&view.directory);
            prop_assert_eq!(view.rolls.len(), expected.len());
            for (group, built) in expected {
                let roll = view.roll(group).expect("every live group has a roll");
                prop_assert_eq!(&roll.entries, &built.entries);
                prop_assert_eq!(roll.provenance.filter_hash, built.filter_hash);
            }
        }
    }
}

#[test]
fn a_rule_that_fails_keeps_the_last_good_version_and_is_reported() {
    let mut ordinals = CountingOrdinals::default();

    let defaults = RollDefaults::default();
    let lena = person("lena@contoso.example").office("Berlin").build();
    let good = dynamic_group("d@contoso.example", "Office -eq 'Berlin'").build();
    let bad = dynamic_group("d@contoso.example", "Office -eq").build();
    let mut apply = |view: &View, upserts: Vec<crate::directory::RecipientObject>| {
        let ids: Vec<ObjectId> = upserts.iter().map(|object| object.id.clone()).collect();
        let changes = ChangeSet {
            upserts,
            removals: Vec::new(),
        };
        let after = view.directory.apply(changes, &mut ordinals, 1, Timestamp::UNIX_EPOCH).0;
        let touched = touched(&ids, &view.directory, &after);
        let update = followed(view, &after, &touched, &defaults, Timestamp::UNIX_EPOCH);
        (View::new(after, update.rolls.clone()), update)
    };
    let (first, update) = apply(&View::empty(), vec![lena, good]);
    assert_eq!((update.changed.len(), update.failed.len()), (1, 0));
    let (second, update) = apply(&first, vec![bad]);
    assert_eq!((update.changed.len(), update.failed.len()), (0, 1));
    assert_eq!(second.roll(Ordinal(1)).map(|roll| roll.entries.len()), Some(1));
    assert!(
        second
            .rolls
            .entry(Ordinal(1))
            .is_some_and(|entry| entry.attempt.is_some())
    );
}

#[test]
fn the_clock_asks_for_what_is_due_and_a_group_with_an_interval_waits_for_it() {
    use std::time::Duration;

    use crate::directory::group::RefreshMode;

    let mut ordinals = CountingOrdinals::default();
    let options = EvaluationOptions::default();
    let defaults = RollDefaults::default();
    let at = |hours: i64| Timestamp::from_second(hours * 3_600).expect("a test time");
    let slow = dynamic_group("slow@contoso.example", "Office -eq 'Berlin'")
        .with_group(|group| group.refresh = Some(RefreshMode::Interval(Duration::from_secs(6 * 3_600))));
    let fast = dynamic_group("fast@contoso.example", "Office -eq 'Berlin'");
    let mut apply = |view: &View, builders: Vec<ObjectBuilder>, now| {
        let upserts: Vec<_> = builders.into_iter().map(ObjectBuilder::build).collect();
        let ids: Vec<ObjectId> = upserts.iter().map(|object| object.id.clone()).collect();
        let changes = ChangeSet {
            upserts,
            removals: Vec::new(),
        };
        let after = view.directory.apply(changes, &mut ordinals, 1, now).0;
        let touched = touched(&ids, &view.directory, &after);
        let update = followed(view, &after, &touched, &defaults, now);
        View::new(after, update.rolls)
    };
    let view = apply(&View::empty(), vec![slow, fast], at(0));
    assert_eq!(due(&view, &defaults, at(1)), []);
    let view = apply(&view, vec![person("lena@contoso.example").office("Berlin")], at(1));
    let sizes = |view: &View| [0, 1].map(|group| view.roll(Ordinal(group)).map(|roll| roll.entries.len()));
    assert_eq!(sizes(&view), [Some(0), Some(1)]);
    assert_eq!(due(&view, &defaults, at(6)), [Ordinal(0)]);
    let update = again(&view, due(&view, &defaults, at(6)), &options, Cause::Scheduled, at(6));
    assert_eq!(update.changed.len(), 1);
    let view = View::new((*view.directory).clone(), update.rolls);
    assert_eq!(sizes(&view), [Some(1), Some(1)]);
    // A day later both are due; nothing changed, so both are confirmed.
    let update = again(&view, due(&view, &defaults, at(31)), &options, Cause::Scheduled, at(31));
    assert_eq!((update.changed.len(), update.confirmed.len()), (0, 2));
}
