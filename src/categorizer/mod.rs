//! The categorisation pass and its commit.

pub mod intake;
