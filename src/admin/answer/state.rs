//! Answers about the service: findings, queue, holds, status.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Meaning;
use crate::admin::command::HoldAnswer;
use crate::mail::{MessageId, Reply};
use crate::spool::message::Membership;
use crate::track::{Decision, HoldCause, Reason};

/// How grave a finding is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Works, but probably not as meant.
    Warning,
    /// Cannot work.
    Error,
}

impl Severity {
    /// The word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Something about settings or directory files.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// How grave.
    pub severity: Severity,
    /// File.
    pub file: Option<String>,
    /// Line, from 1.
    pub line: Option<u32>,
    /// Column, from 1.
    pub column: Option<u32>,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub suggestion: Option<String>,
}

/// `check`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct CheckReport {
    /// Settings file.
    pub settings: String,
    /// Everything found at once.
    pub findings: Vec<Finding>,
    /// One line on what the settings describe: `3 listeners, 2 next hops, 1 source, 120 recipients, 30 groups`.
    pub summary: String,
}

impl CheckReport {
    /// Errors make it unusable; warnings do not.
    #[must_use]
    pub fn meaning(&self) -> Meaning {
        if self.findings.iter().any(|finding| finding.severity == Severity::Error) {
            Meaning::Unusable
        } else {
            Meaning::Yes
        }
    }
}

/// `reload`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Reloaded {
    /// What was read is in force.
    pub applied: bool,
    /// Why a guard holds the directory back: `20 of 43 objects would go (limit 20 % and 10)`.
    pub guard: Option<String>,
    /// What changed, one line each.
    pub changes: Vec<String>,
    /// What was found.
    pub findings: Vec<Finding>,
    /// Directory generation now.
    pub generation: Option<u64>,
}

impl Reloaded {
    /// A guard first, then whether it is in force.
    #[must_use]
    pub fn meaning(&self) -> Meaning {
        if self.guard.is_some() && !self.applied {
            Meaning::Guarded
        } else if self.applied {
            Meaning::Yes
        } else {
            Meaning::Unusable
        }
    }
}

/// Signatures since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SigningState {
    /// Messages signed; one counts once for each set of keys, however many batches go out.
    pub signed_total: u64,
    /// Times that no signature could be made, so that copies had to wait.
    pub failed_total: u64,
    /// Bodies read for their hash.
    pub bodies_total: u64,
}

/// `status`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StatusReport {
    /// Version of the program.
    pub version: String,
    /// Host name in the settings.
    pub hostname: String,
    /// When it was started.
    pub started_at: Timestamp,
    /// It takes mail.
    pub ready: bool,
    /// Why not.
    pub busy: Option<Reason>,
    /// Listeners.
    pub listeners: Vec<ListenerState>,
    /// Directory generation; none before the first.
    pub generation: Option<u64>,
    /// Since when it serves.
    pub generation_at: Option<Timestamp>,
    /// Recipient objects.
    pub recipients: u64,
    /// Of them, groups.
    pub groups: u64,
    /// Messages in the spool.
    pub messages: u64,
    /// Recipients still open in the queue.
    pub queued_recipients: u64,
    /// Messages waiting for a moderator.
    pub holds: u64,
    /// Lists that the guard holds back.
    pub lists_held: u64,
    /// What the verification of lists has found since the start.
    pub verification: Verification,
    /// Signatures on copies.
    #[serde(default)]
    pub signing: SigningState,
    /// What an operator should look at.
    pub notes: Vec<String>,
}

/// Lists computed anew and compared with what was patched.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Verification {
    /// Lists compared since the start.
    pub lists_total: u64,
    /// Of these, lists that differed and were repaired: there must be none, ever.
    pub differences_total: u64,
    /// When the latest was compared.
    pub at: Option<Timestamp>,
}

/// A listener.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ListenerState {
    /// Its name.
    pub name: String,
    /// `inbound` or `relay`.
    pub role: String,
    /// Address it listens on.
    pub address: String,
    /// Sessions open.
    pub sessions: u64,
}

