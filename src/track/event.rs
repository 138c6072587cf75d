//! Tracking events: one message can be followed from RECEIVE to the last SEND or FAIL by its id.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Reason;
use crate::mail::{HoldId, MessageId, Priority, Reply, SetId};

/// One thing that happened to one message.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// To which message.
    pub message: MessageId,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// How a moderation ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// Released to the group.
    Approved,
    /// Refused by a moderator.
    Rejected,
    /// Nobody decided in time.
    Expired,
}

impl Decision {
    /// The past participle people read, as in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
        }
    }
}

/// Why a message is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldCause {
    /// Its recipient is moderated.
    #[default]
    Moderation,
    /// The group is large and open to everybody: its owners decide.
    LargeGroup,
    /// The group is large: its sender is asked whether he means it.
    Confirmation,
    /// It claims one of our addresses and nothing proves it.
    Quarantine,
    /// A content filter wants somebody to look at it.
    Content,
    /// Too many replies to all came on its thread.
    Storm,
}

/// Which report (RFC 3464 action).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReportKind {
    /// `Action: failed`.
    Failed,
    /// `Action: delayed`.
    Delayed,
    /// `Action: expanded`.
    Expanded,
    /// `Action: relayed`.
    Relayed,
    /// Notice to an owner about his group (stale entry).
    Owner,
    /// Notice to the sender about a moderation's end.
    Moderation,
    /// Request to a moderator, or what his answer came to.
    Approval,
    /// To a domain about TLS with its mail exchangers (RFC 8460).
    Tls,
}

impl ReportKind {
    /// The word for it, as in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Expanded => "expanded",
            Self::Relayed => "relayed",
            Self::Owner => "owner",
            Self::Moderation => "moderation",
            Self::Approval => "approval",
            Self::Tls => "tls",
        }
    }
}

