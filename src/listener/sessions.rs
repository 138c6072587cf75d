//! How many sessions there are, in total, per client and per network, and who may open another.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::origin::{ClientKey, NetworkKey};

/// Counts the open sessions of one listener.
#[derive(Debug)]
pub struct Sessions {
    total_max: usize,
    per_client_max: usize,
    per_network_max: usize,
    total: AtomicUsize,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    clients: HashMap<ClientKey, usize>,
    networks: HashMap<NetworkKey, usize>,
}

impl Sessions {
    pub(super) fn new(total_max: usize, per_client_max: usize, per_network_max: usize) -> Arc<Self> {
        Arc::new(Self {
            total_max,
            per_client_max,
            per_network_max,
            total: AtomicUsize::new(0),
            counts: Mutex::default(),
        })
    }

    /// Sessions open now.
    #[must_use]
    pub fn count(&self) -> usize {
        self.total.load(Ordering::Relaxed)
    }

    /// A place for one more session, whoever's it will be; none if the total is reached.
    pub(super) fn enter(self: &Arc<Self>) -> Option<Place> {
        let _counts = self.counts();
        let total = self.total.load(Ordering::Relaxed);
        if total >= self.total_max {
            return None;
        }
        self.total.store(total + 1, Ordering::Relaxed);
        Some(Place {
            sessions: Arc::clone(self),
            client: None,
        })
    }

    /// The total changes under this lock too.
    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session's place; dropping it makes room.
#[derive(Debug)]
pub(super) struct Place {
    sessions: Arc<Sessions>,
    client: Option<IpAddr>,
}

impl Place {
    /// Says whose session it is. False if this client or its network has as many as it may.
    #[must_use]
    pub(super) fn taken_by(&mut self, address: IpAddr) -> bool {
        self.leave();
        let (client, network) = (ClientKey::of(address), NetworkKey::of(address));
        let mut counts = self.sessions.counts();
        let of_client = counts.clients.get(&client).copied().unwrap_or(0);
        let of_network = counts.networks.get(&network).copied().unwrap_or(0);
        if of_client >= self.sessions.per_client_max || of_network >= self.sessions.per_network_max {
            return false;
        }
        counts.clients.insert(client, of_client + 1);
        counts.networks.insert(network, of_network + 1);
        drop(counts);
        self.client = Some(address);
        true
    }

    fn leave(&mut self) {
        if let Some(address) = self.client.take() {
            let mut counts = self.sessions.counts();
            one_less(&mut counts.clients, ClientKey::of(address));
            one_less(&mut counts.networks, NetworkKey::of(address));
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave();
        let _counts = self.sessions.counts();
        self.sessions.total.fetch_sub(1, Ordering::Relaxed);
    }
}

fn one_less<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: K) {
    match counts.get_mut(&key) {
        Some(count) if *count > 1 => *count -= 1,
        Some(_) | None => {
            counts.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn admit(sessions: &Arc<Sessions>, client: &str) -> Option<Place> {
        let mut place = sessions.enter()?;
        place.taken_by(ip(client)).then_some(place)
    }

    #[test]
    fn limits_hold_and_places_come_back() {
        let sessions = Sessions::new(3, 2, 100);
        let first = admit(&sessions, "2001:db8::1").expect("empty");
        let second = admit(&sessions, "2001:db8::2").expect("the second of its /64");
        assert!(admit(&sessions, "2001:db8::3").is_none(), "the third of its /64");
        let third = admit(&sessions, "192.0.2.1").expect("another client");
        assert!(admit(&sessions, "192.0.2.2").is_none(), "the fourth in total");
        assert_eq!(sessions.count(), 3);
        drop(first);
        assert!(admit(&sessions, "2001:db8::9").is_some());
        drop((second, third));
        assert_eq!(sessions.count(), 0);
        let counts = sessions.counts();
        assert!(counts.clients.is_empty() && counts.networks.is_empty());
    }

    #[test]
    fn a_network_has_a_limit_of_its_own() {
        let sessions = Sessions::new(100, 2, 3);
        let kept: Vec<Place> = ["192.0.2.1", "192.0.2.1", "192.0.2.2"]
            .map(|client| admit(&sessions, client).expect("room"))
            .into();
        assert!(admit(&sessions, "192.0.2.3").is_none(), "the fourth of its /24");
        let mut place = admit(&sessions, "192.0.3.1").expect("the next network");
        assert!(!place.taken_by(ip("192.0.2.9")), "whoever it says it is");
        assert!(place.taken_by(ip("198.51.100.1")), "and again, by another");
        drop(kept);
        assert!(place.taken_by(ip("192.0.2.9")));
        assert_eq!(sessions.count(), 1);
    }
}
