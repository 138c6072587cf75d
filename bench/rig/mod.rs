//! The rig: what the load clients, the sink and the checkers share.
//!
//! In: files that `source`, `sink` and `strace` wrote; octets of a loopback connection.
//! Out: counts, verdicts, one line of JSON.
//! Never: uses the product. The rig drives `muster serve` over sockets like any other server, so that it
//! can neither share its mistakes nor be fooled by them.

// Every example compiles this module for itself and uses its own part of it.
#![allow(dead_code)]

pub mod book;
pub mod client;
pub mod clock;
pub mod ledger;
pub mod synctrace;
pub mod tail;
pub mod tls;
pub mod wire;
