//! What can be asked of a running service.
//!
//! Never renamed: names and fields are those of the protocol, and later of the HTTP API.

pub mod compare;
mod queue;
pub mod roll;
pub mod rule;
pub mod stop;

use std::net::IpAddr;

use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::mail::{HoldId, MessageId, SetId};

pub use compare::{CompareCommand, CompareQuestion, ComparedLog, CutoverOrder, CutoverSide, DifferenceIntent};
pub use queue::{QueueAction, QueueCommand, QueueOrder, SuspendOrder};
pub use roll::{ConvertInto, ConvertOrder, PinEffect, PinOrder, RefreshChoice, RollCommand, Signed};
pub use rule::{PreviewQuestion, PrintLanguage, RuleCommand, RuleLanguage, RuleQuestion};
pub use stop::{StopCommand, StopOrder, StopTarget, StopVerb};

/// One question or order.
///
/// Rooms of commands of their own ([`RuleCommand`]) stand beside the others in the protocol: all names are on one level.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields, remote = "Self")]
pub enum Command {
    /// Is the service well?
    Status,
    /// Objects of the directory, in the order of their ordinals, page by page.
    DirectoryPage(PageQuestion),
    /// Every group.
    GroupList,
    /// One group with its rules and the state of its list.
    GroupShow {
        /// Any address of the group.
        group: String,
    },
    /// Who is in a group.
    GroupMembers {
        /// Any address of the group.
        group: String,
        /// Direct entries, or everybody that nested groups lead to as well.
        depth: MemberDepth,
        /// As the list was then; none: now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Timestamp>,
    },
    /// Why somebody is, or is not, in a group.
    GroupWhy(WhyQuestion),
    /// What would happen to a message.
    Explain(ExplainQuestion),
    /// A message on trial: to nobody, or to one person only.
    SendTest(SendOrder),
    /// What became of messages.
    Trace(TraceQuery),
    /// Was somebody in the lists that a message was expanded with?
    TraceWas {
        /// The message.
        message: MessageId,
        /// Any address of the person.
        recipient: String,
    },
    /// What waits for delivery.
    QueueList(QueueSelection),
    /// How each next hop stands.
    QueueSummary,
    /// One delivery set in full.
    QueueShow {
        /// The set.
        set: SetId,
    },
    /// Try again now.
    QueueRetry {
        /// What.
        selection: QueueSelection,
        /// Do it, or say what would be done.
        intent: Intent,
    },
    /// Give up without a report.
    QueueDrop {
        /// What.
        selection: QueueSelection,
        /// Do it, or say what would be done.
        intent: Intent,
    },
    /// What waits for moderators.
    ModerateList {
        /// Only of this group, by any of its addresses.
        group: Option<String>,
    },
    /// One hold in full.
    ModerateShow {
        /// The hold.
        hold: HoldId,
    },
    /// Release to the group.
    ModerateApprove {
        /// The hold.
        hold: HoldId,
        /// The moderator who decides; none: the operator himself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        moderator: Option<String>,
    },
    /// Refuse.
    ModerateReject {
        /// The hold.
        hold: HoldId,
        /// The moderator who decides; none: the operator himself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        moderator: Option<String>,
        /// Words to the sender.
        comment: Option<String>,
    },
    /// Decide many holds at once.
    ModerateMany(HoldsOrder),
    /// Read settings and directory files again.
    Reload {
        /// Take a directory that the guard holds back.
        guard: GuardIntent,
    },
    /// Run the attack set against a group.
    TestSpoof {
        /// Any address of the group.
        group: String,
    },
    /// About rules.
    #[serde(skip)]
    Rule(RuleCommand),
    /// About lists.
    #[serde(skip)]
    Roll(RollCommand),
    /// About the move from the service before.
    #[serde(skip)]
    Compare(CompareCommand),
    /// About brakes and stops.
    #[serde(skip)]
    Stop(StopCommand),
    /// About the queue.
    #[serde(skip)]
    Queue(QueueCommand),
}

impl Serialize for Command {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Rule(command) => command.serialize(serializer),
            Self::Roll(command) => command.serialize(serializer),
            Self::Compare(command) => command.serialize(serializer),
            Self::Stop(command) => command.serialize(serializer),
            Self::Queue(command) => command.serialize(serializer),
            other => Self::serialize(other, serializer),
        }
    }
}

/// By name, so that a fault is told about the command that was meant.
impl<'de> Deserialize<'de> for Command {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let name = value.get("name").and_then(Value::as_str).unwrap_or_default();
        let read = if RuleCommand::NAMES.contains(&name) {
            RuleCommand::deserialize(value).map(Self::Rule)
        } else if RollCommand::NAMES.contains(&name) {
            RollCommand::deserialize(value).map(Self::Roll)
        } else if CompareCommand::NAMES.contains(&name) {
            CompareCommand::deserialize(value).map(Self::Compare)
        } else if StopCommand::NAMES.contains(&name) {
            StopCommand::deserialize(value).map(Self::Stop)
        } else if QueueCommand::NAMES.contains(&name) {
            QueueCommand::deserialize(value).map(Self::Queue)
        } else {
            Self::deserialize(value)
        };
        read.map_err(D::Error::custom)
    }
}

