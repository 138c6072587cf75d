//! One rule in three languages and in English: what can be said finds the same people, what cannot says why.

use jiff::Timestamp;
use muster::directory::attribute::{Attribute, Property};
use muster::directory::filter::convert::{self, Inexpressible};
use muster::directory::filter::membership::DirectMembers;
use muster::directory::filter::{
    Comparison, CompiledRule, DaysFromNow, ElementComparison, ElementTest, EvaluationOptions, Field, Literal, Operator,
    Pieces, Predicate, Quantified, Quantifier, english, parse_in,
};
use muster::directory::group::{DynamicRule, FilterLanguage, RuleCondition};
use muster::directory::testing::{ObjectBuilder, directory, group, person};
use muster::directory::value::ValueType;
use muster::directory::{Directory, RecipientKind};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestCaseError;

#[path = "tables/languages.rs"]
mod table;

use FilterLanguage::{Entra, Ldap, Opath};

const LANGUAGES: [FilterLanguage; 3] = [Opath, Ldap, Entra];

fn compiled(language: FilterLanguage, text: &str) -> Option<CompiledRule> {
    let rule = DynamicRule {
        condition: RuleCondition::Custom {
            language,
            text: text.into(),
        },
        recipient_container: None,
        comparison: None,
        remote_mailboxes_match_user_mailbox: false,
    };
    CompiledRule::compile(&rule, &EvaluationOptions::default()).ok()
}

fn said(predicate: &Predicate, from: FilterLanguage, to: FilterLanguage) -> Result<String, Vec<Inexpressible>> {
    convert::to(predicate, from, to, &EvaluationOptions::default())
}

fn converted(text: &str, from: FilterLanguage, to: FilterLanguage) -> Result<String, Vec<Inexpressible>> {
    let parsed = parse_in(from, text).unwrap_or_else(|error| panic!("{text}: {}", error.render()));
    said(&parsed.predicate, from, to)
}

#[test]
fn texts_in_the_other_languages() {
    for (from, text, to, wanted) in table::CONVERSIONS {
        assert_eq!(converted(text, *from, *to).as_deref(), Ok(*wanted), "{text}");
    }
}

#[test]
fn what_cannot_be_said_is_named_with_its_reason() {
    for (from, text, to, clause, why) in table::INEXPRESSIBLE {
        let faults = converted(text, *from, *to).expect_err(text);
        assert!(
            faults
                .iter()
                .any(|fault| fault.clause.contains(clause) && fault.why.contains(why)),
            "{text}: {faults:?}"
        );
    }
}

#[test]
fn plain_english() {
    for (language, text, wanted) in table::ENGLISH {
        let parsed = parse_in(*language, text).unwrap_or_else(|error| panic!("{text}: {}", error.render()));
        assert_eq!(english::describe(&parsed.predicate), *wanted, "{text}");
    }
}

const TEXTS: [&str; 8] = [
    "Sales",
    "sales north",
    "Berlin",
    "Bern",
    "a*b",
    "(x)",
    "Zürich",
    "O'Neill",
];
const ADDRESSES: [&str; 5] = [
    "p1@x.example",
    "smtp:p1@x.example",
    "sip:p2@x.example",
    "p2@y.example",
    "p3",
];
const GUIDS: [&str; 2] = [
    "45ad6645-57a8-4fef-ad2f-ac5bd3de7d7c",
    "62e19b97-8b3d-4d4a-a106-4ce66896a863",
];
const DNS: [&str; 3] = [
    "CN=Some Group,OU=Groups,DC=contoso,DC=example",
    "CN=Boss,OU=Sales,DC=contoso,DC=example",
    "no DN",
];
const TIMES: [&str; 3] = ["2020-01-01T00:00:00Z", "2021-06-15T12:30:00Z", "2022-01-01"];
const COUNTRIES: [&str; 5] = ["US", "United States", "Germany", "DE", "Utopia"];

