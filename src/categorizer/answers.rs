//! Answers by mail to requests for approval: to an address with a token, from a moderator who is proved.
//!
//! In: a message to `moderation+m17.TOKEN@…`. Out: a decision, or a letter that says why not.
//! Never: a decision by a sender without proof, by an automatic reply, or by a token alone.

use std::sync::Arc;

use super::decide::{Manner, Settled};
use super::hold_letters::start;
use super::pass::{Candidate, receive_event};
use super::release::ReleaseFault;
use super::{Categorizer, Organisation};
use crate::mail::header::{Authors, AutoSubmitted};
use crate::mail::{Envelope, HoldId, Mailbox, Reply, ReversePath, TlsWish};
use crate::moderation::answer::{self, ANSWER_OCTETS_MAX};
use crate::moderation::facts::Facts;
use crate::moderation::letter::Kind;
use crate::moderation::token::{self, Purpose, Token};
use crate::moderation::{Actor, DecisionFault, machine};
use crate::policy::{Refusal, replies};
use crate::resolver::Standing;
use crate::spool::SpoolFault;
use crate::spool::message::{Acceptance, Hold, HoldState, MessageKind, StoredMessage};
use crate::track::{Event, EventKind, Reason, ReportKind};

impl Categorizer {
    /// The verdict on a recipient that is an answer address, or that stands beside one; none for ordinary mail.
    pub(super) fn judge_answer(
        &self,
        organisation: &Organisation,
        envelope: &Envelope,
        forward_path: &Mailbox,
    ) -> Option<Result<(), Refusal>> {
        let answers = organisation.moderation.answers.as_ref()?;
        let this = answers.read(forward_path);
        let beside = envelope
            .recipients
            .iter()
            .any(|to| answers.read(&to.forward_path).is_some());
        if beside || (this.is_some() && !envelope.recipients.is_empty()) {
            // DESIGN §2.1: its verdict is the reply, so it is taken alone.
            return Some(Err(Refusal {
                reply: Reply::new(452, (4, 5, 3), "An answer to a request for approval is taken alone"),
                reason: Reason::TooManyRecipients,
            }));
        }
        let (hold, token) = this?;
        Some(match self.requested(hold, &token) {
            Ok(_) => Ok(()),
            Err(SpoolFault::Missing(_)) => Err(unknown()),
            Err(fault) => Err(Refusal {
                reply: super::gate::busy(&fault),
                reason: fault.reason(),
            }),
        })
    }

    /// True of a request to a moderator.
    #[must_use]
    pub fn is_request(&self, message: &StoredMessage) -> bool {
        let kind = &message.kind;
        matches!(
            kind,
            MessageKind::Report {
                report: ReportKind::Approval,
                ..
            }
        )
    }

    /// A request could not be delivered. What is lost of this by a crash is made up for at half time.
    pub fn request_failed(self: &Arc<Self>, reverse_path: &ReversePath) {
        let Some((hold, token)) = reverse_path.mailbox().and_then(|path| {
            let organisation = self.organisation();
            organisation.moderation.answers.as_ref()?.read(path)
        }) else {
            return;
        };
        let this = Arc::clone(self);
        tokio::spawn(async move {
            let noted = match this.requested(hold, &token) {
                Ok((_, moderator)) => this.request_bounced(hold, &moderator).await,
                Err(fault) => Err(fault.into()),
            };
            if let Err(fault) = noted {
                tracing::warn!(%hold, %fault, "a request that came back could not be noted");
            }
        });
    }

    /// Hold and token if the message is an answer.
    pub(super) fn answered(&self, envelope: &Envelope) -> Option<(HoldId, Token)> {
        let organisation = self.organisation();
        let answers = organisation.moderation.answers.as_ref()?;
        answers.read(&envelope.recipients.first()?.forward_path)
    }

    /// The hold and whom the token was sent to.
    fn requested(&self, id: HoldId, token: &Token) -> Result<(Hold, Mailbox), SpoolFault> {
        let hold = self.spool.hold(id)?;
        let request = token::request(&hold, token, Purpose::Reply);
        let moderator = request.map(|request| request.moderator.clone());
        let moderator = moderator.ok_or_else(|| SpoolFault::Missing(format!("a request of {id}")))?;
        Ok((hold, moderator))
    }

