//! One log, one view, one cause at a time.

use std::collections::HashMap;

use super::*;
use crate::directory::attribute::Attribute;
use crate::directory::testing::{ObjectBuilder, directory, dynamic_group, group, person};
use crate::directory::{Directory, SourceId};
use crate::rolls::history::{Detail, Difference, EntryCause};
use crate::rolls::roll::{Cause as RollCause, Entries, Provenance, Roll};
use crate::rolls::{RollTable, build};

/// What a test's keeper remembers.
#[derive(Default)]
struct Memory {
    differences: HashMap<u32, Vec<Difference>>,
    values: HashMap<u32, Vec<AttributeChange>>,
}

impl Pasts for Memory {
    fn differences(&self, group: Ordinal) -> Vec<Difference> {
        self.differences.get(&group.0).cloned().unwrap_or_default()
    }

    fn attribute_changes(&self, object: Ordinal) -> Vec<AttributeChange> {
        self.values.get(&object.0).cloned().unwrap_or_default()
    }
}

fn at(day: i8) -> Timestamp {
    format!("2026-11-{day:02}T12:00:00Z").parse().expect("a day")
}

fn roll(group: u32, version: u64, members: &[u32], time: Timestamp) -> Roll {
    Roll {
        group: Ordinal(group),
        version,
        entries: Entries::new(members.iter().copied().collect(), Vec::new(), Vec::new()),
        subscribers: None,
        provenance: Provenance {
            generation: version,
            filter_hash: 1,
            computed_at: time,
            confirmed_at: time,
            cause: RollCause::DirectoryChanged,
        },
    }
}

/// A view whose rolls are computed as the directory is now, on the first day.
fn view(objects: impl IntoIterator<Item = ObjectBuilder>) -> View {
    let directory = directory(objects);
    let options = EvaluationOptions::default();
    let rolls: Vec<Roll> = directory
        .groups()
        .map(|(group, _)| {
            let built = build(&directory, group, &options, at(1)).expect("a list");
            build::succeed(group, None, built, 1, at(1), RollCause::Created)
        })
        .collect();
    View::new(directory, RollTable::default().with_rolls(rolls))
}

/// The view with another list for a group.
fn with_roll(view: View, roll: Roll) -> View {
    let directory: Directory = (*view.directory).clone();
    let rolls = view.rolls.with_rolls([roll]);
    View::new(directory, rolls)
}

/// A log: group, day, people.
fn log(expansions: &[(&str, i8, &[&str])]) -> Observed {
    let mut observed = Observed::default();
    let id = |observed: &mut Observed, text: &str| {
        let known = observed.addresses.iter().position(|each| **each == *text);
        let place = known.unwrap_or_else(|| {
            observed.addresses.push(text.into());
            observed.addresses.len() - 1
        });
        AddressId(u32::try_from(place).expect("few"))
    };
    for (number, (group, day, people)) in expansions.iter().enumerate() {
        let group = id(&mut observed, group);
        let mut reached: Vec<AddressId> = people.iter().map(|address| id(&mut observed, address)).collect();
        reached.sort_unstable();
        observed.expansions.push(ObservedExpansion {
            group,
            at: at(*day),
            message: format!("<{number}@contoso.example>").into(),
            reached: reached.into(),
        });
    }
    observed
}

fn options() -> CompareOptions {
    CompareOptions {
        evaluation: EvaluationOptions::default(),
        left_out: LeftOut::default(),
        now: at(20),
    }
}

fn only(observed: &Observed, view: &View, memory: &Memory) -> GroupComparison {
    let mut all = compare(observed, view, memory, &options());
    assert_eq!(all.len(), 1, "{all:?}");
    all.pop().expect("one group")
}

const ALL: &str = "all@contoso.example";
const LENA: &str = "lena@contoso.example";
const ANNA: &str = "anna@contoso.example";

fn team() -> Vec<ObjectBuilder> {
    vec![
        group(ALL).members(&[LENA, "guest@outside.example"]),
        person(LENA).proxy("smtp:l.berg@contoso.example"),
        person(ANNA),
    ]
}

