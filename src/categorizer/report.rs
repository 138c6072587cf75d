//! Reports and notices that a pass, a delivery or a decision gives rise to: composed, passed, ready to keep.
//!
//! Never: to a null reverse-path (RFC 5321 §4.5.5); against NOTIFY; naming hidden members.

use jiff::Timestamp;

use super::outcome::outcome;
use super::pass::{self, Candidate, Completion, Moment, acceptance, receive_event, tells_by_report};
use super::{Categorizer, Organisation};
use crate::expansion::{Detail, Expansion, ReportFacts, Request, Start};
use crate::mail::header::{HeaderFacts, HeaderSection, TLS_REQUIRED_FIELD};
use crate::mail::report::{
    AboutMessage, Action, Composed, DeliveryReport, Disclosure, Letterhead, Notice, Original, ReportRecipient,
    TlsReport, compose, compose_notice, compose_tls_report, returns_whole,
};
use crate::mail::signature::{BodyHash, Signed, Signing, SigningFault, fields};
use crate::mail::{Envelope, EnvelopeRecipient, Mailbox, MessageId, Notify, ReturnContent, ReversePath, TlsWish};
use crate::policy::Refusal;
use crate::resolver::{Relaying, Sender, Standing};
use crate::spool::content::Content;
use crate::spool::message::{Acceptance, Arrival, MessageKind, Outcome};
use crate::track::{Event, EventKind, ReportKind};

/// A group's owners hear of a vanished nested group at most this often.
const OWNER_NOTICE_INTERVAL_SECONDS: i64 = 24 * 60 * 60;

/// What a report is about.
#[derive(Clone, Debug)]
pub struct About<'a> {
    /// The message.
    pub id: MessageId,
    /// When it arrived.
    pub received_at: Timestamp,
    /// Its envelope.
    pub envelope: &'a Envelope,
    /// Its content.
    pub content: &'a Content,
    /// What its header section tells.
    pub head: &'a HeaderFacts,
}

impl<'a> About<'a> {
    pub(super) fn candidate(candidate: &'a Candidate) -> Self {
        Self {
            id: candidate.id,
            received_at: candidate.received_at,
            envelope: &candidate.envelope,
            content: &candidate.content,
            head: &candidate.head,
        }
    }

    fn words(&self) -> AboutMessage {
        AboutMessage {
            id: self.id,
            arrived_at: self.received_at,
            subject: self.head.subject.clone(),
            header_message_id: self.head.message_id.clone(),
        }
    }
}

/// What becomes of a message of our own, beside what it says.
pub(super) struct OwnOrigin {
    /// The message that it is about.
    pub about: MessageId,
    /// What it is.
    pub report: ReportKind,
    /// `<>`, or where failures are to be told.
    pub reverse_path: ReversePath,
    /// As whom we send.
    pub standing: Standing,
    /// What the sender of the message that it is about wanted: what our own says of that message is protected in the
    /// same way (RFC 8689 §5, §6).
    pub tls: TlsWish,
}

impl Categorizer {
    /// A delivery status notification to a reverse-path, unless it is null; with its own outcome.
    pub fn delivery_report(
        &self,
        about: &About<'_>,
        to: &ReversePath,
        recipients: Vec<ReportRecipient>,
        unnamed: u64,
    ) -> Option<Acceptance> {
        let to = to.mailbox()?;
        let action = recipients.first()?.action;
        // RFC 8689 §5: of a message that requires TLS only the header section goes back, whatever `RET=` says.
        let ret = match about.envelope.tls() {
            TlsWish::Required => Some(ReturnContent::Headers),
            TlsWish::Unsaid | TlsWish::Optional => about.envelope.ret,
        };
        let whole = returns_whole(action, ret, about.content.len())
            .then(|| whole(about.content))
            .flatten();
        let letterhead = self.letterhead(to);
        let composed = compose(&DeliveryReport {
            letterhead: letterhead.clone(),
            about: about.words(),
            envid: about.envelope.envid.as_deref(),
            recipients,
            unnamed,
            original: Original {
                head: &about.content.head,
                whole: whole.as_deref(),
            },
        });
        let origin = OwnOrigin {
            about: about.id,
            report: report_kind(action),
            reverse_path: ReversePath::Null,
            standing: Standing::System,
            tls: about.envelope.tls(),
        };
        self.own_message(&letterhead, composed, origin)
    }

