//! Reports that come back to a return path of ours: read, and passed on to whom they belong.
//!
//! In: a message to such an address. Out: a report of ours to the sender or owner that the copies were sent for, a
//! FAIL on the message they were copies of, a lesson about the recipient. Never: a second report about a recipient,
//! however often the address is used; a member's name to somebody who may not see it; an answer to a guess.

use std::collections::HashSet;
use std::sync::Mutex;

use bytes::Bytes;
use jiff::Timestamp;

use super::outcome::addressed_texts;
use super::pass::{Candidate, Moment, Verdict, receive_event};
use super::report::{About, push_report};
use super::sent::Sent;
use super::{Categorizer, Organisation};
use crate::limits::RETURNS_REMEMBERED_MAX;
use crate::mail::bounce::{self, Bounce, Failure};
use crate::mail::report::{Action, Disclosure, ReportRecipient};
use crate::mail::return_path::{ReturnPaths, Returned, ReturnedCopy};
use crate::mail::{Envelope, Mailbox, Reply, SetId};
use crate::policy::{Refusal, replies};
use crate::resolver::Relaying;
use crate::rolls::suspect::{Learner, Lesson, Taught};
use crate::spool::content::Content;
use crate::spool::message::Outcome;
use crate::store::trace::SharedTraceStore;
use crate::track::{Event, EventKind, Reason, ReportKind};

/// Days after which a copy that nobody remembers is forgotten for good.
const MOVING_DAYS: u64 = 1;

/// What reading reports needs beside the spool.
pub struct Returning {
    /// Where messages are remembered after they have left the spool.
    pub traces: SharedTraceStore,
    /// Takes what reports teach about recipients.
    pub learner: std::sync::Arc<dyn Learner>,
    /// Whom reports were made about a moment ago: the trace hears of it later.
    told: Mutex<HashSet<(SetId, String)>>,
}

impl Returning {
    /// Nobody was told yet.
    #[must_use]
    pub fn new(traces: SharedTraceStore, learner: std::sync::Arc<dyn Learner>) -> Self {
        Self {
            traces,
            learner,
            told: Mutex::default(),
        }
    }

    /// True if somebody was told about the recipient a moment ago.
    fn has_told(&self, set: SetId, recipient: &str) -> bool {
        let told = self.told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        told.contains(&(set, recipient.to_owned()))
    }

    fn remember(&self, set: SetId, recipient: &str) {
        let mut told = self.told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if told.len() >= RETURNS_REMEMBERED_MAX {
            told.clear();
        }
        told.insert((set, recipient.to_owned()));
    }
}

impl Categorizer {
    /// At RCPT: none if neither this address nor the one before it is a return path.
    pub(super) fn judge_return_path(&self, envelope: &Envelope, to: &Mailbox) -> Option<Result<(), Refusal>> {
        let organisation = self.organisation.load();
        let paths = organisation.return_paths.as_ref()?;
        let now = self.now();
        let Some(read) = paths.read(to, now) else {
            // Its verdict must be the reply, so a report comes alone (RFC 5321 §4.5.3.1.10 for the others).
            let first = envelope.recipients.first()?;
            return paths.read(&first.forward_path, now).map(|_| Err(alone()));
        };
        Some(match read {
            Err(_) => Err(refusal(Reason::ReturnPathUnknown, &organisation)),
            Ok(_) if !envelope.reverse_path.is_null() => Err(refusal(Reason::ReturnPathMisused, &organisation)),
            Ok(_) if !envelope.recipients.is_empty() => Err(alone()),
            Ok(_) => Ok(()),
        })
    }

    /// The pass of a message to a return path; none if it is to anybody else.
    pub(super) fn returned(&self, candidate: &Candidate, moment: Moment) -> Option<Verdict> {
        let organisation = self.organisation.load_full();
        let paths: &ReturnPaths = organisation.return_paths.as_ref()?;
        let [to] = &candidate.envelope.recipients[..] else {
            return None;
        };
        Some(match paths.read(&to.forward_path, candidate.received_at)? {
            Err(_) => self.refused(candidate, &organisation, moment),
            Ok(Returned::Sender(sender)) => self.pass_on(candidate, sender, moment),
            Ok(Returned::Copy(copy, days)) => self.report_returned(candidate, &organisation, (&copy, days), moment),
        })
    }

