//! What the filter targets do with a text; `tests/seeds.rs` does the same with the seeds and their mutations.

use muster::directory::filter::membership::DirectMembers;
use muster::directory::filter::{
    CompiledRule, EvaluationOptions, FilterError, LENGTH_OCTETS_MAX, Parsed, entra, ldap, opath, parse_in,
};
use muster::directory::group::{DynamicRule, FilterLanguage, RuleCondition};
use muster::directory::testing::{contact, directory, group, person};

/// Reads the text in one language and prints it again: what was read must read back as the same tree.
pub fn judge(language: FilterLanguage, text: &str) {
    let Some(parsed) = read(language, text) else {
        return;
    };
    let printed = match language {
        FilterLanguage::Opath => parsed.predicate.to_string(),
        FilterLanguage::Ldap => ldap::print(&parsed.predicate, &jiff::tz::TimeZone::UTC)
            .unwrap_or_else(|clauses| panic!("what was read has words: {clauses:?}")),
        FilterLanguage::Entra => entra::print(&parsed.predicate).expect("what was read has words"),
    };
    // Quotes in a text are doubled; a filter of nothing but quotes may outgrow the limit.
    if printed.len() > LENGTH_OCTETS_MAX {
        return;
    }
    let again = match language {
        FilterLanguage::Opath => opath::parse(&printed),
        FilterLanguage::Ldap => ldap::parse(&printed),
        FilterLanguage::Entra => entra::parse(&printed),
    };
    let again = again.unwrap_or_else(|error| panic!("{text:?}\n{}", error.render()));
    assert_eq!(again.predicate, parsed.predicate, "{printed}");
}

/// Reads the text; what is wrong with it must be sayable, what is right must be judged and explained alike.
fn read(language: FilterLanguage, text: &str) -> Option<Parsed> {
    let parsed = match parse_in(language, text) {
        Ok(parsed) => parsed,
        Err(error) => {
            said(text, &error);
            return None;
        }
    };
    for warning in &parsed.warnings {
        assert!(!warning.render().is_empty());
    }
    evaluate(language, text);
    Some(parsed)
}

/// A place lies in the text.
fn said(text: &str, error: &FilterError) {
    assert!(!error.render().is_empty());
    let span = &error.place.span;
    assert!(span.start <= span.end && span.end <= text.len().max(1), "{error}");
}

fn evaluate(language: FilterLanguage, text: &str) {
    let rule = DynamicRule {
        condition: RuleCondition::Custom {
            language,
            text: text.into(),
        },
        recipient_container: None,
        comparison: None,
        remote_mailboxes_match_user_mailbox: false,
    };
    let Ok(rule) = CompiledRule::compile(&rule, &EvaluationOptions::default()) else {
        return;
    };
    let directory = directory([
        person("lena@contoso.example")
            .department("Sales")
            .dn("CN=Lena,OU=Sales,DC=contoso,DC=example"),
        contact("paul@contoso.example", "paul@fabrikam.example"),
        group("sales@contoso.example").members(&["lena@contoso.example"]),
    ]);
    let context = DirectMembers::for_rule(&directory, &rule, jiff::Timestamp::UNIX_EPOCH);
    for (_, object) in directory.recipients() {
        let verdict = rule.matches(&object, &context);
        assert_eq!(rule.explain(&object, &context).verdict, verdict);
    }
}