const ATTRIBUTES: &[Attribute] = &[
    Attribute::Department,
    Attribute::Office,
    Attribute::CustomAttribute1,
    Attribute::Alias,
    Attribute::ExtensionCustomAttribute1,
    Attribute::EmailAddresses,
    Attribute::PrimarySmtpAddress,
    Attribute::WindowsEmailAddress,
    Attribute::ExternalEmailAddress,
    Attribute::OtherMails,
    Attribute::HiddenFromAddressListsEnabled,
    Attribute::IsDirSynced,
    Attribute::AccountEnabled,
    Attribute::IsHierarchyReady,
    Attribute::RecipientType,
    Attribute::RecipientTypeDetails,
    Attribute::RecipientDisplayType,
    Attribute::ResourceType,
    Attribute::GroupType,
    Attribute::UserAccountControl,
    Attribute::ProvisioningFlags,
    Attribute::CountryCode,
    Attribute::ResourceCapacity,
    Attribute::MaxReceiveSize,
    Attribute::WhenCreated,
    Attribute::EmployeeHireDate,
    Attribute::Manager,
    Attribute::MemberOfGroup,
    Attribute::ManagedBy,
    Attribute::CountryOrRegion,
    Attribute::UsageLocation,
    Attribute::Guid,
    Attribute::ExternalDirectoryObjectId,
    Attribute::ObjectId,
    Attribute::ServerLegacyDN,
    Attribute::Database,
    Attribute::ObjectClass,
    Attribute::ObjectCategory,
    Attribute::UserType,
    Attribute::EmployeeId,
];

/// A value of an attribute in a form that some language writes.
fn value(attribute: Attribute) -> BoxedStrategy<String> {
    let of = |values: &'static [&'static str]| select(values).prop_map(str::to_owned).boxed();
    match attribute.value_type() {
        ValueType::Text | ValueType::Texts if attribute == Attribute::ObjectClass => of(&["user", "contact", "group"]),
        ValueType::Text | ValueType::Texts if attribute == Attribute::ObjectCategory => of(&["person", "group"]),
        ValueType::Text | ValueType::Texts => of(&TEXTS),
        ValueType::Address | ValueType::Addresses => of(&ADDRESSES),
        ValueType::Boolean => of(&["True", "False", "FALSE"]),
        ValueType::Integer => of(&["0", "20", "276", "524288", "524289"]),
        ValueType::Size => of(&["10MB", "1025", "2048KB", "Unlimited"]),
        ValueType::Time => of(&TIMES),
        ValueType::Enumeration(table) => select(table).prop_map(|(name, _)| name.to_owned()).boxed(),
        ValueType::Flags(_) => of(&["2", "8", "512", "514", "-2147483640"]),
        ValueType::Country => of(&COUNTRIES),
        ValueType::Dn | ValueType::Dns => of(&DNS),
        ValueType::Guid => of(&GUIDS),
    }
}

fn operator() -> impl Strategy<Value = Operator> {
    use Operator as O;
    select(vec![
        O::Eq,
        O::Ne,
        O::Lt,
        O::Le,
        O::Gt,
        O::Ge,
        O::Like,
        O::NotLike,
        O::StartsWith,
        O::NotStartsWith,
        O::EndsWith,
        O::NotEndsWith,
        O::Contains,
        O::NotContains,
        O::Match,
        O::NotMatch,
        O::In,
        O::NotIn,
        O::Approx,
        O::BitAnd,
        O::BitOr,
        O::InChain,
        O::Eq,
        O::Ne,
        O::Like,
    ])
}

