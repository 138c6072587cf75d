//! What is due when, for which next hop, in which order: no I/O.
