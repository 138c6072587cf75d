//! Whether a certificate is the right one.
//!
//! In: the chain that a peer showed, what is wanted, the time. Out: what the chain proves, or why not.
//! The handshake itself takes any certificate and proves only that the peer holds its key; the judgement follows here,
//! before anything is said over the connection. So a resumed session is judged like a new one, and what a certificate
//! would have proved is known where nobody asked for it.

use std::fmt;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::server::ParsedCertificate;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use sha2::{Digest as _, Sha256};
use webpki::EndEntityCert;

use super::dane::Dane;

/// What is wanted of a certificate.
#[derive(Clone)]
pub enum Wanted {
    /// Issued below one of the roots, and for one of the names.
    Name(Arc<RootCertStore>, Vec<ServerName<'static>>),
    /// A key with one of these hashes.
    Key(Arc<[[u8; 32]]>),
    /// What DNSSEC vouches for.
    Dane(Dane),
}

/// What a chain proves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Proof {
    /// An authority says whose it is.
    Authority,
    /// It has the key that settings name.
    Key,
    /// DNSSEC vouches for it.
    Dane,
}

impl fmt::Display for Proof {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Authority => "verified",
            Self::Key => "pinned",
            Self::Dane => "DANE",
        })
    }
}

/// Why a certificate is not the right one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mistrust {
    /// Which way.
    pub kind: MistrustKind,
    /// In words.
    pub why: String,
}

/// Which way a certificate is not the right one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MistrustKind {
    /// It is for another name.
    OtherName,
    /// Its time is over.
    Expired,
    /// Nobody vouches for it who would have to.
    Untrusted,
    /// There is none, or it cannot be read.
    Unreadable,
}

impl Mistrust {
    pub(super) fn new(kind: MistrustKind, why: impl Into<String>) -> Self {
        Self { kind, why: why.into() }
    }

    fn of(fault: &rustls::Error) -> Self {
        use rustls::CertificateError as Certificate;
        let kind = match fault {
            rustls::Error::InvalidCertificate(Certificate::Expired | Certificate::ExpiredContext { .. }) => {
                MistrustKind::Expired
            }
            rustls::Error::InvalidCertificate(Certificate::BadEncoding) => MistrustKind::Unreadable,
            rustls::Error::InvalidCertificate(_) => MistrustKind::Untrusted,
            _ => MistrustKind::Unreadable,
        };
        Self::new(kind, fault.to_string())
    }
}

impl fmt::Display for Mistrust {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.why)
    }
}

/// Judges a chain, the peer's own certificate first.
pub fn judge(
    chain: &[CertificateDer<'_>],
    wanted: &Wanted,
    algorithms: &WebPkiSupportedAlgorithms,
    now: UnixTime,
) -> Result<Proof, Mistrust> {
    let none = || Mistrust::new(MistrustKind::Unreadable, "no certificate was shown");
    let (own, above) = chain.split_first().ok_or_else(none)?;
    match wanted {
        Wanted::Name(roots, names) => by_name(own, above, roots, names, algorithms, now).map(|()| Proof::Authority),
        Wanted::Dane(dane) => dane.judge(own, above, algorithms, now).map(|()| Proof::Dane),
        Wanted::Key(hashes) => {
            let hash: [u8; 32] =
                Sha256::digest(key_of(own).map_err(|why| Mistrust::new(MistrustKind::Unreadable, why))?).into();
            if hashes.contains(&hash) {
                Ok(Proof::Key)
            } else {
                let why = "the key of the certificate is none of `tls_keys`";
                Err(Mistrust::new(MistrustKind::Untrusted, why))
            }
        }
    }
}

/// Issued below a root, and for one of the names.
pub(super) fn by_name(
    own: &CertificateDer<'_>,
    above: &[CertificateDer<'_>],
    roots: &RootCertStore,
    names: &[ServerName<'static>],
    algorithms: &WebPkiSupportedAlgorithms,
    now: UnixTime,
) -> Result<(), Mistrust> {
    let parsed = ParsedCertificate::try_from(own).map_err(|fault| Mistrust::of(&fault))?;
    verify_server_cert_signed_by_trust_anchor(&parsed, roots, above, now, algorithms.all)
        .map_err(|fault| Mistrust::of(&fault))?;
    if names.iter().any(|name| verify_server_name(&parsed, name).is_ok()) {
        return Ok(());
    }
    let wanted: Vec<String> = names.iter().map(|name| name.to_str().into_owned()).collect();
    let why = format!("the certificate is not for {}", wanted.join(" or "));
    Err(Mistrust::new(MistrustKind::OtherName, why))
}

/// SubjectPublicKeyInfo of a certificate.
pub fn key_of(certificate: &CertificateDer<'_>) -> Result<Vec<u8>, String> {
    let parsed = EndEntityCert::try_from(certificate).map_err(|fault| fault.to_string())?;
    Ok(parsed.subject_public_key_info().as_ref().to_vec())
}
