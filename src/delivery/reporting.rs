//! Reports on delivery: made by the [`super::Reporter`], stored together with what they cover.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;

use super::account::settlement;
use super::dispatcher::{Shared, State};
use super::report::{ReportRecipient, ReportRequest};
use super::shelf::Loaded;
use crate::limits;
use crate::mail::{Reply, ReversePath, SetId};
use crate::queue::{Delayed, Masks, Notice, Standing, ranks, retry};
use crate::spool::message::{Acceptance, MessageKind};
use crate::spool::{Commit, SpoolFault};
use crate::track::{Event, EventKind, Reason, ReportKind};

/// How long a report that could not be made waits: its set could not be read, and a second try at once would not help.
const REPORT_RETRY: Duration = Duration::from_secs(60);

impl Shared {
    /// Makes a report that is due, and stores it with what it covers.
    pub fn spawn_notice(self: &Arc<Self>, notice: Notice) {
        let shared = Arc::clone(self);
        self.spawn_report(async move {
            let acceptance = match shared.make_notice(&notice).await {
                Ok(acceptance) => acceptance,
                Err(fault) => {
                    let again = retry::later(shared.now(), REPORT_RETRY);
                    shared.state().queue.report_later(notice, again);
                    shared.timer.notify_one();
                    return Err(fault);
                }
            };
            let commits = {
                let mut state = shared.state();
                let standings = state.queue.reported(&notice);
                let count = notice.named.len() as u64 + notice.counted_more;
                shared.store_report(&mut state, standings, acceptance.clone(), notice.key.kind, count)
            };
            shared.stored(commits, acceptance).await
        });
    }

    async fn make_notice(self: &Arc<Self>, notice: &Notice) -> Result<Option<Acceptance>, SpoolFault> {
        let named = notice.named.iter().map(|told| (told.set, told.rank)).collect();
        let answers = notice.named.iter().map(|told| Answer {
            reply: Some(told.reply.clone()),
            reason: told.reason,
            remote: told.remote.clone(),
            at: told.at,
        });
        let key = &notice.key;
        let request = self.request(key.kind, &key.reverse_path, named, answers.collect());
        let mut request = request.await?;
        request.counted_more = notice.counted_more;
        self.make(request).await
    }

    /// Makes a delay report.
    pub fn spawn_delayed(self: &Arc<Self>, delayed: Delayed) {
        let shared = Arc::clone(self);
        self.spawn_report(async move {
            let loaded = shared.load(delayed.set).await?;
            let last = shared
                .state()
                .queue
                .set(delayed.set)
                .and_then(|entry| entry.last.clone());
            let wanted: Vec<u32> = ranks::each(&delayed.ranks)
                .filter(|rank| loaded.notify(*rank).delay)
                .collect();
            if wanted.is_empty() {
                return Ok(());
            }
            let named: Vec<(SetId, u32)> = wanted.iter().map(|rank| (delayed.set, *rank)).collect();
            let named: Vec<(SetId, u32)> = named.into_iter().take(limits::REPORT_RECIPIENTS_MAX).collect();
            let answer = Answer {
                reply: last.as_ref().and_then(|last| last.reply.clone()),
                reason: last.map(|last| last.reason),
                remote: None,
                at: shared.now(),
            };
            let answers = vec![answer; named.len()];
            let request = shared.request(ReportKind::Delayed, &loaded.set.reverse_path, named, answers);
            let mut request = request.await?;
            request.counted_more = (wanted.len() - request.recipients.len()) as u64;
            let acceptance = shared.make(request).await?;
            let count = wanted.len() as u64;
            let commits = {
                let mut state = shared.state();
                let standing = state.queue.close(delayed.set);
                let standings = standing.map(|standing| (delayed.set, standing)).into_iter().collect();
                shared.store_report(&mut state, standings, acceptance.clone(), ReportKind::Delayed, count)
            };
            shared.stored(commits, acceptance).await
        });
    }

    fn spawn_report(self: &Arc<Self>, report: impl Future<Output = Result<(), SpoolFault>> + Send + 'static) {
        self.reporting.fetch_add(1, Ordering::SeqCst);
        let shared = Arc::clone(self);
        self.runtime.spawn(async move {
            if let Err(fault) = report.await {
                // What it would have told stays unreported in the store: it is tried again, after a restart too.
                tracing::error!(%fault, "a report could not be made");
            }
            shared.reporting.fetch_sub(1, Ordering::SeqCst);
            shared.quiet.notify_waiters();
        });
    }

