//! From what sources say to the next view: change set, rolls, guard, pins, store, swap.
//!
//! In: snapshots and changes of sources, decisions of operators, the clock. Out: a new view, or the old one with the
//! reason. Never: a view that is not stored; a list changed by a source that failed or shrank beyond its guard.
//!
//! ```text
//! source ──▶ directory ──▶ computed rolls ──guard──▶ lists ──pins──▶ rolls that serve
//! ```
//!
//! One writer at a time holds the state; everything that changes together is one `turn::Turn`, stored in one
//! commit before it serves. Readers take the view and wait for nobody.

mod ask;
mod clock;
mod decide;
mod restore;
mod rows;
mod take;
mod turn;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;

use super::guard::{GuardSettings, Loss, LossWindow};
use crate::directory::filter::EvaluationOptions;
use crate::directory::{Finding, Ordinal, SourceId};
use crate::resolver::Sources;
use crate::rolls::clock::Clock;
use crate::rolls::guard::GuardLimits;
use crate::rolls::standing::Standing;
use crate::rolls::suspect::{SuspectSettings, Suspects};
use crate::rolls::{RollDefaults, RollTable, View, Watch};
use crate::store::StoreFault;
use crate::store::directory::{SharedDirectoryStore, SinceImage};
use rows::Locals;

pub use ask::AskFault;
pub use clock::{Ticked, Verified};
pub use decide::{Author, DecideFault, Refreshed};

/// A directory of fewer objects is read as quickly without an image.
const IMAGE_OBJECTS_MIN: usize = 20_000;

/// One in so many objects changed: the next image is due. A start takes up the changes in less than a second.
const IMAGE_CHANGED_SHARE: usize = 50;

/// A source as the keeper knows it.
#[derive(Clone, Debug)]
pub struct SourceSettings {
    /// Its name.
    pub name: SourceId,
    /// Beyond this age unknown recipients are answered 451 (DESIGN §5); none: at any age 550.
    pub max_age: Option<Duration>,
    /// When a loss of objects is held.
    pub guard: GuardSettings,
}

/// What the keeper goes by; can be changed while it runs.
#[derive(Clone, Debug)]
pub struct KeeperSettings {
    /// Age and refresh of rolls.
    pub rolls: RollDefaults,
    /// What a list may lose or gain before it waits.
    pub guard: GuardLimits,
    /// When an address is suspected.
    pub suspects: SuspectSettings,
    /// How long history is kept.
    pub history_retention: Duration,
    /// The sources.
    pub sources: Vec<SourceSettings>,
}

impl Default for KeeperSettings {
    fn default() -> Self {
        Self {
            rolls: RollDefaults::default(),
            guard: GuardLimits::default(),
            suspects: SuspectSettings::default(),
            history_retention: Duration::from_secs(400 * 24 * 60 * 60),
            sources: Vec::new(),
        }
    }
}

/// Whether a loss beyond the guard is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Acceptance {
    /// Held.
    Guarded,
    /// An operator has looked.
    Accepted,
}

/// What a snapshot came to.
#[derive(Debug)]
pub enum Applied {
    /// Nothing differs.
    Unchanged,
    /// A new generation serves.
    Changed(Changed),
    /// The guard holds it.
    Held(Loss),
}

/// A change that serves.
#[derive(Debug, Default)]
pub struct Changed {
    /// Generation number.
    pub generation: u64,
    /// New and changed objects.
    pub upserts: usize,
    /// Objects gone.
    pub removals: usize,
    /// Rolls with a new version.
    pub rolls: usize,
    /// What an administrator should know.
    pub findings: Vec<Finding>,
    /// Groups whose filter cannot be evaluated, and why.
    pub failed: Vec<(String, String)>,
    /// Groups whose new list the guard holds back, and why.
    pub held: Vec<(String, String)>,
}

