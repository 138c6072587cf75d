//! What domains publish about TLS reports: `_smtp._tls` (RFC 8460 §3).

use std::fmt;

use crate::mail::Mailbox;

/// Most places that one report goes to, whatever the record names.
const PLACES_MAX: usize = 4;

/// Where a domain wants its reports.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// By mail.
    Mailbox(Mailbox),
    /// By POST to this URL, which begins with `https://`.
    Url(String),
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mailbox(mailbox) => write!(out, "mailto:{mailbox}"),
            Self::Url(url) => out.write_str(url),
        }
    }
}

/// The places that TXT records of `_smtp._tls` name; none unless exactly one record is about TLS reports.
#[must_use]
pub fn places(texts: &[String]) -> Vec<Place> {
    let mut records = texts
        .iter()
        .filter_map(|text| text.trim_start().strip_prefix("v=TLSRPTv1"))
        .filter(|rest| rest.trim_start().starts_with(';'));
    let (Some(fields), None) = (records.next(), records.next()) else {
        return Vec::new();
    };
    let named = fields
        .split(';')
        .find_map(|field| field.trim().strip_prefix("rua="))
        .unwrap_or_default();
    let mut found: Vec<Place> = Vec::new();
    for place in named.split(',').filter_map(|uri| place(uri.trim())) {
        if !found.contains(&place) && found.len() < PLACES_MAX {
            found.push(place);
        }
    }
    found
}

fn place(uri: &str) -> Option<Place> {
    let (scheme, rest) = uri.split_once(':')?;
    if scheme.eq_ignore_ascii_case("mailto") {
        let address = decoded(rest.split('?').next()?)?;
        return Mailbox::parse(&address).ok().map(Place::Mailbox);
    }
    let url = reqwest::Url::parse(uri).ok()?;
    // A name and no address: a record of somebody else's zone is not to point at what stands beside us.
    let is_named = url.domain().is_some_and(|host| host.contains('.'));
    let plain = url.username().is_empty() && url.password().is_none();
    (url.scheme() == "https" && is_named && plain).then(|| Place::Url(url.into()))
}

/// RFC 3986 §2.1.
fn decoded(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&octet, tail)) = rest.split_first() {
        rest = tail;
        if octet != b'%' {
            octets.push(octet);
            continue;
        }
        let (pair, tail) = rest.split_at_checked(2)?;
        octets.push(u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?);
        rest = tail;
    }
    String::from_utf8(octets).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_name_places() {
        for (texts, named) in [
            (
                &["v=TLSRPTv1;rua=mailto:reports@example.com"][..],
                "mailto:reports@example.com",
            ),
            (
                &["spf", "v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt"],
                "https://reporting.example.com/v1/tlsrpt",
            ),
            (
                &["v=TLSRPTv1; x=1; rua=mailto:a@example.com , HTTPS://b.example/ ; y"],
                "mailto:a@example.com https://b.example/",
            ),
            (
                &["v=TLSRPTv1;rua=mailto:a%2Bb@example.com?subject=x"],
                "mailto:a+b@example.com",
            ),
            (
                &["v=TLSRPTv1;rua=mailto:a@b.example,mailto:a@b.example"],
                "mailto:a@b.example",
            ),
            (
                &[
                    "v=TLSRPTv1;rua=mailto:1@b.example,mailto:2@b.example,mailto:3@b.example,mailto:4@b.example,mailto:5@b.example",
                ],
                "mailto:1@b.example mailto:2@b.example mailto:3@b.example mailto:4@b.example",
            ),
            (
                &["v=TLSRPTv1;rua=mailto:a@b.example", "v=TLSRPTv1;rua=mailto:c@b.example"],
                "",
            ),
            (&["v=TLSRPTv1"], ""),
            (&["v=TLSRPTv10;rua=mailto:a@b.example"], ""),
            (&["v=TLSRPTv1;rua=http://b.example/"], ""),
            (
                &["v=TLSRPTv1;rua=https://127.0.0.1/,https://[::1]/,https://localhost/"],
                "",
            ),
            (&["v=TLSRPTv1;rua=https://user:secret@b.example/"], ""),
            (
                &["v=TLSRPTv1;rua=mailto:nobody,mailto:a%0d%0ab@c.example,ftp://b.example"],
                "",
            ),
            (&[], ""),
        ] {
            let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            let found: Vec<String> = places(&texts).iter().map(ToString::to_string).collect();
            assert_eq!(found.join(" "), named, "{texts:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_a_zone_says_is_read_and_leads_to_few_places(rest in ".{0,200}", uri in "[a-z:/%@,;=?0-9!.-]{0,80}") {
            for text in [format!("v=TLSRPTv1;{rest}"), format!("v=TLSRPTv1;rua={uri}"), rest] {
                let found = places(&[text]);
                assert!(found.len() <= PLACES_MAX);
                for place in found {
                    let shown = place.to_string();
                    assert!(shown.starts_with("mailto:") || shown.starts_with("https://"), "{shown}");
                    assert!(!shown.contains(char::is_control), "{shown}");
                }
            }
        }
    }
}
