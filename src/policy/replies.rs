//! Every reply that policy, resolution and expansion give, with Exchange's codes (`exchange-semantics.md` §3.6).
//!
//! Public texts: they say what the sender can do, and name no member, rule or list.

use crate::directory::RecipientKind;
use crate::directory::kind::RecipientType;
use crate::mail::Reply;
use crate::track::Reason;

/// What a recipient is, as far as replies differ.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Group,
    Mailbox,
    PublicFolder,
    MailUser,
}

fn class(kind: Option<RecipientKind>) -> Class {
    let Some(kind) = kind else { return Class::Mailbox };
    match kind.recipient_type() {
        RecipientType::MailUniversalDistributionGroup
        | RecipientType::MailUniversalSecurityGroup
        | RecipientType::MailNonUniversalGroup
        | RecipientType::DynamicDistributionGroup => Class::Group,
        RecipientType::UserMailbox => Class::Mailbox,
        RecipientType::MailUser | RecipientType::MailContact => Class::MailUser,
        RecipientType::PublicFolder => Class::PublicFolder,
    }
}

/// The reply for a reason; `kind` is that of the recipient, where the code depends on it.
///
/// A reason that ends no dialogue (a drop, a route) gets the generic refusal of its class, so that a caller's
/// slip is a refusal and never an acceptance.
#[must_use]
pub fn of(reason: Reason, kind: Option<RecipientKind>) -> Reply {
    match reason {
        Reason::RecipientUnknown | Reason::GroupVanished => {
            Reply::new(550, (5, 1, 10), "Recipient not found by SMTP address lookup")
        }
        Reason::RecipientAmbiguous => Reply::new(550, (5, 1, 4), "Recipient address is ambiguous"),
        Reason::RecipientInvalid => Reply::new(550, (5, 2, 0), "Recipient has no usable address"),
        Reason::RelayDenied => Reply::new(550, (5, 7, 54), "Unable to relay recipient in non-accepted domain"),
        Reason::RoutesAgain => Reply::new(550, (5, 1, 3), "Address form is not accepted"),
        Reason::DirectoryNotReady => Reply::new(451, (4, 3, 0), "Recipients cannot be checked yet; try again later"),
        Reason::SenderNotAuthenticated => authentication(kind),
        Reason::SenderRejected | Reason::SenderNotAccepted => not_authorized(kind),
        Reason::SenderSpoofed => Reply::new(
            550,
            (5, 7, 1),
            "This server accepts mail from senders of this domain only if they are authenticated",
        ),
        Reason::ProofUnavailable => Reply::new(451, (4, 7, 1), "The sender cannot be verified yet; try again later"),
        Reason::DecidedByMessage => Reply::new(452, (4, 5, 3), "This recipient needs a transaction of its own"),
        Reason::TooLargeForRecipient => Reply::new(550, (5, 2, 3), "Message too large for this recipient"),
        Reason::ListNotReady => Reply::new(451, (4, 7, 1), "Permission cannot be checked yet; try again later"),
        Reason::NoModerator => Reply::new(550, (5, 7, 1), "Delivery needs an approval that nobody can give"),
        Reason::ModerationRejected => Reply::new(550, (5, 7, 1), "A moderator did not approve the message"),
        Reason::ModerationExpired => Reply::new(550, (5, 7, 1), "No moderator approved the message in time"),
        Reason::GroupEmpty => Reply::new(550, (5, 2, 4), "The group has no members"),
        Reason::RollMissing | Reason::RollStaleDefer => Reply::new(
            451,
            (4, 2, 4),
            "The list of members is not available yet; try again later",
        ),
        Reason::RollStaleRefuse => Reply::new(550, (5, 2, 4), "The list of members is out of date"),
        Reason::TooDeep => Reply::new(550, (5, 2, 4), "The group is nested too deeply"),
        Reason::TooManyRecipients => Reply::new(550, (5, 5, 3), "Too many recipients"),
        Reason::ForwardingLoop | Reason::GroupLoop | Reason::HopLimit => {
            Reply::new(554, (5, 4, 6), "Mail loop detected")
        }
        Reason::NoRoute => Reply::new(550, (5, 4, 4), "No route to the recipient"),
        Reason::DomainTakesNoMail => Reply::new(556, (5, 1, 10), "Recipient domain takes no mail"),
        Reason::DnsFailed => Reply::new(451, (4, 4, 3), "The recipient's domain cannot be looked up now"),
        Reason::Moderated
        | Reason::AlreadyExpanded
        | Reason::Duplicate
        | Reason::MemberDeleted
        | Reason::MemberDisabled
        | Reason::MemberSuspect
        | Reason::MemberUnresolved
        | Reason::ReportToGroup
        | Reason::OwnerMissing
        | Reason::BareLineEnd
        | Reason::TooLargeForSystem
        | Reason::HeaderTooLarge
        | Reason::NextHopRefused
        | Reason::SmtpUtf8Missing
        | Reason::TooLargeForNextHop
        | Reason::Expired
        | Reason::DroppedByOperator => Reply::new(550, (5, 0, 0), "Not delivered"),
        Reason::NextHopDeferred
        | Reason::NextHopUnreachable
        | Reason::DiskLow
        | Reason::QueueFull
        | Reason::StoreSuspect
        | Reason::ShuttingDown
        | Reason::Broken => Reply::new(451, (4, 3, 0), "Try again later"),
    }
}

