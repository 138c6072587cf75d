//! Failed authentications of each client: after too many it has to wait.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use moka::sync::Cache;

use crate::limits::AUTH_CLIENTS_MAX;
use crate::listener::ClientKey;

/// Counts failures. Accounts are not locked: whoever knows a name could lock its owner out.
pub(super) struct Throttle {
    failures_max: u32,
    failures: Cache<ClientKey, Arc<AtomicU32>>,
}

impl Throttle {
    pub(super) fn new(failures_max: u32, window: Duration) -> Self {
        Self {
            failures_max,
            failures: Cache::builder()
                .max_capacity(AUTH_CLIENTS_MAX)
                .time_to_live(window)
                .build(),
        }
    }

    pub(super) fn may_try(&self, client: IpAddr) -> bool {
        let failures = self.failures.get(&ClientKey::of(client));
        failures.is_none_or(|count| count.load(Ordering::Relaxed) < self.failures_max)
    }

    /// The window begins with the first failure.
    pub(super) fn failed(&self, client: IpAddr) {
        let count = self.failures.get_with(ClientKey::of(client), Arc::default);
        count.fetch_add(1, Ordering::Relaxed);
    }
}
