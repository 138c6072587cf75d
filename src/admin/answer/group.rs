//! Answers about groups.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::roll::PinShown;
use super::rule::NearestMiss;

/// The state of a stored list.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RollState {
    /// Version; none if it was never computed.
    pub version: Option<u64>,
    /// Direct entries.
    pub entries: u64,
    /// When it was computed or confirmed.
    pub confirmed_at: Option<Timestamp>,
    /// Seconds since then.
    pub age_seconds: Option<u64>,
    /// `fresh`, `due`, `stale` or `missing`.
    pub freshness: String,
    /// What made this version: `directory change`, `interval`, `operator`.
    pub cause: Option<String>,
    /// Directory generation it was computed from.
    pub generation: Option<u64>,
    /// Why its filter cannot be evaluated now.
    pub fault: Option<String>,
}

/// A line of `group list`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct GroupSummary {
    /// Primary address.
    pub address: String,
    /// Exchange's word, as `dynamic distribution group`.
    pub kind: String,
    /// Name for people.
    pub display_name: Option<String>,
    /// Only proven internal senders may write.
    pub internal_only: bool,
    /// Messages are held for moderators.
    pub moderated: bool,
    /// Its list.
    pub roll: RollState,
}

/// `group show`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct GroupShown {
    /// What the list shows too.
    #[serde(flatten)]
    pub summary: GroupSummary,
    /// Stable object id.
    pub id: String,
    /// Connector that owns it.
    pub source: String,
    /// Other addresses.
    pub aliases: Vec<String>,
    /// Owners.
    pub owners: Vec<String>,
    /// Moderators.
    pub moderators: Vec<String>,
    /// Who may write; empty: everybody.
    pub accept_from: Vec<String>,
    /// Who may not.
    pub reject_from: Vec<String>,
    /// Who may write as the group.
    #[serde(default)]
    pub send_as: Vec<String>,
    /// Who may write on its behalf.
    #[serde(default)]
    pub send_on_behalf: Vec<String>,
    /// Largest message in octets.
    pub size_bytes_max: Option<u64>,
    /// Where reports about members go: `originator`, `owner` or `nobody`.
    pub reports_to: String,
    /// Membership is not shown to senders.
    pub hidden_membership: bool,
    /// Filter of a dynamic group, as written.
    pub filter: Option<String>,
    /// Container the filter looks in.
    pub container: Option<String>,
    /// Groups nested directly in it.
    pub nested_groups: u64,
    /// Deepest nesting below it.
    pub depth: u64,
    /// People it stands for today, through nested groups, each once.
    pub recipients: u64,
    /// Groups it is nested in directly.
    pub parents: Vec<String>,
    /// What an operator should know: entries that name nobody, a missing owner.
    pub notes: Vec<String>,
}

/// `group members`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct GroupMembers {
    /// Primary address of the group.
    pub group: String,
    /// Its list.
    pub roll: RollState,
    /// The time asked for; none: now.
    #[serde(default)]
    pub at: Option<Timestamp>,
    /// Members by address.
    pub members: Vec<Member>,
}

/// One member.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Member {
    /// Primary address, or the entry's text if it names nobody.
    pub address: String,
    /// Name for people.
    pub display_name: Option<String>,
    /// Exchange's word, or `unresolved`.
    pub kind: String,
    /// Next hop today; none for groups.
    pub next_hop: Option<String>,
    /// Groups that lead to it below the asked one, outermost first; empty for direct entries.
    pub path: Vec<String>,
    /// Why a message would not reach it, by its reason's code.
    pub left_out: Option<String>,
}

/// `group why`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct GroupWhy {
    /// Primary address of the group.
    pub group: String,
    /// Primary address of the recipient.
    pub recipient: String,
    /// The answer.
    pub member: bool,
    /// Every path that makes it a member: groups from the asked one down, the recipient not included.
    pub paths: Vec<Vec<String>>,
    /// Each clause of a dynamic group's filter.
    pub clauses: Vec<ClauseVerdict>,
    /// What a member of a dynamic group must be before its filter is asked.
    #[serde(default)]
    pub gates: Vec<GateVerdict>,
    /// The time asked for; none: now.
    #[serde(default)]
    pub at: Option<Timestamp>,
    /// Pins of this person in the group and in groups nested in it.
    #[serde(default)]
    pub pins: Vec<PinShown>,
    /// What would make a member of somebody who is none, at the least.
    #[serde(default)]
    pub nearest: Option<NearestMiss>,
    /// Version of the list.
    pub roll: RollState,
    /// What else is worth knowing.
    pub notes: Vec<String>,
}

/// Something a member of a dynamic group must be before its filter is asked.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct GateVerdict {
    /// In words: `has an alias`.
    pub gate: String,
    /// Whether it holds.
    pub holds: bool,
}

/// One clause of a filter against one recipient.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ClauseVerdict {
    /// The clause as written, or `all of`, `any of`, `not` for those that follow one level deeper.
    pub clause: String,
    /// Whether it holds.
    pub holds: bool,
    /// How deep it lies below `any of` and `not`, which stand in lines of their own.
    #[serde(default)]
    pub depth: u64,
    /// Stored values of the attribute.
    pub stored: Vec<String>,
    /// Where they come from.
    pub source: Option<String>,
    /// When they were last seen to change.
    pub changed_at: Option<Timestamp>,
    /// What is odd about them: `blank at the end`.
    pub note: Option<String>,
}
