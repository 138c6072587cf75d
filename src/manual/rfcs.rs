//! The RFCs we cite: done, partly, planned, no. `tests/tidy.rs` holds code and table together.

use super::State::{self, Done, No, Partly};

/// One RFC.
#[derive(Clone, Copy, Debug)]
pub struct Rfc {
    /// Its number.
    pub number: u16,
    /// Its title, shortened.
    pub title: &'static str,
    /// How far.
    pub state: State,
    /// What of it, what not, why.
    pub note: &'static str,
}

const fn rfc(number: u16, title: &'static str, state: State, note: &'static str) -> Rfc {
    Rfc {
        number,
        title,
        state,
        note,
    }
}

/// Every RFC cited in `src`, by number.
pub const RFCS: &[Rfc] = &[
    rfc(1870, "SIZE", Done, "declared sizes are checked at MAIL and at RCPT"),
    rfc(
        2034,
        "ENHANCEDSTATUSCODES",
        Done,
        "on every reply but greeting, EHLO and 354",
    ),
    rfc(
        2045,
        "MIME part one",
        Partly,
        "read to recognise reports, and one level deep where they come back; bodies are never altered",
    ),
    rfc(
        2047,
        "Encoded words",
        Partly,
        "decoded for display in UTF-8, US-ASCII and ISO-8859-1; written in our own letters",
    ),
    rfc(
        2308,
        "Negative caching",
        Partly,
        "an empty answer is final only with its SOA",
    ),
    rfc(
        2849,
        "LDIF",
        Partly,
        "entries of an export are read; changes and values elsewhere are refused",
    ),
    rfc(2920, "PIPELINING", Done, "as server and as client"),
    rfc(
        3030,
        "CHUNKING, BINARYMIME",
        Partly,
        "BDAT from clients, and to next hops as one chunk, in one group with MAIL and RCPT where the content is short; binary content is not offered: it could not go on by DATA",
    ),
    rfc(
        3207,
        "STARTTLS",
        Done,
        "from clients and to next hops; a session with anything behind STARTTLS is cut",
    ),
    rfc(3339, "Dates and times", Done, "all times in output and logs"),
    rfc(
        3461,
        "DSN extension",
        Done,
        "parameters are parsed, kept, carried; groups by §5.2.7",
    ),
    rfc(3462, "multipart/report of old", No, "RFC 6522 replaced it"),
    rfc(3463, "Enhanced status codes", Done, ""),
    rfc(
        3464,
        "Delivery status notifications",
        Done,
        "failed, delayed, relayed, expanded; `delivered` is not ours to say; others' are read at return paths of ours",
    ),
    rfc(
        3834,
        "Automatic responses",
        Done,
        "auto-replied is a report to us; our reports say so themselves",
    ),
    rfc(
        3848,
        "ESMTP and AUTH types of transmission",
        Done,
        "in our Received fields",
    ),
    rfc(
        3986,
        "URIs",
        Partly,
        "octets that are written with `%` are read where a record names a mailbox",
    ),
    rfc(
        4013,
        "SASLprep",
        Partly,
        "its NFKC step, for names and passwords said to a next hop",
    ),
    rfc(4034, "DNSSEC records", Done, "DNSKEY, as the form of trust anchors"),
    rfc(
        4035,
        "DNSSEC",
        Partly,
        "answers about mail exchangers are validated where settings say so",
    ),
    rfc(
        4180,
        "CSV",
        No,
        "read as Export-Csv and spreadsheets write it: `;` and tabs too, blanks count only in quotes",
    ),
    rfc(4422, "SASL", Done, "from clients, and as the client of a next hop"),
    rfc(4511, "LDAP", Partly, "binds and searches for accounts, by a library"),
    rfc(
        4513,
        "LDAP authentication",
        Partly,
        "simple bind within TLS; a bind without a password is never made",
    ),
    rfc(
        4514,
        "Distinguished names",
        Partly,
        "read for group members and containers",
    ),
    rfc(
        4515,
        "LDAP filters",
        Partly,
        "read and written, with Active Directory's matching rules; :dn is refused, blanks between parts are taken",
    ),
    rfc(
        4517,
        "LDAP syntaxes",
        Partly,
        "generalized time, as filters write it; fractions of hours and minutes are not read",
    ),
    rfc(
        4519,
        "LDAP schema for user applications",
        Partly,
        "long names of attributes in filters",
    ),
    rfc(
        4526,
        "LDAP absolute true and false",
        No,
        "(&) and (|) are refused: a list emptied by accident would be everybody",
    ),
    rfc(
        4616,
        "SASL PLAIN",
        Done,
        "to a next hop, over TLS unless settings say otherwise",
    ),
    rfc(4632, "CIDR", Done, "how trusted networks are written"),
    rfc(
        4648,
        "Base 32",
        Done,
        "in return paths, in lower case and without padding",
    ),
    rfc(
        4954,
        "AUTH",
        Done,
        "from clients and to next hops; what `AUTH=` of MAIL says proves nothing and is not passed on",
    ),
    rfc(
        5280,
        "Certificates",
        Done,
        "by rustls; names of clients are subjectAltName dNSName",
    ),
    rfc(5321, "SMTP", Done, "without source routes, EXPN and VRFY of names"),
    rfc(
        5322,
        "Message format",
        Partly,
        "the header section is read, never rewritten; the grammar for authors is strict",
    ),
    rfc(
        5436,
        "Sieve notifications",
        No,
        "only its keyword auto-notified is known: ordinary mail",
    ),
    rfc(
        5737,
        "Addresses for documentation",
        Done,
        "stand for a stranger where none is named",
    ),
    rfc(
        5782,
        "DNS blacklists",
        Partly,
        "lists of IPv4 and IPv6 addresses are asked about strangers where settings name them; lists of names are not",
    ),
    rfc(
        5802,
        "SCRAM",
        Partly,
        "with SHA-256 only; bound to its channel (tls-exporter) from clients, not yet to next hops",
    ),
    rfc(
        5803,
        "Storage of SCRAM keys",
        Partly,
        "its parts, in the form that PostgreSQL writes",
    ),
    rfc(6066, "TLS extensions", Partly, "the name of a next hop is told (SNI)"),
    rfc(
        6125,
        "Names in certificates",
        Partly,
        "a `*` is the whole left-most label",
    ),
    rfc(
        6152,
        "8BITMIME",
        Done,
        "content is never converted: where it may not go it is returned, unless settings say otherwise",
    ),
    rfc(
        6376,
        "DKIM",
        Done,
        "verified, and made where a next hop asks for it; a signature that covers a part of the body or not the author is \
         not taken",
    ),
    rfc(
        6409,
        "Submission",
        Done,
        "accounts only, as themselves; Date and Message-ID are added where missing",
    ),
    rfc(6522, "multipart/report", Done, ""),
    rfc(6531, "SMTPUTF8", Done, "addresses are never downgraded"),
    rfc(
        6532,
        "Internationalised headers",
        Partly,
        "passed on as they are; read as UTF-8",
    ),
    rfc(
        6533,
        "Internationalised DSNs",
        Partly,
        "message/global-delivery-status where an address needs it",
    ),
    rfc(6698, "TLSA", Partly, "usages 2 and 3"),
    rfc(
        6749,
        "OAuth 2.0",
        Partly,
        "client credentials, for tokens that a next hop wants",
    ),
    rfc(
        6854,
        "Group syntax in From",
        No,
        "such a message has no author we could judge by",
    ),
    rfc(7208, "SPF", Done, "checked and told; never a refusal by itself"),
    rfc(
        7372,
        "Status codes of email authentication",
        Partly,
        "X.7.25 for reverse DNS; signatures and SPF refuse nothing by themselves",
    ),
    rfc(
        7435,
        "Opportunistic security",
        Done,
        "what next hops get unless settings say more",
    ),
    rfc(
        7469,
        "Key pinning for HTTP",
        No,
        "its form of a key hash stands in `tls_keys`",
    ),
    rfc(
        7489,
        "DMARC",
        Partly,
        "checked and told, may prove a sender internal; records are found by walking up the tree; no reports are sent",
    ),
    rfc(7505, "Null MX", Done, ""),
    rfc(
        7517,
        "JSON web keys",
        Done,
        "keys of an issuer, by a library; shared secrets are refused",
    ),
    rfc(
        7519,
        "JSON web tokens",
        Partly,
        "signed tokens with issuer, audience and expiry",
    ),
    rfc(
        7628,
        "OAUTHBEARER",
        Partly,
        "from clients, and as the client of a next hop",
    ),
    rfc(7671, "DANE updates", Partly, "usages 2 and 3"),
    rfc(
        7672,
        "DANE for SMTP",
        Partly,
        "for mail exchangers, with `dns.dnssec`; not for hosts that settings name, nor for domains that are aliases themselves",
    ),
    rfc(
        7677,
        "SCRAM-SHA-256",
        Partly,
        "as the client of a next hop; without -PLUS",
    ),
    rfc(8098, "MDN", No, "told apart from mail, never made"),
    rfc(
        8259,
        "JSON",
        Done,
        "directory files and answers; read with line and column",
    ),
    rfc(
        8301,
        "DKIM algorithms",
        Done,
        "rsa-sha1 is neither taken nor made; keys that sign have at least 2048 bits",
    ),
    rfc(
        8305,
        "Happy eyeballs",
        Partly,
        "families of addresses take turns, one at a time",
    ),
    rfc(
        8314,
        "Implicit TLS",
        Partly,
        "for submission and to next hops; client certificates prove connectors, not people",
    ),
    rfc(8410, "Ed25519 keys", Partly, "private keys in PKCS #8 are read"),
    rfc(
        8460,
        "TLS reports",
        Partly,
        "counted and sent once a day where settings name an organisation; `dane-required` is never said, `receiving-mx-helo` \
         and `additional-information` are left out; reports about us are ordinary mail",
    ),
    rfc(
        8461,
        "MTA-STS",
        Partly,
        "enforced where a domain says so, policies are kept over restarts; what a testing policy would hold up is reported",
    ),
    rfc(8463, "Ed25519 for DKIM", Done, "signed and verified"),
    rfc(
        8601,
        "Authentication-Results",
        Done,
        "one field of ours on checked mail; others' fields in our name are removed",
    ),
    rfc(
        8617,
        "ARC",
        Partly,
        "a chain is checked, told and gone on with where a next hop asks for it; it proves nothing here; a chain that \
         could not be checked gets no set",
    ),
    rfc(
        8689,
        "REQUIRETLS",
        Partly,
        "taken within TLS, passed on to a proved next hop that offers it, else returned from the first host without its body; \
         `TLS-Required: No` sets aside MTA-STS and DANE, never what settings of a next hop require",
    ),
    rfc(8996, "No TLS 1.0 and 1.1", Done, "TLS 1.2 is the least"),
    rfc(8997, "TLS 1.2 for mail", Done, "the least that is agreed on"),
    rfc(9106, "Argon2", Done, "argon2id for passwords in files"),
    rfc(
        9266,
        "tls-exporter binding",
        Done,
        "with TLS 1.3; SCRAM-SHA-256-PLUS is offered only then",
    ),
    rfc(9422, "LIMITS", Partly, "RCPTMAX is told; RCPTMAX and MAILMAX are read"),
];
