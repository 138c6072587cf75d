//! The nearest miss: what would make somebody a member, at the least.
//!
//! In: a rule and an object that it leaves out. Out: the smallest set of changed values with which it would not, other
//! spellings before other values; and who else has the same fault. Never: a proposal that was not tried.

use std::fmt;

use roaring::RoaringBitmap;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use super::context::EvaluationContext;
use super::evaluate::Node;
use super::matcher::{Matcher, Written};
use super::operator::Operator;
use super::predicate::{Comparison, Literal};
use super::rule::CompiledRule;
use crate::directory::attribute::Attribute;
use crate::directory::recipient::RecipientObject;
use crate::directory::value::{Value, ValueRef};
use crate::directory::{Directory, Ordinal};

/// What would have to be otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nearest {
    /// Values, each of another attribute.
    pub changes: Vec<Change>,
}

/// One value that would have to be otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Whose value.
    pub attribute: Attribute,
    /// What is stored, as filters see it; none: nothing.
    pub stored: Option<String>,
    /// What would do; none: nothing.
    pub instead: Option<String>,
    /// How the two differ.
    pub kind: ChangeKind,
    value: Option<Value>,
}

/// How a stored value differs from one that would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// `"Berlin "`.
    BlankAtTheEnd,
    /// `" Berlin"`.
    BlankAtTheBeginning,
    /// More blanks than one between words, or one that is not a space.
    Blanks,
    /// Upper and lower case.
    Case,
    /// Marks on letters, or their width.
    Accent,
    /// Several of these.
    Spelling,
    /// Another value.
    Value,
    /// A value where none is stored, any would do.
    Anything,
    /// No value.
    Nothing,
}

impl ChangeKind {
    /// The word, which does not change.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::BlankAtTheEnd => "blank at the end",
            Self::BlankAtTheBeginning => "blank at the beginning",
            Self::Blanks => "blanks",
            Self::Case => "case",
            Self::Accent => "accent",
            Self::Spelling => "spelling",
            Self::Value => "value",
            Self::Anything => "missing",
            Self::Nothing => "present",
        }
    }

    /// True if both are the same words.
    #[must_use]
    pub const fn is_spelling(self) -> bool {
        match self {
            Self::BlankAtTheEnd
            | Self::BlankAtTheBeginning
            | Self::Blanks
            | Self::Case
            | Self::Accent
            | Self::Spelling => true,
            Self::Value | Self::Anything | Self::Nothing => false,
        }
    }

    /// The text with this fault repaired, as far as that can be said without knowing what it should be.
    fn repaired(self, text: &str) -> Option<String> {
        match self {
            Self::BlankAtTheEnd => Some(text.trim_end().to_owned()),
            Self::BlankAtTheBeginning => Some(text.trim_start().to_owned()),
            Self::Blanks => Some(single_blanks(text)),
            Self::Case | Self::Accent | Self::Spelling => Some(loose(text)),
            Self::Value | Self::Anything | Self::Nothing => None,
        }
    }
}

/// `without the blank at the end of Office`, `with Office "Berlin" instead of "Bonn"`.
impl fmt::Display for Change {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attribute = self.attribute;
        let instead = self.instead.as_deref().unwrap_or_default();
        match (self.kind, &self.stored) {
            (ChangeKind::BlankAtTheEnd, _) => write!(out, "without the blank at the end of {attribute}"),
            (ChangeKind::BlankAtTheBeginning, _) => write!(out, "without the blank at the beginning of {attribute}"),
            (ChangeKind::Blanks, _) => write!(out, "with {attribute} \"{instead}\", its blanks put right"),
            (ChangeKind::Case | ChangeKind::Accent | ChangeKind::Spelling, Some(stored)) => {
                write!(out, "with {attribute} spelled \"{instead}\" instead of \"{stored}\"")
            }
            (ChangeKind::Value, Some(stored)) => {
                write!(out, "with {attribute} \"{instead}\" instead of \"{stored}\"")
            }
            (ChangeKind::Case | ChangeKind::Accent | ChangeKind::Spelling | ChangeKind::Value, None) => {
                write!(out, "with {attribute} \"{instead}\"")
            }
            (ChangeKind::Anything, _) => write!(out, "with any {attribute}"),
            (ChangeKind::Nothing, _) => write!(out, "without {attribute}"),
        }
    }
}

