//! From verdicts to what is stored: settlements, events, reports.

use std::sync::Arc;

use jiff::Timestamp;

use super::dispatcher::Shared;
use super::learning::lessons;
use super::plan::{Readdressed, forward_path};
use super::shelf::Loaded;
use super::verdict::{Verdict, Verdicts};
use crate::mail::{Notify, Reply, SetId};
use crate::queue::item::SetEntry;
use crate::queue::{Batch, DestinationId, LastAnswer, Settle, Settled, Standing, Told, Waiting, ranks};
use crate::spool::message::{Acceptance, Progress, RecipientOutcome, SetState, Settlement};
use crate::spool::{Commit, SpoolFault};
use crate::track::{Event, EventKind, Reason};

/// A batch with what became of it.
#[derive(Debug)]
pub struct Done {
    /// The batch.
    pub batch: Batch,
    /// Its set; none if it could not be read, then nobody of it was sent.
    pub loaded: Option<Arc<Loaded>>,
    /// What became of each rank.
    pub verdicts: Verdicts,
    /// Host that spoke.
    pub remote: Option<String>,
    /// How the connection with it was protected.
    pub protection: Option<String>,
    /// NOTIFY went along: the next hop reports success (RFC 3461 §5.2.2).
    pub notify_passed: bool,
    /// Today's addresses.
    pub readdressed: Readdressed,
    /// Reports about the copies come back to us: that they were taken is not the last word.
    pub reports_come_back: bool,
}

impl Done {
    fn notify(&self, rank: u32) -> Notify {
        self.loaded
            .as_ref()
            .map_or(Notify::DEFAULT, |loaded| loaded.notify(rank))
    }

    pub(super) fn address(&self, rank: u32) -> String {
        let loaded = self.loaded.as_ref();
        loaded.map_or_else(String::new, |loaded| {
            forward_path(loaded, &self.readdressed, rank).to_owned()
        })
    }
}

impl Shared {
    /// Takes what became of a batch into the queue and hands it to the store, in one order. The returned promise is
    /// the store's.
    pub fn settle(self: &Arc<Self>, mut done: Done) -> Commit<()> {
        let now = self.now();
        let chance = self.chance();
        let lessons = lessons(&done, &self.learner.suspects(), now);
        let mut state = self.state();
        if let Some(entry) = state.queue.set(done.batch.set) {
            finalise(&mut done.verdicts, entry, now);
        }
        let (settle, progress) = accounts(&done, now);
        let deferred = !settle.deferred.is_empty();
        let told = !settle.failed.is_empty() || !settle.relayed.is_empty();
        let Some(settled) = state.queue.settle(&done.batch, settle, now, chance) else {
            return Box::pin(std::future::ready(Ok(())));
        };
        let next_hop = state.queue.name(done.batch.destination).to_owned();
        let events = events(&done, &next_hop, settled.retry_at.unwrap_or(now), now);
        let set = done.batch.set;
        let commit = if progress.is_empty() && !settled.standing.finished {
            Box::pin(std::future::ready(Ok(())))
        } else {
            self.spool
                .settle(settlement(set, settled.standing, progress, Vec::new(), events))
        };
        if !state.queue.is_active(set) {
            state.shelf.drop(set);
        }
        self.pump(&mut state, done.batch.destination, now);
        let is_empty = state.queue.is_empty();
        drop(state);
        self.follow(settled);
        if !lessons.is_empty() {
            self.learner.learn(lessons);
        }
        if deferred || told {
            self.timer.notify_one();
        }
        if is_empty {
            self.quiet.notify_waiters();
        }
        commit
    }

    fn follow(self: &Arc<Self>, settled: Settled) {
        for notice in settled.notices {
            self.spawn_notice(notice);
        }
        if let Some(delayed) = settled.delayed {
            self.spawn_delayed(delayed);
        }
    }

    /// No session to a destination could be made.
    pub fn unreachable(self: &Arc<Self>, id: DestinationId, answer: LastAnswer) {
        let others = self.state().greeted(id);
        self.unreachable_beside(id, others, answer);
    }

