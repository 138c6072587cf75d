//! What led to a verdict, in typed facts: the same that delivery acted on.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::mail::Reply;
use crate::resolver::How;
use crate::rolls::Freshness;
use crate::track::Reason;

/// How a sender came to be in a list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Listed {
    /// Himself.
    Directly,
    /// As a member of a listed group, or of a group nested in one.
    Through {
        /// The groups from the listed one to the one he is a direct entry of.
        groups: Vec<String>,
    },
}

/// Why a moderated recipient did not hold the message.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bypass {
    /// The sender is one of the moderators.
    Moderator,
    /// The sender owns the group.
    Owner,
    /// The sender is in the bypass list.
    List(Listed),
    /// A group above was approved and covers the groups nested in it.
    ApprovedAbove,
    /// This very hold was approved.
    Approved,
}

/// One thing that was found on the way to a verdict.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "fact")]
pub enum Fact {
    /// The address led to this object.
    Resolved {
        /// Primary address, or the outside address itself.
        to: String,
        /// How.
        how: Option<How>,
    },
    /// What the sender is taken for.
    Sender {
        /// In words, with the proof.
        standing: String,
        /// Primary address of his object, if he has one.
        object: Option<String>,
    },
    /// System messages are exempt from restrictions.
    SystemExempt,
    /// Mail to postmaster always passes.
    PostmasterExempt,
    /// `nested_restrictions = top_only`: authentication and lists of a nested object were not asked.
    NestedNotAsked,
    /// Within MaxReceiveSize.
    SizeWithin {
        /// The limit in octets.
        limit_bytes: u64,
    },
    /// Larger than MaxReceiveSize.
    SizeOver {
        /// The limit in octets.
        limit_bytes: u64,
    },
    /// The size is not known yet: it is judged at the end of data.
    SizeUnknown {
        /// The limit in octets.
        limit_bytes: u64,
    },
    /// RequireSenderAuthenticationEnabled, and the sender is proven internal.
    AuthenticationProven,
    /// RequireSenderAuthenticationEnabled, and he is not.
    AuthenticationMissing {
        /// The recipient's source does not say, and the organisation's default holds.
        by_default: bool,
    },
    /// In the reject list.
    Rejected {
        /// How.
        listed: Listed,
    },
    /// In the accept list.
    Accepted {
        /// How.
        listed: Listed,
    },
    /// The accept list is not empty and he is not in it.
    NotAccepted,
    /// Only members may write to the group, and he is none.
    NotMember,
    /// `BccBlocked`: the group takes no mail in Bcc.
    BccBlocked,
    /// Large, neither restricted nor moderated, and guarded (`policy.large_group`).
    LargeAndOpen {
        /// Members, nested groups included, at least.
        members: u64,
    },
    /// Large (`policy.large_group = "confirm"`): the sender is asked.
    ToBeConfirmed {
        /// Members, nested groups included, at least.
        members: u64,
    },
    /// Claims one of our addresses without proof (`policy.spoofed = "quarantine"`).
    Quarantined,
    /// A reply to all on a thread that is braked (`[storm]`).
    ThreadBraked {
        /// Id of its first message.
        thread: String,
    },
    /// A listed group has no list that could be asked.
    ListNotReady {
        /// Primary address of that group.
        group: String,
    },
    /// Moderated, and not held.
    ModerationBypassed {
        /// Why.
        by: Bypass,
    },
    /// Moderated, and held.
    Held {
        /// Who may decide.
        moderators: Vec<String>,
    },
    /// The list that serves.
    Roll {
        /// Its version.
        version: u64,
        /// Its age in seconds.
        age_seconds: u64,
        /// Fresh, due or stale.
        freshness: Freshness,
        /// Direct entries that can receive mail.
        entries: u64,
    },
    /// Refused.
    Refused {
        /// What the sender is told.
        reply: Reply,
        /// Why.
        reason: Reason,
    },
    /// Left out by a named rule.
    Dropped {
        /// Why.
        reason: Reason,
    },
    /// Goes on to another recipient.
    ForwardsTo {
        /// Its address.
        address: String,
        /// The mailbox keeps a copy.
        keeps_copy: bool,
    },
    /// Mail for it leaves for its target.
    TargetIs {
        /// The target address.
        address: String,
    },
    /// The group is not cut over: the service before expands it, and gets one copy to its address.
    ExpandedBefore,
    /// Reports about its copies go elsewhere.
    ReportsTo {
        /// Reverse-path of the copies; empty for null.
        reverse_path: String,
    },
}

