//! The search: which few tests, joined how, cost least.
//!
//! In: tests with their rows, candidates, members. Out: a predicate. A beam search finds the best conjunction, a
//! greedy one joins conjunctions by `-or` as long as each saves more than it costs.
//! Never: a random choice; among equals the earlier test wins.

use std::cmp::Reverse;

use roaring::RoaringBitmap;

use super::NEGATED;
use super::vocabulary::Test;
use crate::directory::filter::operator::Operator;
use crate::directory::filter::predicate::Predicate;

/// Most clauses joined by `-and`; more explain one list and no other.
const CLAUSES_MAX: usize = 3;

/// Most conjunctions joined by `-or`.
const TERMS_MAX: usize = 4;

/// Most values of one attribute joined by `-or` within a clause.
const VALUES_MAX: usize = 6;

/// Conjunctions kept from one length to the next.
const BEAM: usize = 16;

/// Of these the first are also tried with clauses that keep people out.
const BEAM_NEGATED: usize = 4;

/// Clauses tried in each step, of each kind.
const CLAUSES_TRIED: usize = 48;

/// What must hold, or must not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Clause {
    /// Any of these tests, which are of one attribute.
    Is(Vec<usize>),
    /// Not this test.
    IsNot(usize),
}

/// Clauses that hold together, and for whom.
#[derive(Debug, Clone)]
struct Conjunction {
    clauses: Vec<Clause>,
    rows: RoaringBitmap,
    cost: u64,
}

/// What a search is about: whom to find, whom it may find for nothing.
struct Aim<'a> {
    tests: &'a [Test],
    /// Members not found yet.
    wanted: &'a RoaringBitmap,
    /// Everybody who costs nothing: members, and those that another term finds already.
    free: &'a RoaringBitmap,
    clause_cost: u64,
}

/// The cheapest rule that was found; none if naming the members is cheaper.
pub(super) fn smallest(
    tests: &[Test],
    candidates: &RoaringBitmap,
    members: &RoaringBitmap,
    clause_cost: u64,
) -> Option<Predicate> {
    let mut terms: Vec<Conjunction> = Vec::new();
    let mut wanted = members.clone();
    let mut free = members.clone();
    while terms.len() < TERMS_MAX && !wanted.is_empty() {
        let aim = Aim {
            tests,
            wanted: &wanted,
            free: &free,
            clause_cost,
        };
        // A term pays if it costs less than pinning those it finds; its cost counts those it leaves.
        let Some(term) = aim.best(candidates).filter(|term| term.cost < wanted.len()) else {
            break;
        };
        wanted -= &term.rows;
        free |= &term.rows;
        terms.push(term);
    }
    drop_needless(&mut terms, members, clause_cost);
    let parts: Vec<Predicate> = terms.iter().map(|term| term.predicate(tests)).collect();
    one_or(parts, Predicate::Or)
}

/// Takes out terms that later ones made needless.
fn drop_needless(terms: &mut Vec<Conjunction>, members: &RoaringBitmap, clause_cost: u64) {
    let mut at = 0;
    while terms.len() > 1 && at < terms.len() {
        let mut without = terms.clone();
        without.remove(at);
        if total(&without, members, clause_cost) <= total(terms, members, clause_cost) {
            *terms = without;
        } else {
            at += 1;
        }
    }
}

fn total(terms: &[Conjunction], members: &RoaringBitmap, clause_cost: u64) -> u64 {
    let mut found = RoaringBitmap::new();
    let mut clauses = 0;
    for term in terms {
        found |= &term.rows;
        clauses += term.weight();
    }
    clauses * clause_cost + (&found ^ members).len()
}

/// Several predicates as one; none of none.
fn one_or(mut parts: Vec<Predicate>, join: fn(Vec<Predicate>) -> Predicate) -> Option<Predicate> {
    if parts.len() > 1 {
        Some(join(parts))
    } else {
        parts.pop()
    }
}

impl Clause {
    /// What it counts for.
    fn weight(&self) -> u64 {
        match self {
            Self::Is(tests) => tests.len() as u64,
            Self::IsNot(_) => NEGATED,
        }
    }

