//! A predicate as text: fully parenthesised, as Exchange stores filters, and read back as the same tree.

use std::fmt;

use super::predicate::{Comparison, Literal, Predicate};

impl fmt::Display for Literal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(out, "'{}'", text.replace('\'', "''")),
            Self::Number(number) => out.write_str(number),
            Self::Boolean(true) => out.write_str("$true"),
            Self::Boolean(false) => out.write_str("$false"),
            Self::Null => out.write_str("$null"),
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
