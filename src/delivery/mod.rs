//! Sockets that pass mail on.
