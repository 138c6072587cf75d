//! Letters about holds: requests to moderators, what becomes of it to senders, answers to answers.
//!
//! In: a hold, its message. Out: messages of our own with their outcome. Never: to a sender whom
//! `SendModerationNotifications` leaves out; a token anywhere but in the letter.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use mail_parser::MessageParser;

use super::pass::Candidate;
use super::report::{OwnOrigin, push_report};
use super::{Categorizer, Organisation};
use crate::directory::ObjectId;
use crate::directory::delivery::ModerationNotice;
use crate::limits::{
    APPROVAL_ORIGINAL_OCTETS_MAX, APPROVAL_ROUND_OCTETS_MAX, EXCERPT_CHARACTERS_MAX, EXCERPT_SOURCE_OCTETS_MAX,
};
use crate::mail::report::{AboutMessage, Letter, Original, compose_letter, one_line, readable_subject};
use crate::mail::{Mailbox, ReversePath, TlsWish};
use crate::moderation::facts::{Facts, Links, MailLinks};
use crate::moderation::letter::Kind;
use crate::moderation::machine::{self, Round};
use crate::moderation::token::{Token, page_path};
use crate::resolver::{Sender, Standing};
use crate::spool::approval::ApprovalRequest;
use crate::spool::content::Content;
use crate::spool::message::{Acceptance, Hold, HoldState, Outcome};
use crate::track::{HoldCause, ReportKind};

impl Categorizer {
    /// Adds a request to the hold and its letter to the outcome. A letter that reaches nobody has come back.
    pub(super) fn ask(
        &self,
        hold: &mut Hold,
        candidate: &Candidate,
        moderator: &Mailbox,
        round: Round,
        letters: usize,
        outcome: &mut Outcome,
    ) {
        let (link, reply) = (Token::new(&*self.env.chance), Token::new(&*self.env.chance));
        let mut request = ApprovalRequest {
            moderator: moderator.clone(),
            link: link.hash(),
            reply: reply.hash(),
            asked_at: self.now(),
            bounced: false,
        };
        let letter = self.request(hold, candidate, moderator, round, letters, [&link, &reply]);
        request.bounced = letter.is_none();
        hold.approval.requests.push(request);
        let to = ReversePath::Mailbox(moderator.clone());
        push_report(outcome, hold.message, &to, ReportKind::Approval, letter, self.now());
    }

    fn request(
        &self,
        hold: &Hold,
        candidate: &Candidate,
        moderator: &Mailbox,
        round: Round,
        letters: usize,
        [link, reply]: [&Token; 2],
    ) -> Option<Acceptance> {
        let organisation = self.organisation();
        let moderation = &organisation.moderation;
        let answers = moderation
            .answers
            .as_ref()
            .and_then(|answers| answers.address(hold.id, reply));
        let whole = whole(&candidate.content, letters);
        let mut facts = self.hold_facts(hold, &organisation);
        about_message(&mut facts, candidate);
        facts.moderator = moderator.to_string();
        facts.round = match round {
            Round::Request => "request",
            Round::Reminder => "reminder",
            Round::Escalation => "escalation",
        }
        .to_owned();
        facts.attached = if whole.is_some() { "whole" } else { "head" }.to_owned();
        facts.links = moderation.page.as_ref().map(|page| {
            let open = format!("{page}{}", page_path(hold.id, link));
            Links {
                approve: format!("{open}?choose=approve"),
                reject: format!("{open}?choose=reject"),
                open,
            }
        });
        if let Some(address) = &answers {
            let mail = |word: &str| format!("mailto:{address}?subject={word}%3A%20{}&body={word}", hold.id);
            facts.mail = MailLinks {
                approve: mail("approve"),
                reject: mail("reject"),
            };
        }
        let written = moderation
            .letters
            .write(language(hold, &organisation), request_kind(hold), &facts);
        let letterhead = self.letterhead(moderator);
        let original = Original {
            head: &candidate.content.head,
            whole: whole.as_deref(),
        };
        let letter = Letter {
            subject: written.subject,
            text: written.text,
            html: written.html,
            attached: Some(original),
            answers: answers.as_ref(),
            auto_submitted: "auto-generated",
        };
        let composed = compose_letter(&letterhead, &about(hold, candidate.head.message_id.clone()), &letter);
        let reverse_path = answers.clone().map_or(ReversePath::Null, ReversePath::Mailbox);
        let origin = OwnOrigin {
            about: hold.message,
            report: ReportKind::Approval,
            reverse_path,
            standing: Standing::System,
            tls: candidate.envelope.tls(),
        };
        self.own_message(&letterhead, composed, origin)
    }

