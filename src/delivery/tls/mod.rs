//! TLS with next hops: the handshake, and what it proved.
//!
//! In: a connection, what is wanted. Out: a protected connection with a record of how, or why there is none.
//! Never: TLS below 1.2 (RFC 8996); a word over a connection whose certificate is not the one that is wanted.

pub mod dane;
pub mod sts;
pub mod verify;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::connect::Candidate;
use super::tls_reports::result::{AppliedPolicy, PolicyKind, ResultType, Shortfall, Standard};
use crate::routing::{ClientCertificate, HopTls, TlsMode, Trust};
use crate::smtp::client::StartTls;
use crate::trust;
use dane::{Dane, Tlsa};
use sts::{Policy, StsWord};
pub use verify::{Mistrust, Proof, Wanted};

/// How a session with one host is to be protected.
#[derive(Clone)]
pub struct Demand {
    /// Whether there is TLS.
    pub starttls: StartTls,
    /// What the certificate is held against; always, so that it is known what it proves.
    pub wanted: Wanted,
    /// Whether the session ends if it is not that.
    pub strict: bool,
    /// What a policy asks of the certificate that is reported on and not enforced.
    pub reported: Option<Wanted>,
}

impl Demand {
    /// True if clear text will do.
    #[must_use]
    pub fn takes_clear_text(&self) -> bool {
        match self.starttls {
            StartTls::Never | StartTls::WhereOffered => true,
            StartTls::Required | StartTls::Already => false,
        }
    }
}

/// How a session is protected, for the tracking log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Protection {
    /// `TLSv1.3`.
    pub version: String,
    /// `TLS13_AES_256_GCM_SHA384`.
    pub cipher: String,
    /// What the certificate proved, or why nothing.
    pub proof: Result<Proof, String>,
    /// Why it falls short of [`Demand::reported`].
    pub short: Option<Mistrust>,
}

impl fmt::Display for Protection {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {} ", self.version, self.cipher)?;
        match &self.proof {
            Ok(proof) => proof.fmt(out),
            Err(why) => write!(out, "unverified ({why})"),
        }
    }
}

/// Why there is no protected connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TlsFault {
    /// The handshake went wrong.
    Handshake(String),
    /// The certificate is not the one that is wanted.
    Unverified(Mistrust),
}

/// What handshakes share: authorities that the system trusts, and tickets of sessions.
pub struct TlsClients {
    provider: Arc<CryptoProvider>,
    system: OnceCell<Arc<RootCertStore>>,
    /// By the certificate that we show; a handful.
    configs: Mutex<HashMap<Option<usize>, Kept>>,
}

/// A configuration, beside the certificate that it shows.
type Kept = (Option<Arc<ClientCertificate>>, Arc<ClientConfig>);

/// Most configurations kept. Settings that are loaded again bring new ones; the old are of no use.
const CONFIGS_MAX: usize = 64;

