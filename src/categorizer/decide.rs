//! Changes of holds: every step of the decision machine with what it brings is one commit (DESIGN §6).
//!
//! In: answers, time, what the directory says, requests that came back. Out: released copies, letters, requests.
//! Never: two changes judged on the same hold; a decision whose release is not kept with it.

use std::sync::Arc;

use super::Categorizer;
use super::pass::Candidate;
use super::release::ReleaseFault;
use super::report::push_report;
use crate::directory::{Lookup, ObjectId, Reference};
use crate::mail::{HoldId, Mailbox, ReversePath, TlsWish};
use crate::moderation::letter::Kind;
use crate::moderation::machine::{self, Answer, Effect, Step, Surroundings};
use crate::moderation::{Actor, DecisionFault, Substitutes};
use crate::policy::Refusal;
use crate::policy::moderation::persons;
use crate::resolver::{DomainKind, Sources};
use crate::rolls::View;
use crate::spool::message::{Hold, HoldDecision, HoldState, Outcome};
use crate::spool::{Decided, SpoolFault};
use crate::track::{EventKind, HoldCause, Reason, ReportKind};

/// Most times a change is judged anew because another one came first. Within one process changes stand in line.
const TRIES_MAX: usize = 5;

/// Most steps that follow from one another: first requests that cannot be routed, then substitutes, then the alarm.
const STEPS_MAX: usize = 6;

/// How an answer is carried out.
#[derive(Clone, Debug, Default)]
pub struct Manner {
    /// One number for all answers of one order.
    pub operation: Option<uuid::Uuid>,
    /// Whether the sender is told of a refusal.
    pub notice: SenderNotice,
}

/// Whether a sender is told, and of what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SenderNotice {
    /// Of this message, and of others of his that were refused with it: their subjects.
    Tell(Vec<String>),
    /// Another answer of the same order tells him.
    Elsewhere,
}

impl Default for SenderNotice {
    fn default() -> Self {
        Self::Tell(Vec::new())
    }
}

/// What a decision came to.
#[derive(Clone, Debug)]
pub struct Settled {
    /// The hold as it stands now; it waits if more approvals are needed.
    pub hold: Hold,
    /// Recipients released.
    pub recipients: u64,
}

impl Categorizer {
    /// Answers for a hold.
    pub async fn decide(
        self: &Arc<Self>,
        id: HoldId,
        answer: Answer,
        actor: &Actor,
        comment: Option<String>,
        manner: &Manner,
    ) -> Result<Settled, ReleaseFault> {
        let _one_at_a_time = self.decisions.lock().await;
        for _ in 0..TRIES_MAX {
            let hold = self.spool.hold(id)?;
            let around = self.surroundings(&hold);
            let step = machine::answer(&hold, answer, actor, comment.clone(), &around, self.now())?;
            let voted = (step.state == HoldState::Waiting).then(|| actor.name());
            if let Some(settled) = self.change(hold, step, voted, manner).await? {
                return Ok(settled);
            }
        }
        Err(ReleaseFault::NotNow(Refusal::of(Reason::Broken, None)))
    }

    /// A request did not reach its moderator.
    pub async fn request_bounced(self: &Arc<Self>, id: HoldId, moderator: &Mailbox) -> Result<(), ReleaseFault> {
        {
            let _one_at_a_time = self.decisions.lock().await;
            let hold = self.spool.hold(id)?;
            let Some(step) = machine::bounced(&hold, moderator) else {
                return Ok(());
            };
            tracing::warn!(hold = %id, %moderator, "a request for approval came back");
            self.change(hold, step, None, &Manner::default()).await?;
        }
        self.attend(id).await.map(|_| ())
    }

