//! The grammar of LDAP filters (RFC 4515), before any attribute is looked at.
//!
//! In: the text. Out: a tree of items with their places, values unescaped to octets. Never: a guess where a text
//! is no filter, recursion without bound.
//!
//! ```text
//! filter  = blank "(" blank ( "&" list / "|" list / "!" not / item ) ")" blank
//! list    = 1*filter
//! not     = filter / item                    ; `(!attr=value)` is no RFC 4515 and stands in many directories
//! item    = attribute ( "=" / ">=" / "<=" / "~=" ) value
//!         / attribute [ ":dn" ] [ ":" rule ] ":=" value
//! ```
//!
//! Lenient where stored filters are: blanks and line breaks between components, a list of one, `{` and other
//! octets that need no escape. Strict where a filter could mean two things: parentheses in values, two filters
//! in a row, empty lists.

use std::ops::Range;

use super::super::error::{FilterError, FilterFault};
use super::super::guess::guess;
use super::super::{COMPARISONS_MAX, DEPTH_MAX};
use crate::directory::group::FilterLanguage;

/// One component of a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Syntax<'a> {
    And(Vec<Syntax<'a>>),
    Or(Vec<Syntax<'a>>),
    Not(Box<Syntax<'a>>),
    Item(Item<'a>),
}

/// `attribute=value` and its relatives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item<'a> {
    pub(super) attribute: &'a str,
    pub(super) attribute_span: Range<usize>,
    pub(super) test: ItemTest<'a>,
    pub(super) value: AssertionValue,
}

/// How the value is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ItemTest<'a> {
    /// `=`, with or without asterisks.
    Equal,
    GreaterOrEqual,
    LessOrEqual,
    /// `~=`.
    Approximate,
    /// `:rule:=`; without a rule the attribute's own equality.
    Extensible(Option<(&'a str, Range<usize>)>),
}

/// A value between the operator and the parenthesis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AssertionValue {
    /// Octets between the asterisks, unescaped; one piece if there is none.
    pub(super) pieces: Vec<Vec<u8>>,
    /// The value as written.
    pub(super) span: Range<usize>,
}

/// Reads a whole text.
pub(super) fn read(source: &str) -> Result<Syntax<'_>, FilterError> {
    let mut reader = Reader {
        source,
        at: 0,
        depth: 0,
        items: 0,
    };
    reader.blanks();
    match reader.peek() {
        None => return reader.fail(reader.here(), FilterFault::Empty),
        Some('(') => {}
        Some(_) => return reader.not_a_filter(),
    }
    let syntax = reader.filter()?;
    reader.blanks();
    match reader.peek() {
        None => Ok(syntax),
        Some(')') => reader.fail(reader.here(), FilterFault::Stray(')')),
        Some('(') => reader.fail(reader.here(), FilterFault::SecondFilter),
        Some(found) => reader.fail(
            reader.here(),
            FilterFault::Expected {
                expected: "the end of the filter",
                found: found.into(),
            },
        ),
    }
}

struct Reader<'a> {
    source: &'a str,
    at: usize,
    depth: usize,
    items: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// The place of the next character.
    fn here(&self) -> Range<usize> {
        self.at..self.at + self.peek().map_or(0, char::len_utf8)
    }

    fn fail<T>(&self, span: Range<usize>, fault: FilterFault) -> Result<T, FilterError> {
        Err(FilterError::new(self.source, span, fault))
    }

    fn expected<T>(&self, expected: &'static str) -> Result<T, FilterError> {
        let found = self.peek().map_or_else(|| "the end of the filter".into(), String::from);
        self.fail(self.here(), FilterFault::Expected { expected, found })
    }

    fn blanks(&mut self) {
        let trimmed = self
            .rest()
            .trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
        self.at = self.source.len() - trimmed.len();
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    /// A text without a parenthesis at its beginning: another language, or a filter somebody forgot to close in.
    fn not_a_filter<T>(&self) -> Result<T, FilterError> {
        let text = self.rest();
        self.fail(self.here(), other_language(text).unwrap_or(FilterFault::NoParenthesis))
    }

    /// A filter; the next character is its parenthesis.
    fn filter(&mut self) -> Result<Syntax<'a>, FilterError> {
        let open = self.here();
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return self.fail(open, FilterFault::TooDeep);
        }
        self.at += 1;
        self.blanks();
        let start = self.here();
        let syntax = match self.peek() {
            Some('&') => {
                self.at += 1;
                Syntax::And(self.list('&', start)?)
            }
            Some('|') => {
                self.at += 1;
                Syntax::Or(self.list('|', start)?)
            }
            Some('!') => {
                self.at += 1;
                Syntax::Not(Box::new(self.negated()?))
            }
            Some('(') => return self.fail(start, FilterFault::NoListOperator),
            Some(')') => return self.fail(open.start..start.end, FilterFault::EmptyParentheses),
            Some(_) => Syntax::Item(self.item()?),
            None => return self.fail(open, FilterFault::Unclosed('(')),
        };
        self.blanks();
        match self.peek() {
            Some(')') => self.at += 1,
            None => return self.fail(open, FilterFault::Unclosed('(')),
            Some('(') if matches!(syntax, Syntax::Not(_)) => return self.fail(self.here(), FilterFault::SecondNegated),
            Some(_) => return self.expected(")"),
        }
        self.depth -= 1;
        Ok(syntax)
    }

    /// The filters behind `&` or `|`; one is enough, none is refused: a list emptied by accident would be
    /// everybody (RFC 4526 gives `(&)` that meaning; Active Directory does not take it).
    fn list(&mut self, sign: char, sign_span: Range<usize>) -> Result<Vec<Syntax<'a>>, FilterError> {
        let mut parts = Vec::new();
        loop {
            self.blanks();
            match self.peek() {
                Some('(') => parts.push(self.filter()?),
                Some(')') if parts.is_empty() => {
                    return self.fail(sign_span, FilterFault::EmptyList(sign));
                }
                Some(')') | None => return Ok(parts),
                Some(_) => return self.expected("( or )"),
            }
        }
    }

    /// What `!` stands before: a filter, or an item without parentheses of its own.
    fn negated(&mut self) -> Result<Syntax<'a>, FilterError> {
        self.blanks();
        match self.peek() {
            Some('(') => self.filter(),
            Some(')' | '&' | '|' | '!') | None => self.expected("a filter in parentheses after !"),
            Some(_) => Ok(Syntax::Item(self.item()?)),
        }
    }

    fn item(&mut self) -> Result<Item<'a>, FilterError> {
        self.items += 1;
        if self.items > COMPARISONS_MAX {
            return self.fail(self.here(), FilterFault::TooManyComparisons);
        }
        let (attribute, attribute_span) = self.attribute()?;
        let test = self.test(attribute, &attribute_span)?;
        let value = self.value()?;
        Ok(Item {
            attribute,
            attribute_span,
            test,
            value,
        })
    }

    /// An attribute description: a name or an OID, with options.
    fn attribute(&mut self) -> Result<(&'a str, Range<usize>), FilterError> {
        let start = self.at;
        let rest = self.rest();
        let length = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ';' | '_')))
            .unwrap_or(rest.len());
        self.at += length;
        let span = start..self.at;
        let name = rest.get(..length).unwrap_or("");
        if name.is_empty() {
            return match self.peek() {
                Some(':') => self.fail(self.here(), FilterFault::RuleWithoutAttribute),
                _ => self.expected("an attribute, &, | or !"),
            };
        }
        Ok((name, span))
    }

    fn test(&mut self, attribute: &str, span: &Range<usize>) -> Result<ItemTest<'a>, FilterError> {
        self.blanks();
        let rest = self.rest();
        for (sign, test) in [
            (">=", ItemTest::GreaterOrEqual),
            ("<=", ItemTest::LessOrEqual),
            ("~=", ItemTest::Approximate),
            ("=", ItemTest::Equal),
        ] {
            if rest.starts_with(sign) {
                self.at += sign.len();
                return Ok(test);
            }
        }
        match self.peek() {
            Some(':') => self.extensible(),
            Some(found @ ('>' | '<')) => self.fail(self.here(), FilterFault::StrictOrder(found)),
            Some('-' | 'a'..='z' | 'A'..='Z') => match other_language(self.source) {
                Some(fault) => self.fail(span.clone(), fault),
                None => self.expected("=, >=, <=, ~= or :="),
            },
            Some('(') => self.fail(self.here(), FilterFault::NoListOperator),
            _ if attribute.eq_ignore_ascii_case("and") || attribute.eq_ignore_ascii_case("or") => {
                self.fail(span.clone(), FilterFault::NoListOperator)
            }
            _ => self.expected("=, >=, <=, ~= or :="),
        }
    }

    /// `:=`, `:rule:=`, `:dn:=`, `:dn:rule:=`.
    fn extensible(&mut self) -> Result<ItemTest<'a>, FilterError> {
        let mut rule = None;
        loop {
            if !self.take(':') {
                return self.expected(":=");
            }
            if self.take('=') {
                return Ok(ItemTest::Extensible(rule));
            }
            let start = self.at;
            let rest = self.rest();
            let length = rest
                .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_')))
                .unwrap_or(rest.len());
            self.at += length;
            let name = rest.get(..length).unwrap_or("");
            let span = start..self.at;
            if name.is_empty() {
                return self.expected("a matching rule or :=");
            }
            if name.eq_ignore_ascii_case("dn") {
                // Active Directory does not look into the DN; taking the flag in silence would widen the filter.
                return self.fail(span, FilterFault::DnAttributes);
            }
            if rule.is_some() {
                return self.fail(
                    span,
                    FilterFault::Expected {
                        expected: ":= after the matching rule",
                        found: name.chars().take(40).collect(),
                    },
                );
            }
            rule = Some((name, span));
        }
    }

    /// The octets up to the parenthesis. Blanks belong to the value.
    fn value(&mut self) -> Result<AssertionValue, FilterError> {
        let start = self.at;
        let mut pieces = vec![Vec::new()];
        while let Some(found) = self.peek() {
            match found {
                ')' => break,
                '(' => return self.fail(self.here(), FilterFault::UnescapedParenthesis),
                '*' => {
                    self.at += 1;
                    pieces.push(Vec::new());
                }
                '\\' => {
                    let octet = self.escape()?;
                    push(&mut pieces, &[octet]);
                }
                _ => {
                    self.at += found.len_utf8();
                    let mut octets = [0; 4];
                    push(&mut pieces, found.encode_utf8(&mut octets).as_bytes());
                }
            }
        }
        Ok(AssertionValue {
            pieces,
            span: start..self.at,
        })
    }

    /// `\28`: two hexadecimal digits (RFC 4515 §3).
    fn escape(&mut self) -> Result<u8, FilterError> {
        let start = self.at;
        self.at += 1;
        let digits = self.rest().get(..2).unwrap_or("");
        let is_hex = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        match u8::from_str_radix(digits, 16) {
            Ok(octet) if is_hex => {
                self.at += 2;
                Ok(octet)
            }
            Ok(_) | Err(_) => {
                let shown: String = self.source.get(start..).unwrap_or("").chars().take(3).collect();
                let end = start + shown.len();
                self.fail(start..end, FilterFault::Escape(shown))
            }
        }
    }
}

fn push(pieces: &mut [Vec<u8>], octets: &[u8]) {
    if let Some(last) = pieces.last_mut() {
        last.extend_from_slice(octets);
    }
}

/// The fault of a text in another language, if it is one.
fn other_language(text: &str) -> Option<FilterFault> {
    let is = match guess(text)? {
        FilterLanguage::Ldap => return None,
        FilterLanguage::Opath => "an OPATH filter",
        FilterLanguage::Entra => "an Entra dynamic membership rule",
    };
    Some(FilterFault::OtherLanguage {
        is,
        wanted: "an LDAP filter",
    })
}
