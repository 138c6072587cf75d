//! What next hops say about single recipients, passed on to whoever keeps it.
//!
//! In: a batch with what became of it. Out: lessons. Never: a lesson for every recipient of a large list: only those
//! already doubted are told as taken.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};

use super::account::Done;
use super::verdict::Verdict;
use crate::mail::Mailbox;
use crate::queue::ranks;
use crate::rolls::suspect::{Lesson, Suspects, Taught};

/// Most recipients of one transaction that can be refused together and each be doubted for it, if they are more than
/// half of it.
const REFUSED_TOGETHER_MAX: usize = 10;

/// Time in which a system that took a message reports that it could not deliver it.
const REPORTS_COME_WITHIN: SignedDuration = SignedDuration::from_hours(3 * 24);

/// What a batch teaches.
pub(super) fn lessons(done: &Done, suspects: &Suspects, now: Timestamp) -> Vec<Lesson> {
    let mut lessons = Vec::new();
    let lesson = |rank: u32, verdict: Taught| {
        let address = Mailbox::parse(&done.address(rank)).ok()?;
        Some(Lesson {
            address,
            message: done.batch.message,
            at: now,
            verdict,
        })
    };
    let refused: HashSet<u32> = done.verdicts.refused().iter().copied().collect();
    let recipients: usize = done
        .verdicts
        .runs()
        .iter()
        .map(|run| ranks::each(&run.ranks).count())
        .sum();
    // A hop that refuses nearly everybody is set up wrongly: that says nothing about the recipients.
    let hop_refuses = refused.len() > REFUSED_TOGETHER_MAX && refused.len() * 2 > recipients;
    for run in done.verdicts.runs() {
        match &run.verdict {
            Verdict::Failed(..) if hop_refuses => {}
            Verdict::Failed(_, reply) => {
                let refused = ranks::each(&run.ranks).filter(|rank| refused.contains(rank));
                lessons.extend(refused.filter_map(|rank| lesson(rank, Taught::Refused(reply.clone()))));
            }
            Verdict::Relayed(_) if !suspects.is_empty() => {
                let taken = ranks::each(&run.ranks).filter_map(|rank| lesson(rank, Taught::Taken));
                // Who takes first and reports later would have reported by then.
                let is_settled =
                    |last: Timestamp| !done.reports_come_back || now.duration_since(last) > REPORTS_COME_WITHIN;
                lessons.extend(taken.filter(|lesson| {
                    let known = suspects.of(&lesson.address.key());
                    known.is_some_and(|known| known.last().is_none_or(is_settled))
                }));
            }
            Verdict::Relayed(_) | Verdict::Deferred(..) | Verdict::Dropped(_) | Verdict::Untried => {}
        }
    }
    lessons
}
