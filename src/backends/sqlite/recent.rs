//! Events of the last commits, and rosters of the sets among them, kept in memory for the trace writer: what was just
//! written need not be read back.
//!
//! In: committed events, in the order of their numbers. Out: a run of them that follows on what is stored elsewhere.
//! Never: an event that no commit holds; a gap. Whoever finds nothing here reads the outbox.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::limits::{OUTBOX_RECENT_EVENTS_MAX, OUTBOX_RECENT_OCTETS_MAX};
use crate::mail::SetId;
use crate::track::{Event, EventKind};

/// A committed event, and the roster of its set if it is a QUEUE event.
#[derive(Clone)]
pub(super) struct Newest {
    /// Octets of its line and its roster, which tell how much memory it takes.
    octets: usize,
    event: Event,
    roster: Option<Bytes>,
}

impl Newest {
    /// An event whose line has `octets`.
    pub(super) fn new(octets: usize, event: Event) -> Self {
        Self {
            octets,
            event,
            roster: None,
        }
    }

    /// Keeps the encoded roster of its set.
    pub(super) fn keep_roster(&mut self, roster: Bytes) {
        self.octets += roster.len();
        self.roster = Some(roster);
    }
}

/// The newest events of the outbox, without gaps.
#[derive(Default)]
pub(super) struct Recent {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    events: VecDeque<(u64, Newest)>,
    octets: usize,
    /// Number of the event after the newest that any commit held; 0 before the first commit.
    next: u64,
    /// Rosters of the sets whose QUEUE events were given last.
    given: HashMap<SetId, Bytes>,
}

impl Kept {
    fn pop(&mut self) -> Option<(u64, Newest)> {
        let oldest = self.events.pop_front()?;
        self.octets -= oldest.1.octets;
        Some(oldest)
    }

    fn give(&mut self) -> Option<(u64, Event)> {
        let (number, Newest { event, roster, .. }) = self.pop()?;
        if let (EventKind::Queue { set, .. }, Some(roster)) = (&event.kind, roster) {
            self.given.insert(*set, roster);
        }
        Some((number, event))
    }

    fn front(&self) -> u64 {
        self.events.front().map_or(self.next, |(number, _)| *number)
    }
}

impl Recent {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds what a commit held; its first event has the number `first`.
    pub(super) fn add(&self, first: u64, events: Vec<Newest>) {
        let mut kept = self.kept();
        kept.next = first + events.len() as u64;
        kept.octets += events.iter().map(|newest| newest.octets).sum::<usize>();
        kept.events.extend((first..).zip(events));
        while kept.events.len() > OUTBOX_RECENT_EVENTS_MAX || kept.octets > OUTBOX_RECENT_OCTETS_MAX {
            kept.pop();
        }
    }

    /// Takes up to `count_max` events from number `through` + 1 on; none if that one is not here, though there may be one.
    ///
    /// They are given once: who asks again before they are stored reads them from the outbox.
    pub(super) fn take(&self, through: u64, count_max: usize) -> Option<Vec<(u64, Event)>> {
        let mut kept = self.kept();
        kept.given.clear();
        while !kept.events.is_empty() && kept.front() <= through {
            kept.pop();
        }
        if kept.front() != through + 1 {
            return None;
        }
        Some(std::iter::from_fn(|| kept.give()).take(count_max).collect())
    }

    /// The encoded roster of a set whose QUEUE event was among those taken last. It is given once.
    pub(super) fn take_roster(&self, set: SetId) -> Option<Bytes> {
        self.kept().given.remove(&set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::MessageId;

    fn events(count: usize) -> Vec<Newest> {
        sized(count, 100)
    }

    fn sized(count: usize, octets: usize) -> Vec<Newest> {
        let event = Event {
            at: "2026-11-21T07:21:30Z".parse().expect("a time"),
            message: MessageId(uuid::Uuid::nil()),
            kind: EventKind::Done,
        };
        vec![Newest::new(octets, event); count]
    }

    fn numbers(taken: Option<Vec<(u64, Event)>>) -> Option<Vec<u64>> {
        taken.map(|taken| taken.into_iter().map(|(number, _)| number).collect())
    }

    #[test]
    fn knows_nothing_of_what_was_there_before_it() {
        assert_eq!(numbers(Recent::default().take(0, 9)), None);
    }

    #[test]
    fn rosters_go_with_their_events() {
        let queue = |number: u64| {
            let mut newest = Newest::new(
                100,
                Event {
                    at: "2026-11-21T07:21:30Z".parse().expect("a time"),
                    message: MessageId(uuid::Uuid::nil()),
                    kind: EventKind::Queue {
                        set: SetId(number),
                        next_hop: "cloud".to_owned(),
                        recipients: 1,
                        reverse_path: String::new(),
                        rule: None,
                        priority: crate::mail::Priority::default(),
                    },
                },
            );
            newest.keep_roster(vec![7; OUTBOX_RECENT_OCTETS_MAX / 3].into());
            newest
        };
        let recent = Recent::default();
        recent.add(1, (1..=3).map(queue).collect());
        assert_eq!(numbers(recent.take(0, 1)), None, "rosters take room as well");
        assert_eq!(numbers(recent.take(1, 1)), Some(vec![2]));
        assert_eq!(recent.take_roster(SetId(3)), None, "its event was not taken yet");
        assert!(recent.take_roster(SetId(2)).is_some());
        assert_eq!(recent.take_roster(SetId(2)), None);
        assert_eq!(numbers(recent.take(2, 1)), Some(vec![3]));
        assert_eq!(numbers(recent.take(3, 1)), Some(vec![]));
        assert_eq!(recent.take_roster(SetId(3)), None, "nobody asked for it in time");
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
        assert_eq!(numbers(recent.take(5, 9)), Some(vec![]), "that was all there is");
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