/// What happened. The tag in JSON is the stable event name.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EventKind {
    /// Accepted, by SMTP or as a report of our own.
    Receive {
        /// Listener name, or `local` for our own reports.
        listener: String,
        /// Client address.
        client: Option<IpAddr>,
        /// EHLO or HELO argument.
        helo: Option<String>,
        /// Reverse-path; empty for null.
        reverse_path: String,
        /// Forward-paths as addressed.
        recipients: Vec<String>,
        /// Octets as stored.
        size_bytes: u64,
        /// What proved the sender internal, or why he is external.
        sender_proof: String,
        /// `Message-ID` field.
        header_message_id: Option<String>,
        /// `Subject` field as it stands, at most 200 characters.
        subject: Option<String>,
    },
    /// A recipient or the whole transaction was refused in the dialogue.
    Refuse {
        /// The forward-path; none if the whole transaction.
        recipient: Option<String>,
        /// Reverse-path; empty for null.
        reverse_path: String,
        /// Listener name.
        listener: String,
        /// Client address.
        client: Option<IpAddr>,
        /// What the client was told.
        reply: Reply,
        /// Why.
        reason: Reason,
    },
    /// Something about the client that did not keep its message out.
    Note {
        /// Client address.
        client: IpAddr,
        /// What.
        reason: Reason,
        /// In more words.
        note: String,
    },
    /// A group was expanded.
    Expand {
        /// Primary address of the group.
        group: String,
        /// Groups above it, outermost first.
        path: Vec<String>,
        /// Version of its roll.
        roll_version: u64,
        /// Seconds since that version was computed or confirmed.
        roll_age_seconds: u64,
        /// Direct entries in the roll.
        entries: u64,
        /// Recipients this group added to the message.
        added: u64,
        /// Recipients already reached by an earlier path.
        duplicates: u64,
    },
    /// A recipient or branch was left out by a named rule.
    Drop {
        /// Address or entry text.
        recipient: String,
        /// The group it was met in, if any.
        group: Option<String>,
        /// Why.
        reason: Reason,
    },
    /// A branch below an addressed recipient was refused.
    Branch {
        /// The group or member that refused.
        recipient: String,
        /// Groups above it, outermost first.
        path: Vec<String>,
        /// What a sender would be told.
        reply: Reply,
        /// Why.
        reason: Reason,
    },
    /// Held for moderators.
    Hold {
        /// The hold.
        hold: HoldId,
        /// Primary address of the moderated recipient.
        group: String,
        /// Who may decide.
        moderators: Vec<String>,
        /// When it expires.
        expires_at: Timestamp,
        /// Why.
        #[serde(default)]
        cause: HoldCause,
        /// The thread whose brake holds it, by the id of its first message; none but for a storm.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        thread: Option<String>,
    },
    /// A hold ended.
    Decide {
        /// The hold.
        hold: HoldId,
        /// How.
        decision: Decision,
        /// Who; `muster` for expiry.
        by: String,
        /// The moderator's words.
        comment: Option<String>,
        /// One number for all decisions of one order.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        operation: Option<uuid::Uuid>,
    },
    /// A moderator approved and more approvals are needed.
    Vote {
        /// The hold.
        hold: HoldId,
        /// Who.
        by: String,
        /// Approvals still needed.
        missing: u32,
    },
    /// A delivery set was made.
    Queue {
        /// The set.
        set: SetId,
        /// Next hop name.
        next_hop: String,
        /// Recipients in it.
        recipients: u64,
        /// Reverse-path of its copies; empty for null.
        reverse_path: String,
        /// The rules of routing that chose next hop or priority; none: place and domain did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rule: Option<String>,
        /// How urgent it is.
        #[serde(default, skip_serializing_if = "Priority::is_normal")]
        priority: Priority,
    },
    /// The next hop took a batch.
    Send {
        /// The set.
        set: SetId,
        /// Next hop name.
        next_hop: String,
        /// Host that took it.
        remote: String,
        /// TLS version, cipher and what the host's certificate proved; none in clear text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        protection: Option<String>,
        /// Rank ranges of the roster, both ends included.
        ranks: Vec<(u32, u32)>,
        /// Its reply.
        reply: Reply,
    },
    /// Some recipients have to wait.
    Defer {
        /// The set.
        set: SetId,
        /// Next hop name.
        next_hop: String,
        /// Rank ranges of the roster, both ends included.
        ranks: Vec<(u32, u32)>,
        /// The reply, if there was one.
        reply: Option<Reply>,
        /// Why.
        reason: Reason,
        /// When it is tried again.
        retry_at: Timestamp,
    },
    /// A recipient failed for good.
    Fail {
        /// The set.
        set: SetId,
        /// Next hop name.
        next_hop: String,
        /// Final address.
        recipient: String,
        /// The reply that decided.
        reply: Reply,
        /// Why.
        reason: Reason,
    },
    /// A report was made.
    Report {
        /// Which.
        report: ReportKind,
        /// To whom.
        to: String,
        /// The report's own message id.
        id: MessageId,
        /// Recipients it speaks of.
        recipients: u64,
    },
    /// Everything about the message has ended; it leaves the spool.
    Done,
}

impl EventKind {
    /// The stable event name, as in logs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Receive { .. } => "RECEIVE",
            Self::Refuse { .. } => "REFUSE",
            Self::Note { .. } => "NOTE",
            Self::Expand { .. } => "EXPAND",
            Self::Drop { .. } => "DROP",
            Self::Branch { .. } => "BRANCH",
            Self::Hold { .. } => "HOLD",
            Self::Decide { .. } => "DECIDE",
            Self::Vote { .. } => "VOTE",
            Self::Queue { .. } => "QUEUE",
            Self::Send { .. } => "SEND",
            Self::Defer { .. } => "DEFER",
            Self::Fail { .. } => "FAIL",
            Self::Report { .. } => "REPORT",
            Self::Done => "DONE",
        }
    }
}
