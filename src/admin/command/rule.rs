//! Questions about rules: in force or only thought of, in any of the languages.

use serde::{Deserialize, Serialize};

use super::roll::Signed;

/// One question about a rule.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
pub enum RuleCommand {
    /// Whom a rule would reach that is not in force.
    GroupPreview(PreviewQuestion),
    /// A rule in another language, or in words.
    GroupFilter {
        /// Which rule.
        rule: RuleQuestion,
        /// The language asked for.
        language: PrintLanguage,
    },
    /// How a rule is evaluated.
    GroupPlan {
        /// Which rule.
        rule: RuleQuestion,
    },
    /// What is odd about the rules of one group or of all.
    GroupLint {
        /// Any address of the group; none: all dynamic groups.
        group: Option<String>,
    },
    /// The smallest rule that yields the members of a static group.
    GroupPropose {
        /// Any address of the group.
        group: String,
    },
}

/// The rule of a group, or a text.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleQuestion {
    /// Any address of the group; with a text: the group whose container and comparison hold for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Its language; none: by its looks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<RuleLanguage>,
    /// Container it looks in; none: that of the group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
}

/// A language rules are written in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleLanguage {
    /// Exchange's recipient filters.
    Opath,
    /// RFC 4515.
    Ldap,
    /// Entra's dynamic membership rules.
    Entra,
}

impl RuleLanguage {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Opath, Self::Ldap, Self::Entra];

    /// The word on the command line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Opath => "opath",
            Self::Ldap => "ldap",
            Self::Entra => "entra",
        }
    }
}

/// A language rules are printed in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrintLanguage {
    /// Exchange's recipient filters.
    Opath,
    /// RFC 4515.
    Ldap,
    /// Entra's dynamic membership rules.
    Entra,
    /// Plain words.
    English,
}

/// `group preview`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreviewQuestion {
    /// The rule.
    pub rule: RuleQuestion,
    /// Make it the rule of the group.
    #[serde(default)]
    pub save: bool,
    /// Who decides, if it is saved.
    #[serde(default)]
    pub signed: Signed,
    /// Most people named on either side.
    pub sample_max: u32,
}

impl RuleCommand {
    /// Names of these commands in the protocol.
    pub const NAMES: &[&str] = &[
        "group_preview",
        "group_filter",
        "group_plan",
        "group_lint",
        "group_propose",
    ];

    /// The protocol's name, for logs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::GroupPreview(_) => "group_preview",
            Self::GroupFilter { .. } => "group_filter",
            Self::GroupPlan { .. } => "group_plan",
            Self::GroupLint { .. } => "group_lint",
            Self::GroupPropose { .. } => "group_propose",
        }
    }
}