    /// Carries an answer out; the reply to the final dot says what came of it.
    pub(super) async fn take_answer(self: &Arc<Self>, candidate: &Candidate, id: HoldId, token: &Token) -> Reply {
        let refused = |refusal: Refusal| {
            let recipient = candidate.envelope.recipients.first().map(|to| &to.forward_path);
            self.spool.record(vec![Event {
                at: self.now(),
                message: candidate.id,
                kind: EventKind::Refuse {
                    recipient: recipient.map(ToString::to_string),
                    reverse_path: candidate.envelope.reverse_path.as_str().to_owned(),
                    listener: candidate.arrival.listener.clone(),
                    client: candidate.arrival.client,
                    reply: refusal.reply.clone(),
                    reason: refusal.reason,
                },
            }]);
            refusal.reply
        };
        let (hold, asked) = match self.requested(id, token) {
            Ok(found) => found,
            Err(SpoolFault::Missing(_)) => return refused(unknown()),
            Err(fault) => return super::gate::busy(&fault),
        };
        if candidate.sender.standing == Standing::Null || is_automatic(candidate) {
            return self.take_automatic(candidate, &hold, &asked).await;
        }
        let moderator = match self.answering(candidate, &hold) {
            Ok(moderator) => moderator,
            Err(refusal) => return refused(refusal),
        };
        let Some(said) = answer::read(&start(&candidate.content, ANSWER_OCTETS_MAX)) else {
            return self
                .answer_with(candidate, &hold, &moderator, Kind::Unclear, |_| {})
                .await;
        };
        let actor = Actor::Moderator(moderator.clone());
        match self
            .decide(id, said.answer, &actor, said.comment, &Manner::default())
            .await
        {
            Ok(Settled { hold, .. }) => match hold.state {
                HoldState::Waiting => {
                    self.answer_with(candidate, &hold, &moderator, Kind::Counted, |_| {})
                        .await
                }
                HoldState::Decided { .. } => {
                    self.track_answer(candidate, None);
                    taken("decided")
                }
            },
            Err(ReleaseFault::Decision(fault)) => self.too_late(candidate, &moderator, hold, fault).await,
            Err(fault @ ReleaseFault::Past(_)) => Reply::new(451, (4, 3, 0), fault.to_string()),
            Err(ReleaseFault::NotNow(refusal)) => Reply::new(451, (4, 3, 0), refusal.reply.text),
            Err(ReleaseFault::Spool(fault)) => super::gate::busy(&fault),
        }
    }

    /// The decision did not count; the moderator hears why.
    async fn too_late(
        self: &Arc<Self>,
        candidate: &Candidate,
        moderator: &Mailbox,
        hold: Hold,
        fault: DecisionFault,
    ) -> Reply {
        match fault {
            DecisionFault::Already { decision, by, at } => {
                let hold = Hold {
                    state: HoldState::Decided {
                        decision,
                        by,
                        at,
                        comment: None,
                    },
                    ..hold
                };
                self.answer_with(candidate, &hold, moderator, Kind::Late, |_| {}).await
            }
            DecisionFault::Voted { missing, .. } => {
                let more = |facts: &mut Facts| facts.missing = missing;
                self.answer_with(candidate, &hold, moderator, Kind::Counted, more).await
            }
            DecisionFault::NotModerator(_) | DecisionFault::Gone(_) => Reply::new(
                550,
                (5, 7, 1),
                "Your answer does not count: you are not a moderator of this message",
            ),
        }
    }

