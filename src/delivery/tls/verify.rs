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

/// Judges a chain, the peer's own certificate first.
pub fn judge(
    chain: &[CertificateDer<'_>],
    wanted: &Wanted,
    algorithms: &WebPkiSupportedAlgorithms,
    now: UnixTime,
) -> Result<Proof, String> {
    let (own, above) = chain.split_first().ok_or("no certificate was shown")?;
    match wanted {
        Wanted::Name(roots, names) => by_name(own, above, roots, names, algorithms, now).map(|()| Proof::Authority),
        Wanted::Dane(dane) => dane.judge(own, above, algorithms, now).map(|()| Proof::Dane),
        Wanted::Key(hashes) => {
            let hash: [u8; 32] = Sha256::digest(key_of(own)?).into();
            if hashes.contains(&hash) {
                Ok(Proof::Key)
            } else {
                Err("the key of the certificate is none of `tls_keys`".to_owned())
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
) -> Result<(), String> {
    let parsed = ParsedCertificate::try_from(own).map_err(|fault| fault.to_string())?;
    verify_server_cert_signed_by_trust_anchor(&parsed, roots, above, now, algorithms.all)
        .map_err(|fault| fault.to_string())?;
    if names.iter().any(|name| verify_server_name(&parsed, name).is_ok()) {
        return Ok(());
    }
    let wanted: Vec<String> = names.iter().map(|name| name.to_str().into_owned()).collect();
    Err(format!("the certificate is not for {}", wanted.join(" or ")))
}

/// SubjectPublicKeyInfo of a certificate.
pub fn key_of(certificate: &CertificateDer<'_>) -> Result<Vec<u8>, String> {
    let parsed = EndEntityCert::try_from(certificate).map_err(|fault| fault.to_string())?;
    Ok(parsed.subject_public_key_info().as_ref().to_vec())
}
