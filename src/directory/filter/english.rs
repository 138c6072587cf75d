//! A filter in plain English, for people who own groups and do not read filters.
//!
//! In: a predicate. Out: one sentence fragment: "every mailbox whose Office is Berlin, except those whose Title
//! begins with Temp". Never: a clause left out; what reads oddly is still there. Exchange's own appended exclusions
//! are not repeated, because they exclude what is never a member; guests, which some of them exclude, are named.

mod label;
mod phrase;

use super::operator::Operator;
use super::predicate::{Literal, Predicate};
use super::tail::{self, TailVersion};
use crate::directory::attribute::{Attribute, Property};

/// Describes whom a predicate finds.
pub fn describe(predicate: &Predicate) -> String {
    let split = tail::split(predicate);
    let mut text = whole(&simplified(&split.core));
    if split.tails.contains(&TailVersion::OnlineWithoutGuests) {
        text.push_str("; guests are left out");
    }
    text
}

/// Flat lists, no double negation, negative operators as negations of positive ones: what is said the same way.
fn simplified(predicate: &Predicate) -> Predicate {
    match predicate {
        Predicate::And(parts) => {
            let mut flat = Vec::new();
            for part in parts.iter().map(simplified) {
                match part {
                    Predicate::And(inner) => flat.extend(inner),
                    Predicate::All => {}
                    other => flat.push(other),
                }
            }
            only_or(flat, Predicate::All, Predicate::And)
        }
        Predicate::Or(parts) => {
            let mut flat = Vec::new();
            for part in parts.iter().map(simplified) {
                match part {
                    Predicate::Or(inner) => flat.extend(inner),
                    Predicate::None => {}
                    other => flat.push(other),
                }
            }
            only_or(flat, Predicate::None, Predicate::Or)
        }
        Predicate::Not(inner) => match simplified(inner) {
            Predicate::Not(twice) => *twice,
            Predicate::All => Predicate::None,
            Predicate::None => Predicate::All,
            other => Predicate::Not(Box::new(other)),
        },
        Predicate::Compare(comparison) if comparison.operator.is_negative() => {
            let mut positive = comparison.clone();
            positive.operator = comparison.operator.positive();
            match simplified(&Predicate::Compare(positive)) {
                Predicate::None => Predicate::All,
                other => Predicate::Not(Box::new(other)),
            }
        }
        // Every candidate has an alias.
        Predicate::Compare(comparison)
            if comparison.property == Property::Held(Attribute::Alias) && is_null(predicate) =>
        {
            Predicate::None
        }
        Predicate::Compare(_) | Predicate::Quantified(_) | Predicate::All | Predicate::None => predicate.clone(),
    }
}

fn only_or(mut parts: Vec<Predicate>, empty: Predicate, join: fn(Vec<Predicate>) -> Predicate) -> Predicate {
    match parts.len() {
        0 => empty,
        1 => parts.pop().unwrap_or(empty),
        _ => join(parts),
    }
}

fn whole(predicate: &Predicate) -> String {
    if predicate.is_about_devices() {
        return "nobody: the rule is about devices".into();
    }
    let parts = match predicate {
        Predicate::And(parts) => parts.clone(),
        Predicate::All => return "everyone".into(),
        Predicate::None => return "nobody".into(),
        Predicate::Or(_) | Predicate::Not(_) | Predicate::Compare(_) | Predicate::Quantified(_) => {
            vec![predicate.clone()]
        }
    };
    let (mut positive, negative): (Vec<&Predicate>, Vec<&Predicate>) = parts
        .iter()
        .partition(|part| !matches!(part, Predicate::Not(inner) if !is_null(inner)));
    // A type among the conditions says what is found; without one it is everyone.
    let typed = positive.iter().position(|part| kinds(part).is_some());
    if typed.is_some() {
        // Users are persons, as far as categories go.
        positive.retain(|part| !is_category_of_persons(part) || parts.len() == 1);
    }
    let typed = typed.and_then(|_| positive.iter().position(|part| kinds(part).is_some()));
    let subject = match typed.map(|at| positive.remove(at)).and_then(kinds) {
        Some(kinds) => format!("every {}", listed(&kinds, "or")),
        None => "everyone".into(),
    };
    let mut text = subject;
    match positive.as_slice() {
        [] => {}
        [only] => text.push_str(&format!(" {}", clause(only, Level::Whole))),
        several => text.push_str(&format!(" {}", conjunction(several))),
    }
    let excepted: Vec<Predicate> = negative
        .iter()
        .filter_map(|part| match part {
            Predicate::Not(inner) => Some((**inner).clone()),
            _ => None,
        })
        .collect();
    if !excepted.is_empty() {
        text.push_str(", except ");
        text.push_str(&exception(&excepted));
    }
    text
}