impl fmt::Display for Nearest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("would be a member ")?;
        for (index, change) in self.changes.iter().enumerate() {
            if index > 0 {
                out.write_str(" and ")?;
            }
            write!(out, "{change}")?;
        }
        Ok(())
    }
}

/// Another spelling costs little, another value more; the fewest of the dearest decide.
const SPELLING_COST: u32 = 1;
const VALUE_COST: u32 = 100;

/// What would make the object a member. None if it is one, if a gate shuts it out, or if no change was found.
pub fn nearest(rule: &CompiledRule, recipient: &RecipientObject, context: &dyn EvaluationContext) -> Option<Nearest> {
    // Where it lies and what it is are no values that somebody mistyped.
    let explained = rule.explain(recipient, context);
    if explained.verdict || explained.gates.iter().any(|(_, holds)| !holds) {
        return None;
    }
    let search = Search { recipient, context };
    let mut changes = search.towards(rule.node(), true)?.changes;
    changes.sort_by_key(|change| change.attribute);
    changes.dedup();
    let nearest = Nearest { changes };
    rule.matches(&nearest.applied(recipient), context).then_some(nearest)
}

impl Nearest {
    /// The object with the changes made.
    #[must_use]
    pub fn applied(&self, recipient: &RecipientObject) -> RecipientObject {
        let mut changed = recipient.clone();
        for change in &self.changes {
            changed.attributes.set(change.attribute, change.value.clone());
        }
        changed
    }

    /// Others that the same repair of the same faults would make members: candidates outside `members` whose stored
    /// values are the same words as those that were found here, spelled in the same wrong way.
    ///
    /// Only faults of spelling have others: that somebody else has another value is no fault.
    #[must_use]
    pub fn others(
        &self,
        directory: &Directory,
        rule: &CompiledRule,
        context: &dyn EvaluationContext,
        members: &RoaringBitmap,
    ) -> RoaringBitmap {
        let mut others = RoaringBitmap::new();
        let Some(first) = self.changes.iter().find(|change| change.kind.is_spelling()) else {
            return others;
        };
        if !self.changes.iter().all(|change| change.kind.is_spelling()) {
            return others;
        }
        let mut suspects = RoaringBitmap::new();
        let column = directory.column(first.attribute);
        for (value, postings) in column.coded() {
            if first.same_fault(value).is_some() {
                postings.add_to(&mut suspects);
            }
        }
        for row in column.inline() {
            let value = directory.row(Ordinal(row)).map(|row| row.value(first.attribute));
            if value.is_some_and(|value| first.same_fault(&value).is_some()) {
                suspects.insert(row);
            }
        }
        for row in suspects - members {
            let Some(found) = directory.recipient(Ordinal(row)) else {
                continue;
            };
            let mut changed = (*found).clone();
            let repaired = self.changes.iter().all(|change| {
                let repaired = change.same_fault(&found.value(change.attribute));
                let held = repaired.is_some();
                if let Some(value) = repaired {
                    changed.attributes.set(change.attribute, Some(value));
                }
                held
            });
            if repaired && rule.matches(&changed, context) {
                others.insert(row);
            }
        }
        others
    }
}

