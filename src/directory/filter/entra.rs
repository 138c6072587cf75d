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

mod comparison;
mod element;
mod lex;
mod names;
mod print;
mod value;

use std::ops::Range;

pub use self::print::{name_of, print};

use self::lex::{Lexer, Token};
use super::error::{FilterError, FilterFault};
use super::lint::{Warning, WarningKind};
use super::opath::Parsed;
use super::operator::Operator;
use super::predicate::{Comparison, Literal, Predicate};
use super::{DEPTH_MAX, LENGTH_OCTETS_MAX};
use crate::directory::attribute::{Attribute, Property, nearest};

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
