//! Questions and orders about stored lists: their past, their pins, their guard, what they become.
//!
//! Like all commands never renamed. Times are points in time; the command line reads `monday` and `2h`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Intent;
use super::rule::RuleQuestion;

/// One question or order about lists.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
pub enum RollCommand {
    /// Who joined and who left between two times, each with its cause.
    GroupDiff {
        /// Any address of the group.
        group: String,
        /// The earlier time.
        from: Timestamp,
        /// The later time.
        to: Timestamp,
    },
    /// Versions of a list, newest first.
    GroupHistory {
        /// Any address of the group.
        group: String,
        /// Most versions; at most [`crate::limits::HISTORY_VERSIONS_MAX`].
        count_max: u32,
    },
    /// Compute lists again now.
    GroupRefresh {
        /// Which.
        what: RefreshChoice,
        /// Do it, or say what would be done.
        intent: Intent,
    },
    /// Compare lists with what a computation from scratch gives; a difference is repaired and told.
    GroupVerify {
        /// Any address of the group; none: all groups.
        group: Option<String>,
    },
    /// Put somebody in, or keep somebody out, whatever the source or the rule says.
    GroupPin(PinOrder),
    /// End a pin.
    GroupUnpin {
        /// Any address of the group.
        group: String,
        /// Any address of the pinned recipient.
        recipient: String,
        /// Who decides.
        signed: Signed,
    },
    /// Pins of a group.
    GroupPins {
        /// Any address of the group.
        group: String,
        /// As this person may see them: an excluded person does not see the exclusion.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seen_by: Option<String>,
    },
    /// Make a static group dynamic or a dynamic one static.
    GroupConvert(ConvertOrder),
    /// Members that a message would not reach, and suspects.
    GroupStale {
        /// Any address of the group; none: all groups.
        group: Option<String>,
    },
    /// Lists that the guard holds.
    GuardList,
    /// One of them with its difference and causes.
    GuardShow {
        /// Any address of the group.
        group: String,
    },
    /// Take the held list.
    GuardAccept {
        /// Any address of the group.
        group: String,
        /// Who decides.
        signed: Signed,
    },
    /// Keep the old list.
    GuardReject {
        /// Any address of the group.
        group: String,
        /// Who decides.
        signed: Signed,
    },
    /// Everything that waits for an operator.
    Alerts,
    /// Addresses that next hops refuse again and again.
    SuspectsList {
        /// Only members of this group.
        group: Option<String>,
    },
    /// Leave a suspect out of expansions.
    SuspectsSuppress {
        /// Its address.
        recipient: String,
        /// Who decides.
        signed: Signed,
    },
    /// Forget what was learned about a suspect.
    SuspectsClear {
        /// Its address.
        recipient: String,
        /// Who decides.
        signed: Signed,
    },
}

/// Who decides, and why.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// A name; none: the user who runs the command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// An owner of the group in whose name it is done: anybody else is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Which lists.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefreshChoice {
    /// Of one group.
    Group(String),
    /// Of groups that lie in a container or look in it.
    Container(String),
    /// Of groups that hold a recipient now or would hold it after a computation.
    Recipient(String),
    /// Of all groups.
    All,
}

/// `group pin`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinOrder {
    /// Any address of the group.
    pub group: String,
    /// In or out.
    pub effect: PinEffect,
    /// Any address of the recipient.
    pub recipient: String,
    /// When it ends by itself; none: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Who decides.
    #[serde(default)]
    pub signed: Signed,
}

/// What a pin does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PinEffect {
    /// A member in any case.
    Include,
    /// No member in any case.
    Exclude,
}

/// `group convert` and `group freeze`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConvertOrder {
    /// Any address of the group.
    pub group: String,
    /// Into what.
    pub into: ConvertInto,
    /// People to leave out although the rule yields them, or who were in the list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// Take it although somebody joins or leaves by it.
    #[serde(default)]
    pub accept_difference: bool,
    /// Who decides.
    #[serde(default)]
    pub signed: Signed,
}

/// What a group becomes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConvertInto {
    /// A dynamic group with the rule that `group propose` finds, and pins for the exceptions.
    Proposal,
    /// A dynamic group with this rule.
    Rule(RuleQuestion),
    /// A static group with the members of that time; none: of now.
    Static(Option<Timestamp>),
    /// What its source says.
    Undo,
}

impl RollCommand {
    /// Names of these commands in the protocol.
    pub const NAMES: &[&str] = &[
        "group_diff",
        "group_history",
        "group_refresh",
        "group_verify",
        "group_pin",
        "group_unpin",
        "group_pins",
        "group_convert",
        "group_stale",
        "guard_list",
        "guard_show",
        "guard_accept",
        "guard_reject",
        "alerts",
        "suspects_list",
        "suspects_suppress",
        "suspects_clear",
    ];

    /// The protocol's name, for logs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::GroupDiff { .. } => "group_diff",
            Self::GroupHistory { .. } => "group_history",
            Self::GroupRefresh { .. } => "group_refresh",
            Self::GroupVerify { .. } => "group_verify",
            Self::GroupPin(_) => "group_pin",
            Self::GroupUnpin { .. } => "group_unpin",
            Self::GroupPins { .. } => "group_pins",
            Self::GroupConvert(_) => "group_convert",
            Self::GroupStale { .. } => "group_stale",
            Self::GuardList => "guard_list",
            Self::GuardShow { .. } => "guard_show",
            Self::GuardAccept { .. } => "guard_accept",
            Self::GuardReject { .. } => "guard_reject",
            Self::Alerts => "alerts",
            Self::SuspectsList { .. } => "suspects_list",
            Self::SuspectsSuppress { .. } => "suspects_suppress",
            Self::SuspectsClear { .. } => "suspects_clear",
        }
    }
}
