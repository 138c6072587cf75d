//! The real world's clock and chance.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::{Chance, Clock};

/// The operating system's clocks.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// Starts the monotonic count at zero.
    #[must_use]
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// `getrandom(2)`.
#[derive(Debug)]
pub struct SystemChance;

impl Chance for SystemChance {
    fn fill(&self, octets: &mut [u8]) {
        let mut filled = 0;
        while filled < octets.len() {
            filled += rustix::rand::getrandom(&mut octets[filled..], rustix::rand::GetRandomFlags::empty())
                .expect("getrandom without flags blocks until the pool is ready and then cannot fail");
        }
    }
}
