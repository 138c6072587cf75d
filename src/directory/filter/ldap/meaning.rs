//! What a filter asks, once its grammar is read.
//!
//! In: the tree of items. Out: a [`Predicate`] over the object model, and warnings. Values are read by the type
//! of their attribute: numbers of enumerations, TRUE and FALSE, generalized time, octets of GUIDs, kilobytes.

use std::ops::Range;

use super::super::EvaluationOptions;
use super::super::error::{FilterError, FilterFault};
use super::super::lint::{Warning, WarningKind};
use super::super::opath::Parsed;
use super::super::operand::{Operand, OperandFault};
use super::super::operator::Operator;
use super::super::predicate::{Comparison, Literal, Pieces, Predicate};
use super::syntax::{AssertionValue, Item, ItemTest, Syntax};
use super::{RULE_BIT_AND, RULE_BIT_OR, RULE_IN_CHAIN, names, octets};
use crate::directory::attribute::{Attribute, Property, nearest};
use crate::directory::dn::DistinguishedName;
use crate::directory::value::{ValueType, parse_time};

/// Gives a tree its meaning.
pub(super) fn understand(source: &str, syntax: &Syntax<'_>) -> Result<Parsed, FilterError> {
    let mut reader = Meaning {
        source,
        warnings: Vec::new(),
    };
    let predicate = reader.filter(syntax)?;
    Ok(Parsed {
        predicate,
        warnings: reader.warnings,
    })
}

struct Meaning<'a> {
    source: &'a str,
    warnings: Vec<Warning>,
}

