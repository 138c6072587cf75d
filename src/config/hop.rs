//! `[[next_hops]]`: every key with its use, unit, default and trap.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_spanned::Spanned;

use super::word::{DaneMode, KeyHash, Name, Names, ReturnPath, SignInMechanism, TlsMode};
use crate::connectors::document::read::{keys, readable};
use crate::mail::address::Domain;

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
        /// Encryption: `none`; `opportunistic` where the server offers it, whoever it is, else in clear text; `required`,
        /// or mail waits; `verified`, or mail waits, and the certificate must be the right one. Default: `opportunistic`.
        /// Trap: up to `required` whoever sits on the way can pretend to be the server.
        optional tls: TlsMode,
        /// Whether TLS begins with the connection (mostly port 465) instead of by STARTTLS. Default: false.
        optional tls_implicit: bool,
        /// Names of which the server's certificate must have one, for `verified`. Default: the name of the server in
        /// `hosts`, or in the MX record. Trap: without DNSSEC an MX record is anybody's word.
        optional tls_names: Vec<Spanned<Domain>>,
        /// Certificates in PEM form of the authorities that count for `verified`, and no others. A relative path starts at
        /// the settings file. Default: the authorities of the system. Trap: the server's own certificate is no authority, even
        /// if it signed itself; name its key in `tls_keys`.
        optional tls_ca_file: PathBuf,
        /// Keys of which the server must have one, for `verified`: SHA-256 of its public key in base64, as `openssl x509
        /// -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64` tells. Names, dates
        /// and authorities do not count then. Default: none. Trap: name the next key before the server changes to it.
        optional tls_keys: Vec<Spanned<KeyHash>>,
        /// Certificate that we show, in PEM form, with those above it. A relative path starts at the settings file.
        /// Default: none.
        optional tls_certificate_file: PathBuf,
        /// Its private key in PEM form. Default: none; required with `tls_certificate_file`.
        /// Trap: nobody but the service may read it.
        optional tls_key_file: PathBuf,
        /// Whether TLSA records count, for `mx` and with `dns.dnssec` (DANE, RFC 7672): `opportunistic` or `off`. Where a
        /// domain has them there is TLS with the certificate that they name, or mail waits. Default: `opportunistic`.
        optional dane: DaneMode,
        /// Whether MTA-STS policies of domains count, for `mx` (RFC 8461): where one is enforced there is TLS with a server
        /// that it names and that the system's authorities vouch for, or mail waits. Default: true.
        optional mta_sts: bool,
        /// Most messages in a minute, for `mx` per domain; they are spread evenly. Default: none, as many as the server
        /// takes. Trap: a large group's copy is one message per `recipients_max`.
        optional messages_per_minute_max: u32,
        /// Our name in EHLO. Default: `hostname`. Trap: it should resolve to the source address.
        optional helo: Domain,
        /// Addresses of ours that connections come from; the first of the server's family (IPv4, IPv6) is taken.
        /// Default: as the system decides.
        optional source_addresses: Vec<Spanned<IpAddr>>,
        /// Whether content goes by BDAT where the server offers CHUNKING (RFC 3030). With PIPELINING, up to 128 KiB of it
        /// go along with MAIL and up to 100 RCPT: one round trip for all. Default: true.
        /// Trap: some content filters on the way offer it and cannot do it.
        optional chunking: bool,
        /// Whether a server that does not offer 8BITMIME is sent 8-bit content all the same. Default: false; such mail is
        /// returned (RFC 6152), because content is never converted. Trap: an old server may spoil it.
        optional assume_8bitmime: bool,
        /// Who we are to its servers (AUTH, RFC 4954). Default: nobody in particular.
        optional auth: SignIn,
    }

    /// `auth` of a next hop.
    SignIn {
        /// User name; for Exchange Online the mailbox that sends. Required.
        required user: String,
        /// File with the password in its first line. A relative path starts at the settings file. Default: none; required
        /// unless a token is fetched. Trap: nobody but the service may read it.
        optional password_file: PathBuf,
        /// How it is said: `any`, the best that both sides have of `scram-sha-256`, `plain` and `login`, or one of these;
        /// with a token `xoauth2` or `oauthbearer`. Default: `any`, or `xoauth2` with `token_url`.
        optional mechanism: SignInMechanism,
        /// Whether it may be said without TLS, or to a server whose certificate proves nothing (SCRAM-SHA-256 may be always:
        /// it does not tell the password). Default: false, mail waits. Trap: everybody on the way can read the password.
        optional in_clear: bool,
        /// Where tokens are fetched with the credentials of an application (OAuth 2.0):
        /// `https://login.microsoftonline.com/TENANT/oauth2/v2.0/token`. Default: none, a password is used.
        optional token_url: String,
        /// The application. Default: none; required with `token_url`.
        optional client_id: String,
        /// File with its secret in the first line. Default: none; required with `token_url`.
        /// Trap: secrets of Entra applications expire; mail waits then.
        optional client_secret_file: PathBuf,
        /// What the token is for. Default: `https://outlook.office365.com/.default`.
        optional scope: String,
    }

    /// One server of a next hop.
    Host {
        /// Host name or IP address, with or without port. Required.
        required host: super::word::HostPort,
        /// Lower is tried first. Default: 10.
        optional preference: u16,
        /// Share of the load beside servers of the same preference. Default: 1.
        optional weight: u16,
    }
}

readable! { NextHop SignIn }
readable! { text Host: host }
