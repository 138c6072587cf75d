//! Values of both dialects as what they mean: addresses, sizes, dates, flags, references.
//!
//! In: a raw value. Out: a typed or plain one, `None` where there is nothing, a fault in words where there is
//! something else. Never: a number taken for a name, or half of a list.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::raw::RawValue;
use crate::directory::value::{parse_boolean, parse_size, parse_time};
use crate::mail::address::Mailbox;

/// What a value was expected to be.
pub type Expected = &'static str;

/// One text.
#[must_use]
pub fn text(value: &RawValue) -> Option<String> {
    let text = match value {
        RawValue::Null => None,
        RawValue::Boolean(_) | RawValue::Number(_) | RawValue::Text(_) => value.plain().map(str::to_owned),
        RawValue::List(list) => match list.as_slice() {
            [only] => self::text(only),
            _ => None,
        },
        RawValue::Object { printed, .. } => ["Value", "Name", "DistinguishedName", "DisplayName"]
            .iter()
            .find_map(|name| value.field(name).and_then(self::text))
            .or_else(|| printed.clone()),
    };
    text.filter(|text| !text.trim().is_empty())
}

/// Several texts. In CSV scripts join them by `;`, `|` or line breaks.
#[must_use]
pub fn texts(value: &RawValue, joined: Joined) -> Vec<String> {
    match (value, joined) {
        (RawValue::List(list), _) => list.iter().filter_map(text).collect(),
        (RawValue::Text(text), Joined::ByScript) => split(text),
        (RawValue::Object { fields, printed: None }, _) if fields.is_empty() => Vec::new(),
        (other, _) => text(other).into_iter().collect(),
    }
}

/// Whether several values may stand in one text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    /// CSV.
    ByScript,
    /// Formats with lists of their own.
    Never,
}

fn split(text: &str) -> Vec<String> {
    let separator = [';', '|', '\n'].into_iter().find(|separator| text.contains(*separator));
    let parts: Vec<&str> = match separator {
        Some(separator) => text.split(separator).collect(),
        None => vec![text],
    };
    let parts = parts.into_iter().map(str::trim).filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

/// An address with or without its type: `SMTP:lena@contoso.example`.
///
/// On-premises shells give objects; one that a small `-Depth` cut off reads `@{Local=lena; Domain=…}`.
#[must_use]
pub fn address(value: &RawValue) -> Option<String> {
    match value {
        RawValue::Text(text) => match unprinted(text) {
            Some(object) => address(&object),
            None => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        },
        RawValue::Object { printed, .. } => {
            let field = |name: &str| value.field(name).and_then(text);
            if let Some(whole) = field("ProxyAddressString") {
                return Some(whole);
            }
            let bare = field("AddressString").or_else(|| field("SmtpAddress"));
            let prefix = field("PrefixString").or_else(|| value.field("Prefix").and_then(prefix));
            if let Some(bare) = bare {
                let is_primary = value.field("IsPrimaryAddress").and_then(boolean);
                return Some(match (prefix, is_primary) {
                    (Some(prefix), Some(true)) => format!("{}:{bare}", prefix.to_uppercase()),
                    (Some(prefix), Some(false)) => format!("{}:{bare}", prefix.to_lowercase()),
                    (Some(prefix), None) => format!("{prefix}:{bare}"),
                    (None, _) => bare,
                });
            }
            if let Some(whole) = field("Address") {
                return Some(whole);
            }
            match (field("Local"), field("Domain")) {
                (Some(local), Some(domain)) => Some(format!("{local}@{domain}")),
                _ => printed.clone().filter(|text| text.contains('@')),
            }
        }
        RawValue::List(list) => match list.as_slice() {
            [only] => address(only),
            _ => None,
        },
        RawValue::Null | RawValue::Boolean(_) | RawValue::Number(_) => None,
    }
}

fn prefix(value: &RawValue) -> Option<String> {
    let field = value.field("PrimaryPrefix").or_else(|| value.field("DisplayName"));
    field.and_then(text).or_else(|| text(value))
}

/// Several addresses. A cast to text joins them by blanks; their types tell where each begins.
#[must_use]
pub fn addresses(value: &RawValue, joined: Joined) -> Vec<String> {
    match value {
        RawValue::List(list) => list.iter().filter_map(address).collect(),
        RawValue::Text(text) => {
            let parts = match joined {
                Joined::ByScript => split(text),
                Joined::Never => vec![text.trim().to_owned()],
            };
            parts.iter().flat_map(|part| at_types(part)).collect()
        }
        RawValue::Object { .. } => address(value).into_iter().collect(),
        RawValue::Null | RawValue::Boolean(_) | RawValue::Number(_) => Vec::new(),
    }
}

/// Splits `SMTP:a@b smtp:c@d X500:/o=First Organization/cn=x` before each type.
fn at_types(text: &str) -> Vec<String> {
    const TYPES: [&str; 7] = ["smtp:", "x500:", "x400:", "sip:", "spo:", "eum:", "notes:"];
    let starts_type = |rest: &str| {
        TYPES.iter().any(|kind| {
            rest.get(..kind.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(kind))
        })
    };
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, _) in text.match_indices(' ') {
        if text.get(at + 1..).is_some_and(starts_type) {
            parts.push(text.get(start..at).unwrap_or("").trim().to_owned());
            start = at + 1;
        }
    }
    parts.push(text.get(start..).unwrap_or("").trim().to_owned());
    parts.retain(|part| !part.is_empty());
    parts
}

