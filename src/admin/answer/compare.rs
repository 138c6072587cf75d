//! Answers about the move from the service before.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Meaning;

/// An answer to one [`crate::admin::command::CompareCommand`].
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "name", content = "content", rename_all = "snake_case")]
pub enum CompareAnswer {
    /// To `compare`.
    Compare(Compared),
    /// To `group cutover`.
    GroupCutover(CutOver),
}

impl CompareAnswer {
    /// Yes or no. A group that differs: no, whether it is explained or not.
    #[must_use]
    pub fn meaning(&self) -> Meaning {
        match self {
            Self::Compare(compared) if compared.groups.iter().all(|group| group.agrees) => Meaning::Yes,
            Self::Compare(_) => Meaning::No,
            Self::GroupCutover(_) => Meaning::Yes,
        }
    }
}

/// `compare`: a log beside our lists.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Compared {
    /// Messages before were left out; none: the whole log.
    pub since: Option<Timestamp>,
    /// Files read.
    pub files: u64,
    /// Lines read.
    pub lines: u64,
    /// Lines that could not be used: file, line and reason of the first ones.
    pub faults: Vec<String>,
    /// All of them.
    pub faults_count: u64,
    /// Every group that the log expanded, by address.
    pub groups: Vec<ComparedGroup>,
}

/// One group.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ComparedGroup {
    /// Its primary address, or as the log spells it.
    pub group: String,
    /// There is such a group here.
    pub known: bool,
    /// Every message reached the same people.
    pub agrees: bool,
    /// It is cut over.
    pub cut_over: bool,
    /// Messages to it.
    pub messages: u64,
    /// Messages that both brought to the same people.
    pub same: u64,
    /// Messages that were compared with a later list, because that of their time is not kept.
    pub by_later_list: u64,
    /// People only Exchange reached.
    pub only_exchange: Vec<ComparedPerson>,
    /// People only our list would have reached.
    pub only_muster: Vec<ComparedPerson>,
    /// People whose difference has no cause on record.
    pub unexplained: u64,
}

/// A person whom only one of the two reached.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ComparedPerson {
    /// Primary address, or as the log spells it.
    pub address: String,
    /// In how many messages.
    pub messages: u64,
    /// The last of these was expanded then.
    pub last: Timestamp,
    /// Why, in a word that does not change.
    pub cause: String,
    /// Something on record explains it.
    pub explained: bool,
    /// The attribute that decides, by its Exchange name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribute: Option<String>,
    /// Its value before the change, or the one that is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Its value after the change, or the one that the rule asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// When it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Who says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The group whose list it is about, where that is another one or several lead to the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<String>,
    /// The cause in words, without time and attribute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// `group cutover`: which service expands a group from now on.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct CutOver {
    /// Primary address of the group.
    pub group: String,
    /// `here` or `before`.
    pub expanded: String,
    /// It was the other one until now.
    pub changed: bool,
    /// Who decided.
    pub by: String,
    /// The next hop that uncut groups go to; none: the settings name none, and every group is expanded here anyway.
    pub side_by_side: Option<String>,
    /// When it was compared last; none: no log that was compared has a message to it.
    pub compared_at: Option<Timestamp>,
    /// People without a cause in that comparison.
    pub unexplained: u64,
}
