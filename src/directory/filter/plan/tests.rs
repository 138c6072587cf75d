use jiff::Timestamp;
use proptest::prelude::*;
use roaring::RoaringBitmap;

use super::*;
use crate::directory::attribute::{Attribute, Property};
use crate::directory::filter::membership::DirectMembers;
use crate::directory::filter::{
    Comparison, DaysFromNow, ElementComparison, ElementTest, EvaluationOptions, Field, Literal, Operator, Pieces,
    Predicate, Quantified, Quantifier,
};
use crate::directory::group::{ComparisonProfile, DynamicRule, FilterLanguage, RuleCondition};
use crate::directory::kind::RecipientKind;
use crate::directory::recipient::{ObjectState, RecipientObject};
use crate::directory::testing::{ObjectBuilder, contact, directory, dynamic_group, group, person};
use crate::directory::value::ValueType;

/// Texts that collide under one profile or the other, hold what scans separate by, or are part of one another.
const TEXTS: [&str; 14] = [
    "Sales",
    "sales",
    "SALES North",
    "Zürich",
    "Zurich",
    "ZÜRICH ",
    "a\nb",
    "b",
    "smtp:p1@contoso.example",
    "p1@contoso.example",
    "カナ",
    "かな",
    "*",
    "North",
];

const DNS: [&str; 6] = [
    "CN=p0,OU=Sales,DC=contoso,DC=example",
    "cn=P1,ou=sales,dc=contoso,dc=example",
    "CN=p2,OU=North,OU=Sales,DC=contoso,DC=example",
    "CN=team,OU=Groups,DC=contoso,DC=example",
    "CN=all,OU=Groups,DC=contoso,DC=example",
    "CN=nobody,DC=contoso,DC=example",
];

/// References as connectors store them; not all are DNs.
const REFERENCES: [&str; 8] = [
    DNS[0],
    DNS[1],
    DNS[2],
    "p1@contoso.example",
    "p2",
    "id:p0@contoso.example",
    "contoso.example/sales/p0",
    "nobody at all",
];

fn now() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().expect("a time")
}

/// A text that is a value of the attribute.
fn value_text(attribute: Attribute, pick: usize) -> String {
    let of = |list: &[&str]| list[pick % list.len()].to_owned();
    match attribute.value_type() {
        ValueType::Text | ValueType::Texts => of(&TEXTS),
        ValueType::Address | ValueType::Addresses => of(&[
            "SMTP:p1@contoso.example",
            "smtp:x@y.example",
            "X500:/o=x/cn=p",
            "sip:p1@contoso.example",
        ]),
        ValueType::Boolean => of(&["True", "False"]),
        ValueType::Integer => of(&["0", "7", "840", "-3"]),
        ValueType::Size => of(&["1MB", "25MB", "26214400"]),
        ValueType::Time => of(&[
            "2026-05-30T12:00:00Z",
            "2026-06-01T12:00:00Z",
            "2026-06-02",
            "2017-08-01",
        ]),
        ValueType::Enumeration(table) | ValueType::Flags(table) => table[pick % table.len()].0.to_owned(),
        ValueType::Country => of(&["DE", "Germany", "UnitedStates", "US"]),
        ValueType::Dn | ValueType::Dns => of(&REFERENCES),
        ValueType::Guid => of(&[
            "6F9619FF-8B86-D011-B42D-00C04FC964FF",
            "{6f9619ff-8b86-d011-b42d-00c04fc964ff}",
        ]),
    }
}

fn attribute() -> impl Strategy<Value = Attribute> {
    (0..Attribute::ALL.len()).prop_map(|place| Attribute::ALL[place])
}

fn operator() -> impl Strategy<Value = Operator> {
    let all = [
        &Operator::OPATH[..],
        &Operator::ENTRA,
        &[
            Operator::Approx,
            Operator::BitAnd,
            Operator::BitOr,
            Operator::InChain,
            Operator::ReportsTo,
        ],
    ]
    .concat();
    prop::sample::select(all)
}

