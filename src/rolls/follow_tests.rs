use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::directory::attribute::Attribute;
use crate::directory::filter::EvaluationOptions;
use crate::directory::filter::membership::DirectMembers;
use crate::directory::filter::plan::PlanOptions;
use crate::directory::group::FilterLanguage;
use crate::directory::kind::RecipientKind;
use crate::directory::testing::{CountingOrdinals, ObjectBuilder, dynamic_group, group, person};
use crate::directory::{ChangeSet, ObjectId, RecipientObject};
use crate::rolls::affected::touched;
use crate::rolls::freshness::RollDefaults;
use crate::rolls::history::Direction;
use crate::rolls::update::{compute, verify};
use crate::rolls::{Roll, Rules};

const PEOPLE: usize = 7;
const GROUPS: usize = 4;
const RULES: usize = 9;

/// Rules in all shapes: found by an equality, by a pattern, by a container, by membership, by nothing.
const FILTERS: [&str; 26] = [
    "Department -eq 'Sales'",
    "Department -eq 'Zürich' -and Company -eq 'Contoso'",
    "Company -eq 'Contoso' -and Office -like 'B*'",
    "Office -like '*on*' -or Department -eq 'Sales'",
    "Department -ne 'Sales'",
    "-not (Office -like 'B*') -and -not (Department -eq 'Sales')",
    "Department -eq $null",
    "Office -ne $null -and Alias -ne $null",
    "MemberOfGroup -eq 'CN=g0,OU=Groups,DC=contoso,DC=example'",
    "MemberOfGroup -eq 'CN=g1,OU=Groups,DC=contoso,DC=example' -and Department -eq 'Sales'",
    "-not (MemberOfGroup -eq 'CN=g0,OU=Groups,DC=contoso,DC=example')",
    "MemberOfGroup -ne $null",
    "MemberOfGroup -eq $null -and Company -eq 'Contoso'",
    "MemberOfGroupRecursive -eq 'CN=g2,OU=Groups,DC=contoso,DC=example'",
    "Manager -eq 'CN=p0,OU=Sales,DC=contoso,DC=example'",
    "Manager -ne 'CN=p1,OU=North,OU=Sales,DC=contoso,DC=example' -and Department -eq 'Sales'",
    "ManagedBy -eq 'CN=p0,OU=Sales,DC=contoso,DC=example'",
    "Manager -ne $null",
    "RecipientTypeDetails -eq 'SharedMailbox' -or RecipientType -eq 'MailUniversalDistributionGroup'",
    "EmailAddresses -like 'smtp:x*'",
    "PrimarySmtpAddress -eq 'p1@contoso.example' -or CountryOrRegion -eq 'Germany'",
    "DistinguishedName -eq 'CN=p2,OU=Sales,DC=contoso,DC=example'",
    "WhenCreated -gt '2026-01-01'",
    "Alias -like '*'",
    "Department -eq 'Sales' -and Department -eq 'Zürich'",
    "Office -eq",
];

/// What only the other languages can say: chains of references, reports, membership by id, the time.
const OTHERS: [(FilterLanguage, &str); 9] = [
    (
        FilterLanguage::Ldap,
        "(manager:1.2.840.113556.1.4.1941:=CN=p0,OU=Sales,DC=contoso,DC=example)",
    ),
    (
        FilterLanguage::Ldap,
        "(&(memberOf:1.2.840.113556.1.4.1941:=CN=g2,OU=Groups,DC=contoso,DC=example)(department=Sales))",
    ),
    (
        FilterLanguage::Ldap,
        "(|(physicalDeliveryOfficeName=*o*n)(department=sales))",
    ),
    (FilterLanguage::Ldap, "(!(managedBy=*))"),
    (FilterLanguage::Entra, "Direct Reports for \"id:p0\""),
    (
        FilterLanguage::Entra,
        "user.memberOf -any (group.objectId -in ['id:o7', 'id:o8'])",
    ),
    (FilterLanguage::Entra, "user.department -in [\"Sales\", \"Zürich\"]"),
    (
        FilterLanguage::Entra,
        "user.physicalDeliveryOfficeName -match \"^B.*n$\"",
    ),
    (
        FilterLanguage::Entra,
        "user.department -notIn [\"Sales\"] -and user.companyName -eq \"Contoso\"",
    ),
];

const CONTAINERS: [Option<&str>; 4] = [
    None,
    Some("OU=Sales,DC=contoso,DC=example"),
    Some("contoso.example/sales/north"),
    Some("OU=Groups,DC=contoso,DC=example"),
];

