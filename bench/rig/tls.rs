//! TLS of the rig, both ends: one certificate, made for the run; sessions may be resumed, as in any mail server.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

/// Names of the files in the folder that `generate FOLDER certificate` writes.
pub const CERTIFICATE_FILE: &str = "certificate.pem";
pub const KEY_FILE: &str = "key.pem";

/// A connection of either end, before or after STARTTLS.
pub enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Appends what has come; 0 is the end.
    pub async fn read(&mut self, input: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Stream::Plain(stream) => stream.read_buf(input).await,
            Stream::Tls(stream) => stream.read_buf(input).await,
        }
    }

    pub async fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        match self {
            Stream::Plain(stream) => stream.write_all(octets).await,
            Stream::Tls(stream) => {
                stream.write_all(octets).await?;
                stream.flush().await
            }
        }
    }

    /// After the 220 to STARTTLS, at the server.
    pub async fn accept(self, acceptor: &TlsAcceptor) -> io::Result<Self> {
        Ok(Stream::Tls(Box::new(acceptor.accept(self.plain()?).await?.into())))
    }

    /// After the 220 to STARTTLS, at the client.
    pub async fn connect(self, connector: &TlsConnector) -> io::Result<Self> {
        let stream = self.plain()?;
        let name = ServerName::from(IpAddr::from([127, 0, 0, 1]));
        Ok(Stream::Tls(Box::new(connector.connect(name, stream).await?.into())))
    }

    fn plain(self) -> io::Result<TcpStream> {
        match self {
            Stream::Plain(stream) => Ok(stream),
            Stream::Tls(_) => Err(io::Error::other("TLS within TLS")),
        }
    }
}

/// A server's side, from the folder with its certificate and key.
pub fn acceptor(folder: &Path) -> io::Result<TlsAcceptor> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let key = PrivateKeyDer::from_pem_file(folder.join(KEY_FILE)).map_err(io::Error::other)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(vec![certificate(folder)?], key)
        .map_err(io::Error::other)?;
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(io::Error::other)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// A client's side: trusts the certificate in the folder and no other.
pub fn connector(folder: &Path) -> io::Result<TlsConnector> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(certificate(folder)?).map_err(io::Error::other)?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Makes a self-signed certificate for 127.0.0.1 with a key on P-256.
pub fn make_certificate(folder: &Path) -> io::Result<()> {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(io::Error::other)?;
    let names = vec!["bench.contoso.example".to_owned(), "127.0.0.1".to_owned()];
    let certificate = rcgen::CertificateParams::new(names)
        .and_then(|parameters| parameters.self_signed(&key))
        .map_err(io::Error::other)?;
    fs::create_dir_all(folder)?;
    fs::write(folder.join(CERTIFICATE_FILE), certificate.pem())?;
    fs::write(folder.join(KEY_FILE), key.serialize_pem())
}

fn certificate(folder: &Path) -> io::Result<CertificateDer<'static>> {
    CertificateDer::from_pem_file(folder.join(CERTIFICATE_FILE)).map_err(io::Error::other)
}
