//! Rows of the spool: messages, delivery sets, holds, and what changes them.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::approval::Approval;
use super::content::Content;
use super::roster::Roster;
use crate::directory::delivery::ModerationNotice;
use crate::mail::{BodyType, Envelope, HoldId, Mailbox, MessageId, Priority, Reply, ReturnContent, ReversePath, SetId};
use crate::resolver::Origin;
use crate::track::{Decision, Event, HoldCause, Reason, ReportKind};

/// Where a message came from, as kept beside it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Arrival {
    /// Listener name, or `local` for reports of our own.
    pub listener: String,
    /// Client address.
    pub client: Option<IpAddr>,
    /// EHLO or HELO argument.
    pub helo: Option<String>,
    /// What proved the sender internal (`network loopback`), or none: external.
    pub proof: Option<String>,
    /// What protected the connection: `TLSv1.3 TLS13_AES_256_GCM_SHA384`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<String>,
    /// Names of the client's certificate, where an authority vouched for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<Arc<str>>,
    /// The account that the client proved to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
}

impl Arrival {
    /// Where its client connected from; none for our own.
    #[must_use]
    pub fn origin(&self) -> Option<Origin<'_>> {
        self.client.map(|client| Origin {
            listener: &self.listener,
            client,
            certificates: &self.certificates,
        })
    }

    /// An arrival by a listener, or `local`, of which no more is known.
    #[must_use]
    pub fn at(listener: &str) -> Self {
        Self {
            listener: listener.to_owned(),
            client: None,
            helo: None,
            proof: None,
            tls: None,
            certificates: Vec::new(),
            login: None,
        }
    }
}

/// What kind of message this is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// From a client.
    Submitted,
    /// A report or notice of ours, about another message.
    Report {
        /// The message it is about.
        about: MessageId,
        /// Which report.
        report: ReportKind,
    },
}

/// A message without its content.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct StoredMessage {
    /// Id.
    pub id: MessageId,
    /// When the final dot arrived.
    pub received_at: Timestamp,
    /// As accepted in the dialogue.
    pub envelope: Envelope,
    /// Where from.
    pub arrival: Arrival,
    /// What kind.
    pub kind: MessageKind,
    /// Trace fields that go before the content on every copy.
    pub prefix: Bytes,
    /// Octets of prefix and content.
    pub size_bytes: u64,
}

/// A message to keep.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// The row.
    pub message: StoredMessage,
    /// The content.
    pub content: Content,
}

/// What one pass decided: one commit.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Copies to deliver.
    pub sets: Vec<DeliverySet>,
    /// Branches that wait for a moderator.
    pub holds: Vec<Hold>,
    /// Reports and notices that the pass gave rise to, with their own outcome.
    pub reports: Vec<Acceptance>,
    /// Tracking events.
    pub events: Vec<Event>,
}

/// A message and the outcome of its pass.
#[derive(Clone, Debug)]
pub struct Acceptance {
    /// The message.
    pub message: NewMessage,
    /// None: the pass is still to be made (DESIGN §2.2).
    pub outcome: Option<Outcome>,
}

/// All recipients of one pass with one next hop and envelope. Immutable.
#[derive(Clone, PartialEq, Debug)]
pub struct DeliverySet {
    /// Id.
    pub id: SetId,
    /// Its message.
    pub message: MessageId,
    /// Name of the next hop in the settings, or `domain:example.org` for MX delivery to a domain.
    pub next_hop: String,
    /// Reverse-path of the copies.
    pub reverse_path: ReversePath,
    /// `RET=`.
    pub ret: Option<ReturnContent>,
    /// `ENVID=`, xtext.
    pub envid: Option<Box<str>>,
    /// `BODY=`.
    pub body: BodyType,
    /// `SMTPUTF8` was asked for.
    pub smtputf8: bool,
    /// The copies ask for no automatic replies ([`crate::mail::trace::NO_AUTO_REPLIES_FIELD`]).
    pub no_auto_replies: bool,
    /// How urgent they are.
    pub priority: Priority,
    /// Who gets it.
    pub roster: Roster,
    /// When it entered the queue.
    pub queued_at: Timestamp,
    /// When it is given up.
    pub expires_at: Timestamp,
}

/// What finally became of a recipient in a set, or how it stands.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "as", rename_all = "snake_case")]
pub enum RecipientOutcome {
    /// The next hop took it.
    Relayed,
    /// Refused for now; tried again.
    Deferred {
        /// The reply, if there was one.
        reply: Option<Reply>,
        /// Why.
        reason: Reason,
    },
    /// Failed for good: refused, expired or unroutable. Reported as the DSN parameters ask.
    Failed {
        /// The reply that decided (ours, if no host spoke).
        reply: Reply,
        /// Why.
        reason: Reason,
        /// Host that spoke.
        remote: Option<String>,
    },
    /// Left out by a named rule or an operator; not reported.
    Dropped {
        /// Why.
        reason: Reason,
    },
}

