//! Exchange parameters that are honoured, and those that are not, with the reason.
//!
//! Names are those of the published cmdlet pages. `tests/tidy.rs` holds code and table together.

use std::collections::BTreeSet;

use super::State::{self, Done, No, Partly};

/// One parameter.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// As Exchange spells it.
    pub name: &'static str,
    /// How far.
    pub state: State,
    /// What we do with it.
    pub note: &'static str,
}

impl Parameter {
    /// True if the name, or its form in settings (`words_like_this`), is among the words.
    #[must_use]
    pub fn is_named_in(&self, words: &BTreeSet<String>) -> bool {
        words.contains(self.name) || words.contains(&self.snake_case())
    }

    /// `RequireSenderAuthenticationEnabled` as `require_sender_authentication_enabled`.
    #[must_use]
    pub fn snake_case(&self) -> String {
        let mut out = String::with_capacity(self.name.len() + 8);
        let mut previous_upper = true;
        for c in self.name.chars() {
            if c.is_ascii_uppercase() && !previous_upper {
                out.push('_');
            }
            previous_upper = c.is_ascii_uppercase();
            out.push(c.to_ascii_lowercase());
        }
        out
    }
}

const fn parameter(name: &'static str, state: State, note: &'static str) -> Parameter {
    Parameter { name, state, note }
}

/// Every parameter the code names.
pub const PARAMETERS: &[Parameter] = &[
    parameter(
        "AcceptMessagesOnlyFrom",
        Done,
        "people who may write; empty with the next means everybody",
    ),
    parameter(
        "AcceptMessagesOnlyFromDLMembers",
        Done,
        "members of these groups may write, nested groups too",
    ),
    parameter(
        "AcceptMessagesOnlyFromSendersOrMembers",
        Done,
        "the union of the two, split by what the name resolves to",
    ),
    parameter("RejectMessagesFrom", Done, "reject beats accept"),
    parameter(
        "RejectMessagesFromDLMembers",
        Done,
        "as RejectMessagesFrom, for members",
    ),
    parameter("RejectMessagesFromSendersOrMembers", Done, "the union of the two"),
    parameter("RequireSenderAuthenticationEnabled", Done, "internal only by proof"),
    parameter("ModerationEnabled", Done, "holds the message"),
    parameter("ModeratedBy", Done, "who may decide"),
    parameter(
        "ManagedBy",
        Done,
        "owners decide where no moderator is named; the first gets reports to the manager",
    ),
    parameter("BypassModerationFromSendersOrMembers", Done, "not held"),
    parameter(
        "BypassNestedModerationEnabled",
        Done,
        "nested groups are not asked again",
    ),
    parameter(
        "SendModerationNotifications",
        Done,
        "who is told that a message was refused or not decided in time",
    ),
    parameter("ReportToOriginatorEnabled", Done, "reverse-path unchanged"),
    parameter("ReportToManagerEnabled", Done, "reverse-path of the owner"),
    parameter(
        "SendOofMessageToOriginatorEnabled",
        Done,
        "off: X-Auto-Response-Suppress on the copies",
    ),
    parameter(
        "HiddenGroupMembershipEnabled",
        Done,
        "reports name the group, never a member",
    ),
    parameter(
        "HiddenFromAddressListsEnabled",
        No,
        "has no effect on transport; filters can use it",
    ),
    parameter(
        "EmailAddressPolicyEnabled",
        No,
        "has no effect on transport; filters can use it",
    ),
    parameter(
        "MaxReceiveSize",
        Done,
        "5.2.3 at RCPT where SIZE says so, else in the pass",
    ),
    parameter("BccBlocked", Done, "of the addressed group and of every group below it"),
    parameter(
        "AllowOnlyMembersToPost",
        Done,
        "5.7.193 to everybody else; an option of the group, not a parameter",
    ),
    parameter(
        "EchoGroupMessageBackToSubscribedSender",
        Done,
        "where a Microsoft 365 group is expanded here",
    ),
    parameter(
        "ExpansionSizeLimit",
        Partly,
        "our copies carry at most 500: what Exchange Online takes",
    ),
    parameter("MessageExpirationTimeout", Done, "two days, as Exchange's default"),
];
