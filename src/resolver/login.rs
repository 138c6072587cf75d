//! A client that proved to be an account (SASL AUTH), and the addresses it was given.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::mail::{Domain, Mailbox};

/// An account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Login {
    /// Its name: printable, without blanks. Recorded as the proof.
    pub name: Arc<str>,
    /// Addresses that were given to it by name. What the directory gives it comes on top.
    pub addresses: Vec<AddressPattern>,
}

impl Login {
    /// An account; none if its name cannot be recorded.
    #[must_use]
    pub fn new(name: &str, addresses: Vec<AddressPattern>) -> Option<Self> {
        let printable = |c: char| !c.is_whitespace() && !c.is_control();
        (!name.is_empty() && name.chars().all(printable)).then(|| Self {
            name: name.into(),
            addresses,
        })
    }

    /// The account's own address, if its name is one.
    #[must_use]
    pub fn mailbox(&self) -> Option<Mailbox> {
        Mailbox::parse(&self.name).ok()
    }

    /// True if it was given this address by name.
    #[must_use]
    pub fn was_given(&self, mailbox: &Mailbox) -> bool {
        self.addresses.iter().any(|pattern| pattern.covers(mailbox))
    }
}

/// One address, all of a domain, or all there are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AddressPattern {
    /// `news@contoso.example`.
    One(Mailbox),
    /// `*@contoso.example`.
    Domain(Domain),
    /// `*`.
    All,
}

impl AddressPattern {
    fn covers(&self, mailbox: &Mailbox) -> bool {
        match self {
            Self::One(one) => one.key() == mailbox.key(),
            Self::Domain(domain) => *domain == mailbox.domain_key(),
            Self::All => true,
        }
    }
}

impl fmt::Display for AddressPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(mailbox) => write!(f, "{mailbox}"),
            Self::Domain(domain) => write!(f, "*@{domain}"),
            Self::All => f.write_str("*"),
        }
    }
}

/// Text that is no pattern of addresses.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is not an address, `*@domain` or `*`")]
pub struct AddressPatternFault(String);

impl FromStr for AddressPattern {
    type Err = AddressPatternFault;

    fn from_str(text: &str) -> Result<Self, AddressPatternFault> {
        let fault = || AddressPatternFault(text.to_owned());
        match text.strip_prefix("*@") {
            _ if text == "*" => Ok(Self::All),
            Some(domain) => Domain::parse(domain).map(Self::Domain).map_err(|_| fault()),
            None => Mailbox::parse(text).map(Self::One).map_err(|_| fault()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_have_what_they_were_given() {
        let pattern = |text: &str| text.parse::<AddressPattern>();
        let mailbox = |text: &str| Mailbox::parse(text).expect("valid");
        for (given, address, has) in [
            ("news@contoso.example", "NEWS@Contoso.example", true),
            ("news@contoso.example", "new@contoso.example", false),
            ("*@contoso.example", "x@contoso.example", true),
            ("*@contoso.example", "x@a.contoso.example", false),
            ("*", "x@anywhere.example", true),
        ] {
            let login = Login::new("app", vec![pattern(given).expect(given)]).expect("a name");
            assert_eq!(login.was_given(&mailbox(address)), has, "{given} {address}");
            assert_eq!(pattern(given).expect(given).to_string(), given);
        }
        for text in ["", "news", "*@", "*@a b", "*x@contoso.example "] {
            assert!(pattern(text).is_err(), "{text}");
        }
        for name in ["", "a b", "a\u{a0}b", "a\nb"] {
            assert_eq!(Login::new(name, Vec::new()), None, "{name:?}");
        }
    }
}
