//! Dynamic membership rules of Microsoft Entra.
//!
//! In: the text of a rule. Out: a [`Predicate`] and warnings, or one error with its place. Never: guesses at an unknown
//! property, searches an expression of unbounded cost, recurses without bound.
//!
//! ```text
//! rule       = "Direct Reports for" text / or-expr
//! or-expr    = and-expr *( "-or" and-expr )
//! and-expr   = not-expr *( "-and" not-expr )
//! not-expr   = "-not" not-expr / primary
//! primary    = "(" or-expr ")" / property operator value / collection ( "-any" / "-all" ) "(" elements ")"
//! ```
//!
//! Hyphens before operators are optional, case does not matter, `-and` binds tighter than `-or` as documented. A missing
//! value passes no positive operator and every negative one, `-ne` and `-not` among them; `-all` holds on an empty
//! collection. Rules are about users: contacts and groups are never members. Comments are not kept.

mod element;
mod lex;
mod names;
mod print;
mod value;

use std::ops::Range;

pub use self::print::{name_of, print};

use self::lex::{Lexer, Token};
use self::names::{Kind, UserProperty};
use super::error::{FilterError, FilterFault};
use super::lint::{Warning, WarningKind};
use super::opath::Parsed;
use super::operand::{Operand, OperandFault};
use super::operator::Operator;
use super::predicate::{Comparison, Literal, Predicate};
use super::quantified::Quantifier;
use super::{COMPARISONS_MAX, DEPTH_MAX, EvaluationOptions, LENGTH_OCTETS_MAX};
use crate::directory::attribute::{Attribute, Property, nearest};
use crate::directory::fields::is_extension_name;

/// Longest rule Entra stores, in characters; longer ones work here and are warned about.
pub const ENTRA_CHARACTERS_MAX: usize = 3_072;

/// Most groups in one condition on `memberOf`; more work here and are warned about.
pub const ENTRA_GROUPS_MAX: usize = 50;

/// Parses a rule.
pub fn parse(source: &str) -> Result<Parsed, FilterError> {
    if source.len() > LENGTH_OCTETS_MAX {
        let fault = FilterFault::TooLong { octets: source.len() };
        return Err(FilterError::new("", 0..0, fault));
    }
    let mut parser = Parser::new(source)?;
    let predicate = parser.whole()?;
    if source.chars().count() > ENTRA_CHARACTERS_MAX {
        parser.warn(0..0, WarningKind::LongRule);
    }
    let mut warnings = parser.warnings;
    warnings.sort_by_key(|warning| warning.place.span.start);
    Ok(Parsed { predicate, warnings })
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    token: Token,
    span: Range<usize>,
    depth: usize,
    comparisons: usize,
    /// The last property and operator, for the hint at a value that lacks them.
    last: Option<(&'static str, Operator)>,
    /// Place of a condition on `memberOf`, which Entra takes alone.
    member_of: Option<Range<usize>>,
    warnings: Vec<Warning>,
}

/// How an expression was written, as far as the precedence warning needs to know.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Single,
    BareAnd,
}

impl<'a> Parser<'a> {
    fn new(source: &'a str) -> Result<Self, FilterError> {
        let mut lexer = Lexer::new(source);
        let (token, span) = lexer.next()?;
        Ok(Self {
            lexer,
            token,
            span,
            depth: 0,
            comparisons: 0,
            last: None,
            member_of: None,
            warnings: Vec::new(),
        })
    }

    fn advance(&mut self) -> Result<(), FilterError> {
        (self.token, self.span) = self.lexer.next()?;
        Ok(())
    }

    fn fail<T>(&self, fault: FilterFault) -> Result<T, FilterError> {
        self.fail_at(self.span.clone(), fault)
    }

    fn fail_at<T>(&self, span: Range<usize>, fault: FilterFault) -> Result<T, FilterError> {
        Err(FilterError::new(self.lexer.source, span, fault))
    }

    fn expected<T>(&self, expected: &'static str) -> Result<T, FilterError> {
        self.fail(FilterFault::Expected {
            expected,
            found: self.token.shown(),
        })
    }

