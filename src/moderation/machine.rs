//! The decision machine: what a hold becomes when something happens to it.
//!
//! In: the hold as it stands, what happened, the time, what the directory says now.
//! Out: the hold as it stands then, and what has to be done with it in one commit.
//! Never: a second decision; a release without enough approvals; a clock, chance or store of its own.

use jiff::{SignedDuration, Timestamp};

use super::{Actor, DecisionFault};
use crate::mail::{AddressKey, Mailbox};
use crate::spool::approval::{Approval, ApprovalRequest, Vote};
use crate::spool::message::{Hold, HoldState};
use crate::track::Decision;

/// What the directory says about a hold now.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Surroundings {
    /// The moderated recipient no longer exists, and the directory may be believed.
    pub group_gone: bool,
    /// Of those who were or may be asked: who is no longer there.
    pub gone: Vec<Mailbox>,
    /// Who is asked when the moderators do not decide.
    pub substitutes: Vec<Mailbox>,
}

/// Yes or no.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// Let it go to the group.
    Approve,
    /// Do not.
    Reject,
}

/// Why somebody is asked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Round {
    /// He is a moderator.
    Request,
    /// He was asked before and half of the time is over.
    Reminder,
    /// He stands in for moderators who did not decide or cannot be reached.
    Escalation,
}

/// What has to be done together with a change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// A request is sent, with tokens of its own.
    Ask(Mailbox, Round),
    /// The message goes to the group.
    Release,
    /// The sender hears that it was refused.
    TellRejected,
    /// The sender hears that nobody decided.
    TellExpired,
    /// The sender hears that the group is gone.
    TellGone,
    /// Owners and postmaster hear that nobody can be reached.
    Alarm,
}

/// A change to be committed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// Whether it still waits.
    pub state: HoldState,
    /// How it stands, one revision later. Requests that [`Effect::Ask`] brings are added by the caller.
    pub approval: Approval,
    /// To be done in the same commit.
    pub effects: Vec<Effect>,
}

impl Step {
    fn of(hold: &Hold) -> Self {
        let mut approval = hold.approval.clone();
        approval.revision += 1;
        Self {
            state: HoldState::Waiting,
            approval,
            effects: Vec::new(),
        }
    }

    fn ends(mut self, decision: Decision, by: String, at: Timestamp, comment: Option<String>, effect: Effect) -> Self {
        self.state = HoldState::Decided {
            decision,
            by,
            at,
            comment,
        };
        self.effects = vec![effect];
        self
    }
}

/// Somebody answers. A second yes of the same moderator changes nothing; one no ends it.
///
/// An operator decides alone: he could change the group's moderators as well.
pub fn answer(
    hold: &Hold,
    answer: Answer,
    actor: &Actor,
    comment: Option<String>,
    surroundings: &Surroundings,
    now: Timestamp,
) -> Result<Step, DecisionFault> {
    already(hold, now)?;
    let mut step = Step::of(hold);
    let by = actor.name();
    if let Actor::Moderator(address) = actor {
        if !may_decide(hold, address) {
            return Err(DecisionFault::NotModerator(address.clone()));
        }
        if holds(&surroundings.gone, address) {
            return Err(DecisionFault::Gone(address.clone()));
        }
    }
    match (answer, actor) {
        (Answer::Reject, _) => Ok(step.ends(Decision::Rejected, by, now, comment, Effect::TellRejected)),
        (Answer::Approve, Actor::Operator | Actor::Service) => {
            Ok(step.ends(Decision::Approved, by, now, comment, Effect::Release))
        }
        (Answer::Approve, Actor::Moderator(address)) => {
            let key = address.key();
            if let Some(vote) = step.approval.votes.iter().find(|vote| vote.moderator.key() == key) {
                return Err(DecisionFault::Voted {
                    at: vote.at,
                    missing: missing(&step.approval),
                });
            }
            step.approval.votes.push(Vote {
                moderator: address.clone(),
                at: now,
            });
            if missing(&step.approval) > 0 {
                return Ok(step);
            }
            let names: Vec<String> = step
                .approval
                .votes
                .iter()
                .map(|vote| vote.moderator.to_string())
                .collect();
            Ok(step.ends(Decision::Approved, names.join(", "), now, comment, Effect::Release))
        }
    }
}

/// Approvals that are still needed.
#[must_use]
pub fn missing(approval: &Approval) -> u32 {
    let given = u32::try_from(approval.votes.len()).unwrap_or(u32::MAX);
    approval.quorum.max(1).saturating_sub(given)
}

/// A request did not reach a moderator. None if nothing changes.
#[must_use]
pub fn bounced(hold: &Hold, moderator: &Mailbox) -> Option<Step> {
    let key = moderator.key();
    let open = |request: &ApprovalRequest| !request.bounced && request.moderator.key() == key;
    if hold.state != HoldState::Waiting || !hold.approval.requests.iter().any(open) {
        return None;
    }
    let mut step = Step::of(hold);
    for request in step.approval.requests.iter_mut().filter(|request| open(request)) {
        request.bounced = true;
    }
    Some(step)
}

