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

/// The property of a comparison for equality with a text.
pub(super) fn property_of_equality(predicate: &Predicate) -> Option<&Property> {
    match predicate {
        Predicate::Compare(comparison) if is_plain_equality(comparison) => Some(&comparison.property),
        _ => None,
    }
}

fn is_plain_equality(comparison: &Comparison) -> bool {
    let is_equality = matches!(comparison.operator, Operator::Eq | Operator::Approx)
        || comparison.operator == Operator::Like && !comparison.literal.text().is_some_and(|text| text.contains('*'));
    is_equality
        && comparison.literal.text().is_some_and(|text| !text.is_empty())
        && fixed(comparison, Sense::Holds).is_none()
}

/// Several values of one property: `whose Office is Berlin, Vienna or Zurich`. `None` if they are of several.
pub(super) fn alternatives(parts: &[Predicate]) -> Option<String> {
    let first = parts.first().and_then(property_of_equality)?;
    let mut values = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Predicate::Compare(comparison) if is_plain_equality(comparison) && comparison.property == *first => {
                values.push(value(comparison));
            }
            _ => return None,
        }
    }
    Some(format!("{} is {}", whose(first), listed(&values, "or")))
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
        format!("one of whose {}", label::plural(&label))
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
        return match sense {
            Sense::Holds => format!("who has no {label}"),
            Sense::DoesNot => format!("who has {} {label}", label::article(&label)),
        };
    }
    let has_several = matches!(&found.property, Property::Held(each) if each.value_type().is_multi_valued());
    if sense == Sense::DoesNot && has_several {
        // Not one of them, which "one of them is not" would not say.
        return format!("none of whose {} {}", label::plural(&label), verb(found, Sense::Holds));
    }
    format!("{} {}", whose(&found.property), verb(found, sense))
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
            let class = label::plural(&class_of(text.filter(|text| !text.contains('*'))?));
            let article = if holds { "is" } else { "is not" };
            Some(format!("who {article} among the {class}"))
        }
        _ => None,
    }
}

/// The name of a schema class or category, given as such or by its DN.
fn class_of(text: &str) -> String {
    let name = match DistinguishedName::parse(text) {
        Some(_) => DistinguishedName::leaf_of(text).unwrap_or(text),
        None => text,
    };
    match name.to_ascii_lowercase().as_str() {
        "msexchdynamicdistributionlist" | "ms-exch-dynamic-distribution-list" => "dynamic distribution group".into(),
        "publicfolder" | "ms-exch-public-folder" => "public folder".into(),
        "person" => "person (user or contact)".into(),
        other => other.to_owned(),
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

/// The predicate of the clause: `is Berlin`, `begins with Sales`, `is at least 20`.
fn verb(found: &Comparison, sense: Sense) -> String {
    let value = value(found);
    let say = |positive: &str, negative: &str| {
        let verb = if sense == Sense::Holds { positive } else { negative };
        format!("{verb} {value}")
    };
    let is_time = matches!(&found.property, Property::Held(each) if each.value_type() == ValueType::Time);
    match found.operator.positive() {
        Operator::Like => pattern(found, sense),
        Operator::StartsWith => say("begins with", "does not begin with"),
        Operator::EndsWith => say("ends with", "does not end with"),
        Operator::Contains => say("contains", "does not contain"),
        Operator::Match => say("matches the expression", "does not match the expression"),
        Operator::Lt if is_time => say("is before", "is not before"),
        Operator::Le if is_time => say("is not after", "is after"),
        Operator::Gt if is_time => say("is after", "is not after"),
        Operator::Ge if is_time => say("is not before", "is before"),
        Operator::Lt => say("is less than", "is not less than"),
        Operator::Le => say("is at most", "is not at most"),
        Operator::Gt => say("is more than", "is not more than"),
        Operator::Ge => say("is at least", "is not at least"),
        Operator::BitAnd => say("has all the bits of", "has not all the bits of"),
        Operator::BitOr => say("has any of the bits of", "has none of the bits of"),
        _ if found.literal.text() == Some("") => say("is", "is not"),
        _ => say("is", "is not"),
    }
}

/// A pattern with stars in words.
fn pattern(found: &Comparison, sense: Sense) -> String {
    let holds = sense == Sense::Holds;
    let written;
    let pieces: Vec<&str> = match &found.literal {
        Literal::Pieces(pieces) => {
            written = pieces.clone();
            std::iter::once(&*written.initial)
                .chain(written.middle.iter().map(|piece| &**piece))
                .chain([&*written.last])
                .collect()
        }
        literal => literal.text().unwrap_or("").split('*').collect(),
    };
    let say = |positive: &str, negative: &str, text: &str| {
        format!("{} {}", if holds { positive } else { negative }, quoted(text))
    };
    match pieces.as_slice() {
        [whole] => say("is", "is not", whole),
        all if all.iter().all(|piece| piece.is_empty()) => if holds { "is there" } else { "is missing" }.into(),
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
    match found.quantifier {
        Quantifier::Any => {
            format!(
                "who has {} {noun} {}",
                label::article(&noun),
                element(&found.inner, Level::Whole)
            )
        }
        Quantifier::All => format!(
            "who has no {noun} but such {} (or none at all)",
            element(&found.inner, Level::Whole)
        ),
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
            format!("{subject} {}", verb(&asked, sense))
        }
    }
}
