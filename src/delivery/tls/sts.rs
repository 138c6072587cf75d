//! MTA-STS: what domains say about TLS to their mail exchangers (RFC 8461).
//!
//! In: a domain. Out: its policy, fetched over HTTPS and kept for as long as it says, over restarts as well.
//! Never: a policy given up because DNS or the policy's host cannot be reached; a redirect followed; an answer without
//! bound.

use std::collections::HashMap;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::delivery::kept;
use crate::delivery::tls_reports::result::{ResultType, Shortfall};
use crate::delivery::web::{self, Unread, Web};
use crate::env::Clock;

/// Wait for a policy (RFC 8461 §3.3 suggests a minute); mail waits as long.
const FETCH_TIMEOUT: Duration = Duration::from_secs(20);
/// Longest policy, in octets (RFC 8461 §3.3).
const POLICY_OCTETS_MAX: usize = 64 * 1024;
/// Longest life of a policy, in seconds: about a year (RFC 8461 §3.2).
const MAX_AGE_SECONDS: i64 = 31_557_600;
/// Pause after a policy could not be fetched (RFC 8461 §3.3).
const PAUSE_SECONDS: i64 = 300;
/// Most domains remembered; beyond it those that end first are forgotten.
const DOMAINS_MAX: usize = 10_000;
/// Most `mx` lines that are read.
const PATTERNS_MAX: usize = 100;

/// What a policy asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Verified TLS with a host that it names, or mail waits.
    Enforce,
    /// Mail goes as without it, and what would have held it up is reported (RFC 8460).
    Testing,
    /// There is none any more.
    None,
}

/// A policy.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Policy {
    /// What it asks for.
    pub mode: Mode,
    /// Mail exchangers: names, or `*.` and a name.
    pub mx: Vec<String>,
    /// Life in seconds.
    pub max_age: i64,
}

impl Policy {
    /// Reads a policy file (RFC 8461 §3.2).
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (mut version, mut mode, mut max_age, mut mx) = (None, None, None, Vec::new());
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let (key, value) = line.split_once(':').ok_or("a line has no colon")?;
            let value = value.trim();
            match key.trim() {
                // Of keys that stand twice the first counts.
                "version" => version = version.or(Some(value)),
                "mode" => mode = mode.or(Some(value)),
                "max_age" => max_age = max_age.or(value.parse::<i64>().ok()),
                "mx" if mx.len() < PATTERNS_MAX => mx.push(value.trim_end_matches('.').to_ascii_lowercase()),
                _ => {}
            }
        }
        if version != Some("STSv1") {
            return Err("the version is not STSv1");
        }
        let mode = match mode {
            Some("enforce") => Mode::Enforce,
            Some("testing") => Mode::Testing,
            Some("none") => Mode::None,
            Some(_) | None => return Err("the mode is none of enforce, testing and none"),
        };
        let max_age = max_age.filter(|age| *age >= 0).ok_or("max_age is missing")?;
        if mx.is_empty() && mode != Mode::None {
            return Err("it names no mail exchanger");
        }
        Ok(Self {
            mode,
            mx,
            max_age: max_age.min(MAX_AGE_SECONDS),
        })
    }

    /// Its lines, as reports show them (RFC 8460 §4.4).
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mode = match self.mode {
            Mode::Enforce => "enforce",
            Mode::Testing => "testing",
            Mode::None => "none",
        };
        let mut lines = vec!["version: STSv1".to_owned(), format!("mode: {mode}")];
        lines.extend(self.mx.iter().map(|pattern| format!("mx: {pattern}")));
        lines.push(format!("max_age: {}", self.max_age));
        lines
    }

    /// True if a mail exchanger is one that it names (RFC 8461 §4.1): a `*` stands for one label.
    #[must_use]
    pub fn names(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.mx.iter().any(|pattern| match pattern.strip_prefix("*.") {
            Some(parent) => host
                .split_once('.')
                .is_some_and(|(label, rest)| !label.is_empty() && rest == parent),
            None => *pattern == host,
        })
    }
}

