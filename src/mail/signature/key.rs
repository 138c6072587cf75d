//! A private key, with the names under which its public half is found.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use mail_auth::common::crypto::{DkimKey, Ed25519Key, RsaKey, SigningKey as _};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;

use super::SigningFault;
use crate::mail::Domain;

/// Least octets of an RSA modulus: 2048 bits (RFC 8301 §3.2 asks signers for them).
const RSA_MODULUS_MIN: usize = 256;

/// Why a file holds no key that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// Not PEM, or not a private key in it.
    #[error("it holds no private key in PEM form (`openssl genpkey` writes one)")]
    NotAKey,
    /// RSA of too few bits.
    #[error("the RSA key is too weak: at least 2048 bits are needed (RFC 8301)")]
    Weak,
    /// Another algorithm, or damaged.
    #[error("it is no RSA or Ed25519 key that can be used ({0})")]
    Unusable(String),
}

/// A key that signs.
pub struct SigningKey {
    /// Name in the settings.
    pub name: String,
    /// `d=`.
    pub domain: Domain,
    /// `s=`.
    pub selector: Box<str>,
    key: DkimKey,
    public: Vec<u8>,
}

impl SigningKey {
    /// A key from the text of its file: RSA (PKCS #1 or #8) or Ed25519 (PKCS #8, RFC 8463).
    pub fn from_pem(name: &str, domain: Domain, selector: &str, pem: &[u8]) -> Result<Self, KeyFault> {
        let der = PrivateKeyDer::from_pem_slice(pem).map_err(|_| KeyFault::NotAKey)?;
        let (key, public) = match &der {
            PrivateKeyDer::Pkcs8(octets) if is_ed25519(octets.secret_pkcs8_der()) => {
                let key = Ed25519Key::from_pkcs8_maybe_unchecked_der(octets.secret_pkcs8_der())
                    .map_err(|fault| KeyFault::Unusable(fault.to_string()))?;
                let public = key.public_key();
                (DkimKey::Ed25519(key), public)
            }
            PrivateKeyDer::Pkcs1(_) | PrivateKeyDer::Pkcs8(_) => {
                let key = RsaKey::from_key_der(der.clone_key()).map_err(|fault| rsa_fault(&fault))?;
                let public = key.public_key();
                // The modulus is nearly all of the public key.
                if public.len() < RSA_MODULUS_MIN {
                    return Err(KeyFault::Weak);
                }
                (DkimKey::Rsa(key), public)
            }
            _ => return Err(KeyFault::Unusable("an elliptic curve of another kind".to_owned())),
        };
        Ok(Self {
            name: name.to_owned(),
            domain,
            selector: selector.into(),
            key,
            public,
        })
    }

    /// `a=`.
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        self.key.algorithm().name()
    }

    /// The signature of some octets.
    pub(super) fn sign(&self, octets: &[u8]) -> Result<Vec<u8>, SigningFault> {
        self.key.sign(octets).map_err(|fault| SigningFault::Key {
            key: self.name.clone(),
            fault: fault.to_string(),
        })
    }

    /// A signature of some octets with the algorithm, for holding a published key against this one.
    pub fn probe(&self, octets: &[u8]) -> Result<(Vec<u8>, mail_auth::common::crypto::Algorithm), SigningFault> {
        Ok((self.sign(octets)?, self.key.algorithm()))
    }

    /// The public half.
    pub(super) fn public(&self) -> &[u8] {
        &self.public
    }

    /// Where the public half is to be found (RFC 6376 §3.6.2.1).
    #[must_use]
    pub fn record_name(&self) -> String {
        format!("{}._domainkey.{}", self.selector, self.domain)
    }

    /// The TXT record to be published.
    #[must_use]
    pub fn record(&self) -> String {
        match &self.key {
            DkimKey::Ed25519(_) => format!("v=DKIM1; k=ed25519; p={}", BASE64.encode(&self.public)),
            DkimKey::Rsa(_) => format!("v=DKIM1; k=rsa; p={}", BASE64.encode(with_algorithm(&self.public))),
        }
    }
}

/// The object identifier 1.3.101.112 (RFC 8410 §3) at its place behind the version.
fn is_ed25519(pkcs8: &[u8]) -> bool {
    let start = &pkcs8[..pkcs8.len().min(24)];
    start.windows(5).any(|octets| octets == [0x06, 0x03, 0x2b, 0x65, 0x70])
}

fn rsa_fault(fault: &mail_auth::Error) -> KeyFault {
    let text = fault.to_string();
    if text.contains("TooSmall") {
        KeyFault::Weak
    } else {
        KeyFault::Unusable(text)
    }
}

/// An RSA public key with the name of its algorithm in front (SubjectPublicKeyInfo, as everybody publishes it).
fn with_algorithm(public: &[u8]) -> Vec<u8> {
    // SEQUENCE { OBJECT IDENTIFIER rsaEncryption, NULL }
    const RSA: [u8; 15] = [
        0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
    ];
    let bits = der(0x03, &[&[0][..], public].concat());
    der(0x30, &[&RSA[..], &bits].concat())
}

/// One DER value.
fn der(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = value.len().to_be_bytes();
    let significant = &length[length.iter().position(|octet| *octet != 0).unwrap_or(length.len() - 1)..];
    let mut out = vec![tag];
    if value.len() >= 0x80 {
        out.push(0x80 | u8::try_from(significant.len()).unwrap_or(0));
    }
    out.extend_from_slice(significant);
    out.extend_from_slice(value);
    out
}

impl PartialEq for SigningKey {
    fn eq(&self, other: &Self) -> bool {
        let names = |key: &Self| (key.name.clone(), key.domain.clone(), key.selector.clone());
        names(self) == names(other) && self.public == other.public
    }
}

impl Eq for SigningKey {}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({} at {})", self.name, self.record_name())
    }
}
