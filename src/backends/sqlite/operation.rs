//! Operations as the committer takes them: everything that can be encoded beforehand is, on the caller's
//! thread, so that the one committer only binds and steps.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use super::body::Bodies;
use super::recent::Newest;
use super::record::{self, Place, SetRow};
use crate::limits::{INLINE_CONTENT_OCTETS_MAX, SEGMENT_CONTENT_OCTETS_MAX};
use crate::mail::{HoldId, MessageId, SetId};
use crate::spool::approval::Approval;
use crate::spool::content::{Content, Octets, StoredBody};
use crate::spool::message::{
    Acceptance, DeliverySet, Hold, HoldDecision, HoldState, MessageKind, Outcome, Settlement, StoredMessage,
};
use crate::spool::promise::Promise;
use crate::spool::{Decided, SpoolFault};
use crate::track::{Event, EventKind};

/// What the committer is asked to do.
pub(super) enum Operation {
    /// [`crate::spool::Spool::accept`].
    Accept(Box<ReadyAcceptance>, Promise<()>),
    /// [`crate::spool::Spool::complete`].
    Complete(MessageId, Box<ReadyOutcome>, Promise<()>),
    /// [`crate::spool::Spool::settle`].
    Settle(Box<ReadySettlement>, Promise<()>),
    /// [`crate::spool::Spool::decide`].
    Decide(Box<ReadyDecision>, Promise<Decided>),
    /// [`crate::spool::Spool::record`].
    Record(ReadyEvents),
    /// [`crate::spool::Spool::outbox_stored`].
    OutboxStored(u64, Promise<()>),
    /// [`crate::spool::Spool::forget_holds`]: microseconds since the epoch.
    ForgetHolds(i64, Promise<()>),
    /// Lists a damaged row.
    Quarantine(Damaged),
}

/// A row that is not what was written, as listed for the operator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Damaged {
    /// `message`, `content`, `set`, `hold`, or `journal` for a commit that was lost there.
    pub what: &'static str,
    /// The row's number, or that of the commit.
    pub id: i64,
    /// Its message, if that is known.
    pub message: Option<MessageId>,
    /// What is wrong.
    pub why: String,
}

/// A message ready to be inserted.
pub(super) struct ReadyAcceptance {
    pub(super) id: MessageId,
    pub(super) row: Vec<u8>,
    pub(super) prefix: Bytes,
    /// CRC-32 of prefix and inline content.
    pub(super) sum: u32,
    pub(super) body: ReadyBody,
    /// None: its pass is pending.
    pub(super) outcome: Option<ReadyOutcome>,
}

/// Content ready to be stored.
pub(super) enum ReadyBody {
    /// Goes into the row.
    Inline(Bytes),
    /// Goes into a segment; with its CRC-32.
    Segment(Bytes, u32),
    /// Is in a file already.
    File(Arc<dyn StoredBody>, Place),
}

/// An outcome ready to be inserted.
#[derive(Default)]
pub(super) struct ReadyOutcome {
    pub(super) sets: Vec<ReadySet>,
    pub(super) holds: Vec<ReadyHold>,
    pub(super) reports: Vec<ReadyAcceptance>,
    pub(super) events: ReadyEvents,
}

/// A delivery set ready to be inserted.
pub(super) struct ReadySet {
    pub(super) id: SetId,
    pub(super) message: MessageId,
    pub(super) row: Vec<u8>,
    pub(super) recipients: u32,
    pub(super) roster: Bytes,
}

/// A hold ready to be inserted.
pub(super) struct ReadyHold {
    pub(super) id: HoldId,
    pub(super) message: MessageId,
    pub(super) row: Vec<u8>,
    /// Microseconds since the epoch; none while it waits.
    pub(super) decided_at: Option<i64>,
}

/// A settlement ready to be applied.
pub(super) struct ReadySettlement {
    pub(super) set: SetId,
    pub(super) progress: Vec<Vec<u8>>,
    pub(super) state: Vec<u8>,
    pub(super) finished: bool,
    pub(super) reports: Vec<ReadyAcceptance>,
    pub(super) events: ReadyEvents,
}

/// A change of a hold ready to be applied.
pub(super) struct ReadyDecision {
    pub(super) hold: HoldId,
    pub(super) state: HoldState,
    pub(super) approval: Approval,
    pub(super) outcome: ReadyOutcome,
}

/// Events, also as lines of JSON.
#[derive(Default)]
pub(super) struct ReadyEvents {
    pub(super) events: Vec<Event>,
    pub(super) lines: Vec<String>,
    /// Sets whose QUEUE event is among them: (line, set).
    pub(super) queued: Vec<(u64, SetId)>,
}

impl ReadyEvents {
    /// That a message has ended.
    pub(super) fn done(message: MessageId, at: Timestamp) -> Self {
        Self::new(vec![Event {
            at,
            message,
            kind: EventKind::Done,
        }])
    }

