//! What an object answers when a filter asks for an attribute.
//!
//! In: an object and an attribute. Out: the stored value, or the one that follows from kind, state, addresses
//! and settings. Never: another object is asked; `MemberOfGroup` is answered by the evaluation context.

use std::borrow::Cow;

use super::attribute::Attribute;
use super::delivery::{DeliverySettings, Reference};
use super::filter::country::{self, Country};
use super::group::{GroupSettings, RuleCondition};
use super::kind::{RecipientKind, RecipientType};
use super::names;
use super::recipient::{ObjectState, ProxyAddress, RecipientObject};
use super::value::{Value, ValueRef, ValueType};

/// userAccountControl: the account is switched off.
const ACCOUNT_DISABLED: i64 = 2;

/// msExchProvisioningFlags: the hierarchy of a public folder mailbox is not ready.
const HIERARCHY_NOT_READY: i64 = 524_288;

/// The well-known SID of nobody.
const SID_OF_NOBODY: &str = "S-1-0-0";

/// Stands in a name whose presence is known and whose text is not.
const UNSTATED: &str = "unstated";

impl RecipientObject {
    /// The value of an attribute. A stored value wins over one that can be computed.
    pub fn value(&self, attribute: Attribute) -> ValueRef<'_> {
        if let Some(stored) = self.attributes.get(attribute) {
            return stored.into();
        }
        match self.of_object(attribute) {
            ValueRef::Absent => self.of_settings(attribute),
            answer => answer,
        }
    }

    /// What follows from kind, state, names and addresses.
    fn of_object(&self, attribute: Attribute) -> ValueRef<'_> {
        use Attribute as A;
        match attribute {
            A::RecipientType => ValueRef::Integer(type_number(self.kind.recipient_type())),
            A::RecipientTypeDetails => ValueRef::Integer(names::details_number(self.kind)),
            A::RecipientDisplayType => optional_integer(names::display_type_of(self.kind)),
            A::ObjectClass => texts(object_classes(self.kind)),
            A::ObjectCategory => texts(object_categories(self.kind)),
            A::GroupType => optional_integer(group_type(self.kind)),
            A::UserAccountControl => optional_integer(self.account_control()),
            A::ExchangeUserAccountControl => optional_integer(self.exchange_account_control()),
            A::ResourceType => optional_integer(self.kind.resource_type()),
            A::ResourceMetaData => texts(match self.kind.resource_type() {
                Some(0) => &["ResourceType:Room"],
                Some(_) => &["ResourceType:Equipment"],
                None => &[],
            }),
            A::ResourceSearchProperties => texts(match self.kind.resource_type() {
                Some(0) => &["Room"],
                Some(_) => &["Equipment"],
                None => &[],
            }),
            A::Name | A::RawName | A::CommonName => ValueRef::text(Some(self.name())),
            A::DisplayName => ValueRef::text(self.display_name.as_deref()),
            A::Alias => ValueRef::text(self.alias.as_deref()),
            A::DistinguishedName | A::Id => ValueRef::text(self.distinguished_name.as_deref()),
            A::LegacyExchangeDN => ValueRef::text(self.legacy_dn.as_deref()),
            A::PrimarySmtpAddress => {
                ValueRef::texts(self.mailboxes().map(|each| Cow::Borrowed(each.as_str())).collect())
            }
            A::EmailAddresses => {
                let primary = Cow::Owned(format!("SMTP:{}", self.primary));
                let others = self.proxies.iter().map(|proxy| Cow::Owned(proxy.to_string()));
                ValueRef::Texts(std::iter::once(primary).chain(others).collect())
            }
            A::WindowsEmailAddress => ValueRef::Text(Cow::Borrowed(self.primary.as_str())),
            A::ExternalEmailAddress | A::RawExternalEmailAddress => match &self.target_address {
                Some(target) => ValueRef::Text(Cow::Owned(format!("SMTP:{target}"))),
                None => ValueRef::Absent,
            },
            A::C => self
                .country()
                .map_or(ValueRef::Absent, |found| ValueRef::Text(Cow::Borrowed(found.code))),
            A::Co => self
                .country()
                .map_or(ValueRef::Absent, |found| ValueRef::Text(Cow::Borrowed(found.name))),
            A::CountryCode => optional_integer(self.country().map(|found| i64::from(found.number))),
            A::CountryOrRegion => match (self.attributes.get(A::Co), self.attributes.get(A::C)) {
                (Some(stored), _) | (None, Some(stored)) => stored.into(),
                (None, None) => self
                    .country()
                    .map_or(ValueRef::Absent, |found| ValueRef::Text(Cow::Borrowed(found.name))),
            },
            // One pair of facts, two names: the UTC form is what is stored.
            A::WhenCreatedUTC => self.attributes.get(A::WhenCreated).map_or(ValueRef::Absent, Into::into),
            A::WhenChangedUTC => self.attributes.get(A::WhenChanged).map_or(ValueRef::Absent, Into::into),
            A::WhenCreated => self
                .attributes
                .get(A::WhenCreatedUTC)
                .map_or(ValueRef::Absent, Into::into),
            A::WhenChanged => self
                .attributes
                .get(A::WhenChangedUTC)
                .map_or(ValueRef::Absent, Into::into),
            other => self.of_account(other),
        }
    }

    /// What follows for the names Exchange does not document.
    fn of_account(&self, attribute: Attribute) -> ValueRef<'_> {
        use Attribute as A;
        match attribute {
            A::ObjectId => {
                let stored = self.attributes.get(A::ExternalDirectoryObjectId);
                stored.map_or_else(|| ValueRef::text(Some(self.id.as_str())), Into::into)
            }
            A::AccountEnabled => match self.value(A::UserAccountControl) {
                ValueRef::Integer(flags) => ValueRef::Boolean(flags & ACCOUNT_DISABLED == 0),
                _ => ValueRef::Absent,
            },
            A::UserType => match self.kind {
                RecipientKind::GuestMailUser => ValueRef::text(Some("Guest")),
                _ if self.is_user() => ValueRef::text(Some("Member")),
                _ => ValueRef::Absent,
            },
            A::SipProxyAddress => ValueRef::text(self.proxies.iter().find_map(|proxy| {
                match proxy {
                    ProxyAddress::Other(text) => text
                        .split_once(':')
                        .and_then(|(kind, address)| kind.eq_ignore_ascii_case("sip").then_some(address)),
                    ProxyAddress::Smtp(_) | ProxyAddress::X500(_) => None,
                }
            })),
            A::OnPremisesSecurityIdentifier => self.attributes.get(A::ObjectSid).map_or(ValueRef::Absent, Into::into),
            // Every account and group of a domain has a SID; where the source does not state it, the one that
            // belongs to nobody stands for it, so that presence reads true and equality false.
            A::ObjectSid => match self.attributes.get(A::OnPremisesSecurityIdentifier) {
                Some(stored) => stored.into(),
                None => ValueRef::text(self.account_type().map(|_| SID_OF_NOBODY)),
            },
            A::SamAccountType => optional_integer(self.account_type()),
            // A mailbox here has a server and a database, one elsewhere has none: filters ask for no more than
            // that where the source does not say which.
            A::ServerLegacyDN if self.is_local_mailbox() => {
                let server = match self.attributes.get(A::ServerName) {
                    Some(Value::Text(name)) => name,
                    Some(_) | None => UNSTATED,
                };
                ValueRef::Text(Cow::Owned(format!("/cn=Configuration/cn=Servers/cn={server}")))
            }
            A::Database if self.is_local_mailbox() => ValueRef::Text(Cow::Owned(format!("CN={UNSTATED}"))),
            A::ProvisioningFlags => match self.attributes.get(A::IsHierarchyReady) {
                Some(Value::Boolean(false)) => ValueRef::Integer(HIERARCHY_NOT_READY),
                Some(_) | None => ValueRef::Absent,
            },
            A::IsHierarchyReady => match self.attributes.get(A::ProvisioningFlags) {
                Some(Value::Integer(flags)) => ValueRef::Boolean(flags & HIERARCHY_NOT_READY == 0),
                Some(_) | None => ValueRef::Boolean(true),
            },
            _ => ValueRef::Absent,
        }
    }

    /// What follows from the settings of delivery and of the group. Booleans that the source did not state
    /// read false, as a missing attribute does in Active Directory.
    fn of_settings(&self, attribute: Attribute) -> ValueRef<'_> {
        use Attribute as A;
        let delivery = |read: fn(&DeliverySettings) -> bool| self.delivery.as_deref().is_some_and(read);
        let group = |read: fn(&GroupSettings) -> bool| self.group.as_deref().is_some_and(read);
        match attribute {
            A::AcceptMessagesOnlyFrom | A::AcceptMessagesOnlyFromDLMembers => {
                references(self.delivery.as_deref().map(|delivery| delivery.accept_from.as_slice()))
            }
            A::RejectMessagesFrom | A::RejectMessagesFromDLMembers => {
                references(self.delivery.as_deref().map(|delivery| delivery.reject_from.as_slice()))
            }
            A::RequireAllSendersAreAuthenticated => {
                ValueRef::Boolean(delivery(|each| each.require_sender_authentication == Some(true)))
            }
            A::MaxReceiveSize => self
                .delivery
                .as_deref()
                .and_then(|delivery| delivery.max_receive_size)
                .map_or(ValueRef::Absent, ValueRef::Size),
            A::ForwardingAddress => references(
                self.delivery
                    .as_deref()
                    .map(|delivery| delivery.forwarding_address.as_slice()),
            ),
            A::ForwardingSmtpAddress => {
                match self
                    .delivery
                    .as_deref()
                    .and_then(|delivery| delivery.forwarding_smtp_address.as_ref())
                {
                    Some(mailbox) => ValueRef::Text(Cow::Owned(format!("smtp:{mailbox}"))),
                    None => ValueRef::Absent,
                }
            }
            A::DeliverToMailboxAndForward => ValueRef::Boolean(delivery(|each| each.deliver_and_forward == Some(true))),
            A::ModerationEnabled => ValueRef::Boolean(delivery(|each| {
                each.moderation.as_ref().is_some_and(|moderation| moderation.enabled)
            })),
            A::ModeratedBy => references(
                self.delivery
                    .as_deref()
                    .and_then(|delivery| delivery.moderation.as_deref())
                    .map(|moderation| moderation.moderators.as_slice()),
            ),
            A::ManagedBy => references(self.group.as_deref().map(|group| group.managed_by.as_slice())),
            A::Members => references(self.group.as_deref().map(|group| group.members.as_slice())),
            A::ReportToManagerEnabled => ValueRef::Boolean(group(|each| each.report_to_owner)),
            A::ReportToOriginatorEnabled => ValueRef::Boolean(group(|each| each.report_to_originator)),
            A::SendOofMessageToOriginatorEnabled => ValueRef::Boolean(group(|each| each.send_oof)),
            A::HiddenGroupMembershipEnabled => ValueRef::Boolean(group(|each| each.hidden_membership)),
            A::RecipientFilter => match self.rule().map(|rule| &rule.condition) {
                Some(RuleCondition::Custom { text, .. }) => ValueRef::text(Some(text)),
                Some(RuleCondition::Precanned(precanned)) => ValueRef::Text(Cow::Owned(precanned.text())),
                None => ValueRef::Absent,
            },
            A::RecipientContainer => ValueRef::text(self.rule().and_then(|rule| rule.recipient_container.as_deref())),
            // Remaining booleans of the object read false where nothing is stored.
            _ if attribute.value_type() == ValueType::Boolean && attribute != A::AccountEnabled => {
                ValueRef::Boolean(false)
            }
            _ => ValueRef::Absent,
        }
    }

    fn is_user(&self) -> bool {
        matches!(
            self.kind.recipient_type(),
            RecipientType::UserMailbox | RecipientType::MailUser
        )
    }

    fn is_local_mailbox(&self) -> bool {
        self.kind.recipient_type() == RecipientType::UserMailbox
    }

    /// sAMAccountType; contacts, dynamic groups and public folders have no account.
    fn account_type(&self) -> Option<i64> {
        match self.kind.recipient_type() {
            RecipientType::UserMailbox | RecipientType::MailUser => Some(0x3000_0000),
            RecipientType::MailUniversalSecurityGroup => Some(0x1000_0000),
            RecipientType::MailUniversalDistributionGroup | RecipientType::MailNonUniversalGroup => Some(0x1000_0001),
            RecipientType::MailContact | RecipientType::DynamicDistributionGroup | RecipientType::PublicFolder => None,
        }
    }

    fn rule(&self) -> Option<&super::group::DynamicRule> {
        self.group.as_deref().and_then(|group| group.rule.as_deref())
    }

    /// The country behind whichever of C, Co, CountryOrRegion and CountryCode the source stated.
    pub fn country(&self) -> Option<&'static Country> {
        let by_text = [Attribute::C, Attribute::Co, Attribute::CountryOrRegion]
            .into_iter()
            .find_map(|attribute| match self.attributes.get(attribute) {
                Some(Value::Text(text)) => country::by_text(text),
                Some(_) | None => None,
            });
        by_text.or_else(|| match self.attributes.get(Attribute::CountryCode) {
            Some(Value::Integer(number)) => country::by_number(*number),
            Some(_) | None => None,
        })
    }

    /// userAccountControl: a normal account is 512, a disabled one 514. Contacts and groups have none.
    fn account_control(&self) -> Option<i64> {
        match self.kind.recipient_type() {
            RecipientType::UserMailbox | RecipientType::MailUser => Some(if self.account_is_off() { 514 } else { 512 }),
            RecipientType::MailContact
            | RecipientType::MailUniversalDistributionGroup
            | RecipientType::MailUniversalSecurityGroup
            | RecipientType::MailNonUniversalGroup
            | RecipientType::DynamicDistributionGroup
            | RecipientType::PublicFolder => None,
        }
    }

    /// msExchUserAccountControl: 2 where the account is disabled, else 0; mailboxes only.
    fn exchange_account_control(&self) -> Option<i64> {
        let is_mailbox = self.kind.recipient_type() == RecipientType::UserMailbox;
        is_mailbox.then_some(if self.account_is_off() { 2 } else { 0 })
    }

    fn account_is_off(&self) -> bool {
        self.kind.account_is_disabled_by_design()
            || match self.state {
                ObjectState::Enabled => false,
                ObjectState::Disabled | ObjectState::Deleted => true,
            }
    }
}

