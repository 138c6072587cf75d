//! One object in few octets: its stored form, and its packed form in memory.
//!
//! Both have the same order, what is read most first. The stored form spells everything out and names attributes
//! by a number that no later version changes; the packed form has the codes of a generation's dictionaries for
//! values that repeat.
//!
//! ```text
//! kind, place and state, what is there, source, primary, [target],
//! octets of attributes, attributes…, id, [alias], [display name], [DN], [container], [legacyExchangeDN], proxies…
//! ```
//!
//! In: facts. Out: octets, and facts again: exactly the same. Never: a guess about damaged octets.

mod numbers;
mod read;

use super::attribute::Attribute;
use super::facts::{Facts, ProxyForm};
use super::octets::{Letters, guid_of, put_number, put_signed, put_text};
use super::value::ValueRef;
use numbers::location_number;
pub(super) use numbers::{kind_number, kind_of, state_number, state_of};
pub(super) use read::{Dn, Place, Record, Written, read_value};

const HAS_TARGET: u8 = 1;
const HAS_ALIAS: u8 = 1 << 1;
const HAS_DISPLAY_NAME: u8 = 1 << 2;
const HAS_DN: u8 = 1 << 3;
const HAS_CONTAINER: u8 = 1 << 4;
const HAS_LEGACY_DN: u8 = 1 << 5;

const ID_TEXT: u8 = 0;
const ID_SMALL: u8 = 1;
const ID_CAPITAL: u8 = 2;

/// How a value is written: the low bits of an attribute's head.
const CODED: u64 = 0;
const TEXT: u64 = 1;
const TEXTS: u64 = 2;
const BOOLEAN: u64 = 3;
const INTEGER: u64 = 4;
const SIZE: u64 = 5;
const TIME: u64 = 6;
const GUID: u64 = 7;

/// Where repeated values get their codes while a row is packed.
pub(super) trait Codes {
    fn source(&mut self, source: &str) -> Option<u32>;
    /// The code of what is above an object, and what is left of its DN.
    fn parent<'t>(&mut self, dn: &'t str) -> Option<(u32, &'t str)>;
    fn container(&mut self, container: &str, has_dn: bool) -> Option<u32>;
    fn attribute(&mut self, attribute: Attribute, value: &ValueRef<'_>) -> Option<u32>;
    fn put_attribute(&self, attribute: Attribute, out: &mut Vec<u8>);
}

/// The codes of the stored form: none.
struct NoCodes;

impl Codes for NoCodes {
    fn source(&mut self, _: &str) -> Option<u32> {
        None
    }

    fn parent<'t>(&mut self, _: &'t str) -> Option<(u32, &'t str)> {
        None
    }

    fn container(&mut self, _: &str, _: bool) -> Option<u32> {
        None
    }

    fn attribute(&mut self, _: Attribute, _: &ValueRef<'_>) -> Option<u32> {
        None
    }

    fn put_attribute(&self, attribute: Attribute, out: &mut Vec<u8>) {
        let [low, middle, high, _] = attribute.stored_number().to_le_bytes();
        out.extend_from_slice(&[low, middle, high]);
    }
}

/// Writes the stored form.
pub(super) fn write_stored(facts: &Facts<'_>, out: &mut Vec<u8>) {
    write(facts, &mut NoCodes, out);
}

