//! How a session with a next hop is protected, and who we are to it: what settings say, read and parsed.
//!
//! Never: a secret or private key in `Debug`.

use std::fmt;
use std::sync::Arc;

use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::smtp::extension::Mechanisms;
use crate::smtp::sign_in::Secret;

/// Whether sessions are encrypted, and how sure we want to be of whom we talk to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TlsMode {
    /// Never.
    None,
    /// Where it is offered and works; else in clear text (RFC 7435).
    #[default]
    Opportunistic,
    /// Or the mail waits. Anybody may hold the other end.
    Required,
    /// Or the mail waits, and the certificate must be the right one.
    Verified,
}

/// What makes a certificate the right one.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Trust {
    /// It is for one of the names and issued below an authority that the system trusts.
    #[default]
    System,
    /// It is for one of the names and issued below one of these.
    Authorities(Arc<[CertificateDer<'static>]>),
    /// Its key has one of these SHA-256 hashes (of SubjectPublicKeyInfo, as RFC 7469 §2.4 makes pins); names and dates
    /// do not matter.
    Keys(Arc<[[u8; 32]]>),
}

/// A certificate that we show.
#[derive(PartialEq, Eq, Debug)]
pub struct ClientCertificate {
    /// Ours first, then those above it.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its private key.
    pub key: PrivateKeyDer<'static>,
}

/// TLS with a next hop.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HopTls {
    /// Whether, and how sure.
    pub mode: TlsMode,
    /// From the first octet (RFC 8314 §3.3), without STARTTLS.
    pub implicit: bool,
    /// What makes a certificate the right one.
    pub trust: Trust,
    /// Names of which the certificate must have one; none: the host's name.
    pub names: Vec<Arc<str>>,
    /// What we show.
    pub certificate: Option<Arc<ClientCertificate>>,
}

/// Who we are to a next hop (RFC 4954).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HopSignIn {
    /// Authentication identity.
    pub user: String,
    /// What proves it.
    pub proof: SignInProof,
    /// Mechanisms that may be used.
    pub mechanisms: Mechanisms,
    /// Whether it may be said without TLS.
    pub in_clear: bool,
}

/// What proves who we are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SignInProof {
    /// A password.
    Password(Secret),
    /// A token that is fetched with a client's credentials (RFC 6749 §4.4).
    Token(Arc<TokenSource>),
}

/// Where tokens come from.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TokenSource {
    /// The issuer's token endpoint.
    pub url: String,
    /// Client id.
    pub client: String,
    /// Client secret.
    pub secret: Secret,
    /// What the token is to be good for.
    pub scope: String,
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "TokenSource({} at {})", self.client, self.url)
    }
}
