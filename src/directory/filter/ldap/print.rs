//! A predicate as an LDAP filter.
//!
//! In: a predicate from any language. Out: a text that finds the same objects, or every clause that LDAP cannot
//! say. What the LDAP parser made prints back as the same tree.

use super::super::convert::{Inexpressible, of_collection};
use super::super::fold::{Pattern, fold};
use super::super::operator::Operator;
use super::super::predicate::{Comparison, Literal, Pieces, Predicate};
use super::computed;
use super::{RULE_BIT_AND, RULE_BIT_OR, RULE_IN_CHAIN, names, octets};
use crate::directory::attribute::{Attribute, Property};
use crate::directory::group::ComparisonProfile;
use crate::directory::names as numbers;
use crate::directory::value::{ValueType, parse_boolean, parse_size, parse_time};

/// Why a clause cannot be said.
pub(super) type Said = Result<String, String>;

/// Writes a predicate. A date without a zone is read in `zone`.
pub fn print(predicate: &Predicate, zone: &jiff::tz::TimeZone) -> Result<String, Vec<Inexpressible>> {
    let mut printer = Printer {
        zone,
        faults: Vec::new(),
    };
    let text = printer.filter(predicate);
    if printer.faults.is_empty() {
        Ok(text)
    } else {
        Err(printer.faults)
    }
}

struct Printer<'a> {
    zone: &'a jiff::tz::TimeZone,
    faults: Vec<Inexpressible>,
}

impl Printer<'_> {
    fn filter(&mut self, predicate: &Predicate) -> String {
        match predicate {
            Predicate::And(parts) if parts.is_empty() => present("mailNickname"),
            Predicate::Or(parts) if parts.is_empty() => not(&present("mailNickname")),
            Predicate::And(parts) => self.list('&', parts),
            Predicate::Or(parts) => self.list('|', parts),
            Predicate::Not(inner) => not(&self.filter(inner)),
            Predicate::Compare(comparison) => match self.comparison(comparison) {
                Ok(text) => text,
                Err(why) => self.fault(comparison.to_string(), why),
            },
            Predicate::Quantified(quantified) => match of_collection(quantified) {
                Some(same) => self.filter(&same),
                None => {
                    let why = "LDAP has no conditions on the fields of one element of a collection".into();
                    self.fault(quantified.to_string(), why)
                }
            },
            // Every candidate has an alias.
            Predicate::All => present("mailNickname"),
            Predicate::None => not(&present("mailNickname")),
        }
    }

    fn list(&mut self, sign: char, parts: &[Predicate]) -> String {
        let parts: String = parts.iter().map(|part| self.filter(part)).collect();
        format!("({sign}{parts})")
    }

    fn fault(&mut self, clause: String, why: String) -> String {
        self.faults.push(Inexpressible { clause, why });
        String::new()
    }

    fn comparison(&self, comparison: &Comparison) -> Said {
        let positive = self.positive(comparison)?;
        Ok(match (comparison.operator.is_negative(), &comparison.literal) {
            (false, _) => positive,
            // `(attr=*)` is shorter than its negation negated.
            (true, Literal::Null) => positive
                .strip_prefix("(!")
                .and_then(|inner| inner.strip_suffix(')'))
                .map_or_else(|| not(&positive), str::to_owned),
            (true, _) => not(&positive),
        })
    }

    /// The comparison without its negation.
    fn positive(&self, comparison: &Comparison) -> Said {
        let operator = comparison.operator.positive();
        let attribute = match &comparison.property {
            Property::Held(attribute) => *attribute,
            Property::NotHeld(row) => {
                let name = row.ldap.ok_or_else(|| no_attribute(row.name))?;
                return untyped(name, operator, &comparison.literal);
            }
            Property::Extension(name) => return Err(no_attribute(name)),
            Property::Device(_) => return Err("no mail recipient is a device".into()),
        };
        if let Some(said) = computed::say(attribute, operator, &comparison.literal) {
            return said;
        }
        let name = names::name_of(attribute).ok_or_else(|| no_attribute(attribute.name()))?;
        match &comparison.literal {
            Literal::Null => Ok(not(&present(name))),
            Literal::List(values) => any(values
                .iter()
                .map(|value| self.one(attribute, name, Operator::Eq, value)))
            .unwrap_or_else(|| Ok(never(name))),
            Literal::Pieces(pieces) => Ok(substrings(name, &all_pieces(pieces))),
            Literal::Now(_) => Err("LDAP does not know the time of day; write a date".into()),
            Literal::Text(text) | Literal::Number(text) => self.one(attribute, name, operator, text),
            Literal::Boolean(value) => self.one(attribute, name, operator, if *value { "True" } else { "False" }),
        }
    }

    /// A comparison with one text, by the type of the attribute.
    fn one(&self, attribute: Attribute, name: &str, operator: Operator, text: &str) -> Said {
        if operator == Operator::Like && !text.is_empty() && text.bytes().all(|byte| byte == b'*') {
            return Ok(present(name));
        }
        match attribute.value_type() {
            ValueType::Text | ValueType::Address | ValueType::Country => textual(attribute, name, operator, text),
            ValueType::Texts | ValueType::Addresses => textual(attribute, name, operator, text),
            ValueType::Guid => guid(attribute, name, operator, text),
            ValueType::Boolean => boolean(name, operator, text),
            ValueType::Integer => number(name, operator, text.trim().parse().ok()),
            ValueType::Enumeration(table) | ValueType::Flags(table) => {
                if let Some(pattern) = pattern_of(operator, text) {
                    return names_that_fit(attribute, name, table, &pattern);
                }
                let value = match attribute.value_type() {
                    _ if matches!(operator, Operator::BitAnd | Operator::BitOr) => text.trim().parse().ok(),
                    ValueType::Flags(_) => numbers::flags_of(table, text),
                    _ => numbers::number_of(table, text),
                };
                let is_name = text.trim().parse::<i64>().is_err();
                if is_name && value == Some(numbers::SHARED_WITH_MAIL_USER) && is_type(attribute) {
                    return Err("no number is published for this type".into());
                }
                number(name, operator, value)
            }
            ValueType::Size => size(name, operator, text),
            ValueType::Time => self.time(name, operator, text),
            ValueType::Dn | ValueType::Dns => reference(name, operator, text),
        }
    }

    fn time(&self, name: &str, operator: Operator, text: &str) -> Said {
        let instant = parse_time(text, self.zone).ok_or("this is no date")?;
        let zoned = instant.to_zoned(jiff::tz::TimeZone::UTC);
        let fraction = instant.subsec_nanosecond();
        let fraction = format!("{fraction:09}");
        let fraction = match fraction.trim_end_matches('0') {
            "" => "0",
            digits => digits,
        };
        let value = format!("{}.{fraction}Z", zoned.strftime("%Y%m%d%H%M%S"));
        ordered(name, operator, &value)
    }
}