impl RecipientOutcome {
    /// True unless deferred.
    #[must_use]
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Deferred { .. })
    }
}

/// A range of ranks in a roster with one outcome; both ends included.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Progress {
    /// First rank.
    pub first: u32,
    /// Last rank.
    pub last: u32,
    /// What became of them.
    pub outcome: RecipientOutcome,
}

/// Where a set stands.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct SetState {
    /// Attempts that deferred somebody.
    pub attempts: u32,
    /// When deferred recipients are due again.
    pub next_attempt_at: Option<Timestamp>,
    /// A delay report was sent.
    pub delay_reported: bool,
    /// Failures up to this progress row have been reported: highest row number.
    pub reported_through: u64,
}

/// A set as stored.
#[derive(Clone, PartialEq, Debug)]
pub struct StoredSet {
    /// The set. [`Roster::is_empty`] in [`super::Recovered`], where rosters are left in the store.
    pub set: DeliverySet,
    /// Recipients in the roster.
    pub recipients: u32,
    /// Where it stands.
    pub state: SetState,
    /// Progress rows in the order of appending; a later row overrules an earlier one for the same rank.
    pub progress: Vec<(u64, Progress)>,
}

/// What became of some recipients of one set.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The set.
    pub set: SetId,
    /// Rows to append.
    pub progress: Vec<Progress>,
    /// Where the set stands now.
    pub state: SetState,
    /// No recipient is open any more.
    pub finished: bool,
    /// Reports that this gave rise to.
    pub reports: Vec<Acceptance>,
    /// Tracking events.
    pub events: Vec<Event>,
}

/// How a hold stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum HoldState {
    /// Waits for a decision.
    Waiting,
    /// Ended.
    Decided {
        /// How.
        decision: Decision,
        /// Who.
        by: String,
        /// When.
        at: Timestamp,
        /// Why, in his words.
        comment: Option<String>,
    },
}

/// Whom a released message goes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Membership {
    /// Who is a member when it is released.
    #[default]
    Release,
    /// Who was a member when it was held, and is still in the directory.
    Submission,
}

/// A branch of a message that waits for a moderator (DESIGN §6: rules are judged as at submission, membership at
/// release unless the settings say otherwise).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hold {
    /// Id.
    pub id: HoldId,
    /// Its message.
    pub message: MessageId,
    /// Primary address of the moderated recipient, kept as text beside the object id.
    pub recipient: Mailbox,
    /// Stable id of its object.
    pub object: String,
    /// Index of the addressed recipient in the message's envelope.
    pub addressed: u32,
    /// Groups above it, outermost first (primary addresses).
    pub path: Vec<String>,
    /// Reverse-path of the branch (report settings of the groups above).
    pub reverse_path: ReversePath,
    /// DSN requests of the branch.
    pub notify: Option<crate::mail::Notify>,
    /// A group above had BypassNestedModerationEnabled.
    pub bypass_nested: bool,
    /// A group above hides its membership.
    pub hidden: bool,
    /// Who hears about a rejection (`SendModerationNotifications`).
    pub notice: ModerationNotice,
    /// Why it is held.
    #[serde(default)]
    pub cause: HoldCause,
    /// Whose mail it becomes.
    #[serde(default)]
    pub membership: Membership,
    /// Who may decide.
    pub moderators: Vec<Mailbox>,
    /// When it was held.
    pub held_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    /// How it stands.
    pub state: HoldState,
    /// `Subject` of the message as it stands, at most 200 characters.
    pub subject: Option<String>,
    /// Reverse-path of the message: the sender to be told.
    pub sender: ReversePath,
    /// Language of letters about it; none: that of the settings.
    #[serde(default)]
    pub language: Option<String>,
    /// Who was asked, and what has come of it.
    #[serde(default)]
    pub approval: Approval,
    /// The thread whose brake holds it, by the id of its first message; none but for a storm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
}

/// A change of a hold: a decision with the release it brings, or requests and reminders.
#[derive(Clone, Debug)]
pub struct HoldDecision {
    /// Which hold.
    pub hold: HoldId,
    /// The new state; [`HoldState::Waiting`] if this decides nothing.
    pub state: HoldState,
    /// How it stands then; its revision is one more than that of the hold it was judged on.
    pub approval: Approval,
    /// Copies, nested holds, letters and events.
    pub outcome: Outcome,
}
