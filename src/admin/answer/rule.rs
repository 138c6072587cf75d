//! Answers about rules: what they say, whom they would reach, how they are evaluated, what is odd about them.

use serde::{Deserialize, Serialize};

use super::{Meaning, Severity};

/// An answer to one [`crate::admin::command::RuleCommand`].
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "name", content = "content", rename_all = "snake_case")]
pub enum RuleAnswer {
    /// To `group preview`.
    GroupPreview(RulePreview),
    /// To `group filter`.
    GroupFilter(RuleText),
    /// To `group plan`.
    GroupPlan(RulePlan),
    /// To `group lint`.
    GroupLint(Vec<RuleLint>),
    /// To `group propose`.
    GroupPropose(RuleProposed),
}

impl RuleAnswer {
    /// Yes or no: something that cannot be said, or that is odd, is a no.
    #[must_use]
    pub fn meaning(&self) -> Meaning {
        let yes = |yes: bool| if yes { Meaning::Yes } else { Meaning::No };
        match self {
            Self::GroupPreview(preview) if preview.held => Meaning::Guarded,
            Self::GroupPreview(_) | Self::GroupPlan(_) => Meaning::Yes,
            Self::GroupPropose(proposed) => yes(proposed.filter.is_some()),
            Self::GroupFilter(said) => yes(said.text.is_some()),
            Self::GroupLint(rules) => yes(rules.iter().all(|rule| rule.findings.is_empty())),
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
    /// In plain words.
    pub english: String,
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
    /// It is the group's rule now.
    pub saved: bool,
    /// The guard holds the list that comes of it.
    #[serde(default)]
    pub held: bool,
}

/// `group filter`: a rule in another language.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RuleText {
    /// The group it belongs to.
    pub group: Option<String>,
    /// Language it is written in.
    pub from: String,
    /// Language asked for: `opath`, `ldap`, `entra` or `english`.
    pub language: String,
    /// The text; none if a clause cannot be said in that language.
    pub text: Option<String>,
    /// Clauses that cannot be said.
    pub inexpressible: Vec<Inexpressible>,
    /// What Exchange appended and is not part of the rule, by the versions that wrote it.
    pub exclusions: Vec<String>,
    /// Container it looks in.
    pub container: Option<String>,
}

/// A clause another language has no words for.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Inexpressible {
    /// As written.
    pub clause: String,
    /// Why.
    pub why: String,
}

/// `group plan`: how a rule is evaluated.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RulePlan {
    /// The group it belongs to.
    pub group: Option<String>,
    /// As written.
    pub filter: String,
    /// Container it looks in; none: everywhere.
    pub container: Option<String>,
    /// Steps in the order of evaluation; what combines comes before what it combines.
    pub steps: Vec<PlanStep>,
    /// Recipients that may belong to any dynamic group.
    pub candidates: u64,
    /// Recipients it reaches.
    pub count: u64,
}

/// One step of a plan.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PlanStep {
    /// The clause as written, or how deeper steps combine.
    pub clause: String,
    /// Nesting; 0 is the whole rule.
    pub depth: u64,
    /// How it is served: `look-up`, `210 distinct values tested`, `scan of 1000 rows`.
    pub served: String,
    /// Recipients that pass it by itself.
    pub rows: u64,
}

/// `group lint`: one rule and what is odd about it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RuleLint {
    /// The group.
    pub group: String,
    /// As written.
    pub filter: String,
    /// Recipients it reaches; none if it cannot be evaluated.
    pub count: Option<u64>,
    /// What was found.
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

/// `group propose`: a rule for a static list.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RuleProposed {
    /// The group.
    pub group: String,
    /// Members now.
    pub members: u64,
    /// The smallest rule found; none if nothing is better than the list itself.
    pub filter: Option<String>,
    /// In plain words.
    pub english: Option<String>,
    /// Members it yields.
    pub covered: u64,
    /// People it would add.
    pub adds: Vec<String>,
    /// Members it does not yield; they stay as pinned.
    pub pinned: Vec<String>,
    /// People it would add, in all; `adds` names the first.
    pub adds_count: u64,
    /// Members that stay as pinned, in all.
    pub pinned_count: u64,
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
