//! A report from the end of its day to where its domain wants it.
//!
//! In: counts of days that are over. Out: reports as mail of our own, and by HTTPS.
//! Never: tried for longer than a day (RFC 8460 §5.5); more than a few domains at once.

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use jiff::{SignedDuration, ToSpan as _};
use tokio::task::JoinSet;

use super::book::{DomainCounts, Ended, Ending};
use super::document::{self, Heading, day_of};
use super::record::{Place, places};
use super::{DAYS_KEPT, LOOK_EVERY, TlsReports};
use crate::delivery::dispatcher::{Phase, Shared};
use crate::delivery::dns::DnsFault;
use crate::delivery::web;
use crate::mail::Domain;
use crate::mail::report::TlsReport;
use crate::queue::Masks;

/// Domains that are told at once.
const AT_ONCE: usize = 8;
/// Wait for the answer to a POST.
const POST_TIMEOUT: Duration = Duration::from_secs(30);
/// Time from the first try to the last (RFC 8460 §5.5).
const TRIED_FOR: SignedDuration = SignedDuration::from_hours(24);
/// Wait after the first try that failed; each later one doubles it.
const RETRY_FIRST: SignedDuration = SignedDuration::from_mins(15);
/// Longest wait.
const RETRY_MAX: SignedDuration = SignedDuration::from_hours(4);

/// What a try came to.
enum Came {
    /// The domain wants no reports.
    Unwanted,
    /// Where it arrived, and where not now, or never.
    To(Vec<String>, Vec<Missed>),
}

/// A place where a report did not arrive.
struct Missed {
    place: String,
    why: String,
    /// Another try may help.
    may_help: bool,
}

