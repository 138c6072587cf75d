//! Attacks on approvals: tokens altered, stolen and used again, moderators forged, links opened by machines.
//!
//! A message is held in the mirror and its moderators are asked as ever; whatever an attack does, the hold must stay
//! as it is.

use super::mirror::{Mirror, Passed, Vantage};
use super::session::{Mail, carry_out, request};
use super::weak::by_proof;
use crate::admin::answer::{SpoofAttack, SpoofOutcome};
use crate::categorizer::decide::Manner;
use crate::directory::RecipientObject;
use crate::mail::{Envelope, EnvelopeRecipient, HoldId, Mailbox, ReversePath};
use crate::moderation::Actor;
use crate::moderation::machine::Answer;
use crate::spool::Spool as _;
use crate::spool::approval::Approval;
use crate::spool::content::{Content, Octets};
use crate::spool::message::{
    Acceptance, Arrival, Hold, HoldState, Membership, MessageKind, NewMessage, Outcome, StoredMessage,
};
use crate::track::HoldCause;

/// Time until a made-up hold expires: longer than any attack takes.
const HELD_FOR: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

/// A held message whose moderator was asked.
struct Asked {
    hold: HoldId,
    moderator: Mailbox,
    /// Where he answers to.
    answers: Mailbox,
    /// Path of his page.
    link: Option<String>,
}

/// All of them.
pub(super) async fn attacks(mirror: &Mirror, group: &RecipientObject, moderator: &Mailbox) -> Vec<SpoofAttack> {
    let asked = match ask(mirror, group, moderator).await {
        Ok(asked) => asked,
        Err(why) => {
            return vec![SpoofAttack {
                attack: "approval-token".to_owned(),
                tried: "a request for approval".to_owned(),
                outcome: SpoofOutcome::Through,
                answer: why,
                weaknesses: Vec::new(),
            }];
        }
    };
    let mut done = by_mail(mirror, &asked).await;
    done.extend(by_link(mirror, &asked).await);
    let manner = Manner::default();
    let rejected = mirror
        .categorizer
        .decide(asked.hold, Answer::Reject, &Actor::Operator, None, &manner)
        .await;
    if let Err(fault) = rejected {
        tracing::warn!(%fault, group = %group.primary, "the hold of an attack could not be decided");
    }
    let post = &[(Request::Post, "decision=approve")];
    let again = "the true link again, after the message was refused";
    done.push(opened(mirror, &asked, "token-replayed", again, post).await);
    let (moderator, again) = (
        asked.moderator.as_str(),
        "the true answer again, after the message was refused",
    );
    done.push(mail(mirror, &asked, "answer-replayed", again, moderator, &asked.answers).await);
    done
}

/// Answers to a request that is open.
async fn by_mail(mirror: &Mirror, asked: &Asked) -> Vec<SpoofAttack> {
    let (evil, moderator) = ("x@attacker.example", asked.moderator.as_str());
    let (answers, altered) = (&asked.answers, altered(&asked.answers));
    let forged = format!("{moderator}'s answer, forged");
    let mut done = Vec::new();
    for (name, tried, from, to) in [
        ("token-altered", "an answer with one digit changed", evil, &altered),
        ("token-stolen", "a stranger's answer with the true token", evil, answers),
        ("forged-moderator", &forged, moderator, answers),
        (
            "automatic-answer",
            "a report that says yes, with the true token",
            "",
            answers,
        ),
    ] {
        done.push(mail(mirror, asked, name, tried, from, to).await);
    }
    done
}

/// What machines and thieves do with links.
async fn by_link(mirror: &Mirror, asked: &Asked) -> Vec<SpoofAttack> {
    let opens = [(Request::Get, ""), (Request::Head, "")];
    let guesses = [(Request::PostElsewhere, "decision=approve")];
    let tried = "a link with one digit changed, and a decision sent there";
    vec![
        opened(
            mirror,
            asked,
            "link-prefetch",
            "a scanner opens the link (GET, HEAD)",
            &opens,
        )
        .await,
        opened(mirror, asked, "link-altered", tried, &guesses).await,
    ]
}

/// A request to the page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Request {
    Get,
    Head,
    Post,
    /// To a link with another last digit.
    PostElsewhere,
}

/// Holds a message and has its moderator asked.
async fn ask(mirror: &Mirror, group: &RecipientObject, moderator: &Mailbox) -> Result<Asked, String> {
    let hold = held(mirror, group, moderator);
    let id = hold.0.id;
    mirror.spool.accept(hold.1).await.map_err(|fault| fault.to_string())?;
    mirror.categorizer.attend_holds().await;
    let requests = mirror.passed().await;
    let request = requests
        .iter()
        .find(|passed| mirror.categorizer.is_request(&passed.message));
    let Some(Passed { message, content, .. }) = request else {
        return Err(format!("{moderator} was not asked for approval"));
    };
    let answers = message.envelope.reverse_path.mailbox().cloned();
    let text = match &content.octets {
        Octets::Memory(octets) => String::from_utf8_lossy(octets).into_owned(),
        Octets::Stored(_) => String::new(),
    };
    // A link may be broken over lines by its encoding; the address beside it bears no link token.
    let link = text.replace("=\r\n", "").find("/m/").map(|at| {
        let whole = text.replace("=\r\n", "");
        let end = |c: char| !(c.is_ascii_alphanumeric() || c == '/');
        let rest = &whole[at..];
        rest[..rest.find(end).unwrap_or(rest.len())].to_owned()
    });
    Ok(Asked {
        hold: id,
        moderator: moderator.clone(),
        answers: answers.ok_or("the request has no address to answer to")?,
        link,
    })
}

