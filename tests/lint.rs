//! Lint: what is odd about a rule is found, said with numbers, and the proposal does what it says.

use jiff::Timestamp;
use muster::directory::attribute::Attribute;
use muster::directory::filter::lint::{Finding, FindingCode, Inspection, inspect};
use muster::directory::filter::plan::{self, PlanOptions};
use muster::directory::filter::{CompiledRule, EvaluationOptions};
use muster::directory::group::{DynamicRule, FilterLanguage, RuleCondition};
use muster::directory::testing::{ObjectBuilder, contact, directory, group, person};
use muster::directory::{Directory, RecipientKind};

use FilterLanguage::{Entra, Ldap, Opath};
use FindingCode as C;

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

fn organisation() -> Directory {
    let staff = |builder: ObjectBuilder, name: &str| builder.dn(&format!("CN={name},OU=Staff,DC=contoso,DC=example"));
    directory([
        staff(person("anna@x.example"), "Anna")
            .office("Berlin")
            .department("Sales"),
        staff(person("bert@x.example"), "Bert")
            .office("Berlin ")
            .department("Sales"),
        staff(person("carl@x.example"), "Carl")
            .office("Zurich")
            .attribute(Attribute::StateOrProvince, "WA"),
        staff(person("dora@x.example"), "Dora")
            .office("Zürich")
            .attribute(Attribute::StateOrProvince, "Washington"),
        staff(person("emil@x.example"), "Emil")
            .kind(RecipientKind::RemoteUserMailbox)
            .office("Berlin"),
        staff(person("finn@x.example"), "Finn")
            .kind(RecipientKind::RemoteSharedMailbox)
            .attribute(Attribute::Description, "Temporary worker")
            .department("Marketing"),
        staff(contact("gina@x.example", "gina@out.example"), "Gina").office("Berlin"),
        group("sales@x.example")
            .dn("CN=All Sales,OU=Groups,DC=contoso,DC=example")
            .display_name("All Sales")
            .members(&["anna@x.example"]),
    ])
}

fn looked_at(directory: &Directory, rule: &DynamicRule) -> Vec<Finding> {
    let options = EvaluationOptions::default();
    let compiled = CompiledRule::compile(rule, &options).expect("a rule");
    let group = group("dyn@x.example")
        .dn("CN=Dyn,OU=Groups,DC=contoso,DC=example")
        .build();
    inspect(&Inspection {
        directory,
        rule,
        compiled: &compiled,
        group: Some(&group),
        options: &options,
        plan: PlanOptions::alone(Timestamp::UNIX_EPOCH),
    })
}

fn reached(directory: &Directory, rule: &DynamicRule) -> u64 {
    let compiled = CompiledRule::compile(rule, &EvaluationOptions::default()).expect("a rule");
    plan::evaluate(directory, &compiled, &PlanOptions::alone(Timestamp::UNIX_EPOCH)).len()
}

/// Language, text, code, words of the message, reached now, reached with the proposal.
#[rustfmt::skip]
/// Language, rule, what is found, in which clause, people now, people as proposed.
type Row = (FilterLanguage, &'static str, FindingCode, &'static str, u64, Option<u64>);

