//! Answers about holds, and decisions on them.

use std::sync::Arc;

use crate::admin::answer::{HoldDecided, HoldShown, HoldSummary};
use crate::admin::service::{Caller, Refusal, RefusalKind};
use crate::categorizer::Categorizer;
use crate::categorizer::release::ReleaseFault;
use crate::mail::{HoldId, Mailbox};
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

/// Decides, in the name of a moderator.
pub async fn decide(
    categorizer: &Arc<Categorizer>,
    spool: &dyn Spool,
    caller: &Caller,
    id: HoldId,
    decision: Decision,
    moderator: &str,
    comment: Option<&str>,
) -> Result<HoldDecided, Refusal> {
    let before = find(spool, id)?;
    let moderator = Mailbox::parse(moderator)
        .map_err(|fault| Refusal::new(RefusalKind::Usage, format!("moderator `{moderator}`: {fault}")))?;
    let named = moderator.to_string();
    let actor = Actor::Moderator(moderator);
    let decided = categorizer
        .decide(id, decision, &actor, comment.map(str::to_owned))
        .await;
    match decided {
        Ok((hold, recipients)) => match hold.state {
            HoldState::Decided { decision, by, at, .. } => {
                let word = moderation::word(decision);
                tracing::info!(%caller, hold = %id, decision = word, moderator = by, "decided by command");
                Ok(answer(id, true, decision, by, at, recipients))
            }
            HoldState::Waiting => Err(Refusal::new(RefusalKind::Broken, "the decision was not kept")),
        },
        Err(ReleaseFault::Decision(DecisionFault::Already { decision, by, at })) => {
            Ok(answer(id, false, decision, by, at, 0))
        }
        Err(ReleaseFault::Decision(fault @ DecisionFault::NotModerator(_))) => {
            tracing::warn!(%caller, hold = %id, moderator = named, "decision by command refused: not a moderator");
            let names: Vec<String> = before.moderators.iter().map(ToString::to_string).collect();
            let text = format!("{fault}; moderators of {}: {}", before.recipient, names.join(", "));
            Err(Refusal::new(RefusalKind::Guard, text))
        }
        Err(fault @ ReleaseFault::NotNow(_)) => Err(Refusal::new(RefusalKind::Busy, fault.to_string())),
        Err(ReleaseFault::Spool(fault)) => Err(unavailable(fault)),
    }
}

fn answer(
    id: HoldId,
    applied: bool,
    decision: Decision,
    by: String,
    at: jiff::Timestamp,
    recipients: u64,
) -> HoldDecided {
    HoldDecided {
        id: id.to_string(),
        applied,
        decision,
        by,
        at,
        recipients,
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
