//! Counts of sessions by day, domain and policy: what a report will say.
//!
//! In: one session at a time. Out: what is due, and what was sent.
//! Never: more than the bounds below, whatever others publish; a domain left out in silence.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::result::{AppliedPolicy, ResultType, Shortfall};

/// Most domains of one day; those beyond are counted as one number.
pub const DOMAINS_MAX: usize = 10_000;
/// Most policies of a domain in one day: it has one, and may change it.
const POLICIES_MAX: usize = 8;
/// Most kinds of failures told apart below a policy; those beyond are in its sum only.
const DETAILS_MAX: usize = 50;
/// Longest reason kept, in octets.
const WHY_OCTETS_MAX: usize = 200;
/// Reports remembered after they have ended.
const ENDED_MAX: usize = 500;

/// Everything that is kept.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Book {
    /// By UTC day: today, and those whose reports have not all ended.
    pub days: BTreeMap<Date, Day>,
    /// Reports that have ended, the latest last.
    pub ended: VecDeque<Ended>,
}

/// One UTC day.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Day {
    /// By domain.
    pub domains: BTreeMap<String, DomainCounts>,
    /// Sessions with domains beyond [`DOMAINS_MAX`].
    pub left_out: u64,
}

/// One domain on one day.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DomainCounts {
    /// By policy.
    pub policies: Vec<PolicyCounts>,
    /// When its report is to be sent, or tried again.
    pub due_at: Timestamp,
    /// Id of the report, once it was made.
    #[serde(default)]
    pub report_id: String,
    /// Times that it was tried.
    #[serde(default)]
    pub tries: u32,
    /// When it is given up; none before the first try.
    #[serde(default)]
    pub give_up_at: Option<Timestamp>,
    /// Where it has arrived.
    #[serde(default)]
    pub arrived: Vec<String>,
}

/// Sessions under one policy.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PolicyCounts {
    /// The policy.
    pub policy: AppliedPolicy,
    /// Sessions that it allows.
    pub succeeded: u64,
    /// Sessions that it does not.
    pub failed: u64,
    /// Those, told apart.
    pub details: Vec<Detail>,
}

/// Failures of one kind.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Detail {
    /// Why.
    pub result: ResultType,
    /// Our address; none if no connection was made.
    pub from: Option<IpAddr>,
    /// The host.
    pub host: String,
    /// Its address; none if it was not looked up.
    pub to: Option<IpAddr>,
    /// What was said the first time.
    pub why: String,
    /// How often.
    pub sessions: u64,
}

/// How a report ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It arrived everywhere, or is in the queue.
    Sent,
    /// It was given up for a place or more.
    GivenUp,
}

/// A report that has ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ended {
    /// The day it is about.
    pub day: Date,
    /// The domain it is about.
    pub domain: String,
    /// When it ended.
    pub at: Timestamp,
    /// How.
    pub ending: Ending,
    /// Where it was sent to.
    pub arrived: Vec<String>,
    /// Where it was not, with the reason.
    pub missed: Vec<String>,
}

/// One session, or an attempt that came to none.
#[derive(Clone, Copy, Debug)]
pub struct Session<'a> {
    /// Domain of the recipients.
    pub domain: &'a str,
    /// Under which policy it counts.
    pub policy: &'a AppliedPolicy,
    /// The host.
    pub host: &'a str,
    /// Its address.
    pub to: Option<IpAddr>,
    /// Ours.
    pub from: Option<IpAddr>,
    /// What it came to.
    pub result: Result<(), &'a Shortfall>,
}

impl Book {
    /// Counts a session. `due_at` is for a domain that is new today.
    pub fn count(&mut self, today: Date, session: &Session<'_>, due_at: impl FnOnce() -> Timestamp) {
        let day = self.days.entry(today).or_default();
        if !day.domains.contains_key(session.domain) && day.domains.len() >= DOMAINS_MAX {
            day.left_out += 1;
            return;
        }
        let domain = day
            .domains
            .entry(session.domain.to_owned())
            .or_insert_with(|| DomainCounts {
                policies: Vec::new(),
                due_at: due_at(),
                report_id: String::new(),
                tries: 0,
                give_up_at: None,
                arrived: Vec::new(),
            });
        let known = domain.policies.iter().position(|known| known.policy == *session.policy);
        let place = match known {
            Some(place) => place,
            None if domain.policies.len() < POLICIES_MAX => {
                domain.policies.push(PolicyCounts {
                    policy: session.policy.clone(),
                    ..PolicyCounts::default()
                });
                domain.policies.len() - 1
            }
            None => POLICIES_MAX - 1,
        };
        domain.policies[place].count(session);
    }

    /// Forgets days that are so long ago that nobody waits for them.
    pub fn forget_before(&mut self, day: Date) {
        self.days.retain(|kept, _| *kept >= day);
    }

    /// Domains whose reports are to be sent or tried again now; never of today, which is not over.
    #[must_use]
    pub fn due(&self, today: Date, now: Timestamp) -> Vec<(Date, String)> {
        let mut due = Vec::new();
        for (day, counts) in self.days.range(..today) {
            let ready = counts.domains.iter().filter(|(_, counts)| counts.due_at <= now);
            due.extend(ready.map(|(domain, _)| (*day, domain.clone())));
        }
        due
    }