#[test]
fn the_same_people_by_any_address() {
    let view = view(team());
    let observed = log(&[
        (ALL, 5, &[LENA, "guest@outside.example"]),
        (ALL, 6, &["l.berg@contoso.example", "guest@outside.example"]),
        ("other@fabrikam.example", 6, &["x@fabrikam.example"]),
    ]);
    let found = compare(&observed, &view, &Memory::default(), &options());
    assert_eq!((found[0].group.as_str(), found[0].messages, found[0].same), (ALL, 2, 2));
    assert!(found[0].agrees());
    assert!(!found[1].agrees() && found[1].id.is_none(), "a group nobody knows here");
}

#[test]
fn a_difference_without_a_record_is_unexplained() {
    let view = view(team());
    let found = only(&log(&[(ALL, 5, &[LENA, ANNA])]), &view, &Memory::default());
    assert_eq!((found.same, found.unexplained()), (0, 2));
    assert_eq!(found.only_other[0].address, ANNA);
    assert_eq!(found.only_other[0].cause, Cause::Unexplained { history: true });
    assert_eq!(found.only_here[0].address, "guest@outside.example");
    let early = view_of_later_list();
    let found = only(&log(&[(ALL, 1, &[LENA, ANNA])]), &early, &Memory::default());
    assert_eq!(found.by_later_list, 1);
    assert_eq!(found.only_other[0].cause, Cause::Unexplained { history: false });
}

/// Lists that were computed on the tenth, nothing kept from before.
fn view_of_later_list() -> View {
    with_roll(view(team()), roll(0, 3, &[1], at(10)))
}

#[test]
fn the_list_of_the_time_is_compared_and_its_change_is_the_cause() {
    // Anna came on the tenth, when her department lost its blank.
    let (first, second) = (roll(0, 1, &[1], at(1)), roll(0, 2, &[1, 2], at(10)));
    let cause = EntryCause::attribute(
        Attribute::Department,
        Some("Sales "),
        Some("Sales"),
        &SourceId::new("hr"),
    );
    let detail = Detail {
        cause: cause.clone(),
        added: [2].into_iter().collect(),
        removed: RoaringBitmap::new(),
    };
    let mut memory = Memory::default();
    let created = Difference::between(None, &first, Vec::new());
    let changed = Difference::between(Some(&first), &second, vec![detail]);
    memory.differences.insert(0, vec![changed, created]);
    let view = with_roll(view(team()), second);
    let observed = log(&[(ALL, 5, &[LENA, ANNA]), (ALL, 12, &[LENA, ANNA]), (ALL, 13, &[LENA])]);
    let found = only(&observed, &view, &memory);
    assert_eq!((found.messages, found.same, found.by_later_list), (3, 1, 0));
    let joined = |at| Cause::ListChanged {
        group: ALL.to_owned(),
        at,
        change: ListChange::Joined,
        why: Some(cause.clone()),
    };
    assert_eq!(found.only_other.len(), 1);
    assert_eq!((found.only_other[0].messages, found.only_other[0].last), (1, at(5)));
    assert_eq!(found.only_other[0].cause, joined(at(10)));
    assert_eq!(
        found.only_here[0].cause,
        joined(at(10)),
        "Exchange had not seen her three days later"
    );
    assert_eq!(found.unexplained(), 0);
}

#[test]
fn before_the_first_list_the_oldest_one_is_compared_and_its_beginning_is_no_cause() {
    let (first, second) = (roll(0, 1, &[1, 2], at(10)), roll(0, 2, &[1], at(11)));
    let mut memory = Memory::default();
    let created = Difference::between(None, &first, Vec::new());
    let changed = Difference::between(Some(&first), &second, Vec::new());
    memory.differences.insert(0, vec![changed.clone(), created]);
    let view = with_roll(view(team()), second);
    let found = only(&log(&[(ALL, 2, &[LENA, ANNA])]), &view, &memory);
    assert_eq!((found.same, found.by_later_list), (1, 1), "{found:?}");
    let found = only(&log(&[(ALL, 2, &[LENA])]), &view, &memory);
    assert!(matches!(
        &found.only_here[0].cause,
        Cause::ListChanged {
            change: ListChange::Left,
            why: None,
            ..
        }
    ));
    // What is older than the retention is gone, the version it made is not.
    memory.differences.insert(0, vec![changed]);
    let found = only(&log(&[(ALL, 2, &[LENA, ANNA])]), &view, &memory);
    assert_eq!((found.same, found.by_later_list), (1, 1), "{found:?}");
}

