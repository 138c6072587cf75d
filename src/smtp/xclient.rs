//! XCLIENT (Postfix's XCLIENT_README): a trusted proxy or filter says for which client it speaks.
//!
//! In: the command's text. Out: [`Claims`]. Never: a claim of an account; AUTH is proved to us or not at all, so
//! `LOGIN` is passed over.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::xtext;
use crate::mail::Domain;

/// What a trusted client says about its own client.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Claims {
    /// `ADDR=`.
    pub address: Option<IpAddr>,
    /// `HELO=`.
    pub helo: Option<Arc<str>>,
    /// `PROTO=`: true for ESMTP.
    pub extended: Option<bool>,
}

/// Text that is not XCLIENT's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct XclientFault;

/// Reads `attribute=value…`, values in xtext. Unknown attributes are a fault: EHLO named those we take.
pub fn parse(text: &str) -> Result<Claims, XclientFault> {
    let mut claims = Claims::default();
    for word in text.split(' ') {
        let (name, value) = word.split_once('=').ok_or(XclientFault)?;
        let decoded = xtext::decode(value.as_bytes()).ok_or(XclientFault)?;
        let value = String::from_utf8(decoded).map_err(|_| XclientFault)?;
        let known = !matches!(&*value, "[UNAVAILABLE]" | "[TEMPUNAVAIL]");
        let is = |attribute: &str| name.eq_ignore_ascii_case(attribute);
        if is("ADDR") {
            // A client that nobody can name is not the one that speaks for it: no network holds this address.
            claims.address = Some(if known {
                address(&value)?
            } else {
                IpAddr::V4(Ipv4Addr::UNSPECIFIED)
            });
        } else if is("HELO") {
            let valid = value.is_ascii() && Domain::parse(&value).is_ok();
            claims.helo = (known && valid).then(|| value.into());
        } else if is("PROTO") {
            claims.extended = Some(value.eq_ignore_ascii_case("ESMTP"));
        } else if !["NAME", "PORT", "LOGIN", "DESTADDR", "DESTPORT"].into_iter().any(is) {
            return Err(XclientFault);
        }
    }
    Ok(claims)
}

fn address(text: &str) -> Result<IpAddr, XclientFault> {
    let v6 = text.get(..5).filter(|tag| tag.eq_ignore_ascii_case("ipv6:"));
    match v6 {
        Some(_) => text[5..].parse::<Ipv6Addr>().map(IpAddr::V6),
        None => text.parse(),
    }
    .map(|address| address.to_canonical())
    .map_err(|_| XclientFault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_read_or_refused() {
        let claims = parse("NAME=spike.example ADDR=192.0.2.7 PROTO=ESMTP HELO=spike+2Eexample LOGIN=lena");
        let expected = Claims {
            address: Some("192.0.2.7".parse().expect("an address")),
            helo: Some("spike.example".into()),
            extended: Some(true),
        };
        assert_eq!(claims, Ok(expected));
        let address = |text: &str| parse(text).map(|claims| claims.address);
        assert_eq!(address("addr=IPV6:2001:db8::1"), Ok("2001:db8::1".parse().ok()));
        assert_eq!(address("ADDR=[UNAVAILABLE]"), Ok("0.0.0.0".parse().ok()));
        assert_eq!(address("NAME=a"), Ok(None));
        for text in [
            "ADDR",
            "ADDR=192.0.2",
            "ADDR=IPV6:192.0.2.1",
            "SOMETHING=x",
            "ADDR=+ZZ",
            "ADDR=192.0.2.7  HELO=a",
        ] {
            assert_eq!(parse(text), Err(XclientFault), "{text}");
        }
        assert_eq!(parse("HELO=a+20b").map(|claims| claims.helo), Ok(None));
    }
}
