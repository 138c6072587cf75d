//! Envelope addresses: one strict grammar, parsed once.
//!
//! In: the text between the angle brackets of a path, or an address from a directory.
//! Out: a [`Mailbox`] that is proof of RFC 5321 §4.1.2 syntax, and an [`AddressKey`] to compare it by.
//! Never: comments, folding white space, source routes, encoded words, control octets; never folds a
//! non-ASCII letter (look-alikes stay apart, `reliability.md` §3.1).

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// Longest local-part in octets (RFC 5321 §4.5.3.1.1 says 64; Exchange handles 315, and IMCEAEX needs it).
pub const LOCAL_PART_OCTETS_MAX: usize = 315;
/// Longest domain in octets (RFC 5321 §4.5.3.1.2).
pub const DOMAIN_OCTETS_MAX: usize = 255;

/// Why a text is not a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressFault {
    /// Nothing between the brackets where a mailbox is required.
    #[error("the address is empty")]
    Empty,
    /// No `@`.
    #[error("the address has no @ and domain")]
    NoDomain,
    /// Local-part empty or not a dot-string or quoted-string.
    #[error("the local-part is not a dot-string or quoted-string")]
    LocalPart,
    /// Local-part longer than [`LOCAL_PART_OCTETS_MAX`].
    #[error("the local-part is longer than 315 octets")]
    LocalPartLong,
    /// Domain is not a sequence of letter-digit-hyphen (or U-label) labels, nor an address literal.
    #[error("the domain is not valid")]
    Domain,
    /// Domain longer than [`DOMAIN_OCTETS_MAX`] or a label longer than 63.
    #[error("the domain is too long")]
    DomainLong,
    /// A control octet, or a blank outside a quoted-string.
    #[error("the address holds a control character or a blank")]
    Control,
    /// `<@relay:user@domain>`: refused, RFC 5321 §3.3 and Appendix C.
    #[error("source routes are not accepted")]
    SourceRoute,
}

/// A mailbox: `local-part@domain`, valid by RFC 5321 §4.1.2 (with RFC 6531 characters).
///
/// The text is kept as it came, for the wire; comparison goes through [`Mailbox::key`]. Equality and
/// hashing are those of the text as spelled.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mailbox {
    text: Arc<str>,
    at: u16,
}

impl Mailbox {
    /// Parses a mailbox without angle brackets. A trailing dot of the domain is refused.
    pub fn parse(text: &str) -> Result<Self, AddressFault> {
        let at = Self::check(text)?;
        Ok(Self {
            text: Arc::from(text),
            at: at as u16,
        })
    }

    /// Whether a text is a mailbox: the place of the `@`.
    pub(crate) fn check(text: &str) -> Result<usize, AddressFault> {
        if text.is_empty() {
            return Err(AddressFault::Empty);
        }
        if text.starts_with('@') {
            return Err(AddressFault::SourceRoute);
        }
        let at = split_at(text)?;
        let (local, domain) = (&text[..at], &text[at + 1..]);
        check_local_part(local)?;
        check_domain(domain)?;
        Ok(at)
    }

    /// A mailbox from a text that came from [`Mailbox::as_str`] before: it is not checked again.
    ///
    /// A text that is none all the same has an empty domain, which no address of ours has.
    #[must_use]
    pub(crate) fn of_valid(text: &str) -> Self {
        let end = text.len();
        let at = split_at(text).unwrap_or(end);
        Self {
            text: if at < end {
                Arc::from(text)
            } else {
                Arc::from(format!("{text}@"))
            },
            at: u16::try_from(at).unwrap_or(0),
        }
    }

    /// The address as it came.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Before the `@`, quotes included if there were any.
    #[must_use]
    pub fn local_part(&self) -> &str {
        &self.text[..usize::from(self.at)]
    }

