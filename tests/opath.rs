//! OPATH: what Exchange administrators wrote over twenty years is read, refused or doubted as expected.

use muster::directory::attribute::{Attribute, Property};
use muster::directory::filter::membership::DirectMembers;
use muster::directory::filter::precanned::{ConditionalCustomAttribute, IncludedRecipients, Precanned};
use muster::directory::filter::tail::{TailVersion, split};
use muster::directory::filter::{
    CompiledRule, EvaluationOptions, FilterError, FilterFault, Literal, NoMemberships, Operator, Predicate, RuleFault,
    parse,
};
use muster::directory::group::{ComparisonProfile, DynamicRule, FilterLanguage, RuleCondition};
use muster::directory::testing::{ObjectBuilder, contact, directory, group, person};
use muster::directory::{Directory, Found, ObjectState, Ordinal, RecipientKind};
use proptest::prelude::*;

#[path = "tables/opath.rs"]
mod table;

use table::Expect;

/// Documented properties that objects hold here.
const HELD: usize = 127;

fn rule_of(text: &str) -> DynamicRule {
    DynamicRule {
        condition: RuleCondition::Custom {
            language: FilterLanguage::Opath,
            text: text.into(),
        },
        recipient_container: None,
        comparison: None,
        remote_mailboxes_match_user_mailbox: false,
    }
}

fn compiled(text: &str) -> CompiledRule {
    CompiledRule::compile(&rule_of(text), &EvaluationOptions::default())
        .unwrap_or_else(|fault| panic!("{text}: {fault}"))
}

fn refused(text: &str) -> FilterError {
    match parse(text) {
        Ok(parsed) => panic!("{text} was read as {}", parsed.predicate),
        Err(error) => error,
    }
}

fn holds(text: &str, object: ObjectBuilder) -> bool {
    compiled(text).matches(&object.build(), &NoMemberships)
}

#[test]
fn every_text_is_accepted_doubted_or_refused() {
    for (name, text, expect) in table::TEXTS {
        let text = table::spelled_out(text);
        match (expect, parse(&text)) {
            (Expect::Accept, Ok(parsed)) => assert_eq!(parsed.warnings, [], "{name}"),
            (Expect::Warn(words), Ok(parsed)) => {
                let said: Vec<String> = parsed.warnings.iter().map(ToString::to_string).collect();
                for word in *words {
                    assert!(
                        said.iter().any(|each| each.contains(word)),
                        "{name}: {word:?} is not in {said:?}"
                    );
                }
            }
            (Expect::Refuse(line, column, words), Err(error)) => {
                assert_eq!(
                    (error.place.line, error.place.column),
                    (*line, *column),
                    "{name}: {error}"
                );
                assert!(error.to_string().contains(words), "{name}: {error}");
            }
            (Expect::Accept | Expect::Warn(_), Err(error)) => panic!("{name}: {}", error.render()),
            (Expect::Refuse(..), Ok(parsed)) => panic!("{name} was read as {}", parsed.predicate),
        }
    }
}

#[test]
fn what_was_read_prints_back_as_the_same() {
    for (name, text, _) in table::TEXTS {
        if let Ok(parsed) = parse(&table::spelled_out(text)) {
            let printed = parsed.predicate.to_string();
            let again = parse(&printed).unwrap_or_else(|error| panic!("{name}: {}", error.render()));
            assert_eq!(again.predicate, parsed.predicate, "{name}: {printed}");
        }
    }
}

fn lena() -> ObjectBuilder {
    person("lena@contoso.example")
        .dn("CN=Lena Meyer,OU=Sales,DC=contoso,DC=example")
        .display_name("Meyer, Lena")
        .proxy("smtp:l.meyer@contoso.example")
        .proxy("sip:lena@contoso.example")
        .department("Sales")
        .office("Zürich")
        .attribute(Attribute::ExtensionCustomAttribute1, "red;blue")
        .attribute(Attribute::Manager, "CN=Boss,OU=Sales,DC=contoso,DC=example")
        .attribute(Attribute::C, "US")
        .attribute(Attribute::UsageLocation, "DE")
        .attribute(Attribute::WhenCreated, "2017-08-01T14:00:01Z")
        .attribute(Attribute::ExchangeVersion, "44220983382016")
        .attribute(
            Attribute::ExternalDirectoryObjectId,
            "45ad6645-57a8-4fef-ad2f-ac5bd3de7d7c",
        )
        .max_receive_size(25 << 20)
}

