//! Who sends, once the message is there: what the connection proves, then what the message adds.
//!
//! In: a submission and its header facts. Out: the sender with his proof, whether he may relay, what checks found.
//! Never: a check that no rule asks for; a wait beyond the time limit of the checks.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use super::intake::{ClientFacts, ListenerRole, Submission};
use super::sealing::{found, with_chain};
use super::{Organisation, gate};
use crate::mail::ReversePath;
use crate::mail::authentication::{Checks, Findings};
use crate::mail::header::HeaderFacts;
use crate::mail::header::sieve::{OrganisationFields, Unwelcome};
use crate::policy::rules::{SpoofedSender, Verify};
use crate::policy::{Refusal, Rules, author};
use crate::resolver::proof::shared;
use crate::resolver::sender::trusted;
use crate::resolver::{Evidence, Prospect, Relaying, Sender, Standing};
use crate::rolls::View;
use crate::spool::content::Content;
use crate::spool::message::StoredMessage;
use crate::track::Reason;

/// What is to be checked of one message.
#[derive(Clone, Debug)]
pub struct Question {
    /// Which checks.
    pub checks: Checks,
    /// The message.
    pub content: Content,
    /// Its header section as it came, if fields were taken out.
    pub original_head: Option<Bytes>,
    /// MAIL FROM.
    pub reverse_path: ReversePath,
    /// Client address.
    pub client: IpAddr,
    /// EHLO or HELO argument.
    pub helo: Option<Arc<str>>,
}

/// Checks of where a message comes from. Answers within a time limit of its own.
pub trait Authenticator: Send + Sync {
    /// Makes the checks.
    fn check(&self, question: Question) -> Pin<Box<dyn Future<Output = Findings> + Send>>;
}

/// Who sends.
#[derive(Clone, Debug)]
pub(super) struct Identified {
    pub(super) sender: Sender,
    pub(super) relaying: Relaying,
    pub(super) findings: Option<Arc<Findings>>,
}

/// Finds out who sends a message.
pub(super) async fn identify(
    organisation: &Organisation,
    submission: &Submission,
    head: &HeaderFacts,
    view: &View,
) -> Identified {
    let rules = &organisation.rules;
    let (client, reverse_path) = (&submission.client, &submission.envelope.reverse_path);
    let sender = gate::sender(client, reverse_path, view, rules);
    let relaying = gate::relaying(client, rules);
    // The stamp is read as the sieve saw it, before it took the organisation's fields away.
    let section = submission.original_head.as_ref().unwrap_or(&submission.content.head);
    if sender.is_internal() {
        let checks = with_chain(Checks::default(), section, rules);
        return Identified {
            sender,
            relaying,
            findings: found(organisation, submission, checks).await,
        };
    }
    let prospect = Prospect::of(reverse_path, &client.origin(), rules);
    let stamped = prospect.is_some_and(|prospect| prospect.stamped(section));
    let checks = match rules.authenticity.verify {
        _ if stamped => Checks::default(),
        Verify::Unproven => Checks::ALL,
        Verify::WhenNeeded => {
            let proof = prospect.map_or_else(Checks::default, |prospect| prospect.checks(section, &head.authors));
            let dmarc = proof.dmarc || author::asks_for_dmarc(&head.authors, rules);
            Checks {
                spf: dmarc,
                dkim: proof.dkim || dmarc,
                dmarc,
                ..proof
            }
        }
    };
    let findings = found(organisation, submission, with_chain(checks, section, rules)).await;
    let evidence = Evidence {
        head: section,
        authors: &head.authors,
        findings: findings.as_deref(),
    };
    let sender = prospect.map_or_else(|| sender.clone(), |prospect| prospect.weigh(sender.clone(), &evidence));
    Identified {
        relaying: if may_relay(client, &sender, stamped, rules) {
            Relaying::Allowed
        } else {
            relaying
        },
        sender,
        findings,
    }
}

/// Through a shared network only our own tenant's mail goes anywhere: others are customers of the same provider.
fn may_relay(client: &ClientFacts, sender: &Sender, stamped: bool, rules: &Rules) -> bool {
    client.role == ListenerRole::Relay && shared(&client.origin(), rules).is_some() && (sender.is_internal() || stamped)
}

/// Whether a kept message may go on to other domains: recipients there were taken at RCPT because its client may
/// relay, or because the message might prove that it may.
pub(super) fn relaying_recorded(message: &StoredMessage, head: &[u8], rules: &Rules) -> Relaying {
    let arrival = &message.arrival;
    let Some(origin) = arrival.origin().filter(|_| arrival.proof.is_none()) else {
        return Relaying::Allowed;
    };
    if shared(&origin, rules).is_none() {
        return Relaying::Allowed;
    }
    let prospect = Prospect::of(&message.envelope.reverse_path, &origin, rules);
    match prospect {
        Some(prospect) if prospect.stamped(head) => Relaying::Allowed,
        Some(_) | None => Relaying::Denied,
    }
}

/// What mail without the proof it needs is told as a whole.
pub(super) fn claim(sender: &Sender, rules: &Rules) -> Option<Refusal> {
    if rules.spoofed == SpoofedSender::External {
        return None;
    }
    let ours = |path: &ReversePath| path.mailbox().is_some_and(|path| rules.accepted.owns(path));
    match sender.standing {
        Standing::Spoofed if rules.spoofed == SpoofedSender::Refuse => Some(gate::spoofed()),
        Standing::Undecided if ours(&sender.reverse_path) => Some(Refusal::of(Reason::ProofUnavailable, None)),
        Standing::System
        | Standing::Null
        | Standing::Internal { .. }
        | Standing::External
        | Standing::Spoofed
        | Standing::Undecided => None,
    }
}

/// What a message is told whose author is not as the settings ask.
pub(super) fn authored(
    identified: &Identified,
    client: &ClientFacts,
    head: &HeaderFacts,
    view: &View,
    rules: &Rules,
) -> Option<Refusal> {
    let account = reporting_account(client, &identified.sender);
    let question = author::Question {
        sender: account.as_ref().unwrap_or(&identified.sender),
        authors: &head.authors,
        session: match trusted(&client.origin(), rules) {
            Some(_) => author::Session::Trusted,
            None => author::Session::Untrusted,
        },
        findings: identified.findings.as_deref(),
    };
    author::judge(&question, view, rules).err()
}

/// The account behind a report of a mail client (RFC 8098): it is the author, whatever the reverse-path.
#[must_use]
pub fn reporting_account(client: &ClientFacts, sender: &Sender) -> Option<Sender> {
    let login = client.login.as_ref().filter(|_| sender.is_system())?;
    Some(Sender::logged_in(&ReversePath::Mailbox(login.mailbox()?), login))
}

/// Which fields of a client's messages do not get in.
pub(super) fn unwelcome(client: &ClientFacts, rules: &Rules) -> Unwelcome {
    let organisation = if trusted(&client.origin(), rules).is_some() {
        OrganisationFields::Kept
    } else {
        let network = shared(&client.origin(), rules);
        let stamp = network
            .and_then(|network| network.tenancy.as_ref())
            .and_then(|tenancy| tenancy.stamp.clone());
        stamp.map_or(OrganisationFields::Removed, OrganisationFields::KeptIf)
    };
    Unwelcome {
        authserv_id: Some(rules.authenticity.authserv_id.clone()),
        organisation,
    }
}