    /// After the `@`, as it came.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.text[usize::from(self.at) + 1..]
    }

    /// The domain to compare by.
    #[must_use]
    pub fn domain_key(&self) -> Domain {
        Domain::folded(self.domain())
    }

    /// The form to compare by.
    #[must_use]
    pub fn key(&self) -> AddressKey {
        AddressKey(folded(self.local_part(), self.domain()).into_boxed_str())
    }

    /// The local-part of a text that is a mailbox, without making one.
    #[must_use]
    pub(crate) fn local_part_of_valid(text: &str) -> &str {
        split_at(text).ok().and_then(|at| text.get(..at)).unwrap_or(text)
    }

    /// The form to compare by of a text that is a mailbox, without making one.
    #[must_use]
    pub(crate) fn key_of_valid(text: &str) -> String {
        match split_at(text) {
            Ok(at) => folded(
                text.get(..at).unwrap_or_default(),
                text.get(at + 1..).unwrap_or_default(),
            ),
            Err(_) => text.to_owned(),
        }
    }

    /// True if SMTPUTF8 (RFC 6531) is needed to send to or from it.
    #[must_use]
    pub fn needs_smtputf8(&self) -> bool {
        !self.text.is_ascii()
    }

    /// True if another system could read a further hop out of the local-part (`%`, `!`, a quoted `@`).
    ///
    /// Refused for forward-paths of accepted domains: the percent hack, bang paths and
    /// `"a@b"@c` have opened relays for forty years (`reliability.md` §3.1).
    #[must_use]
    pub fn routes_again(&self) -> bool {
        self.local_part().bytes().any(|b| matches!(b, b'%' | b'!' | b'@'))
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.text)
    }
}

impl std::str::FromStr for Mailbox {
    type Err = AddressFault;

    fn from_str(text: &str) -> Result<Self, AddressFault> {
        Self::parse(text)
    }
}

impl Serialize for Mailbox {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Mailbox {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(|fault| serde::de::Error::custom(format!("{text}: {fault}")))
    }
}

/// An address to compare by: ASCII letters folded, quotes that were not needed removed, non-ASCII
/// local-parts in NFC, the domain as A-labels.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct AddressKey(Box<str>);

impl AddressKey {
    /// The folded text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The domain part of the folded text.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl std::borrow::Borrow<str> for AddressKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AddressKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A domain in its compare form: lower-case A-labels.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Domain(Arc<str>);

impl Domain {
    /// Parses a domain name or an address literal.
    pub fn parse(text: &str) -> Result<Self, AddressFault> {
        check_domain(text)?;
        Ok(Self::folded(text))
    }

    fn folded(text: &str) -> Self {
        if text.is_ascii() {
            return Self(Arc::from(text.to_ascii_lowercase()));
        }
        // U-labels that IDNA cannot map stay as they are, in NFC: they then equal only themselves.
        let ascii = idna::domain_to_ascii(text).unwrap_or_else(|_| text.nfc().collect());
        Self(Arc::from(ascii))
    }

    /// The folded text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True for `[192.0.2.1]` and `[IPv6:…]`.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        self.0.starts_with('[')
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Domain {
    type Error = AddressFault;

    fn try_from(text: String) -> Result<Self, AddressFault> {
        Self::parse(&text)
    }
}

impl From<Domain> for String {
    fn from(domain: Domain) -> Self {
        domain.0.to_string()
    }
}

/// The reverse-path of an envelope (RFC 5321 §4.1.1.2): a mailbox, or null for reports.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ReversePath {
    /// A mailbox to which reports go.
    Mailbox(Mailbox),
    /// `<>`: nobody; reports are never sent to it (RFC 5321 §4.5.5).
    Null,
}

impl ReversePath {
    /// The mailbox, unless null.
    #[must_use]
    pub fn mailbox(&self) -> Option<&Mailbox> {
        match self {
            Self::Mailbox(mailbox) => Some(mailbox),
            Self::Null => None,
        }
    }

    /// True for `<>`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The text between the angle brackets.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.mailbox().map_or("", Mailbox::as_str)
    }
}

impl fmt::Display for ReversePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.as_str())
    }
}

fn folded(local: &str, domain: &str) -> String {
    let local = unquoted(local);
    if local.is_ascii() && domain.is_ascii() {
        let mut key = String::with_capacity(local.len() + 1 + domain.len());
        key.push_str(&local);
        key.push('@');
        key.push_str(domain);
        key.make_ascii_lowercase();
        return key;
    }
    let mut key: String = local.nfc().collect();
    key.make_ascii_lowercase();
    key.push('@');
    key.push_str(Domain::folded(domain).as_str());
    key
}

