//! Certificates of clients: asked of everybody, believed where an authority of ours vouches for them (RFC 5280 §6).
//! Their names are those of subjectAltName dNSName.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use crate::trust;

/// Who vouches for certificates of clients.
#[derive(Default)]
pub struct ClientAuthorities {
    anchors: Vec<TrustAnchor<'static>>,
}

impl fmt::Debug for ClientAuthorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientAuthorities({})", self.anchors.len())
    }
}

impl ClientAuthorities {
    /// Nobody: no certificate is asked for.
    #[must_use]
    pub fn none() -> Arc<Self> {
        Arc::default()
    }

    /// The authorities of a file in PEM form.
    pub fn read(path: &Path) -> Result<Arc<Self>, String> {
        let found = Self::of(&trust::of_file(path)?);
        if found.anchors.is_empty() {
            return Err(trust::nobody(path));
        }
        Ok(Arc::new(found))
    }

    /// The authorities that the system trusts.
    #[must_use]
    pub fn of_the_system() -> Arc<Self> {
        Arc::new(Self::of(&trust::of_the_system()))
    }

    fn of(certificates: &[CertificateDer<'_>]) -> Self {
        let anchor = |certificate| {
            anchor_from_trusted_cert(certificate)
                .ok()
                .map(|anchor| anchor.to_owned())
        };
        Self {
            anchors: certificates.iter().filter_map(anchor).collect(),
        }
    }

    /// The names of a certificate that somebody here vouches for; none for any other.
    pub(super) fn names(&self, chain: &[CertificateDer<'_>]) -> Vec<Arc<str>> {
        let Some((own, between)) = chain.split_first() else {
            return Vec::new();
        };
        let Ok(certificate) = EndEntityCert::try_from(own) else {
            return Vec::new();
        };
        // Public authorities issue certificates of mail servers for servers only; they are shown as clients too.
        let vouched = [KeyUsage::client_auth(), KeyUsage::server_auth()]
            .into_iter()
            .any(|usage| {
                certificate
                    .verify_for_usage(
                        webpki::ALL_VERIFICATION_ALGS,
                        &self.anchors,
                        between,
                        UnixTime::now(),
                        usage,
                        None,
                        None,
                    )
                    .is_ok()
            });
        if !vouched {
            return Vec::new();
        }
        let names = certificate.valid_dns_names();
        names.map(|name| name.to_ascii_lowercase().into()).collect()
    }
}

/// Lets every certificate pass whose key the client has; [`ClientAuthorities::names`] says what it is worth.
#[derive(Debug)]
pub(super) struct AnyClient {
    algorithms: WebPkiSupportedAlgorithms,
    asks: bool,
}

impl AnyClient {
    pub(super) fn new(provider: &CryptoProvider, authorities: &ClientAuthorities) -> Self {
        Self {
            algorithms: provider.signature_verification_algorithms,
            asks: !authorities.anchors.is_empty(),
        }
    }
}

impl ClientCertVerifier for AnyClient {
    fn offer_client_auth(&self) -> bool {
        self.asks
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    /// None named: a long list of authorities makes some clients send nothing.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
