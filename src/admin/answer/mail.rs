//! Answers about messages: before sending (`explain`) and after (`trace`).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::roll::EntryChange;
use crate::mail::{MessageId, Reply};
use crate::track::{Decision, Event, HoldCause, Reason};

/// `explain`.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Explained {
    /// Reverse-path; empty for null.
    pub from: String,
    /// Forward-path.
    pub to: String,
    /// Octets, if sizes were judged.
    pub size_bytes: Option<u64>,
    /// One verdict, or one as a stranger and one as proven internal.
    pub verdicts: Vec<Verdict>,
}

/// `send`: what would become of a message, and what was sent of it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SendTested {
    /// As `explain` says it.
    pub explained: Explained,
    /// The test that was sent; none: nothing was.
    pub message: Option<MessageId>,
    /// Who alone gets it.
    pub only: Option<String>,
}

impl SendTested {
    /// True if a test was sent, or the message may pass.
    #[must_use]
    pub fn sent_or_may_pass(&self) -> bool {
        self.message.is_some() || self.explained.verdicts.iter().all(|verdict| verdict.kind.may_pass())
    }
}

/// As whom the sender was seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeenAs {
    /// Without proof.
    Stranger,
    /// With proof.
    Internal,
    /// As the named listener and client address make it.
    Client,
}

/// What would happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerdictKind {
    /// Copies would leave.
    Accepted,
    /// It would wait for a moderator.
    Held,
    /// 4yz.
    Deferred,
    /// 5yz.
    Refused,
}

impl VerdictKind {
    /// True if the message would be taken.
    #[must_use]
    pub const fn may_pass(self) -> bool {
        match self {
            Self::Accepted | Self::Held => true,
            Self::Deferred | Self::Refused => false,
        }
    }
}

/// One verdict.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Verdict {
    /// As whom.
    pub seen_as: SeenAs,
    /// What proves the sender internal, or why he is external.
    pub sender_proof: String,
    /// What would happen.
    pub kind: VerdictKind,
    /// The reply, if refused or deferred.
    pub reply: Option<Reply>,
    /// Why, if refused, deferred or held.
    pub reason: Option<Reason>,
    /// Why it would be held, if held.
    #[serde(default)]
    pub cause: Option<HoldCause>,
    /// Who would decide, if held.
    pub moderators: Vec<String>,
    /// Why a moderated group would not hold it: `cfo is in the bypass list`.
    pub bypass: Option<String>,
    /// Recipients of copies. If held: of those that an approval would release today.
    pub recipients: u64,
    /// Recipients by next hop.
    pub next_hops: BTreeMap<String, u64>,
    /// Recipients by next hop, and by the rule of routing that chose it.
    #[serde(default)]
    pub routes: Vec<RouteTaken>,
    /// Groups expanded, in walk order.
    pub groups: Vec<ExpandedGroup>,
    /// Branches below that would be refused or held.
    pub branches: Vec<BranchLeft>,
    /// Recipients left out, duplicates not included.
    pub left_out: Vec<RecipientLeft>,
    /// Duplicates removed.
    pub duplicates: u64,
}

/// Recipients with one next hop for one reason.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct RouteTaken {
    /// Name of the next hop, or `domain:…`.
    pub next_hop: String,
    /// The rule that chose next hop or priority; none: place and domain did.
    pub rule: Option<String>,
    /// How urgent copies are: `high`, `normal` or `low`.
    pub priority: String,
    /// How many.
    pub recipients: u64,
}

/// A group met in a walk.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ExpandedGroup {
    /// Primary address.
    pub group: String,
    /// Groups above it, outermost first.
    pub path: Vec<String>,
    /// Version of its list.
    pub roll_version: u64,
    /// Seconds since that version was computed or confirmed.
    pub roll_age_seconds: u64,
    /// Direct entries.
    pub entries: u64,
    /// Recipients it added.
    pub added: u64,
    /// Recipients already reached.
    pub duplicates: u64,
}

/// A nested group or member with a rule of its own.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct BranchLeft {
    /// Primary address.
    pub recipient: String,
    /// Groups above it, outermost first.
    pub path: Vec<String>,
    /// Held or refused.
    pub kind: VerdictKind,
    /// What a sender would be told, if refused.
    pub reply: Option<Reply>,
    /// Why.
    pub reason: Reason,
}

/// A recipient that gets no copy.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RecipientLeft {
    /// Address or entry text.
    pub recipient: String,
    /// The group it was met in.
    pub group: Option<String>,
    /// Why.
    pub reason: Reason,
}

/// One message of `trace`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TracedMessage {
    /// Our id.
    pub message: MessageId,
    /// When its final dot arrived, or when it was refused.
    pub at: Timestamp,
    /// Reverse-path; empty for null.
    pub from: String,
    /// Forward-paths as addressed.
    pub to: Vec<String>,
    /// `Subject` as it stands.
    pub subject: Option<String>,
    /// `Message-ID` as it stands.
    pub header_message_id: Option<String>,
    /// Listener name, or `local` for reports of our own.
    pub listener: Option<String>,
    /// What proved the sender internal, or why he is external.
    pub sender_proof: Option<String>,
    /// Octets.
    pub size_bytes: Option<u64>,
    /// What became of the recipients asked for; of one message all, the first thousand; in a
    /// list of messages those that were not delivered.
    pub fates: Vec<RecipientFate>,
    /// Recipients of copies in all.
    pub recipients: u64,
    /// Everything that happened, in order.
    pub events: Vec<Event>,
}

/// What became of one recipient.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RecipientFate {
    /// Address.
    pub recipient: String,
    /// Name of the event that decided, as in logs: `SEND`, `FAIL`, `DEFER`, `DROP`, `REFUSE`, `HOLD`,
    /// `DECIDE`, `QUEUE`.
    pub event: String,
    /// When.
    pub at: Timestamp,
    /// Next hop.
    pub next_hop: Option<String>,
    /// The rule of routing that chose it; none: place and domain did.
    #[serde(default)]
    pub rule: Option<String>,
    /// Host that took or refused it.
    pub remote: Option<String>,
    /// Its reply.
    pub reply: Option<Reply>,
    /// Why, unless delivered.
    pub reason: Option<Reason>,
    /// What a moderator decided, if it was held.
    pub decision: Option<Decision>,
    /// Groups that led there, outermost first.
    pub path: Vec<String>,
    /// Version of the innermost group's list.
    pub roll_version: Option<u64>,
    /// Its age at that time in seconds.
    pub roll_age_seconds: Option<u64>,
    /// To whom a report went.
    pub report_to: Option<String>,
}

/// `trace --was`: was somebody in the lists that a message was expanded with?
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct WasMember {
    /// The message.
    pub message: MessageId,
    /// When it came.
    pub at: Timestamp,
    /// Primary address of the person.
    pub recipient: String,
    /// He was, or the message named him.
    pub member: bool,
    /// The message named him.
    pub addressed: bool,
    /// Lists that were used, in the order of expansion.
    pub lists: Vec<WasList>,
}

/// One list that was used.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct WasList {
    /// Primary address of its group.
    pub group: String,
    /// Groups above it, outermost first.
    pub path: Vec<String>,
    /// The version that was used.
    pub version: u64,
    /// He was in it; none: its history is no longer kept.
    pub member: Option<bool>,
    /// When that changed since.
    pub change: Option<EntryChange>,
}
