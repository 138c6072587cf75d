//! Answers of the running service to `admin`'s commands.

pub mod answering;
pub mod explain;
pub mod export;
pub mod groups;
pub mod history;
pub mod holds;
pub mod queue;
pub mod rules;
pub mod trace;
