//! One comparison as a relative clause.

use jiff::tz::TimeZone;

use super::{Level, label, listed};
use crate::directory::attribute::{Attribute, Property};
use crate::directory::dn::DistinguishedName;
use crate::directory::filter::operator::Operator;
use crate::directory::filter::predicate::{Comparison, DaysFromNow, Literal, Predicate};
use crate::directory::filter::quantified::{ElementTest, Field, Quantified, Quantifier};
use crate::directory::names;
use crate::directory::value::{ValueType, parse_boolean, parse_size, parse_time};

/// Whether a clause is said as it is or turned round.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sense {
    Holds,
    DoesNot,
}

/// The property of a comparison that has no sentence of its own: `whose X is …`.
pub(super) fn property_told(predicate: &Predicate) -> Option<&Property> {
    match predicate {
        Predicate::Compare(comparison)
            if comparison.literal != Literal::Null && fixed(comparison, Sense::Holds).is_none() =>
        {
            Some(&comparison.property)
        }
        Predicate::Compare(_)
        | Predicate::And(_)
        | Predicate::Or(_)
        | Predicate::Not(_)
        | Predicate::Quantified(_)
        | Predicate::All
        | Predicate::None => None,
    }
}

/// Alternatives about one property: `whose Office is Berlin, Vienna or Zurich`, `whose Title is Head or begins with
/// Lead`. `None` if they are about several.
pub(super) fn alternatives(parts: &[Predicate]) -> Option<String> {
    let property = parts.first().and_then(property_told)?;
    let mut verbs: Vec<(String, Vec<String>)> = Vec::new();
    for part in parts {
        let Predicate::Compare(comparison) = part else {
            return None;
        };
        if property_told(part) != Some(property) {
            return None;
        }
        let (word, value) = verb(comparison, Sense::Holds);
        match verbs.iter_mut().find(|(known, _)| *known == word) {
            Some((_, values)) => values.push(value),
            None => verbs.push((word, vec![value])),
        }
    }
    let told: Vec<String> = verbs
        .iter()
        .map(|(word, values)| format!("{word} {}", listed(values, "or")).trim_end().to_owned())
        .collect();
    Some(format!("{} {}", whose(property), listed(&told, "or")))
}

/// A negated clause where it can be said shortly.
pub(super) fn negated(predicate: &Predicate) -> Option<String> {
    match predicate {
        Predicate::Compare(found) => Some(comparison(found, Sense::DoesNot)),
        Predicate::Or(parts) => {
            alternatives(parts).map(|text| text.replacen(" is ", " is neither ", 1).replace(" or ", " nor "))
        }
        Predicate::And(_) | Predicate::Not(_) | Predicate::Quantified(_) | Predicate::All | Predicate::None => None,
    }
}

/// `whose Office`, or `one of whose e-mail addresses` where there may be several.
fn whose(property: &Property) -> String {
    let label = label::property(property);
    let has_several = match property {
        Property::Held(attribute) => attribute.value_type().is_multi_valued(),
        Property::NotHeld(_) | Property::Extension(_) | Property::Device(_) => false,
    };
    if has_several {
        format!("one of whose {}", label::several(property))
    } else {
        format!("whose {label}")
    }
}

/// A comparison as a clause.
pub(super) fn comparison(found: &Comparison, sense: Sense) -> String {
    if let Some(text) = fixed(found, sense) {
        return text;
    }
    let label = label::property(&found.property);
    if found.literal == Literal::Null {
        if matches!(
            found.property,
            Property::Held(Attribute::ServerLegacyDN | Attribute::Database)
        ) {
            let verb = if sense == Sense::Holds { "has no" } else { "has a" };
            return format!("who {verb} mailbox on premises");
        }
        return match sense {
            Sense::Holds => format!("who has no {label}"),
            Sense::DoesNot => format!("who has {} {label}", label::article(&label)),
        };
    }
    let has_several = matches!(&found.property, Property::Held(each) if each.value_type().is_multi_valued());
    if sense == Sense::DoesNot && has_several {
        // Not one of them, which "one of them is not" would not say.
        return format!(
            "none of whose {} {}",
            label::several(&found.property),
            said(found, Sense::Holds)
        );
    }
    format!("{} {}", whose(&found.property), said(found, sense))
}

