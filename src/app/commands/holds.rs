//! Answers about holds, and decisions on them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::admin::answer::{HoldDecided, HoldLeft, HoldShown, HoldSummary, HoldsDecided};
use crate::admin::command::{HoldAnswer, HoldsOrder, Intent};
use crate::admin::service::{Caller, Refusal, RefusalKind};
use crate::categorizer::Categorizer;
use crate::categorizer::decide::{Manner, SenderNotice, Settled};
use crate::categorizer::release::ReleaseFault;
use crate::mail::{HoldId, Mailbox};
use crate::moderation::machine::{self, Answer};
use crate::moderation::{Actor, DecisionFault};
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
        } => (decision.word(), Some(by.clone()), Some(*at), comment.clone()),
    };
    Ok(HoldShown {
        summary: summary(spool, &hold)?,
        message: hold.message,
        sender_proof: proof,
        path: hold.path.clone(),
        cause: hold.cause,
        membership: hold.membership,
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
        .decide(id, answer, &actor, comment.map(str::to_owned), &Manner::default())
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
        Err(fault @ (ReleaseFault::NotNow(_) | ReleaseFault::Past(_))) => {
            Err(Refusal::new(RefusalKind::Busy, fault.to_string()))
        }
        Err(ReleaseFault::Spool(fault)) => Err(unavailable(fault)),
    }
}

/// Decides everything that waits and matches, or says what it would decide. Each sender gets one notice.
pub async fn decide_many(
    categorizer: &Arc<Categorizer>,
    spool: &dyn Spool,
    caller: &Caller,
    order: &HoldsOrder,
    group: Option<&Mailbox>,
) -> Result<HoldsDecided, Refusal> {
    let actor = actor(order.moderator.as_deref())?;
    let mut many = Many::new(order, actor, categorizer.new_message_id().0);
    let mut chosen = Vec::new();
    for hold in selected(spool, order, group)? {
        match &many.actor {
            Actor::Moderator(address) if !machine::may_decide(&hold, address) => {
                many.leave(&hold, &DecisionFault::NotModerator(address.clone()));
            }
            Actor::Moderator(_) | Actor::Operator | Actor::Service => chosen.push(hold),
        }
    }
    match order.intent {
        Intent::Say => many.say(categorizer, chosen).await,
        Intent::Do => {
            many.carry_out(categorizer, chosen, order.comment.as_deref()).await;
            let (messages, operation) = (many.decided.messages, many.operation);
            tracing::info!(%caller, messages, %operation, answer = ?order.answer, "held messages decided by command");
        }
    }
    many.decided.senders = many.senders.len() as u64;
    Ok(many.decided)
}

/// Holds that wait and match, oldest first.
fn selected(spool: &dyn Spool, order: &HoldsOrder, group: Option<&Mailbox>) -> Result<Vec<Hold>, Refusal> {
    let wanted = &order.selection;
    let from = wanted.from.as_deref().map(Mailbox::parse).transpose();
    let from = from.map_err(|fault| Refusal::new(RefusalKind::Usage, format!("sender: {fault}")))?;
    if group.is_none() && from.is_none() && wanted.held_before.is_none() {
        return Err(Refusal::new(
            RefusalKind::Usage,
            "name what to decide: a group, a sender or an age",
        ));
    }
    let mut holds = spool.holds().map_err(unavailable)?;
    holds.retain(|hold| {
        let sender = hold.sender.mailbox().map(Mailbox::key);
        group.is_none_or(|group| hold.recipient.key() == group.key())
            && from.as_ref().is_none_or(|from| sender == Some(from.key()))
            && wanted.held_before.is_none_or(|before| hold.held_at < before)
    });
    Ok(holds)
}

/// An order about many holds while it is carried out.
struct Many {
    actor: Actor,
    answer: Answer,
    operation: uuid::Uuid,
    senders: HashSet<String>,
    decided: HoldsDecided,
}

impl Many {
    fn new(order: &HoldsOrder, actor: Actor, operation: uuid::Uuid) -> Self {
        Self {
            actor,
            answer: match order.answer {
                HoldAnswer::Approve => Answer::Approve,
                HoldAnswer::Reject => Answer::Reject,
            },
            operation,
            senders: HashSet::new(),
            decided: HoldsDecided {
                done: order.intent == Intent::Do,
                answer: order.answer,
                messages: 0,
                senders: 0,
                recipients: 0,
                left: Vec::new(),
                operation: (order.intent == Intent::Do).then(|| operation.to_string()),
            },
        }
    }

    fn leave(&mut self, hold: &Hold, why: &dyn std::fmt::Display) {
        self.decided.left.push(HoldLeft {
            id: hold.id.to_string(),
            why: why.to_string(),
        });
    }

    fn count(&mut self, hold: &Hold, recipients: u64) {
        self.decided.messages += 1;
        self.decided.recipients += recipients;
        self.senders.insert(sender_key(hold));
    }

    async fn say(&mut self, categorizer: &Arc<Categorizer>, chosen: Vec<Hold>) {
        for hold in chosen {
            let (this, id) = (Arc::clone(categorizer), hold.id);
            let counted = match self.answer {
                Answer::Approve => tokio::task::spawn_blocking(move || this.would_release(id)).await,
                Answer::Reject => Ok(Ok(0)),
            };
            match counted {
                Ok(Ok(recipients)) => self.count(&hold, recipients),
                Ok(Err(fault)) => self.leave(&hold, &fault),
                Err(fault) => self.leave(&hold, &fault),
            }
        }
    }

    /// The notice to a sender goes with the last of his messages to a group and names the others.
    async fn carry_out(&mut self, categorizer: &Arc<Categorizer>, chosen: Vec<Hold>, comment: Option<&str>) {
        let key = |hold: &Hold| (sender_key(hold), hold.object.clone());
        let mut open: HashMap<(String, String), usize> = HashMap::new();
        for hold in &chosen {
            *open.entry(key(hold)).or_default() += 1;
        }
        let mut untold: HashMap<(String, String), Vec<String>> = HashMap::new();
        for hold in chosen {
            let key = key(&hold);
            let left = open.entry(key.clone()).or_default();
            *left = left.saturating_sub(1);
            let is_last = *left == 0;
            let told = untold.entry(key).or_default();
            let manner = Manner {
                operation: Some(self.operation),
                notice: if is_last {
                    SenderNotice::Tell(told.clone())
                } else {
                    SenderNotice::Elsewhere
                },
            };
            let comment = comment.map(str::to_owned);
            match categorizer
                .decide(hold.id, self.answer, &self.actor, comment, &manner)
                .await
            {
                Ok(Settled { hold, recipients }) => match hold.state {
                    HoldState::Decided { .. } => {
                        told.push(hold.subject.clone().unwrap_or_default());
                        self.count(&hold, recipients);
                    }
                    HoldState::Waiting => self.leave(&hold, &"counted; more approvals are needed"),
                },
                Err(fault) => {
                    if is_last && self.answer == Answer::Reject && !told.is_empty() {
                        let others = told.len();
                        self.leave(&hold, &format!("{fault}; its sender was not told of {others} others"));
                    } else {
                        self.leave(&hold, &fault);
                    }
                }
            }
        }
    }
}

fn sender_key(hold: &Hold) -> String {
    let sender = hold.sender.mailbox();
    sender.map_or_else(String::new, |sender| sender.key().as_str().to_owned())
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
