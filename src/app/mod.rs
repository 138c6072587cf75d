//! Composition: the service, the demo.

pub mod commands;
pub mod directory;
pub mod hops;
pub mod reports;
pub mod service;
pub mod wiring;
