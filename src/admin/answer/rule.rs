//! Answers about rules: what they say, whom they would reach, how they are evaluated, what is odd about them.

use serde::{Deserialize, Serialize};

use super::{Meaning, Severity};

/// An answer to one [`crate::admin::command::RuleCommand`].
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "name", content = "content", rename_all = "snake_case")]
pub enum RuleAnswer {
    /// To `group preview`.
    GroupPreview(RulePreview),
}

impl RuleAnswer {
    /// Yes or no.
    #[must_use]
    pub fn meaning(&self) -> Meaning {
        match self {
            Self::GroupPreview(_) => Meaning::Yes,
        }
    }
}

/// `group preview`: a rule that is not in force, against today's directory.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RulePreview {
    /// The group it is compared with.
    pub group: Option<String>,
    /// The rule as read: `opath`, `ldap` or `entra`.
    pub language: String,
    /// As written.
    pub filter: String,
    /// Container it looks in; none: everywhere.
    pub container: Option<String>,
    /// People and groups it reaches.
    pub count: u64,
    /// Of the group's list now; none without a group.
    pub before: Option<u64>,
    /// Who would join.
    pub joins: u64,
    /// Who would leave.
    pub leaves: u64,
    /// The first of those who would join; without a group the first it reaches.
    pub joining: Vec<String>,
    /// The first of those who would leave.
    pub leaving: Vec<String>,
    /// What the reader and the directory say about it.
    pub findings: Vec<RuleFinding>,
}

/// Something about a rule.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RuleFinding {
    /// How grave.
    pub severity: Severity,
    /// A word that does not change, as `other-spelling`.
    pub code: String,
    /// The clause it is about.
    pub clause: Option<String>,
    /// What is odd.
    pub message: String,
    /// What to write instead.
    pub proposal: Option<String>,
    /// Recipients now.
    pub count_now: Option<u64>,
    /// Recipients with the proposal.
    pub count_proposed: Option<u64>,
}

/// What would make somebody a member, at the least.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct NearestMiss {
    /// One sentence: `without the blank he would be a member`.
    pub text: String,
    /// The changes.
    pub changes: Vec<NearestChange>,
    /// How many others the same repair of the same fault would bring.
    pub others: u64,
    /// The first of them, if they were asked for.
    pub other_recipients: Vec<String>,
}

/// One stored value that stands in the way.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct NearestChange {
    /// The attribute, or `container`, `alias`.
    pub attribute: String,
    /// Stored now; none: nothing.
    pub stored: Option<String>,
    /// What would do; none: nothing stored.
    pub instead: Option<String>,
    /// `blank at the end`, `case`, `accent`, `value`.
    pub kind: String,
}
