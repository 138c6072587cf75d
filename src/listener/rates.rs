//! How often clients and networks may do what: on our clock, in bounded memory.
//!
//! In: an address, and what it is about to do. Out: whether that is within its rates. Never: a table that grows with
//! every address that ever came.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::Clock as RateClock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use super::origin::{ClientKey, NetworkKey};
use crate::categorizer::intake::{ClientFacts, Intake};
use crate::env::{Clock, Env};
use crate::limits::{RATE_KEYS_MAX, REFUSALS_TRACKED_PER_SECOND_MAX};
use crate::mail::Reply;
use crate::smtp::replies;
use crate::track::Reason;

/// So many within a time, on average; and so many at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    /// How many come back within `per`.
    pub count: NonZeroU32,
    /// The time.
    pub per: Duration,
    /// How many may come at once after a pause.
    pub burst: NonZeroU32,
}

impl Rate {
    fn quota(self) -> Quota {
        // One nanosecond at least: a rate that fast is none.
        let each = (self.per / self.count.get()).max(Duration::from_nanos(1));
        Quota::with_period(each)
            .unwrap_or(Quota::per_second(NonZeroU32::MAX))
            .allow_burst(self.burst)
    }
}

/// The rates of one thing that clients do; none is no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RatePair {
    /// Of one client: an IPv4 address or an IPv6 /64.
    pub per_client: Option<Rate>,
    /// Of one network: an IPv4 /24 or an IPv6 /48.
    pub per_network: Option<Rate>,
}

/// Whose connections, messages and recipients are counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Counted {
    /// Those of clients that are in no trusted network.
    #[default]
    Strangers,
    /// Everybody's.
    Everybody,
}

/// All rates of a listener.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RateSettings {
    /// Connections.
    pub connections: RatePair,
    /// Transactions begun.
    pub messages: RatePair,
    /// Recipients named, the refused ones too.
    pub recipients: RatePair,
    /// Whose.
    pub counted: Counted,
}

/// What a client is about to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Deed {
    Connect,
    BeginMessage,
    NameRecipient,
}

impl Deed {
    fn refusal(self) -> (Reply, Reason) {
        match self {
            Self::Connect => (replies::TOO_MANY_CONNECTIONS, Reason::ConnectionRate),
            Self::BeginMessage => (replies::TOO_MANY_MESSAGES, Reason::MessageRate),
            Self::NameRecipient => (replies::RECIPIENTS_TOO_FAST, Reason::RecipientRate),
        }
    }
}

/// What has been counted at one listener.
pub(super) struct Rates {
    connections: Counts,
    messages: Counts,
    recipients: Counts,
    counted: Counted,
}

impl Rates {
    /// Counts a deed; what the client is told if it is one too many.
    pub(super) fn refuse(&self, deed: Deed, intake: &dyn Intake, client: &ClientFacts) -> Option<(Reply, Reason)> {
        let counts = match deed {
            Deed::Connect => &self.connections,
            Deed::BeginMessage => &self.messages,
            Deed::NameRecipient => &self.recipients,
        };
        // Asked anew each time: a client may prove more as it goes on.
        let is_counted = || match self.counted {
            Counted::Everybody => true,
            Counted::Strangers => !intake.trusts(client),
        };
        (counts.is_limited() && is_counted() && !counts.allow(client.client)).then(|| deed.refusal())
    }

    pub(super) fn new(settings: &RateSettings, env: &Env) -> Self {
        let counts = |pair: RatePair| Counts {
            clients: pair.per_client.map(|rate| Keyed::new(rate, env)),
            networks: pair.per_network.map(|rate| Keyed::new(rate, env)),
        };
        Self {
            connections: counts(settings.connections),
            messages: counts(settings.messages),
            recipients: counts(settings.recipients),
            counted: settings.counted,
        }
    }
}

/// One thing that clients do.
struct Counts {
    clients: Option<Keyed<ClientKey>>,
    networks: Option<Keyed<NetworkKey>>,
}

impl Counts {
    fn is_limited(&self) -> bool {
        self.clients.is_some() || self.networks.is_some()
    }

    /// Counts one more of this address, if it is within its rates.
    fn allow(&self, address: IpAddr) -> bool {
        let clients = self.clients.as_ref();
        let networks = self.networks.as_ref();
        clients.is_none_or(|clients| clients.allow(&ClientKey::of(address)))
            && networks.is_none_or(|networks| networks.allow(&NetworkKey::of(address)))
    }
}

/// Calls between two looks at the size of a table.
const LOOK_EVERY: u32 = 256;

/// Counts by key. A key whose rate has recovered is forgotten when room is needed.
struct Keyed<K: Hash + Eq + Clone> {
    rate: RateLimiter<K, DashMapStateStore<K>, Monotonic, NoOpMiddleware<Duration>>,
    calls: AtomicU32,
    /// More keys than there is room for have used up a part of their rate: new ones are not counted.
    full: AtomicBool,
}

impl<K: Hash + Eq + Clone> Keyed<K> {
    fn new(rate: Rate, env: &Env) -> Self {
        Self {
            rate: RateLimiter::dashmap_with_clock(rate.quota(), Monotonic(Arc::clone(&env.clock))),
            calls: AtomicU32::new(0),
            full: AtomicBool::new(false),
        }
    }

