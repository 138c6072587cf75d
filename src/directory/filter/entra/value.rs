//! Values of comparisons: texts, lists, dates counted from now.

use std::ops::Range;

use super::lex::Token;
use super::{ENTRA_GROUPS_MAX, Parser};
use crate::directory::attribute::Property;
use crate::directory::filter::error::{FilterError, FilterFault};
use crate::directory::filter::expression::Expression;
use crate::directory::filter::lint::WarningKind;
use crate::directory::filter::operator::Operator;
use crate::directory::filter::predicate::{DaysFromNow, Literal};
use crate::directory::value::ValueType;

/// Farthest distance from now, in days: a thousand years.
const DAYS_MAX: i32 = 365_000;

impl Parser<'_> {
    /// The value after an operator. Bare numbers and dates are taken where `is_free`.
    pub(super) fn literal(&mut self, operator: Operator, is_free: bool) -> Result<Literal, FilterError> {
        if operator.positive() == Operator::In {
            return self.list();
        }
        let literal = match &self.token {
            Token::Text(quoted) => {
                let literal = Literal::Text(quoted.text.as_str().into());
                if operator.positive() == Operator::Match {
                    self.expression(&quoted.text, quoted.is_escaped)?;
                }
                literal
            }
            Token::Word(word) if word.eq_ignore_ascii_case("true") => Literal::Boolean(true),
            Token::Word(word) if word.eq_ignore_ascii_case("false") => Literal::Boolean(false),
            Token::Word(word) if word.eq_ignore_ascii_case("null") => Literal::Null,
            Token::Word(word) if word.eq_ignore_ascii_case("system.now") => return self.now(),
            Token::Open => return self.now_in_parentheses(),
            Token::OpenBracket => return self.expected("one value; a list needs -in or -notIn"),
            Token::Bare(text) if is_free => Literal::Number(text.as_str().into()),
            Token::Word(_) | Token::Bare(_) => {
                let text = self.token.shown();
                return self.fail(FilterFault::UnquotedValue(text));
            }
            Token::Close | Token::CloseBracket | Token::Comma | Token::Dashed(_) | Token::End => {
                return self.expected("a value in quotes, true, false or null");
            }
        };
        self.advance()?;
        Ok(literal)
    }

    /// `[ "a", "b" ]`
    fn list(&mut self) -> Result<Literal, FilterError> {
        if self.token != Token::OpenBracket {
            return self.expected("a list such as [\"a\",\"b\"]");
        }
        let open = self.span.clone();
        let mut values: Vec<Box<str>> = Vec::new();
        loop {
            self.advance()?;
            match &self.token {
                Token::Text(quoted) => values.push(quoted.text.as_str().into()),
                Token::End => return self.fail_at(open, FilterFault::Unclosed('[')),
                Token::Word(_) | Token::Bare(_) => {
                    let text = self.token.shown();
                    return self.fail(FilterFault::UnquotedValue(text));
                }
                _ => return self.expected("a value in quotes"),
            }
            self.advance()?;
            match &self.token {
                Token::Comma => {}
                Token::CloseBracket => break,
                Token::End => return self.fail_at(open, FilterFault::Unclosed('[')),
                _ => return self.expected(", or ]"),
            }
        }
        self.advance()?;
        Ok(Literal::List(values.into_boxed_slice()))
    }

    fn now_in_parentheses(&mut self) -> Result<Literal, FilterError> {
        let open = self.span.clone();
        self.deeper()?;
        self.advance()?;
        let literal = match &self.token {
            Token::Word(word) if word.eq_ignore_ascii_case("system.now") => self.now()?,
            Token::Open => self.now_in_parentheses()?,
            _ => return self.expected("system.now; other values need no parentheses"),
        };
        match &self.token {
            Token::Close => {}
            Token::End => return self.fail_at(open, FilterFault::Unclosed('(')),
            _ => return self.expected("-plus, -minus or )"),
        }
        self.depth -= 1;
        self.advance()?;
        Ok(literal)
    }

    /// `system.now`, `system.now -plus p1d`, `system.now -minus P90D`
    fn now(&mut self) -> Result<Literal, FilterError> {
        self.advance()?;
        let sign = if self.is_keyword("plus") {
            1
        } else if self.is_keyword("minus") {
            -1
        } else {
            return Ok(Literal::Now(DaysFromNow(0)));
        };
        self.advance()?;
        let days = match &self.token {
            Token::Word(word) => days_of(word),
            _ => None,
        };
        let Some(days) = days else {
            return self.expected("a number of days such as P30D, at most P365000D");
        };
        self.advance()?;
        Ok(Literal::Now(DaysFromNow(sign * days)))
    }

    /// Refuses an expression we do not search, at the place in it.
    fn expression(&self, text: &str, is_escaped: bool) -> Result<(), FilterError> {
        let Err(fault) = Expression::parse(text) else {
            return Ok(());
        };
        let inside = self.span.start + 1;
        let span = if is_escaped {
            self.span.clone()
        } else {
            inside + fault.span.start..inside + fault.span.end
        };
        self.fail_at(span, FilterFault::Expression(fault.why))
    }

    /// What an administrator should look at again in one comparison.
    pub(super) fn warn_of(&mut self, property: &Property, operator: Operator, literal: &Literal, span: Range<usize>) {
        let is_boolean = property
            .attribute()
            .is_some_and(|attribute| attribute.value_type() == ValueType::Boolean);
        self.warn_of_value(operator, literal, is_boolean, span);
    }

    pub(super) fn warn_of_value(
        &mut self,
        operator: Operator,
        literal: &Literal,
        is_boolean: bool,
        span: Range<usize>,
    ) {
        match literal {
            Literal::Text(_) if is_boolean => self.warn(span, WarningKind::QuotedBoolean),
            Literal::Text(text) if text.is_empty() => self.warn(span, WarningKind::EmptyText),
            Literal::Text(text) if operator.positive() != Operator::Match => {
                if text.contains('*') {
                    self.warn(span, WarningKind::StarIsText);
                } else if text.eq_ignore_ascii_case("null") {
                    self.warn(span, WarningKind::QuotedNull);
                }
            }
            Literal::List(values) if values.iter().any(|value| value.is_empty()) => {
                self.warn(span, WarningKind::EmptyText);
            }
            Literal::Text(_)
            | Literal::List(_)
            | Literal::Number(_)
            | Literal::Boolean(_)
            | Literal::Null
            | Literal::Pieces(_)
            | Literal::Now(_) => {}
        }
    }

    /// Remarks on `memberOf`, which works here longer than there.
    pub(super) fn warn_of_groups(&mut self, groups: usize, span: Range<usize>) {
        self.warn(span.clone(), WarningKind::MemberOfRetired);
        if groups > ENTRA_GROUPS_MAX {
            self.warn(span, WarningKind::ManyGroups);
        }
    }
}

/// `P30D` in any case.
fn days_of(word: &str) -> Option<i32> {
    let lower = word.to_ascii_lowercase();
    let number = lower.strip_prefix('p')?.strip_suffix('d')?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    number.parse().ok().filter(|days| is_number && *days <= DAYS_MAX)
}