/// Comparisons that have a sentence of their own.
fn fixed(found: &Comparison, sense: Sense) -> Option<String> {
    let attribute = match &found.property {
        Property::Held(attribute) => *attribute,
        Property::NotHeld(_) | Property::Extension(_) | Property::Device(_) => return None,
    };
    let holds = sense == Sense::Holds;
    let text = found.literal.text();
    let is_not = if holds { "is" } else { "is not" };
    match (attribute, found.operator) {
        (Attribute::MemberOfGroup, Operator::Eq | Operator::Like) => {
            Some(format!("who {is_not} a direct member of {}", object(text?)))
        }
        (Attribute::MemberOfGroup | Attribute::MemberOfGroupRecursive, Operator::Eq | Operator::InChain) => {
            Some(format!(
                "who {is_not} a member of {}, directly or through other groups",
                object(text?)
            ))
        }
        (_, Operator::InChain) => {
            let label = label::attribute_name(attribute);
            let leads = if holds { "leads" } else { "does not lead" };
            Some(format!(
                "whose chain of {} {leads} to {}",
                label::plural(&label),
                object(text?)
            ))
        }
        (_, Operator::ReportsTo) => {
            let reports = if holds { "reports" } else { "does not report" };
            Some(format!("who {reports} directly to the object {}", text?))
        }
        (Attribute::UserAccountControl, Operator::BitAnd | Operator::BitOr) if text == Some("2") => Some(format!(
            "whose account is {}",
            if holds { "disabled" } else { "not disabled" }
        )),
        (_, Operator::Eq | Operator::Like | Operator::Approx) if attribute.value_type() == ValueType::Boolean => {
            let wanted = parse_boolean(text?)?;
            Some(truth(attribute, wanted == holds))
        }
        (Attribute::ObjectClass | Attribute::ObjectCategory, Operator::Eq | Operator::Like) => {
            let class = label::class(text.filter(|text| !text.contains('*'))?);
            Some(format!("who {is_not} {} {class}", label::article(&class)))
        }
        _ => None,
    }
}

fn truth(attribute: Attribute, value: bool) -> String {
    let (yes, no) = match attribute {
        Attribute::AccountEnabled => ("whose account is enabled", "whose account is disabled"),
        Attribute::HiddenFromAddressListsEnabled => {
            ("who is hidden from address lists", "who is shown in address lists")
        }
        Attribute::IsDirSynced => ("who is synchronised from Active Directory", "who is kept in the cloud"),
        Attribute::ModerationEnabled => ("who is moderated", "who is not moderated"),
        Attribute::RequireAllSendersAreAuthenticated => {
            ("who takes mail from inside only", "who takes mail from outside too")
        }
        Attribute::LitigationHoldEnabled => ("who is on litigation hold", "who is not on litigation hold"),
        _ => {
            let label = label::attribute_name(attribute);
            return format!("whose {label} is {}", if value { "on" } else { "off" });
        }
    };
    if value { yes.into() } else { no.into() }
}

/// Verb and value of a clause: `is Berlin`, `begins with Sales`, `is at least 20`.
fn said(found: &Comparison, sense: Sense) -> String {
    let (verb, value) = verb(found, sense);
    if value.is_empty() {
        verb
    } else {
        format!("{verb} {value}")
    }
}

fn verb(found: &Comparison, sense: Sense) -> (String, String) {
    let holds = sense == Sense::Holds;
    if let (Literal::Now(days), true) = (&found.literal, holds)
        && let Some(told) = moment(found.operator, *days)
    {
        return (told, String::new());
    }
    if found.operator.positive() == Operator::Like {
        return pattern(found, sense);
    }
    let is_time = matches!(&found.property, Property::Held(each) if each.value_type() == ValueType::Time);
    let (positive, negative) = match found.operator.positive() {
        Operator::StartsWith => ("begins with", "does not begin with"),
        Operator::EndsWith => ("ends with", "does not end with"),
        Operator::Contains => ("contains", "does not contain"),
        Operator::Match => ("matches the expression", "does not match the expression"),
        Operator::Lt if is_time => ("is before", "is not before"),
        Operator::Le if is_time => ("is not after", "is after"),
        Operator::Gt if is_time => ("is after", "is not after"),
        Operator::Ge if is_time => ("is not before", "is before"),
        Operator::Lt => ("is less than", "is not less than"),
        Operator::Le => ("is at most", "is not at most"),
        Operator::Gt => ("is more than", "is not more than"),
        Operator::Ge => ("is at least", "is not at least"),
        Operator::BitAnd => ("has all the bits of", "has not all the bits of"),
        Operator::BitOr => ("has any of the bits of", "has none of the bits of"),
        _ => ("is", "is not"),
    };
    (if holds { positive } else { negative }.to_owned(), value(found))
}

