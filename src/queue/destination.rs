//! What is known about one next hop: how many sessions it bears, how many recipients it takes, and whether it
//! is worth asking now.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

use super::retry;
use crate::limits;
use crate::limits::SMALL_MESSAGE_SESSIONS_PART;
use crate::mail::{MessageId, Reply};
use crate::routing::{NextHop, RetrySchedule};
use crate::track::Reason;

/// Latency of the reply to the dot, or to a group with its content, up to which a hop is never thought slow.
const LATENCY_UNSUSPICIOUS: Duration = Duration::from_millis(500);
/// Sessions that may break in a row without one completed transaction before the hop is left alone.
const BROKEN_SESSIONS_MAX: u32 = 3;

/// Bounds of a destination, from the settings of its next hop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Most recipients in one transaction.
    pub recipients_max: usize,
    /// Most sessions.
    pub sessions_max: usize,
    /// When to try again.
    pub retry: RetrySchedule,
}

impl From<&NextHop> for Bounds {
    fn from(hop: &NextHop) -> Self {
        Self {
            recipients_max: hop.recipients_max.max(1),
            sessions_max: sessions_max(hop),
            retry: hop.retry,
        }
    }
}

/// Sessions that a rate allows have something to do every ten seconds: waiting ones would only time out.
fn sessions_max(hop: &NextHop) -> usize {
    let by_rate = hop.messages_per_minute_max.map_or(usize::MAX, |rate| rate as usize / 6);
    hop.connections_max.min(by_rate).max(1)
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            recipients_max: limits::BATCH_RECIPIENTS_MAX,
            sessions_max: limits::HOP_SESSIONS_MAX,
            retry: RetrySchedule::default(),
        }
    }
}

/// Why a hop is left alone for now.
#[derive(Clone, PartialEq, Debug)]
pub struct Trouble {
    /// Why.
    pub reason: Reason,
    /// Its reply, if it spoke.
    pub reply: Option<Reply>,
    /// When it is tried again.
    pub retry_at: Timestamp,
}

/// How many sessions a hop bears: doubles quickly while all goes well, halves on trouble.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Window {
    size: f64,
    /// Above it the window grows by one per round instead of one per transaction.
    careful_above: f64,
}

/// One next hop as the queue sees it.
#[derive(Clone, Debug)]
pub struct Destination {
    bounds: Bounds,
    window: Window,
    learned: Option<(usize, Timestamp)>,
    latency_best: Option<Duration>,
    failures: u32,
    broken: u32,
    trouble: Option<Trouble>,
    suspended: bool,
    /// Batches in flight by message; most messages have one.
    busy: HashMap<MessageId, u32>,
    busy_count: usize,
    busy_large: usize,
}

