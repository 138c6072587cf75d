//! Taking up after a restart.
//!
//! Every set comes back with its ids and progress only; rosters and contents stay in the store until a session needs
//! them. Failures that had not been reported are gathered again.

use std::sync::Arc;

use roaring::RoaringBitmap;

use super::account::settlement;
use super::dispatcher::{Shared, new_set};
use super::shelf::Loaded;
use crate::mail::MessageId;
use crate::queue::marks::SetMarks;
use crate::queue::{Masks, Notice, Past, Queue, Told};
use crate::spool::Commit;
use crate::spool::message::{Progress, RecipientOutcome, StoredSet};
use crate::track::ReportKind;

impl Shared {
    /// Queues the sets that were open.
    pub fn recover(self: &Arc<Self>, sets: Vec<StoredSet>, mut masks: Masks, marks: &[SetMarks]) {
        let now = self.now();
        let mut unreported = Vec::new();
        let mut state = self.state();
        for stored in sets {
            let destination = self.destination(&mut state, &stored.set.next_hop);
            let past = past(&stored);
            let is_closed = past.closed.len() >= u64::from(stored.recipients);
            state
                .queue
                .restore(new_set(&stored.set, stored.recipients), destination, past);
            Self::mask_new(&mut state, &mut masks, stored.set.id);
            for marks in marks.iter().filter(|marks| marks.set == stored.set.id) {
                self.mark_recovered(&mut state, marks);
            }
            if is_closed || has_unreported(&stored) {
                unreported.push(stored);
            }
        }
        for id in state.queue.destinations() {
            self.pump(&mut state, id, now);
        }
        drop(state);
        self.timer.notify_one();
        if !unreported.is_empty() {
            let shared = Arc::clone(self);
            self.runtime
                .spawn(async move { shared.recover_reports(unreported).await });
        }
    }

    /// Tells of failures again, then ends the sets that nothing holds any more.
    async fn recover_reports(self: Arc<Self>, sets: Vec<StoredSet>) {
        let mut messages = Vec::new();
        for stored in &sets {
            let id = stored.set.id;
            messages.push(stored.set.message);
            if !has_unreported(stored) {
                continue;
            }
            match self.load(id).await {
                Ok(loaded) => {
                    let told = told(stored, &loaded);
                    let now = self.now();
                    self.state().queue.tell(id, ReportKind::Failed, told, now);
                }
                Err(fault) => tracing::error!(%fault, set = %id, "failures of a set cannot be reported"),
            }
        }
        messages.dedup();
        let (commits, notices) = self.end_recovered(&sets, messages);
        for notice in notices {
            self.spawn_notice(notice);
        }
        self.timer.notify_one();
        for commit in commits {
            if let Err(fault) = commit.await {
                self.unsettled(&fault);
            }
        }
        self.quiet.notify_waiters();
    }

    /// Sets that nobody is open in and nothing is to be told of end now; so do reports that wait for nobody.
    fn end_recovered(&self, sets: &[StoredSet], messages: Vec<MessageId>) -> (Vec<Commit<()>>, Vec<Notice>) {
        let mut state = self.state();
        let mut commits = Vec::new();
        for stored in sets {
            let id = stored.set.id;
            let is_open = state.queue.set(id).is_some_and(|entry| entry.open > 0);
            if is_open || !told_everything(&state.queue, stored) {
                continue;
            }
            if let Some(standing) = state.queue.close(id).filter(|standing| standing.finished) {
                state.shelf.drop(id);
                commits.push(
                    self.spool
                        .settle(settlement(id, standing, Vec::new(), Vec::new(), Vec::new())),
                );
            }
        }
        let complete = messages
            .into_iter()
            .flat_map(|message| state.queue.notices_complete(message));
        let notices = complete.collect();
        (commits, notices)
    }
}

/// A set whose failures could not be read back must not end without its report.
fn told_everything(queue: &Queue, stored: &StoredSet) -> bool {
    let is_null = stored.set.reverse_path.is_null();
    let unreported = queue.set(stored.set.id).map_or(0, |entry| entry.unreported);
    is_null || unreported > 0 || !has_unreported(stored)
}

fn past(stored: &StoredSet) -> Past {
    let mut closed = RoaringBitmap::new();
    let mut deferred = RoaringBitmap::new();
    for (_, row) in &stored.progress {
        let ranks = row.first..=row.last;
        if row.outcome.is_final() {
            closed.insert_range(ranks.clone());
            deferred.remove_range(ranks);
        } else {
            deferred.insert_range(ranks);
        }
    }
    deferred -= &closed;
    Past {
        closed,
        deferred,
        attempts: stored.state.attempts,
        next_attempt_at: stored.state.next_attempt_at,
        delay_reported: stored.state.delay_reported,
        rows: stored.progress.last().map_or(0, |(number, _)| *number),
        reported_through: stored.state.reported_through,
    }
}

fn unreported(stored: &StoredSet) -> impl Iterator<Item = &Progress> {
    let through = stored.state.reported_through;
    let rows = stored.progress.iter().filter(move |(number, _)| *number > through);
    rows.map(|(_, row)| row)
}

fn has_unreported(stored: &StoredSet) -> bool {
    !stored.set.reverse_path.is_null()
        && unreported(stored).any(|row| matches!(row.outcome, RecipientOutcome::Failed { .. }))
}

fn told(stored: &StoredSet, loaded: &Loaded) -> Vec<Told> {
    let mut told = Vec::new();
    for row in unreported(stored) {
        let RecipientOutcome::Failed { reply, reason, remote } = &row.outcome else {
            continue;
        };
        let wanted = (row.first..=row.last).filter(|rank| loaded.notify(*rank).failure);
        told.extend(wanted.map(|rank| Told {
            set: stored.set.id,
            rank,
            reply: reply.clone(),
            reason: Some(*reason),
            remote: remote.clone(),
            at: stored.set.queued_at,
        }));
    }
    told
}
