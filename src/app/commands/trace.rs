//! `trace`: what became of a message, and did somebody get it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::admin::answer::{RecipientFate, TracedMessage};
use crate::admin::command::TraceQuery;
use crate::admin::service::{Refusal, RefusalKind};
use crate::mail::{AddressKey, HoldId, Mailbox, MessageId, Reply, SetId};
use crate::rolls::View;
use crate::spool::roster::Roster;
use crate::store::{StoreFault, TraceStore, TraceWindow};
use crate::track::{Decision, Event, EventKind, Reason};

/// Most fates shown of one message when no recipient was asked for.
const FATES_MAX: usize = 1_000;
/// Events read at once while looking for messages by time.
const PAGE: usize = 10_000;

/// Answers the query.
pub fn trace(store: &dyn TraceStore, view: &View, query: &TraceQuery) -> Result<Vec<TracedMessage>, Refusal> {
    let asked = match &query.to {
        Some(to) => Some(addresses(view, to)?),
        None => None,
    };
    let ids = match (&query.message, &asked) {
        (Some(id), _) => vec![*id],
        (None, Some(asked)) => by_recipient(store, asked, query)?,
        (None, None) => by_time(store, query)?,
    };
    let mut found = Vec::new();
    for id in ids {
        let events = store.of_message(id).map_err(unavailable)?;
        let Some(mut message) = told(id, events) else { continue };
        if !fits(&message, query) {
            continue;
        }
        // A list of messages names those who did not get theirs; one message or one recipient is told in full.
        let in_full = query.message.is_some() || asked.is_some();
        message.fates = fates(store, &message, asked.as_ref(), query.undelivered || !in_full)?;
        if query.undelivered && message.fates.is_empty() {
            continue;
        }
        found.push(message);
        if found.len() >= query.count_max as usize {
            break;
        }
    }
    found.sort_by_key(|trace| std::cmp::Reverse((trace.at, trace.message)));
    Ok(found)
}

/// Every address that means the same recipient today: a person is traced by whatever address one knows.
fn addresses(view: &View, to: &str) -> Result<BTreeMap<AddressKey, Mailbox>, Refusal> {
    let asked =
        Mailbox::parse(to).map_err(|fault| Refusal::new(RefusalKind::Usage, format!("--to `{to}`: {fault}")))?;
    let object = view
        .directory
        .lookup(&asked.key())
        .one()
        .and_then(|ordinal| view.object(ordinal));
    let mut all = vec![asked];
    if let Some(object) = object {
        all.extend(object.mailboxes().cloned());
        all.push(object.final_address().clone());
    }
    Ok(all.into_iter().map(|mailbox| (mailbox.key(), mailbox)).collect())
}

fn window(query: &TraceQuery) -> TraceWindow {
    TraceWindow {
        from: query.since.unwrap_or(TraceWindow::ALL.from),
        until: query.until.unwrap_or(TraceWindow::ALL.until),
    }
}

fn by_recipient(
    store: &dyn TraceStore,
    asked: &BTreeMap<AddressKey, Mailbox>,
    query: &TraceQuery,
) -> Result<Vec<MessageId>, Refusal> {
    // Other conditions are judged later: a few more are looked at, newest first.
    let most = (query.count_max as usize).saturating_mul(4).max(100);
    let mut ids = BTreeSet::new();
    for mailbox in asked.values() {
        ids.extend(store.of_recipient(mailbox, window(query), most).map_err(unavailable)?);
    }
    Ok(ids.into_iter().rev().collect())
}

fn by_time(store: &dyn TraceStore, query: &TraceQuery) -> Result<Vec<MessageId>, Refusal> {
    let mut ids = BTreeSet::new();
    let mut after = 0;
    loop {
        let page = store.between(window(query), after, PAGE).map_err(unavailable)?;
        let Some((last, _)) = page.last() else { break };
        after = *last;
        for (_, event) in &page {
            if matches!(event.kind, EventKind::Receive { .. } | EventKind::Refuse { .. }) {
                ids.insert(event.message);
            }
        }
    }
    Ok(ids.into_iter().rev().collect())
}

