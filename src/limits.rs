//! Bounds, each with a name and a reason.
