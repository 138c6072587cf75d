//! Answers about the queue, read from the spool: what is shown is what a restart would find.

use jiff::Timestamp;
use roaring::RoaringBitmap;

use crate::admin::answer::{NextHopSummary, OpenRecipient, QueueItem, QueueShown};
use crate::admin::command::QueueSelection;
use crate::admin::service::{Refusal, RefusalKind};
use crate::mail::header::HeaderFacts;
use crate::mail::{Mailbox, Reply, SetId};
use crate::queue::snapshot::QueueView;
use crate::spool::message::{RecipientOutcome, StoredSet};
use crate::spool::{Spool, SpoolFault};
use crate::track::Reason;

/// Most open recipients shown of one set.
const OPEN_SHOWN_MAX: usize = 1_000;

/// Delivery sets with open recipients that a selection names, oldest first; `is_group` knows an address of its group.
pub fn selected(
    spool: &dyn Spool,
    selection: &QueueSelection,
    is_group: &dyn Fn(&str) -> bool,
) -> Result<Vec<StoredSet>, Refusal> {
    let chosen = chosen(spool, selection, is_group)?;
    Ok(chosen.into_iter().map(|(stored, _)| stored).collect())
}

/// The same, with the ranks of each that are open and that the selection is about.
pub fn chosen(
    spool: &dyn Spool,
    selection: &QueueSelection,
    is_group: &dyn Fn(&str) -> bool,
) -> Result<Vec<(StoredSet, RoaringBitmap)>, Refusal> {
    let mut sets = spool.recover().map_err(unavailable)?.sets;
    sets.retain(|stored| {
        selection.set.is_none_or(|id| stored.set.id == id)
            && selection.message.is_none_or(|id| stored.set.message == id)
            && selection
                .next_hop
                .as_ref()
                .is_none_or(|name| stored.set.next_hop == *name)
    });
    let parsed = |what: &str, text: &str| {
        Mailbox::parse(text).map_err(|fault| Refusal::new(RefusalKind::Usage, format!("{what} `{text}`: {fault}")))
    };
    let recipient = selection
        .recipient
        .as_ref()
        .map(|text| parsed("recipient", text))
        .transpose()?;
    let from = match selection.from.as_deref() {
        None => None,
        Some("" | "<>") => Some(None),
        Some(text) => Some(Some(parsed("sender", text)?)),
    };
    let mut found = Vec::new();
    for stored in sets {
        if let Some(from) = &from
            && !is_sender(spool, &stored, from.as_ref())?
        {
            continue;
        }
        let mut ranks = open_ranks(&stored);
        if recipient.is_some() || selection.group.is_some() {
            let full = spool.set(stored.set.id).map_err(unavailable)?;
            ranks = open_ranks(&full);
            keep(
                &mut ranks,
                &full,
                recipient.as_ref(),
                selection.group.is_some().then_some(is_group),
            );
        }
        if !ranks.is_empty() {
            found.push((stored, ranks));
        }
    }
    found.sort_by_key(|(stored, _)| (stored.set.queued_at, stored.set.id));
    Ok(found)
}

/// The sender of the message: return paths of copies may be others.
fn is_sender(spool: &dyn Spool, stored: &StoredSet, wanted: Option<&Mailbox>) -> Result<bool, Refusal> {
    let message = spool.message(stored.set.message).map_err(unavailable)?;
    let sender = message.envelope.reverse_path.mailbox().map(Mailbox::key);
    Ok(sender == wanted.map(Mailbox::key))
}

/// Keeps the ranks of a recipient, and those that a group led to.
fn keep(
    ranks: &mut RoaringBitmap,
    full: &StoredSet,
    recipient: Option<&Mailbox>,
    is_group: Option<&dyn Fn(&str) -> bool>,
) {
    let roster = &full.set.roster;
    let origins: Option<Vec<bool>> = is_group.map(|is_group| {
        let origins = roster.origins.iter();
        origins.map(|origin| is_group(&origin.addressed)).collect()
    });
    let key = recipient.map(Mailbox::key);
    let is_meant = |rank: u32| {
        let path = roster.forward_path(rank);
        let to = recipient.is_none_or(|wanted| {
            path.eq_ignore_ascii_case(wanted.as_str()) || Mailbox::parse(path).ok().map(|path| path.key()) == key
        });
        let by = origins
            .as_ref()
            .is_none_or(|origins| origins.get(roster.origin_of(rank) as usize).copied().unwrap_or(false));
        to && by
    };
    *ranks = ranks.iter().filter(|rank| is_meant(*rank)).collect();
}

/// A set as a line of `queue list`.
#[must_use]
pub fn item(stored: &StoredSet, view: &QueueView) -> QueueItem {
    let live = view.items.iter().find(|item| item.set == stored.set.id);
    let (mut reply, mut reason) = last_deferral(stored);
    if live.is_some_and(|live| live.stopped > 0) {
        (reply, reason) = (None, Some(Reason::StoppedByOperator));
    } else if let Some(live) = live.filter(|live| live.reason.is_some()) {
        // What waits because its next hop is left alone is known to the queue only.
        (reply, reason) = (live.reply.clone(), live.reason);
    } else if reason.is_none()
        && let Some(place) = view
            .destinations
            .iter()
            .find(|place| place.next_hop == stored.set.next_hop)
    {
        (reply, reason) = (place.reply.clone(), place.reason);
    }
    QueueItem {
        set: stored.set.id.to_string(),
        message: stored.set.message,
        next_hop: stored.set.next_hop.clone(),
        from: stored.set.reverse_path.as_str().to_owned(),
        recipients: u64::from(stored.recipients),
        open: open_ranks(stored).len(),
        attempts: stored.state.attempts,
        queued_at: stored.set.queued_at,
        next_attempt_at: live
            .and_then(|live| live.next_attempt_at)
            .or(stored.state.next_attempt_at),
        expires_at: stored.set.expires_at,
        reply,
        reason,
    }
}

