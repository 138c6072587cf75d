//! The trace: tracking events after they have left the spool, and the rosters that their ranks speak of.
//!
//! In: events with their outbox numbers. Out: the story of a message, of an hour, of a recipient.
//! Never: an event twice. Numbers only go up; what was stored before a crash is passed over after it.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::StoreFault;
use crate::mail::{Mailbox, MessageId, SetId};
use crate::spool::promise::wait;
use crate::spool::roster::Roster;
use crate::spool::{Spool, SpoolFault};
use crate::track::{Event, EventKind};

/// A span of time: `from` is in it, `until` is not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TraceWindow {
    /// First moment.
    pub from: Timestamp,
    /// First moment after it.
    pub until: Timestamp,
}

impl TraceWindow {
    /// All time.
    pub const ALL: Self = Self {
        from: Timestamp::MIN,
        until: Timestamp::MAX,
    };

    /// True if the moment is in it.
    #[must_use]
    pub fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.until
    }
}

/// Keeps tracking events. Methods block; call them beside the mail path.
pub trait TraceStore: Send + Sync + 'static {
    /// Appends events with their outbox numbers, and the encoded rosters of sets whose QUEUE event is among
    /// them, in one commit. Events up to [`TraceStore::stored_through`] are passed over.
    fn append(&self, events: &[(u64, Event)], rosters: &[(SetId, Vec<u8>)]) -> Result<(), StoreFault>;

    /// The highest outbox number stored; 0 if none.
    fn stored_through(&self) -> Result<u64, StoreFault>;

    /// All events of a message, in order.
    fn of_message(&self, id: MessageId) -> Result<Vec<Event>, StoreFault>;

    /// Events of a window with a number above `after`, in the order of numbers.
    fn between(&self, window: TraceWindow, after: u64, count_max: usize) -> Result<Vec<(u64, Event)>, StoreFault>;

    /// Messages that were addressed, refused, queued or failed for a recipient in a window, newest first.
    fn of_recipient(
        &self,
        recipient: &Mailbox,
        window: TraceWindow,
        count_max: usize,
    ) -> Result<Vec<MessageId>, StoreFault>;

    /// The roster of a set of a message, if it was stored.
    fn roster(&self, message: MessageId, set: SetId) -> Result<Option<Roster>, StoreFault>;

    /// The message that a set belonged to, if its roster was stored; the newest, should a number have come twice.
    fn message_of(&self, set: SetId) -> Result<Option<MessageId>, StoreFault>;

    /// Removes what is older than `before`; returns how many events.
    fn prune(&self, before: Timestamp) -> Result<u64, StoreFault>;
}

/// A trace store shared by its writer and those who ask.
pub type SharedTraceStore = Arc<dyn TraceStore>;

