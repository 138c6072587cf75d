//! EHLO keywords: what we offer, and what a next hop offers.

use std::fmt::Write as _;

/// Service extensions of one side of a session (RFC 5321 §4.1.1.1). All absent after HELO.
///
/// STARTTLS, AUTH and CHUNKING will have their fields here when we do them; until then a peer's offer of them
/// is passed over, as RFC 5321 §2.2.1 asks for every unknown keyword.
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
    /// What our listeners offer: everything this file names.
    #[must_use]
    pub fn ours(message_octets_max: u64) -> Self {
        Self {
            pipelining: true,
            size: SizeOffer::Limited(message_octets_max),
            eight_bit_mime: true,
            smtputf8: true,
            dsn: true,
            enhanced_status_codes: true,
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
        ];
        for (_, keyword) in flags.iter().filter(|(offered, _)| *offered) {
            text.push('\n');
            text.push_str(keyword);
        }
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let ours = Extensions::ours(1_000);
        assert_eq!(Extensions::parse(&ours.reply_text("mx.contoso.example")), ours);
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
        let peer = Extensions::parse("host greets\npipelining\nXEXPS GSSAPI\nAUTH=LOGIN\n8bitmime\nSTARTTLS");
        assert!(peer.pipelining && peer.eight_bit_mime && !peer.dsn && !peer.smtputf8);
    }
}