fn company() -> Directory {
    directory([
        lena(),
        group("sales@contoso.example")
            .dn("CN=All Sales,OU=Groups,DC=contoso,DC=example")
            .members(&["lena@contoso.example"]),
        group("all@contoso.example")
            .dn("CN=Everybody,OU=Groups,DC=contoso,DC=example")
            .members(&["sales@contoso.example"]),
    ])
}

fn first(directory: &Directory) -> Found<'_> {
    directory.recipient(Ordinal(0)).expect("the first object")
}

#[test]
fn truths_about_lena() {
    let company = company();
    for (text, expected, about) in table::TRUTHS {
        let rule = compiled(text);
        let context = DirectMembers::for_rule(&company, &rule, jiff::Timestamp::UNIX_EPOCH);
        assert_eq!(rule.matches(&first(&company), &context), *expected, "{about}: {text}");
        let explanation = rule.explain(&first(&company), &context);
        assert_eq!(explanation.verdict, *expected, "{about}: {text}");
    }
}

#[test]
fn accents_and_width_fold_on_premises_only() {
    let options = EvaluationOptions {
        comparison: ComparisonProfile::ActiveDirectory,
        ..Default::default()
    };
    let zurich = person("z@x.example").office("Zürich").build();
    for (text, on_premises) in [
        ("Office -eq 'Zurich'", true),
        ("Office -like 'ZUR*'", true),
        ("Office -eq 'Zug'", false),
    ] {
        let rule = CompiledRule::compile(&rule_of(text), &options).expect("a rule");
        assert_eq!(rule.matches(&zurich, &NoMemberships), on_premises, "{text}");
        assert!(!compiled(text).matches(&zurich, &NoMemberships), "{text}");
    }
    // What the group states wins over the service.
    let mut stated = rule_of("Office -eq 'Zurich'");
    stated.comparison = Some(ComparisonProfile::Cloud);
    assert!(
        !CompiledRule::compile(&stated, &options)
            .expect("a rule")
            .matches(&zurich, &NoMemberships)
    );
}

#[test]
fn kinds_answer_as_exchange_says() {
    let room = || {
        person("room@x.example")
            .kind(RecipientKind::RoomMailbox)
            .attribute(Attribute::ResourceCapacity, "20")
    };
    let moved = || {
        person("moved@x.example")
            .kind(RecipientKind::RemoteUserMailbox)
            .target("moved@cloud.example")
    };
    for (text, object, expected) in [
        ("RecipientType -eq 'UserMailbox'", moved(), false),
        ("RecipientType -eq 'MailUser'", moved(), true),
        ("ExternalEmailAddress -eq 'SMTP:moved@cloud.example'", moved(), true),
        ("ExternalEmailAddress -eq 'moved@cloud.example'", moved(), true),
        ("ExternalEmailAddress -like '@cloud*'", moved(), false),
        (
            "ResourceMetaData -like 'ResourceType:*' -and ResourceSearchProperties -ne $null",
            room(),
            true,
        ),
        ("ResourceType -eq 'Room' -and ResourceCapacity -ge 20", room(), true),
        ("UserAccountControl -eq 514", room(), true),
        ("UserAccountControl -eq 514", person("off@x.example").disabled(), true),
        ("ObjectClass -eq 'Contact'", contact("c@x.example", "c@o.example"), true),
        ("GroupType -eq 'Universal'", group("g@x.example"), true),
        (
            "ManagedBy -eq 'CN=Boss,DC=x'",
            group("g@x.example").owners(&["cn=boss, dc=X"]),
            true,
        ),
        ("ManagedBy -ne $null", group("g@x.example"), false),
        (
            "RequireSenderAuthenticationEnabled -eq $true",
            group("g@x.example").internal_only(),
            true,
        ),
    ] {
        assert_eq!(holds(text, object), expected, "{text}");
    }
}

