//! EHLO keywords: what we offer, and what a next hop offers.

use std::fmt::{self, Write as _};

/// Service extensions of one side of a session (RFC 5321 §4.1.1.1). All absent after HELO.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Extensions {
    /// PIPELINING (RFC 2920).
    pub pipelining: bool,
    /// SIZE (RFC 1870).
    pub size: SizeOffer,
    /// 8BITMIME (RFC 6152).
    pub eight_bit_mime: bool,
    /// SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
    /// DSN (RFC 3461).
    pub dsn: bool,
    /// ENHANCEDSTATUSCODES (RFC 2034).
    pub enhanced_status_codes: bool,
    /// CHUNKING (RFC 3030): BDAT.
    pub chunking: bool,
    /// STARTTLS (RFC 3207).
    pub starttls: bool,
    /// REQUIRETLS (RFC 8689); offered within TLS only.
    pub require_tls: bool,
    /// Mechanisms of AUTH (RFC 4954); none: AUTH is not offered.
    pub auth: Mechanisms,
    /// LIMITS RCPTMAX (RFC 9422 §5.2): most RCPTs in one transaction.
    pub rcpt_max: Option<u32>,
    /// LIMITS MAILMAX (RFC 9422 §5.1): most transactions in one session.
    pub mail_max: Option<u32>,
}

/// What the SIZE keyword says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SizeOffer {
    /// Not offered: `SIZE=` may not be sent.
    #[default]
    Absent,
    /// Offered without a fixed maximum (no parameter, or 0).
    Unlimited,
    /// No message above this many octets.
    Limited(u64),
}

impl SizeOffer {
    /// True if `SIZE=` may be sent.
    #[must_use]
    pub fn is_offered(self) -> bool {
        match self {
            Self::Absent => false,
            Self::Unlimited | Self::Limited(_) => true,
        }
    }

    /// The maximum, if there is one.
    #[must_use]
    pub fn limit(self) -> Option<u64> {
        match self {
            Self::Absent | Self::Unlimited => None,
            Self::Limited(octets) => Some(octets),
        }
    }
}

impl Extensions {
    /// What all our listeners offer. TLS, AUTH and limits are each listener's own.
    #[must_use]
    pub fn ours(message_octets_max: u64) -> Self {
        Self {
            pipelining: true,
            size: SizeOffer::Limited(message_octets_max),
            eight_bit_mime: true,
            smtputf8: true,
            dsn: true,
            enhanced_status_codes: true,
            chunking: true,
            ..Self::default()
        }
    }

    /// The text of our EHLO reply: the domain line, then one keyword a line.
    #[must_use]
    pub fn reply_text(&self, hostname: &str) -> String {
        let mut text = hostname.to_owned();
        let flags = [
            (self.pipelining, "PIPELINING"),
            (self.eight_bit_mime, "8BITMIME"),
            (self.smtputf8, "SMTPUTF8"),
            (self.dsn, "DSN"),
            (self.enhanced_status_codes, "ENHANCEDSTATUSCODES"),
            (self.chunking, "CHUNKING"),
            (self.starttls, "STARTTLS"),
            (self.require_tls, "REQUIRETLS"),
        ];
        for (_, keyword) in flags.iter().filter(|(offered, _)| *offered) {
            text.push('\n');
            text.push_str(keyword);
        }
        if !self.auth.is_empty() {
            let _ = write!(text, "\nAUTH {}", self.auth);
        }
        self.write_limits(&mut text);
        match self.size {
            SizeOffer::Absent => {}
            SizeOffer::Unlimited => text.push_str("\nSIZE"),
            SizeOffer::Limited(octets) => {
                let _ = write!(text, "\nSIZE {octets}");
            }
        }
        text.push_str("\nHELP");
        text
    }

    fn write_limits(&self, text: &mut String) {
        if self.rcpt_max.is_none() && self.mail_max.is_none() {
            return;
        }
        text.push_str("\nLIMITS");
        for (name, limit) in [("RCPTMAX", self.rcpt_max), ("MAILMAX", self.mail_max)] {
            if let Some(limit) = limit {
                let _ = write!(text, " {name}={limit}");
            }
        }
    }

    /// Reads the text of a peer's EHLO reply. The first line is its domain; unknown keywords are passed over.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut found = Self::default();
        for line in text.split('\n').skip(1) {
            let mut words = line.split_ascii_whitespace();
            let Some(keyword) = words.next() else { continue };
            match keyword.to_ascii_uppercase().as_str() {
                "PIPELINING" => found.pipelining = true,
                "8BITMIME" => found.eight_bit_mime = true,
                "SMTPUTF8" => found.smtputf8 = true,
                "DSN" => found.dsn = true,
                "ENHANCEDSTATUSCODES" => found.enhanced_status_codes = true,
                "CHUNKING" => found.chunking = true,
                "STARTTLS" => found.starttls = true,
                "REQUIRETLS" => found.require_tls = true,
                "AUTH" => found.auth = found.auth.with(words.filter_map(Mechanism::parse)),
                "LIMITS" => found.read_limits(words),
                "SIZE" => {
                    // RFC 1870 §4: no parameter or 0 means no fixed maximum. An unreadable one says nothing.
                    found.size = match words.next().map(str::parse::<u64>) {
                        None | Some(Ok(0) | Err(_)) => SizeOffer::Unlimited,
                        Some(Ok(octets)) => SizeOffer::Limited(octets),
                    };
                }
                _ => {}
            }
        }
        found
    }

    /// RFC 9422 §4.1: limits that are unknown or cannot be read are passed over.
    fn read_limits<'a>(&mut self, words: impl Iterator<Item = &'a str>) {
        for (name, limit) in words.filter_map(|word| word.split_once('=')) {
            let limit = limit.parse().ok().filter(|limit| *limit > 0);
            if name.eq_ignore_ascii_case("RCPTMAX") {
                self.rcpt_max = limit;
            } else if name.eq_ignore_ascii_case("MAILMAX") {
                self.mail_max = limit;
            }
        }
    }
}

