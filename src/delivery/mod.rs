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
mod kept;
pub mod learning;
pub mod opening;
pub mod pace;
pub mod plan;
mod reach;
mod recover;
pub mod report;
mod reporting;
pub mod session;
pub mod settings;
pub mod shelf;
pub mod signing;
pub mod stopped;
pub mod stream;
pub mod tls;
pub mod tls_reports;
pub mod tokens;
pub mod verdict;
pub mod web;
mod work;

#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::env::Env;
use crate::mail::{MessageId, SetId};
use crate::queue::Masks;
use crate::queue::snapshot::QueueView;
use crate::rolls::suspect::Learner;
use crate::routing::{self, Routes};
use crate::spool::SharedSpool;
use crate::spool::content::Content;
use crate::spool::message::{DeliverySet, StoredMessage, StoredSet};
use crate::track::Reason;
use dispatcher::{Phase, Shared};
pub use report::{AsQueued, CurrentRoute, CurrentRoutes, ReportRecipient, ReportRequest, Reporter, Waiting};
pub use settings::DeliverySettings;
use verdict::Verdict;

/// What delivery is made of.
pub struct Delivery {
    /// The store.
    pub spool: SharedSpool,
    /// Routes of the settings; [`DeliveryHandle::set_routes`] replaces them.
    pub routes: Arc<Routes>,
    /// Makes reports.
    pub reporter: Arc<dyn Reporter>,
    /// Tells where recipients are today.
    pub current: Arc<dyn CurrentRoutes>,
    /// Learns which addresses their next hops refuse.
    pub learner: Arc<dyn Learner>,
    /// Time and chance.
    pub env: Env,
    /// Settings.
    pub settings: DeliverySettings,
}

impl Delivery {
    /// Starts delivery on the current Tokio runtime.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    #[must_use]
    pub fn start(self) -> DeliveryHandle {
        let shared = Arc::new(Shared::new(
            self.spool,
            self.routes,
            self.reporter,
            self.current,
            self.learner,
            self.env,
            self.settings,
            Handle::current(),
        ));
        shared.runtime.spawn(Arc::clone(&shared).keep_time());
        DeliveryHandle { shared }
    }
}

/// What an operator's command applies to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Selection {
    /// One set.
    Set(SetId),
    /// All sets of a message.
    Message(MessageId),
    /// Everything at a next hop, as [`Routes::label`] names it; for an MX next hop also its name, for all domains.
    NextHop(String),
}

/// Running delivery. Clones are the same delivery.
#[derive(Clone)]
pub struct DeliveryHandle {
    shared: Arc<Shared>,
}

impl DeliveryHandle {
    /// Queues sets that were just committed. May be called from any thread; does not block.
    pub fn enqueue(&self, sets: Vec<DeliverySet>, message: &Arc<StoredMessage>, content: &Content) {
        self.shared.enqueue(sets, message, content, Masks::new());
    }

    /// The same, with what is held back of them.
    pub fn enqueue_stopped(
        &self,
        sets: Vec<DeliverySet>,
        message: &Arc<StoredMessage>,
        content: &Content,
        masks: Masks,
    ) {
        self.shared.enqueue(sets, message, content, masks);
    }

    /// Queues what was open before a restart: [`crate::spool::Recovered::sets`]. Once, before anything else.
    pub fn recover(&self, sets: Vec<StoredSet>) {
        self.shared.recover(sets, Masks::new(), &[]);
    }

    /// Begins to send TLS reports, if settings ask for them. Once, after [`DeliveryHandle::recover`]: a report is a message.
    pub fn begin_tls_reports(&self) {
        let shared = Arc::clone(&self.shared);
        self.shared.runtime.spawn(shared.keep_tls_reports());
    }

    /// Takes over new routes. Sessions that are open end with their transactions.
    pub fn set_routes(&self, routes: Arc<Routes>) {
        self.shared.routes.store(routes);
    }

    /// What was signed since the start.
    #[must_use]
    pub fn signing_counts(&self) -> signing::SigningCounts {
        self.shared.signer.counts()
    }

    /// What is counted for TLS reports and what was sent; none if settings ask for no reports.
    #[must_use]
    pub fn tls_reports(&self) -> Option<tls_reports::book::Book> {
        self.shared.tls_reports.as_ref().map(|reports| reports.book())
    }

    /// The queue as it stands.
    #[must_use]
    pub fn snapshot(&self) -> QueueView {
        self.shared.state().queue.view()
    }

    /// Tries what is selected now; returns how many sets were meant.
    pub fn retry(&self, selection: &Selection) -> usize {
        let now = self.shared.now();
        let mut state = self.shared.state();
        if let Selection::NextHop(label) = selection {
            let meant = self.destinations(&state.queue, label);
            let view = state.queue.view();
            let names: Vec<&str> = meant.iter().map(|id| state.queue.name(*id)).collect();
            let count = view
                .items
                .iter()
                .filter(|item| names.contains(&item.next_hop.as_str()))
                .count();
            for id in meant {
                state.queue.retry_destination(id, now);
                self.shared.pump(&mut state, id, now);
            }
            return count;
        }
        let sets = self.sets(&state.queue, selection);
        for set in &sets {
            for id in state.queue.retry_set(*set, now) {
                self.shared.pump(&mut state, id, now);
            }
        }
        sets.len()
    }

    /// Drops what is selected; nobody is told but the tracking log, which names `who` did it. Recipients in flight
    /// may still be relayed. Returns how many sets were meant.
    pub fn drop(&self, selection: &Selection, who: &str) -> usize {
        let mut state = self.shared.state();
        let sets = match selection {
            Selection::NextHop(label) => {
                let meant = self.destinations(&state.queue, label);
                let view = state.queue.view();
                let names: Vec<&str> = meant.iter().map(|id| state.queue.name(*id)).collect();
                let there = view.items.iter().filter(|item| names.contains(&item.next_hop.as_str()));
                let mut sets: Vec<SetId> = there.map(|item| item.set).collect();
                sets.sort_unstable();
                sets.dedup();
                sets
            }
            Selection::Set(_) | Selection::Message(_) => self.sets(&state.queue, selection),
        };
        let withdrawn: Vec<_> = sets.iter().flat_map(|set| state.queue.withdraw(*set)).collect();
        drop(state);
        tracing::info!(who, sets = sets.len(), ?selection, "dropped from the queue");
        for batch in withdrawn {
            self.shared
                .spawn_withdrawn(batch, Verdict::Dropped(Reason::DroppedByOperator));
        }
        sets.len()
    }

    fn sets(&self, queue: &crate::queue::Queue, selection: &Selection) -> Vec<SetId> {
        match selection {
            Selection::Set(set) => queue.set(*set).map(|_| *set).into_iter().collect(),
            Selection::Message(message) => queue.sets_of(*message).to_vec(),
            Selection::NextHop(_) => Vec::new(),
        }
    }

    fn destinations(&self, queue: &crate::queue::Queue, label: &str) -> Vec<crate::queue::DestinationId> {
        let routes = self.shared.routes.load();
        let is_meant = |name: &str| {
            routing::is_of(name, label)
                || routes
                    .by_label(name)
                    .is_some_and(|(id, _)| routes.hop(id).name == label)
        };
        queue.destinations().filter(|id| is_meant(queue.name(*id))).collect()
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
        if let Some(reports) = &self.shared.tls_reports {
            reports.keep().await;
        }
        finished
    }
}