/// Writes either form.
pub(super) fn write(facts: &Facts<'_>, codes: &mut dyn Codes, out: &mut Vec<u8>) {
    let guid = guid_of(&facts.id);
    out.push(kind_number(facts.kind));
    out.push(
        location_number(facts.location)
            | state_number(facts.state) << 2
            | match guid {
                None => ID_TEXT,
                Some((_, Letters::Small)) => ID_SMALL,
                Some((_, Letters::Capital)) => ID_CAPITAL,
            } << 4,
    );
    let there = |is_there: bool, flag: u8| if is_there { flag } else { 0 };
    out.push(
        there(facts.target.is_some(), HAS_TARGET)
            | there(facts.alias.is_some(), HAS_ALIAS)
            | there(facts.display_name.is_some(), HAS_DISPLAY_NAME)
            | there(facts.distinguished_name.is_some(), HAS_DN)
            | there(facts.container.is_some(), HAS_CONTAINER)
            | there(facts.legacy_dn.is_some(), HAS_LEGACY_DN),
    );
    put_coded(out, codes.source(facts.source), facts.source);
    put_text(out, facts.primary);
    if let Some(target) = facts.target {
        put_text(out, target);
    }
    write_attributes(facts, codes, out);
    match guid {
        Some((guid, _)) => out.extend_from_slice(&guid),
        None => put_text(out, &facts.id),
    }
    for text in [facts.alias, facts.display_name].into_iter().flatten() {
        put_text(out, text);
    }
    if let Some(dn) = facts.distinguished_name.as_deref() {
        match codes.parent(dn) {
            Some((code, leaf)) => {
                put_number(out, u64::from(code) << 1 | 1);
                put_text(out, leaf);
            }
            None => put_coded(out, None, dn),
        }
    }
    if let Some(container) = facts.container {
        let code = codes.container(container, facts.distinguished_name.is_some());
        put_coded(out, code, container);
    }
    if let Some(legacy_dn) = facts.legacy_dn {
        put_text(out, legacy_dn);
    }
    put_number(out, facts.proxies.len() as u64);
    for (form, text) in &facts.proxies {
        out.push(match form {
            ProxyForm::Smtp => 0,
            ProxyForm::X500 => 1,
            ProxyForm::Other => 2,
        });
        put_text(out, text);
    }
}

fn put_coded(out: &mut Vec<u8>, code: Option<u32>, text: &str) {
    match code {
        Some(code) => put_number(out, u64::from(code) << 1 | 1),
        None => {
            put_number(out, (text.len() as u64) << 1);
            out.extend_from_slice(text.as_bytes());
        }
    }
}

fn write_attributes(facts: &Facts<'_>, codes: &mut dyn Codes, out: &mut Vec<u8>) {
    // The length goes before the attributes; three octets hold that of nearly everybody, so it is put in afterwards.
    let start = out.len();
    for (attribute, value) in &facts.attributes {
        codes.put_attribute(*attribute, out);
        match codes.attribute(*attribute, value) {
            Some(code) => put_number(out, u64::from(code) << 3 | CODED),
            None => write_value(value, out),
        }
    }
    let mut length = Vec::with_capacity(4);
    put_number(&mut length, (out.len() - start) as u64);
    out.splice(start..start, length);
}

pub(super) fn write_value(value: &ValueRef<'_>, out: &mut Vec<u8>) {
    match value {
        // An absent value is never stored; no texts say the same.
        ValueRef::Absent => put_number(out, TEXTS),
        ValueRef::Text(text) => match guid_of(text) {
            Some((guid, letters)) => {
                put_number(out, u64::from(letters == Letters::Capital) << 3 | GUID);
                out.extend_from_slice(&guid);
            }
            None => {
                put_number(out, (text.len() as u64) << 3 | TEXT);
                out.extend_from_slice(text.as_bytes());
            }
        },
        ValueRef::Texts(texts) => {
            put_number(out, (texts.len() as u64) << 3 | TEXTS);
            for text in texts {
                put_text(out, text);
            }
        }
        ValueRef::Boolean(value) => put_number(out, u64::from(*value) << 3 | BOOLEAN),
        ValueRef::Integer(value) => {
            put_number(out, INTEGER);
            put_signed(out, *value);
        }
        ValueRef::Size(value) => {
            put_number(out, SIZE);
            put_number(out, *value);
        }
        ValueRef::Time(value) => {
            put_number(out, TIME);
            put_signed(out, value.as_second());
            put_signed(out, i64::from(value.subsec_nanosecond()));
        }
    }
}