/// A literal that usually fits: whole values, parts of them with wildcards, lists, and what is no value at all.
fn literal(attribute: Attribute, pick: usize, form: u8) -> Literal {
    let text = match attribute.value_type() {
        ValueType::Dn | ValueType::Dns if form.is_multiple_of(2) => DNS[pick % DNS.len()].to_owned(),
        _ => value_text(attribute, pick),
    };
    let part: String = text.chars().skip(1).take(3).collect();
    match form % 12 {
        0..=3 => Literal::Text(text.as_str().into()),
        4 => Literal::Text(format!("*{part}*").into()),
        5 => Literal::Text(format!("{part}*").into()),
        6 => Literal::Text(format!("*{part}").into()),
        7 => Literal::Null,
        8 => Literal::List([text.into(), value_text(attribute, pick + 1).into()].into()),
        9 => Literal::Pieces(Pieces {
            initial: "".into(),
            middle: [part.as_str().into()].into(),
            last: "".into(),
        }),
        10 => Literal::Now(DaysFromNow(i32::try_from(pick % 5).expect("small") - 2)),
        _ => Literal::Text(part.into()),
    }
}

fn clause() -> impl Strategy<Value = Predicate> {
    let comparison =
        (attribute(), operator(), any::<usize>(), any::<u8>()).prop_map(|(attribute, operator, pick, form)| {
            Predicate::Compare(Comparison {
                property: Property::Held(attribute),
                operator,
                literal: literal(attribute, pick, form),
            })
        });
    let quantified = (
        prop::sample::select(vec![
            (Attribute::AssignedPlans, Field::Service),
            (Attribute::EmailAddresses, Field::Whole),
            (Attribute::MemberOfGroup, Field::GroupObjectId),
        ]),
        prop::bool::ANY,
        prop::sample::select(vec![
            Operator::Eq,
            Operator::Ne,
            Operator::Contains,
            Operator::Match,
            Operator::In,
        ]),
        0..TEXTS.len(),
    )
        .prop_map(|((collection, field), any, operator, pick)| {
            let text: Box<str> = match collection {
                Attribute::MemberOfGroup => ["id:team@contoso.example", "id:all@contoso.example"][pick % 2].into(),
                _ => TEXTS[pick].into(),
            };
            let literal = match operator {
                Operator::In => Literal::List([text].into()),
                _ => Literal::Text(text),
            };
            Predicate::Quantified(Box::new(Quantified {
                collection,
                quantifier: if any { Quantifier::Any } else { Quantifier::All },
                inner: ElementTest::Compare(ElementComparison {
                    field,
                    operator,
                    literal,
                }),
            }))
        });
    prop_oneof![12 => comparison, 1 => quantified, 1 => Just(Predicate::All), 1 => Just(Predicate::None)]
}

fn predicate() -> impl Strategy<Value = Predicate> {
    clause().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Predicate::And),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Predicate::Or),
            inner.prop_map(|inner| Predicate::Not(Box::new(inner))),
        ]
    })
}

/// What the clauses of random predicates read is set on purpose now and then, by the numbers in `facts`.
fn someone(number: usize, facts: &[(Attribute, usize)], odd: u8) -> ObjectBuilder {
    let address = format!("p{number}@contoso.example");
    let mut builder = match number % 5 {
        4 => contact(&address, "away@outside.example"),
        _ => person(&address),
    };
    for (attribute, pick) in facts {
        let text = value_text(*attribute, *pick);
        builder = builder.with(|object| {
            // Attributes that are computed and take no value are left out.
            let _ = object.attributes.set_text(*attribute, &text);
        });
    }
    if let Some(dn) = DNS.get(number).filter(|_| !odd.is_multiple_of(3)) {
        builder = builder.dn(dn);
    }
    match odd % 11 {
        0 => builder.alias(None),
        1 => builder.disabled(),
        2 => builder.kind(RecipientKind::RemoteUserMailbox),
        3 => builder.kind(RecipientKind::ArbitrationMailbox),
        4 => builder.name("SystemMailbox{1f05a927}"),
        5 => builder.with(|object| object.container = Some("contoso.example/Sales/North".into())),
        6 => builder.proxy("X500:/o=x/cn=p"),
        7 => builder.state(ObjectState::Deleted),
        _ => builder,
    }
}

