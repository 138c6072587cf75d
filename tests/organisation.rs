//! The organisation that benchmarks measure is what they say it is.

#[path = "../bench/organisation/mod.rs"]
mod organisation;

use std::collections::{HashMap, HashSet};

use muster::directory::attribute::Attribute;
use muster::directory::filter::{CompiledRule, EvaluationOptions, NoMemberships};
use muster::directory::value::ValueRef;
use organisation::Organisation;
use organisation::rules::{Kind, Mix, Rule, Test};

const PEOPLE: usize = 3_000;
const UNIQUE: [Attribute; 6] = [
    Attribute::Alias,
    Attribute::DisplayName,
    Attribute::SamAccountName,
    Attribute::UserPrincipalName,
    Attribute::Phone,
    Attribute::CustomAttribute1,
];

#[test]
fn a_person_has_what_the_benchmark_promises() {
    let organisation = Organisation::new(7, PEOPLE, 30, Mix::Broad);
    let (mut ids, mut addresses, mut names) = (HashSet::new(), HashSet::new(), HashSet::new());
    let mut distinct: HashMap<Attribute, HashSet<String>> = HashMap::new();
    for object in organisation.objects().take(PEOPLE) {
        assert_eq!(object.mailboxes().count(), 3);
        assert_eq!(object.proxies.len(), 3, "two addresses and one X500");
        // Alias and DisplayName are fields of the object, the other 23 stand in the list.
        assert_eq!(object.attributes.iter().count() + 2, 25);
        assert!(object.needs_no_judgement());
        for address in object.mailboxes() {
            assert!(addresses.insert(address.key()), "{address} twice");
        }
        assert!(names.insert(object.distinguished_name.clone()));
        for attribute in UNIQUE.into_iter().chain(object.attributes.iter().map(|(each, _)| each)) {
            let text = object.value(attribute).to_string();
            distinct.entry(attribute).or_default().insert(text);
        }
        assert!(ids.insert(object.id));
    }
    for attribute in UNIQUE {
        assert_eq!(distinct[&attribute].len(), PEOPLE, "{attribute}");
    }
    for pool in organisation.wide() {
        assert!(pool.len() < 10_000, "{}", pool.attribute);
        assert!(distinct[&pool.attribute].len() > 500, "{}", pool.attribute);
    }
    assert_eq!(organisation.wide().len(), 9, "and Manager");
}

#[test]
fn the_same_seed_is_the_same_organisation() {
    let one = Organisation::new(3, 50, 50, Mix::Narrow);
    let other = Organisation::new(3, 50, 50, Mix::Narrow);
    assert!(one.objects().eq(other.objects()));
    let changed = one.changed(7, 1);
    assert_eq!(changed.id, one.person(7).id);
    assert_ne!(changed, one.person(7));
}

#[test]
fn rules_are_of_the_three_kinds_and_find_people() {
    let organisation = Organisation::new(7, PEOPLE, 300, Mix::Broad);
    let people: Vec<_> = organisation.objects().take(PEOPLE).collect();
    let (mut wide, mut unique, mut empty, mut entra) = (0, 0, 0, 0);
    for number in 0..organisation.groups() {
        let rule = organisation.rule(number);
        match (Kind::of(number), &rule) {
            (Kind::Wide, Rule::Test(_, test)) => {
                wide += 1;
                assert!(!matches!(test, Test::Equal(_) | Test::NotEqual(_)), "{rule:?}");
            }
            (Kind::Unique, Rule::Test(attribute, _)) => {
                unique += 1;
                assert!(UNIQUE.contains(attribute), "{rule:?}");
            }
            (Kind::Wide | Kind::Unique, other) => panic!("{other:?}"),
            (Kind::Plain, _) => {}
        }
        let group = organisation.group(number);
        let stated = group.group.as_deref().and_then(|settings| settings.rule.as_deref());
        let stated = stated.expect("a dynamic group has a rule");
        let compiled = CompiledRule::compile(stated, &EvaluationOptions::default()).expect("every column is held");
        let found = people
            .iter()
            .filter(|person| compiled.matches(person, &NoMemberships))
            .count();
        entra += usize::from(matches!(rule, Rule::Test(_, Test::Match { .. })));
        assert!(found < PEOPLE, "{rule:?} finds everybody");
        empty += usize::from(found == 0);
    }
    assert_eq!((wide, unique), (90, 10), "30 % and one in thirty");
    assert!((1..10).contains(&entra), "{entra} of ten unique rules are -match");
    assert!(empty < 150, "{empty} of 300 rules find nobody among {PEOPLE}");
}

#[test]
fn the_peer_gets_the_same_values_and_filters() {
    let organisation = Organisation::new(7, 20, 10, Mix::Broad);
    let (mut entries, mut filters) = (Vec::new(), Vec::new());
    organisation::ldif::write_entries(&organisation, &mut entries).expect("memory takes it");
    organisation::ldif::write_filters(&organisation, &mut filters).expect("memory takes it");
    let entries = String::from_utf8(entries).expect("text");
    assert_eq!(entries.matches("objectClass: benchRecipient").count(), 30);
    let person = organisation.person(4);
    let ValueRef::Text(title) = person.value(Attribute::Title) else {
        panic!("a title")
    };
    assert!(entries.contains(&format!("benchTitle: {title}\n")));
    assert_eq!(String::from_utf8(filters).expect("text").lines().count(), 10);
    let rule = Rule::All(vec![
        Rule::Test(Attribute::Title, Test::Prefix("Dir".to_owned())),
        Rule::Not(Box::new(Rule::Test(Attribute::City, Test::Equal("Berlin".to_owned())))),
    ]);
    assert_eq!(rule.opath(), "(Title -like 'Dir*') -and (-not(City -eq 'Berlin'))");
    assert_eq!(rule.ldap(), "(&(benchTitle=Dir*)(!(benchCity=Berlin)))");
    assert!(organisation::ldif::schema().contains("NAME 'benchTitle'"));
}
