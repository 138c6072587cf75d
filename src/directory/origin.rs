//! On what the answer for an attribute depends where the attribute itself is not stored; see `answer.rs`, which gives
//! the answers. A test asks every attribute of random objects both ways.

use super::attribute::Attribute;

/// On what an answer depends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// On names, addresses or the id: each object is asked.
    Object,
    /// On kind and state alone, unless the object has one of these attributes or, if so stated, settings of its own.
    Class {
        others: &'static [Attribute],
        settings: bool,
    },
}

/// On what the answer for an attribute depends.
pub(super) fn origin(attribute: Attribute) -> Origin {
    use Attribute as A;
    let others = |others| Origin::Class {
        others,
        settings: false,
    };
    match attribute {
        A::Name
        | A::RawName
        | A::CommonName
        | A::DisplayName
        | A::Alias
        | A::DistinguishedName
        | A::Id
        | A::LegacyExchangeDN
        | A::PrimarySmtpAddress
        | A::EmailAddresses
        | A::WindowsEmailAddress
        | A::ExternalEmailAddress
        | A::RawExternalEmailAddress
        | A::ObjectId
        | A::SipProxyAddress => Origin::Object,
        A::C => others(&[A::Co, A::CountryOrRegion, A::CountryCode]),
        A::Co => others(&[A::C, A::CountryOrRegion, A::CountryCode]),
        A::CountryCode => others(&[A::C, A::Co, A::CountryOrRegion]),
        A::CountryOrRegion => others(&[A::C, A::Co, A::CountryCode]),
        A::WhenCreated => others(&[A::WhenCreatedUTC]),
        A::WhenCreatedUTC => others(&[A::WhenCreated]),
        A::WhenChanged => others(&[A::WhenChangedUTC]),
        A::WhenChangedUTC => others(&[A::WhenChanged]),
        A::AccountEnabled => others(&[A::UserAccountControl]),
        A::ObjectSid => others(&[A::OnPremisesSecurityIdentifier]),
        A::OnPremisesSecurityIdentifier => others(&[A::ObjectSid]),
        A::ServerLegacyDN => others(&[A::ServerName]),
        A::ProvisioningFlags => others(&[A::IsHierarchyReady]),
        A::IsHierarchyReady => others(&[A::ProvisioningFlags]),
        A::AcceptMessagesOnlyFrom
        | A::AcceptMessagesOnlyFromDLMembers
        | A::RejectMessagesFrom
        | A::RejectMessagesFromDLMembers
        | A::RequireAllSendersAreAuthenticated
        | A::MaxReceiveSize
        | A::ForwardingAddress
        | A::ForwardingSmtpAddress
        | A::DeliverToMailboxAndForward
        | A::ModerationEnabled
        | A::ModeratedBy
        | A::ManagedBy
        | A::Members
        | A::ReportToManagerEnabled
        | A::ReportToOriginatorEnabled
        | A::SendOofMessageToOriginatorEnabled
        | A::HiddenGroupMembershipEnabled
        | A::RecipientFilter
        | A::RecipientContainer => Origin::Class {
            others: &[],
            settings: true,
        },
        _ => others(&[]),
    }
}
