//! The one form all filter languages end in.
//!
//! In: what a parser understood. Out: a tree that prints back without loss and compiles to a test.

use super::operator::Operator;
use super::quantified::Quantified;
use crate::directory::attribute::{Attribute, Property};

/// A condition over one recipient object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Predicate {
    /// Holds if all hold. Nesting is kept as written, so that a text prints back as it was.
    And(Vec<Predicate>),
    /// Holds if any holds.
    Or(Vec<Predicate>),
    Not(Box<Predicate>),
    Compare(Comparison),
    /// A condition on the elements of a collection (Entra's `-any` and `-all`).
    Quantified(Box<Quantified>),
    /// Every candidate; no filter text says this.
    All,
    /// No candidate; no filter text says this.
    None,
}

/// One comparison: `Department -eq 'Sales'`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    pub property: Property,
    pub operator: Operator,
    pub literal: Literal,
}

/// A value as written; what it means depends on the property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Literal {
    /// The content of a quoted text.
    Text(Box<str>),
    /// A bare number, units included: `840`, `300MB`.
    Number(Box<str>),
    Boolean(bool),
    Null,
    /// The values of `-in` and `-notIn`.
    List(Box<[Box<str>]>),
    /// An LDAP substring assertion. OPATH writes patterns as one text, in which every `*` is a wildcard; here a
    /// piece may hold one.
    Pieces(Pieces),
    /// `system.now`, days added or taken away.
    Now(DaysFromNow),
}

/// `initial*middle*…*last`; an empty first or last piece means that the pattern begins or ends with a star.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pieces {
    pub initial: Box<str>,
    pub middle: Box<[Box<str>]>,
    pub last: Box<str>,
}

/// Days counted from the instant of evaluation; negative ones lie before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DaysFromNow(pub i32);

impl Literal {
    /// The value as one text; `None` for `$null`, a list, pieces and a moment.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Number(text) => Some(text),
            Self::Boolean(true) => Some("True"),
            Self::Boolean(false) => Some("False"),
            Self::Null | Self::List(_) | Self::Pieces(_) | Self::Now(_) => None,
        }
    }
}

impl Predicate {
    /// A comparison with a text.
    pub fn compare(attribute: Attribute, operator: Operator, text: &str) -> Self {
        let literal = Literal::Text(text.into());
        Self::Compare(Comparison {
            property: Property::Held(attribute),
            operator,
            literal,
        })
    }

    /// Calls `visit` with every comparison, in the order of the text; those on elements of a collection are
    /// no comparisons of the object.
    pub fn each_comparison<'a>(&'a self, visit: &mut dyn FnMut(&'a Comparison)) {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.each_comparison(visit)),
            Self::Not(inner) => inner.each_comparison(visit),
            Self::Compare(comparison) => visit(comparison),
            Self::Quantified(_) | Self::All | Self::None => {}
        }
    }

    /// Levels of parentheses and `-not` that a text needs at least to say this.
    pub fn depth(&self) -> usize {
        let enclosed = |part: &Self| part.depth() + usize::from(matches!(part, Self::And(_) | Self::Or(_)));
        match self {
            Self::And(parts) => parts.iter().map(enclosed).max().unwrap_or(0),
            Self::Or(parts) => {
                let depth = |part: &Self| part.depth() + usize::from(matches!(part, Self::Or(_)));
                parts.iter().map(depth).max().unwrap_or(0)
            }
            Self::Not(inner) => enclosed(inner) + 1,
            Self::Quantified(quantified) => quantified.inner.depth() + 1,
            Self::Compare(_) | Self::All | Self::None => 0,
        }
    }

    /// Documented properties the filter names and our object model does not hold, each once.
    pub fn not_held(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        self.each_comparison(&mut |comparison| match &comparison.property {
            Property::NotHeld(row) if !names.contains(&row.name) => names.push(row.name),
            Property::NotHeld(_) | Property::Held(_) | Property::Extension(_) | Property::Device(_) => {}
        });
        names
    }

    /// True if the rule is about devices (`device.…`); no mail recipient is one.
    pub fn is_about_devices(&self) -> bool {
        let mut found = false;
        self.each_comparison(&mut |comparison| found |= matches!(comparison.property, Property::Device(_)));
        found
    }

    /// True if the verdict may change as time goes by (`system.now`).
    pub fn depends_on_now(&self) -> bool {
        let mut found = false;
        self.each_comparison(&mut |comparison| found |= matches!(comparison.literal, Literal::Now(_)));
        found
    }
}
