//! Delivery sets and messages put together: from rows of the database, or from what the journal has in memory.

use bytes::Bytes;
use rusqlite::Row;

use super::journal::young::{YoungMessage, YoungSet};
use super::record::{self, Damage, SetRow};
use crate::mail::MessageId;
use crate::spool::SpoolFault;
use crate::spool::message::{DeliverySet, Progress, SetState, StoredMessage, StoredSet};
use crate::spool::roster::Roster;

/// Columns that [`SetColumns`] is read from.
pub(super) const SET_COLUMNS: &str = "SELECT s.id, s.message, s.recipients, s.row, t.state, s.roster, length(s.roster) \
                           FROM sets s LEFT JOIN states t ON t.id = s.id";

/// Whether a set comes with its roster.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum RosterWanted {
    /// Yes.
    Read,
    /// No; it is only looked at.
    CheckedOnly,
}

/// A `sets` row with its state, as read.
pub(super) struct SetColumns {
    pub(super) id: i64,
    pub(super) no: i64,
    recipients: u32,
    row: Vec<u8>,
    state: Option<Vec<u8>>,
    /// None if it is too large to be checked now.
    roster: Option<Vec<u8>>,
}

impl SetColumns {
    /// Reads [`SET_COLUMNS`].
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            no: row.get(1)?,
            recipients: row.get(2).unwrap_or(u32::MAX),
            row: record::octets(row, 3)?,
            state: record::octets_or_null(row, 4)?,
            roster: record::octets_or_null(row, 5)?,
        })
    }

    /// Its message, if the row can still say so.
    pub(super) fn message(&self) -> Option<MessageId> {
        let row: SetRow = record::decode(&self.row).ok()?;
        Some(row.message)
    }

    /// The set, with the rows of its progress.
    pub(super) fn join(self, rows: Vec<(i64, Vec<u8>)>, wanted: RosterWanted) -> Result<StoredSet, Damage> {
        let row: SetRow = record::decode(&self.row)?;
        let state: SetState = self.state.as_deref().map_or(Ok(SetState::default()), record::decode)?;
        let progress = rows
            .into_iter()
            .map(|(no, octets)| Ok((no as u64, record::decode::<Progress>(&octets)?)))
            .collect::<Result<Vec<_>, Damage>>()?;
        let roster = match &self.roster {
            Some(octets) => Some(Roster::decode(octets).map_err(|fault| Damage(fault.to_string()))?),
            None => None,
        };
        let fits = roster.as_ref().is_none_or(|roster| roster.len() == self.recipients);
        if row.id.0 as i64 != self.id || !fits {
            return Err(Damage("its parts do not belong together".to_owned()));
        }
        let roster = match wanted {
            RosterWanted::Read => roster.unwrap_or_default(),
            RosterWanted::CheckedOnly => Roster::default(),
        };
        let set: DeliverySet = row.join(roster);
        Ok(StoredSet {
            set,
            recipients: self.recipients,
            state,
            progress,
        })
    }
}

/// A set of a message of the journal.
pub(super) fn join_young(young: YoungSet, wanted: RosterWanted) -> Result<StoredSet, SpoolFault> {
    let id = young.accepted.id;
    let columns = SetColumns {
        id: id.0 as i64,
        no: 0,
        recipients: young.accepted.recipients,
        row: young.accepted.row,
        state: young.state,
        roster: Some(young.accepted.roster.into()),
    };
    columns
        .join((1..).zip(young.progress).collect(), wanted)
        .map_err(|Damage(why)| SpoolFault::Unreadable(format!("set {id} in memory: {why}")))
}

/// A message of the journal, and its content if that is in the row.
pub(super) fn join_young_message(young: YoungMessage) -> Result<(StoredMessage, Option<Bytes>), SpoolFault> {
    let accepted = young.accepted;
    let mut message: StoredMessage = record::decode(&accepted.row)
        .map_err(|Damage(why)| SpoolFault::Unreadable(format!("message {} in memory: {why}", accepted.id)))?;
    message.prefix = accepted.prefix;
    Ok((message, accepted.inline))
}
