//! Answer about the attack set.

use serde::{Deserialize, Serialize};

use super::Meaning;

/// `test spoof`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SpoofTested {
    /// Primary address of the group that was attacked.
    pub group: String,
    /// Attacks tried.
    pub attacks_total: u64,
    /// Of them refused, held for a decision, or taken out of the message.
    pub refused_total: u64,
    /// Each of them.
    pub attacks: Vec<SpoofAttack>,
}

impl SpoofTested {
    /// Yes if all were refused.
    #[must_use]
    pub fn meaning(&self) -> Meaning {
        if self.refused_total == self.attacks_total && self.attacks_total > 0 {
            Meaning::Yes
        } else {
            Meaning::No
        }
    }
}

/// How an attack ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpoofOutcome {
    /// A reply said no.
    #[default]
    Refused,
    /// It waits for somebody who decides.
    Held,
    /// It was taken and reaches nobody.
    Discarded,
    /// The message was taken without what was forged in it.
    Removed,
    /// Nothing came of it: a hold is as it was.
    Unchanged,
    /// It got through.
    Through,
}

impl SpoofOutcome {
    /// The word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Held => "held",
            Self::Discarded => "discarded",
            Self::Removed => "removed",
            Self::Unchanged => "no effect",
            Self::Through => "THROUGH",
        }
    }
}

/// One attack.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SpoofAttack {
    /// A word that does not change: `from`, `reverse-path`, `nested-bcc`.
    pub attack: String,
    /// What was tried.
    pub tried: String,
    /// How it ended.
    pub outcome: SpoofOutcome,
    /// What answered: a reply, or what became of it.
    pub answer: String,
    /// Settings that let it through, and what to change.
    pub weaknesses: Vec<SpoofWeakness>,
}

/// A setting that lets an attack through.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SpoofWeakness {
    /// Its name: `policy.spoofed`.
    pub setting: String,
    /// What it is.
    pub value: String,
    /// What to do.
    pub change: String,
}
