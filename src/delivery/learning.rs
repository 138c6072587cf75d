//! What next hops say about single recipients, passed on to whoever keeps it.
//!
//! In: a batch with what became of it. Out: lessons, off the delivery path. Never: delivery that waits for the store
//! of the directory; a lesson for every recipient of a large list (only those already doubted are told as taken).

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender, TrySendError};

use jiff::Timestamp;

use super::account::Done;
use super::verdict::Verdict;
use crate::mail::Mailbox;
use crate::queue::ranks;
use crate::rolls::suspect::{Learner, Lesson, Suspects, Taught};

/// Batches of lessons that may wait; beyond it they are dropped: the next message teaches the same.
const LESSONS_WAITING_MAX: usize = 1_024;

/// Most lessons gathered for one call.
const LESSONS_TOGETHER_MAX: usize = 1_000;

/// Most recipients of one transaction that can be refused together and each be doubted for it, if they are more than
/// half of it.
const REFUSED_TOGETHER_MAX: usize = 10;

/// Passes lessons to a thread of its own, which ends when this is dropped.
pub struct LearningThread {
    suspects: Box<dyn Fn() -> Arc<Suspects> + Send + Sync>,
    waiting: SyncSender<Vec<Lesson>>,
}

impl LearningThread {
    /// Starts it. `suspects` tells what is known, `keep` takes lessons and may block.
    pub fn start(
        suspects: impl Fn() -> Arc<Suspects> + Send + Sync + 'static,
        keep: impl Fn(Vec<Lesson>) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (waiting, lessons) = mpsc::sync_channel::<Vec<Lesson>>(LESSONS_WAITING_MAX);
        std::thread::Builder::new()
            .name("muster-learn".to_owned())
            .spawn(move || {
                while let Ok(mut together) = lessons.recv() {
                    while together.len() < LESSONS_TOGETHER_MAX
                        && let Ok(more) = lessons.try_recv()
                    {
                        together.extend(more);
                    }
                    keep(together);
                }
            })?;
        Ok(Self {
            suspects: Box::new(suspects),
            waiting,
        })
    }
}

impl Learner for LearningThread {
    fn suspects(&self) -> Arc<Suspects> {
        (self.suspects)()
    }

    fn learn(&self, lessons: Vec<Lesson>) {
        match self.waiting.try_send(lessons) {
            Ok(()) => {}
            Err(TrySendError::Full(lost)) => {
                tracing::warn!(lessons = lost.len(), "lessons about refused recipients are dropped");
            }
            // The service stops.
            Err(TrySendError::Disconnected(_)) => {}
        }
    }
}

/// What a batch teaches.
pub(super) fn lessons(done: &Done, suspects: &Suspects, now: Timestamp) -> Vec<Lesson> {
    let mut lessons = Vec::new();
    let lesson = |rank: u32, verdict: Taught| {
        let address = Mailbox::parse(&done.address(rank)).ok()?;
        Some(Lesson {
            address,
            message: done.batch.message,
            at: now,
            verdict,
        })
    };
    let refused: HashSet<u32> = done.verdicts.refused().iter().copied().collect();
    let recipients: usize = done
        .verdicts
        .runs()
        .iter()
        .map(|run| ranks::each(&run.ranks).count())
        .sum();
    // A hop that refuses nearly everybody is set up wrongly: that says nothing about the recipients.
    let hop_refuses = refused.len() > REFUSED_TOGETHER_MAX && refused.len() * 2 > recipients;
    for run in done.verdicts.runs() {
        match &run.verdict {
            Verdict::Failed(..) if hop_refuses => {}
            Verdict::Failed(_, reply) => {
                let refused = ranks::each(&run.ranks).filter(|rank| refused.contains(rank));
                lessons.extend(refused.filter_map(|rank| lesson(rank, Taught::Refused(reply.clone()))));
            }
            Verdict::Relayed(_) if !suspects.is_empty() => {
                let taken = ranks::each(&run.ranks).filter_map(|rank| lesson(rank, Taught::Taken));
                lessons.extend(taken.filter(|lesson| suspects.of(&lesson.address.key()).is_some()));
            }
            Verdict::Relayed(_) | Verdict::Deferred(..) | Verdict::Dropped(_) | Verdict::Untried => {}
        }
    }
    lessons
}
