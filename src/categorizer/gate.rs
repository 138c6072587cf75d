//! What a listener is told while the dialogue is still going on: from memory, at once.

use std::sync::Arc;

use super::intake::{ClientFacts, ListenerRole};
use super::{Categorizer, Organisation};
use crate::directory::ObjectId;
use crate::expansion::{self, Detail, ReportFacts, Request, Start};
use crate::mail::{Domain, Envelope, EnvelopeRecipient, Mailbox, MessageId, Reply, ReversePath};
use crate::policy::login::may_use;
use crate::policy::rules::SpoofedSender;
use crate::policy::{Refusal, Rules, replies};
use crate::resolver::sender::trusted;
use crate::resolver::shared::CameFrom;
use crate::resolver::{Prospect, Relaying, Sender, Sources, Standing};
use crate::rolls::View;
use crate::spool::{Readiness, SpoolFault};
use crate::track::{Event, EventKind, Reason};

/// Whether a client may send to domains that are not ours: on listeners that are no MX, from networks of our own or as
/// an account.
#[must_use]
pub fn relaying(client: &ClientFacts, rules: &Rules) -> Relaying {
    let is_known = || client.login.is_some() || trusted(&client.origin(), rules).is_some();
    match client.role {
        ListenerRole::Inbound => Relaying::Denied,
        ListenerRole::Relay | ListenerRole::Submission if is_known() => Relaying::Allowed,
        ListenerRole::Relay | ListenerRole::Submission => Relaying::Denied,
    }
}

/// Who a client's reverse-path makes him.
#[must_use]
pub fn sender(client: &ClientFacts, reverse_path: &ReversePath, view: &View, rules: &Rules) -> Sender {
    if let (Some(login), ReversePath::Mailbox(mailbox)) = (&client.login, reverse_path)
        && may_use(login, mailbox, view)
    {
        return Sender::logged_in(reverse_path, login);
    }
    Sender::judged(reverse_path, &client.origin(), rules)
}

/// A sender as he may be seen, and what his client may do then.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Who sends.
    pub sender: Sender,
    /// Whether the client may send anywhere.
    pub relaying: Relaying,
    /// The client.
    pub client: ClientFacts,
}

impl Seen {
    fn came_from(&self, domain: &Domain, rules: &Rules) -> Option<Reason> {
        let origin = CameFrom {
            origin: Some(self.client.origin()),
            marks: None,
        };
        origin.refuses(domain, rules)
    }
}

