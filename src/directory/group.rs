//! Settings only a group has: who belongs to it, who owns it, how reports travel, how fresh it is.
//!
//! Every `Option` is a fact the source did not state; the service default then holds.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::delivery::Reference;
use super::filter::precanned::Precanned;

/// What a group carries beyond any recipient (Set-DistributionGroup, Set-DynamicDistributionGroup,
/// Set-UnifiedGroup).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GroupSettings {
    /// Direct members of a static group, as the source names them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<Reference>,
    /// `ManagedBy`: the owners, the first one receives reports.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub managed_by: Vec<Reference>,
    /// `ReportToOriginatorEnabled`: Exchange's default is true.
    pub report_to_originator: bool,
    /// `ReportToManagerEnabled`: bounces of the copies go to the first owner.
    pub report_to_owner: bool,
    /// `SendOofMessageToOriginatorEnabled`; a missing attribute reads false.
    pub send_oof: bool,
    /// `HiddenGroupMembershipEnabled`: members are never shown to senders.
    pub hidden_membership: bool,
    /// `BccBlocked`: a copy addressed in Bcc reaches nobody.
    pub bcc_blocked: bool,
    /// `AllowOnlyMembersToPost` of a Microsoft 365 group.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub only_members_may_post: bool,
    /// The rule of a dynamic group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<Box<DynamicRule>>,
    /// When the roll of a dynamic group follows the directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh: Option<RefreshMode>,
    /// Age beyond which the roll counts as stale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Duration>,
    /// What a stale roll means for mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_stale: Option<StaleAction>,
    /// What the list may lose or gain before it waits for an operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guard: Option<Box<GuardSettings>>,
    /// When a storm of replies to all is braked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storm: Option<Box<StormSettings>>,
    /// Expansion of a Microsoft 365 group here; `None` relays it whole to its cloud address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscribers: Option<Box<Subscribers>>,
}

impl Default for GroupSettings {
    fn default() -> Self {
        Self {
            members: Vec::new(),
            managed_by: Vec::new(),
            report_to_originator: true,
            report_to_owner: false,
            send_oof: false,
            hidden_membership: false,
            bcc_blocked: false,
            only_members_may_post: false,
            rule: None,
            refresh: None,
            max_age: None,
            on_stale: None,
            guard: None,
            storm: None,
            subscribers: None,
        }
    }
}

/// When a stored roll is recomputed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefreshMode {
    /// A directory change patches exactly the rolls it affects.
    OnChange,
    /// Exchange Online's way: a rebuild every so often (there 24 hours).
    Interval(Duration),
}

/// What happens to mail for a group whose roll is older than its `max_age`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StaleAction {
    Serve,
    Defer,
    Refuse,
}

/// A group's own bounds of what its list may lose or gain within a window; see `rolls::guard`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GuardSettings {
    /// Percent of the largest version of the window that may go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shrink_share_percent: Option<u32>,
    /// Entries that may go, whatever their share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shrink_count: Option<u32>,
    /// Percent of the smallest version of the window that may come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub growth_share_percent: Option<u32>,
    /// Entries that may come, whatever their share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub growth_count: Option<u32>,
    /// How long changes are counted together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<Duration>,
}

/// What becomes of further replies to all on a thread that is braked; see `policy::storm`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StormAction {
    /// They wait for a moderator.
    #[default]
    Hold,
    /// They are refused for now: 450.
    Defer,
    /// Nothing: the group is not watched.
    Off,
}

impl StormAction {
    /// Every action, by the word settings and files use.
    pub const WORDS: [(&'static str, Self); 3] = [("hold", Self::Hold), ("defer", Self::Defer), ("off", Self::Off)];

    /// The word of settings and files.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Defer => "defer",
            Self::Off => "off",
        }
    }
}

/// A group's own bounds of replies to all on one thread; see `policy::storm`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StormSettings {
    /// What becomes of further replies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<StormAction>,
    /// Members, nested groups included, from which on the group is watched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<u32>,
    /// Replies within the window that bring the brake on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replies: Option<u32>,
    /// How long replies are counted together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<Duration>,
    /// How long the brake stays on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brake: Option<Duration>,
}

/// Explicit decision to expand a Microsoft 365 group to the people who subscribed to it.
///
/// Members and subscribers are different lists; only subscribers get copies (Set-UnifiedGroup).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Subscribers {
    pub expand: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub list: Vec<Reference>,
}

/// Who belongs to a dynamic distribution group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DynamicRule {
    pub condition: RuleCondition,
    /// `RecipientContainer`: the organizational unit or domain searched, with everything below.
    /// Absent means the whole directory; Exchange has no such state and uses the unit the group lies in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient_container: Option<Box<str>>,
    /// How texts compare; absent means the service default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<ComparisonProfile>,
    /// `remote_mailboxes_match_user_mailbox` of the source: mailboxes that moved to the cloud still match
    /// `RecipientType -eq 'UserMailbox'` and `(msExchHomeServerName=*)`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub remote_mailboxes_match_user_mailbox: bool,
}

/// The condition as the administrator stated it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleCondition {
    /// `RecipientFilter`: the text is kept as it was, tails included.
    Custom { language: FilterLanguage, text: Box<str> },
    /// `IncludedRecipients` and `Conditional…`.
    Precanned(Precanned),
}

/// The language of a custom condition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FilterLanguage {
    /// `RecipientFilter` of Exchange.
    #[default]
    Opath,
    /// RFC 4515, `LdapRecipientFilter` of Exchange.
    Ldap,
    /// A dynamic membership rule of Entra.
    Entra,
}

impl FilterLanguage {
    /// Every language, by the word settings and files use.
    pub const WORDS: [(&'static str, Self); 3] = [("opath", Self::Opath), ("ldap", Self::Ldap), ("entra", Self::Entra)];

    /// The word of settings and files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Opath => "opath",
            Self::Ldap => "ldap",
            Self::Entra => "entra",
        }
    }
}

/// How texts are compared in filters. Envelope addresses never fold this way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ComparisonProfile {
    /// On-premises Active Directory: case, accents, kana type and width do not matter.
    ActiveDirectory,
    /// Exchange Online and Entra: case does not matter.
    #[default]
    Cloud,
}
