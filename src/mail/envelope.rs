//! The envelope (RFC 5321 §2.3.1) with its RFC 3461, 1870, 6152 and 6531 parameters.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Mailbox, ReversePath};

/// `BODY=` of RFC 6152.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum BodyType {
    /// `7BIT`, also when absent.
    #[default]
    SevenBit,
    /// `8BITMIME`.
    EightBitMime,
}

/// `RET=` of RFC 3461 §4.3: what a failure report returns.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum ReturnContent {
    /// The whole message.
    Full,
    /// The header section.
    Headers,
}

/// `NOTIFY=` of RFC 3461 §4.1: which reports are asked for. All false is `NEVER`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Notify {
    /// `SUCCESS`.
    pub success: bool,
    /// `FAILURE`.
    pub failure: bool,
    /// `DELAY`.
    pub delay: bool,
}

impl Notify {
    /// `NOTIFY=NEVER`.
    pub const NEVER: Self = Self {
        success: false,
        failure: false,
        delay: false,
    };
    /// `NOTIFY=FAILURE`.
    pub const FAILURE: Self = Self {
        success: false,
        failure: true,
        delay: false,
    };
    /// What an absent parameter means: failures, and delays at our discretion (RFC 3461 §4.1).
    pub const DEFAULT: Self = Self {
        success: false,
        failure: true,
        delay: true,
    };

    /// The same without `SUCCESS`, for copies made by an expansion that was itself reported (RFC 3461 §5.2.7.3).
    #[must_use]
    pub fn without_success(self) -> Self {
        Self { success: false, ..self }
    }
}

impl fmt::Display for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = [
            (self.success, "SUCCESS"),
            (self.failure, "FAILURE"),
            (self.delay, "DELAY"),
        ]
        .into_iter()
        .filter_map(|(asked, word)| asked.then_some(word))
        .collect();
        f.write_str(&if words.is_empty() {
            "NEVER".to_owned()
        } else {
            words.join(",")
        })
    }
}

/// `ORCPT=` of RFC 3461 §4.2, decoded only to be shown; the xtext goes on as it came.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct OriginalRecipient {
    /// `rfc822`, `utf-8`, …
    pub address_type: Box<str>,
    /// The address, still xtext-encoded: printable ASCII without `+`, `=` but as `+XX`.
    pub xtext: Box<str>,
}

/// What a sender wants of TLS on the way (RFC 8689).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum TlsWish {
    /// Nothing: each next hop's settings and its domain's policies decide.
    #[default]
    Unsaid,
    /// `REQUIRETLS` (§2): verified TLS all the way, or the message comes back.
    Required,
    /// `TLS-Required: No` (§3): policies of recipients' domains do not hold it up.
    Optional,
}

/// One accepted forward-path with its RFC 3461 parameters.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct EnvelopeRecipient {
    /// As the client gave it; `<Postmaster>` without a domain has become the configured target.
    pub forward_path: Mailbox,
    /// `NOTIFY=`, if given.
    pub notify: Option<Notify>,
    /// `ORCPT=`, if given.
    pub original: Option<OriginalRecipient>,
}

impl EnvelopeRecipient {
    /// A recipient without parameters.
    #[must_use]
    pub fn plain(forward_path: Mailbox) -> Self {
        Self {
            forward_path,
            notify: None,
            original: None,
        }
    }
}

/// One SMTP transaction's envelope.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Envelope {
    /// MAIL FROM.
    pub reverse_path: ReversePath,
    /// `BODY=`.
    pub body: BodyType,
    /// `SMTPUTF8` was given (RFC 6531).
    pub smtputf8: bool,
    /// `SIZE=` in octets, as declared.
    pub size_declared: Option<u64>,
    /// `RET=`.
    pub ret: Option<ReturnContent>,
    /// `ENVID=`, still xtext-encoded; at most 100 characters decoded (RFC 3461 §4.4).
    pub envid: Option<Box<str>>,
    /// `REQUIRETLS` was given (RFC 8689): no hop may take it without verified TLS.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub require_tls: bool,
    /// The header section says `TLS-Required: No`, and `REQUIRETLS` was not given (RFC 8689 §3): it rather arrives in
    /// clear text than not at all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tls_optional: bool,
    /// Accepted RCPT TOs, in order.
    pub recipients: Vec<EnvelopeRecipient>,
}

impl Envelope {
    /// An envelope without parameters and recipients.
    #[must_use]
    pub fn from(reverse_path: ReversePath) -> Self {
        Self {
            reverse_path,
            body: BodyType::SevenBit,
            smtputf8: false,
            size_declared: None,
            ret: None,
            envid: None,
            require_tls: false,
            tls_optional: false,
            recipients: Vec::new(),
        }
    }

    /// What the sender wants of TLS.
    #[must_use]
    pub fn tls(&self) -> TlsWish {
        match (self.require_tls, self.tls_optional) {
            // RFC 8689 §3: beside `REQUIRETLS` the field counts for nothing.
            (true, _) => TlsWish::Required,
            (false, true) => TlsWish::Optional,
            (false, false) => TlsWish::Unsaid,
        }
    }

    /// Takes over what the sender of another message wanted.
    pub fn set_tls(&mut self, wish: TlsWish) {
        self.require_tls = wish == TlsWish::Required;
        self.tls_optional = wish == TlsWish::Optional;
    }
}
