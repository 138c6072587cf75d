//! Taking responsibility: pass, commit, reply, in this order.
//!
//! A pass over its time budget is committed as accepted and finished after the reply (DESIGN §2.2); what is
//! pending survives a restart.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::Categorizer;
use super::gate::busy;
use super::identify::{Identified, authored, claim, identify, relaying_recorded, unwelcome};
use super::intake::{AddressedRecipient, ClientFacts, Intake, ListenerRole, RcptParameters, Submission};
use super::pass::{Candidate, Completion, Moment, Verdict, acceptance, receive_event, run, screen};
use crate::limits::PASS_TIME_MAX;
use crate::mail::header::HeaderFacts;
use crate::mail::header::sieve::Unwelcome;
use crate::mail::{Envelope, EnvelopeRecipient, Mailbox, MessageId, Reply, ReversePath};
use crate::policy::Refusal;
use crate::resolver::proof::shared;
use crate::resolver::sender::trusted;
use crate::resolver::{Sender, Standing};
use crate::spool::content::ContentWriter;
use crate::spool::message::{Acceptance, Arrival, MessageKind, Outcome};
use crate::spool::{Commit, Spool, SpoolFault};
use crate::track::{Event, EventKind, Reason};

/// Wait before a pass that something temporary stood in the way of is made again.
const LATER: Duration = Duration::from_secs(30);

/// Recipients of a message that is encoded for the store on the reactor's thread; more take milliseconds.
const READY_AT_ONCE_RECIPIENTS_MAX: u64 = 5_000;

/// Intake as a shared handle: passes outlive the session that caused them.
#[derive(Clone)]
pub struct Submissions(pub Arc<Categorizer>);

impl Intake for Submissions {
    fn mail(&self, client: &ClientFacts, envelope: &Envelope) -> Result<(), Reply> {
        self.0.judge_mail(client, envelope).map_err(|refusal| {
            self.0.track_refusal(client, &envelope.reverse_path, None, &refusal);
            refusal.reply
        })
    }

    fn rcpt(
        &self,
        client: &ClientFacts,
        envelope: &Envelope,
        recipient: &AddressedRecipient,
        parameters: &RcptParameters,
    ) -> Result<Mailbox, Reply> {
        let forward_path = match recipient {
            AddressedRecipient::Mailbox(mailbox) => mailbox.clone(),
            AddressedRecipient::Postmaster => self.0.organisation().rules.postmaster.clone(),
        };
        let recipient = EnvelopeRecipient {
            forward_path,
            notify: parameters.notify,
            original: parameters.original.clone(),
        };
        match self.0.judge_rcpt(client, envelope, &recipient) {
            Ok(()) => Ok(recipient.forward_path),
            Err(refusal) => {
                let to = Some(&recipient.forward_path);
                self.0.track_refusal(client, &envelope.reverse_path, to, &refusal);
                Err(refusal.reply)
            }
        }
    }

    fn trusts(&self, client: &ClientFacts) -> bool {
        let organisation = self.0.organisation();
        let (origin, rules) = (client.origin(), &organisation.rules);
        client.login.is_some() || trusted(&origin, rules).is_some() || shared(&origin, rules).is_some()
    }

    fn unwelcome(&self, client: &ClientFacts) -> Unwelcome {
        unwelcome(client, &self.0.organisation.load().rules)
    }

    fn writer(&self) -> Result<Box<dyn ContentWriter>, Reply> {
        self.0.spool.writer().map_err(|fault| busy(&fault))
    }

    fn submit(&self, submission: Submission) -> Pin<Box<dyn Future<Output = Reply> + Send>> {
        Box::pin(submit(Arc::clone(&self.0), submission))
    }

    fn refused_recipient(
        &self,
        client: &ClientFacts,
        reverse_path: &ReversePath,
        recipient: &AddressedRecipient,
        reply: &Reply,
        reason: Reason,
    ) {
        let refusal = Refusal {
            reply: reply.clone(),
            reason,
        };
        let organisation = self.0.organisation();
        let recipient = match recipient {
            AddressedRecipient::Mailbox(mailbox) => mailbox,
            AddressedRecipient::Postmaster => &organisation.rules.postmaster,
        };
        self.0.track_refusal(client, reverse_path, Some(recipient), &refusal);
    }

