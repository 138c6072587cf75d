//! `[listeners.strangers]`: its keys, what holds without them, and what cannot work.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use serde_spanned::Spanned;

use super::check::{list, or};
use super::cross::{Checks, numbered, value};
use crate::connectors::document::Node;
use crate::connectors::document::read::{Faults, Read, choice, keys, readable, text_by};
use crate::connectors::document::units::show_duration;
use crate::limits::{ADDRESS_LISTS_MAX, STRANGER_WAIT_MAX};
use crate::listener::{AddressList, AnswerRange, HelloCheck, ListAction, ReverseCheck, StrangerSettings};
use crate::mail::address::Domain;

keys! {
    /// `[listeners.strangers]`
    Strangers {
        /// Pause between the first and the last line of the greeting. A client that speaks meanwhile does not listen, as
        /// no mail server does, and gets 554 5.5.1. At most 1m. Default: `0s`, no pause.
        /// Trap: every stranger's session begins that much later; 6s tells most apart.
        optional greeting_delay: Duration,
        /// Pause before the reply to a client's first error (a bad command, an unknown recipient); it doubles with each
        /// further one. Default: `0s`, no pause.
        /// Trap: sessions of guessers last longer and keep their place; see `sessions_per_client_max`.
        optional tarpit: Duration,
        /// Longest such pause. At most 1m. Default: 10s.
        optional tarpit_max: Duration,
        /// What EHLO must give, or recipients are refused (550 5.7.1): `off`, anything well-formed; `syntax`, a domain
        /// name with a dot or an address literal; `resolves`, a name that exists in DNS. Whether it leads to the client is
        /// never asked (RFC 5321 §4.1.4). Default: `off`.
        /// Trap: printers and programs of your own often give a short name; name their network in `trusted_networks`.
        optional helo: HelloCheck,
        /// What DNS must know of the client's address, or recipients are refused (550 5.7.25): `off`; `present`, a name;
        /// `confirmed`, a name that leads back to the address. Default: `off`.
        /// Trap: not every honest server has a name that leads back.
        optional reverse_dns: ReverseCheck,
        /// Lists of addresses in DNS (RFC 5782). Default: none are asked.
        optional dnsbl: Vec<Spanned<List>>,
        /// Time for each look-up of the checks above; a client waits for them at its first recipient, and what takes
        /// longer or fails counts as passed. At most 1m. Default: 5s.
        optional dns_time_limit: Duration,
    }

    /// `[[listeners.strangers.dnsbl]]`
    List {
        /// Zone of the list. Required.
        /// Trap: many lists answer nobody who asks through a public name server, or ask for money; read their terms.
        required zone: Domain,
        /// Answers that count: `127.0.0.2`, `127.0.0.2-11`. Default: all of 127.0.0.0/8 but 127.255.255.0/24, by which
        /// lists say that they do not answer you.
        optional answers: Vec<Spanned<AnswerRange>>,
        /// What becomes of the recipients of a client that is listed: `refuse` (554 5.7.1), `defer` (450 4.7.1), or
        /// `track`, they are taken and the trace tells of it. Postmaster is always reached. Default: `refuse`.
        /// Trap: see with `track` first whom a list would keep out.
        optional action: ListAction,
    }
}

readable! { Strangers List }

impl Read for HelloCheck {
    fn read(node: &Node, path: &str, faults: &mut Faults) -> Option<Self> {
        let words = [
            ("off", Self::Off),
            ("syntax", Self::Qualified),
            ("resolves", Self::Resolves),
        ];
        choice(node, path, faults, &words)
    }
}

impl Read for ReverseCheck {
    fn read(node: &Node, path: &str, faults: &mut Faults) -> Option<Self> {
        let words = [
            ("off", Self::Off),
            ("present", Self::Present),
            ("confirmed", Self::Confirmed),
        ];
        choice(node, path, faults, &words)
    }
}

impl Read for ListAction {
    fn read(node: &Node, path: &str, faults: &mut Faults) -> Option<Self> {
        let words = [("refuse", Self::Refuse), ("defer", Self::Defer), ("track", Self::Track)];
        choice(node, path, faults, &words)
    }
}

impl Read for AnswerRange {
    fn read(node: &Node, path: &str, faults: &mut Faults) -> Option<Self> {
        const EXPECTED: &str = "an answer of a list such as \"127.0.0.2\" or \"127.0.0.2-11\"";
        text_by(node, path, faults, EXPECTED, |text| answers(text).ok_or(None))
    }
}

