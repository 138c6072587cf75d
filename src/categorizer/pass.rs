//! One categorisation pass: from a complete message to the reply and the commit it stands for.
//!
//! In: the message, its header facts, a pinned view. Out: a [`Verdict`]: refuse, or accept with an outcome.
//! Never: waits for anything; half an outcome.

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use super::addressees::Addressees;
use super::outcome::{addressed, outcome};
use super::storm::comes_again;
use super::{Categorizer, NextHops, Organisation};
use crate::directory::ObjectId;
use crate::expansion::{self, Detail, Expansion, ReportFacts, Request, Start};
use crate::mail::authentication::Findings;
use crate::mail::header::HeaderFacts;
use crate::mail::trace::{Protocol, Received, Safeguards, date_text, loop_field, received_field};
use crate::mail::{Domain, Envelope, MessageId, Reply};
use crate::policy::Refusal;
use crate::policy::rules::NotifyPartial;
use crate::resolver::shared::{self, CameFrom};
use crate::resolver::{Relaying, Sender};
use crate::rolls::View;
use crate::routing::{About, Side};
use crate::spool::content::Content;
use crate::spool::message::{Acceptance, Arrival, MessageKind, NewMessage, Outcome, StoredMessage};
use crate::track::{EventKind, Reason};

/// Most addressed recipients of a pass that is made on the session's own thread.
const SHORT_PASS_RECIPIENTS_MAX: usize = 16;

/// A complete message before its pass.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its id.
    pub id: MessageId,
    /// When its final dot arrived.
    pub received_at: Timestamp,
    /// As accepted in the dialogue.
    pub envelope: Envelope,
    /// Where from.
    pub arrival: Arrival,
    /// What kind.
    pub kind: MessageKind,
    /// Its content.
    pub content: Content,
    /// What its header section tells.
    pub head: HeaderFacts,
    /// EHLO, not HELO.
    pub extended: bool,
    /// Who sends, with his proof.
    pub sender: Sender,
    /// What checks of where it comes from found, if any were made.
    pub findings: Option<Arc<Findings>>,
    /// Whether the client may send to other domains.
    pub relaying: Relaying,
    /// What the client left out of the header section.
    pub completion: Completion,
    /// A content filter wants it held for those who decide about quarantined mail.
    pub quarantined: bool,
    /// Fields that content filters added, each with its line end.
    pub added: String,
}

/// Whether a message gets fields that its client left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Completion {
    /// It stays as it came.
    #[default]
    None,
    /// Date and Message-ID (RFC 6409 §8.1, §8.2): it came from a mail client.
    Submission,
}

impl Candidate {
    /// What rules of routing may ask of it.
    #[must_use]
    pub fn about(&self) -> About<'_> {
        About {
            side: Side::of(&self.sender),
            reverse_path: &self.envelope.reverse_path,
            size_bytes: Some(self.content.len()),
            listener: Some(&self.arrival.listener),
            recipients: &self.envelope.recipients,
            tls: self.envelope.tls(),
        }
    }
}

/// When a pass is made: it decides what a refusal becomes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moment {
    /// Before the reply: a refusal is a reply.
    BeforeReply,
    /// The message is accepted already: a refusal is a report.
    AfterReply,
}

/// What a pass decided.
#[derive(Debug)]
pub enum Verdict {
    /// The whole transaction is refused; nothing is kept.
    Refuse(Refusal),
    /// To be committed.
    Accept(Box<Outcome>, Bytes),
    /// After the reply, and what stands in the way may pass: tried again later.
    Later(Refusal),
}

impl Categorizer {
    /// The pass itself: one expansion on one pinned view.
    #[must_use]
    pub fn pass(&self, candidate: &Candidate, moment: Moment) -> Verdict {
        let returned = self.returned(candidate, moment);
        returned.unwrap_or_else(|| self.ordinary_pass(candidate, moment))
    }

