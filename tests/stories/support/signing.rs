//! DKIM keys made for one story, and what they sign.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use mail_auth::common::crypto::{RsaKey, Sha256};
use mail_auth::common::headers::HeaderWriter as _;
use mail_auth::dkim::DkimSigner;

use super::dns::NameServer;

/// A key of a domain.
pub struct SigningKey {
    pair: KeyPair,
    domain: String,
}

impl SigningKey {
    /// A new key, published under the selector `s1`.
    pub fn published(domain: &str, dns: &NameServer) -> Self {
        let key = Self {
            pair: KeyPair::generate(KeySize::Rsa2048).expect("a key"),
            domain: domain.to_owned(),
        };
        let public = AsDer::<PublicKeyX509Der<'_>>::as_der(key.pair.public_key()).expect("encodable");
        let public = BASE64.encode(public.as_ref());
        dns.text(&key.name(), &format!("v=DKIM1; k=rsa; p={public}"));
        key
    }

    /// Where the public key is.
    pub fn name(&self) -> String {
        format!("s1._domainkey.{}", self.domain)
    }

    /// The message with a signature over its author, addressees and subject.
    pub fn signed(&self, message: &str) -> String {
        let private = AsDer::<Pkcs8V1Der<'_>>::as_der(&self.pair).expect("encodable");
        let key = RsaKey::<Sha256>::from_key_der(mail_auth_key(private.as_ref())).expect("a key");
        let signer = DkimSigner::from_key(key).domain(&self.domain).selector("s1");
        let signature = signer.headers(["From", "To", "Subject"]).sign(message.as_bytes());
        format!("{}{message}", signature.expect("signed").to_header())
    }
}

fn mail_auth_key(der: &[u8]) -> rustls_pki_types::PrivateKeyDer<'_> {
    rustls_pki_types::PrivateKeyDer::Pkcs8(der.into())
}
