//! The SMTP protocol without a socket: server and client state machines.
