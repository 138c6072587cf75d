//! The recipient object as connectors hand it over: who it is, how it is addressed, what may reach it.
//!
//! In: one object of a source, mapped by a connector. Out: one answer per attribute, one final address.
//! Never: resolves a reference, asks another object.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::delivery::DeliverySettings;
use super::dn::DistinguishedName;
use super::filter::tail::is_system_name;
use super::group::GroupSettings;
use super::intern::Interner;
use super::kind::{RecipientKind, RecipientType};
use super::value::Attributes;
use crate::mail::address::Mailbox;

/// Stable id of an object in its source, as text: an object GUID, an Entra object id, a key of a file.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ObjectId(Arc<str>);

/// Name of the connector that owns an object, its source of authority.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceId(Arc<str>);

macro_rules! text_id {
    ($name:ident) => {
        impl $name {
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, out)
            }
        }
    };
}

text_id!(ObjectId);
text_id!(SourceId);

/// Where the object's mailbox or target is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Location {
    Cloud,
    #[default]
    OnPremises,
    External,
}

/// Whether the account works.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectState {
    #[default]
    Enabled,
    /// Mail is delivered all the same, as Exchange does.
    Disabled,
    /// Soft-deleted in the source; here it is a tombstone and receives nothing.
    Deleted,
}

/// An address beside the primary one, an entry of `EmailAddresses`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProxyAddress {
    /// `smtp:lena@contoso.example`.
    Smtp(Mailbox),
    /// `X500:/o=…/cn=…`, an old legacyExchangeDN.
    X500(Box<str>),
    /// Any other type (`sip`, `SPO`, `X400`, `EUM`), whole; filters see it, mail does not.
    Other(Box<str>),
}

/// Why a text is no proxy address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an address of the form type:value ({reason})")]
pub struct ProxyFault {
    pub text: String,
    pub reason: &'static str,
}

impl ProxyAddress {
    /// Reads `type:value`; no type means smtp (Set-DistributionGroup).
    ///
    /// Whether an smtp entry is the primary one is in the case of its type: see [`ProxyAddress::is_primary`].
    pub fn parse(text: &str) -> Result<Self, ProxyFault> {
        let text = text.trim();
        let fault = |reason| ProxyFault {
            text: text.chars().take(120).collect(),
            reason,
        };
        match text.split_once(':') {
            Some((kind, value)) if kind.eq_ignore_ascii_case("smtp") => Mailbox::parse(value)
                .map(Self::Smtp)
                .map_err(|_| fault("not a mailbox")),
            Some((kind, value)) if kind.eq_ignore_ascii_case("x500") => {
                if value.is_empty() {
                    Err(fault("empty"))
                } else {
                    Ok(Self::X500(value.into()))
                }
            }
            Some((kind, value)) if !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                if value.is_empty() {
                    Err(fault("empty"))
                } else {
                    Ok(Self::Other(text.into()))
                }
            }
            Some(_) | None => Mailbox::parse(text).map(Self::Smtp).map_err(|_| fault("not a mailbox")),
        }
    }

    /// True if the text marks the primary address: exactly one entry begins with `SMTP:` in capitals.
    pub fn is_primary(text: &str) -> bool {
        text.trim_start().starts_with("SMTP:")
    }

    /// The mailbox, if it is an smtp address.
    pub fn mailbox(&self) -> Option<&Mailbox> {
        match self {
            Self::Smtp(mailbox) => Some(mailbox),
            Self::X500(_) | Self::Other(_) => None,
        }
    }
}

impl fmt::Display for ProxyAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Smtp(mailbox) => write!(out, "smtp:{mailbox}"),
            Self::X500(value) => write!(out, "X500:{value}"),
            Self::Other(text) => out.write_str(text),
        }
    }
}

impl Serialize for ProxyAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ProxyAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// One object of the directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipientObject {
    pub id: ObjectId,
    pub kind: RecipientKind,
    pub source: SourceId,
    /// `PrimarySmtpAddress`; every other address is rewritten to it in the envelope.
    pub primary: Mailbox,
    /// The other entries of `EmailAddresses`, the primary one left out.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub proxies: Box<[ProxyAddress]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legacy_dn: Option<Box<str>>,
    /// `Alias` = mailNickname; an object without one is no candidate of a dynamic group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distinguished_name: Option<Box<str>>,
    /// The organizational unit, as a DN or a canonical path; derived from the DN where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<Arc<str>>,
    #[serde(default)]
    pub location: Location,
    /// `ExternalEmailAddress` = targetAddress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_address: Option<Mailbox>,
    #[serde(default)]
    pub state: ObjectState,
    #[serde(default, skip_serializing_if = "Attributes::is_empty")]
    pub attributes: Attributes,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Box<DeliverySettings>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Box<GroupSettings>>,
}

