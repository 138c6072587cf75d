//! Filters of dynamic groups: from the administrator's text to a yes or no per recipient object.
//!
//! In: OPATH, LDAP or Entra text, or precanned parameters. Out: a [`Predicate`], warnings, and a
//! [`CompiledRule`] that judges and explains. Never: a property we do not hold read as
//! false; a text that could mean two things taken in silence.

use jiff::tz::TimeZone;

use super::group::{ComparisonProfile, FilterLanguage};

pub mod context;
pub mod convert;
pub mod country;
mod element;
pub mod english;
pub mod entra;
pub mod error;
pub mod evaluate;
pub mod expression;
mod fold;
pub mod guess;
pub mod ldap;
mod lex;
pub mod lint;
pub mod matcher;
pub mod membership;
pub mod nearest;
pub mod opath;
mod operand;
pub mod operator;
pub mod plan;
pub mod precanned;
pub mod predicate;
mod print;
pub mod propose;
pub mod quantified;
pub mod remote;
pub mod rule;
pub mod scope;
pub mod tail;

pub use context::{EvaluationContext, GroupAsked, GroupName, NoMemberships, Reach};
pub use error::{FilterError, FilterFault};
pub use evaluate::Node;
pub use guess::guess;
pub use lint::{Warning, WarningKind};
pub use matcher::{Matcher, Needle, Order};
pub use opath::{Parsed, parse};
pub use operator::Operator;
pub use predicate::{Comparison, DaysFromNow, Literal, Pieces, Predicate};
pub use propose::{Proposal, propose};
pub use quantified::{ElementComparison, ElementTest, Field, Quantified, Quantifier};
pub use rule::{CompiledRule, Explanation, RuleFault};

/// Longest filter text read, in octets. Real ones with three appended tails have about 3,000.
pub const LENGTH_OCTETS_MAX: usize = 64 * 1024;

/// Deepest nesting of parentheses and `-not`. A stored filter that was rewritten often has 44 parentheses; the
/// parser and every walk over the tree recurse this deep, which a thread of 2 MiB bears.
pub const DEPTH_MAX: usize = 128;

/// Most comparisons in one filter; each costs one look at every candidate.
pub const COMPARISONS_MAX: usize = 2_000;

/// Parses a filter of any language.
pub fn parse_in(language: FilterLanguage, text: &str) -> Result<Parsed, FilterError> {
    match language {
        FilterLanguage::Opath => opath::parse(text),
        FilterLanguage::Ldap => ldap::parse(text),
        FilterLanguage::Entra => entra::parse(text),
    }
}

/// How a filter is evaluated, beyond its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvaluationOptions {
    /// Used where a rule does not state its own.
    pub comparison: ComparisonProfile,
    /// Zone of dates without one; Exchange takes the server's.
    pub zone: TimeZone,
    /// `MemberOfGroupRecursive`, a property that Exchange does not have; off unless a setting asks for it.
    pub recursive_membership: bool,
}

impl Default for EvaluationOptions {
    fn default() -> Self {
        Self {
            comparison: ComparisonProfile::default(),
            zone: TimeZone::UTC,
            recursive_membership: false,
        }
    }
}
