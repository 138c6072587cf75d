//! The stored form of an object, as a directory store keeps it.
//!
//! In: an object. Out: octets that begin with the number of their form, and the object again. Form 1 is the JSON
//! that the first release wrote; it is read and no longer written. Form 2 is a record and, for an object that has
//! any, its settings as JSON. Never: a guess about damaged octets; the store's checksum is checked before.

use super::facts::Facts;
use super::octets::{Cursor, put_number, put_text};
use super::recipient::RecipientObject;
use super::record::{Record, write_stored};
use crate::mail::address::Mailbox;

/// First octet of JSON.
pub const FORM_JSON: u8 = 1;
/// First octet of a record.
const FORM_RECORD: u8 = 2;

/// Octets that are no stored object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoredFault {
    #[error("nothing is stored")]
    Empty,
    #[error("form {0} is unknown; a later release may have written it")]
    Form(u8),
    #[error("the record is damaged")]
    Record,
    #[error("the JSON cannot be read: {0}")]
    Json(String),
    #[error("{0:?} is no address")]
    Address(String),
}

/// The stored form of an object.
#[must_use]
pub fn encode(object: &RecipientObject) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    encode_facts(&Facts::of(object), object, &mut out);
    out
}

fn encode_facts(facts: &Facts<'_>, object: &RecipientObject, out: &mut Vec<u8>) {
    out.push(FORM_RECORD);
    let mut record = Vec::with_capacity(512);
    write_stored(facts, &mut record);
    put_number(out, record.len() as u64);
    out.extend_from_slice(&record);
    let settings = (&object.delivery, &object.group);
    if settings.0.is_some() || settings.1.is_some() {
        let text = serde_json::to_string(&settings).expect("texts, numbers and flags serialise");
        put_text(out, &text);
    }
}

/// Reads [`encode`]'s form back, and those of earlier releases.
pub fn decode(octets: &[u8]) -> Result<RecipientObject, StoredFault> {
    Ok(match parse(octets)? {
        Parsed::Person(record) => {
            let facts = record.facts().ok_or(StoredFault::Record)?;
            check(&facts)?;
            facts.to_object()
        }
        Parsed::Object(object) => *object,
    })
}

/// A stored object taken apart as far as it must be.
pub(super) enum Parsed<'a> {
    /// Without settings, still as a record; its addresses are not checked.
    Person(Record<'a>),
    Object(Box<RecipientObject>),
}

/// Reads a stored object.
pub(super) fn parse(octets: &[u8]) -> Result<Parsed<'_>, StoredFault> {
    let (form, rest) = octets.split_first().ok_or(StoredFault::Empty)?;
    match *form {
        FORM_JSON => {
            let object = serde_json::from_slice(rest).map_err(|fault| StoredFault::Json(fault.to_string()))?;
            Ok(Parsed::Object(Box::new(object)))
        }
        FORM_RECORD => {
            let mut cursor = Cursor(rest);
            let length = cursor.count().ok_or(StoredFault::Record)?;
            let record = Record::stored(cursor.take(length).ok_or(StoredFault::Record)?);
            if cursor.is_empty() {
                return Ok(Parsed::Person(record));
            }
            let facts = record.facts().ok_or(StoredFault::Record)?;
            check(&facts)?;
            let mut object = facts.to_object();
            let settings = cursor.text().filter(|_| cursor.is_empty()).ok_or(StoredFault::Record)?;
            (object.delivery, object.group) =
                serde_json::from_str(settings).map_err(|fault| StoredFault::Json(fault.to_string()))?;
            Ok(Parsed::Object(Box::new(object)))
        }
        other => Err(StoredFault::Form(other)),
    }
}

/// Addresses are proof of their syntax from here on, so they are checked once.
pub(super) fn check(facts: &Facts<'_>) -> Result<(), StoredFault> {
    let proxies = facts.proxies.iter().filter_map(|(form, text)| match form {
        super::facts::ProxyForm::Smtp => Some(*text),
        super::facts::ProxyForm::X500 | super::facts::ProxyForm::Other => None,
    });
    let mut all = std::iter::once(facts.primary).chain(facts.target).chain(proxies);
    match all.find(|text| Mailbox::check(text).is_err()) {
        Some(text) => Err(StoredFault::Address(text.to_owned())),
        None => Ok(()),
    }
}
