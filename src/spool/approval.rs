//! What has become of a hold while it waits: who was asked, who said yes, when to ask again.
//!
//! In: changes judged by `moderation`. Out: a part of the hold's row. Never: a token; only its hash.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::mail::Mailbox;

/// SHA-256 of a token, in hexadecimal digits. The token itself is in the mail to the moderator and nowhere else.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenHash(pub String);

/// One request for approval: to one moderator, with tokens of its own.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ApprovalRequest {
    /// Who was asked; the tokens carry his authority.
    pub moderator: Mailbox,
    /// Token of the link.
    pub link: TokenHash,
    /// Token in the reply address.
    pub reply: TokenHash,
    /// When.
    pub asked_at: Timestamp,
    /// The request did not reach him.
    #[serde(default)]
    pub bounced: bool,
}

/// A yes that did not decide alone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Vote {
    /// Who.
    pub moderator: Mailbox,
    /// When.
    pub at: Timestamp,
}

/// How a waiting hold stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Approval {
    /// Grows by one with every change: of two changes judged on the same hold one wins.
    pub revision: u64,
    /// Approvals that release it.
    pub quorum: u32,
    /// Requests that were sent.
    pub requests: Vec<ApprovalRequest>,
    /// Approvals so far.
    pub votes: Vec<Vote>,
    /// Asked because the moderators did not decide; they may decide as well.
    pub substitutes: Vec<Mailbox>,
    /// The second round was asked, at half time or because nobody was left.
    pub escalated: bool,
    /// Owners and postmaster were told that nobody can be reached.
    pub alarmed: bool,
    /// Recipients that an approval would have released when it was last asked for.
    pub recipients: u64,
}

impl Default for Approval {
    fn default() -> Self {
        Self {
            revision: 0,
            quorum: 1,
            requests: Vec::new(),
            votes: Vec::new(),
            substitutes: Vec::new(),
            escalated: false,
            alarmed: false,
            recipients: 0,
        }
    }
}
