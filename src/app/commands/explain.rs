//! `explain`: the very code of delivery, in dry run.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::explained::{count, fill};
use crate::accounts::KnownAccounts;
use crate::admin::answer::{Explained, SeenAs, Verdict, VerdictKind};
use crate::admin::command::ExplainQuestion;
use crate::admin::service::{Refusal, RefusalKind};
use crate::app::service::Service;
use crate::categorizer::gate;
use crate::categorizer::identify::reporting_account;
use crate::categorizer::intake::{ClientFacts, ListenerRole, Secured};
use crate::categorizer::{Categorizer, NextHops, Organisation};
use crate::directory::ObjectId;
use crate::expansion::{self, Detail, Expansion, Release, ReportFacts, Request, Start};
use crate::mail::header::{Authors, HeaderFacts};
use crate::mail::{Domain, EnvelopeRecipient, Mailbox, Reply, ReversePath, TlsWish};
use crate::policy::rules::SpoofedSender;
use crate::policy::{Rules, author};
use crate::resolver::sender::trusted;
use crate::resolver::shared::CameFrom;
use crate::resolver::{Relaying, Sender, Standing};
use crate::routing::{About, Side};
use crate::spool::content::Content;
use crate::track::Reason;

/// A listener as `explain` needs it.
#[derive(Clone)]
pub struct KnownListener {
    /// Name in the settings.
    pub name: String,
    /// Its role.
    pub role: ListenerRole,
    /// Largest message it takes. Unit: octets.
    pub message_octets_max: u64,
}

/// One way to see the sender.
struct Seen {
    seen_as: SeenAs,
    sender: Sender,
    relaying: Relaying,
    session: author::Session,
    /// Largest message that gets in. Unit: octets.
    message_octets_max: u64,
    /// The client, if it is known.
    client: Option<ClientFacts>,
}

impl Seen {
    fn came_from(&self, domain: &Domain, rules: &Rules) -> Option<Reason> {
        let origin = CameFrom {
            origin: self.client.as_ref().map(ClientFacts::origin),
            marks: None,
        };
        origin.refuses(domain, rules)
    }

    /// What rules of routing may ask of the message.
    fn about<'a>(&'a self, asked: &Asked<'_>, recipients: &'a [EnvelopeRecipient]) -> About<'a> {
        About {
            side: Side::of(&self.sender),
            reverse_path: &self.sender.reverse_path,
            size_bytes: asked.content.map(Content::len).or(asked.size_bytes),
            listener: self.client.as_ref().map(|client| &*client.listener),
            recipients,
            tls: match asked.content.map(|content| HeaderFacts::read(&content.head)) {
                Some(Ok(head)) if head.tls_optional => TlsWish::Optional,
                Some(_) | None => TlsWish::Unsaid,
            },
        }
    }
}

/// Where mail comes in, and as whom.
#[derive(Clone, Default)]
pub struct Entrances {
    /// Listeners.
    pub listeners: Vec<KnownListener>,
    /// Who may log in.
    pub accounts: Option<Arc<KnownAccounts>>,
}

/// Entrances of a service.
pub fn entrances(service: &Service) -> Entrances {
    let settings = service.settings.load();
    let known = settings.listeners.iter().map(|listener| KnownListener {
        name: listener.name.to_string(),
        role: crate::app::wiring::role(listener.role),
        message_octets_max: listener.message_size_max,
    });
    Entrances {
        listeners: known.collect(),
        accounts: service.guards.accounts.clone(),
    }
}

/// Answers the question.
pub fn explain(
    categorizer: &Categorizer,
    entrances: &Entrances,
    question: &ExplainQuestion,
) -> Result<Explained, Refusal> {
    explain_message(categorizer, entrances, question, None)
}