    async fn request(
        self: &Arc<Self>,
        kind: ReportKind,
        reverse_path: &ReversePath,
        named: Vec<(SetId, u32)>,
        answers: Vec<Answer>,
    ) -> Result<ReportRequest, SpoolFault> {
        let mut recipients = Vec::with_capacity(named.len());
        let mut last: Option<Arc<Loaded>> = None;
        let mut queued_at = Timestamp::MAX;
        let mut expires_at = Timestamp::MIN;
        for ((set, rank), answer) in named.into_iter().zip(answers) {
            let loaded = match last.take().filter(|loaded| loaded.set.id == set) {
                Some(loaded) => loaded,
                None => self.load(set).await?,
            };
            queued_at = queued_at.min(loaded.set.queued_at);
            expires_at = expires_at.max(loaded.set.expires_at);
            recipients.push(recipient(&loaded, rank, answer));
            last = Some(loaded);
        }
        let loaded = last.ok_or_else(|| SpoolFault::Missing("nobody to report about".to_owned()))?;
        Ok(ReportRequest {
            kind,
            reverse_path: reverse_path.clone(),
            message: Arc::clone(&loaded.message),
            content: loaded.content.clone(),
            ret: loaded.set.ret,
            envid: loaded.set.envid.clone(),
            recipients,
            counted_more: 0,
            queued_at,
            expires_at,
        })
    }

    async fn make(self: &Arc<Self>, request: ReportRequest) -> Result<Option<Acceptance>, SpoolFault> {
        let reporter = Arc::clone(&self.reporter);
        let made = self.runtime.spawn_blocking(move || reporter.report(request)).await;
        made.map_err(|_| SpoolFault::Unreadable("a report: its maker failed".to_owned()))
    }

    fn store_report(
        &self,
        state: &mut State,
        standings: Vec<(SetId, Standing)>,
        mut acceptance: Option<Acceptance>,
        kind: ReportKind,
        recipients: u64,
    ) -> Vec<Commit<()>> {
        let now = self.now();
        let mut commits = Vec::with_capacity(standings.len());
        for (set, standing) in standings {
            let reports: Vec<Acceptance> = acceptance.take().into_iter().collect();
            let event = |report: &Acceptance| report_event(state, set, report, kind, recipients, now);
            let events: Vec<Event> = reports.iter().filter_map(event).collect();
            if standing.finished {
                state.shelf.drop(set);
            }
            commits.push(
                self.spool
                    .settle(settlement(set, standing, Vec::new(), reports, events)),
            );
        }
        commits
    }

    async fn stored(
        self: &Arc<Self>,
        commits: Vec<Commit<()>>,
        acceptance: Option<Acceptance>,
    ) -> Result<(), SpoolFault> {
        for commit in commits {
            if let Err(fault) = commit.await {
                self.unsettled(&fault);
                return Err(fault);
            }
        }
        if let Some(Acceptance {
            message,
            outcome: Some(outcome),
        }) = acceptance
        {
            self.enqueue(outcome.sets, &Arc::new(message.message), &message.content, Masks::new());
        }
        Ok(())
    }
}

/// What was said about a recipient.
#[derive(Clone)]
struct Answer {
    reply: Option<Reply>,
    reason: Option<Reason>,
    remote: Option<String>,
    at: Timestamp,
}

fn recipient(loaded: &Loaded, rank: u32, answer: Answer) -> ReportRecipient {
    let roster = &loaded.set.roster;
    let origin = roster.origins.get(roster.origin_of(rank) as usize);
    ReportRecipient {
        final_address: roster.forward_path(rank).to_owned(),
        addressed: origin.map_or_else(String::new, |origin| origin.addressed.clone()),
        expanded: origin.is_some_and(|origin| origin.expanded),
        hidden: origin.is_none_or(|origin| origin.hidden),
        original: origin.and_then(|origin| origin.original.clone()),
        notify: origin.and_then(|origin| origin.notify),
        reply: answer.reply,
        remote: answer.remote,
        reason: answer.reason,
        at: answer.at,
    }
}

fn report_event(
    state: &State,
    set: SetId,
    report: &Acceptance,
    kind: ReportKind,
    recipients: u64,
    now: Timestamp,
) -> Option<Event> {
    let about = match &report.message.message.kind {
        MessageKind::Report { about, .. } => Some(*about),
        MessageKind::Submitted => state.queue.set(set).map(|entry| entry.message),
    };
    let to = report.message.message.envelope.recipients.first();
    Some(Event {
        at: now,
        message: about?,
        kind: EventKind::Report {
            report: kind,
            to: to.map_or_else(String::new, |to| to.forward_path.to_string()),
            id: report.message.message.id,
            recipients,
        },
    })
}
