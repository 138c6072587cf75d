//! The SMTP protocol without a socket: server and client state machines.
//!
//! In: octets as they arrive, in any cut. Out: octets to write, and facts for the edge that owns the socket.
//! Never: a clock, a socket, a file, a directory. Timeouts are named here and kept by the edge.

pub mod client;
pub mod command;
pub mod data;
pub mod extension;
pub mod opening;
pub mod params;
pub mod plan;
pub mod proxy;
pub mod replies;
pub mod reply_parser;
pub mod sasl;
pub mod server;
pub mod sign_in;
pub mod stuffing;
mod transaction;
pub mod xclient;
pub mod xtext;
