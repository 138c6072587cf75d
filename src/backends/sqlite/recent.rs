//! Events of the last commits, kept in memory for the trace writer: what was just written need not be read back.
//!
//! In: committed events, in the order of their numbers. Out: a run of them that follows on what is stored elsewhere.
//! Never: an event that no commit holds; a gap. Whoever finds nothing here reads the outbox.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::limits::{OUTBOX_RECENT_EVENTS_MAX, OUTBOX_RECENT_OCTETS_MAX};
use crate::track::Event;

/// An event with the octets of its line, which tell how much memory it takes.
pub(super) type Sized = (usize, Event);

/// The newest events of the outbox, without gaps.
#[derive(Default)]
pub(super) struct Recent {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    events: VecDeque<(u64, Sized)>,
    octets: usize,
}

impl Kept {
    fn pop(&mut self) -> Option<(u64, Sized)> {
        let oldest = self.events.pop_front()?;
        self.octets -= oldest.1.0;
        Some(oldest)
    }

    fn front(&self) -> Option<u64> {
        self.events.front().map(|(number, _)| *number)
    }
}

impl Recent {
    /// Adds what a commit held; its first event has the number `first`.
    pub(super) fn add(&self, first: u64, events: Vec<Sized>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.octets += events.iter().map(|(octets, _)| octets).sum::<usize>();
        kept.events.extend((first..).zip(events));
        while kept.events.len() > OUTBOX_RECENT_EVENTS_MAX || kept.octets > OUTBOX_RECENT_OCTETS_MAX {
            kept.pop();
        }
    }

    /// Takes up to `count_max` events from number `through` + 1 on; none if that one is not here.
    ///
    /// They are given once: who asks again before they are stored reads them from the outbox.
    pub(super) fn take(&self, through: u64, count_max: usize) -> Option<Vec<(u64, Event)>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        while kept.front().is_some_and(|number| number <= through) {
            kept.pop();
        }
        if kept.front() != Some(through + 1) {
            return None;
        }
        let one = || kept.pop().map(|(number, (_, event))| (number, event));
        Some(std::iter::from_fn(one).take(count_max).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::MessageId;
    use crate::track::EventKind;

    fn events(count: usize) -> Vec<Sized> {
        sized(count, 100)
    }

    fn sized(count: usize, octets: usize) -> Vec<Sized> {
        let event = Event {
            at: "2026-11-21T07:21:30Z".parse().expect("a time"),
            message: MessageId(uuid::Uuid::nil()),
            kind: EventKind::Done,
        };
        vec![(octets, event); count]
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

    #[test]
    fn large_events_take_no_more_memory_than_small_ones() {
        let recent = Recent::default();
        recent.add(1, sized(5, OUTBOX_RECENT_OCTETS_MAX / 4));
        assert_eq!(numbers(recent.take(0, 9)), None, "four have room");
        assert_eq!(numbers(recent.take(1, 9)), Some(vec![2, 3, 4, 5]));
    }
}