    /// A letter about a message, with its own outcome.
    pub fn notice(&self, about: &About<'_>, to: &Mailbox, kind: ReportKind, notice: &Notice<'_>) -> Option<Acceptance> {
        let letterhead = self.letterhead(to);
        let composed = compose_notice(&letterhead, &about.words(), notice);
        let origin = OwnOrigin {
            about: about.id,
            report: kind,
            reverse_path: ReversePath::Null,
            standing: Standing::System,
            tls: about.envelope.tls(),
        };
        self.own_message(&letterhead, composed, origin)
    }

    /// A TLS report to where its domain wants it, with its own outcome. Signed where settings name keys; one that cannot be
    /// signed goes without: receivers may ignore it then, and the log says so.
    #[must_use]
    pub fn tls_report(&self, report: &TlsReport) -> Option<Acceptance> {
        let letterhead = Letterhead {
            postmaster: report.contact.clone(),
            ..self.letterhead(&report.to)
        };
        let mut composed = compose_tls_report(&letterhead, report);
        match signature_over(
            &composed.octets,
            &self.organisation().report_signing,
            letterhead.made_at,
        ) {
            Ok(fields) => composed.octets.splice(..0, fields.into_bytes()).for_each(drop),
            Err(fault) => tracing::error!(%fault, domain = %report.domain, "a TLS report could not be signed"),
        }
        let origin = OwnOrigin {
            about: letterhead.id,
            report: ReportKind::Tls,
            reverse_path: ReversePath::Null,
            // The address is somebody else's word. It gets what any stranger could send there: a group of ours that is closed
            // to strangers stays so.
            standing: Standing::External,
            // RFC 8460 §5.3: it must arrive where TLS does not work.
            tls: TlsWish::Optional,
        };
        self.own_message(&letterhead, composed, origin)
    }

    /// What becomes of an accepted message of which nobody is left: one report, or silence to `<>`.
    pub(super) fn all_refused(&self, candidate: &Candidate, organisation: &Organisation, refusal: &Refusal) -> Outcome {
        let mut outcome = Outcome::default();
        let now = self.now();
        let recipients = candidate
            .envelope
            .recipients
            .iter()
            .filter(|to| to.notify.is_none_or(|notify| notify.failure))
            .map(|to| refused_recipient(to, &to.forward_path, Disclosure::Recipient, refusal, now))
            .collect();
        tracing::info!(message = %candidate.id, reason = %refusal.reason, host = organisation.host, "refused after the reply");
        let report = self.delivery_report(
            &About::candidate(candidate),
            &candidate.envelope.reverse_path,
            recipients,
            0,
        );
        push_report(
            &mut outcome,
            candidate.id,
            &candidate.envelope.reverse_path,
            ReportKind::Failed,
            report,
            now,
        );
        outcome
    }

    /// Reports that an expansion gives rise to: refused branches, "expanded", owner notices.
    pub(super) fn add_reports(
        &self,
        outcome: &mut Outcome,
        candidate: &Candidate,
        organisation: &Organisation,
        expansion: &Expansion,
        moment: Moment,
    ) {
        let about = About::candidate(candidate);
        if tells_by_report(candidate, organisation, moment) {
            self.report_refused(outcome, &about, candidate, expansion);
        }
        self.report_expanded(outcome, &about, expansion);
        self.notify_owners(outcome, &about, expansion);
    }

    /// One report per return path, naming what was refused.
    fn report_refused(&self, outcome: &mut Outcome, about: &About<'_>, candidate: &Candidate, expansion: &Expansion) {
        let now = self.now();
        let mut by_path: Vec<(ReversePath, Vec<ReportRecipient>)> = Vec::new();
        let mut add = |path: &ReversePath, recipient: ReportRecipient| match by_path.iter_mut().find(|(p, _)| p == path)
        {
            Some((_, list)) => list.push(recipient),
            None => by_path.push((path.clone(), vec![recipient])),
        };
        for judged in &expansion.judged {
            let crate::expansion::Verdict::Refused(refusal) = &judged.verdict else {
                continue;
            };
            let Some(to) = about.envelope.recipients.get(judged.addressed as usize) else {
                continue;
            };
            if wants_failure(to.notify) {
                let one = refused_recipient(to, &to.forward_path, Disclosure::Recipient, refusal, now);
                add(&about.envelope.reverse_path, one);
            }
        }
        for branch in &expansion.refused {
            let Some(to) = about.envelope.recipients.get(branch.addressed as usize) else {
                continue;
            };
            if !wants_failure(branch.notify) {
                continue;
            }
            // DESIGN §6: hidden membership and outside senders see the addressed group only.
            let hidden = branch.hidden || !candidate.sender.is_internal();
            let (address, disclosure) = if hidden {
                (&to.forward_path, Disclosure::MembersOfGroup)
            } else {
                (&branch.recipient, Disclosure::Recipient)
            };
            add(
                &branch.reverse_path,
                refused_recipient(to, address, disclosure, &branch.refusal, now),
            );
        }
        for (path, recipients) in by_path {
            let report = self.delivery_report(about, &path, recipients, 0);
            push_report(outcome, about.id, &path, ReportKind::Failed, report, now);
        }
    }