    /// The lines, and the events as they are kept in memory.
    pub(super) fn newest(self) -> (Vec<String>, Vec<Newest>) {
        let newest = self.lines.iter().zip(self.events);
        let newest = newest.map(|(line, event)| Newest::new(line.len(), event)).collect();
        (self.lines, newest)
    }

    /// Octets of the lines.
    pub(super) fn octets(&self) -> usize {
        self.lines.iter().map(String::len).sum()
    }

    /// Takes apart those of which something is true; none of them is a QUEUE event.
    pub(super) fn split(self, is_so: impl Fn(&Event) -> bool) -> (Self, Self) {
        let mut parts = (Self::default(), Self::default());
        for (event, line) in self.events.into_iter().zip(self.lines) {
            let part = if is_so(&event) { &mut parts.0 } else { &mut parts.1 };
            part.events.push(event);
            part.lines.push(line);
        }
        parts
    }

    /// Encodes events.
    pub(super) fn new(events: Vec<Event>) -> Self {
        let mut ready = Self::default();
        for event in &events {
            if let EventKind::Queue { set, .. } = event.kind {
                ready.queued.push((ready.lines.len() as u64, set));
            }
            ready.lines.push(line(event));
        }
        ready.events = events;
        ready
    }
}

/// An event as a line of JSON.
fn line(event: &Event) -> String {
    serde_json::to_string(event).expect("events are plain structs with string keys")
}

impl Operation {
    /// Octets of content that it brings; bounds what waits in memory.
    pub(super) fn content_octets(&self) -> usize {
        match self {
            Self::Accept(ready, _) => ready.octets(),
            Self::Complete(_, outcome, _) => outcome.octets(),
            Self::Settle(ready, _) => ready.reports.iter().map(ReadyAcceptance::octets).sum(),
            Self::Decide(ready, _) => ready.outcome.octets(),
            Self::Record(_) | Self::OutboxStored(..) | Self::ForgetHolds(..) | Self::Quarantine(_) => 0,
        }
    }

    /// Answers without doing it.
    pub(super) fn refuse(self, fault: &SpoolFault) {
        match self {
            Self::Accept(_, promise)
            | Self::Complete(_, _, promise)
            | Self::Settle(_, promise)
            | Self::OutboxStored(_, promise)
            | Self::ForgetHolds(_, promise) => promise.resolve(Err(fault.clone())),
            Self::Decide(_, promise) => promise.resolve(Err(fault.clone())),
            Self::Record(_) | Self::Quarantine(_) => {}
        }
    }
}

impl ReadyAcceptance {
    /// Encodes a message and its outcome. Content that this spool does not own is copied first; more than
    /// [`SEGMENT_CONTENT_OCTETS_MAX`] of it is written and synced here, on the caller's thread.
    pub(super) fn new(bodies: &Arc<Bodies>, acceptance: Acceptance) -> Result<Self, SpoolFault> {
        let outcome = acceptance
            .outcome
            .map(|outcome| ReadyOutcome::new(bodies, outcome))
            .transpose()?;
        let mut message: StoredMessage = acceptance.message.message;
        let id = message.id;
        let body = ReadyBody::new(bodies, acceptance.message.content)
            .map_err(|fault| SpoolFault::Unreadable(format!("the content of {id}: {fault}")))?;
        let prefix = std::mem::take(&mut message.prefix);
        let sum = row_sum(&prefix, body.inline());
        Ok(Self {
            id,
            row: record::encode(&message),
            prefix,
            sum,
            body,
            outcome,
        })
    }

    /// True if the journal can take it: its pass is made, and no moderator has to decide.
    pub(super) fn is_light(&self) -> bool {
        self.outcome
            .as_ref()
            .is_some_and(|outcome| outcome.holds.is_empty() && outcome.reports.iter().all(Self::is_light))
    }

    /// Octets that it would take in the journal, and in memory as long as it is only there.
    pub(super) fn journal_octets(&self) -> usize {
        let inline = self.body.inline().map_or(0, <[u8]>::len);
        let outcome = self.outcome.as_ref().map_or(0, ReadyOutcome::journal_octets);
        self.row.len() + self.prefix.len() + inline + outcome
    }

    fn octets(&self) -> usize {
        let body = match &self.body {
            ReadyBody::Inline(octets) | ReadyBody::Segment(octets, _) => octets.len(),
            ReadyBody::File(..) => 0,
        };
        body + self.prefix.len() + self.row.len() + self.outcome.as_ref().map_or(0, ReadyOutcome::octets)
    }
}

/// CRC-32 of what a `contents` row holds beside its sealed part.
pub(super) fn row_sum(prefix: &[u8], inline: Option<&[u8]>) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(prefix);
    sum.update(inline.unwrap_or_default());
    sum.finalize()
}

