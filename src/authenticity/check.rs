//! The checks of one message, and their results in our words.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mail_auth::common::crypto::Algorithm;
use mail_auth::dkim::DkimError;
use mail_auth::dmarc::Policy;
use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::hickory_resolver::proto::op::ResponseCode;
use mail_auth::spf::verify::SpfParameters;
use mail_auth::{
    AuthenticatedMessage, DkimOutput, DkimResult, DmarcResult, DnsError, Error, MessageAuthenticator, Parameters,
    SpfOutput, SpfResult,
};

use super::cache::{Caches, Records};
use super::{Shared, content};
use crate::categorizer::identify::Question;
use crate::mail::authentication::{Checks, DkimFinding, DmarcFinding, Findings, SIGNATURES_MAX, SpfFinding, Verdict};
use crate::mail::header::{Authors, HeaderSection, authors_of};
use crate::mail::{Mailbox, ReversePath};

/// Messages above this are hashed on a thread of their own: a megabyte takes some milliseconds.
const INLINE_OCTETS_MAX: usize = 64 * 1024;

/// Makes the checks asked for; what is not done in time is a temporary error.
pub(super) async fn check(shared: Arc<Shared>, time_limit: Duration, question: Question) -> Findings {
    let found: Arc<Mutex<Findings>> = Arc::default();
    let subject = Subject::of(&question);
    let late = Findings::out_of_time(question.checks, &subject.domain, &subject.author_domain);
    let work = checks(shared, question, subject, Arc::clone(&found));
    let in_time = tokio::time::timeout(time_limit, work).await.is_ok();
    let found = std::mem::take(&mut *found.lock().unwrap_or_else(PoisonError::into_inner));
    if in_time {
        return found;
    }
    Findings {
        spf: found.spf.or(late.spf),
        dkim: found.dkim.or(late.dkim),
        dmarc: found.dmarc.or(late.dmarc),
        arc: found.arc.or(late.arc),
    }
}

/// Names that the checks are about.
#[derive(Clone)]
struct Subject {
    /// `local-part@domain` with the domain as A-labels; empty for a null reverse-path.
    sender: String,
    /// Domain of the reverse-path, or the greeting's where that is null.
    domain: String,
    helo: String,
    /// Domain of the only author; empty if there is no such.
    author_domain: String,
}

impl Subject {
    fn of(question: &Question) -> Self {
        let helo = question.helo.as_deref().unwrap_or_default().to_owned();
        let plain = |mailbox: &Mailbox| mailbox.domain_key().as_str().to_owned();
        let (sender, domain) = match &question.reverse_path {
            ReversePath::Null => (String::new(), helo.clone()),
            ReversePath::Mailbox(mailbox) => {
                let domain = plain(mailbox);
                (format!("{}@{domain}", mailbox.local_part()), domain)
            }
        };
        let section = HeaderSection::parse(&question.content.head).unwrap_or_default();
        let author_domain = match authors_of(&section) {
            Authors::Named(list) => match list.as_slice() {
                [only] => plain(only),
                _ => String::new(),
            },
            Authors::Missing | Authors::Unclear(_) => String::new(),
        };
        Self {
            sender,
            domain,
            helo,
            author_domain,
        }
    }
}

pub(super) type Parametered<'x, P> = Parameters<
    'x,
    P,
    Records<Box<str>, mail_auth::Txt>,
    Records<Box<str>, mail_auth::RecordSet<mail_auth::MX>>,
    Records<Box<str>, mail_auth::RecordSet<std::net::Ipv4Addr>>,
    Records<Box<str>, mail_auth::RecordSet<std::net::Ipv6Addr>>,
    Records<std::net::IpAddr, mail_auth::RecordSet<Box<str>>>,
>;

pub(super) fn with<'x, P>(caches: &'x Caches, params: P) -> Parametered<'x, P> {
    Parameters {
        params,
        cache_txt: Some(&caches.txt),
        cache_mx: Some(&caches.mx),
        cache_ptr: Some(&caches.ptr),
        cache_ipv4: Some(&caches.ipv4),
        cache_ipv6: Some(&caches.ipv6),
    }
}