impl Meaning<'_> {
    fn filter(&mut self, syntax: &Syntax<'_>) -> Result<Predicate, FilterError> {
        let mut list = |parts: &[Syntax<'_>]| -> Result<Vec<Predicate>, FilterError> {
            parts.iter().map(|part| self.filter(part)).collect()
        };
        Ok(match syntax {
            Syntax::And(parts) => Predicate::And(list(parts)?),
            Syntax::Or(parts) => Predicate::Or(list(parts)?),
            Syntax::Not(inner) => Predicate::Not(Box::new(self.filter(inner)?)),
            Syntax::Item(item) => Predicate::Compare(self.comparison(item)?),
        })
    }

    fn fail<T>(&self, span: Range<usize>, fault: FilterFault) -> Result<T, FilterError> {
        Err(FilterError::new(self.source, span, fault))
    }

    fn comparison(&mut self, item: &Item<'_>) -> Result<Comparison, FilterError> {
        let Some(property) = names::property(item.attribute) else {
            let fault = FilterFault::UnknownProperty {
                name: item.attribute.to_owned(),
                suggestion: names::suggestion(item.attribute),
            };
            return self.fail(item.attribute_span.clone(), fault);
        };
        let operator = self.operator(item)?;
        let has_star = item.value.pieces.len() > 1;
        if has_star && operator != Operator::Eq {
            let written = self.source.get(item.value.span.clone()).unwrap_or("");
            let at = item.value.span.start + written.find('*').unwrap_or(0);
            return self.fail(at..at + 1, FilterFault::UnescapedStar);
        }
        let (operator, literal) = if !has_star {
            (operator, self.literal(&property, operator, &item.value)?)
        } else if item.value.pieces.iter().all(Vec::is_empty) {
            (Operator::Ne, Literal::Null)
        } else {
            (Operator::Like, self.substrings(&property, &item.value)?)
        };
        let comparison = Comparison {
            property,
            operator,
            literal,
        };
        self.check(&comparison, item)?;
        self.doubt(&comparison, item);
        Ok(comparison)
    }

    fn operator(&self, item: &Item<'_>) -> Result<Operator, FilterError> {
        Ok(match &item.test {
            ItemTest::Equal | ItemTest::Extensible(None) => Operator::Eq,
            ItemTest::GreaterOrEqual => Operator::Ge,
            ItemTest::LessOrEqual => Operator::Le,
            ItemTest::Approximate => Operator::Approx,
            ItemTest::Extensible(Some((rule, span))) => match *rule {
                RULE_BIT_AND => Operator::BitAnd,
                RULE_BIT_OR => Operator::BitOr,
                RULE_IN_CHAIN => Operator::InChain,
                unknown => {
                    let fault = FilterFault::UnknownMatchingRule {
                        rule: unknown.chars().take(80).collect(),
                        suggestion: rule_meant(unknown),
                    };
                    return self.fail(span.clone(), fault);
                }
            },
        })
    }

    fn text(&self, property: &Property, octets: &[u8], span: &Range<usize>) -> Result<String, FilterError> {
        match std::str::from_utf8(octets) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => self.fail(span.clone(), FilterFault::NotText(shown(property))),
        }
    }

    /// A value without asterisks.
    fn literal(&self, property: &Property, operator: Operator, value: &AssertionValue) -> Result<Literal, FilterError> {
        let octets = value.pieces.first().map_or(&[] as &[u8], Vec::as_slice);
        let Property::Held(attribute) = property else {
            return Ok(Literal::Text(self.text(property, octets, &value.span)?.into()));
        };
        let wrong = |expected: &'static str| {
            let fault = FilterFault::WrongValue {
                property: shown(property),
                value: String::from_utf8_lossy(octets)
                    .chars()
                    .take(80)
                    .collect::<String>()
                    .into(),
                expected,
                suggestion: None,
            };
            self.fail(value.span.clone(), fault)
        };
        if *attribute == Attribute::ObjectSid
            && let Some(sid) = octets::sid_of_octets(octets)
        {
            return Ok(Literal::Text(sid.into()));
        }
        if attribute.value_type() == ValueType::Guid
            && let Some(guid) = octets::guid_of_octets(octets)
        {
            return Ok(Literal::Text(guid.into()));
        }
        let text = self.text(property, octets, &value.span)?;
        if text.is_empty() {
            return Ok(Literal::Text("".into()));
        }
        Ok(match attribute.value_type() {
            ValueType::Integer | ValueType::Enumeration(_) | ValueType::Flags(_) => match text.trim().parse::<i64>() {
                Ok(number) => Literal::Number(number.to_string().into()),
                Err(_) => return wrong("a whole number"),
            },
            _ if matches!(operator, Operator::BitAnd | Operator::BitOr) => Literal::Text(text.into()),
            ValueType::Boolean => match text.as_str() {
                "TRUE" => Literal::Boolean(true),
                // As text, so that it prints back: a missing value reads false here and matches neither in a directory.
                "FALSE" => Literal::Text(text.into()),
                _ => return wrong("TRUE or FALSE"),
            },
            ValueType::Size => match text.trim().parse::<u64>() {
                Ok(kilobytes) => Literal::Number(format!("{kilobytes}KB").into()),
                Err(_) => return wrong("a number of kilobytes"),
            },
            ValueType::Time => match instant(&text) {
                Some(instant) => Literal::Text(instant.into()),
                None => return wrong("a generalized time such as 20170801140000.0Z"),
            },
            ValueType::Guid if *attribute != Attribute::ExternalDirectoryObjectId => {
                match octets::octets_of_guid(&text).and_then(|octets| octets::guid_of_octets(&octets)) {
                    Some(guid) => Literal::Text(guid.into()),
                    None => return wrong("sixteen escaped octets such as \\45\\66… or a GUID"),
                }
            }
            ValueType::Text
            | ValueType::Texts
            | ValueType::Address
            | ValueType::Addresses
            | ValueType::Country
            | ValueType::Dn
            | ValueType::Dns
            | ValueType::Guid => Literal::Text(text.into()),
        })
    }

    /// A value with asterisks. Where no piece holds one itself it is the pattern OPATH would write.
    fn substrings(&self, property: &Property, value: &AssertionValue) -> Result<Literal, FilterError> {
        let pieces: Result<Vec<String>, FilterError> = value
            .pieces
            .iter()
            .map(|piece| self.text(property, piece, &value.span))
            .collect();
        let pieces = pieces?;
        let takes_patterns = match property {
            Property::Held(attribute) => takes_patterns(*attribute),
            Property::NotHeld(_) | Property::Extension(_) | Property::Device(_) => true,
        };
        if takes_patterns && !pieces.iter().any(|piece| piece.contains('*')) {
            return Ok(Literal::Text(pieces.join("*").into()));
        }
        let mut pieces: Vec<Box<str>> = pieces.into_iter().map(Into::into).collect();
        let last = pieces.pop().unwrap_or_default();
        let middle = if pieces.is_empty() {
            Vec::new()
        } else {
            pieces.split_off(1)
        };
        Ok(Literal::Pieces(Pieces {
            initial: pieces.pop().unwrap_or_default(),
            middle: middle.into(),
            last,
        }))
    }

    /// Refuses what the attribute can never be asked.
    fn check(&self, comparison: &Comparison, item: &Item<'_>) -> Result<(), FilterError> {
        let options = EvaluationOptions::default();
        let (property, operator) = (&comparison.property, comparison.operator);
        match Operand::of_property(property, operator, &comparison.literal, &options) {
            Ok(_) | Err(OperandFault::SwitchedOff) => Ok(()),
            Err(OperandFault::Value { expected, suggestion }) => {
                let value = comparison
                    .literal
                    .text()
                    .unwrap_or("*")
                    .chars()
                    .take(80)
                    .collect::<String>();
                let fault = FilterFault::WrongValue {
                    property: shown(property),
                    value: value.into(),
                    expected,
                    suggestion,
                };
                self.fail(item.value.span.clone(), fault)
            }
            Err(OperandFault::Operator) => {
                let between = item.attribute_span.end..item.value.span.start;
                let fault = FilterFault::WrongOperator {
                    property: shown(property),
                    operator: self.source.get(between.clone()).unwrap_or("").trim().to_owned(),
                };
                self.fail(between, fault)
            }
        }
    }

    /// Warns of what parses and probably does not mean what was meant.
    fn doubt(&mut self, comparison: &Comparison, item: &Item<'_>) {
        let span = item.attribute_span.start..item.value.span.end;
        let attribute = match &comparison.property {
            Property::Held(attribute) => *attribute,
            Property::NotHeld(row) => {
                let kind = WarningKind::CannotEvaluate(row.name);
                self.warnings.push(Warning::new(self.source, span, kind));
                return;
            }
            Property::Extension(_) | Property::Device(_) => return,
        };
        let text = comparison.literal.text().unwrap_or("");
        let is_equality = matches!(comparison.operator, Operator::Eq | Operator::InChain);
        let kind = match (&comparison.literal, attribute.value_type()) {
            (Literal::Text(text), _) if text.is_empty() => Some(WarningKind::EmptyText),
            (Literal::Pieces(_), _) if !takes_patterns(attribute) => Some(WarningKind::NoWildcards(attribute)),
            (Literal::Text(_), ValueType::Dn | ValueType::Dns)
                if is_equality && DistinguishedName::parse(text).is_none() =>
            {
                Some(WarningKind::NotADistinguishedName(attribute))
            }
            (Literal::Text(_), ValueType::Boolean) => Some(WarningKind::FalseIsMissing),
            (Literal::Text(_), ValueType::Address | ValueType::Addresses)
                if attribute != Attribute::WindowsEmailAddress && has_no_address_type(text) =>
            {
                Some(WarningKind::NoAddressType)
            }
            _ => None,
        };
        self.warnings
            .extend(kind.map(|kind| Warning::new(self.source, span, kind)));
    }
}