    /// Comparisons it takes.
    fn comparisons(&self) -> usize {
        match self {
            Self::Is(tests) => tests.len(),
            Self::IsNot(_) => 1,
        }
    }

    fn predicate(&self, tests: &[Test]) -> Option<Predicate> {
        match self {
            Self::Is(list) => {
                let parts = list.iter().filter_map(|at| tests.get(*at));
                one_or(parts.map(|test| test.predicate(Operator::Eq)).collect(), Predicate::Or)
            }
            Self::IsNot(at) => Some(tests.get(*at)?.predicate(Operator::Ne)),
        }
    }
}

impl Conjunction {
    fn weight(&self) -> u64 {
        self.clauses.iter().map(Clause::weight).sum::<u64>().max(1)
    }

    fn predicate(&self, tests: &[Test]) -> Predicate {
        let parts = self.clauses.iter().filter_map(|clause| clause.predicate(tests));
        one_or(parts.collect(), Predicate::And).unwrap_or(Predicate::All)
    }

    /// What orders conjunctions: cost, then length, then which tests.
    fn rank(&self) -> (u64, usize, &[Clause]) {
        let comparisons = self.clauses.iter().map(Clause::comparisons).sum();
        (self.cost, comparisons, &self.clauses)
    }
}

impl Aim<'_> {
    /// The cheapest conjunction, everybody included as the one without clauses.
    fn best(&self, candidates: &RoaringBitmap) -> Option<Conjunction> {
        let everybody = self.conjunction(Vec::new(), candidates.clone());
        let clauses = self.clauses();
        let mut best = everybody.clone();
        let mut beam = vec![everybody];
        for _ in 0..CLAUSES_MAX {
            let mut next: Vec<Conjunction> = Vec::new();
            for (place, state) in beam.iter().enumerate() {
                self.lengthen(state, &clauses, &mut next);
                if place < BEAM_NEGATED {
                    self.keep_out(state, &mut next);
                }
            }
            next.sort_by(|one, other| one.rank().cmp(&other.rank()));
            next.dedup_by(|one, other| one.clauses == other.clauses);
            next.truncate(BEAM);
            let Some(first) = next.first() else { break };
            if first.rank() < best.rank() {
                best = first.clone();
            }
            beam = next;
        }
        (!best.rows.is_disjoint(self.wanted)).then_some(best)
    }

    fn conjunction(&self, clauses: Vec<Clause>, rows: RoaringBitmap) -> Conjunction {
        let weight = clauses.iter().map(Clause::weight).sum::<u64>().max(1);
        let extra = rows.len() - rows.intersection_len(self.free);
        let missed = self.wanted.len() - rows.intersection_len(self.wanted);
        Conjunction {
            clauses,
            rows,
            cost: weight * self.clause_cost + extra + missed,
        }
    }

    /// Clauses that find enough of the wanted: single tests, and values of one attribute together.
    fn clauses(&self) -> Vec<(Clause, RoaringBitmap)> {
        let mut hits: Vec<(usize, u64, u64)> = Vec::new();
        for (at, test) in self.tests.iter().enumerate() {
            let hit = test.rows.intersection_len(self.wanted);
            if hit > self.clause_cost {
                hits.push((at, hit, test.rows.len() - test.rows.intersection_len(self.free)));
            }
        }
        let mut chosen: Vec<usize> = Vec::new();
        // By reach, and by what is left after those it finds wrongly: a third clause may put these right.
        hits.sort_by_key(|(at, hit, _)| (Reverse(*hit), *at));
        chosen.extend(hits.iter().take(CLAUSES_TRIED).map(|(at, ..)| *at));
        hits.sort_by_key(|(at, hit, extra)| (Reverse(hit.saturating_sub(*extra)), *at));
        chosen.extend(hits.iter().take(CLAUSES_TRIED).map(|(at, ..)| *at));
        chosen.sort_unstable();
        chosen.dedup();
        let mut clauses: Vec<(Clause, RoaringBitmap)> = chosen
            .iter()
            .filter_map(|at| Some((Clause::Is(vec![*at]), self.tests.get(*at)?.rows.clone())))
            .collect();
        self.add_lists(&hits, &mut clauses);
        clauses
    }

    /// For each attribute its two, three … best values as one clause.
    fn add_lists(&self, hits: &[(usize, u64, u64)], clauses: &mut Vec<(Clause, RoaringBitmap)>) {
        let mut by_attribute: Vec<(usize, Vec<usize>)> = Vec::new();
        for (at, ..) in hits {
            let Some(test) = self.tests.get(*at) else { continue };
            let known = by_attribute.iter_mut().find(|(first, _)| {
                self.tests
                    .get(*first)
                    .is_some_and(|other| other.attribute == test.attribute)
            });
            match known {
                Some((_, list)) if list.len() < VALUES_MAX => list.push(*at),
                Some(_) => {}
                None => by_attribute.push((*at, vec![*at])),
            }
        }
        for (_, list) in by_attribute {
            for length in 2..=list.len() {
                let mut values: Vec<usize> = list.iter().take(length).copied().collect();
                values.sort_unstable();
                let mut rows = RoaringBitmap::new();
                for test in values.iter().filter_map(|at| self.tests.get(*at)) {
                    rows |= &test.rows;
                }
                clauses.push((Clause::Is(values), rows));
            }
        }
    }

    /// A conjunction with each of the clauses that its attributes leave room for.
    fn lengthen(&self, state: &Conjunction, clauses: &[(Clause, RoaringBitmap)], next: &mut Vec<Conjunction>) {
        let free = &state.rows & self.free;
        let wanted = &state.rows & self.wanted;
        let mut scored: Vec<(u64, usize)> = Vec::new();
        for (place, (clause, rows)) in clauses.iter().enumerate() {
            if state
                .clauses
                .iter()
                .any(|other| self.attribute(other) == self.attribute(clause))
            {
                continue;
            }
            let found = state.rows.intersection_len(rows);
            let extra = found - free.intersection_len(rows);
            let missed = self.wanted.len() - wanted.intersection_len(rows);
            scored.push((clause.weight() * self.clause_cost + extra + missed, place));
        }
        scored.sort_unstable();
        for (_, place) in scored.into_iter().take(BEAM) {
            if let Some((clause, rows)) = clauses.get(place) {
                next.push(self.with(state, clause.clone(), &state.rows & rows));
            }
        }
    }

    /// A conjunction with each of the clauses that keep out more strangers than members.
    fn keep_out(&self, state: &Conjunction, next: &mut Vec<Conjunction>) {
        let extra = &state.rows - self.free;
        let wanted = &state.rows & self.wanted;
        let mut gains: Vec<(u64, usize)> = Vec::new();
        for (at, test) in self.tests.iter().enumerate() {
            let kept_out = test.rows.intersection_len(&extra);
            let lost = test.rows.intersection_len(&wanted);
            if kept_out > lost + NEGATED * self.clause_cost && !state.mentions(at) {
                gains.push((kept_out - lost, at));
            }
        }
        gains.sort_unstable_by_key(|(gain, at)| (Reverse(*gain), *at));
        for (_, at) in gains.into_iter().take(BEAM) {
            if let Some(test) = self.tests.get(at) {
                next.push(self.with(state, Clause::IsNot(at), &state.rows - &test.rows));
            }
        }
    }

    fn with(&self, state: &Conjunction, clause: Clause, rows: RoaringBitmap) -> Conjunction {
        let mut clauses = state.clauses.clone();
        clauses.push(clause);
        // What must hold comes first, in the order of the attributes; the same set has one spelling.
        clauses.sort();
        self.conjunction(clauses, rows)
    }

    /// The place of the attribute of a positive clause.
    fn attribute(&self, clause: &Clause) -> Option<crate::directory::attribute::Attribute> {
        match clause {
            Clause::Is(list) => self.tests.get(*list.first()?).map(|test| test.attribute),
            Clause::IsNot(_) => None,
        }
    }
}

impl Conjunction {
    fn mentions(&self, at: usize) -> bool {
        self.clauses.iter().any(|clause| match clause {
            Clause::Is(list) => list.contains(&at),
            Clause::IsNot(other) => *other == at,
        })
    }
}
