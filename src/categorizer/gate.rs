//! What a listener is told while the dialogue is still going on: from memory, at once.

use std::sync::Arc;

use super::Categorizer;
use super::intake::{ClientFacts, ListenerRole};
use crate::directory::ObjectId;
use crate::expansion::{self, Detail, ReportFacts, Request, Start};
use crate::mail::{Envelope, EnvelopeRecipient, Mailbox, Reply, ReversePath};
use crate::policy::rules::SpoofedSender;
use crate::policy::{Refusal, Rules, replies};
use crate::resolver::sender::trusted;
use crate::resolver::{Relaying, Sender, Standing};
use crate::spool::{Readiness, SpoolFault};
use crate::track::{Event, EventKind, Reason};

/// Whether a client may send to domains that are not ours: on `relay` listeners, from trusted networks.
#[must_use]
pub fn relaying(client: &ClientFacts, rules: &Rules) -> Relaying {
    match client.role {
        ListenerRole::Inbound => Relaying::Denied,
        ListenerRole::Relay if trusted(&client.listener, client.client, rules).is_some() => Relaying::Allowed,
        ListenerRole::Relay => Relaying::Denied,
    }
}

/// Who a client's reverse-path makes him.
#[must_use]
pub fn sender(client: &ClientFacts, reverse_path: &ReversePath, rules: &Rules) -> Sender {
    Sender::judged(reverse_path, &client.listener, client.client, rules)
}

/// Why the spool takes nothing now, as a reply: always 4yz.
#[must_use]
pub fn busy(fault: &SpoolFault) -> Reply {
    match fault {
        SpoolFault::DiskLow => Reply::new(452, (4, 3, 1), "Insufficient system storage, try again later"),
        SpoolFault::Full => Reply::new(451, (4, 3, 1), "The queue is full, try again later"),
        SpoolFault::Suspect(_) | SpoolFault::Unreadable(_) | SpoolFault::Missing(_) => {
            Reply::new(451, (4, 3, 0), "The store is not available, try again later")
        }
    }
}

/// What a reverse-path of ours without proof is told.
#[must_use]
pub fn spoofed() -> Refusal {
    Refusal {
        reply: replies::of(Reason::SenderSpoofed, None),
        reason: Reason::SenderSpoofed,
    }
}

impl Categorizer {
    /// A spoofed sender is refused at RCPT, not here: clients that report it then name the recipient.
    pub(super) fn judge_mail(&self) -> Result<(), Refusal> {
        match self.spool.readiness() {
            Readiness::Ready => Ok(()),
            Readiness::Busy(fault) => Err(Refusal {
                reply: busy(&fault),
                reason: fault.reason(),
            }),
        }
    }

    pub(super) fn judge_rcpt(
        &self,
        client: &ClientFacts,
        envelope: &Envelope,
        recipient: &EnvelopeRecipient,
    ) -> Result<(), Refusal> {
        let organisation = self.organisation.load();
        let rules = &organisation.rules;
        let sender = sender(client, &envelope.reverse_path, rules);
        if sender.standing == Standing::Spoofed && rules.spoofed == SpoofedSender::Refuse {
            return Err(spoofed());
        }
        let view = self.views.view();
        let marked = |_: &ObjectId| false;
        let request = Request {
            sender: &sender,
            size_bytes: envelope.size_declared,
            report: ReportFacts::default(),
            start: Start::Addressed(&[]),
            marked: &marked,
            in_bcc: &|_, _| false,
            relaying: relaying(client, rules),
            sources: self.views.sources(),
            now: self.env.clock.now(),
            detail: Detail::Quiet,
        };
        match expansion::judge_recipient(recipient, &request, &view, rules).verdict {
            expansion::Verdict::Refused(refusal) => Err(refusal),
            expansion::Verdict::Accepted | expansion::Verdict::Held | expansion::Verdict::Discarded(_) => Ok(()),
        }
    }

    pub(super) fn track_refusal(
        &self,
        client: &ClientFacts,
        reverse_path: &ReversePath,
        recipient: Option<&Mailbox>,
        refusal: &Refusal,
    ) {
        let listener: &Arc<str> = &client.listener;
        self.spool.record(vec![Event {
            at: self.env.clock.now(),
            message: self.new_message_id(),
            kind: EventKind::Refuse {
                recipient: recipient.map(ToString::to_string),
                reverse_path: reverse_path.as_str().to_owned(),
                listener: listener.to_string(),
                client: Some(client.client),
                reply: refusal.reply.clone(),
                reason: refusal.reason,
            },
        }]);
    }
}