/// The message as its events tell it.
fn told(id: MessageId, events: Vec<Event>) -> Option<TracedMessage> {
    let first = events.first()?;
    let mut message = TracedMessage {
        message: id,
        at: first.at,
        from: String::new(),
        to: Vec::new(),
        subject: None,
        header_message_id: None,
        listener: None,
        sender_proof: None,
        size_bytes: None,
        fates: Vec::new(),
        recipients: 0,
        events: Vec::new(),
    };
    for event in &events {
        match &event.kind {
            EventKind::Receive {
                listener,
                reverse_path,
                recipients,
                size_bytes,
                sender_proof,
                header_message_id,
                subject,
                ..
            } => {
                message.listener = Some(listener.clone());
                message.from.clone_from(reverse_path);
                message.to.clone_from(recipients);
                message.size_bytes = Some(*size_bytes);
                message.sender_proof = Some(sender_proof.clone());
                message.header_message_id.clone_from(header_message_id);
                message.subject.clone_from(subject);
            }
            EventKind::Refuse {
                recipient,
                reverse_path,
                listener,
                ..
            } => {
                message.listener = Some(listener.clone());
                message.from.clone_from(reverse_path);
                message.to.extend(recipient.clone());
            }
            EventKind::Queue { recipients, .. } => message.recipients += recipients,
            EventKind::Note { .. }
            | EventKind::Expand { .. }
            | EventKind::Drop { .. }
            | EventKind::Branch { .. }
            | EventKind::Hold { .. }
            | EventKind::Decide { .. }
            | EventKind::Vote { .. }
            | EventKind::Send { .. }
            | EventKind::Defer { .. }
            | EventKind::Fail { .. }
            | EventKind::Report { .. }
            | EventKind::Done => {}
        }
    }
    message.events = events;
    Some(message)
}

fn fits(message: &TracedMessage, query: &TraceQuery) -> bool {
    let same = |a: &str, b: &str| match (Mailbox::parse(a), Mailbox::parse(b)) {
        (Ok(a), Ok(b)) => a.key() == b.key(),
        _ => a.eq_ignore_ascii_case(b),
    };
    let from = query.from.as_ref().is_none_or(|from| same(from, &message.from));
    let subject = query.subject.as_ref().is_none_or(|part| {
        let subject = message
            .subject
            .as_deref()
            .map(crate::mail::header::decoded_for_display)
            .unwrap_or_default();
        subject.to_lowercase().contains(&part.to_lowercase())
    });
    let since = query.since.is_none_or(|since| message.at >= since);
    let until = query.until.is_none_or(|until| message.at < until);
    from && subject && since && until
}

fn fates(
    store: &dyn TraceStore,
    message: &TracedMessage,
    asked: Option<&BTreeMap<AddressKey, Mailbox>>,
    undelivered: bool,
) -> Result<Vec<RecipientFate>, Refusal> {
    let mut rosters: HashMap<SetId, Roster> = HashMap::new();
    for event in &message.events {
        if let EventKind::Queue { set, .. } = event.kind
            && let Some(roster) = store.roster(message.message, set).map_err(unavailable)?
        {
            rosters.insert(set, roster);
        }
    }
    let report = message.events.iter().find_map(|event| match &event.kind {
        EventKind::Report { to, .. } => Some(to.clone()),
        _ => None,
    });
    let wanted = |address: &str| {
        asked.is_none_or(|asked| Mailbox::parse(address).is_ok_and(|mailbox| asked.contains_key(&mailbox.key())))
    };
    let mut book = Book {
        rosters: &rosters,
        wanted: &wanted,
        holds: HashMap::new(),
        fates: BTreeMap::new(),
    };
    message.events.iter().for_each(|event| book.note(event));
    let expansions = expansions(&message.events);
    let mut fates: Vec<RecipientFate> = book.fates.into_values().collect();
    fates.retain(|fate| !undelivered || !(fate.event == "SEND" || fate.decision == Some(Decision::Approved)));
    for fate in &mut fates {
        if let Some((version, age)) = fate.path.last().and_then(|group| expansions.get(group.as_str())) {
            fate.roll_version = Some(*version);
            fate.roll_age_seconds = Some(*age);
        }
        if fate.event == "FAIL" {
            fate.report_to.clone_from(&report);
        }
    }
    fates.truncate(FATES_MAX);
    Ok(fates)
}

fn expansions(events: &[Event]) -> HashMap<&str, (u64, u64)> {
    let expanded = events.iter().filter_map(|event| match &event.kind {
        EventKind::Expand {
            group,
            roll_version,
            roll_age_seconds,
            ..
        } => Some((group.as_str(), (*roll_version, *roll_age_seconds))),
        _ => None,
    });
    expanded.collect()
}

fn refused(fate: &mut RecipientFate, reply: &Reply, reason: Reason) {
    fate.reply = Some(reply.clone());
    fate.reason = Some(reason);
}

/// The latest word about each recipient, in the order of events.
struct Book<'a> {
    rosters: &'a HashMap<SetId, Roster>,
    wanted: &'a dyn Fn(&str) -> bool,
    /// Groups that held it.
    holds: HashMap<HoldId, String>,
    fates: BTreeMap<String, RecipientFate>,
}