/// Text, addresses and countries.
fn textual(attribute: Attribute, name: &str, operator: Operator, text: &str) -> Said {
    let has_several_forms = attribute.value_type() != ValueType::Text;
    match operator {
        Operator::Like if text.contains('*') => Ok(substrings(name, &text.split('*').collect::<Vec<_>>())),
        // Every stored text begins with, ends with and contains the empty one.
        Operator::StartsWith | Operator::EndsWith | Operator::Contains if text.is_empty() => Ok(present(name)),
        Operator::StartsWith => Ok(substrings(name, &[text, ""])),
        Operator::EndsWith => Ok(substrings(name, &["", text])),
        Operator::Contains => Ok(substrings(name, &["", text, ""])),
        Operator::Match => Err("LDAP has no regular expressions".into()),
        Operator::Lt | Operator::Gt if has_several_forms => {
            Err("LDAP can only say \"or equal\" where there may be several values".into())
        }
        Operator::Lt | Operator::Gt if text.is_empty() => Ok(item(name, "=", "")),
        _ => ordered(name, operator, &escaped(text)),
    }
}

fn guid(attribute: Attribute, name: &str, operator: Operator, text: &str) -> Said {
    let is_equality = matches!(operator, Operator::Eq | Operator::Like | Operator::Approx) && !text.contains('*');
    if !is_equality {
        return Err("Active Directory finds GUIDs as a whole only".into());
    }
    let sign = if operator == Operator::Approx { "~=" } else { "=" };
    if attribute == Attribute::ExternalDirectoryObjectId {
        return Ok(item(name, sign, &escaped(text)));
    }
    if text.is_empty() {
        return Ok(item(name, sign, ""));
    }
    let octets = octets::octets_of_guid(text).ok_or("this is no GUID")?;
    let value: String = octets.iter().map(|octet| format!("\\{octet:02x}")).collect();
    Ok(item(name, sign, &value))
}