#[test]
fn some_objects_are_never_members() {
    let all = "Alias -ne $null -or Alias -eq $null";
    for (object, about) in [
        (person("a@x.example").alias(None), "no alias"),
        (person("a@x.example").state(ObjectState::Deleted), "deleted"),
        (
            person("a@x.example").name("SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}"),
            "system mailbox by name",
        ),
        (person("a@x.example").name("HealthMailbox0a1b2c"), "health mailbox"),
        (
            person("a@x.example").kind(RecipientKind::ArbitrationMailbox),
            "system mailbox by kind",
        ),
        (
            person("a@x.example").kind(RecipientKind::PublicFolderMailbox),
            "public folder mailbox",
        ),
    ] {
        assert!(!holds(all, object), "{about}");
    }
    for (object, about) in [
        (person("a@x.example").disabled(), "disabled accounts stay members"),
        (
            person("a@x.example").attribute(Attribute::HiddenFromAddressListsEnabled, "True"),
            "hidden ones too",
        ),
        (person("a@x.example").kind(RecipientKind::RoomMailbox), "rooms too"),
        (group("g@x.example"), "groups too"),
    ] {
        assert!(holds(all, object), "{about}");
    }
}

#[test]
fn the_container_is_a_subtree() {
    let here = |place: &str| person("a@x.example").dn(place);
    for (container, object, expected) in [
        (
            "OU=Sales,DC=contoso,DC=example",
            here("CN=A,OU=Sales,DC=contoso,DC=example"),
            true,
        ),
        (
            "OU=Sales,DC=contoso,DC=example",
            here("CN=A,OU=East,OU=Sales,DC=contoso,DC=example"),
            true,
        ),
        (
            "OU=Sales,DC=contoso,DC=example",
            here("CN=A,OU=Users,DC=contoso,DC=example"),
            false,
        ),
        (
            "DC=contoso,DC=example",
            here("CN=A,OU=Users,DC=contoso,DC=example"),
            true,
        ),
        (
            "contoso.example/Sales",
            here("CN=A,OU=Sales,DC=contoso,DC=example"),
            true,
        ),
        (
            "contoso.example/Sal",
            here("CN=A,OU=Sales,DC=contoso,DC=example"),
            false,
        ),
        ("contoso.example/Sales", person("a@x.example"), false),
        (
            "contoso.example",
            person("a@x.example").with(|o| o.container = Some("contoso.example/Sales".into())),
            true,
        ),
        (" ", person("a@x.example"), true),
    ] {
        let mut rule = rule_of("Alias -ne $null");
        rule.recipient_container = Some(container.into());
        let rule = CompiledRule::compile(&rule, &EvaluationOptions::default()).expect("a rule");
        let object = object.build();
        assert_eq!(
            rule.matches(&object, &NoMemberships),
            expected,
            "{container} {:?}",
            object.distinguished_name
        );
    }
}

#[test]
fn a_property_we_do_not_hold_is_named_and_never_false() {
    let fault = CompiledRule::compile(
        &rule_of("Department -eq 'Sales' -or ThrottlingPolicy -ne $null -or UMEnabled -eq $true"),
        &EvaluationOptions::default(),
    );
    assert_eq!(
        fault,
        Err(RuleFault::CannotEvaluate {
            properties: vec!["ThrottlingPolicy", "UMEnabled"]
        })
    );
}

#[test]
fn the_deepest_texts_print_into_something_that_can_be_read() {
    let nots = format!("{}Alias -eq 'a'", "!".repeat(128));
    let opens = |depth: usize| format!("{}Alias -eq 'a'{}", "(".repeat(depth), ")".repeat(depth));
    // Each level says something: a negation over parentheses, and every second list within another kind of list.
    let mixed = (0..64).fold("Alias -eq 'a'".to_owned(), |inner, _| {
        format!("-not(Alias -eq 'b' -or {inner})")
    });
    let lists = (0..128).fold("Alias -eq 'a'".to_owned(), |inner, _| {
        format!("Alias -eq 'b' -and ({inner})")
    });
    for text in [nots, opens(128), mixed, lists] {
        let parsed = parse(&text).unwrap_or_else(|error| panic!("{}", error.render()));
        let printed = parsed.predicate.to_string();
        let again = parse(&printed).unwrap_or_else(|error| panic!("{}", error.render()));
        assert_eq!(again.predicate, parsed.predicate);
    }
}