    /// True if a pass takes microseconds and reads no store: it goes to few people without rules of their own, none of
    /// them a group or a return path. It is not worth another thread then.
    pub(super) fn is_short(&self, candidate: &Candidate) -> bool {
        let to = &candidate.envelope.recipients;
        if to.len() > SHORT_PASS_RECIPIENTS_MAX {
            return false;
        }
        let organisation = self.organisation.load();
        let (view, paths) = (self.views.view(), organisation.return_paths.as_ref());
        to.iter().all(|to| {
            let found = view.directory.lookup(&to.forward_path.key()).one();
            found.is_none_or(|found| view.directory.plain().contains(found.0))
                && paths.is_none_or(|paths| paths.read(&to.forward_path, candidate.received_at).is_none())
        })
    }

    /// The pass of a message to anybody but a return path.
    pub(super) fn ordinary_pass(&self, candidate: &Candidate, moment: Moment) -> Verdict {
        let organisation = self.organisation.load_full();
        let view = self.views.view();
        let now = self.env.clock.now();
        let hops = organisation.hops.pass(&view, Some(&candidate.about()));
        let expansion = self.expand(candidate, &organisation, &*hops, &view, now, Detail::Quiet);
        if let Some(refusal) = refusal(&expansion, candidate, &organisation, moment) {
            return match moment {
                Moment::BeforeReply => Verdict::Refuse(refusal),
                Moment::AfterReply if refusal.is_transient() => Verdict::Later(refusal),
                Moment::AfterReply => {
                    let prefix = self.prefix(candidate, &organisation, &expansion);
                    Verdict::Accept(Box::new(self.all_refused(candidate, &organisation, &refusal)), prefix)
                }
            };
        }
        if comes_again(&expansion, moment) {
            self.note_replies(candidate, &expansion, &view, &organisation, None);
            return Verdict::Refuse(Refusal::of(Reason::ThreadBraked, None));
        }
        let prefix = self.prefix(candidate, &organisation, &expansion);
        let space = self.views.space();
        let making = self.making(candidate, &organisation.moderation, &space, &*hops, now);
        let mut made = outcome(&making, &expansion);
        if moment == Moment::BeforeReply {
            made.events.insert(0, making.event(receive_event(candidate, &prefix)));
        }
        self.add_reports(&mut made, candidate, &organisation, &expansion, moment);
        self.note_replies(candidate, &expansion, &view, &organisation, Some(&mut made));
        Verdict::Accept(Box::new(made), prefix)
    }

    pub(super) fn expand(
        &self,
        candidate: &Candidate,
        organisation: &Organisation,
        hops: &dyn NextHops,
        view: &View,
        now: Timestamp,
        detail: Detail,
    ) -> Expansion {
        let marked = |group: &ObjectId| candidate.head.loop_marks.contains(self.loop_key.mark(group.as_str()));
        let addressees = Addressees::of(candidate);
        let in_bcc = |addressed: u32, view: &View| addressees.in_bcc(addressed, view);
        let braked = |group: &ObjectId| self.braked(&candidate.head, group);
        let origin = CameFrom {
            origin: candidate.arrival.origin(),
            marks: Some((&candidate.head.loop_marks, &self.loop_key)),
        };
        let came_from = |domain: &Domain| origin.refuses(domain, &organisation.rules);
        let request = Request {
            in_bcc: &in_bcc,
            braked: &braked,
            came_from: &came_from,
            quarantined: candidate.quarantined,
            sender: &candidate.sender,
            size_bytes: Some(candidate.content.len()),
            report: report_facts(&candidate.head),
            start: Start::Addressed(&candidate.envelope.recipients),
            marked: &marked,
            relaying: candidate.relaying,
            sources: self.views.sources(),
            now,
            detail,
        };
        expansion::expand(&request, view, &organisation.rules, hops, &organisation.limits)
    }

