//! OPATH, the filter language of Exchange (`RecipientFilter`).
//!
//! In: the text an administrator typed or Exchange stored. Out: a [`Predicate`] and warnings, or one error
//! with its place. Never: guesses at an unknown property, drops an operand, recurses without bound.
//!
//! ```text
//! filter     = or-expr
//! or-expr    = and-expr *( "-or" and-expr )
//! and-expr   = not-expr *( "-and" not-expr )
//! not-expr   = ( "-not" / "!" ) not-expr / primary
//! primary    = "(" filter ")" / comparison
//! comparison = property operator value
//! ```
//!
//! Precedence of `-and` over `-or` is documented nowhere; PowerShell itself would read left to right. We bind
//! `-and` tighter, as Microsoft's own normaliser does, and warn where the two stand on one level.

use std::ops::Range;

use super::error::{FilterError, FilterFault};
use super::lex::{Lexer, Token};
use super::lint::{self, Warning, WarningKind};
use super::operand::{Operand, OperandFault};
use super::operator::Operator;
use super::predicate::{Comparison, Literal, Predicate};
use super::{COMPARISONS_MAX, DEPTH_MAX, EvaluationOptions, LENGTH_OCTETS_MAX};
use crate::directory::attribute::{Property, nearest, suggest_property};

/// What a text was understood as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    pub predicate: Predicate,
    /// What an administrator should look at again, in the order of the text.
    pub warnings: Vec<Warning>,
}

