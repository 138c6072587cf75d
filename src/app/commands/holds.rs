//! Answers about holds, and decisions on them.

use std::sync::Arc;

use crate::admin::answer::{HoldDecided, HoldShown, HoldSummary};
use crate::admin::service::{Caller, Refusal, RefusalKind};
use crate::categorizer::Categorizer;
use crate::categorizer::decide::Settled;
use crate::categorizer::release::ReleaseFault;
use crate::mail::{HoldId, Mailbox};
use crate::moderation::machine::{self, Answer};
use crate::moderation::{self, Actor, DecisionFault};
use crate::spool::message::{Hold, HoldState};
use crate::spool::{Spool, SpoolFault};
use crate::track::Decision;

use super::queue::unavailable;

/// Holds that wait, of one group or of all.
pub fn list(spool: &dyn Spool, group: Option<&Mailbox>) -> Result<Vec<HoldSummary>, Refusal> {
    let key = group.map(Mailbox::key);
    let holds = spool.holds().map_err(unavailable)?;
    let wanted = holds
        .iter()
        .filter(|hold| key.as_ref().is_none_or(|key| hold.recipient.key() == *key));
    wanted.map(|hold| summary(spool, hold)).collect()
}

/// One hold in full; `recipients` of an approval today are counted by the caller.
pub fn show(spool: &dyn Spool, id: HoldId, recipients: u64) -> Result<HoldShown, Refusal> {
    let hold = find(spool, id)?;
    let message = spool.message(hold.message);
    let proof = message.ok().and_then(|message| message.arrival.proof);
    let (state, decided_by, decided_at, comment) = match &hold.state {
        HoldState::Waiting => ("waiting", None, None, None),
        HoldState::Decided {
            decision,
            by,
            at,
            comment,
        } => (
            moderation::word(*decision),
            Some(by.clone()),
            Some(*at),
            comment.clone(),
        ),
    };
    Ok(HoldShown {
        summary: summary(spool, &hold)?,
        message: hold.message,
        sender_proof: proof,
        path: hold.path.clone(),
        moderators: hold.moderators.iter().map(ToString::to_string).collect(),
        recipients,
        state: state.to_owned(),
        decided_by,
        decided_at,
        comment,
    })
}

/// A hold in whatever state.
pub fn find(spool: &dyn Spool, id: HoldId) -> Result<Hold, Refusal> {
    spool.hold(id).map_err(|fault| match fault {
        SpoolFault::Missing(_) => Refusal::new(RefusalKind::NotFound, format!("there is no hold {id}")),
        fault => unavailable(fault),
    })
}

/// Decides, in the name of a moderator or as the operator.
pub async fn decide(
    categorizer: &Arc<Categorizer>,
    spool: &dyn Spool,
    caller: &Caller,
    id: HoldId,
    answer: Answer,
    moderator: Option<&str>,
    comment: Option<&str>,
) -> Result<HoldDecided, Refusal> {
    let before = find(spool, id)?;
    let actor = actor(moderator)?;
    let named = actor.name();
    let decided = categorizer
        .decide(id, answer, &actor, comment.map(str::to_owned), None)
        .await;
    match decided {
        Ok(Settled { hold, recipients }) => {
            tracing::info!(%caller, hold = %id, ?answer, moderator = named, "decided by command");
            Ok(match &hold.state {
                HoldState::Decided { decision, by, at, .. } => HoldDecided {
                    recipients,
                    ..decided_by(id, *decision, by, *at)
                },
                HoldState::Waiting => HoldDecided {
                    missing: machine::missing(&hold.approval),
                    ..decided_by(id, Decision::Approved, &named, categorizer.now())
                },
            })
        }
        Err(ReleaseFault::Decision(DecisionFault::Already { decision, by, at })) => Ok(HoldDecided {
            applied: false,
            ..decided_by(id, decision, &by, at)
        }),
        Err(ReleaseFault::Decision(DecisionFault::Voted { at, missing })) => Ok(HoldDecided {
            applied: false,
            missing,
            ..decided_by(id, Decision::Approved, &named, at)
        }),
        Err(ReleaseFault::Decision(fault @ (DecisionFault::NotModerator(_) | DecisionFault::Gone(_)))) => {
            tracing::warn!(%caller, hold = %id, moderator = named, "decision by command refused: not a moderator");
            let all = before.moderators.iter().chain(&before.approval.substitutes);
            let names: Vec<String> = all.map(ToString::to_string).collect();
            let text = format!("{fault}; moderators of {}: {}", before.recipient, names.join(", "));
            Err(Refusal::new(RefusalKind::Guard, text))
        }
        Err(fault @ ReleaseFault::NotNow(_)) => Err(Refusal::new(RefusalKind::Busy, fault.to_string())),
        Err(ReleaseFault::Spool(fault)) => Err(unavailable(fault)),
    }
}

/// Who decides by command.
fn actor(moderator: Option<&str>) -> Result<Actor, Refusal> {
    let Some(moderator) = moderator else {
        return Ok(Actor::Operator);
    };
    Mailbox::parse(moderator)
        .map(Actor::Moderator)
        .map_err(|fault| Refusal::new(RefusalKind::Usage, format!("moderator `{moderator}`: {fault}")))
}

fn decided_by(id: HoldId, decision: Decision, by: &str, at: jiff::Timestamp) -> HoldDecided {
    HoldDecided {
        id: id.to_string(),
        applied: true,
        decision,
        by: by.to_owned(),
        at,
        recipients: 0,
        missing: 0,
    }
}

fn summary(spool: &dyn Spool, hold: &Hold) -> Result<HoldSummary, Refusal> {
    // A decided hold may outlive its message.
    let size_bytes = match spool.message(hold.message) {
        Ok(message) => message.size_bytes,
        Err(SpoolFault::Missing(_)) => 0,
        Err(fault) => return Err(unavailable(fault)),
    };
    Ok(HoldSummary {
        id: hold.id.to_string(),
        group: hold.recipient.to_string(),
        from: hold.sender.as_str().to_owned(),
        subject: hold.subject.clone(),
        size_bytes,
        held_at: hold.held_at,
        expires_at: hold.expires_at,
    })
}
