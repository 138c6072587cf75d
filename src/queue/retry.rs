//! When to try again.

use std::time::Duration;

use jiff::Timestamp;

use crate::routing::RetrySchedule;

/// Wait before attempt number `attempts` + 1, given `attempts` (1 or more) that failed.
///
/// `first`, doubling up to `longest`; then spread by a quarter each way with `chance` (any number), so that
/// what failed together does not come back together. Bounded by 3/4 `first` and 5/4 `longest`.
#[must_use]
pub fn wait(schedule: &RetrySchedule, attempts: u32, chance: u64) -> Duration {
    let doublings = attempts.saturating_sub(1).min(31);
    let longest = schedule.longest.max(schedule.first);
    let base = schedule.first.saturating_mul(1 << doublings).min(longest);
    let spread = base / 2;
    let parts = 1 << 16;
    base - base / 4 + spread.mul_f64((chance % parts) as f64 / parts as f64)
}

/// When to try again, given that it is given up at `expires_at`: a last attempt is made then.
#[must_use]
pub fn next_attempt(
    schedule: &RetrySchedule,
    attempts: u32,
    now: Timestamp,
    expires_at: Timestamp,
    chance: u64,
) -> Timestamp {
    let at = later(now, wait(schedule, attempts, chance));
    if now < expires_at { at.min(expires_at) } else { at }
}

/// `now` and a wait; the last representable time if there is none.
#[must_use]
pub fn later(now: Timestamp, wait: Duration) -> Timestamp {
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn waits_are_bounded_and_grow(attempts in 1_u32..1_000, chance: u64, first in 1_u64..600, more in 0_u64..100_000) {
            let schedule = RetrySchedule {
                first: Duration::from_secs(first),
                longest: Duration::from_secs(first + more),
                ..RetrySchedule::default()
            };
            let this = wait(&schedule, attempts, chance);
            prop_assert!(this >= schedule.first * 3 / 4);
            prop_assert!(this <= schedule.longest * 5 / 4);
            // With the same chance a later attempt never waits less.
            prop_assert!(wait(&schedule, attempts + 1, chance) >= this);
        }

        #[test]
        fn an_attempt_is_made_when_it_expires(attempts in 1_u32..20, chance: u64, left in -10_000_i64..10_000) {
            let now = Timestamp::UNIX_EPOCH;
            let expires_at = Timestamp::from_second(left).expect("in range");
            let next = next_attempt(&RetrySchedule::default(), attempts, now, expires_at, chance);
            prop_assert!(next > now);
            prop_assert!(left <= 0 || next <= expires_at);
        }
    }
}