/// What only the writer needs. Changed after the store has committed, never before.
struct State {
    ordinal_next: u32,
    generation: u64,
    /// What is computed, before guard and pins; shares every roll with the view that neither concerns.
    computed: RollTable,
    /// What every roll depends on.
    watch: Watch,
    /// Windows, holds and pins of the groups that have any.
    standings: HashMap<Ordinal, Standing>,
    /// When lists change by time alone.
    clock: Clock,
    locals: Locals,
    heard: HashMap<SourceId, Timestamp>,
    digests: HashMap<SourceId, String>,
    counts: HashMap<SourceId, usize>,
    losses: HashMap<SourceId, LossWindow>,
    verified: Verified,
}

/// Keeps the directory: one writer, many readers of the view.
pub struct DirectoryKeeper {
    store: SharedDirectoryStore,
    view: ArcSwap<View>,
    space: String,
    options: EvaluationOptions,
    settings: ArcSwap<KeeperSettings>,
    /// Threads a large rebuild may use: half the cores, at least one (DESIGN §7).
    threads: usize,
    /// What is known against addresses; the writer changes it, delivery reads it.
    suspects: ArcSwap<Suspects>,
    state: Mutex<State>,
    /// Rings whenever the next instant of the clock may have changed.
    turned: tokio::sync::Notify,
}

impl DirectoryKeeper {
    /// Opens what is stored: the last good generation serves at once.
    pub fn open(
        store: SharedDirectoryStore,
        options: EvaluationOptions,
        settings: KeeperSettings,
        now: Timestamp,
    ) -> Result<Self, StoreFault> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let restored = restore::restore(&*store, &options, &settings, now)?;
        Ok(Self {
            store,
            view: ArcSwap::from_pointee(restored.view),
            space: restored.space,
            options,
            settings: ArcSwap::from_pointee(settings),
            threads: (cores / 2).max(1),
            suspects: ArcSwap::from_pointee(restored.suspects),
            state: Mutex::new(restored.state),
            turned: tokio::sync::Notify::new(),
        })
    }

    /// The current view.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        self.view.load_full()
    }

    /// UUID of the space of ordinals.
    #[must_use]
    pub fn space(&self) -> &str {
        &self.space
    }

    /// How filters compare.
    #[must_use]
    pub fn options(&self) -> &EvaluationOptions {
        &self.options
    }

    /// What the keeper goes by.
    #[must_use]
    pub fn settings(&self) -> Arc<KeeperSettings> {
        self.settings.load_full()
    }

    /// Takes new settings; rolls follow with the next change or tick.
    pub fn reconfigure(&self, settings: KeeperSettings) {
        self.settings.store(Arc::new(settings));
    }

    /// Whether an unknown recipient may be refused for good: every source spoke within its `max_age`.
    #[must_use]
    pub fn sources(&self, now: Timestamp) -> Sources {
        let settings = self.settings.load();
        if settings.sources.iter().all(|source| source.max_age.is_none()) {
            return Sources::Current;
        }
        let state = self.state();
        let recent = |source: &SourceSettings| {
            let Some(max_age) = source.max_age else { return true };
            state.heard.get(&source.name).is_some_and(|heard| {
                let age = u64::try_from(now.as_second() - heard.as_second()).unwrap_or(0);
                age <= max_age.as_secs()
            })
        };
        if settings.sources.iter().all(recent) {
            Sources::Current
        } else {
            Sources::Overdue
        }
    }

    /// Has the store keep an image of the directory where a start without one would be slow: none is there, or much
    /// changed since. Takes seconds at a million objects; commits go on meanwhile.
    pub fn keep_image(&self) -> Result<(), StoreFault> {
        let objects = usize::try_from(self.view().directory.len()).unwrap_or(usize::MAX);
        let is_due = match self.store.since_image() {
            SinceImage::NoImages => false,
            SinceImage::Missing => objects >= IMAGE_OBJECTS_MIN,
            SinceImage::Changed(changed) => changed >= objects.max(IMAGE_OBJECTS_MIN) / IMAGE_CHANGED_SHARE,
        };
        if is_due {
            self.store.keep_image(&|| Arc::clone(&self.view().directory))?;
        }
        Ok(())
    }

    /// Resolves after the next turn: whoever sleeps until [`DirectoryKeeper::next_instant`] asks again then.
    pub async fn turned(&self) {
        self.turned.notified().await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "keeper_tests.rs"]
mod tests;
