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
            Self::Comparison(comparison) => comparison.fmt(out),
            Self::Quantified(quantified) => quantified.fmt(out),
            Self::UsersOnly => out.write_str("ObjectClass -eq 'user'"),
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} -{} {}", self.property, self.operator.word(), self.literal)
    }
}

impl fmt::Display for Predicate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(parts) => joined(out, parts, " -and ", &Self::All),
            Self::Or(parts) => joined(out, parts, " -or ", &Self::None),
            Self::Not(inner) => write!(out, "(-not{inner})"),
            Self::Compare(comparison) => write!(out, "({comparison})"),
            Self::Quantified(quantified) => write!(out, "({quantified})"),
            // OPATH has no constants; these mean the same for every candidate.
            Self::All => out.write_str("(Alias -ne $null)"),
            Self::None => out.write_str("(Alias -eq $null)"),
        }
    }
}

fn joined(out: &mut fmt::Formatter<'_>, parts: &[Predicate], word: &str, empty: &Predicate) -> fmt::Result {
    match parts {
        [] => write!(out, "{empty}"),
        [only] => write!(out, "{only}"),
        [first, rest @ ..] => {
            write!(out, "({first}")?;
            for part in rest {
                write!(out, "{word}{part}")?;
            }
            out.write_str(")")
        }
    }
}
