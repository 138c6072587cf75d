//! Keys for tests.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::SigningKey;
use crate::mail::Domain;

/// A private key in PEM form.
fn pem(der: &[u8]) -> String {
    let body = BASE64.encode(der);
    format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")
}

/// An Ed25519 key in PEM form.
pub fn ed25519_pem() -> String {
    pem(&mail_auth::common::crypto::Ed25519Key::generate_pkcs8().expect("a key"))
}

/// An RSA key of 2048 bits in PEM form.
pub fn rsa_pem() -> String {
    let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key");
    pem(AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).expect("encodable").as_ref())
}

/// A key of a domain under the selector `s1`.
pub fn key(domain: &str, pem: &str) -> SigningKey {
    let domain = Domain::parse(domain).expect("a domain");
    SigningKey::from_pem("a", domain, "s1", pem.as_bytes()).expect("a key")
}
