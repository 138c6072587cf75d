//! LDAP: what directories and administrators wrote is read, refused or doubted as expected, and prints back.

use jiff::Timestamp;
use muster::directory::attribute::Attribute;
use muster::directory::filter::membership::DirectMembers;
use muster::directory::filter::tail::{TailVersion, split};
use muster::directory::filter::{CompiledRule, EvaluationOptions, FilterFault, RuleFault, ldap, parse};
use muster::directory::group::{DynamicRule, FilterLanguage, RuleCondition};
use muster::directory::testing::{ObjectBuilder, contact, directory, dynamic_group, group, person};
use muster::directory::{Directory, RecipientKind};
use proptest::prelude::*;

#[path = "tables/ldap.rs"]
mod table;

use table::Expect;

fn rule_of(language: FilterLanguage, text: &str) -> DynamicRule {
    DynamicRule {
        condition: RuleCondition::Custom {
            language,
            text: text.into(),
        },
        recipient_container: None,
        comparison: None,
        remote_mailboxes_match_user_mailbox: false,
    }
}

fn compiled(language: FilterLanguage, text: &str) -> CompiledRule {
    CompiledRule::compile(&rule_of(language, text), &EvaluationOptions::default())
        .unwrap_or_else(|fault| panic!("{text}: {fault}"))
}

/// Names of the objects a filter finds, in the order of the fixture.
fn found(directory: &Directory, language: FilterLanguage, text: &str) -> Vec<String> {
    let rule = compiled(language, text);
    let context = DirectMembers::for_rule(directory, &rule, Timestamp::UNIX_EPOCH);
    directory
        .recipients()
        .filter(|(_, object)| rule.matches(object, &context))
        .map(|(_, object)| object.alias.as_deref().unwrap_or("").to_owned())
        .collect()
}

fn fixture() -> Directory {
    let named = |builder: ObjectBuilder, name: &str| builder.dn(&format!("CN={name},OU=People,DC=contoso,DC=com"));
    let french = |builder: ObjectBuilder| {
        builder
            .company("Diptyque")
            .attribute(Attribute::StateOrProvince, "France")
    };
    directory([
        french(named(person("anna@x.example"), "Anna"))
            .department("Computers")
            .office("MOA")
            .proxy("sip:chat@x.example")
            .display_name("Anna Arnold")
            .attribute(Attribute::LastName, "Arnold")
            .attribute(Attribute::City, "Zürich")
            .attribute(Attribute::Guid, "45ad6645-57a8-4fef-ad2f-ac5bd3de7d7c")
            .attribute(Attribute::WhenCreated, "2019-06-15T12:00:00Z"),
        french(named(person("bert@x.example"), "Bert"))
            .kind(RecipientKind::RemoteUserMailbox)
            .target("bert@cloud.example")
            .department("Computers")
            .office("MOA"),
        named(person("carl@x.example"), "Carl")
            .department("Finance")
            .display_name("Carl (Finance)")
            .attribute(Attribute::WhenCreated, "2021-01-01T00:00:00Z")
            .disabled(),
        named(person("dora@x.example"), "Dora")
            .department("Finance")
            .display_name("*Dora*")
            .attribute(Attribute::HiddenFromAddressListsEnabled, "True")
            .attribute(Attribute::ProtocolSettings, "HTTP§0§1§§§§§§"),
        named(contact("emil@x.example", "emil@outside.example"), "Emil")
            .department("Computers")
            .office("MOA"),
        french(named(person("gina@x.example"), "Gina")).kind(RecipientKind::GuestMailUser),
        group("list@x.example")
            .dn("CN=SomeGroup,CN=Users,DC=contoso,DC=com")
            .members(&["anna@x.example", "emil@x.example"])
            .max_receive_size(20 << 20),
        group("safe@x.example")
            .kind(RecipientKind::MailUniversalSecurityGroup)
            .dn("CN=Everybody,CN=Users,DC=contoso,DC=com")
            .members(&["list@x.example"]),
        dynamic_group("dyn@x.example", "Alias -ne $null").dn("CN=Dynamic,CN=Users,DC=contoso,DC=com"),
        named(person("fold@x.example"), "Folder").kind(RecipientKind::PublicFolder),
        named(person("room@x.example"), "Room").kind(RecipientKind::RoomMailbox),
    ])
}