/// A line of `queue list`: one delivery set.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct QueueItem {
    /// The set, as `s-12`.
    pub set: String,
    /// Its message.
    pub message: MessageId,
    /// Next hop.
    pub next_hop: String,
    /// Reverse-path of the copies; empty for null.
    pub from: String,
    /// Recipients in it.
    pub recipients: u64,
    /// Of them, not yet ended.
    pub open: u64,
    /// Attempts that deferred somebody.
    pub attempts: u32,
    /// When it entered the queue.
    pub queued_at: Timestamp,
    /// When it is due; none: now.
    pub next_attempt_at: Option<Timestamp>,
    /// When it is given up.
    pub expires_at: Timestamp,
    /// The last reply that deferred somebody.
    pub reply: Option<Reply>,
    /// Why it waits.
    pub reason: Option<Reason>,
}

/// A line of `queue summary`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct NextHopSummary {
    /// Next hop.
    pub next_hop: String,
    /// Recipients that could go now.
    pub ready: u64,
    /// Recipients that wait for another attempt.
    pub deferred: u64,
    /// Age of the oldest set in seconds.
    pub oldest_seconds: Option<u64>,
    /// Sessions open.
    pub sessions: u64,
    /// Most sessions now.
    pub sessions_max: u64,
    /// An operator leaves it alone.
    #[serde(default)]
    pub suspended: bool,
    /// The last refusal or fault.
    pub last_error: Option<String>,
}

/// `queue show`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct QueueShown {
    /// What the list shows too.
    #[serde(flatten)]
    pub item: QueueItem,
    /// `Subject` as it stands.
    pub subject: Option<String>,
    /// Recipients relayed.
    pub relayed: u64,
    /// Recipients failed or dropped.
    pub failed: u64,
    /// Open recipients, the first thousand.
    pub open_recipients: Vec<OpenRecipient>,
}

/// A recipient still open.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OpenRecipient {
    /// Final address.
    pub recipient: String,
    /// What its next hop last said.
    pub reply: Option<Reply>,
    /// Why it waits; none: not tried yet.
    pub reason: Option<Reason>,
}

/// `queue retry` and `queue drop`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct QueueChanged {
    /// It was done, not only said.
    pub done: bool,
    /// Delivery sets.
    pub sets: u64,
    /// Messages they belong to.
    pub messages: u64,
    /// Open recipients in them.
    pub recipients: u64,
}

/// `moderate approve` and `moderate reject` of many.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HoldsDecided {
    /// It was done, not only said.
    pub done: bool,
    /// Yes or no.
    pub answer: HoldAnswer,
    /// Messages decided, or that would be.
    pub messages: u64,
    /// Their senders.
    pub senders: u64,
    /// Recipients released, or that would be.
    pub recipients: u64,
    /// What was not decided, or would not be, and why.
    pub left: Vec<HoldLeft>,
    /// Its number in the trace of every message.
    pub operation: Option<String>,
}

/// A hold that an order left as it was.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HoldLeft {
    /// The hold, as `m-17`.
    pub id: String,
    /// Why.
    pub why: String,
}

/// A line of `moderate list`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HoldSummary {
    /// The hold, as `m-17`.
    pub id: String,
    /// Primary address of the moderated recipient.
    pub group: String,
    /// Reverse-path of the message; empty for null.
    pub from: String,
    /// `Subject` as it stands.
    pub subject: Option<String>,
    /// Octets.
    pub size_bytes: u64,
    /// When it was held.
    pub held_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// `moderate show`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HoldShown {
    /// What the list shows too.
    #[serde(flatten)]
    pub summary: HoldSummary,
    /// Its message.
    pub message: MessageId,
    /// What proved the sender internal, or none: external.
    pub sender_proof: Option<String>,
    /// Groups above it, outermost first.
    pub path: Vec<String>,
    /// Why it is held.
    #[serde(default)]
    pub cause: HoldCause,
    /// Who may decide.
    pub moderators: Vec<String>,
    /// Whose mail it becomes.
    #[serde(default)]
    pub membership: Membership,
    /// Recipients that an approval would release today.
    pub recipients: u64,
    /// `waiting`, `approved`, `rejected` or `expired`.
    pub state: String,
    /// Who decided.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<Timestamp>,
    /// His words.
    pub comment: Option<String>,
}

/// `moderate approve` and `moderate reject`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HoldDecided {
    /// The hold, as `m-17`.
    pub id: String,
    /// This decision counts; if not, the rest tells the one that came first.
    pub applied: bool,
    /// The decision that counts.
    pub decision: Decision,
    /// Who decided.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Recipients released.
    pub recipients: u64,
    /// Approvals still needed; the hold waits while there are any.
    #[serde(default)]
    pub missing: u32,
}
