//! One comparison: a property of users or devices, an operator, a value.

use std::ops::Range;

use super::element;
use super::names::{self, Kind, UserProperty};
use super::{Parser, name_of, unknown_operator};
use crate::directory::attribute::Property;
use crate::directory::fields::is_extension_name;
use crate::directory::filter::error::{FilterError, FilterFault};
use crate::directory::filter::operand::{Operand, OperandFault};
use crate::directory::filter::operator::Operator;
use crate::directory::filter::predicate::{Comparison, Literal, Predicate};
use crate::directory::filter::quantified::Quantifier;
use crate::directory::filter::{COMPARISONS_MAX, EvaluationOptions};

impl Parser<'_> {
    pub(super) fn count_comparison(&mut self) -> Result<(), FilterError> {
        self.comparisons += 1;
        if self.comparisons > COMPARISONS_MAX {
            return self.fail(FilterFault::TooManyComparisons);
        }
        Ok(())
    }

    pub(super) fn comparison(&mut self, name: &str) -> Result<Predicate, FilterError> {
        self.count_comparison()?;
        let start = self.span.start;
        let property = self.property(name)?;
        let row = match &property {
            Property::Held(attribute) => names::by_attribute(*attribute),
            Property::Extension(_) | Property::Device(_) | Property::NotHeld(_) => None,
        };
        self.advance()?;
        if let (Some(row), Some(quantifier)) = (row, self.token.keyword().and_then(Quantifier::from_word)) {
            return self.quantified(row, quantifier, start);
        }
        let operator = self.operator()?;
        let operator_span = self.span.clone();
        self.last = row.map(|row| (row.name, operator));
        self.advance()?;
        let value_start = self.span.start;
        let is_free = matches!(property, Property::Device(_));
        let literal = self.literal(operator, is_free)?;
        // The value ends where the last token of it ended, not where the next one begins.
        let value_span = value_start..self.end_of_value(value_start);
        let comparison = Comparison {
            property,
            operator,
            literal,
        };
        if let Some(row) = row {
            self.check_kind(row, &comparison, operator_span, &value_span)?;
        }
        self.check(&comparison, value_span.clone())?;
        self.warn_of(
            &comparison.property,
            operator,
            &comparison.literal,
            start..value_span.end,
        );
        Ok(Predicate::Compare(comparison))
    }

    /// End of the text before the token at hand, blanks left out.
    pub(super) fn end_of_value(&self, start: usize) -> usize {
        let text = self.lexer.source.get(start..self.span.start).unwrap_or("");
        start + text.trim_end().len()
    }

    fn property(&self, name: &str) -> Result<Property, FilterError> {
        let lower = name.to_ascii_lowercase();
        if let Some(device) = lower.strip_prefix("device.") {
            let written = name.get(name.len() - device.len()..).unwrap_or("");
            return match device {
                "" => self.expected("the name of a property after device."),
                _ => Ok(Property::Device(written.into())),
            };
        }
        let Some(bare) = lower.strip_prefix("user.") else {
            return self.fail(self.without_prefix(name));
        };
        if is_extension_name(bare) {
            let written = name.get(name.len() - bare.len()..).unwrap_or("");
            return Ok(Property::Extension(written.into()));
        }
        if let Some(row) = names::by_name(name) {
            return Ok(Property::Held(row.attribute));
        }
        if let Some(known) = names::NOT_IN_RULES.iter().find(|each| each.eq_ignore_ascii_case(name)) {
            return self.fail(FilterFault::NotInEntra(known));
        }
        self.fail(FilterFault::UnknownProperty {
            name: name.to_owned(),
            suggestion: names::suggest(name),
        })
    }

    /// A name without `user.`: forgotten, or another language.
    fn without_prefix(&self, name: &str) -> FilterFault {
        if let Some(row) = names::by_name(&format!("user.{name}")) {
            return FilterFault::PrefixMissing { meant: row.name };
        }
        if Property::from_name(name).is_some() {
            return FilterFault::OpathFilter;
        }
        FilterFault::UnknownProperty {
            name: name.to_owned(),
            suggestion: names::suggest(name),
        }
    }

    fn operator(&self) -> Result<Operator, FilterError> {
        let Some(word) = self.token.keyword() else {
            return self.expected("an operator such as -eq");
        };
        if let Some(operator) = Operator::from_word_of(&Operator::ENTRA, word) {
            return Ok(operator);
        }
        if word.eq_ignore_ascii_case("not") {
            return self.expected("an operator; to test for a missing value write -ne null");
        }
        self.fail(unknown_operator(word, &Operator::ENTRA.map(Operator::word)))
    }

    /// Refuses what Entra does not compare: operators a property does not have, texts for dates.
    fn check_kind(
        &self,
        row: &'static UserProperty,
        comparison: &Comparison,
        operator_span: Range<usize>,
        value_span: &Range<usize>,
    ) -> Result<(), FilterError> {
        let operator = comparison.operator;
        let is_equality = operator.positive() == Operator::Eq;
        let wrong = |expected| {
            let value = self.lexer.source.get(value_span.clone()).unwrap_or("");
            self.fail_at(
                value_span.clone(),
                FilterFault::WrongValue {
                    property: row.name,
                    value: value.chars().take(80).collect::<String>().into(),
                    expected,
                    suggestion: None,
                },
            )
        };
        let fits = match row.kind {
            Kind::Text => !operator.is_ordering(),
            Kind::Boolean => is_equality,
            Kind::Date => is_equality || operator.is_ordering(),
            Kind::Collection if is_equality && comparison.literal == Literal::Null => true,
            Kind::Collection => {
                let example = element::example(row.attribute);
                let fault = FilterFault::Collection {
                    property: row.name,
                    example,
                };
                return self.fail_at(operator_span, fault);
            }
        };
        if !fits {
            let fault = FilterFault::WrongOperator {
                property: row.name,
                operator: format!("-{}", operator.word()),
            };
            return self.fail_at(operator_span, fault);
        }
        match (row.kind, &comparison.literal) {
            (Kind::Text, Literal::Boolean(_) | Literal::Number(_) | Literal::Now(_)) => wrong("a text in quotes"),
            (Kind::Date, Literal::Boolean(_)) => wrong("a date such as \"2026-01-31T00:00:00Z\" or system.now"),
            _ => Ok(()),
        }
    }

    /// Refuses a value that the property can never have.
    fn check(&self, comparison: &Comparison, span: Range<usize>) -> Result<(), FilterError> {
        let options = EvaluationOptions::default();
        let (property, operator, literal) = (&comparison.property, comparison.operator, &comparison.literal);
        let fault = match Operand::of_property(property, operator, literal, &options) {
            Ok(_) => return Ok(()),
            Err(OperandFault::Value { expected, suggestion }) => FilterFault::WrongValue {
                property: property.attribute().and_then(name_of).unwrap_or(property.label()),
                value: literal
                    .text()
                    .unwrap_or("null")
                    .chars()
                    .take(80)
                    .collect::<String>()
                    .into(),
                expected,
                suggestion,
            },
            Err(OperandFault::Operator | OperandFault::SwitchedOff) => FilterFault::WrongOperator {
                property: property.attribute().and_then(name_of).unwrap_or(property.label()),
                operator: format!("-{}", operator.word()),
            },
        };
        self.fail_at(span, fault)
    }
}
