//! The PROXY protocol, versions 1 and 2: what a load balancer says about the client whose connection it passes on.
//!
//! In: the first octets of a connection. Out: how many more belong to the header, or whose connection it is.
//! Never: asks for an octet behind the header, where TLS may begin; guesses what a malformed header meant.
//!
//! By HAProxy's published description of the protocol, sections 2.1 and 2.2.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::limits::PROXY_HEADER_OCTETS_MAX;

/// Begins every header of version 2.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// Begins every header of version 1.
const WORD: &[u8] = b"PROXY ";

/// The shortest header there is: `PROXY UNKNOWN` and CRLF.
const SHORTEST_OCTETS: usize = 15;

/// Longest header of version 1, CRLF included.
const LINE_OCTETS_MAX: usize = 107;

/// Signature, version and command, family and protocol, length.
const FIXED_OCTETS: usize = 16;

/// What a connection's first octets come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// At least this many more octets belong to the header.
    More(usize),
    /// The header is complete, and ends here.
    Whole(Origin),
}

/// Whose connection it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// The proxy speaks for itself, as in a check of its own, or does not know: its own address counts.
    Proxy,
    /// A client, by address. An IPv4 address within IPv6 is an IPv4 address.
    Client(IpAddr),
}

/// Why it is no header.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ProxyFault {
    /// Neither version begins like this.
    #[error("the connection does not begin with a PROXY header")]
    Missing,
    /// Version 1 without CRLF in its first 107 octets, or version 2 over its limit.
    #[error("the PROXY header is too long")]
    TooLong,
    /// Another version or command than there is.
    #[error("the PROXY header's version or command is unknown")]
    Version,
    /// Datagrams, or a family or protocol that does not exist.
    #[error("the PROXY header's family or protocol is not one that mail comes by")]
    Family,
    /// Addresses or ports that cannot be read.
    #[error("the PROXY header's addresses are malformed")]
    Addresses,
}

/// Reads what has come so far: all of it belongs to the header, if there is one.
pub fn read(input: &[u8]) -> Result<Progress, ProxyFault> {
    let begins = |start: &[u8]| input.iter().zip(start).all(|(one, other)| one == other);
    if begins(SIGNATURE) && begins(WORD) {
        return Ok(Progress::More(SHORTEST_OCTETS)); // nothing has come
    }
    if begins(SIGNATURE) {
        binary(input)
    } else if begins(WORD) {
        line(input)
    } else {
        Err(ProxyFault::Missing)
    }
}

/// Version 1.
fn line(input: &[u8]) -> Result<Progress, ProxyFault> {
    if let Some(more) = SHORTEST_OCTETS.checked_sub(input.len()).filter(|more| *more > 0) {
        return Ok(Progress::More(more));
    }
    let Some(text) = input.strip_suffix(b"\r\n") else {
        // A CRLF further up would have ended it; what is left of the longest line bounds the rest.
        let more = if input.ends_with(b"\r") { 1 } else { 2 };
        return if memchr::memmem::find(input, b"\r\n").is_some() || input.len() + more > LINE_OCTETS_MAX {
            Err(ProxyFault::TooLong)
        } else {
            Ok(Progress::More(more))
        };
    };
    let text = std::str::from_utf8(text).map_err(|_| ProxyFault::Addresses)?;
    let mut words = text.split(' ').skip(1);
    let family = words.next().unwrap_or_default();
    // Section 2.1: whatever stands behind UNKNOWN is ignored.
    if family == "UNKNOWN" {
        return Ok(Progress::Whole(Origin::Proxy));
    }
    let parse: fn(&str) -> Option<IpAddr> = match family {
        "TCP4" => |text| text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        "TCP6" => |text| text.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        _ => return Err(ProxyFault::Family),
    };
    let rest: Vec<&str> = words.collect();
    let [source, destination, source_port, destination_port] = rest.as_slice() else {
        return Err(ProxyFault::Addresses);
    };
    let (Some(source), Some(_)) = (parse(source), parse(destination)) else {
        return Err(ProxyFault::Addresses);
    };
    if !is_port(source_port) || !is_port(destination_port) {
        return Err(ProxyFault::Addresses);
    }
    Ok(Progress::Whole(Origin::Client(source.to_canonical())))
}