impl TlsClients {
    /// Trusts these authorities instead of the system's, or the system's if there are none.
    #[must_use]
    pub fn trusting(authorities: &[CertificateDer<'static>]) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(authorities.iter().cloned());
        let known = (!authorities.is_empty()).then(|| Arc::new(roots));
        Self {
            provider: Arc::new(aws_lc_rs::default_provider()),
            system: OnceCell::new_with(known),
            configs: Mutex::default(),
        }
    }

    /// What settings want of a session with a host, DANE before its domain's MTA-STS policy before the settings of
    /// opportunistic or required TLS (RFC 8461 §2). An error says why the host may not be used at all.
    pub async fn demand(&self, tls: &HopTls, candidate: &Candidate, policy: Option<&Policy>) -> Result<Demand, String> {
        let has_dane = candidate.tlsa.as_deref().is_some_and(has_usable);
        let enforced = policy.filter(|policy| policy.mode == sts::Mode::Enforce && !has_dane);
        let Some(policy) = enforced.filter(|_| matches!(tls.mode, TlsMode::Opportunistic | TlsMode::Required)) else {
            return Ok(self.without_policy(tls, candidate).await);
        };
        if !policy.names(&candidate.host) {
            return Err(format!("the domain's MTA-STS policy does not name {}", candidate.host));
        }
        // RFC 8461 §4.2.
        Ok(Demand {
            starttls: if tls.implicit {
                StartTls::Already
            } else {
                StartTls::Required
            },
            wanted: Wanted::Name(self.system_roots().await, vec![server_name(candidate)]),
            strict: true,
            reported: None,
        })
    }

    async fn without_policy(&self, tls: &HopTls, candidate: &Candidate) -> Demand {
        if let (Some(records), true) = (&candidate.tlsa, tls.mode != TlsMode::None) {
            return self.by_dane(tls, candidate, records).await;
        }
        self.by_settings(tls, candidate).await
    }

    /// RFC 7672 §2.2: with secure TLSA records there is TLS, or mail waits; a usable one must fit the certificate.
    async fn by_dane(&self, tls: &HopTls, candidate: &Candidate, records: &[Tlsa]) -> Demand {
        let usable: Vec<Tlsa> = records.iter().filter(|record| record.is_usable()).cloned().collect();
        let starttls = if tls.implicit {
            StartTls::Already
        } else {
            StartTls::Required
        };
        if !has_usable(records) {
            let settings = self.by_settings(tls, candidate).await;
            return Demand { starttls, ..settings };
        }
        let names = [candidate.tlsa_base.as_ref(), candidate.domain.as_ref()];
        let names = names.into_iter().flatten();
        Demand {
            starttls,
            wanted: Wanted::Dane(Dane {
                records: usable.into(),
                names: names
                    .filter_map(|name| ServerName::try_from(name.clone()).ok())
                    .collect(),
            }),
            strict: true,
            reported: None,
        }
    }

    async fn by_settings(&self, tls: &HopTls, candidate: &Candidate) -> Demand {
        let starttls = match (tls.mode, tls.implicit) {
            (TlsMode::None, _) => StartTls::Never,
            (TlsMode::Opportunistic | TlsMode::Required | TlsMode::Verified, true) => StartTls::Already,
            (TlsMode::Opportunistic, false) => StartTls::WhereOffered,
            (TlsMode::Required | TlsMode::Verified, false) => StartTls::Required,
        };
        let names = || -> Vec<ServerName<'static>> {
            if tls.names.is_empty() {
                return vec![server_name(candidate)];
            }
            let names = tls.names.iter();
            names
                .filter_map(|name| ServerName::try_from(name.to_string()).ok())
                .collect()
        };
        let wanted = match &tls.trust {
            Trust::System => Wanted::Name(self.system_roots().await, names()),
            Trust::Authorities(certificates) => {
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(certificates.iter().cloned());
                Wanted::Name(Arc::new(roots), names())
            }
            Trust::Keys(hashes) => Wanted::Key(Arc::clone(hashes)),
        };
        Demand {
            starttls,
            wanted,
            strict: tls.mode == TlsMode::Verified,
            reported: None,
        }
    }

    /// What a session with a host counts against in TLS reports, and what its certificate is held against for that: the
    /// same as where the policy is enforced (RFC 8461 §5, mode `testing`).
    pub async fn standard(&self, candidate: &Candidate, word: &StsWord) -> (Standard, Option<Wanted>) {
        let shown = |kind, lines, mx| AppliedPolicy { kind, lines, mx };
        if let Some(records) = &candidate.tlsa {
            let lines = records.iter().map(Tlsa::shown).collect();
            let why = "none of the TLSA records can be used";
            let standard = Standard {
                policy: shown(PolicyKind::Tlsa, lines, Vec::new()),
                flaw: (!has_usable(records)).then(|| Shortfall::new(ResultType::TlsaInvalid, why)),
            };
            return (standard, None);
        }
        match word {
            StsWord::Policy(policy) if policy.mode != sts::Mode::None => {
                let why = format!("the policy does not name {}", candidate.host);
                let flaw = || Shortfall::new(ResultType::ValidationFailure, why);
                let standard = Standard {
                    policy: shown(PolicyKind::Sts, policy.lines(), policy.mx.clone()),
                    flaw: (!policy.names(&candidate.host)).then(flaw),
                };
                let wanted = Wanted::Name(self.system_roots().await, vec![server_name(candidate)]);
                (standard, Some(wanted))
            }
            StsWord::Unavailable(fault) => {
                let standard = Standard {
                    policy: shown(PolicyKind::Sts, Vec::new(), Vec::new()),
                    flaw: Some(fault.clone()),
                };
                (standard, None)
            }
            StsWord::Policy(_) | StsWord::Nothing => (Standard::default(), None),
        }
    }

    /// Authorities that the system trusts.
    pub async fn system_roots(&self) -> Arc<RootCertStore> {
        let load = || async {
            let loaded = tokio::task::spawn_blocking(|| trust::roots(None)).await;
            // Those of the system are never an error; there may be none.
            let none = || Arc::new(RootCertStore::empty());
            loaded.ok().and_then(Result::ok).unwrap_or_else(none)
        };
        Arc::clone(self.system.get_or_init(load).await)
    }