    fn noted(&self, id: MessageId, client: &ClientFacts, reason: Reason, note: String) {
        self.0.track_note(id, client, reason, note);
    }

    fn refused(&self, client: &ClientFacts, reverse_path: &ReversePath, reply: &Reply, reason: Reason) {
        let refusal = Refusal {
            reply: reply.clone(),
            reason,
        };
        self.0.track_refusal(client, reverse_path, None, &refusal);
    }
}

async fn submit(categorizer: Arc<Categorizer>, submission: Submission) -> Reply {
    let organisation = categorizer.organisation();
    let client = submission.client.clone();
    let reverse_path = submission.envelope.reverse_path.clone();
    let head = HeaderFacts::read(&submission.content.head);
    let head = match screen(head, organisation.received_fields_max) {
        Ok(head) => head,
        Err(refusal) => {
            categorizer.track_refusal(&client, &reverse_path, None, &refusal);
            return refusal.reply;
        }
    };
    let view = categorizer.view();
    let identified = identify(&organisation, &submission, &head, &view).await;
    let rules = &organisation.rules;
    let refusal = claim(&identified.sender, rules).or_else(|| authored(&identified, &client, &head, &view, rules));
    drop(view);
    if let Some(refusal) = refusal {
        categorizer.track_refusal(&client, &reverse_path, None, &refusal);
        return refusal.reply;
    }
    let candidate = match categorizer.filtered(candidate(submission, head, identified)).await {
        Ok(candidate) => Arc::new(candidate),
        Err(reply) => return reply,
    };
    if let Some((hold, token)) = categorizer.answered(&candidate.envelope) {
        return categorizer.take_answer(&candidate, hold, &token).await;
    }
    match first_pass(&categorizer, &candidate).await {
        Some(Ok(Verdict::Accept(outcome, prefix))) => {
            let accepted = acceptance(&candidate, prefix, Some(*outcome));
            categorizer.accept(accepted).await
        }
        Some(Ok(Verdict::Refuse(refusal) | Verdict::Later(refusal))) => {
            categorizer.track_refusal(&client, &reverse_path, None, &refusal);
            refusal.reply
        }
        Some(Err(fault)) => broken(&fault),
        // A check that gave no answer must be made again, and only the client can have that done.
        None if candidate.sender.standing == Standing::Undecided => {
            let refusal = Refusal::of(Reason::ProofUnavailable, None);
            categorizer.track_refusal(&client, &reverse_path, None, &refusal);
            refusal.reply
        }
        // What a filter wants held is known to this pass only.
        None if candidate.quarantined => Reply::new(451, (4, 3, 0), "Try again later"),
        // Over budget. The pass under way is left to itself: it decided as if its refusal were a reply.
        None => categorizer.accept_pending(candidate).await,
    }
}

/// The pass before the reply: a short one here, any other on a thread where it may take its time. None: over budget.
async fn first_pass(categorizer: &Arc<Categorizer>, candidate: &Arc<Candidate>) -> Option<Result<Verdict, String>> {
    let moment = Moment::BeforeReply;
    if categorizer.is_short(candidate) {
        // A pass changes nothing; one that breaks leaves nothing half done.
        let pass = std::panic::AssertUnwindSafe(|| categorizer.pass(candidate, moment));
        return Some(std::panic::catch_unwind(pass).map_err(|_| "it panicked".to_owned()));
    }
    let pass = tokio::spawn(run(Arc::clone(categorizer), Arc::clone(candidate), moment));
    match tokio::time::timeout(PASS_TIME_MAX, pass).await {
        Ok(Ok(Ok(verdict))) => Some(Ok(verdict)),
        Ok(Ok(Err(fault)) | Err(fault)) => Some(Err(fault.to_string())),
        Err(_) => None,
    }
}