    fn warn(&mut self, span: Range<usize>, kind: WarningKind) {
        self.warnings.push(Warning::new(self.lexer.source, span, kind));
    }

    fn is_keyword(&self, keyword: &str) -> bool {
        self.token
            .keyword()
            .is_some_and(|word| word.eq_ignore_ascii_case(keyword))
    }

    fn whole(&mut self) -> Result<Predicate, FilterError> {
        if self.token == Token::End {
            return self.fail(FilterFault::Empty);
        }
        if self.is_keyword("direct") {
            return self.direct_reports();
        }
        let predicate = self.or_expression()?;
        if let Some(place) = self.member_of.clone().filter(|_| self.comparisons > 1) {
            self.warn(place, WarningKind::MemberOfNotAlone);
        }
        if predicate.is_about_devices() {
            self.warn(0..0, WarningKind::DeviceRule);
        }
        match &self.token {
            Token::End => Ok(predicate),
            Token::Close => self.fail(FilterFault::Stray(')')),
            Token::CloseBracket => self.fail(FilterFault::Stray(']')),
            Token::Dashed(word) => self.fail(unknown_operator(word, &["and", "or"])),
            Token::Open | Token::OpenBracket | Token::Comma | Token::Word(_) | Token::Bare(_) | Token::Text(_) => {
                self.expected("-and, -or or the end of the rule")
            }
        }
    }

    /// `Direct Reports for "id"`: one level, alone in its rule.
    fn direct_reports(&mut self) -> Result<Predicate, FilterError> {
        self.advance()?;
        for word in ["reports", "for"] {
            if !self.is_keyword(word) {
                return self.expected("Direct Reports for \"id of the manager\"");
            }
            self.advance()?;
        }
        let id: Box<str> = match &self.token {
            Token::Text(quoted) if !quoted.text.trim_matches(['{', '}', ' ']).is_empty() => quoted.text.as_str().into(),
            _ => return self.expected("the id of the manager in quotes"),
        };
        self.advance()?;
        if self.token != Token::End {
            return self.expected("the end of the rule, because Direct Reports for stands alone");
        }
        Ok(Predicate::Compare(Comparison {
            property: Property::Held(Attribute::Manager),
            operator: Operator::ReportsTo,
            literal: Literal::Text(id),
        }))
    }

    fn or_expression(&mut self) -> Result<Predicate, FilterError> {
        let start = self.span.start;
        let (first, shape) = self.and_expression()?;
        let mut mixed = shape == Shape::BareAnd;
        let mut parts = vec![first];
        while self.is_keyword("or") {
            self.advance()?;
            let (part, shape) = self.and_expression()?;
            mixed |= shape == Shape::BareAnd;
            parts.push(part);
        }
        if parts.len() > 1 && mixed {
            self.warn(start..self.span.start, WarningKind::MixedPrecedence);
        }
        Ok(joined(parts, Predicate::Or))
    }

    fn and_expression(&mut self) -> Result<(Predicate, Shape), FilterError> {
        let start = self.span.start;
        let mut parts = vec![self.not_expression()?];
        while self.is_keyword("and") {
            self.advance()?;
            parts.push(self.not_expression()?);
        }
        if let Some(name) = contradiction(&parts) {
            self.warn(start..self.span.start, WarningKind::NeverTrue(name));
        }
        let shape = if parts.len() > 1 { Shape::BareAnd } else { Shape::Single };
        Ok((joined(parts, Predicate::And), shape))
    }

    fn not_expression(&mut self) -> Result<Predicate, FilterError> {
        if self.is_keyword("not") {
            self.deeper()?;
            self.advance()?;
            let inner = self.not_expression()?;
            self.depth -= 1;
            return Ok(Predicate::Not(Box::new(inner)));
        }
        self.primary()
    }

