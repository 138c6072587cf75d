//! Keys that the service under test signs with, and a receiver that verifies.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use mail_auth::common::crypto::Ed25519Key;
use mail_auth::{AuthenticatedMessage, DkimResult, MessageAuthenticator};
use muster::delivery::dns;
use muster::mail::signature::SigningKey;

use super::dns::NameServer;

/// A private key in a file, and what is to be published of it.
pub struct KeyFile {
    name: String,
    domain: String,
    path: PathBuf,
}

impl KeyFile {
    /// An Ed25519 key of a domain; its name is also its selector.
    pub fn ed25519(name: &str, domain: &str, directory: &Path) -> Self {
        Self::write(name, domain, directory, &Ed25519Key::generate_pkcs8().expect("a key"))
    }

    /// The same of RSA with 2048 bits.
    pub fn rsa(name: &str, domain: &str, directory: &Path) -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key");
        let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).expect("encodable");
        Self::write(name, domain, directory, der.as_ref())
    }

    fn write(name: &str, domain: &str, directory: &Path, der: &[u8]) -> Self {
        let path = directory.join(format!("{name}.pem"));
        let text = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            BASE64.encode(der)
        );
        std::fs::write(&path, text).expect("a key file");
        let key = Self {
            name: name.to_owned(),
            domain: domain.to_owned(),
            path,
        };
        key.mode(0o600);
        key
    }

    /// Sets the file's permissions.
    pub fn mode(&self, mode: u32) {
        std::fs::set_permissions(&self.path, std::fs::Permissions::from_mode(mode)).expect("our own file");
    }

    /// Publishes the public half.
    pub fn published(self, dns: &NameServer) -> Self {
        let pem = std::fs::read(&self.path).expect("the file");
        let domain = muster::mail::Domain::parse(&self.domain).expect("a domain");
        let key = SigningKey::from_pem(&self.name, domain, &self.name, &pem).expect("a key");
        dns.text(&key.record_name(), &key.record());
        self
    }

    /// The table of the settings.
    pub fn settings(&self) -> String {
        let (name, domain) = (&self.name, &self.domain);
        format!(
            "\n[[signing_keys]]\nname = \"{name}\"\ndomain = \"{domain}\"\nselector = \"{name}\"\nkey_file = \"{name}.pem\"\n"
        )
    }
}

/// What a receiver makes of a message.
#[derive(Debug, PartialEq)]
pub struct Verified {
    /// Domain and result of each signature, topmost first.
    pub dkim: Vec<(String, bool)>,
    /// Result of the chain.
    pub arc: DkimResult,
}

/// Verifies as a next hop does, with keys from DNS.
pub fn verified(dns: &NameServer, message: &str) -> Verified {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let resolver = dns::resolver(&[dns.address()], Duration::from_secs(5)).expect("a resolver");
        let authenticator = MessageAuthenticator(resolver);
        let message = AuthenticatedMessage::parse(message.as_bytes()).expect("a message");
        let dkim = authenticator.verify_dkim(&message).await;
        let arc = authenticator.verify_arc(&message).await;
        let domain = |output: &mail_auth::DkimOutput<'_>| output.signature().map(|signature| signature.d.clone());
        let one = |output| (domain(output).unwrap_or_default(), *output.result() == DkimResult::Pass);
        Verified {
            dkim: dkim.iter().map(one).collect(),
            arc: arc.result().clone(),
        }
    })
}