    /// The same, with `others` good sessions open; 0 leaves the hop alone for a while.
    pub fn unreachable_beside(self: &Arc<Self>, id: DestinationId, others: usize, answer: LastAnswer) {
        let now = self.now();
        let chance = self.chance();
        let mut state = self.state();
        let brought = state.queue.unreachable(id, others, answer.clone(), now, chance);
        let next_hop = state.queue.name(id).to_owned();
        drop(state);
        let retry_at = brought.retry_at.unwrap_or(now);
        let wait = |waiting: Waiting| Event {
            at: now,
            message: waiting.message,
            kind: EventKind::Defer {
                set: waiting.set,
                next_hop: next_hop.clone(),
                ranks: waiting.ranks,
                reply: answer.reply.clone(),
                reason: answer.reason,
                retry_at,
            },
        };
        let events: Vec<Event> = brought.waiting.into_iter().map(wait).collect();
        if !events.is_empty() {
            self.spool.record(events);
        }
        for batch in brought.expired {
            self.spawn_withdrawn(batch, Verdict::Deferred(answer.reason, answer.reply.clone()));
        }
        for delayed in brought.delayed {
            self.spawn_delayed(delayed);
        }
        self.timer.notify_one();
    }

    /// Settles a batch that no session holds.
    pub fn spawn_withdrawn(self: &Arc<Self>, batch: Batch, verdict: Verdict) {
        let shared = Arc::clone(self);
        self.runtime.spawn(async move {
            let loaded = shared.load(batch.set).await;
            if let Err(fault) = &loaded {
                tracing::error!(%fault, set = %batch.set, "a set could not be read");
            }
            let done = Done {
                verdicts: Verdicts::all(batch.ranks.clone(), verdict),
                batch,
                loaded: loaded.ok(),
                remote: None,
                protection: None,
                notify_passed: false,
                readdressed: Readdressed::new(),
                reports_come_back: false,
            };
            if let Err(fault) = shared.settle(done).await {
                shared.unsettled(&fault);
            }
        });
    }

    /// An outcome could not be stored.
    pub fn unsettled(&self, fault: &SpoolFault) {
        match fault {
            // The store does not know the set: there is nothing left to record, and no sync has failed.
            SpoolFault::Missing(_) => tracing::error!(%fault, "an outcome belongs to nothing in the store"),
            SpoolFault::Suspect(_) | SpoolFault::DiskLow | SpoolFault::Full | SpoolFault::Unreadable(_) => {
                self.suspect(fault);
            }
        }
    }
}

/// Deferred recipients whose time is over fail; those of a set that was dropped are dropped.
fn finalise(verdicts: &mut Verdicts, entry: &SetEntry, now: Timestamp) {
    for run in verdicts.runs_mut() {
        let Verdict::Deferred(_, reply) = &run.verdict else {
            continue;
        };
        if entry.dropped {
            run.verdict = Verdict::Dropped(Reason::DroppedByOperator);
        } else if entry.is_expired(now) {
            run.verdict = Verdict::Failed(Reason::Expired, expired(reply.as_ref()));
        }
    }
}

/// RFC 3463 §3.5: X.4.7, delivery time expired.
fn expired(last: Option<&Reply>) -> Reply {
    let text = match last {
        Some(last) => format!("delivery time expired; the last answer was: {last}"),
        None => "delivery time expired".to_owned(),
    };
    Reply::new(554, (5, 4, 7), text)
}

