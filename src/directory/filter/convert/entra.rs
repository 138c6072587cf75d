//! A predicate as an Entra dynamic membership rule.
//!
//! In: a predicate from any language, without the exclusions Exchange appends. Out: a rule that finds the same
//! objects, or every clause that cannot be said. Entra's groups hold users, so a rule for others than users cannot be
//! one of Entra's at all.

use super::Inexpressible;
use crate::directory::attribute::{Attribute, Property};
use crate::directory::filter::entra;
use crate::directory::filter::operator::Operator;
use crate::directory::filter::predicate::{Comparison, Literal, Pieces, Predicate};
use crate::directory::value::{ValueType, parse_boolean};

/// Writes a predicate that came from an Entra rule.
pub(super) fn print_own(predicate: &Predicate) -> Result<String, Vec<Inexpressible>> {
    entra::print(predicate).ok_or_else(|| {
        vec![Inexpressible {
            clause: predicate.to_string(),
            why: "no Entra rule says this".into(),
        }]
    })
}

/// Writes a predicate that came from another language.
pub(super) fn print(predicate: &Predicate) -> Result<String, Vec<Inexpressible>> {
    let mut faults = Vec::new();
    let core = match without_user_class(predicate) {
        Some(core) => core,
        None => {
            faults.push(Inexpressible {
                clause: predicate.to_string(),
                why: "an Entra rule finds users only; this one finds contacts and groups too, unless \
                      ObjectClass -eq 'user' stands beside the rest"
                    .into(),
            });
            predicate.clone()
        }
    };
    let said = say(&core, &mut faults);
    if faults.is_empty() {
        print_own(&said)
    } else {
        Err(faults)
    }
}

/// The rest of an AND that asks for the class of users; for nothing but that, everybody with an id.
fn without_user_class(predicate: &Predicate) -> Option<Predicate> {
    let everybody = || comparison(Attribute::ObjectId, Operator::Ne, Literal::Null);
    match predicate {
        Predicate::And(parts) => {
            let at = parts.iter().position(|part| without_user_class(part).is_some())?;
            let mut rest = parts.clone();
            // A nested AND may hold the clause beside others.
            match parts.get(at).and_then(without_user_class) {
                Some(inner) if inner != everybody() => *rest.get_mut(at)? = inner,
                Some(_) | None => {
                    rest.remove(at);
                }
            }
            // Active Directory's category of persons holds every user.
            rest.retain(|part| !asks_for(part, Attribute::ObjectCategory, "person"));
            Some(match rest.as_slice() {
                [] => everybody(),
                [only] => only.clone(),
                _ => Predicate::And(rest),
            })
        }
        _ if asks_for(predicate, Attribute::ObjectClass, "user") => Some(everybody()),
        Predicate::Or(_)
        | Predicate::Not(_)
        | Predicate::Compare(_)
        | Predicate::Quantified(_)
        | Predicate::All
        | Predicate::None => None,
    }
}

fn asks_for(predicate: &Predicate, attribute: Attribute, value: &str) -> bool {
    match predicate {
        Predicate::Compare(found) => {
            found.property == Property::Held(attribute)
                && matches!(found.operator, Operator::Eq | Operator::Like)
                && found
                    .literal
                    .text()
                    .is_some_and(|text| text.eq_ignore_ascii_case(value))
        }
        Predicate::And(_)
        | Predicate::Or(_)
        | Predicate::Not(_)
        | Predicate::Quantified(_)
        | Predicate::All
        | Predicate::None => false,
    }
}

fn comparison(attribute: Attribute, operator: Operator, literal: Literal) -> Predicate {
    Predicate::Compare(Comparison {
        property: Property::Held(attribute),
        operator,
        literal,
    })
}

