//! Values of attributes: what is stored, how text becomes one, how an object answers.
//!
//! In: text or JSON from a connector. Out: a typed [`Value`] in at most 24 bytes, texts shared by `Arc`.
//! Never: an empty text (the directory stores no empty strings; it is an absent value).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::attribute::{Attribute, suggest_property};
use super::intern::Interner;
use super::names::{self, Named};

/// What kind of value an attribute has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    Text,
    /// Several texts; a test holds if any of them passes.
    Texts,
    /// `type:value`; compared with and without the type.
    Address,
    Addresses,
    Boolean,
    Integer,
    /// Bytes, or `Unlimited`.
    Size,
    Time,
    Enumeration(&'static [Named]),
    Flags(&'static [Named]),
    /// A country by ISO code or name.
    Country,
    Dn,
    Dns,
    Guid,
}

impl ValueType {
    /// True if an object may have several values.
    pub fn is_multi_valued(self) -> bool {
        match self {
            Self::Texts | Self::Addresses | Self::Dns => true,
            Self::Text
            | Self::Address
            | Self::Boolean
            | Self::Integer
            | Self::Size
            | Self::Time
            | Self::Enumeration(_)
            | Self::Flags(_)
            | Self::Country
            | Self::Dn
            | Self::Guid => false,
        }
    }
}

/// One stored value. Names, DNs, GUIDs and addresses are text; the attribute says which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Text(Arc<str>),
    Texts(Arc<[Arc<str>]>),
    Boolean(bool),
    /// Numbers, enumerations and flags.
    Integer(i64),
    Size(u64),
    Time(Timestamp),
}

/// Why a text is no value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{attribute}: {text:?} is not {expected}")]
pub struct ValueFault {
    pub attribute: Attribute,
    pub text: String,
    /// What the text should have been, in words.
    pub expected: &'static str,
}

impl Value {
    /// Reads the text of an export as a value of `attribute`; `None` if it is empty.
    ///
    /// Several texts are separated by line breaks or semicolons. Dates are read as [`parse_time`] does, in UTC.
    ///
    /// A single text keeps its blanks: `Berlin ` is another value than `Berlin`, and the commonest reason why a
    /// filter misses somebody.
    pub fn parse(attribute: Attribute, text: &str) -> Result<Option<Self>, ValueFault> {
        let stored = text;
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let fault = |expected| ValueFault {
            attribute,
            text: text.chars().take(80).collect(),
            expected,
        };
        let value = match attribute.value_type() {
            ValueType::Text => Self::Text(stored.into()),
            ValueType::Address | ValueType::Country | ValueType::Dn | ValueType::Guid => Self::Text(text.into()),
            ValueType::Texts | ValueType::Addresses | ValueType::Dns => {
                let parts = text.split(['\n', ';']).map(str::trim).filter(|part| !part.is_empty());
                return Ok(Self::texts(parts));
            }
            ValueType::Boolean => Self::Boolean(parse_boolean(text).ok_or_else(|| fault("True or False"))?),
            ValueType::Integer => Self::Integer(text.parse().map_err(|_| fault("a whole number"))?),
            ValueType::Size => Self::Size(parse_size(text).ok_or_else(|| fault("a size such as 25MB"))?),
            ValueType::Time => Self::Time(parse_time(text, &TimeZone::UTC).ok_or_else(|| fault("a date and time"))?),
            ValueType::Enumeration(table) => {
                Self::Integer(names::number_of(table, text).ok_or_else(|| fault("one of its names or a number"))?)
            }
            ValueType::Flags(table) => {
                Self::Integer(names::flags_of(table, text).ok_or_else(|| fault("a list of its names or a number"))?)
            }
        };
        Ok(Some(value))
    }