/// All facts about one object that was met.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Explanation {
    /// Primary address, or the address as given where no object was found.
    pub recipient: String,
    /// Groups above it, outermost first.
    pub path: Vec<String>,
    /// In the order they were found.
    pub facts: Vec<Fact>,
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directly => f.write_str("listed directly"),
            Self::Through { groups } => write!(f, "member of {}", groups.join(" > ")),
        }
    }
}

impl fmt::Display for Bypass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Moderator => f.write_str("the sender is a moderator"),
            Self::Owner => f.write_str("the sender owns the group"),
            Self::List(listed) => write!(f, "the sender is in the bypass list ({listed})"),
            Self::ApprovedAbove => f.write_str("the approval of the group above covers it"),
            Self::Approved => f.write_str("approved by a moderator"),
        }
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolved { to, how } => match how {
                None | Some(How::Address) => write!(f, "resolves to {to}"),
                Some(How::LegacyDn) => write!(f, "resolves to {to} by its legacyExchangeDN or X500 address"),
                Some(How::PlusAddress) => write!(f, "resolves to {to} without the part after the plus sign"),
                Some(How::Postmaster) => write!(f, "resolves to {to}, where mail for postmaster goes"),
            },
            Self::Sender { standing, object } => match object {
                Some(object) => write!(f, "sender is {object} ({standing})"),
                None => write!(f, "sender is {standing}"),
            },
            Self::SystemExempt => f.write_str("system messages pass"),
            Self::PostmasterExempt => f.write_str("mail to postmaster passes"),
            Self::NestedNotAsked => f.write_str("rules of nested recipients are not asked (nested_restrictions)"),
            Self::SizeWithin { limit_bytes } => write!(f, "within its size limit of {limit_bytes} octets"),
            Self::SizeOver { limit_bytes } => write!(f, "larger than its limit of {limit_bytes} octets"),
            Self::SizeUnknown { limit_bytes } => write!(f, "its size limit of {limit_bytes} octets is checked later"),
            Self::AuthenticationProven => f.write_str("only internal senders, and the sender is proven internal"),
            Self::AuthenticationMissing { by_default: false } => {
                f.write_str("only internal senders, and the sender is not proven internal")
            }
            Self::AuthenticationMissing { by_default: true } => {
                f.write_str("only internal senders by default, and the sender is not proven internal")
            }
            Self::Rejected { listed } => write!(f, "the sender is in the reject list: {listed}"),
            Self::Accepted { listed } => write!(f, "the sender is in the accept list: {listed}"),
            Self::NotAccepted => f.write_str("the sender is not in the accept list"),
            Self::NotMember => f.write_str("only members may write, and the sender is none"),
            Self::BccBlocked => f.write_str("takes no mail in Bcc: To or Cc must name the addressed group"),
            Self::LargeAndOpen { members } => {
                write!(
                    f,
                    "{members} members or more, and neither restricted nor moderated (large_group)"
                )
            }
            Self::ToBeConfirmed { members } => {
                write!(
                    f,
                    "large group of {members} members or more: the sender is asked to confirm"
                )
            }
            Self::Quarantined => {
                f.write_str("the sender claims one of our addresses and nothing proves it: quarantine")
            }
            Self::ThreadBraked { thread } => write!(f, "replies to all on thread {thread} are braked (storm)"),
            Self::ListNotReady { group } => write!(f, "the members of {group} are not available"),
            Self::ModerationBypassed { by } => write!(f, "moderated, not held: {by}"),
            Self::Held { moderators } => write!(f, "held for {}", moderators.join(", ")),
            Self::Roll {
                version,
                age_seconds,
                freshness,
                entries,
            } => write!(
                f,
                "list v{version}, {entries} entries, {age_seconds} s old ({freshness:?})"
            ),
            Self::Refused { reply, reason } => write!(f, "refused {reply} ({reason})"),
            Self::Dropped { reason } => write!(f, "left out: {}", reason.text()),
            Self::ForwardsTo { address, keeps_copy } => {
                let copy = if *keeps_copy { ", keeping a copy" } else { "" };
                write!(f, "forwards to {address}{copy}")
            }
            Self::TargetIs { address } => write!(f, "delivered to its target {address}"),
            Self::ExpandedBefore => f.write_str("not cut over: relayed whole to the service that still expands it"),
            Self::ReportsTo { reverse_path } => write!(f, "reports go to <{reverse_path}>"),
        }
    }
}
