//! One rule in another language.
//!
//! In: a predicate, the language it was written in, another language. Out: a text that finds the same objects
//! there, or every clause that cannot be said and why. Never: a text that finds others.

mod entra;
mod opath;

use std::fmt;

use super::EvaluationOptions;
use super::operator::Operator;
use super::predicate::{Comparison, Literal, Predicate};
use super::quantified::{ElementTest, Field, Quantified, Quantifier};
use super::{ldap, tail};
use crate::directory::attribute::{Attribute, Property};
use crate::directory::group::FilterLanguage;

/// A clause that a language cannot say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inexpressible {
    /// The clause as OPATH would write it, or nearly.
    pub clause: String,
    /// The reason, as a sentence without its period.
    pub why: String,
}

impl fmt::Display for Inexpressible {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.clause, self.why)
    }
}

/// Writes a predicate that was parsed from `from` in the language `to`.
///
/// The source matters: an Entra rule finds users only, without saying so; said elsewhere it must say so. Into its
/// own language a predicate prints without loss. A date without a zone is read in the zone of `options`.
pub fn to(
    predicate: &Predicate,
    from: FilterLanguage,
    to: FilterLanguage,
    options: &EvaluationOptions,
) -> Result<String, Vec<Inexpressible>> {
    let users_only = || Predicate::compare(Attribute::ObjectClass, Operator::Eq, "user");
    let stated = match (from, to) {
        (FilterLanguage::Entra, FilterLanguage::Opath | FilterLanguage::Ldap) => {
            Predicate::And(vec![users_only(), predicate.clone()])
        }
        (FilterLanguage::Entra, FilterLanguage::Entra)
        | (FilterLanguage::Opath | FilterLanguage::Ldap, FilterLanguage::Opath | FilterLanguage::Ldap)
        | (FilterLanguage::Opath | FilterLanguage::Ldap, FilterLanguage::Entra) => predicate.clone(),
    };
    match (from, to) {
        (_, FilterLanguage::Opath) => opath::print(&stated),
        (_, FilterLanguage::Ldap) => ldap::print(&stated, &options.zone),
        (FilterLanguage::Entra, FilterLanguage::Entra) => entra::print_own(&stated),
        (_, FilterLanguage::Entra) => entra::print(&tail::split(&stated).core),
    }
}

/// A condition on a collection as a comparison with its values, where that is the same: `-any (_ -eq x)` is
/// `-eq x`, `-all (_ -ne x)` is `-ne x`.
pub(super) fn of_collection(quantified: &Quantified) -> Option<Predicate> {
    of_elements(quantified.collection, quantified.quantifier, &quantified.inner)
}

fn of_elements(collection: Attribute, quantifier: Quantifier, test: &ElementTest) -> Option<Predicate> {
    let list = |parts: &[ElementTest]| -> Option<Vec<Predicate>> {
        parts
            .iter()
            .map(|part| of_elements(collection, quantifier, part))
            .collect()
    };
    match (test, quantifier) {
        // Any of two conditions by some element: some element by the one, or some by the other.
        (ElementTest::Or(parts), Quantifier::Any) => list(parts).map(Predicate::Or),
        (ElementTest::And(parts), Quantifier::All) => list(parts).map(Predicate::And),
        (ElementTest::Or(_), Quantifier::All) | (ElementTest::And(_), Quantifier::Any) | (ElementTest::Not(_), _) => {
            None
        }
        (ElementTest::Compare(comparison), _) => {
            let is_same = match quantifier {
                Quantifier::Any => !comparison.operator.is_negative(),
                Quantifier::All => comparison.operator.is_negative(),
            };
            let is_whole = comparison.field == Field::Whole && comparison.literal != Literal::Null;
            (is_same && is_whole).then(|| {
                Predicate::Compare(Comparison {
                    property: Property::Held(collection),
                    operator: comparison.operator,
                    literal: comparison.literal.clone(),
                })
            })
        }
    }
}