    /// Trace fields of every copy: Received, and the marks of addressed groups (DESIGN §6).
    pub(super) fn prefix(&self, candidate: &Candidate, organisation: &Organisation, expansion: &Expansion) -> Bytes {
        let recipients = addressed(&candidate.envelope);
        // RFC 8601 §4.1: above the Received field of the host that made the checks.
        let results = candidate.findings.as_ref();
        let mut prefix = results
            .map(|findings| findings.field(&organisation.rules.authenticity.authserv_id))
            .unwrap_or_default();
        prefix += &candidate.added;
        prefix += &received_field(&Received {
            helo: candidate.arrival.helo.as_deref(),
            client: candidate.arrival.client,
            host: &organisation.host,
            protocol: protocol(candidate),
            id: candidate.id,
            recipients: &recipients,
            at: candidate.received_at,
        });
        if candidate.completion == Completion::Submission {
            prefix += &missing_fields(candidate, &organisation.host);
        }
        let expanded = expansion.judged.iter().filter_map(|judged| judged.expanded.as_ref());
        let held = expansion.holds.iter().map(|hold| &hold.object);
        let marks = expanded.chain(held).map(|group| self.loop_key.mark(group.as_str()));
        let namespaces = expansion.handed_over.iter();
        let namespaces = namespaces.map(|domain| shared::mark(domain, &self.loop_key));
        prefix.extend(loop_field(namespaces.chain(marks)));
        Bytes::from(prefix)
    }
}

/// RFC 6409 §8: a mail client may leave these to us. They stand above the message, which stays as it came.
fn missing_fields(candidate: &Candidate, host: &str) -> String {
    let mut fields = String::new();
    if candidate.head.message_id.is_none() {
        let _ = write!(fields, "Message-ID: <{}@{host}>\r\n", candidate.id);
    }
    if !candidate.head.dated {
        let _ = write!(fields, "Date: {}\r\n", date_text(candidate.received_at));
    }
    fields
}

fn protocol(candidate: &Candidate) -> Protocol {
    let safeguards = Safeguards {
        tls: candidate.arrival.tls.is_some(),
        auth: candidate.arrival.login.is_some(),
    };
    match (candidate.envelope.smtputf8, candidate.extended) {
        (true, _) => Protocol::Utf8Smtp(safeguards),
        (false, true) => Protocol::Esmtp(safeguards),
        (false, false) => Protocol::Smtp,
    }
}

/// The acceptance that stands for a verdict.
#[must_use]
pub fn acceptance(candidate: &Candidate, prefix: Bytes, outcome: Option<Outcome>) -> Acceptance {
    let size_bytes = candidate.content.len() + prefix.len() as u64;
    Acceptance {
        message: NewMessage {
            message: StoredMessage {
                id: candidate.id,
                received_at: candidate.received_at,
                envelope: candidate.envelope.clone(),
                arrival: candidate.arrival.clone(),
                kind: candidate.kind.clone(),
                prefix,
                size_bytes,
            },
            content: candidate.content.clone(),
        },
        outcome,
    }
}

/// The header's own report facts, as expansion asks for them.
#[must_use]
pub fn report_facts(head: &HeaderFacts) -> ReportFacts {
    ReportFacts {
        multipart_report: head.report.multipart_report,
        auto_replied: head.report.auto_replied,
        non_delivery: head.report.delivery_report,
    }
}

/// RECEIVE, as tracked.
#[must_use]
pub fn receive_event(candidate: &Candidate, prefix: &[u8]) -> EventKind {
    EventKind::Receive {
        listener: candidate.arrival.listener.clone(),
        client: candidate.arrival.client,
        helo: candidate.arrival.helo.clone(),
        reverse_path: candidate.envelope.reverse_path.as_str().to_owned(),
        recipients: super::outcome::addressed_texts(&candidate.envelope),
        size_bytes: candidate.content.len() + prefix.len() as u64,
        sender_proof: sender_proof(candidate),
        header_message_id: candidate.head.message_id.clone(),
        subject: candidate.head.subject.clone(),
    }
}