fn candidate(submission: Submission, head: HeaderFacts, identified: Identified) -> Candidate {
    let Identified {
        sender,
        relaying,
        findings,
    } = identified;
    let mut envelope = submission.envelope;
    envelope.tls_optional = head.tls_optional;
    Candidate {
        id: submission.id,
        received_at: submission.received_at,
        arrival: Arrival {
            listener: submission.client.listener.to_string(),
            client: Some(submission.client.client),
            helo: submission.client.helo.as_deref().map(str::to_owned),
            proof: sender.standing.proof(),
            tls: submission.client.secured.as_ref().map(|secured| secured.to_string()),
            certificates: submission
                .client
                .secured
                .as_ref()
                .map_or_else(Vec::new, |secured| secured.certificates.clone()),
            login: submission.client.login.as_ref().map(|login| login.name.to_string()),
        },
        kind: MessageKind::Submitted,
        completion: match submission.client.role {
            ListenerRole::Submission => Completion::Submission,
            ListenerRole::Inbound | ListenerRole::Relay => Completion::None,
        },
        content: submission.content,
        head,
        extended: submission.client.extended,
        relaying,
        sender,
        findings,
        quarantined: false,
        added: String::new(),
        envelope,
    }
}

/// Encodes an acceptance and hands it to the committer; its copies go on once it is kept.
fn made_ready(spool: &dyn Spool, acceptance: Acceptance) -> (Commit<()>, Acceptance) {
    let going = to_release(&acceptance);
    (spool.accept(acceptance), going)
}

/// What [`Categorizer::release_copies`] needs of an acceptance: of a large group's events nearly none.
fn to_release(acceptance: &Acceptance) -> Acceptance {
    let outcome = acceptance.outcome.as_ref().map(|outcome| Outcome {
        sets: outcome.sets.clone(),
        holds: outcome.holds.clone(),
        reports: outcome.reports.iter().map(to_release).collect(),
        events: outcome
            .events
            .iter()
            .filter(|event| matches!(event.kind, EventKind::Fail { .. }))
            .cloned()
            .collect(),
    });
    Acceptance {
        message: acceptance.message.clone(),
        outcome,
    }
}

/// Recipients of an acceptance's sets.
fn recipients(acceptance: &Acceptance) -> u64 {
    let sets = acceptance.outcome.iter().flat_map(|outcome| &outcome.sets);
    sets.map(|set| u64::from(set.roster.len())).sum()
}

fn broken(fault: &str) -> Reply {
    tracing::error!(fault, reason = %Reason::Broken, "a categorisation pass broke");
    Reply::new(451, (4, 3, 0), "Internal error, try again later")
}

fn accepted_reply(id: MessageId) -> Reply {
    Reply::new(250, (2, 6, 0), format!("{id} accepted"))
}

impl Categorizer {
    /// Commits an acceptance, then lets its copies go.
    async fn accept(self: Arc<Self>, acceptance: Acceptance) -> Reply {
        let id = acceptance.message.message.id;
        let (commit, going) = if recipients(&acceptance) > READY_AT_ONCE_RECIPIENTS_MAX {
            let spool = Arc::clone(&self.spool);
            match tokio::task::spawn_blocking(move || made_ready(&*spool, acceptance)).await {
                Ok(ready) => ready,
                Err(fault) => return broken(&fault.to_string()),
            }
        } else {
            made_ready(&*self.spool, acceptance)
        };
        match commit.await {
            Ok(()) => {
                self.release_copies(going);
                accepted_reply(id)
            }
            Err(fault) => busy(&fault),
        }
    }

    /// Commits a message whose pass is still under way, and sees that it is made.
    async fn accept_pending(self: Arc<Self>, candidate: Arc<Candidate>) -> Reply {
        // Which groups get marked is not known yet; every addressed one is, so that no loop is missed.
        let prefix = self.pending_prefix(&candidate);
        let id = candidate.id;
        let mut pending = acceptance(&candidate, prefix, None);
        let received = Event {
            at: candidate.received_at,
            message: id,
            kind: receive_event(&candidate, &pending.message.message.prefix),
        };
        self.spool.record(vec![received]);
        pending.outcome = None;
        if let Err(fault) = self.spool.accept(pending).await {
            return busy(&fault);
        }
        tokio::spawn(Arc::clone(&self).finish(candidate));
        accepted_reply(id)
    }

