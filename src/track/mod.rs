//! What happened and why, in words that do not change.

pub mod event;
pub mod reason;

pub use event::{Decision, Event, EventKind, HoldCause, ReportKind};
pub use reason::Reason;
