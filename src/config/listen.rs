//! `[[listeners]]` and `[[trusted_networks]]`: their keys; what a listener does without them, and what cannot work.

use std::net::SocketAddr;
use std::time::Duration;

use serde_spanned::Spanned;

use super::check::{list, or, stated};
use super::credentials::{auth_mode, tls_mode};
use super::cross::{Checks, numbered};
use super::rate::{Rates, rates};
use super::strangers::{Strangers, strangers};
use super::word::{DomainPattern, ListenerAuth, ListenerTls, Name, Role, Token};
use crate::connectors::document::read::{Size, keys, readable};
use crate::connectors::document::units::Network;
use crate::limits;
use crate::listener::{RateSettings, StrangerSettings};
use crate::resolver::CertificateName;

keys! {
    /// `[[listeners]]`
    Listener {
        /// Its name in logs, in `trusted_networks` and in `explain --via`. Required.
        required name: Name,
        /// IP address and port: `0.0.0.0:25`, `[::]:25`. Port 0 lets the system choose. Required.
        required address: SocketAddr,
        /// `inbound` is an MX: mail for accepted domains only. `relay` is a smart host: clients of a trusted
        /// network, and accounts, may send anywhere. `submission` is for mail clients (RFC 6409): accounts only, and
        /// missing Date and Message-ID fields are added. Required.
        required role: Role,
        /// `off`, `offered` (STARTTLS), `required` (no mail without STARTTLS) or `implicit` (from the first octet, as on
        /// port 465). Default: `offered` if there are `certificates`, for `submission` `required`; else `off`.
        /// Trap: an MX that requires TLS turns away servers without it.
        optional tls: ListenerTls,
        /// AUTH: `off`, `offered` or `required`. Needs `accounts`. Default: `off` for `inbound`, `required` for
        /// `submission`, for `relay` `offered` if there are accounts.
        optional auth: ListenerAuth,
        /// Whether AUTH is offered without TLS too. Default: false.
        /// Trap: whoever listens has the password.
        optional auth_in_plaintext: bool,
        /// Networks of proxies and filters that may say for which client they speak (XCLIENT). Default: none.
        /// Trap: whoever connects from there can be anybody.
        optional xclient_from: Vec<Spanned<Network>>,
        /// Largest message, announced in SIZE; beyond it 552 5.3.4. Unit: octets. Default: 150M.
        /// Trap: base64 makes an attachment a third larger; next hops have limits of their own.
        optional message_size_max: Size,
        /// Most recipients of one transaction; beyond it 452 4.5.3 and the client goes on in the next.
        /// Default: 1000. Trap: fewer than 100 breaks RFC 5321 §4.5.3.1.8.
        optional recipients_max: u32,
        /// Most sessions at once at this listener; beyond it 421. Default: 1000.
        optional sessions_max: u32,
        /// Most sessions at once of one client address; beyond it 421. Default: 100.
        /// Trap: all clients behind one address translation or load balancer share it.
        optional sessions_per_client_max: u32,
        /// Most sessions at once of one client network, an IPv4 /24 or an IPv6 /48; beyond it 421. Default: as
        /// `sessions_max`, no limit of its own.
        optional sessions_per_network_max: u32,
        /// Networks of load balancers that pass connections on: each connection from there must begin with a PROXY
        /// header (version 1 or 2) that says whose it is. That address is the client's everywhere, also in
        /// `trusted_networks`. Default: none, nobody's word is taken.
        /// Trap: whoever can connect from there can claim any address, a trusted one too; and what does not send the
        /// header, such as a check by hand, is closed.
        optional proxy_from: Vec<Spanned<Network>>,
        /// How often clients may connect, send and name recipients.
        optional rates: Rates,
        /// What is asked of clients in no trusted network.
        optional strangers: Strangers,
        /// Errors and unknown recipients in one session before 421. Default: 20.
        optional errors_max: u32,
        /// Wait for the next command. Default: 5m (RFC 5321 §4.5.3.2.7).
        optional command_timeout: Duration,
        /// Wait for the next block of content. Default: 3m (RFC 5321 §4.5.3.2.5).
        optional data_timeout: Duration,
    }

    /// `[[trusted_networks]]`
    TrustedNetwork {
        /// Its name; it is recorded with every message as the proof that the sender is internal. Required.
        required name: Name,
        /// IP networks of the clients: `10.0.0.0/8`, `2001:db8::/32`, `192.0.2.7`. Default: any; this or
        /// `certificate_names` must be stated, and with both a client needs both.
        /// Trap: a network that many customers share, such as a cloud provider's, proves the provider, not you: see
        /// `shared`.
        optional networks: Vec<Spanned<Network>>,
        /// Names of the certificates that the clients present in TLS: `mail.contoso.example`, `*.contoso.example`. One of
        /// `tls.client_authorities_file` must vouch for it. Default: none is needed.
        /// Trap: all customers of Exchange Online present the same certificates: see `shared`.
        optional certificate_names: Vec<Spanned<CertificateName>>,
        /// Names of the listeners at which these clients are trusted. Required. At a `relay` listener they may
        /// also send to any domain.
        required listeners: Vec<Spanned<Name>>,
        /// Reverse-path domains for which the network is proof; others stay external, and only these may relay.
        /// Default: the accepted domains.
        optional domains: Vec<Spanned<DomainPattern>>,
        /// Whether other customers of a provider send from these addresses too. Then the network proves nothing by
        /// itself: `tenant` or `tenant_signature` must say which mail is yours, and all other mail is a stranger's.
        /// Default: true for addresses of Exchange Online and where a tenant is stated, else false.
        optional shared: bool,
        /// Your tenant as the provider stamps it on what you send, in Exchange Online the tenant id (a GUID). Counts if
        /// the message has exactly one `tenant_field`. Default: none.
        /// Trap: the stamp is worth as much as the provider's promise to write it over what a customer wrote.
        optional tenant: Token,
        /// The field that the provider stamps. Default: `X-MS-Exchange-CrossTenant-Id`.
        optional tenant_field: Token,
        /// Whether a DKIM signature by the reverse-path's domain, on a message whose author is the reverse-path, says
        /// that mail is yours. Default: false.
        /// Trap: whoever has such a message can send it again to others.
        optional tenant_signature: bool,
    }
}

