//! The dictionaries as octets: each column is a piece of an image.
//!
//! In: columns. Out: pieces, and columns again. Never: a column of damaged octets.

use std::sync::Arc;

use super::{Above, Class, ColumnId, Columns, PLACES_MAX, VALUES_MAX};
use crate::directory::attribute::Attribute;
use crate::directory::dictionary::Dictionary;
use crate::directory::octets::{Cursor, put_number};
use crate::directory::recipient::SourceId;
use crate::directory::value::Value;

/// One column read from an image.
pub(in crate::directory) enum ColumnRead {
    Classes(Dictionary<Class>),
    Sources(Dictionary<SourceId>),
    Parents(Dictionary<Arc<Above>>),
    Stated(Dictionary<Arc<str>>),
    Attribute(Attribute, Dictionary<Value>),
}

impl ColumnRead {
    /// Reads one column; none if it is damaged.
    pub(in crate::directory) fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        let number = cursor.count()?;
        Some(match ColumnId::all().nth(number)? {
            ColumnId::Class => Self::Classes(Dictionary::read(cursor, PLACES_MAX)?),
            ColumnId::Source => Self::Sources(Dictionary::read(cursor, PLACES_MAX)?),
            ColumnId::Parent => Self::Parents(Dictionary::read(cursor, PLACES_MAX)?),
            ColumnId::Stated => Self::Stated(Dictionary::read(cursor, PLACES_MAX)?),
            ColumnId::Attribute(attribute) => Self::Attribute(attribute, Dictionary::read(cursor, VALUES_MAX)?),
        })
    }
}

impl Columns {
    /// Writes one column for an image.
    pub(in crate::directory) fn put(&self, column: ColumnId, out: &mut Vec<u8>) {
        put_number(out, column.place() as u64);
        match column {
            ColumnId::Class => self.classes.put(out),
            ColumnId::Source => self.sources.put(out),
            ColumnId::Parent => self.parents.put(out),
            ColumnId::Stated => self.stated.put(out),
            ColumnId::Attribute(attribute) => self.attribute(attribute).put(out),
        }
    }

    /// Takes a column that was read.
    pub(in crate::directory) fn set(&mut self, column: ColumnRead) {
        match column {
            ColumnRead::Classes(read) => self.classes = Arc::new(read),
            ColumnRead::Sources(read) => self.sources = Arc::new(read),
            ColumnRead::Parents(read) => self.parents = Arc::new(read),
            ColumnRead::Stated(read) => self.stated = Arc::new(read),
            ColumnRead::Attribute(attribute, read) => {
                if let Some(slot) = self.attributes.get_mut(attribute as usize) {
                    *slot = Arc::new(read);
                }
            }
        }
    }
}