/// Why events could not be moved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoveFault {
    /// The spool cannot say or forget.
    #[error(transparent)]
    Spool(#[from] SpoolFault),
    /// The trace cannot keep.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

/// Moves up to `count_max` events from the spool's outbox into the trace; returns how many. Blocks on both.
///
/// Stored first, forgotten then: a crash between the two moves them again, and the trace passes them over.
pub fn move_events(spool: &dyn Spool, trace: &dyn TraceStore, count_max: usize) -> Result<usize, MoveFault> {
    move_events_and(spool, trace, count_max, |_| ())
}

/// [`move_events`], showing the events between the two steps: once each, but for those that a crash moves again.
pub fn move_events_and(
    spool: &dyn Spool,
    trace: &dyn TraceStore,
    count_max: usize,
    stored: impl FnOnce(&[(u64, Event)]),
) -> Result<usize, MoveFault> {
    let events = spool.outbox(count_max)?;
    let Some(last) = events.last().map(|(number, _)| *number) else {
        return Ok(0);
    };
    let mut rosters = Vec::new();
    for (_, event) in &events {
        if let EventKind::Queue { set, .. } = event.kind {
            match spool.roster_octets(set) {
                Ok(octets) => rosters.push((set, octets)),
                // Already moved before a crash, or set aside: the events are worth keeping without it.
                Err(SpoolFault::Missing(_) | SpoolFault::Unreadable(_)) => {}
                Err(fault) => return Err(fault.into()),
            }
        }
    }
    trace.append(&events, &rosters)?;
    stored(&events);
    wait(spool.outbox_stored(last))?;
    Ok(events.len())
}

/// Which message and when, for each QUEUE event of a batch.
pub(crate) fn queued(events: &[(u64, Event)]) -> HashMap<SetId, (MessageId, Timestamp)> {
    let mut sets = HashMap::new();
    for (_, event) in events {
        if let EventKind::Queue { set, .. } = event.kind {
            sets.insert(set, (event.message, event.at));
        }
    }
    sets
}

/// Addresses that an event names as recipients.
pub(crate) fn recipients(kind: &EventKind) -> Vec<&str> {
    match kind {
        EventKind::Receive { recipients, .. } => recipients.iter().map(String::as_str).collect(),
        EventKind::Refuse { recipient, .. } => recipient.iter().map(String::as_str).collect(),
        EventKind::Drop { recipient, .. } | EventKind::Branch { recipient, .. } | EventKind::Fail { recipient, .. } => {
            vec![recipient]
        }
        EventKind::Expand { group, .. } | EventKind::Hold { group, .. } => vec![group],
        EventKind::Note { .. }
        | EventKind::Decide { .. }
        | EventKind::Vote { .. }
        | EventKind::Queue { .. }
        | EventKind::Send { .. }
        | EventKind::Defer { .. }
        | EventKind::Report { .. }
        | EventKind::Done => Vec::new(),
    }
}

/// An address as it is looked up: folded if it is a mailbox, else in lower case.
pub(crate) fn folded(address: &str) -> String {
    match Mailbox::parse(address) {
        Ok(mailbox) => mailbox.key().as_str().to_owned(),
        Err(_) => address.to_ascii_lowercase(),
    }
}

/// True if a roster names a recipient.
pub(crate) fn names(roster: &Roster, recipient: &Mailbox) -> bool {
    let key = recipient.key();
    roster.iter().any(|(_, _, path)| {
        // Nearly all paths differ only in ASCII case, if at all; parsing each would be a hundred times slower.
        path.eq_ignore_ascii_case(recipient.as_str())
            || ((!path.is_ascii() || path.starts_with('"')) && folded(path) == key.as_str())
    })
}

#[cfg(test)]
pub(crate) mod contract {
    //! What every trace store must do.

    use super::*;
    use crate::env::Env;
    use crate::spool::contract::{Sample, accept, moment, settlement};
    use crate::spool::memory::MemorySpool;

    /// Runs all of it on an empty store.
    pub(crate) fn check(trace: &dyn TraceStore) {
        let spool = MemorySpool::new(Env::system());
        let samples = [Sample::new(&spool, 3), Sample::new(&spool, 2_000)];
        for sample in &samples {
            accept(&spool, sample);
            wait(spool.settle(settlement(sample.set().id, true))).expect("settles");
        }
        let events = spool.outbox(100).expect("reads");
        assert_eq!(move_events(&spool, trace, 4).as_ref(), Ok(&4));
        assert_eq!(trace.stored_through(), Ok(events[3].0));
        trace.append(&events[..5], &[]).expect("passes over what it has");
        assert_eq!(
            move_events(&spool, trace, 100),
            Ok(2),
            "the outbox did not hear of the fifth"
        );
        assert_eq!(move_events(&spool, trace, 100), Ok(0));

        let all: Vec<Event> = events.iter().map(|(_, event)| event.clone()).collect();
        let found: Vec<Event> = samples
            .iter()
            .flat_map(|sample| trace.of_message(sample.id()).expect("reads"))
            .collect();
        assert_eq!(found, all, "each once");
        assert_eq!(trace.between(TraceWindow::ALL, 0, 100), Ok(events.clone()));
        assert_eq!(
            trace.between(TraceWindow::ALL, events[1].0, 2),
            Ok(events[2..4].to_vec())
        );
        let first = TraceWindow {
            from: moment(2),
            until: moment(3),
        };
        assert_eq!(trace.between(first, 0, 100).expect("reads").len(), 4, "all but DONE");

        for sample in &samples {
            let stored = trace.roster(sample.id(), sample.set().id).expect("reads");
            assert_eq!(stored.as_ref(), Some(&sample.set().roster));
        }
        for sample in &samples {
            assert_eq!(trace.message_of(sample.set().id), Ok(Some(sample.id())));
        }
        assert_eq!(trace.message_of(SetId(987_654_321)), Ok(None));
        assert_eq!(trace.roster(samples[0].id(), samples[1].set().id), Ok(None));
        for (address, expected) in [
            ("all@contoso.example", vec![samples[1].id(), samples[0].id()]),
            ("ALL@Contoso.example", vec![samples[1].id(), samples[0].id()]),
            ("member1@contoso.example", vec![samples[1].id(), samples[0].id()]),
            ("Member1999@contoso.example", vec![samples[1].id()]),
            ("nobody@contoso.example", vec![]),
        ] {
            let mailbox = Mailbox::parse(address).expect("valid");
            assert_eq!(trace.of_recipient(&mailbox, first, 10), Ok(expected), "{address}");
            let later = TraceWindow {
                from: moment(3),
                ..TraceWindow::ALL
            };
            assert_eq!(trace.of_recipient(&mailbox, later, 10), Ok(vec![]), "{address}");
        }
        let pruned = trace.prune(moment(3)).expect("prunes");
        assert!(pruned >= 4, "{pruned}");
        assert_eq!(trace.roster(samples[0].id(), samples[0].set().id), Ok(None));
        assert_eq!(trace.stored_through(), Ok(events[5].0), "numbers are remembered");
    }
}
