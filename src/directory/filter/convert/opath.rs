//! A predicate as an OPATH filter.
//!
//! In: a predicate from any language. Out: a text that finds the same objects, or every clause that OPATH cannot
//! say.

use super::{Inexpressible, of_collection};
use crate::directory::attribute::{Attribute, Property};
use crate::directory::documented::documented;
use crate::directory::filter::operator::Operator;
use crate::directory::filter::predicate::{Comparison, Literal, Pieces, Predicate};
use crate::directory::value::ValueType;

/// msExchProvisioningFlags: the hierarchy of a public folder mailbox is not ready.
const HIERARCHY_NOT_READY: &str = "524288";

/// Writes a predicate.
pub(super) fn print(predicate: &Predicate) -> Result<String, Vec<Inexpressible>> {
    let mut faults = Vec::new();
    let said = say(predicate, &mut faults);
    if faults.is_empty() {
        Ok(said.to_string())
    } else {
        Err(faults)
    }
}

/// The predicate in terms OPATH has.
fn say(predicate: &Predicate, faults: &mut Vec<Inexpressible>) -> Predicate {
    let mut fault = |clause: String, why: String| {
        faults.push(Inexpressible { clause, why });
        Predicate::None
    };
    match predicate {
        Predicate::And(parts) => Predicate::And(parts.iter().map(|part| say(part, faults)).collect()),
        Predicate::Or(parts) => Predicate::Or(parts.iter().map(|part| say(part, faults)).collect()),
        Predicate::Not(inner) => Predicate::Not(Box::new(say(inner, faults))),
        Predicate::Compare(comparison) => match comparison_in_opath(comparison) {
            Ok(said) => said,
            Err(why) => fault(comparison.to_string(), why),
        },
        Predicate::Quantified(quantified) => match of_collection(quantified) {
            Some(same) => say(&same, faults),
            None => fault(
                quantified.to_string(),
                "OPATH has no conditions on the fields of one element of a collection".into(),
            ),
        },
        Predicate::All | Predicate::None => predicate.clone(),
    }
}

fn comparison_in_opath(comparison: &Comparison) -> Result<Predicate, String> {
    let attribute = match &comparison.property {
        Property::Held(attribute) => *attribute,
        Property::NotHeld(row) if documented(row.name).is_some() => return simple(comparison, None),
        Property::NotHeld(row) => return Err(no_property(row.name)),
        Property::Extension(name) => return Err(no_property(name)),
        Property::Device(_) => return Err("no mail recipient is a device".into()),
    };
    let is_hierarchy = attribute == Attribute::ProvisioningFlags
        && comparison.operator == Operator::BitAnd
        && comparison.literal.text() == Some(HIERARCHY_NOT_READY);
    if is_hierarchy {
        return Ok(boolean(Attribute::IsHierarchyReady, false));
    }
    if attribute == Attribute::ObjectId && comparison.literal == Literal::Null {
        // Every object has an id, as every candidate has an alias.
        return Ok(Predicate::Compare(Comparison {
            property: Property::Held(Attribute::Alias),
            operator: comparison.operator,
            literal: Literal::Null,
        }));
    }
    let is_ours = attribute == Attribute::MemberOfGroupRecursive;
    if documented(attribute.name()).is_none() && !is_ours {
        return Err(match attribute {
            Attribute::UserType => "Exchange knows guests as RecipientTypeDetails GuestMailUser".into(),
            Attribute::AccountEnabled => {
                "Exchange compares UserAccountControl as a whole number, not by its bit for disabled accounts".into()
            }
            _ => no_property(attribute.name()),
        });
    }
    simple(comparison, Some(attribute))
}

fn boolean(attribute: Attribute, value: bool) -> Predicate {
    Predicate::Compare(Comparison {
        property: Property::Held(attribute),
        operator: Operator::Eq,
        literal: Literal::Boolean(value),
    })
}

