//! Reading a document key by key: types, unknown keys and missing keys, all faults gathered.
//!
//! In: a [`Node`] and a type that says what may stand there. Out: the value, or faults that say what was
//! expected, found and probably meant. Never: an unknown key passed over, or the first fault taken for the last.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use serde_spanned::Spanned;

use super::units::{Network, UnitFault, parse_duration, parse_network, parse_size};
use super::{Entry, Fault, Node, NodeValue, nearest};
use crate::mail::address::{Domain, Mailbox};

/// A key that a table may have.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// Whether a table without it is a fault.
    pub required: bool,
    /// Use, unit, default and trap.
    pub text: &'static str,
    /// Keys of the table or tables that are its value.
    pub keys: &'static [Key],
}

/// Faults as they are found.
#[derive(Debug, Default)]
pub struct Faults {
    list: Vec<Fault>,
    /// The text could not be read to its end, so that missing keys prove nothing.
    pub partial: bool,
}

impl Faults {
    /// Starts with faults of syntax.
    #[must_use]
    pub fn of_syntax(list: Vec<Fault>) -> Self {
        let partial = !list.is_empty();
        Self { list, partial }
    }

    /// Adds one.
    pub fn push(&mut self, span: Range<usize>, path: &str, message: String, suggestion: Option<String>) {
        self.list.push(Fault {
            span,
            path: path.to_owned(),
            message,
            suggestion,
        });
    }

    /// All of them, in the order of the text.
    #[must_use]
    pub fn into_list(mut self) -> Vec<Fault> {
        self.list.sort_by_key(|fault| fault.span.start);
        self.list
    }
}

/// A type that can stand in a document.
pub trait Read: Sized {
    /// Keys, if it is a table or a list of tables.
    const KEYS: &'static [Key] = &[];

    /// Reads it; `None` if faults say why not.
    fn read(node: &Node, path: &str, faults: &mut Faults) -> Option<Self>;
}

/// One table while it is read.
pub struct Reader<'a> {
    entries: &'a [Entry],
    path: &'a str,
    place: Range<usize>,
}

impl<'a> Reader<'a> {
    /// Opens a table; keys it does not know are faults.
    pub fn open(node: &'a Node, path: &'a str, known: &[Key], faults: &mut Faults) -> Option<Self> {
        let NodeValue::Table(entries) = &node.value else {
            faults.push(node.span.clone(), path, expected("a table", node), None);
            return None;
        };
        for entry in entries {
            let name = entry.key.as_ref();
            if known.iter().any(|key| key.name == name) {
                continue;
            }
            let suggestion = nearest(name, known.iter().map(|key| key.name)).map(str::to_owned);
            let message = format!("unknown key `{name}`");
            faults.push(entry.key.span(), &join(path, name), message, suggestion);
        }
        let place = node.span.clone();
        Some(Self { entries, path, place })
    }

    /// Octets to point at when the table as a whole is meant.
    #[must_use]
    pub fn place(&self) -> Range<usize> {
        self.place.clone()
    }

    /// Reads a key that may be missing.
    pub fn optional<T: Read>(&self, name: &str, faults: &mut Faults) -> Option<Spanned<T>> {
        let entry = self.entries.iter().find(|entry| entry.key.as_ref() == name)?;
        if entry.node.value == NodeValue::Null {
            return None;
        }
        let value = T::read(&entry.node, &join(self.path, name), faults)?;
        Some(Spanned::new(entry.node.span.clone(), value))
    }

    /// Reads a key that must be there.
    pub fn required<T: Read>(&self, name: &str, faults: &mut Faults) -> Option<Spanned<T>> {
        if !faults.partial && !self.entries.iter().any(|entry| entry.key.as_ref() == name) {
            let message = format!("the key `{name}` is missing");
            faults.push(self.place(), &join(self.path, name), message, None);
        }
        self.optional(name, faults)
    }
}