/// `@{Name=Lena; Guid=…}`: how PowerShell prints an object as text.
#[must_use]
pub fn unprinted(text: &str) -> Option<RawValue> {
    let inner = text.trim().strip_prefix("@{")?.strip_suffix('}')?;
    let fields = inner
        .split("; ")
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.trim().to_owned(), RawValue::Text(value.to_owned())))
        .collect();
    Some(RawValue::Object { fields, printed: None })
}

/// True or false, by word or by number.
#[must_use]
pub fn boolean(value: &RawValue) -> Option<bool> {
    match value {
        RawValue::Boolean(value) => Some(*value),
        RawValue::Number(text) | RawValue::Text(text) => match text.trim() {
            "0" => Some(false),
            "1" => Some(true),
            other => parse_boolean(other),
        },
        RawValue::List(list) => match list.as_slice() {
            [only] => boolean(only),
            _ => None,
        },
        RawValue::Null | RawValue::Object { .. } => None,
    }
}

/// A size in octets; `u64::MAX` is unlimited.
pub fn size(value: &RawValue) -> Result<Option<u64>, Expected> {
    const SIZE: Expected = "a size such as \"25 MB (26,214,400 bytes)\" or Unlimited";
    match value {
        RawValue::Null => Ok(None),
        RawValue::Number(text) | RawValue::Text(text) => {
            if let Some(object) = unprinted(text) {
                return size(&object);
            }
            if text.trim().is_empty() {
                return Ok(None);
            }
            parse_size(text).map(Some).ok_or(SIZE)
        }
        RawValue::Object { printed, .. } => {
            if value.field("IsUnlimited").and_then(boolean) == Some(true) {
                return Ok(Some(u64::MAX));
            }
            let inner = ["Value", "ToBytes", "Bytes"].iter().find_map(|name| value.field(name));
            match (inner, printed) {
                (Some(inner), _) => size(inner),
                (None, Some(text)) => parse_size(text).map(Some).ok_or(SIZE),
                (None, None) => Ok(None),
            }
        }
        RawValue::List(list) => match list.as_slice() {
            [] => Ok(None),
            [only] => size(only),
            _ => Err(SIZE),
        },
        RawValue::Boolean(_) => Err(SIZE),
    }
}

/// An instant: `/Date(1648771200000)/`, ISO 8601, the display forms of the American and the German locale.
pub fn time(value: &RawValue) -> Result<Option<Timestamp>, Expected> {
    const TIME: Expected = "a date and time (ISO 8601, /Date(…)/, month first or with dots)";
    let Some(text) = value.field("value").and_then(text).or_else(|| text(value)) else {
        return Ok(None);
    };
    let text = text.trim();
    if let Some(inner) = text.strip_prefix("/Date(").and_then(|rest| rest.strip_suffix(")/")) {
        // A zone behind the number says how to show it, not when it was.
        let end = inner
            .get(1..)
            .and_then(|rest| rest.find(['+', '-']))
            .map_or(inner.len(), |at| at + 1);
        let milliseconds: i64 = inner.get(..end).unwrap_or("").parse().map_err(|_| TIME)?;
        return Timestamp::from_millisecond(milliseconds).map(Some).map_err(|_| TIME);
    }
    if let Some(time) = parse_time(text, &TimeZone::UTC) {
        return Ok(Some(time));
    }
    ["%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M"]
        .iter()
        .find_map(|form| DateTime::strptime(form, text).ok())
        .and_then(|local| local.to_zoned(TimeZone::UTC).ok())
        .map(|zoned| Some(zoned.timestamp()))
        .ok_or(TIME)
}