fn authentication(kind: Option<RecipientKind>) -> Reply {
    let (detail, what) = match class(kind) {
        Class::Group => (133, "group"),
        Class::Mailbox => (134, "mailbox"),
        Class::PublicFolder => (135, "public folder"),
        Class::MailUser => (136, "recipient"),
    };
    let text = format!("Authentication required: only internal senders may write to this {what}");
    Reply::new(550, (5, 7, detail), text)
}

fn not_authorized(kind: Option<RecipientKind>) -> Reply {
    match class(kind) {
        Class::Group => Reply::new(550, (5, 7, 124), "Sender not in the allowed senders of this group"),
        Class::Mailbox | Class::PublicFolder | Class::MailUser => {
            Reply::new(550, (5, 7, 129), "Sender not allowed to write to this recipient")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_help_desks_search_for() {
        use RecipientKind::{
            DynamicDistributionGroup, GroupMailbox, MailContact, MailUser, PublicFolder, RoomMailbox, UserMailbox,
        };
        for (reason, kind, expected) in [
            (
                Reason::SenderNotAuthenticated,
                Some(DynamicDistributionGroup),
                "550 5.7.133",
            ),
            (Reason::SenderNotAuthenticated, Some(GroupMailbox), "550 5.7.133"),
            (Reason::SenderNotAuthenticated, Some(RoomMailbox), "550 5.7.134"),
            (Reason::SenderNotAuthenticated, Some(PublicFolder), "550 5.7.135"),
            (Reason::SenderNotAuthenticated, Some(MailUser), "550 5.7.136"),
            (Reason::SenderNotAccepted, Some(DynamicDistributionGroup), "550 5.7.124"),
            (Reason::SenderRejected, Some(UserMailbox), "550 5.7.129"),
            (Reason::SenderRejected, Some(MailContact), "550 5.7.129"),
            (Reason::TooLargeForRecipient, Some(UserMailbox), "550 5.2.3"),
            (Reason::RecipientUnknown, None, "550 5.1.10"),
            (Reason::RecipientAmbiguous, None, "550 5.1.4"),
            (Reason::GroupEmpty, None, "550 5.2.4"),
            (Reason::RollMissing, None, "451 4.2.4"),
            (Reason::RollStaleRefuse, None, "550 5.2.4"),
            (Reason::ForwardingLoop, None, "554 5.4.6"),
            (Reason::RelayDenied, None, "550 5.7.54"),
            (Reason::ProofUnavailable, None, "451 4.7.1"),
            (Reason::DecidedByMessage, None, "452 4.5.3"),
        ] {
            let reply = of(reason, kind).to_string();
            assert!(reply.starts_with(expected), "{reason}: {reply}");
        }
    }

    #[test]
    fn every_reason_refuses_with_a_status_of_its_class() {
        for &reason in Reason::ALL {
            let reply = of(reason, None);
            let status = reply.status.expect("every refusal has a status");
            assert_eq!(u16::from(status.class), reply.code / 100, "{reason}");
            assert!(matches!(reply.code, 400..=599), "{reason}");
            assert!(reply.text.is_ascii() && !reply.text.contains('\n'), "{reason}");
        }
    }
}
