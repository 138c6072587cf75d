//! Records read: single facts by walking over what comes before, or everything.

use std::borrow::Cow;

use jiff::Timestamp;

use super::numbers::{kind_of, location_of, state_of};
use super::{
    BOOLEAN, CODED, HAS_ALIAS, HAS_CONTAINER, HAS_DISPLAY_NAME, HAS_DN, HAS_LEGACY_DN, HAS_TARGET, ID_CAPITAL,
    ID_SMALL, ID_TEXT, INTEGER, SIZE, TEXT, TEXTS, TIME,
};
use crate::directory::attribute::Attribute;
use crate::directory::columns::Columns;
use crate::directory::facts::{Facts, ProxyForm};
use crate::directory::kind::RecipientKind;
use crate::directory::octets::{Cursor, Letters, guid_text};
use crate::directory::recipient::{Location, ObjectState, SourceId};
use crate::directory::value::ValueRef;

/// One record to be read.
#[derive(Debug, Clone, Copy)]
pub(in crate::directory) struct Record<'a> {
    octets: &'a [u8],
    columns: Option<&'a Columns>,
}

/// An attribute as written.
pub(in crate::directory) enum Written<'a> {
    Coded(u32),
    Inline(ValueRef<'a>),
}

impl<'a> Record<'a> {
    /// A stored record.
    pub(in crate::directory) fn stored(octets: &'a [u8]) -> Self {
        Self { octets, columns: None }
    }

    /// A packed row with the dictionaries its codes are of.
    pub(in crate::directory) fn packed(octets: &'a [u8], columns: &'a Columns) -> Self {
        Self {
            octets,
            columns: Some(columns),
        }
    }

