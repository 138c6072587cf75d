//! Records that were read: parsed once, kept as long as DNS allows.

use std::borrow::Borrow;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use mail_auth::{MX, RecordSet, ResolverCache, Txt};
use moka::Expiry;
use moka::sync::Cache;

use crate::limits::AUTHENTICITY_CACHED_MAX;

/// Longest time a record is kept, whatever its own says: keys are rotated in anger too.
const KEPT_MAX: Duration = Duration::from_secs(60 * 60);

/// All caches of the checks.
pub(super) struct Caches {
    pub(super) txt: Records<Box<str>, Txt>,
    pub(super) mx: Records<Box<str>, RecordSet<MX>>,
    pub(super) ipv4: Records<Box<str>, RecordSet<Ipv4Addr>>,
    pub(super) ipv6: Records<Box<str>, RecordSet<Ipv6Addr>>,
    pub(super) ptr: Records<IpAddr, RecordSet<Box<str>>>,
}

impl Default for Caches {
    fn default() -> Self {
        Self {
            txt: Records::new(),
            mx: Records::new(),
            ipv4: Records::new(),
            ipv6: Records::new(),
            ptr: Records::new(),
        }
    }
}

/// One kind of record.
pub(super) struct Records<K, V>(Cache<K, Kept<V>>);

#[derive(Clone)]
struct Kept<V> {
    value: V,
    until: Instant,
}

struct Until;

impl<K, V> Expiry<K, Kept<V>> for Until {
    fn expire_after_create(&self, _: &K, kept: &Kept<V>, at: Instant) -> Option<Duration> {
        Some(kept.until.saturating_duration_since(at).min(KEPT_MAX))
    }

    fn expire_after_update(&self, _: &K, kept: &Kept<V>, at: Instant, _: Option<Duration>) -> Option<Duration> {
        Some(kept.until.saturating_duration_since(at).min(KEPT_MAX))
    }
}

impl<K, V> Records<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    fn new() -> Self {
        let builder = Cache::builder().max_capacity(AUTHENTICITY_CACHED_MAX);
        Self(builder.expire_after(Until).build())
    }
}

impl<K, V> ResolverCache<K, V> for Records<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    fn get<Q>(&self, name: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.0.get(name).map(|kept| kept.value)
    }

    fn remove<Q>(&self, name: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.0.remove(name).map(|kept| kept.value)
    }

    fn insert(&self, key: K, value: V, until: Instant) {
        self.0.insert(key, Kept { value, until });
    }
}