/// The id of the policy that TXT records of `_mta-sts` announce (RFC 8461 §3.1); none unless exactly one does.
#[must_use]
pub fn announced(texts: &[String]) -> Option<&str> {
    let mut found = texts.iter().filter(|text| {
        let version = text.split(';').next().unwrap_or_default();
        version.trim_end() == "v=STSv1"
    });
    let (one, None) = (found.next()?, found.next()) else {
        return None;
    };
    let id = one
        .split(';')
        .find_map(|field| field.trim().strip_prefix("id="))?
        .trim();
    let fits = (1..=32).contains(&id.len()) && id.bytes().all(|octet| octet.is_ascii_alphanumeric());
    fits.then_some(id)
}

/// What a domain says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StsWord {
    /// Nothing.
    Nothing,
    /// This policy.
    Policy(Policy),
    /// It announces a policy that cannot be had, and there is none of before.
    Unavailable(Shortfall),
}

impl StsWord {
    /// The policy, if there is one.
    #[must_use]
    pub fn policy(&self) -> Option<&Policy> {
        match self {
            Self::Policy(policy) => Some(policy),
            Self::Nothing | Self::Unavailable(_) => None,
        }
    }
}

/// What is remembered of a domain.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Known {
    id: String,
    policy: Policy,
    expires_at: Timestamp,
}

type Fetched = Pin<Box<dyn Future<Output = Result<String, Shortfall>> + Send>>;

/// Until when a policy is not fetched again, and why it could not be.
type Pause = (Timestamp, Shortfall);

/// Policies that are known.
pub struct Policies {
    known: Mutex<HashMap<String, Known>>,
    /// Domains whose policy could not be fetched.
    paused: Mutex<HashMap<String, Pause>>,
    file: Option<PathBuf>,
    fetch: Box<dyn Fn(String) -> Fetched + Send + Sync>,
}

impl Policies {
    /// Policies from HTTPS, kept in a file. What cannot be read of the file is fetched anew.
    #[must_use]
    pub fn kept_in(file: Option<PathBuf>, web: Web) -> Self {
        let known = file.as_deref().map(kept::read).unwrap_or_default();
        let web = Arc::new(web);
        Self {
            known: Mutex::new(known),
            paused: Mutex::default(),
            file,
            fetch: Box::new(move |domain| {
                let web = Arc::clone(&web);
                Box::pin(async move { over_https(&domain, &web).await })
            }),
        }
    }

