//! Certificates of a story, and clients that speak TLS.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::Client;

/// An authority that a story believes.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate with its key, both in PEM form.
pub struct Issued {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self {
            issuer: CertifiedIssuer::self_signed(params, key).expect("a certificate"),
        }
    }

    /// A certificate for a name.
    pub fn issue(&self, name: &str) -> Issued {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Issued {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    /// Writes a certificate of a name as `STEM.pem` and `STEM.key`.
    pub fn write(&self, name: &str, stem: &str, folder: &Path) {
        let issued = self.issue(name);
        std::fs::write(folder.join(format!("{stem}.pem")), issued.certificate).expect("writable");
        let key = folder.join(format!("{stem}.key"));
        std::fs::write(&key, issued.key).expect("writable");
        std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("our own file");
    }

    /// Writes the authority's own certificate as `authority.pem`.
    pub fn write_own(&self, folder: &Path) {
        std::fs::write(folder.join("authority.pem"), self.issuer.pem()).expect("writable");
    }

    /// TLS that believes the authority, with a certificate of the client's or without.
    pub fn client(&self, own: Option<&Issued>) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).expect("an authority");
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots);
        Arc::new(match own {
            Some(own) => {
                let chain = vec![CertificateDer::from_pem_slice(own.certificate.as_bytes()).expect("a certificate")];
                let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).expect("a key");
                builder.with_client_auth_cert(chain, key).expect("a pair")
            }
            None => builder.with_no_client_auth(),
        })
    }
}

/// The certificate that a server shows after STARTTLS for a name.
pub fn shown(address: SocketAddr, config: &Arc<ClientConfig>, name: &str) -> Vec<u8> {
    let stream = connected(address);
    let mut plain = Client::over(stream.try_clone().expect("a second handle"));
    plain.reply();
    plain.command("EHLO client.example");
    plain.command("STARTTLS");
    let mut stream = secured(stream, config, name);
    stream
        .write_all(b"NOOP\r\n")
        .and_then(|()| stream.flush())
        .expect("a handshake");
    stream.conn.complete_io(&mut stream.sock).expect("a handshake");
    stream.conn.peer_certificates().expect("a certificate")[0].to_vec()
}

/// A session within TLS from its first octet.
pub fn implicit(address: SocketAddr, config: &Arc<ClientConfig>, name: &str) -> Client {
    let mut client = Client::over(secured(connected(address), config, name));
    assert!(client.reply().starts_with("220 "), "a greeting");
    client
}

/// A session that says EHLO, STARTTLS and EHLO again; gives the last reply with it.
pub fn starttls(address: SocketAddr, config: &Arc<ClientConfig>, name: &str) -> (Client, String) {
    let stream = connected(address);
    let mut plain = Client::over(stream.try_clone().expect("a second handle"));
    assert!(plain.reply().starts_with("220 "), "a greeting");
    let hello = plain.command("EHLO client.example");
    assert!(hello.contains("STARTTLS"), "{hello}");
    let ready = plain.command("STARTTLS");
    assert!(ready.starts_with("220 "), "{ready}");
    let mut client = Client::over(secured(stream, config, name));
    let hello = client.command("EHLO client.example");
    (client, hello)
}

fn connected(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the listener accepts");
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("the option exists");
    stream
}

fn secured(stream: TcpStream, config: &Arc<ClientConfig>, name: &str) -> StreamOwned<ClientConnection, TcpStream> {
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let connection = ClientConnection::new(Arc::clone(config), name).expect("a connection");
    StreamOwned::new(connection, stream)
}
