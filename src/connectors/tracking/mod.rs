//! Exchange's message tracking log: to whom a group was expanded, message by message.
//!
//! In: a log file or a folder of them, as Exchange 2007 to 2019 writes them (`MSGTRK*.LOG`; "Configure message
//! tracking" and "Message tracking" document the fields). Out: observed expansions, nested ones followed down to
//! individuals, and what could not be read. Never: the whole log in memory; a line guessed at.
//!
//! Only two events say who a group reaches. `EXPAND`: `related-recipient-address` is the group and
//! `recipient-address` its entries, separated by semicolons. `RESOLVE`: `related-recipient-address` is the
//! address before and `recipient-address` the one after a look-up in the directory.

mod event;
mod fields;
mod message;
mod read;

pub use read::{LineFault, TrackingFault, TrackingLog, read};

#[cfg(test)]
mod tests;
