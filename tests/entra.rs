//! Entra rules: what administrators wrote is read, refused or doubted as expected, and finds the right people.

use jiff::Timestamp;
use muster::directory::attribute::{Attribute, Property};
use muster::directory::filter::membership::DirectMembers;
use muster::directory::filter::{
    Comparison, CompiledRule, DaysFromNow, ElementComparison, ElementTest, EvaluationOptions, Field, Literal, Operator,
    Parsed, Predicate, Quantified, Quantifier, entra, opath,
};
use muster::directory::group::{ComparisonProfile, DynamicRule, FilterLanguage, RuleCondition};
use muster::directory::testing::{ObjectBuilder, contact, directory, group, person};
use muster::directory::{Directory, RecipientKind};
use proptest::prelude::*;

#[path = "tables/entra.rs"]
mod table;

use table::Expect;

const MANAGER: &str = "62e19b97-8b3d-4d4a-a106-4ce66896a863";
const EXCHANGE_2: &str = "efb87545-963c-4e0d-99df-69c6916d9eb0/exchange/Enabled";

fn user(name: &str) -> ObjectBuilder {
    person(&format!("{name}@contoso.com"))
        .display_name(name)
        .attribute(Attribute::UserPrincipalName, &format!("{name}@contoso.com"))
}

/// Eight users, and a contact and a group that no rule finds.
fn company() -> Directory {
    use Attribute as A;
    directory([
        user("anna")
            .id(MANAGER)
            .dn("CN=Anna,OU=Sales,DC=contoso,DC=com")
            .department("Sales")
            .attribute(A::Title, "SDE II")
            .attribute(A::C, "US")
            .attribute(A::UsageLocation, "US")
            .attribute(A::CustomAttribute15, "Marketing")
            .attribute(A::CustomAttribute3, "employee")
            .attribute(A::IsDirSynced, "True")
            .attribute(A::ObjectSid, "S-1-5-21-1-2-3-1101")
            .attribute(A::AssignedPlans, EXCHANGE_2),
        user("bert")
            .department("sales")
            .proxy("sip:bert@contoso.com")
            .attribute(A::UserPrincipalName, "A1C-bert@contoso.com")
            .attribute(A::Title, "5\" pipes")
            .attribute(A::C, "DE")
            .attribute(A::Manager, MANAGER)
            .attribute(A::CustomAttribute15, "x;OADV-xkong;y")
            .attribute(
                A::AssignedPlans,
                "e95bec33-7c88-4a70-8e19-b10bd9d0c014/SCO/Enabled\n\
                 eec0eb4f-6444-4f95-aba0-50c24d67f998/AADPremiumService/Enabled",
            ),
        user("carl")
            .display_name("David Müller")
            .department("Marketing")
            .proxy("smtp:contoso.carl@contoso.com")
            .attribute(A::Title, "Designer")
            .attribute(A::Co, "United States")
            .attribute(A::UserPrincipalName, "carl@contoso.onmicrosoft.com")
            .attribute(A::Manager, "CN=Anna,OU=Sales,DC=contoso,DC=com")
            .attribute(
                A::AssignedPlans,
                "efb87545-963c-4e0d-99df-69c6916d9eb0/exchange/Suspended\n4a82b400-a79f-41a4-b4e2-e94f5787b113/exchange/Enabled",
            ),
        user("dana")
            .display_name("O'Neill, Dana")
            .department("50001")
            .attribute(A::UserPrincipalName, "alias@domain.ext")
            .attribute(A::OtherMails, "dana@home.example;d@work.example"),
        user("ewa")
            .alias(Some("ewa-vendor"))
            .disabled()
            .attribute(A::Title, "Retired")
            .attribute(A::EmployeeHireDate, "2026-06-25T08:00:00Z")
            .attribute(
                A::ExtensionProperties,
                "extension_c272a57b722d4eb29bfe327874ae79cb_OfficeNumber=123",
            )
            .attribute(A::AssignedPlans, EXCHANGE_2),
        user("fumi")
            .department("小学部")
            .attribute(A::Title, "児童")
            .attribute(A::EmployeeHireDate, "2026-07-05T00:00:00Z"),
        person("guest@elsewhere.example")
            .kind(RecipientKind::GuestMailUser)
            .attribute(A::UserPrincipalName, "guest_elsewhere.example#EXT#@contoso.onmicrosoft.com"),
        user("room").kind(RecipientKind::RoomMailbox),
        contact("contact@contoso.com", "someone@outside.example").department("Sales"),
        group("team@contoso.com")
            .id("groupId")
            .members(&["dana@contoso.com", "contact@contoso.com"]),
    ])
}

