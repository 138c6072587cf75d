//! The one form all filter languages end in.
//!
//! In: what a parser understood. Out: a tree that prints back without loss and compiles to a test.

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

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Like,
    NotLike,
}

impl Operator {
    pub const ALL: [Self; 8] = [
        Self::Eq,
        Self::Ne,
        Self::Lt,
        Self::Le,
        Self::Gt,
        Self::Ge,
        Self::Like,
        Self::NotLike,
    ];

    /// The word without its hyphen.
    pub fn word(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Lt => "lt",
            Self::Le => "le",
            Self::Gt => "gt",
            Self::Ge => "ge",
            Self::Like => "like",
            Self::NotLike => "notlike",
        }
    }

    /// Reads the word without its hyphen, ignoring case.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|operator| operator.word().eq_ignore_ascii_case(word))
    }

    /// True for the operators that hold where their positive form does not.
    pub fn is_negative(self) -> bool {
        match self {
            Self::Ne | Self::NotLike => true,
            Self::Eq | Self::Lt | Self::Le | Self::Gt | Self::Ge | Self::Like => false,
        }
    }

    /// True for `-like` and `-notlike`, the only ones with wildcards.
    pub fn takes_wildcards(self) -> bool {
        match self {
            Self::Like | Self::NotLike => true,
            Self::Eq | Self::Ne | Self::Lt | Self::Le | Self::Gt | Self::Ge => false,
        }
    }

    /// True for `-lt`, `-le`, `-gt` and `-ge`.
    pub fn is_ordering(self) -> bool {
        match self {
            Self::Lt | Self::Le | Self::Gt | Self::Ge => true,
            Self::Eq | Self::Ne | Self::Like | Self::NotLike => false,
        }
    }
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
}

impl Literal {
    /// The value as text; `None` for `$null`.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Number(text) => Some(text),
            Self::Boolean(true) => Some("True"),
            Self::Boolean(false) => Some("False"),
            Self::Null => None,
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

    /// Calls `visit` with every comparison, in the order of the text.
    pub fn each_comparison<'a>(&'a self, visit: &mut dyn FnMut(&'a Comparison)) {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.each_comparison(visit)),
            Self::Not(inner) => inner.each_comparison(visit),
            Self::Compare(comparison) => visit(comparison),
            Self::All | Self::None => {}
        }
    }

    /// Documented properties the filter names and our object model does not hold, each once.
    pub fn not_held(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        self.each_comparison(&mut |comparison| match comparison.property {
            Property::NotHeld(row) if !names.contains(&row.name) => names.push(row.name),
            Property::NotHeld(_) | Property::Held(_) => {}
        });
        names
    }
}