fn groups() -> [ObjectBuilder; 4] {
    [
        group("team@contoso.example")
            .dn(DNS[3])
            .members(&["p0@contoso.example", "p2", "p5@contoso.example"])
            .owners(&[DNS[0]]),
        group("all@contoso.example")
            .dn(DNS[4])
            .members(&[DNS[3], "p1@contoso.example", "all@contoso.example"]),
        group("empty@contoso.example").alias(None),
        dynamic_group("dynamic@contoso.example", "Department -eq 'Sales'"),
    ]
}

fn people() -> impl Strategy<Value = Vec<(Vec<(Attribute, usize)>, u8)>> {
    let facts = prop::collection::vec((attribute(), any::<usize>()), 0..24);
    prop::collection::vec((facts, any::<u8>()), 1..14)
}

fn world(people: &[(Vec<(Attribute, usize)>, u8)], twist: usize) -> crate::directory::Directory {
    let people = people.iter().enumerate();
    // Half of the people share their facts with the one before, so that values repeat.
    let mut last: &[(Attribute, usize)] = &[];
    let mut objects: Vec<ObjectBuilder> = Vec::new();
    for (number, (facts, odd)) in people {
        if (number + twist).is_multiple_of(2) {
            last = facts;
        }
        objects.push(someone(number, last, *odd));
    }
    directory(groups().into_iter().chain(objects))
}

fn naive(directory: &crate::directory::Directory, rule: &CompiledRule, now: Timestamp) -> RoaringBitmap {
    let context = DirectMembers::for_rule(directory, rule, now);
    let found = directory
        .recipients()
        .filter(|(_, object): &(_, _)| rule.matches(object as &RecipientObject, &context));
    found.map(|(ordinal, _)| ordinal.0).collect()
}

fn compiled(predicate: Predicate, cloud: bool) -> Option<CompiledRule> {
    let comparison = if cloud {
        ComparisonProfile::Cloud
    } else {
        ComparisonProfile::ActiveDirectory
    };
    let options = EvaluationOptions {
        comparison,
        recursive_membership: true,
        ..EvaluationOptions::default()
    };
    CompiledRule::of_predicate(predicate, &options).ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn planned_evaluation_equals_naive_evaluation(
        people in people(),
        predicates in prop::collection::vec((predicate(), prop::bool::ANY), 1..12),
        threads in 1..3_usize,
    ) {
        let directory = world(&people, predicates.len());
        let rules: Vec<CompiledRule> =
            predicates.into_iter().filter_map(|(predicate, cloud)| compiled(predicate, cloud)).collect();
        let borrowed: Vec<&CompiledRule> = rules.iter().collect();
        let options = PlanOptions { now: now(), threads };
        let planned = evaluate_all(&directory, &borrowed, &options);
        for (rule, rows) in rules.iter().zip(planned) {
            let expected = naive(&directory, rule, now());
            prop_assert_eq!(&rows, &expected, "{}", rule.predicate());
            prop_assert_eq!(evaluate(&directory, rule, &options), expected);
            let description = describe(&directory, rule, &options);
            prop_assert_eq!(description.rows, rows.len(), "{}", description);
        }
    }

    #[test]
    fn nothing_changes_by_the_clock_before_the_next_change(
        people in people(),
        predicate in predicate(),
        attribute in prop::sample::select(vec![Attribute::WhenCreated, Attribute::EmployeeHireDate]),
        order in prop::sample::select(vec![Operator::Ge, Operator::Le, Operator::Lt, Operator::Gt, Operator::Eq]),
        days in -3..4_i32,
    ) {
        let people: Vec<_> = people
            .into_iter()
            .enumerate()
            .map(|(number, (mut facts, odd))| {
                facts.push((attribute, number));
                (facts, odd)
            })
            .collect();
        let directory = world(&people, 0);
        let timed = Predicate::Compare(Comparison {
            property: Property::Held(attribute),
            operator: order,
            literal: Literal::Now(DaysFromNow(days)),
        });
        let Some(rule) = compiled(Predicate::Or(vec![Predicate::And(vec![timed.clone(), predicate]), timed]), true)
        else {
            return Ok(());
        };
        let mut at = now();
        for _ in 0..40 {
            let rows = naive(&directory, &rule, at);
            let Some(next) = next_change(&directory, &rule, &PlanOptions::alone(at)) else {
                for years in 1..4 {
                    let later = at + jiff::SignedDuration::from_hours(years * 8_766);
                    prop_assert_eq!(naive(&directory, &rule, later), rows.clone());
                }
                return Ok(());
            };
            prop_assert!(next > at);
            let just_before = next - jiff::SignedDuration::from_nanos(1);
            prop_assert_eq!(naive(&directory, &rule, just_before), rows);
            at = next;
        }
    }
}