/// A SASL mechanism that we speak, as server or client; the strongest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Mechanism {
    /// SCRAM-SHA-256-PLUS (RFC 7677): neither side shows a password, and the exchange is bound to its TLS connection.
    ScramSha256Plus,
    /// SCRAM-SHA-256 (RFC 7677): neither side shows a password.
    ScramSha256,
    /// OAUTHBEARER (RFC 7628): a token.
    OauthBearer,
    /// XOAUTH2: a token in the form that Exchange Online and Gmail take.
    Xoauth2,
    /// PLAIN (RFC 4616).
    Plain,
    /// LOGIN (draft-murchison-sasl-login): what older clients know.
    Login,
}

impl Mechanism {
    /// Every mechanism, the strongest first.
    pub const ALL: [Self; 6] = [
        Self::ScramSha256Plus,
        Self::ScramSha256,
        Self::OauthBearer,
        Self::Xoauth2,
        Self::Plain,
        Self::Login,
    ];

    /// Its registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::OauthBearer => "OAUTHBEARER",
            Self::Xoauth2 => "XOAUTH2",
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
        }
    }

    /// The mechanism of a name, in any case (RFC 4422 §3.1).
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|mechanism| mechanism.name().eq_ignore_ascii_case(name))
    }
}

/// A set of mechanisms.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Mechanisms(u8);

impl Mechanisms {
    /// This set and more.
    #[must_use]
    pub fn with(self, more: impl IntoIterator<Item = Mechanism>) -> Self {
        Self(
            more.into_iter()
                .fold(self.0, |set, mechanism| set | Self::bit(mechanism)),
        )
    }

    /// This set less one.
    #[must_use]
    pub fn without(self, mechanism: Mechanism) -> Self {
        Self(self.0 & !Self::bit(mechanism))
    }

    /// True if it holds a mechanism.
    #[must_use]
    pub fn contains(self, mechanism: Mechanism) -> bool {
        self.0 & Self::bit(mechanism) != 0
    }

    /// True without any.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Its mechanisms, the strongest first.
    pub fn iter(self) -> impl Iterator<Item = Mechanism> {
        Mechanism::ALL
            .into_iter()
            .filter(move |mechanism| self.contains(*mechanism))
    }

    fn bit(mechanism: Mechanism) -> u8 {
        1 << mechanism as u8
    }
}

/// As EHLO names them.
impl fmt::Display for Mechanisms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mechanism) in self.iter().enumerate() {
            let blank = if index == 0 { "" } else { " " };
            write!(f, "{blank}{}", mechanism.name())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let ours = Extensions {
            starttls: true,
            require_tls: true,
            auth: Mechanisms::default().with([Mechanism::Login, Mechanism::ScramSha256]),
            rcpt_max: Some(500),
            mail_max: Some(20),
            ..Extensions::ours(1_000)
        };
        let text = ours.reply_text("mx.contoso.example");
        assert!(
            text.contains("\nAUTH SCRAM-SHA-256 LOGIN\nLIMITS RCPTMAX=500 MAILMAX=20\n"),
            "{text}"
        );
        assert_eq!(Extensions::parse(&text), ours);
    }

    #[test]
    fn reads_a_peer() {
        for (text, size) in [
            ("host", SizeOffer::Absent),
            ("SIZE 5\nDSN", SizeOffer::Absent),
            ("host\nSIZE", SizeOffer::Unlimited),
            ("host\nsize 0", SizeOffer::Unlimited),
            ("host\nSIZE 35882577", SizeOffer::Limited(35_882_577)),
            ("host\nSIZE 99999999999999999999999", SizeOffer::Unlimited),
            ("host\n\n  \nSIZE 7 x", SizeOffer::Limited(7)),
        ] {
            assert_eq!(Extensions::parse(text).size, size, "{text:?}");
        }
        let peer = Extensions::parse(
            "host greets\npipelining\nXEXPS GSSAPI\nAUTH=LOGIN\nauth gssapi ntlm xoauth2\n8bitmime\nSTARTTLS\n\
             LIMITS RCPTMAX=0 RCPTDOMAINMAX=1 MAILMAX=many",
        );
        assert!(peer.pipelining && peer.eight_bit_mime && peer.starttls && !peer.dsn && !peer.smtputf8);
        assert_eq!(peer.auth, Mechanisms::default().with([Mechanism::Xoauth2]));
        assert_eq!((peer.rcpt_max, peer.mail_max), (None, None));
    }
}
