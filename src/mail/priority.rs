//! How urgent a message's copies are.

use serde::{Deserialize, Serialize};

/// How urgent copies are beside others for the same next hop.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Before others.
    High,
    /// As most are.
    #[default]
    Normal,
    /// After others, but never without end.
    Low,
}

impl Priority {
    /// As it is written in settings and answers.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
        }
    }

    /// True for what most are: it is left out where nothing needs to be said.
    #[must_use]
    pub const fn is_normal(&self) -> bool {
        matches!(self, Self::Normal)
    }
}
