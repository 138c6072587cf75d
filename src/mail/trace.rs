//! Trace fields: the Received field that every copy gets, and the keyed loop field of DESIGN §6.
//!
//! In: facts of the session, the groups a message was addressed to, a local key.
//! Out: header fields, CRLF ended, ready to be put before the content.
//! Never: an octet of a peer's that could end a line or open a field.

use std::collections::HashSet;
use std::fmt;
use std::fmt::Write as _;
use std::net::IpAddr;

use hmac::{Hmac, Mac as _};
use jiff::{Timestamp, tz::TimeZone};
use sha2::Sha256;

use super::{Domain, Mailbox, MessageId};
use crate::env::Chance;
use crate::limits;

/// Name of the field that marks the groups a message was addressed to.
pub const LOOP_FIELD: &str = "Muster-Groups";

/// Field of copies through a group whose members' automatic replies should not reach the sender: what Exchange
/// reads on the way into a mailbox.
pub const NO_AUTO_REPLIES_FIELD: &str = "X-Auto-Response-Suppress: OOF, AutoReply\r\n";

/// Where a folded line should end (RFC 5322 §2.1.1).
const LINE_OCTETS_WANTED: usize = 78;

/// Most octets of a HELO argument that is repeated; a domain has no more (RFC 5321 §4.5.3.1.2).
const HELO_OCTETS_MAX: usize = 255;

/// What a message came in by (RFC 5321 §4.4 `with`; RFC 6531 §4.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    /// HELO.
    Smtp,
    /// EHLO, within TLS and as an account or not (RFC 3848).
    Esmtp(Safeguards),
    /// The same, and the transaction used SMTPUTF8.
    Utf8Smtp(Safeguards),
}

/// What protected a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Safeguards {
    /// STARTTLS or implicit TLS.
    pub tls: bool,
    /// AUTH.
    pub auth: bool,
}

impl Protocol {
    /// RFC 3848 §2, RFC 6531 §4.3.
    fn word(self) -> &'static str {
        let of = |words: [&'static str; 4], safeguards: Safeguards| {
            words[usize::from(safeguards.tls) + 2 * usize::from(safeguards.auth)]
        };
        match self {
            Self::Smtp => "SMTP",
            Self::Esmtp(guards) => of(["ESMTP", "ESMTPS", "ESMTPA", "ESMTPSA"], guards),
            Self::Utf8Smtp(guards) => of(["UTF8SMTP", "UTF8SMTPS", "UTF8SMTPA", "UTF8SMTPSA"], guards),
        }
    }
}

/// Facts of a Received field.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// EHLO or HELO argument as the client gave it; none for our own reports.
    pub helo: Option<&'a str>,
    /// Client address; none for our own reports.
    pub client: Option<IpAddr>,
    /// Our host name.
    pub host: &'a str,
    /// What it came in by.
    pub protocol: Protocol,
    /// Our id of the message.
    pub id: MessageId,
    /// Every accepted forward-path; named only if it is one (RFC 5321 §7.2: others would be disclosed).
    pub recipients: &'a [&'a Mailbox],
    /// When the final dot arrived.
    pub at: Timestamp,
}

/// The Received field (RFC 5321 §4.4), folded, CRLF ended.
#[must_use]
pub fn received_field(facts: &Received<'_>) -> String {
    let mut clauses = Vec::with_capacity(6);
    if let Some(client) = facts.client {
        let helo = facts.helo.map_or_else(|| "unknown".to_owned(), safe_domain);
        clauses.push(format!("from {helo} ({})", literal(client)));
    }
    clauses.push(format!("by {} (muster)", safe_domain(facts.host)));
    clauses.push(format!("with {}", facts.protocol.word()));
    clauses.push(format!("id {}", facts.id));
    // A non-ASCII address would make the header section need SMTPUTF8 at every later hop.
    if let [only] = facts.recipients
        && !only.needs_smtputf8()
    {
        clauses.push(format!("for <{only}>"));
    }
    let last = clauses.len() - 1;
    clauses[last].push(';');
    clauses.push(date_text(facts.at));
    let mut field = folded("Received", clauses.iter().map(String::as_str));
    field.push_str("\r\n");
    field
}

/// A point in time as RFC 5322 §3.3 writes it, in UTC.
#[must_use]
pub fn date_text(at: Timestamp) -> String {
    jiff::fmt::rfc2822::to_string(&at.to_zoned(TimeZone::UTC)).unwrap_or_else(|_| {
        // RFC 5322 cannot write years before 0; a clock that says so is as good as none.
        "Thu, 1 Jan 1970 00:00:00 +0000".to_owned()
    })
}

