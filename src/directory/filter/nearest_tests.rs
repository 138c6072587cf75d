//! What would make somebody a member: a spelling before a value, tried before it is said.

use proptest::prelude::*;

use super::*;
use crate::directory::attribute::Attribute as A;
use crate::directory::filter::EvaluationOptions;
use crate::directory::filter::NoMemberships;
use crate::directory::testing::{ObjectBuilder, directory, person};

fn rule(text: &str) -> CompiledRule {
    let parsed = crate::directory::filter::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
    CompiledRule::of_predicate(parsed.predicate, &EvaluationOptions::default()).expect("a rule that can judge")
}

fn said(text: &str, object: ObjectBuilder) -> Option<String> {
    let (rule, object) = (rule(text), object.build());
    let nearest = nearest(&rule, &object, &NoMemberships)?;
    assert!(
        rule.matches(&nearest.applied(&object), &NoMemberships),
        "{text}: the proposal does what it says"
    );
    Some(nearest.to_string())
}

fn jonas() -> ObjectBuilder {
    person("jonas@contoso.example")
}

#[test]
fn the_smallest_change_is_named() {
    for (text, object, expected) in [
        (
            "Office -eq 'Berlin'",
            jonas().office("Berlin "),
            Some("without the blank at the end of Office"),
        ),
        (
            "Office -eq 'Berlin'",
            jonas().office(" Berlin"),
            Some("without the blank at the beginning of Office"),
        ),
        (
            "Office -eq 'Berlin Mitte'",
            jonas().office("Berlin  Mitte"),
            Some("with Office \"Berlin Mitte\", its blanks put right"),
        ),
        // The cloud profile compares accents.
        (
            "Office -eq 'Zürich'",
            jonas().office("Zurich"),
            Some("with Office spelled \"Zürich\" instead of \"Zurich\""),
        ),
        (
            "Office -like 'Zurich*'",
            jonas().office("Zürich Nord"),
            Some("with Office spelled \"Zurich Nord\" instead of \"Zürich Nord\""),
        ),
        (
            "Office -eq 'Berlin'",
            jonas().office("Bonn"),
            Some("with Office \"Berlin\" instead of \"Bonn\""),
        ),
        ("Office -eq 'Berlin'", jonas(), Some("with Office \"Berlin\"")),
        ("Office -like 'Ber*'", jonas(), Some("with Office \"Ber\"")),
        ("Title -ne $null", jonas(), Some("with any Title")),
        (
            "Title -eq $null",
            jonas().attribute(A::Title, "Clerk"),
            Some("without Title"),
        ),
        ("Office -ne 'Bonn'", jonas().office("Bonn"), Some("without Office")),
        (
            "RecipientTypeDetails -eq 'SharedMailbox'",
            jonas(),
            Some("with RecipientTypeDetails \"SharedMailbox\" instead of \"UserMailbox\""),
        ),
        ("ResourceCapacity -gt 15", jonas(), Some("with ResourceCapacity \"16\"")),
        // Two faults: both are named. A cheaper alternative goes first.
        (
            "Office -eq 'Berlin' -and Department -eq 'Sales'",
            jonas().office("Berlin ").department("Marketing"),
            Some("with Department \"Sales\" instead of \"Marketing\" and without the blank at the end of Office"),
        ),
        (
            "Department -eq 'Sales' -or Office -eq 'Berlin'",
            jonas().office("Berlin ").department("Marketing"),
            Some("without the blank at the end of Office"),
        ),
        (
            "-not(Office -eq 'Berlin' -or Department -eq 'Sales')",
            jonas().office("Berlin"),
            Some("without Office"),
        ),
        // Nothing helps: he is one, he is shut out, or no value can do it.
        ("Office -eq 'Berlin'", jonas().office("berlin"), None),
        ("Office -eq 'Berlin'", jonas().office("Berlin ").alias(None), None),
        (
            "Office -eq 'Berlin' -and Office -eq 'Bonn'",
            jonas().office("Berlin"),
            None,
        ),
    ] {
        let found = said(text, object);
        let expected = expected.map(|words| format!("would be a member {words}"));
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn others_have_the_same_fault_and_no_other() {
    let directory = directory([
        jonas().office("Berlin "),
        person("lena@contoso.example").office("Berlin"),
        person("blank@contoso.example").office("Berlin  "),
        person("lower@contoso.example").office("berlin "),
        person("front@contoso.example").office(" Berlin"),
        person("bonn@contoso.example").office("Bonn "),
        person("nobody@contoso.example").office("Berlin ").alias(None),
    ]);
    let rule = rule("Office -eq 'Berlin'");
    let ordinal_of = |name: &str| {
        let key = crate::mail::Mailbox::parse(&format!("{name}@contoso.example"))
            .expect("an address")
            .key();
        directory.lookup(&key).one().expect("there")
    };
    let jonas = directory.recipient(ordinal_of("jonas")).expect("there");
    let found = nearest(&rule, &jonas, &NoMemberships).expect("a blank");
    let members: RoaringBitmap = [ordinal_of("lena").0, ordinal_of("jonas").0].into_iter().collect();
    let others = found.others(&directory, &rule, &NoMemberships, &members);
    let expected: RoaringBitmap = [ordinal_of("blank").0, ordinal_of("lower").0].into_iter().collect();
    assert_eq!(others, expected);
}

#[test]
fn another_value_has_no_others() {
    let directory = directory([jonas().office("Bonn"), person("lena@contoso.example").office("Bonn")]);
    let rule = rule("Office -eq 'Berlin'");
    let object = jonas().office("Bonn").build();
    let found = nearest(&rule, &object, &NoMemberships).expect("another value");
    assert!(
        found
            .others(&directory, &rule, &NoMemberships, &RoaringBitmap::new())
            .is_empty()
    );
}

proptest! {
    /// Whatever is proposed was tried, and is proposed to those only who are no members.
    #[test]
    fn a_proposal_makes_a_member(
        office in "[ aAéBb]{0,4}",
        wanted in "[aAéB]{1,3}",
        department in proptest::option::of("[ab ]{1,3}"),
        form in 0_usize..4,
    ) {
        let text = match form {
            0 => format!("Office -eq '{wanted}'"),
            1 => format!("Office -like '{wanted}*' -and Department -ne 'a'"),
            2 => format!("-not(Office -eq '{wanted}') -or Department -eq 'b'"),
            _ => format!("Office -eq '{wanted}' -and Department -ne $null"),
        };
        let object = jonas().office(&office).with(|object| {
            if let Some(department) = &department {
                object.attributes.set_text(A::Department, department).expect("a text");
            }
        }).build();
        let rule = rule(&text);
        let member = rule.matches(&object, &NoMemberships);
        match nearest(&rule, &object, &NoMemberships) {
            Some(found) => {
                prop_assert!(!member);
                prop_assert!(rule.matches(&found.applied(&object), &NoMemberships));
            }
            None => prop_assert!(member, "{text} {office:?} {department:?}"),
        }
    }
}