    fn pending_prefix(&self, candidate: &Candidate) -> bytes::Bytes {
        let organisation = self.organisation();
        let view = self.view();
        let mut expansion = crate::expansion::Expansion::default();
        for (index, to) in candidate.envelope.recipients.iter().enumerate() {
            let found = view.directory.lookup(&to.forward_path.key()).one();
            let group = found
                .and_then(|ordinal| view.object(ordinal))
                .filter(|object| object.kind.is_group());
            if let Some(group) = group {
                expansion.judged.push(crate::expansion::Judged {
                    addressed: u32::try_from(index).unwrap_or(u32::MAX),
                    object: found,
                    verdict: crate::expansion::Verdict::Accepted,
                    tally: crate::expansion::Tally::default(),
                    expanded: Some(group.id.clone()),
                    report_expanded: false,
                });
            }
        }
        self.prefix(candidate, &organisation, &expansion)
    }

    /// Makes the pass of an accepted message until it comes to an end.
    async fn finish(self: Arc<Self>, candidate: Arc<Candidate>) {
        loop {
            match run(Arc::clone(&self), Arc::clone(&candidate), Moment::AfterReply).await {
                Ok(Verdict::Accept(outcome, _)) => {
                    self.complete(&candidate, *outcome).await;
                    return;
                }
                Ok(Verdict::Refuse(refusal) | Verdict::Later(refusal)) => {
                    tracing::warn!(message = %candidate.id, reason = %refusal.reason, "the pass of an accepted message waits");
                }
                Err(fault) => {
                    broken(&fault.to_string());
                }
            }
            tokio::time::sleep(LATER).await;
        }
    }

    async fn complete(&self, candidate: &Candidate, outcome: Outcome) {
        let committed = self.spool.complete(candidate.id, outcome.clone()).await;
        if committed.is_ok() {
            self.remember_reports(&outcome.events);
        }
        let stored = self.spool.message(candidate.id);
        match (committed, stored) {
            (Ok(()), Ok(message)) => {
                self.note_holds(&outcome);
                self.hand_over(Arc::new(message), candidate.content.clone(), outcome.sets);
                outcome
                    .reports
                    .into_iter()
                    .for_each(|report| self.release_copies(report));
            }
            // A message that reached nobody has left the spool with its pass.
            (Ok(()), Err(SpoolFault::Missing(_))) => {
                outcome
                    .reports
                    .into_iter()
                    .for_each(|report| self.release_copies(report));
            }
            (Err(fault), _) | (_, Err(fault)) => {
                tracing::error!(message = %candidate.id, %fault, "the outcome of a pass could not be kept; a restart makes it again");
            }
        }
    }

    /// Hands the copies of a committed acceptance, and of its reports, to the queue.
    pub fn release_copies(&self, acceptance: Acceptance) {
        let Some(outcome) = acceptance.outcome else { return };
        self.remember_reports(&outcome.events);
        self.note_holds(&outcome);
        let message = Arc::new(acceptance.message.message);
        if !outcome.sets.is_empty() {
            self.hand_over(message, acceptance.message.content, outcome.sets);
        }
        for report in outcome.reports {
            self.release_copies(report);
        }
    }

    /// After a restart: passes that had not ended.
    pub fn resume(self: &Arc<Self>, pending: &[MessageId]) {
        for id in pending {
            match self.stored_candidate(*id) {
                Ok(candidate) => {
                    tokio::spawn(Arc::clone(self).finish(Arc::new(candidate)));
                }
                Err(fault) => tracing::error!(message = %id, %fault, "a message with a pending pass cannot be read"),
            }
        }
    }

    /// A message of the spool as its pass needs it.
    pub(super) fn stored_candidate(&self, id: MessageId) -> Result<Candidate, SpoolFault> {
        let organisation = self.organisation();
        let message = self.spool.message(id)?;
        let content = self.spool.content(id)?;
        let head = HeaderFacts::read(&content.head).unwrap_or_default();
        let own = matches!(message.kind, MessageKind::Report { .. });
        let sender = if own {
            Sender::system()
        } else {
            let proof = message.arrival.proof.as_deref();
            Sender::recorded(&message.envelope.reverse_path, proof, &organisation.rules)
        };
        Ok(Candidate {
            id,
            received_at: message.received_at,
            relaying: relaying_recorded(&message, &content.head, &organisation.rules),
            findings: None,
            quarantined: false,
            added: String::new(),
            envelope: message.envelope,
            arrival: message.arrival,
            kind: message.kind,
            content,
            head,
            extended: true,
            sender,
            // What was missing stands in the prefix that was stored.
            completion: Completion::None,
        })
    }
}