/// Parses a filter.
pub fn parse(source: &str) -> Result<Parsed, FilterError> {
    if source.len() > LENGTH_OCTETS_MAX {
        let fault = FilterFault::TooLong { octets: source.len() };
        return Err(FilterError::new("", 0..0, fault));
    }
    let mut parser = Parser::new(source)?;
    let predicate = parser.whole()?;
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
    last: Option<(Property, Operator)>,
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

    fn is_keyword(&self, keyword: &str) -> bool {
        matches!(&self.token, Token::Dashed(word) if word.eq_ignore_ascii_case(keyword))
    }

    /// The filter, with the braces of a script block around it or without.
    fn whole(&mut self) -> Result<Predicate, FilterError> {
        if self.token == Token::End {
            return self.fail(FilterFault::Empty);
        }
        let brace = self.span.clone();
        let in_braces = self.token == Token::OpenBrace;
        if in_braces {
            self.advance()?;
        }
        let predicate = self.or_expression()?;
        if in_braces {
            if self.token == Token::End {
                return self.fail_at(brace, FilterFault::Unclosed('{'));
            }
            if self.token == Token::CloseBrace {
                self.advance()?;
            }
        }
        match &self.token {
            Token::End => Ok(predicate),
            Token::Close => self.fail(FilterFault::Stray(')')),
            Token::CloseBrace => self.fail(FilterFault::Stray('}')),
            Token::Dashed(word) => self.fail(unknown_operator(word, &["and", "or"])),
            Token::Open
            | Token::OpenBrace
            | Token::Bang
            | Token::Word(_)
            | Token::Number(_)
            | Token::Text(_)
            | Token::Dollar(_) => self.expected("-and, -or or the end of the filter"),
        }
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
        let mut parts = vec![self.not_expression()?];
        while self.is_keyword("and") {
            self.advance()?;
            parts.push(self.not_expression()?);
        }
        let shape = if parts.len() > 1 { Shape::BareAnd } else { Shape::Single };
        Ok((joined(parts, Predicate::And), shape))
    }

    fn not_expression(&mut self) -> Result<Predicate, FilterError> {
        if self.is_keyword("not") || self.token == Token::Bang {
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
                match &self.token {
                    Token::Close => {}
                    Token::End => return self.fail_at(open, FilterFault::Unclosed('(')),
                    Token::Dashed(word) => return self.fail(unknown_operator(word, &["and", "or"])),
                    Token::Open
                    | Token::OpenBrace
                    | Token::CloseBrace
                    | Token::Bang
                    | Token::Word(_)
                    | Token::Number(_)
                    | Token::Text(_)
                    | Token::Dollar(_) => return self.expected("-and, -or or )"),
                }
                self.depth -= 1;
                self.advance()?;
                Ok(inner)
            }
            Token::Word(word) => {
                let word = word.clone();
                self.comparison(&word)
            }
            Token::Text(_) | Token::Number(_) | Token::Dollar(_) => {
                let value = self.token.shown();
                let suggestion = self
                    .last
                    .as_ref()
                    .map(|(property, operator)| format!("{property} -{} {value}", operator.word()));
                self.fail(FilterFault::ValueWithoutProperty { suggestion })
            }
            Token::Close | Token::OpenBrace | Token::CloseBrace | Token::Bang | Token::Dashed(_) | Token::End => {
                self.expected("a property, -not or (")
            }
        }
    }

    fn comparison(&mut self, name: &str) -> Result<Predicate, FilterError> {
        let start = self.span.start;
        self.comparisons += 1;
        if self.comparisons > COMPARISONS_MAX {
            return self.fail(FilterFault::TooManyComparisons);
        }
        let property = self.property(name)?;
        self.advance()?;
        let operator = self.operator()?;
        self.advance()?;
        let literal = self.literal()?;
        let value_span = self.span.clone();
        self.last = Some((property.clone(), operator));
        let comparison = Comparison {
            property,
            operator,
            literal,
        };
        self.check(&comparison, value_span.clone())?;
        self.advance()?;
        let source = self.lexer.source;
        self.warnings
            .extend(lint::of_comparison(source, &comparison, start..value_span.end));
        Ok(Predicate::Compare(comparison))
    }

    fn property(&self, name: &str) -> Result<Property, FilterError> {
        if let Some(property) = Property::from_name(name) {
            return Ok(property);
        }
        let is_entra = ["user.", "device.", "group."].iter().any(|prefix| {
            name.get(..prefix.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(prefix))
        });
        if is_entra {
            return self.fail(FilterFault::EntraRule);
        }
        if self
            .lexer
            .source
            .get(self.span.end..)
            .is_some_and(|rest| rest.trim_start().starts_with(['=', ':', '~']))
        {
            return self.fail(FilterFault::LdapFilter);
        }
        self.fail(FilterFault::UnknownProperty {
            name: name.to_owned(),
            suggestion: suggest_property(name),
        })
    }

    fn operator(&self) -> Result<Operator, FilterError> {
        match &self.token {
            Token::Dashed(word) => match Operator::from_word_of(&Operator::OPATH, word) {
                Some(operator) => Ok(operator),
                None => self.fail(unknown_operator(word, &Operator::OPATH.map(Operator::word))),
            },
            Token::Word(word) if Operator::from_word_of(&Operator::OPATH, word).is_some() => {
                self.fail(FilterFault::Expected {
                    expected: "a hyphen before the operator",
                    found: word.clone(),
                })
            }
            Token::Open
            | Token::Close
            | Token::OpenBrace
            | Token::CloseBrace
            | Token::Bang
            | Token::Word(_)
            | Token::Number(_)
            | Token::Text(_)
            | Token::Dollar(_)
            | Token::End => self.expected("an operator such as -eq"),
        }
    }

    fn literal(&self) -> Result<Literal, FilterError> {
        match &self.token {
            Token::Text(text) => Ok(Literal::Text(text.as_str().into())),
            Token::Number(number) => Ok(Literal::Number(number.as_str().into())),
            Token::Dollar(word) | Token::Word(word) if word.eq_ignore_ascii_case("true") => Ok(Literal::Boolean(true)),
            Token::Dollar(word) | Token::Word(word) if word.eq_ignore_ascii_case("false") => {
                Ok(Literal::Boolean(false))
            }
            Token::Dollar(word) if word.eq_ignore_ascii_case("null") => Ok(Literal::Null),
            Token::Dollar(word) => self.fail(FilterFault::Variable(format!("${word}"))),
            Token::Word(_) => {
                let rest = self.lexer.source.get(self.span.start..).unwrap_or("");
                let end = rest
                    .find(|c: char| c.is_whitespace() || "'\"()".contains(c))
                    .unwrap_or(rest.len());
                self.fail(FilterFault::UnquotedValue(
                    rest.get(..end).unwrap_or("").chars().take(80).collect(),
                ))
            }
            Token::Open
            | Token::Close
            | Token::OpenBrace
            | Token::CloseBrace
            | Token::Bang
            | Token::Dashed(_)
            | Token::End => self.expected("a value in quotes, a number, $true, $false or $null"),
        }
    }

    /// Refuses a value that the property can never have.
    fn check(&self, comparison: &Comparison, span: Range<usize>) -> Result<(), FilterError> {
        // Whether an extension of ours is on, the settings say; the text is the same either way.
        let options = EvaluationOptions {
            recursive_membership: true,
            ..EvaluationOptions::default()
        };
        let (property, operator, literal) = (&comparison.property, comparison.operator, &comparison.literal);
        match Operand::of_property(property, operator, literal, &options) {
            Ok(_) => Ok(()),
            Err(OperandFault::Value { expected, suggestion }) => self.fail_at(
                span,
                FilterFault::WrongValue {
                    property: property.label(),
                    value: comparison
                        .literal
                        .text()
                        .unwrap_or("$null")
                        .chars()
                        .take(80)
                        .collect::<String>()
                        .into(),
                    expected,
                    suggestion,
                },
            ),
            Err(OperandFault::Operator | OperandFault::SwitchedOff) => self.fail_at(
                span,
                FilterFault::WrongOperator {
                    property: property.label(),
                    operator: format!("-{}", comparison.operator.word()),
                },
            ),
        }
    }

    fn warn(&mut self, span: Range<usize>, kind: WarningKind) {
        self.warnings.push(Warning::new(self.lexer.source, span, kind));
    }
}

fn joined(mut parts: Vec<Predicate>, join: fn(Vec<Predicate>) -> Predicate) -> Predicate {
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
    let dashed = match nearest(word, known.iter().copied()) {
        Some("and") => Some("-and"),
        Some("or") => Some("-or"),
        Some("eq") => Some("-eq"),
        Some("ne") => Some("-ne"),
        Some("lt") => Some("-lt"),
        Some("le") => Some("-le"),
        Some("gt") => Some("-gt"),
        Some("ge") => Some("-ge"),
        Some("like") => Some("-like"),
        Some("notlike") => Some("-notlike"),
        // PowerShell operators that people try; what they want is a wildcard.
        Some(_) | None
            if ["match", "contains", "startswith"]
                .iter()
                .any(|each| word.eq_ignore_ascii_case(each)) =>
        {
            Some("-like with *")
        }
        Some(_) | None => None,
    };
    FilterFault::UnknownOperator {
        word: format!("-{word}"),
        suggestion: dashed,
    }
}
