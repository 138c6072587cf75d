//! Durable stores behind the keepers' traits.
