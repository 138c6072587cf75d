//! Words that may stand in the settings: choices, names, patterns of domains, hosts with ports.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use serde_spanned::Spanned;

use crate::connectors::document::read::{Faults, Read, choice, text_by};
use crate::connectors::document::{Node, NodeValue};
use crate::directory::group::{ComparisonProfile, StaleAction, StormAction};
use crate::mail::address::Domain;

macro_rules! words {
    ($( $(#[$note:meta])* $name:ident { $( $(#[$each:meta])* $word:literal => $variant:ident, )* } )*) => {$(
        $(#[$note])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $( $(#[$each])* $variant, )* }

        impl $name {
            /// As it is written in the settings.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $( Self::$variant => $word, )* }
            }
        }

        impl Read for $name {
            fn read(node: &Node, path: &str, faults: &mut Faults) -> Option<Self> {
                choice(node, path, faults, &[$( ($word, Self::$variant), )*])
            }
        }
    )*};
}

words! {
    /// Least severe line of the log.
    LogLevel {
        /// Something an operator must act on.
        "error" => Error,
        /// Something an operator should look at.
        "warn" => Warn,
        /// What happened to mail.
        "info" => Info,
        /// Why.
        "debug" => Debug,
        /// Everything.
        "trace" => Trace,
    }
    /// Form of the log.
    LogFormat {
        /// For people.
        "text" => Text,
        /// One object per line.
        "json" => Json,
    }
    /// Who knows the recipients of an accepted domain.
    AcceptedDomainKind {
        /// We do.
        "authoritative" => Authoritative,
        /// Another system shares it.
        "internal_relay" => InternalRelay,
        /// Another organisation's.
        "external_relay" => ExternalRelay,
    }
    /// What a listener is for.
    Role {
        /// An MX: mail for accepted domains.
        "inbound" => Inbound,
        /// A smart host: trusted clients may send anywhere.
        "relay" => Relay,
        /// For mail clients: accounts may send anywhere.
        "submission" => Submission,
    }
    /// TLS of a listener.
    ListenerTls {
        /// Never.
        "off" => Off,
        /// After STARTTLS.
        "offered" => Offered,
        /// No mail without STARTTLS.
        "required" => Required,
        /// From the first octet.
        "implicit" => Implicit,
    }
    /// AUTH of a listener.
    ListenerAuth {
        /// Never.
        "off" => Off,
        /// Whoever wants.
        "offered" => Offered,
        /// No mail without it.
        "required" => Required,
    }
    /// Where a mailbox is.
    LocationWord {
        /// Exchange Online.
        "cloud" => Cloud,
        /// Our own servers.
        "on_premises" => OnPremises,
        /// Somebody else's.
        "external" => External,
    }
    /// Which side a sender is on.
    SideWord {
        /// Proven to be one of us.
        "internal" => Internal,
        /// Everybody else.
        "external" => External,
    }
    /// Kinds of sources.
    SourceKind {
        /// A folder of TOML, JSON and CSV files.
        "files" => Files,
    }
    /// Members whose account is disabled.
    DisabledAccounts {
        /// They get their copy, as with Exchange.
        "deliver" => Deliver,
        /// They are left out, with a tracked reason.
        "drop" => Drop,
    }
    /// Who carries out forwarding that is set on a mailbox.
    Forwarding {
        /// The mailbox's own server.
        "next_hop" => NextHop,
        /// We do.
        "here" => Here,
    }
    /// Rules of nested groups.
    NestedRestrictions {
        /// They are asked, as Exchange does.
        "enforce" => Enforce,
        /// Only the addressed group's rules are asked.
        "top_only" => TopOnly,
    }
    /// Which senders hear that a nested group or member was refused.
    NotifyPartial {
        /// Those whose address is proved.
        "proved" => Proved,
        /// All.
        "always" => Always,
        /// None.
        "never" => Never,
    }
    /// Mail that claims an accepted domain without proof.
    Spoofed {
        /// It is refused.
        "refuse" => Refuse,
        /// Held for somebody who decides.
        "quarantine" => Quarantine,
        /// It is external mail.
        "external" => External,
    }
    /// Return path of copies through a group that reports to nobody.
    SuppressedReports {
        /// `<>`.
        "null" => Null,
        /// The sender's, with NOTIFY=NEVER.
        "unchanged" => Unchanged,
    }
    /// Form of refusals.
    ReplyDialect {
        /// As Exchange Online.
        "exchange_online" => ExchangeOnline,
        /// As Exchange Server.
        "exchange" => Exchange,
    }
    /// Automatic replies of members.
    AutoReplies {
        /// As the group says.
        "as_group_says" => AsGroupSays,
        /// They go to the sender.
        "allow" => Allow,
    }
    /// Mail to a large group that is open to everybody.
    LargeGroup {
        /// It is expanded.
        "allow" => Allow,
        /// It is refused.
        "refuse" => Refuse,
        /// The owners decide.
        "hold" => Hold,
        /// Its sender is asked whether he means it.
        "confirm" => Confirm,
    }
    /// Whom a released message goes to.
    Membership {
        /// Members at its release.
        "release" => Release,
        /// Members at its submission.
        "submission" => Submission,
    }
    /// Whether `From` must say who sent it.
    Author {
        /// It is not looked at.
        "ignore" => Ignore,
        /// The sender, or somebody who permitted him.
        "permitted" => Permitted,
        /// The sender.
        "same" => Same,
    }
    /// Which mail is checked by SPF, DKIM, DMARC and ARC.
    Verify {
        /// Mail whose standing depends on it.
        "when_needed" => WhenNeeded,
        /// All mail that nothing else proves internal.
        "unproven" => Unproven,
    }
    /// Reverse-path of the copies for a next hop.
    ReturnPath {
        /// The sender's, or what the group's report settings say.
        "original" => Original,
        /// Outside senders rewritten.
        "srs" => Srs,
        /// An address of ours for each batch.
        "bounces" => Bounces,
    }
    /// Encryption with a next hop.
    TlsMode {
        /// Never.
        "none" => None,
        /// Where it is offered.
        "opportunistic" => Opportunistic,
        /// Or mail waits.
        "required" => Required,
        /// Or mail waits, and the certificate must be the right one.
        "verified" => Verified,
    }
    /// Whether TLSA records count.
    DaneMode {
        /// Where a domain has them.
        "opportunistic" => Opportunistic,
        /// No.
        "off" => Off,
    }
    /// How a next hop is told who we are.
    SignInMechanism {
        /// The best for a password that both sides have.
        "any" => Any,
        /// SCRAM-SHA-256.
        "scram-sha-256" => ScramSha256,
        /// PLAIN.
        "plain" => Plain,
        /// LOGIN.
        "login" => Login,
        /// XOAUTH2.
        "xoauth2" => Xoauth2,
        /// OAUTHBEARER.
        "oauthbearer" => OauthBearer,
    }
    /// When stored lists are computed.
    RollMode {
        /// With every change of the directory.
        "on_change" => OnChange,
        /// Every so often.
        "interval" => Interval,
    }
}

impl Read for StaleAction {
    fn read(node: &Node, path: &str, faults: &mut Faults) -> Option<Self> {
        let words = [("serve", Self::Serve), ("defer", Self::Defer), ("refuse", Self::Refuse)];
        choice(node, path, faults, &words)
    }
}

impl Read for StormAction {
    fn read(node: &Node, path: &str, faults: &mut Faults) -> Option<Self> {
        choice(node, path, faults, &Self::WORDS)
    }
}

impl Read for ComparisonProfile {
    fn read(node: &Node, path: &str, faults: &mut Faults) -> Option<Self> {
        let words = [("active_directory", Self::ActiveDirectory), ("cloud", Self::Cloud)];
        choice(node, path, faults, &words)
    }
}

/// Name of a listener, next hop, source or network: letters, digits, `-`, `_` and `.`, at most 64.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(pub Arc<str>);

impl Name {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl Read for Name {
    fn read(node: &Node, path: &str, faults: &mut Faults) -> Option<Self> {
        let what = "a name of at most 64 letters, digits, \"-\", \"_\" or \".\"";
        text_by(node, path, faults, what, |text| {
            let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            if (1..=64).contains(&text.len()) && text.chars().all(fits) {
                return Ok(Self(text.into()));
            }
            let meant: String = text
                .trim()
                .chars()
                .map(|c| if fits(c) { c } else { '-' })
                .take(64)
                .collect();
            Err(Some(meant).filter(|meant| meant.chars().any(char::is_alphanumeric)))
        })
    }
}

/// A domain, or a domain with all its subdomains.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DomainPattern {
    /// The domain.
    pub domain: Domain,
    /// Whether its subdomains are meant too.
    pub subdomains: bool,
}

impl DomainPattern {
    /// True if the domain fits.
    #[must_use]
    pub fn matches(&self, domain: &Domain) -> bool {
        let rest = domain.as_str().strip_suffix(self.domain.as_str());
        rest.is_some_and(|rest| rest.is_empty() || (self.subdomains && rest.ends_with('.')))
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let (name, subdomains) = match text.strip_prefix("*.") {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let domain = Domain::parse(name).ok().filter(|domain| !domain.is_literal())?;
        Some(Self { domain, subdomains })
    }
}

impl fmt::Display for DomainPattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}{}", if self.subdomains { "*." } else { "" }, self.domain)
    }
}

