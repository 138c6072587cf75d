//! Planted rules are found again; exceptions always add up to the list.

use proptest::prelude::*;

use super::*;
use crate::directory::attribute::Attribute;
use crate::directory::filter::opath;
use crate::directory::group::ComparisonProfile;
use crate::directory::testing::{ObjectBuilder, directory, group, person};

fn asked(directory: &Directory, members: &RoaringBitmap) -> Option<Proposal> {
    propose(directory, members, &EvaluationOptions::default(), Timestamp::UNIX_EPOCH).expect("tests of held attributes")
}

/// Whom an OPATH text finds.
fn found_by(directory: &Directory, text: &str) -> RoaringBitmap {
    let predicate = opath::parse(text).expect("a filter").predicate;
    let options = EvaluationOptions::default();
    let nobody = RoaringBitmap::new();
    let measured = measure(directory, &nobody, predicate, &options, Timestamp::UNIX_EPOCH).expect("held");
    measured.added
}

fn one(number: usize) -> ObjectBuilder {
    person(&format!("p{number}@contoso.example"))
}

/// 600 people: departments of 60, offices of 150, every tenth account disabled.
fn company() -> Directory {
    const DEPARTMENTS: [&str; 10] = [
        "Sales",
        "Human Resources",
        "Legal",
        "IT",
        "Finance",
        "Research",
        "Support",
        "Audit",
        "Logistics",
        "Board",
    ];
    const OFFICES: [&str; 4] = ["Berlin", "Bonn", "Zürich", "Graz"];
    directory((0..600).map(|number| {
        let object = one(number)
            .department(DEPARTMENTS[number % 10])
            .office(OFFICES[number / 10 % 4]);
        let object = object.attribute(
            Attribute::CustomAttribute4,
            ["Employee", "Contractor", "Student"][number / 40 % 3],
        );
        if number / 10 % 10 == 3 {
            object.disabled()
        } else {
            object
        }
    }))
}

#[test]
fn story_4_a_rule_for_a_list_of_142() {
    // 141 people of the department work; 12 accounts are disabled and not in the list, two working ones neither;
    // three consultants of another department are.
    let mut objects: Vec<ObjectBuilder> = (0..141)
        .map(|number| one(number).department("Human Resources"))
        .collect();
    objects.extend((141..153).map(|number| one(number).department("Human Resources").disabled()));
    objects.extend((153..156).map(|number| one(number).department("Consulting")));
    objects.extend((156..400).map(|number| one(number).department("Sales")));
    let directory = directory(objects);
    let mut members: RoaringBitmap = (0..139).collect();
    members.extend(153..156);
    assert_eq!(members.len(), 142);
    let proposal = asked(&directory, &members).expect("a rule");
    assert_eq!(
        proposal.predicate.to_string(),
        "((Department -eq 'Human Resources') -and (ExchangeUserAccountControl -ne 'AccountDisabled'))"
    );
    assert_eq!(proposal.covered.len(), 139);
    assert_eq!(proposal.added.iter().collect::<Vec<_>>(), [139, 140], "would add 2");
    assert_eq!(
        proposal.pinned.iter().collect::<Vec<_>>(),
        [153, 154, 155],
        "3 stay as pinned"
    );
    assert_eq!(proposal.with_exceptions(), members);
}

#[test]
fn planted_rules_are_found_again() {
    let directory = company();
    for text in [
        "(Department -eq 'Legal')",
        "((Department -eq 'Legal') -and (Office -eq 'Berlin'))",
        "((Office -eq 'Zürich') -and (CustomAttribute4 -ne 'Contractor'))",
        "((Department -eq 'Sales') -or (Department -eq 'IT') -or (Department -eq 'Audit'))",
        "(((Department -eq 'Sales') -or (Department -eq 'IT')) -and (Office -eq 'Bonn'))",
        "((Office -eq 'Graz') -or (Department -eq 'Board'))",
        "((Office -eq 'Graz') -and (ExchangeUserAccountControl -ne 'AccountDisabled'))",
        "(CustomAttribute4 -ne 'Student')",
    ] {
        let members = found_by(&directory, text);
        assert!(members.len() > 8, "{text} finds enough: {}", members.len());
        let proposal = asked(&directory, &members).unwrap_or_else(|| panic!("no rule for {text}"));
        assert_eq!(proposal.covered, members, "{text} became {}", proposal.predicate);
        assert!(proposal.added.is_empty() && proposal.pinned.is_empty());
        let planted = opath::parse(text).expect("a filter").predicate;
        let mut clauses = 0;
        planted.each_comparison(&mut |_| clauses += 1);
        assert!(proposal.clauses() <= clauses, "{text} became {}", proposal.predicate);
        let again = opath::parse(&proposal.predicate.to_string()).expect("a proposal parses");
        assert_eq!(again.predicate, proposal.predicate, "and prints back");
    }
}

