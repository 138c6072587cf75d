//! Routing: from a recipient to the next hop that takes its copy.
//!
//! In: what the message and the recipient are, where the mailbox lives, its final domain, the routes of the settings.
//! Out: a next hop by [`HopId`], or the reason why there is none; the order in which its hosts are tried.
//! Never: asks DNS, opens a connection, reads a clock.

pub mod candidates;
pub mod next_hop;
pub mod ordered;
pub mod protection;
pub mod rule;

pub use candidates::{ExchangeFault, MailExchanger, by_preference, by_weight, exchangers, interleaved};
pub use next_hop::{HopId, HopTimeouts, HostPort, NextHop, RetrySchedule, Target};
pub use ordered::{About, Class, Conditions, DomainPattern, LiveRules, OrderedRule, Rows, Ruling, SenderPattern, Side};
pub use protection::{ClientCertificate, HopSignIn, HopTls, SignInProof, TlsMode, TokenSource, Trust};
pub use rule::{Location, RouteFault, Routes, RoutesDraft, is_of, is_tls_optional};