/// Why somebody is, or is not, in a group.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WhyQuestion {
    /// Any address of the group.
    pub group: String,
    /// Any address of the recipient.
    pub recipient: String,
    /// As the list was then; none: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// As this person may see it: who is kept out by a pin does not see the pin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_by: Option<String>,
    /// Name the others that the same repair would make members.
    #[serde(default)]
    pub list: bool,
}

/// How deep members are followed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberDepth {
    /// Entries of the list: people and nested groups.
    Direct,
    /// People, through all nested groups.
    Everybody,
}

/// Bulk verbs say what they would do unless told to do it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// Change nothing.
    Say,
    /// Do it.
    Do,
}

/// Whether a reload may take what the guard holds back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardIntent {
    /// Respect the guard.
    Respect,
    /// An operator has looked and accepts the loss.
    Accept,
}

/// A message that has not been sent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainQuestion {
    /// Reverse-path; empty for null.
    pub from: String,
    /// Forward-path.
    pub to: String,
    /// The `From` field as it would stand in the message; none: the sender's address.
    #[serde(default)]
    pub author: Option<String>,
    /// Octets; none: unknown, sizes are not judged.
    pub size_bytes: Option<u64>,
    /// Listener name. Without it and `client` both verdicts are given, as a stranger and as proven internal.
    pub via: Option<String>,
    /// Client address.
    pub client: Option<IpAddr>,
    /// Account that it would have proved to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
    /// Name of the certificate it would have shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
}

/// A message on trial.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendOrder {
    /// Who sends, to whom.
    pub question: ExplainQuestion,
    /// The message in base64; none: only the envelope is judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Who alone gets it; none: nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<String>,
}

/// Which messages to look for; all given conditions hold.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceQuery {
    /// One message.
    pub message: Option<MessageId>,
    /// Reverse-path.
    pub from: Option<String>,
    /// Addressed, or reached by expansion.
    pub to: Option<String>,
    /// Part of the subject, in any case.
    pub subject: Option<String>,
    /// Received at or after.
    pub since: Option<Timestamp>,
    /// Received before.
    pub until: Option<Timestamp>,
    /// Only recipients that did not get it.
    pub undelivered: bool,
    /// Most messages; at most [`crate::limits::TRACE_MESSAGES_MAX`].
    pub count_max: u32,
}

/// Which page of the directory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageQuestion {
    /// The last ordinal of the page before; nothing for the first page.
    pub after: Option<u32>,
    /// Most objects; at most [`crate::limits::DIRECTORY_PAGE_MAX`].
    pub count_max: u32,
}

/// A decision on many holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldsOrder {
    /// Which.
    pub selection: HoldSelection,
    /// Yes or no.
    pub answer: HoldAnswer,
    /// The moderator who decides; none: the operator himself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moderator: Option<String>,
    /// Words to the senders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Do it, or say what would be done.
    pub intent: Intent,
}

/// Which holds of those that wait; all given conditions hold.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldSelection {
    /// Of this group, by any of its addresses.
    pub group: Option<String>,
    /// From this sender.
    pub from: Option<String>,
    /// Held before.
    pub held_before: Option<Timestamp>,
}

/// Yes or no to a held message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldAnswer {
    /// Release.
    Approve,
    /// Refuse.
    Reject,
}

/// Which delivery sets; all given conditions hold, none given means all.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueSelection {
    /// One set.
    pub set: Option<SetId>,
    /// Sets of one message.
    pub message: Option<MessageId>,
    /// Sets for a next hop.
    pub next_hop: Option<String>,
    /// Sets with this recipient still open.
    pub recipient: Option<String>,
    /// Sets of messages from this sender; empty for null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Sets with recipients still open that the sender reached by this group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

impl Command {
    /// The protocol's name, for logs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::DirectoryPage(_) => "directory_page",
            Self::GroupList => "group_list",
            Self::GroupShow { .. } => "group_show",
            Self::GroupMembers { .. } => "group_members",
            Self::GroupWhy(_) => "group_why",
            Self::Explain(_) => "explain",
            Self::SendTest(_) => "send_test",
            Self::Trace(_) => "trace",
            Self::TraceWas { .. } => "trace_was",
            Self::QueueList(_) => "queue_list",
            Self::QueueSummary => "queue_summary",
            Self::QueueShow { .. } => "queue_show",
            Self::QueueRetry { .. } => "queue_retry",
            Self::QueueDrop { .. } => "queue_drop",
            Self::ModerateList { .. } => "moderate_list",
            Self::ModerateShow { .. } => "moderate_show",
            Self::ModerateApprove { .. } => "moderate_approve",
            Self::ModerateReject { .. } => "moderate_reject",
            Self::ModerateMany(_) => "moderate_many",
            Self::Reload { .. } => "reload",
            Self::TestSpoof { .. } => "test_spoof",
            Self::Rule(command) => command.name(),
            Self::Roll(command) => command.name(),
            Self::Compare(command) => command.name(),
            Self::Stop(command) => command.name(),
            Self::Queue(command) => command.name(),
        }
    }
}