async fn checks(shared: Arc<Shared>, question: Question, subject: Subject, found: Arc<Mutex<Findings>>) {
    let Some(dns) = shared.dns.clone() else {
        let late = Findings::out_of_time(question.checks, &subject.domain, &subject.author_domain);
        *found.lock().unwrap_or_else(PoisonError::into_inner) = late;
        return;
    };
    let spf = async {
        if !(question.checks.spf || question.checks.dmarc) {
            return SpfOutput::default();
        }
        let output = spf(&dns, &shared, &question, &subject).await;
        found.lock().unwrap_or_else(PoisonError::into_inner).spf = Some(spf_finding(&output, &subject));
        output
    };
    let (spf, loaded) = tokio::join!(spf, content::load(&shared, &question));
    let checks = question.checks;
    if !(checks.dkim || checks.dmarc || checks.arc) {
        return;
    }
    match loaded {
        Ok(Some(loaded)) if loaded.octets.len() <= INLINE_OCTETS_MAX => {
            signatures(&dns, &shared, checks, &loaded.octets, &subject, &spf, &found).await;
        }
        Ok(Some(loaded)) => {
            let (runtime, found) = (tokio::runtime::Handle::current(), Arc::clone(&found));
            let shared = Arc::clone(&shared);
            let work = tokio::task::spawn_blocking(move || {
                runtime.block_on(signatures(
                    &dns,
                    &shared,
                    checks,
                    &loaded.octets,
                    &subject,
                    &spf,
                    &found,
                ));
            });
            if let Err(fault) = work.await {
                tracing::error!(%fault, "checks of signatures broke");
            }
        }
        Ok(None) => without_signatures(checks, &subject, &found, Verdict::Policy, "too large to be checked"),
        Err(fault) => {
            tracing::warn!(%fault, "a message could not be read for the check of its signatures");
            without_signatures(checks, &subject, &found, Verdict::TempError, "not readable");
        }
    }
}

async fn spf(dns: &MessageAuthenticator, shared: &Shared, question: &Question, subject: &Subject) -> SpfOutput {
    let host = &shared.host;
    let params = if subject.sender.is_empty() {
        SpfParameters::verify_ehlo(question.client, &subject.helo, host)
    } else {
        SpfParameters::verify_mail_from(question.client, &subject.helo, host, &subject.sender)
    };
    dns.verify_spf(with(&shared.caches, params)).await
}

/// DKIM, then ARC and DMARC, each told as soon as it is known.
async fn signatures(
    dns: &MessageAuthenticator,
    shared: &Shared,
    checks: Checks,
    octets: &[u8],
    subject: &Subject,
    spf: &SpfOutput,
    found: &Mutex<Findings>,
) {
    let Some(mut message) = AuthenticatedMessage::parse(octets) else {
        return without_signatures(checks, subject, found, Verdict::PermError, "no header section");
    };
    message.dkim_headers.truncate(SIGNATURES_MAX);
    let mut dkim = Vec::new();
    if checks.dkim || checks.dmarc {
        dkim = dns.verify_dkim(with(&shared.caches, &message)).await;
        let findings = dkim.iter().map(dkim_finding).collect();
        found.lock().unwrap_or_else(PoisonError::into_inner).dkim = Some(findings);
        dkim.retain(|output| unacceptable(output).is_none());
    }
    if checks.dmarc {
        let finding = if subject.author_domain.is_empty() {
            // RFC 7489 §6.6.1: without exactly one author's domain there is nothing to ask for.
            DmarcFinding {
                verdict: Verdict::PermError,
                domain: String::new(),
                policy: None,
                by_spf: false,
            }
        } else {
            let params = DmarcParameters::new(&message, &dkim, &subject.domain, spf);
            let output = dns.verify_dmarc(with(&shared.caches, params)).await;
            DmarcFinding {
                verdict: dmarc_verdict(&output.result()),
                domain: output.domain().to_owned(),
                policy: output.dmarc_record().and_then(|_| policy(output.policy())),
                by_spf: *output.spf_result() == DmarcResult::Pass,
            }
        };
        found.lock().unwrap_or_else(PoisonError::into_inner).dmarc = Some(finding);
    }
    if checks.arc {
        let output = dns.verify_arc(with(&shared.caches, &message)).await;
        let (verdict, _) = dkim_verdict(output.result());
        found.lock().unwrap_or_else(PoisonError::into_inner).arc = Some(verdict);
    }
}

/// What is said of signatures that were not looked at.
fn without_signatures(
    checks: Checks,
    subject: &Subject,
    found: &Mutex<Findings>,
    verdict: Verdict,
    because: &'static str,
) {
    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
    if checks.dkim || checks.dmarc {
        found.dkim = Some(vec![DkimFinding {
            verdict,
            domain: String::new(),
            selector: String::new(),
            because: Some(because),
        }]);
    }
    if checks.dmarc {
        found.dmarc = Some(DmarcFinding {
            verdict: match verdict {
                Verdict::TempError => Verdict::TempError,
                _ => Verdict::PermError,
            },
            domain: subject.author_domain.clone(),
            policy: None,
            by_spf: false,
        });
    }
    if checks.arc {
        found.arc = Some(verdict);
    }
}