#[test]
fn every_text_finds_whom_it_should_or_is_refused() {
    let directory = fixture();
    for (name, text, expect) in table::TEXTS {
        match (expect, ldap::parse(text)) {
            (Expect::Finds(wanted), Ok(parsed)) => {
                assert_eq!(parsed.warnings, [], "{name}");
                assert_eq!(found(&directory, FilterLanguage::Ldap, text), *wanted, "{name}");
            }
            (Expect::Doubts(wanted, words), Ok(parsed)) => {
                let said: Vec<String> = parsed.warnings.iter().map(ToString::to_string).collect();
                assert!(said.iter().any(|each| each.contains(words)), "{name}: {said:?}");
                assert_eq!(found(&directory, FilterLanguage::Ldap, text), *wanted, "{name}");
            }
            (Expect::Refuse(line, column, words), Err(error)) => {
                assert_eq!(
                    (error.place.line, error.place.column),
                    (*line, *column),
                    "{name}: {error}"
                );
                assert!(error.to_string().contains(words), "{name}: {error}");
            }
            (Expect::Finds(_) | Expect::Doubts(..), Err(error)) => panic!("{name}: {}", error.render()),
            (Expect::Refuse(..), Ok(parsed)) => panic!("{name} was read as {}", parsed.predicate),
        }
    }
}

#[test]
fn what_was_read_prints_back_as_the_same() {
    for (name, text, _) in table::TEXTS {
        if let Ok(parsed) = ldap::parse(text) {
            let printed = ldap::print(&parsed.predicate, &jiff::tz::TimeZone::UTC)
                .unwrap_or_else(|faults| panic!("{name}: {faults:?}"));
            let again = ldap::parse(&printed).unwrap_or_else(|error| panic!("{name}: {}", error.render()));
            assert_eq!(again.predicate, parsed.predicate, "{name}: {printed}");
        }
    }
}

#[test]
fn an_attribute_we_do_not_hold_is_named_and_never_missing() {
    for (text, name) in table::NOT_HELD {
        let parsed = ldap::parse(text).expect("known to directories");
        assert!(
            parsed.warnings.iter().any(|warning| warning.to_string().contains(name)),
            "{text}"
        );
        let fault = CompiledRule::compile(&rule_of(FilterLanguage::Ldap, text), &EvaluationOptions::default());
        assert_eq!(
            fault,
            Err(RuleFault::CannotEvaluate { properties: vec![name] }),
            "{text}"
        );
        let printed = ldap::print(&parsed.predicate, &jiff::tz::TimeZone::UTC).expect("its own language");
        assert_eq!(
            ldap::parse(&printed).map(|again| again.predicate),
            Ok(parsed.predicate),
            "{text}"
        );
    }
}

/// Exchange stores these side by side for one group.
#[test]
fn stored_pairs_mean_the_same() {
    let pairs = [
        (
            "L3",
            "((((RecipientType -eq 'UserMailbox') -and (Department -eq 'Computers'))) -and (-not(Name -like \
             'SystemMailbox{*')) -and (-not(Name -like 'CAS_{*')) -and (-not(RecipientTypeDetailsValue -eq \
             'MailboxPlan')) -and (-not(RecipientTypeDetailsValue -eq 'DiscoveryMailbox')) -and \
             (-not(RecipientTypeDetailsValue -eq 'ArbitrationMailbox')))",
        ),
        (
            "L4",
            "((RecipientTypeDetailsValue -eq 'PublicFolderMailbox') -and (IsHierarchyReady -eq 'True'))",
        ),
    ];
    let ready = |name: &str| person(&format!("{name}@x.example")).kind(RecipientKind::PublicFolderMailbox);
    let everybody = RecipientKind::ALL.iter().enumerate().flat_map(|(number, kind)| {
        let of_kind = |name: &str| person(&format!("{name}{number}@x.example")).kind(*kind);
        [
            of_kind("a").department("Computers"),
            of_kind("b").department("Other"),
            of_kind("c"),
        ]
    });
    let directory = directory(everybody.chain([
        ready("ready"),
        ready("not").attribute(Attribute::IsHierarchyReady, "False"),
        ready("flags").attribute(Attribute::ProvisioningFlags, "524289"),
        ready("other").attribute(Attribute::ProvisioningFlags, "1"),
    ]));
    for (name, opath) in pairs {
        let (_, text, _) = table::TEXTS.iter().find(|row| row.0 == name).expect("a row");
        let (ldap, opath) = (
            compiled(FilterLanguage::Ldap, text),
            compiled(FilterLanguage::Opath, opath),
        );
        let mut members = 0;
        for (_, object) in directory.recipients() {
            let context = muster::directory::filter::NoMemberships;
            // Public folder mailboxes are never members; the filters themselves must agree about them.
            let verdicts = (
                ldap.node().holds(&object, &context),
                opath.node().holds(&object, &context),
            );
            assert_eq!(verdicts.0, verdicts.1, "{name} {:?}", object.kind);
            members += u32::from(verdicts.0);
        }
        assert!(members > 0, "{name} finds somebody");
    }
}

