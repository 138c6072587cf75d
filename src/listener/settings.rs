//! What one listener is told.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::rates::RateSettings;
use super::strangers::StrangerSettings;
use crate::categorizer::intake::ListenerRole;
use crate::limits;
use crate::resolver::IpNet;

/// Whether sessions of a listener are within TLS.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Tls {
    /// Never.
    #[default]
    Off,
    /// After STARTTLS, if the client asks for it.
    Offered,
    /// No mail without STARTTLS.
    Required,
    /// From the first octet (RFC 8314).
    Implicit,
}

/// Whether sessions of a listener authenticate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Auth {
    /// AUTH is not offered.
    #[default]
    Off,
    /// It is offered within TLS.
    Offered,
    /// It is offered without TLS as well.
    OfferedInPlaintext,
    /// No mail without it, which is offered within TLS.
    Required,
    /// No mail without it, which is offered without TLS as well.
    RequiredInPlaintext,
}

/// Settings of one listener. `config/listen.rs` explains them to operators.
#[derive(Clone, Debug)]
pub struct ListenerSettings {
    /// Name in the settings, in logs and tracking.
    pub name: Arc<str>,
    /// Where it listens; port 0 takes a free one (see [`super::Listener::local_address`]).
    pub address: SocketAddr,
    /// What it is for.
    pub role: ListenerRole,
    /// Our name in greeting and EHLO.
    pub hostname: String,
    /// Largest message in octets.
    pub message_octets_max: u64,
    /// Most RCPTs in one transaction; at least 100 (RFC 5321 §4.5.3.1.8).
    pub recipients_max: usize,
    /// Most sessions of this listener.
    pub sessions_max: usize,
    /// Most sessions of one client: an IPv4 address or an IPv6 /64.
    pub sessions_per_client_max: usize,
    /// Most sessions of one network: an IPv4 /24 or an IPv6 /48.
    pub sessions_per_network_max: usize,
    /// Networks whose connections begin with a PROXY header that says whose they are.
    pub proxy_from: Vec<IpNet>,
    /// Wait for that header.
    pub proxy_header_timeout: Duration,
    /// How often clients may do what.
    pub rates: RateSettings,
    /// What is asked of clients in no trusted network.
    pub strangers: StrangerSettings,
    /// Errors after which a session is closed.
    pub errors_max: u32,
    /// Wait for a whole command line, and for the client to read replies.
    pub command_timeout: Duration,
    /// Wait for a message to be taken, whatever else the client says; content under way has its own.
    pub fruitless_timeout: Duration,
    /// Wait for the next octets of content.
    pub data_block_timeout: Duration,
    /// Content may take [`ListenerSettings::data_block_timeout`] plus one second for each of these octets.
    pub data_octets_per_second_min: u64,
    /// Content may take this long altogether.
    pub data_timeout: Duration,
    /// TLS.
    pub tls: Tls,
    /// AUTH.
    pub auth: Auth,
    /// Networks whose clients may say for whom they speak (XCLIENT).
    pub xclient_from: Vec<IpNet>,
    /// Time that transactions in progress have to end when the listener stops.
    pub shutdown_timeout: Duration,
}

impl ListenerSettings {
    /// Settings with the bounds of `limits.rs`.
    #[must_use]
    pub fn new(name: &str, address: SocketAddr, role: ListenerRole, hostname: &str) -> Self {
        Self {
            name: Arc::from(name),
            address,
            role,
            hostname: hostname.to_owned(),
            message_octets_max: limits::MESSAGE_OCTETS_MAX,
            recipients_max: limits::TRANSACTION_RECIPIENTS_MAX,
            sessions_max: limits::SESSIONS_MAX,
            sessions_per_client_max: limits::SESSIONS_PER_CLIENT_MAX,
            sessions_per_network_max: limits::SESSIONS_MAX,
            proxy_from: Vec::new(),
            proxy_header_timeout: limits::PROXY_HEADER_TIMEOUT,
            rates: RateSettings::default(),
            strangers: StrangerSettings::default(),
            errors_max: limits::SESSION_ERRORS_MAX,
            command_timeout: limits::COMMAND_TIMEOUT,
            fruitless_timeout: limits::FRUITLESS_TIMEOUT,
            data_block_timeout: limits::DATA_BLOCK_TIMEOUT,
            data_octets_per_second_min: limits::DATA_OCTETS_PER_SECOND_MIN,
            data_timeout: limits::DATA_TIMEOUT,
            tls: Tls::default(),
            auth: Auth::default(),
            xclient_from: Vec::new(),
            shutdown_timeout: limits::SHUTDOWN_TIMEOUT,
        }
    }

    /// True for a client that may say for whom it speaks.
    #[must_use]
    pub fn speaks_for_others(&self, client: IpAddr) -> bool {
        self.xclient_from.iter().any(|network| network.contains(client))
    }
}