const MEMBERS: [&str; 12] = [
    "p0@contoso.example",
    "CN=p1,OU=North,OU=Sales,DC=contoso,DC=example",
    "p2",
    "shared@contoso.example",
    "g0@contoso.example",
    "CN=g1,OU=Groups,DC=contoso,DC=example",
    "g2",
    "d0@contoso.example",
    "id:p3",
    "contoso.example/sales/p4",
    "guest@outside.example",
    "X500:/o=x/cn=old",
];

const MANAGERS: [&str; 6] = [
    "CN=p0,OU=Sales,DC=contoso,DC=example",
    "cn=P1,ou=north,ou=sales,dc=contoso,dc=example",
    "p0@contoso.example",
    "p1",
    "shared@contoso.example",
    "id:p0",
];

/// A change of one object; `facts` choose what it looks like afterwards.
#[derive(Debug, Clone)]
struct Edit {
    number: usize,
    facts: Vec<usize>,
    removed: bool,
}

fn edit() -> impl Strategy<Value = Edit> {
    let everything = PEOPLE + GROUPS + RULES;
    (
        0..everything,
        prop::collection::vec(0..1_000_usize, 10),
        prop::bool::weighted(0.12),
    )
        .prop_map(|(number, facts, removed)| Edit { number, facts, removed })
}

fn built(edit: &Edit) -> RecipientObject {
    let pick = |place: usize, count: usize| edit.facts[place] % count;
    let number = edit.number;
    let builder = if number < PEOPLE {
        someone(edit)
    } else if number < PEOPLE + GROUPS {
        let number = number - PEOPLE;
        let members: Vec<&str> = (0..pick(0, 5))
            .map(|place| MEMBERS[pick(place + 1, MEMBERS.len())])
            .collect();
        let dn = format!("CN=g{number},OU=Groups,DC=contoso,DC=example");
        let group = group(&format!("g{number}@contoso.example"))
            .members(&members)
            .owners(&[MANAGERS[pick(6, MANAGERS.len())]]);
        let group = if pick(7, 4) > 0 { group.dn(&dn) } else { group };
        match pick(8, 8) {
            // A static group that becomes a dynamic one, and back.
            0 => group.kind(RecipientKind::DynamicDistributionGroup),
            1 => group.alias(None),
            2 => group.department("Sales"),
            _ => group,
        }
    } else {
        let number = number - PEOPLE - GROUPS;
        let place = pick(0, FILTERS.len() + OTHERS.len());
        let address = format!("d{number}@contoso.example");
        let group = match (FILTERS.get(place), OTHERS.get(place.wrapping_sub(FILTERS.len()))) {
            (Some(filter), _) => dynamic_group(&address, filter),
            (None, Some((language, text))) => dynamic_group(&address, text).language(*language),
            (None, None) => dynamic_group(&address, FILTERS[0]),
        };
        let group = match CONTAINERS[pick(1, 12) % CONTAINERS.len()] {
            Some(container) if pick(2, 2) == 0 => group.container(container),
            Some(_) | None => group,
        };
        match pick(3, 9) {
            0 => group.kind(RecipientKind::MailUniversalDistributionGroup),
            1 => group.with_group(|settings| settings.rule = None),
            2 => group.department("Sales"),
            _ => group,
        }
    };
    let id = match number {
        _ if number < PEOPLE => format!("id:p{number}"),
        _ => format!("id:o{number}"),
    };
    builder.id(&id).build()
}

fn someone(edit: &Edit) -> ObjectBuilder {
    let pick = |place: usize, count: usize| edit.facts[place] % count;
    let number = edit.number;
    let mut person = person(&format!("p{number}@contoso.example"));
    if let Some(department) = [Some("Sales"), Some("sales"), Some("Zürich"), Some("Zurich"), None][pick(0, 5)] {
        person = person.department(department);
    }
    if let Some(office) = [Some("Berlin"), Some("Bonn"), Some("London"), None][pick(1, 4)] {
        person = person.office(office);
    }
    if pick(2, 3) > 0 {
        person = person.company("Contoso");
    }
    if let Some(manager) = MANAGERS.get(pick(3, 9)) {
        person = person.attribute(Attribute::Manager, manager);
    }
    let unit = ["OU=Sales,", "OU=North,OU=Sales,", "OU=Other,"][pick(4, 3)];
    if pick(4, 7) > 0 {
        person = person.dn(&format!("CN=p{number},{unit}DC=contoso,DC=example"));
    }
    person = match pick(5, 9) {
        0 => person.alias(None),
        1 => person.kind(RecipientKind::SharedMailbox),
        2 => person.kind(RecipientKind::ArbitrationMailbox),
        3 => person.disabled(),
        4 => person.name("SystemMailbox{1f05a927}"),
        5 => person.alias(Some("p1")),
        _ => person,
    };
    person = match pick(6, 6) {
        0 => person.proxy("smtp:shared@contoso.example"),
        1 => person.proxy("smtp:xavier@contoso.example"),
        2 => person.proxy("X500:/o=x/cn=old"),
        3 => person.proxy("smtp:guest@outside.example"),
        _ => person,
    };
    match pick(7, 4) {
        0 => person.attribute(Attribute::C, "DE"),
        1 => person.attribute(Attribute::WhenCreated, "2026-02-01T00:00:00Z"),
        _ => person,
    }
}

