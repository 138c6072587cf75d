//! How many sessions there are, in total and per client, and who may open another.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts the open sessions of one listener.
#[derive(Debug)]
pub struct Sessions {
    total_max: usize,
    per_client_max: usize,
    total: AtomicUsize,
    clients: Mutex<HashMap<IpAddr, usize>>,
}

impl Sessions {
    pub(super) fn new(total_max: usize, per_client_max: usize) -> Arc<Self> {
        Arc::new(Self {
            total_max,
            per_client_max,
            total: AtomicUsize::new(0),
            clients: Mutex::new(HashMap::new()),
        })
    }

    /// Sessions open now.
    #[must_use]
    pub fn count(&self) -> usize {
        self.total.load(Ordering::Relaxed)
    }

    /// A place for one more session of a client; none if a limit is reached.
    pub(super) fn admit(self: &Arc<Self>, client: IpAddr) -> Option<Place> {
        let client = counted_as(client);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let total = self.total.load(Ordering::Relaxed);
        let of_client = clients.get(&client).copied().unwrap_or(0);
        if total >= self.total_max || of_client >= self.per_client_max {
            return None;
        }
        clients.insert(client, of_client + 1);
        self.total.store(total + 1, Ordering::Relaxed);
        Some(Place {
            sessions: Arc::clone(self),
            client,
        })
    }
}

/// A session's place; dropping it makes room.
#[derive(Debug)]
pub(super) struct Place {
    sessions: Arc<Sessions>,
    client: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut clients = self.sessions.clients.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock, like the count in `admit`.
        self.sessions.total.fetch_sub(1, Ordering::Relaxed);
        match clients.get_mut(&self.client) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => {
                clients.remove(&self.client);
            }
        }
    }
}

/// An IPv6 host owns its /64; single addresses of it would get around the limit.
fn counted_as(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V4(_) => client,
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold_and_places_come_back() {
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let sessions = Sessions::new(3, 2);
        let first = sessions.admit(ip("2001:db8::1")).expect("empty");
        let second = sessions.admit(ip("2001:db8::2")).expect("the second of its /64");
        assert!(sessions.admit(ip("2001:db8::3")).is_none(), "the third of its /64");
        let third = sessions.admit(ip("192.0.2.1")).expect("another client");
        assert!(sessions.admit(ip("192.0.2.2")).is_none(), "the fourth in total");
        assert_eq!(sessions.count(), 3);
        drop(first);
        assert!(sessions.admit(ip("2001:db8::9")).is_some());
        drop((second, third));
        assert_eq!(sessions.count(), 0);
        assert!(sessions.clients.lock().expect("not poisoned").is_empty());
    }
}
