//! Connectors: where recipient objects come from, and the documents people write by hand.
//!
//! In: files, later directory servers. Out: recipient objects with every fault named by file, line and column.
//! Never: half a load; mail never waits here, the last good generation serves meanwhile.

pub mod document;
pub mod exchange;
pub mod files;
pub mod guard;
pub mod sync;
pub mod tracking;
