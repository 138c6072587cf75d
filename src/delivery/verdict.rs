//! From a next hop's answers to one verdict per recipient.

use crate::mail::Reply;
use crate::queue::ranks::{self, Ranges};
use crate::smtp::client::{Outcome, Stage, TransactionResult};
use crate::track::Reason;

/// What is to become of a recipient.
#[derive(Clone, PartialEq, Debug)]
pub enum Verdict {
    /// The next hop took it.
    Relayed(Reply),
    /// Wait and try again.
    Deferred(Reason, Option<Reply>),
    /// Failed for good.
    Failed(Reason, Reply),
    /// Left out; nobody is told.
    Dropped(Reason),
    /// Not tried; goes again at once.
    Untried,
}

/// Recipients with one verdict.
#[derive(Clone, PartialEq, Debug)]
pub struct Judged {
    /// Who.
    pub ranks: Ranges,
    /// What.
    pub verdict: Verdict,
}

impl Judged {
    fn is_below(&self, rank: u32) -> bool {
        self.ranks.last().is_none_or(|&(_, last)| last < rank)
    }
}

/// Verdicts of one batch, in runs of equal ones by rank.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Verdicts {
    runs: Vec<Judged>,
    /// Refused for good in answer to their own RCPT: said about the recipient, not about the message.
    refused: Vec<u32>,
}

impl Verdicts {
    /// One verdict for all.
    #[must_use]
    pub fn all(ranks: Ranges, verdict: Verdict) -> Self {
        Self {
            runs: vec![Judged { ranks, verdict }],
            refused: Vec::new(),
        }
    }

    /// Adds a rank. Equal verdicts in a row share a run.
    pub fn push(&mut self, rank: u32, verdict: Verdict) {
        match self.runs.last_mut() {
            Some(last) if last.verdict == verdict && last.is_below(rank) => ranks::push(&mut last.ranks, rank),
            _ => self.runs.push(Judged {
                ranks: vec![(rank, rank)],
                verdict,
            }),
        }
    }

    /// The runs.
    #[must_use]
    pub fn runs(&self) -> &[Judged] {
        &self.runs
    }

    /// Who was refused for good in answer to its own RCPT.
    #[must_use]
    pub fn refused(&self) -> &[u32] {
        &self.refused
    }

    /// The runs, to be changed.
    pub fn runs_mut(&mut self) -> &mut [Judged] {
        &mut self.runs
    }

    /// Adds the verdicts of those who took part in a transaction, `members` in the plan's order.
    pub fn add_result(&mut self, members: &[u32], result: &TransactionResult) {
        for (index, &rank) in members.iter().enumerate() {
            let outcome = result.outcome(index);
            if let Outcome::Refused(Stage::Rcpt, reply) = outcome
                && reply.is_permanent()
            {
                self.refused.push(rank);
            }
            let same = self
                .runs
                .last_mut()
                .filter(|last| last.is_below(rank) && is_same(&last.verdict, outcome));
            match same {
                Some(last) => ranks::push(&mut last.ranks, rank),
                None => self.push(rank, verdict(outcome)),
            }
        }
    }
}

/// Spares a copy of the reply for each of many recipients with one outcome.
fn is_same(verdict: &Verdict, outcome: Outcome<'_>) -> bool {
    match (verdict, outcome) {
        (Verdict::Relayed(known), Outcome::Taken(reply)) => known == reply,
        (Verdict::Untried, Outcome::OverLimit(_)) => true,
        _ => false,
    }
}

fn verdict(outcome: Outcome<'_>) -> Verdict {
    match outcome {
        Outcome::Taken(reply) => Verdict::Relayed(reply.clone()),
        Outcome::OverLimit(_) => Verdict::Untried,
        Outcome::Lost(_) => Verdict::Deferred(Reason::NextHopUnreachable, None),
        Outcome::Refused(stage, reply) => refused(stage, reply),
    }
}

fn refused(stage: Stage, reply: &Reply) -> Verdict {
    // Of a session as a whole nothing permanent follows for its recipients: a host that refuses us today may be
    // replaced by another tomorrow (Differs: RFC 5321 §3.1 lets 554 in the greeting be final; Postfix defers too).
    if !reply.is_permanent() || stage == Stage::Session {
        return Verdict::Deferred(Reason::NextHopDeferred, Some(reply.clone()));
    }
    let status = reply.status_or_generic();
    let is_size = matches!((status.subject, status.detail), (3, 4) | (2, 3));
    let reason = match reply.code {
        552 if is_size => Reason::TooLargeForNextHop,
        _ => Reason::NextHopRefused,
    };
    Verdict::Failed(reason, reply.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp::client::{Conclusion, RecipientAnswer};

    #[test]
    fn runs_of_equal_outcomes_are_one() {
        let no = Reply::new(550, (5, 1, 1), "no");
        let later = Reply::new(450, (4, 2, 1), "later");
        let taken = Reply::new(250, (2, 0, 0), "taken");
        let result = TransactionResult {
            answers: vec![
                RecipientAnswer::Shared,
                RecipientAnswer::Shared,
                RecipientAnswer::Refused(no.clone()),
                RecipientAnswer::Shared,
                RecipientAnswer::Refused(later.clone()),
                RecipientAnswer::OverLimit(Reply::new(452, (4, 5, 3), "enough")),
                RecipientAnswer::OverLimit(Reply::new(452, (4, 5, 3), "enough")),
            ],
            conclusion: Conclusion::Taken(taken.clone()),
            dot_sent: true,
        };
        let mut verdicts = Verdicts::default();
        verdicts.add_result(&[3, 4, 5, 6, 9, 10, 12], &result);
        let run = |ranks: &[(u32, u32)], verdict| Judged {
            ranks: ranks.to_vec(),
            verdict,
        };
        assert_eq!(
            verdicts.runs(),
            [
                run(&[(3, 4)], Verdict::Relayed(taken.clone())),
                run(&[(5, 5)], Verdict::Failed(Reason::NextHopRefused, no)),
                run(&[(6, 6)], Verdict::Relayed(taken)),
                run(&[(9, 9)], Verdict::Deferred(Reason::NextHopDeferred, Some(later))),
                run(&[(10, 10), (12, 12)], Verdict::Untried),
            ]
        );
        assert_eq!(verdicts.refused(), [5]);
    }

    #[test]
    fn what_a_refusal_means_depends_on_its_stage() {
        for (stage, code, status, wanted) in [
            (Stage::Session, 554, None, None),
            (Stage::Mail, 451, Some((4, 3, 0)), None),
            (Stage::Mail, 550, Some((5, 7, 1)), Some(Reason::NextHopRefused)),
            (Stage::Mail, 552, Some((5, 3, 4)), Some(Reason::TooLargeForNextHop)),
            (Stage::FinalDot, 552, Some((5, 2, 3)), Some(Reason::TooLargeForNextHop)),
            (Stage::Rcpt, 552, Some((5, 2, 2)), Some(Reason::NextHopRefused)),
            (Stage::FinalDot, 421, None, None),
        ] {
            let reply = match status {
                Some(status) => Reply::new(code, status, "x"),
                None => Reply::bare(code, "x"),
            };
            let verdict = refused(stage, &reply);
            let failed = match verdict {
                Verdict::Failed(reason, _) => Some(reason),
                _ => None,
            };
            assert_eq!(failed, wanted, "{stage:?} {code}");
        }
    }
}