/// `listeners[1]` and `address` make `listeners[1].address`.
#[must_use]
pub fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// "expected …, found …".
#[must_use]
pub fn expected(what: &str, node: &Node) -> String {
    const SHOWN_MAX: usize = 60;
    let cut = |text: &str| text.chars().take(SHOWN_MAX).collect::<String>();
    match &node.value {
        NodeValue::Text(text) => format!("expected {what}, found \"{}\"", cut(text)),
        NodeValue::Integer(number) => format!("expected {what}, found {number}"),
        NodeValue::Number(text) | NodeValue::Time(text) => format!("expected {what}, found {}", cut(text)),
        NodeValue::Boolean(value) => format!("expected {what}, found {value}"),
        NodeValue::Null | NodeValue::List(_) | NodeValue::Table(_) => {
            format!("expected {what}, found {}", node.value.kind())
        }
    }
}

/// Reads a text by a rule of its own; the rule says what it expected and may suggest.
pub fn text_by<T>(
    node: &Node,
    path: &str,
    faults: &mut Faults,
    what: &str,
    rule: impl FnOnce(&str) -> Result<T, Option<String>>,
) -> Option<T> {
    let refused = match &node.value {
        NodeValue::Text(text) => match rule(text) {
            Ok(value) => return Some(value),
            Err(suggestion) => suggestion,
        },
        NodeValue::Null
        | NodeValue::Boolean(_)
        | NodeValue::Integer(_)
        | NodeValue::Number(_)
        | NodeValue::Time(_)
        | NodeValue::List(_)
        | NodeValue::Table(_) => None,
    };
    faults.push(node.span.clone(), path, expected(what, node), refused);
    None
}

/// Reads one of a few words.
pub fn choice<T: Copy>(node: &Node, path: &str, faults: &mut Faults, words: &[(&str, T)]) -> Option<T> {
    let list: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
    let what = match list.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => list.join(""),
    };
    text_by(node, path, faults, &what, |text| {
        let found = words.iter().find(|(word, _)| *word == text);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let folded = text.to_ascii_lowercase().replace(['-', ' '], "_");
            nearest(&folded, words.iter().map(|(word, _)| *word)).map(str::to_owned)
        })
    })
}

fn unit<T>(node: &Node, path: &str, faults: &mut Faults, result: Result<T, UnitFault>) -> Option<T> {
    result
        .map_err(|fault| {
            faults.push(
                node.span.clone(),
                path,
                expected(fault.expected, node),
                fault.suggestion,
            )
        })
        .ok()
}

/// A number of octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl Read for Size {
    fn read(node: &Node, path: &str, faults: &mut Faults) -> Option<Self> {
        let result = match &node.value {
            NodeValue::Text(text) => parse_size(text),
            NodeValue::Integer(number) => parse_size(&number.to_string()),
            NodeValue::Number(text) => parse_size(text),
            NodeValue::Null | NodeValue::Boolean(_) | NodeValue::Time(_) | NodeValue::List(_) | NodeValue::Table(_) => {
                parse_size("")
            }
        };
        unit(node, path, faults, result.map(Self))
    }
}

impl Read for Duration {
    fn read(node: &Node, path: &str, faults: &mut Faults) -> Option<Self> {
        let result = match &node.value {
            NodeValue::Text(text) => parse_duration(text),
            NodeValue::Integer(number) => parse_duration(&number.to_string()),
            NodeValue::Null
            | NodeValue::Boolean(_)
            | NodeValue::Number(_)
            | NodeValue::Time(_)
            | NodeValue::List(_)
            | NodeValue::Table(_) => parse_duration(""),
        };
        unit(node, path, faults, result)
    }
}

impl Read for Network {
    fn read(node: &Node, path: &str, faults: &mut Faults) -> Option<Self> {
        let text = match &node.value {
            NodeValue::Text(text) => text.as_str(),
            NodeValue::Null
            | NodeValue::Boolean(_)
            | NodeValue::Integer(_)
            | NodeValue::Number(_)
            | NodeValue::Time(_)
            | NodeValue::List(_)
            | NodeValue::Table(_) => "",
        };
        unit(node, path, faults, parse_network(text))
    }
}

