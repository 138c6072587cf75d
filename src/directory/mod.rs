//! Recipient objects in memory: one immutable generation at a time.