/// A comparison with a property that OPATH has, in operators that it has.
fn simple(comparison: &Comparison, attribute: Option<Attribute>) -> Result<Predicate, String> {
    let with = |operator: Operator, literal: Literal| {
        Predicate::Compare(Comparison {
            property: comparison.property.clone(),
            operator,
            literal,
        })
    };
    let operator = comparison.operator;
    match (operator.positive(), &comparison.literal) {
        (Operator::Eq | Operator::Lt | Operator::Le | Operator::Gt | Operator::Ge | Operator::Like, literal) => {
            match literal {
                Literal::Pieces(pieces) => Ok(with(operator, Literal::Text(pattern(pieces, attribute)?))),
                Literal::Now(_) => Err("OPATH does not know the time of day; write a date".into()),
                Literal::List(_) => Err("OPATH has no lists".into()),
                Literal::Text(_) | Literal::Number(_) | Literal::Boolean(_) | Literal::Null => {
                    Ok(with(operator, literal.clone()))
                }
            }
        }
        (Operator::Approx, literal) => Ok(with(Operator::Eq, literal.clone())),
        (Operator::In, Literal::List(values)) => {
            let parts: Vec<Predicate> = values
                .iter()
                .map(|value| with(Operator::Eq, Literal::Text(value.clone())))
                .collect();
            let any = Predicate::Or(parts);
            Ok(if operator == Operator::NotIn {
                Predicate::Not(Box::new(any))
            } else {
                any
            })
        }
        (Operator::StartsWith | Operator::EndsWith | Operator::Contains, Literal::Text(text)) => {
            part(operator, text, attribute).map(|(operator, literal)| with(operator, literal))
        }
        (Operator::Match, _) => Err("OPATH has no regular expressions".into()),
        (Operator::BitAnd | Operator::BitOr, _) => Err("OPATH compares numbers as a whole, not their bits".into()),
        (Operator::InChain, _) => Err("OPATH finds direct members and managers only".into()),
        (Operator::ReportsTo, _) => Err("OPATH names a manager by distinguished name, not by object id".into()),
        (other, _) => Err(format!("OPATH has no -{} with such a value", other.word())),
    }
}

/// A part of a text as a pattern with stars.
fn part(operator: Operator, text: &str, attribute: Option<Attribute>) -> Result<(Operator, Literal), String> {
    let is_negative = operator.is_negative();
    if text.is_empty() {
        // Every stored text begins with the empty one.
        let operator = if is_negative { Operator::Eq } else { Operator::Ne };
        return Ok((operator, Literal::Null));
    }
    if text.contains('*') {
        return Err("a star is always a wildcard in OPATH".into());
    }
    if let Some(ValueType::Dn | ValueType::Dns) = attribute.map(Attribute::value_type) {
        return Err("OPATH finds no parts of distinguished names".into());
    }
    let pattern = match operator.positive() {
        Operator::StartsWith => format!("{text}*"),
        Operator::EndsWith => format!("*{text}"),
        _ => format!("*{text}*"),
    };
    let operator = if is_negative { Operator::NotLike } else { Operator::Like };
    Ok((operator, Literal::Text(pattern.into())))
}

fn pattern(pieces: &Pieces, attribute: Option<Attribute>) -> Result<Box<str>, String> {
    let all = || {
        std::iter::once(&pieces.initial)
            .chain(&pieces.middle)
            .chain([&pieces.last])
    };
    if all().any(|piece| piece.contains('*')) {
        return Err("a star is always a wildcard in OPATH".into());
    }
    match attribute.map(Attribute::value_type) {
        None
        | Some(ValueType::Text | ValueType::Texts | ValueType::Address | ValueType::Addresses | ValueType::Country) => {
            Ok(pieces.to_string().into())
        }
        // OPATH would find names of enumerations by the pattern; a directory finds nothing.
        Some(_) => Err("a pattern over a property that is no text finds nobody in Active Directory".into()),
    }
}

fn no_property(name: &str) -> String {
    format!("Exchange has no property for {name}")
}
