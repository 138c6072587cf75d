//! What sessions came to, in the words of TLS reports (RFC 8460 §4.3).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::delivery::tls::verify::{Mistrust, MistrustKind};

/// Why a session is counted as failed. `dane-required` is not ours to say: no setting requires DANE of a domain.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResultType {
    /// The host does not offer STARTTLS, or refused it.
    StarttlsNotSupported,
    /// The certificate is for another name.
    CertificateHostMismatch,
    /// Its time is over.
    CertificateExpired,
    /// Nobody whom we trust, or no TLSA record, vouches for it.
    CertificateNotTrusted,
    /// Anything else about the handshake, and a host that the policy does not name.
    ValidationFailure,
    /// None of the TLSA records can be used.
    TlsaInvalid,
    /// The TLSA records could not be had, or DNSSEC does not bear them out.
    DnssecInvalid,
    /// The MTA-STS policy could not be fetched.
    StsPolicyFetchError,
    /// It could be, and cannot be read.
    StsPolicyInvalid,
    /// The certificate of its host is not the right one.
    StsWebpkiInvalid,
}

impl ResultType {
    /// The word, as in reports.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::StarttlsNotSupported => "starttls-not-supported",
            Self::CertificateHostMismatch => "certificate-host-mismatch",
            Self::CertificateExpired => "certificate-expired",
            Self::CertificateNotTrusted => "certificate-not-trusted",
            Self::ValidationFailure => "validation-failure",
            Self::TlsaInvalid => "tlsa-invalid",
            Self::DnssecInvalid => "dnssec-invalid",
            Self::StsPolicyFetchError => "sts-policy-fetch-error",
            Self::StsPolicyInvalid => "sts-policy-invalid",
            Self::StsWebpkiInvalid => "sts-webpki-invalid",
        }
    }
}

impl fmt::Display for ResultType {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.word())
    }
}

/// Why a session is counted as failed, with what was said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shortfall {
    /// Why.
    pub result: ResultType,
    /// In words: `failure-reason-code`.
    pub why: String,
}

impl Shortfall {
    /// A shortfall.
    pub fn new(result: ResultType, why: impl Into<String>) -> Self {
        Self {
            result,
            why: why.into(),
        }
    }
}

impl From<&Mistrust> for Shortfall {
    fn from(mistrust: &Mistrust) -> Self {
        let result = match mistrust.kind {
            MistrustKind::OtherName => ResultType::CertificateHostMismatch,
            MistrustKind::Expired => ResultType::CertificateExpired,
            MistrustKind::Untrusted => ResultType::CertificateNotTrusted,
            MistrustKind::Unreadable => ResultType::ValidationFailure,
        };
        Self::new(result, mistrust.why.clone())
    }
}

/// Under which policy a session is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyKind {
    /// MTA-STS (RFC 8461).
    Sts,
    /// DANE (RFC 7672).
    Tlsa,
    /// None: opportunistic TLS.
    #[default]
    NoPolicyFound,
}

impl PolicyKind {
    /// The word, as in reports.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sts => "sts",
            Self::Tlsa => "tlsa",
            Self::NoPolicyFound => "no-policy-found",
        }
    }
}

/// A policy as reports show it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct AppliedPolicy {
    /// Which.
    pub kind: PolicyKind,
    /// Its lines, or the TLSA records; empty if it could not be had.
    pub lines: Vec<String>,
    /// Mail exchangers that an MTA-STS policy names.
    pub mx: Vec<String>,
}

/// What a session is held against, so that it can be counted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Standard {
    /// The policy.
    pub policy: AppliedPolicy,
    /// What is wrong before the session begins: it counts as failed, whatever it comes to.
    pub flaw: Option<Shortfall>,
}
