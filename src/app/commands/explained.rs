//! `explain`: from an expansion to the answer.

use super::explain::refuse;
use crate::admin::answer::{BranchLeft, ExpandedGroup, RecipientLeft, Verdict, VerdictKind};
use crate::categorizer::NextHops;
use crate::expansion::{self, Expansion};
use crate::policy::Fact;
use crate::track::{EventKind, Reason};

/// Fills an answer in from what delivery would do.
pub(super) fn fill(verdict: &mut Verdict, hops: &dyn NextHops, expansion: &Expansion) {
    let bypass = expansion.explanations.iter().flat_map(|explained| &explained.facts);
    verdict.bypass = bypass.into_iter().find_map(|fact| match fact {
        Fact::ModerationBypassed { by } => Some(by.to_string()),
        _ => None,
    });
    if let Some(halt) = &expansion.halt {
        refuse(verdict, &halt.refusal);
        return;
    }
    match expansion.judged.first().map(|judged| &judged.verdict) {
        Some(expansion::Verdict::Refused(refusal)) => refuse(verdict, refusal),
        Some(expansion::Verdict::Held) => {
            verdict.kind = VerdictKind::Held;
            verdict.reason = expansion.holds.first().map(reason_of);
            verdict.cause = expansion.holds.first().map(|hold| hold.cause);
            let moderators = expansion.holds.first().map(|hold| hold.moderators.as_slice());
            verdict.moderators = moderators.unwrap_or_default().iter().map(ToString::to_string).collect();
        }
        Some(expansion::Verdict::Discarded(reason)) => verdict.reason = Some(*reason),
        Some(expansion::Verdict::Accepted) | None => {}
    }
    count(verdict, hops, expansion);
    let top = expansion
        .judged
        .first()
        .is_some_and(|judged| judged.verdict == expansion::Verdict::Held);
    for hold in expansion.holds.iter().skip(usize::from(top)) {
        verdict.branches.push(BranchLeft {
            recipient: hold.recipient.to_string(),
            path: hold.path.clone(),
            kind: VerdictKind::Held,
            reply: None,
            reason: reason_of(hold),
        });
    }
    if verdict.kind == VerdictKind::Accepted && expansion.reaches_nobody() {
        // A pass that leaves nobody is a reply (DESIGN §2.2).
        if let Some(branch) = expansion.refused.first() {
            refuse(verdict, &branch.refusal);
        }
    }
}

/// Counts recipients, next hops and what is left out.
pub(super) fn count(verdict: &mut Verdict, hops: &dyn NextHops, expansion: &Expansion) {
    verdict.recipients = expansion.recipients();
    let ids = expansion
        .branches
        .iter()
        .flat_map(|branch| branch.recipients.iter().map(|to| to.hop));
    verdict.next_hops = super::groups::count_by_hop(hops, ids.clone()).into_iter().collect();
    verdict.routes = super::groups::routes_taken(hops, ids);
    verdict.duplicates = expansion.judged.iter().map(|judged| judged.tally.duplicates).sum();
    for event in &expansion.events {
        match event {
            EventKind::Expand {
                group,
                path,
                roll_version,
                roll_age_seconds,
                entries,
                added,
                duplicates,
            } => verdict.groups.push(ExpandedGroup {
                group: group.clone(),
                path: path.clone(),
                roll_version: *roll_version,
                roll_age_seconds: *roll_age_seconds,
                entries: *entries,
                added: *added,
                duplicates: *duplicates,
            }),
            EventKind::Drop {
                recipient,
                group,
                reason,
            } if *reason != Reason::Duplicate => verdict.left_out.push(RecipientLeft {
                recipient: recipient.clone(),
                group: group.clone(),
                reason: *reason,
            }),
            EventKind::Branch {
                recipient,
                path,
                reply,
                reason,
            } => verdict.branches.push(BranchLeft {
                recipient: recipient.clone(),
                path: path.clone(),
                kind: if reply.is_transient() {
                    VerdictKind::Deferred
                } else {
                    VerdictKind::Refused
                },
                reply: Some(reply.clone()),
                reason: *reason,
            }),
            _ => {}
        }
    }
}

fn reason_of(hold: &expansion::NewHold) -> Reason {
    match &hold.braked {
        None => Reason::Moderated,
        Some(_) => Reason::ThreadBraked,
    }
}