fn boolean(name: &str, operator: Operator, text: &str) -> Said {
    if !matches!(operator, Operator::Eq | Operator::Like | Operator::Approx) {
        return Err("a truth value is compared with -eq or -ne only".into());
    }
    let sign = if operator == Operator::Approx { "~=" } else { "=" };
    match parse_boolean(text) {
        Some(true) => Ok(item(name, sign, "TRUE")),
        // As the LDAP parser keeps it.
        Some(false) if text == "FALSE" => Ok(item(name, sign, "FALSE")),
        // Directories store no FALSE for most objects; it is the absence of TRUE that is meant.
        Some(false) => Ok(not(&item(name, "=", "TRUE"))),
        None => Err("this is no truth value".into()),
    }
}

fn number(name: &str, operator: Operator, value: Option<i64>) -> Said {
    let value = value.ok_or("this is no number of the property")?;
    let out_of_range = "the number has no neighbour";
    match operator {
        Operator::Lt => Ok(item(name, "<=", &value.checked_sub(1).ok_or(out_of_range)?.to_string())),
        Operator::Gt => Ok(item(name, ">=", &value.checked_add(1).ok_or(out_of_range)?.to_string())),
        Operator::BitAnd => Ok(by_rule(name, RULE_BIT_AND, &value.to_string())),
        Operator::BitOr => Ok(by_rule(name, RULE_BIT_OR, &value.to_string())),
        _ => ordered(name, operator, &value.to_string()),
    }
}

/// The pattern over the names of an enumeration, if the operator asks for one.
fn pattern_of(operator: Operator, text: &str) -> Option<Pattern> {
    let profile = ComparisonProfile::Cloud;
    match operator {
        Operator::Like if text.contains('*') => Some(Pattern::new(text, profile)),
        Operator::StartsWith => Some(Pattern::of_pieces([text, ""], profile)),
        Operator::EndsWith => Some(Pattern::of_pieces(["", text], profile)),
        Operator::Contains => Some(Pattern::of_pieces(["", text, ""], profile)),
        _ => None,
    }
}

fn is_type(attribute: Attribute) -> bool {
    matches!(
        attribute,
        Attribute::RecipientTypeDetails | Attribute::PreviousRecipientTypeDetails
    )
}

/// LDAP stores numbers: a pattern over names becomes the numbers of the names that fit.
fn names_that_fit(attribute: Attribute, name: &str, table: &'static [numbers::Named], pattern: &Pattern) -> Said {
    let fits = |each: &str| pattern.fits(&fold(each, ComparisonProfile::Cloud));
    let mut fitting: Vec<i64> = table
        .iter()
        .filter(|(each, _)| fits(each))
        .map(|(_, number)| *number)
        .collect();
    fitting.sort_unstable();
    fitting.dedup();
    if is_type(attribute) && fitting.contains(&numbers::SHARED_WITH_MAIL_USER) {
        return Err("no number is published for one of these types".into());
    }
    any(fitting.iter().map(|number| Ok(item(name, "=", &number.to_string())))).unwrap_or_else(|| Ok(never(name)))
}

fn size(name: &str, operator: Operator, text: &str) -> Said {
    let bytes = parse_size(text).ok_or("this is no size")?;
    if bytes == u64::MAX {
        // No limit is an absent attribute, whatever it is compared by.
        return Ok(not(&present(name)));
    }
    if bytes % 1_024 != 0 {
        return Err("Active Directory keeps sizes in whole kilobytes".into());
    }
    ordered(name, operator, &(bytes / 1_024).to_string())
}