/// Position of the `@` that ends the local-part; a quoted-string may hold others.
fn split_at(text: &str) -> Result<usize, AddressFault> {
    let bytes = text.as_bytes();
    if bytes.first() != Some(&b'"') {
        return match text.find('@') {
            Some(at) if at > LOCAL_PART_OCTETS_MAX => Err(AddressFault::LocalPartLong),
            Some(at) => Ok(at),
            None => Err(AddressFault::NoDomain),
        };
    }
    let mut index = 1;
    while index < bytes.len() {
        match bytes[index] {
            b'\\' => index += 2,
            b'"' if bytes.get(index + 1) == Some(&b'@') => return Ok(index + 1),
            b'"' => return Err(AddressFault::LocalPart),
            _ => index += 1,
        }
    }
    Err(AddressFault::NoDomain)
}

fn check_local_part(local: &str) -> Result<(), AddressFault> {
    if local.len() > LOCAL_PART_OCTETS_MAX {
        return Err(AddressFault::LocalPartLong);
    }
    if local.chars().any(char::is_control) {
        return Err(AddressFault::Control);
    }
    if local.starts_with('"') {
        return check_quoted(local);
    }
    if local.contains(' ') {
        return Err(AddressFault::Control);
    }
    let dot_string = local
        .split('.')
        .all(|atom| !atom.is_empty() && atom.chars().all(is_atext));
    if dot_string {
        Ok(())
    } else {
        Err(AddressFault::LocalPart)
    }
}

/// quoted-string of RFC 5321 §4.1.2: `qtextSMTP` or `\` and a printable ASCII character.
fn check_quoted(local: &str) -> Result<(), AddressFault> {
    let inner = local
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .ok_or(AddressFault::LocalPart)?;
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(next) if (' '..='~').contains(&next) => {}
                _ => return Err(AddressFault::LocalPart),
            },
            '"' => return Err(AddressFault::LocalPart),
            _ => {}
        }
    }
    Ok(())
}

fn check_domain(domain: &str) -> Result<(), AddressFault> {
    if domain.len() > DOMAIN_OCTETS_MAX {
        return Err(AddressFault::DomainLong);
    }
    if let Some(literal) = domain.strip_prefix('[') {
        let inner = literal.strip_suffix(']').ok_or(AddressFault::Domain)?;
        let valid = match inner.get(..5) {
            Some(tag) if tag.eq_ignore_ascii_case("IPv6:") => inner[5..].parse::<std::net::Ipv6Addr>().is_ok(),
            _ => inner.parse::<std::net::Ipv4Addr>().is_ok(),
        };
        return if valid { Ok(()) } else { Err(AddressFault::Domain) };
    }
    if domain.is_empty() {
        return Err(AddressFault::Domain);
    }
    for label in domain.split('.') {
        if label.len() > 63 && label.is_ascii() {
            return Err(AddressFault::DomainLong);
        }
        let edges = label.starts_with('-') || label.ends_with('-');
        if label.is_empty() || edges || !label.chars().all(is_label_character) {
            return Err(AddressFault::Domain);
        }
    }
    if !domain.is_ascii() && idna::domain_to_ascii(domain).is_err() {
        return Err(AddressFault::Domain);
    }
    Ok(())
}

fn is_label_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_' || (!c.is_ascii() && c.is_alphanumeric())
}

fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || (!c.is_ascii() && !c.is_whitespace())
}

/// A quoted local-part whose content is a plain dot-string names the same mailbox as the plain form
/// (RFC 5321 §4.1.2); otherwise the quotes stay.
fn unquoted(local: &str) -> std::borrow::Cow<'_, str> {
    let Some(inner) = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return local.into();
    };
    let mut plain = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        plain.push(if c == '\\' { chars.next().unwrap_or('\\') } else { c });
    }
    let dot_string = plain
        .split('.')
        .all(|atom| !atom.is_empty() && atom.chars().all(is_atext));
    if dot_string { plain.into() } else { local.into() }
}

#[cfg(test)]
#[path = "address_tests.rs"]
mod tests;
