//! TLS of clients: our certificates, the handshake, and what a client's certificate says.
//!
//! Never: TLS below 1.2 (RFC 8997); a client turned away for its certificate: one that proves nothing is as good as
//! none, and mail servers present whatever they have.

mod certificates;
mod client;

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

pub use certificates::{CertificateFault, CertificateFiles, Certificates};
use client::AnyClient;
pub use client::ClientAuthorities;

use crate::categorizer::intake::Secured;
use crate::smtp::sasl::scram::Binding;
use crate::smtp::server::Channel;

/// Label of `tls-exporter` (RFC 9266 §2).
const EXPORTER_LABEL: &[u8] = b"EXPORTER-Channel-Binding";

/// Makes handshakes.
#[derive(Clone)]
pub struct Acceptance {
    acceptor: TlsAcceptor,
    authorities: Arc<ClientAuthorities>,
}

/// A connection within TLS, and what is known of it.
pub(super) struct Accepted {
    pub(super) stream: TlsStream<TcpStream>,
    pub(super) channel: Channel,
    pub(super) secured: Secured,
}

impl Acceptance {
    /// With certificates, which may be replaced while it stands, and whose clients' certificates are believed.
    pub fn new(certificates: Arc<Certificates>, authorities: Arc<ClientAuthorities>) -> Result<Self, rustls::Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(Arc::new(AnyClient::new(&provider, &authorities)))
            .with_cert_resolver(certificates);
        // Mail servers come back for the next message: a ticket saves them the handshake, and us the memory.
        config.ticketer = aws_lc_rs::Ticketer::new()?;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            authorities,
        })
    }

    /// Makes one.
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<Accepted> {
        let stream = self.acceptor.accept(stream).await?;
        let connection = stream.get_ref().1;
        let version = connection.protocol_version();
        let exporter = match version {
            Some(rustls::ProtocolVersion::TLSv1_3) => connection
                .export_keying_material([0; 32], EXPORTER_LABEL, None)
                .ok()
                .map(|key| key.to_vec()),
            _ => None,
        };
        let secured = Secured {
            protocol: match version {
                Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
                _ => "TLSv1.2",
            },
            cipher: connection
                .negotiated_cipher_suite()
                .and_then(|suite| suite.suite().as_str())
                .unwrap_or("unknown")
                .into(),
            certificates: connection
                .peer_certificates()
                .map(|chain| self.authorities.names(chain))
                .unwrap_or_default(),
        };
        Ok(Accepted {
            stream,
            channel: Channel::Secure(Binding { exporter }),
            secured,
        })
    }
}
