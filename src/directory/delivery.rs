//! Settings that decide over mail to one recipient object, person or group.
//!
//! Sources: Set-DistributionGroup, Set-Mailbox; recipient resolution. Every `Option` is a fact the
//! source did not state; the service default then holds and `explain` says so.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::mail::address::Mailbox;

/// A recipient named by text that is not resolved yet: an address, a DN, an id, a GUID, an X500 address,
/// an alias or a canonical name. It is bound against a generation by `Directory::lookup_reference`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reference(Box<str>);

impl Reference {
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Reference {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Reference {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, out)
    }
}

/// Who may send, how large, where it goes on, who approves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeliverySettings {
    /// `AcceptMessagesOnlyFromSendersOrMembers`: empty means everybody.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accept_from: Vec<Reference>,
    /// `RejectMessagesFromSendersOrMembers`: beats the accept list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reject_from: Vec<Reference>,
    /// `RequireSenderAuthenticationEnabled`. An attribute missing in Active Directory reads as false; a
    /// connector that knows its source says `Some(false)` then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require_sender_authentication: Option<bool>,
    /// `MaxReceiveSize` in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_receive_size: Option<u64>,
    /// `ForwardingAddress` (a directory object); wins over `forwarding_smtp_address`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forwarding_address: Option<Reference>,
    /// `ForwardingSmtpAddress` (any address).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forwarding_smtp_address: Option<Mailbox>,
    /// `DeliverToMailboxAndForward`: false, the default, forwards only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deliver_and_forward: Option<bool>,
    /// `EchoGroupMessageBackToSubscribedSender`: a subscriber of a Microsoft 365 group gets a copy of what he
    /// sent himself; false, the default, does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub echo_to_sender: Option<bool>,
    /// Who may send as this object (the Send As permission); groups stand for their members. Who may send on its
    /// behalf is its attribute GrantSendOnBehalfTo.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub send_as: Vec<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moderation: Option<Box<ModerationSettings>>,
}

impl DeliverySettings {
    /// True if mail to this recipient must be judged by itself: a list, authentication, size, approval.
    pub fn has_own_rule(&self) -> bool {
        !self.accept_from.is_empty()
            || !self.reject_from.is_empty()
            || self.require_sender_authentication == Some(true)
            || self.max_receive_size.is_some()
            || self.moderation.as_ref().is_some_and(|moderation| moderation.enabled)
    }

    /// True if the recipient's mail goes on to another address.
    pub fn forwards(&self) -> bool {
        self.forwarding_address.is_some() || self.forwarding_smtp_address.is_some()
    }
}

/// Approval by moderators (Set-DistributionGroup, moderated recipients).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModerationSettings {
    /// `ModerationEnabled`.
    pub enabled: bool,
    /// `ModeratedBy`: persons, never groups. Empty on a distribution group: the owners decide.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub moderators: Vec<Reference>,
    /// `BypassModerationFromSendersOrMembers`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bypass: Vec<Reference>,
    /// `BypassNestedModerationEnabled`: one approval covers moderated groups nested below.
    pub bypass_nested: bool,
    /// `SendModerationNotifications`.
    pub notify: ModerationNotice,
    /// Time a message waits; none: the service's. Ours, not Exchange's, as are the next three.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiry: Option<Duration>,
    /// Approvals needed; none: the service's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quorum: Option<u32>,
    /// Who is asked when the moderators do not decide; empty: as the service says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub substitutes: Vec<Reference>,
    /// Language of letters; none: the service's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<Box<str>>,
}

/// Which senders hear about a rejection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ModerationNotice {
    #[default]
    Always,
    Internal,
    Never,
}