#[test]
fn every_documented_property_is_evaluated_or_named() {
    use muster::directory::documented::DOCUMENTED;
    let mut held = 0;
    for row in DOCUMENTED {
        let rule = rule_of(&format!("{} -ne $null", row.name));
        match CompiledRule::compile(&rule, &EvaluationOptions::default()) {
            Ok(rule) => {
                assert_eq!(rule.attributes().len(), 1, "{}", row.name);
                held += 1;
            }
            Err(RuleFault::CannotEvaluate { properties }) => assert_eq!(properties, [row.name]),
            Err(fault) => panic!("{}: {fault}", row.name),
        }
    }
    // The minimum set of real filters and everything the object model has besides.
    assert_eq!((held, DOCUMENTED.len() - held), (HELD, 274 - HELD));
}

#[test]
fn membership_over_nested_groups_is_an_extension() {
    let company = company();
    let rule = rule_of("MemberOfGroupRecursive -eq 'CN=Everybody,OU=Groups,DC=contoso,DC=example'");
    let off = CompiledRule::compile(&rule, &EvaluationOptions::default());
    assert_eq!(off, Err(RuleFault::SwitchedOff("MemberOfGroupRecursive")));
    let options = EvaluationOptions {
        recursive_membership: true,
        ..EvaluationOptions::default()
    };
    let rule = CompiledRule::compile(&rule, &options).expect("a rule");
    assert!(
        rule.warnings()
            .iter()
            .any(|each| each.to_string().contains("Exchange has no property"))
    );
    let context = DirectMembers::for_rule(&company, &rule, jiff::Timestamp::UNIX_EPOCH);
    // Lena is a member of a member; everybody holds the group of sales directly.
    let found: Vec<u32> = company
        .recipients()
        .filter(|(_, object)| rule.matches(object, &context))
        .map(|(ordinal, _)| ordinal.0)
        .collect();
    assert_eq!(found, [0, 1]);
    let direct = compiled("MemberOfGroup -eq 'CN=Everybody,OU=Groups,DC=contoso,DC=example'");
    let context = DirectMembers::for_rule(&company, &direct, jiff::Timestamp::UNIX_EPOCH);
    assert!(!direct.matches(&first(&company), &context));
}

#[test]
fn precanned_rules_have_the_texts_exchange_stores() {
    let all = Precanned {
        included: vec![IncludedRecipients::AllRecipients],
        ..Default::default()
    };
    let stored = "(((RecipientType -eq 'UserMailbox') -or (RecipientType -eq 'MailContact') -or (RecipientType -eq \
'MailUser') -or (((RecipientType -eq 'MailUniversalDistributionGroup') -or (RecipientType -eq \
'MailUniversalSecurityGroup') -or (RecipientType -eq 'MailNonUniversalGroup') -or (RecipientType -eq \
'DynamicDistributionGroup'))) -or (((RecipientType -eq 'UserMailbox') -and (ResourceMetaData -like \
'ResourceType:*') -and (ResourceSearchProperties -ne $null)))))";
    assert_eq!(all.text(), stored);
    let finance = Precanned {
        included: vec![IncludedRecipients::MailboxUsers],
        department: vec!["Finance".into()],
        ..Default::default()
    };
    assert_eq!(
        finance.text(),
        "((Department -eq 'Finance') -and (((RecipientType -eq 'UserMailbox'))))"
    );
    let several = Precanned {
        included: vec![IncludedRecipients::MailUsers, IncludedRecipients::MailGroups],
        company: vec!["O'Neill".into(), "Contoso".into()],
        custom_attributes: vec![ConditionalCustomAttribute {
            number: 7,
            values: vec!["x".into()],
        }],
        ..Default::default()
    };
    let parsed = parse(&several.text()).expect("its own text");
    assert_eq!(parsed.warnings, []);
    let rule = DynamicRule {
        condition: RuleCondition::Precanned(several),
        recipient_container: None,
        comparison: None,
        remote_mailboxes_match_user_mailbox: false,
    };
    let rule = CompiledRule::compile(&rule, &EvaluationOptions::default()).expect("a rule");
    let member = || {
        group("g@x.example")
            .company("o'neill")
            .attribute(Attribute::CustomAttribute7, "X")
    };
    assert!(rule.matches(&member().build(), &NoMemberships));
    assert!(!rule.matches(&member().company("Other").build(), &NoMemberships));
    assert!(!rule.matches(&member().kind(RecipientKind::MailContact).build(), &NoMemberships));
}