    /// The notice to the sender, as `SendModerationNotifications` allows.
    pub(super) fn tell_sender(
        &self,
        hold: &Hold,
        candidate: &Candidate,
        kind: Kind,
        also: &[String],
        outcome: &mut Outcome,
    ) {
        let tells = match hold.notice {
            ModerationNotice::Always => true,
            ModerationNotice::Internal => candidate.sender.is_internal(),
            ModerationNotice::Never => false,
        };
        let Some(sender) = hold.sender.mailbox().filter(|_| tells) else {
            return;
        };
        if let HoldState::Decided { by, .. } = &hold.state
            && Mailbox::parse(by).is_ok_and(|by| by.key() == sender.key())
        {
            // He decided himself.
            return;
        }
        let subjects: Vec<String> = also.iter().map(|subject| readable_subject(Some(subject))).collect();
        let tls = candidate.envelope.tls();
        let letter = self.hold_letter(hold, sender, kind, ("auto-replied", tls), |facts| {
            about_message(facts, candidate);
            facts.also = indented(&subjects.join("\n"));
        });
        push_report(
            outcome,
            hold.message,
            &hold.sender,
            ReportKind::Moderation,
            letter,
            self.now(),
        );
    }

    /// A letter about a hold that needs no answer, with the keyword of `Auto-Submitted`, and what the held message's sender
    /// wanted of TLS if that is known: the message itself may have left.
    pub(super) fn hold_letter(
        &self,
        hold: &Hold,
        to: &Mailbox,
        kind: Kind,
        (auto_submitted, tls): (&'static str, TlsWish),
        more: impl FnOnce(&mut Facts),
    ) -> Option<Acceptance> {
        let organisation = self.organisation();
        let mut facts = self.hold_facts(hold, &organisation);
        facts.moderator = to.to_string();
        more(&mut facts);
        let letters = &organisation.moderation.letters;
        let written = letters.write(language(hold, &organisation), kind, &facts);
        let letterhead = self.letterhead(to);
        let letter = Letter {
            subject: written.subject,
            text: written.text,
            html: written.html,
            attached: None,
            answers: None,
            auto_submitted,
        };
        let report = match kind {
            Kind::Rejected | Kind::Expired | Kind::Gone => ReportKind::Moderation,
            Kind::Alarm => ReportKind::Owner,
            Kind::Request | Kind::Confirm | Kind::Late | Kind::Counted | Kind::Unclear => ReportKind::Approval,
        };
        let composed = compose_letter(&letterhead, &about(hold, None), &letter);
        let origin = OwnOrigin {
            about: hold.message,
            report,
            reverse_path: ReversePath::Null,
            standing: Standing::System,
            tls,
        };
        self.own_message(&letterhead, composed, origin)
    }

    /// What the hold alone tells; enough for letters after its message has left.
    pub(super) fn hold_facts(&self, hold: &Hold, organisation: &Organisation) -> Facts {
        let zone = &organisation.moderation.zone;
        let mut facts = Facts {
            id: hold.id.to_string(),
            message: hold.message.to_string(),
            cause: cause(hold.cause).to_owned(),
            group: hold.recipient.to_string(),
            group_name: hold.recipient.local_part().to_owned(),
            path: hold.path.join(" > "),
            sender: match &hold.sender {
                ReversePath::Mailbox(mailbox) => mailbox.to_string(),
                ReversePath::Null => "<>".to_owned(),
            },
            standing: "external".to_owned(),
            subject: readable_subject(hold.subject.as_deref()),
            recipients: self.told_recipients(hold, hold.approval.recipients),
            held_at: shown(hold.held_at, zone),
            expires_at: shown(hold.expires_at, zone),
            others: hold.moderators.len() + hold.approval.substitutes.len() > 1,
            quorum: hold.approval.quorum,
            votes: u32::try_from(hold.approval.votes.len()).unwrap_or(u32::MAX),
            missing: machine::missing(&hold.approval),
            host: one_line(&organisation.host),
            postmaster: organisation.postmaster.to_string(),
            ..Facts::default()
        };
        if let HoldState::Decided {
            decision,
            by,
            at,
            comment,
        } = &hold.state
        {
            decision.word().clone_into(&mut facts.decision);
            facts.decided_by = one_line(by);
            facts.decided_at = shown(*at, zone);
            facts.comment = indented(comment.as_deref().unwrap_or_default());
        }
        facts
    }

    /// Facts for the page: with the message, if it is still there.
    pub fn page_facts(&self, hold: &Hold) -> Facts {
        let organisation = self.organisation();
        let mut facts = self.hold_facts(hold, &organisation);
        if let Ok(candidate) = self.stored_candidate(hold.message) {
            about_message(&mut facts, &candidate);
            if hold.state == HoldState::Waiting {
                let reached = self.would_reach(hold, &candidate);
                facts.recipients = reached.map_or(facts.recipients, |count| self.told_recipients(hold, count));
            }
        }
        facts
    }

    /// A sender who is to confirm does not hear how many belong to a group that hides it; 0 stands for that.
    fn told_recipients(&self, hold: &Hold, count: u64) -> u64 {
        let view = self.view();
        let group = view.directory.ordinal_of(&ObjectId::new(hold.object.as_str()));
        let hides = group
            .and_then(|group| view.group(group))
            .is_some_and(|object| object.group.as_deref().is_some_and(|group| group.hidden_membership));
        if hides && hold.cause == HoldCause::Confirmation {
            0
        } else {
            count
        }
    }

    /// The language of letters and pages about a hold.
    #[must_use]
    pub fn hold_language(&self, hold: &Hold) -> String {
        language(hold, &self.organisation()).to_owned()
    }
}

fn language<'a>(hold: &'a Hold, organisation: &'a Organisation) -> &'a str {
    let own = hold.language.as_deref();
    own.unwrap_or(&organisation.moderation.language)
}

/// The sender of a message to a large group is not asked as a moderator is.
fn request_kind(hold: &Hold) -> Kind {
    match hold.cause {
        HoldCause::Confirmation => Kind::Confirm,
        HoldCause::Moderation
        | HoldCause::LargeGroup
        | HoldCause::Quarantine
        | HoldCause::Content
        | HoldCause::Storm => Kind::Request,
    }
}

/// The word templates know it by.
fn cause(cause: HoldCause) -> &'static str {
    match cause {
        HoldCause::Moderation => "moderation",
        HoldCause::LargeGroup => "large_group",
        HoldCause::Confirmation => "confirmation",
        HoldCause::Quarantine => "quarantine",
        HoldCause::Content => "content",
        HoldCause::Storm => "storm",
    }
}

