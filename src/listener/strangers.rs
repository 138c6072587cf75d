//! What is asked of strangers: clients in no trusted network.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::limits::{DNS_CHECKS_TIME_MAX, TARPIT_MAX};

/// Checks of strangers at one listener; all off by default.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StrangerSettings {
    /// Pause before the last line of the greeting; zero: none.
    pub greeting_delay: Duration,
    /// Pause before the reply to a first error; it doubles with each further one. Zero: none.
    pub tarpit: Duration,
    /// Longest such pause.
    pub tarpit_max: Duration,
    /// What EHLO must give.
    pub helo: HelloCheck,
    /// What DNS must know of the client's address.
    pub reverse_dns: ReverseCheck,
    /// Lists of addresses that are asked.
    pub lists: Vec<AddressList>,
    /// Time for all look-ups of one client; what takes longer counts as passed.
    pub dns_time_limit: Duration,
    /// Name servers; empty for the system's.
    pub name_servers: Vec<SocketAddr>,
    /// Wait for one answer of a name server.
    pub dns_timeout: Duration,
}

impl Default for StrangerSettings {
    fn default() -> Self {
        Self {
            greeting_delay: Duration::ZERO,
            tarpit: Duration::ZERO,
            tarpit_max: TARPIT_MAX,
            helo: HelloCheck::Off,
            reverse_dns: ReverseCheck::Off,
            lists: Vec::new(),
            dns_time_limit: DNS_CHECKS_TIME_MAX,
            name_servers: Vec::new(),
            dns_timeout: DNS_CHECKS_TIME_MAX,
        }
    }
}

impl StrangerSettings {
    /// True if anything of an address or a name in EHLO is looked at.
    pub(super) fn are_screened(&self) -> bool {
        !self.lists.is_empty() || self.reverse_dns != ReverseCheck::Off || self.helo != HelloCheck::Off
    }

    /// Pause before a reply, after so many errors.
    pub(super) fn pause(&self, errors: u32) -> Duration {
        let doubled = 1_u32.checked_shl(errors.saturating_sub(1)).unwrap_or(u32::MAX);
        self.tarpit.saturating_mul(doubled).min(self.tarpit_max)
    }
}

/// What EHLO must give.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum HelloCheck {
    /// Anything well-formed.
    #[default]
    Off,
    /// A domain name of at least two labels, or an address literal.
    Qualified,
    /// And the name must exist in DNS.
    Resolves,
}

impl HelloCheck {
    /// True if the name is of the form that is asked for.
    pub(super) fn accepts_form_of(self, name: &str) -> bool {
        let last = name.trim_end_matches('.').rsplit_once('.').map(|(_, last)| last);
        let qualified = last.is_some_and(|label| !label.is_empty() && !label.bytes().all(|b| b.is_ascii_digit()));
        self == Self::Off || name.starts_with('[') || qualified
    }
}

/// What DNS must know of the client's address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ReverseCheck {
    /// Nothing.
    #[default]
    Off,
    /// A name.
    Present,
    /// A name that leads back to the address.
    Confirmed,
}

/// A list of addresses in DNS (RFC 5782).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AddressList {
    /// Its zone.
    pub zone: Arc<str>,
    /// Answers that count; empty for all that say "listed".
    pub answers: Vec<AnswerRange>,
    /// What becomes of those it lists.
    pub action: ListAction,
}

/// What becomes of a client that a list names; the strongest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ListAction {
    /// Its recipients are refused: 554 5.7.1.
    Refuse,
    /// They are refused for now: 450 4.7.1.
    Defer,
    /// Its messages are taken, and the trace tells of the list.
    Track,
}

/// Answers of a list: from one address to another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AnswerRange {
    /// First.
    pub first: Ipv4Addr,
    /// Last.
    pub last: Ipv4Addr,
}

/// By which lists say that they do not answer: blocked, over a limit, a query that they cannot take.
const NO_ANSWER: AnswerRange = AnswerRange {
    first: Ipv4Addr::new(127, 255, 255, 0),
    last: Ipv4Addr::new(127, 255, 255, 255),
};

impl AnswerRange {
    fn holds(self, answer: Ipv4Addr) -> bool {
        (self.first..=self.last).contains(&answer)
    }
}