#[test]
fn a_precanned_rule_is_never_widened() {
    let compile = |precanned| {
        let rule = DynamicRule {
            condition: RuleCondition::Precanned(precanned),
            recipient_container: None,
            comparison: None,
            remote_mailboxes_match_user_mailbox: false,
        };
        CompiledRule::compile(&rule, &EvaluationOptions::default())
    };
    let nobody = Precanned {
        department: vec!["Finance".into()],
        ..Default::default()
    };
    assert_eq!(compile(nobody), Err(RuleFault::NothingIncluded));
    let wrong = Precanned {
        included: vec![IncludedRecipients::AllRecipients],
        custom_attributes: vec![ConditionalCustomAttribute {
            number: 16,
            values: vec!["x".into()],
        }],
        ..Default::default()
    };
    assert!(matches!(compile(wrong), Err(RuleFault::Filter(_))));
}

#[test]
fn tails_come_off() {
    let core = parse("((Department -eq 'Finance') -and (RecipientType -eq 'UserMailbox'))")
        .expect("a filter")
        .predicate;
    for (text, versions) in [
        (
            "(((Department -eq 'Finance') -and (RecipientType -eq 'UserMailbox')) …T2010)",
            vec![TailVersion::Exchange2010],
        ),
        (
            "(((Department -eq 'Finance') -and (RecipientType -eq 'UserMailbox')) …T2013)",
            vec![TailVersion::Exchange2013],
        ),
        (
            "(((Department -eq 'Finance') -and (RecipientType -eq 'UserMailbox')) …TEXO)",
            vec![TailVersion::Online],
        ),
        (
            "((((((Department -eq 'Finance') -and (RecipientType -eq 'UserMailbox')) …T2010)) …T2013) …TEXO \
             -and (-not(RecipientTypeDetailsValue -eq 'GuestMailUser')))",
            vec![
                TailVersion::OnlineWithoutGuests,
                TailVersion::Exchange2013,
                TailVersion::Exchange2010,
            ],
        ),
        (
            "(Department -eq 'Finance') -and (RecipientType -eq 'UserMailbox') …T2010",
            vec![TailVersion::Exchange2010],
        ),
        (
            "((Department -eq 'Finance') -and (RecipientType -eq 'UserMailbox'))",
            vec![],
        ),
    ] {
        let parsed = parse(&table::spelled_out(text)).expect("a filter");
        let split = split(&parsed.predicate);
        assert_eq!(split.core, core, "{text}");
        assert_eq!(split.tails, versions, "{text}");
    }
}

#[test]
fn an_explanation_shows_every_clause_with_its_value() {
    let rule = compiled("(RecipientTypeDetails -eq 'UserMailbox') -and -not(Office -eq 'Zürich') -and Company -eq 'X'");
    let shown = rule.explain(&lena().build(), &NoMemberships).to_string();
    assert_eq!(
        shown,
        "yes is not deleted\n\
         yes has an alias\n\
         yes is no system mailbox\n\
         yes lies in the container\n\
         no  all of\n\
         yes   RecipientTypeDetails -eq 'UserMailbox'    stored: UserMailbox\n\
         no    not\n\
         yes     Office -eq 'Zürich'    stored: Zürich\n\
         no    Company -eq 'X'    stored: (none)\n\
         not a member"
    );
}

