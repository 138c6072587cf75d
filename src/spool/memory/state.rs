//! What the spool in memory has committed, and what operations make of it.

use std::collections::{BTreeMap, HashMap, VecDeque};

use jiff::Timestamp;

use super::super::content::{Content, Octets};
use super::super::message::{
    Acceptance, Hold, HoldDecision, HoldState, Outcome, SetState, Settlement, StoredMessage, StoredSet,
};
use super::super::{Decided, SpoolFault};
use crate::mail::{HoldId, MessageId, SetId};
use crate::track::{Event, EventKind};

/// What was committed.
#[derive(Clone, Default)]
pub(super) struct State {
    pub(super) messages: HashMap<MessageId, Kept>,
    pub(super) sets: BTreeMap<SetId, KeptSet>,
    pub(super) holds: BTreeMap<HoldId, Hold>,
    pub(super) outbox: VecDeque<(u64, Event)>,
    pub(super) event_last: u64,
    pub(super) set_high: u64,
    pub(super) hold_high: u64,
}

#[derive(Clone)]
pub(super) struct Kept {
    pub(super) message: StoredMessage,
    pub(super) content: Content,
    pub(super) pending: bool,
}

#[derive(Clone)]
pub(super) struct KeptSet {
    pub(super) stored: StoredSet,
    pub(super) finished: bool,
    /// Number of its QUEUE event; 0 if there was none.
    pub(super) queued: u64,
    /// Its message has ended; only the trace may still ask for the roster.
    pub(super) left: bool,
}

impl State {
    fn check(&self, acceptance: &Acceptance) -> Result<(), SpoolFault> {
        let id = acceptance.message.message.id;
        if self.messages.contains_key(&id) {
            return Err(SpoolFault::Missing(format!("a free id: message {id} is there already")));
        }
        acceptance
            .outcome
            .as_ref()
            .map_or(Ok(()), |outcome| self.check_outcome(id, outcome))
    }

    fn check_outcome(&self, id: MessageId, outcome: &Outcome) -> Result<(), SpoolFault> {
        let foreign =
            outcome.sets.iter().any(|set| set.message != id) || outcome.holds.iter().any(|hold| hold.message != id);
        if foreign {
            return Err(SpoolFault::Missing(format!("a set or hold of {id} that names it")));
        }
        outcome.reports.iter().try_for_each(|report| self.check(report))
    }

    pub(super) fn accept(&mut self, acceptance: Acceptance, now: Timestamp) -> Result<(), SpoolFault> {
        self.check(&acceptance)?;
        self.insert(acceptance, now);
        Ok(())
    }

    fn insert(&mut self, acceptance: Acceptance, now: Timestamp) {
        let Acceptance { message, outcome } = acceptance;
        let id = message.message.id;
        if let Octets::Stored(body) = &message.content.octets {
            body.keep();
        }
        let kept = Kept {
            message: message.message,
            content: message.content,
            pending: outcome.is_none(),
        };
        self.messages.insert(id, kept);
        if let Some(outcome) = outcome {
            self.apply_outcome(outcome, now);
        }
        self.end_if_over(id, now);
    }

    pub(super) fn complete(&mut self, id: MessageId, outcome: Outcome, now: Timestamp) -> Result<(), SpoolFault> {
        self.check_outcome(id, &outcome)?;
        let pending = self.messages.get_mut(&id).filter(|kept| kept.pending);
        let kept = pending.ok_or_else(|| SpoolFault::Missing(format!("the pending pass of {id}")))?;
        kept.pending = false;
        self.apply_outcome(outcome, now);
        self.end_if_over(id, now);
        Ok(())
    }

    fn apply_outcome(&mut self, outcome: Outcome, now: Timestamp) {
        let queued: HashMap<SetId, u64> = self.push(outcome.events);
        for set in outcome.sets {
            self.set_high = self.set_high.max(set.id.0);
            let kept = KeptSet {
                queued: queued.get(&set.id).copied().unwrap_or(0),
                stored: StoredSet {
                    recipients: set.roster.len(),
                    set,
                    state: SetState::default(),
                    progress: Vec::new(),
                },
                finished: false,
                left: false,
            };
            self.sets.insert(kept.stored.set.id, kept);
        }
        for hold in outcome.holds {
            self.hold_high = self.hold_high.max(hold.id.0);
            self.holds.insert(hold.id, hold);
        }
        for report in outcome.reports {
            self.insert(report, now);
        }
    }