    /// RFC 3461 §5.2.7.3: a group asked for success is reported as expanded, once.
    fn report_expanded(&self, outcome: &mut Outcome, about: &About<'_>, expansion: &Expansion) {
        let now = self.now();
        let expanded = |judged: &&crate::expansion::Judged| judged.report_expanded;
        let recipients: Vec<ReportRecipient> = expansion
            .judged
            .iter()
            .filter(expanded)
            .filter_map(|judged| about.envelope.recipients.get(judged.addressed as usize))
            .map(|to| ReportRecipient {
                address: to.forward_path.to_string(),
                disclosure: Disclosure::Recipient,
                original: to.original.clone(),
                action: Action::Expanded,
                status: crate::mail::EnhancedStatus::new(2, 1, 5),
                reply: None,
                remote: None,
                last_attempt_at: None,
                will_retry_until: None,
            })
            .collect();
        if !recipients.is_empty() {
            let path = &about.envelope.reverse_path;
            let report = self.delivery_report(about, path, recipients, 0);
            push_report(outcome, about.id, path, ReportKind::Expanded, report, now);
        }
    }

    fn notify_owners(&self, outcome: &mut Outcome, about: &About<'_>, expansion: &Expansion) {
        let now = self.now();
        for notice in &expansion.notices {
            if !self.owner_notice_due(&notice.group, now) {
                continue;
            }
            for owner in &notice.owners {
                let letter = Notice::NestedGroupsVanished {
                    group: &notice.group,
                    vanished: &notice.vanished,
                };
                let report = self.notice(about, owner, ReportKind::Owner, &letter);
                let path = ReversePath::Mailbox(owner.clone());
                push_report(outcome, about.id, &path, ReportKind::Owner, report, now);
            }
        }
    }

    fn owner_notice_due(&self, group: &Mailbox, now: Timestamp) -> bool {
        let Ok(mut told) = self.owner_notices.lock() else {
            return false;
        };
        let recent = |at: &Timestamp| now.as_second() - at.as_second() < OWNER_NOTICE_INTERVAL_SECONDS;
        told.retain(|_, at| recent(at));
        if told.contains_key(group) {
            return false;
        }
        told.insert(group.clone(), now);
        true
    }

    pub(super) fn letterhead(&self, to: &Mailbox) -> Letterhead {
        let organisation = self.organisation();
        Letterhead {
            id: self.new_message_id(),
            made_at: self.now(),
            host: organisation.host.clone(),
            postmaster: organisation.postmaster.clone(),
            to: to.clone(),
        }
    }

    /// A message of our own through a pass of its own: to one mailbox, by the rules for the system. From `<>`, or
    /// from where failures are to be told.
    pub(super) fn own_message(
        &self,
        letterhead: &Letterhead,
        composed: Composed,
        origin: OwnOrigin,
    ) -> Option<Acceptance> {
        let OwnOrigin {
            about,
            report,
            reverse_path,
            standing,
            tls,
        } = origin;
        let sender = Sender {
            reverse_path: reverse_path.clone(),
            standing,
        };
        let notify = (reverse_path == ReversePath::Null).then_some(Notify::NEVER);
        let mut envelope = Envelope::from(reverse_path);
        envelope.body = composed.body;
        envelope.smtputf8 = composed.smtputf8;
        envelope.recipients.push(EnvelopeRecipient {
            notify,
            ..EnvelopeRecipient::plain(letterhead.to.clone())
        });
        envelope.set_tls(tls);
        let octets = match tls {
            TlsWish::Optional => [format!("{TLS_REQUIRED_FIELD}: No\r\n").as_bytes(), &composed.octets].concat(),
            TlsWish::Required | TlsWish::Unsaid => composed.octets,
        };
        let content = Content::in_memory(octets);
        let candidate = Candidate {
            id: letterhead.id,
            received_at: letterhead.made_at,
            envelope,
            arrival: Arrival::at("local"),
            kind: MessageKind::Report { about, report },
            head: HeaderFacts::read(&content.head).unwrap_or_default(),
            content,
            extended: true,
            sender,
            findings: None,
            quarantined: false,
            added: String::new(),
            relaying: Relaying::Allowed,
            completion: Completion::None,
        };
        self.own_pass(&candidate)
    }