impl RecipientObject {
    /// An object with nothing but what every object has; the rest is filled field by field.
    pub fn new(id: ObjectId, kind: RecipientKind, source: SourceId, primary: Mailbox) -> Self {
        Self {
            id,
            kind,
            source,
            primary,
            proxies: Box::default(),
            legacy_dn: None,
            alias: None,
            display_name: None,
            distinguished_name: None,
            container: None,
            location: Location::default(),
            target_address: None,
            state: ObjectState::default(),
            attributes: Attributes::default(),
            delivery: None,
            group: None,
        }
    }

    /// All addresses that accept mail: the primary one first.
    pub fn mailboxes(&self) -> impl Iterator<Item = &Mailbox> {
        std::iter::once(&self.primary).chain(self.proxies.iter().filter_map(ProxyAddress::mailbox))
    }

    /// The address mail leaves for.
    ///
    /// Contacts and mail users are delivered to their target, never to a proxy address; so are objects
    /// whose mailbox is elsewhere. An on-premises mailbox is delivered to its primary address.
    pub fn final_address(&self) -> &Mailbox {
        self.target_address
            .as_ref()
            .filter(|_| follows_target(self.kind, self.location))
            .unwrap_or(&self.primary)
    }

    /// True if mail may be sent to it today.
    pub fn is_live(&self) -> bool {
        match self.state {
            ObjectState::Enabled | ObjectState::Disabled => true,
            ObjectState::Deleted => false,
        }
    }

    /// True if its account is switched off although accounts of its kind usually work.
    pub fn is_disabled_account(&self) -> bool {
        self.state == ObjectState::Disabled && !self.kind.account_is_disabled_by_design()
    }

    /// True if a copy to it needs no judgement of its own: an individual, no restriction, no forwarding.
    ///
    /// A disabled account is judged by itself, because a setting decides about it.
    pub fn needs_no_judgement(&self) -> bool {
        self.is_live()
            && !self.kind.is_group()
            && !self.is_disabled_account()
            && self
                .delivery
                .as_ref()
                .is_none_or(|delivery| !delivery.has_own_rule() && !delivery.forwards())
    }

    /// True if it has no settings of its own and is no group: nearly everybody.
    pub fn is_plain_person(&self) -> bool {
        !self.kind.is_group() && self.delivery.is_none() && self.group.is_none()
    }

    /// True if a dynamic group may contain it at all: it is live, has an alias and is none of Exchange's own
    /// mailboxes, by kind or name.
    pub fn is_candidate(&self) -> bool {
        self.is_live()
            && self.alias.as_deref().is_some_and(|alias| !alias.is_empty())
            && !self.kind.is_system()
            && !is_system_name(self.name())
    }

    /// `Name` (cn): stored, else the first part of the DN, else the display name or alias.
    pub fn name(&self) -> &str {
        use super::attribute::Attribute;
        use super::value::Value;
        if let Some(Value::Text(name)) = self.attributes.get(Attribute::Name) {
            return name;
        }
        self.distinguished_name
            .as_deref()
            .and_then(DistinguishedName::leaf_of)
            .or(self.display_name.as_deref())
            .or(self.alias.as_deref())
            .unwrap_or_else(|| self.primary.local_part())
    }

    /// What people call it: the display name, else the name.
    pub fn title(&self) -> &str {
        self.display_name.as_deref().unwrap_or_else(|| self.name())
    }

    /// Shares equal texts with other objects.
    pub fn intern(&mut self, interner: &mut Interner) {
        interner.share(&mut self.source.0);
        if let Some(container) = &mut self.container {
            interner.share(container);
        }
        self.attributes.intern(interner);
    }
}

/// True if mail to an object of this kind and place leaves for its target address.
pub(super) fn follows_target(kind: RecipientKind, location: Location) -> bool {
    match kind.recipient_type() {
        RecipientType::MailUser | RecipientType::MailContact => true,
        RecipientType::UserMailbox
        | RecipientType::MailUniversalDistributionGroup
        | RecipientType::MailUniversalSecurityGroup
        | RecipientType::MailNonUniversalGroup
        | RecipientType::DynamicDistributionGroup
        | RecipientType::PublicFolder => {
            kind.is_microsoft365_group()
                || match location {
                    Location::Cloud | Location::External => true,
                    Location::OnPremises => false,
                }
        }
    }
}