/// `Name: words`, folded between words so that lines keep to 78 octets where words allow; no final CRLF.
pub(super) fn folded<'a>(name: &str, words: impl Iterator<Item = &'a str>) -> String {
    let mut out = String::with_capacity(4 * LINE_OCTETS_WANTED);
    out.push_str(name);
    out.push(':');
    let mut column = out.len();
    for word in words {
        if column + 1 + word.len() > LINE_OCTETS_WANTED && column > name.len() + 1 {
            out.push_str("\r\n");
            column = 0;
        }
        out.push(' ');
        out.push_str(word);
        column += 1 + word.len();
    }
    out
}

/// A domain or address literal as it is; anything else with its odd octets replaced by `?`.
pub(super) fn safe_domain(text: &str) -> String {
    if let Ok(domain) = Domain::parse(text) {
        return if text.is_ascii() {
            text.to_owned()
        } else {
            ascii_only(domain.as_str())
        };
    }
    let text = ascii_only(text);
    if text.is_empty() { "unknown".to_owned() } else { text }
}

fn ascii_only(text: &str) -> String {
    let keep = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    text.chars()
        .take(HELO_OCTETS_MAX)
        .map(|c| if keep(c) { c } else { '?' })
        .collect()
}

/// Address literal (RFC 5321 §4.1.3); an IPv4 address mapped into IPv6 is written as IPv4.
fn literal(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => format!("[{v4}]"),
        IpAddr::V6(v6) => format!("[IPv6:{v6}]"),
    }
}

/// The mark of one addressed group: 80 bits of HMAC-SHA-256 over its stable object id.
///
/// Unkeyed readers learn nothing from it but that two messages went through the same group, and cannot
/// make one for a group they have had no mail from. Copying one stops only the copier's own message.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LoopMark([u8; Self::OCTETS]);

impl LoopMark {
    const OCTETS: usize = 10;

    fn parse(text: &str) -> Option<Self> {
        if text.len() != 2 * Self::OCTETS || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let mut mark = [0; Self::OCTETS];
        for (octet, pair) in mark.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *octet = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(mark))
    }
}

impl fmt::Display for LoopMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for LoopMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The local key of loop marks: 32 random octets, kept in a file of the data directory.
#[derive(Clone)]
pub struct LoopKey([u8; 32]);

impl LoopKey {
    /// A key as read from its file.
    #[must_use]
    pub const fn new(octets: [u8; 32]) -> Self {
        Self(octets)
    }

    /// A new key.
    #[must_use]
    pub fn random(chance: &dyn Chance) -> Self {
        let mut octets = [0; 32];
        chance.fill(&mut octets);
        Self(octets)
    }

    /// The octets, for the file.
    #[must_use]
    pub const fn octets(&self) -> &[u8; 32] {
        &self.0
    }

    /// The mark of a group by its stable object id (a rename keeps it).
    #[must_use]
    pub fn mark(&self, group: &str) -> LoopMark {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(b"muster loop mark 1\0");
        mac.update(group.as_bytes());
        let full = mac.finalize().into_bytes();
        let mut mark = [0; LoopMark::OCTETS];
        mark.copy_from_slice(&full[..LoopMark::OCTETS]);
        LoopMark(mark)
    }
}

impl fmt::Debug for LoopKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoopKey(secret)")
    }
}

/// Marks that a message bears, ours and others'.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LoopMarks(HashSet<LoopMark>);

impl LoopMarks {
    /// Adds the marks of one field's unfolded value. What is no mark is passed over; the size of the header
    /// section bounds how many there are.
    pub fn read(&mut self, value: &str) {
        self.0
            .extend(value.split_ascii_whitespace().filter_map(LoopMark::parse));
    }

    /// True if the message has been through the group.
    #[must_use]
    pub fn contains(&self, mark: LoopMark) -> bool {
        self.0.contains(&mark)
    }