/// An organisation, its rolls and what they depend on.
struct World {
    view: View,
    watch: Watch,
    ordinals: CountingOrdinals,
    threads: usize,
}

fn options() -> EvaluationOptions {
    EvaluationOptions {
        recursive_membership: true,
        ..EvaluationOptions::default()
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a test time")
}

impl World {
    fn new(threads: usize) -> Self {
        Self {
            view: View::empty(),
            watch: Watch::new(options()),
            ordinals: CountingOrdinals::default(),
            threads,
        }
    }

    fn work(&self) -> PlanOptions {
        PlanOptions {
            now: at(i64::try_from(self.view.directory.number()).expect("small") + 1_780_000_000),
            threads: self.threads,
        }
    }

    fn change(&mut self, objects: Vec<RecipientObject>, removals: Vec<ObjectId>) -> Update {
        let mut ids: Vec<ObjectId> = objects.iter().map(|object| object.id.clone()).collect();
        ids.extend(removals.iter().cloned());
        let changes = ChangeSet {
            upserts: objects,
            removals,
        };
        let work = self.work();
        let number = self.view.directory.number() + 1;
        let (after, _) = self.view.directory.apply(changes, &mut self.ordinals, number, work.now);
        let touched = touched(&ids, &self.view.directory, &after);
        let defaults = RollDefaults::default();
        let following = Following {
            defaults: &defaults,
            work,
        };
        let update = follow(&self.view, &after, &touched, &self.watch, &following);
        self.watch.take(update.watch.clone());
        self.view = View::new(after, update.rolls.clone());
        update
    }

    fn edit(&mut self, edits: &[Edit]) -> Update {
        let mut objects: Vec<RecipientObject> = Vec::new();
        let mut removals = Vec::new();
        for edit in edits {
            let object = built(edit);
            if edit.removed {
                removals.push(object.id);
            } else if objects.iter().all(|other| other.id != object.id) {
                objects.push(object);
            }
        }
        self.change(objects, removals)
    }

    /// Entries by asking every object, with nothing that the code under test computes or keeps.
    fn expected(&self, group: &RecipientObject) -> Option<RoaringBitmap> {
        let settings = group.group.as_deref()?;
        if !group.kind.is_dynamic() {
            return Some(self.view.directory.bind(&settings.members).ordinals);
        }
        let rule = CompiledRule::compile(settings.rule.as_deref()?, &options()).ok()?;
        let directory = &self.view.directory;
        let context = DirectMembers::for_rule(directory, &rule, self.work().now);
        let found = directory
            .recipients()
            .filter(|(_, object)| rule.matches(object, &context));
        Some(found.map(|(ordinal, _)| ordinal.0).collect())
    }

    fn check(&self) -> Result<(), TestCaseError> {
        for (ordinal, group) in self.view.directory.groups() {
            let Some(expected) = self.expected(group) else { continue };
            let roll = self
                .view
                .roll(ordinal)
                .expect("every group that can be computed has a roll");
            prop_assert_eq!(roll.entries.objects.to_set(), expected, "{:?}", group);
        }
        let defaults = RollDefaults::default();
        let groups: Vec<Ordinal> = self.view.directory.groups().map(|(group, _)| group).collect();
        let differences = verify(&self.view, &self.watch, &groups, &defaults, &self.work());
        prop_assert!(differences.is_empty(), "{:?}", differences);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn patched_rolls_equal_recomputed_ones(
        steps in prop::collection::vec(prop::collection::vec(edit(), 1..6), 1..16),
        threads in 1..3_usize,
    ) {
        let mut world = World::new(threads);
        let mut served: BTreeMap<Ordinal, Roll> = BTreeMap::new();
        for edits in &steps {
            let update = world.edit(edits);
            world.check()?;
            for group in &update.forgotten {
                served.remove(group);
            }
            prop_assert_eq!(update.changed.len(), update.differences.len());
            for (roll, difference) in update.changed.iter().zip(&update.differences) {
                let next = difference.apply(served.get(&roll.group)).expect("fits the version before");
                prop_assert_eq!(&next.entries, &roll.entries);
                prop_assert_eq!(next.version, roll.version);
                if difference.cause == Cause::DirectoryChanged {
                    for entry in difference.entries.added.iter().chain(&difference.entries.removed) {
                        let (_, cause) = difference.cause_of(Ordinal(entry)).expect("it changed");
                        prop_assert!(cause.is_some(), "{:?}", difference);
                    }
                }
                served.insert(roll.group, (**roll).clone());
            }
            // A watch made anew knows the same rules.
            let fresh = Watch::of(&world.view.directory, options());
            prop_assert_eq!(fresh.rules(), world.watch.rules());
            prop_assert_eq!(
                fresh.attributes().collect::<Vec<_>>(),
                world.watch.attributes().collect::<Vec<_>>()
            );
        }
    }
}

#[test]
fn the_rules_of_the_random_organisations_are_rules() {
    let languages = FILTERS.map(|text| (FilterLanguage::Opath, text));
    for (language, text) in languages.into_iter().chain(OTHERS) {
        let group = dynamic_group("d@contoso.example", text).language(language).build();
        let rule = group.group.and_then(|settings| settings.rule).expect("a rule");
        let compiled = CompiledRule::compile(&rule, &options());
        // One is broken on purpose: its group has no roll, or keeps the one it had.
        assert_eq!(compiled.is_ok(), text != "Office -eq", "{text}: {compiled:?}");
    }
}

/// Departments with a group each, all of one company; a thousand of them.
fn departments(count: usize) -> World {
    let mut world = World::new(1);
    let mut objects = Vec::new();
    for number in 0..count {
        let filter =
            format!("Company -eq 'Contoso' -and Department -eq 'D{number}' -and RecipientType -eq 'UserMailbox'");
        objects.push(dynamic_group(&format!("d{number}@contoso.example"), &filter).build());
        let list = group(&format!("g{number}@contoso.example")).members(&[&format!("p{number}@contoso.example")]);
        objects.push(list.build());
        objects.push(employee(number, &format!("D{number}")).build());
    }
    world.change(objects, Vec::new());
    world
}

fn employee(number: usize, department: &str) -> ObjectBuilder {
    person(&format!("p{number}@contoso.example"))
        .company("Contoso")
        .department(department)
}

#[test]
fn one_change_asks_only_the_rules_it_concerns() {
    let mut world = departments(1_000);
    // Another department: two rules.
    let update = world.change(vec![employee(7, "D8").build()], Vec::new());
    assert_eq!((update.judged, update.changed.len()), (2, 2));
    let moved = |update: &Update| -> Vec<String> {
        let details = update.differences.iter().flat_map(|difference| &difference.details);
        details.map(|detail| detail.cause.to_string()).collect()
    };
    let cause = "Department changed from \"D7\" to \"D8\" (test)";
    assert_eq!(moved(&update), [cause, cause]);
    // A property that all rules test: still only the rule of the person's department.
    let shared = employee(7, "D8").kind(RecipientKind::MailUser).build();
    let update = world.change(vec![shared], Vec::new());
    // The very first rule was found by the company, before that proved to be everybody's.
    assert_eq!((update.judged, update.changed.len()), (2, 1));
    assert_eq!(
        moved(&update),
        ["RecipientType changed from \"UserMailbox\" to \"MailUser\" (test)"]
    );
    // Somebody new, somebody gone: the rule of the department and the list that names them.
    let update = world.change(vec![employee(1_000, "D3").build()], Vec::new());
    assert_eq!((update.judged, update.changed.len()), (2, 1));
    assert_eq!(moved(&update), ["appeared in test"]);
    let update = world.change(Vec::new(), vec![ObjectId::new("id:p3@contoso.example")]);
    assert_eq!((update.judged, update.changed.len()), (2, 2));
    assert_eq!(moved(&update), ["gone from test", "gone from test"]);
    // What no rule tests concerns nobody.
    let update = world.change(vec![employee(5, "D5").office("Berlin").build()], Vec::new());
    assert_eq!((update.judged, update.changed.len(), update.confirmed.len()), (0, 0, 0));
    // A rule that changed is computed again, and no other.
    let rule = dynamic_group("d9@contoso.example", "Department -eq 'D10'").build();
    let update = world.change(vec![rule], Vec::new());
    assert_eq!((update.judged, update.changed.len()), (0, 1));
    assert_eq!(moved(&update), ["the rule of the group changed"]);
    world.check().expect("patched right");
}

#[test]
fn groups_with_equal_rules_share_them() {
    let mut world = World::new(1);
    let groups =
        (0..50).map(|number| dynamic_group(&format!("d{number}@contoso.example"), "Office -eq 'Berlin'").build());
    world.change(groups.collect(), Vec::new());
    assert_eq!(world.watch.rules(), 1);
    let update = world.change(vec![person("p@contoso.example").office("Berlin").build()], Vec::new());
    assert_eq!((update.judged, update.changed.len()), (1, 50));
    let removals = (0..50).map(|number| ObjectId::new(format!("id:d{number}@contoso.example")));
    let update = world.change(Vec::new(), removals.collect());
    assert_eq!((update.forgotten.len(), world.watch.rules()), (50, 0));
    assert_eq!(world.watch.attributes().count(), 0);
}

#[test]
fn so_many_changes_that_everything_is_computed_again_come_to_the_same() {
    let mut world = departments(200);
    let everybody = (0..200).map(|number| employee(number, &format!("D{}", number / 2)).build());
    let mut objects: Vec<RecipientObject> = everybody.collect();
    objects.extend((200..4_200).map(|number| employee(number, "D1").build()));
    let update = world.change(objects, Vec::new());
    assert_eq!(update.judged, 0, "beyond the share nobody is judged alone");
    assert!(update.differences.iter().all(|difference| {
        let entries = &difference.entries;
        let causes = entries.added.iter().chain(&entries.removed).map(Ordinal);
        causes
            .into_iter()
            .all(|entry| difference.cause_of(entry).is_some_and(|(_, cause)| cause.is_some()))
    }));
    world.check().expect("computed right");
}

#[test]
fn a_membership_that_changes_is_the_cause() {
    let mut world = World::new(1);
    let team = |members: &[&str]| {
        let dn = "CN=team,DC=contoso,DC=example";
        group("team@contoso.example").dn(dn).members(members).build()
    };
    let rule = "MemberOfGroup -eq 'CN=team,DC=contoso,DC=example'";
    let people = ["a", "b"].map(|name| person(&format!("{name}@contoso.example")).build());
    let mut objects = vec![
        team(&["a@contoso.example"]),
        dynamic_group("d@contoso.example", rule).build(),
    ];
    objects.extend(people);
    world.change(objects, Vec::new());
    let update = world.change(vec![team(&["b@contoso.example"])], Vec::new());
    let of_rule = update
        .differences
        .iter()
        .find(|difference| difference.group == Ordinal(1));
    let difference = of_rule.expect("the dynamic group changed too");
    let cause = EntryCause::Membership { group: Ordinal(0) };
    assert_eq!(
        difference.cause_of(Ordinal(2)),
        Some((Direction::Removed, Some(&cause)))
    );
    assert_eq!(difference.cause_of(Ordinal(3)), Some((Direction::Added, Some(&cause))));
    world.check().expect("patched right");
}

#[test]
fn a_difference_that_crept_in_is_found_and_repaired() {
    let mut world = departments(4);
    let group = Ordinal(3);
    let mut wrong = (**world.view.roll(group).expect("a roll")).clone();
    wrong.entries = Entries::default();
    wrong.version += 1;
    world.view = View::new(
        (*world.view.directory).clone(),
        world.view.rolls.with_rolls([wrong.clone()]),
    );
    let groups: Vec<Ordinal> = world.view.directory.groups().map(|(group, _)| group).collect();
    let found = verify(
        &world.view,
        &world.watch,
        &groups,
        &RollDefaults::default(),
        &world.work(),
    );
    assert_eq!(found.len(), 1);
    let repaired = found[0].apply(Some(&wrong)).expect("fits");
    assert_eq!(repaired.entries.objects.len(), 1);
    assert_eq!(repaired.provenance.cause, Cause::Repaired);
    let update = compute(
        &world.view,
        &groups,
        Rules::Watched(&world.watch),
        Cause::Requested,
        &world.work(),
    );
    assert_eq!((update.changed.len(), update.confirmed.len()), (1, 7));
}