fn type_number(kind: RecipientType) -> i64 {
    names::number_of(names::RECIPIENT_TYPE, kind.name()).unwrap_or(0)
}

fn optional_integer<'a>(number: Option<i64>) -> ValueRef<'a> {
    number.map_or(ValueRef::Absent, ValueRef::Integer)
}

fn texts<'a>(list: &'static [&'static str]) -> ValueRef<'a> {
    ValueRef::texts(list.iter().map(|text| Cow::Borrowed(*text)).collect())
}

fn references(list: Option<&[Reference]>) -> ValueRef<'_> {
    ValueRef::texts(
        list.unwrap_or(&[])
            .iter()
            .map(|reference| Cow::Borrowed(reference.as_str()))
            .collect(),
    )
}

/// objectClass with its superclasses, as the directory stores it.
fn object_classes(kind: RecipientKind) -> &'static [&'static str] {
    match kind.recipient_type() {
        RecipientType::UserMailbox | RecipientType::MailUser => &["top", "person", "organizationalPerson", "user"],
        RecipientType::MailContact => &["top", "person", "organizationalPerson", "contact"],
        RecipientType::MailUniversalDistributionGroup
        | RecipientType::MailUniversalSecurityGroup
        | RecipientType::MailNonUniversalGroup => &["top", "group"],
        RecipientType::DynamicDistributionGroup => &["top", "msExchDynamicDistributionList"],
        RecipientType::PublicFolder => &["top", "publicFolder"],
    }
}

