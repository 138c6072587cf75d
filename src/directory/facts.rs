//! What an object states, borrowed from wherever it is: from an object as connectors hand it over, from its stored
//! record, from a packed row.
//!
//! In: one of the three. Out: single facts, names to be found by, or the object. Never: settings of delivery or of a
//! group; an object that has any is kept whole.

use std::borrow::Cow;

use super::attribute::Attribute;
use super::dn::DistinguishedName;
use super::filter::tail::is_system_name;
use super::kind::RecipientKind;
use super::recipient::{Location, ObjectId, ObjectState, ProxyAddress, RecipientObject, SourceId, follows_target};
use super::value::{Attributes, Value, ValueRef};
use crate::mail::address::Mailbox;

/// What kind of address a proxy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProxyForm {
    Smtp,
    X500,
    Other,
}

/// The facts of one object.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Facts<'a> {
    pub(super) id: Cow<'a, str>,
    pub(super) kind: RecipientKind,
    pub(super) source: &'a str,
    pub(super) location: Location,
    pub(super) state: ObjectState,
    pub(super) primary: &'a str,
    pub(super) target: Option<&'a str>,
    pub(super) alias: Option<&'a str>,
    pub(super) display_name: Option<&'a str>,
    pub(super) legacy_dn: Option<&'a str>,
    pub(super) distinguished_name: Option<Cow<'a, str>>,
    pub(super) container: Option<&'a str>,
    pub(super) proxies: Vec<(ProxyForm, &'a str)>,
    /// In the order of attributes.
    pub(super) attributes: Vec<(Attribute, ValueRef<'a>)>,
}

impl<'a> Facts<'a> {
    /// The facts of an object; its settings are left out.
    pub(super) fn of(object: &'a RecipientObject) -> Self {
        Self {
            id: Cow::Borrowed(object.id.as_str()),
            kind: object.kind,
            source: object.source.as_str(),
            location: object.location,
            state: object.state,
            primary: object.primary.as_str(),
            target: object.target_address.as_ref().map(Mailbox::as_str),
            alias: object.alias.as_deref(),
            display_name: object.display_name.as_deref(),
            legacy_dn: object.legacy_dn.as_deref(),
            distinguished_name: object.distinguished_name.as_deref().map(Cow::Borrowed),
            container: object.container.as_deref(),
            proxies: object.proxies.iter().map(proxy).collect(),
            attributes: object
                .attributes
                .iter()
                .map(|(attribute, value)| (attribute, value.into()))
                .collect(),
        }
    }

    /// The object they are of, without settings.
    pub(super) fn to_object(&self) -> RecipientObject {
        let id = ObjectId::new(&*self.id);
        let primary = Mailbox::of_valid(self.primary);
        let mut object = RecipientObject::new(id, self.kind, SourceId::new(self.source), primary);
        object.location = self.location;
        object.state = self.state;
        object.target_address = self.target.map(Mailbox::of_valid);
        object.alias = self.alias.map(Into::into);
        object.display_name = self.display_name.map(Into::into);
        object.legacy_dn = self.legacy_dn.map(Into::into);
        object.distinguished_name = self.distinguished_name.as_deref().map(Into::into);
        object.container = self.container.map(Into::into);
        object.proxies = self
            .proxies
            .iter()
            .map(|(form, text)| match form {
                ProxyForm::Smtp => ProxyAddress::Smtp(Mailbox::of_valid(text)),
                ProxyForm::X500 => ProxyAddress::X500((*text).into()),
                ProxyForm::Other => ProxyAddress::Other((*text).into()),
            })
            .collect();
        let values = self.attributes.iter();
        object.attributes = Attributes::from_sorted(
            values
                .filter_map(|(attribute, value)| Value::of(value).map(|value| (*attribute, value)))
                .collect(),
        );
        object
    }

    /// A stored attribute.
    pub(super) fn attribute(&self, attribute: Attribute) -> Option<&ValueRef<'a>> {
        let found = self
            .attributes
            .binary_search_by_key(&attribute, |(each, _)| *each)
            .ok()?;
        self.attributes.get(found).map(|(_, value)| value)
    }

    /// `Name`, as [`RecipientObject::name`] says.
    pub(super) fn name(&self) -> &str {
        if let Some(ValueRef::Text(name)) = self.attribute(Attribute::Name) {
            return name;
        }
        self.distinguished_name
            .as_deref()
            .and_then(DistinguishedName::leaf_of)
            .or(self.display_name)
            .or(self.alias)
            .unwrap_or_else(|| Mailbox::local_part_of_valid(self.primary))
    }

    /// The text of the address mail leaves for, as [`RecipientObject::final_address`] says.
    pub(super) fn final_text(&self) -> &'a str {
        self.target
            .filter(|_| follows_target(self.kind, self.location))
            .unwrap_or(self.primary)
    }

    /// As [`RecipientObject::is_live`] says.
    pub(super) fn is_live(&self) -> bool {
        self.state != ObjectState::Deleted
    }

    /// As [`RecipientObject::is_candidate`] says.
    pub(super) fn is_candidate(&self) -> bool {
        self.is_live()
            && self.alias.is_some_and(|alias| !alias.is_empty())
            && !self.kind.is_system()
            && !is_system_name(self.name())
    }
}

fn proxy(proxy: &ProxyAddress) -> (ProxyForm, &str) {
    match proxy {
        ProxyAddress::Smtp(mailbox) => (ProxyForm::Smtp, mailbox.as_str()),
        ProxyAddress::X500(text) => (ProxyForm::X500, text),
        ProxyAddress::Other(text) => (ProxyForm::Other, text),
    }
}