    /// Does what is due for every hold; returns when to look again.
    pub async fn attend_holds(self: &Arc<Self>) -> Option<jiff::Timestamp> {
        let this = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || this.spool.holds()).await;
        let holds = match read.unwrap_or_else(|fault| Err(SpoolFault::Unreadable(fault.to_string()))) {
            Ok(holds) => holds,
            Err(fault) => {
                tracing::error!(%fault, "holds cannot be read");
                return None;
            }
        };
        let mut next = None;
        for hold in holds {
            // Most only wait: they are not read again, and nobody stands in line for them.
            if machine::look(&hold, &self.surroundings(&hold), self.now()).is_none() {
                next = next.into_iter().chain(machine::due(&hold)).min();
                continue;
            }
            let due = match self.attend(hold.id).await {
                Ok(hold) => machine::due(&hold),
                Err(fault) => {
                    tracing::warn!(hold = %hold.id, %fault, "a hold could not be attended to");
                    machine::due(&hold)
                }
            };
            next = next.into_iter().chain(due).min();
        }
        next
    }

    /// Waits until there are new holds.
    pub async fn holds_noticed(&self) {
        self.holds_changed.notified().await;
    }

    pub(super) fn note_holds(&self, outcome: &Outcome) {
        if !outcome.holds.is_empty() {
            self.holds_changed.notify_one();
        }
    }

    /// Does what is due for one hold.
    async fn attend(self: &Arc<Self>, id: HoldId) -> Result<Hold, ReleaseFault> {
        let _one_at_a_time = self.decisions.lock().await;
        let mut hold = self.spool.hold(id)?;
        for _ in 0..STEPS_MAX {
            let Some(step) = machine::look(&hold, &self.surroundings(&hold), self.now()) else {
                break;
            };
            hold = match self.change(hold, step, None, &Manner::default()).await? {
                Some(settled) => settled.hold,
                None => self.spool.hold(id)?,
            };
        }
        Ok(hold)
    }

    /// Makes what a step brings and keeps both; none if another change came first and the hold still waits. The
    /// caller holds the lock.
    async fn change(
        self: &Arc<Self>,
        hold: Hold,
        step: Step,
        voted: Option<String>,
        manner: &Manner,
    ) -> Result<Option<Settled>, ReleaseFault> {
        let (this, manner) = (Arc::clone(self), manner.clone());
        let made = tokio::task::spawn_blocking(move || this.made(hold, step, voted, &manner)).await;
        let (hold, candidate, outcome) = made.map_err(|fault| SpoolFault::Unreadable(fault.to_string()))??;
        let message = self.spool.message(hold.message)?;
        let decided = self
            .spool
            .decide(HoldDecision {
                hold: hold.id,
                state: hold.state.clone(),
                approval: hold.approval.clone(),
                outcome: outcome.clone(),
            })
            .await?;
        match decided {
            Decided::Applied => {
                self.note_holds(&outcome);
                let recipients = outcome.sets.iter().map(|set| u64::from(set.roster.len())).sum();
                if !outcome.sets.is_empty() {
                    self.hand_over(Arc::new(message), candidate.content, outcome.sets);
                }
                outcome
                    .reports
                    .into_iter()
                    .for_each(|report| self.release_copies(report));
                Ok(Some(Settled { hold, recipients }))
            }
            Decided::Already(first) => match first.state {
                HoldState::Decided { decision, by, at, .. } => Err(DecisionFault::Already { decision, by, at }.into()),
                HoldState::Waiting => Ok(None),
            },
        }
    }

    /// The hold after a step, with copies, nested holds, letters and events.
    fn made(
        &self,
        mut hold: Hold,
        step: Step,
        voted: Option<String>,
        manner: &Manner,
    ) -> Result<(Hold, Candidate, Outcome), ReleaseFault> {
        let candidate = self.stored_candidate(hold.message)?;
        let mut outcome = Outcome::default();
        if step.effects.contains(&Effect::Release) {
            outcome = self.approved(&hold, &candidate)?;
        }
        hold.state = step.state;
        hold.approval = step.approval;
        self.note_decision(&hold, voted, manner.operation, &mut outcome);
        let asked = step
            .effects
            .iter()
            .filter(|effect| matches!(effect, Effect::Ask(..)))
            .count();
        if asked > 0 {
            // What cannot be counted now is asked about all the same.
            hold.approval.recipients = self.would_reach(&hold, &candidate).unwrap_or(0);
        }
        for effect in step.effects {
            match effect {
                Effect::Ask(moderator, round) => {
                    self.ask(&mut hold, &candidate, &moderator, round, asked, &mut outcome);
                }
                Effect::Release => {}
                Effect::TellRejected => match &manner.notice {
                    SenderNotice::Tell(also) => {
                        self.tell_sender(&hold, &candidate, Kind::Rejected, also, &mut outcome);
                    }
                    SenderNotice::Elsewhere => {}
                },
                Effect::TellExpired => self.tell_sender(&hold, &candidate, Kind::Expired, &[], &mut outcome),
                Effect::TellGone => self.tell_sender(&hold, &candidate, Kind::Gone, &[], &mut outcome),
                Effect::Alarm => self.alarm(&hold, &mut outcome),
            }
        }
        Ok((hold, candidate, outcome))
    }

    fn note_decision(&self, hold: &Hold, voted: Option<String>, operation: Option<uuid::Uuid>, outcome: &mut Outcome) {
        let kind = match (&hold.state, voted) {
            (
                HoldState::Decided {
                    decision, by, comment, ..
                },
                _,
            ) => EventKind::Decide {
                hold: hold.id,
                decision: *decision,
                by: by.clone(),
                comment: comment.clone(),
                operation,
            },
            (HoldState::Waiting, Some(by)) => EventKind::Vote {
                hold: hold.id,
                by,
                missing: machine::missing(&hold.approval),
            },
            (HoldState::Waiting, None) => return,
        };
        let event = crate::track::Event {
            at: self.now(),
            message: hold.message,
            kind,
        };
        outcome.events.insert(0, event);
    }

    fn alarm(&self, hold: &Hold, outcome: &mut Outcome) {
        tracing::error!(hold = %hold.id, group = %hold.recipient, "no moderator can be reached; the message goes on waiting");
        let view = self.view();
        let mut to = vec![self.organisation().rules.postmaster.clone()];
        for owner in persons(&owners(hold, &view), &view) {
            if !to.contains(&owner) {
                to.push(owner);
            }
        }
        for reader in to {
            let letter = self.hold_letter(hold, &reader, Kind::Alarm, ("auto-generated", TlsWish::Unsaid), |_| {});
            let path = ReversePath::Mailbox(reader);
            push_report(outcome, hold.message, &path, ReportKind::Owner, letter, self.now());
        }
    }

    /// What the directory says about a hold now. While it may not say no, nothing and nobody is gone.
    fn surroundings(&self, hold: &Hold) -> Surroundings {
        let organisation = self.organisation();
        let view = self.view();
        let believed = view.directory.number() > 0 && self.sources() == Sources::Current;
        let object = view.directory.ordinal_of(&ObjectId::new(hold.object.as_str()));
        let substitutes = substitutes(hold, &organisation.moderation.substitutes, &view);
        let asked = hold
            .moderators
            .iter()
            .chain(&hold.approval.substitutes)
            .chain(&substitutes);
        let is_gone = |mailbox: &&Mailbox| {
            organisation.rules.accepted.kind_of(mailbox) == Some(DomainKind::Authoritative)
                && view.directory.lookup(&mailbox.key()) == Lookup::None
        };
        Surroundings {
            group_gone: believed && object.is_none_or(|ordinal| view.object(ordinal).is_none()),
            gone: if believed {
                asked.filter(is_gone).cloned().collect()
            } else {
                Vec::new()
            },
            substitutes,
        }
    }
}