    /// The moderator who sent an answer: proved, the author of the message, and among those who may decide.
    fn answering(&self, candidate: &Candidate, hold: &Hold) -> Result<Mailbox, Refusal> {
        let refusal = |text: &'static str| Refusal {
            reply: Reply::new(550, (5, 7, 1), text),
            reason: Reason::SenderNotAuthenticated,
        };
        if candidate.sender.standing == Standing::Undecided {
            // What might prove it could not be checked: the client tries again.
            return Err(Refusal::of(Reason::ProofUnavailable, None));
        }
        let Some(sender) = candidate
            .sender
            .reverse_path
            .mailbox()
            .filter(|_| candidate.sender.is_internal())
        else {
            return Err(refusal(
                "An answer counts only from a moderator whose address is proved; use the link in the request",
            ));
        };
        match &candidate.head.authors {
            Authors::Named(authors) if authors.len() == 1 && self.same_person(&authors[0], sender) => {}
            Authors::Named(_) | Authors::Missing | Authors::Unclear(_) => {
                return Err(refusal(
                    "An answer counts only if its author and its sender are the same moderator",
                ));
            }
        }
        let mut deciders = hold.moderators.iter().chain(&hold.approval.substitutes);
        deciders
            .find(|moderator| machine::may_decide(hold, moderator) && self.same_person(moderator, sender))
            .cloned()
            .ok_or_else(|| refusal("Your answer does not count: you are not a moderator of this message"))
    }

    /// True if both are addresses of one object, or the same address.
    fn same_person(&self, one: &Mailbox, other: &Mailbox) -> bool {
        if one.key() == other.key() {
            return true;
        }
        let view = self.view();
        let found = |mailbox: &Mailbox| view.directory.lookup(&mailbox.key()).one();
        found(one).is_some() && found(one) == found(other)
    }

    /// A report that a request failed, or an automatic reply: it decides nothing.
    async fn take_automatic(self: &Arc<Self>, candidate: &Candidate, hold: &Hold, asked: &Mailbox) -> Reply {
        let failed = candidate.head.report.delivery_report
            && candidate.sender.standing == Standing::Null
            && says_failed(&start(&candidate.content, ANSWER_OCTETS_MAX));
        if failed && let Err(ReleaseFault::Spool(fault)) = self.request_bounced(hold.id, asked).await {
            return super::gate::busy(&fault);
        }
        self.track_answer(candidate, Some(Reason::AutomaticAnswer));
        taken("noted")
    }

    /// Takes an answer and tells the moderator what came of it.
    async fn answer_with(
        self: &Arc<Self>,
        candidate: &Candidate,
        hold: &Hold,
        moderator: &Mailbox,
        kind: Kind,
        more: impl FnOnce(&mut Facts),
    ) -> Reply {
        let letter = self.hold_letter(hold, moderator, kind, ("auto-replied", TlsWish::Unsaid), more);
        if let Some(letter) = letter {
            let going: Acceptance = letter.clone();
            if let Err(fault) = self.spool.accept(letter).await {
                return super::gate::busy(&fault);
            }
            self.release_copies(going);
        }
        self.track_answer(candidate, None);
        match (&hold.state, kind) {
            (HoldState::Decided { decision, .. }, _) => taken(&format!("too late, already {}", decision.word())),
            (HoldState::Waiting, Kind::Counted) => taken("counted"),
            (HoldState::Waiting, _) => taken("not understood"),
        }
    }

    fn track_answer(&self, candidate: &Candidate, dropped: Option<Reason>) {
        let event = |kind| Event {
            at: self.now(),
            message: candidate.id,
            kind,
        };
        let mut events = vec![event(receive_event(candidate, &[]))];
        if let (Some(reason), Some(to)) = (dropped, candidate.envelope.recipients.first()) {
            events.push(event(EventKind::Drop {
                recipient: to.forward_path.to_string(),
                group: None,
                reason,
            }));
        }
        events.push(event(EventKind::Done));
        self.spool.record(events);
    }
}

/// RFC 3834 §2: automatic mail is no answer. A phone's mail program sets none of these.
fn is_automatic(candidate: &Candidate) -> bool {
    let head = &candidate.head;
    head.report.is_report() || head.auto_submitted != AutoSubmitted::No
}

/// True if a delivery-status part says that a recipient failed (RFC 3464 §2.3.3).
fn says_failed(message: &[u8]) -> bool {
    let line = |line: &[u8]| {
        let line = line.trim_ascii();
        line.split_at_checked(7).is_some_and(|(name, value)| {
            name.eq_ignore_ascii_case(b"action:") && value.trim_ascii().eq_ignore_ascii_case(b"failed")
        })
    };
    message.split(|octet| *octet == b'\n').any(line)
}

fn unknown() -> Refusal {
    Refusal {
        reply: replies::of(Reason::RecipientUnknown, None),
        reason: Reason::RecipientUnknown,
    }
}

fn taken(what: &str) -> Reply {
    Reply::new(250, (2, 6, 0), format!("Answer taken: {what}"))
}