fn rule(filter: &str, container: Option<&str>) -> CompiledRule {
    let rule = DynamicRule {
        condition: RuleCondition::Custom {
            language: FilterLanguage::Opath,
            text: filter.into(),
        },
        recipient_container: container.map(Into::into),
        comparison: None,
        remote_mailboxes_match_user_mailbox: false,
    };
    CompiledRule::compile(&rule, &EvaluationOptions::default()).expect("a rule")
}

#[test]
fn containers_are_asked_as_one_by_one() {
    let facts: Vec<(Vec<(Attribute, usize)>, u8)> = (0..12_u8).map(|odd| (Vec::new(), odd + 4)).collect();
    let directory = world(&facts, 0);
    for container in [
        "DC=contoso,DC=example",
        "ou=SALES,dc=contoso,dc=example",
        "contoso.example/Sales/",
        "contoso.example/sales/north",
        "OU=ales,DC=contoso,DC=example",
        "CN=p0,OU=Sales,DC=contoso,DC=example",
        "contoso.example/groups/team",
        "",
    ] {
        for filter in ["Alias -like '*'", "-not (Department -eq 'x')", "Alias -like 'p*'"] {
            let rule = rule(filter, Some(container));
            let rows = evaluate(&directory, &rule, &PlanOptions::alone(now()));
            assert_eq!(rows, naive(&directory, &rule, now()), "{filter} in {container}");
        }
    }
}

#[test]
fn a_plan_shows_how_each_clause_is_served() {
    let offices = ["Berlin", "Bonn", "Berlin"];
    let people = offices.iter().enumerate().map(|(number, office)| {
        person(&format!("p{number}@contoso.example"))
            .office(office)
            .dn(&format!("CN=p{number},OU=Sales,DC=contoso,DC=example"))
    });
    let directory = directory(people);
    let rule = rule(
        "DisplayName -like '*1*' -or (Office -eq 'Berlin' -and -not (Alias -eq 'p0'))",
        Some("OU=Sales,DC=contoso,DC=example"),
    );
    let description = describe(&directory, &rule, &PlanOptions::alone(now()));
    assert_eq!((description.rows, description.candidates), (2, 3));
    let texts: Vec<(usize, &str, u64)> = description
        .lines
        .iter()
        .map(|line| (line.depth, line.text.as_str(), line.rows))
        .collect();
    assert_eq!(
        texts,
        [
            (0, "all of", 2),
            (1, "lies in ou=sales,dc=contoso,dc=example", 3),
            (1, "any of", 2),
            (2, "DisplayName -like '*1*'", 1),
            (2, "all of", 1),
            (3, "Office -eq 'Berlin'", 2),
            (3, "not", 2),
            (4, "Alias -eq 'p0'", 1),
        ]
    );
    assert!(description.to_string().contains("scan of 3 rows"), "{description}");
}