/// What one clause excludes, or any of several.
fn exception(excepted: &[Predicate]) -> String {
    // A type alone reads better as a noun: "except shared mailboxes".
    let all_kinds: Option<Vec<Vec<String>>> = excepted.iter().map(kinds).collect();
    if let Some(all) = all_kinds {
        let plural: Vec<String> = all.into_iter().flatten().map(|kind| label::plural(&kind)).collect();
        return listed(&plural, "and");
    }
    let joined = simplified(&Predicate::Or(excepted.to_vec()));
    format!("those {}", clause(&joined, Level::Whole))
}

/// Where a clause stands: lists of another kind need parentheses inside one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Whole,
    InAnd,
    InOr,
}

fn clause(predicate: &Predicate, level: Level) -> String {
    match predicate {
        Predicate::And(parts) => {
            let text = conjunction(&parts.iter().collect::<Vec<_>>());
            bracketed(text, level == Level::InOr)
        }
        Predicate::Or(parts) => match phrase::alternatives(parts) {
            Some(text) => text,
            None => {
                let texts: Vec<String> = merged(parts);
                bracketed(listed(&texts, "or"), level == Level::InAnd && texts.len() > 1)
            }
        },
        Predicate::Not(inner) => phrase::negated(inner).unwrap_or_else(|| {
            format!(
                "to whom this does not apply: {}",
                bracketed(clause(inner, Level::Whole), true)
            )
        }),
        Predicate::Compare(comparison) => phrase::comparison(comparison, phrase::Sense::Holds),
        Predicate::Quantified(quantified) => phrase::quantified(quantified),
        Predicate::All => "who is anybody at all".into(),
        Predicate::None => "who is nobody".into(),
    }
}

fn conjunction(parts: &[&Predicate]) -> String {
    let texts: Vec<String> = parts.iter().map(|part| clause(part, Level::InAnd)).collect();
    texts.join(" and ")
}

/// Alternatives, those of one property said together: `Office` A, `Office` B, `Title` C are two.
fn merged(parts: &[Predicate]) -> Vec<String> {
    let mut texts = Vec::new();
    let mut rest: Vec<&Predicate> = parts.iter().collect();
    while !rest.is_empty() {
        let first = rest.remove(0);
        let Some(property) = phrase::property_told(first) else {
            texts.push(clause(first, Level::InOr));
            continue;
        };
        let (same, others): (Vec<&Predicate>, Vec<&Predicate>) = rest
            .iter()
            .partition(|part| phrase::property_told(part) == Some(property));
        let group: Vec<Predicate> = std::iter::once(first).chain(same).cloned().collect();
        texts.push(phrase::alternatives(&group).unwrap_or_else(|| clause(first, Level::InOr)));
        rest = others;
    }
    texts
}

fn bracketed(text: String, is_needed: bool) -> String {
    if is_needed { format!("({text})") } else { text }
}

/// `a`, `a or b`, `a, b or c`.
fn listed(texts: &[String], word: &str) -> String {
    match texts {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} {word} {last}", first.join(", ")),
    }
}

fn is_category_of_persons(predicate: &Predicate) -> bool {
    matches!(
        predicate,
        Predicate::Compare(comparison)
            if comparison.property == Property::Held(Attribute::ObjectCategory)
                && comparison.literal.text().is_some_and(|text| text.eq_ignore_ascii_case("person"))
    )
}

fn is_null(predicate: &Predicate) -> bool {
    matches!(predicate, Predicate::Compare(comparison) if comparison.literal == Literal::Null)
}

/// The kinds a clause about types names, as nouns.
fn kinds(predicate: &Predicate) -> Option<Vec<String>> {
    match predicate {
        Predicate::Compare(comparison) => {
            let is_equality = matches!(comparison.operator, Operator::Eq | Operator::Like | Operator::Approx);
            let text = comparison
                .literal
                .text()
                .filter(|text| is_equality && !text.contains('*'))?;
            match comparison.property {
                Property::Held(Attribute::RecipientType) => Some(vec![label::recipient_type(text)]),
                Property::Held(Attribute::RecipientTypeDetails) => Some(vec![label::kind(text)]),
                Property::Held(Attribute::ObjectClass) => Some(vec![label::class(text)]),
                _ => None,
            }
        }
        Predicate::Or(parts) => {
            let all: Option<Vec<Vec<String>>> = parts.iter().map(kinds).collect();
            all.map(|all| all.concat())
        }
        Predicate::And(_) | Predicate::Not(_) | Predicate::Quantified(_) | Predicate::All | Predicate::None => None,
    }
}
