//! `stop`: mail that is to go no further for now, let go again, or given up; with counts that are exact.
//!
//! A count is taken at one moment under the queue's lock, and completed by what the store says of recipients that were
//! settled before that moment: a copy that is with its next hop then is told apart, and counted neither as delivered
//! nor as held.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::answering::with_groups;
use super::orders::user_name;
use super::queue::unavailable;
use super::stop_counts::{Counts, Found, counted, look, within};
use super::storms;
use crate::admin::answer::{StopAnswer, StopDone, StopShown};
use crate::admin::command::{Intent, StopCommand, StopOrder, StopTarget, StopVerb};
use crate::admin::service::{Caller, Refusal, RefusalKind};
use crate::app::service::Service;
use crate::app::stops::{Over, end};
use crate::categorizer::decide::{Manner, SenderNotice};
use crate::delivery::stopped::GiveUp;
use crate::mail::{MessageId, SetId, StopId};
use crate::moderation::Actor;
use crate::moderation::machine::Answer;
use crate::policy::stop::{Scope, Stop};
use crate::queue::HeldBack;
use crate::spool::message::Hold;
use crate::spool::{Spool as _, SpoolFault};
use crate::store::StoreFault;

/// Answers a question about brakes and stops, or carries an order out.
pub(super) async fn answer(
    service: &Arc<Service>,
    caller: &Caller,
    command: &StopCommand,
) -> Result<StopAnswer, Refusal> {
    match command.clone() {
        StopCommand::Watch { group, after } => {
            storms::changed(service, after).await;
            let shown = blocking(service, move |service| {
                let group = group
                    .map(|name| with_groups(service, |groups| groups.primary_of(&name)))
                    .transpose()?;
                storms::watch(service, group.as_ref())
            });
            Ok(StopAnswer::Watch(shown.await?))
        }
        StopCommand::StopList { all } => {
            let stops = blocking(service, move |service| Ok(list(service, all)));
            Ok(StopAnswer::StopList(stops.await?))
        }
        StopCommand::Stop(order) => {
            let by = order.signed.by.clone().unwrap_or_else(|| user_name(caller));
            let done = Ordered { service, by }.carry_out(order).await?;
            tracing::info!(
                %caller,
                by = done.by,
                target = done.target,
                verb = ?done.verb,
                done = done.done,
                messages = done.messages,
                recipients = done.recipients,
                "stop by command"
            );
            Ok(StopAnswer::Stop(done))
        }
    }
}

async fn blocking<T: Send + 'static>(
    service: &Arc<Service>,
    work: impl FnOnce(&Service) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let service = Arc::clone(service);
    let done = tokio::task::spawn_blocking(move || work(&service)).await;
    done.unwrap_or_else(|fault| Err(Refusal::new(RefusalKind::Broken, fault.to_string())))
}

fn not_kept(fault: StoreFault) -> Refusal {
    Refusal::new(RefusalKind::Busy, format!("the stop could not be kept: {fault}"))
}

fn list(service: &Service, all: bool) -> Vec<StopShown> {
    let now = service.env.clock.now();
    let masked = service.delivery.masked();
    let found = service.delivery.held_back(masked.iter().map(|(set, _)| *set));
    let mut stops = service.categorizer.stops();
    stops.retain(|stop| all || stop.is_on(now));
    stops.sort_by_key(|stop| stop.id);
    let shown = |stop: &Stop| {
        let masks = if stop.is_on(now) {
            service.categorizer.masks_of_stored(&masked, Some(stop))
        } else {
            HashMap::new()
        };
        let held = |set: &SetId| Some(found.get(set)?.held.intersection_len(masks.get(set)?));
        let counts: Vec<(MessageId, u64)> = masked
            .iter()
            .filter_map(|(set, message)| Some((*message, held(set)?)))
            .filter(|(_, count)| *count > 0)
            .collect();
        let (what, target) = words(&stop.scope);
        StopShown {
            id: stop.id.to_string(),
            what: what.to_owned(),
            target,
            on: stop.is_on(now),
            since: stop.since,
            until: stop.until,
            by: stop.by.clone(),
            reason: Some(stop.reason.clone()).filter(|reason| !reason.is_empty()),
            ended_at: stop.ended.as_ref().map(|ended| ended.at),
            ended_by: stop.ended.as_ref().map(|ended| ended.by.clone()),
            messages: counts
                .iter()
                .map(|(message, _)| *message)
                .collect::<BTreeSet<_>>()
                .len() as u64,
            recipients: counts.iter().map(|(_, count)| count).sum(),
        }
    };
    stops.iter().map(shown).collect()
}

fn words(scope: &Scope) -> (&'static str, String) {
    match scope {
        Scope::Message { message } => ("message", message.to_string()),
        Scope::Group { address, .. } => ("group", address.to_string()),
        Scope::Thread { thread } => ("thread", thread.to_string()),
    }
}

/// Number of a stop that was not put on.
const NOT_ON: StopId = StopId(0);

