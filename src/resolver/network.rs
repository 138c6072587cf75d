//! Networks whose clients are proven internal, and the address ranges they are made of.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::accepted::AcceptedDomains;
use crate::mail::Domain;
use crate::mail::header::sieve::Stamp;

/// A range of addresses: `192.0.2.0/24`, `2001:db8::/32`, or one address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IpNet {
    first: IpAddr,
    prefix: u8,
}

/// Why a text is not a range of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IpNetFault {
    /// No address before the slash.
    #[error("`{0}` is not an IP address or a range such as 192.0.2.0/24")]
    Address(String),
    /// The prefix is no number, or larger than the address has bits.
    #[error("the prefix of `{0}` must be a number from 0 to {1}")]
    Prefix(String, u8),
    /// `192.0.2.1/24`: the part after the prefix is not zero, so it is not clear what was meant.
    #[error("`{0}` has bits set after its prefix; did you mean {1}?")]
    HostBits(String, String),
}

impl IpNet {
    /// True if the range holds this address; an IPv4 address mapped into IPv6 counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        masked(address.to_canonical(), self.prefix) == Some(self.first)
    }
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The address with everything after the prefix zero; none if the prefix is longer than the address.
fn masked(address: IpAddr, prefix: u8) -> Option<IpAddr> {
    let rest = bits(address).checked_sub(prefix)?;
    Some(match address {
        IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() & u32::MAX.checked_shl(u32::from(rest)).unwrap_or(0)).into()),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & u128::MAX.checked_shl(u32::from(rest)).unwrap_or(0)).into()),
    })
}

/// Addresses that all customers of Exchange Online send from, as its published endpoint list names them.
const EXCHANGE_ONLINE: [&str; 6] = [
    "40.92.0.0/15",
    "40.107.0.0/16",
    "52.100.0.0/14",
    "104.47.0.0/17",
    "2a01:111:f400::/48",
    "2a01:111:f403::/48",
];

/// True if the range and Exchange Online's have an address in common.
#[must_use]
pub fn is_exchange_online(range: &IpNet) -> bool {
    let theirs = EXCHANGE_ONLINE.iter().filter_map(|text| text.parse::<IpNet>().ok());
    let mut overlapping = theirs.filter(|theirs| theirs.contains(range.first) || range.contains(theirs.first));
    overlapping.next().is_some()
}

impl FromStr for IpNet {
    type Err = IpNetFault;

    fn from_str(text: &str) -> Result<Self, IpNetFault> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| IpNetFault::Address(text.to_owned()))?;
        let prefix = match prefix {
            None => bits(address),
            Some(digits) => digits
                .parse()
                .ok()
                .filter(|prefix| *prefix <= bits(address))
                .ok_or_else(|| IpNetFault::Prefix(text.to_owned(), bits(address)))?,
        };
        let first = masked(address, prefix).unwrap_or(address);
        if first != address {
            return Err(IpNetFault::HostBits(text.to_owned(), format!("{first}/{prefix}")));
        }
        Ok(Self { first, prefix })
    }
}

impl fmt::Display for IpNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

impl fmt::Debug for IpNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for IpNet {
    type Error = IpNetFault;

    fn try_from(text: String) -> Result<Self, IpNetFault> {
        text.parse()
    }
}

impl From<IpNet> for String {
    fn from(net: IpNet) -> Self {
        net.to_string()
    }
}

/// Where a client connects from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Origin<'a> {
    /// Listener name in the settings.
    pub listener: &'a str,
    /// Its address.
    pub client: IpAddr,
    /// Names of its certificate, in lower case, if an authority of ours vouches for it.
    pub certificates: &'a [Arc<str>],
}

impl<'a> Origin<'a> {
    /// A client without a certificate.
    #[must_use]
    pub fn plain(listener: &'a str, client: IpAddr) -> Self {
        Self {
            listener,
            client,
            certificates: &[],
        }
    }
}

/// The name of a certificate, or all names one label below a domain (`*.contoso.example`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CertificateName(Box<str>);

impl CertificateName {
    /// A name in the form of RFC 6125 §6.4; none if it is not a domain with at most one `*`, which is a whole label.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("*.").unwrap_or(text);
        let domain = Domain::parse(rest).ok().filter(|domain| !domain.is_literal())?;
        let wildcard = if rest.len() < text.len() { "*." } else { "" };
        Some(Self(format!("{wildcard}{}", domain.as_str()).into()))
    }

    /// True if a certificate's name is this one. A certificate for `*.x` is nobody in particular: only the very same
    /// text covers it.
    #[must_use]
    pub fn covers(&self, name: &str) -> bool {
        match self.0.strip_prefix("*.") {
            _ if *self.0 == *name => true,
            Some(parent) => name
                .split_once('.')
                .is_some_and(|(label, rest)| label != "*" && rest == parent),
            None => false,
        }
    }
}