#[test]
fn an_error_points_at_its_place() {
    let error = refused("(Department -eq 'Sales') -and (CompanyName -eq 'Contoso')");
    assert_eq!(
        error.render(),
        "line 1, column 32: unknown property CompanyName; did you mean Company?\n  \
         (Department -eq 'Sales') -and (CompanyName -eq 'Contoso')\n                                 ^^^^^^^^^^^"
    );
    // A long line is cut around the place.
    let long = format!(
        "{} -and Nonsense -eq 'x'",
        vec!["(Department -eq 'Sales')"; 50].join(" -and ")
    );
    assert!(refused(&long).render().lines().all(|line| line.chars().count() < 120));
}

#[test]
fn work_is_bounded() {
    let deep = format!("{}Alias -eq 'a'{}", "(".repeat(100_000), ")".repeat(100_000));
    assert!(matches!(refused(&deep).fault, FilterFault::TooLong { .. }));
    let deep = format!("{}Alias -eq 'a'{}", "(".repeat(500), ")".repeat(500));
    assert_eq!(refused(&deep).fault, FilterFault::TooDeep);
    assert_eq!(
        refused(&format!("{}Alias -eq 'a'", "-not ".repeat(500))).fault,
        FilterFault::TooDeep
    );
    assert_eq!(refused(&"!".repeat(5_000)).fault, FilterFault::TooDeep);
    assert!(parse(&format!("{}Alias -eq 'a'{}", "(".repeat(100), ")".repeat(100))).is_ok());
    let wide = vec!["C -eq 'a'"; 3_000].join(" -or ");
    assert_eq!(refused(&wide).fault, FilterFault::TooManyComparisons);
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[A-Za-z0-9 .,;'\"*$@-]{1,12}",
        1 => "[äöüßéカ日#`(){}!]{1,6}",
    ]
}

fn any_comparison() -> impl Strategy<Value = Predicate> {
    let texts = prop::sample::select(vec![
        Attribute::Department,
        Attribute::Office,
        Attribute::EmailAddresses,
        Attribute::ExtensionCustomAttribute5,
        Attribute::MemberOfGroup,
    ]);
    let operators = prop::sample::select(vec![Operator::Eq, Operator::Ne, Operator::Like, Operator::NotLike]);
    let literals = prop_oneof![
        6 => any_text().prop_map(|text| Literal::Text(text.into())),
        1 => Just(Literal::Null),
        1 => any::<bool>().prop_map(Literal::Boolean),
        1 => any::<i32>().prop_map(|number| Literal::Number(number.to_string().into())),
    ];
    (texts, operators, literals).prop_map(|(attribute, operator, literal)| {
        Predicate::Compare(muster::directory::filter::Comparison {
            property: Property::Held(attribute),
            operator,
            literal,
        })
    })
}

fn any_predicate() -> impl Strategy<Value = Predicate> {
    any_comparison().prop_recursive(6, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Predicate::And),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Predicate::Or),
            inner.prop_map(|each| Predicate::Not(Box::new(each))),
        ]
    })
}

proptest! {
    #[test]
    fn printing_loses_nothing(predicate in any_predicate()) {
        let printed = predicate.to_string();
        let parsed = parse(&printed).map_err(|error| TestCaseError::fail(error.render()))?;
        prop_assert_eq!(parsed.predicate, predicate);
    }

    #[test]
    fn no_text_breaks_the_parser(text in "[A-Za-z0-9 ()'\"*{}!$`.–‘=&|\\n-]{0,80}") {
        match parse(&text) {
            Ok(parsed) => prop_assert!(parse(&parsed.predicate.to_string()).is_ok()),
            Err(error) => prop_assert!(!error.render().is_empty()),
        }
    }

    #[test]
    fn a_negative_is_the_opposite(predicate in any_predicate()) {
        let object = lena().build();
        let options = EvaluationOptions::default();
        let yes = CompiledRule::of_predicate(predicate.clone(), &options).expect("held properties");
        let no = CompiledRule::of_predicate(Predicate::Not(Box::new(predicate)), &options).expect("held properties");
        prop_assert_ne!(yes.matches(&object, &NoMemberships), no.matches(&object, &NoMemberships));
    }
}
