//! What became of signatures: counts since the start, and next hops whose copies wait for one.

use std::collections::BTreeMap;

use crate::admin::answer::{Alert, SigningState};
use crate::delivery::DeliveryHandle;
use crate::track::Reason;

/// Counts since the start.
#[must_use]
pub fn state(delivery: &DeliveryHandle) -> SigningState {
    let counts = delivery.signing_counts();
    SigningState {
        signed_total: counts.signed,
        failed_total: counts.failed,
        bodies_total: counts.hashed,
    }
}

/// Next hops with copies that are not sent because they could not be signed.
#[must_use]
pub fn alerts(delivery: &DeliveryHandle) -> Vec<Alert> {
    let mut waiting: BTreeMap<String, (u64, jiff::Timestamp)> = BTreeMap::new();
    for item in delivery.snapshot().items {
        if item.reason == Some(Reason::SigningFailed) {
            let (recipients, since) = waiting.entry(item.next_hop).or_insert((0, item.queued_at));
            *recipients += item.deferred + item.ready;
            *since = (*since).min(item.queued_at);
        }
    }
    let alert = |(next_hop, (recipients, since)): (String, (u64, jiff::Timestamp))| Alert {
        kind: "SIGNING".to_owned(),
        subject: format!("next hop {next_hop}"),
        since: Some(since),
        text: format!(
            "copies for {recipients} recipients wait because they could not be signed; the log says why, and `muster \
             check` reads the keys"
        ),
        causes: Vec::new(),
    };
    waiting.into_iter().map(alert).collect()
}