/// What time and directory make of a hold. None if nothing is due.
#[must_use]
pub fn look(hold: &Hold, surroundings: &Surroundings, now: Timestamp) -> Option<Step> {
    if hold.state != HoldState::Waiting {
        return None;
    }
    let mut step = Step::of(hold);
    let service = Actor::Service.name();
    if hold.expires_at <= now {
        return Some(step.ends(Decision::Expired, service, now, None, Effect::TellExpired));
    }
    if surroundings.group_gone {
        let why = Some("the group no longer exists".to_owned());
        return Some(step.ends(Decision::Rejected, service, now, why, Effect::TellGone));
    }
    let there = |moderator: &&Mailbox| !holds(&surroundings.gone, moderator);
    if hold.approval.requests.is_empty() && !hold.approval.escalated {
        let first = hold.moderators.iter().filter(there).cloned();
        step.effects.extend(first.map(|each| Effect::Ask(each, Round::Request)));
    }
    let asks_somebody = |step: &Step| step.effects.iter().any(|effect| matches!(effect, Effect::Ask(..)));
    let reached = reached(hold, surroundings);
    let nobody = !asks_somebody(&step) && reached.is_empty();
    if !step.approval.escalated && (nobody || half_time(hold) <= now) {
        step.approval.escalated = true;
        let undecided = reached.iter().filter(|each| !has_voted(&step.approval, each));
        let reminders: Vec<Effect> = undecided
            .map(|each| Effect::Ask((*each).clone(), Round::Reminder))
            .collect();
        step.effects.extend(reminders);
        for substitute in surroundings.substitutes.iter().filter(there) {
            if !holds(&hold.moderators, substitute) && !holds(&step.approval.substitutes, substitute) {
                step.approval.substitutes.push(substitute.clone());
                step.effects.push(Effect::Ask(substitute.clone(), Round::Escalation));
            }
        }
    }
    if !asks_somebody(&step) && reached.is_empty() && !step.approval.alarmed {
        step.approval.alarmed = true;
        step.effects.push(Effect::Alarm);
    }
    (!step.effects.is_empty() || step.approval.escalated != hold.approval.escalated).then_some(step)
}

/// When [`look`] has to look again, directory changes aside.
#[must_use]
pub fn due(hold: &Hold) -> Option<Timestamp> {
    if hold.state != HoldState::Waiting {
        return None;
    }
    Some(if hold.approval.requests.is_empty() && !hold.approval.escalated {
        hold.held_at
    } else if hold.approval.escalated {
        hold.expires_at
    } else {
        half_time(hold).min(hold.expires_at)
    })
}

/// Whether somebody's answer counts: a moderator as at submission, or a substitute who was asked.
#[must_use]
pub fn may_decide(hold: &Hold, address: &Mailbox) -> bool {
    holds(&hold.moderators, address) || holds(&hold.approval.substitutes, address)
}

fn already(hold: &Hold, now: Timestamp) -> Result<(), DecisionFault> {
    match &hold.state {
        HoldState::Decided { decision, by, at, .. } => Err(DecisionFault::Already {
            decision: *decision,
            by: by.clone(),
            at: *at,
        }),
        // Its time is over, whether or not that has been written down yet.
        HoldState::Waiting if hold.expires_at <= now => Err(DecisionFault::Already {
            decision: Decision::Expired,
            by: Actor::Service.name(),
            at: hold.expires_at,
        }),
        HoldState::Waiting => Ok(()),
    }
}

/// Those who were asked, are still there, and whose last request did not come back.
fn reached<'a>(hold: &'a Hold, surroundings: &Surroundings) -> Vec<&'a Mailbox> {
    let mut latest: Vec<(AddressKey, &ApprovalRequest)> = Vec::new();
    for request in &hold.approval.requests {
        let key = request.moderator.key();
        match latest.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => *known = request,
            None => latest.push((key, request)),
        }
    }
    let open = latest.into_iter().filter(|(_, request)| !request.bounced);
    open.map(|(_, request)| &request.moderator)
        .filter(|moderator| !holds(&surroundings.gone, moderator))
        .collect()
}

fn has_voted(approval: &Approval, moderator: &Mailbox) -> bool {
    let key = moderator.key();
    approval.votes.iter().any(|vote| vote.moderator.key() == key)
}

fn holds(list: &[Mailbox], mailbox: &Mailbox) -> bool {
    let key = mailbox.key();
    list.iter().any(|each| each.key() == key)
}

fn half_time(hold: &Hold) -> Timestamp {
    let whole = hold.expires_at.duration_since(hold.held_at);
    let half = whole.checked_div(2).unwrap_or(SignedDuration::ZERO);
    hold.held_at.checked_add(half).unwrap_or(hold.expires_at)
}
