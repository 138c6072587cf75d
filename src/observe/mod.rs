//! Logs and tracking as they leave the process.
//!
//! In: what rooms say through `tracing`, and the tracking events that the spool committed.
//! Out: structured lines on standard error, and events in the trace.
//! Never: bodies, member lists or secrets (STYLE §9); never on the mail path.

pub mod log;
pub mod trace_writer;
pub mod tracked;
