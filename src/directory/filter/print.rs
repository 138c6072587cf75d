//! A predicate as text: fully parenthesised, as Exchange stores filters, and read back as the same tree.

use std::fmt;

use super::matcher::Written;
use super::predicate::{Comparison, DaysFromNow, Literal, Pieces, Predicate};
use super::quantified::{ElementTest, Quantified};

impl fmt::Display for Literal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(out, "'{}'", text.replace('\'', "''")),
            Self::Number(number) => out.write_str(number),
            Self::Boolean(true) => out.write_str("$true"),
            Self::Boolean(false) => out.write_str("$false"),
            Self::Null => out.write_str("$null"),
            Self::List(values) => {
                out.write_str("[")?;
                for (index, value) in values.iter().enumerate() {
                    let comma = if index > 0 { ", " } else { "" };
                    write!(out, "{comma}'{}'", value.replace('\'', "''"))?;
                }
                out.write_str("]")
            }
            Self::Pieces(pieces) => write!(out, "'{}'", pieces.to_string().replace('\'', "''")),
            Self::Now(DaysFromNow(0)) => out.write_str("system.now"),
            Self::Now(DaysFromNow(days)) if *days > 0 => write!(out, "system.now -plus P{days}D"),
            Self::Now(DaysFromNow(days)) => write!(out, "system.now -minus P{}D", days.unsigned_abs()),
        }
    }
}

/// The pieces with stars between them; a star in a piece is not told from these.
impl fmt::Display for Pieces {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}*", self.initial)?;
        for piece in &self.middle {
            write!(out, "{piece}*")?;
        }
        out.write_str(&self.last)
    }
}

impl fmt::Display for Quantified {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} -{} {}", self.collection, self.quantifier.word(), self.inner)
    }
}

impl fmt::Display for ElementTest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join = |out: &mut fmt::Formatter<'_>, parts: &[Self], word: &str| {
            out.write_str("(")?;
            for (index, part) in parts.iter().enumerate() {
                let word = if index > 0 { word } else { "" };
                write!(out, "{word}{part}")?;
            }
            out.write_str(")")
        };
        match self {
            Self::And(parts) => join(out, parts, " -and "),
            Self::Or(parts) => join(out, parts, " -or "),
            Self::Not(inner) => write!(out, "(-not{inner})"),
            Self::Compare(comparison) => write!(
                out,
                "({} -{} {})",
                comparison.field.name(),
                comparison.operator.word(),
                comparison.literal
            ),
        }
    }
}

impl fmt::Display for Written {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Comparison(comparison) => write!(out, "{comparison}"),
            Self::Quantified(quantified) => write!(out, "{quantified}"),
            Self::UsersOnly => out.write_str("ObjectClass -eq 'user'"),
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} -{} {}", self.property, self.operator.word(), self.literal)
    }
}

/// Deepest tree that is printed with every parenthesis; that takes up to three levels more than twice its depth.
const FULL_DEPTH_MAX: usize = super::DEPTH_MAX / 2 - 4;

/// How many parentheses are written. What was read must print into something that can be read again, however deep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Around every comparison and every list of them, as Exchange stores filters.
    Full,
    /// Only where they say something.
    Sparse,
}

impl Style {
    pub(super) fn of(predicate: &Predicate) -> Self {
        if predicate.depth() > FULL_DEPTH_MAX {
            Self::Sparse
        } else {
            Self::Full
        }
    }
}

/// Where an expression stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Within {
    Nothing,
    Or,
    And,
    Not,
}

impl Within {
    /// True if `-or` needs parentheses here to be read as the same tree.
    pub(super) fn encloses_or(self) -> bool {
        self != Self::Nothing
    }

    /// True if `-and` needs parentheses here to be read as the same tree.
    pub(super) fn encloses_and(self) -> bool {
        matches!(self, Self::And | Self::Not)
    }
}

impl fmt::Display for Predicate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_predicate(out, self, Style::of(self), Within::Nothing)
    }
}

fn write_predicate(out: &mut fmt::Formatter<'_>, predicate: &Predicate, style: Style, within: Within) -> fmt::Result {
    let full = style == Style::Full;
    match predicate {
        // OPATH has no constants; these mean the same for every candidate.
        Predicate::All => out.write_str("(Alias -ne $null)"),
        Predicate::None => out.write_str("(Alias -eq $null)"),
        Predicate::And(parts) => match parts.as_slice() {
            [] => write_predicate(out, &Predicate::All, style, within),
            [only] => write_predicate(out, only, style, within),
            parts => write_list(
                out,
                parts,
                style,
                full || within.encloses_and(),
                (" -and ", Within::And),
            ),
        },
        Predicate::Or(parts) => match parts.as_slice() {
            [] => write_predicate(out, &Predicate::None, style, within),
            [only] => write_predicate(out, only, style, within),
            parts => write_list(out, parts, style, full || within.encloses_or(), (" -or ", Within::Or)),
        },
        Predicate::Not(inner) if full => {
            out.write_str("(-not")?;
            write_predicate(out, inner, style, Within::Not)?;
            out.write_str(")")
        }
        Predicate::Not(inner) => {
            out.write_str("-not ")?;
            write_predicate(out, inner, style, Within::Not)
        }
        Predicate::Compare(comparison) if full => write!(out, "({comparison})"),
        Predicate::Compare(comparison) => write!(out, "{comparison}"),
        Predicate::Quantified(quantified) if full => write!(out, "({quantified})"),
        Predicate::Quantified(quantified) => write!(out, "{quantified}"),
    }
}

fn write_list(
    out: &mut fmt::Formatter<'_>,
    parts: &[Predicate],
    style: Style,
    enclosed: bool,
    (word, within): (&str, Within),
) -> fmt::Result {
    let (open, close) = if enclosed { ("(", ")") } else { ("", "") };
    out.write_str(open)?;
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            out.write_str(word)?;
        }
        write_predicate(out, part, style, within)?;
    }
    out.write_str(close)
}