fn held(mirror: &Mirror, group: &RecipientObject, moderator: &Mailbox) -> (Hold, Acceptance) {
    let now = mirror.categorizer.now();
    let id = mirror.categorizer.new_message_id();
    let sender = ReversePath::Mailbox(group.primary.clone());
    let mut envelope = Envelope::from(sender.clone());
    envelope
        .recipients
        .push(EnvelopeRecipient::plain(group.primary.clone()));
    let content = Content::in_memory(&b"Subject: held\r\n\r\nx\r\n"[..]);
    let message = StoredMessage {
        id,
        received_at: now,
        envelope,
        arrival: Arrival::at("spoof-test"),
        kind: MessageKind::Submitted,
        prefix: bytes::Bytes::new(),
        size_bytes: content.len(),
    };
    let hold = Hold {
        id: mirror.spool.new_hold_id(),
        message: id,
        recipient: group.primary.clone(),
        object: group.id.as_str().to_owned(),
        addressed: 0,
        path: Vec::new(),
        reverse_path: sender.clone(),
        notify: None,
        bypass_nested: false,
        hidden: false,
        notice: crate::directory::delivery::ModerationNotice::Never,
        cause: HoldCause::Moderation,
        membership: Membership::Release,
        moderators: vec![moderator.clone()],
        held_at: now,
        expires_at: now + HELD_FOR,
        state: HoldState::Waiting,
        subject: Some("held".to_owned()),
        sender,
        language: None,
        thread: None,
        approval: Approval::default(),
    };
    let acceptance = Acceptance {
        message: NewMessage { message, content },
        outcome: Some(Outcome {
            holds: vec![hold.clone()],
            ..Outcome::default()
        }),
    };
    (hold, acceptance)
}

/// The same address with another last digit of its token.
fn altered(answers: &Mailbox) -> Mailbox {
    let local = answers.local_part();
    let (rest, last) = local.split_at(local.len().saturating_sub(1));
    let other = if last == "0" { "1" } else { "0" };
    Mailbox::parse(&format!("{rest}{other}@{}", answers.domain())).unwrap_or_else(|_| answers.clone())
}

/// An answer by mail.
async fn mail(mirror: &Mirror, asked: &Asked, name: &str, tried: &str, from: &str, to: &Mailbox) -> SpoofAttack {
    let before = mirror.spool.hold(asked.hold).ok();
    let author = if from.is_empty() {
        asked.moderator.as_str()
    } else {
        from
    };
    let attack = Mail {
        helo: "attacker.example".to_owned(),
        mail: format!("MAIL FROM:<{from}>"),
        rcpt: vec![format!("RCPT TO:<{to}>")],
        content: format!("From: <{author}>\r\nSubject: Approve: x\r\n\r\napprove"),
    };
    let ended = carry_out(mirror.address(Vantage::Stranger), &attack).await;
    let (reply, taken) = match ended {
        Ok(ended) => (ended.reply, ended.taken),
        Err(fault) => (fault.to_string(), false),
    };
    concluded(mirror, asked, before, (name, tried), reply, taken).await
}

/// Requests to the page.
async fn opened(mirror: &Mirror, asked: &Asked, name: &str, tried: &str, requests: &[(Request, &str)]) -> SpoofAttack {
    let before = mirror.spool.hold(asked.hold).ok();
    let mut answer = "there is no page, and no link".to_owned();
    if let (Some(page), Some(link)) = (mirror.page, &asked.link) {
        for (method, form) in requests {
            let (rest, last) = link.split_at(link.len().saturating_sub(1));
            let other = format!("{rest}{}", if last == "0" { "1" } else { "0" });
            let (method, path) = match method {
                Request::Get => ("GET", link.as_str()),
                Request::Head => ("HEAD", link.as_str()),
                Request::Post => ("POST", link.as_str()),
                Request::PostElsewhere => ("POST", other.as_str()),
            };
            answer = match request(page, method, path, form).await {
                Ok(line) => line,
                Err(fault) => fault.to_string(),
            };
        }
    }
    concluded(mirror, asked, before, (name, tried), answer, true).await
}

async fn concluded(
    mirror: &Mirror,
    asked: &Asked,
    before: Option<Hold>,
    (name, tried): (&str, &str),
    answer: String,
    taken: bool,
) -> SpoofAttack {
    let passed = mirror.passed().await;
    let after = mirror.spool.hold(asked.hold).ok();
    let state = |hold: &Option<Hold>| {
        hold.as_ref()
            .map(|hold| (hold.state.clone(), hold.approval.votes.clone()))
    };
    let released = passed
        .iter()
        .any(|passed| passed.message.kind == MessageKind::Submitted);
    let outcome = if state(&before) != state(&after) || released {
        SpoofOutcome::Through
    } else if taken {
        SpoofOutcome::Unchanged
    } else {
        SpoofOutcome::Refused
    };
    let mut weaknesses = Vec::new();
    if outcome == SpoofOutcome::Through
        && let Some(network) = mirror.trusted_by(Vantage::Stranger)
    {
        weaknesses.push(by_proof(&format!("network {network}")));
    }
    SpoofAttack {
        attack: name.to_owned(),
        tried: tried.to_owned(),
        outcome,
        answer,
        weaknesses,
    }
}