fn sender_proof(candidate: &Candidate) -> String {
    let standing = &candidate.sender.standing;
    match &candidate.findings {
        Some(findings) => format!("{standing} ({})", findings.summary()),
        None => standing.to_string(),
    }
}

/// Whether a sender is told of refused branches by a report: if his return path is proved, by default.
#[must_use]
pub fn tells_by_report(candidate: &Candidate, organisation: &Organisation, moment: Moment) -> bool {
    match organisation.rules.notify_partial {
        NotifyPartial::Always => true,
        NotifyPartial::Never => false,
        // After the reply there is no other way left to tell (RFC 5321 §6.1).
        NotifyPartial::Proved => {
            let by_spf = candidate
                .findings
                .as_ref()
                .is_some_and(|findings| findings.return_path_proved());
            candidate.sender.is_internal() || by_spf || moment == Moment::AfterReply
        }
    }
}

/// The refusal of the whole transaction, if it comes to that (DESIGN §2.2).
fn refusal(
    expansion: &Expansion,
    candidate: &Candidate,
    organisation: &Organisation,
    moment: Moment,
) -> Option<Refusal> {
    if let Some(halt) = &expansion.halt {
        return Some(halt.refusal.clone());
    }
    let refused = |judged: &expansion::Judged| match &judged.verdict {
        expansion::Verdict::Refused(refusal) => Some((judged.addressed, refusal.clone())),
        expansion::Verdict::Accepted | expansion::Verdict::Held | expansion::Verdict::Discarded(_) => None,
    };
    let all: Vec<(u32, Refusal)> = expansion.judged.iter().filter_map(refused).collect();
    if let Some((_, transient)) = all.iter().find(|(_, refusal)| refusal.is_transient()) {
        // Somebody cannot be judged now: the client keeps the message (promise 7).
        return Some(transient.clone());
    }
    if let Some((addressed, first)) = all.first() {
        let everybody = all.len() == expansion.judged.len();
        if everybody {
            return Some(first.clone());
        }
        if !tells_by_report(candidate, organisation, moment) {
            return Some(naming(first, candidate, *addressed));
        }
    }
    let discarded = |judged: &expansion::Judged| matches!(judged.verdict, expansion::Verdict::Discarded(_));
    if expansion.reaches_nobody() && !expansion.judged.iter().any(discarded) {
        return expansion.refused.first().map(|branch| branch.refusal.clone());
    }
    None
}

/// The refusal of one addressed recipient as the reply to the whole transaction: it names him.
fn naming(refusal: &Refusal, candidate: &Candidate, addressed: u32) -> Refusal {
    let Some(recipient) = candidate.envelope.recipients.get(addressed as usize) else {
        return refusal.clone();
    };
    let text = format!(
        "<{}>: {} (nobody got the message)",
        recipient.forward_path, refusal.reply.text
    );
    Refusal {
        reply: Reply {
            text: text.into(),
            ..refusal.reply.clone()
        },
        reason: refusal.reason,
    }
}

/// Refuses what no rule of a recipient needs to be asked for: loops by hop count, header bounds.
pub fn screen(
    head: Result<HeaderFacts, crate::mail::header::HeaderFault>,
    most: usize,
) -> Result<HeaderFacts, Refusal> {
    let head = head.map_err(|fault| Refusal {
        reply: Reply::new(552, (5, 3, 4), format!("{fault}")),
        reason: Reason::HeaderTooLarge,
    })?;
    if head.received > most {
        return Err(Refusal {
            reply: Reply::new(554, (5, 4, 6), "Too many hops: this message is in a mail loop"),
            reason: Reason::HopLimit,
        });
    }
    Ok(head)
}

/// A pass on a thread where it may take its time.
pub async fn run(
    categorizer: Arc<Categorizer>,
    candidate: Arc<Candidate>,
    moment: Moment,
) -> Result<Verdict, tokio::task::JoinError> {
    tokio::task::spawn_blocking(move || categorizer.pass(&candidate, moment)).await
}
