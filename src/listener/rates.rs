//! How often something may happen: on our clock, in bounded memory.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::Clock as RateClock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::env::{Clock, Env};
use crate::limits::REFUSALS_TRACKED_PER_SECOND_MAX;

/// Our clock, as rates read it.
#[derive(Clone)]
struct Monotonic(Arc<dyn Clock>);

impl RateClock for Monotonic {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.monotonic()
    }
}

/// Of how many refused connections there is an event: a flood is counted, not written down.
pub(super) struct TrackedRefusals {
    rate: RateLimiter<NotKeyed, InMemoryState, Monotonic, NoOpMiddleware<Duration>>,
    untracked: AtomicU64,
}

impl TrackedRefusals {
    pub(super) fn new(env: &Env) -> Self {
        let per_second = NonZeroU32::new(REFUSALS_TRACKED_PER_SECOND_MAX).unwrap_or(NonZeroU32::MIN);
        let clock = Monotonic(Arc::clone(&env.clock));
        Self {
            rate: RateLimiter::direct_with_clock(Quota::per_second(per_second), clock),
            untracked: AtomicU64::new(0),
        }
    }

    /// Counts one; true if it is tracked.
    pub(super) fn one_more(&self) -> bool {
        if self.rate.check().is_err() {
            self.untracked.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        let untracked = self.untracked.swap(0, Ordering::Relaxed);
        if untracked > 0 {
            tracing::warn!(untracked, "connections were turned away faster than they are tracked");
        }
        true
    }
}
