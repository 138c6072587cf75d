//! Every reply that policy, resolution and expansion give, with Exchange's codes (`exchange-semantics.md` §3.6).
//!
//! [`of`] speaks as Exchange Online does; [`in_dialect`] says the same as Exchange Server. The `RESOLVER` words
//! are what help desks and gateways search for. Public texts: they say what the sender can do, and name no
//! member, rule or list.

use crate::directory::RecipientKind;
use crate::directory::kind::RecipientType;
use crate::mail::Reply;
use crate::policy::rules::ReplyDialect;
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

const LARGE_AND_OPEN: &str = "The group is too large to be open to everybody; ask its owner who may write to it";
/// With X.7.28 of the IANA registry: mail flood.
const BRAKED: &str =
    "Too many replies to all on this thread; the group takes no more of them for now. Reply to the sender only";
const TOO_LARGE: &str = "RESOLVER.RST.RecipSizeLimit; message too large for this recipient";
const NO_MEMBER: &str = "UnifiedGroupAgent; Delivery failed because the sender isn't a group member";

/// The reply for a reason; `kind` is that of the recipient, where the code depends on it.
///
/// A reason that ends no dialogue (a drop, a route) gets the generic refusal of its class, so that a caller's
/// slip is a refusal and never an acceptance.
#[must_use]
pub fn of(reason: Reason, kind: Option<RecipientKind>) -> Reply {
    let refused = |status: (u8, u16, u16), text: &'static str| Reply::new(550, status, text);
    match reason {
        // No difference to an unknown recipient: a guess learns nothing.
        Reason::RecipientUnknown | Reason::UnknownOnBothSides | Reason::ReturnPathUnknown | Reason::GroupVanished => {
            unknown()
        }
        Reason::RecipientAmbiguous => refused((5, 1, 4), "RESOLVER.ADR.Ambiguous; ambiguous address"),
        Reason::RecipientInvalid => refused((5, 2, 0), "RESOLVER.ADR.BadPrimary; recipient has no usable address"),
        Reason::RelayDenied => refused((5, 7, 64), "TenantAttribution; Relay Access Denied"),
        Reason::RoutesAgain => refused((5, 1, 0), "RESOLVER.ADR.InvalidInSmtp; address form is not accepted"),
        Reason::DirectoryNotReady => Reply::new(451, (4, 3, 0), "Recipients cannot be checked yet; try again later"),
        Reason::SenderNotAuthenticated => authentication(kind),
        Reason::SenderRejected | Reason::SenderNotAccepted => not_authorized(kind),
        Reason::SenderNotMember => refused((5, 7, 193), NO_MEMBER),
        Reason::AddressedInBcc => refused((5, 7, 1), "Name the group in To or Cc: it takes no mail in Bcc"),
        Reason::LargeGroupOpen => refused((5, 7, 1), LARGE_AND_OPEN),
        Reason::SenderSpoofed | Reason::AuthorForged => not_proven(),
        Reason::SenderLooksAlike | Reason::AuthorLooksAlike => looks_alike(),
        Reason::AuthorMissing
        | Reason::AuthorFieldTwice
        | Reason::AuthorIsGroup
        | Reason::AuthorEncoded
        | Reason::AuthorMalformed => no_valid_author(),
        Reason::AuthorNotPermitted | Reason::LoginNotPermitted => may_not_send_as(),
        Reason::ProofUnavailable => Reply::new(451, (4, 7, 1), "The sender cannot be verified yet; try again later"),
        Reason::DecidedByMessage => Reply::new(452, (4, 5, 3), "This recipient needs a transaction of its own"),
        Reason::TooLargeForRecipient => refused((5, 2, 3), TOO_LARGE),
        Reason::ListNotReady => Reply::new(451, (4, 7, 1), "Permission cannot be checked yet; try again later"),
        Reason::NoModerator => refused((5, 7, 1), "Delivery needs an approval that nobody can give"),
        Reason::ModerationRejected => refused((5, 7, 1), "A moderator did not approve the message"),
        Reason::ModerationExpired => refused((5, 7, 1), "No moderator approved the message in time"),
        Reason::ThreadBraked => Reply::new(450, (4, 7, 28), BRAKED),
        Reason::GroupEmpty => refused((5, 2, 4), "The group has no members"),
        Reason::RollMissing | Reason::RollStaleDefer => Reply::new(
            451,
            (4, 2, 4),
            "The list of members is not available yet; try again later",
        ),
        Reason::RollStaleRefuse => refused((5, 2, 4), "The list of members is out of date"),
        Reason::TooDeep => refused((5, 2, 4), "The group is nested too deeply"),
        Reason::TooManyRecipients => refused((5, 5, 3), "RESOLVER.ADR.RecipLimit; too many recipients"),
        Reason::ForwardingLoop | Reason::GroupLoop | Reason::NamespaceLoop | Reason::HopLimit => {
            Reply::new(554, (5, 4, 6), "Hop count exceeded - possible mail loop")
        }
        Reason::ContentRejected | Reason::ContentDiscarded => refused((5, 7, 1), "The message was refused by a filter"),
        Reason::ReturnPathMisused => refused((5, 7, 1), "This address takes reports only"),
        Reason::NoRoute => refused((5, 4, 4), "No route to the recipient"),
        Reason::DomainTakesNoMail => Reply::new(556, (5, 1, 10), "Recipient domain takes no mail"),
        Reason::DnsFailed => Reply::new(451, (4, 4, 3), "The recipient's domain cannot be looked up now"),
        Reason::Moderated
        | Reason::AutomaticAnswer
        | Reason::AlreadyExpanded
        | Reason::Duplicate
        | Reason::MemberDeleted
        | Reason::MemberDisabled
        | Reason::MemberSuspect
        | Reason::MemberUnresolved
        | Reason::ReportToGroup
        | Reason::OwnerMissing
        | Reason::ReportedUndeliverable
        | Reason::ReportRead
        | Reason::AutoReplySuppressed
        | Reason::SenderNotEchoed
        | Reason::BareLineEnd
        | Reason::TooLargeForSystem
        | Reason::HeaderTooLarge
        | Reason::SpokeBeforeGreeting
        | Reason::ClientListed
        | Reason::ReverseNameMissing
        | Reason::ReverseNameUnconfirmed
        | Reason::HelloUnqualified
        | Reason::HelloUnresolvable
        | Reason::NextHopRefused
        | Reason::SmtpUtf8Missing
        | Reason::EightBitMimeMissing
        | Reason::RequireTlsMissing
        | Reason::TooLargeForNextHop
        | Reason::Expired
        | Reason::DroppedByOperator
        | Reason::StoppedByOperator => refused((5, 0, 0), "Not delivered"),
        // Several a line: they are one case.
        #[rustfmt::skip]
        Reason::NextHopDeferred | Reason::NextHopUnreachable | Reason::SigningFailed
        | Reason::NextHopSuspended | Reason::ReroutedByOperator | Reason::ContentDeferred
        | Reason::ProxyHeaderMalformed | Reason::TooManySessions | Reason::ConnectionRate
        | Reason::MessageRate | Reason::RecipientRate | Reason::DiskLow | Reason::QueueFull
        | Reason::StoreSuspect | Reason::ShuttingDown | Reason::Broken | Reason::TlsUnavailable
        | Reason::TlsFailed | Reason::TlsUnverified | Reason::MtaStsFailed | Reason::SignInRefused | Reason::SignInUnavailable
        | Reason::TokenUnavailable => Reply::new(451, (4, 3, 0), "Try again later"),
    }
}