/// Decimal, without leading zeros, 0 to 65535.
fn is_port(text: &str) -> bool {
    let plain = text.bytes().all(|octet| octet.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    plain && text.parse::<u16>().is_ok()
}

/// Version 2. What follows the addresses (TLVs) is passed over.
fn binary(input: &[u8]) -> Result<Progress, ProxyFault> {
    let Some((fixed, rest)) = input.split_first_chunk::<FIXED_OCTETS>() else {
        return Ok(Progress::More(FIXED_OCTETS - input.len()));
    };
    let length = usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    let is_local = match fixed[12] {
        0x20 => true,
        0x21 => false,
        _ => return Err(ProxyFault::Version),
    };
    if FIXED_OCTETS + length > PROXY_HEADER_OCTETS_MAX {
        return Err(ProxyFault::TooLong);
    }
    // Section 2.2: LOCAL and UNSPEC say nothing about addresses; an address of the local system is no client's.
    let addresses = match fixed[13] {
        _ if is_local => 0,
        0x00 => 0,
        0x11 => 2 * 4 + 4,
        0x21 => 2 * 16 + 4,
        0x31 => 2 * 108,
        _ => return Err(ProxyFault::Family),
    };
    if length < addresses {
        return Err(ProxyFault::Addresses);
    }
    match length.checked_sub(rest.len()) {
        Some(0) => {}
        Some(more) => return Ok(Progress::More(more)),
        None => return Err(ProxyFault::TooLong),
    }
    let client = match (fixed[13], rest) {
        _ if is_local => None,
        (0x11, rest) => rest.first_chunk::<4>().map(|octets| IpAddr::from(*octets)),
        (0x21, rest) => rest.first_chunk::<16>().map(|octets| IpAddr::from(*octets)),
        _ => None,
    };
    Ok(Progress::Whole(
        client.map_or(Origin::Proxy, |client| Origin::Client(client.to_canonical())),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Feeds a connection as a reader would: never more than was asked for. Returns the octets taken.
    fn feed(stream: &[u8]) -> (usize, Result<Progress, ProxyFault>) {
        let mut taken = 0;
        loop {
            match read(&stream[..taken]) {
                Ok(Progress::More(more)) if taken + more <= stream.len() => taken += more,
                end => return (taken, end),
            }
        }
    }

    fn client(text: &str) -> Result<Progress, ProxyFault> {
        Ok(Progress::Whole(Origin::Client(text.parse().expect("an address"))))
    }

    fn version_2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let mut header = SIGNATURE.to_vec();
        header.extend([command, family]);
        header.extend(u16::try_from(rest.len()).expect("short").to_be_bytes());
        header.extend(rest);
        header
    }

    const PROXY: Result<Progress, ProxyFault> = Ok(Progress::Whole(Origin::Proxy));

    #[test]
    fn version_1() {
        let longest = format!("PROXY UNKNOWN {}\r\n", "f".repeat(91));
        assert_eq!(longest.len(), LINE_OCTETS_MAX);
        let too_long = format!("PROXY UNKNOWN {}\r\n", "f".repeat(92));
        for (header, expected) in [
            ("PROXY TCP4 192.0.2.1 198.51.100.2 56324 25\r\n", client("192.0.2.1")),
            ("PROXY TCP6 2001:db8::1 2001:db8::2 0 65535\r\n", client("2001:db8::1")),
            ("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 25\r\n", client("192.0.2.1")),
            ("PROXY UNKNOWN\r\n", PROXY),
            ("PROXY UNKNOWN whatever\tit is\r\n", PROXY),
            (&longest, PROXY),
            (&too_long, Err(ProxyFault::TooLong)),
            ("EHLO client.example\r\n", Err(ProxyFault::Missing)),
            ("proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n", Err(ProxyFault::Missing)),
            ("PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n", Err(ProxyFault::Family)),
            ("PROXY UNKNOWNS and more\r\n", Err(ProxyFault::Family)),
            ("PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n", Err(ProxyFault::Addresses)),
            ("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n", Err(ProxyFault::Addresses)),
            ("PROXY TCP4 192.0.2.1  192.0.2.2 1 2\r\n", Err(ProxyFault::Addresses)),
            ("PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n", Err(ProxyFault::Addresses)),
            ("PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n", Err(ProxyFault::Addresses)),
            ("PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n", Err(ProxyFault::Addresses)),
            ("PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n", Err(ProxyFault::Addresses)),
            ("PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n", Err(ProxyFault::Addresses)),
            ("PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n", Err(ProxyFault::Addresses)),
            ("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n\r\n", Err(ProxyFault::Addresses)),
        ] {
            let stream = [header.as_bytes(), b"EHLO client.example\r\n"].concat();
            let (taken, end) = feed(&stream);
            assert_eq!(end, expected, "{header:?}");
            if end.is_ok() {
                assert_eq!(taken, header.len(), "{header:?}: not an octet more");
            }
        }
    }

    #[test]
    fn version_2_headers() {
        let four = [192, 0, 2, 1, 198, 51, 100, 2, 0xdc, 4, 0, 25];
        let mut six = [0; 36];
        six[..16].copy_from_slice(&"2001:db8::1".parse::<Ipv6Addr>().expect("an address").octets());
        let mut mapped = [0; 36];
        mapped[..16].copy_from_slice(&Ipv4Addr::new(192, 0, 2, 9).to_ipv6_mapped().octets());
        let with_tlv = [&four[..], &[0x03, 0, 4, 1, 2, 3, 4]].concat();
        let large = [&four[..], &vec![0; PROXY_HEADER_OCTETS_MAX - FIXED_OCTETS - 12]].concat();
        for (command, family, rest, expected) in [
            (0x21, 0x11, &four[..], client("192.0.2.1")),
            (0x21, 0x21, &six, client("2001:db8::1")),
            (0x21, 0x21, &mapped, client("192.0.2.9")),
            (0x21, 0x11, &with_tlv, client("192.0.2.1")),
            (0x21, 0x11, &large, client("192.0.2.1")),
            (0x21, 0x31, &[7; 216], PROXY),
            (0x21, 0x00, &[], PROXY),
            (0x21, 0x00, &[1, 2, 3], PROXY),
            (0x20, 0x00, &[], PROXY),
            (0x20, 0x11, &four, PROXY),
            (0x20, 0xff, &[9], PROXY),
            (0x21, 0x12, &four, Err(ProxyFault::Family)),
            (0x21, 0x41, &six, Err(ProxyFault::Family)),
            (0x21, 0x11, &four[..11], Err(ProxyFault::Addresses)),
            (0x21, 0x21, &four, Err(ProxyFault::Addresses)),
            (0x22, 0x11, &four, Err(ProxyFault::Version)),
            (0x11, 0x11, &four, Err(ProxyFault::Version)),
            (0x21, 0x11, &[&large[..], &[0]].concat(), Err(ProxyFault::TooLong)),
        ] {
            let header = version_2(command, family, rest);
            let (taken, end) = feed(&[&header, &b"EHLO x\r\n"[..]].concat());
            assert_eq!(end, expected, "{command:x} {family:x} {}", rest.len());
            if end.is_ok() {
                assert_eq!(taken, header.len(), "not an octet more");
            }
        }
        let wrong_signature = b"\r\n\r\n\0\r\nQUIT\r\x21\x11\0\x0c............";
        assert_eq!(feed(wrong_signature).1, Err(ProxyFault::Missing));
    }

    proptest! {
        /// Whatever comes: no panic, an end within the bound, and never a wait for nothing.
        #[test]
        fn any_octets_come_to_an_end(
            start in prop_oneof![
                Just(Vec::new()),
                Just(WORD.to_vec()),
                Just(b"PROXY TCP4 192.0.2.1 ".to_vec()),
                Just(b"PROXY TCP6 ".to_vec()),
                Just(SIGNATURE.to_vec()),
                (any::<u8>(), any::<u8>(), any::<u16>()).prop_map(|(command, family, length)| {
                    let length = length % 600;
                    [&SIGNATURE[..], &[command & 0x2f, family & 0x33], &length.to_be_bytes()].concat()
                }),
            ],
            rest in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'\r'), Just(b'\n'), Just(b' ')], 0..700),
        ) {
            let stream = [start, rest].concat();
            let (taken, end) = feed(&stream);
            prop_assert!(taken <= PROXY_HEADER_OCTETS_MAX);
            match end {
                Ok(Progress::More(more)) => prop_assert!(more > 0 && taken + more > stream.len()),
                Ok(Progress::Whole(_)) => prop_assert!(taken >= SHORTEST_OCTETS),
                Err(_) => {}
            }
        }

        /// What an honest proxy says is understood, at whatever places it is cut.
        #[test]
        fn honest_headers_are_read(address: IpAddr, port: u16, tlvs in prop::collection::vec(any::<u8>(), 0..300)) {
            let (word, other, family, octets) = match address {
                IpAddr::V4(v4) => ("TCP4", "192.0.2.2", 0x11, v4.octets().to_vec()),
                IpAddr::V6(v6) => ("TCP6", "2001:db8::2", 0x21, v6.octets().to_vec()),
            };
            let line = format!("PROXY {word} {address} {other} {port} 25\r\n");
            let expected = Ok(Progress::Whole(Origin::Client(address.to_canonical())));
            prop_assert_eq!(feed(line.as_bytes()), (line.len(), expected));
            let header = version_2(0x21, family, &[&octets, &octets, &[0, 25, 0, 25][..], &tlvs].concat());
            prop_assert_eq!(feed(&header), (header.len(), expected));
            for cut in 0..header.len() {
                prop_assert!(matches!(read(&header[..cut]), Ok(Progress::More(more)) if cut + more <= header.len()));
            }
        }
    }
}