struct Ordered<'a> {
    service: &'a Arc<Service>,
    by: String,
}

impl Ordered<'_> {
    async fn carry_out(&self, order: StopOrder) -> Result<StopDone, Refusal> {
        let (by, wanted) = (self.by.clone(), order.clone());
        let stop = blocking(self.service, move |service| named(service, &wanted, by)).await?;
        let mut done = StopDone {
            done: order.intent == Intent::Do,
            verb: order.verb,
            target: {
                let (what, which) = words(&stop.scope);
                format!("{what} {which}")
            },
            stop: None,
            until: order.until,
            by: self.by.clone(),
            reason: order.signed.reason.clone(),
            ended: Vec::new(),
            messages: 0,
            moderated: 0,
            recipients: 0,
            in_flight: 0,
            delivered_messages: 0,
            delivered: 0,
            failed: 0,
            left: Vec::new(),
        };
        match (order.verb, order.intent) {
            (StopVerb::Hold, Intent::Do) => self.hold(stop, &mut done).await?,
            (StopVerb::Lift, Intent::Do) => self.lift(&stop, &order.target, &mut done).await?,
            (StopVerb::Drop, Intent::Do) => self.give_up(stop, GiveUp::Silently, &mut done).await?,
            (StopVerb::Refuse, Intent::Do) => self.give_up(stop, GiveUp::WithReport, &mut done).await?,
            (_, Intent::Say) => {
                let about = stop.clone();
                let found = blocking(self.service, move |service| look(service, &about)).await?;
                self.count(&stop, &found, &mut done).await?;
            }
        }
        Ok(done)
    }

    /// Puts it on, then holds what is in the queue; whatever comes later is held when it is handed over.
    async fn hold(&self, stop: Stop, done: &mut StopDone) -> Result<(), Refusal> {
        let (stop, found) = blocking(self.service, move |service| put_on(service, stop)).await?;
        done.stop = (stop.id != NOT_ON).then(|| stop.id.to_string());
        self.count(&stop, &found, done).await
    }

    async fn lift(&self, stop: &Stop, target: &StopTarget, done: &mut StopDone) -> Result<(), Refusal> {
        let (scope, by) = (stop.scope.clone(), self.by.clone());
        let one = match target {
            StopTarget::Stop(id) => Some(*id),
            StopTarget::Message(_) | StopTarget::Group(_) | StopTarget::Thread(_) => None,
        };
        let about = stop.clone();
        let (ended, let_go, found) = blocking(self.service, move |service| {
            let wanted = |stop: &Stop| one.map_or_else(|| same(&stop.scope, &scope), |id| stop.id == id);
            let Over { ended, let_go } = end(service, wanted, &by).map_err(not_kept)?;
            Ok((ended, let_go, look(service, &about)?))
        })
        .await?;
        done.ended = ended.iter().map(|stop| stop.id.to_string()).collect();
        if let (Scope::Thread { thread }, None) = (&stop.scope, one) {
            let lifted = self.service.categorizer.lift_brakes(thread, None, &self.by);
            let named = lifted
                .iter()
                .map(|brake| format!("brake of {} at {}", brake.thread, brake.address));
            done.ended.extend(named);
        }
        self.count(stop, &found, done).await?;
        let moderated: BTreeSet<MessageId> = found.holds.iter().map(|hold| hold.message).collect();
        done.moderated = moderated.len() as u64;
        done.messages = let_go
            .iter()
            .map(|(message, _)| *message)
            .collect::<BTreeSet<_>>()
            .len() as u64;
        done.recipients = let_go.iter().map(|(_, count)| count).sum();
        Ok(())
    }

    /// Holds first, so that nothing leaves meanwhile; then gives up what is held. A stop that this order made ends with
    /// it, and so does that of a message: nothing of it is left.
    async fn give_up(&self, stop: Stop, how: GiveUp, done: &mut StopDone) -> Result<(), Refusal> {
        let now = self.service.env.clock.now();
        let was_on = self
            .service
            .categorizer
            .stops()
            .iter()
            .any(|known| known.is_on(now) && same(&known.scope, &stop.scope));
        let (stop, found) = blocking(self.service, move |service| put_on(service, stop)).await?;
        self.count(&stop, &found, done).await?;
        self.service.delivery.give_up(&found.masks, how);
        for hold in &found.holds {
            let manner = Manner {
                operation: None,
                notice: match how {
                    GiveUp::Silently => SenderNotice::Elsewhere,
                    GiveUp::WithReport => SenderNotice::default(),
                },
            };
            let comment = Some(stop.reason.clone()).filter(|reason| !reason.is_empty());
            let categorizer = &self.service.categorizer;
            if let Err(fault) = categorizer
                .decide(hold.id, Answer::Reject, &Actor::Operator, comment, &manner)
                .await
            {
                done.left.push(format!("{}: {fault}", hold.id));
            }
        }
        if was_on && !matches!(stop.scope, Scope::Message { .. }) {
            done.stop = Some(stop.id.to_string());
            done.until = stop.until;
            return Ok(());
        }
        let (id, by) = (stop.id, self.by.clone());
        let ended = blocking(self.service, move |service| {
            end(service, |stop| stop.id == id, &by).map_err(not_kept)
        });
        if was_on {
            done.ended = ended.await?.ended.iter().map(|stop| stop.id.to_string()).collect();
        } else {
            ended.await?;
        }
        Ok(())
    }

    /// Counts what was found. What was settled before is in the store once everything handed to it is.
    async fn count(&self, stop: &Stop, found: &Found, done: &mut StopDone) -> Result<(), Refusal> {
        let flushed = self.service.spool.forget_holds(jiff::Timestamp::MIN);
        flushed.await.map_err(unavailable)?;
        let (stop, queued) = (stop.clone(), found.queued.clone());
        let messages = found.messages.clone();
        let holds: Vec<Hold> = found.holds.clone();
        let counts = blocking(self.service, move |service| {
            let mut counts: BTreeMap<MessageId, Counts> = BTreeMap::new();
            for id in messages {
                counts.insert(id, counted(service, &stop, id, &queued)?);
            }
            for hold in &holds {
                let would = service.categorizer.would_release(hold.id).unwrap_or(0);
                counts.entry(hold.message).or_default().held += would;
            }
            Ok(counts)
        })
        .await?;
        let moderated: BTreeSet<MessageId> = found.holds.iter().map(|hold| hold.message).collect();
        done.moderated = moderated.len() as u64;
        for (id, counts) in counts {
            if counts.held > 0 || moderated.contains(&id) {
                done.messages += 1;
            } else if counts.in_flight == 0 && counts.delivered > 0 {
                done.delivered_messages += 1;
            }
            done.recipients += counts.held;
            done.in_flight += counts.in_flight;
            done.delivered += counts.delivered;
            done.failed += counts.failed;
        }
        Ok(())
    }
}

