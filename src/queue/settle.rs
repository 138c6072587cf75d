//! What became of a batch.

use jiff::Timestamp;
use roaring::RoaringBitmap;

use super::item::LastAnswer;
use super::notice::{Covered, Notice, NoticeKey, Told};
use super::ranks::{self, Ranges};
use super::{Batch, Due, ItemId, Queue, retry};
use crate::mail::{MessageId, SetId};
use crate::track::ReportKind;

/// What a session made of a batch. Ranks that are in neither list have a final outcome.
#[derive(Clone, Debug, Default)]
pub struct Settle {
    /// Ranks that wait.
    pub deferred: Ranges,
    /// Ranks that were not tried and go again at once.
    pub untried: Ranges,
    /// What made the deferred wait.
    pub last: Option<LastAnswer>,
    /// Failures that the sender wants to know of.
    pub failed: Vec<Told>,
    /// Relayed recipients that the sender wants to know of.
    pub relayed: Vec<Told>,
    /// Progress rows that this writes.
    pub rows: u64,
}

/// Where a set stands: what its settlement stores.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// Attempts that deferred somebody.
    pub attempts: u32,
    /// When deferred recipients are due again.
    pub next_attempt_at: Option<Timestamp>,
    /// A delay report was made.
    pub delay_reported: bool,
    /// Failures up to this progress row have been reported.
    pub reported_through: u64,
    /// Nobody is open and nothing is unreported: the set has left the queue.
    pub finished: bool,
}

/// Deferred recipients of whom the sender is to be told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delayed {
    /// The set.
    pub set: SetId,
    /// Its message.
    pub message: MessageId,
    /// Who waits.
    pub ranks: Ranges,
}

/// What settling a batch brought.
#[derive(Clone, Debug)]
pub struct Settled {
    /// To be stored with the outcomes.
    pub standing: Standing,
    /// When the deferred of this batch are tried again.
    pub retry_at: Option<Timestamp>,
    /// Reports to be made now.
    pub notices: Vec<Notice>,
    /// A delay report to be made now.
    pub delayed: Option<Delayed>,
}

impl Queue {
    /// Takes what became of a batch. None if the set is unknown (never for a batch of this queue).
    pub fn settle(&mut self, batch: &Batch, settle: Settle, now: Timestamp, chance: u64) -> Option<Settled> {
        self.end_batch(batch);
        let retry_at = self.count(batch, &settle, now, chance)?;
        self.gather(batch, settle, now);
        let delayed = retry_at.and_then(|_| self.delay_of(batch.set, now));
        let notices = self.notices_complete(batch.message);
        let standing = self.close(batch.set)?;
        Some(Settled {
            standing,
            retry_at,
            notices,
            delayed,
        })
    }

    /// Counts what is closed and puts the rest back.
    fn count(&mut self, batch: &Batch, settle: &Settle, now: Timestamp, chance: u64) -> Option<Option<Timestamp>> {
        let answered = batch.len() - ranks::count(&settle.untried);
        let deferred = ranks::count(&settle.deferred);
        let entry = self.sets.get_mut(&batch.set)?;
        entry.open -= answered - deferred;
        entry.rows += settle.rows;
        let before = if entry.tried.is_empty() {
            0
        } else {
            let within = |&(first, last): &(u32, u32)| entry.tried.range_cardinality(first..=last);
            let all: u64 = batch.ranks.iter().map(within).sum();
            all - settle.untried.iter().map(within).sum::<u64>()
        };
        entry.untried -= answered - before as u32;
        ranks::add(&mut entry.tried, &settle.deferred);
        if settle.last.is_some() {
            entry.last.clone_from(&settle.last);
        }
        if !settle.untried.is_empty() {
            let mut untried = RoaringBitmap::new();
            ranks::add(&mut untried, &settle.untried);
            self.make_ready(batch.item, &untried);
        }
        let retry_at = (deferred > 0).then(|| self.defer(batch.item, &settle.deferred, now, chance));
        self.forget_if_spent(batch.item);
        Some(retry_at)
    }

    /// Adds ranks to an item's deferred ones. The first of a round sets the time; the others join it.
    fn defer(&mut self, id: ItemId, deferred: &[(u32, u32)], now: Timestamp, chance: u64) -> Timestamp {
        let item = self.items.get_mut(&id).expect("its batch was just out");
        ranks::add(&mut item.deferred, deferred);
        if let Some(at) = item.next_attempt_at {
            return at;
        }
        item.attempts += 1;
        let schedule = &self.places[item.destination.0 as usize].destination.bounds().retry;
        let entry = self.sets.get_mut(&item.set).expect("a set lives as long as its items");
        entry.attempts = entry.attempts.max(item.attempts);
        let at = retry::next_attempt(schedule, item.attempts, now, entry.expires_at, chance);
        item.next_attempt_at = Some(at);
        self.wheel.add(at, Due::Item(id));
        at
    }