/// The sender at best, if the message itself may still prove him.
#[must_use]
pub fn hoped(client: &ClientFacts, reverse_path: &ReversePath, known: &Seen, rules: &Rules) -> Option<Seen> {
    // An account is who it is; the message adds nothing.
    if known.sender.is_internal() || client.login.is_some() {
        return None;
    }
    let prospect = Prospect::of(reverse_path, &client.origin(), rules)?;
    Some(Seen {
        sender: prospect.at_best(&known.sender),
        relaying: if prospect.is_shared() && client.role == ListenerRole::Relay {
            Relaying::Allowed
        } else {
            known.relaying
        },
        client: client.clone(),
    })
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
    pub(super) fn judge_mail(&self, client: &ClientFacts, envelope: &Envelope) -> Result<(), Refusal> {
        if let Readiness::Busy(fault) = self.spool.readiness() {
            return Err(Refusal {
                reply: busy(&fault),
                reason: fault.reason(),
            });
        }
        if client.login.is_none() {
            return Ok(());
        }
        let organisation = self.organisation.load();
        let sender = sender(client, &envelope.reverse_path, &self.views.view(), &organisation.rules);
        self.refuses_account(client, &sender).map_or(Ok(()), Err)
    }

    /// What an account is told that sends as somebody else (RFC 6409 §6.1).
    #[must_use]
    pub fn refuses_account(&self, client: &ClientFacts, sender: &Sender) -> Option<Refusal> {
        if client.login.is_none() || sender.reverse_path.is_null() || sender.is_internal() {
            return None;
        }
        let is_loaded = self.views.view().directory.number() > 0;
        let reason = match self.views.sources() {
            Sources::Current if is_loaded => Reason::LoginNotPermitted,
            // The address may be the account's by now.
            Sources::Current | Sources::Overdue => Reason::DirectoryNotReady,
        };
        Some(Refusal::of(reason, None))
    }

    pub(super) fn judge_rcpt(
        &self,
        client: &ClientFacts,
        envelope: &Envelope,
        recipient: &EnvelopeRecipient,
    ) -> Result<(), Refusal> {
        if let Some(judged) = self.judge_return_path(envelope, &recipient.forward_path) {
            return judged;
        }
        let organisation = self.organisation.load();
        let rules = &organisation.rules;
        let known = Seen {
            sender: sender(client, &envelope.reverse_path, &self.views.view(), rules),
            relaying: relaying(client, rules),
            client: client.clone(),
        };
        let hoped = hoped(client, &envelope.reverse_path, &known, rules);
        let refuses = known.sender.standing == Standing::Spoofed && rules.spoofed == SpoofedSender::Refuse;
        match (hoped, refuses) {
            (None, true) => Err(spoofed()),
            (None, false) => self.judge_as(&known, envelope, recipient, &organisation),
            // The whole message stands or falls with its proof: its last reply says so.
            (Some(hoped), true) => self.judge_as(&hoped, envelope, recipient, &organisation),
            (Some(hoped), false) => self.judge_both(&known, &hoped, envelope, recipient, &organisation),
        }
    }

    /// The message may still prove its sender. Whoever takes a stranger's mail is taken with others; whoever takes a
    /// colleague's only is taken alone, so that the last reply is about him (DESIGN §2.1).
    fn judge_both(
        &self,
        known: &Seen,
        hoped: &Seen,
        envelope: &Envelope,
        recipient: &EnvelopeRecipient,
        organisation: &Organisation,
    ) -> Result<(), Refusal> {
        let depends = |recipient: &EnvelopeRecipient| match self.judge_as(known, envelope, recipient, organisation) {
            Ok(()) => Ok(false),
            Err(_) => self.judge_as(hoped, envelope, recipient, organisation).map(|()| true),
        };
        let depends_himself = depends(recipient)?;
        let another_depends = matches!(&*envelope.recipients, [only] if depends(only) == Ok(true));
        if another_depends || (depends_himself && !envelope.recipients.is_empty()) {
            return Err(Refusal::of(Reason::DecidedByMessage, None));
        }
        Ok(())
    }

    fn judge_as(
        &self,
        seen: &Seen,
        envelope: &Envelope,
        recipient: &EnvelopeRecipient,
        organisation: &Organisation,
    ) -> Result<(), Refusal> {
        if let Some(judged) = self.judge_answer(organisation, envelope, &recipient.forward_path) {
            return judged;
        }
        let view = self.views.view();
        let marked = |_: &ObjectId| false;
        let request = Request {
            sender: &seen.sender,
            size_bytes: envelope.size_declared,
            report: ReportFacts::default(),
            start: Start::Addressed(&[]),
            marked: &marked,
            in_bcc: &|_, _| false,
            braked: &|_| None,
            came_from: &|domain| seen.came_from(domain, &organisation.rules),
            quarantined: false,
            relaying: seen.relaying,
            sources: self.views.sources(),
            now: self.env.clock.now(),
            detail: Detail::Quiet,
        };
        match expansion::judge_recipient(recipient, &request, &view, &organisation.rules).verdict {
            expansion::Verdict::Refused(refusal) => Err(refusal),
            expansion::Verdict::Accepted | expansion::Verdict::Held | expansion::Verdict::Discarded(_) => Ok(()),
        }
    }

    pub(super) fn track_note(&self, id: MessageId, client: &ClientFacts, reason: Reason, note: String) {
        self.spool.record(vec![Event {
            at: self.env.clock.now(),
            message: id,
            kind: EventKind::Note {
                client: client.client,
                reason,
                note,
            },
        }]);
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