/// A GUID in one form; nothing for the empty one.
#[must_use]
pub fn guid(text: &str) -> Option<String> {
    let text = text.trim().trim_start_matches('{').trim_end_matches('}');
    let id = uuid::Uuid::try_parse(text).ok()?;
    (text.len() == 36 && !id.is_nil()).then(|| id.to_string())
}

/// A person or group as a list names it: every spelling the file gives, the surest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spelled(pub Vec<String>);

impl Spelled {
    /// The spelling to show and to keep if nobody answers to any.
    #[must_use]
    pub fn shown(&self) -> &str {
        let address = self.0.iter().find(|text| text.contains('@'));
        address.or(self.0.first()).map_or("", String::as_str)
    }
}

/// References in a value.
#[must_use]
pub fn references(value: &RawValue, joined: Joined) -> Vec<Spelled> {
    match value {
        RawValue::List(list) => list.iter().filter_map(reference).collect(),
        RawValue::Text(text) => {
            if let Some(object) = unprinted(text) {
                return reference(&object).into_iter().collect();
            }
            let parts = match joined {
                Joined::ByScript => split(text),
                Joined::Never => vec![text.trim().to_owned()],
            };
            // A cast to text joins by blanks: only words that are whole names each may be told apart.
            let whole = |word: &str| guid(word).is_some() || Mailbox::parse(bare(word)).is_ok();
            let words = parts.iter().flat_map(|part| {
                let words: Vec<&str> = part.split(' ').filter(|word| !word.is_empty()).collect();
                if words.len() > 1 && words.iter().all(|word| whole(word)) {
                    words.into_iter().map(str::to_owned).collect::<Vec<_>>()
                } else {
                    vec![part.clone()]
                }
            });
            words
                .filter(|word| !word.is_empty())
                .map(|word| Spelled(vec![word]))
                .collect()
        }
        RawValue::Object { .. } => reference(value).into_iter().collect(),
        RawValue::Null | RawValue::Boolean(_) | RawValue::Number(_) => Vec::new(),
    }
}

fn reference(value: &RawValue) -> Option<Spelled> {
    const NAMES: [&str; 14] = [
        "ExternalDirectoryObjectId",
        "Guid",
        "ObjectGuid",
        "ObjectId",
        "DistinguishedName",
        "LegacyExchangeDN",
        "PrimarySmtpAddress",
        "WindowsEmailAddress",
        "SmtpAddress",
        "Identity",
        "CanonicalName",
        "Id",
        "Name",
        "DisplayName",
    ];
    match value {
        RawValue::Null | RawValue::Boolean(_) => None,
        RawValue::Number(text) | RawValue::Text(text) => {
            if let Some(object) = unprinted(text) {
                return reference(&object);
            }
            let text = text.trim();
            (!text.is_empty()).then(|| Spelled(vec![text.to_owned()]))
        }
        RawValue::List(list) => list.iter().find_map(reference),
        RawValue::Object { printed, .. } => {
            let mut spellings: Vec<String> = Vec::new();
            for name in NAMES {
                let Some(field) = value.field(name) else { continue };
                let found = if name.ends_with("Address") {
                    address(field)
                } else {
                    text(field)
                };
                spellings.extend(found.filter(|text| guid(text).is_some() || !is_empty_guid(text)));
            }
            spellings.extend(printed.clone().filter(|text| !text.trim().is_empty()));
            spellings.dedup();
            (!spellings.is_empty()).then_some(Spelled(spellings))
        }
    }
}

fn is_empty_guid(text: &str) -> bool {
    text.trim().trim_matches(['{', '}']) == "00000000-0000-0000-0000-000000000000"
}

/// References of a `…WithDisplayNames` property: each value holds a name and an address in some order.
#[must_use]
pub fn named_references(value: &RawValue, joined: Joined) -> Vec<Spelled> {
    let spread = |spelled: Spelled| {
        let mut all = Vec::new();
        for text in &spelled.0 {
            let parts = text.split([',', ';', '|', '<', '>', '(', ')', '[', ']', ' ']);
            let sure = parts
                .map(str::trim)
                .filter(|part| guid(part).is_some() || Mailbox::parse(bare(part)).is_ok());
            all.extend(sure.map(str::to_owned));
        }
        all.extend(spelled.0);
        all.dedup();
        Spelled(all)
    };
    references(value, joined).into_iter().map(spread).collect()
}

/// An address without its type.
#[must_use]
pub fn bare(text: &str) -> &str {
    let text = text.trim();
    match text.split_once(':') {
        Some((kind, rest)) if kind.eq_ignore_ascii_case("smtp") => rest,
        Some(_) | None => text,
    }
}