/// One set in full.
pub fn show(spool: &dyn Spool, id: SetId, view: &QueueView) -> Result<QueueShown, Refusal> {
    let stored = spool.set(id).map_err(|fault| match fault {
        SpoolFault::Missing(_) => Refusal::new(
            RefusalKind::NotFound,
            format!("there is no delivery set {id} in the queue"),
        ),
        fault => unavailable(fault),
    })?;
    let content = spool.content(stored.set.message).map_err(unavailable)?;
    let subject = HeaderFacts::read(&content.head).ok().and_then(|head| head.subject);
    let finals = outcomes(&stored);
    let count = |test: fn(&RecipientOutcome) -> bool| {
        finals
            .iter()
            .filter(|outcome| outcome.as_ref().is_some_and(test))
            .count() as u64
    };
    let open_recipients = open_ranks(&stored)
        .into_iter()
        .take(OPEN_SHOWN_MAX)
        .map(|rank| {
            let (reply, reason) = match &finals[rank as usize] {
                Some(RecipientOutcome::Deferred { reply, reason }) => (reply.clone(), Some(*reason)),
                _ => (None, None),
            };
            OpenRecipient {
                recipient: stored.set.roster.forward_path(rank).to_owned(),
                reply,
                reason,
            }
        })
        .collect();
    Ok(QueueShown {
        item: item(&stored, view),
        subject,
        relayed: count(|outcome| matches!(outcome, RecipientOutcome::Relayed)),
        failed: count(|outcome| {
            matches!(
                outcome,
                RecipientOutcome::Failed { .. } | RecipientOutcome::Dropped { .. }
            )
        }),
        open_recipients,
    })
}

/// Every next hop with what waits for it.
#[must_use]
pub fn by_next_hop(names: &[String], sets: &[StoredSet], view: &QueueView, now: Timestamp) -> Vec<NextHopSummary> {
    let line = |name: &str| NextHopSummary {
        next_hop: name.to_owned(),
        ..NextHopSummary::default()
    };
    let mut lines: Vec<NextHopSummary> = names.iter().map(|name| line(name)).collect();
    let place = |lines: &mut Vec<NextHopSummary>, name: &str| {
        lines.iter().position(|line| line.next_hop == *name).unwrap_or_else(|| {
            lines.push(line(name));
            lines.len() - 1
        })
    };
    for stored in sets {
        let at = place(&mut lines, &stored.set.next_hop);
        let age = u64::try_from(now.as_second() - stored.set.queued_at.as_second()).unwrap_or(0);
        let oldest = lines[at].oldest_seconds.map_or(age, |known| known.max(age));
        lines[at].oldest_seconds = Some(oldest);
    }
    for destination in &view.destinations {
        let at = place(&mut lines, &destination.next_hop);
        let line = &mut lines[at];
        line.ready = destination.ready;
        line.deferred = destination.deferred;
        line.sessions = destination.batches_in_flight as u64;
        line.sessions_max = destination.sessions_max as u64;
        let words = destination.reason.map(|reason| reason.text().to_owned());
        line.suspended = destination.suspended;
        line.last_error = destination.reply.as_ref().map(ToString::to_string).or(words);
    }
    lines.sort_by(|a, b| a.next_hop.cmp(&b.next_hop));
    lines
}

/// Ranks without a final outcome.
#[must_use]
pub fn open_ranks(stored: &StoredSet) -> RoaringBitmap {
    let mut open = RoaringBitmap::new();
    open.insert_range(0..stored.recipients);
    for (_, progress) in &stored.progress {
        if progress.outcome.is_final() {
            open.remove_range(progress.first..=progress.last);
        } else {
            open.insert_range(progress.first..=progress.last);
        }
    }
    open
}

fn outcomes(stored: &StoredSet) -> Vec<Option<RecipientOutcome>> {
    let mut all = vec![None; stored.recipients as usize];
    for (_, progress) in &stored.progress {
        let ranks = progress.first as usize..=(progress.last as usize).min(all.len().saturating_sub(1));
        for rank in ranks {
            all[rank] = Some(progress.outcome.clone());
        }
    }
    all
}

fn last_deferral(stored: &StoredSet) -> (Option<Reply>, Option<Reason>) {
    let last = stored
        .progress
        .iter()
        .rev()
        .find_map(|(_, progress)| match &progress.outcome {
            RecipientOutcome::Deferred { reply, reason } => Some((reply.clone(), Some(*reason))),
            RecipientOutcome::Relayed | RecipientOutcome::Failed { .. } | RecipientOutcome::Dropped { .. } => None,
        });
    last.unwrap_or((None, None))
}

/// The spool cannot answer now.
pub fn unavailable(fault: SpoolFault) -> Refusal {
    Refusal::new(RefusalKind::Busy, fault.to_string())
}
