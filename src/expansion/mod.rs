//! Expansion: from one group to the recipients it stands for today.
//!
//! In: an envelope with its sender's proof, a pinned [`View`](crate::rolls::View), the organisation's
//! settings, the router, the limits.
//! Out: per addressed recipient a verdict; branches of recipients in walk order, each recipient once and with
//! the first accepted path that reached him; refused branches, holds, notices, events.
//! Never: reads a clock, asks a directory server, writes, ends half way. The same input gives the same
//! output; RCPT, the pass, `explain` and the release of a hold call the same walk.

mod dialect;
mod group;
mod individual;
pub mod outcome;
mod record;
mod reports;
pub mod request;
mod routes;
mod seen;
mod walk;

#[cfg(test)]
mod model;
#[cfg(test)]
pub(crate) mod tests;

pub use outcome::{
    Branch, Expansion, Halt, Judged, NewHold, Note, OwnerNotice, Recipient, RefusedBranch, Tally, Verdict,
};
pub use request::{Committed, Detail, HoldStanding, Limits, Release, ReportFacts, Request, Start};
pub use routes::{HopId, Place, Router};
pub use walk::{expand, judge_recipient};
