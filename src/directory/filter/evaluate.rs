//! A predicate made ready, and its answer for one object.
//!
//! In: a predicate; then objects, one after the other. Out: yes or no, or every clause with the value it saw.
//! Never: an answer for a filter that names a property we do not hold.

use std::fmt;

use super::EvaluationOptions;
use super::operand::{Operand, Test};
use super::predicate::{Comparison, Predicate};
use crate::directory::attribute::{Attribute, Property};
use crate::directory::dn::DistinguishedName;
use crate::directory::recipient::RecipientObject;
use crate::directory::value::ValueRef;

/// What a filter may ask beyond the object itself.
pub trait EvaluationContext {
    /// True if the object is a direct member of the group with this DN (`MemberOfGroup`; nesting does not count).
    fn is_direct_member(&self, recipient: &RecipientObject, group: &DistinguishedName) -> bool;

    /// True if the object is a direct member of any group.
    fn is_member_of_any(&self, recipient: &RecipientObject) -> bool;

    /// True if a stored reference (an owner, a manager) names the object with this DN.
    fn same_object(&self, reference: &str, dn: &DistinguishedName) -> bool {
        DistinguishedName::parse(reference).is_some_and(|stored| stored == *dn)
    }
}

/// The context for filters that ask for no membership; it says no to all of them.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoMemberships;

impl EvaluationContext for NoMemberships {
    fn is_direct_member(&self, _: &RecipientObject, _: &DistinguishedName) -> bool {
        false
    }

    fn is_member_of_any(&self, _: &RecipientObject) -> bool {
        false
    }
}

/// A predicate with its comparisons prepared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    All(Box<[Node]>),
    Any(Box<[Node]>),
    Not(Box<Node>),
    Test(Box<Prepared>),
    Constant(bool),
}

/// One comparison, prepared and as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Prepared {
    attribute: Attribute,
    operand: Operand,
    written: Comparison,
}

/// Why a predicate cannot be made ready. A parser has refused both before; other languages may not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PrepareFault {
    NotHeld(&'static str),
    Value(Comparison),
}

impl Node {
    pub(super) fn prepare(predicate: &Predicate, options: &EvaluationOptions) -> Result<Self, PrepareFault> {
        let list = |parts: &[Predicate]| -> Result<Box<[Self]>, PrepareFault> {
            parts.iter().map(|part| Self::prepare(part, options)).collect()
        };
        Ok(match predicate {
            Predicate::And(parts) => Self::All(list(parts)?),
            Predicate::Or(parts) => Self::Any(list(parts)?),
            Predicate::Not(inner) => Self::Not(Box::new(Self::prepare(inner, options)?)),
            Predicate::All => Self::Constant(true),
            Predicate::None => Self::Constant(false),
            Predicate::Compare(written) => {
                let attribute = match written.property {
                    Property::Held(attribute) => attribute,
                    Property::NotHeld(row) => return Err(PrepareFault::NotHeld(row.name)),
                };
                let operand = Operand::compile(attribute, written.operator, &written.literal, options)
                    .map_err(|_| PrepareFault::Value(written.clone()))?;
                Self::Test(Box::new(Prepared {
                    attribute,
                    operand,
                    written: written.clone(),
                }))
            }
        })
    }

    pub(super) fn holds(&self, recipient: &RecipientObject, context: &dyn EvaluationContext) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(recipient, context)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(recipient, context)),
            Self::Not(inner) => !inner.holds(recipient, context),
            Self::Test(prepared) => prepared.holds(recipient, context),
            Self::Constant(value) => *value,
        }
    }

    /// Every clause, also those that no longer decide.
    pub(super) fn explain(
        &self,
        recipient: &RecipientObject,
        context: &dyn EvaluationContext,
        depth: usize,
        clauses: &mut Vec<Clause>,
    ) -> bool {
        let place = clauses.len();
        let kind = match self {
            Self::All(_) => ClauseKind::All,
            Self::Any(_) => ClauseKind::Any,
            Self::Not(_) => ClauseKind::Not,
            Self::Test(prepared) => ClauseKind::Test {
                text: prepared.written.to_string(),
                stored: prepared.stored(recipient, context),
            },
            Self::Constant(_) => ClauseKind::Constant,
        };
        clauses.push(Clause {
            depth,
            kind,
            holds: false,
        });
        let holds = match self {
            Self::All(parts) => {
                let answers = explain_each(parts, recipient, context, depth + 1, clauses);
                answers.into_iter().all(|holds| holds)
            }
            Self::Any(parts) => {
                let answers = explain_each(parts, recipient, context, depth + 1, clauses);
                answers.into_iter().any(|holds| holds)
            }
            Self::Not(inner) => !inner.explain(recipient, context, depth + 1, clauses),
            Self::Test(prepared) => prepared.holds(recipient, context),
            Self::Constant(value) => *value,
        };
        if let Some(clause) = clauses.get_mut(place) {
            clause.holds = holds;
        }
        holds
    }

    /// Calls `visit` with every prepared comparison's attribute and the DN it asks for, if any.
    pub(super) fn each_test(&self, visit: &mut dyn FnMut(Attribute, Option<&DistinguishedName>)) {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.each_test(visit)),
            Self::Not(inner) => inner.each_test(visit),
            Self::Test(prepared) => match &prepared.operand.test {
                Test::Dn(dn) => visit(prepared.attribute, Some(dn)),
                Test::Never
                | Test::Present
                | Test::Absent
                | Test::Text(_)
                | Test::Guid(_)
                | Test::Address(_)
                | Test::Country(_)
                | Test::Name(..)
                | Test::Boolean(_)
                | Test::Number(..)
                | Test::Size(..)
                | Test::Time(..) => visit(prepared.attribute, None),
            },
            Self::Constant(_) => {}
        }
    }
}