/// A time counted from now.
fn moment(operator: Operator, DaysFromNow(days): DaysFromNow) -> Option<String> {
    let count = match days.unsigned_abs() {
        1 => "a day".to_owned(),
        several => format!("{several} days"),
    };
    Some(match (operator, days.signum()) {
        (Operator::Ge, 0) => "is now or later".into(),
        (Operator::Le, 0) => "is now or past".into(),
        (Operator::Ge, 1) => format!("is {count} or more ahead"),
        (Operator::Le, 1) => format!("is past or at most {count} ahead"),
        (Operator::Ge, _) => format!("is at most {count} ago, or ahead"),
        (Operator::Le, _) => format!("is {count} or more ago"),
        _ => return None,
    })
}

/// A pattern with stars in words.
fn pattern(found: &Comparison, sense: Sense) -> (String, String) {
    let pieces: Vec<&str> = match &found.literal {
        Literal::Pieces(pieces) => std::iter::once(&*pieces.initial)
            .chain(pieces.middle.iter().map(|piece| &**piece))
            .chain([&*pieces.last])
            .collect(),
        literal => literal.text().unwrap_or("").split('*').collect(),
    };
    let say = |positive: &str, negative: &str, text: &str| {
        let verb = if sense == Sense::Holds { positive } else { negative };
        (verb.to_owned(), quoted(text))
    };
    match pieces.as_slice() {
        [whole] => say("is", "is not", whole),
        all if all.iter().all(|piece| piece.is_empty()) => {
            let verb = if sense == Sense::Holds {
                "is there"
            } else {
                "is missing"
            };
            (verb.to_owned(), String::new())
        }
        [initial, ""] => say("begins with", "does not begin with", initial),
        ["", last] => say("ends with", "does not end with", last),
        ["", middle, ""] => say("contains", "does not contain", middle),
        _ => say("looks like", "does not look like", &pieces.join("*")),
    }
}

/// The value as people write it.
fn value(found: &Comparison) -> String {
    match &found.literal {
        Literal::List(values) => listed(&values.iter().map(|value| quoted(value)).collect::<Vec<_>>(), "or"),
        Literal::Now(DaysFromNow(days)) => match days {
            0 => "now".into(),
            1 => "a day from now".into(),
            -1 => "a day ago".into(),
            days if *days > 0 => format!("{days} days from now"),
            days => format!("{} days ago", days.unsigned_abs()),
        },
        Literal::Null => "missing".into(),
        literal => {
            let text = literal.text().unwrap_or("");
            match &found.property {
                Property::Held(attribute) => typed(*attribute, found.operator, text),
                Property::NotHeld(_) | Property::Extension(_) | Property::Device(_) => quoted(text),
            }
        }
    }
}

fn typed(attribute: Attribute, operator: Operator, text: &str) -> String {
    match attribute.value_type() {
        ValueType::Time => date(text).unwrap_or_else(|| quoted(text)),
        ValueType::Size => size(text),
        ValueType::Dn | ValueType::Dns if operator.positive() == Operator::Eq => object(text),
        ValueType::Enumeration(table) if text.trim().parse::<i64>().is_ok() => names::number_of(table, text)
            .and_then(|number| names::name_of(table, number))
            .map_or_else(|| quoted(text), str::to_owned),
        _ => quoted(text),
    }
}