    /// What a domain says whose `_mta-sts` has these TXT records; none for records that could not be looked up.
    pub async fn word(&self, domain: &str, texts: Option<&[String]>, clock: &Arc<dyn Clock>) -> StsWord {
        let now = clock.now();
        let domain = domain.trim_end_matches('.').to_ascii_lowercase();
        let known = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.get(&domain).filter(|known| known.expires_at > now).cloned()
        };
        // RFC 8461 §5.1: a policy that is still good is honoured though its record is gone.
        let cached = known.as_ref().map(|known| known.policy.clone());
        let Some(id) = texts.and_then(announced) else {
            return cached.map_or(StsWord::Nothing, StsWord::Policy);
        };
        if known.is_some_and(|known| known.id == id) {
            return cached.map_or(StsWord::Nothing, StsWord::Policy);
        }
        if let Some(fault) = self.paused(&domain, now) {
            return cached.map_or(StsWord::Unavailable(fault), StsWord::Policy);
        }
        let fetched = (self.fetch)(domain.clone()).await;
        let invalid = |why| Shortfall::new(ResultType::StsPolicyInvalid, why);
        let policy = match fetched.and_then(|text| Policy::parse(&text).map_err(invalid)) {
            Ok(policy) => policy,
            Err(fault) => {
                let (result, why) = (fault.result, &fault.why);
                tracing::warn!(domain, %result, why, "an MTA-STS policy that is announced cannot be had");
                self.pause(domain, now, fault.clone());
                return cached.map_or(StsWord::Unavailable(fault), StsWord::Policy);
            }
        };
        let expires_at = now.saturating_add(jiff::SignedDuration::from_secs(policy.max_age));
        let known = Known {
            id: id.to_owned(),
            policy: policy.clone(),
            expires_at: expires_at.unwrap_or(now),
        };
        self.keep(domain, known).await;
        StsWord::Policy(policy)
    }

    fn paused(&self, domain: &str, now: Timestamp) -> Option<Shortfall> {
        let paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, fault) = paused.get(domain).filter(|(until, _)| *until > now)?;
        Some(fault.clone())
    }

    fn pause(&self, domain: String, now: Timestamp, fault: Shortfall) {
        let mut paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        paused.retain(|_, (until, _)| *until > now);
        if paused.len() < DOMAINS_MAX {
            let until = now.saturating_add(jiff::SignedDuration::from_secs(PAUSE_SECONDS));
            paused.insert(domain, (until.unwrap_or(now), fault));
        }
    }

    async fn keep(&self, domain: String, new: Known) {
        let all = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= DOMAINS_MAX && !known.contains_key(&domain) {
                let first = known.iter().min_by_key(|(_, known)| known.expires_at);
                if let Some(first) = first.map(|(domain, _)| domain.clone()) {
                    known.remove(&first);
                }
            }
            known.insert(domain, new);
            known.clone()
        };
        let Some(file) = self.file.clone() else { return };
        let written = tokio::task::spawn_blocking(move || kept::write(&file, &all)).await;
        if let Ok(Err(fault)) = written {
            tracing::warn!(%fault, "MTA-STS policies could not be kept; they are fetched again after a restart");
        }
    }
}