/// `smtp:` and its like are part of the stored value; a pattern that begins with a star may stand for it.
fn has_no_address_type(text: &str) -> bool {
    !text.starts_with('*') && !text.contains(':')
}

/// True if parts of the stored values can be asked for.
pub(super) fn takes_patterns(attribute: Attribute) -> bool {
    match attribute.value_type() {
        ValueType::Text | ValueType::Texts | ValueType::Address | ValueType::Addresses | ValueType::Country => true,
        ValueType::Boolean
        | ValueType::Integer
        | ValueType::Size
        | ValueType::Time
        | ValueType::Enumeration(_)
        | ValueType::Flags(_)
        | ValueType::Dn
        | ValueType::Dns
        | ValueType::Guid => false,
    }
}

/// The name an error shows: the one the filter's author knows.
fn shown(property: &Property) -> &'static str {
    match property {
        Property::Held(attribute) => names::name_of(*attribute).unwrap_or(attribute.name()),
        Property::NotHeld(_) | Property::Extension(_) | Property::Device(_) => property.label(),
    }
}

/// The rule that was probably meant by a misspelt one, or by its short name.
fn rule_meant(unknown: &str) -> Option<&'static str> {
    const SHORT: [(&str, &str); 3] = [("803", RULE_BIT_AND), ("804", RULE_BIT_OR), ("1941", RULE_IN_CHAIN)];
    SHORT
        .iter()
        .find(|(ending, _)| unknown.ends_with(ending))
        .map(|(_, rule)| *rule)
        .or_else(|| nearest(unknown, SHORT.iter().map(|(_, rule)| *rule)))
}

/// Generalized time (RFC 4517 §3.3.13) as RFC 3339; minutes and seconds may be missing, the zone may not.
fn instant(text: &str) -> Option<String> {
    let zone_at = text.find(['Z', '+', '-'])?;
    let (local, zone) = text.split_at(zone_at);
    let (digits, fraction) = local.split_once(['.', ',']).unwrap_or((local, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !(all_digits(digits) && all_digits(fraction) && matches!(digits.len(), 10 | 12 | 14)) {
        return None;
    }
    // A fraction of hours or minutes is allowed by the RFC and written by nobody.
    if digits.len() != 14 && !fraction.is_empty() {
        return None;
    }
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or("00");
    let zone = match zone.split_at_checked(3) {
        None if zone == "Z" => "Z".to_owned(),
        Some((hours, minutes)) if matches!(minutes.len(), 0 | 2) && all_digits(minutes) => {
            let minutes = if minutes.is_empty() { "00" } else { minutes };
            format!("{hours}:{minutes}")
        }
        _ => return None,
    };
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    let written = format!(
        "{}-{}-{}T{}:{}:{}{point}{fraction}{zone}",
        part(0, 4),
        part(4, 6),
        part(6, 8),
        part(8, 10),
        part(10, 12),
        part(12, 14)
    );
    parse_time(&written, &jiff::tz::TimeZone::UTC).map(|instant| instant.to_string())
}
