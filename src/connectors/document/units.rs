//! Quantities as people write them: sizes, durations, ranges of addresses.
//!
//! Every refusal says what would have been right.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

/// Why a text is no quantity, in words that follow "expected".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitFault {
    /// What was expected.
    pub expected: &'static str,
    /// What was probably meant.
    pub suggestion: Option<String>,
}

const SIZE: &str = "a size such as \"25M\", \"300MB\" or \"1.5G\" (K, M, G and T are powers of 1024)";
const DURATION: &str = "a duration with its unit such as \"30s\", \"5m\", \"24h\", \"2d\" or \"1h30m\"";

fn fault(expected: &'static str) -> UnitFault {
    UnitFault {
        expected,
        suggestion: None,
    }
}

/// Bytes from `25M`, `300MB`, `4 KiB`, `1.5G` or a bare number of bytes.
///
/// K, M, G and T are powers of 1024, as in Exchange's sizes.
pub fn parse_size(text: &str) -> Result<u64, UnitFault> {
    let text = text.trim();
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let power: u32 = match unit.trim().to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" | "KB" | "KIB" => 10,
        "M" | "MB" | "MIB" => 20,
        "G" | "GB" | "GIB" => 30,
        "T" | "TB" | "TIB" => 40,
        _ => return Err(fault(SIZE)),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    // Six digits of fraction are exact enough for a size and cannot overflow.
    if whole.is_empty() || fraction.is_empty() || fraction.len() > 6 {
        return Err(fault(SIZE));
    }
    let scale = 10_u128.pow(u32::try_from(fraction.len()).map_err(|_| fault(SIZE))?);
    let whole: u128 = whole.parse::<u64>().map_err(|_| fault(SIZE))?.into();
    let fraction: u128 = fraction.parse::<u64>().map_err(|_| fault(SIZE))?.into();
    let bytes = ((whole * scale + fraction) << power) / scale;
    u64::try_from(bytes).map_err(|_| fault(SIZE))
}

/// The shortest exact form of a size: `25M`, `1536K`, `1000`.
#[must_use]
pub fn show_size(bytes: u64) -> String {
    [(40, "T"), (30, "G"), (20, "M"), (10, "K")]
        .into_iter()
        .find(|(power, _)| bytes > 0 && bytes.trailing_zeros() >= *power)
        .map_or_else(
            || bytes.to_string(),
            |(power, unit)| format!("{}{unit}", bytes >> power),
        )
}

/// What `30 minutes` or `4H` was meant to be.
fn duration_meant(text: &str) -> Option<String> {
    let mut meant = text.to_ascii_lowercase().replace([' ', ','], "");
    for (word, unit) in [
        ("second", "s"),
        ("sec", "s"),
        ("minute", "m"),
        ("hour", "h"),
        ("day", "d"),
        ("week", "w"),
    ] {
        meant = meant.replace(&format!("{word}s"), unit).replace(word, unit);
    }
    (meant != text).then_some(meant)
}

/// A duration from `30s`, `5m`, `24h`, `2d`, `1w`, `250ms` or parts in falling order such as `1h30m`.
pub fn parse_duration(text: &str) -> Result<Duration, UnitFault> {
    duration(text).map_err(|mut fault| {
        if fault.suggestion.is_none() {
            fault.suggestion = duration_meant(text).filter(|meant| duration(meant).is_ok());
        }
        fault
    })
}

fn duration(text: &str) -> Result<Duration, UnitFault> {
    let mut rest = text.trim();
    if !rest.is_empty() && rest.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(UnitFault {
            expected: DURATION,
            suggestion: Some(format!("{rest}s")),
        });
    }
    let mut total = Duration::ZERO;
    let mut smallest = u64::MAX;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit())
            .ok_or_else(|| fault(DURATION))?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let milliseconds: u64 = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            _ => return Err(fault(DURATION)),
        };
        if milliseconds >= smallest {
            return Err(fault(DURATION));
        }
        smallest = milliseconds;
        let part = number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(milliseconds))
            .ok_or_else(|| fault(DURATION))?;
        total = total
            .checked_add(Duration::from_millis(part))
            .ok_or_else(|| fault(DURATION))?;
        rest = tail;
    }
    if smallest == u64::MAX {
        return Err(fault(DURATION));
    }
    Ok(total)
}

