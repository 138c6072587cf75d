//! The categorisation pass and its commit.