fn now() -> Timestamp {
    "2026-07-01T12:00:00Z".parse().expect("a time")
}

fn rule_of(text: &str) -> DynamicRule {
    DynamicRule {
        condition: RuleCondition::Custom {
            language: FilterLanguage::Entra,
            text: text.into(),
        },
        recipient_container: None,
        comparison: None,
        remote_mailboxes_match_user_mailbox: false,
    }
}

fn compiled(text: &str, options: &EvaluationOptions) -> CompiledRule {
    CompiledRule::compile(&rule_of(text), options).unwrap_or_else(|fault| panic!("{text}: {fault}"))
}

fn members(directory: &Directory, rule: &CompiledRule, now: Timestamp) -> Vec<String> {
    let context = DirectMembers::for_rule(directory, rule, now);
    let found = directory.recipients().filter(|(_, object)| {
        let verdict = rule.matches(object, &context);
        assert_eq!(rule.explain(object, &context).verdict, verdict);
        verdict
    });
    found
        .map(|(_, object)| object.primary.local_part().to_owned())
        .collect()
}

#[test]
fn samples_are_accepted_doubted_or_refused_and_find_the_right_people() {
    let company = company();
    let mut differing = Vec::new();
    for (name, text, expect) in table::SAMPLES.iter().chain(table::RULES) {
        let parsed = entra::parse(text);
        let expected = match (expect, &parsed) {
            (Expect::Accept(members), Ok(parsed)) => {
                assert_eq!(parsed.warnings, [], "{name}");
                members
            }
            (Expect::Warn(words, members), Ok(parsed)) => {
                let said: Vec<String> = parsed.warnings.iter().map(ToString::to_string).collect();
                assert!(
                    said.iter().any(|each| each.contains(words)),
                    "{name}: {words:?} is not in {said:?}"
                );
                members
            }
            (Expect::Refuse(line, column, words), Err(error)) => {
                assert_eq!(
                    (error.place.line, error.place.column),
                    (*line, *column),
                    "{name}: {error}"
                );
                assert!(error.to_string().contains(words), "{name}: {error}");
                continue;
            }
            (Expect::Accept(_) | Expect::Warn(..), Err(error)) => panic!("{name}: {}", error.render()),
            (Expect::Refuse(..), Ok(parsed)) => panic!("{name} was read as {}", parsed.predicate),
        };
        let rule = compiled(text, &EvaluationOptions::default());
        let found = members(&company, &rule, now());
        if found != *expected {
            differing.push(format!("{name}: {found:?} instead of {expected:?}"));
        }
    }
    assert!(differing.is_empty(), "{differing:#?}");
}

#[test]
fn what_was_read_prints_back_as_the_same() {
    for (name, text, _) in table::SAMPLES.iter().chain(table::RULES) {
        let Ok(parsed) = entra::parse(text) else { continue };
        let printed = entra::print(&parsed.predicate).unwrap_or_else(|| panic!("{name} has no words"));
        let again = entra::parse(&printed).unwrap_or_else(|error| panic!("{name}: {}", error.render()));
        assert_eq!(again.predicate, parsed.predicate, "{name}: {printed}");
    }
}

#[test]
fn refusals_have_exact_places() {
    for (text, line, column, words) in table::REFUSED {
        let error = match entra::parse(text) {
            Ok(parsed) => panic!("{text} was read as {}", parsed.predicate),
            Err(error) => error,
        };
        assert_eq!(
            (error.place.line, error.place.column),
            (*line, *column),
            "{text}\n{}",
            error.render()
        );
        assert!(error.to_string().contains(words), "{text}\n{}", error.render());
    }
}

