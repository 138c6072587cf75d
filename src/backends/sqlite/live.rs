//! The messages of the spool in memory: row number, place of the content, and what keeps each alive.
//!
//! Written by the committer, read by readers. One that is here but not committed yet is found missing by its row, or is
//! found in the journal's memory; one that has ended is gone from here no later than from the database.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::record::Place;
use crate::mail::MessageId;

/// One message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// Row number; 0 while it is in the journal and not in the database.
    pub(super) no: i64,
    /// Where its content is.
    pub(super) place: Place,
    /// Sets with open recipients.
    pub(super) sets_open: u32,
    /// Holds that wait.
    pub(super) holds_waiting: u32,
    /// Its pass is still to be made.
    pub(super) pending: bool,
    /// Its content was written or checked by this process.
    pub(super) checked: bool,
    /// Something of it is in quarantine; it never ends by itself before an operator ends it.
    pub(super) quarantined: bool,
}

impl Entry {
    /// A message that was accepted, and is in the journal only.
    pub(super) fn young(place: Place, sets_open: u32) -> Self {
        Self {
            no: 0,
            place,
            sets_open,
            holds_waiting: 0,
            pending: false,
            checked: true,
            quarantined: false,
        }
    }

    /// Nothing is left to do for it.
    pub(super) fn is_over(&self) -> bool {
        self.sets_open == 0 && self.holds_waiting == 0 && !self.pending
    }
}

/// All messages.
#[derive(Debug, Default)]
pub(super) struct Live(Mutex<HashMap<MessageId, Entry>>);

impl Live {
    /// The table itself; held for single look-ups only.
    pub(super) fn lock(&self) -> MutexGuard<'_, HashMap<MessageId, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One message.
    pub(super) fn find(&self, id: MessageId) -> Option<Entry> {
        self.lock().get(&id).copied()
    }

    /// How many.
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Bodies per segment.
    pub(super) fn segments(&self) -> HashMap<u32, u32> {
        let mut counts = HashMap::new();
        for entry in self.lock().values() {
            if let Place::Segment { segment, .. } = entry.place {
                *counts.entry(segment).or_default() += 1;
            }
        }
        counts
    }
}
