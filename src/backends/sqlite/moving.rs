//! When mail is moved from the journal to the database: what is old, and what takes too much room.
//!
//! Nothing is moved while it is young: most of it ends before, and is never written to the database.

use std::collections::VecDeque;
use std::time::Duration;

use super::journal::Journal;
use super::journal::young::Kept;
use crate::limits::{
    JOURNAL_AGE_MAX, JOURNAL_FILES_MAX, JOURNAL_MEMORY_OCTETS_MAX, JOURNAL_MEMORY_OCTETS_URGENT, JOURNAL_MOVE_INTERVAL,
};

/// How long a full disk is left alone before the next try.
const PAUSE: Duration = Duration::from_secs(5);

/// Frames of one [`JOURNAL_MOVE_INTERVAL`].
struct Mark {
    since: Duration,
    last: u64,
}

/// What is to be moved and when. Times are of the monotonic clock.
#[derive(Default)]
pub(super) struct Moving {
    marks: VecDeque<Mark>,
    /// Nothing is tried before this.
    paused_until: Duration,
    /// More is due now.
    is_pressed: bool,
    /// Nothing else is done before.
    is_urgent: bool,
}

impl Moving {
    /// A frame was written.
    pub(super) fn note(&mut self, now: Duration, frame: u64) {
        match self.marks.back_mut() {
            Some(mark) if now.saturating_sub(mark.since) < JOURNAL_MOVE_INTERVAL => mark.last = frame,
            Some(_) | None => self.marks.push_back(Mark {
                since: now,
                last: frame,
            }),
        }
    }

    /// The frame up to which to move now.
    pub(super) fn due(&mut self, now: Duration, journal: &Journal, kept: &Kept) -> Option<u64> {
        (self.is_pressed, self.is_urgent) = (false, false);
        if now < self.paused_until {
            return None;
        }
        let pressed = match journal.oldest(JOURNAL_FILES_MAX) {
            Some(frame) => Some(frame),
            None => (kept.octets() > JOURNAL_MEMORY_OCTETS_MAX).then(|| kept.frame()),
        };
        self.is_pressed = pressed.is_some();
        self.is_urgent =
            kept.octets() > JOURNAL_MEMORY_OCTETS_URGENT || journal.oldest(2 * JOURNAL_FILES_MAX).is_some();
        let aged = |mark: &&Mark| now.saturating_sub(mark.since) >= JOURNAL_AGE_MAX + JOURNAL_MOVE_INTERVAL;
        pressed.or_else(|| self.marks.iter().take_while(aged).last().map(|mark| mark.last))
    }

    /// Everything up to a frame was moved.
    pub(super) fn moved(&mut self, through: u64) {
        while self.marks.front().is_some_and(|mark| mark.last <= through) {
            self.marks.pop_front();
        }
    }

    /// There is no room to move anything to.
    pub(super) fn pause(&mut self, now: Duration) {
        self.is_pressed = false;
        self.paused_until = now + PAUSE;
    }

    /// True if what was due last did not suffice.
    pub(super) fn is_urgent(&self) -> bool {
        self.is_urgent
    }

    /// How long the committer may wait for operations before it asks again.
    pub(super) fn patience(&self) -> Option<Duration> {
        match self.marks.front() {
            None => None,
            Some(_) if self.is_pressed => Some(Duration::ZERO),
            Some(_) => Some(JOURNAL_MOVE_INTERVAL),
        }
    }
}
