//! Delivery: sets become transactions with next hops, and what became of them is stored.
//!
//! In: delivery sets that were just committed, or recovered after a restart.
//! Out: copies at next hops, one stored outcome per recipient, reports as new messages.
//! Never: a recipient counted as relayed without the next hop's word; a further final dot of a session before the
//! outcome of the one before is durable; anything at all after an outcome could not be stored (DESIGN §7).

mod account;
pub mod connect;
pub mod dispatcher;
pub mod dns;
pub mod drop_directory;
pub mod plan;
mod recover;
pub mod report;
mod reporting;
pub mod session;
pub mod settings;
pub mod shelf;
pub mod verdict;
mod work;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::env::Env;
use crate::mail::SetId;
use crate::queue::snapshot::QueueView;
use crate::routing::Routes;
use crate::spool::content::Content;
use crate::spool::message::{DeliverySet, StoredMessage};
use crate::spool::{Recovered, SharedSpool};
use crate::track::Reason;
use dispatcher::{Phase, Shared};
pub use report::{AsQueued, CurrentRoute, CurrentRoutes, ReportRecipient, ReportRequest, Reporter};
pub use settings::DeliverySettings;
use verdict::Verdict;

/// Starts delivery.
pub struct Delivery;

impl Delivery {
    /// Starts delivery on the current Tokio runtime: `reporter` makes reports, `current` tells where recipients are
    /// today.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    #[must_use]
    pub fn start(
        spool: SharedSpool,
        routes: Arc<Routes>,
        reporter: Arc<dyn Reporter>,
        current: Arc<dyn CurrentRoutes>,
        env: Env,
        settings: DeliverySettings,
    ) -> DeliveryHandle {
        let shared = Shared::new(spool, routes, reporter, current, env, settings, Handle::current());
        let shared = Arc::new(shared);
        shared.runtime.spawn(Arc::clone(&shared).keep_time());
        DeliveryHandle { shared }
    }
}

/// Running delivery. Clones are the same delivery.
#[derive(Clone)]
pub struct DeliveryHandle {
    shared: Arc<Shared>,
}

impl DeliveryHandle {
    /// Queues sets that were just committed. May be called from any thread; does not block.
    pub fn enqueue(&self, sets: Vec<DeliverySet>, message: Arc<StoredMessage>, content: Content) {
        self.shared.enqueue(sets, &message, &content);
    }

    /// Queues what was open before a restart. Once, before anything else.
    pub fn recover(&self, recovered: Recovered) {
        self.shared.recover(recovered.sets);
    }

    /// Takes over new routes for sessions to come.
    pub fn reroute(&self, routes: Arc<Routes>) {
        self.shared.routes.store(routes);
    }

    /// The queue as it stands. Made off the reactor: it costs a row per set.
    pub async fn snapshot(&self) -> QueueView {
        let shared = Arc::clone(&self.shared);
        let view = self.shared.runtime.spawn_blocking(move || shared.state().queue.view());
        view.await.unwrap_or_default()
    }

    /// Tries sets now, and asks their next hops again if they are left alone.
    pub fn retry(&self, sets: Vec<SetId>) {
        let now = self.shared.now();
        let mut state = self.shared.state();
        for set in sets {
            for id in state.queue.retry_set(set, now) {
                self.shared.pump(&mut state, id, now);
            }
        }
    }

    /// Asks a next hop again now, with everything deferred there; `label` as [`Routes::label`] names it.
    pub fn retry_next_hop(&self, label: &str) {
        let now = self.shared.now();
        let mut state = self.shared.state();
        if let Some(id) = state.queue.find_destination(label) {
            state.queue.retry_destination(id, now);
            self.shared.pump(&mut state, id, now);
        }
    }

    /// Drops sets; nobody is told but the tracking log. Recipients in flight may still be relayed.
    pub fn drop_sets(&self, sets: Vec<SetId>, who: String) {
        let mut state = self.shared.state();
        let withdrawn: Vec<_> = sets.iter().flat_map(|set| state.queue.withdraw(*set)).collect();
        drop(state);
        tracing::info!(who, sets = sets.len(), "dropped from the queue");
        for batch in withdrawn {
            self.shared
                .spawn_withdrawn(batch, Verdict::Dropped(Reason::DroppedByOperator));
        }
    }

    /// Resolves when nothing is queued and no report is being made.
    pub async fn idle(&self) {
        loop {
            let quiet = self.shared.quiet.notified();
            tokio::pin!(quiet);
            quiet.as_mut().enable();
            if self.shared.is_idle() {
                return;
            }
            quiet.await;
        }
    }

    /// True if an outcome could not be stored: nothing is delivered until a restart.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.shared.phase() == Phase::Stopped
    }

    /// Ends delivery: sessions finish the transaction they are in within `deadline`, then are cut. Returns true if
    /// all of them finished. What is open stays in the store.
    pub async fn shutdown(&self, deadline: Duration) -> bool {
        self.shared.phase.send_if_modified(|phase| {
            let was_running = *phase == Phase::Running;
            if was_running {
                *phase = Phase::Draining;
            }
            was_running
        });
        self.shared.ring_all();
        let ended = async {
            loop {
                let quiet = self.shared.quiet.notified();
                tokio::pin!(quiet);
                quiet.as_mut().enable();
                if self.shared.sessions() == 0 {
                    return;
                }
                quiet.await;
            }
        };
        let finished = tokio::time::timeout(deadline, ended).await.is_ok();
        self.shared.phase.send_replace(Phase::Stopped);
        finished
    }
}