/// Answers the question about a whole message, if there is one: what its own fields say counts as in delivery.
pub fn explain_message(
    categorizer: &Categorizer,
    entrances: &Entrances,
    question: &ExplainQuestion,
    content: Option<&Content>,
) -> Result<Explained, Refusal> {
    let usage = |what: &str, text: &str, fault: &dyn std::fmt::Display| {
        Refusal::new(RefusalKind::Usage, format!("{what} `{text}`: {fault}"))
    };
    let from = match question.from.as_str() {
        "" | "<>" => ReversePath::Null,
        text => ReversePath::Mailbox(Mailbox::parse(text).map_err(|fault| usage("--from", text, &fault))?),
    };
    let to = Mailbox::parse(&question.to).map_err(|fault| usage("--to", &question.to, &fault))?;
    let organisation = categorizer.organisation();
    let seen = seen(&from, categorizer, &organisation, entrances, question)?;
    let authors = match content.map(|content| HeaderFacts::read(&content.head)) {
        Some(Ok(head)) if question.author.is_none() => head.authors,
        Some(_) | None => authors(&from, question.author.as_deref())?,
    };
    let recipient = EnvelopeRecipient::plain(to);
    let asked = Asked {
        recipient: &recipient,
        authors: &authors,
        size_bytes: question.size_bytes,
        content,
    };
    Ok(Explained {
        from: from.as_str().to_owned(),
        to: question.to.clone(),
        size_bytes: question.size_bytes,
        verdicts: seen
            .into_iter()
            .map(|seen| verdict(categorizer, &organisation, &asked, seen))
            .collect(),
    })
}

/// The message, as far as it is asked about.
struct Asked<'a> {
    recipient: &'a EnvelopeRecipient,
    authors: &'a Authors,
    size_bytes: Option<u64>,
    content: Option<&'a Content>,
}

/// Authors as the message's own `From` would give them.
fn authors(from: &ReversePath, stated: Option<&str>) -> Result<Authors, Refusal> {
    let text = match (stated, from.mailbox()) {
        (Some(text), _) if text.chars().any(char::is_control) => {
            let text = "--author: a field is one line without control characters";
            return Err(Refusal::new(RefusalKind::Usage, text));
        }
        (Some(text), _) => text.to_owned(),
        (None, Some(from)) => from.to_string(),
        (None, None) => return Ok(Authors::Missing),
    };
    let head = format!("From: {text}\r\n\r\n");
    HeaderFacts::read(head.as_bytes())
        .map(|facts| facts.authors)
        .map_err(|fault| Refusal::new(RefusalKind::Usage, format!("--author `{text}`: {fault}")))
}

fn seen(
    from: &ReversePath,
    categorizer: &Categorizer,
    organisation: &Organisation,
    entrances: &Entrances,
    question: &ExplainQuestion,
) -> Result<Vec<Seen>, Refusal> {
    let rules = &organisation.rules;
    let listeners = &entrances.listeners;
    let largest = listeners.iter().map(|listener| listener.message_octets_max).max();
    let message_octets_max = largest.unwrap_or(u64::MAX);
    if question.via.is_none() && question.client.is_none() {
        let stranger = Sender::recorded(from, None, rules);
        let mut both = vec![Seen {
            seen_as: SeenAs::Stranger,
            sender: stranger,
            relaying: Relaying::Denied,
            session: author::Session::Untrusted,
            message_octets_max,
            client: None,
        }];
        if !from.is_null() {
            both.push(Seen {
                seen_as: SeenAs::Internal,
                sender: Sender::recorded(from, Some("assumed"), rules),
                relaying: Relaying::Allowed,
                session: author::Session::Trusted,
                message_octets_max,
                client: None,
            });
        }
        return Ok(both);
    }
    let listener = match &question.via {
        Some(name) => listeners
            .iter()
            .find(|listener| listener.name == *name)
            .ok_or_else(|| {
                let names: Vec<&str> = listeners.iter().map(|listener| listener.name.as_str()).collect();
                let text = format!("there is no listener `{name}`; there are {}", names.join(", "));
                Refusal::new(RefusalKind::Usage, text)
            })?,
        None => listeners
            .first()
            .ok_or_else(|| Refusal::new(RefusalKind::Usage, "there is no listener"))?,
    };
    let client = client(listener, entrances, question)?;
    let session = match trusted(&client.origin(), rules) {
        Some(_) => author::Session::Trusted,
        None => author::Session::Untrusted,
    };
    let known = gate::Seen {
        sender: gate::sender(&client, from, &categorizer.view(), rules),
        relaying: gate::relaying(&client, rules),
        client: client.clone(),
    };
    // What the message may still prove is for `explain` as for a RCPT: both answers, and what decides.
    let hoped = gate::hoped(&client, from, &known, rules);
    let ways = [(SeenAs::Client, Some(known)), (SeenAs::Internal, hoped)];
    let seen = ways.into_iter().filter_map(|(seen_as, seen)| {
        seen.map(|seen| Seen {
            seen_as,
            sender: seen.sender,
            relaying: seen.relaying,
            session,
            message_octets_max: listener.message_octets_max,
            client: Some(client.clone()),
        })
    });
    Ok(seen.collect())
}

