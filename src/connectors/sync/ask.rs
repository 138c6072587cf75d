//! Questions about the past: versions of a list, who was in it, when a value changed, who did what.
//!
//! In: a group or person, a time. Out: what the store and the view know together. Never: an answer across a gap in
//! the history: it says how far back it reaches.

use std::collections::HashMap;

use jiff::Timestamp;

use super::DirectoryKeeper;
use crate::directory::{Ordinal, SourceId};
use crate::rolls::Difference;
use crate::rolls::Roll;
use crate::rolls::history::{self, HistoryFault, Past};
use crate::store::StoreFault;
use crate::store::life::{AttributeChange, AuditEntry, FormerRoll, GoneRow, HistoryQuery};

/// Why a question about the past has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskFault {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// What is stored does not fit together.
    #[error(transparent)]
    History(#[from] HistoryFault),
    /// The group has no list, and had none that is remembered.
    #[error("the group has no list yet")]
    NoRoll,
}

impl DirectoryKeeper {
    /// A group's versions as differences, newest first.
    pub fn history(&self, group: Ordinal, query: HistoryQuery) -> Result<Vec<Difference>, AskFault> {
        Ok(self.store.history(group, query)?)
    }

    /// Who was in a list at a time.
    pub fn entries_at(&self, group: Ordinal, time: Timestamp) -> Result<Past, AskFault> {
        let roll = self.roll_or_former(group)?;
        let differences = self.store.history(group, HistoryQuery::back_to(time))?;
        Ok(history::at(&roll, &differences, time)?)
    }

    /// The list of a version.
    pub fn entries_of_version(&self, group: Ordinal, version: u64) -> Result<Past, AskFault> {
        let roll = self.roll_or_former(group)?;
        let differences = self.store.history(group, HistoryQuery::default())?;
        Ok(history::back_to_version(&roll, &differences, version)?)
    }

    fn roll_or_former(&self, group: Ordinal) -> Result<Roll, AskFault> {
        if let Some(roll) = self.view().roll(group) {
            return Ok((**roll).clone());
        }
        let former: Option<FormerRoll> = self.store.former_roll(group)?;
        Ok(former.ok_or(AskFault::NoRoll)?.roll)
    }

    /// People and groups that are gone, as they were called last.
    pub fn gone(&self, ordinals: &[Ordinal]) -> Result<HashMap<Ordinal, GoneRow>, AskFault> {
        let rows = self.store.gone(ordinals)?;
        Ok(rows.into_iter().map(|row| (row.ordinal, row)).collect())
    }

    /// The last change of each value of an object, as far as it is remembered.
    pub fn attribute_changes(&self, object: Ordinal) -> Result<Vec<AttributeChange>, AskFault> {
        Ok(self.store.attribute_changes(object)?)
    }

    /// Who decided what, newest first; about one subject, or all.
    pub fn audit(&self, subject: Option<&str>, count_max: usize) -> Result<Vec<AuditEntry>, AskFault> {
        Ok(self.store.audit(subject, count_max)?)
    }

    /// When a source spoke last.
    #[must_use]
    pub fn heard_at(&self, source: &SourceId) -> Option<Timestamp> {
        self.state().heard.get(source).copied()
    }
}