#[test]
fn each_language_knows_the_other() {
    let error = opath::parse(r#"(user.department -eq "Sales")"#).expect_err("refused");
    assert!(error.to_string().contains("Entra dynamic membership rule"), "{error}");
    let error = entra::parse("(RecipientType -eq 'UserMailbox')").expect_err("refused");
    assert_eq!(
        error.render(),
        "line 1, column 2: this is an OPATH filter of Exchange, not an Entra rule\n  \
         (RecipientType -eq 'UserMailbox')\n   ^^^^^^^^^^^^^"
    );
}

#[test]
fn the_clock_decides() {
    let company = company();
    let rule = compiled(
        "user.employeeHireDate -ge system.now -plus p1d",
        &EvaluationOptions::default(),
    );
    assert!(rule.depends_on_now());
    let fumi = "2026-07-05T00:00:00Z";
    let at = |text: &str| text.parse::<Timestamp>().expect("a time");
    // The last instant at which it holds is a day before the date itself.
    for (now, expected) in [
        ("2026-06-01T00:00:00Z", vec!["ewa", "fumi"]),
        ("2026-07-04T00:00:00Z", vec!["fumi"]),
        ("2026-07-04T00:00:00.000000001Z", vec![]),
    ] {
        assert_eq!(members(&company, &rule, at(now)), expected, "{now}");
    }
    let mut found = Vec::new();
    rule.node().each_test(&mut |test| {
        let value = muster::directory::value::ValueRef::Time(at(fumi));
        found.extend(test.next_change(&value, now()));
    });
    assert_eq!(found, [at("2026-07-04T00:00:00.000000001Z")]);
    assert!(!compiled("user.employeeHireDate -ge '2026-01-01'", &EvaluationOptions::default()).depends_on_now());
}

#[test]
fn entra_ignores_case_and_nothing_else_unless_the_group_says_so() {
    let company = company();
    let options = EvaluationOptions {
        comparison: ComparisonProfile::ActiveDirectory,
        ..EvaluationOptions::default()
    };
    let text = "user.displayName -eq 'david muller'";
    assert_eq!(members(&company, &compiled(text, &options), now()), [""; 0]);
    let mut stated = rule_of(text);
    stated.comparison = Some(ComparisonProfile::ActiveDirectory);
    let rule = CompiledRule::compile(&stated, &EvaluationOptions::default()).expect("a rule");
    assert_eq!(members(&company, &rule, now()), ["carl"]);
}

#[test]
fn a_long_rule_is_doubted_and_a_deep_or_wide_one_refused() {
    let clause = "(user.department -eq \"Sales\")";
    let long = vec![clause; 110].join(" -or ");
    let parsed = entra::parse(&long).expect("parses");
    assert!(
        parsed
            .warnings
            .iter()
            .any(|each| each.to_string().contains("3072 characters"))
    );
    let wide = vec!["user.city eq 'a'"; 2_001].join(" or ");
    let error = entra::parse(&wide).expect_err("refused").to_string();
    assert!(error.contains("more than 2000 comparisons"), "{error}");
    let deep = format!("{}{clause}{}", "(".repeat(128), ")".repeat(128));
    assert!(
        entra::parse(&deep)
            .expect_err("refused")
            .to_string()
            .contains("nest deeper")
    );
    let nots = format!("{}{clause}", "-not ".repeat(129));
    assert!(
        entra::parse(&nots)
            .expect_err("refused")
            .to_string()
            .contains("nest deeper")
    );
    let nows = format!(
        "user.employeeHireDate -ge {}system.now{}",
        "(".repeat(200),
        ")".repeat(200)
    );
    assert!(
        entra::parse(&nows)
            .expect_err("refused")
            .to_string()
            .contains("nest deeper")
    );
    let endless = "x".repeat(64 * 1024 + 1);
    assert!(
        entra::parse(&endless)
            .expect_err("refused")
            .to_string()
            .contains("octets")
    );
}

#[test]
fn the_deepest_rules_print_into_something_that_can_be_read() {
    let clause = "user.city -eq 'a'";
    let nots = format!("{}{clause}", "-not ".repeat(128));
    let mixed = (0..64).fold(clause.to_owned(), |inner, _| format!("-not({clause} -or {inner})"));
    let elements = (0..63).fold("_ -eq 'a'".to_owned(), |inner, _| {
        format!("not (_ -eq 'b' and {inner})")
    });
    for text in [nots, mixed, format!("user.otherMails -any ({elements})")] {
        let parsed = entra::parse(&text).unwrap_or_else(|error| panic!("{}", error.render()));
        let printed = entra::print(&parsed.predicate).expect("has words");
        let again = entra::parse(&printed).unwrap_or_else(|error| panic!("{}", error.render()));
        assert_eq!(again.predicate, parsed.predicate);
    }
}

fn text() -> impl Strategy<Value = Box<str>> {
    "[a-zA-Z0-9 äß'\"`*$@.,;\\[\\](){}\\\\-]{0,12}".prop_map(Into::into)
}

fn scalar() -> impl Strategy<Value = Predicate> {
    let properties = prop::sample::select(vec![
        Property::Held(Attribute::Department),
        Property::Held(Attribute::WindowsEmailAddress),
        Property::Held(Attribute::CountryOrRegion),
        Property::Held(Attribute::DistinguishedName),
        Property::Held(Attribute::ObjectId),
        Property::Extension("extension_c272a57b722d4eb29bfe327874ae79cb_Office".into()),
        Property::Device("deviceModel".into()),
    ]);
    let operators = prop::sample::select(vec![
        Operator::Eq,
        Operator::Ne,
        Operator::StartsWith,
        Operator::NotEndsWith,
        Operator::NotContains,
    ]);
    let one = (properties.clone(), operators, text())
        .prop_map(|(property, operator, text)| (property, operator, Literal::Text(text)));
    let list = (properties.clone(), prop::collection::vec(text(), 1..4))
        .prop_map(|(property, values)| (property, Operator::NotIn, Literal::List(values.into())));
    let none = properties.prop_map(|property| (property, Operator::Ne, Literal::Null));
    let date = (-400..400_i32).prop_map(|days| {
        let property = Property::Held(Attribute::EmployeeHireDate);
        (property, Operator::Ge, Literal::Now(DaysFromNow(days)))
    });
    let truth = any::<bool>().prop_map(|value| {
        let property = Property::Held(Attribute::AccountEnabled);
        (property, Operator::Eq, Literal::Boolean(value))
    });
    prop_oneof![4 => one, 2 => list, 1 => none, 1 => date, 1 => truth].prop_map(|(property, operator, literal)| {
        Predicate::Compare(Comparison {
            property,
            operator,
            literal,
        })
    })
}

fn elements(collection: Attribute) -> impl Strategy<Value = ElementTest> {
    let fields: Vec<Field> = Field::ALL.into_iter().filter(|field| field.is_of(collection)).collect();
    let leaf = (prop::sample::select(fields), text()).prop_map(|(field, text)| {
        ElementTest::Compare(ElementComparison {
            field,
            operator: Operator::Contains,
            literal: Literal::Text(text),
        })
    });
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(ElementTest::And),
            prop::collection::vec(inner.clone(), 2..4).prop_map(ElementTest::Or),
            inner.prop_map(|inner| ElementTest::Not(Box::new(inner))),
        ]
    })
}

