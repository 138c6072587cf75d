//! A predicate as an Entra rule: every comparison in parentheses, read back as the same tree.

use super::names;
use crate::directory::attribute::{Attribute, Property};
use crate::directory::filter::operator::Operator;
use crate::directory::filter::predicate::{Comparison, DaysFromNow, Literal, Predicate};
use crate::directory::filter::quantified::{ElementTest, Quantified};

/// The predicate as a rule; `None` if it holds something Entra has no words for.
pub fn print(predicate: &Predicate) -> Option<String> {
    if let Predicate::Compare(Comparison {
        operator: Operator::ReportsTo,
        literal: Literal::Text(id),
        ..
    }) = predicate
    {
        return Some(format!("Direct Reports for {}", quoted(id)));
    }
    condition(predicate)
}

fn condition(predicate: &Predicate) -> Option<String> {
    match predicate {
        Predicate::And(parts) => joined(parts.iter().map(condition), " -and "),
        Predicate::Or(parts) => joined(parts.iter().map(condition), " -or "),
        Predicate::Not(inner) => Some(format!("(-not {})", condition(inner)?)),
        Predicate::Compare(comparison) => comparison_text(comparison),
        Predicate::Quantified(quantified) => quantified_text(quantified),
        Predicate::All | Predicate::None => None,
    }
}

/// Two or more parts in parentheses; Entra has no words for none.
fn joined(parts: impl Iterator<Item = Option<String>>, word: &str) -> Option<String> {
    let parts: Vec<String> = parts.collect::<Option<_>>()?;
    match parts.as_slice() {
        [] => None,
        [only] => Some(only.clone()),
        several => Some(format!("({})", several.join(word))),
    }
}

fn comparison_text(comparison: &Comparison) -> Option<String> {
    if !Operator::ENTRA.contains(&comparison.operator) {
        return None;
    }
    let property = match &comparison.property {
        Property::Held(attribute) => names::by_attribute(*attribute)?.name.to_owned(),
        Property::Extension(name) => format!("user.{name}"),
        Property::Device(name) => format!("device.{name}"),
        Property::NotHeld(_) => return None,
    };
    let value = literal(&comparison.literal)?;
    Some(format!("({property} -{} {value})", comparison.operator.word()))
}

fn quantified_text(quantified: &Quantified) -> Option<String> {
    let name = names::by_attribute(quantified.collection)?.name;
    let inner = element(&quantified.inner)?;
    // A single comparison has parentheses of its own.
    Some(format!("({name} -{} {inner})", quantified.quantifier.word()))
}

fn element(test: &ElementTest) -> Option<String> {
    match test {
        ElementTest::And(parts) => joined(parts.iter().map(element), " -and "),
        ElementTest::Or(parts) => joined(parts.iter().map(element), " -or "),
        ElementTest::Not(inner) => Some(format!("(-not {})", element(inner)?)),
        ElementTest::Compare(comparison) if Operator::ENTRA.contains(&comparison.operator) => Some(format!(
            "({} -{} {})",
            comparison.field.name(),
            comparison.operator.word(),
            literal(&comparison.literal)?
        )),
        ElementTest::Compare(_) => None,
    }
}

fn literal(literal: &Literal) -> Option<String> {
    Some(match literal {
        Literal::Text(text) => quoted(text),
        Literal::Number(number) => number.to_string(),
        Literal::Boolean(true) => "true".into(),
        Literal::Boolean(false) => "false".into(),
        Literal::Null => "null".into(),
        Literal::List(values) => {
            let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
            format!("[{}]", values.join(", "))
        }
        Literal::Now(DaysFromNow(0)) => "system.now".into(),
        Literal::Now(DaysFromNow(days)) if *days > 0 => format!("system.now -plus p{days}d"),
        Literal::Now(DaysFromNow(days)) => format!("system.now -minus p{}d", days.unsigned_abs()),
        Literal::Pieces(_) => return None,
    })
}

/// In double quotes, as Entra's own editor writes; a text with backticks in single ones, where they mean nothing.
pub(super) fn quoted(text: &str) -> String {
    if text.contains('`') {
        format!("'{}'", text.replace('\'', "''"))
    } else {
        format!("\"{}\"", text.replace('"', "`\""))
    }
}

/// The name Entra uses for an attribute, with `user.` before it.
pub fn name_of(attribute: Attribute) -> Option<&'static str> {
    names::by_attribute(attribute).map(|row| row.name)
}
