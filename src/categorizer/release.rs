//! What an approval releases; it is committed together with the decision (DESIGN §6).
//!
//! Rules are judged as at submission, membership at release or, if the hold says so, at submission; who already has the message gets it once.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::addressees::Addressees;
use super::outcome::outcome;
use super::pass::{Candidate, Moment, report_facts};
use super::{Categorizer, NextHops, Organisation};
use crate::directory::ObjectId;
use crate::expansion::{self, Committed, Detail, Expansion, HoldStanding, Release, Request, Start};
use crate::mail::{HoldId, Mailbox};
use crate::moderation::DecisionFault;
use crate::policy::Refusal;
use crate::rolls::View;
use crate::rolls::past::PastFault;
use crate::spool::SpoolFault;
use crate::spool::message::{Hold, HoldState, Membership, Outcome};
use crate::spool::roster::NO_ORDINAL;

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
    /// Whom it would have gone to at its submission cannot be told.
    #[error("the message cannot be released to the members at its submission: {0}")]
    Past(#[from] PastFault),
}

impl Categorizer {
    /// Recipients that an approval would release today.
    pub fn would_release(&self, id: HoldId) -> Result<u64, ReleaseFault> {
        let hold = self.spool.hold(id)?;
        if hold.state != HoldState::Waiting {
            return Ok(0);
        }
        self.would_reach(&hold, &self.stored_candidate(hold.message)?)
    }

    pub(super) fn would_reach(&self, hold: &Hold, candidate: &Candidate) -> Result<u64, ReleaseFault> {
        let organisation = self.organisation();
        let release = self.release_of(hold)?;
        let view = self.view_of(hold)?;
        let hops = organisation.hops.pass(&view, Some(&candidate.about()));
        Ok(self
            .expand_release(&release, candidate, &organisation, &*hops, &view)
            .recipients())
    }

    /// Copies, nested holds and reports of an approval.
    pub(super) fn approved(&self, hold: &Hold, candidate: &Candidate) -> Result<Outcome, ReleaseFault> {
        let organisation = self.organisation();
        let space = self.views.space();
        let release = self.release_of(hold)?;
        let view = self.view_of(hold)?;
        let hops = organisation.hops.pass(&view, Some(&candidate.about()));
        let expansion = self.expand_release(&release, candidate, &organisation, &*hops, &view);
        if let Some(halt) = &expansion.halt {
            if halt.refusal.is_transient() {
                return Err(ReleaseFault::NotNow(halt.refusal.clone()));
            }
            return Ok(self.all_refused(candidate, &organisation, &halt.refusal));
        }
        let making = self.making(candidate, &organisation.moderation, &space, &*hops, self.now());
        let mut made = outcome(&making, &expansion);
        self.add_reports(&mut made, candidate, &organisation, &expansion, Moment::AfterReply);
        Ok(made)
    }

    /// The directory with the lists that the message goes by.
    fn view_of(&self, hold: &Hold) -> Result<Arc<View>, PastFault> {
        match hold.membership {
            Membership::Release => Ok(self.view()),
            Membership::Submission => self.views.view_at(&ObjectId::new(hold.object.as_str()), hold.held_at),
        }
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
        view: &View,
    ) -> Expansion {
        // The marks were judged at submission; the copies bear the group's own mark by now.
        let marked = |_: &ObjectId| false;
        let addressees = Addressees::of(candidate);
        let in_bcc = |addressed: u32, view: &View| addressees.in_bcc(addressed, view);
        let request = Request {
            in_bcc: &in_bcc,
            // Judged when it was held; a moderator has let it go.
            braked: &|_| None,
            came_from: &|_| None,
            quarantined: false,
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
        expansion::expand(&request, view, &organisation.rules, hops, &organisation.limits)
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
}
