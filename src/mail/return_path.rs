//! Return paths of our own: addresses that reports about copies come back to.
//!
//! In: a copy and the rule of its next hop; or a forward-path that may be such an address. Out: the reverse-path to
//! send with; or which copy the report is about, or whom a forwarded message was from.
//! Never: an address that somebody else could have made, or one that is too old: both look like nobody's.

mod base32;
mod bounce;
mod srs;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, Mac as _};
use jiff::Timestamp;
use sha2::Sha256;

use super::{Domain, Mailbox, ReversePath, SetId};

pub use bounce::ReturnedCopy;

/// Most octets of a local-part that every system takes (RFC 5321 §4.5.3.1.1).
const LOCAL_PART_PORTABLE_MAX: usize = 64;

/// The local key of return paths: 32 random octets, kept in a file of the data directory.
#[derive(Clone, PartialEq, Eq)]
pub struct ReturnKey(pub [u8; 32]);

impl ReturnKey {
    /// HMAC-SHA-256 of what an address says, for one use.
    fn sum(&self, used_for: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(used_for.as_bytes());
        for part in parts {
            mac.update(&[0]);
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for ReturnKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReturnKey(secret)")
    }
}

/// A domain that is ours, whose senders' addresses need no rewriting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwnDomain {
    /// The domain.
    pub domain: Domain,
    /// And everything below it.
    pub subdomains: bool,
}

impl OwnDomain {
    fn holds(&self, domain: &Domain) -> bool {
        let below = || {
            let above = domain.as_str().strip_suffix(self.domain.as_str());
            self.subdomains && above.is_some_and(|rest| rest.ends_with('.'))
        };
        *domain == self.domain || below()
    }
}

/// Makes return paths and reads them back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReturnPaths {
    /// The key.
    pub key: ReturnKey,
    /// Reports about copies come to `LOCAL+TOKEN@DOMAIN` of this address.
    pub bounces: Mailbox,
    /// Domain of rewritten outside senders.
    pub srs_domain: Domain,
    /// Domains whose senders are not rewritten.
    pub own: Vec<OwnDomain>,
    /// How long an address is good for; in whole days, rounded up.
    pub valid_for: Duration,
}

/// What a forward-path that is one of our return paths stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Returned {
    /// The copies of one batch, and how many days ago the address was made.
    Copy(ReturnedCopy, u64),
    /// An outside sender whose message was forwarded.
    Sender(Mailbox),
}

/// Why an address that looks like one of our return paths is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReturnFault {
    /// Not made with our key.
    #[error("it was not made here")]
    Forged,
    /// Made too long ago.
    #[error("it has expired")]
    Expired,
}

impl ReturnPaths {
    /// Reads a forward-path; none if it does not look like a return path of ours.
    #[must_use]
    pub fn read(&self, forward_path: &Mailbox, now: Timestamp) -> Option<Result<Returned, ReturnFault>> {
        let domain = forward_path.domain_key();
        if domain == self.bounces.domain_key()
            && let Some(token) = detail_of(forward_path.local_part(), self.bounces.local_part())
        {
            return Some(bounce::read(self, token, now).map(|(copy, days)| Returned::Copy(copy, days)));
        }
        if domain == self.srs_domain {
            return srs::read(self, forward_path.local_part(), now).map(|read| read.map(Returned::Sender));
        }
        None
    }

    /// The address that reports about one batch come to.
    #[must_use]
    pub fn bounce_address(&self, copy: &ReturnedCopy, now: Timestamp) -> Mailbox {
        bounce::write(self, copy, now)
    }

    /// An outside sender's address by the Sender Rewriting Scheme; none if it cannot be written so, because it is
    /// too long, quoted or not ASCII.
    #[must_use]
    pub fn rewritten(&self, sender: &Mailbox, now: Timestamp) -> Option<Mailbox> {
        srs::write(self, sender, now)
    }

    fn is_own(&self, sender: &Mailbox) -> bool {
        let domain = sender.domain_key();
        domain == self.srs_domain || self.own.iter().any(|own| own.holds(&domain))
    }

    /// Days that an address is good for.
    fn days(&self) -> u64 {
        self.valid_for.as_secs().div_ceil(DAY_SECONDS)
    }
}

const DAY_SECONDS: u64 = 24 * 60 * 60;

/// Days since the epoch.
fn day(now: Timestamp) -> u64 {
    u64::try_from(now.as_second()).unwrap_or(0) / DAY_SECONDS
}

/// What stands after `local+`.
fn detail_of<'a>(local_part: &'a str, local: &str) -> Option<&'a str> {
    let (head, rest) = local_part.split_at_checked(local.len())?;
    head.eq_ignore_ascii_case(local).then(|| rest.strip_prefix('+'))?
}

/// What a next hop's copies are sent with.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum ReturnPathRule {
    /// The reverse-path of the set.
    #[default]
    Original,
    /// Outside senders rewritten (SRS), because the next hop asks their domain's SPF record about us.
    Rewritten(Arc<ReturnPaths>),
    /// An address of ours for each batch (VERP): reports come back here and are passed on to whom they belong.
    Bounces(Arc<ReturnPaths>),
}

/// What a rule must know of the copies.
#[derive(Clone, Copy, Debug)]
pub struct Copies<'a> {
    /// Reverse-path of their set.
    pub reverse_path: &'a ReversePath,
    /// Reverse-path of the message: null for reports, ours and others'.
    pub message_reverse_path: &'a ReversePath,
    /// Which they are.
    pub copy: ReturnedCopy,
}

impl ReturnPathRule {
    /// The reverse-path to send with. A report keeps its null reverse-path.
    #[must_use]
    pub fn apply(&self, copies: &Copies<'_>, now: Timestamp) -> ReversePath {
        if copies.message_reverse_path.is_null() {
            return copies.reverse_path.clone();
        }
        match self {
            Self::Original => copies.reverse_path.clone(),
            Self::Bounces(paths) => ReversePath::Mailbox(paths.bounce_address(&copies.copy, now)),
            Self::Rewritten(paths) => match copies.reverse_path {
                ReversePath::Mailbox(sender) if !paths.is_own(sender) => {
                    // An address that cannot be rewritten comes back by way of its batch.
                    let rewritten = paths.rewritten(sender, now);
                    ReversePath::Mailbox(rewritten.unwrap_or_else(|| paths.bounce_address(&copies.copy, now)))
                }
                ReversePath::Mailbox(_) | ReversePath::Null => copies.reverse_path.clone(),
            },
        }
    }
}

/// A set and a range of its ranks, for those who make copies.
#[must_use]
pub fn copy_of(set: SetId, message: super::MessageId, ranks: (u32, u32)) -> ReturnedCopy {
    ReturnedCopy {
        set,
        first: ranks.0,
        last: ranks.1,
        tag: tag_of(message),
        proved: false,
        quiet: false,
    }
}

/// What an address bears of a message's id.
#[must_use]
pub fn tag_of(message: super::MessageId) -> [u8; 4] {
    let octets = message.0.as_bytes();
    [octets[12], octets[13], octets[14], octets[15]]
}

#[cfg(test)]
mod tests;
