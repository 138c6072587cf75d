//! Address to recipient object, and who the sender is.
