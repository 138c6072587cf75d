//! `queue hold|release|drop|bounce|reroute|suspend|resume`, with counts that are exact.
//!
//! A count is taken under the queue's lock: recipients that are with a session at that moment are told apart, and left
//! alone. What is decided is kept first and carried out then.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::answering::with_groups;
use super::orders::user_name;
use super::queue::{self, chosen, unavailable};
use crate::admin::answer::{
    HopSuspended, QueueActed, QueueAnswer, TlsCounted, TlsFailure, TlsReportEnded, TlsReportsShown,
};
use crate::admin::command::{Intent, QueueAction, QueueCommand, QueueOrder, QueueSelection, SuspendOrder};
use crate::admin::service::{Caller, Refusal, RefusalKind};
use crate::app::service::Service;
use crate::delivery::stopped::GiveUp;
use crate::delivery::tls_reports::book::{Detail, Ending};
use crate::mail::{Mailbox, MessageId, SetId};
use crate::queue::marks::{Suspension, ranges};
use crate::queue::{HeldBack, Masks};
use crate::routing;
use crate::spool::Spool as _;
use crate::spool::message::StoredSet;
use crate::store::StoreFault;
use crate::track::{Event, EventKind, Reason};

/// Carries an order out, or says what it would do. Blocks.
pub(super) fn answer(service: &Arc<Service>, caller: &Caller, command: &QueueCommand) -> Result<QueueAnswer, Refusal> {
    Ok(match command {
        QueueCommand::QueueAct(order) => QueueAnswer::QueueAct(act(service, caller, order)?),
        QueueCommand::QueueSuspend(order) => QueueAnswer::QueueSuspend(suspend(service, caller, order)?),
        QueueCommand::TlsReports { domain } => QueueAnswer::TlsReports(tls_reports(service, domain.as_deref())),
    })
}

fn not_kept(fault: StoreFault) -> Refusal {
    Refusal::new(RefusalKind::Busy, format!("the decision could not be kept: {fault}"))
}

/// Delivery sets that a selection names.
pub(super) fn selected(service: &Service, selection: &QueueSelection) -> Result<Vec<StoredSet>, Refusal> {
    let group = selection
        .group
        .as_ref()
        .map(|name| group_address(service, name))
        .transpose()?;
    queue::selected(&*service.spool, selection, &|addressed| {
        is_of(service, group.as_ref(), addressed)
    })
}

/// True for an address of the group.
fn is_of(service: &Service, group: Option<&Mailbox>, addressed: &str) -> bool {
    let (Some(group), Ok(addressed)) = (group, Mailbox::parse(addressed)) else {
        return false;
    };
    let directory = &service.keeper.view().directory;
    let one = |mailbox: &Mailbox| directory.lookup(&mailbox.key()).one();
    group.key() == addressed.key() || one(group).is_some_and(|row| one(&addressed) == Some(row))
}

/// Which recipients an order is about.
pub(super) struct Meant {
    masks: Masks,
    messages: HashMap<SetId, MessageId>,
    found: HashMap<SetId, HeldBack>,
}

/// The recipients that a selection names and that are not being delivered.
pub(super) fn meant(service: &Service, selection: &QueueSelection) -> Result<Meant, Refusal> {
    let group = selection
        .group
        .as_ref()
        .map(|name| group_address(service, name))
        .transpose()?;
    let is_group = |addressed: &str| is_of(service, group.as_ref(), addressed);
    let mut masks = Masks::new();
    let mut messages = HashMap::new();
    for (stored, ranks) in chosen(&*service.spool, selection, &is_group)? {
        messages.insert(stored.set.id, stored.set.message);
        masks.insert(stored.set.id, ranks);
    }
    let found = service.delivery.open_within(&masks);
    Ok(Meant { masks, messages, found })
}

fn group_address(service: &Service, name: &str) -> Result<Mailbox, Refusal> {
    let found = with_groups(service, |groups| {
        groups.group(name).map(|(_, group)| group.primary.clone())
    });
    // A group that is gone is known by the address that senders used.
    found.or_else(|refusal| Mailbox::parse(name).map_err(|_| refusal))
}

impl Meant {
    fn count(&self, order: &QueueOrder, by: &str) -> QueueActed {
        let touched = |found: &&HeldBack| !found.held.is_empty();
        let sets = self.found.iter().filter(|(_, found)| touched(found));
        let messages: BTreeSet<MessageId> = sets.filter_map(|(set, _)| self.messages.get(set).copied()).collect();
        QueueActed {
            done: order.intent == Intent::Do,
            verb: order.verb.clone(),
            sets: self.found.values().filter(touched).count() as u64,
            messages: messages.len() as u64,
            recipients: self.found.values().map(|found| found.held.len()).sum(),
            in_flight: self.found.values().map(|found| found.in_flight.len()).sum(),
            by: by.to_owned(),
        }
    }

