//! Durable stores behind the keepers' traits.

pub mod sqlite;
