//! A message on trial: judged and expanded by the code of delivery, and sent to nobody, or to one person only.
//!
//! In: a message that an operator has at hand. Out: its expansion; one copy, marked in its subject and its header
//! section, tracked under the listener `test`. Never: a copy to anybody else; a hold; a count towards a storm.

use std::sync::Arc;

use super::outcome::outcome;
use super::pass::{Candidate, Completion, acceptance, receive_event, screen};
use super::{Categorizer, NextHops};
use crate::expansion::{self, Detail, Expansion, Request};
use crate::mail::header::HeaderFacts;
use crate::mail::{BodyType, Envelope, EnvelopeRecipient, Mailbox, MessageId, ReversePath};
use crate::policy::Refusal;
use crate::resolver::{Relaying, Sender};
use crate::spool::content::Content;
use crate::spool::message::{Acceptance, Arrival, MessageKind};
use crate::track::Reason;

/// Listener that tests are tracked under.
const LISTENER: &str = "test";

/// Begins the subject of a test.
const MARK: &str = "[TEST, sent to you only]";

impl Categorizer {
    /// A message that nobody has sent, as its pass would find it.
    pub fn trial(
        &self,
        to: &Mailbox,
        content: Content,
        sender: Sender,
        relaying: Relaying,
    ) -> Result<Candidate, Refusal> {
        let organisation = self.organisation();
        let head = screen(HeaderFacts::read(&content.head), organisation.received_fields_max)?;
        let mut envelope = Envelope::from(sender.reverse_path.clone());
        envelope.body = BodyType::EightBitMime;
        envelope.recipients.push(EnvelopeRecipient::plain(to.clone()));
        Ok(Candidate {
            id: self.new_message_id(),
            received_at: self.now(),
            envelope,
            arrival: Arrival {
                proof: sender.standing.proof(),
                ..Arrival::at(LISTENER)
            },
            kind: MessageKind::Submitted,
            content,
            head,
            extended: true,
            sender,
            findings: None,
            quarantined: false,
            added: String::new(),
            relaying,
            completion: Completion::None,
        })
    }

    /// What the pass would make of it, with every fact.
    #[must_use]
    pub fn expand_trial(&self, candidate: &Candidate, hops: &dyn NextHops) -> Expansion {
        let organisation = self.organisation();
        let view = self.view();
        self.expand(candidate, &organisation, hops, &view, self.now(), Detail::Explain)
    }

    /// Sends a message on trial to one person. Reports about the copy go to him as well.
    pub async fn send_trial(self: &Arc<Self>, candidate: Candidate, only: &Mailbox) -> Result<MessageId, Refusal> {
        let (this, only) = (Arc::clone(self), only.clone());
        let made = tokio::task::spawn_blocking(move || this.trial_copy(candidate, &only)).await;
        let copy = made.map_err(|_| Refusal::of(Reason::Broken, None))??;
        let going = copy.clone();
        let id = copy.message.message.id;
        self.spool.accept(copy).await.map_err(|fault| Refusal {
            reply: super::gate::busy(&fault),
            reason: fault.reason(),
        })?;
        self.release_copies(going);
        Ok(id)
    }

    fn trial_copy(&self, mut candidate: Candidate, only: &Mailbox) -> Result<Acceptance, Refusal> {
        let organisation = self.organisation();
        let hops = organisation.hops.pass(&self.view(), Some(&candidate.about()));
        let meant = self.expand_trial(&candidate, &*hops);
        let group = candidate
            .envelope
            .recipients
            .first()
            .map(|to| to.forward_path.to_string());
        let note = format!(
            "sent to {only} only; to {} it would reach {} recipients",
            group.unwrap_or_default(),
            meant.recipients()
        );
        let prefix = self.prefix(&candidate, &organisation, &meant);
        candidate.content = marked(&candidate.content, &note).ok_or_else(|| Refusal::of(Reason::StoreSuspect, None))?;
        candidate.head = HeaderFacts::read(&candidate.content.head).unwrap_or_default();
        candidate.envelope.reverse_path = ReversePath::Mailbox(only.clone());
        candidate.envelope.recipients = std::iter::once(EnvelopeRecipient::plain(only.clone())).collect();
        let (system, view, space) = (Sender::system(), self.view(), self.views.space());
        let system = Sender {
            reverse_path: candidate.envelope.reverse_path.clone(),
            ..system
        };
        let request = Request {
            relaying: Relaying::Allowed,
            sources: self.sources(),
            ..Request::new(&system, &candidate.envelope.recipients, self.now())
        };
        let own = expansion::expand(&request, &view, &organisation.rules, &*hops, &organisation.limits);
        if let Some(halt) = own.halt {
            return Err(halt.refusal);
        }
        if own.recipients() != 1 {
            // A group, or nobody.
            return Err(Refusal::of(Reason::RecipientUnknown, None));
        }
        let merged = Expansion {
            branches: own.branches,
            events: meant.events,
            ..Expansion::default()
        };
        let making = self.making(&candidate, &organisation.moderation, &space, &*hops, self.now());
        let mut made = outcome(&making, &merged);
        made.events.insert(0, making.event(receive_event(&candidate, &prefix)));
        Ok(acceptance(&candidate, prefix, Some(made)))
    }
}

/// The message with a subject that nobody mistakes, and a field that says what it is. None if it cannot be read.
fn marked(content: &Content, note: &str) -> Option<Content> {
    let mut octets = vec![0; usize::try_from(content.len()).ok()?];
    let mut filled = 0;
    while filled < octets.len() {
        match content.read_at(filled as u64, &mut octets[filled..]) {
            Ok(0) | Err(_) => return None,
            Ok(count) => filled += count,
        }
    }
    let mut out = format!("X-Muster-Test: {note}\r\n").into_bytes();
    let mut in_head = true;
    let mut has_subject = false;
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        if in_head && line.trim_ascii().is_empty() {
            if !has_subject {
                out.extend_from_slice(format!("Subject: {MARK}\r\n").as_bytes());
            }
            in_head = false;
        }
        let value = line
            .split_at_checked(8)
            .filter(|(name, _)| name.eq_ignore_ascii_case(b"subject:"));
        match value {
            Some((name, value)) if in_head => {
                has_subject = true;
                out.extend_from_slice(name);
                out.push(b' ');
                out.extend_from_slice(MARK.as_bytes());
                if !value.starts_with(b" ") {
                    out.push(b' ');
                }
                out.extend_from_slice(value);
            }
            Some(_) | None => out.extend_from_slice(line),
        }
    }
    Some(Content::in_memory(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_marked_and_its_body_is_not_touched() {
        for (message, expected) in [
            (
                "From: a@x\r\nSubject: Bonus\r\n folded\r\n\r\nSubject: body\r\n",
                "X-Muster-Test: note\r\nFrom: a@x\r\nSubject: [TEST, sent to you only] Bonus\r\n folded\r\n\r\nSubject: body\r\n",
            ),
            (
                "From: a@x\r\n\r\nHello\r\n",
                "X-Muster-Test: note\r\nFrom: a@x\r\nSubject: [TEST, sent to you only]\r\n\r\nHello\r\n",
            ),
            (
                "SUBJECT:x\r\n\r\n",
                "X-Muster-Test: note\r\nSUBJECT: [TEST, sent to you only] x\r\n\r\n",
            ),
        ] {
            let made = marked(&Content::in_memory(message.as_bytes().to_vec()), "note").expect("in memory");
            assert_eq!(String::from_utf8_lossy(&made.head), expected);
        }
    }
}