    /// True if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The loop field for the groups a message was addressed to, in order, without repeats; CRLF ended; none
/// without groups. At most [`limits::LOOP_MARKS_MAX`] are written: with more, the hop limit still ends a loop.
#[must_use]
pub fn loop_field(marks: impl IntoIterator<Item = LoopMark>) -> Option<String> {
    let mut seen = HashSet::new();
    let texts: Vec<String> = marks
        .into_iter()
        .filter(|mark| seen.insert(*mark))
        .take(limits::LOOP_MARKS_MAX)
        .map(|mark| mark.to_string())
        .collect();
    if texts.is_empty() {
        return None;
    }
    let mut field = folded(LOOP_FIELD, texts.iter().map(String::as_str));
    field.write_str("\r\n").ok()?;
    Some(field)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mail::header::{HeaderFacts, HeaderSection};

    fn facts<'a>(helo: Option<&'a str>, recipients: &'a [&'a Mailbox]) -> Received<'a> {
        Received {
            helo,
            client: Some("192.0.2.1".parse().expect("an address")),
            host: "mx.contoso.example",
            protocol: Protocol::Esmtp(Safeguards::default()),
            id: MessageId(uuid::Uuid::nil()),
            recipients,
            at: "2026-11-21T07:21:30Z".parse().expect("a time"),
        }
    }

    #[test]
    fn one_received_field_as_rfc_5321_writes_it() {
        let group = Mailbox::parse("all@contoso.example").expect("valid");
        assert_eq!(
            received_field(&facts(Some("client.example"), &[&group])),
            "Received: from client.example ([192.0.2.1]) by mx.contoso.example (muster)\r\n with ESMTP \
             id 00000000-0000-0000-0000-000000000000 for <all@contoso.example>;\r\n Sat, 21 Nov 2026 07:21:30 +0000\r\n"
        );
        let two = received_field(&facts(Some("client.example"), &[&group, &group]));
        assert!(!two.contains("for <"), "two recipients are not named: {two}");
        let own = received_field(&Received {
            client: None,
            ..facts(None, &[])
        });
        assert!(
            own.starts_with("Received: by mx.contoso.example (muster) with ESMTP"),
            "{own}"
        );
    }

    #[test]
    fn odd_greetings_do_no_harm() {
        for (helo, shown) in [
            (Some("a.example"), "from a.example ([192.0.2.1])"),
            (Some("[192.0.2.7]"), "from [192.0.2.7] ([192.0.2.1])"),
            (Some("bücher.example"), "from xn--bcher-kva.example ([192.0.2.1])"),
            (Some("a (by b)"), "from a??by?b? ([192.0.2.1])"),
            (Some("a\r\nBcc: x"), "from a??Bcc:?x ([192.0.2.1])"),
            (Some(""), "from unknown ([192.0.2.1])"),
            (None, "from unknown ([192.0.2.1])"),
        ] {
            let field = received_field(&facts(helo, &[]));
            assert!(field.contains(shown), "{helo:?}: {field}");
        }
        let mapped = Received {
            client: Some("::ffff:192.0.2.1".parse().expect("an address")),
            ..facts(None, &[])
        };
        assert!(received_field(&mapped).contains("([192.0.2.1])"));
    }

    #[test]
    fn marks_are_met_again_and_only_by_their_key() {
        let key = LoopKey::new([7; 32]);
        let marks = (0..40).map(|number| key.mark(&format!("group-{number}")));
        let field = loop_field(marks).expect("there are groups");
        assert!(field.lines().all(|line| line.len() <= 78));
        let facts = HeaderFacts::read(format!("{field}Subject: x\r\n\r\n").as_bytes()).expect("small");
        assert!(facts.loop_marks.contains(key.mark("group-0")));
        assert!(facts.loop_marks.contains(key.mark("group-31")));
        assert!(!facts.loop_marks.contains(key.mark("group-32")), "at most 32");
        assert!(
            !facts.loop_marks.contains(LoopKey::new([8; 32]).mark("group-0")),
            "another key"
        );
        assert_eq!(loop_field([]), None);
        assert_eq!(format!("{key:?}"), "LoopKey(secret)");
    }

    #[test]
    fn damaged_marks_are_passed_over() {
        let mut marks = LoopMarks::default();
        marks.read("0123 zzzzzzzzzzzzzzzzzzzz +1234567890123456789 v1");
        assert!(marks.is_empty());
    }

    proptest! {
        #[test]
        fn a_greeting_never_opens_a_field(helo in any::<String>()) {
            let field = received_field(&facts(Some(&helo), &[]));
            let message = format!("{field}\r\n");
            let section = HeaderSection::parse(message.as_bytes()).expect("small");
            prop_assert_eq!(section.fields().len(), 1);
            prop_assert_eq!(section.malformed_lines, 0);
            prop_assert_eq!(section.octets, field.len());
        }
    }
}