#[test]
fn tails_come_off_in_this_language_too() {
    let core = |text: &str| ldap::parse(text).expect("a filter").predicate;
    for (name, tails, rest) in [
        (
            "L1",
            vec![TailVersion::OnlineWithoutGuests],
            "(&(company=Diptyque)(st=France)(!(!(objectClass=user)))(objectCategory=person)(mailNickname=*)\
             (msExchHomeServerName=*))",
        ),
        (
            "L2",
            vec![TailVersion::Exchange2010],
            "(physicalDeliveryOfficeName=MOA)",
        ),
        (
            "L3",
            vec![TailVersion::Exchange2010],
            "(&(objectClass=user)(objectCategory=person)(mailNickname=*)(msExchHomeServerName=*)\
             (department=Computers))",
        ),
        (
            "L11",
            vec![],
            "(&(objectCategory=person)(objectClass=user)(!(userAccountControl:1.2.840.113556.1.4.803:=2)))",
        ),
    ] {
        let (_, text, _) = table::TEXTS.iter().find(|row| row.0 == name).expect("a row");
        let split = split(&core(text));
        assert_eq!(split.tails, tails, "{name}");
        assert_eq!(split.core, core(rest), "{name}");
    }
}

#[test]
fn work_is_bounded() {
    let fault = |text: &str| ldap::parse(text).expect_err("refused").fault;
    let deep = |depth: usize| format!("{}(cn=a){}", "(!".repeat(depth), ")".repeat(depth));
    assert_eq!(fault(&deep(500)), FilterFault::TooDeep);
    assert!(matches!(fault(&deep(50_000)), FilterFault::TooLong { .. }));
    let wide = |count: usize| format!("(|{})", "(cn=a)".repeat(count));
    assert_eq!(fault(&wide(2_001)), FilterFault::TooManyComparisons);
    assert!(ldap::parse(&wide(2_000)).is_ok());
    assert!(ldap::parse(&deep(100)).is_ok());
}

#[test]
fn an_error_points_at_its_place() {
    let error = ldap::parse("(&(objectClass=user)(Office=Berlin))").expect_err("Exchange's name");
    assert_eq!(
        error.render(),
        "line 1, column 22: unknown property Office; did you mean physicalDeliveryOfficeName?\n  \
         (&(objectClass=user)(Office=Berlin))\n                       ^^^^^^"
    );
}

proptest! {
    #[test]
    fn no_text_is_too_strange(text in "[\\PC\\n]{0,80}") {
        let _ = ldap::parse(&text);
    }

    /// Texts that look like filters go deeper into the parser.
    #[test]
    fn no_mutilated_filter_is_too_strange(
        words in proptest::collection::vec(
            prop_oneof![
                Just("("), Just(")"), Just("&"), Just("|"), Just("!"), Just("="), Just(">="), Just("<="), Just("~="),
                Just(":="), Just("*"), Just("\\"), Just("\\28"), Just("\\c3"), Just("cn"), Just("objectGUID"),
                Just("memberOf"), Just(":1.2.840.113556.1.4.803:="), Just("userAccountControl"), Just("whenCreated"),
                Just("20200101000000.0Z"), Just("8"), Just("TRUE"), Just("ü"), Just(" "),
                Just("(cn=a)"), Just("(&"), Just("(!(")
            ],
            0..24,
        )
    ) {
        let text = words.concat();
        if let Ok(parsed) = ldap::parse(&text) {
            let printed = ldap::print(&parsed.predicate, &jiff::tz::TimeZone::UTC);
            prop_assert!(printed.is_ok(), "{text}: {printed:?}");
            let printed = printed.unwrap_or_default();
            prop_assert_eq!(ldap::parse(&printed).map(|again| again.predicate), Ok(parsed.predicate), "{}", printed);
        }
        let _ = parse(&text);
    }
}