impl Destination {
    /// A destination of which nothing is known yet.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        let start = limits::HOP_SESSIONS_START.min(bounds.sessions_max) as f64;
        Self {
            bounds,
            window: Window {
                size: start,
                careful_above: bounds.sessions_max as f64,
            },
            learned: None,
            latency_best: None,
            failures: 0,
            broken: 0,
            trouble: None,
            suspended: false,
            busy: HashMap::new(),
            busy_count: 0,
            busy_large: 0,
        }
    }

    /// Takes over new settings.
    pub fn set_bounds(&mut self, bounds: Bounds) {
        self.bounds = bounds;
        self.window.size = self.window.size.min(bounds.sessions_max as f64);
    }

    /// Its settings.
    #[must_use]
    pub fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// Sessions that may be open now.
    #[must_use]
    pub fn window(&self) -> usize {
        (self.window.size as usize).clamp(1, self.bounds.sessions_max)
    }

    /// Recipients in one transaction now.
    #[must_use]
    pub fn recipients_max(&self, now: Timestamp) -> usize {
        match self.learned {
            Some((limit, until)) if now < until => limit.min(self.bounds.recipients_max),
            _ => self.bounds.recipients_max,
        }
    }

    /// The hop's own recipient limit, if it has shown one.
    #[must_use]
    pub fn learned(&self) -> Option<usize> {
        self.learned.map(|(limit, _)| limit)
    }

    /// The hop refused further recipients after `accepted` (452 4.5.3): RFC 5321 §4.5.3.1.10.
    pub fn learn_recipients_max(&mut self, accepted: usize, now: Timestamp) {
        let until = retry::later(now, limits::LEARNED_LIMIT_AGE_MAX);
        self.learned = Some((accepted.max(1), until));
    }

    /// Why it is left alone, if it is.
    #[must_use]
    pub fn trouble(&self) -> Option<&Trouble> {
        self.trouble.as_ref()
    }

    /// An operator leaves it alone, or does so no longer.
    pub fn suspend(&mut self, suspended: bool) {
        self.suspended = suspended;
    }

    /// True while an operator leaves it alone.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        self.suspended
    }

    /// True if nothing may be tried before a later time, or before an operator says so.
    #[must_use]
    pub fn is_waiting(&self, now: Timestamp) -> bool {
        self.suspended || self.trouble.as_ref().is_some_and(|trouble| trouble.retry_at > now)
    }

    /// Sessions that should be at work, given that `waiting` batches could be cut.
    ///
    /// After trouble one session asks first.
    #[must_use]
    pub fn sessions_wanted(&self, waiting: usize, now: Timestamp) -> usize {
        match &self.trouble {
            _ if self.suspended => self.busy_count,
            Some(trouble) if trouble.retry_at > now => self.busy_count,
            Some(_) => (self.busy_count + waiting).min(1),
            None => (self.busy_count + waiting).min(self.window()),
        }
    }

    /// A session has been greeted: the hop is there.
    pub fn greeted(&mut self) {
        self.trouble = None;
        self.failures = 0;
    }

    /// A transaction was answered to its end.
    pub fn completed(&mut self, latency: Duration) {
        self.broken = 0;
        let best = self.latency_best.map_or(latency, |best| best.min(latency));
        // The best is forgotten slowly, so that a hop that became slower for good is not throttled for ever.
        self.latency_best = Some(best + best / 256);
        if latency > LATENCY_UNSUSPICIOUS && latency > best.saturating_mul(4) {
            self.window.size = (self.window.size * 0.9).max(2.0_f64.min(self.window.size));
            return;
        }
        let step = if self.window.size < self.window.careful_above {
            1.0
        } else {
            1.0 / self.window.size
        };
        self.window.size = (self.window.size + step).min(self.bounds.sessions_max as f64);
    }

    /// The hop refused a whole transaction or session for now: fewer sessions.
    pub fn refused(&mut self) {
        self.window.careful_above = (self.window.size / 2.0).max(1.0);
        self.window.size = self.window.careful_above;
    }

    /// A session could not be made. `others` sessions are open: if there are any, the hop only bears no more;
    /// if there is none, it is left alone until the returned time.
    pub fn unreachable(
        &mut self,
        others: usize,
        reason: Reason,
        reply: Option<Reply>,
        now: Timestamp,
        chance: u64,
    ) -> Option<Timestamp> {
        if others > 0 && self.trouble.is_none() {
            self.window.careful_above = others as f64;
            self.window.size = self.window.size.min(others as f64).max(1.0);
            return None;
        }
        self.failures = self.failures.saturating_add(1);
        let retry_at = retry::later(now, retry::wait(&self.bounds.retry, self.failures, chance));
        self.trouble = Some(Trouble {
            reason,
            reply,
            retry_at,
        });
        self.window.size = limits::HOP_SESSIONS_START.min(self.bounds.sessions_max) as f64;
        self.window.careful_above = self.bounds.sessions_max as f64;
        Some(retry_at)
    }

    /// A session broke before a transaction was completed. True if that has happened too often: the caller
    /// treats the hop as unreachable.
    pub fn broke(&mut self) -> bool {
        self.broken += 1;
        self.refused();
        if self.broken < BROKEN_SESSIONS_MAX {
            return false;
        }
        self.broken = 0;
        true
    }

    /// An operator wants it tried now.
    pub fn retry_now(&mut self, now: Timestamp) {
        if let Some(trouble) = &mut self.trouble {
            trouble.retry_at = now;
        }
    }

    /// Batches in flight.
    #[must_use]
    pub fn busy(&self) -> usize {
        self.busy_count
    }

    /// Batches in flight of one message.
    #[must_use]
    pub fn busy_with(&self, message: MessageId) -> usize {
        self.busy.get(&message).map_or(0, |count| *count as usize)
    }

    /// True if a further batch of a message that is not small would take one of the sessions kept for small ones.
    #[must_use]
    pub fn keeps_rest_for_small(&self) -> bool {
        let window = self.window();
        let kept = (window / SMALL_MESSAGE_SESSIONS_PART).max(1);
        window > 1 && self.busy_large + kept >= window
    }

    /// A batch leaves the queue.
    pub fn begin(&mut self, message: MessageId, is_large: bool) {
        *self.busy.entry(message).or_default() += 1;
        self.busy_count += 1;
        self.busy_large += usize::from(is_large);
    }

    /// A batch is settled or given back.
    pub fn end(&mut self, message: MessageId, is_large: bool) {
        if let Some(count) = self.busy.get_mut(&message) {
            *count -= 1;
            if *count == 0 {
                self.busy.remove(&message);
            }
        }
        self.busy_count = self.busy_count.saturating_sub(1);
        self.busy_large = self.busy_large.saturating_sub(usize::from(is_large));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destination() -> Destination {
        Destination::new(Bounds {
            recipients_max: 500,
            sessions_max: 20,
            retry: RetrySchedule::default(),
        })
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    #[test]
    fn a_quarter_of_the_sessions_is_kept_for_small_messages() {
        for (sessions_max, large_max) in [(1, 1), (2, 1), (4, 3), (8, 6), (20, 15)] {
            let mut destination = destination();
            destination.bounds.sessions_max = sessions_max;
            destination.window.size = sessions_max as f64;
            let large = (0..).take_while(|_| {
                let may = !destination.keeps_rest_for_small();
                destination.begin(MessageId(uuid::Uuid::nil()), true);
                may
            });
            let large = large.take(sessions_max).count();
            assert_eq!(large, large_max, "of {sessions_max}");
        }
    }

    #[test]
    fn the_window_grows_quickly_and_halves_on_trouble() {
        let mut hop = destination();
        assert_eq!(hop.window(), limits::HOP_SESSIONS_START);
        for _ in 0..20 {
            hop.completed(Duration::from_millis(1));
        }
        assert_eq!(hop.window(), 20);
        hop.refused();
        assert_eq!(hop.window(), 10);
        hop.completed(Duration::from_millis(1));
        assert_eq!(hop.window(), 10, "growth is careful after trouble");
        for _ in 0..200 {
            hop.completed(Duration::from_millis(1));
        }
        assert_eq!(hop.window(), 20);
        for _ in 0..100 {
            hop.completed(Duration::from_secs(5));
        }
        assert!(hop.window() < 20, "a hop that answers slowly gets fewer sessions");
        for _ in 0..50 {
            hop.refused();
        }
        assert_eq!(hop.window(), 1);
    }

    #[test]
    fn a_refused_session_beside_others_only_lowers_the_window() {
        let mut hop = destination();
        assert_eq!(hop.unreachable(3, Reason::NextHopDeferred, None, at(0), 0), None);
        assert_eq!(hop.window(), 3);
        assert!(!hop.is_waiting(at(0)));
        let retry_at = hop
            .unreachable(0, Reason::NextHopUnreachable, None, at(0), 0)
            .expect("left alone");
        assert!(hop.is_waiting(at(0)) && !hop.is_waiting(retry_at));
        assert_eq!(hop.sessions_wanted(7, at(0)), 0);
        assert_eq!(hop.sessions_wanted(7, retry_at), 1, "one session asks first");
        let again = hop
            .unreachable(0, Reason::NextHopUnreachable, None, retry_at, 0)
            .expect("left alone");
        assert!(
            again.duration_since(retry_at) > retry_at.duration_since(at(0)),
            "the wait grows"
        );
        hop.retry_now(retry_at);
        assert!(!hop.is_waiting(retry_at));
        hop.greeted();
        assert_eq!(hop.sessions_wanted(7, retry_at), 7);
    }

    #[test]
    fn a_learned_limit_is_kept_for_a_day() {
        let mut hop = destination();
        hop.learn_recipients_max(50, at(0));
        assert_eq!(hop.recipients_max(at(60)), 50);
        assert_eq!(hop.recipients_max(at(2 * 86_400)), 500);
        hop.learn_recipients_max(5_000, at(0));
        assert_eq!(hop.recipients_max(at(60)), 500, "never above the setting");
    }

    #[test]
    fn three_broken_sessions_are_a_hop_to_leave_alone() {
        let mut hop = destination();
        assert_eq!(
            [hop.broke(), hop.broke(), hop.broke(), hop.broke()],
            [false, false, true, false]
        );
        hop.completed(Duration::ZERO);
        assert_eq!([hop.broke(), hop.broke(), hop.broke()], [false, false, true]);
    }
}