/// `127.0.0.2`, or `127.0.0.2-11` up to a last octet.
fn answers(text: &str) -> Option<AnswerRange> {
    let (first, last) = match text.trim().split_once('-') {
        Some((first, last)) => (first, Some(last)),
        None => (text.trim(), None),
    };
    let first: Ipv4Addr = first.parse().ok()?;
    let last = match last {
        None => first,
        Some(last) => {
            let [one, two, three, _] = first.octets();
            Ipv4Addr::new(one, two, three, last.parse().ok()?)
        }
    };
    (first.is_loopback() && first <= last).then_some(AnswerRange { first, last })
}

/// What the table says, with defaults; name servers are those of `[dns]`.
pub(super) fn strangers(strangers: &Strangers) -> StrangerSettings {
    let default = StrangerSettings::default();
    StrangerSettings {
        greeting_delay: or(&strangers.greeting_delay, default.greeting_delay),
        tarpit: or(&strangers.tarpit, default.tarpit),
        tarpit_max: or(&strangers.tarpit_max, default.tarpit_max),
        helo: or(&strangers.helo, default.helo),
        reverse_dns: or(&strangers.reverse_dns, default.reverse_dns),
        lists: list(&strangers.dnsbl).filter_map(address_list).collect(),
        dns_time_limit: or(&strangers.dns_time_limit, default.dns_time_limit),
        ..default
    }
}

/// None only if the zone is missing, which is a finding already.
fn address_list(stated: &List) -> Option<AddressList> {
    Some(AddressList {
        zone: Arc::from(value(&stated.zone)?.as_str()),
        answers: list(&stated.answers).copied().collect(),
        action: or(&stated.action, ListAction::Refuse),
    })
}

impl Checks<'_> {
    pub(super) fn strangers(&mut self) {
        let file = self.file;
        for (index, each) in numbered(&file.listeners) {
            let Some(strangers) = value(&each.strangers) else {
                continue;
            };
            let key = |name: &str| format!("listeners[{index}].strangers.{name}");
            for (stated, name) in [
                (&strangers.greeting_delay, "greeting_delay"),
                (&strangers.tarpit_max, "tarpit_max"),
                (&strangers.dns_time_limit, "dns_time_limit"),
            ] {
                let too_long = |wait: &&Spanned<Duration>| *wait.get_ref() > STRANGER_WAIT_MAX;
                if let Some(stated) = stated.as_ref().filter(too_long) {
                    let most = show_duration(STRANGER_WAIT_MAX);
                    let message = format!("expected at most {most}: honest clients give up too");
                    self.error(stated.span(), key(name), message);
                }
            }
            self.positive(&strangers.dns_time_limit, key("dns_time_limit"));
            let tarpit_max = or(&strangers.tarpit_max, StrangerSettings::default().tarpit_max);
            if let Some(first) = strangers.tarpit.as_ref().filter(|first| *first.get_ref() > tarpit_max) {
                let message = format!("expected at most `tarpit_max`, {}", show_duration(tarpit_max));
                self.error(first.span(), key("tarpit"), message);
            }
            self.lists(&strangers.dnsbl, &key("dnsbl"));
        }
    }

    fn lists(&mut self, stated: &Option<Spanned<Vec<Spanned<List>>>>, key: &str) {
        if let Some(lists) = stated
            .as_ref()
            .filter(|lists| lists.get_ref().len() > ADDRESS_LISTS_MAX)
        {
            let message = format!("expected at most {ADDRESS_LISTS_MAX} lists: each is a look-up for each stranger");
            self.error(lists.span(), key, message);
        }
        let mut seen: Vec<&Domain> = Vec::new();
        for (index, each) in numbered(stated) {
            let Some(zone) = &each.zone else { continue };
            if let Some(other) = seen.iter().position(|other| *other == zone.get_ref()) {
                let message = format!("{key}[{other}] asks this list already");
                self.error(zone.span(), format!("{key}[{index}].zone"), message);
            }
            seen.push(zone.get_ref());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_answers_are_read() {
        for (text, expected) in [
            ("127.0.0.2", Some(("127.0.0.2", "127.0.0.2"))),
            ("127.0.0.2-11", Some(("127.0.0.2", "127.0.0.11"))),
            ("127.0.0.2-1", None),
            ("127.0.0.2-256", None),
            ("127.0.0.2-127.0.0.11", None),
            ("192.0.2.1", None),
            ("127.0.0", None),
            ("", None),
        ] {
            let told = answers(text).map(|range| (range.first.to_string(), range.last.to_string()));
            let expected = expected.map(|(first, last)| (first.to_owned(), last.to_owned()));
            assert_eq!(told, expected, "{text}");
        }
    }
}
