//! A predicate as an Entra rule: every comparison in parentheses, read back as the same tree.

use super::names;
use crate::directory::attribute::{Attribute, Property};
use crate::directory::filter::operator::Operator;
use crate::directory::filter::predicate::{Comparison, DaysFromNow, Literal, Predicate};
use crate::directory::filter::print::{Style, Within};
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
    condition(predicate, Style::of(predicate), Within::Nothing)
}

fn condition(predicate: &Predicate, style: Style, within: Within) -> Option<String> {
    match predicate {
        Predicate::And(parts) => {
            let parts = parts.iter().map(|part| condition(part, style, Within::And));
            joined(parts, " -and ", style == Style::Full || within.encloses_and())
        }
        Predicate::Or(parts) => {
            let parts = parts.iter().map(|part| condition(part, style, Within::Or));
            joined(parts, " -or ", style == Style::Full || within.encloses_or())
        }
        Predicate::Not(inner) => Some(negated(condition(inner, style, Within::Not)?, style)),
        Predicate::Compare(comparison) => Some(clause(comparison_text(comparison)?, style)),
        Predicate::Quantified(quantified) => Some(clause(quantified_text(quantified, style)?, style)),
        Predicate::All | Predicate::None => None,
    }
}

fn clause(text: String, style: Style) -> String {
    match style {
        Style::Full => format!("({text})"),
        Style::Sparse => text,
    }
}

fn negated(inner: String, style: Style) -> String {
    clause(format!("-not {inner}"), style)
}

/// Two or more parts; Entra has no words for none.
fn joined(parts: impl Iterator<Item = Option<String>>, word: &str, enclosed: bool) -> Option<String> {
    let parts: Vec<String> = parts.collect::<Option<_>>()?;
    match parts.as_slice() {
        [] => None,
        [only] => Some(only.clone()),
        several if enclosed => Some(format!("({})", several.join(word))),
        several => Some(several.join(word)),
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
    Some(format!("{property} -{} {value}", comparison.operator.word()))
}

fn quantified_text(quantified: &Quantified, style: Style) -> Option<String> {
    let name = names::by_attribute(quantified.collection)?.name;
    let inner = element(&quantified.inner, style, Within::Nothing)?;
    // In full style the condition has parentheses of its own.
    let inner = match style {
        Style::Full => inner,
        Style::Sparse => format!("({inner})"),
    };
    Some(format!("{name} -{} {inner}", quantified.quantifier.word()))
}

fn element(test: &ElementTest, style: Style, within: Within) -> Option<String> {
    match test {
        ElementTest::And(parts) => {
            let parts = parts.iter().map(|part| element(part, style, Within::And));
            joined(parts, " -and ", style == Style::Full || within.encloses_and())
        }
        ElementTest::Or(parts) => {
            let parts = parts.iter().map(|part| element(part, style, Within::Or));
            joined(parts, " -or ", style == Style::Full || within.encloses_or())
        }
        ElementTest::Not(inner) => Some(negated(element(inner, style, Within::Not)?, style)),
        ElementTest::Compare(comparison) if Operator::ENTRA.contains(&comparison.operator) => {
            let value = literal(&comparison.literal)?;
            let (field, operator) = (comparison.field.name(), comparison.operator.word());
            Some(clause(format!("{field} -{operator} {value}"), style))
        }
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
