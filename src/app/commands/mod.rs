//! Answers of the running service to `admin`'s commands.

pub mod answering;
mod compare;
mod convert;
pub mod explain;
mod explained;
pub mod export;
pub mod groups;
pub mod history;
pub mod holds;
pub mod kept;
pub mod lists;
#[cfg(test)]
mod lists_tests;
mod orders;
pub mod queue;
mod queue_orders;
pub mod rules;
mod send;
pub mod signing;
pub mod stale;
mod stop_counts;
mod stops;
mod storms;
pub mod trace;
pub mod was;