/// The client that is asked about.
fn client(listener: &KnownListener, entrances: &Entrances, question: &ExplainQuestion) -> Result<ClientFacts, Refusal> {
    // A client nobody trusts, if only the listener was named (RFC 5737 documentation range).
    let address = question.client.unwrap_or(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));
    let login = match (&question.login, &entrances.accounts) {
        (None, _) => None,
        (Some(_), None) => {
            let text = "nobody can log in: the settings have no [accounts]";
            return Err(Refusal::new(RefusalKind::Usage, text));
        }
        (Some(name), Some(accounts)) => Some(accounts.login(name).ok_or_else(|| {
            Refusal::new(
                RefusalKind::Usage,
                format!("--login `{name}`: accounts have no blanks in their names"),
            )
        })?),
    };
    let certificates = question.certificate.iter().map(|name| name.to_ascii_lowercase().into());
    Ok(ClientFacts {
        extended: true,
        login: login.map(Arc::new),
        secured: question.certificate.as_ref().map(|_| {
            Arc::new(Secured {
                protocol: "TLSv1.3",
                cipher: "assumed".into(),
                certificates: certificates.collect(),
            })
        }),
        ..ClientFacts::new(listener.name.as_str().into(), listener.role, address)
    })
}

fn verdict(categorizer: &Categorizer, organisation: &Organisation, asked: &Asked<'_>, seen: Seen) -> Verdict {
    let size_bytes = asked.size_bytes;
    let mut verdict = Verdict {
        seen_as: seen.seen_as,
        sender_proof: match seen.seen_as {
            SeenAs::Internal => "internal, if proven".to_owned(),
            SeenAs::Stranger | SeenAs::Client => seen.sender.standing.to_string(),
        },
        kind: VerdictKind::Accepted,
        reply: None,
        reason: None,
        cause: None,
        moderators: Vec::new(),
        bypass: None,
        recipients: 0,
        next_hops: std::collections::BTreeMap::new(),
        routes: Vec::new(),
        groups: Vec::new(),
        branches: Vec::new(),
        left_out: Vec::new(),
        duplicates: 0,
    };
    let client = seen.client.as_ref();
    if let Some(refusal) = client.and_then(|client| categorizer.refuses_account(client, &seen.sender)) {
        refuse(&mut verdict, &refusal);
        return verdict;
    }
    if seen.sender.standing == Standing::Spoofed && organisation.rules.spoofed == SpoofedSender::Refuse {
        refuse(&mut verdict, &gate::spoofed());
        return verdict;
    }
    if size_bytes.is_some_and(|octets| octets > seen.message_octets_max) {
        refuse(&mut verdict, &too_large(seen.message_octets_max));
        return verdict;
    }
    let recipients = std::slice::from_ref(asked.recipient);
    let about = seen.about(asked, recipients);
    let hops = organisation.hops.pass(&categorizer.view(), Some(&about));
    let whole = asked.content.map(|content| {
        let to = &asked.recipient.forward_path;
        categorizer.trial(to, content.clone(), seen.sender.clone(), seen.relaying)
    });
    let expansion = match whole {
        Some(Ok(candidate)) => categorizer.expand_trial(&candidate, &*hops),
        Some(Err(refusal)) => {
            refuse(&mut verdict, &refusal);
            return verdict;
        }
        None => ask(
            categorizer,
            organisation,
            &*hops,
            &seen,
            size_bytes,
            Start::Addressed(recipients),
        ),
    };
    fill(&mut verdict, &*hops, &expansion);
    if let Some(refusal) = refused_author(categorizer, organisation, asked, &seen) {
        refuse(&mut verdict, &refusal);
        return verdict;
    }
    if verdict.kind == VerdictKind::Held {
        // Who would get it after an approval: counted, not committed.
        if let Some(hold) = expansion.holds.first() {
            let release = release_of(hold);
            let after = ask(
                categorizer,
                organisation,
                &*hops,
                &seen,
                size_bytes,
                Start::Release(&release),
            );
            count(&mut verdict, &*hops, &after);
        }
    }
    verdict
}