    fn allow(&self, key: &K) -> bool {
        if self.calls.fetch_add(1, Ordering::Relaxed).is_multiple_of(LOOK_EVERY) {
            self.make_room();
        }
        // So many addresses at once are no single client's doing; the rates of networks and the count of sessions hold.
        self.full.load(Ordering::Relaxed) || self.rate.check_key(key).is_ok()
    }

    fn make_room(&self) {
        if self.rate.len() >= RATE_KEYS_MAX {
            self.rate.retain_recent();
        }
        let full = self.rate.len() >= RATE_KEYS_MAX;
        if full && !self.full.swap(full, Ordering::Relaxed) {
            tracing::warn!(
                keys = RATE_KEYS_MAX,
                "more clients at once than rates are kept of; they are not counted for now"
            );
        }
        self.full.store(full, Ordering::Relaxed);
    }
}

/// Our clock, as rates read it.
#[derive(Clone)]
struct Monotonic(Arc<dyn Clock>);

impl RateClock for Monotonic {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.monotonic()
    }
}

/// Of how many refusals of the listener there is an event: a flood is counted, not written down.
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
            tracing::warn!(untracked, "clients were refused faster than refusals are tracked");
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::env::SystemChance;

    struct Hand(Mutex<Duration>);

    impl Clock for Hand {
        fn now(&self) -> jiff::Timestamp {
            jiff::Timestamp::UNIX_EPOCH
        }

        fn monotonic(&self) -> Duration {
            *self.0.lock().expect("not poisoned")
        }
    }

    fn by_hand() -> (Env, impl Fn(u64)) {
        let hand = Arc::new(Hand(Mutex::new(Duration::from_secs(1_000))));
        let env = Env {
            clock: Arc::clone(&hand) as Arc<dyn Clock>,
            chance: Arc::new(SystemChance),
        };
        (env, move |seconds| {
            *hand.0.lock().expect("not poisoned") += Duration::from_secs(seconds)
        })
    }

    fn rate(count: u32, seconds: u64, burst: u32) -> Option<Rate> {
        let number = |number| NonZeroU32::new(number).expect("not zero");
        Some(Rate {
            count: number(count),
            per: Duration::from_secs(seconds),
            burst: number(burst),
        })
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_burst_then_the_rate() {
        let (env, pass) = by_hand();
        let settings = RateSettings {
            messages: RatePair {
                per_client: rate(6, 60, 3),
                per_network: None,
            },
            ..RateSettings::default()
        };
        let rates = Rates::new(&settings, &env);
        let spent = |client: &str| (0..100).take_while(|_| rates.messages.allow(ip(client))).count();
        assert_eq!(spent("192.0.2.1"), 3, "the burst");
        assert_eq!(spent("192.0.2.2"), 3, "another client has its own");
        assert_eq!(spent("2001:db8::1"), 3);
        assert_eq!(spent("2001:db8::2"), 0, "the same /64");
        pass(10);
        assert_eq!(spent("192.0.2.1"), 1, "one in ten seconds");
        pass(3_600);
        assert_eq!(spent("192.0.2.1"), 3, "never more than the burst");
        assert!(
            (0..1_000).all(|_| rates.connections.allow(ip("192.0.2.1"))),
            "no rate, no limit"
        );
    }

    #[test]
    fn a_network_is_counted_as_a_whole() {
        let (env, _) = by_hand();
        let settings = RateSettings {
            connections: RatePair {
                per_client: rate(2, 60, 2),
                per_network: rate(5, 60, 5),
            },
            ..RateSettings::default()
        };
        let rates = Rates::new(&settings, &env);
        let came_in = (0..100)
            .filter(|host| rates.connections.allow(ip(&format!("192.0.2.{host}"))))
            .count();
        assert_eq!(came_in, 5);
        assert!(rates.connections.allow(ip("192.0.3.1")));
    }

    #[test]
    fn memory_is_bounded_and_room_comes_back() {
        let (env, pass) = by_hand();
        let keyed: Keyed<u64> = Keyed::new(rate(1, 60, 1).expect("a rate"), &env);
        let most = RATE_KEYS_MAX + LOOK_EVERY as usize;
        for key in 0..2 * RATE_KEYS_MAX as u64 {
            assert!(keyed.allow(&key));
            assert!(keyed.rate.len() <= most);
        }
        assert!(keyed.allow(&0), "nobody is counted while the table is full");
        pass(120);
        let fresh = 10 * RATE_KEYS_MAX as u64;
        while keyed.full.load(Ordering::Relaxed) {
            keyed.allow(&fresh);
        }
        assert!(keyed.rate.len() <= LOOK_EVERY as usize);
        assert!(!keyed.allow(&fresh), "and again everybody is");
    }

    #[test]
    fn a_flood_of_refusals_is_counted() {
        let (env, pass) = by_hand();
        let tracked = TrackedRefusals::new(&env);
        let most = REFUSALS_TRACKED_PER_SECOND_MAX as usize;
        assert_eq!((0..10_000).filter(|_| tracked.one_more()).count(), most);
        pass(1);
        assert_eq!((0..10_000).filter(|_| tracked.one_more()).count(), most);
    }
}
