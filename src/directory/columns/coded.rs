//! What has a code in a dictionary: how it is hashed, compared and written.
//!
//! In: values, classes, sources, containers. Out: their hashes, the same in every run; their octets in an image.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::{Above, Class};
use crate::directory::dictionary::Coded;
use crate::directory::octets::{Cursor, put_text};
use crate::directory::recipient::SourceId;
use crate::directory::record::{Written, kind_number, kind_of, read_value, state_number, state_of, write_value};
use crate::directory::value::{Value, ValueRef};

impl Coded for Value {
    fn code_hash(&self) -> u64 {
        value_hash(&self.into())
    }

    fn put(&self, out: &mut Vec<u8>) {
        write_value(&self.into(), out);
    }

    fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        match read_value(cursor)? {
            Written::Inline(value) => Self::of(&value),
            // A dictionary has values, no codes.
            Written::Coded(_) => None,
        }
    }
}

impl Coded for Class {
    fn code_hash(&self) -> u64 {
        hash_of(&(self.kind, self.state as u8))
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[kind_number(self.kind), state_number(self.state)]);
    }

    fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        Some(Self {
            kind: kind_of(cursor.byte()?)?,
            state: state_of(cursor.byte()?)?,
        })
    }
}

impl Coded for SourceId {
    fn code_hash(&self) -> u64 {
        hash_of(self.as_str())
    }

    fn put(&self, out: &mut Vec<u8>) {
        put_text(out, self.as_str());
    }

    fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        cursor.text().map(Self::new)
    }
}

impl Coded for Arc<Above> {
    fn code_hash(&self) -> u64 {
        hash_of(&*self.text)
    }

    fn put(&self, out: &mut Vec<u8>) {
        put_text(out, &self.text);
    }

    fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        cursor.text().and_then(Above::parse).map(Self::new)
    }
}

impl Coded for Arc<str> {
    fn code_hash(&self) -> u64 {
        hash_of(&**self)
    }

    fn put(&self, out: &mut Vec<u8>) {
        put_text(out, self);
    }

    fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        cursor.text().map(Self::from)
    }
}

pub(super) fn hash_of<T: Hash + ?Sized>(value: &T) -> u64 {
    // Fixed keys: dictionaries must not depend on chance.
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

pub(super) fn value_hash(value: &ValueRef<'_>) -> u64 {
    match value {
        ValueRef::Absent => 0,
        ValueRef::Text(text) => hash_of(&**text),
        ValueRef::Texts(texts) => hash_of(texts),
        ValueRef::Boolean(value) => hash_of(value),
        ValueRef::Integer(value) => hash_of(value),
        ValueRef::Size(value) => hash_of(value),
        ValueRef::Time(value) => hash_of(value),
    }
}

pub(super) fn same(value: &Value, other: &ValueRef<'_>) -> bool {
    match (value, other) {
        (Value::Text(one), ValueRef::Text(two)) => **one == **two,
        (Value::Texts(one), ValueRef::Texts(two)) => {
            one.len() == two.len() && one.iter().zip(two).all(|(one, two)| **one == **two)
        }
        (Value::Boolean(one), ValueRef::Boolean(two)) => one == two,
        (Value::Integer(one), ValueRef::Integer(two)) => one == two,
        (Value::Size(one), ValueRef::Size(two)) => one == two,
        (Value::Time(one), ValueRef::Time(two)) => one == two,
        (
            Value::Text(_) | Value::Texts(_) | Value::Boolean(_) | Value::Integer(_) | Value::Size(_) | Value::Time(_),
            _,
        ) => false,
    }
}
