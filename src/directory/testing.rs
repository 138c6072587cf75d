//! Recipient objects and generations for tests, in one line each.
//!
//! In: an address and what matters to the test. Out: an object that is complete in all other respects.
//! Panics on a wrong address: it is the test that is wrong then.

use std::collections::HashMap;

use jiff::Timestamp;

use super::attribute::Attribute;
use super::change::{ChangeSet, Finding, OrdinalSource};
use super::delivery::{DeliverySettings, ModerationSettings, Reference};
use super::filter::precanned::Precanned;
use super::generation::Directory;
use super::group::{DynamicRule, FilterLanguage, GroupSettings, RuleCondition};
use super::index::Ordinal;
use super::kind::RecipientKind;
use super::recipient::{Location, ObjectId, ObjectState, ProxyAddress, RecipientObject, SourceId};
use crate::mail::address::Mailbox;

/// Ordinals in the order of first appearance.
#[derive(Debug, Clone, Default)]
pub struct CountingOrdinals(HashMap<ObjectId, u32>);

impl OrdinalSource for CountingOrdinals {
    fn ordinal(&mut self, id: &ObjectId) -> Ordinal {
        let next = u32::try_from(self.0.len()).expect("tests stay small");
        Ordinal(*self.0.entry(id.clone()).or_insert(next))
    }
}

/// A user mailbox on premises.
pub fn person(address: &str) -> ObjectBuilder {
    ObjectBuilder::new(RecipientKind::UserMailbox, address)
}

/// A contact delivered to an outside address.
pub fn contact(address: &str, target: &str) -> ObjectBuilder {
    ObjectBuilder::new(RecipientKind::MailContact, address)
        .target(target)
        .location(Location::External)
}

/// A static distribution group.
pub fn group(address: &str) -> ObjectBuilder {
    ObjectBuilder::new(RecipientKind::MailUniversalDistributionGroup, address).with_group(|_| {})
}

/// A dynamic distribution group with an OPATH filter over the whole directory.
pub fn dynamic_group(address: &str, filter: &str) -> ObjectBuilder {
    let rule = DynamicRule {
        condition: RuleCondition::Custom {
            language: FilterLanguage::Opath,
            text: filter.into(),
        },
        recipient_container: None,
        comparison: None,
        remote_mailboxes_match_user_mailbox: false,
    };
    ObjectBuilder::new(RecipientKind::DynamicDistributionGroup, address)
        .with_group(|group| group.rule = Some(Box::new(rule)))
}

/// A precanned dynamic group.
pub fn precanned_group(address: &str, precanned: Precanned) -> ObjectBuilder {
    let rule = DynamicRule {
        condition: RuleCondition::Precanned(precanned),
        recipient_container: None,
        comparison: None,
        remote_mailboxes_match_user_mailbox: false,
    };
    ObjectBuilder::new(RecipientKind::DynamicDistributionGroup, address)
        .with_group(|group| group.rule = Some(Box::new(rule)))
}

/// An object under construction; every step returns it.
#[derive(Debug, Clone)]
pub struct ObjectBuilder(RecipientObject);

impl ObjectBuilder {
    /// The id is `id:` and the address; alias and display name are the local-part.
    pub fn new(kind: RecipientKind, address: &str) -> Self {
        let primary = mailbox(address);
        let local_part = primary.local_part().to_owned();
        let id = ObjectId::new(format!("id:{address}"));
        let mut object = RecipientObject::new(id, kind, SourceId::new("test"), primary);
        object.alias = Some(local_part.as_str().into());
        object.display_name = Some(local_part.into());
        Self(object)
    }

    /// An object to be changed further.
    pub fn of(object: RecipientObject) -> Self {
        Self(object)
    }

    pub fn build(self) -> RecipientObject {
        self.0
    }

    /// Any other change.
    pub fn with(mut self, change: impl FnOnce(&mut RecipientObject)) -> Self {
        change(&mut self.0);
        self
    }

    pub fn id(self, id: &str) -> Self {
        self.with(|object| object.id = ObjectId::new(id))
    }

    pub fn kind(self, kind: RecipientKind) -> Self {
        self.with(|object| object.kind = kind)
    }

    /// An attribute by its Exchange name or ours, as the text of an export.
    pub fn attribute(self, attribute: Attribute, text: &str) -> Self {
        self.with(|object| {
            object
                .attributes
                .set_text(attribute, text)
                .expect("a value of the attribute")
        })
    }

    pub fn department(self, text: &str) -> Self {
        self.attribute(Attribute::Department, text)
    }

    pub fn office(self, text: &str) -> Self {
        self.attribute(Attribute::Office, text)
    }

