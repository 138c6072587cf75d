//! What the committer knows from one commit to the next.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use super::answer::Trouble;
use super::journal::Journal;
use super::live::Live;
use super::operation::{ReadyAcceptance, ReadyBody, ReadyOutcome};
use super::record::Place;
use super::segment::Segments;
use crate::mail::{MessageId, SetId};
use crate::spool::SpoolFault;

/// Numbers of sets that are set aside at once.
const SET_NUMBERS_KEPT: u64 = 1_024;

/// What the committer knows from one transaction to the next.
pub(super) struct State {
    pub(super) live: Arc<Live>,
    pub(super) segments: Segments,
    /// Next row number of a message.
    pub(super) next_no: i64,
    /// Next number of an event.
    pub(super) next_event: u64,
    /// Events up to this one are stored elsewhere.
    pub(super) outbox_through: u64,
    /// Sets of ended messages, by the number of the QUEUE event that still needs their roster.
    pub(super) left: BTreeMap<u64, SetId>,
    /// No set of any commit has a higher number. It goes up in large steps, so that few commits write it; a start goes
    /// on behind it.
    pub(super) set_high: u64,
    /// What of it the database holds.
    pub(super) set_kept: u64,
    /// Highest hold number in any commit.
    pub(super) hold_high: u64,
    /// Where most commits go.
    pub(super) journal: Journal,
    /// The frame up to which the database holds everything.
    pub(super) journal_through: u64,
}

impl State {
    /// What would make an acceptance impossible, its reports included.
    pub(super) fn check(&self, ready: &ReadyAcceptance) -> Result<(), SpoolFault> {
        if self.live.find(ready.id).is_some() {
            return Err(SpoolFault::Missing(format!(
                "a free id: message {} is there already",
                ready.id
            )));
        }
        ready
            .outcome
            .as_ref()
            .map_or(Ok(()), |outcome| self.check_outcome(ready.id, outcome))
    }

    /// The same of an outcome of a message.
    pub(super) fn check_outcome(&self, id: MessageId, outcome: &ReadyOutcome) -> Result<(), SpoolFault> {
        let foreign =
            outcome.sets.iter().any(|set| set.message != id) || outcome.holds.iter().any(|hold| hold.message != id);
        if foreign {
            return Err(SpoolFault::Missing(format!("a set or hold of {id} that names it")));
        }
        outcome.reports.iter().try_for_each(|report| self.check(report))
    }

    /// Puts content where it belongs.
    pub(super) fn place(&mut self, body: &ReadyBody) -> Result<Place, Trouble> {
        Ok(match body {
            ReadyBody::Inline(_) => Place::Inline,
            ReadyBody::Segment(octets, sum) => self.segments.append(octets, *sum)?,
            ReadyBody::File(body, place) => {
                // From here on a start decides whether a commit names it.
                body.keep();
                *place
            }
        })
    }

    /// A message has ended: frees its content, after the commit; a file of its own is to be removed then.
    pub(super) fn release(&mut self, place: Place) -> Option<Uuid> {
        match place {
            Place::Inline => None,
            Place::Segment { segment, .. } => {
                self.segments.release(segment);
                None
            }
            Place::File { name, .. } => Some(name),
        }
    }

    /// A set has this number.
    pub(super) fn raise_set_high(&mut self, set: SetId) {
        if set.0 > self.set_high {
            self.set_high = set.0.next_multiple_of(SET_NUMBERS_KEPT);
        }
    }

    /// True if the database has rosters that go when events up to `number` are stored elsewhere.
    pub(super) fn has_left(&self, number: u64) -> bool {
        self.left.first_key_value().is_some_and(|(queued, _)| *queued <= number)
    }

    /// Up to which event the outbox may be forgotten if somebody says `number`: none that is not committed yet, and
    /// never fewer than before.
    pub(super) fn storable(&self, number: u64, committed: u64) -> u64 {
        number.min(committed).max(self.outbox_through)
    }
}
