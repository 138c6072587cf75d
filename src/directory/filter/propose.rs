//! Proposal: from a list of people to the smallest rule that finds the same ones.
//!
//! In: a generation, the members of a list. Out: a predicate with whom it finds rightly, whom it would add and whom
//! it misses. The rule's people plus the missed ones minus the added ones are the list, always: the sets
//! are taken from the rule as it is evaluated, not from the search. Never: a rule whose exceptions are no
//! shorter than the list itself; another answer for the same question.
//!
//! A rule costs its clauses and its exceptions: [`clause_cost`] says how many exceptions a clause is worth. A clause
//! that keeps people out counts twice: whoever is new passes it. The search is bounded (`search`):
//! conjunctions of up to three clauses, up to four of them joined by `-or`.

mod search;
mod vocabulary;

use jiff::Timestamp;
use roaring::RoaringBitmap;

use super::plan::{self, PlanOptions};
use super::predicate::Predicate;
use super::rule::CompiledRule;
use super::{EvaluationOptions, RuleFault};
use crate::directory::generation::Directory;

/// A rule in place of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// The rule.
    pub predicate: Predicate,
    /// Members the rule finds.
    pub covered: RoaringBitmap,
    /// Others the rule finds: excluded, or new members.
    pub added: RoaringBitmap,
    /// Members the rule does not find, among them those that no rule can find (no alias, deleted, outside
    /// the rule's reach): they stay as pins.
    pub pinned: RoaringBitmap,
}

impl Proposal {
    /// Comparisons of the rule.
    #[must_use]
    pub fn clauses(&self) -> usize {
        let mut count = 0;
        self.predicate.each_comparison(&mut |_| count += 1);
        count
    }

    /// What it costs, in exceptions: see [`clause_cost`].
    #[must_use]
    pub fn cost(&self) -> u64 {
        let mut units = 0;
        self.predicate
            .each_comparison(&mut |comparison| units += if comparison.operator.is_negative() { NEGATED } else { 1 });
        let members = self.covered.len() + self.pinned.len();
        clause_cost(members) * units.max(1) + self.added.len() + self.pinned.len()
    }

    /// Who is in the list if the missed ones are pinned and the added ones excluded: the list it came from.
    #[must_use]
    pub fn with_exceptions(&self) -> RoaringBitmap {
        let mut all = &self.covered | &self.added;
        all |= &self.pinned;
        all -= &self.added;
        all
    }
}

/// Exceptions that one clause must save to be worth it: three, and one more for every hundred members.
#[must_use]
pub fn clause_cost(members: u64) -> u64 {
    3 + members / 100
}

/// Clauses that one which keeps people out counts for.
const NEGATED: u64 = 2;

/// The smallest rule for a list; `None` if every rule costs as much as naming everybody.
///
/// A member that is a group is a member like any other; entries that are no objects are not seen here and stay in
/// the list whatever the rule. Cost: each value of about forty attributes once, then a bounded number of set
/// operations.
pub fn propose(
    directory: &Directory,
    members: &RoaringBitmap,
    options: &EvaluationOptions,
    now: Timestamp,
) -> Result<Option<Proposal>, RuleFault> {
    let reachable = members & directory.candidates();
    let cost = clause_cost(members.len());
    let tests = vocabulary::tests(directory, &reachable, options.comparison, cost);
    let Some(predicate) = search::smallest(&tests, directory.candidates(), &reachable, cost) else {
        return Ok(None);
    };
    let proposal = measure(directory, members, predicate, options, now)?;
    Ok((proposal.cost() < members.len()).then_some(proposal))
}

/// What a rule means for a list: also for one that an operator wrote.
pub fn measure(
    directory: &Directory,
    members: &RoaringBitmap,
    predicate: Predicate,
    options: &EvaluationOptions,
    now: Timestamp,
) -> Result<Proposal, RuleFault> {
    let compiled = CompiledRule::of_predicate(predicate, options)?;
    let found = plan::evaluate(directory, &compiled, &PlanOptions::alone(now));
    Ok(Proposal {
        predicate: compiled.predicate().clone(),
        covered: &found & members,
        added: &found - members,
        pinned: members - &found,
    })
}

#[cfg(test)]
mod tests;
