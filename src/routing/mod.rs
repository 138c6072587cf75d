//! Recipient to next hop.
