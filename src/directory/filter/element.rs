//! A condition on the elements of a collection, made ready.

use super::EvaluationOptions;
use super::context::EvaluationContext;
use super::operand::{Operand, OperandFault};
use super::quantified::{ElementTest, Field};
use crate::directory::attribute::Attribute;
use crate::directory::fields::AssignedPlan;
use crate::directory::value::{ValueRef, ValueType};

/// A condition on one element.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum ElementNode {
    All(Box<[ElementNode]>),
    Any(Box<[ElementNode]>),
    Not(Box<ElementNode>),
    Test(Field, Operand),
}

impl ElementNode {
    pub(super) fn prepare(
        collection: Attribute,
        test: &ElementTest,
        options: &EvaluationOptions,
    ) -> Result<Self, OperandFault> {
        let list = |parts: &[ElementTest]| -> Result<Box<[Self]>, OperandFault> {
            parts
                .iter()
                .map(|part| Self::prepare(collection, part, options))
                .collect()
        };
        Ok(match test {
            ElementTest::And(parts) => Self::All(list(parts)?),
            ElementTest::Or(parts) => Self::Any(list(parts)?),
            ElementTest::Not(inner) => Self::Not(Box::new(Self::prepare(collection, inner, options)?)),
            ElementTest::Compare(comparison) => {
                let value_type = field_type(collection, comparison.field).ok_or(OperandFault::Operator)?;
                let operand = Operand::of_type(
                    collection,
                    value_type,
                    comparison.operator,
                    &comparison.literal,
                    options,
                )?;
                Self::Test(comparison.field, operand)
            }
        })
    }

    pub(super) fn holds(&self, element: &str, context: &dyn EvaluationContext) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(element, context)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(element, context)),
            Self::Not(inner) => !inner.holds(element, context),
            Self::Test(field, operand) => operand.holds(&field_of(element, *field), context),
        }
    }
}

/// The type of a field; `None` if the elements of the collection have no such field.
pub(super) fn field_type(collection: Attribute, field: Field) -> Option<ValueType> {
    if !field.is_of(collection) {
        return None;
    }
    Some(match field {
        Field::ServicePlanId | Field::GroupObjectId => ValueType::Guid,
        Field::Service | Field::CapabilityStatus => ValueType::Text,
        Field::Whole => match collection.value_type() {
            ValueType::Addresses => ValueType::Address,
            _ => ValueType::Text,
        },
    })
}

fn field_of(element: &str, field: Field) -> ValueRef<'_> {
    match field {
        Field::Whole | Field::GroupObjectId => ValueRef::text(Some(element)),
        Field::ServicePlanId => ValueRef::text(AssignedPlan::of_text(element).service_plan_id),
        Field::Service => ValueRef::text(AssignedPlan::of_text(element).service),
        Field::CapabilityStatus => ValueRef::text(AssignedPlan::of_text(element).capability_status),
    }
}
