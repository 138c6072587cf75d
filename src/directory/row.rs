//! One live object where it is stored: cheap answers without taking the object apart.
//!
//! In: a row of a generation. Out: single facts borrowed from it, or the whole object as connectors hand it over.
//! Never: an answer that differs from that of the [`RecipientObject`] it stands for.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::attribute::Attribute;
use super::kind::RecipientKind;
use super::recipient::{Location, ObjectState, RecipientObject, SourceId};
use super::value::ValueRef;
use crate::mail::address::Mailbox;

/// A live object as a generation stores it.
#[derive(Clone, Copy)]
pub struct RowRef<'a>(Form<'a>);

#[derive(Clone, Copy)]
enum Form<'a> {
    Full(&'a Arc<RecipientObject>),
}

impl<'a> RowRef<'a> {
    /// A row that holds the object itself.
    pub(super) fn full(object: &'a Arc<RecipientObject>) -> Self {
        Self(Form::Full(object))
    }

    /// What it is.
    pub fn kind(self) -> RecipientKind {
        match self.0 {
            Form::Full(object) => object.kind,
        }
    }

    /// Whether its account works.
    pub fn state(self) -> ObjectState {
        match self.0 {
            Form::Full(object) => object.state,
        }
    }

    /// Where its mailbox or target is.
    pub fn location(self) -> Location {
        match self.0 {
            Form::Full(object) => object.location,
        }
    }

    /// The connector that owns it.
    pub fn source(self) -> &'a SourceId {
        match self.0 {
            Form::Full(object) => &object.source,
        }
    }

    /// Its stable id in its source.
    pub fn id(self) -> Cow<'a, str> {
        match self.0 {
            Form::Full(object) => Cow::Borrowed(object.id.as_str()),
        }
    }

    /// Its primary address as spelled.
    pub fn primary_address(self) -> &'a str {
        match self.0 {
            Form::Full(object) => object.primary.as_str(),
        }
    }

    /// True if it has an address outside to deliver to (`ExternalEmailAddress`).
    pub fn has_target(self) -> bool {
        match self.0 {
            Form::Full(object) => object.target_address.is_some(),
        }
    }

    /// The address mail leaves for, as [`RecipientObject::final_address`] says; not parsed again.
    pub fn final_address(self) -> Mailbox {
        match self.0 {
            Form::Full(object) => object.final_address().clone(),
        }
    }

    /// `Alias`.
    pub fn alias(self) -> Option<&'a str> {
        match self.0 {
            Form::Full(object) => object.alias.as_deref(),
        }
    }

    /// `DisplayName`.
    pub fn display_name(self) -> Option<&'a str> {
        match self.0 {
            Form::Full(object) => object.display_name.as_deref(),
        }
    }

    /// `Name`, as [`RecipientObject::name`] says.
    pub fn name(self) -> Cow<'a, str> {
        match self.0 {
            Form::Full(object) => Cow::Borrowed(object.name()),
        }
    }

    /// Its DN as spelled.
    pub fn distinguished_name(self) -> Option<Cow<'a, str>> {
        match self.0 {
            Form::Full(object) => object.distinguished_name.as_deref().map(Cow::Borrowed),
        }
    }

    /// The organizational unit it states beside its DN, if it does.
    pub fn container(self) -> Option<&'a str> {
        match self.0 {
            Form::Full(object) => object.container.as_deref(),
        }
    }

    /// What it answers for an attribute, as [`RecipientObject::value`] says.
    pub fn value(self, attribute: Attribute) -> ValueRef<'a> {
        match self.0 {
            Form::Full(object) => object.value(attribute),
        }
    }

    /// The whole object: borrowed where it is stored whole, put together otherwise.
    pub fn object(self) -> Found<'a> {
        match self.0 {
            Form::Full(object) => Found(Held::Stored(object)),
        }
    }
}

/// A whole object, borrowed from its generation or put together from a packed row.
#[derive(Clone)]
pub struct Found<'a>(Held<'a>);

#[derive(Clone)]
enum Held<'a> {
    Stored(&'a Arc<RecipientObject>),
}

impl Found<'_> {
    /// The object, to keep beyond its generation.
    pub fn shared(&self) -> Arc<RecipientObject> {
        match &self.0 {
            Held::Stored(object) => Arc::clone(object),
        }
    }
}

impl Deref for Found<'_> {
    type Target = RecipientObject;

    fn deref(&self) -> &RecipientObject {
        match &self.0 {
            Held::Stored(object) => object,
        }
    }
}

impl fmt::Debug for Found<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, out)
    }
}
