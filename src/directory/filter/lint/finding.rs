//! What an inspection of a rule says.

use std::fmt;

/// What is odd about a rule, as a word that does not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FindingCode {
    /// A clause finds nobody.
    MatchesNobody,
    /// A clause finds everybody.
    MatchesEverybody,
    /// A value that people have in another spelling.
    OtherSpelling,
    /// Mailboxes that moved to the cloud are lost.
    LosesMigrated,
    /// A name or an address where a distinguished name must stand.
    WrongIdentifier,
    /// Nobody lies in the container, while the filter finds people elsewhere.
    ContainerTrap,
    /// Two clauses that nobody can fulfil together.
    Contradiction,
    /// `-and` and `-or` on one level.
    MixedPrecedence,
    /// `$Variable` in quotes.
    UnexpandedVariable,
    /// `?` taken for a wildcard.
    QuestionMark,
    /// `*` between two parts.
    MiddleWildcard,
    /// `*` first, which Exchange Online refuses.
    LeadingWildcard,
    /// Anything else the reader of the text doubts.
    FilterText,
}

impl FindingCode {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::MatchesNobody => "matches-nobody",
            Self::MatchesEverybody => "matches-everybody",
            Self::OtherSpelling => "other-spelling",
            Self::LosesMigrated => "loses-migrated",
            Self::WrongIdentifier => "wrong-identifier",
            Self::ContainerTrap => "container-trap",
            Self::Contradiction => "contradiction",
            Self::MixedPrecedence => "mixed-precedence",
            Self::UnexpandedVariable => "unexpanded-variable",
            Self::QuestionMark => "question-mark",
            Self::MiddleWildcard => "middle-wildcard",
            Self::LeadingWildcard => "leading-wildcard",
            Self::FilterText => "filter-text",
        }
    }
}

/// One thing to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub code: FindingCode,
    /// The clause, as OPATH writes it; none if it is about the rule as a whole.
    pub clause: Option<String>,
    /// One sentence without its period.
    pub message: String,
    /// A rule in its own language that does not have the fault.
    pub proposal: Option<String>,
    /// Recipients the rule reaches now.
    pub count_now: u64,
    /// Recipients it would reach with the proposal, or as the message says.
    pub count_proposed: Option<u64>,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: ", self.code.word())?;
        if let Some(clause) = &self.clause {
            write!(out, "{clause}: ")?;
        }
        out.write_str(&self.message)?;
        if let Some(proposed) = self.count_proposed {
            write!(out, " ({} now, {proposed} then)", self.count_now)?;
        }
        Ok(())
    }
}
