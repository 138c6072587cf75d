//! Sockets that take mail in.