    /// Several texts; `None` if there is none.
    pub fn texts<'a>(parts: impl Iterator<Item = &'a str>) -> Option<Self> {
        let parts: Arc<[Arc<str>]> = parts.map(Arc::from).collect();
        (!parts.is_empty()).then_some(Self::Texts(parts))
    }

    /// The value that an answer stands for; none if it is absent.
    pub fn of(answer: &ValueRef<'_>) -> Option<Self> {
        Some(match answer {
            ValueRef::Absent => return None,
            ValueRef::Text(text) => Self::Text(Arc::from(&**text)),
            ValueRef::Texts(texts) => Self::Texts(texts.iter().map(|text| Arc::from(&**text)).collect()),
            ValueRef::Boolean(value) => Self::Boolean(*value),
            ValueRef::Integer(value) => Self::Integer(*value),
            ValueRef::Size(value) => Self::Size(*value),
            ValueRef::Time(value) => Self::Time(*value),
        })
    }

    fn intern(&mut self, interner: &mut Interner) {
        match self {
            Self::Text(text) => interner.share(text),
            Self::Texts(texts) => *texts = texts.iter().map(|text| interner.text(text)).collect(),
            Self::Boolean(_) | Self::Integer(_) | Self::Size(_) | Self::Time(_) => {}
        }
    }
}

/// What an object answers for an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum ValueRef<'a> {
    /// The object has no value; `-eq $null` holds.
    Absent,
    Text(Cow<'a, str>),
    /// Never empty.
    Texts(Vec<Cow<'a, str>>),
    Boolean(bool),
    Integer(i64),
    Size(u64),
    Time(Timestamp),
}

impl<'a> ValueRef<'a> {
    /// A text that may be missing.
    pub fn text(text: Option<&'a str>) -> Self {
        text.filter(|text| !text.is_empty())
            .map_or(Self::Absent, |text| Self::Text(Cow::Borrowed(text)))
    }

    /// Several texts, absent if there is none.
    pub fn texts(texts: Vec<Cow<'a, str>>) -> Self {
        if texts.is_empty() {
            Self::Absent
        } else {
            Self::Texts(texts)
        }
    }
}

impl ValueRef<'_> {
    /// The same answer, borrowed from nothing.
    pub fn into_owned(self) -> ValueRef<'static> {
        match self {
            Self::Absent => ValueRef::Absent,
            Self::Text(text) => ValueRef::Text(Cow::Owned(text.into_owned())),
            Self::Texts(texts) => {
                ValueRef::Texts(texts.into_iter().map(|text| Cow::Owned(text.into_owned())).collect())
            }
            Self::Boolean(value) => ValueRef::Boolean(value),
            Self::Integer(value) => ValueRef::Integer(value),
            Self::Size(value) => ValueRef::Size(value),
            Self::Time(value) => ValueRef::Time(value),
        }
    }
}

impl<'a> From<&'a Value> for ValueRef<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Text(text) => Self::Text(Cow::Borrowed(text)),
            Value::Texts(texts) => Self::Texts(texts.iter().map(|text| Cow::Borrowed(&**text)).collect()),
            Value::Boolean(value) => Self::Boolean(*value),
            Value::Integer(value) => Self::Integer(*value),
            Value::Size(value) => Self::Size(*value),
            Value::Time(value) => Self::Time(*value),
        }
    }
}

impl fmt::Display for ValueRef<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => out.write_str("(none)"),
            Self::Text(text) => out.write_str(text),
            Self::Texts(texts) => out.write_str(&texts.join("; ")),
            Self::Boolean(true) => out.write_str("True"),
            Self::Boolean(false) => out.write_str("False"),
            Self::Integer(value) => write!(out, "{value}"),
            Self::Size(value) => write!(out, "{value} bytes"),
            Self::Time(value) => write!(out, "{value}"),
        }
    }
}