impl AddressList {
    /// Name to be looked up (RFC 5782 §2.1 and §2.4): the address backwards, by octets or by nibbles.
    pub(super) fn name_of(&self, client: IpAddr) -> String {
        let mut name = String::new();
        match client.to_canonical() {
            IpAddr::V4(v4) => {
                for octet in v4.octets().iter().rev() {
                    name += &format!("{octet}.");
                }
            }
            IpAddr::V6(v6) => {
                for octet in v6.octets().iter().rev() {
                    name += &format!("{:x}.{:x}.", octet & 15, octet >> 4);
                }
            }
        }
        name + &self.zone
    }

    /// True if one of the answers says that the address is listed. RFC 5782 §2.1: they are of 127.0.0.0/8; anything
    /// else is a zone that lists nobody any more and answers everything.
    pub(super) fn lists(&self, answers: &[IpAddr]) -> bool {
        let mut of_list = answers.iter().filter_map(|answer| match answer {
            IpAddr::V4(v4) if v4.is_loopback() => Some(*v4),
            IpAddr::V4(_) | IpAddr::V6(_) => None,
        });
        if self.answers.is_empty() {
            return of_list.any(|answer| !NO_ANSWER.holds(answer));
        }
        of_list.any(|answer| self.answers.iter().any(|range| range.holds(answer)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(answers: &[(&str, &str)]) -> AddressList {
        let range = |(first, last): &(&str, &str)| AnswerRange {
            first: first.parse().expect("an address"),
            last: last.parse().expect("an address"),
        };
        AddressList {
            zone: "bl.example".into(),
            answers: answers.iter().map(range).collect(),
            action: ListAction::Refuse,
        }
    }

    #[test]
    fn addresses_are_asked_for_backwards() {
        for (address, name) in [
            ("192.0.2.99", "99.2.0.192.bl.example"),
            ("::ffff:192.0.2.99", "99.2.0.192.bl.example"),
            (
                "2001:db8:1:2:3:4:567:89ab",
                "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.bl.example",
            ),
        ] {
            assert_eq!(list(&[]).name_of(address.parse().expect("an address")), name);
        }
    }

    #[test]
    fn answers_that_list() {
        let some = [("127.0.0.2", "127.0.0.11"), ("127.0.1.4", "127.0.1.4")];
        let odd = [("127.255.255.254", "127.255.255.254")];
        for (answers, told, listed) in [
            (&[][..], &["127.0.0.2"][..], true),
            (&[], &[], false),
            (&[], &["127.255.255.254"], false),
            (&[], &["127.255.255.254", "127.0.0.4"], true),
            (&[], &["192.0.2.1"], false),
            (&[], &["::1"], false),
            (&some, &["127.0.0.11"], true),
            (&some, &["127.0.0.12"], false),
            (&some, &["127.0.0.1", "127.0.1.4"], true),
            (&odd, &["127.255.255.254"], true),
        ] {
            let told: Vec<IpAddr> = told.iter().map(|text| text.parse().expect("an address")).collect();
            assert_eq!(list(answers).lists(&told), listed, "{answers:?} {told:?}");
        }
    }

    #[test]
    fn greetings_are_qualified() {
        for (name, qualified) in [
            ("mail.fabrikam.example", true),
            ("fabrikam.example", true),
            ("fabrikam.example.", true),
            ("[192.0.2.1]", true),
            ("[IPv6:2001:db8::1]", true),
            ("localhost", false),
            ("localhost.", false),
            ("win-3a2b", false),
            ("192.0.2.1", false),
        ] {
            assert_eq!(HelloCheck::Qualified.accepts_form_of(name), qualified, "{name}");
            assert!(HelloCheck::Off.accepts_form_of(name));
        }
    }

    #[test]
    fn pauses_grow_to_their_bound() {
        let settings = StrangerSettings {
            tarpit: Duration::from_secs(1),
            tarpit_max: Duration::from_secs(10),
            ..StrangerSettings::default()
        };
        let seconds: Vec<u64> = [1, 2, 3, 4, 5, 40, u32::MAX]
            .map(|errors| settings.pause(errors).as_secs())
            .into();
        assert_eq!(seconds, [1, 2, 4, 8, 10, 10, 10]);
        assert_eq!(StrangerSettings::default().pause(7), Duration::ZERO);
    }
}
