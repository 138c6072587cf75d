//! Messages held for a moderator, and the decision on them.