    fn own_pass(&self, candidate: &Candidate) -> Option<Acceptance> {
        let organisation = self.organisation();
        let view = self.view();
        let hops = organisation.hops.pass(&view, Some(&candidate.about()));
        let now = self.now();
        let request = Request {
            relaying: candidate.relaying,
            sources: self.sources(),
            report: ReportFacts {
                // A notice to an owner or sender goes to that person as it is; what it is about was decided above.
                ..pass::report_facts(&candidate.head)
            },
            start: Start::Addressed(&candidate.envelope.recipients),
            detail: Detail::Quiet,
            ..Request::new(&candidate.sender, &candidate.envelope.recipients, now)
        };
        let expansion = crate::expansion::expand(&request, &view, &organisation.rules, &*hops, &organisation.limits);
        if let Some(halt) = &expansion.halt {
            tracing::warn!(message = %candidate.id, reason = %halt.refusal.reason, "a report cannot be routed");
            return None;
        }
        if expansion.reaches_nobody() {
            tracing::warn!(message = %candidate.id, to = ?candidate.envelope.recipients.first(), "a report reaches nobody");
            return None;
        }
        let prefix = self.prefix(candidate, &organisation, &expansion);
        let space = self.views.space();
        let making = self.making(candidate, &organisation.moderation, &space, &*hops, now);
        let mut made = outcome(&making, &expansion);
        made.events.insert(0, making.event(receive_event(candidate, &prefix)));
        Some(acceptance(candidate, prefix, Some(made)))
    }
}

/// DKIM signatures of a message of our own, to stand above it.
fn signature_over(message: &[u8], signing: &Signing, now: Timestamp) -> Result<String, SigningFault> {
    if signing.is_nothing() {
        return Ok(String::new());
    }
    let section = HeaderSection::parse(message)?;
    let signed = Signed {
        head: message,
        prefix: b"",
        body: BodyHash::of(message.get(section.octets + 2..).unwrap_or_default()),
        at: now,
    };
    fields(&signed, signing)
}

/// Adds a report and its event to an outcome, if there is one.
pub(super) fn push_report(
    outcome: &mut Outcome,
    message: MessageId,
    to: &ReversePath,
    report: ReportKind,
    acceptance: Option<Acceptance>,
    now: Timestamp,
) {
    let Some(acceptance) = acceptance else { return };
    outcome.events.push(Event {
        at: now,
        message,
        kind: EventKind::Report {
            report,
            to: to.as_str().to_owned(),
            id: acceptance.message.message.id,
            recipients: 1,
        },
    });
    outcome.reports.push(acceptance);
}

fn report_kind(action: Action) -> ReportKind {
    match action {
        Action::Failed => ReportKind::Failed,
        Action::Delayed => ReportKind::Delayed,
        Action::Relayed => ReportKind::Relayed,
        Action::Expanded => ReportKind::Expanded,
    }
}

fn wants_failure(notify: Option<Notify>) -> bool {
    notify.is_none_or(|notify| notify.failure)
}

fn refused_recipient(
    addressed: &EnvelopeRecipient,
    address: &Mailbox,
    disclosure: Disclosure,
    refusal: &Refusal,
    now: Timestamp,
) -> ReportRecipient {
    ReportRecipient {
        address: address.to_string(),
        disclosure,
        original: addressed.original.clone(),
        action: Action::Failed,
        status: refusal.reply.status_or_generic(),
        reply: Some(refusal.reply.clone()),
        remote: None,
        last_attempt_at: Some(now),
        will_retry_until: None,
    }
}

/// The whole content; None if it cannot be read, in which case the header section must do.
fn whole(content: &Content) -> Option<Vec<u8>> {
    let mut octets = vec![0; usize::try_from(content.len()).ok()?];
    let mut filled = 0;
    while filled < octets.len() {
        match content.read_at(filled as u64, &mut octets[filled..]) {
            Ok(0) | Err(_) => return None,
            Ok(count) => filled += count,
        }
    }
    Some(octets)
}
