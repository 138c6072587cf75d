//! The comparisons of a predicate one by one, and the predicate with one of them replaced.

use crate::directory::attribute::Attribute;
use crate::directory::attribute::Property;
use crate::directory::filter::operator::Operator;
use crate::directory::filter::predicate::{Comparison, Literal, Predicate};

/// One comparison in its place.
pub(super) struct Leaf<'a> {
    /// Counted from zero in the order of the text.
    pub(super) place: usize,
    pub(super) comparison: &'a Comparison,
    /// True if it excludes: an odd number of negations stands above it, its own operator included.
    pub(super) excludes: bool,
}

impl Leaf<'_> {
    pub(super) fn attribute(&self) -> Option<Attribute> {
        match self.comparison.property {
            Property::Held(attribute) => Some(attribute),
            Property::NotHeld(_) | Property::Extension(_) | Property::Device(_) => None,
        }
    }

    /// The text of a positive or negative equality.
    pub(super) fn equal_text(&self) -> Option<&str> {
        let operator = self.comparison.operator.positive();
        let text = match (&self.comparison.literal, operator) {
            (Literal::Text(text), Operator::Eq | Operator::Approx) => text,
            (Literal::Text(text), Operator::Like) if !text.contains('*') => text,
            _ => return None,
        };
        Some(text)
    }

    /// The comparison without its negation.
    pub(super) fn positive(&self) -> Predicate {
        if !is_negation(self.comparison) {
            return Predicate::Compare(self.comparison.clone());
        }
        Predicate::Compare(Comparison {
            operator: self.comparison.operator.positive(),
            ..self.comparison.clone()
        })
    }

    /// The same comparison with another text.
    pub(super) fn with_text(&self, text: &str) -> Predicate {
        Predicate::Compare(Comparison {
            literal: Literal::Text(text.into()),
            ..self.comparison.clone()
        })
    }
}

/// `-ne $null` asks for presence; it negates nothing.
fn is_negation(comparison: &Comparison) -> bool {
    comparison.operator.is_negative() && comparison.literal != Literal::Null
}

/// All comparisons of a predicate, conditions on collections left out.
pub(super) fn leaves(predicate: &Predicate) -> Vec<Leaf<'_>> {
    let mut all = Vec::new();
    gather(predicate, false, &mut all);
    all
}

fn gather<'a>(predicate: &'a Predicate, excludes: bool, all: &mut Vec<Leaf<'a>>) {
    match predicate {
        Predicate::And(parts) | Predicate::Or(parts) => parts.iter().for_each(|part| gather(part, excludes, all)),
        Predicate::Not(inner) => gather(inner, !excludes, all),
        Predicate::Compare(comparison) => all.push(Leaf {
            place: all.len(),
            comparison,
            excludes: excludes != is_negation(comparison),
        }),
        Predicate::Quantified(_) | Predicate::All | Predicate::None => {}
    }
}

/// The predicate with every comparison replaced for which `change` has another.
pub(super) fn replaced(predicate: &Predicate, change: &dyn Fn(usize, &Comparison) -> Option<Predicate>) -> Predicate {
    let mut place = 0;
    replace(predicate, &mut place, change)
}

fn replace(
    predicate: &Predicate,
    place: &mut usize,
    change: &dyn Fn(usize, &Comparison) -> Option<Predicate>,
) -> Predicate {
    let mut list = |parts: &[Predicate]| parts.iter().map(|part| replace(part, place, change)).collect();
    match predicate {
        Predicate::And(parts) => Predicate::And(list(parts)),
        Predicate::Or(parts) => Predicate::Or(list(parts)),
        Predicate::Not(inner) => Predicate::Not(Box::new(replace(inner, place, change))),
        Predicate::Compare(comparison) => {
            let here = *place;
            *place += 1;
            change(here, comparison).unwrap_or_else(|| predicate.clone())
        }
        Predicate::Quantified(_) | Predicate::All | Predicate::None => predicate.clone(),
    }
}