/// What the message is told for its author, if its recipient is not refused before it.
fn refused_author(
    categorizer: &Categorizer,
    organisation: &Organisation,
    asked: &Asked<'_>,
    seen: &Seen,
) -> Option<crate::policy::Refusal> {
    let account = seen
        .client
        .as_ref()
        .and_then(|client| reporting_account(client, &seen.sender));
    let question = author::Question {
        sender: account.as_ref().unwrap_or(&seen.sender),
        authors: asked.authors,
        session: seen.session,
        findings: None,
    };
    let (view, rules) = (categorizer.view(), &organisation.rules);
    let refusal = author::judge(&question, &view, rules).err()?;
    let marked = |_: &ObjectId| false;
    let request = request(categorizer, seen, asked.size_bytes, Start::Addressed(&[]), &marked);
    let at_rcpt = expansion::judge_recipient(asked.recipient, &request, &view, rules).verdict;
    (!matches!(at_rcpt, expansion::Verdict::Refused(_))).then_some(refusal)
}

fn ask(
    categorizer: &Categorizer,
    organisation: &Organisation,
    hops: &dyn NextHops,
    seen: &Seen,
    size_bytes: Option<u64>,
    start: Start<'_>,
) -> Expansion {
    let marked = |_: &ObjectId| false;
    let came_from = |domain: &Domain| seen.came_from(domain, &organisation.rules);
    let request = Request {
        came_from: &came_from,
        ..request(categorizer, seen, size_bytes, start, &marked)
    };
    let view = categorizer.view();
    expansion::expand(&request, &view, &organisation.rules, hops, &organisation.limits)
}

fn request<'a>(
    categorizer: &Categorizer,
    seen: &'a Seen,
    size_bytes: Option<u64>,
    start: Start<'a>,
    marked: &'a dyn Fn(&ObjectId) -> bool,
) -> Request<'a> {
    Request {
        sender: &seen.sender,
        size_bytes,
        report: ReportFacts::default(),
        start,
        marked,
        in_bcc: &|_, _| false,
        braked: &|_| None,
        came_from: &|_| None,
        quarantined: false,
        relaying: seen.relaying,
        sources: categorizer.sources(),
        now: categorizer.now(),
        detail: Detail::Explain,
    }
}

pub(super) fn refuse(verdict: &mut Verdict, refusal: &crate::policy::Refusal) {
    verdict.kind = if refusal.is_transient() {
        VerdictKind::Deferred
    } else {
        VerdictKind::Refused
    };
    verdict.reply = Some(refusal.reply.clone());
    verdict.reason = Some(refusal.reason);
}

/// What the listener answers to MAIL before any group is asked.
fn too_large(octets_max: u64) -> crate::policy::Refusal {
    let text = format!("Message is larger than the {octets_max} octets taken here");
    crate::policy::Refusal {
        reply: Reply::new(552, (5, 3, 4), text),
        reason: Reason::TooLargeForSystem,
    }
}

fn release_of(hold: &expansion::NewHold) -> Release {
    Release {
        object: hold.object.clone(),
        recipient: hold.recipient.clone(),
        addressed: hold.addressed,
        path: hold.path.clone(),
        reverse_path: hold.reverse_path.clone(),
        notify: hold.notify,
        bypass_nested: hold.bypass_nested,
        hidden: hold.hidden,
        committed: expansion::Committed::default(),
        others: std::collections::BTreeMap::new(),
    }
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;