fn reference(name: &str, operator: Operator, text: &str) -> Said {
    match operator {
        Operator::InChain => Ok(by_rule(name, RULE_IN_CHAIN, &escaped(text))),
        Operator::Like if text.contains('*') => Ok(substrings(name, &text.split('*').collect::<Vec<_>>())),
        Operator::Eq | Operator::Like => Ok(item(name, "=", &escaped(text))),
        Operator::Approx => Ok(item(name, "~=", &escaped(text))),
        Operator::ReportsTo => Err("LDAP names a manager by distinguished name, not by object id".into()),
        _ => Err("Active Directory finds no parts of distinguished names".into()),
    }
}

/// A documented attribute that is not held: its values are kept as text.
fn untyped(name: &str, operator: Operator, literal: &Literal) -> Said {
    match literal {
        Literal::Null => Ok(not(&present(name))),
        Literal::Pieces(pieces) => Ok(substrings(name, &all_pieces(pieces))),
        Literal::Boolean(value) => ordered(name, operator, if *value { "TRUE" } else { "FALSE" }),
        Literal::Text(text) | Literal::Number(text) if operator == Operator::Like && text.contains('*') => {
            Ok(substrings(name, &text.split('*').collect::<Vec<_>>()))
        }
        Literal::Text(text) | Literal::Number(text) => match operator {
            Operator::BitAnd => Ok(by_rule(name, RULE_BIT_AND, &escaped(text))),
            Operator::BitOr => Ok(by_rule(name, RULE_BIT_OR, &escaped(text))),
            Operator::InChain => Ok(by_rule(name, RULE_IN_CHAIN, &escaped(text))),
            _ => ordered(name, operator, &escaped(text)),
        },
        Literal::List(_) | Literal::Now(_) => Err("this comparison is Entra's".into()),
    }
}

/// A comparison with a value that is escaped already. LDAP knows no strict order: less is "there, and not at
/// least".
fn ordered(name: &str, operator: Operator, value: &str) -> Said {
    Ok(match operator {
        Operator::Eq | Operator::Like => item(name, "=", value),
        Operator::Approx => item(name, "~=", value),
        Operator::Ge => item(name, ">=", value),
        Operator::Le => item(name, "<=", value),
        Operator::Lt => format!("(&{}{})", present(name), not(&item(name, ">=", value))),
        Operator::Gt => format!("(&{}{})", present(name), not(&item(name, "<=", value))),
        _ => return Err(format!("LDAP has no -{} for this property", operator.word())),
    })
}

fn no_attribute(name: &str) -> String {
    format!("no attribute of Active Directory holds {name}")
}

pub(super) fn item(name: &str, sign: &str, escaped: &str) -> String {
    format!("({name}{sign}{escaped})")
}

pub(super) fn present(name: &str) -> String {
    item(name, "=", "*")
}

pub(super) fn not(filter: &str) -> String {
    format!("(!{filter})")
}

/// Holds for no object.
pub(super) fn never(name: &str) -> String {
    format!("(&{}{})", present(name), not(&present(name)))
}

pub(super) fn by_rule(name: &str, rule: &str, escaped: &str) -> String {
    item(name, &format!(":{rule}:="), escaped)
}

pub(super) fn substrings(name: &str, pieces: &[&str]) -> String {
    let pieces: Vec<String> = pieces.iter().map(|piece| escaped(piece)).collect();
    item(name, "=", &pieces.join("*"))
}

/// The alternatives; `None` for no alternative.
pub(super) fn any(alternatives: impl Iterator<Item = Said>) -> Option<Said> {
    let said: Result<Vec<String>, String> = alternatives.collect();
    match said {
        Ok(all) => match all.as_slice() {
            [] => None,
            [only] => Some(Ok(only.clone())),
            several => Some(Ok(format!("(|{})", several.concat()))),
        },
        Err(why) => Some(Err(why)),
    }
}

fn all_pieces(pieces: &Pieces) -> Vec<&str> {
    let middle = pieces.middle.iter().map(|piece| &**piece);
    std::iter::once(&*pieces.initial)
        .chain(middle)
        .chain([&*pieces.last])
        .collect()
}

/// RFC 4515 §3: `*`, parentheses, the backslash and NUL.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '*' => out.push_str("\\2a"),
            '(' => out.push_str("\\28"),
            ')' => out.push_str("\\29"),
            '\\' => out.push_str("\\5c"),
            '\0' => out.push_str("\\00"),
            other => out.push(other),
        }
    }
    out
}