    /// The record itself.
    pub(in crate::directory) fn octets(self) -> &'a [u8] {
        self.octets
    }

    pub(in crate::directory) fn kind(self) -> Option<RecipientKind> {
        kind_of(*self.octets.first()?)
    }

    pub(in crate::directory) fn location(self) -> Option<Location> {
        location_of(*self.octets.get(1)?)
    }

    pub(in crate::directory) fn state(self) -> Option<ObjectState> {
        state_of(*self.octets.get(1)? >> 2)
    }

    pub(in crate::directory) fn has_target(self) -> bool {
        self.octets.get(2).is_some_and(|there| there & HAS_TARGET != 0)
    }

    /// The code of its source.
    pub(in crate::directory) fn source_code(self) -> Option<u32> {
        let head = Cursor(self.octets.get(3..)?).number()?;
        (head & 1 == 1).then_some(u32::try_from(head >> 1).ok()?)
    }

    pub(in crate::directory) fn primary(self) -> Option<&'a str> {
        let mut cursor = Cursor(self.octets.get(3..)?);
        skip_coded(&mut cursor)?;
        cursor.text()
    }

    pub(in crate::directory) fn target(self) -> Option<&'a str> {
        if !self.has_target() {
            return None;
        }
        let mut cursor = Cursor(self.octets.get(3..)?);
        skip_coded(&mut cursor)?;
        cursor.skip_text()?;
        cursor.text()
    }

    /// The attributes, and what follows them.
    fn parts(self) -> Option<(Cursor<'a>, Cursor<'a>)> {
        let mut cursor = Cursor(self.octets.get(3..)?);
        skip_coded(&mut cursor)?;
        cursor.skip_text()?;
        if self.has_target() {
            cursor.skip_text()?;
        }
        let length = cursor.count()?;
        let attributes = cursor.take(length)?;
        Some((Cursor(attributes), cursor))
    }

    /// A stored attribute.
    pub(in crate::directory) fn attribute(self, wanted: Attribute) -> Option<ValueRef<'a>> {
        let (mut cursor, _) = self.parts()?;
        while !cursor.is_empty() {
            let attribute = self.read_attribute(&mut cursor)?;
            if attribute > wanted && self.columns.is_some() {
                return None;
            }
            if attribute == wanted {
                return self.value(attribute, read_value(&mut cursor)?);
            }
            skip_value(&mut cursor)?;
        }
        None
    }

    /// Calls `visit` with every attribute as written.
    pub(in crate::directory) fn each_written(self, visit: &mut dyn FnMut(Attribute, Written<'a>)) -> Option<()> {
        let (mut cursor, _) = self.parts()?;
        while !cursor.is_empty() {
            let attribute = self.read_attribute(&mut cursor)?;
            visit(attribute, read_value(&mut cursor)?);
        }
        Some(())
    }

    fn value(self, attribute: Attribute, written: Written<'a>) -> Option<ValueRef<'a>> {
        match written {
            Written::Inline(value) => Some(value),
            Written::Coded(code) => self.columns?.attribute(attribute).value(code).map(Into::into),
        }
    }

    fn read_attribute(self, cursor: &mut Cursor<'a>) -> Option<Attribute> {
        match self.columns {
            Some(_) => Attribute::ALL.get(usize::from(cursor.byte()?)).copied(),
            None => {
                let [low, middle, high] = cursor.take(3)?.try_into().ok()?;
                Attribute::from_stored_number(u32::from_le_bytes([low, middle, high, 0]))
            }
        }
    }

    /// Its source, in a packed row.
    pub(in crate::directory) fn source_id(self) -> Option<&'a SourceId> {
        self.columns?.sources().value(self.source_code()?)
    }

    /// The name of its source.
    pub(in crate::directory) fn source(self) -> Option<&'a str> {
        match read_coded(&mut Cursor(self.octets.get(3..)?))? {
            Ok(text) => Some(text),
            Err(code) => Some(self.columns?.sources().value(code)?.as_str()),
        }
    }

    /// What comes after the attributes, without the proxies taken apart.
    pub(in crate::directory) fn tail(self) -> Option<Tail<'a>> {
        let (_, mut cursor) = self.parts()?;
        let there = *self.octets.get(2)?;
        let id = match *self.octets.get(1)? >> 4 {
            ID_TEXT => Id::Text(cursor.text()?),
            ID_SMALL => Id::Guid(cursor.take(16)?, Letters::Small),
            ID_CAPITAL => Id::Guid(cursor.take(16)?, Letters::Capital),
            _ => return None,
        };
        let has = |flag: u8| there & flag != 0;
        let alias = if has(HAS_ALIAS) { Some(cursor.text()?) } else { None };
        let display_name = if has(HAS_DISPLAY_NAME) {
            Some(cursor.text()?)
        } else {
            None
        };
        let dn = if has(HAS_DN) {
            Some(self.read_dn(&mut cursor)?)
        } else {
            None
        };
        let (container, stated) = if has(HAS_CONTAINER) {
            self.read_container(&mut cursor)?
        } else {
            (None, Place::None)
        };
        let legacy_dn = if has(HAS_LEGACY_DN) { Some(cursor.text()?) } else { None };
        Some(Tail {
            id,
            alias,
            display_name,
            dn,
            container,
            stated,
            legacy_dn,
            proxies: cursor,
        })
    }

    fn read_dn(self, cursor: &mut Cursor<'a>) -> Option<Dn<'a>> {
        Some(match read_coded(cursor)? {
            Ok(text) => Dn::Whole(text),
            Err(code) => Dn::Split {
                leaf: cursor.text()?,
                above: self.columns?.parents().value(code)?.text(),
                code,
            },
        })
    }

    fn read_container(self, cursor: &mut Cursor<'a>) -> Option<(Option<&'a str>, Place)> {
        Some(match read_coded(cursor)? {
            Ok(text) => (Some(text), Place::Inline),
            Err(code) => (Some(&**self.columns?.stated().value(code)?), Place::Coded(code)),
        })
    }

    /// Everything; none if the octets are damaged.
    pub(in crate::directory) fn facts(self) -> Option<Facts<'a>> {
        let (mut list, _) = self.parts()?;
        let mut attributes = Vec::with_capacity(list.0.len() / 4);
        while !list.is_empty() {
            let attribute = self.read_attribute(&mut list)?;
            let written = read_value(&mut list)?;
            attributes.push((attribute, self.value(attribute, written)?));
        }
        if self.columns.is_none() {
            // Another version may have had another order.
            attributes.sort_by_key(|(attribute, _)| *attribute);
        }
        let tail = self.tail()?;
        let mut proxies = Vec::new();
        tail.each_proxy(&mut |form, text| proxies.push((form, text)))?;
        Some(Facts {
            id: tail.id.text(),
            kind: self.kind()?,
            source: self.source()?,
            location: self.location()?,
            state: self.state()?,
            primary: self.primary()?,
            target: self.target(),
            alias: tail.alias,
            display_name: tail.display_name,
            legacy_dn: tail.legacy_dn,
            distinguished_name: tail.dn.map(Dn::text),
            container: tail.container,
            proxies,
            attributes,
        })
    }
}

/// What comes after the attributes.
pub(in crate::directory) struct Tail<'a> {
    pub(in crate::directory) id: Id<'a>,
    pub(in crate::directory) alias: Option<&'a str>,
    pub(in crate::directory) display_name: Option<&'a str>,
    pub(in crate::directory) dn: Option<Dn<'a>>,
    pub(in crate::directory) container: Option<&'a str>,
    /// How the container is written.
    pub(in crate::directory) stated: Place,
    pub(in crate::directory) legacy_dn: Option<&'a str>,
    proxies: Cursor<'a>,
}