/// A duration as [`parse_duration`] reads it: `1h30m`.
#[must_use]
pub fn show_duration(duration: Duration) -> String {
    let mut rest = duration.as_millis();
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (milliseconds, unit) in [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "m"),
        (1_000, "s"),
        (1, "ms"),
    ] {
        if rest >= milliseconds {
            text += &format!("{}{unit}", rest / milliseconds);
            rest %= milliseconds;
        }
    }
    text
}

/// A range of addresses in the notation of RFC 4632 §3.1, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    /// First address of the range; all bits after the prefix are zero.
    pub first: IpAddr,
    /// Bits that are fixed: up to 32 or 128.
    pub prefix: u8,
}

impl fmt::Display for Network {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.first, self.prefix)
    }
}

/// A range from `10.0.0.0/8`, `2001:db8::/32` or `192.0.2.7`.
pub fn parse_network(text: &str) -> Result<Network, UnitFault> {
    const NETWORK: &str = "an IP network such as \"10.0.0.0/8\" or \"2001:db8::/32\", or one address";
    const HOST_BITS: &str = "a network whose bits after the prefix are zero";
    let text = text.trim();
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| fault(NETWORK))?;
    let bits: u8 = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        None => bits,
        Some(prefix) => prefix
            .parse::<u8>()
            .ok()
            .filter(|prefix| *prefix <= bits)
            .ok_or_else(|| fault(NETWORK))?,
    };
    let rest = u32::from(bits - prefix);
    let first = match address {
        IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() & u32::MAX.checked_shl(rest).unwrap_or(0)).into()),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & u128::MAX.checked_shl(rest).unwrap_or(0)).into()),
    };
    if first == address {
        return Ok(Network { first, prefix });
    }
    Err(UnitFault {
        expected: HOST_BITS,
        suggestion: Some(format!("{first}/{prefix}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("25M", Some(25 << 20)),
            ("300MB", Some(300 << 20)),
            ("1.5G", Some(3 << 29)),
            ("4 KiB", Some(4096)),
            ("900000G", Some(900_000 << 30)),
            ("1000", Some(1000)),
            ("0", Some(0)),
            ("", None),
            (".5G", None),
            ("5.G", None),
            ("-1M", None),
            ("25 megabytes", None),
            ("20000000T", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(parse_size(text).ok(), bytes, "{text}");
        }
        assert_eq!(show_size(25 << 20), "25M");
        assert_eq!(show_size(1000), "1000");
        assert_eq!(show_size(0), "0");
    }

    #[test]
    fn durations() {
        for (text, seconds) in [
            ("30s", Some(30)),
            ("5m", Some(300)),
            ("24h", Some(86_400)),
            ("2d", Some(172_800)),
            ("1w", Some(604_800)),
            ("1h30m", Some(5_400)),
            ("0s", Some(0)),
            ("30", None),
            ("", None),
            ("m", None),
            ("5 minutes", None),
            ("30m1h", None),
            ("1h1h", None),
            ("99999999999999999999d", None),
            ("9999999999999999d", None),
        ] {
            assert_eq!(parse_duration(text).ok(), seconds.map(Duration::from_secs), "{text}");
        }
        assert_eq!(
            parse_duration("30").expect_err("no unit").suggestion.as_deref(),
            Some("30s")
        );
        for text in ["2d", "1h30m", "250ms", "1d2h3m4s5ms", "0s"] {
            assert_eq!(show_duration(parse_duration(text).expect("valid")), text);
        }
    }

    #[test]
    fn networks() {
        for text in ["10.0.0.0/8", "0.0.0.0/0", "::/0", "2001:db8::/32", "192.0.2.7/32"] {
            assert_eq!(parse_network(text).expect(text).to_string(), text);
        }
        assert_eq!(parse_network("::1").expect("one address").prefix, 128);
        let fault = parse_network("10.1.2.3/8").expect_err("host bits");
        assert_eq!(fault.suggestion.as_deref(), Some("10.0.0.0/8"));
        for text in ["", "10.0.0/8", "10.0.0.0/33", "10.0.0.0/x", "lan", "10.0.0.0-10.0.0.9"] {
            assert!(parse_network(text).is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn shown_quantities_read_back(bytes: u64, milliseconds in 0..u64::MAX / 4) {
            proptest::prop_assert_eq!(parse_size(&show_size(bytes)), Ok(bytes));
            let duration = Duration::from_millis(milliseconds);
            proptest::prop_assert_eq!(parse_duration(&show_duration(duration)), Ok(duration));
        }
    }
}