    /// A message goes on to somebody else as it is.
    fn pass_on(&self, candidate: &Candidate, to: Mailbox, moment: Moment) -> Verdict {
        let mut onward = candidate.clone();
        onward.relaying = Relaying::Allowed;
        for recipient in &mut onward.envelope.recipients {
            recipient.forward_path = to.clone();
            recipient.original = None;
        }
        self.ordinary_pass(&onward, moment)
    }

    fn report_returned(
        &self,
        candidate: &Candidate,
        organisation: &Organisation,
        (copy, days): (&ReturnedCopy, u64),
        moment: Moment,
    ) -> Verdict {
        let Some(returning) = self.returning.get() else {
            return self.refused(candidate, organisation, moment);
        };
        let sent = match self.sent(copy, &returning.traces) {
            Ok(Some(sent)) => sent,
            Ok(None) => {
                // A message of these days may be on its way from the spool to the trace.
                return if days <= MOVING_DAYS {
                    later(moment)
                } else {
                    self.refused(candidate, organisation, moment)
                };
            }
            Err(fault) => {
                tracing::warn!(%fault, "what a report is about cannot be read now");
                return later(moment);
            }
        };
        let read = bounce::read(&beginning(&candidate.content));
        let hidden = sent.is_hidden();
        match (read, sent.reverse_path.mailbox()) {
            (Bounce::Failed(failures), _) => {
                let outcome = self.failed(returning, &sent, copy, &failures);
                self.taken(candidate, organisation, Reason::ReportRead, outcome, moment)
            }
            (Bounce::Delayed, _) | (Bounce::Delivered | Bounce::Other, None) => {
                self.taken(candidate, organisation, Reason::ReportRead, Outcome::default(), moment)
            }
            (Bounce::Delivered | Bounce::Other, Some(_)) if hidden || copy.quiet => self.taken(
                candidate,
                organisation,
                Reason::AutoReplySuppressed,
                Outcome::default(),
                moment,
            ),
            (Bounce::Delivered | Bounce::Other, Some(sender)) => self.pass_on(candidate, sender.clone(), moment),
        }
    }

    /// Somebody was not reached: a FAIL on the message, a report to whom it belongs, a lesson.
    fn failed(&self, returning: &Returning, sent: &Sent, copy: &ReturnedCopy, failures: &[Failure]) -> Outcome {
        let now = self.now();
        let mut outcome = Outcome::default();
        let mut recipients: Vec<ReportRecipient> = Vec::new();
        for failure in failures {
            let rank = sent.rank_of(copy, failure.address.as_ref());
            let (recipient, origin) = match rank {
                Some(rank) => (sent.roster.forward_path(rank).to_owned(), sent.origin(rank)),
                // Somebody in the batch, who cannot be told from the others.
                None => (String::new(), sent.origin(copy.first)),
            };
            if sent.failed_before(&recipient) || returning.has_told(copy.set, &recipient) {
                continue;
            }
            outcome.events.push(Event {
                at: now,
                message: sent.message,
                kind: EventKind::Fail {
                    set: copy.set,
                    next_hop: sent.next_hop.clone(),
                    recipient: recipient.clone(),
                    reply: failure.reply.clone(),
                    reason: Reason::ReportedUndeliverable,
                },
            });
            let Some(origin) = origin.filter(|origin| origin.notify.is_none_or(|notify| notify.failure)) else {
                continue;
            };
            let told = ReportRecipient {
                // DESIGN §6: hidden membership and outside senders see the addressed group only.
                address: if rank.is_some() && !sent.conceals(origin, copy) {
                    recipient
                } else {
                    origin.addressed.clone()
                },
                disclosure: if rank.is_some() && !sent.conceals(origin, copy) {
                    Disclosure::Recipient
                } else {
                    Disclosure::MembersOfGroup
                },
                original: origin.original.clone(),
                action: Action::Failed,
                status: failure.reply.status_or_generic(),
                reply: Some(failure.reply.clone()),
                remote: failure.remote.clone(),
                last_attempt_at: Some(now),
                will_retry_until: None,
            };
            let same = |known: &ReportRecipient| {
                told.disclosure == Disclosure::MembersOfGroup
                    && known.disclosure == told.disclosure
                    && known.address == told.address
            };
            if !recipients.iter().any(same) {
                recipients.push(told);
            }
        }
        self.tell(&mut outcome, sent, recipients, now);
        outcome
    }

