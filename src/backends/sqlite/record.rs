//! Rows as octets: JSON with a checksum, and where a body is.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use rusqlite::Row;
use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::mail::{BodyType, MessageId, Priority, ReturnContent, ReversePath, SetId};
use crate::spool::message::DeliverySet;
use crate::spool::roster::Roster;

/// A row that is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Damage(pub(super) String);

/// Appends a CRC-32 to octets.
pub(super) fn seal(mut octets: Vec<u8>) -> Vec<u8> {
    let sum = crc32fast::hash(&octets);
    octets.extend_from_slice(&sum.to_le_bytes());
    octets
}

/// Octets whose CRC-32 agrees, without it.
pub(super) fn unseal(octets: &[u8]) -> Result<&[u8], Damage> {
    match octets.split_last_chunk::<4>() {
        Some((body, sum)) if crc32fast::hash(body) == u32::from_le_bytes(*sum) => Ok(body),
        Some(_) => Err(Damage("its checksum differs".to_owned())),
        None => Err(Damage("it is too short".to_owned())),
    }
}

/// Octets of a column, whatever type a damaged row claims: the checksum decides about them.
pub(super) fn octets(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<u8>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Blob(octets) | ValueRef::Text(octets) => octets.to_vec(),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => Vec::new(),
    })
}

/// The same, of a column that may be null.
pub(super) fn octets_or_null(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Vec<u8>>> {
    match row.get_ref(column)? {
        ValueRef::Null => Ok(None),
        ValueRef::Blob(_) | ValueRef::Text(_) | ValueRef::Integer(_) | ValueRef::Real(_) => {
            octets(row, column).map(Some)
        }
    }
}

/// A value as sealed JSON.
pub(super) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    seal(serde_json::to_vec(value).expect("rows are plain structs with string keys"))
}

/// A value from sealed JSON.
pub(super) fn decode<T: DeserializeOwned>(octets: &[u8]) -> Result<T, Damage> {
    serde_json::from_slice(unseal(octets)?).map_err(|fault| Damage(format!("it cannot be read: {fault}")))
}

/// A message id as a column of 16 octets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct IdColumn(pub(super) MessageId);

impl ToSql for IdColumn {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.0.0.as_bytes())))
    }
}

impl FromSql for IdColumn {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let octets = <[u8; 16]>::column_result(value)?;
        Ok(Self(MessageId(Uuid::from_bytes(octets))))
    }
}

/// Where a message's content is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// In the row.
    Inline,
    /// In a shared segment file.
    Segment {
        /// Its number.
        segment: u32,
        /// First octet.
        offset: u32,
        /// Octets.
        len: u32,
        /// CRC-32.
        sum: u32,
    },
    /// In a file of its own.
    File {
        /// Its name.
        name: Uuid,
        /// Octets.
        len: u64,
        /// CRC-32.
        sum: u32,
    },
}

impl Place {
    /// Checksum of a `messages` row.
    pub(super) fn row_sum(&self, id: MessageId) -> i64 {
        let mut sum = crc32fast::Hasher::new();
        sum.update(id.0.as_bytes());
        sum.update(self.to_string().as_bytes());
        i64::from(sum.finalize())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inline => f.write_str("inline"),
            Self::Segment {
                segment,
                offset,
                len,
                sum,
            } => write!(f, "segment {segment} {offset} {len} {sum}"),
            Self::File { name, len, sum } => write!(f, "file {name} {len} {sum}"),
        }
    }
}

impl FromStr for Place {
    type Err = Damage;

    fn from_str(text: &str) -> Result<Self, Damage> {
        fn word<T: FromStr>(word: Option<&str>) -> Result<T, Damage> {
            word.and_then(|word| word.parse().ok())
                .ok_or_else(|| Damage("the place of its content is unreadable".to_owned()))
        }
        let mut words = text.split(' ');
        match words.next() {
            Some("inline") => Ok(Self::Inline),
            Some("segment") => Ok(Self::Segment {
                segment: word(words.next())?,
                offset: word(words.next())?,
                len: word(words.next())?,
                sum: word(words.next())?,
            }),
            Some("file") => Ok(Self::File {
                name: word(words.next())?,
                len: word(words.next())?,
                sum: word(words.next())?,
            }),
            Some(_) | None => word(None),
        }
    }
}

/// A delivery set without its roster.
#[derive(Serialize, Deserialize)]
pub(super) struct SetRow {
    pub(super) id: SetId,
    pub(super) message: MessageId,
    next_hop: String,
    reverse_path: ReversePath,
    ret: Option<ReturnContent>,
    envid: Option<Box<str>>,
    body: BodyType,
    smtputf8: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    no_auto_replies: bool,
    #[serde(default, skip_serializing_if = "Priority::is_normal")]
    priority: Priority,
    queued_at: Timestamp,
    expires_at: Timestamp,
}

impl SetRow {
    /// Takes a set apart.
    pub(super) fn split(set: DeliverySet) -> (Self, Roster) {
        let row = Self {
            id: set.id,
            message: set.message,
            next_hop: set.next_hop,
            reverse_path: set.reverse_path,
            ret: set.ret,
            envid: set.envid,
            body: set.body,
            smtputf8: set.smtputf8,
            no_auto_replies: set.no_auto_replies,
            priority: set.priority,
            queued_at: set.queued_at,
            expires_at: set.expires_at,
        };
        (row, set.roster)
    }

    /// Puts it together again.
    pub(super) fn join(self, roster: Roster) -> DeliverySet {
        DeliverySet {
            id: self.id,
            message: self.message,
            next_hop: self.next_hop,
            reverse_path: self.reverse_path,
            ret: self.ret,
            envid: self.envid,
            body: self.body,
            smtputf8: self.smtputf8,
            no_auto_replies: self.no_auto_replies,
            priority: self.priority,
            roster,
            queued_at: self.queued_at,
            expires_at: self.expires_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_read_back() {
        for place in [
            Place::Inline,
            Place::Segment {
                segment: 1,
                offset: u32::MAX,
                len: 3,
                sum: 4,
            },
            Place::File {
                name: Uuid::from_u128(7),
                len: u64::MAX,
                sum: 9,
            },
        ] {
            assert_eq!(place.to_string().parse(), Ok(place));
        }
        for text in ["", "inlined", "segment 1 2 3", "file x 1 2", "segment 1 2 3 -4"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_flipped_octet_is_damage() {
        let octets = encode(&vec![1, 2, 3]);
        assert_eq!(decode::<Vec<u32>>(&octets), Ok(vec![1, 2, 3]));
        for index in 0..octets.len() {
            let mut damaged = octets.clone();
            damaged[index] ^= 0x10;
            assert!(decode::<Vec<u32>>(&damaged).is_err(), "octet {index}");
        }
    }
}
