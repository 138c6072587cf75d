//! `[[next_hops]]`: every key with its use, unit, default and trap.

use std::path::PathBuf;
use std::time::Duration;

use serde_spanned::Spanned;

use super::word::{Name, Names, ReturnPath};
use crate::connectors::document::read::{keys, readable};

keys! {
    /// `[[next_hops]]`: exactly one of `hosts`, `mx` and `drop_directory`.
    NextHop {
        /// Its name in `routing`, in logs and in `muster queue`. Required.
        required name: Name,
        /// Servers: `"mx1.example"`, `"mx1.example:2525"`, `"[2001:db8::1]:25"`, or a table with a preference.
        /// Servers of one preference share the load; higher numbers are tried when lower ones fail.
        optional hosts: Vec<Spanned<Host>>,
        /// `true`: the MX records of each recipient's domain (RFC 5321 §5.1).
        optional mx: bool,
        /// Each copy becomes a file `.eml` and its envelope a file `.json` in this folder: for trying things out.
        /// A relative path starts at `data_dir`.
        optional drop_directory: PathBuf,
        /// Port of servers that name none, and of MX hosts. Default: 25.
        optional port: u16,
        /// Most sessions at once. Default: 20. Trap: Exchange Online slows down a client that opens many.
        optional connections_max: u32,
        /// Most recipients of one copy; a longer list becomes several. Default: 500. A 452 4.5.3 from the server
        /// lowers it by itself (RFC 5321 §4.5.3.1.10).
        optional recipients_max: u32,
        /// Time after which a waiting copy is reported as failed. Default: `queue.expiry`.
        optional expiry: Duration,
        /// Reverse-path of its copies: `original`; `srs` rewrites outside senders, because this hop would ask their
        /// domain's SPF record about us; `bounces` gives every batch an address of ours, and passes reports that come
        /// back on to the sender or the group's owner. Default: `original`. Trap: a hop that trusts us needs neither.
        optional return_path: ReturnPath,
        /// Signing keys whose DKIM signatures its copies bear: one name or a list. Default: none.
        /// Trap: all copies are signed, also those of strangers' messages; a copy that cannot be signed waits.
        optional dkim_sign: Names,
        /// Signing key of an ARC set on its copies, for hops that trust us as a sealer: it tells them what we found when
        /// the message came in. Default: none. Trap: all mail that nothing else proves internal is checked then.
        optional arc_seal: Name,
    }

    /// One server of a next hop.
    Host {
        /// Host name or IP address, with or without port. Required.
        required host: super::word::HostPort,
        /// Lower is tried first. Default: 10.
        optional preference: u16,
    }
}

readable! { NextHop }
readable! { text Host: host }
