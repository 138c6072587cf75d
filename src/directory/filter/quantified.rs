//! Conditions on the elements of a collection.
//!
//! In: `user.assignedPlans -any (assignedPlan.service -eq "SCO")`. Out: a tree over the fields of one element.
//! `-any` fails on an empty collection, `-all` holds on it: an object without plans has none that differs.

use super::operator::Operator;
use super::predicate::Literal;
use crate::directory::attribute::Attribute;

/// A condition on a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quantified {
    pub collection: Attribute,
    pub quantifier: Quantifier,
    pub inner: ElementTest,
}

/// How many elements must pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quantifier {
    Any,
    All,
}

impl Quantifier {
    /// The word without its hyphen.
    pub fn word(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::All => "all",
        }
    }

    /// Reads the word without its hyphen, ignoring case.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Any, Self::All]
            .into_iter()
            .find(|quantifier| quantifier.word().eq_ignore_ascii_case(word))
    }
}

/// A condition on one element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ElementTest {
    And(Vec<ElementTest>),
    Or(Vec<ElementTest>),
    Not(Box<ElementTest>),
    Compare(ElementComparison),
}

/// One comparison with a field of an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElementComparison {
    pub field: Field,
    pub operator: Operator,
    pub literal: Literal,
}

/// A field of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// The element itself, `_`.
    Whole,
    /// `assignedPlan.servicePlanId`
    ServicePlanId,
    /// `assignedPlan.service`
    Service,
    /// `assignedPlan.capabilityStatus`
    CapabilityStatus,
    /// `group.objectId`
    GroupObjectId,
}

impl Field {
    pub const ALL: [Self; 5] = [
        Self::Whole,
        Self::ServicePlanId,
        Self::Service,
        Self::CapabilityStatus,
        Self::GroupObjectId,
    ];

    /// The name Entra uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Whole => "_",
            Self::ServicePlanId => "assignedPlan.servicePlanId",
            Self::Service => "assignedPlan.service",
            Self::CapabilityStatus => "assignedPlan.capabilityStatus",
            Self::GroupObjectId => "group.objectId",
        }
    }

    /// Finds a field by name, ignoring case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|field| field.name().eq_ignore_ascii_case(name))
    }

    /// True if the elements of the collection have this field.
    pub fn is_of(self, collection: Attribute) -> bool {
        match self {
            Self::ServicePlanId | Self::Service | Self::CapabilityStatus => collection == Attribute::AssignedPlans,
            Self::GroupObjectId => collection == Attribute::MemberOfGroup,
            Self::Whole => !matches!(collection, Attribute::AssignedPlans | Attribute::MemberOfGroup),
        }
    }
}

impl ElementTest {
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
            Self::Compare(_) => 0,
        }
    }

    /// Calls `visit` with every comparison, in the order of the text.
    pub fn each_comparison<'a>(&'a self, visit: &mut dyn FnMut(&'a ElementComparison)) {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.each_comparison(visit)),
            Self::Not(inner) => inner.each_comparison(visit),
            Self::Compare(comparison) => visit(comparison),
        }
    }
}
