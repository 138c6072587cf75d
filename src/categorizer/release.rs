//! Decisions on holds: the decision and the release it brings are one commit (DESIGN §6).
//!
//! Rules are judged as at submission, membership at release; who already has the message gets it once.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::addressees::Addressees;
use super::outcome::{Making, outcome};
use super::pass::{Candidate, Moment, report_facts};
use super::report::{About, push_report};
use super::{Categorizer, NextHops, Organisation};
use crate::directory::ObjectId;
use crate::directory::delivery::ModerationNotice;
use crate::expansion::{self, Committed, Detail, Expansion, HoldStanding, Release, Request, Start};
use crate::mail::report::Notice;
use crate::mail::{HoldId, Mailbox};
use crate::moderation::{self, Actor, DecisionFault};
use crate::policy::Refusal;
use crate::rolls::View;
use crate::spool::message::{Hold, HoldDecision, HoldState, Outcome};
use crate::spool::roster::NO_ORDINAL;
use crate::spool::{Decided, SpoolFault};
use crate::track::{Decision, EventKind, ReportKind};

/// Why a hold was not decided.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseFault {
    /// No such hold, or it cannot be read or kept.
    #[error(transparent)]
    Spool(#[from] SpoolFault),
    /// The actor may not, or somebody was first.
    #[error(transparent)]
    Decision(#[from] DecisionFault),
    /// A stored list the release needs is not available; the hold goes on waiting.
    #[error("the message cannot be released now: {}", .0.reply.text)]
    NotNow(Refusal),
}

impl Categorizer {
    /// Decides a hold; returns it with the number of recipients released. One decision at a time: a release
    /// subtracts what earlier ones committed.
    pub async fn decide(
        self: &Arc<Self>,
        id: HoldId,
        decision: Decision,
        actor: &Actor,
        comment: Option<String>,
    ) -> Result<(Hold, u64), ReleaseFault> {
        let _one_at_a_time = self.decisions.lock().await;
        let hold = self.spool.hold(id)?;
        let state = moderation::decide(&hold, decision, actor, comment.clone(), self.now())?;
        let (this, held) = (Arc::clone(self), hold.clone());
        let made = tokio::task::spawn_blocking(move || this.release(&held, decision, comment.as_deref())).await;
        let mut made = made.map_err(|fault| SpoolFault::Unreadable(fault.to_string()))??;
        made.1.events.insert(
            0,
            crate::track::Event {
                at: self.now(),
                message: hold.message,
                kind: EventKind::Decide {
                    hold: id,
                    decision,
                    by: actor.name(),
                    comment: comment_of(&state),
                },
            },
        );
        let (candidate, outcome) = made;
        self.commit_decision(hold, state, candidate, outcome).await
    }

    async fn commit_decision(
        &self,
        mut hold: Hold,
        state: HoldState,
        candidate: Candidate,
        outcome: Outcome,
    ) -> Result<(Hold, u64), ReleaseFault> {
        let message = self.spool.message(hold.message)?;
        let decided = self
            .spool
            .decide(HoldDecision {
                hold: hold.id,
                state: state.clone(),
                outcome: outcome.clone(),
            })
            .await?;
        match decided {
            Decided::Applied => {
                let recipients = outcome.sets.iter().map(|set| u64::from(set.roster.len())).sum();
                if !outcome.sets.is_empty() {
                    self.dispatch
                        .enqueue(Arc::new(message), candidate.content, outcome.sets);
                }
                outcome
                    .reports
                    .into_iter()
                    .for_each(|report| self.release_copies(report));
                hold.state = state;
                Ok((hold, recipients))
            }
            Decided::Already(first) => match first.state {
                HoldState::Decided { decision, by, at, .. } => Err(DecisionFault::Already { decision, by, at }.into()),
                HoldState::Waiting => Err(SpoolFault::Missing(hold.id.to_string()).into()),
            },
        }
    }

    /// Recipients that an approval would release today.
    pub fn would_release(&self, id: HoldId) -> Result<u64, ReleaseFault> {
        let hold = self.spool.hold(id)?;
        if hold.state != HoldState::Waiting {
            return Ok(0);
        }
        let candidate = self.stored_candidate(hold.message)?;
        let organisation = self.organisation();
        let release = self.release_of(&hold)?;
        let hops = organisation.hops.pass();
        Ok(self
            .expand_release(&release, &candidate, &organisation, &*hops)
            .recipients())
    }

    /// Copies, nested holds and notices of a decision.
    fn release(
        &self,
        hold: &Hold,
        decision: Decision,
        comment: Option<&str>,
    ) -> Result<(Candidate, Outcome), ReleaseFault> {
        let candidate = self.stored_candidate(hold.message)?;
        let outcome = match decision {
            Decision::Approved => self.approved(hold, &candidate)?,
            Decision::Rejected => {
                let notice = Notice::ModerationRejected {
                    group: &hold.recipient,
                    comment,
                };
                self.told(hold, &candidate, &notice)
            }
            Decision::Expired => {
                let notice = Notice::ModerationExpired {
                    group: &hold.recipient,
                    held_at: hold.held_at,
                };
                self.told(hold, &candidate, &notice)
            }
        };
        Ok((candidate, outcome))
    }

    fn approved(&self, hold: &Hold, candidate: &Candidate) -> Result<Outcome, ReleaseFault> {
        let organisation = self.organisation();
        let space = self.views.space();
        let release = self.release_of(hold)?;
        let hops = organisation.hops.pass();
        let expansion = self.expand_release(&release, candidate, &organisation, &*hops);
        if let Some(halt) = &expansion.halt {
            if halt.refusal.is_transient() {
                return Err(ReleaseFault::NotNow(halt.refusal.clone()));
            }
            return Ok(self.all_refused(candidate, &organisation, &halt.refusal));
        }
        let making = Making {
            message: candidate.id,
            envelope: &candidate.envelope,
            subject: candidate.head.subject.as_deref(),
            space: &space,
            hops: &*hops,
            spool: &*self.spool,
            now: self.now(),
            moderation_expiry: organisation.rules.moderation_expiry,
        };
        let mut made = outcome(&making, &expansion);
        self.add_reports(&mut made, candidate, &organisation, &expansion, Moment::AfterReply);
        Ok(made)
    }

    fn release_of(&self, hold: &Hold) -> Result<Release, SpoolFault> {
        Ok(Release {
            object: ObjectId::new(hold.object.as_str()),
            recipient: hold.recipient.clone(),
            addressed: hold.addressed,
            path: hold.path.clone(),
            reverse_path: hold.reverse_path.clone(),
            notify: hold.notify,
            bypass_nested: hold.bypass_nested,
            hidden: hold.hidden,
            committed: self.committed(hold, &self.views.space())?,
            others: self.others(hold)?,
        })
    }

    fn expand_release(
        &self,
        release: &Release,
        candidate: &Candidate,
        organisation: &Organisation,
        hops: &dyn NextHops,
    ) -> Expansion {
        let view = self.view();
        // The marks were judged at submission; the copies bear the group's own mark by now.
        let marked = |_: &ObjectId| false;
        let addressees = Addressees::of(candidate);
        let in_bcc = |addressed: u32, view: &View| addressees.in_bcc(addressed, view);
        let request = Request {
            in_bcc: &in_bcc,
            sender: &candidate.sender,
            size_bytes: Some(candidate.content.len()),
            report: report_facts(&candidate.head),
            start: Start::Release(release),
            marked: &marked,
            relaying: candidate.relaying,
            sources: self.sources(),
            now: self.now(),
            detail: Detail::Quiet,
        };
        expansion::expand(&request, &view, &organisation.rules, hops, &organisation.limits)
    }

    /// Who already has the message or will get it: everybody in a committed set of it.
    fn committed(&self, hold: &Hold, space: &str) -> Result<Committed, SpoolFault> {
        let mut committed = Committed::default();
        for stored in self.spool.sets_of(hold.message)? {
            let roster = &stored.set.roster;
            let current = roster.space == space;
            for (_, ordinal, forward_path) in roster.iter() {
                if let Ok(mailbox) = Mailbox::parse(forward_path) {
                    committed.add((current && ordinal != NO_ORDINAL).then_some(ordinal), &mailbox);
                }
            }
        }
        Ok(committed)
    }

    fn others(&self, hold: &Hold) -> Result<BTreeMap<ObjectId, HoldStanding>, SpoolFault> {
        let holds = self.spool.holds_of(hold.message)?;
        let others = holds.into_iter().filter(|other| other.id != hold.id);
        Ok(others
            .map(|other| {
                let standing = match other.state {
                    HoldState::Waiting => HoldStanding::Waiting,
                    HoldState::Decided { .. } => HoldStanding::Ended,
                };
                (ObjectId::new(other.object), standing)
            })
            .collect())
    }

    /// The notice to the sender, as `SendModerationNotifications` allows.
    fn told(&self, hold: &Hold, candidate: &Candidate, notice: &Notice<'_>) -> Outcome {
        let mut outcome = Outcome::default();
        let tells = match hold.notice {
            ModerationNotice::Always => true,
            ModerationNotice::Internal => candidate.sender.is_internal(),
            ModerationNotice::Never => false,
        };
        if let (true, Some(sender)) = (tells, hold.sender.mailbox()) {
            let report = self.notice(&About::candidate(candidate), sender, ReportKind::Moderation, notice);
            push_report(
                &mut outcome,
                hold.message,
                &hold.sender,
                ReportKind::Moderation,
                report,
                self.now(),
            );
        }
        outcome
    }

    /// Lets holds expire whose time is over; returns when to look again.
    pub async fn expire_holds(self: &Arc<Self>) -> Option<jiff::Timestamp> {
        let holds = match self.spool.holds() {
            Ok(holds) => holds,
            Err(fault) => {
                tracing::error!(%fault, "holds cannot be read");
                return None;
            }
        };
        let due: Vec<HoldId> = moderation::expired(&holds, self.now()).collect();
        for id in due {
            if let Err(fault) = self.decide(id, Decision::Expired, &Actor::Expiry, None).await {
                tracing::warn!(hold = %id, %fault, "a hold could not expire");
            }
        }
        moderation::next_expiry(&holds)
    }
}

fn comment_of(state: &HoldState) -> Option<String> {
    match state {
        HoldState::Decided { comment, .. } => comment.clone(),
        HoldState::Waiting => None,
    }
}
