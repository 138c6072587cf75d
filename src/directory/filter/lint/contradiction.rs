//! Clauses side by side that no single value fulfils.
//!
//! In: a predicate. Out: the pairs: `Department -eq 'A' -and Department -eq 'B'`, `cn` that begins with C and with B.

use crate::directory::attribute::Property;
use crate::directory::filter::fold::fold;
use crate::directory::filter::operator::Operator;
use crate::directory::filter::predicate::{Comparison, Predicate};
use crate::directory::group::ComparisonProfile;
use crate::directory::value::ValueType;

/// Every clause that another one beside it rules out, with the first that does.
pub(super) fn contradictions(predicate: &Predicate, profile: ComparisonProfile) -> Vec<(&Predicate, &Predicate)> {
    let mut found = Vec::new();
    gather(predicate, profile, &mut found);
    found
}

fn gather<'p>(predicate: &'p Predicate, profile: ComparisonProfile, found: &mut Vec<(&'p Predicate, &'p Predicate)>) {
    match predicate {
        Predicate::And(_) => {
            let mut flat = Vec::new();
            conjuncts(predicate, &mut flat);
            for (at, one) in flat.iter().enumerate() {
                if let Some(other) = flat.iter().skip(at + 1).find(|other| contradict(one, other, profile)) {
                    found.push((one, other));
                    break;
                }
            }
            flat.into_iter().for_each(|part| gather(part, profile, found));
        }
        Predicate::Or(parts) => parts.iter().for_each(|part| gather(part, profile, found)),
        Predicate::Not(inner) => gather(inner, profile, found),
        Predicate::Compare(_) | Predicate::Quantified(_) | Predicate::All | Predicate::None => {}
    }
}

/// The clauses that must all hold.
fn conjuncts<'p>(predicate: &'p Predicate, flat: &mut Vec<&'p Predicate>) {
    match predicate {
        Predicate::And(parts) => parts.iter().for_each(|part| conjuncts(part, flat)),
        other => flat.push(other),
    }
}

fn contradict(one: &Predicate, other: &Predicate, profile: ComparisonProfile) -> bool {
    let (Predicate::Compare(one), Predicate::Compare(other)) = (one, other) else {
        return false;
    };
    let is_single = match &one.property {
        Property::Held(attribute) => attribute.value_type() == ValueType::Text,
        Property::NotHeld(_) | Property::Extension(_) | Property::Device(_) => false,
    };
    if !is_single || one.property != other.property {
        return false;
    }
    match (beginning(one, profile), beginning(other, profile)) {
        (Some((one, true)), Some((other, true))) => one != other,
        (Some((whole, true)), Some((initial, false))) | (Some((initial, false)), Some((whole, true))) => {
            !whole.starts_with(&initial)
        }
        (Some((one, false)), Some((other, false))) => !one.starts_with(&other) && !other.starts_with(&one),
        (None, _) | (_, None) => false,
    }
}

/// How a value must begin, folded, and whether that is all of it.
fn beginning(comparison: &Comparison, profile: ComparisonProfile) -> Option<(String, bool)> {
    let text = comparison.literal.text()?;
    let folded = |text: &str| fold(text, profile).into_owned();
    match comparison.operator {
        Operator::Eq | Operator::Approx => Some((folded(text), true)),
        Operator::Like => Some(match text.split_once('*') {
            Some((initial, _)) => (folded(initial), false),
            None => (folded(text), true),
        }),
        Operator::StartsWith => Some((folded(text), false)),
        _ => None,
    }
}