    /// Those who wait.
    fn waiting(&self) -> Masks {
        let waiting = self.found.iter().filter(|(_, found)| !found.held.is_empty());
        waiting.map(|(set, found)| (*set, found.held.clone())).collect()
    }

    /// For a release: of them those who are held by hand, also if they are not in the queue at this moment.
    fn held_by_hand(&mut self, service: &Service) {
        for (set, found) in &mut self.found {
            let held = service.marks.held(*set);
            found.held = &self.masks[set] & &held;
            found.in_flight = RoaringBitmap::new();
        }
    }
}

fn act(service: &Arc<Service>, caller: &Caller, order: &QueueOrder) -> Result<QueueActed, Refusal> {
    let by = order.signed.by.clone().unwrap_or_else(|| user_name(caller));
    if let QueueAction::Reroute(to) = &order.verb {
        known_hop(service, to)?;
    }
    let mut meant = meant(service, &order.selection)?;
    if order.verb == QueueAction::Release {
        meant.held_by_hand(service);
    }
    let acted = meant.count(order, &by);
    if order.intent == Intent::Say || acted.recipients == 0 {
        return Ok(acted);
    }
    let waiting = meant.waiting();
    match &order.verb {
        QueueAction::Hold => {
            let held = service
                .marks
                .change(&waiting, |marks, ranks| marks.hold(ranks))
                .map_err(not_kept)?;
            service.delivery.hold_by_hand(held);
            record(service, &meant, &waiting, Reason::StoppedByOperator, None);
        }
        QueueAction::Release => {
            let release = |marks: &mut crate::queue::marks::SetMarks, ranks: &RoaringBitmap| drop(marks.release(ranks));
            let held = service.marks.change(&waiting, release).map_err(not_kept)?;
            service.delivery.hold_by_hand(held);
        }
        QueueAction::Drop => give_up(service, &waiting, GiveUp::Silently)?,
        QueueAction::Bounce => give_up(service, &waiting, GiveUp::WithReport)?,
        QueueAction::Reroute(to) => reroute(service, &meant, &waiting, to)?,
    }
    tracing::info!(
        %caller,
        by,
        verb = ?order.verb,
        reason = order.signed.reason,
        sets = acted.sets,
        recipients = acted.recipients,
        "queue changed by command"
    );
    Ok(acted)
}

/// Holds them first, so that nothing leaves meanwhile; then gives them up.
fn give_up(service: &Service, waiting: &Masks, how: GiveUp) -> Result<(), Refusal> {
    let hold: Masks = waiting
        .iter()
        .map(|(set, ranks)| (*set, service.marks.held(*set) | ranks))
        .collect();
    service.delivery.hold_by_hand(hold);
    service.delivery.give_up(waiting, how);
    let release = |marks: &mut crate::queue::marks::SetMarks, ranks: &RoaringBitmap| drop(marks.release(ranks));
    let held = service.marks.change(waiting, release).map_err(not_kept)?;
    service.delivery.hold_by_hand(held);
    Ok(())
}

/// Each recipient goes to the next hop, by MX to the exchangers of his domain.
fn reroute(service: &Service, meant: &Meant, waiting: &Masks, to: &str) -> Result<(), Refusal> {
    let routes = service.routes.load_full();
    let hop = routes.by_name(to).ok_or_else(|| unknown(to))?;
    let mut by_label: HashMap<String, Masks> = HashMap::new();
    for (set, ranks) in waiting {
        let stored = service.spool.set(*set).map_err(unavailable)?;
        let message = service.spool.message(stored.set.message).map_err(unavailable)?;
        for rank in ranks {
            let path = stored.set.roster.forward_path(rank);
            let domain = path.rsplit_once('@').map_or("", |(_, domain)| domain);
            let label = routes.label(hop, domain, message.envelope.tls()).into_owned();
            let masks = by_label.entry(label).or_default();
            masks.entry(*set).or_default().insert(rank);
        }
    }
    for (label, masks) in by_label {
        service
            .marks
            .change(&masks, |marks, ranks| marks.reroute(ranks, &label))
            .map_err(not_kept)?;
        let mut moved = Masks::new();
        for (set, ranks) in &masks {
            moved.insert(*set, service.delivery.reroute(*set, ranks, &label));
        }
        record(service, meant, &moved, Reason::ReroutedByOperator, Some(&label));
    }
    Ok(())
}

