//! One live object where it is stored: cheap answers without taking the object apart.
//!
//! In: a row of a generation. Out: single facts borrowed from it, or the whole object as connectors hand it over.
//! Never: an answer that differs from that of the [`RecipientObject`] it stands for.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::attribute::Attribute;
use super::dn::DistinguishedName;
use super::facts::Facts;
use super::kind::RecipientKind;
use super::recipient::{Location, ObjectState, RecipientObject, SourceId, follows_target};
use super::record::Record;
use super::value::ValueRef;
use crate::mail::address::Mailbox;

/// Why a packed row can always be read: it was written by us, and memory does not decay.
const WRITTEN: &str = "a packed row was written by this program";

/// A live object as a generation stores it.
#[derive(Clone, Copy)]
pub struct RowRef<'a>(Form<'a>);

#[derive(Clone, Copy)]
enum Form<'a> {
    /// The object itself: groups, and people with settings of their own.
    Whole(&'a Arc<RecipientObject>),
    Packed(Record<'a>),
}

impl<'a> RowRef<'a> {
    /// A row that holds the object itself.
    pub(super) fn whole(object: &'a Arc<RecipientObject>) -> Self {
        Self(Form::Whole(object))
    }

    /// A packed row.
    pub(super) fn packed(record: Record<'a>) -> Self {
        Self(Form::Packed(record))
    }

    /// What it is.
    pub fn kind(self) -> RecipientKind {
        match self.0 {
            Form::Whole(object) => object.kind,
            Form::Packed(record) => record.kind().expect(WRITTEN),
        }
    }

    /// Whether its account works.
    pub fn state(self) -> ObjectState {
        match self.0 {
            Form::Whole(object) => object.state,
            Form::Packed(record) => record.state().expect(WRITTEN),
        }
    }

    /// Where its mailbox or target is.
    pub fn location(self) -> Location {
        match self.0 {
            Form::Whole(object) => object.location,
            Form::Packed(record) => record.location().expect(WRITTEN),
        }
    }

    /// The connector that owns it.
    pub fn source(self) -> &'a SourceId {
        match self.0 {
            Form::Whole(object) => &object.source,
            // A row whose source has no code is not packed.
            Form::Packed(record) => record.source_id().expect(WRITTEN),
        }
    }

    /// Its stable id in its source.
    pub fn id(self) -> Cow<'a, str> {
        match self.0 {
            Form::Whole(object) => Cow::Borrowed(object.id.as_str()),
            Form::Packed(record) => record.tail().expect(WRITTEN).id.text(),
        }
    }

    /// Its primary address as spelled.
    pub fn primary_address(self) -> &'a str {
        match self.0 {
            Form::Whole(object) => object.primary.as_str(),
            Form::Packed(record) => record.primary().expect(WRITTEN),
        }
    }

    /// True if it has an address outside to deliver to (`ExternalEmailAddress`).
    pub fn has_target(self) -> bool {
        match self.0 {
            Form::Whole(object) => object.target_address.is_some(),
            Form::Packed(record) => record.has_target(),
        }
    }

    /// The address mail leaves for, as [`RecipientObject::final_address`] says; not parsed again.
    pub fn final_address(self) -> Mailbox {
        match self.0 {
            Form::Whole(object) => object.final_address().clone(),
            Form::Packed(_) => Mailbox::of_valid(self.final_text()),
        }
    }

    /// The text of the address mail leaves for.
    pub fn final_text(self) -> &'a str {
        match self.0 {
            Form::Whole(object) => object.final_address().as_str(),
            Form::Packed(record) => record
                .target()
                .filter(|_| follows_target(self.kind(), self.location()))
                .unwrap_or_else(|| self.primary_address()),
        }
    }

    /// `Alias`.
    pub fn alias(self) -> Option<&'a str> {
        match self.0 {
            Form::Whole(object) => object.alias.as_deref(),
            Form::Packed(record) => record.tail().expect(WRITTEN).alias,
        }
    }

    /// `DisplayName`.
    pub fn display_name(self) -> Option<&'a str> {
        match self.0 {
            Form::Whole(object) => object.display_name.as_deref(),
            Form::Packed(record) => record.tail().expect(WRITTEN).display_name,
        }
    }

    /// `Name`, as [`RecipientObject::name`] says.
    pub fn name(self) -> Cow<'a, str> {
        let record = match self.0 {
            Form::Whole(object) => return Cow::Borrowed(object.name()),
            Form::Packed(record) => record,
        };
        if let Some(ValueRef::Text(name)) = record.attribute(Attribute::Name) {
            return name;
        }
        let tail = record.tail().expect(WRITTEN);
        let leaf = tail.dn.and_then(|dn| DistinguishedName::leaf_of(dn.leaf()));
        Cow::Borrowed(
            leaf.or(tail.display_name)
                .or(tail.alias)
                .unwrap_or_else(|| Mailbox::local_part_of_valid(self.primary_address())),
        )
    }

    /// Its DN as spelled.
    pub fn distinguished_name(self) -> Option<Cow<'a, str>> {
        match self.0 {
            Form::Whole(object) => object.distinguished_name.as_deref().map(Cow::Borrowed),
            Form::Packed(record) => Some(record.tail().expect(WRITTEN).dn?.text()),
        }
    }

    /// The organizational unit it states beside its DN, if it does.
    pub fn container(self) -> Option<&'a str> {
        match self.0 {
            Form::Whole(object) => object.container.as_deref(),
            Form::Packed(record) => record.tail().expect(WRITTEN).container,
        }
    }

    /// As [`RecipientObject::needs_no_judgement`] says.
    pub fn needs_no_judgement(self) -> bool {
        match self.0 {
            Form::Whole(object) => object.needs_no_judgement(),
            // A packed row has no settings and is no group.
            Form::Packed(_) => self.state() == ObjectState::Enabled || self.kind().account_is_disabled_by_design(),
        }
    }

    /// A stored attribute, nothing computed.
    pub fn stored(self, attribute: Attribute) -> Option<ValueRef<'a>> {
        match self.0 {
            Form::Whole(object) => object.attributes.get(attribute).map(Into::into),
            Form::Packed(record) => record.attribute(attribute),
        }
    }

    /// What it answers for an attribute, as [`RecipientObject::value`] says.
    pub fn value(self, attribute: Attribute) -> ValueRef<'a> {
        use Attribute as A;
        let record = match self.0 {
            Form::Whole(object) => return object.value(attribute),
            Form::Packed(record) => record,
        };
        if let Some(stored) = record.attribute(attribute) {
            return stored;
        }
        let text = |text: Option<Cow<'a, str>>| match text {
            Some(text) if !text.is_empty() => ValueRef::Text(text),
            Some(_) | None => ValueRef::Absent,
        };
        // What scans ask often is read in place; the rest is asked of the object, put together once.
        match attribute {
            A::Name | A::RawName | A::CommonName => text(Some(self.name())),
            A::DisplayName => text(self.display_name().map(Cow::Borrowed)),
            A::Alias => text(self.alias().map(Cow::Borrowed)),
            A::DistinguishedName | A::Id => text(self.distinguished_name()),
            A::LegacyExchangeDN => text(record.tail().expect(WRITTEN).legacy_dn.map(Cow::Borrowed)),
            A::WindowsEmailAddress => ValueRef::Text(Cow::Borrowed(self.primary_address())),
            A::PrimarySmtpAddress => {
                let mut texts = vec![Cow::Borrowed(self.primary_address())];
                let tail = record.tail().expect(WRITTEN);
                let read = tail.each_proxy(&mut |form, text| match form {
                    super::facts::ProxyForm::Smtp => texts.push(Cow::Borrowed(text)),
                    super::facts::ProxyForm::X500 | super::facts::ProxyForm::Other => {}
                });
                read.expect(WRITTEN);
                ValueRef::Texts(texts)
            }
            _ => self.object().value(attribute).into_owned(),
        }
    }

    /// The facts it states.
    pub(super) fn facts(self) -> Facts<'a> {
        match self.0 {
            Form::Whole(object) => Facts::of(object),
            Form::Packed(record) => record.facts().expect(WRITTEN),
        }
    }

    /// The object, if it is stored whole: all groups, and people with settings of their own.
    pub fn as_whole(self) -> Option<&'a RecipientObject> {
        match self.0 {
            Form::Whole(object) => Some(object),
            Form::Packed(_) => None,
        }
    }

    /// The packed record, if it is packed.
    pub(super) fn as_packed(self) -> Option<Record<'a>> {
        match self.0 {
            Form::Whole(_) => None,
            Form::Packed(record) => Some(record),
        }
    }

    /// The whole object: borrowed where it is stored whole, put together otherwise.
    pub fn object(self) -> Found<'a> {
        match self.0 {
            Form::Whole(object) => Found(Held::Stored(object)),
            Form::Packed(record) => {
                let object = record.facts().expect(WRITTEN).to_object();
                Found(Held::Made(Arc::new(object)))
            }
        }
    }
}

impl fmt::Debug for RowRef<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.object(), out)
    }
}

/// A whole object, borrowed from its generation or put together from a packed row.
#[derive(Clone)]
pub struct Found<'a>(Held<'a>);

#[derive(Clone)]
enum Held<'a> {
    Stored(&'a Arc<RecipientObject>),
    Made(Arc<RecipientObject>),
}

impl Found<'_> {
    /// The object, to keep beyond its generation.
    pub fn shared(&self) -> Arc<RecipientObject> {
        match &self.0 {
            Held::Stored(object) => Arc::clone(object),
            Held::Made(object) => Arc::clone(object),
        }
    }
}

impl Deref for Found<'_> {
    type Target = RecipientObject;

    fn deref(&self) -> &RecipientObject {
        match &self.0 {
            Held::Stored(object) => object,
            Held::Made(object) => object,
        }
    }
}

impl fmt::Debug for Found<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, out)
    }
}