    pub fn company(self, text: &str) -> Self {
        self.attribute(Attribute::Company, text)
    }

    pub fn name(self, text: &str) -> Self {
        self.attribute(Attribute::Name, text)
    }

    pub fn display_name(self, text: &str) -> Self {
        self.with(|object| object.display_name = Some(text.into()))
    }

    pub fn alias(self, text: Option<&str>) -> Self {
        self.with(|object| object.alias = text.map(Into::into))
    }

    /// A further address, `type:value` or bare.
    pub fn proxy(self, text: &str) -> Self {
        self.with(|object| {
            let mut proxies = std::mem::take(&mut object.proxies).into_vec();
            proxies.push(ProxyAddress::parse(text).expect("a proxy address"));
            object.proxies = proxies.into_boxed_slice();
        })
    }

    pub fn dn(self, text: &str) -> Self {
        self.with(|object| object.distinguished_name = Some(text.into()))
    }

    pub fn legacy_dn(self, text: &str) -> Self {
        self.with(|object| object.legacy_dn = Some(text.into()))
    }

    pub fn target(self, address: &str) -> Self {
        self.with(|object| object.target_address = Some(mailbox(address)))
    }

    pub fn location(self, location: Location) -> Self {
        self.with(|object| object.location = location)
    }

    pub fn state(self, state: ObjectState) -> Self {
        self.with(|object| object.state = state)
    }

    pub fn disabled(self) -> Self {
        self.state(ObjectState::Disabled)
    }

    /// Any change of the delivery settings.
    pub fn with_delivery(self, change: impl FnOnce(&mut DeliverySettings)) -> Self {
        self.with(|object| change(object.delivery.get_or_insert_default()))
    }

    pub fn accept_from(self, references: &[&str]) -> Self {
        self.with_delivery(|delivery| delivery.accept_from = list(references))
    }

    pub fn reject_from(self, references: &[&str]) -> Self {
        self.with_delivery(|delivery| delivery.reject_from = list(references))
    }

    pub fn internal_only(self) -> Self {
        self.with_delivery(|delivery| delivery.require_sender_authentication = Some(true))
    }

    pub fn open_to_outside(self) -> Self {
        self.with_delivery(|delivery| delivery.require_sender_authentication = Some(false))
    }

    pub fn max_receive_size(self, bytes: u64) -> Self {
        self.with_delivery(|delivery| delivery.max_receive_size = Some(bytes))
    }

    pub fn moderated_by(self, moderators: &[&str]) -> Self {
        self.with_delivery(|delivery| {
            delivery.moderation = Some(Box::new(ModerationSettings {
                enabled: true,
                moderators: list(moderators),
                ..ModerationSettings::default()
            }));
        })
    }

    pub fn forwarding_to(self, reference: &str) -> Self {
        self.with_delivery(|delivery| delivery.forwarding_address = Some(reference.into()))
    }

    /// Any change of the group settings.
    pub fn with_group(self, change: impl FnOnce(&mut GroupSettings)) -> Self {
        self.with(|object| change(object.group.get_or_insert_default()))
    }

    pub fn members(self, references: &[&str]) -> Self {
        self.with_group(|group| group.members = list(references))
    }

    pub fn owners(self, references: &[&str]) -> Self {
        self.with_group(|group| group.managed_by = list(references))
    }

    /// The language of a dynamic group's filter.
    pub fn language(self, spoken: FilterLanguage) -> Self {
        self.with_group(|group| {
            if let Some(RuleCondition::Custom { language, .. }) = group.rule.as_mut().map(|rule| &mut rule.condition) {
                *language = spoken;
            }
        })
    }

    pub fn container(self, container: &str) -> Self {
        self.with_group(|group| {
            if let Some(rule) = &mut group.rule {
                rule.recipient_container = Some(container.into());
            }
        })
    }
}

fn list(references: &[&str]) -> Vec<Reference> {
    references.iter().map(|text| Reference::from(*text)).collect()
}

fn mailbox(address: &str) -> Mailbox {
    Mailbox::parse(address).expect("a mailbox")
}

/// A first generation of these objects; ordinals count from zero in their order.
pub fn directory(objects: impl IntoIterator<Item = ObjectBuilder>) -> Directory {
    directory_with_findings(objects).0
}

/// The same with what was noticed.
pub fn directory_with_findings(objects: impl IntoIterator<Item = ObjectBuilder>) -> (Directory, Vec<Finding>) {
    let upserts = objects.into_iter().map(ObjectBuilder::build).collect();
    let changes = ChangeSet {
        upserts,
        removals: Vec::new(),
    };
    Directory::empty().apply(changes, &mut CountingOrdinals::default(), 1, Timestamp::UNIX_EPOCH)
}