#[test]
fn everybody_is_a_rule_too() {
    let directory = company();
    let proposal = asked(&directory, directory.candidates()).expect("a rule");
    assert_eq!(proposal.predicate, Predicate::All);
    assert_eq!(proposal.covered.len(), 600);
}

#[test]
fn a_list_without_a_pattern_stays_a_list() {
    let directory = company();
    // One of each thirtieth: no attribute has anything to do with it.
    let members: RoaringBitmap = (0..20).map(|number| number * 29 + number % 7).collect();
    assert_eq!(asked(&directory, &members), None);
    assert_eq!(asked(&directory, &RoaringBitmap::new()), None);
}

#[test]
fn a_small_list_is_cheaper_than_a_rule() {
    let directory = directory((0..40).map(|number| one(number).department(if number < 3 { "Board" } else { "Sales" })));
    let members: RoaringBitmap = (0..3).collect();
    assert_eq!(
        asked(&directory, &members),
        None,
        "three names cost no more than a clause"
    );
}

#[test]
fn members_that_no_rule_can_find_are_pinned() {
    let mut objects: Vec<ObjectBuilder> = (0..30).map(|number| one(number).department("Legal")).collect();
    objects.push(one(30).department("Legal").alias(None));
    objects.push(group("legal-team@contoso.example"));
    objects.extend((32..90).map(|number| one(number).department("Sales")));
    let directory = directory(objects);
    let mut members: RoaringBitmap = (0..32).collect();
    // Gone: no object has this ordinal.
    members.insert(5_000);
    let proposal = asked(&directory, &members).expect("a rule");
    assert_eq!(proposal.predicate.to_string(), "(Department -eq 'Legal')");
    assert_eq!(proposal.pinned.iter().collect::<Vec<_>>(), [30, 31, 5_000]);
    assert_eq!(proposal.with_exceptions(), members);
}

#[test]
fn spellings_that_compare_equal_are_one_value() {
    let spelling = |number: usize| ["Zürich", "ZÜRICH", "Zurich"][number % 3];
    let directory =
        directory((0..90).map(|number| one(number).office(if number < 60 { spelling(number) } else { "Bonn" })));
    let all: RoaringBitmap = (0..60).collect();
    let options = EvaluationOptions {
        comparison: ComparisonProfile::ActiveDirectory,
        ..EvaluationOptions::default()
    };
    let folded = propose(&directory, &all, &options, Timestamp::UNIX_EPOCH)
        .expect("held")
        .expect("a rule");
    assert_eq!(folded.clauses(), 1, "{}", folded.predicate);
    assert_eq!(folded.covered, all);
    let cloud = asked(&directory, &all).expect("a rule");
    assert_eq!(cloud.clauses(), 1, "as everybody but Bonn: {}", cloud.predicate);
    assert_eq!(cloud.covered, all);
}

#[test]
fn a_value_of_several_is_a_test() {
    let skills = ["welding\nfirst aid", "first aid", "welding", "driving"];
    let directory = directory(
        (0..80).map(|number| one(number).attribute(Attribute::ExtensionCustomAttribute1, skills[number % 4])),
    );
    let members = found_by(&directory, "ExtensionCustomAttribute1 -eq 'first aid'");
    let proposal = asked(&directory, &members).expect("a rule");
    assert_eq!(
        proposal.predicate.to_string(),
        "(ExtensionCustomAttribute1 -eq 'first aid')"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn rule_and_exceptions_are_always_the_list(
        people in proptest::collection::vec((0_usize..4, 0_usize..3, any::<bool>(), 0_u8..10), 1..160),
        noise in proptest::collection::vec(any::<bool>(), 160),
    ) {
        let build = || directory(people.iter().enumerate().map(|(number, (department, office, disabled, alias))| {
            let object = one(number).department(["A", "B", "C", "D"][*department]).office(["x", "y", "z"][*office]);
            let object = if *disabled { object.disabled() } else { object };
            if *alias == 0 { object.alias(None) } else { object }
        }));
        let directory = build();
        let member = |number: &usize| {
            let (department, office, ..) = people[*number];
            (department < 2 && office != 1) != (noise[*number] && number.is_multiple_of(9))
        };
        let members: RoaringBitmap = (0..people.len()).filter(member).map(|number| number as u32).collect();
        if let Some(proposal) = asked(&directory, &members) {
            prop_assert_eq!(&proposal.with_exceptions(), &members);
            prop_assert!(proposal.added.is_disjoint(&members));
            prop_assert!(proposal.cost() < members.len());
            prop_assert_eq!(asked(&build(), &members), Some(proposal), "the same question, the same answer");
        }
    }
}