    pub(super) fn settle(&mut self, settlement: Settlement, now: Timestamp) -> Result<(), SpoolFault> {
        settlement.reports.iter().try_for_each(|report| self.check(report))?;
        let set = self.sets.get_mut(&settlement.set).filter(|set| !set.left);
        let set = set.ok_or_else(|| SpoolFault::Missing(format!("set {}", settlement.set)))?;
        let message = set.stored.set.message;
        let first = set.stored.progress.len() as u64 + 1;
        set.stored.progress.extend((first..).zip(settlement.progress));
        set.stored.state = settlement.state;
        set.finished |= settlement.finished;
        self.push(settlement.events);
        for report in settlement.reports {
            self.insert(report, now);
        }
        self.end_if_over(message, now);
        Ok(())
    }

    pub(super) fn decide(&mut self, decision: HoldDecision, now: Timestamp) -> Result<Decided, SpoolFault> {
        let missing = || SpoolFault::Missing(format!("hold {}", decision.hold));
        let hold = self.holds.get(&decision.hold).ok_or_else(missing)?;
        if hold.state != HoldState::Waiting || decision.approval.revision != hold.approval.revision + 1 {
            return Ok(Decided::Already(Box::new(hold.clone())));
        }
        let message = hold.message;
        if !self.messages.contains_key(&message) {
            return Err(missing());
        }
        self.check_outcome(message, &decision.outcome)?;
        if let Some(hold) = self.holds.get_mut(&decision.hold) {
            hold.state = decision.state;
            hold.approval = decision.approval;
        }
        self.apply_outcome(decision.outcome, now);
        self.end_if_over(message, now);
        Ok(Decided::Applied)
    }

    pub(super) fn outbox_stored(&mut self, number: u64) -> Result<(), SpoolFault> {
        self.outbox.retain(|(known, _)| *known > number);
        self.sets.retain(|_, set| !set.left || set.queued > number);
        Ok(())
    }

    pub(super) fn forget_holds(&mut self, before: Timestamp) -> Result<(), SpoolFault> {
        self.holds.retain(|_, hold| match &hold.state {
            HoldState::Waiting => true,
            HoldState::Decided { at, .. } => *at >= before,
        });
        Ok(())
    }

    /// Appends events; returns the numbers of QUEUE events.
    pub(super) fn push(&mut self, events: Vec<Event>) -> HashMap<SetId, u64> {
        let mut queued = HashMap::new();
        for event in events {
            self.event_last += 1;
            if let EventKind::Queue { set, .. } = event.kind {
                queued.insert(set, self.event_last);
            }
            self.outbox.push_back((self.event_last, event));
        }
        queued
    }

    fn end_if_over(&mut self, id: MessageId, now: Timestamp) {
        let pending = self.messages.get(&id).is_none_or(|kept| kept.pending);
        let sets_open = self
            .sets
            .values()
            .any(|set| set.stored.set.message == id && !set.finished);
        let waits = |hold: &Hold| hold.message == id && hold.state == HoldState::Waiting;
        if pending || sets_open || self.holds.values().any(waits) {
            return;
        }
        self.messages.remove(&id);
        let stored = self.outbox.front().map_or(self.event_last, |(number, _)| number - 1);
        self.sets.retain(|_, set| {
            let ended = set.stored.set.message == id;
            set.left |= ended;
            !ended || set.queued > stored
        });
        let done = Event {
            at: now,
            message: id,
            kind: EventKind::Done,
        };
        self.push(vec![done]);
    }

    pub(super) fn set(&self, id: SetId) -> Result<&KeptSet, SpoolFault> {
        let set = self.sets.get(&id);
        set.ok_or_else(|| SpoolFault::Missing(format!("set {id}")))
    }

    pub(super) fn message(&self, id: MessageId) -> Result<&Kept, SpoolFault> {
        let kept = self.messages.get(&id);
        kept.ok_or_else(|| SpoolFault::Missing(format!("message {id}")))
    }

    pub(super) fn holds_waiting(&self) -> Vec<Hold> {
        let waiting = self.holds.values().filter(|hold| hold.state == HoldState::Waiting);
        let mut holds: Vec<Hold> = waiting.cloned().collect();
        holds.sort_by_key(|hold| (hold.held_at, hold.id));
        holds
    }
}
