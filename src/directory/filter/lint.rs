//! Filters that parse and probably do not mean what was meant.
//!
//! In: a comparison and its place; or a whole rule and the directory. Out: warnings, and findings with what to write
//! instead; the filter works all the same.

mod abbreviation;
mod contradiction;
mod finding;
mod inspect;
mod leaf;
mod readings;
mod spelling;

use std::fmt;
use std::ops::Range;

pub use finding::{Finding, FindingCode};
pub use inspect::{Inspection, inspect};

use super::error::{Place, excerpt};
use super::predicate::{Comparison, Literal};
use crate::directory::attribute::{Attribute, Property};
use crate::directory::dn::DistinguishedName;
use crate::directory::documented::documented;
use crate::directory::value::ValueType;

/// What to look at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WarningKind {
    #[error("-and and -or stand on one level; -and is taken first here, add parentheses")]
    MixedPrecedence,
    #[error("Exchange Online refuses a wildcard at the beginning for dynamic groups")]
    LeadingWildcard,
    #[error("Exchange does not take a wildcard in the middle; here it matches any characters")]
    MiddleWildcard,
    #[error("? is an ordinary character, not a wildcard")]
    QuestionMark,
    #[error("{0} takes a distinguished name (CN=…,DC=…); anything else matches nothing")]
    NotADistinguishedName(Attribute),
    #[error("{0} takes no wildcards; this matches nothing")]
    NoWildcards(Attribute),
    #[error("a $ in quotes is text; a variable of a script was probably not expanded")]
    UnexpandedVariable,
    #[error("an address begins with its local-part; this pattern matches no complete address")]
    IncompleteAddress,
    #[error("the directory stores no empty texts; this equals nothing, $null is what an empty property has")]
    EmptyText,
    #[error("PrimarySmtpAddress also searches the other addresses of an object")]
    SearchesAllAddresses,
    #[error("an object without the attribute reads FALSE here; Active Directory does not find it by FALSE")]
    FalseIsMissing,
    #[error("stored addresses begin with their type; Active Directory finds none without smtp: before it, we do")]
    NoAddressType,
    #[error("the date is read month first")]
    AmbiguousDate,
    #[error("true and false stand without quotes in Entra rules")]
    QuotedBoolean,
    #[error("in quotes this is the text null; a missing value is null without quotes")]
    QuotedNull,
    #[error("* is an ordinary character in Entra rules; -startsWith, -contains and -match look for parts")]
    StarIsText,
    #[error("Entra stores rules of up to {} characters", super::entra::ENTRA_CHARACTERS_MAX)]
    LongRule,
    #[error("{0} cannot equal two values at once; this is never true")]
    NeverTrue(&'static str),
    #[error("Entra stops updating groups by memberOf on 3 November 2026; here the rule goes on working")]
    MemberOfRetired,
    #[error("Entra takes a condition on memberOf alone, not together with others")]
    MemberOfNotAlone,
    #[error(
        "Entra takes at most {} groups in one condition on memberOf",
        super::entra::ENTRA_GROUPS_MAX
    )]
    ManyGroups,
    #[error("no mail recipient is a device; this rule has no members")]
    DeviceRule,
    #[error("Exchange has no property {0}; only muster evaluates this filter")]
    NotInExchange(Attribute),
    #[error("{0} is a property of Exchange that is not held here; the filter cannot be evaluated")]
    CannotEvaluate(&'static str),
}

/// A warning at its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    pub kind: WarningKind,
    pub place: Place,
    excerpt: String,
}

impl Warning {
    pub(super) fn new(source: &str, span: Range<usize>, kind: WarningKind) -> Self {
        let place = Place::of(source, span);
        let excerpt = excerpt(source, &place);
        Self { kind, place, excerpt }
    }

    /// Sentence, line and caret, over three lines.
    pub fn render(&self) -> String {
        format!("{self}\n{}", self.excerpt)
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "line {}, column {}: {}",
            self.place.line, self.place.column, self.kind
        )
    }
}

/// Warnings about one comparison.
pub(super) fn of_comparison(source: &str, comparison: &Comparison, span: Range<usize>) -> Vec<Warning> {
    let mut kinds = Vec::new();
    let attribute = match &comparison.property {
        Property::Held(attribute) => *attribute,
        Property::NotHeld(row) => {
            return vec![Warning::new(source, span, WarningKind::CannotEvaluate(row.name))];
        }
        Property::Extension(_) | Property::Device(_) => return Vec::new(),
    };
    if let Literal::Text(text) = &comparison.literal {
        of_text(text, &mut kinds);
        if comparison.operator.takes_wildcards() {
            of_pattern(attribute, text, &mut kinds);
        }
        of_type(attribute, comparison, text, &mut kinds);
    }
    if documented(attribute.name()).is_none() {
        kinds.push(WarningKind::NotInExchange(attribute));
    }
    if attribute == Attribute::PrimarySmtpAddress && comparison.literal != Literal::Null {
        kinds.push(WarningKind::SearchesAllAddresses);
    }
    kinds
        .into_iter()
        .map(|kind| Warning::new(source, span.clone(), kind))
        .collect()
}

fn of_text(text: &str, kinds: &mut Vec<WarningKind>) {
    if text.is_empty() {
        kinds.push(WarningKind::EmptyText);
    }
    let names_variable = text
        .split('$')
        .skip(1)
        .any(|after| after.starts_with(|c: char| c.is_ascii_alphabetic() || c == '(' || c == '{' || c == '_'));
    if names_variable {
        kinds.push(WarningKind::UnexpandedVariable);
    }
}

fn of_pattern(attribute: Attribute, text: &str, kinds: &mut Vec<WarningKind>) {
    if text.len() > 1 && text.starts_with('*') {
        kinds.push(WarningKind::LeadingWildcard);
    }
    if text.trim_matches('*').contains('*') {
        kinds.push(WarningKind::MiddleWildcard);
    }
    if text.contains('?') {
        kinds.push(WarningKind::QuestionMark);
    }
    let is_address = matches!(attribute.value_type(), ValueType::Address | ValueType::Addresses);
    if is_address && text.starts_with('@') {
        kinds.push(WarningKind::IncompleteAddress);
    }
}

fn of_type(attribute: Attribute, comparison: &Comparison, text: &str, kinds: &mut Vec<WarningKind>) {
    match attribute.value_type() {
        ValueType::Dn | ValueType::Dns => {
            let has_wildcard = comparison.operator.takes_wildcards() && text.contains('*');
            if has_wildcard {
                if text.trim_matches('*').is_empty() {
                    return;
                }
                kinds.push(WarningKind::NoWildcards(attribute));
            } else if !text.is_empty() && DistinguishedName::parse(text).is_none() {
                kinds.push(WarningKind::NotADistinguishedName(attribute));
            }
        }
        ValueType::Time => {
            let mut numbers = text.split(['/', ' ']).map(str::parse::<u8>);
            if let (true, Some(Ok(1..=12)), Some(Ok(1..=12))) = (text.contains('/'), numbers.next(), numbers.next()) {
                kinds.push(WarningKind::AmbiguousDate);
            }
        }
        ValueType::Text
        | ValueType::Texts
        | ValueType::Address
        | ValueType::Addresses
        | ValueType::Boolean
        | ValueType::Integer
        | ValueType::Size
        | ValueType::Enumeration(_)
        | ValueType::Flags(_)
        | ValueType::Country
        | ValueType::Guid => {}
    }
}