fn spf_finding(output: &SpfOutput, subject: &Subject) -> SpfFinding {
    SpfFinding {
        verdict: match output.result() {
            SpfResult::Pass => Verdict::Pass,
            SpfResult::Fail => Verdict::Fail,
            SpfResult::SoftFail => Verdict::SoftFail,
            SpfResult::Neutral => Verdict::Neutral,
            SpfResult::TempError => Verdict::TempError,
            SpfResult::PermError => Verdict::PermError,
            SpfResult::None => Verdict::None,
        },
        domain: subject.domain.clone(),
        of_greeting: subject.sender.is_empty(),
    }
}

fn dkim_finding(output: &DkimOutput<'_>) -> DkimFinding {
    let signature = output.signature();
    let name = |get: fn(&mail_auth::dkim::Signature) -> &String| signature.map(get).cloned().unwrap_or_default();
    let (verdict, because) = match unacceptable(output) {
        Some(why) => (Verdict::Policy, Some(why)),
        None => dkim_verdict(output.result()),
    };
    DkimFinding {
        verdict,
        domain: name(|signature| &signature.d),
        selector: name(|signature| &signature.s),
        because,
    }
}

/// Why a signature that verifies is not taken.
fn unacceptable(output: &DkimOutput<'_>) -> Option<&'static str> {
    let signature = output.signature().filter(|_| *output.result() == DkimResult::Pass)?;
    if signature.a == Algorithm::RsaSha1 {
        // RFC 8301 §3.1.
        return Some("rsa-sha1 is not accepted");
    }
    let signs = |field: &str| signature.h.iter().any(|name| name.trim().eq_ignore_ascii_case(field));
    // RFC 6376 §5.4: the author must be signed.
    (!signs("From")).then_some("the author is not signed")
}

fn dkim_verdict(result: &DkimResult) -> (Verdict, Option<&'static str>) {
    match result {
        DkimResult::Pass => (Verdict::Pass, None),
        DkimResult::None => (Verdict::None, None),
        DkimResult::TempError(_) => (Verdict::TempError, Some("no answer for the key")),
        DkimResult::PermError(Error::Dns(DnsError::RecordNotFound(code))) => match *code {
            ResponseCode::NXDomain | ResponseCode::NoError => (Verdict::PermError, Some("no key")),
            // Only a name server's own word that there is no key is permanent.
            _ => (Verdict::TempError, Some("no answer for the key")),
        },
        DkimResult::PermError(fault) => (Verdict::PermError, Some(because(fault))),
        DkimResult::Neutral(Error::Dkim(DkimError::FailedBodyHashMatch)) => {
            (Verdict::Fail, Some("the body was changed"))
        }
        DkimResult::Neutral(fault) => (Verdict::Neutral, Some(because(fault))),
        DkimResult::Fail(fault) => (Verdict::Fail, Some(because(fault))),
    }
}

fn because(fault: &Error) -> &'static str {
    match fault {
        Error::Crypto(_) => "the signature does not verify",
        Error::Dkim(DkimError::SignatureExpired) => "expired",
        Error::Dkim(DkimError::SignatureLength) => "signs a part of the body only",
        Error::Dkim(DkimError::FailedBodyHashMatch) => "the body was changed",
        Error::Dkim(DkimError::RevokedPublicKey) => "the key is revoked",
        Error::Dkim(_) => "the signature is not valid",
        Error::Arc(_) => "the chain is not valid",
        _ => "cannot be read",
    }
}

fn dmarc_verdict(result: &DmarcResult) -> Verdict {
    match result {
        DmarcResult::Pass => Verdict::Pass,
        DmarcResult::Fail(_) => Verdict::Fail,
        DmarcResult::TempError(_) => Verdict::TempError,
        DmarcResult::PermError(_) => Verdict::PermError,
        DmarcResult::None => Verdict::None,
    }
}

fn policy(policy: Policy) -> Option<&'static str> {
    match policy {
        Policy::None => Some("none"),
        Policy::Quarantine => Some("quarantine"),
        Policy::Reject => Some("reject"),
        Policy::Unspecified => None,
    }
}