const FOUND: &[Row] = &[
    (
        Opath,
        "Office -eq 'Berlin'",
        C::OtherSpelling,
        "1 has \"Berlin \" (with other blanks)",
        3,
        Some(4),
    ),
    (
        Opath,
        "Office -eq 'Zürich'",
        C::OtherSpelling,
        "1 has \"Zurich\" (with other accents)",
        1,
        Some(2),
    ),
    (
        Opath,
        "StateOrProvince -eq 'Washington'",
        C::OtherSpelling,
        "1 has \"WA\" (abbreviated or in full)",
        1,
        Some(2),
    ),
    (
        Opath,
        "Department -eq 'Marketng'",
        C::OtherSpelling,
        "nobody has this value; 1 has \"Marketing\"",
        0,
        Some(1),
    ),
    (
        Opath,
        "Department -ne 'Marketng'",
        C::OtherSpelling,
        "\"Marketing\"",
        8,
        Some(7),
    ),
    // One of several values.
    (
        Ldap,
        "(description=Temporary  worker)",
        C::OtherSpelling,
        "nobody has this value; 1 has \"Temporary worker\" (with other blanks)",
        0,
        Some(1),
    ),
    (
        Ldap,
        "(physicalDeliveryOfficeName=Berlin)",
        C::OtherSpelling,
        "with other blanks",
        3,
        Some(4),
    ),
    (
        Entra,
        "user.physicalDeliveryOfficeName -eq \"Berlin\"",
        C::OtherSpelling,
        "with other blanks",
        2,
        Some(3),
    ),
    (
        Opath,
        "Department -eq 'Legal' -or Office -eq 'Bern'",
        C::MatchesNobody,
        "nobody has this",
        0,
        None,
    ),
    (
        Opath,
        "Department -eq 'Sales' -and -not(Company -eq 'X')",
        C::MatchesNobody,
        "excludes nobody",
        2,
        None,
    ),
    (
        Opath,
        "Department -eq 'Sales' -and EmailAddresses -like '*@x.example'",
        C::MatchesEverybody,
        "says nothing",
        2,
        None,
    ),
    (
        Opath,
        "RecipientType -eq 'UserMailbox' -and Name -ne 'x'",
        C::LosesMigrated,
        "2 mailboxes that moved to the cloud are not found; the setting",
        4,
        Some(6),
    ),
    (
        Opath,
        "ServerName -like 'EX*' -or Office -eq 'Berlin'",
        C::LosesMigrated,
        "1 mailbox that moved",
        3,
        Some(4),
    ),
    (
        Opath,
        "Database -ne $null",
        C::LosesMigrated,
        "2 mailboxes that moved",
        4,
        Some(6),
    ),
    (
        Ldap,
        "(&(objectClass=user)(msExchHomeServerName=*))",
        C::LosesMigrated,
        "2 mailboxes that moved to the cloud are not found; the setting",
        4,
        Some(6),
    ),
    (
        Ldap,
        "(&(objectClass=user)(homeMDB=*)(physicalDeliveryOfficeName=Berlin))",
        C::LosesMigrated,
        "1 mailbox that moved",
        1,
        Some(2),
    ),
    (
        Opath,
        "MemberOfGroup -eq 'All Sales'",
        C::WrongIdentifier,
        "All Sales is CN=All Sales,OU=Groups,DC=contoso,DC=example",
        0,
        Some(1),
    ),
    (
        Opath,
        "MemberOfGroup -eq 'sales@x.example'",
        C::WrongIdentifier,
        "sales@x.example is CN=All Sales",
        0,
        Some(1),
    ),
    (
        Opath,
        "MemberOfGroup -eq 'contoso.example/Groups/All Sales'",
        C::WrongIdentifier,
        "is CN=All Sales",
        0,
        Some(1),
    ),
    (
        Ldap,
        "(memberOf=All Sales)",
        C::WrongIdentifier,
        "is CN=All Sales",
        0,
        Some(1),
    ),
    (
        Opath,
        "Manager -eq 'Nobody Here'",
        C::WrongIdentifier,
        "nobody here is called Nobody Here",
        0,
        None,
    ),
    (
        Opath,
        "Department -eq 'Sales' -and Department -eq 'Marketing'",
        C::Contradiction,
        "nobody can also have (Department -eq 'Marketing')",
        0,
        None,
    ),
    (
        Ldap,
        "(&(cn=C*)(cn=B*))",
        C::Contradiction,
        "nobody can also have",
        0,
        None,
    ),
    (
        Opath,
        "Office -like 'Ber*' -and Office -eq 'Zug'",
        C::Contradiction,
        "nobody can also have",
        0,
        None,
    ),
    (
        Entra,
        "(user.department -eq \"Sales\") -and (user.department -eq \"Marketing\")",
        C::Contradiction,
        "nobody can also have",
        0,
        None,
    ),
    (
        Opath,
        "Department -eq 'Sales' -or Office -eq 'Berlin' -and Alias -eq 'gina'",
        C::MixedPrecedence,
        "reaches 1 instead of 3",
        3,
        Some(3),
    ),
    (
        Opath,
        "Office -eq '$Office'",
        C::UnexpandedVariable,
        "not expanded",
        0,
        None,
    ),
    (
        Opath,
        "Office -like 'Berli?*'",
        C::QuestionMark,
        "ordinary character",
        0,
        None,
    ),
    (
        Opath,
        "Office -like 'B*n*'",
        C::MiddleWildcard,
        "in the middle",
        4,
        None,
    ),
    (
        Opath,
        "Office -like '*lin'",
        C::LeadingWildcard,
        "Exchange Online refuses",
        3,
        None,
    ),
];

