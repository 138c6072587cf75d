//! One timer per session that is seldom touched: it sleeps to an old deadline and looks again when it wakes.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// When a session is given up.
#[derive(Debug)]
pub(super) struct Deadline {
    due: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl Deadline {
    /// Due in `wait` from now.
    pub(super) fn new(wait: Duration) -> Self {
        let due = Instant::now() + wait;
        Self {
            due,
            sleep: Box::pin(sleep_until(due)),
        }
    }

    /// Moves the deadline. The timer is touched only if it would wake too late.
    pub(super) fn set(&mut self, due: Instant) {
        self.due = due;
        if due < self.sleep.deadline() {
            self.sleep.as_mut().reset(due);
        }
    }

    /// Returns once the deadline has passed. May be dropped and called again.
    pub(super) async fn passed(&mut self) {
        loop {
            self.sleep.as_mut().await;
            if self.due <= self.sleep.deadline() {
                return;
            }
            self.sleep.as_mut().reset(self.due);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waits_for_the_deadline_as_it_stands() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut deadline = Deadline::new(Duration::from_millis(1));
        deadline.set(at(20));
        deadline.passed().await;
        assert!(Instant::now() >= at(20), "a later deadline is kept");
        deadline.set(start + Duration::from_secs(3_600));
        deadline.set(at(30));
        deadline.passed().await;
        assert!(
            Instant::now() >= at(30),
            "an earlier deadline is kept, or this would not end"
        );
    }
}
