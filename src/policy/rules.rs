//! The organisation's settings that decide about mail.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::storm::StormRules;
use crate::limits::LARGE_GROUP_MEMBERS;
use crate::mail::Mailbox;
use crate::resolver::{AcceptedDomains, TrustedNetwork};
use crate::rolls::RollDefaults;

/// What a member with a disabled account gets. Shared, room, equipment, linked, scheduling, team and public
/// folder mailboxes have disabled accounts by design and always get their copy.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DisabledAccounts {
    /// A copy, as Exchange does.
    #[default]
    Deliver,
    /// Nothing; the drop is tracked. Mail addressed to the person himself is delivered all the same.
    Drop,
}

/// Who follows the forwarding of a mailbox.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forwarding {
    /// The mailbox's own server. Trap: with `here` set as well on a server that forwards, copies double.
    #[default]
    NextHop,
    /// We do.
    Here,
}

/// Whether rules of groups and members below the addressed group are asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NestedRestrictions {
    /// As Exchange: with the original sender.
    #[default]
    Enforce,
    /// Authentication and accept/reject lists of the addressed recipient only. Sizes and moderation of
    /// nested objects are asked all the same.
    TopOnly,
}

/// Whether a sender is told of refused branches by a report.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NotifyPartial {
    /// If his return path is proved.
    #[default]
    Proved,
    /// In any case. Trap: reports to forged senders.
    Always,
    /// Not at all.
    Never,
}

/// What becomes of mail that claims an accepted domain without proof.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpoofedSender {
    /// Refused at RCPT.
    #[default]
    Refuse,
    /// Held for [`Rules::quarantine`], whatever its recipient.
    Quarantine,
    /// Taken for external.
    External,
}

/// Whether `lena+detail@` reaches `lena@`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlusAddressing {
    /// It does, unless an object has the full address. The copy goes to the primary address.
    #[default]
    On,
    /// It does not.
    Off,
}

/// Reverse-path of copies through a group that reports to nobody; they always carry NOTIFY=NEVER.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SuppressedReports {
    /// `<>`, as Exchange may do. Trap: some servers refuse it, and Exchange Online takes it only from a
    /// connector with a certificate.
    #[default]
    Null,
    /// Unchanged: servers that ignore NOTIFY=NEVER may tell the sender after all.
    Unchanged,
}

/// In which form refusals are told (`exchange-semantics.md` §3.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyDialect {
    /// The codes of Exchange Online: 5.7.133, 5.7.124, 5.1.10, …
    #[default]
    ExchangeOnline,
    /// Those of Exchange Server: 5.7.1 and 5.1.1, told apart by their `RESOLVER` words.
    Exchange,
}

/// Whether copies through a group with `SendOofMessageToOriginatorEnabled` off ask for no automatic replies.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AutoReplies {
    /// They do, by the field `X-Auto-Response-Suppress`.
    #[default]
    AsGroupSays,
    /// No field is added: members' automatic replies go back to the sender.
    Allow,
}

/// What becomes of mail to a large group that anybody may write to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LargeGroupAction {
    /// It is expanded.
    #[default]
    Allow,
    /// It is refused until the group has an accept list or moderators.
    Refuse,
    /// It is held for the owners, as if the group were moderated.
    Hold,
    /// A proven sender is asked whether he means it, whoever else may write to the group; others' mail to an open
    /// group is held for the owners.
    Confirm,
}

/// The guard of large groups.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LargeGroup {
    /// What happens.
    pub action: LargeGroupAction,
    /// Members, nested groups included, from which on a group is large.
    pub members: u64,
}

impl Default for LargeGroup {
    fn default() -> Self {
        Self {
            action: LargeGroupAction::default(),
            members: LARGE_GROUP_MEMBERS,
        }
    }
}

/// Whether `From` must say who sent it; see [`super::author`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthorRule {
    /// It is not looked at, as in Exchange.
    #[default]
    Ignore,
    /// The sender himself, or somebody who lets him send as him or on his behalf.
    Permitted,
    /// The sender himself.
    Same,
}

