//! Settings of delivery as a whole; what belongs to one next hop is in [`crate::routing::NextHop`].

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::dns::Dnssec;
use super::tls_reports::TlsReportSettings;
use super::web::Web;
use crate::limits;

/// Settings of delivery.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeliverySettings {
    /// Failures of one message are gathered this long for one report.
    pub report_gather: Duration,
    /// Messages in one session.
    pub session_messages_max: u32,
    /// How long a session without work stays open.
    pub session_idle_max: Duration,
    /// Octets of rosters and contents kept in memory for sets that wait.
    pub loaded_octets_max: usize,
    /// Further names of this relay in MX records, beside each next hop's EHLO name (RFC 5321 §5.1).
    pub own_names: Vec<String>,
    /// Name servers; empty for the system's.
    pub name_servers: Vec<SocketAddr>,
    /// Wait for one answer of a name server; it is asked twice.
    pub dns_timeout: Duration,
    /// How their answers are validated.
    pub dnssec: Dnssec,
    /// Where MTA-STS policies are kept; none: until a restart.
    pub mta_sts_file: Option<PathBuf>,
    /// Reports to domains about TLS with their mail exchangers; none: nothing is counted.
    pub tls_reports: Option<TlsReportSettings>,
    /// Whom HTTPS trusts.
    pub web: Web,
}

impl Default for DeliverySettings {
    fn default() -> Self {
        Self {
            report_gather: limits::REPORT_GATHER,
            session_messages_max: limits::SESSION_MESSAGES_MAX,
            session_idle_max: limits::SESSION_IDLE_MAX,
            loaded_octets_max: limits::DELIVERY_LOADED_OCTETS_MAX,
            own_names: Vec::new(),
            name_servers: Vec::new(),
            dns_timeout: Duration::from_secs(5),
            dnssec: Dnssec::Off,
            mta_sts_file: None,
            tls_reports: None,
            web: Web::default(),
        }
    }
}
