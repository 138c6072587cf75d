//! A next hop of the settings (Exchange: send connector).

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::protection::{HopSignIn, HopTls};
use crate::limits;
use crate::mail::return_path::ReturnPathRule;
use crate::mail::signature::Signing;

/// Index of a next hop in [`super::Routes`]; good for one loaded version of the settings only.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct HopId(pub u16);

/// A host of a next hop.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct HostPort {
    /// Host name, or an IP address without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Lower is tried first; equals are shuffled (as RFC 5321 §5.1 does for MX records).
    pub preference: u16,
    /// Share of the load beside equals.
    pub weight: u16,
}

impl HostPort {
    /// A host with the preference of all others.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            preference: 10,
            weight: 1,
        }
    }
}

/// Where copies for a next hop go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// These hosts (Exchange: smart hosts).
    Hosts(Vec<HostPort>),
    /// The mail exchangers of each recipient's domain (RFC 5321 §5.1).
    Mx,
    /// Files in this directory: one `.eml` and one `.json` per copy.
    DropDirectory(PathBuf),
}

/// How long each step with a next hop may take (RFC 5321 §4.5.3.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HopTimeouts {
    /// TCP connection to one address. The RFC names none; Postfix waits 30 s.
    pub connect: Duration,
    /// Greeting (§4.5.3.2.1), EHLO and AUTH.
    pub greeting: Duration,
    /// TLS handshake. The RFC names none; Postfix waits 5 min.
    pub handshake: Duration,
    /// Reply to MAIL (§4.5.3.2.2).
    pub mail: Duration,
    /// Reply to each RCPT (§4.5.3.2.3).
    pub rcpt: Duration,
    /// 354 (§4.5.3.2.4).
    pub data: Duration,
    /// Each block of content is taken (§4.5.3.2.5).
    pub block: Duration,
    /// Reply to the final dot (§4.5.3.2.6): shorter ones make duplicates.
    pub dot: Duration,
}

impl Default for HopTimeouts {
    fn default() -> Self {
        let minutes = |count: u64| Duration::from_secs(60 * count);
        Self {
            connect: Duration::from_secs(30),
            greeting: minutes(5),
            handshake: minutes(1),
            mail: minutes(5),
            rcpt: minutes(5),
            data: minutes(2),
            block: minutes(3),
            dot: minutes(10),
        }
    }
}

/// When deferred recipients are tried again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RetrySchedule {
    /// Wait after the first deferral; each later one doubles it. Times are spread by a quarter each way.
    pub first: Duration,
    /// Longest wait.
    pub longest: Duration,
    /// Wait after which the sender is told of a delay, once.
    pub delay_report: Duration,
}

impl Default for RetrySchedule {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(60),
            longest: Duration::from_secs(30 * 60),
            delay_report: Duration::from_secs(4 * 60 * 60),
        }
    }
}

/// A next hop with everything a session needs to know before it connects.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NextHop {
    /// Name in the settings.
    pub name: String,
    /// Where copies go.
    pub target: Target,
    /// Most recipients in one transaction; the hop's own limit is learned and may be lower.
    pub recipients_max: usize,
    /// Most sessions at once, per MX domain for [`Target::Mx`].
    pub connections_max: usize,
    /// TCP port for [`Target::Mx`].
    pub mx_port: u16,
    /// EHLO argument: our name, which also marks us in MX lists.
    pub helo: String,
    /// Time in the queue before a recipient is given up; goes into a set's `expires_at`.
    pub expiry: Duration,
    /// When deferred recipients are tried again.
    pub retry: RetrySchedule,
    /// Waits within a session.
    pub timeouts: HopTimeouts,
    /// Reverse-path of its copies.
    pub return_path: ReturnPathRule,
    /// Signatures of its copies.
    pub signing: Arc<Signing>,
    /// TLS.
    pub tls: Arc<HopTls>,
    /// Who we are to it.
    pub sign_in: Option<Arc<HopSignIn>>,
    /// Whether TLSA records count, for [`Target::Mx`] (RFC 7672).
    pub dane: bool,
    /// Whether MTA-STS policies count, for [`Target::Mx`] (RFC 8461).
    pub mta_sts: bool,
    /// Most messages in a minute, per MX domain for [`Target::Mx`].
    pub messages_per_minute_max: Option<u32>,
    /// Addresses that connections come from: the first of the family.
    pub sources: Vec<IpAddr>,
    /// Whether BDAT is used where it is offered (RFC 3030).
    pub chunking: bool,
    /// Whether a host that does not offer 8BITMIME is sent 8-bit content all the same (RFC 6152).
    pub assume_8bitmime: bool,
}

impl NextHop {
    /// A next hop with the default limits.
    #[must_use]
    pub fn new(name: impl Into<String>, target: Target, helo: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            target,
            recipients_max: limits::BATCH_RECIPIENTS_MAX,
            connections_max: limits::HOP_SESSIONS_MAX,
            mx_port: 25,
            helo: helo.into(),
            expiry: limits::QUEUE_EXPIRY,
            retry: RetrySchedule::default(),
            timeouts: HopTimeouts::default(),
            return_path: ReturnPathRule::default(),
            signing: Arc::default(),
            tls: Arc::default(),
            sign_in: None,
            dane: true,
            mta_sts: true,
            messages_per_minute_max: None,
            sources: Vec::new(),
            chunking: true,
            assume_8bitmime: false,
        }
    }
}
