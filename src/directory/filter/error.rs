//! What is wrong with a filter text, where, and what was probably meant.
//!
//! In: a text and a place in it. Out: one sentence with line and column, and the line with a caret under it.

use std::fmt;
use std::ops::Range;

/// A place in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Bytes.
    pub span: Range<usize>,
    /// Counted from 1.
    pub line: usize,
    /// Characters, counted from 1.
    pub column: usize,
}

impl Place {
    /// Computes line and column of a span.
    pub fn of(source: &str, span: Range<usize>) -> Self {
        let before = source.get(..span.start).unwrap_or(source);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.get(line_start..).unwrap_or("").chars().count() + 1;
        Self { span, line, column }
    }
}

/// Why a text is no filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterFault {
    #[error("the filter is empty")]
    Empty,
    #[error("the filter has {octets} octets; at most {} are read", super::LENGTH_OCTETS_MAX)]
    TooLong { octets: usize },
    #[error("parentheses and -not nest deeper than {}", super::DEPTH_MAX)]
    TooDeep,
    #[error("more than {} comparisons", super::COMPARISONS_MAX)]
    TooManyComparisons,
    #[error("expected {expected}, found {found}")]
    Expected { expected: &'static str, found: String },
    #[error("unknown property {name}{}", meant(.suggestion))]
    UnknownProperty {
        name: String,
        suggestion: Option<&'static str>,
    },
    #[error("unknown operator {word}{}", meant(.suggestion))]
    UnknownOperator {
        word: String,
        suggestion: Option<&'static str>,
    },
    #[error("this dash ({0}) is not a hyphen; type - as in -eq")]
    Dash(char),
    #[error("this quote ({0}) is typographic; type ' on both sides of the value")]
    CurlyQuote(char),
    #[error("the text that begins here has no closing {0}")]
    UnclosedText(char),
    #[error("this {0} is never closed")]
    Unclosed(char),
    #[error("this {0} closes nothing")]
    Stray(char),
    #[error("a value without a property{}", meant_text(.suggestion))]
    ValueWithoutProperty { suggestion: Option<String> },
    #[error("a text value must stand in quotes: '{0}'")]
    UnquotedValue(String),
    #[error("the variable {0} is not expanded here; write its value in quotes")]
    Variable(String),
    #[error("this is an Entra dynamic membership rule, not a recipient filter")]
    EntraRule,
    #[error("this is an LDAP filter")]
    LdapFilter,
    #[error("this is an OPATH filter of Exchange, not an Entra rule")]
    OpathFilter,
    #[error("a property of users begins with user.; did you mean {meant}?")]
    PrefixMissing { meant: &'static str },
    #[error("{0} is a property of users that Entra rules cannot use")]
    NotInEntra(&'static str),
    #[error("{property} is a collection; write for example {example}")]
    Collection {
        property: &'static str,
        example: &'static str,
    },
    #[error("this regular expression is not searched: {0}")]
    Expression(String),
    #[error("unexpected character {0:?}")]
    Character(char),
    #[error("{property} is compared with {value:?}, but takes {expected}{}", meant(.suggestion))]
    WrongValue {
        property: &'static str,
        value: Box<str>,
        expected: &'static str,
        suggestion: Option<&'static str>,
    },
    #[error("{property} cannot be compared with {operator}")]
    WrongOperator { property: &'static str, operator: String },
    #[error("this is {is}, not {wanted}")]
    OtherLanguage { is: &'static str, wanted: &'static str },
    #[error("an LDAP filter stands in parentheses, as in (cn=x)")]
    NoParenthesis,
    #[error("a second filter begins here; join the two in one: (&(…)(…)) for both, (|(…)(…)) for either")]
    SecondFilter,
    #[error("! takes one filter; a second one begins here")]
    SecondNegated,
    #[error("filters side by side need & (all of them) or | (any of them) before the first, as in (&(…)(…))")]
    NoListOperator,
    #[error("nothing stands behind this {0}; a list emptied by accident would be everybody or nobody")]
    EmptyList(char),
    #[error("nothing stands between these parentheses")]
    EmptyParentheses,
    #[error("a ( in a value is written \\28, a ) is written \\29")]
    UnescapedParenthesis,
    #[error("{0} is no escape; a backslash stands before two hexadecimal digits, and is itself written \\5c")]
    Escape(String),
    #[error("LDAP has no {0}; write {0}= for \"or equal\", and exclude equality with (!(…=…))")]
    StrictOrder(char),
    #[error("a * here is no wildcard; a star in a value is written \\2a")]
    UnescapedStar,
    #[error("a matching rule needs an attribute before it")]
    RuleWithoutAttribute,
    #[error("a value is not searched for in distinguished names (:dn); Active Directory does not do so either")]
    DnAttributes,
    #[error("unknown matching rule {rule}{}", meant(.suggestion))]
    UnknownMatchingRule {
        rule: String,
        suggestion: Option<&'static str>,
    },
    #[error("the octets of this value are no UTF-8 text, which {0} is")]
    NotText(&'static str),
}

fn meant(suggestion: &Option<&'static str>) -> String {
    suggestion
        .map(|name| format!("; did you mean {name}?"))
        .unwrap_or_default()
}

fn meant_text(suggestion: &Option<String>) -> String {
    suggestion
        .as_ref()
        .map(|text| format!("; write {text}"))
        .unwrap_or_default()
}

/// A fault at its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterError {
    pub fault: FilterFault,
    pub place: Place,
    /// The line the fault is in, cut to what fits a screen, and the caret line.
    excerpt: Box<str>,
}

impl FilterError {
    pub(super) fn new(source: &str, span: Range<usize>, fault: FilterFault) -> Self {
        let place = Place::of(source, span);
        let excerpt = excerpt(source, &place).into();
        Self { fault, place, excerpt }
    }

    /// Sentence, line and caret, over three lines.
    pub fn render(&self) -> String {
        format!("{self}\n{}", self.excerpt)
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "line {}, column {}: {}",
            self.place.line, self.place.column, self.fault
        )
    }
}

impl std::error::Error for FilterError {}

/// The line of a place with carets under it; at most 40 characters before and after are shown.
pub(super) fn excerpt(source: &str, place: &Place) -> String {
    const CONTEXT: usize = 40;
    let line: Vec<char> = source.lines().nth(place.line - 1).unwrap_or("").chars().collect();
    let at = (place.column - 1).min(line.len());
    let width = source
        .get(place.span.clone())
        .map_or(1, |text| text.chars().count())
        .clamp(1, CONTEXT);
    let start = at.saturating_sub(CONTEXT);
    let end = (at + CONTEXT + width).min(line.len());
    // Control characters would move the caret away from what it points at.
    let shown: String = line
        .get(start..end)
        .unwrap_or(&[])
        .iter()
        .map(|character| if character.is_control() { ' ' } else { *character })
        .collect();
    let lead = if start > 0 { "…" } else { "" };
    let tail = if end < line.len() { "…" } else { "" };
    let indent = " ".repeat(at - start + lead.chars().count());
    let carets = "^".repeat(width.min((line.len().max(at + 1)) - at));
    format!("  {lead}{shown}{tail}\n  {indent}{carets}")
}
