//! `-any` and `-all`: conditions on the elements of a collection.

use super::lex::Token;
use super::names::{Kind, UserProperty};
use super::{Parser, joined, unknown_operator};
use crate::directory::attribute::{Attribute, nearest};
use crate::directory::filter::EvaluationOptions;
use crate::directory::filter::element::ElementNode;
use crate::directory::filter::error::{FilterError, FilterFault};
use crate::directory::filter::operator::Operator;
use crate::directory::filter::predicate::{Literal, Predicate};
use crate::directory::filter::quantified::{ElementComparison, ElementTest, Field, Quantified, Quantifier};

/// How a condition on the collection begins, for a rule that compares it as a whole.
pub(super) fn example(collection: Attribute) -> &'static str {
    match collection {
        Attribute::AssignedPlans => "user.assignedPlans -any (assignedPlan.servicePlanId -eq \"…\")",
        Attribute::MemberOfGroup => "user.memberOf -any (group.objectId -in [\"…\"])",
        Attribute::OtherMails => "user.otherMails -any (_ -contains \"…\")",
        _ => "user.proxyAddresses -any (_ -contains \"…\")",
    }
}

impl Parser<'_> {
    /// After the collection, at `-any` or `-all`.
    pub(super) fn quantified(
        &mut self,
        row: &'static UserProperty,
        quantifier: Quantifier,
        start: usize,
    ) -> Result<Predicate, FilterError> {
        if row.kind != Kind::Collection {
            return self.fail(FilterFault::WrongOperator {
                property: row.name,
                operator: format!("-{}", quantifier.word()),
            });
        }
        self.advance()?;
        if self.token != Token::Open {
            return self.expected("( and a condition on the elements");
        }
        let open = self.span.clone();
        self.deeper()?;
        self.advance()?;
        let before = self.comparisons;
        let inner = self.elements_or(row.attribute)?;
        // The collection was counted as one comparison already.
        self.comparisons = self.comparisons.max(before + 1) - 1;
        let end = self.span.end;
        self.close(open)?;
        self.depth -= 1;
        if row.attribute == Attribute::MemberOfGroup {
            let groups = match (&inner, quantifier) {
                (ElementTest::Compare(comparison), Quantifier::Any) => match (comparison.operator, &comparison.literal)
                {
                    (Operator::In, Literal::List(ids)) => Some(ids.len()),
                    (Operator::Eq, Literal::Text(_)) => Some(1),
                    _ => None,
                },
                _ => None,
            };
            let Some(groups) = groups else {
                let fault = FilterFault::Collection {
                    property: row.name,
                    example: example(row.attribute),
                };
                return self.fail_at(start..end, fault);
            };
            self.member_of = Some(start..end);
            self.warn_of_groups(groups, start..end);
        }
        Ok(Predicate::Quantified(Box::new(Quantified {
            collection: row.attribute,
            quantifier,
            inner,
        })))
    }

    fn elements_or(&mut self, collection: Attribute) -> Result<ElementTest, FilterError> {
        let mut parts = vec![self.elements_and(collection)?];
        while self.is_keyword("or") {
            self.advance()?;
            parts.push(self.elements_and(collection)?);
        }
        Ok(joined(parts, ElementTest::Or))
    }

    fn elements_and(&mut self, collection: Attribute) -> Result<ElementTest, FilterError> {
        let mut parts = vec![self.elements_not(collection)?];
        while self.is_keyword("and") {
            self.advance()?;
            parts.push(self.elements_not(collection)?);
        }
        Ok(joined(parts, ElementTest::And))
    }

    fn elements_not(&mut self, collection: Attribute) -> Result<ElementTest, FilterError> {
        if self.is_keyword("not") {
            self.deeper()?;
            self.advance()?;
            let inner = self.elements_not(collection)?;
            self.depth -= 1;
            return Ok(ElementTest::Not(Box::new(inner)));
        }
        match &self.token {
            Token::Open => {
                let open = self.span.clone();
                self.deeper()?;
                self.advance()?;
                let inner = self.elements_or(collection)?;
                self.close(open)?;
                self.depth -= 1;
                Ok(inner)
            }
            Token::Word(word) => {
                let word = word.clone();
                self.element(collection, &word)
            }
            _ => self.expected(fields_of(collection)),
        }
    }

    fn element(&mut self, collection: Attribute, name: &str) -> Result<ElementTest, FilterError> {
        self.count_comparison()?;
        let start = self.span.start;
        let Some(field) = Field::from_name(name).filter(|field| field.is_of(collection)) else {
            if Field::from_name(name).is_some() || name.to_ascii_lowercase().starts_with("user.") {
                return self.expected(fields_of(collection));
            }
            let fields = Field::ALL.into_iter().filter(|field| field.is_of(collection));
            return self.fail(FilterFault::UnknownProperty {
                name: name.to_owned(),
                suggestion: nearest(name, fields.map(Field::name)),
            });
        };
        self.advance()?;
        let Some(word) = self.token.keyword() else {
            return self.expected("an operator such as -eq");
        };
        let operator = match Operator::from_word_of(&Operator::ENTRA, word) {
            Some(operator) if !operator.is_ordering() => operator,
            Some(operator) => {
                let operator = format!("-{}", operator.word());
                return self.fail(FilterFault::WrongOperator {
                    property: field.name(),
                    operator,
                });
            }
            None => return self.fail(unknown_operator(word, &Operator::ENTRA.map(Operator::word))),
        };
        self.last = Some((field.name(), operator));
        self.advance()?;
        let value_start = self.span.start;
        let literal = self.literal(operator, false)?;
        let span = value_start..self.end_of_value(value_start);
        let is_text = matches!(literal, Literal::Text(_) | Literal::List(_) | Literal::Null);
        let test = ElementTest::Compare(ElementComparison {
            field,
            operator,
            literal,
        });
        let prepared = ElementNode::prepare(collection, &test, &EvaluationOptions::default());
        if !is_text || prepared.is_err() {
            let value = self.lexer.source.get(span.clone()).unwrap_or("");
            let fault = FilterFault::WrongValue {
                property: field.name(),
                value: value.chars().take(80).collect::<String>().into(),
                expected: "a text in quotes, or null with -eq and -ne",
                suggestion: None,
            };
            return self.fail_at(span, fault);
        }
        if let ElementTest::Compare(comparison) = &test {
            self.warn_of_value(operator, &comparison.literal, false, start..span.end);
        }
        Ok(test)
    }
}

/// What may stand in the parentheses, in words.
fn fields_of(collection: Attribute) -> &'static str {
    match collection {
        Attribute::AssignedPlans => {
            "assignedPlan.servicePlanId, assignedPlan.service, assignedPlan.capabilityStatus, -not or ("
        }
        Attribute::MemberOfGroup => "group.objectId",
        _ => "_ for the element, -not or (",
    }
}

#[cfg(test)]
mod tests {
    use super::super::name_of;
    use super::*;

    #[test]
    fn every_collection_has_an_example_of_its_own() {
        for collection in [
            Attribute::AssignedPlans,
            Attribute::MemberOfGroup,
            Attribute::OtherMails,
            Attribute::EmailAddresses,
        ] {
            let name = name_of(collection).expect("a property of Entra");
            assert!(example(collection).starts_with(name), "{name}");
            super::super::parse(&example(collection).replace('…', "x")).expect("an example parses");
        }
    }
}