    pub(super) fn forget_if_spent(&mut self, id: ItemId) {
        if self.items.get(&id).is_some_and(|item| item.is_spent() && !item.in_line) {
            let item = self.items.remove(&id).expect("just seen");
            if let Some(entry) = self.sets.get_mut(&item.set) {
                entry.items.retain(|known| *known != id);
            }
        }
    }

    fn gather(&mut self, batch: &Batch, settle: Settle, now: Timestamp) {
        if !settle.failed.is_empty() {
            self.tell(batch.set, ReportKind::Failed, settle.failed, now);
        }
        if !settle.relayed.is_empty() {
            self.tell(batch.set, ReportKind::Relayed, settle.relayed, now);
        }
    }

    /// Adds outcomes that the sender is to be told of. Their progress rows are counted already. Nothing happens at
    /// a null reverse-path.
    pub fn tell(&mut self, set: SetId, kind: ReportKind, told: Vec<Told>, now: Timestamp) {
        let Some(entry) = self.sets.get_mut(&set) else { return };
        if entry.reverse_path.is_null() {
            return;
        }
        entry.unreported += told.len() as u32;
        let key = NoticeKey {
            message: entry.message,
            reverse_path: entry.reverse_path.clone(),
            kind,
        };
        let rows = entry.rows;
        self.notices.add(key, told, rows, now);
    }

    /// A report could not be made now; it is due again at `due_at`.
    pub fn report_later(&mut self, notice: Notice, due_at: Timestamp) {
        self.notices.put_back(notice, due_at);
    }

    /// Reports about a message for which every batch has been tried once.
    pub fn notices_complete(&mut self, message: MessageId) -> Vec<Notice> {
        if self.notices.is_empty() {
            return Vec::new();
        }
        let mut complete = Vec::new();
        let sets = self.messages.get(&message).map_or(&[][..], Vec::as_slice);
        for id in sets {
            let entry = &self.sets[id];
            for kind in [ReportKind::Failed, ReportKind::Relayed] {
                let key = NoticeKey {
                    message,
                    reverse_path: entry.reverse_path.clone(),
                    kind,
                };
                let all_tried = || {
                    sets.iter()
                        .map(|other| &self.sets[other])
                        .all(|other| other.untried == 0 || other.reverse_path != key.reverse_path)
                };
                if self.notices.has(&key) && all_tried() {
                    complete.extend(self.notices.take(&key));
                }
            }
        }
        complete
    }

    /// A delay report, if one is due for a set and was not made yet.
    pub(super) fn delay_of(&mut self, set: SetId, now: Timestamp) -> Option<Delayed> {
        let entry = self.sets.get_mut(&set)?;
        if entry.delay_reported || entry.reverse_path.is_null() || entry.dropped {
            return None;
        }
        let first = *entry.items.first()?;
        let schedule = &self.places[self.items[&first].destination.0 as usize]
            .destination
            .bounds()
            .retry;
        if now < retry::later(entry.queued_at, schedule.delay_report) {
            return None;
        }
        entry.delay_reported = true;
        let mut waiting = RoaringBitmap::new();
        for item in &entry.items {
            waiting |= &self.items[item].deferred;
            waiting |= &self.items[item].ready;
        }
        Some(Delayed {
            set,
            message: entry.message,
            ranks: ranks::take_lowest(&mut waiting, usize::MAX),
        })
    }

    /// The reports of a notice are stored, or nobody wants them: its outcomes need no further word. Returns each
    /// set with its standing, to be settled.
    pub fn reported(&mut self, notice: &Notice) -> Vec<(SetId, Standing)> {
        let mut standings = Vec::new();
        for (&set, &Covered { outcomes, rows }) in &notice.covers {
            let Some(entry) = self.sets.get_mut(&set) else { continue };
            entry.unreported = entry.unreported.saturating_sub(outcomes);
            if notice.key.kind == ReportKind::Failed {
                entry.reported_through = entry.reported_through.max(rows);
            }
            standings.extend(self.close(set).map(|standing| (set, standing)));
        }
        standings.sort_by_key(|(set, _)| *set);
        standings
    }

    /// The standing of a set; a set that has ended leaves the queue.
    pub fn close(&mut self, set: SetId) -> Option<Standing> {
        let entry = self.sets.get(&set)?;
        let next = entry
            .items
            .iter()
            .filter_map(|item| self.items[item].next_attempt_at)
            .min();
        let standing = Standing {
            attempts: entry.attempts,
            next_attempt_at: next,
            delay_reported: entry.delay_reported,
            reported_through: entry.reported_through,
            finished: entry.open == 0 && entry.unreported == 0,
        };
        if standing.finished {
            self.forget(set);
        }
        Some(standing)
    }

    fn forget(&mut self, set: SetId) {
        let Some(entry) = self.sets.remove(&set) else { return };
        debug_assert!(entry.items.is_empty(), "nobody is open");
        if let Some(sets) = self.messages.get_mut(&entry.message) {
            sets.retain(|known| *known != set);
            if sets.is_empty() {
                self.messages.remove(&entry.message);
            }
        }
    }
}