/// The predicate in terms Entra has.
fn say(predicate: &Predicate, faults: &mut Vec<Inexpressible>) -> Predicate {
    match predicate {
        Predicate::And(parts) if parts.is_empty() => say(&Predicate::All, faults),
        Predicate::Or(parts) if parts.is_empty() => say(&Predicate::None, faults),
        Predicate::And(parts) => Predicate::And(parts.iter().map(|part| say(part, faults)).collect()),
        Predicate::Or(parts) => Predicate::Or(parts.iter().map(|part| say(part, faults)).collect()),
        Predicate::Not(inner) => Predicate::Not(Box::new(say(inner, faults))),
        Predicate::Compare(comparison) => match comparison_in_entra(comparison) {
            Ok(said) => said,
            Err(why) => {
                faults.push(Inexpressible {
                    clause: comparison.to_string(),
                    why,
                });
                Predicate::None
            }
        },
        Predicate::Quantified(_) => predicate.clone(),
        Predicate::All => comparison(Attribute::ObjectId, Operator::Ne, Literal::Null),
        Predicate::None => comparison(Attribute::ObjectId, Operator::Eq, Literal::Null),
    }
}

fn comparison_in_entra(asked: &Comparison) -> Result<Predicate, String> {
    let attribute = match &asked.property {
        Property::Held(attribute) => *attribute,
        Property::Extension(_) => Attribute::ExtensionProperties,
        Property::NotHeld(row) => return Err(no_property(row.name)),
        Property::Device(_) => return Err("no mail recipient is a device".into()),
    };
    // Bit 2 of userAccountControl is what Entra calls a disabled account.
    let asks_disabled = attribute == Attribute::UserAccountControl
        && matches!(asked.operator, Operator::BitAnd | Operator::BitOr)
        && asked.literal.text() == Some("2");
    if asks_disabled {
        return Ok(comparison(
            Attribute::AccountEnabled,
            Operator::Eq,
            Literal::Boolean(false),
        ));
    }
    let is_presence = asked.literal == Literal::Null && asked.operator.positive() == Operator::Eq;
    if attribute == Attribute::Alias && is_presence {
        // Every candidate has one.
        return Ok(comparison(Attribute::ObjectId, asked.operator, Literal::Null));
    }
    match attribute {
        Attribute::MemberOfGroup | Attribute::MemberOfGroupRecursive => {
            return Err("Entra names groups by object id, not by distinguished name".into());
        }
        Attribute::RecipientType | Attribute::RecipientTypeDetails => {
            return Err("Entra knows no recipient types; userType tells members and guests".into());
        }
        _ if asked.property.attribute() == Some(Attribute::ExtensionProperties) => {}
        _ if entra::name_of(attribute).is_none() => return Err(no_property(attribute.name())),
        _ => {}
    }
    let with = |operator: Operator, literal: Literal| {
        Predicate::Compare(Comparison {
            property: asked.property.clone(),
            operator,
            literal,
        })
    };
    match attribute.value_type() {
        ValueType::Boolean => return truth(asked).map(|(operator, literal)| with(operator, literal)),
        ValueType::Addresses | ValueType::Dns if !is_presence => {
            return elements(attribute, asked);
        }
        _ => {}
    }
    operator_in_entra(asked, attribute).map(|(operator, literal)| with(operator, literal))
}

fn truth(asked: &Comparison) -> Result<(Operator, Literal), String> {
    let value = asked.literal.text().and_then(parse_boolean);
    match (asked.operator.positive(), value) {
        (Operator::Eq | Operator::Like | Operator::Approx, Some(value)) => {
            let operator = if asked.operator.is_negative() {
                Operator::Ne
            } else {
                Operator::Eq
            };
            Ok((operator, Literal::Boolean(value)))
        }
        _ => Err("a truth value is compared with -eq or -ne only".into()),
    }
}

/// A collection is asked element by element.
fn elements(attribute: Attribute, asked: &Comparison) -> Result<Predicate, String> {
    use crate::directory::filter::quantified::{ElementComparison, ElementTest, Field, Quantified, Quantifier};
    let (operator, literal) = operator_in_entra(asked, attribute)?;
    let quantifier = if operator.is_negative() {
        Quantifier::All
    } else {
        Quantifier::Any
    };
    Ok(Predicate::Quantified(Box::new(Quantified {
        collection: attribute,
        quantifier,
        inner: ElementTest::Compare(ElementComparison {
            field: Field::Whole,
            operator,
            literal,
        }),
    })))
}