    /// Makes a handshake within `patience`; `now` judges dates.
    pub async fn handshake(
        &self,
        stream: TcpStream,
        candidate: &Candidate,
        tls: &HopTls,
        demand: &Demand,
        patience: Duration,
        now: UnixTime,
    ) -> Result<(TlsStream<TcpStream>, Protection), TlsFault> {
        let config = self.config(tls.certificate.as_ref()).map_err(TlsFault::Handshake)?;
        let connecting = TlsConnector::from(config).connect(asked_name(candidate), stream);
        let stream = tokio::time::timeout(patience, connecting)
            .await
            .map_err(|_| TlsFault::Handshake("no TLS session in time".to_owned()))?
            .map_err(|fault| TlsFault::Handshake(fault.to_string()))?;
        let (_, session) = stream.get_ref();
        let chain = session.peer_certificates().unwrap_or_default();
        let algorithms = &self.provider.signature_verification_algorithms;
        let proof = verify::judge(chain, &demand.wanted, algorithms, now);
        if let (Err(mistrust), true) = (&proof, demand.strict) {
            return Err(TlsFault::Unverified(mistrust.clone()));
        }
        let reported = demand.reported.as_ref();
        let short = reported.and_then(|wanted| verify::judge(chain, wanted, algorithms, now).err());
        let shown = |value: Option<String>| value.unwrap_or_default();
        let version = shown(session.protocol_version().and_then(|version| {
            let name = version.as_str()?;
            Some(name.replace('_', "."))
        }));
        let cipher = shown(
            session
                .negotiated_cipher_suite()
                .map(|suite| format!("{:?}", suite.suite())),
        );
        let protection = Protection {
            version,
            cipher,
            proof: proof.map_err(|mistrust| mistrust.why),
            short,
        };
        Ok((stream, protection))
    }

    fn config(&self, certificate: Option<&Arc<ClientCertificate>>) -> Result<Arc<ClientConfig>, String> {
        let key = certificate.map(|certificate| Arc::as_ptr(certificate) as usize);
        let mut configs = self.configs.lock().unwrap_or_else(PoisonError::into_inner);
        // The certificate is kept beside its address, so that no other can come to stand there.
        if let Some((_, config)) = configs.get(&key) {
            return Ok(Arc::clone(config));
        }
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(|fault| fault.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(JudgedLater(Arc::clone(&self.provider))));
        let config = match certificate {
            None => builder.with_no_client_auth(),
            Some(certificate) => builder
                .with_client_auth_cert(certificate.chain.clone(), certificate.key.clone_key())
                .map_err(|fault| fault.to_string())?,
        };
        let config = Arc::new(config);
        if configs.len() >= CONFIGS_MAX {
            configs.clear();
        }
        configs.insert(key, (certificate.cloned(), Arc::clone(&config)));
        Ok(config)
    }
}

fn has_usable(records: &[Tlsa]) -> bool {
    records.iter().any(Tlsa::is_usable)
}

/// The name that a host is asked by (SNI, RFC 6066 §3): that of its TLSA records (RFC 7672 §8.1), else its own.
fn asked_name(candidate: &Candidate) -> ServerName<'static> {
    let base = candidate.tlsa_base.clone();
    let base = base.and_then(|base| ServerName::try_from(base).ok());
    base.unwrap_or_else(|| server_name(candidate))
}

/// The name of a host, or none if it is an address.
fn server_name(candidate: &Candidate) -> ServerName<'static> {
    ServerName::try_from(candidate.host.clone())
        .unwrap_or_else(|_| ServerName::IpAddress(candidate.address.ip().into()))
}

/// Takes any certificate whose key the peer holds; [`verify::judge`] follows.
#[derive(Debug)]
struct JudgedLater(Arc<CryptoProvider>);

impl ServerCertVerifier for JudgedLater {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7672 §8.1: the name of the exchanger stands in SNI, so that one host can have many certificates.
    #[test]
    fn a_host_is_asked_for_by_its_name() {
        for (host, asked) in [
            (
                "mx.fabrikam.example",
                ServerName::try_from("mx.fabrikam.example").expect("a name"),
            ),
            ("192.0.2.1", ServerName::try_from("192.0.2.1").expect("an address")),
            ("no name", ServerName::try_from("192.0.2.7").expect("an address")),
        ] {
            let candidate = Candidate {
                host: host.to_owned(),
                address: "192.0.2.7:25".parse().expect("an address"),
                domain: None,
                tlsa: None,
                tlsa_base: None,
            };
            assert_eq!(server_name(&candidate), asked, "{host}");
        }
    }
}
