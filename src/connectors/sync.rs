//! From what a source says to the next view: change set, rolls, store, swap.
//!
//! In: a whole snapshot of one source's objects, the clock. Out: a new view, or the old one with the reason.
//! Never: a view that is not stored; a list changed by a source that failed or shrank beyond its guard.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use roaring::RoaringBitmap;

use super::guard::{GuardSettings, GuardVerdict, Loss, judge};
use crate::directory::filter::EvaluationOptions;
use crate::directory::filter::plan::PlanOptions;
use crate::directory::{ChangeSet, Directory, Finding, ObjectId, Ordinal, OrdinalSource, RecipientObject, SourceId};
use crate::resolver::Sources;
use crate::rolls::affected::touched;
use crate::rolls::{Cause, RollDefaults, RollTable, Update, View, Watch, update};
use crate::store::directory::SharedDirectoryStore;
use crate::store::{ChangeBatch, DirectoryState, ObjectRow, RollChange, StoreFault};

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
}

struct State {
    ordinals: HashMap<ObjectId, Ordinal>,
    ordinal_next: u32,
    generation: u64,
    heard: HashMap<SourceId, Timestamp>,
    /// What every roll depends on; changed only after the store has committed.
    watch: Watch,
}

/// Keeps the directory: one writer, many readers of the view.
pub struct DirectoryKeeper {
    store: SharedDirectoryStore,
    view: ArcSwap<View>,
    space: String,
    options: EvaluationOptions,
    defaults: ArcSwap<RollDefaults>,
    sources: ArcSwap<Vec<SourceSettings>>,
    state: Mutex<State>,
}