fn operator_in_entra(asked: &Comparison, attribute: Attribute) -> Result<(Operator, Literal), String> {
    let operator = asked.operator;
    let signed = |positive: Operator, negative: Operator| if operator.is_negative() { negative } else { positive };
    let text_of = |literal: &Literal| match literal {
        Literal::Number(text) => Literal::Text(text.clone()),
        other => other.clone(),
    };
    match (operator.positive(), &asked.literal) {
        (_, Literal::Pieces(pieces)) => {
            let (positive, text) = whole_part(pieces)?;
            Ok((negated(positive, operator.is_negative()), Literal::Text(text)))
        }
        (Operator::Like, Literal::Text(text)) if text.contains('*') => {
            if text.bytes().all(|byte| byte == b'*') {
                return Ok((signed(Operator::Ne, Operator::Eq), Literal::Null));
            }
            let (positive, text) = whole_part(&pieces_of(text))?;
            Ok((negated(positive, operator.is_negative()), Literal::Text(text)))
        }
        (Operator::Eq | Operator::Like | Operator::Approx, literal) => {
            Ok((signed(Operator::Eq, Operator::Ne), text_of(literal)))
        }
        (Operator::In | Operator::StartsWith | Operator::EndsWith | Operator::Contains | Operator::Match, literal) => {
            Ok((operator, literal.clone()))
        }
        (Operator::Ge | Operator::Le, literal) if attribute == Attribute::EmployeeHireDate => {
            Ok((operator, literal.clone()))
        }
        (Operator::ReportsTo, _) => Err("\"Direct Reports for\" stands alone in a rule".into()),
        (Operator::Lt | Operator::Le | Operator::Gt | Operator::Ge, _) => {
            Err("Entra compares nothing but employeeHireDate by order".into())
        }
        (Operator::BitAnd | Operator::BitOr, _) => Err("Entra compares no bits".into()),
        (Operator::InChain, _) => Err("Entra follows no chains of references".into()),
        (other, _) => Err(format!("Entra has no -{}", other.word())),
    }
}

fn negated(positive: Operator, is_negative: bool) -> Operator {
    match (positive, is_negative) {
        (Operator::StartsWith, true) => Operator::NotStartsWith,
        (Operator::EndsWith, true) => Operator::NotEndsWith,
        (Operator::Contains, true) => Operator::NotContains,
        (positive, _) => positive,
    }
}

fn pieces_of(pattern: &str) -> Pieces {
    let mut pieces: Vec<Box<str>> = pattern.split('*').map(Into::into).collect();
    let last = pieces.pop().unwrap_or_default();
    let middle = if pieces.len() > 1 {
        pieces.split_off(1)
    } else {
        Vec::new()
    };
    Pieces {
        initial: pieces.pop().unwrap_or_default(),
        middle: middle.into(),
        last,
    }
}

/// The one part of a pattern as beginning, end or content. Several parts would be a regular expression, which
/// compares accents in another way.
fn whole_part(pieces: &Pieces) -> Result<(Operator, Box<str>), String> {
    let middle: Vec<&str> = pieces
        .middle
        .iter()
        .map(|piece| &**piece)
        .filter(|piece| !piece.is_empty())
        .collect();
    match (&*pieces.initial, middle.as_slice(), &*pieces.last) {
        (initial, [], "") if !initial.is_empty() => Ok((Operator::StartsWith, initial.into())),
        ("", [], last) if !last.is_empty() => Ok((Operator::EndsWith, last.into())),
        ("", [only], "") => Ok((Operator::Contains, (*only).into())),
        _ => Err("a wildcard between two parts needs -match and a regular expression".into()),
    }
}

fn no_property(name: &str) -> String {
    format!("Entra rules have no property for {name}")
}