impl Shared {
    /// Sends reports when they are due and keeps counts, until delivery ends; [`super::super::DeliveryHandle::shutdown`]
    /// keeps the last of them.
    pub(in crate::delivery) async fn keep_tls_reports(self: Arc<Self>) {
        let Some(reports) = self.tls_reports.clone() else {
            return;
        };
        let mut phase = self.phase.subscribe();
        loop {
            self.send_tls_reports(&reports).await;
            let goes_on = tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => true,
                changed = phase.wait_for(|phase| *phase != Phase::Running) => {
                    drop(changed);
                    false
                }
            };
            if !goes_on {
                return;
            }
        }
    }

    /// Sends what is due now, and writes what has changed.
    pub(in crate::delivery) async fn send_tls_reports(self: &Arc<Self>, reports: &Arc<TlsReports>) {
        // Two at once would send a report twice.
        let _alone = reports.looking.lock().await;
        let now = self.now();
        let today = day_of(now);
        if let Ok(oldest) = today.checked_sub(DAYS_KEPT.days()) {
            // What is forgotten here is forgotten again after a restart: no reason to write the file every minute.
            reports.locked().forget_before(oldest);
        }
        let mut due = reports.locked().due(today, now).into_iter();
        let mut at_work = JoinSet::new();
        loop {
            while at_work.len() < AT_ONCE
                && let Some((day, domain)) = due.next()
            {
                let (shared, reports) = (Arc::clone(self), Arc::clone(reports));
                at_work.spawn(async move { shared.tell(&reports, day, &domain).await });
            }
            if at_work.join_next().await.is_none() {
                break;
            }
        }
        reports.keep().await;
    }

    async fn tell(self: &Arc<Self>, reports: &TlsReports, day: Date, domain: &str) {
        let id = self.report_id();
        let counts = reports.change(|book| {
            let counts = book.counts_mut(day, domain)?;
            if counts.report_id.is_empty() {
                // The same in every try, so that a report that arrives twice can be told (RFC 8460 §5.3).
                counts.report_id = id;
            }
            Some(counts.clone())
        });
        let Some(counts) = counts else { return };
        let came = match self.dns.texts(&format!("_smtp._tls.{domain}")).await {
            Ok(texts) => match places(&texts) {
                wanted if wanted.is_empty() => Came::Unwanted,
                wanted => self.send_to(reports, day, domain, &counts, wanted).await,
            },
            Err(DnsFault::NoSuchName | DnsFault::NoSuchRecord | DnsFault::Empty) => Came::Unwanted,
            Err(DnsFault::Temporary(why)) => Came::To(
                Vec::new(),
                vec![Missed {
                    place: format!("_smtp._tls.{domain}"),
                    why,
                    may_help: true,
                }],
            ),
        };
        match came {
            Came::Unwanted => reports.change(|book| book.close(day, domain, None)),
            Came::To(arrived, missed) => self.note(reports, day, domain, arrived, missed),
        }
    }

    fn note(&self, reports: &TlsReports, day: Date, domain: &str, arrived: Vec<String>, missed: Vec<Missed>) {
        let now = self.now();
        reports.change(|book| {
            let Some(counts) = book.counts_mut(day, domain) else {
                return;
            };
            counts.arrived.extend(arrived);
            counts.tries += 1;
            let later = |by: SignedDuration| now.saturating_add(by).unwrap_or(now);
            let give_up_at = *counts.give_up_at.get_or_insert_with(|| later(TRIED_FOR));
            if missed.iter().any(|missed| missed.may_help) && now < give_up_at {
                let doubled = RETRY_FIRST.saturating_mul(1 << counts.tries.min(8).saturating_sub(1));
                counts.due_at = later(doubled.min(RETRY_MAX));
                return;
            }
            let ended = Ended {
                day,
                domain: domain.to_owned(),
                at: now,
                ending: if missed.is_empty() {
                    Ending::Sent
                } else {
                    Ending::GivenUp
                },
                arrived: std::mem::take(&mut counts.arrived),
                missed: missed
                    .iter()
                    .map(|missed| format!("{}: {}", missed.place, missed.why))
                    .collect(),
            };
            tracing::info!(domain, %day, ending = ?ended.ending, missed = ?ended.missed, "TLS report");
            book.close(day, domain, Some(ended));
        });
    }

    async fn send_to(
        self: &Arc<Self>,
        reports: &TlsReports,
        day: Date,
        domain: &str,
        counts: &DomainCounts,
        wanted: Vec<Place>,
    ) -> Came {
        let heading = Heading {
            organization: &reports.settings.organization,
            contact: &reports.settings.contact,
            domain,
            day,
            report_id: &counts.report_id,
        };
        let made = document::gzip(&document::json(&heading, &counts.policies));
        let (Ok(gzip), Ok(domain)) = (made, Domain::parse(domain)) else {
            return Came::Unwanted;
        };
        let (mut arrived, mut missed) = (Vec::new(), Vec::new());
        for place in wanted {
            let shown = place.to_string();
            if counts.arrived.contains(&shown) {
                continue;
            }
            let sent = match place {
                Place::Mailbox(to) => {
                    let report = TlsReport {
                        to,
                        contact: reports.settings.contact.clone(),
                        domain: domain.clone(),
                        report_id: counts.report_id.clone(),
                        summary: document::summary(&heading, &counts.policies),
                        file_name: document::file_name(&heading),
                        gzip: gzip.clone(),
                    };
                    self.mail(report).await
                }
                Place::Url(url) => self.post(&url, gzip.clone()).await.map_err(|why| (why, true)),
            };
            match sent {
                Ok(()) => arrived.push(shown),
                Err((why, may_help)) => missed.push(Missed {
                    place: shown,
                    why,
                    may_help,
                }),
            }
        }
        Came::To(arrived, missed)
    }

    /// Puts a report into our own queue. What becomes of it there is the queue's.
    async fn mail(self: &Arc<Self>, report: TlsReport) -> Result<(), (String, bool)> {
        let reporter = Arc::clone(&self.reporter);
        let made = self.runtime.spawn_blocking(move || reporter.tls_report(&report)).await;
        let made = made.map_err(|fault| (fault.to_string(), true))?;
        let acceptance = made.ok_or_else(|| ("no route leads there, or it may not be written to".to_owned(), false))?;
        let stored = self.spool.accept(acceptance.clone()).await;
        stored.map_err(|fault| (fault.to_string(), true))?;
        if let Some(outcome) = acceptance.outcome {
            let message = Arc::new(acceptance.message.message);
            self.enqueue(outcome.sets, &message, &acceptance.message.content, Masks::new());
        }
        Ok(())
    }

    async fn post(&self, url: &str, gzip: Vec<u8>) -> Result<(), String> {
        let client = self.settings.web.client_of_strangers(POST_TIMEOUT)?;
        let response = client
            .post(url)
            .header(reqwest::header::CONTENT_TYPE, "application/tlsrpt+gzip")
            .body(gzip)
            .send()
            .await
            .map_err(web::shown)?;
        let status = response.status();
        // RFC 8460 §5.4.
        if status.is_success() {
            Ok(())
        } else {
            Err(format!("status {}", status.as_u16()))
        }
    }

    fn report_id(&self) -> String {
        let mut octets = [0; 16];
        self.env.chance.fill(&mut octets);
        uuid::Builder::from_random_bytes(octets).into_uuid().to_string()
    }
}