impl DirectoryKeeper {
    /// Opens what is stored: the last good generation serves at once.
    pub fn open(
        store: SharedDirectoryStore,
        options: EvaluationOptions,
        defaults: RollDefaults,
        sources: Vec<SourceSettings>,
        now: Timestamp,
    ) -> Result<Self, StoreFault> {
        let mut stored = store.load()?;
        for damage in &stored.damaged {
            tracing::error!(%damage, "a row of the directory store is damaged and left out");
        }
        let (view, state) = restore(&mut stored, &options, now)?;
        Ok(Self {
            store,
            view: ArcSwap::from_pointee(view),
            space: stored.space,
            options,
            defaults: ArcSwap::from_pointee(defaults),
            sources: ArcSwap::from_pointee(sources),
            state: Mutex::new(state),
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

    /// Takes new settings; rolls follow with the next change or tick.
    pub fn reconfigure(&self, defaults: RollDefaults, sources: Vec<SourceSettings>) {
        self.defaults.store(Arc::new(defaults));
        self.sources.store(Arc::new(sources));
    }

    /// Whether an unknown recipient may be refused for good: every source spoke within its `max_age`.
    #[must_use]
    pub fn sources(&self, now: Timestamp) -> Sources {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = |source: &SourceSettings| {
            let Some(max_age) = source.max_age else { return true };
            state.heard.get(&source.name).is_some_and(|heard| {
                let age = u64::try_from(now.as_second() - heard.as_second()).unwrap_or(0);
                age <= max_age.as_secs()
            })
        };
        if self.sources.load().iter().all(recent) {
            Sources::Current
        } else {
            Sources::Overdue
        }
    }

    /// Takes a source's whole snapshot. Blocks on the store; call it beside the mail path.
    pub fn apply(
        &self,
        source: &SourceId,
        objects: Vec<RecipientObject>,
        acceptance: Acceptance,
        now: Timestamp,
    ) -> Result<Applied, StoreFault> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.view.load_full();
        let changes = difference(&before.directory, source, objects);
        let first = !state.heard.contains_key(source);
        if changes.is_empty() && before.directory.number() > 0 {
            state.heard.insert(source.clone(), now);
            return Ok(Applied::Unchanged);
        }
        if acceptance == Acceptance::Guarded
            && let Some(loss) = self.loss(&before.directory, source, &changes)
        {
            // The source did speak: what it still holds is known, only its loss is not believed.
            state.heard.insert(source.clone(), now);
            return Ok(Applied::Held(loss));
        }
        let changed = self.commit(&mut state, &before, changes, now)?;
        state.heard.insert(source.clone(), now);
        tracing::info!(
            generation = changed.generation,
            upserts = changed.upserts,
            removals = changed.removals,
            rolls = changed.rolls,
            first,
            "directory changed"
        );
        Ok(Applied::Changed(changed))
    }

    fn loss(&self, before: &Directory, source: &SourceId, changes: &ChangeSet) -> Option<Loss> {
        let settings = self.sources.load();
        let guard = settings.iter().find(|settings| settings.name == *source)?.guard;
        let gone: HashSet<&ObjectId> = changes.removals.iter().collect();
        let own: Vec<ObjectId> = own(before, source).collect();
        match judge(guard, &own, own.iter().filter(|id| !gone.contains(id))) {
            GuardVerdict::Pass => None,
            GuardVerdict::Held(loss) => Some(loss),
        }
    }

    fn commit(
        &self,
        state: &mut State,
        before: &View,
        changes: ChangeSet,
        now: Timestamp,
    ) -> Result<Changed, StoreFault> {
        let number = state.generation + 1;
        let ids: Vec<ObjectId> = changes
            .upserts
            .iter()
            .map(|object| object.id.clone())
            .chain(changes.removals.iter().cloned())
            .collect();
        let (upserts, removals) = (changes.upserts.len(), changes.removals.len());
        let mut batch = batch(number, &before.directory, &changes)?;
        let mut ordinals = Assigning {
            known: state.ordinals.clone(),
            next: state.ordinal_next,
        };
        let (directory, findings) = before.directory.apply(changes, &mut ordinals, number, now);
        for row in &mut batch.objects {
            row.ordinal = ordinals.ordinal(&ObjectId::new(row.id.as_str())).0;
        }
        batch.ordinal_next = ordinals.next;
        let touched: RoaringBitmap = touched(&ids, &before.directory, &directory);
        let defaults = self.defaults.load();
        let following = update::Following {
            defaults: &defaults,
            work: PlanOptions::alone(now),
        };
        let mut update = update::follow(before, &directory, &touched, &state.watch, &following);
        add_rolls(&mut batch, &update, now);
        let failed = failures(&directory, &update);
        let rolls = update.changed.len();
        self.store.store(batch)?;
        let live: HashSet<ObjectId> = directory.rows().map(|(_, row)| ObjectId::new(row.id())).collect();
        // An id that is gone and comes back is a new object: its ordinal stays used (DESIGN §5).
        ordinals.known.retain(|id, _| live.contains(id));
        state.ordinals = ordinals.known;
        state.ordinal_next = ordinals.next;
        state.generation = number;
        state.watch.take(std::mem::take(&mut update.watch));
        self.view.store(Arc::new(View::new(directory, update.rolls)));
        Ok(Changed {
            generation: number,
            upserts,
            removals,
            rolls,
            findings,
            failed,
        })
    }

    /// Computes again what the clock asks for: rolls by interval, the daily verification.
    pub fn tick(&self, now: Timestamp) -> Result<usize, StoreFault> {
        let defaults = self.defaults.load_full();
        let due = update::due(&self.view.load(), &defaults, now);
        if due.is_empty() {
            return Ok(0);
        }
        self.again(due, Cause::Scheduled, now)
    }

    fn again(&self, groups: Vec<Ordinal>, cause: Cause, now: Timestamp) -> Result<usize, StoreFault> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.view.load_full();
        let count = groups.len();
        let update = update::again(&before, groups, &self.options, cause, now);
        let number = state.generation + 1;
        let mut batch = ChangeBatch {
            generation: number,
            ordinal_next: state.ordinal_next,
            ..ChangeBatch::default()
        };
        add_rolls(&mut batch, &update, now);
        self.store.store(batch)?;
        state.generation = number;
        self.view.store(Arc::new(View {
            directory: Arc::clone(&before.directory),
            rolls: Arc::new(update.rolls),
        }));
        Ok(count)
    }
}

/// What changes from a generation to a source's snapshot: objects of other sources are left alone.
fn difference(directory: &Directory, source: &SourceId, objects: Vec<RecipientObject>) -> ChangeSet {
    let mut seen: HashSet<ObjectId> = HashSet::with_capacity(objects.len());
    let mut upserts = Vec::new();
    for object in objects {
        seen.insert(object.id.clone());
        let known = directory
            .ordinal_of(&object.id)
            .and_then(|ordinal| directory.recipient(ordinal));
        if known.is_none_or(|known| *known != object) {
            upserts.push(object);
        }
    }
    let removals = own(directory, source).filter(|id| !seen.contains(id)).collect();
    ChangeSet { upserts, removals }
}

/// Ids of a source's objects.
fn own(directory: &Directory, source: &SourceId) -> impl Iterator<Item = ObjectId> {
    let rows = directory.rows().filter(move |(_, row)| row.source() == source);
    rows.map(|(_, row)| ObjectId::new(row.id()))
}

/// Object rows of a change; ordinals are filled in once they are known.
fn batch(number: u64, before: &Directory, changes: &ChangeSet) -> Result<ChangeBatch, StoreFault> {
    let mut batch = ChangeBatch {
        generation: number,
        ..ChangeBatch::default()
    };
    for object in &changes.upserts {
        batch.objects.push(ObjectRow {
            ordinal: 0,
            id: object.id.to_string(),
            source: object.source.to_string(),
            json: serde_json::to_string(object).map_err(|fault| StoreFault::Contradiction(fault.to_string()))?,
        });
    }
    // The first of several objects with one id counts, as in the generation.
    let mut ids = HashSet::new();
    batch.objects.retain(|row| ids.insert(row.id.clone()));
    let removed = changes.removals.iter().filter(|id| !ids.contains(id.as_str()));
    batch.objects_removed = removed
        .filter_map(|id| before.ordinal_of(id))
        .map(|ordinal| ordinal.0)
        .collect();
    Ok(batch)
}

fn add_rolls(batch: &mut ChangeBatch, update: &Update, now: Timestamp) {
    let changes = update.changed.iter().zip(&update.differences);
    batch.at = now;
    batch.rolls = changes
        .map(|(roll, difference)| RollChange {
            roll: Arc::clone(roll),
            difference: Some(Arc::new(difference.clone())),
        })
        .collect();
    batch.rolls_confirmed = update.confirmed.clone();
    batch.rolls_removed = update.forgotten.iter().map(|group| group.0).collect();
}

fn failures(directory: &Directory, update: &Update) -> Vec<(String, String)> {
    let name = |group: &Ordinal| {
        directory
            .recipient(*group)
            .map_or_else(String::new, |object| object.primary.to_string())
    };
    update
        .failed
        .iter()
        .map(|(group, fault)| (name(group), fault.to_string()))
        .collect()
}

/// The view and counters that a store holds. A row that cannot be read is left out and said.
fn restore(
    stored: &mut DirectoryState,
    options: &EvaluationOptions,
    now: Timestamp,
) -> Result<(View, State), StoreFault> {
    let mut known = HashMap::with_capacity(stored.objects.len());
    let mut objects = Vec::with_capacity(stored.objects.len());
    for row in stored.objects.drain(..) {
        match serde_json::from_str::<RecipientObject>(&row.json) {
            Ok(object) => {
                known.insert(object.id.clone(), Ordinal(row.ordinal));
                objects.push(object);
            }
            Err(fault) => tracing::error!(id = row.id, %fault, "a stored object cannot be read and is left out"),
        }
    }
    let mut ordinals = Assigning {
        known,
        next: stored.ordinal_next,
    };
    let changes = ChangeSet {
        upserts: objects,
        removals: Vec::new(),
    };
    let directory = if stored.generation == 0 {
        Directory::empty()
    } else {
        Directory::empty()
            .apply(changes, &mut ordinals, stored.generation, now)
            .0
    };
    let rolls = RollTable::default().with_rolls(stored.rolls.drain(..));
    let state = State {
        ordinals: ordinals.known,
        ordinal_next: ordinals.next,
        generation: stored.generation,
        heard: HashMap::new(),
        watch: Watch::of(&directory, options.clone()),
    };
    Ok((View::new(directory, rolls), state))
}

/// Ordinals by id; new ids get the next one.
struct Assigning {
    known: HashMap<ObjectId, Ordinal>,
    next: u32,
}

impl OrdinalSource for Assigning {
    fn ordinal(&mut self, id: &ObjectId) -> Ordinal {
        if let Some(ordinal) = self.known.get(id) {
            return *ordinal;
        }
        let ordinal = Ordinal(self.next);
        self.next += 1;
        self.known.insert(id.clone(), ordinal);
        ordinal
    }
}