/// objectCategory, with the class names a directory takes for it: users and contacts are both `person`.
fn object_categories(kind: RecipientKind) -> &'static [&'static str] {
    match kind.recipient_type() {
        RecipientType::UserMailbox | RecipientType::MailUser | RecipientType::MailContact => {
            &["person", "user", "contact", "organizationalPerson"]
        }
        RecipientType::MailUniversalDistributionGroup
        | RecipientType::MailUniversalSecurityGroup
        | RecipientType::MailNonUniversalGroup => &["group"],
        RecipientType::DynamicDistributionGroup => {
            &["ms-Exch-Dynamic-Distribution-List", "msExchDynamicDistributionList"]
        }
        RecipientType::PublicFolder => &["ms-Exch-Public-Folder", "publicFolder"],
    }
}

/// groupType: universal 8, security −2147483648. A non-universal group is global or domain-local; unknown.
fn group_type(kind: RecipientKind) -> Option<i64> {
    match kind.recipient_type() {
        RecipientType::MailUniversalDistributionGroup => Some(8),
        RecipientType::MailUniversalSecurityGroup => Some(-2_147_483_640),
        RecipientType::UserMailbox
        | RecipientType::MailUser
        | RecipientType::MailContact
        | RecipientType::MailNonUniversalGroup
        | RecipientType::DynamicDistributionGroup
        | RecipientType::PublicFolder => None,
    }
}
