//! What happened and why, in words that do not change.