impl Read for bool {
    fn read(node: &Node, path: &str, faults: &mut Faults) -> Option<Self> {
        if let NodeValue::Boolean(value) = node.value {
            return Some(value);
        }
        let suggestion = match &node.value {
            NodeValue::Text(text) => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "$true" => Some("true".to_owned()),
                "false" | "no" | "off" | "$false" => Some("false".to_owned()),
                _ => None,
            },
            NodeValue::Null
            | NodeValue::Boolean(_)
            | NodeValue::Integer(_)
            | NodeValue::Number(_)
            | NodeValue::Time(_)
            | NodeValue::List(_)
            | NodeValue::Table(_) => None,
        };
        faults.push(node.span.clone(), path, expected("true or false", node), suggestion);
        None
    }
}

macro_rules! whole_number {
    ($($kind:ty: $what:literal;)*) => {$(
        impl Read for $kind {
            fn read(node: &Node, path: &str, faults: &mut Faults) -> Option<Self> {
                if let NodeValue::Integer(number) = node.value
                    && let Ok(number) = Self::try_from(number)
                {
                    return Some(number);
                }
                let suggestion = match &node.value {
                    NodeValue::Text(text) => text.trim().parse::<Self>().ok().map(|number| number.to_string()),
                    NodeValue::Null
                    | NodeValue::Boolean(_)
                    | NodeValue::Integer(_)
                    | NodeValue::Number(_)
                    | NodeValue::Time(_)
                    | NodeValue::List(_)
                    | NodeValue::Table(_) => None,
                };
                faults.push(node.span.clone(), path, expected($what, node), suggestion);
                None
            }
        }
    )*};
}

whole_number! {
    u16: "a whole number from 0 to 65535";
    u32: "a whole number from 0 to 4294967295";
}

impl Read for String {
    fn read(node: &Node, path: &str, faults: &mut Faults) -> Option<Self> {
        text_by(node, path, faults, "a text that is not empty", |text| {
            if text.trim().is_empty() {
                Err(None)
            } else {
                Ok(text.to_owned())
            }
        })
    }
}

impl Read for PathBuf {
    fn read(node: &Node, path: &str, faults: &mut Faults) -> Option<Self> {
        text_by(node, path, faults, "a path", |text| {
            if text.is_empty() || text.contains('\0') {
                Err(None)
            } else {
                Ok(Self::from(text))
            }
        })
    }
}

impl Read for Mailbox {
    fn read(node: &Node, path: &str, faults: &mut Faults) -> Option<Self> {
        text_by(
            node,
            path,
            faults,
            "an address such as \"lena@contoso.example\"",
            |text| {
                let bare = text.trim().trim_start_matches('<').trim_end_matches('>');
                Self::parse(text).map_err(|_| Self::parse(bare).ok().map(|mailbox| mailbox.to_string()))
            },
        )
    }
}

impl Read for Domain {
    fn read(node: &Node, path: &str, faults: &mut Faults) -> Option<Self> {
        text_by(node, path, faults, "a domain such as \"contoso.example\"", |text| {
            let bare = text.trim().trim_start_matches('@').trim_end_matches('.');
            let parse = |text| Self::parse(text).ok().filter(|domain| !domain.is_literal());
            parse(text).ok_or_else(|| parse(bare).map(|domain| domain.to_string()))
        })
    }
}

impl Read for SocketAddr {
    fn read(node: &Node, path: &str, faults: &mut Faults) -> Option<Self> {
        let what = "an IP address and a port such as \"127.0.0.1:2525\" or \"[::1]:2525\"";
        text_by(node, path, faults, what, |text| {
            text.parse().map_err(|_| socket_address_meant(text))
        })
    }
}

/// What people write for an address to listen at.
fn socket_address_meant(text: &str) -> Option<String> {
    if let Ok(address) = text.parse::<std::net::IpAddr>() {
        return Some(SocketAddr::new(address, 25).to_string());
    }
    let (host, port) = text.rsplit_once(':')?;
    port.parse::<u16>().ok()?;
    match host {
        "" | "*" => Some(format!("[::]:{port}")),
        "localhost" => Some(format!("127.0.0.1:{port}")),
        _ => host
            .parse::<std::net::Ipv6Addr>()
            .ok()
            .map(|host| format!("[{host}]:{port}")),
    }
}