    fn deeper(&mut self) -> Result<(), FilterError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            self.fail(FilterFault::TooDeep)
        } else {
            Ok(())
        }
    }

    fn primary(&mut self) -> Result<Predicate, FilterError> {
        match &self.token {
            Token::Open => {
                let open = self.span.clone();
                self.deeper()?;
                self.advance()?;
                let inner = self.or_expression()?;
                self.close(open)?;
                self.depth -= 1;
                Ok(inner)
            }
            Token::Word(word) => {
                let word = word.clone();
                self.comparison(&word)
            }
            Token::Text(_) | Token::Bare(_) => {
                let value = self.token.shown();
                let hint = |(name, operator): (&'static str, Operator)| format!("{name} -{} {value}", operator.word());
                let suggestion = self.last.map(hint);
                self.fail(FilterFault::ValueWithoutProperty { suggestion })
            }
            Token::Close | Token::OpenBracket | Token::CloseBracket | Token::Comma | Token::Dashed(_) | Token::End => {
                self.expected("a property such as user.department, -not or (")
            }
        }
    }

    /// The parenthesis that closes the one at `open`.
    fn close(&mut self, open: Range<usize>) -> Result<(), FilterError> {
        match &self.token {
            Token::Close => self.advance(),
            Token::End => self.fail_at(open, FilterFault::Unclosed('(')),
            Token::Dashed(word) => self.fail(unknown_operator(word, &["and", "or"])),
            Token::Open
            | Token::OpenBracket
            | Token::CloseBracket
            | Token::Comma
            | Token::Word(_)
            | Token::Bare(_)
            | Token::Text(_) => self.expected("-and, -or or )"),
        }
    }

    fn count_comparison(&mut self) -> Result<(), FilterError> {
        self.comparisons += 1;
        if self.comparisons > COMPARISONS_MAX {
            return self.fail(FilterFault::TooManyComparisons);
        }
        Ok(())
    }

    fn comparison(&mut self, name: &str) -> Result<Predicate, FilterError> {
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
    fn end_of_value(&self, start: usize) -> usize {
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

/// A property that must equal two texts at once.
fn contradiction(parts: &[Predicate]) -> Option<&'static str> {
    let mut seen: Vec<(&Property, &str)> = Vec::new();
    for part in parts {
        let Predicate::Compare(Comparison {
            property,
            operator: Operator::Eq,
            literal: Literal::Text(text),
        }) = part
        else {
            continue;
        };
        let is_country = property
            .attribute()
            .is_some_and(|attribute| matches!(attribute, Attribute::CountryOrRegion | Attribute::UsageLocation));
        let differs = |(other, value): &&(&Property, &str)| {
            *other == property && !is_country && value.to_lowercase() != text.to_lowercase()
        };
        if seen.iter().any(|each| differs(&each)) {
            return Some(property.attribute().and_then(name_of).unwrap_or(property.label()));
        }
        seen.push((property, text));
    }
    None
}

fn joined<T>(mut parts: Vec<T>, join: fn(Vec<T>) -> T) -> T {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, Some(last)) => {
            parts.push(last);
            join(parts)
        }
        (_, None) => join(parts),
    }
}

fn unknown_operator(word: &str, known: &[&'static str]) -> FilterFault {
    const DASHED: [&str; 18] = [
        "-eq",
        "-ne",
        "-startsWith",
        "-notStartsWith",
        "-endsWith",
        "-notEndsWith",
        "-contains",
        "-notContains",
        "-match",
        "-notMatch",
        "-in",
        "-notIn",
        "-le",
        "-ge",
        "-and",
        "-or",
        "-any",
        "-all",
    ];
    let suggestion = match word.to_ascii_lowercase().as_str() {
        // What people know from Exchange.
        "like" => Some("-startsWith, -contains or -match"),
        "notlike" => Some("-notStartsWith, -notContains or -notMatch"),
        "lt" => Some("-le"),
        "gt" => Some("-ge"),
        _ => nearest(word, known.iter().copied())
            .and_then(|near| DASHED.iter().copied().find(|each| each.get(1..) == Some(near))),
    };
    FilterFault::UnknownOperator {
        word: format!("-{word}"),
        suggestion,
    }
}