fn quantified() -> impl Strategy<Value = Predicate> {
    let collections = vec![
        Attribute::OtherMails,
        Attribute::EmailAddresses,
        Attribute::AssignedPlans,
    ];
    (prop::sample::select(collections), any::<bool>())
        .prop_flat_map(|(collection, any)| (Just(collection), Just(any), elements(collection)))
        .prop_map(|(collection, any, inner)| {
            Predicate::Quantified(Box::new(Quantified {
                collection,
                quantifier: if any { Quantifier::Any } else { Quantifier::All },
                inner,
            }))
        })
}

fn predicate() -> impl Strategy<Value = Predicate> {
    prop_oneof![3 => scalar(), 1 => quantified()].prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..5).prop_map(Predicate::And),
            prop::collection::vec(inner.clone(), 2..5).prop_map(Predicate::Or),
            inner.prop_map(|inner| Predicate::Not(Box::new(inner))),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_printed_reads_back(predicate in predicate()) {
        let printed = entra::print(&predicate).expect("Entra has words for it");
        let again = entra::parse(&printed).unwrap_or_else(|error| panic!("{}", error.render()));
        prop_assert_eq!(again.predicate, predicate, "{}", printed);
    }

    #[test]
    fn no_text_breaks_the_parser(text in any::<String>()) {
        let _: Result<Parsed, _> = entra::parse(&text);
    }

    #[test]
    fn no_words_break_the_parser(words in prop::collection::vec(prop::sample::select(vec![
        "user.department", "user.assignedPlans", "user.employeeHireDate", "-eq", "eq", "–ne", "-in", "-match", "-any",
        "-all", "(", ")", "[", "]", ",", "'a'", "\"b`\"", "null", "true", "-not", "and", "-or", "system.now", "-plus",
        "p1d", "_", "assignedPlan.service", "Direct", "Reports", "for", "//", "\n", "device.x", "'(a'",
    ]), 0..24)) {
        if let Err(error) = entra::parse(&words.join(" ")) {
            prop_assert!(error.render().lines().count() >= 3);
        }
    }
}