impl Read for DomainPattern {
    fn read(node: &Node, path: &str, faults: &mut Faults) -> Option<Self> {
        let what = "a domain such as \"contoso.example\", or \"*.contoso.example\" to include its subdomains";
        text_by(node, path, faults, what, |text| {
            Self::parse(text).ok_or_else(|| {
                let bare = text.trim().trim_start_matches('@').trim_end_matches('.');
                let bare = match bare.strip_prefix('.') {
                    Some(rest) => format!("*.{rest}"),
                    None => bare.to_owned(),
                };
                Self::parse(&bare).map(|pattern| pattern.to_string())
            })
        })
    }
}

/// A host name or address, with a port if one is stated.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// Host name, or an IP address without brackets.
    pub host: Arc<str>,
    /// Port, if stated.
    pub port: Option<u16>,
}

impl HostPort {
    fn parse(text: &str) -> Option<Self> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Some(Self::of(&address.ip().to_string(), Some(address.port())));
        }
        if let Ok(address) = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            return Some(Self::of(&address.to_string(), None));
        }
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok()?)),
            None => (text, None),
        };
        let domain = Domain::parse(host).ok().filter(|domain| !domain.is_literal())?;
        Some(Self::of(domain.as_str(), port))
    }

    fn of(host: &str, port: Option<u16>) -> Self {
        Self {
            host: host.into(),
            port,
        }
    }
}