async fn over_https(domain: &str, web: &Web) -> Result<String, Shortfall> {
    let fetch = |why: &str| Shortfall::new(ResultType::StsPolicyFetchError, why);
    let invalid = |why: &str| Shortfall::new(ResultType::StsPolicyInvalid, why);
    let unread = |fault: reqwest::Error| {
        let result = if web::is_mistrust(&fault) {
            ResultType::StsWebpkiInvalid
        } else {
            ResultType::StsPolicyFetchError
        };
        Shortfall::new(result, web::shown(fault))
    };
    let client = web.client(FETCH_TIMEOUT).map_err(|why| fetch(&why))?;
    let url = format!("https://mta-sts.{domain}/.well-known/mta-sts.txt");
    let response = client.get(url).send().await.map_err(unread)?;
    // RFC 8461 §3.3: redirects are not followed.
    if response.status() != reqwest::StatusCode::OK {
        return Err(fetch(&format!("status {}", response.status().as_u16())));
    }
    let kind = response.headers().get(reqwest::header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind
        .split(';')
        .next()
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/plain"))
    {
        return Err(invalid("the policy is not text/plain"));
    }
    let octets = web::body(response, POLICY_OCTETS_MAX).await;
    let octets = octets.map_err(|fault| match fault {
        Unread::Broken(fault) => unread(fault),
        Unread::TooLong => invalid("the policy is too long"),
    })?;
    String::from_utf8(octets).map_err(|_| invalid("the policy is no text"))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const TEXT: &str =
        "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\nmax_age: 604800\r\n";

    #[test]
    fn policies_are_read() {
        let policy = Policy::parse(TEXT).expect("the example of RFC 8461 §3.2");
        assert_eq!((policy.mode, policy.max_age), (Mode::Enforce, 604_800));
        for (host, named) in [
            ("mail.example.com", true),
            ("MAIL.Example.COM.", true),
            ("mx.example.net", true),
            ("example.net", false),
            ("a.b.example.net", false),
            (".example.net", false),
            ("xmail.example.com", false),
            ("", false),
        ] {
            assert_eq!(policy.names(host), named, "{host}");
        }
        for (text, good) in [
            ("version: STSv1\nmode: none\nmax_age: 1", true),
            (
                "version:STSv1\nmode:testing\nmx:a\nmax_age:99999999999\nunknown: x",
                true,
            ),
            ("version: STSv2\nmode: none\nmax_age: 1", false),
            ("version: STSv1\nmode: enforce\nmax_age: 1", false),
            ("version: STSv1\nmode: enforced\nmx: a\nmax_age: 1", false),
            ("version: STSv1\nmode: enforce\nmx: a", false),
            ("<html>", false),
            ("", false),
        ] {
            assert_eq!(Policy::parse(text).is_ok(), good, "{text:?}");
        }
    }

    #[test]
    fn records_announce() {
        let id = |texts: &[&str]| {
            let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            announced(&texts).map(str::to_owned)
        };
        assert_eq!(
            id(&["v=STSv1; id=20160831085700Z;"]).as_deref(),
            Some("20160831085700Z")
        );
        assert_eq!(id(&["spf", "v=STSv1;id=1"]).as_deref(), Some("1"));
        for texts in [
            &["v=STSv1; id=1", "v=STSv1; id=2"][..],
            &["v=STSv1"],
            &["v=STSv1; id="],
            &["v=STSv1; id=a-b"],
            &["v=STSv10; id=1"],
            &[],
        ] {
            assert_eq!(id(texts), None, "{texts:?}");
        }
    }

    async fn known(
        policies: &Policies,
        domain: &str,
        texts: Option<&[String]>,
        clock: &Arc<dyn Clock>,
    ) -> Option<Policy> {
        policies.word(domain, texts, clock).await.policy().cloned()
    }

    fn texts(id: &str) -> Vec<String> {
        vec![format!("v=STSv1; id={id}")]
    }

    #[tokio::test]
    async fn a_policy_is_kept_for_as_long_as_it_says_over_restarts() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("mta-sts.json");
        let asked = Arc::new(AtomicUsize::new(0));
        let with = |answer: Result<&'static str, &'static str>| {
            let asked = Arc::clone(&asked);
            let mut policies = Policies::kept_in(Some(file.clone()), Web::default());
            policies.fetch = Box::new(move |_| {
                asked.fetch_add(1, Ordering::SeqCst);
                let fault = |why| Shortfall::new(ResultType::StsPolicyFetchError, why);
                Box::pin(std::future::ready(answer.map(str::to_owned).map_err(fault)))
            });
            policies
        };
        let clock = crate::env::Env::system().clock;
        let policies = with(Ok(TEXT));
        assert_eq!(
            known(&policies, "example.com", None, &clock).await,
            None,
            "nothing is announced"
        );
        assert_eq!(asked.load(Ordering::SeqCst), 0);
        let policy = known(&policies, "Example.com", Some(&texts("1")), &clock)
            .await
            .expect("a policy");
        assert_eq!(
            known(&policies, "example.com", Some(&texts("1")), &clock).await,
            Some(policy.clone())
        );
        assert_eq!(asked.load(Ordering::SeqCst), 1, "fetched once");
        // After a restart, with DNS that is silent, with a record that is gone, with a host that is down.
        let policies = with(Err("down"));
        assert_eq!(
            known(&policies, "example.com", None, &clock).await,
            Some(policy.clone())
        );
        assert_eq!(
            known(&policies, "example.com", Some(&[]), &clock).await,
            Some(policy.clone())
        );
        assert_eq!(
            known(&policies, "example.com", Some(&texts("2")), &clock).await,
            Some(policy.clone())
        );
        assert_eq!(
            known(&policies, "example.com", Some(&texts("2")), &clock).await,
            Some(policy)
        );
        assert_eq!(
            asked.load(Ordering::SeqCst),
            2,
            "a host that is down is left alone for a while"
        );
        // A new id brings a new policy.
        let policies = with(Ok("version: STSv1\nmode: none\nmax_age: 0"));
        let policy = known(&policies, "example.com", Some(&texts("3")), &clock)
            .await
            .expect("a policy");
        assert_eq!(policy.mode, Mode::None);
        assert_eq!(
            known(&policies, "example.com", None, &clock).await,
            None,
            "its time is over at once"
        );
    }
}