impl ReadyBody {
    fn new(bodies: &Arc<Bodies>, content: Content) -> io::Result<Self> {
        match content.octets {
            Octets::Memory(octets) if octets.len() <= INLINE_CONTENT_OCTETS_MAX => Ok(Self::Inline(octets)),
            Octets::Memory(octets) if octets.len() <= SEGMENT_CONTENT_OCTETS_MAX => {
                let sum = crc32fast::hash(&octets);
                Ok(Self::Segment(octets, sum))
            }
            Octets::Memory(_) => Self::new(bodies, bodies.copy(&content)?),
            Octets::Stored(ref body) => match body.name().parse() {
                Ok(place @ Place::File { name, .. }) if bodies.take_fresh(name) => Ok(Self::File(body.clone(), place)),
                Ok(_) | Err(_) => Self::new(bodies, bodies.copy(&content)?),
            },
        }
    }

    /// What goes into the row.
    pub(super) fn inline(&self) -> Option<&[u8]> {
        match self {
            Self::Inline(octets) => Some(octets),
            Self::Segment(..) | Self::File(..) => None,
        }
    }
}

impl ReadyOutcome {
    /// Encodes an outcome with its reports.
    pub(super) fn new(bodies: &Arc<Bodies>, outcome: Outcome) -> Result<Self, SpoolFault> {
        Ok(Self {
            events: ReadyEvents::new(outcome.events),
            sets: outcome.sets.into_iter().map(ReadySet::new).collect(),
            holds: outcome.holds.into_iter().map(|hold| ReadyHold::new(&hold)).collect(),
            reports: reports(bodies, outcome.reports)?,
        })
    }

    fn journal_octets(&self) -> usize {
        let sets: usize = self.sets.iter().map(|set| set.row.len() + set.roster.len()).sum();
        let lines = self.events.octets();
        let reports: usize = self.reports.iter().map(ReadyAcceptance::journal_octets).sum();
        sets + lines + reports
    }

    fn octets(&self) -> usize {
        let rosters: usize = self.sets.iter().map(|set| set.roster.len()).sum();
        let reports: usize = self.reports.iter().map(ReadyAcceptance::octets).sum();
        rosters + reports
    }
}

fn reports(bodies: &Arc<Bodies>, reports: Vec<Acceptance>) -> Result<Vec<ReadyAcceptance>, SpoolFault> {
    reports
        .into_iter()
        .map(|report| ReadyAcceptance::new(bodies, report))
        .collect()
}

impl ReadySet {
    fn new(set: DeliverySet) -> Self {
        let (id, message) = (set.id, set.message);
        let (row, roster) = SetRow::split(set);
        Self {
            id,
            message,
            row: record::encode(&row),
            recipients: roster.len(),
            roster: roster.encode().into(),
        }
    }
}

impl ReadyHold {
    /// Encodes a hold.
    pub(super) fn new(hold: &Hold) -> Self {
        let decided_at = match &hold.state {
            HoldState::Waiting => None,
            HoldState::Decided { at, .. } => Some(at.as_microsecond()),
        };
        Self {
            id: hold.id,
            message: hold.message,
            row: record::encode(hold),
            decided_at,
        }
    }
}

impl ReadySettlement {
    /// True if the journal can take its reports.
    pub(super) fn is_light(&self) -> bool {
        self.reports.iter().all(ReadyAcceptance::is_light)
    }

    /// Octets that it would take in the journal.
    pub(super) fn journal_octets(&self) -> usize {
        let progress: usize = self.progress.iter().map(Vec::len).sum();
        let reports: usize = self.reports.iter().map(ReadyAcceptance::journal_octets).sum();
        progress + self.state.len() + self.events.octets() + reports
    }

    /// Encodes a settlement.
    pub(super) fn new(bodies: &Arc<Bodies>, settlement: Settlement) -> Result<Self, SpoolFault> {
        Ok(Self {
            set: settlement.set,
            progress: settlement.progress.iter().map(record::encode).collect(),
            state: record::encode(&settlement.state),
            finished: settlement.finished,
            events: ReadyEvents::new(settlement.events),
            reports: reports(bodies, settlement.reports)?,
        })
    }
}

impl ReadyDecision {
    /// Encodes a change of a hold.
    pub(super) fn new(bodies: &Arc<Bodies>, decision: HoldDecision) -> Result<Self, SpoolFault> {
        Ok(Self {
            hold: decision.hold,
            state: decision.state,
            approval: decision.approval,
            outcome: ReadyOutcome::new(bodies, decision.outcome)?,
        })
    }
}

/// True if a bound on new mail applies to it; reports are part of mail already taken.
pub(super) fn is_bounded(acceptance: &Acceptance) -> bool {
    match acceptance.message.message.kind {
        MessageKind::Submitted => true,
        MessageKind::Report { .. } => false,
    }
}