fn about(hold: &Hold, header_message_id: Option<String>) -> AboutMessage {
    AboutMessage {
        id: hold.message,
        arrived_at: hold.held_at,
        subject: hold.subject.clone(),
        header_message_id,
    }
}

/// What only the message tells: who sent it, with what proof, how large it is, how it begins.
fn about_message(facts: &mut Facts, candidate: &Candidate) {
    let (standing, proof) = standing(&candidate.sender);
    standing.clone_into(&mut facts.standing);
    facts.proof = one_line(&proof);
    facts.size = size(candidate.content.len());
    facts.excerpt = excerpt(&candidate.content);
}

fn standing(sender: &Sender) -> (&'static str, String) {
    match &sender.standing {
        Standing::System => ("internal", "muster".to_owned()),
        Standing::Null => ("null", String::new()),
        Standing::External | Standing::Undecided => ("external", String::new()),
        Standing::Spoofed => ("spoofed", String::new()),
        internal @ Standing::Internal { .. } => ("internal", internal.proof().unwrap_or_default()),
    }
}

/// `2026-11-27 14:05 CET (+01:00)`: read alike in every language.
pub(super) fn shown(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone())
        .strftime("%Y-%m-%d %H:%M %Z (%:z)")
        .to_string()
}

fn size(octets: u64) -> String {
    match octets {
        0..10_240 => format!("{octets} B"),
        10_240..10_485_760 => format!("{} KiB", octets / 1024),
        _ => format!("{} MiB", octets / (1024 * 1024)),
    }
}

/// Words of others in a letter: every line harmless and indented.
fn indented(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("  {}", one_line(line))).collect();
    lines.join("\n")
}

/// How the text of a message begins; empty if it has none that can be shown.
fn excerpt(content: &Content) -> String {
    let octets = start(content, EXCERPT_SOURCE_OCTETS_MAX);
    let Some(parsed) = MessageParser::default().parse(&octets) else {
        return String::new();
    };
    let text = parsed.body_text(0).unwrap_or_default();
    let shown: String = text.chars().take(EXCERPT_CHARACTERS_MAX).collect();
    let lines: Vec<String> = shown.lines().map(|line| format!("  {}", line_shown(line))).collect();
    lines.join("\n").trim_end().to_owned()
}

fn line_shown(line: &str) -> String {
    line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The first octets of a content.
pub(super) fn start(content: &Content, octets_max: usize) -> Vec<u8> {
    let wanted = usize::try_from(content.len()).unwrap_or(usize::MAX).min(octets_max);
    let mut octets = vec![0; wanted];
    let mut filled = 0;
    while filled < wanted {
        match content.read_at(filled as u64, &mut octets[filled..]) {
            Ok(0) | Err(_) => break,
            Ok(count) => filled += count,
        }
    }
    octets.truncate(filled);
    octets
}

/// The whole message, if it may be attached to so many letters.
fn whole(content: &Content, letters: usize) -> Option<Vec<u8>> {
    let octets = content.len();
    let fits =
        octets <= APPROVAL_ORIGINAL_OCTETS_MAX && octets.saturating_mul(letters as u64) <= APPROVAL_ROUND_OCTETS_MAX;
    let whole = fits.then(|| start(content, usize::try_from(octets).unwrap_or(usize::MAX)))?;
    (whole.len() as u64 == octets).then_some(whole)
}
