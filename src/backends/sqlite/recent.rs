//! Events of the last commits, kept in memory for the trace writer: what was just written need not be read back.
//!
//! In: committed events, in the order of their numbers. Out: a run of them that follows on what is stored elsewhere.
//! Never: an event that no commit holds; a gap. Whoever finds nothing here reads the outbox.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::limits::OUTBOX_RECENT_EVENTS_MAX;
use crate::track::Event;

/// The newest events of the outbox, without gaps.
#[derive(Default)]
pub(super) struct Recent {
    events: Mutex<VecDeque<(u64, Event)>>,
}

impl Recent {
    /// Adds what a commit held; its first event has the number `first`.
    pub(super) fn add(&self, first: u64, events: Vec<Event>) {
        let mut kept = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend((first..).zip(events));
        let over = kept.len().saturating_sub(OUTBOX_RECENT_EVENTS_MAX);
        kept.drain(..over);
    }

    /// Takes up to `count_max` events from number `through` + 1 on; none if that one is not here.
    ///
    /// They are given once: who asks again before they are stored reads them from the outbox.
    pub(super) fn take(&self, through: u64, count_max: usize) -> Option<Vec<(u64, Event)>> {
        let mut kept = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let stored = kept.partition_point(|(number, _)| *number <= through);
        kept.drain(..stored);
        if kept.front().is_none_or(|(number, _)| *number != through + 1) {
            return None;
        }
        let count = kept.len().min(count_max);
        Some(kept.drain(..count).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::MessageId;
    use crate::track::EventKind;

    fn events(count: usize) -> Vec<Event> {
        let event = Event {
            at: "2026-11-21T07:21:30Z".parse().expect("a time"),
            message: MessageId(uuid::Uuid::nil()),
            kind: EventKind::Done,
        };
        vec![event; count]
    }

    fn numbers(taken: Option<Vec<(u64, Event)>>) -> Option<Vec<u64>> {
        taken.map(|taken| taken.into_iter().map(|(number, _)| number).collect())
    }

    #[test]
    fn gives_what_follows_and_only_once() {
        let recent = Recent::default();
        recent.add(1, events(2));
        recent.add(3, events(3));
        assert_eq!(numbers(recent.take(0, 2)), Some(vec![1, 2]));
        assert_eq!(
            numbers(recent.take(0, 2)),
            None,
            "1 was given: it is read from the outbox"
        );
        assert_eq!(numbers(recent.take(2, 9)), Some(vec![3, 4, 5]));
        recent.add(6, events(2));
        assert_eq!(
            numbers(recent.take(6, 9)),
            Some(vec![7]),
            "6 came to the trace another way"
        );
        recent.add(8, events(OUTBOX_RECENT_EVENTS_MAX + 5));
        assert_eq!(numbers(recent.take(7, 9)), None, "the oldest have made room");
    }
}
