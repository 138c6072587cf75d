//! Signatures that copies bear: DKIM (RFC 6376) and ARC (RFC 8617).
//!
//! In: the header section as it came in, the hash of the body, what our own results say, keys, the time.
//! Out: header fields, CRLF ended, ready to stand above everything else.
//! Never: reads a body, a file or a clock; signs a field that relays add or change on the way.

mod body;
mod canonical;
mod chain;
mod key;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::header::sieve::RESULTS_FIELD;
use super::header::{Field, HeaderSection};
use super::trace::folded;
use canonical::field as canonical_field;
use chain::{RESULTS, SEAL, SIGNATURE};

pub use body::BodyHash;
pub use chain::{Chain, is_on};
pub use key::{KeyFault, SigningKey};

/// Fields that are signed where they stand (RFC 6376 §5.4.1). None of them is one that a relay adds.
const SIGNED: [&str; 24] = [
    "From",
    "Sender",
    "Reply-To",
    "Subject",
    "Date",
    "Message-ID",
    "To",
    "Cc",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Content-Disposition",
    "Auto-Submitted",
    "List-Id",
    "List-Help",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "List-Subscribe",
    "List-Post",
    "List-Owner",
    // RFC 8460 §5.3.
    "TLS-Report-Domain",
    "TLS-Report-Submitter",
];

/// Fields that are named once more than they stand, so that nobody adds a second one (RFC 6376 §8.15). `From` is
/// named even where a message has none (§5.4: it must be).
const ONCE_MORE: [&str; 6] = ["From", "Subject", "Date", "To", "Cc", "Content-Type"];

/// A DKIM signature of the message as it came, which an ARC signature covers too (RFC 8617 §4.1.2).
const DKIM: &str = "DKIM-Signature";

/// Most octets of a base64 value in one word, so that it can be folded.
const VALUE_OCTETS: usize = 70;

/// With which keys a next hop's copies are signed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Signing {
    /// A DKIM signature by each.
    pub dkim: Vec<Arc<SigningKey>>,
    /// An ARC set.
    pub arc: Option<Sealing>,
}

/// How an ARC set is made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sealing {
    /// Its key.
    pub key: Arc<SigningKey>,
    /// Our name in results, for messages that were not checked.
    pub authserv_id: Arc<str>,
}

impl Signing {
    /// True if copies go out as they are.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.dkim.is_empty() && self.arc.is_none()
    }

    /// Stands for the keys: the same keys make the same signatures.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut sum = Sha256::new();
        let mut add = |use_: &str, key: &SigningKey| {
            for part in [use_, key.domain.as_str(), &key.selector] {
                sum.update(part.as_bytes());
                sum.update([0]);
            }
            sum.update(key.public());
        };
        self.dkim.iter().for_each(|key| add("dkim", key));
        if let Some(sealing) = &self.arc {
            add("arc", &sealing.key);
            sum.update(sealing.authserv_id.as_bytes());
        }
        sum.finalize().into()
    }
}

/// Why there is no signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigningFault {
    /// The header section cannot be read.
    #[error("{0}")]
    Header(#[from] super::header::HeaderFault),
    /// The key does not sign.
    #[error("key \"{key}\" does not sign: {fault}")]
    Key {
        /// Its name in the settings.
        key: String,
        /// What the library says.
        fault: String,
    },
}

/// What is signed: the header section with the hash of what stands below it, and our own trace fields.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// The message, from its first octet to at least the end of its header section.
    pub head: &'a [u8],
    /// Trace fields of ours that stand above it; the first may be our results.
    pub prefix: &'a [u8],
    /// The body.
    pub body: BodyHash,
    /// Now.
    pub at: Timestamp,
}