#[test]
fn what_is_odd_is_said_with_numbers() {
    let directory = organisation();
    for (language, text, code, words, now, then) in FOUND {
        let rule = rule_of(*language, text);
        let findings = looked_at(&directory, &rule);
        let found = findings
            .iter()
            .find(|finding| finding.code == *code && finding.message.contains(words))
            .unwrap_or_else(|| panic!("{text}: {findings:#?}"));
        assert_eq!(
            (found.count_now, found.count_proposed),
            (*now, *then),
            "{text}: {found}"
        );
        assert_eq!(reached(&directory, &rule), *now, "{text}");
        // A proposal is a rule of the same language that reaches what was said.
        if let Some(proposal) = &found.proposal {
            assert_eq!(
                Some(reached(&directory, &rule_of(*language, proposal))),
                *then,
                "{text}: {proposal}"
            );
        } else {
            assert!(then.is_none(), "{text}: a number without a rule");
        }
    }
}

/// Rules with which nothing is wrong.
#[rustfmt::skip]
const QUIET: &[(FilterLanguage, &str)] = &[
    (Opath, "Department -eq 'Sales'"),
    (Opath, "RecipientTypeDetails -eq 'RemoteUserMailbox'"),
    (Opath, "((Department -eq 'Sales') -and (Alias -ne $null) -and (-not(Name -like 'SystemMailbox{*')) -and (-not(Name -like 'CAS_{*')) -and (-not(RecipientTypeDetailsValue -eq 'MailboxPlan')) -and (-not(RecipientTypeDetailsValue -eq 'DiscoveryMailbox')) -and (-not(RecipientTypeDetailsValue -eq 'ArbitrationMailbox')))"),
    (Opath, "-not(RecipientType -eq 'UserMailbox')"),
    (Opath, "MemberOfGroup -eq 'CN=All Sales,OU=Groups,DC=contoso,DC=example'"),
    (Opath, "Department -eq 'Sales' -or Department -eq 'Marketing'"),
    (Ldap, "(&(mailNickname=*)(department=Sales))"),
    (Entra, "user.department -eq \"Sales\""),
];

#[test]
fn a_good_rule_is_left_alone() {
    let directory = organisation();
    for (language, text) in QUIET {
        assert_eq!(looked_at(&directory, &rule_of(*language, text)), [], "{text}");
    }
}

#[test]
fn the_setting_for_remote_mailboxes_is_an_answer() {
    let directory = organisation();
    let loses = |rule: &DynamicRule| {
        looked_at(&directory, rule)
            .iter()
            .any(|finding| finding.code == FindingCode::LosesMigrated)
    };
    for (language, text) in [
        (Opath, "RecipientType -eq 'UserMailbox' -and Department -ne 'Legals'"),
        (
            Ldap,
            "(&(objectClass=user)(msExchHomeServerName=*)(!(department=Legals)))",
        ),
    ] {
        let mut rule = rule_of(language, text);
        assert!(loses(&rule), "{text}");
        rule.remote_mailboxes_match_user_mailbox = true;
        assert!(!loses(&rule), "{text}");
        assert_eq!(reached(&directory, &rule), 6, "{text}");
    }
}

#[test]
fn a_container_where_nobody_lies_is_a_trap() {
    let directory = organisation();
    let mut rule = rule_of(Opath, "Department -eq 'Sales'");
    for (container, words) in [
        ("OU=Groups,DC=contoso,DC=example", "the one the group lies in"),
        ("CN=Users,DC=contoso,DC=example", "lies in CN=Users"),
    ] {
        rule.recipient_container = Some(container.into());
        let findings = looked_at(&directory, &rule);
        let found = findings
            .iter()
            .find(|finding| finding.code == FindingCode::ContainerTrap);
        let found = found.unwrap_or_else(|| panic!("{container}: {findings:#?}"));
        assert!(found.message.contains(words), "{found}");
        assert_eq!((found.count_now, found.count_proposed), (0, Some(2)));
    }
    rule.recipient_container = Some("OU=Staff,DC=contoso,DC=example".into());
    assert_eq!(looked_at(&directory, &rule), []);
}
