//! Operators' stops and delivery: what they hold after a restart, and their end when their time is over.

use std::sync::Arc;
use std::time::Duration;

use super::service::Service;
use crate::mail::{MessageId, SetId};
use crate::policy::stop::Stop;
use crate::queue::Masks;
use crate::spool::message::StoredSet;
use crate::store::StoreFault;

/// The wall clock may be set; no sleep is longer than this.
const CLOCK_TRUST: Duration = Duration::from_secs(60);

/// What is held back of sets that a restart takes up.
pub(super) fn masks_at_start(service: &Service, sets: &[StoredSet]) -> Masks {
    let sets: Vec<(SetId, MessageId)> = sets.iter().map(|stored| (stored.set.id, stored.set.message)).collect();
    service.categorizer.masks_of_stored(&sets, None)
}

/// Stops that have ended.
#[derive(Default)]
pub(super) struct Over {
    /// Which.
    pub ended: Vec<Stop>,
    /// Messages that go on, with how many of their recipients.
    pub let_go: Vec<(MessageId, u64)>,
}

/// Ends stops, and lets go what no other stop holds.
pub(super) fn end(service: &Service, wanted: impl Fn(&Stop) -> bool, by: &str) -> Result<Over, StoreFault> {
    let masked = service.delivery.masked();
    let ended = service.categorizer.end_stops(wanted, by)?;
    if ended.is_empty() {
        return Ok(Over::default());
    }
    let mut masks = service.categorizer.masks_of_stored(&masked, None);
    for (set, _) in &masked {
        masks.entry(*set).or_default();
    }
    let found = service.delivery.hold_back(masks);
    let let_go = masked
        .iter()
        .filter_map(|(set, message)| Some((*message, found.get(set)?.let_go)))
        .filter(|(_, count)| *count > 0)
        .collect();
    for stop in &ended {
        tracing::info!(stop = %stop.id, by, "a stop has ended");
    }
    Ok(Over { ended, let_go })
}

/// Ends stops whose time is over.
pub async fn keep_time(service: Arc<Service>) {
    loop {
        let now = service.env.clock.now();
        let over = move |stop: &Stop| stop.ended.is_none() && stop.until.is_some_and(|until| until <= now);
        let stops = service.categorizer.stops();
        if stops.iter().any(over) {
            let this = Arc::clone(&service);
            let ended = tokio::task::spawn_blocking(move || end(&this, over, "muster")).await;
            match ended {
                Ok(Ok(_)) => {}
                Ok(Err(fault)) => tracing::error!(%fault, "the end of a stop could not be kept; it is tried again"),
                Err(fault) => tracing::error!(%fault, "a stop could not be ended; it is tried again"),
            }
        }
        let next = stops
            .iter()
            .filter(|stop| stop.is_on(now))
            .filter_map(|stop| stop.until)
            .min();
        let wait = next.and_then(|next| Duration::try_from(next.duration_since(now)).ok());
        // Either way it looks again.
        let _ = tokio::time::timeout(
            wait.unwrap_or(CLOCK_TRUST).min(CLOCK_TRUST),
            service.categorizer.stops_noticed(),
        )
        .await;
    }
}
