//! The trace writer: moves committed events from the spool's outbox into the trace, and logs them.
//!
//! In: the outbox, looked at in a short interval (a nudge for each commit would make each a commit of the
//! trace's own), in a longer one while much happens. Out: every event stored once and logged once; logged again only after a crash between the two.
//! Never: on the mail path; an event lost because the trace is away: it stays in the outbox, and the spool
//! refuses new mail before the outbox outgrows its bound.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;

use super::log::gathered;
use super::tracked::log_event;
use crate::limits;
use crate::spool::{SharedSpool, Spool};
use crate::store::trace::{MoveFault, SharedTraceStore, TraceStore, move_events_and};
use crate::track::Event;

/// A running trace writer: one thread of its own, for both sides block. Dropping it stops it.
#[derive(Debug)]
pub struct TraceWriter {
    /// Gone when the thread is told to end.
    running: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl TraceWriter {
    /// Starts it.
    pub fn start(spool: SharedSpool, trace: SharedTraceStore) -> std::io::Result<Self> {
        let (running, ended) = channel();
        let thread = std::thread::Builder::new()
            .name("trace".to_owned())
            .spawn(move || run(&*spool, &*trace, &ended))?;
        Ok(Self {
            running: Some(running),
            thread: Some(thread),
        })
    }

    /// Moves what is there and ends. Blocks until then. Events that cannot be moved stay in the outbox.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for TraceWriter {
    fn drop(&mut self) {
        drop(self.running.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the trace writer ended before it was told to; events stay in the spool");
        }
    }
}

fn run(spool: &dyn Spool, trace: &dyn TraceStore, ended: &Receiver<()>) {
    let mut pause = limits::TRACE_MOVE_INTERVAL;
    while ended.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
        // What has arrived meanwhile waits, or every move would be small.
        pause = match move_all(spool, trace, limits::TRACE_MOVE_EVENTS_MAX) {
            Ok(moved) if moved >= limits::TRACE_MOVE_BUSY_EVENTS => limits::TRACE_MOVE_BUSY_INTERVAL,
            Ok(_) => limits::TRACE_MOVE_INTERVAL,
            Err(fault) => {
                let longer = (pause * 2).min(limits::TRACE_MOVE_PAUSE_MAX);
                let retry_seconds = longer.as_secs_f64();
                tracing::error!(%fault, retry_seconds, "tracking events cannot be stored and wait in the spool");
                longer
            }
        };
    }
    if let Err(fault) = move_all(spool, trace, 1) {
        tracing::error!(%fault, "tracking events stay in the spool until the next start");
    }
}

/// Moves what is there, until a move finds fewer than `enough`; returns how many events.
fn move_all(spool: &dyn Spool, trace: &dyn TraceStore, enough: usize) -> Result<usize, MoveFault> {
    let log = |events: &[(u64, Event)]| gathered(|| events.iter().for_each(|(_, event)| log_event(event)));
    let mut moved = 0;
    loop {
        let count = move_events_and(spool, trace, limits::TRACE_MOVE_EVENTS_MAX, log)?;
        moved += count;
        if count < enough {
            return Ok(moved);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use uuid::Uuid;

    use super::*;
    use crate::env::Env;
    use crate::mail::MessageId;
    use crate::spool::memory::MemorySpool;
    use crate::spool::promise::wait;
    use crate::store::StoreFault;
    use crate::store::memory::MemoryTraceStore;
    use crate::store::trace::TraceWindow;
    use crate::track::EventKind;

    fn events(count: u128) -> Vec<Event> {
        let event = |number| Event {
            at: "2026-11-21T07:21:30Z".parse().expect("a time"),
            message: MessageId(Uuid::from_u128(number)),
            kind: EventKind::Done,
        };
        (0..count).map(event).collect()
    }

    #[test]
    fn moves_everything_and_empties_the_outbox() {
        let spool: SharedSpool = Arc::new(MemorySpool::new(Env::system()));
        let trace: SharedTraceStore = Arc::new(MemoryTraceStore::new());
        let writer = TraceWriter::start(Arc::clone(&spool), Arc::clone(&trace)).expect("a thread");
        let count = limits::TRACE_MOVE_EVENTS_MAX + 500;
        spool.record(events(count as u128));
        // Commits answer in order: when this one has, the events are in the outbox.
        wait(spool.outbox_stored(0)).expect("nothing to remove");
        writer.stop();
        let stored = trace.between(TraceWindow::ALL, 0, count + 1).expect("reads");
        assert_eq!(stored.len(), count);
        assert!(spool.outbox(1).expect("reads").is_empty());
    }

    /// A trace that cannot be written.
    struct Away(MemoryTraceStore);

    impl TraceStore for Away {
        fn append(&self, _: &[(u64, Event)], _: &[(crate::mail::SetId, Vec<u8>)]) -> Result<(), StoreFault> {
            Err(StoreFault::Unreadable("trace.db".to_owned()))
        }

        fn stored_through(&self) -> Result<u64, StoreFault> {
            self.0.stored_through()
        }

        fn of_message(&self, id: MessageId) -> Result<Vec<Event>, StoreFault> {
            self.0.of_message(id)
        }

        fn between(&self, window: TraceWindow, after: u64, count_max: usize) -> Result<Vec<(u64, Event)>, StoreFault> {
            self.0.between(window, after, count_max)
        }

        fn of_recipient(
            &self,
            recipient: &crate::mail::Mailbox,
            window: TraceWindow,
            count_max: usize,
        ) -> Result<Vec<MessageId>, StoreFault> {
            self.0.of_recipient(recipient, window, count_max)
        }

        fn roster(
            &self,
            message: MessageId,
            set: crate::mail::SetId,
        ) -> Result<Option<crate::spool::roster::Roster>, StoreFault> {
            self.0.roster(message, set)
        }

        fn message_of(&self, set: crate::mail::SetId) -> Result<Option<MessageId>, StoreFault> {
            self.0.message_of(set)
        }

        fn prune(&self, before: jiff::Timestamp) -> Result<u64, StoreFault> {
            self.0.prune(before)
        }
    }

    #[test]
    fn events_wait_while_the_trace_is_away() {
        let spool: SharedSpool = Arc::new(MemorySpool::new(Env::system()));
        let writer = TraceWriter::start(Arc::clone(&spool), Arc::new(Away(MemoryTraceStore::new()))).expect("a thread");
        spool.record(events(3));
        wait(spool.outbox_stored(0)).expect("nothing to remove");
        writer.stop();
        assert_eq!(spool.outbox(10).expect("reads").len(), 3);
        let trace = Arc::new(MemoryTraceStore::new());
        TraceWriter::start(Arc::clone(&spool), Arc::clone(&trace) as SharedTraceStore)
            .expect("a thread")
            .stop();
        assert_eq!(
            trace.between(TraceWindow::ALL, 0, 10).expect("reads").len(),
            3,
            "stop moves what is there"
        );
    }
}
