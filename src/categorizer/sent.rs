//! What was sent: the copies that a report is about, from the spool or, later, from the trace.

use jiff::Timestamp;

use super::Categorizer;
use crate::mail::header::HeaderFacts;
use crate::mail::return_path::{ReturnedCopy, tag_of};
use crate::mail::{Envelope, Mailbox, MessageId, ReversePath, SetId};
use crate::spool::SpoolFault;
use crate::spool::content::Content;
use crate::spool::roster::{Roster, RosterOrigin};
use crate::store::trace::SharedTraceStore;
use crate::track::{Event, EventKind};

/// Copies of one set.
pub(super) struct Sent {
    pub(super) message: MessageId,
    pub(super) received_at: Timestamp,
    pub(super) envelope: Envelope,
    pub(super) content: Content,
    pub(super) head: HeaderFacts,
    pub(super) reverse_path: ReversePath,
    pub(super) next_hop: String,
    pub(super) roster: Roster,
    /// Recipients whose failure is known.
    failed: Vec<String>,
}

impl Sent {
    /// The recipient that a report names; with one recipient in the batch it is that one, whatever the report says.
    pub(super) fn rank_of(&self, copy: &ReturnedCopy, address: Option<&Mailbox>) -> Option<u32> {
        let last = copy.last.min(self.roster.len().checked_sub(1)?);
        if copy.first == last {
            return Some(last);
        }
        let key = address?.key();
        (copy.first..=last).find(|rank| {
            let path = self.roster.forward_path(*rank);
            Mailbox::parse(path).is_ok_and(|mailbox| mailbox.key() == key)
        })
    }

    pub(super) fn origin(&self, rank: u32) -> Option<&RosterOrigin> {
        (rank < self.roster.len()).then(|| self.roster.origins.get(self.roster.origin_of(rank) as usize))?
    }

    /// True if a report about the recipient may name only whom the sender addressed.
    pub(super) fn conceals(&self, origin: &RosterOrigin, copy: &ReturnedCopy) -> bool {
        origin.expanded && (origin.hidden || !copy.proved)
    }

    pub(super) fn is_hidden(&self) -> bool {
        self.roster.origins.iter().any(|origin| origin.hidden)
    }

    pub(super) fn failed_before(&self, recipient: &str) -> bool {
        self.failed.iter().any(|known| known.eq_ignore_ascii_case(recipient))
    }
}

impl Categorizer {
    /// The copies of a return path; none if nobody remembers them.
    pub(super) fn sent(&self, copy: &ReturnedCopy, traces: &SharedTraceStore) -> Result<Option<Sent>, String> {
        let known = traces.message_of(copy.set).map_err(|fault| fault.to_string())?;
        let events = match known.filter(|message| tag_of(*message) == copy.tag) {
            Some(message) => traces.of_message(message).map_err(|fault| fault.to_string())?,
            None => Vec::new(),
        };
        match self.in_spool(copy, &events) {
            Ok(sent) => Ok(sent),
            Err(SpoolFault::Missing(_)) => in_trace(copy, known, &events, traces),
            Err(fault) => Err(fault.to_string()),
        }
    }

    fn in_spool(&self, copy: &ReturnedCopy, events: &[Event]) -> Result<Option<Sent>, SpoolFault> {
        let set = self.spool.set(copy.set)?.set;
        let message = self.spool.message(set.message)?;
        let content = self.spool.content(set.message)?;
        if tag_of(message.id) != copy.tag {
            return Ok(None);
        }
        let mut envelope = message.envelope;
        envelope.ret = set.ret;
        envelope.envid = set.envid;
        Ok(Some(Sent {
            message: message.id,
            received_at: message.received_at,
            envelope,
            head: HeaderFacts::read(&content.head).unwrap_or_default(),
            content,
            reverse_path: set.reverse_path,
            next_hop: set.next_hop,
            roster: set.roster,
            failed: failed(events, copy.set),
        }))
    }
}

/// The message has left the spool: its subject and Message-ID are all that is left of it.
fn in_trace(
    copy: &ReturnedCopy,
    message: Option<MessageId>,
    events: &[Event],
    traces: &SharedTraceStore,
) -> Result<Option<Sent>, String> {
    let Some(message) = message.filter(|message| tag_of(*message) == copy.tag) else {
        return Ok(None);
    };
    let roster = traces.roster(message, copy.set).map_err(|fault| fault.to_string())?;
    let queued = events.iter().find_map(|event| match &event.kind {
        EventKind::Queue {
            set,
            next_hop,
            reverse_path,
            ..
        } if *set == copy.set => Some((next_hop.clone(), reverse_path.clone())),
        _ => None,
    });
    let (Some(roster), Some((next_hop, reverse_path))) = (roster, queued) else {
        return Ok(None);
    };
    let received = events.iter().find_map(|event| match &event.kind {
        EventKind::Receive {
            subject,
            header_message_id,
            ..
        } => Some((event.at, subject.clone(), header_message_id.clone())),
        _ => None,
    });
    let (received_at, subject, message_id) = received.unwrap_or((Timestamp::UNIX_EPOCH, None, None));
    let reverse_path = match Mailbox::parse(&reverse_path) {
        Ok(mailbox) => ReversePath::Mailbox(mailbox),
        Err(_) => ReversePath::Null,
    };
    Ok(Some(Sent {
        message,
        received_at,
        envelope: Envelope::from(reverse_path.clone()),
        content: Content::in_memory(remembered(subject.as_deref(), message_id.as_deref())),
        head: HeaderFacts {
            subject,
            message_id,
            ..HeaderFacts::default()
        },
        reverse_path,
        next_hop,
        roster,
        failed: failed(events, copy.set),
    }))
}

/// A header section of what the trace kept; both texts are unfolded single lines.
fn remembered(subject: Option<&str>, message_id: Option<&str>) -> Vec<u8> {
    let mut section = String::new();
    for (name, value) in [("Subject", subject), ("Message-ID", message_id)] {
        if let Some(value) = value.filter(|value| !value.contains(['\r', '\n', '\0'])) {
            section.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    section.push_str("\r\n");
    section.into_bytes()
}

fn failed(events: &[Event], wanted: SetId) -> Vec<String> {
    let failed = events.iter().filter_map(|event| match &event.kind {
        EventKind::Fail { set, recipient, .. } if *set == wanted => Some(recipient.clone()),
        _ => None,
    });
    failed.collect()
}