impl<T: Read> Read for Vec<Spanned<T>> {
    const KEYS: &'static [Key] = T::KEYS;

    fn read(node: &Node, path: &str, faults: &mut Faults) -> Option<Self> {
        let NodeValue::List(list) = &node.value else {
            let suggestion = match &node.value {
                NodeValue::Text(text) => Some(format!("[\"{text}\"]")),
                NodeValue::Table(_) if !path.contains(['[', '.']) => Some(format!("[[{path}]]")),
                NodeValue::Null
                | NodeValue::Boolean(_)
                | NodeValue::Integer(_)
                | NodeValue::Number(_)
                | NodeValue::Time(_)
                | NodeValue::List(_)
                | NodeValue::Table(_) => None,
            };
            faults.push(node.span.clone(), path, expected("a list", node), suggestion);
            return None;
        };
        let read = |(index, each): (usize, &Node)| {
            T::read(each, &format!("{path}[{index}]"), faults).map(|value| Spanned::new(each.span.clone(), value))
        };
        Some(list.iter().enumerate().filter_map(read).collect())
    }
}

/// Declares a table of a document: each key with its explanation, and how it is read.
///
/// `required` and `optional` say whether a table without the key is a fault. The explanation is kept at run
/// time in `KEYS`, so that a test can hold it against the documented settings.
macro_rules! keys {
    ($(
        $(#[$note:meta])*
        $name:ident {
            $( $(#[doc = $text:literal])+ $need:ident $key:ident: $kind:ty, )*
        }
    )*) => {$(
        $(#[$note])*
        #[derive(Debug, Clone, Default)]
        pub struct $name {
            /// Octets to point at when the table as a whole is meant.
            pub place: std::ops::Range<usize>,
            $( $(#[doc = $text])+ pub $key: Option<serde_spanned::Spanned<$kind>>, )*
        }

        impl $name {
            const TABLE_KEYS: &'static [$crate::connectors::document::Key] = &[$(
                $crate::connectors::document::Key {
                    name: stringify!($key),
                    required: $crate::connectors::document::read::keys!(@$need),
                    text: concat!($($text, "\n"),+),
                    keys: <$kind as $crate::connectors::document::Read>::KEYS,
                },
            )*];

            fn read_table(
                node: &$crate::connectors::document::Node,
                path: &str,
                faults: &mut $crate::connectors::document::read::Faults,
            ) -> Option<Self> {
                let reader = $crate::connectors::document::Reader::open(node, path, Self::TABLE_KEYS, faults)?;
                Some(Self {
                    place: reader.place(),
                    $( $key: reader.$need(stringify!($key), faults), )*
                })
            }
        }
    )*};
    (@required) => { true };
    (@optional) => { false };
}

/// Makes tables declared with `keys!` readable: as tables only, or also as one text that stands for one key.
macro_rules! readable {
    ($($name:ident)*) => {$(
        impl $crate::connectors::document::Read for $name {
            const KEYS: &'static [$crate::connectors::document::Key] = Self::TABLE_KEYS;

            fn read(
                node: &$crate::connectors::document::Node,
                path: &str,
                faults: &mut $crate::connectors::document::read::Faults,
            ) -> Option<Self> {
                Self::read_table(node, path, faults)
            }
        }
    )*};
    (text $($name:ident: $key:ident)*) => {$(
        impl $crate::connectors::document::Read for $name {
            const KEYS: &'static [$crate::connectors::document::Key] = Self::TABLE_KEYS;

            fn read(
                node: &$crate::connectors::document::Node,
                path: &str,
                faults: &mut $crate::connectors::document::read::Faults,
            ) -> Option<Self> {
                match &node.value {
                    $crate::connectors::document::NodeValue::Text(_) => {
                        let value = $crate::connectors::document::Read::read(node, path, faults)?;
                        Some(Self {
                            place: node.span.clone(),
                            $key: Some(serde_spanned::Spanned::new(node.span.clone(), value)),
                            ..Self::default()
                        })
                    }
                    _ => Self::read_table(node, path, faults),
                }
            }
        }
    )*};
}

pub(crate) use keys;
pub(crate) use readable;
