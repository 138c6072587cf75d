//! Time and chance, handed in from outside so that decisions stay pure.

mod system;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

pub use system::{SystemChance, SystemClock};

/// Tells the time. Decisions take a [`Timestamp`] as argument; edges ask this.
pub trait Clock: Send + Sync {
    /// Wall-clock time.
    fn now(&self) -> Timestamp;
    /// Time since some fixed moment; never goes back, unmoved by clock changes.
    fn monotonic(&self) -> Duration;
}

/// Random octets for ids, jitter and keys.
pub trait Chance: Send + Sync {
    /// Fills `octets` from a cryptographically strong source.
    fn fill(&self, octets: &mut [u8]);

    /// A number in `0..bound`; 0 if `bound` is 0.
    fn below(&self, bound: u64) -> u64 {
        let mut octets = [0; 8];
        self.fill(&mut octets);
        u64::from_le_bytes(octets).checked_rem(bound).unwrap_or(0)
    }
}

/// What an edge needs from the world besides sockets and files.
#[derive(Clone)]
pub struct Env {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The source of chance.
    pub chance: Arc<dyn Chance>,
}

impl Env {
    /// The real clock and the operating system's random source.
    #[must_use]
    pub fn system() -> Self {
        Self {
            clock: Arc::new(SystemClock::new()),
            chance: Arc::new(SystemChance),
        }
    }
}
