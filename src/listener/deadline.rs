//! One timer per session that is seldom touched: it sleeps to an old deadline and looks again when it wakes.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Sleep, sleep};

use crate::env::Clock;

/// When a session is given up. Times are those of [`Clock::monotonic`].
pub(super) struct Deadline {
    clock: Arc<dyn Clock>,
    due: Duration,
    /// When the timer wakes.
    armed: Duration,
    timer: Pin<Box<Sleep>>,
}

impl Deadline {
    /// Due in `wait` from now.
    pub(super) fn new(clock: Arc<dyn Clock>, wait: Duration) -> Self {
        let due = clock.monotonic() + wait;
        Self {
            clock,
            due,
            armed: due,
            timer: Box::pin(sleep(wait)),
        }
    }

    /// The time that deadlines are set in.
    pub(super) fn now(&self) -> Duration {
        self.clock.monotonic()
    }

    /// Moves the deadline. The timer is touched only if it would wake too late.
    pub(super) fn set(&mut self, due: Duration) {
        self.due = due;
        if due < self.armed {
            self.arm();
        }
    }

    /// True once the deadline has passed.
    pub(super) fn is_past(&self) -> bool {
        self.now() >= self.due
    }

    /// Returns once the deadline has passed. May be dropped and called again.
    pub(super) async fn passed(&mut self) {
        loop {
            self.timer.as_mut().await;
            if self.now() >= self.due {
                return;
            }
            self.arm();
        }
    }

    fn arm(&mut self) {
        self.armed = self.due;
        self.timer.set(sleep(self.due.saturating_sub(self.now())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::SystemClock;

    #[tokio::test]
    async fn waits_for_the_deadline_as_it_stands() {
        let mut deadline = Deadline::new(Arc::new(SystemClock::new()), Duration::from_millis(1));
        let at = |millis| Duration::from_millis(millis);
        deadline.set(at(20));
        deadline.passed().await;
        assert!(deadline.now() >= at(20), "a later deadline is kept");
        deadline.set(Duration::from_secs(3_600));
        deadline.set(at(30));
        deadline.passed().await;
        assert!(
            deadline.now() >= at(30),
            "an earlier deadline is kept, or this would not end"
        );
    }
}
