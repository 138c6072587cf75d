//! TLS reports: what sessions with a domain's mail exchangers came to, told to the domain once a day (RFC 8460).
//!
//! In: each session that is made for a domain, with the policy it was held against. Out: one report for a domain and
//! UTC day, where the domain publishes that it wants them.
//! Never: a session held up by its count; a report that waits for TLS (§3), or whose own sessions are counted; a report to
//! somebody who did not ask.

pub mod book;
pub mod document;
pub mod record;
pub mod result;
mod send;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;

use super::connect::Candidate;
use super::kept;
use crate::env::Env;
use crate::mail::Mailbox;
use book::{Book, Session};
use document::{day_of, start};
use result::{AppliedPolicy, PolicyKind, ResultType, Shortfall, Standard};

/// Reports are spread over so many seconds after the day has ended (RFC 8460 §4.1): nobody gets them all at midnight.
const SPREAD_SECONDS: u64 = 4 * 60 * 60;
/// Days after which nobody waits for a report any more.
const DAYS_KEPT: i64 = 3;
/// How often it is looked whether a report is due, and counts are written: what a crash may lose.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Who reports.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsReportSettings {
    /// Our organisation.
    pub organization: String,
    /// Who answers for reports; the author of those by mail.
    pub contact: Mailbox,
    /// Where counts are kept; none: until a restart.
    pub file: Option<PathBuf>,
}

/// Counts, and the reports that come of them.
pub struct TlsReports {
    settings: TlsReportSettings,
    book: Mutex<Book>,
    changed: AtomicBool,
    looking: tokio::sync::Mutex<()>,
}

impl TlsReports {
    /// Takes up what is kept.
    #[must_use]
    pub fn new(settings: TlsReportSettings) -> Self {
        let book = settings.file.as_deref().map(kept::read).unwrap_or_default();
        Self {
            settings,
            book: Mutex::new(book),
            changed: AtomicBool::new(false),
            looking: tokio::sync::Mutex::default(),
        }
    }

    /// What is counted and what was sent.
    #[must_use]
    pub fn book(&self) -> Book {
        self.locked().clone()
    }

    fn locked(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Book) -> T) -> T {
        self.changed.store(true, Ordering::Relaxed);
        change(&mut self.locked())
    }

    fn count(&self, session: &Session<'_>, env: &Env) {
        let today = day_of(env.clock.now());
        self.change(|book| {
            book.count(today, session, || {
                let after = SignedDuration::from_secs(env.chance.below(SPREAD_SECONDS).cast_signed());
                let tomorrow = today.tomorrow().unwrap_or(today);
                start(tomorrow).checked_add(after).unwrap_or_else(|_| env.clock.now())
            });
        });
    }

    /// Writes what has changed.
    pub(super) async fn keep(&self) {
        let Some(file) = self.settings.file.clone() else { return };
        if !self.changed.swap(false, Ordering::Relaxed) {
            return;
        }
        let book = self.book();
        let written = tokio::task::spawn_blocking(move || kept::write(&file, &book)).await;
        if let Ok(Err(fault)) = written {
            self.changed.store(true, Ordering::Relaxed);
            tracing::warn!(%fault, "counts for TLS reports could not be kept; it is tried again");
        }
    }
}

/// Counts the sessions that are made for one domain.
pub struct Tally<'a> {
    /// Where.
    pub reports: &'a TlsReports,
    /// Domain of the recipients.
    pub domain: &'a str,
    /// Time and chance.
    pub env: &'a Env,
}

impl Tally<'_> {
    /// A session, or an attempt, with a host.
    pub fn session(
        &self,
        standard: &Standard,
        candidate: &Candidate,
        from: Option<IpAddr>,
        result: Result<(), &Shortfall>,
    ) {
        let session = Session {
            domain: self.domain,
            policy: &standard.policy,
            host: &candidate.host,
            to: Some(candidate.address.ip()),
            from,
            result: result.and_then(|()| standard.flaw.as_ref().map_or(Ok(()), Err)),
        };
        self.reports.count(&session, self.env);
    }

    /// A host that was not asked: its TLSA records could not be had.
    pub fn unvouched(&self, host: &str, why: &str) {
        let policy = AppliedPolicy {
            kind: PolicyKind::Tlsa,
            ..AppliedPolicy::default()
        };
        let session = Session {
            domain: self.domain,
            policy: &policy,
            host,
            to: None,
            from: None,
            result: Err(&Shortfall::new(ResultType::DnssecInvalid, why)),
        };
        self.reports.count(&session, self.env);
    }
}