    /// What was counted of a domain on a day.
    #[must_use]
    pub fn counts(&self, day: Date, domain: &str) -> Option<&DomainCounts> {
        self.days.get(&day)?.domains.get(domain)
    }

    /// The same, to be changed.
    pub fn counts_mut(&mut self, day: Date, domain: &str) -> Option<&mut DomainCounts> {
        self.days.get_mut(&day)?.domains.get_mut(domain)
    }

    /// Its report has ended, or nobody wants it.
    pub fn close(&mut self, day: Date, domain: &str, ended: Option<Ended>) {
        if let Some(counts) = self.days.get_mut(&day) {
            counts.domains.remove(domain);
            if counts.domains.is_empty() {
                self.days.remove(&day);
            }
        }
        self.ended.extend(ended);
        while self.ended.len() > ENDED_MAX {
            self.ended.pop_front();
        }
    }
}

impl PolicyCounts {
    fn count(&mut self, session: &Session<'_>) {
        let Err(shortfall) = session.result else {
            self.succeeded += 1;
            return;
        };
        self.failed += 1;
        let same = |detail: &&mut Detail| {
            detail.result == shortfall.result
                && detail.from == session.from
                && detail.to == session.to
                && detail.host == session.host
        };
        if let Some(detail) = self.details.iter_mut().find(same) {
            detail.sessions += 1;
        } else if self.details.len() < DETAILS_MAX {
            let why = &shortfall.why;
            self.details.push(Detail {
                result: shortfall.result,
                from: session.from,
                host: session.host.to_owned(),
                to: session.to,
                why: why[..why.floor_char_boundary(WHY_OCTETS_MAX)].to_owned(),
                sessions: 1,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::result::PolicyKind;
    use super::*;

    fn day(text: &str) -> Date {
        text.parse().expect("a date")
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn sessions_add_up_by_policy_and_kind_of_failure() {
        let mut book = Book::default();
        let (none, dane) = (
            AppliedPolicy::default(),
            AppliedPolicy {
                kind: PolicyKind::Tlsa,
                lines: vec!["3 1 1 00".to_owned()],
                ..AppliedPolicy::default()
            },
        );
        let no_tls = Shortfall::new(ResultType::StarttlsNotSupported, "not offered");
        let wrong = Shortfall::new(ResultType::CertificateNotTrusted, "x".repeat(1_000));
        let mut count = |policy: &AppliedPolicy, host: &str, result: Result<(), &Shortfall>| {
            let session = Session {
                domain: "fabrikam.example",
                policy,
                host,
                to: None,
                from: None,
                result,
            };
            book.count(day("2026-11-25"), &session, || at("2026-11-26T01:00:00Z"));
        };
        count(&none, "a", Ok(()));
        count(&none, "a", Err(&no_tls));
        count(&none, "a", Err(&no_tls));
        count(&none, "b", Err(&no_tls));
        count(&dane, "b", Err(&wrong));
        for host in 0..100 {
            count(&dane, &host.to_string(), Err(&wrong));
        }
        let counts = book.counts(day("2026-11-25"), "fabrikam.example").expect("counted");
        let sums: Vec<(u64, u64, usize)> = counts
            .policies
            .iter()
            .map(|policy| (policy.succeeded, policy.failed, policy.details.len()))
            .collect();
        assert_eq!(
            sums,
            [(1, 3, 2), (0, 101, DETAILS_MAX)],
            "what is not told apart is in the sum"
        );
        assert_eq!(counts.policies[0].details[0].sessions, 2);
        assert_eq!(counts.policies[1].details[0].why.len(), WHY_OCTETS_MAX);
        let text = serde_json::to_string(&book).expect("JSON");
        assert_eq!(serde_json::from_str::<Book>(&text).expect("the same"), book);
    }

    #[test]
    fn a_day_is_due_when_it_is_over_and_its_time_has_come() {
        let mut book = Book::default();
        let policy = AppliedPolicy::default();
        for (today, domain, due) in [
            ("2026-11-24", "a.example", "2026-11-25T03:00:00Z"),
            ("2026-11-25", "a.example", "2026-11-26T03:00:00Z"),
            ("2026-11-25", "b.example", "2026-11-26T01:00:00Z"),
            ("2026-11-26", "b.example", "2026-11-27T00:00:00Z"),
        ] {
            let session = Session {
                domain,
                policy: &policy,
                host: "mx.example",
                to: None,
                from: None,
                result: Ok(()),
            };
            book.count(day(today), &session, || at(due));
        }
        let due = book.due(day("2026-11-26"), at("2026-11-26T02:00:00Z"));
        let named: Vec<(String, &str)> = due.iter().map(|(day, name)| (day.to_string(), &**name)).collect();
        assert_eq!(
            named,
            [
                ("2026-11-24".to_owned(), "a.example"),
                ("2026-11-25".to_owned(), "b.example")
            ]
        );
        book.close(day("2026-11-24"), "a.example", None);
        assert!(!book.days.contains_key(&day("2026-11-24")));
        book.forget_before(day("2026-11-26"));
        assert_eq!(book.days.len(), 1);
    }
}