/// What the queue and the store are told.
fn accounts(done: &Done, now: Timestamp) -> (Settle, Vec<Progress>) {
    let mut settle = Settle::default();
    let mut progress = Vec::new();
    let reports_success = !done.notify_passed && done.loaded.as_ref().is_some_and(|loaded| loaded.wants_success());
    let told = |rank: u32, reply: &Reply, reason: Option<Reason>| Told {
        set: done.batch.set,
        rank,
        reply: reply.clone(),
        reason,
        remote: done.remote.clone(),
        at: now,
    };
    for run in done.verdicts.runs() {
        let outcome = match &run.verdict {
            Verdict::Relayed(reply) => {
                if reports_success {
                    let wanted = ranks::each(&run.ranks).filter(|rank| done.notify(*rank).success);
                    settle.relayed.extend(wanted.map(|rank| told(rank, reply, None)));
                }
                RecipientOutcome::Relayed
            }
            Verdict::Deferred(reason, reply) => {
                settle.deferred.extend_from_slice(&run.ranks);
                settle.last = Some(LastAnswer {
                    reason: *reason,
                    reply: reply.clone(),
                });
                RecipientOutcome::Deferred {
                    reply: reply.clone(),
                    reason: *reason,
                }
            }
            Verdict::Failed(reason, reply) => {
                let wanted = ranks::each(&run.ranks).filter(|rank| done.notify(*rank).failure);
                settle
                    .failed
                    .extend(wanted.map(|rank| told(rank, reply, Some(*reason))));
                RecipientOutcome::Failed {
                    reply: reply.clone(),
                    reason: *reason,
                    remote: done.remote.clone(),
                }
            }
            Verdict::Dropped(reason) => RecipientOutcome::Dropped { reason: *reason },
            Verdict::Untried => {
                settle.untried.extend_from_slice(&run.ranks);
                continue;
            }
        };
        progress.extend(run.ranks.iter().map(|&(first, last)| Progress {
            first,
            last,
            outcome: outcome.clone(),
        }));
    }
    settle.rows = progress.len() as u64;
    (settle, progress)
}

fn events(done: &Done, next_hop: &str, retry_at: Timestamp, now: Timestamp) -> Vec<Event> {
    let mut events: Vec<EventKind> = Vec::new();
    let set = done.batch.set;
    let next_hop = || next_hop.to_owned();
    for run in done.verdicts.runs() {
        match &run.verdict {
            Verdict::Relayed(said) => {
                // A batch has one reply to its dot: one event for all whom it covers.
                if let Some(EventKind::Send { ranks, .. }) = events.first_mut() {
                    ranks.extend_from_slice(&run.ranks);
                    continue;
                }
                let send = EventKind::Send {
                    set,
                    next_hop: next_hop(),
                    remote: done.remote.clone().unwrap_or_default(),
                    protection: done.protection.clone(),
                    ranks: run.ranks.clone(),
                    reply: said.clone(),
                };
                events.insert(0, send);
            }
            Verdict::Deferred(reason, reply) => events.push(EventKind::Defer {
                set,
                next_hop: next_hop(),
                ranks: run.ranks.clone(),
                reply: reply.clone(),
                reason: *reason,
                retry_at,
            }),
            Verdict::Failed(reason, reply) => events.extend(ranks::each(&run.ranks).map(|rank| EventKind::Fail {
                set,
                next_hop: next_hop(),
                recipient: done.address(rank),
                reply: reply.clone(),
                reason: *reason,
            })),
            Verdict::Dropped(reason) => events.extend(ranks::each(&run.ranks).map(|rank| EventKind::Drop {
                recipient: done.address(rank),
                group: None,
                reason: *reason,
            })),
            Verdict::Untried => {}
        }
    }
    let at = |kind| Event {
        at: now,
        message: done.batch.message,
        kind,
    };
    events.into_iter().map(at).collect()
}

/// What the store is told of a set.
pub fn settlement(
    set: SetId,
    standing: Standing,
    progress: Vec<Progress>,
    reports: Vec<Acceptance>,
    events: Vec<Event>,
) -> Settlement {
    Settlement {
        set,
        progress,
        state: SetState {
            attempts: standing.attempts,
            next_attempt_at: standing.next_attempt_at,
            delay_reported: standing.delay_reported,
            reported_through: standing.reported_through,
        },
        finished: standing.finished,
        reports,
        events,
    }
}
