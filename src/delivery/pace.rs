//! How often a next hop may be sent a message, where its settings say so.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::queue::DestinationId;

/// When each destination's next message may go, on the monotonic clock. As many as there are destinations.
#[derive(Default)]
pub struct Pace {
    next: Mutex<HashMap<DestinationId, Duration>>,
}

impl Pace {
    /// Takes the next place in time; returns how long it is until then. Messages are spread evenly: there is no burst.
    pub fn wait(&self, id: DestinationId, per_minute: u32, now: Duration) -> Duration {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let place = next.entry(id).or_default();
        let at = (*place).max(now);
        *place = at + Duration::from_secs(60) / per_minute.max(1);
        at - now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_spread_over_the_minute() {
        let pace = Pace::default();
        let (one, other) = (DestinationId(0), DestinationId(1));
        let seconds = Duration::from_secs;
        let waits: Vec<Duration> = (0..4).map(|_| pace.wait(one, 30, seconds(100))).collect();
        assert_eq!(waits, [0, 2, 4, 6].map(seconds));
        assert_eq!(
            pace.wait(other, 30, seconds(100)),
            Duration::ZERO,
            "each destination for itself"
        );
        assert_eq!(
            pace.wait(one, 30, seconds(200)),
            Duration::ZERO,
            "what was not used is not saved"
        );
        assert_eq!(pace.wait(one, 30, seconds(200)), seconds(2));
    }
}