impl<'a> Tail<'a> {
    /// Calls `visit` with every proxy; none if the octets are damaged or go on.
    pub(in crate::directory) fn each_proxy(&self, visit: &mut dyn FnMut(ProxyForm, &'a str)) -> Option<()> {
        let mut cursor = self.proxies;
        for _ in 0..cursor.count()? {
            let form = proxy_form(cursor.byte()?)?;
            visit(form, cursor.text()?);
        }
        cursor.is_empty().then_some(())
    }
}

/// An id as written.
#[derive(Clone, Copy)]
pub(in crate::directory) enum Id<'a> {
    Text(&'a str),
    Guid(&'a [u8], Letters),
}

impl<'a> Id<'a> {
    pub(in crate::directory) fn text(self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Guid(guid, letters) => Cow::Owned(guid_text(guid, letters)),
        }
    }
}

/// A DN as written.
#[derive(Clone, Copy)]
pub(in crate::directory) enum Dn<'a> {
    Whole(&'a str),
    Split { leaf: &'a str, above: &'a str, code: u32 },
}

impl<'a> Dn<'a> {
    pub(in crate::directory) fn text(self) -> Cow<'a, str> {
        match self {
            Self::Whole(text) => Cow::Borrowed(text),
            Self::Split { leaf, above, .. } => Cow::Owned([leaf, ",", above].concat()),
        }
    }

    /// The first part, the DN itself if it has no other.
    pub(in crate::directory) fn leaf(self) -> &'a str {
        match self {
            Self::Whole(text) => text,
            Self::Split { leaf, .. } => leaf,
        }
    }
}

/// A container as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::directory) enum Place {
    None,
    Inline,
    Coded(u32),
}

fn read_coded<'a>(cursor: &mut Cursor<'a>) -> Option<Result<&'a str, u32>> {
    let head = cursor.number()?;
    Some(if head & 1 == 1 {
        Err(u32::try_from(head >> 1).ok()?)
    } else {
        Ok(cursor.text_of(usize::try_from(head >> 1).ok()?)?)
    })
}

fn skip_coded(cursor: &mut Cursor<'_>) -> Option<()> {
    let head = cursor.number()?;
    if head & 1 == 0 {
        cursor.take(usize::try_from(head >> 1).ok()?)?;
    }
    Some(())
}

pub(in crate::directory) fn read_value<'a>(cursor: &mut Cursor<'a>) -> Option<Written<'a>> {
    let head = cursor.number()?;
    let rest = head >> 3;
    let length = usize::try_from(rest).ok()?;
    Some(Written::Inline(match head & 7 {
        CODED => return Some(Written::Coded(u32::try_from(rest).ok()?)),
        TEXT => ValueRef::Text(Cow::Borrowed(cursor.text_of(length)?)),
        TEXTS => {
            let mut texts = Vec::with_capacity(length.min(64));
            for _ in 0..length {
                texts.push(Cow::Borrowed(cursor.text()?));
            }
            ValueRef::Texts(texts)
        }
        BOOLEAN => ValueRef::Boolean(rest != 0),
        INTEGER => ValueRef::Integer(cursor.signed()?),
        SIZE => ValueRef::Size(cursor.number()?),
        TIME => {
            let (second, nanosecond) = (cursor.signed()?, cursor.signed()?);
            ValueRef::Time(Timestamp::new(second, i32::try_from(nanosecond).ok()?).ok()?)
        }
        _ => {
            let letters = if rest == 0 { Letters::Small } else { Letters::Capital };
            ValueRef::Text(Cow::Owned(guid_text(cursor.take(16)?, letters)))
        }
    }))
}

fn skip_value(cursor: &mut Cursor<'_>) -> Option<()> {
    let head = cursor.number()?;
    let length = usize::try_from(head >> 3).ok()?;
    match head & 7 {
        CODED | BOOLEAN => {}
        TEXT => cursor.take(length).map(|_| ())?,
        TEXTS => {
            for _ in 0..length {
                cursor.skip_text()?;
            }
        }
        INTEGER | SIZE => cursor.number().map(|_| ())?,
        TIME => {
            cursor.number()?;
            cursor.number()?;
        }
        _ => cursor.take(16).map(|_| ())?,
    }
    Some(())
}

fn proxy_form(number: u8) -> Option<ProxyForm> {
    match number {
        0 => Some(ProxyForm::Smtp),
        1 => Some(ProxyForm::X500),
        2 => Some(ProxyForm::Other),
        _ => None,
    }
}