#[test]
fn a_value_that_changed_since_explains_a_later_list() {
    let objects = vec![
        dynamic_group(ALL, "Department -eq 'Sales'"),
        person(LENA).department("Sales"),
        person(ANNA),
    ];
    let view = with_roll(view(objects), roll(0, 4, &[1], at(10)));
    let mut memory = Memory::default();
    let change = |day, attribute, before: &str| AttributeChange {
        attribute,
        at: at(day),
        before: Some(before.into()),
        after: None,
        source: SourceId::new("hr"),
    };
    let changes = vec![
        change(9, Attribute::Department, "Sales"),
        change(8, Attribute::Office, "Berlin"),
    ];
    memory.values.insert(2, changes);
    let found = only(&log(&[(ALL, 5, &[LENA, ANNA])]), &view, &memory);
    assert_eq!(
        found.only_other[0].cause,
        Cause::ValueChanged {
            attribute: "Department".to_owned(),
            before: Some("Sales".to_owned()),
            after: None,
            at: at(9),
            source: "hr".to_owned()
        }
    );
}

#[test]
fn a_blank_at_the_end_is_named() {
    let view = view([
        dynamic_group(ALL, "Department -eq 'Sales'"),
        person(LENA).department("Sales"),
        person(ANNA).department("Sales "),
    ]);
    let found = only(&log(&[(ALL, 5, &[LENA, ANNA])]), &view, &Memory::default());
    assert_eq!(
        found.only_other[0].cause,
        Cause::Spelling {
            attribute: "Department".to_owned(),
            stored: "Sales ".to_owned(),
            wanted: "Sales".to_owned(),
            difference: "blank at the end".to_owned()
        }
    );
}

#[test]
fn strangers_disabled_accounts_and_suspects_have_their_causes() {
    let mut objects = team();
    objects[0] = group(ALL).members(&[LENA, ANNA]);
    let view = view(objects);
    let observed = log(&[(ALL, 5, &[LENA, ANNA, "old@contoso.example"])]);
    let mut options = options();
    options.left_out.disabled.insert(1);
    options.left_out.suspects.insert(2);
    let found = compare(&observed, &view, &Memory::default(), &options).remove(0);
    let causes: Vec<(&str, &Cause)> = found
        .only_other
        .iter()
        .map(|person| (person.address.as_str(), &person.cause))
        .collect();
    assert_eq!(
        causes,
        [
            (ANNA, &Cause::Suspect),
            (LENA, &Cause::Disabled),
            ("old@contoso.example", &Cause::NotInDirectory)
        ]
    );
}

#[test]
fn nested_groups_are_followed_and_one_left_unexpanded_is_named() {
    let view = view([
        group(ALL).members(&["inner@contoso.example", LENA]),
        person(LENA),
        group("inner@contoso.example").members(&[ANNA]),
        person(ANNA),
    ]);
    let found = only(&log(&[(ALL, 5, &[LENA, ANNA])]), &view, &Memory::default());
    assert!(found.agrees(), "{found:?}");
    let found = only(
        &log(&[(ALL, 5, &[LENA, "inner@contoso.example"])]),
        &view,
        &Memory::default(),
    );
    assert_eq!(found.only_other, []);
    assert_eq!(
        found.only_here[0].cause,
        Cause::NotExpanded {
            group: "inner@contoso.example".to_owned()
        }
    );
}

#[test]
fn a_target_address_is_the_contact() {
    let view = view([
        group(ALL).members(&["kim@contoso.example"]),
        crate::directory::testing::contact("kim@contoso.example", "kim@partner.example"),
    ]);
    let found = only(&log(&[(ALL, 5, &["kim@partner.example"])]), &view, &Memory::default());
    assert!(found.agrees(), "{found:?}");
}