fn comparison() -> impl Strategy<Value = Predicate> {
    let attribute = select(ATTRIBUTES);
    (attribute, operator()).prop_flat_map(|(attribute, operator)| {
        let text = value(attribute);
        let literal = match operator.positive() {
            Operator::In => proptest::collection::vec(text, 1..3)
                .prop_map(|values| Literal::List(values.into_iter().map(Into::into).collect()))
                .boxed(),
            Operator::Like => prop_oneof![
                text.clone().prop_map(|text| Literal::Text(text.into())),
                text.clone().prop_map(|text| Literal::Text(format!("{text}*").into())),
                text.clone().prop_map(|text| Literal::Text(format!("*{text}").into())),
                text.clone().prop_map(|text| {
                    let cut: String = text.chars().skip(1).take(2).collect();
                    Literal::Text(format!("*{cut}*").into())
                }),
                text.prop_map(|text| {
                    let mut characters = text.chars();
                    let initial: String = characters.next().into_iter().collect();
                    let last: String = characters.last().into_iter().collect();
                    Literal::Pieces(Pieces {
                        initial: initial.into(),
                        middle: Box::default(),
                        last: last.into(),
                    })
                }),
                Just(Literal::Null),
                Just(Literal::Text("*".into())),
            ]
            .boxed(),
            Operator::StartsWith | Operator::EndsWith | Operator::Contains => text
                .prop_map(|text| Literal::Text(text.chars().take(3).collect::<String>().into()))
                .boxed(),
            Operator::Eq => prop_oneof![
                4 => text.prop_map(|text| Literal::Text(text.into())),
                1 => Just(Literal::Null),
            ]
            .boxed(),
            Operator::Ge | Operator::Le if attribute == Attribute::EmployeeHireDate => prop_oneof![
                text.prop_map(|text| Literal::Text(text.into())),
                (-3..3).prop_map(|days| Literal::Now(DaysFromNow(days))),
            ]
            .boxed(),
            _ => text.prop_map(|text| Literal::Text(text.into())).boxed(),
        };
        literal.prop_map(move |literal| {
            Predicate::Compare(Comparison {
                property: Property::Held(attribute),
                operator,
                literal,
            })
        })
    })
}

/// A condition on the elements of a collection.
fn quantified() -> impl Strategy<Value = Predicate> {
    use Operator as O;
    let collection = select(vec![Attribute::EmailAddresses, Attribute::OtherMails]);
    let quantifier = select(vec![Quantifier::Any, Quantifier::All]);
    let operator = select(vec![
        O::Eq,
        O::Ne,
        O::StartsWith,
        O::NotStartsWith,
        O::Contains,
        O::NotContains,
    ]);
    let compare = |operator: Operator, text: &str| {
        ElementTest::Compare(ElementComparison {
            field: Field::Whole,
            operator,
            literal: Literal::Text(text.into()),
        })
    };
    (
        collection,
        quantifier,
        operator,
        select(&ADDRESSES[..]),
        select(&TEXTS[..]),
        0..3,
    )
        .prop_map(move |(collection, quantifier, operator, address, text, join)| {
            let parts = vec![compare(operator, address), compare(operator, text)];
            let inner = match join {
                0 => ElementTest::And(parts),
                1 => ElementTest::Or(parts),
                _ => compare(operator, address),
            };
            Predicate::Quantified(Box::new(Quantified {
                collection,
                quantifier,
                inner,
            }))
        })
}

fn predicate() -> impl Strategy<Value = Predicate> {
    let users = Just(Predicate::compare(Attribute::ObjectClass, Operator::Eq, "user"));
    let leaf = prop_oneof![8 => comparison(), 1 => users, 1 => quantified()];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 2..4).prop_map(Predicate::And),
            proptest::collection::vec(inner.clone(), 2..4).prop_map(Predicate::Or),
            inner.clone().prop_map(|inner| Predicate::Not(Box::new(inner))),
            inner.prop_map(|inner| {
                Predicate::And(vec![
                    Predicate::compare(Attribute::ObjectClass, Operator::Eq, "user"),
                    inner,
                ])
            }),
        ]
    })
}

/// Attributes an object may store without contradicting its kind.
const STORED: &[Attribute] = &[
    Attribute::Department,
    Attribute::Office,
    Attribute::CustomAttribute1,
    Attribute::ExtensionCustomAttribute1,
    Attribute::OtherMails,
    Attribute::HiddenFromAddressListsEnabled,
    Attribute::IsDirSynced,
    Attribute::IsHierarchyReady,
    Attribute::ResourceCapacity,
    Attribute::WhenCreated,
    Attribute::EmployeeHireDate,
    Attribute::Manager,
    Attribute::CountryOrRegion,
    Attribute::UsageLocation,
    Attribute::Guid,
    Attribute::ExternalDirectoryObjectId,
    Attribute::EmployeeId,
];

fn object() -> impl Strategy<Value = (usize, Vec<(Attribute, String)>, bool)> {
    let stored = select(STORED).prop_flat_map(|attribute| (Just(attribute), value(attribute)));
    (
        0..RecipientKind::ALL.len(),
        proptest::collection::vec(stored, 0..10),
        any::<bool>(),
    )
}