    /// After a commit: what reports said is remembered and taught. A pass may be made twice and changes nothing.
    pub(super) fn remember_reports(&self, events: &[Event]) {
        let Some(returning) = self.returning.get() else { return };
        let mut lessons = Vec::new();
        for event in events {
            let EventKind::Fail {
                set,
                recipient,
                reply,
                reason: Reason::ReportedUndeliverable,
                ..
            } = &event.kind
            else {
                continue;
            };
            returning.remember(*set, recipient);
            if let Ok(address) = Mailbox::parse(recipient) {
                lessons.push(Lesson {
                    address,
                    message: event.message,
                    at: event.at,
                    verdict: Taught::Refused(reply.clone()),
                });
            }
        }
        if !lessons.is_empty() {
            returning.learner.learn(lessons);
        }
    }

    fn tell(&self, outcome: &mut Outcome, sent: &Sent, recipients: Vec<ReportRecipient>, now: Timestamp) {
        if recipients.is_empty() {
            return;
        }
        let about = About {
            id: sent.message,
            received_at: sent.received_at,
            envelope: &sent.envelope,
            content: &sent.content,
            head: &sent.head,
        };
        let report = self.delivery_report(&about, &sent.reverse_path, recipients, 0);
        push_report(
            outcome,
            sent.message,
            &sent.reverse_path,
            ReportKind::Failed,
            report,
            now,
        );
    }

    /// A return path that is nobody's: a reply, or the end of a message that was taken already.
    fn refused(&self, candidate: &Candidate, organisation: &Organisation, moment: Moment) -> Verdict {
        let reason = Reason::ReturnPathUnknown;
        match moment {
            Moment::BeforeReply => Verdict::Refuse(refusal(reason, organisation)),
            Moment::AfterReply => self.taken(candidate, organisation, reason, Outcome::default(), moment),
        }
    }

    /// The message ends here, with what came of it.
    fn taken(
        &self,
        candidate: &Candidate,
        organisation: &Organisation,
        reason: Reason,
        mut outcome: Outcome,
        moment: Moment,
    ) -> Verdict {
        let prefix = self.prefix(candidate, organisation, &crate::expansion::Expansion::default());
        let event = |kind: EventKind| Event {
            at: self.now(),
            message: candidate.id,
            kind,
        };
        let recipient = addressed_texts(&candidate.envelope)
            .into_iter()
            .next()
            .unwrap_or_default();
        let group = None;
        outcome.events.insert(
            0,
            event(EventKind::Drop {
                recipient,
                group,
                reason,
            }),
        );
        if moment == Moment::BeforeReply {
            outcome.events.insert(0, event(receive_event(candidate, &prefix)));
        }
        Verdict::Accept(Box::new(outcome), prefix)
    }
}

fn refusal(reason: Reason, organisation: &Organisation) -> Refusal {
    let reply = replies::of(reason, None);
    Refusal {
        reply: replies::in_dialect(reply, reason, organisation.rules.reply_dialect),
        reason,
    }
}

/// RFC 5321 §4.5.3.1.10: the rest in another transaction.
fn alone() -> Refusal {
    Refusal {
        reply: Reply::new(452, (4, 5, 3), "Send this recipient in a transaction of its own"),
        reason: Reason::ReturnPathMisused,
    }
}

fn later(moment: Moment) -> Verdict {
    let refusal = Refusal {
        reply: Reply::new(451, (4, 3, 0), "The report cannot be read yet; try again later"),
        reason: Reason::StoreSuspect,
    };
    match moment {
        Moment::BeforeReply => Verdict::Refuse(refusal),
        Moment::AfterReply => Verdict::Later(refusal),
    }
}

/// The first octets of a report; what cannot be read is left out.
fn beginning(content: &Content) -> Bytes {
    let most = crate::limits::BOUNCE_OCTETS_MAX;
    let length = usize::try_from(content.len()).unwrap_or(most).min(most);
    let mut octets = vec![0; length];
    let mut filled = 0;
    while filled < length {
        match content.read_at(filled as u64, &mut octets[filled..]) {
            Ok(count) if count > 0 => filled += count,
            Ok(_) | Err(_) => break,
        }
    }
    octets.truncate(filled);
    octets.into()
}