readable! { Listener TrustedNetwork }

/// `[[listeners]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerSettings {
    /// Unique.
    pub name: Name,
    /// Port 0 lets the system choose.
    pub address: SocketAddr,
    /// MX or smart host.
    pub role: Role,
    /// TLS.
    pub tls: ListenerTls,
    /// AUTH.
    pub auth: ListenerAuth,
    /// AUTH without TLS.
    pub auth_in_plaintext: bool,
    /// Who may use XCLIENT.
    pub xclient_from: Vec<Network>,
    /// Octets.
    pub message_size_max: u64,
    /// Recipients of one transaction.
    pub recipients_max: u32,
    /// Sessions at this listener.
    pub sessions_max: u32,
    /// Sessions of one client address.
    pub sessions_per_client_max: u32,
    /// Sessions of one client network.
    pub sessions_per_network_max: u32,
    /// Proxies whose word is taken.
    pub proxy_from: Vec<Network>,
    /// How often clients may do what.
    pub rates: RateSettings,
    /// What is asked of clients in no trusted network; without name servers.
    pub strangers: StrangerSettings,
    /// Errors in one session.
    pub errors_max: u32,
    /// Wait for a command.
    pub command_timeout: Duration,
    /// Wait for a block of content.
    pub data_timeout: Duration,
}

/// What the settings have that defaults of listeners depend on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Has {
    pub(super) certificates: bool,
    pub(super) accounts: bool,
}

/// What a table says, with defaults. `None` only if a required key is missing.
pub(super) fn listener(listener: &Listener, has: Has) -> Option<ListenerSettings> {
    let widened = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let sessions_max = or(&listener.sessions_max, widened(limits::SESSIONS_MAX));
    Some(ListenerSettings {
        name: stated(&listener.name)?,
        address: stated(&listener.address)?,
        role: stated(&listener.role)?,
        tls: tls_mode(listener, has.certificates),
        auth: auth_mode(listener, has.accounts),
        auth_in_plaintext: or(&listener.auth_in_plaintext, false),
        xclient_from: numbered(&listener.xclient_from).map(|(_, network)| *network).collect(),
        message_size_max: or(&listener.message_size_max, Size(limits::MESSAGE_OCTETS_MAX)).0,
        recipients_max: or(&listener.recipients_max, widened(limits::TRANSACTION_RECIPIENTS_MAX)),
        sessions_max,
        sessions_per_client_max: or(
            &listener.sessions_per_client_max,
            widened(limits::SESSIONS_PER_CLIENT_MAX),
        ),
        sessions_per_network_max: or(&listener.sessions_per_network_max, sessions_max),
        proxy_from: list(&listener.proxy_from).copied().collect(),
        rates: rates(&or(&listener.rates, Rates::default())),
        strangers: strangers(&or(&listener.strangers, Strangers::default())),
        errors_max: or(&listener.errors_max, limits::SESSION_ERRORS_MAX),
        command_timeout: or(&listener.command_timeout, limits::COMMAND_TIMEOUT),
        data_timeout: or(&listener.data_timeout, limits::DATA_BLOCK_TIMEOUT),
    })
}

impl Checks<'_> {
    pub(super) fn listeners(&mut self) {
        let mut seen: Vec<(usize, SocketAddr)> = Vec::new();
        for (index, each) in numbered(&self.file.listeners) {
            let Some(stated) = &each.address else {
                continue;
            };
            let address = *stated.get_ref();
            if let Some((other, _)) = seen.iter().find(|(_, other)| collide(*other, address)) {
                let message = format!("listeners[{other}] has this address and port already");
                self.error(stated.span(), format!("listeners[{index}].address"), message);
            }
            seen.push((index, address));
        }
    }
}

/// True if the second bind would fail: the same port, and the same address or one that stands for all. Whether
/// `[::]` also takes IPv4 is for the system to say.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let covers = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && one.is_ipv4() == other.is_ipv4() && covers
}