/// Which mail is checked by SPF, DKIM, DMARC and ARC.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verify {
    /// Mail whose standing depends on it.
    #[default]
    WhenNeeded,
    /// All mail that the connection does not prove internal.
    Unproven,
}

/// Checks of where a message comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuthenticityRules {
    /// Our name in `Authentication-Results`; others' results in this name are removed.
    pub authserv_id: Arc<str>,
    /// Which mail is checked.
    pub verify: Verify,
    /// Whether DMARC pass with an accepted domain as author proves a sender internal.
    pub dmarc_proves: bool,
    /// Whether copies are sealed (ARC), so that the chain of a message must be known.
    pub seals: bool,
}

impl Default for AuthenticityRules {
    fn default() -> Self {
        Self {
            authserv_id: "localhost".into(),
            verify: Verify::default(),
            dmarc_proves: false,
            seals: false,
        }
    }
}

/// All of them.
#[derive(Clone, PartialEq, Debug)]
pub struct Rules {
    /// For which domains we take mail.
    pub accepted: AcceptedDomains,
    /// Where mail for `postmaster` goes (RFC 5321 §4.5.1): an address of the directory or outside.
    pub postmaster: Mailbox,
    /// Networks that prove senders internal, in the order of the settings.
    pub trusted: Vec<TrustedNetwork>,
    /// What the message itself may prove.
    pub authenticity: AuthenticityRules,
    /// Mail that claims an accepted domain without proof.
    pub spoofed: SpoofedSender,
    /// Who decides about it under [`SpoofedSender::Quarantine`].
    pub quarantine: Vec<Mailbox>,
    /// Whether the author must be the sender.
    pub author: AuthorRule,
    /// `lena+detail@`.
    pub plus_addressing: PlusAddressing,
    /// Members with disabled accounts.
    pub disabled_accounts: DisabledAccounts,
    /// Forwarding of mailboxes.
    pub forwarding: Forwarding,
    /// Rules below the addressed group.
    pub nested_restrictions: NestedRestrictions,
    /// Reports of refused branches.
    pub notify_partial: NotifyPartial,
    /// Return path where a group reports to nobody.
    pub suppressed_reports: SuppressedReports,
    /// Form of refusals.
    pub reply_dialect: ReplyDialect,
    /// Automatic replies to copies through a group.
    pub auto_replies: AutoReplies,
    /// Large groups that are open to everybody.
    pub large_group: LargeGroup,
    /// Storms of replies to all, where a group says nothing itself.
    pub storm: StormRules,
    /// `RequireSenderAuthenticationEnabled` of groups whose source does not say: Exchange's default for new
    /// groups is true; a missing attribute in Active Directory reads false, and the connector says so.
    pub groups_internal_only: bool,
    /// Age and refresh of rolls where a group says nothing itself.
    pub rolls: RollDefaults,
}

impl Rules {
    /// Settings that name only what has no default.
    #[must_use]
    pub fn new(accepted: AcceptedDomains, postmaster: Mailbox) -> Self {
        Self {
            accepted,
            quarantine: vec![postmaster.clone()],
            postmaster,
            trusted: Vec::new(),
            authenticity: AuthenticityRules::default(),
            spoofed: SpoofedSender::default(),
            author: AuthorRule::default(),
            plus_addressing: PlusAddressing::default(),
            disabled_accounts: DisabledAccounts::default(),
            forwarding: Forwarding::default(),
            nested_restrictions: NestedRestrictions::default(),
            notify_partial: NotifyPartial::default(),
            suppressed_reports: SuppressedReports::default(),
            reply_dialect: ReplyDialect::default(),
            auto_replies: AutoReplies::default(),
            large_group: LargeGroup::default(),
            storm: StormRules::default(),
            groups_internal_only: true,
            rolls: RollDefaults::default(),
        }
    }
}
