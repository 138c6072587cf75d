//! Composition: the service, the demo.

pub mod changes;
pub mod commands;
mod comparison;
pub mod demo;
pub mod directory;
pub mod export;
pub mod filters;
pub mod guards;
pub mod hops;
pub mod import;
pub mod lessons;
pub mod local;
pub mod marks;
pub mod memory;
mod ordered;
mod password;
pub mod published;
mod reports;
pub mod serve;
pub mod service;
mod spoof;
pub mod stops;
pub mod welcome;
pub mod wiring;
