//! The real world's clock and chance.

use std::cell::RefCell;
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

/// `getrandom(2)`. Few octets, as for an id, come from a stock that each thread keeps: every message takes some.
#[derive(Debug)]
pub struct SystemChance;

/// Octets of a thread's stock.
const STOCK_OCTETS: usize = 512;
/// What takes more than this goes to the system itself: keys do.
const FEW_OCTETS: usize = 16;

/// Octets that nobody has been given.
struct Stock {
    octets: [u8; STOCK_OCTETS],
    left: usize,
}

thread_local! {
    static STOCK: RefCell<Stock> = const {
        RefCell::new(Stock {
            octets: [0; STOCK_OCTETS],
            left: 0,
        })
    };
}

impl Stock {
    fn take(&mut self, octets: &mut [u8]) {
        if self.left < octets.len() {
            from_system(&mut self.octets);
            self.left = STOCK_OCTETS;
        }
        let given = &mut self.octets[self.left - octets.len()..self.left];
        octets.copy_from_slice(given);
        given.fill(0);
        self.left -= octets.len();
    }
}

impl Chance for SystemChance {
    fn fill(&self, octets: &mut [u8]) {
        if octets.len() > FEW_OCTETS {
            from_system(octets);
        } else {
            STOCK.with_borrow_mut(|stock| stock.take(octets));
        }
    }
}

fn from_system(octets: &mut [u8]) {
    let mut filled = 0;
    while filled < octets.len() {
        filled += rustix::rand::getrandom(&mut octets[filled..], rustix::rand::GetRandomFlags::empty())
            .expect("getrandom without flags blocks until the pool is ready and then cannot fail");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_octets_are_given_twice() {
        let mut seen = HashSet::new();
        for length in [1, 8, 10, FEW_OCTETS, FEW_OCTETS + 1, STOCK_OCTETS + 1].repeat(200) {
            let mut octets = vec![0; length];
            SystemChance.fill(&mut octets);
            // One octet alone comes back by chance.
            assert!(length == 1 || seen.insert(octets), "{length} octets came back");
        }
        STOCK.with_borrow(|stock| {
            let given = &stock.octets[stock.left..];
            assert!(given.iter().all(|octet| *octet == 0), "what was given is forgotten");
        });
    }
}