impl Read for HostPort {
    fn read(node: &Node, path: &str, faults: &mut Faults) -> Option<Self> {
        let what = "a host with or without port, such as \"mx1.example\", \"mx1.example:2525\" or \"[2001:db8::1]:25\"";
        text_by(node, path, faults, what, |text| {
            Self::parse(text).ok_or_else(|| {
                let bare = text.trim().trim_start_matches("smtp://").trim_end_matches('/');
                Self::parse(bare).map(|_| bare.to_owned())
            })
        })
    }
}

/// Printable ASCII without blanks and colons: a tenant id, the name of a header field.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Token(pub Arc<str>);

impl Read for Token {
    fn read(node: &Node, path: &str, faults: &mut Faults) -> Option<Self> {
        let what = "printable characters without blanks and colons, at most 255";
        text_by(node, path, faults, what, |text| {
            let fits = |text: &str| {
                (1..=255).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_graphic() && octet != b':')
            };
            if fits(text) {
                return Ok(Self(text.into()));
            }
            let meant = text.trim().trim_end_matches(':');
            Err(fits(meant).then(|| meant.to_owned()))
        })
    }
}

/// Names: one, or a list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names(pub Vec<Spanned<Name>>);

impl Read for Names {
    fn read(node: &Node, path: &str, faults: &mut Faults) -> Option<Self> {
        if matches!(node.value, NodeValue::Text(_)) {
            let name = Name::read(node, path, faults)?;
            return Some(Self(vec![Spanned::new(node.span.clone(), name)]));
        }
        Vec::read(node, path, faults).map(Self)
    }
}

/// A DKIM selector (RFC 6376 §3.1): labels of letters, digits and hyphens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Selector(pub Arc<str>);

impl Read for Selector {
    fn read(node: &Node, path: &str, faults: &mut Faults) -> Option<Self> {
        let what = "a selector such as \"s1\" or \"2026-07\"";
        text_by(node, path, faults, what, |text| {
            let fits = |text: &str| {
                let name = Domain::parse(text).is_ok_and(|name| !name.is_literal());
                name && text.is_ascii() && !text.contains("_domainkey")
            };
            if fits(text) {
                return Ok(Self(text.to_ascii_lowercase().into()));
            }
            let bare = text.split("._domainkey").next().unwrap_or_default().trim();
            Err((bare != text && fits(bare)).then(|| bare.to_owned()))
        })
    }
}

/// SHA-256 of a public key, in base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash(pub [u8; 32]);

impl Read for KeyHash {
    fn read(node: &Node, path: &str, faults: &mut Faults) -> Option<Self> {
        use base64::Engine as _;
        use base64::engine::general_purpose::STANDARD;
        let what = "the SHA-256 of a public key in base64 (44 characters)";
        text_by(node, path, faults, what, |text| {
            let parse = |text: &str| STANDARD.decode(text).ok()?.try_into().ok().map(Self);
            let bare = text.trim().trim_start_matches("sha256//").trim_start_matches("sha256/");
            parse(text).ok_or_else(|| parse(bare).map(|_| bare.to_owned()))
        })
    }
}

impl Read for IpAddr {
    fn read(node: &Node, path: &str, faults: &mut Faults) -> Option<Self> {
        let what = "an IP address such as \"192.0.2.1\" or \"2001:db8::1\"";
        text_by(node, path, faults, what, |text| {
            let bare = text.trim().trim_start_matches('[').trim_end_matches(']');
            text.parse()
                .map_err(|_| bare.parse::<Self>().ok().map(|meant| meant.to_string()))
        })
    }
}