impl Change {
    /// The repaired value, if this one has the same fault.
    fn same_fault(&self, value: &ValueRef<'_>) -> Option<Value> {
        let wanted = self.instead.as_deref()?;
        let repaired = |text: &str| -> Option<String> {
            let repaired = self.kind.repaired(text)?;
            let same = match self.kind {
                ChangeKind::Case | ChangeKind::Accent | ChangeKind::Spelling => {
                    text != wanted && repaired == loose(wanted)
                }
                _ => text != repaired && loose(&repaired) == loose(wanted),
            };
            same.then(|| wanted.to_owned())
        };
        match value {
            ValueRef::Text(text) => repaired(text).map(|text| Value::Text(text.into())),
            ValueRef::Texts(texts) => {
                let mut found = false;
                let all: Vec<String> = texts
                    .iter()
                    .map(|text| {
                        let right = repaired(text);
                        found |= right.is_some();
                        right.unwrap_or_else(|| text.to_string())
                    })
                    .collect();
                found.then(|| Value::texts(all.iter().map(String::as_str))).flatten()
            }
            _ => None,
        }
    }
}

struct Search<'a> {
    recipient: &'a RecipientObject,
    context: &'a dyn EvaluationContext,
}

struct Way {
    cost: u32,
    changes: Vec<Change>,
}

impl Way {
    const NONE: Self = Self {
        cost: 0,
        changes: Vec::new(),
    };
}

impl Search<'_> {
    /// The cheapest way to make a condition hold, or not hold.
    fn towards(&self, node: &Node, wanted: bool) -> Option<Way> {
        match (node, wanted) {
            (Node::All(parts), true) | (Node::Any(parts), false) => {
                let mut all = Way::NONE;
                for part in parts {
                    let way = self.towards(part, wanted)?;
                    all.cost = all.cost.saturating_add(way.cost);
                    all.changes.extend(way.changes);
                }
                Some(all)
            }
            (Node::Any(parts), true) | (Node::All(parts), false) => parts
                .iter()
                .filter_map(|part| self.towards(part, wanted))
                .min_by_key(|way| way.cost),
            (Node::Not(inner), wanted) => self.towards(inner, !wanted),
            (Node::Test(matcher), wanted) => self.comparison(matcher, wanted),
            (Node::Constant(holds), wanted) => (*holds == wanted).then_some(Way::NONE),
        }
    }

    fn comparison(&self, matcher: &Matcher, wanted: bool) -> Option<Way> {
        if matcher.holds(self.recipient, self.context) == wanted {
            return Some(Way::NONE);
        }
        let Written::Comparison(comparison) = &matcher.written else {
            return None;
        };
        let attribute = matcher.attribute();
        let stored = self.recipient.value(attribute);
        let tries = spellings(&stored, comparison)
            .into_iter()
            .chain(values(attribute, comparison, wanted));
        for (value, instead, kind) in tries {
            let mut changed = self.recipient.clone();
            changed.attributes.set(attribute, value.clone());
            if matcher.holds(&changed, self.context) != wanted {
                continue;
            }
            let cost = if kind.is_spelling() { SPELLING_COST } else { VALUE_COST };
            let change = Change {
                attribute,
                stored: shown(attribute, &stored),
                instead,
                kind,
                value,
            };
            return Some(Way {
                cost,
                changes: vec![change],
            });
        }
        None
    }
}

fn shown(attribute: Attribute, value: &ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Absent => None,
        value => Some(super::evaluate::shown(attribute, value)),
    }
}

type Try = (Option<Value>, Option<String>, ChangeKind);

/// Other spellings of a stored text, the closest first.
fn spellings(stored: &ValueRef<'_>, comparison: &Comparison) -> Vec<Try> {
    let literal = match &comparison.literal {
        Literal::Text(text) => Some(&**text),
        _ => None,
    };
    match stored {
        ValueRef::Text(text) => spellings_of(text, literal)
            .into_iter()
            .map(|(right, kind)| (Some(Value::Text(right.as_str().into())), Some(right), kind))
            .collect(),
        ValueRef::Texts(texts) => {
            let mut tries = Vec::new();
            for (index, text) in texts.iter().enumerate() {
                for (right, kind) in spellings_of(text, literal) {
                    let all = texts
                        .iter()
                        .enumerate()
                        .map(|(at, text)| if at == index { right.as_str() } else { &**text });
                    tries.push((Value::texts(all), Some(right.clone()), kind));
                }
            }
            tries
        }
        _ => Vec::new(),
    }
}