/// `1 August 2017`, with the time of day unless it is midnight, and UTC where the text says so.
fn date(text: &str) -> Option<String> {
    let instant = parse_time(text, &TimeZone::UTC)?;
    let local = instant.to_zoned(TimeZone::UTC);
    let is_midnight = local.time() == jiff::civil::Time::midnight();
    let day = format!("{} {}", local.day(), local.strftime("%B %Y"));
    if is_midnight {
        return Some(day);
    }
    let zone = if text.parse::<jiff::Timestamp>().is_ok() {
        " UTC"
    } else {
        ""
    };
    Some(format!("{day} {}{zone}", local.strftime("%H:%M:%S")))
}

fn size(text: &str) -> String {
    const UNITS: [(u64, &str); 4] = [(1 << 40, "TB"), (1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB")];
    match parse_size(text) {
        Some(u64::MAX) => "unlimited".into(),
        Some(bytes) => UNITS
            .iter()
            .find(|(unit, _)| bytes >= *unit && bytes % unit == 0)
            .map_or_else(
                || format!("{bytes} bytes"),
                |(unit, name)| format!("{} {name}", bytes / unit),
            ),
        None => quoted(text),
    }
}

/// An object by its DN: the name first, because that is what people know.
fn object(text: &str) -> String {
    match DistinguishedName::parse(text).and_then(|_| DistinguishedName::leaf_of(text)) {
        Some(leaf) => format!("{} [{text}]", leaf.replace('\\', "")),
        None => quoted(text),
    }
}

/// A value in quotes only where it would be misread without: blanks at its ends, words of ours, nothing at all.
fn quoted(text: &str) -> String {
    let is_plain = !text.is_empty()
        && text.trim() == text
        && !text.contains(['"', ',', ';', '(', ')', '\n'])
        && ![" and ", " or ", " is ", " whose ", " who "]
            .iter()
            .any(|word| text.contains(word));
    if is_plain {
        text.to_owned()
    } else {
        format!("\"{text}\"")
    }
}

/// A condition on a collection as a clause.
pub(super) fn quantified(found: &Quantified) -> String {
    let noun = label::attribute_name(found.collection);
    if found.collection == Attribute::MemberOfGroup {
        return format!(
            "who is a direct member of a group {}",
            element(&found.inner, Level::Whole)
        );
    }
    let asks_for_none = matches!(
        &found.inner,
        ElementTest::Compare(inner) if inner.operator == Operator::Eq && inner.literal == Literal::Null
    );
    match found.quantifier {
        Quantifier::All if asks_for_none => format!("who has no {noun}"),
        Quantifier::Any => {
            format!(
                "who has {} {noun} {}",
                label::article(&noun),
                element(&found.inner, Level::Whole)
            )
        }
        Quantifier::All => format!("who has no {noun} except ones {}", element(&found.inner, Level::Whole)),
    }
}

fn element(test: &ElementTest, level: Level) -> String {
    let list = |parts: &[ElementTest], inner: Level, word: &str, wraps: Level| {
        let texts: Vec<String> = parts.iter().map(|part| element(part, inner)).collect();
        let text = texts.join(word);
        if level == wraps { format!("({text})") } else { text }
    };
    match test {
        ElementTest::And(parts) => list(parts, Level::InAnd, " and ", Level::InOr),
        ElementTest::Or(parts) => list(parts, Level::InOr, " or ", Level::InAnd),
        ElementTest::Not(inner) => format!("not ({})", element(inner, Level::Whole)),
        ElementTest::Compare(found) => {
            let subject = match found.field {
                Field::Whole => "that",
                Field::ServicePlanId => "whose service plan id",
                Field::Service => "whose service",
                Field::CapabilityStatus => "whose status",
                Field::GroupObjectId => "whose object id",
            };
            let sense = if found.operator.is_negative() {
                Sense::DoesNot
            } else {
                Sense::Holds
            };
            if found.literal == Literal::Null {
                let verb = if sense == Sense::Holds {
                    "is missing"
                } else {
                    "is there"
                };
                return format!("{subject} {verb}");
            }
            let asked = Comparison {
                property: Property::Held(Attribute::Notes),
                operator: found.operator.positive(),
                literal: found.literal.clone(),
            };
            format!("{subject} {}", said(&asked, sense))
        }
    }
}