/// No short cut: every clause is shown with its value.
fn explain_each(
    parts: &[Node],
    recipient: &RecipientObject,
    context: &dyn EvaluationContext,
    depth: usize,
    clauses: &mut Vec<Clause>,
) -> Vec<bool> {
    parts
        .iter()
        .map(|part| part.explain(recipient, context, depth, clauses))
        .collect()
}

impl Prepared {
    fn holds(&self, recipient: &RecipientObject, context: &dyn EvaluationContext) -> bool {
        let passes = if self.attribute == Attribute::MemberOfGroup {
            match &self.operand.test {
                Test::Dn(group) => context.is_direct_member(recipient, group),
                Test::Present => context.is_member_of_any(recipient),
                Test::Absent => !context.is_member_of_any(recipient),
                Test::Never
                | Test::Text(_)
                | Test::Guid(_)
                | Test::Address(_)
                | Test::Country(_)
                | Test::Name(..)
                | Test::Boolean(_)
                | Test::Number(..)
                | Test::Size(..)
                | Test::Time(..) => false,
            }
        } else {
            let same = |reference: &str, dn: &DistinguishedName| context.same_object(reference, dn);
            self.operand.test.passes(&recipient.value(self.attribute), &same)
        };
        passes != self.operand.negated
    }

    fn stored(&self, recipient: &RecipientObject, context: &dyn EvaluationContext) -> String {
        if self.attribute == Attribute::MemberOfGroup {
            let member = match &self.operand.test {
                Test::Dn(group) => context.is_direct_member(recipient, group),
                _ => context.is_member_of_any(recipient),
            };
            return if member {
                "a direct member".into()
            } else {
                "not a direct member".into()
            };
        }
        shown(self.attribute, &recipient.value(self.attribute))
    }
}

/// A value as an administrator reads it: names instead of numbers.
fn shown(attribute: Attribute, value: &ValueRef<'_>) -> String {
    use crate::directory::names::name_of;
    use crate::directory::value::ValueType;
    match (attribute.value_type(), value) {
        (ValueType::Enumeration(table), ValueRef::Integer(number)) => {
            name_of(table, *number).map_or_else(|| number.to_string(), str::to_owned)
        }
        (_, value) => value.to_string(),
    }
}

/// One line of an explanation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause {
    /// Nesting; 0 is the whole filter.
    pub depth: usize,
    pub kind: ClauseKind,
    pub holds: bool,
}

/// What a line of an explanation is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClauseKind {
    /// All of the deeper lines that follow.
    All,
    /// Any of them.
    Any,
    /// The opposite of the one that follows.
    Not,
    /// A comparison, with the value the object has.
    Test {
        text: String,
        stored: String,
    },
    Constant,
}

impl fmt::Display for Clause {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.holds { "yes" } else { "no " };
        let indent = "  ".repeat(self.depth);
        match &self.kind {
            ClauseKind::All => write!(out, "{mark} {indent}all of"),
            ClauseKind::Any => write!(out, "{mark} {indent}any of"),
            ClauseKind::Not => write!(out, "{mark} {indent}not"),
            ClauseKind::Test { text, stored } => write!(out, "{mark} {indent}{text}    stored: {stored}"),
            ClauseKind::Constant => write!(out, "{mark} {indent}always the same"),
        }
    }
}