impl Book<'_> {
    fn note(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Queue {
                set, next_hop, rule, ..
            } => self.ranks(event, *set, next_hop, None, |fate| {
                fate.reason = None;
                fate.rule.clone_from(rule);
            }),
            EventKind::Send {
                set,
                next_hop,
                ranks,
                remote,
                reply,
                ..
            } => self.ranks(event, *set, next_hop, Some(ranks), |fate| {
                (fate.remote, fate.reply) = (Some(remote.clone()), Some(reply.clone()));
                fate.reason = None;
            }),
            EventKind::Defer {
                set,
                next_hop,
                ranks,
                reply,
                reason,
                ..
            } => self.ranks(event, *set, next_hop, Some(ranks), |fate| {
                fate.reply.clone_from(reply);
                fate.reason = Some(*reason);
            }),
            EventKind::Fail {
                next_hop,
                recipient,
                reply,
                reason,
                ..
            } => self.one(event, recipient, |fate| {
                fate.next_hop = Some(next_hop.clone());
                fate.reply = Some(reply.clone());
                fate.reason = Some(*reason);
            }),
            EventKind::Drop {
                recipient,
                group,
                reason,
            } => self.one(event, recipient, |fate| {
                fate.path.extend(group.clone());
                fate.reason = Some(*reason);
            }),
            EventKind::Branch {
                recipient,
                path,
                reply,
                reason,
            } => self.one(event, recipient, |fate| {
                fate.path.clone_from(path);
                fate.reply = Some(reply.clone());
                fate.reason = Some(*reason);
            }),
            EventKind::Refuse {
                recipient: Some(recipient),
                reply,
                reason,
                ..
            } => self.one(event, recipient, |fate| refused(fate, reply, *reason)),
            EventKind::Hold {
                hold, group, thread, ..
            } => self.held(event, *hold, group, thread.is_some()),
            EventKind::Decide { hold, decision, .. } => self.decided(event, *hold, *decision),
            EventKind::Refuse { recipient: None, .. }
            | EventKind::Receive { .. }
            | EventKind::Note { .. }
            | EventKind::Expand { .. }
            | EventKind::Report { .. }
            | EventKind::Vote { .. }
            | EventKind::Done => {}
        }
    }

    fn held(&mut self, event: &Event, hold: HoldId, group: &str, braked: bool) {
        self.holds.insert(hold, group.to_owned());
        self.one(event, group, |fate| {
            fate.reason = braked.then_some(Reason::ThreadBraked)
        });
    }

    /// The group that held it shows what was decided.
    fn decided(&mut self, event: &Event, hold: HoldId, decision: Decision) {
        if let Some(group) = self.holds.get(&hold).cloned() {
            self.one(event, &group, |fate| fate.decision = Some(decision));
        }
    }

    fn ranks(
        &mut self,
        event: &Event,
        set: SetId,
        next_hop: &str,
        ranks: Option<&Vec<(u32, u32)>>,
        fill: impl Fn(&mut RecipientFate),
    ) {
        let rosters = self.rosters;
        let Some(roster) = rosters.get(&set) else { return };
        let all = vec![(0, roster.len().saturating_sub(1))];
        for (first, last) in ranks.unwrap_or(&all) {
            for rank in *first..=(*last).min(roster.len().saturating_sub(1)) {
                let origin = roster.origins.get(roster.origin_of(rank) as usize);
                self.one(event, roster.forward_path(rank), |fate| {
                    fate.next_hop = Some(next_hop.to_owned());
                    if let Some(origin) = origin.filter(|origin| origin.expanded) {
                        fate.path = vec![origin.addressed.clone()];
                    }
                    fill(fate);
                });
            }
        }
    }

    fn one(&mut self, event: &Event, recipient: &str, fill: impl FnOnce(&mut RecipientFate)) {
        if !(self.wanted)(recipient) {
            return;
        }
        let fate = self
            .fates
            .entry(recipient.to_ascii_lowercase())
            .or_insert_with(|| RecipientFate {
                recipient: recipient.to_owned(),
                event: String::new(),
                at: event.at,
                next_hop: None,
                rule: None,
                remote: None,
                reply: None,
                reason: None,
                decision: None,
                path: Vec::new(),
                roll_version: None,
                roll_age_seconds: None,
                report_to: None,
            });
        event.kind.name().clone_into(&mut fate.event);
        fate.at = event.at;
        fill(fate);
    }
}

/// The trace cannot be read now.
pub fn unavailable(fault: StoreFault) -> Refusal {
    Refusal::new(RefusalKind::Busy, fault.to_string())
}
