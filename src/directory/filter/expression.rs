//! Regular expressions of `-match`.
//!
//! In: a .NET expression as Entra stores it. Out: one that finds it anywhere in a text, ignoring case. Never: an
//! expression whose cost grows faster than the text (look-around and back references), or one without bound.

use std::hash::{Hash, Hasher};
use std::ops::Range;

use regex::{Regex, RegexBuilder};
use regex_syntax::ast::{self, ErrorKind};

/// Octets a compiled expression may take; `\w{1,100}` takes a few hundred thousand.
const COMPILED_OCTETS_MAX: usize = 2 << 20;

/// Octets of the cache of a search.
const CACHE_OCTETS_MAX: usize = 1 << 20;

/// Deepest nesting of groups.
const NEST_MAX: u32 = 50;

/// An expression ready to search. Two are equal if they were written the same.
#[derive(Debug, Clone)]
pub struct Expression(Regex);

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Expression {}

impl Hash for Expression {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_str().hash(state);
    }
}

/// Why a text is no expression we search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpressionFault {
    /// Octets in the expression.
    pub span: Range<usize>,
    /// The reason, as the end of a sentence.
    pub why: String,
}

impl Expression {
    /// Reads an expression.
    pub fn parse(text: &str) -> Result<Self, ExpressionFault> {
        let whole = |why: &str| ExpressionFault {
            span: 0..text.len(),
            why: why.to_owned(),
        };
        let mut parser = ast::parse::ParserBuilder::new();
        parser.nest_limit(NEST_MAX);
        parser.build().parse(text).map_err(|error| {
            let (start, end) = (error.span().start.offset, error.span().end.offset);
            // Where something is missing the place is empty; the character after it is shown.
            let next = text
                .get(start..)
                .and_then(|rest| rest.chars().next())
                .map_or(0, char::len_utf8);
            ExpressionFault {
                span: start..end.max(start + next),
                why: reason(error.kind()),
            }
        })?;
        RegexBuilder::new(text)
            .case_insensitive(true)
            .nest_limit(NEST_MAX)
            .size_limit(COMPILED_OCTETS_MAX)
            .dfa_size_limit(CACHE_OCTETS_MAX)
            .build()
            .map(Self)
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => whole("its repetitions make it too large"),
                // Understood and without meaning: a class or a property of characters nobody has.
                _ => whole("it names characters that do not exist"),
            })
    }

    /// True if it is found anywhere in the text.
    pub fn is_found_in(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// The expression to search with; it ignores case.
    pub fn regex(&self) -> &Regex {
        &self.0
    }
}

fn reason(kind: &ErrorKind) -> String {
    match kind {
        ErrorKind::RepetitionMissing => {
            "a repetition such as * needs something before it; write .* for any text".into()
        }
        ErrorKind::UnsupportedLookAround => "look-ahead and look-behind are not searched here".into(),
        ErrorKind::UnsupportedBackreference => "back references are not searched here".into(),
        ErrorKind::GroupUnclosed => "a ( of it is never closed; \\( is an ordinary parenthesis".into(),
        ErrorKind::GroupUnopened => "a ) of it closes nothing; \\) is an ordinary parenthesis".into(),
        ErrorKind::ClassUnclosed => "a [ of it is never closed; \\[ is an ordinary bracket".into(),
        ErrorKind::EscapeUnexpectedEof => "it ends with a backslash; \\\\ is an ordinary one".into(),
        ErrorKind::NestLimitExceeded(_) => "its groups nest too deep".into(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn found_anywhere_without_case() {
        for (pattern, text, found) in [
            ("^Da.*", "david", true),
            ("^Da.*", "Jordan David", false),
            (".*vid", "DAVID", true),
            (r"^.+@.+\.onmicrosoft\.com$", "a@b.onmicrosoft.com", true),
            (r"^.+#EXT#@.+\.onmicrosoft\.com$", "a_b#ext#@b.onmicrosoft.com", true),
            ("児童", "児童", true),
        ] {
            let expression = Expression::parse(pattern).expect("an expression");
            assert_eq!(expression.is_found_in(text), found, "{pattern} {text}");
        }
    }

    #[test]
    fn refused_with_a_place() {
        for (pattern, span, why) in [
            ("*@domain.ext", 0..1, ".* for any text"),
            ("a(?!b)", 1..4, "look-ahead"),
            ("(?<=a)b", 0..4, "look-ahead and look-behind"),
            (r"(a)\1", 3..5, "back references"),
            ("a(b", 1..2, "never closed"),
            ("a)b", 1..2, "closes nothing"),
            ("[a-", 0..1, "never closed"),
            (r"a\", 1..2, "backslash"),
        ] {
            let fault = Expression::parse(pattern).expect_err("refused");
            assert_eq!(fault.span, span, "{pattern}");
            assert!(fault.why.contains(why), "{pattern}: {}", fault.why);
        }
        let large = Expression::parse(r"(\w{1000}){1000}").expect_err("too large");
        assert!(large.why.contains("too large"), "{}", large.why);
        let deep = format!("{}a{}", "(".repeat(100), ")".repeat(100));
        assert!(Expression::parse(&deep).expect_err("too deep").why.contains("too deep"));
    }
}