/// Begins the reply about an address that stands for a legacyExchangeDN nobody has.
const EX_UNKNOWN: &str = "RESOLVER.ADR.ExRecipNotFound; not found";

/// Nobody has the legacyExchangeDN: what Outlook's cached entries lead to after a recipient was made anew.
#[must_use]
pub fn unknown_ex_address() -> Reply {
    Reply::new(550, (5, 1, 10), EX_UNKNOWN)
}

/// A reply of [`of`] in the words of a dialect. Exchange Server has fewer codes and needs no kind of recipient.
#[must_use]
pub fn in_dialect(reply: Reply, reason: Reason, dialect: ReplyDialect) -> Reply {
    match dialect {
        ReplyDialect::ExchangeOnline => return reply,
        ReplyDialect::Exchange => {}
    }
    let (status, text) = match reason {
        Reason::RecipientUnknown if reply.text == EX_UNKNOWN => ((5, 1, 1), EX_UNKNOWN),
        Reason::RecipientUnknown | Reason::UnknownOnBothSides | Reason::ReturnPathUnknown | Reason::GroupVanished => {
            ((5, 1, 1), "RESOLVER.ADR.RecipNotFound; not found")
        }
        Reason::SenderNotAuthenticated => ((5, 7, 1), "RESOLVER.RST.AuthRequired; authentication required"),
        Reason::SenderRejected | Reason::SenderNotAccepted | Reason::SenderNotMember => {
            ((5, 7, 1), "RESOLVER.RST.NotAuthorized; not authorized")
        }
        Reason::RelayDenied => ((5, 7, 54), "SMTP; Unable to relay recipient in non-accepted domain"),
        // The other codes are the same in both.
        _ => return reply,
    };
    Reply::new(reply.code, status, text)
}

