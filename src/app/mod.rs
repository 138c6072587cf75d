//! Composition: the service, the demo.

pub mod commands;
pub mod hops;