/// For the trace: why they wait, and where.
fn record(service: &Service, meant: &Meant, masks: &Masks, reason: Reason, label: Option<&str>) {
    let now = service.env.clock.now();
    let events = masks.iter().filter(|(_, ranks)| !ranks.is_empty());
    let events = events.filter_map(|(set, ranks)| {
        let stored = service.spool.set(*set).ok()?;
        Some(Event {
            at: now,
            message: *meant.messages.get(set)?,
            kind: EventKind::Defer {
                set: *set,
                next_hop: label.map_or_else(|| stored.set.next_hop.clone(), str::to_owned),
                ranks: ranges(ranks.clone()),
                reply: None,
                reason,
                retry_at: if label.is_some() { now } else { stored.set.expires_at },
            },
        })
    });
    let events: Vec<Event> = events.collect();
    if !events.is_empty() {
        service.spool.record(events);
    }
}

fn unknown(name: &str) -> Refusal {
    Refusal::new(RefusalKind::Usage, format!("there is no next hop `{name}`"))
}

fn known_hop(service: &Service, name: &str) -> Result<(), Refusal> {
    let routes = service.routes.load();
    if routes.by_name(name).is_some() {
        return Ok(());
    }
    let names: Vec<&str> = routes.hops().map(|(_, hop)| hop.name.as_str()).collect();
    let text = format!("there is no next hop `{name}`; there are {}", names.join(", "));
    Err(Refusal::new(RefusalKind::Usage, text))
}

/// What TLS came to.
fn tls_reports(service: &Service, domain: Option<&str>) -> TlsReportsShown {
    let Some(book) = service.delivery.tls_reports() else {
        return TlsReportsShown::default();
    };
    let is_meant = |known: &str| domain.is_none_or(|domain| known.eq_ignore_ascii_case(domain));
    let failure = |detail: &Detail| TlsFailure {
        result: detail.result.word().to_owned(),
        host: detail.host.clone(),
        address: detail.to.map(|address| address.to_string()),
        why: detail.why.clone(),
        sessions: detail.sessions,
    };
    let mut shown = TlsReportsShown {
        on: true,
        left_out: book.days.values().map(|day| day.left_out).sum(),
        ..TlsReportsShown::default()
    };
    for (day, counts) in &book.days {
        for (domain, counts) in counts.domains.iter().filter(|(domain, _)| is_meant(domain)) {
            shown.counted.extend(counts.policies.iter().map(|policy| TlsCounted {
                day: day.to_string(),
                domain: domain.clone(),
                policy: policy.policy.kind.word().to_owned(),
                succeeded: policy.succeeded,
                failed: policy.failed,
                failures: policy.details.iter().map(failure).collect(),
                due_at: counts.due_at,
                tries: counts.tries,
            }));
        }
    }
    let ended = book.ended.into_iter().filter(|ended| is_meant(&ended.domain));
    shown.ended = ended
        .map(|ended| TlsReportEnded {
            day: ended.day.to_string(),
            domain: ended.domain,
            at: ended.at,
            sent: ended.ending == Ending::Sent,
            arrived: ended.arrived,
            missed: ended.missed,
        })
        .collect();
    shown
}

fn suspend(service: &Service, caller: &Caller, order: &SuspendOrder) -> Result<HopSuspended, Refusal> {
    let by = order.signed.by.clone().unwrap_or_else(|| user_name(caller));
    let name = &order.next_hop;
    if !name.starts_with("domain:") {
        known_hop(service, name)?;
    }
    let applied = if order.suspend {
        service.marks.suspend(Suspension {
            next_hop: name.clone(),
            since: service.env.clock.now(),
            by: by.clone(),
            reason: order.signed.reason.clone(),
        })
    } else {
        service.marks.resume(name)
    };
    let applied = applied.map_err(not_kept)?;
    service.delivery.suspend(service.marks.suspended());
    tracing::info!(%caller, by, next_hop = name, suspended = order.suspend, reason = order.signed.reason, "next hop");
    let routes = service.routes.load();
    let view = service.delivery.snapshot();
    let is_there = |label: &str| {
        let hop = routes.by_label(label).map(|(id, _)| routes.hop(id).name.as_str());
        routing::is_of(label, name) || hop == Some(name.as_str())
    };
    let there: Vec<_> = view.items.iter().filter(|item| is_there(&item.next_hop)).collect();
    Ok(HopSuspended {
        next_hop: name.clone(),
        suspended: order.suspend,
        applied,
        sets: there.len() as u64,
        recipients: there.iter().map(|item| item.ready + item.deferred + item.stopped).sum(),
        by,
    })
}
