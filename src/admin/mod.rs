//! Commands of people and programs to a running service.
//!
//! One set of commands ([`command::Command`]) and answers ([`answer`]) serves the command line, and later
//! the HTTP API and the console. The service implements [`service::Service`]; [`socket`] carries commands to
//! it over a local socket, [`client`] asks, [`cli`] reads arguments, [`render`] writes for people.

pub mod answer;
pub mod cli;
pub mod client;
pub mod command;
pub mod protocol;
pub mod render;
pub mod service;
pub mod socket;
#[cfg(test)]
mod socket_tests;
#[cfg(test)]
mod testing;

pub use answer::Answer;
pub use command::Command;
pub use service::{Caller, Refusal, RefusalKind, Service};