/// A kind, values, and whether the account is off.
type Made = (usize, Vec<(Attribute, String)>, bool);

fn organisation(objects: Vec<Made>) -> Directory {
    let people = objects.into_iter().enumerate().map(|(number, (kind, stored, flag))| {
        let kind = RecipientKind::ALL
            .get(kind)
            .copied()
            .unwrap_or(RecipientKind::UserMailbox);
        let mut builder: ObjectBuilder = person(&format!("p{number}@x.example")).kind(kind);
        for (attribute, text) in stored {
            builder = builder.attribute(attribute, &text);
        }
        if flag {
            builder = builder.disabled().proxy("sip:p2@x.example").proxy("smtp:p2@y.example");
        } else if !kind.is_group() {
            builder = builder.max_receive_size(10 << 20).target("p2@y.example");
        }
        builder
    });
    let named = group("some@x.example")
        .dn("CN=Some Group,OU=Groups,DC=contoso,DC=example")
        .members(&["p0@x.example", "p1@x.example"])
        .owners(&["CN=Boss,OU=Sales,DC=contoso,DC=example"]);
    directory(people.chain([named]))
}

/// How often each language was said in each other one, and somebody was found.
type Tally = [[u32; 3]; 3];

fn agree(predicate: &Predicate, directory: &Directory, tally: &mut Tally) -> Result<(), TestCaseError> {
    let now: Timestamp = "2020-01-01T00:00:00Z".parse().expect("a time");
    for (row, from) in tally.iter_mut().zip(LANGUAGES) {
        let Ok(native) = said(predicate, from, from) else {
            continue;
        };
        let Ok(parsed) = parse_in(from, &native) else { continue };
        let Some(here) = compiled(from, &native) else { continue };
        // Its own language loses nothing.
        let again = said(&parsed.predicate, from, from);
        prop_assert_eq!(
            again
                .as_ref()
                .ok()
                .map(|text| parse_in(from, text).map(|parsed| parsed.predicate)),
            Some(Ok(parsed.predicate.clone())),
            "{} {:?}",
            native,
            again
        );
        prop_assert!(!english::describe(&parsed.predicate).is_empty());
        let asked_here = DirectMembers::for_rule(directory, &here, now);
        for (count, to) in row.iter_mut().zip(LANGUAGES) {
            let Ok(text) = said(&parsed.predicate, from, to) else {
                continue;
            };
            let Some(there) = compiled(to, &text) else {
                return Err(TestCaseError::fail(format!(
                    "{from:?} {native} -> {to:?} {text}: {:?}",
                    parse_in(to, &text)
                )));
            };
            let asked_there = DirectMembers::for_rule(directory, &there, now);
            let mut found = false;
            for (_, object) in directory.recipients() {
                let verdict = here.matches(&object, &asked_here);
                found |= verdict;
                prop_assert_eq!(
                    verdict,
                    there.matches(&object, &asked_there),
                    "{:?} {} -> {:?} {}: {:?} {:?}",
                    from,
                    native,
                    to,
                    text,
                    object.kind,
                    object.attributes
                );
            }
            *count += u32::from(found);
        }
    }
    Ok(())
}

/// Whatever can be said in another language finds the same objects there, and much can be said.
#[test]
fn what_is_said_elsewhere_finds_the_same() {
    let config = ProptestConfig {
        cases: 4_000,
        max_shrink_iters: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let tally = std::cell::RefCell::new(Tally::default());
    let users = || Predicate::compare(Attribute::ObjectClass, Operator::Eq, "user");
    let asked = prop_oneof![
        comparison(),
        quantified(),
        comparison().prop_map(move |one| Predicate::And(vec![users(), one])),
        predicate()
    ];
    let objects = proptest::collection::vec(object(), 6..16);
    let outcome = runner.run(&(asked, objects), |(predicate, objects)| {
        agree(&predicate, &organisation(objects), &mut tally.borrow_mut())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    let tally = tally.into_inner();
    for (from, row) in LANGUAGES.iter().zip(tally) {
        for (to, count) in LANGUAGES.iter().zip(row) {
            assert!(count >= 30, "{from:?} in {to:?}: {tally:?}");
        }
    }
}