/// Owners of the moderated group today.
fn owners(hold: &Hold, view: &View) -> Vec<Reference> {
    let ordinal = view.directory.ordinal_of(&ObjectId::new(hold.object.as_str()));
    let object = ordinal.and_then(|ordinal| view.object(ordinal));
    object
        .and_then(|object| object.group.as_deref().map(|group| group.managed_by.clone()))
        .unwrap_or_default()
}

/// Who is asked at half time: as the group says, else as the service says. Nobody can confirm in the sender's place,
/// and nobody of the group decides whether a sender is who he claims to be.
fn substitutes(hold: &Hold, settings: &Substitutes, view: &View) -> Vec<Mailbox> {
    match hold.cause {
        HoldCause::Moderation | HoldCause::LargeGroup | HoldCause::Storm => {}
        HoldCause::Confirmation | HoldCause::Quarantine | HoldCause::Content => return Vec::new(),
    }
    let ordinal = view.directory.ordinal_of(&ObjectId::new(hold.object.as_str()));
    let object = ordinal.and_then(|ordinal| view.object(ordinal));
    let own = object
        .as_deref()
        .and_then(|object| object.delivery.as_deref())
        .and_then(|delivery| delivery.moderation.as_deref())
        .map(|moderation| persons(&moderation.substitutes, view))
        .unwrap_or_default();
    match settings {
        _ if !own.is_empty() => own,
        Substitutes::Owners => persons(&owners(hold, view), view),
        Substitutes::Persons(list) => list.clone(),
    }
}
