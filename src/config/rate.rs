//! Rates as people write them, and `[listeners.rates]`.

use std::num::NonZeroU32;
use std::time::Duration;

use super::check::{or, stated};
use crate::connectors::document::Node;
use crate::connectors::document::read::{Faults, Read, keys, readable, text_by};
use crate::listener::{Counted, Rate, RatePair, RateSettings};

keys! {
    /// `[listeners.rates]`
    Rates {
        /// Connections of one client, an IPv4 address or an IPv6 /64; beyond it 421 4.7.0. Unit: `"60/m"` is as many
        /// within a minute, all at once or spread; `"60/m burst 200"` lets 200 come at once after a pause. `s`, `h` and
        /// `d` are seconds, hours and days. Default: none, no limit.
        /// Trap: all clients behind one address translation share it.
        optional connections_per_client: Rate,
        /// Connections of one network, an IPv4 /24 or an IPv6 /48; beyond it 421 4.7.0. Unit: as above.
        /// Default: none, no limit.
        optional connections_per_network: Rate,
        /// Messages begun by one client; beyond it 450 4.7.1. Unit: as above. Default: none, no limit.
        optional messages_per_client: Rate,
        /// Messages begun by one network; beyond it 450 4.7.1. Unit: as above. Default: none, no limit.
        optional messages_per_network: Rate,
        /// Recipients named by one client, unknown ones too; beyond it 450 4.7.1. Unit: as above.
        /// Default: none, no limit. Trap: below `recipients_max` the rest of a long message waits at the client.
        optional recipients_per_client: Rate,
        /// Recipients named by one network, unknown ones too; beyond it 450 4.7.1. Unit: as above.
        /// Default: none, no limit.
        optional recipients_per_network: Rate,
        /// Whether clients of trusted networks are counted too. Default: false.
        optional include_trusted: bool,
    }
}

readable! { Rates }

impl Read for Rate {
    fn read(node: &Node, path: &str, faults: &mut Faults) -> Option<Self> {
        const EXPECTED: &str = "a rate such as \"60/m\" or \"60/m burst 200\"";
        text_by(node, path, faults, EXPECTED, |text| {
            parse(text).ok_or_else(|| meant(text))
        })
    }
}

fn parse(text: &str) -> Option<Rate> {
    let mut words = text.split_whitespace();
    let (count, unit) = words.next()?.split_once('/')?;
    let count: NonZeroU32 = count.parse().ok()?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return None,
    };
    let burst = match (words.next(), words.next()) {
        (None, _) => count,
        (Some("burst"), Some(burst)) => burst.parse().ok()?,
        (Some(_), _) => return None,
    };
    let rate = Rate {
        count,
        per: Duration::from_secs(seconds),
        burst,
    };
    words.next().is_none().then_some(rate)
}

/// `60 / min`, `60/minute`, `60 per hour`.
fn meant(text: &str) -> Option<String> {
    let mut meant = text.to_ascii_lowercase().replace("per", "/").replace([' ', ','], "");
    for (word, unit) in [
        ("second", "s"),
        ("sec", "s"),
        ("minute", "m"),
        ("min", "m"),
        ("hour", "h"),
        ("day", "d"),
    ] {
        meant = meant.replace(&format!("{word}s"), unit).replace(word, unit);
    }
    meant = meant.replace("burst", " burst ");
    (meant != text && parse(&meant).is_some()).then_some(meant)
}

/// What the table says.
pub(super) fn rates(rates: &Rates) -> RateSettings {
    RateSettings {
        connections: RatePair {
            per_client: stated(&rates.connections_per_client),
            per_network: stated(&rates.connections_per_network),
        },
        messages: RatePair {
            per_client: stated(&rates.messages_per_client),
            per_network: stated(&rates.messages_per_network),
        },
        recipients: RatePair {
            per_client: stated(&rates.recipients_per_client),
            per_network: stated(&rates.recipients_per_network),
        },
        counted: if or(&rates.include_trusted, false) {
            Counted::Everybody
        } else {
            Counted::Strangers
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read() {
        for (text, expected) in [
            ("60/m", Some((60, 60, 60))),
            ("1/d", Some((1, 86_400, 1))),
            ("10/s burst 100", Some((10, 1, 100))),
            ("5000/h burst 1", Some((5_000, 3_600, 1))),
            ("60", None),
            ("0/m", None),
            ("60/m burst 0", None),
            ("60/m burst", None),
            ("60/m bust 3", None),
            ("60/m burst 3 4", None),
            ("-1/m", None),
            ("99999999999/m", None),
            ("60/w", None),
            ("/m", None),
            ("", None),
        ] {
            let numbers = |rate: Rate| (rate.count.get(), rate.per.as_secs(), rate.burst.get());
            assert_eq!(parse(text).map(numbers), expected, "{text}");
        }
        for (text, suggestion) in [
            ("60/minute", Some("60/m")),
            ("60 per hour", Some("60/h")),
            ("60/min burst 70", Some("60/m burst 70")),
            ("60", None),
            ("often", None),
        ] {
            assert_eq!(meant(text).as_deref(), suggestion, "{text}");
        }
    }
}