/// The stop that an order names: one that is on, or one as it would be made.
fn named(service: &Service, order: &StopOrder, by: String) -> Result<Stop, Refusal> {
    let scope = match &order.target {
        StopTarget::Message(message) => Scope::Message { message: *message },
        StopTarget::Group(name) => with_groups(service, |groups| {
            let (_, group) = groups.group(name)?;
            Ok(Scope::Group {
                group: group.id.clone(),
                address: group.primary.clone(),
            })
        })?,
        StopTarget::Thread(id) => {
            let id = id.trim();
            let id = if id.starts_with('<') {
                id.to_owned()
            } else {
                format!("<{id}>")
            };
            Scope::Thread {
                thread: service.categorizer.thread_root(&id),
            }
        }
        StopTarget::Stop(id) => {
            let known = service.categorizer.stops().into_iter().find(|stop| stop.id == *id);
            let missing = || Refusal::new(RefusalKind::NotFound, format!("there is no stop {id}"));
            return known.ok_or_else(missing);
        }
    };
    if let Scope::Message { message } = &scope {
        known_message(service, *message)?;
    }
    Ok(Stop {
        id: NOT_ON,
        scope,
        since: service.env.clock.now(),
        until: order.until,
        by,
        reason: order.signed.reason.clone().unwrap_or_default(),
        ended: None,
    })
}

fn known_message(service: &Service, id: MessageId) -> Result<(), Refusal> {
    match service.spool.message(id) {
        Ok(_) => return Ok(()),
        Err(SpoolFault::Missing(_)) => {}
        Err(fault) => return Err(unavailable(fault)),
    }
    let events = service.traces.of_message(id).map_err(super::trace::unavailable)?;
    if events.is_empty() {
        return Err(Refusal::new(RefusalKind::NotFound, format!("there is no message {id}")));
    }
    Ok(())
}

fn same(one: &Scope, other: &Scope) -> bool {
    match (one, other) {
        (Scope::Group { group: one, .. }, Scope::Group { group: other, .. }) => one == other,
        _ => one == other,
    }
}

/// Puts a stop on and holds what is in the queue; it stays [`NOT_ON`] for a message that has ended.
fn put_on(service: &Service, stop: Stop) -> Result<(Stop, Found), Refusal> {
    if let Scope::Message { message } = stop.scope
        && let Err(SpoolFault::Missing(_)) = service.spool.message(message)
    {
        let found = look(service, &stop)?;
        return Ok((stop, found));
    }
    let stop = service.categorizer.put_stop(stop).map_err(not_kept)?;
    let mut found = look(service, &stop)?;
    let about: Vec<(SetId, MessageId)> = service
        .delivery
        .queued()
        .into_iter()
        .filter(|(set, _)| found.queued.contains_key(set))
        .collect();
    let mut held = service
        .delivery
        .hold_back(service.categorizer.masks_of_stored(&about, None));
    for (set, known) in &mut found.queued {
        // What has left the queue meanwhile is settled.
        let now = held.remove(set).unwrap_or_default();
        *known = found
            .masks
            .get(set)
            .map_or_else(HeldBack::default, |own| within(now, own));
    }
    Ok((stop, found))
}