/// `True` or `False` in any case, with or without the dollar.
pub fn parse_boolean(text: &str) -> Option<bool> {
    let text = text.trim();
    let text = text.strip_prefix('$').unwrap_or(text);
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// Bytes from `300MB`, `1.5GB`, `25 MB (26,214,400 bytes)`, a bare number of bytes or `Unlimited`.
pub fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("unlimited") {
        return Some(u64::MAX);
    }
    // The display form of exports carries the exact number.
    if let Some((_, exact)) = text.split_once('(') {
        let digits: String = exact.chars().filter(char::is_ascii_digit).collect();
        return digits.parse().ok();
    }
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor: u64 = match unit.trim().to_ascii_uppercase().as_str() {
        "" | "B" => 1,
        "KB" => 1 << 10,
        "MB" => 1 << 20,
        "GB" => 1 << 30,
        "TB" => 1 << 40,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: u64 = if whole.is_empty() && !fraction.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    // Six digits of fraction are exact enough for a size and cannot overflow.
    let fraction: String = fraction.chars().take(6).collect();
    let mut bytes = whole.checked_mul(factor)?;
    if !fraction.is_empty() {
        let scale = 10_u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        let part = u128::from(fraction.parse::<u64>().ok()?) * u128::from(factor) / u128::from(scale);
        bytes = bytes.checked_add(u64::try_from(part).ok()?)?;
    }
    Some(bytes)
}

/// A date and time: RFC 3339, ISO without a zone, or the US form of Microsoft's samples
/// (`8/1/2017 2:00:00 PM`, month first). A text without a zone is read in `zone`.
///
/// Differs: Exchange reads dates in the regional format of the server that evaluates; that would make the
/// meaning of a filter depend on a machine, so the US form of the documentation is the only one.
pub fn parse_time(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    const LOCAL_FORMS: [&str; 9] = [
        "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%d %H:%M",
        "%m/%d/%Y %I:%M:%S %p",
        "%m/%d/%Y %I:%M %p",
        "%m/%d/%Y %H:%M:%S",
        "%m/%d/%Y %H:%M",
        "%Y%m%d%H%M%S",
        "%Y-%m-%dT%H:%M:%S%.f",
    ];
    const DATE_FORMS: [&str; 2] = ["%Y-%m-%d", "%m/%d/%Y"];
    let text = text.trim();
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant);
    }
    // Generalized time of LDAP is UTC: 20170801140000.0Z.
    let (text, zone) = match text.strip_suffix(".0Z").or_else(|| text.strip_suffix('Z')) {
        Some(bare) => (bare, &TimeZone::UTC),
        None => (text, zone),
    };
    let local = LOCAL_FORMS
        .iter()
        .find_map(|form| DateTime::strptime(form, text).ok())
        .or_else(|| {
            DATE_FORMS
                .iter()
                .find_map(|form| jiff::civil::Date::strptime(form, text).ok())
                .map(DateTime::from)
        })?;
    Some(zone.to_ambiguous_zoned(local).compatible().ok()?.timestamp())
}

/// The stored attributes of one object, sorted by attribute; absent ones take no room.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes(Box<[(Attribute, Value)]>);

impl Attributes {
    pub fn get(&self, attribute: Attribute) -> Option<&Value> {
        let found = self.0.binary_search_by_key(&attribute, |(each, _)| *each).ok()?;
        self.0.get(found).map(|(_, value)| value)
    }

    /// Values in the order of their attributes, each attribute once.
    pub(super) fn from_sorted(rows: Vec<(Attribute, Value)>) -> Self {
        debug_assert!(rows.is_sorted_by_key(|(attribute, _)| *attribute));
        Self(rows.into_boxed_slice())
    }

    /// Stores a value, or removes it with `None`.
    pub fn set(&mut self, attribute: Attribute, value: Option<Value>) {
        let mut rows = std::mem::take(&mut self.0).into_vec();
        match (rows.binary_search_by_key(&attribute, |(each, _)| *each), value) {
            (Ok(at), Some(value)) => {
                if let Some(row) = rows.get_mut(at) {
                    row.1 = value;
                }
            }
            (Ok(at), None) => {
                rows.remove(at);
            }
            (Err(at), Some(value)) => rows.insert(at, (attribute, value)),
            (Err(_), None) => {}
        }
        self.0 = rows.into_boxed_slice();
    }

    /// Stores the text of an export; an empty text removes the attribute.
    pub fn set_text(&mut self, attribute: Attribute, text: &str) -> Result<(), ValueFault> {
        let value = Value::parse(attribute, text)?;
        self.set(attribute, value);
        Ok(())
    }

    /// All stored attributes in order.
    pub fn iter(&self) -> impl Iterator<Item = (Attribute, &Value)> {
        self.0.iter().map(|(attribute, value)| (*attribute, value))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Shares equal texts with other objects.
    pub fn intern(&mut self, interner: &mut Interner) {
        for (_, value) in &mut self.0 {
            value.intern(interner);
        }
    }
}

/// The JSON and TOML form of a value; enumerations may be written by name.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Boolean(bool),
    Integer(i64),
    Text(String),
    Texts(Vec<String>),
}

impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(attribute, value)| {
            let written = match value {
                Value::Text(text) => Written::Text(text.to_string()),
                Value::Texts(texts) => Written::Texts(texts.iter().map(ToString::to_string).collect()),
                Value::Boolean(value) => Written::Boolean(*value),
                Value::Integer(value) => Written::Integer(*value),
                // Text, because u64 does not fit TOML's integers.
                Value::Size(u64::MAX) => Written::Text("Unlimited".into()),
                Value::Size(value) => Written::Text(value.to_string()),
                Value::Time(value) => Written::Text(value.to_string()),
            };
            (attribute.name(), written)
        }))
    }
}

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut attributes = Self::default();
        for (name, written) in BTreeMap::<String, Written>::deserialize(deserializer)? {
            let Some(attribute) = Attribute::from_name(&name) else {
                let hint = suggest_property(&name)
                    .map(|near| format!("; did you mean {near}?"))
                    .unwrap_or_default();
                return Err(D::Error::custom(format!("unknown attribute {name:?}{hint}")));
            };
            let value = match written {
                Written::Texts(texts) if attribute.value_type().is_multi_valued() => {
                    Value::texts(texts.iter().map(String::as_str).filter(|text| !text.is_empty()))
                }
                Written::Texts(_) => return Err(D::Error::custom(format!("{attribute} takes one value, not a list"))),
                // One text given for a list is one value, separators and all.
                Written::Text(text) if attribute.value_type().is_multi_valued() => {
                    Value::texts(std::iter::once(text.as_str()).filter(|text| !text.is_empty()))
                }
                Written::Text(text) => Value::parse(attribute, &text).map_err(D::Error::custom)?,
                Written::Boolean(value) => Value::parse(attribute, &value.to_string()).map_err(D::Error::custom)?,
                Written::Integer(value) => Value::parse(attribute, &value.to_string()).map_err(D::Error::custom)?,
            };
            attributes.set(attribute, value);
        }
        Ok(attributes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("300MB", Some(300 << 20)),
            ("1.5GB", Some(3 << 29)),
            ("1024", Some(1024)),
            ("25 MB (26,214,400 bytes)", Some(26_214_400)),
            ("unlimited", Some(u64::MAX)),
            ("99999999999TB", None),
            ("many", None),
            ("1.5.2MB", None),
        ] {
            assert_eq!(parse_size(text), bytes, "{text}");
        }
    }

    #[test]
    fn times() {
        let expected = "2017-08-01T14:00:00Z".parse::<Timestamp>().ok();
        for text in [
            "8/1/2017 2:00:00 PM",
            "2017-08-01T14:00:00Z",
            "2017-08-01 14:00",
            "20170801140000.0Z",
        ] {
            assert_eq!(parse_time(text, &TimeZone::UTC), expected, "{text}");
        }
        assert!(parse_time("8/1/2017", &TimeZone::UTC).is_some());
        assert_eq!(parse_time("31.8.2017", &TimeZone::UTC), None);
        assert_eq!(parse_time("13/13/2017", &TimeZone::UTC), None);
    }

    #[test]
    fn attributes_survive_json() {
        let json = r#"{"CountryCode":840,"Department":"Sales","ExtensionCustomAttribute1":["a","b;c"],
            "IsDirSynced":true,"GroupType":"Universal,SecurityEnabled","WhenCreated":"2017-08-01T14:00:00Z"}"#;
        let attributes: Attributes = serde_json::from_str(json).expect("valid");
        assert_eq!(
            attributes.get(Attribute::GroupType),
            Some(&Value::Integer(-2_147_483_640))
        );
        let again: Attributes = serde_json::from_str(&serde_json::to_string(&attributes).expect("writes")).expect("ok");
        assert_eq!(again, attributes);
    }

    #[test]
    fn an_unknown_attribute_is_named() {
        let fault = serde_json::from_str::<Attributes>(r#"{"CompanyName":"x"}"#).expect_err("unknown");
        assert!(fault.to_string().contains("did you mean Company?"), "{fault}");
    }

    #[test]
    fn a_value_is_small() {
        assert!(size_of::<Value>() <= 24);
    }
}