fn spellings_of(text: &str, literal: Option<&str>) -> Vec<(String, ChangeKind)> {
    let mut all = vec![
        (text.trim_end().to_owned(), ChangeKind::BlankAtTheEnd),
        (text.trim_start().to_owned(), ChangeKind::BlankAtTheBeginning),
        (single_blanks(text), ChangeKind::Blanks),
    ];
    // What the clause says counts as a spelling if both are the same words.
    if let Some(literal) = literal.filter(|literal| loose(literal) == loose(text)) {
        let kind = if literal.to_lowercase() == text.to_lowercase() {
            ChangeKind::Case
        } else if single_blanks(literal) == literal && single_blanks(text) == text {
            ChangeKind::Accent
        } else {
            ChangeKind::Spelling
        };
        all.push((literal.to_owned(), kind));
    }
    all.push((without_marks(text), ChangeKind::Accent));
    all.push((loose(text), ChangeKind::Spelling));
    all.retain(|(right, _)| right != text && !right.is_empty());
    all
}

/// One space between words, none around them.
fn single_blanks(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn without_marks(text: &str) -> String {
    text.nfkd().filter(|c| !is_combining_mark(*c)).collect()
}

/// The words alone: no case, no marks, single blanks.
fn loose(text: &str) -> String {
    single_blanks(&without_marks(text).to_lowercase())
}

/// Values that would do.
fn values(attribute: Attribute, comparison: &Comparison, wanted: bool) -> Vec<Try> {
    let nothing = (None, None, ChangeKind::Nothing);
    let anything = || (Some(Value::Text("x".into())), None, ChangeKind::Anything);
    let of = |text: &str| -> Vec<Try> {
        let value = Value::parse(attribute, text).ok().flatten();
        let words = value.as_ref().and_then(|value| shown(attribute, &value.into()));
        value
            .map(|value| (Some(value), words, ChangeKind::Value))
            .into_iter()
            .collect()
    };
    let positive = comparison.operator.is_negative() != wanted;
    if comparison.literal == Literal::Null {
        return vec![if positive { nothing } else { anything() }];
    }
    if !positive {
        return vec![nothing];
    }
    match (&comparison.operator, &comparison.literal) {
        (Operator::Lt | Operator::Gt, literal) => literal
            .text()
            .into_iter()
            .flat_map(of)
            .flat_map(|(value, _, kind)| beside(attribute, value, kind))
            .collect(),
        (Operator::Like | Operator::NotLike, Literal::Text(text)) => of(&text.replace('*', "")),
        (_, Literal::List(texts)) => texts.first().map(|text| of(text)).unwrap_or_default(),
        (_, Literal::Pieces(pieces)) => {
            let middle: String = pieces.middle.iter().map(AsRef::as_ref).collect();
            of(&format!("{}{middle}{}", pieces.initial, pieces.last))
        }
        (_, literal) => literal.text().map(of).unwrap_or_default(),
    }
}

/// The values next to one that does not do itself.
fn beside(attribute: Attribute, value: Option<Value>, kind: ChangeKind) -> Vec<Try> {
    let both: Vec<Value> = match value {
        Some(Value::Integer(number)) => vec![
            Value::Integer(number.saturating_sub(1)),
            Value::Integer(number.saturating_add(1)),
        ],
        Some(Value::Size(size)) => vec![Value::Size(size.saturating_sub(1)), Value::Size(size.saturating_add(1))],
        Some(Value::Time(at)) => {
            let second = jiff::SignedDuration::from_secs(1);
            [at.checked_sub(second), at.checked_add(second)]
                .into_iter()
                .flatten()
                .map(Value::Time)
                .collect()
        }
        Some(Value::Text(_) | Value::Texts(_) | Value::Boolean(_)) | None => Vec::new(),
    };
    both.into_iter()
        .map(|value| {
            let words = shown(attribute, &(&value).into());
            (Some(value), words, kind)
        })
        .collect()
}

#[cfg(test)]
#[path = "nearest_tests.rs"]
mod tests;
