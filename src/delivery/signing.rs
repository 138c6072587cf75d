//! Signatures of copies: made once for a message and its keys, however many batches bear them.
//!
//! In: a message, the keys of a next hop. Out: the fields that stand above everything else of its copies.
//! Never: a copy without a signature where one is asked for; a body in memory as a whole.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use jiff::Timestamp;
use moka::sync::Cache;
use tokio::sync::OnceCell;

use super::shelf::Loaded;
use crate::limits::SIGNATURES_CACHED_MAX;
use crate::mail::MessageId;
use crate::mail::header::{HeaderFault, HeaderSection};
use crate::mail::signature::{BodyHash, Signed, Signing, SigningFault, fields};
use crate::spool::content::{Content, Octets};

/// Octets of a body that are read at once.
const PIECE_OCTETS: usize = 64 * 1024;

/// Why a copy is not signed and so not sent.
#[derive(Debug, thiserror::Error)]
pub enum Unsigned {
    /// The message could not be read.
    #[error("the message cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// No signature was made.
    #[error(transparent)]
    Fault(#[from] SigningFault),
    /// Our bug.
    #[error("signing broke down")]
    Broken,
}

/// What was signed since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SigningCounts {
    /// Messages signed; one counts once for each set of keys.
    pub signed: u64,
    /// Times that no signature could be made and copies had to wait.
    pub failed: u64,
    /// Bodies read for their hash.
    pub hashed: u64,
}

type Once<T> = Arc<OnceCell<T>>;

/// Makes signatures and keeps them while batches of their messages may follow.
pub struct Signer {
    made: Cache<(MessageId, [u8; 32]), Once<Bytes>>,
    bodies: Cache<MessageId, Once<BodyHash>>,
    signed: AtomicU64,
    failed: AtomicU64,
    hashed: AtomicU64,
}

impl Default for Signer {
    fn default() -> Self {
        Self {
            made: Cache::new(SIGNATURES_CACHED_MAX),
            bodies: Cache::new(SIGNATURES_CACHED_MAX),
            signed: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            hashed: AtomicU64::new(0),
        }
    }
}

impl Signer {
    /// All fields that go before the content: signatures, where the next hop's settings ask for them, above the trace
    /// fields.
    pub async fn prefix(&self, loaded: &Loaded, signing: &Arc<Signing>, now: Timestamp) -> Result<Bytes, Unsigned> {
        if signing.is_nothing() {
            return Ok(loaded.prefix());
        }
        let id = loaded.message.id;
        let cell = self.made.get_with((id, signing.fingerprint()), Once::default);
        let made = cell
            .get_or_try_init(|| self.sign(loaded, signing, now))
            .await
            .inspect_err(|fault| {
                self.failed.fetch_add(1, Ordering::Relaxed);
                tracing::error!(message = %id, %fault, "no signature could be made; copies wait and are not sent without");
            })?;
        Ok([&made[..], &loaded.prefix()].concat().into())
    }

    async fn sign(&self, loaded: &Loaded, signing: &Arc<Signing>, now: Timestamp) -> Result<Bytes, Unsigned> {
        let content = loaded.content.clone();
        let cell = self.bodies.get_with(loaded.message.id, Once::default);
        let body = *cell.get_or_try_init(|| self.hash(content.clone())).await?;
        let (prefix, signing) = (loaded.message.prefix.clone(), Arc::clone(signing));
        let work = move || {
            let signed = Signed {
                head: &content.head,
                prefix: &prefix,
                body,
                at: now,
            };
            fields(&signed, &signing)
        };
        // An RSA signature takes a millisecond: too long for a thread that drives sockets.
        let made = tokio::task::spawn_blocking(work)
            .await
            .map_err(|_| Unsigned::Broken)??;
        self.signed.fetch_add(1, Ordering::Relaxed);
        Ok(made.into())
    }

    async fn hash(&self, content: Content) -> Result<BodyHash, Unsigned> {
        self.hashed.fetch_add(1, Ordering::Relaxed);
        match &content.octets {
            Octets::Memory(octets) if octets.len() <= PIECE_OCTETS => hash(&content),
            Octets::Memory(_) | Octets::Stored(_) => tokio::task::spawn_blocking(move || hash(&content))
                .await
                .map_err(|_| Unsigned::Broken)?,
        }
    }

    /// What was signed since the start.
    #[must_use]
    pub fn counts(&self) -> SigningCounts {
        SigningCounts {
            signed: self.signed.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            hashed: self.hashed.load(Ordering::Relaxed),
        }
    }
}

/// The hash of the body, which begins behind the empty line.
fn hash(content: &Content) -> Result<BodyHash, Unsigned> {
    let section = HeaderSection::parse(&content.head).map_err(|fault: HeaderFault| SigningFault::from(fault))?;
    let mut at = section.octets as u64 + 2;
    let whole = content.len();
    BodyHash::read(|piece| {
        piece.resize(PIECE_OCTETS, 0);
        let count = if at < whole { content.read_at(at, piece)? } else { 0 };
        if count == 0 && at < whole {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        piece.truncate(count);
        at += count as u64;
        Ok(())
    })
}