fn unknown() -> Reply {
    let text = "RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup";
    Reply::new(550, (5, 1, 10), text)
}

fn not_proven() -> Reply {
    let text = "This server accepts mail from senders of this domain only if they are authenticated";
    Reply::new(550, (5, 7, 1), text)
}

fn looks_alike() -> Reply {
    let text = "The sender's domain looks like one of this organisation and is another";
    Reply::new(550, (5, 7, 1), text)
}

/// Exchange Online's code for mail without a valid author.
fn no_valid_author() -> Reply {
    let text = "Message must be RFC 5322 section 3.6.2 compliant and have one valid From field";
    Reply::new(550, (5, 7, 512), text)
}

/// Exchange's code.
fn may_not_send_as() -> Reply {
    let text = "SMTP; Client does not have permissions to send as this sender";
    Reply::new(550, (5, 7, 60), text)
}

fn authentication(kind: Option<RecipientKind>) -> Reply {
    let (detail, token, what) = match class(kind) {
        Class::Group => (133, "ForGroup", "group"),
        Class::Mailbox => (134, "ForMailbox", "mailbox"),
        Class::PublicFolder => (135, "ForPublicFolder", "public folder"),
        Class::MailUser => (136, "ForMailUser", "mail user"),
    };
    let text = format!(
        "RESOLVER.RST.SenderNotAuthenticated{token}; Authentication required; Delivery restriction check failed \
         because the sender was not authenticated when sending to this {what}"
    );
    Reply::new(550, (5, 7, detail), text)
}

fn not_authorized(kind: Option<RecipientKind>) -> Reply {
    match class(kind) {
        Class::Group => Reply::new(
            550,
            (5, 7, 124),
            "RESOLVER.RST.RestrictedToGroupPermission; not authorized: the group takes mail of certain senders only",
        ),
        Class::Mailbox | Class::PublicFolder | Class::MailUser => Reply::new(
            550,
            (5, 7, 129),
            "RESOLVER.RST.RestrictedToRecipientsPermission; not authorized: the recipient takes mail of certain \
                 senders only",
        ),
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
            (Reason::RelayDenied, None, "550 5.7.64"),
            (Reason::ProofUnavailable, None, "451 4.7.1"),
            (Reason::AuthorIsGroup, None, "550 5.7.512"),
            (Reason::AuthorNotPermitted, None, "550 5.7.60"),
            (Reason::DecidedByMessage, None, "452 4.5.3"),
            (Reason::ThreadBraked, None, "450 4.7.28"),
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