/// Fields to put above the trace fields: the ARC set, then one DKIM signature per key.
pub fn fields(signed: &Signed<'_>, signing: &Signing) -> Result<String, SigningFault> {
    let section = HeaderSection::parse(signed.head)?;
    let mut dkim = String::new();
    for key in &signing.dkim {
        let made = signature(&section, &[], signed, key, None)?;
        dkim.push_str(&made);
    }
    let Some(sealing) = &signing.arc else { return Ok(dkim) };
    let own = HeaderSection::parse(signed.prefix)?;
    let results = own
        .fields()
        .first()
        .filter(|field| field.is(RESULTS_FIELD))
        .map(|field| field.unfolded().into_owned());
    let chain = Chain::of(&section, results.as_deref());
    let Some((instance, _)) = chain.next() else {
        return Ok(dkim);
    };
    let results = results.unwrap_or_else(|| format!("{}; none", super::trace::safe_domain(&sealing.authserv_id)));
    let words = format!("i={instance}; {results}");
    let results = format!(
        "{}\r\n",
        folded(RESULTS, words.split(' ').filter(|word| !word.is_empty()))
    );
    let ours = HeaderSection::parse(dkim.as_bytes())?;
    let message = signature(&section, ours.fields(), signed, &sealing.key, Some(instance))?;
    let seal = seal(&chain, &results, &message, &sealing.key, signed.at)?;
    Ok(format!("{seal}{message}{results}{dkim}"))
}

/// A DKIM signature, or the message signature of an ARC set.
fn signature(
    section: &HeaderSection<'_>,
    above: &[Field<'_>],
    signed: &Signed<'_>,
    key: &SigningKey,
    instance: Option<u32>,
) -> Result<String, SigningFault> {
    let mut names: Vec<&str> = Vec::new();
    let mut input = Vec::new();
    let sealed = instance.map(|_| DKIM);
    for name in SIGNED.into_iter().chain(sealed) {
        // RFC 6376 §5.4.2: of several, the lowest first.
        for field in above
            .iter()
            .chain(section.fields())
            .rev()
            .filter(|field| field.is(name))
        {
            canonical_field(field, &mut input);
            names.push(name);
        }
        if ONCE_MORE.contains(&name) {
            names.push(name);
        }
    }
    let (field, version) = match instance {
        None => (DKIM, "v=1;".to_owned()),
        Some(instance) => (SIGNATURE, format!("i={instance};")),
    };
    let mut words = vec![
        version,
        format!("a={};", key.algorithm()),
        "c=relaxed/relaxed;".to_owned(),
        format!("d={};", key.domain),
        format!("s={};", key.selector),
        format!("t={};", signed.at.as_second().max(0)),
    ];
    let last = names.len() - 1;
    for (index, name) in names.iter().enumerate() {
        let start = if index == 0 { "h=" } else { "" };
        words.push(format!("{start}{name}{}", if index == last { ";" } else { ":" }));
    }
    words.push(format!("bh={};", BASE64.encode(signed.body.0)));
    finished(field, words, input, key)
}

/// The seal over all sets (RFC 8617 §5.1.1), or over ours alone if the chain is broken (§5.1.2).
fn seal(
    chain: &Chain<'_>,
    results: &str,
    message: &str,
    key: &SigningKey,
    at: Timestamp,
) -> Result<String, SigningFault> {
    let Some((instance, validation)) = chain.next() else {
        return Ok(String::new());
    };
    let mut input = Vec::new();
    for field in chain.sealed() {
        canonical_field(field, &mut input);
    }
    for ours in [results, message] {
        for field in HeaderSection::parse(ours.as_bytes())?.fields() {
            canonical_field(field, &mut input);
        }
    }
    let words = vec![
        format!("i={instance};"),
        format!("a={};", key.algorithm()),
        format!("t={};", at.as_second().max(0)),
        format!("cv={validation};"),
        format!("d={};", key.domain),
        format!("s={};", key.selector),
    ];
    finished(SEAL, words, input, key)
}

/// Signs what was gathered and the field itself, which comes last and without its line end (RFC 6376 §3.7).
fn finished(name: &str, mut words: Vec<String>, mut input: Vec<u8>, key: &SigningKey) -> Result<String, SigningFault> {
    words.push("b=".to_owned());
    let unsigned = folded(name, words.iter().map(String::as_str));
    let raw = &unsigned.as_bytes()[name.len() + 1..];
    canonical_field(&Field { name, raw }, &mut input);
    input.truncate(input.len() - 2);
    let value = BASE64.encode(key.sign(&input)?);
    let mut rest = value.as_str();
    while !rest.is_empty() {
        let (piece, left) = rest.split_at(rest.len().min(VALUE_OCTETS));
        words.push(piece.to_owned());
        rest = left;
    }
    let mut field = folded(name, words.iter().map(String::as_str));
    let _ = write!(field, "\r\n");
    Ok(field)
}