impl fmt::Display for CertificateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names in the certificates that all customers of Exchange Online send with.
const EXCHANGE_ONLINE_NAMES: [&str; 3] = ["protection.outlook.com", "outlook.com", "office365.com"];

/// True if all customers of Exchange Online present a certificate of this name.
#[must_use]
pub fn is_exchange_online_name(name: &CertificateName) -> bool {
    let bare = name.0.strip_prefix("*.").unwrap_or(&name.0);
    let mut theirs = EXCHANGE_ONLINE_NAMES.iter();
    theirs.any(|domain| bare == *domain || bare.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')))
}

/// Clients that prove a sender internal, on named listeners and for named reverse-path domains: by their address, by
/// the name of their certificate, or by both where both are stated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrustedNetwork {
    /// Name in the settings; recorded as the proof.
    pub name: Arc<str>,
    /// Its addresses; empty: any, if names are stated. Nothing is trusted by itself, loopback neither.
    pub networks: Vec<IpNet>,
    /// Names of its certificate; empty: none is needed.
    pub certificates: Vec<CertificateName>,
    /// Listeners where the proof holds; empty means all.
    pub listeners: Vec<Arc<str>>,
    /// Reverse-path domains it proves; settings that name none mean the accepted domains, written out here.
    pub domains: AcceptedDomains,
    /// What must come on top, where many customers of a provider share the addresses; none: they are ours alone.
    pub tenancy: Option<Tenancy>,
}

/// How a provider that many customers share says for which of them a message is. The addresses prove the provider
/// only. With neither part nothing is proved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tenancy {
    /// The field that the provider writes, with our tenant.
    pub stamp: Option<Stamp>,
    /// A DKIM signature that covers the reverse-path proves as well.
    pub signature: bool,
}

impl TrustedNetwork {
    /// True if a client is of the network, on this listener. For one with a tenancy that proves the provider, not the
    /// organisation.
    #[must_use]
    pub fn holds(&self, origin: &Origin<'_>) -> bool {
        let here = self.listeners.is_empty() || self.listeners.iter().any(|name| **name == *origin.listener);
        let by_address = self.networks.iter().any(|network| network.contains(origin.client));
        match (self.networks.is_empty(), self.certificates.is_empty()) {
            (_, true) => here && by_address,
            (true, false) => here && self.certificate(origin).is_some(),
            (false, false) => here && by_address && self.certificate(origin).is_some(),
        }
    }

    /// The name of the client's certificate that is stated here.
    #[must_use]
    pub fn certificate(&self, origin: &Origin<'_>) -> Option<Arc<str>> {
        let stated = |name: &&Arc<str>| self.certificates.iter().any(|stated| stated.covers(name));
        origin.certificates.iter().find(stated).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_what_they_say() {
        for (net, address, holds) in [
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.0/24", "::ffff:192.0.2.9", true),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("0.0.0.0/0", "203.0.113.1", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "203.0.113.1", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("127.0.0.0/8", "127.0.0.1", true),
            ("::1", "127.0.0.1", false),
        ] {
            let net: IpNet = net.parse().expect("a test range");
            assert_eq!(net.contains(address.parse().expect("valid")), holds, "{net} {address}");
        }
    }

    #[test]
    fn ranges_of_exchange_online_are_known() {
        for (range, theirs) in [
            ("40.92.0.0/15", true),
            ("40.93.7.1", true),
            ("40.0.0.0/8", true),
            ("0.0.0.0/0", true),
            ("52.103.255.0/24", true),
            ("2a01:111:f403:c100::/56", true),
            ("40.94.0.0/16", false),
            ("10.0.0.0/8", false),
            ("2001:db8::/32", false),
        ] {
            assert_eq!(
                is_exchange_online(&range.parse().expect("a test range")),
                theirs,
                "{range}"
            );
        }
    }

    #[test]
    fn doubtful_ranges_are_refused() {
        for text in [
            "",
            "contoso",
            "192.0.2.0/33",
            "192.0.2.0/",
            "192.0.2.0/-1",
            "192.0.2.1/24",
            "2001:db8::1/32",
        ] {
            assert!(text.parse::<IpNet>().is_err(), "{text}");
        }
        let fault = "192.0.2.1/24".parse::<IpNet>().expect_err("host bits");
        assert!(fault.to_string().contains("192.0.2.0/24"));
    }
}
