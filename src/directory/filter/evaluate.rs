//! A predicate made ready, and its answer for one object.
//!
//! In: a predicate; then objects, one after the other. Out: yes or no, or every clause with the value it saw.
//! Never: an answer for a filter that names a property we do not hold.

use std::fmt;

use super::EvaluationOptions;
use super::context::{EvaluationContext, GroupAsked, GroupName, Reach};
use super::element::ElementNode;
use super::matcher::{Matcher, Test, Written};
use super::operand::{Operand, OperandFault};
use super::operator::Operator;
use super::predicate::{Comparison, Literal, Predicate};
use super::quantified::{ElementTest, Quantified, Quantifier};
use crate::directory::attribute::{Attribute, Property};
use crate::directory::recipient::RecipientObject;
use crate::directory::value::ValueRef;

/// A predicate with its comparisons prepared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    All(Box<[Node]>),
    Any(Box<[Node]>),
    Not(Box<Node>),
    Test(Box<Matcher>),
    Constant(bool),
}

/// Why a predicate cannot be made ready. A parser has refused most before; a builder may not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PrepareFault {
    NotHeld(&'static str),
    SwitchedOff(&'static str),
    Value(Comparison),
    Quantified(Box<Quantified>),
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
            Predicate::Compare(written) => Self::comparison(written, options)?,
            Predicate::Quantified(written) if written.collection == Attribute::MemberOfGroup => {
                memberships(written).ok_or_else(|| PrepareFault::Quantified(written.clone()))?
            }
            Predicate::Quantified(written) => {
                let element = ElementNode::prepare(written.collection, &written.inner, options)
                    .map_err(|_| PrepareFault::Quantified(written.clone()))?;
                Self::Test(Box::new(Matcher {
                    attribute: written.collection,
                    operand: Operand {
                        negated: false,
                        test: Test::Elements(written.quantifier, Box::new(element)),
                    },
                    written: Written::Quantified(written.clone()),
                }))
            }
        })
    }

    fn comparison(written: &Comparison, options: &EvaluationOptions) -> Result<Self, PrepareFault> {
        // No language asks so: the groups of Entra's `memberOf` are a question each, by the way of `memberships`.
        let asks_groups = matches!(
            written.property,
            Property::Held(Attribute::MemberOfGroup | Attribute::MemberOfGroupRecursive)
        );
        if asks_groups && matches!(written.literal, Literal::List(_)) {
            return Err(PrepareFault::Value(written.clone()));
        }
        match Operand::of_property(&written.property, written.operator, &written.literal, options) {
            Ok(Some((attribute, operand))) => Ok(Self::Test(Box::new(Matcher {
                attribute,
                operand,
                written: Written::Comparison(written.clone()),
            }))),
            // No mail recipient is a device.
            Ok(None) => match &written.property {
                Property::NotHeld(row) => Err(PrepareFault::NotHeld(row.name)),
                Property::Held(_) | Property::Extension(_) | Property::Device(_) => Ok(Self::Constant(false)),
            },
            Err(OperandFault::SwitchedOff) => match &written.property {
                Property::Held(attribute) => Err(PrepareFault::SwitchedOff(attribute.name())),
                _ => Err(PrepareFault::Value(written.clone())),
            },
            Err(OperandFault::Value { .. } | OperandFault::Operator) => Err(PrepareFault::Value(written.clone())),
        }
    }

    /// Entra's groups contain users only, though its rules do not say so.
    pub(super) fn of_users(self) -> Self {
        let users = Matcher {
            attribute: Attribute::ObjectClass,
            operand: Operand {
                negated: false,
                test: Test::user_class(),
            },
            written: Written::UsersOnly,
        };
        Self::All([Self::Test(Box::new(users)), self].into())
    }

    /// True if the object passes.
    pub fn holds(&self, recipient: &RecipientObject, context: &dyn EvaluationContext) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(recipient, context)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(recipient, context)),
            Self::Not(inner) => !inner.holds(recipient, context),
            Self::Test(matcher) => matcher.holds(recipient, context),
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
            Self::Test(matcher) => ClauseKind::Test {
                text: matcher.written.to_string(),
                stored: matcher.stored(recipient, context),
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
            Self::Test(matcher) => matcher.holds(recipient, context),
            Self::Constant(value) => *value,
        };
        if let Some(clause) = clauses.get_mut(place) {
            clause.holds = holds;
        }
        holds
    }

    /// Calls `visit` with every prepared comparison, in the order of the text.
    pub fn each_test<'a>(&'a self, visit: &mut dyn FnMut(&'a Matcher)) {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.each_test(visit)),
            Self::Not(inner) => inner.each_test(visit),
            Self::Test(matcher) => visit(matcher),
            Self::Constant(_) => {}
        }
    }
}

/// `user.memberOf -any (group.objectId -in […])`: any of the named groups has the object as a direct member.
/// `None` for a form Entra does not have.
fn memberships(written: &Quantified) -> Option<Node> {
    let ElementTest::Compare(comparison) = &written.inner else {
        return None;
    };
    let ids: &[Box<str>] = match (written.quantifier, comparison.operator, &comparison.literal) {
        (Quantifier::Any, Operator::In, Literal::List(ids)) => ids,
        (Quantifier::Any, Operator::Eq, Literal::Text(id)) => std::slice::from_ref(id),
        _ => return None,
    };
    let groups = ids.iter().map(|id| {
        let group = GroupAsked {
            name: GroupName::Id(id.trim().to_lowercase().into()),
            reach: Reach::Direct,
        };
        Node::Test(Box::new(Matcher {
            attribute: Attribute::MemberOfGroup,
            operand: Operand {
                negated: false,
                test: Test::Group(group),
            },
            written: Written::Quantified(Box::new(Quantified {
                inner: ElementTest::Compare(super::quantified::ElementComparison {
                    field: comparison.field,
                    operator: Operator::Eq,
                    literal: Literal::Text(id.clone()),
                }),
                ..written.clone()
            })),
        }))
    });
    Some(Node::Any(groups.collect()))
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

impl Matcher {
    fn stored(&self, recipient: &RecipientObject, context: &dyn EvaluationContext) -> String {
        if self.attribute != Attribute::MemberOfGroup {
            return shown(self.attribute, &recipient.value(self.attribute));
        }
        let (is_member, direct) = match self.group() {
            Some(group) => (context.is_member(recipient, group), group.reach == Reach::Direct),
            None => (context.is_member_of_any(recipient), true),
        };
        let member = if direct { "direct member" } else { "member" };
        format!("{} {member}", if is_member { "a" } else { "not a" })
    }
}

/// A value as an administrator reads it: names instead of numbers.
pub(super) fn shown(attribute: Attribute, value: &ValueRef<'_>) -> String {
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
