//! One turn of the directory: everything that changes together, stored first, then swapped in.
//!
//! In: a next generation, computed rolls, decisions of operators. Out: one [`ChangeBatch`], one new view, and the
//! writer's state that belongs to it. Never: a view that is not stored; a state ahead of the store. A turn that is
//! dropped leaves everything as it was.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::{Author, DirectoryKeeper, State};
use crate::directory::filter::plan::{self, PlanOptions};
use crate::directory::{Directory, Ordinal};
use crate::rolls::clock::Alarm;
use crate::rolls::guard::{GuardLimits, Guarding, Limit};
use crate::rolls::pin::Pins;
use crate::rolls::standing::{Arrival, HoldStep, Settled, Standing};
use crate::rolls::watch::WatchChange;
use crate::rolls::{Attempt, Cause, Details, EntryCause, Roll, RollEntry, RollTable, Update, View};
use crate::store::life::RollChange;
use crate::store::{ChangeBatch, StoreFault};

/// What one turn came to.
#[derive(Debug, Default)]
pub struct Turned {
    /// The generation that serves.
    pub generation: u64,
    /// Groups with a new version that serves.
    pub served: Vec<Ordinal>,
    /// Groups whose new list the guard holds back since this turn, and why.
    pub held: Vec<(Ordinal, Limit)>,
    /// Groups whose rule cannot be evaluated, and why.
    pub failed: Vec<(Ordinal, String)>,
}

/// A turn in the making.
pub(super) struct Turn<'a> {
    pub(super) keeper: &'a DirectoryKeeper,
    pub(super) state: &'a mut State,
    pub(super) before: Arc<View>,
    pub(super) directory: Arc<Directory>,
    pub(super) now: Timestamp,
    pub(super) batch: ChangeBatch,
    computed: RollTable,
    /// Computed rolls that are replaced by what serves, so that their versions agree.
    agreed: HashMap<Ordinal, Arc<Roll>>,
    serving: HashMap<Ordinal, Option<RollEntry>>,
    standings: HashMap<Ordinal, Standing>,
    watch: WatchChange,
    timed: Vec<Ordinal>,
    turned: Turned,
}

impl<'a> Turn<'a> {
    /// A turn over the generation that serves, or over the next one.
    pub(super) fn begin(
        keeper: &'a DirectoryKeeper,
        state: &'a mut State,
        directory: Option<Directory>,
        batch: ChangeBatch,
        now: Timestamp,
    ) -> Self {
        let before = keeper.view.load_full();
        let directory = directory.map_or_else(|| Arc::clone(&before.directory), Arc::new);
        let computed = state.computed.clone();
        let generation = state.generation + 1;
        let ordinal_next = batch.ordinal_next.max(state.ordinal_next);
        Self {
            keeper,
            state,
            before,
            directory,
            now,
            batch: ChangeBatch {
                generation,
                ordinal_next,
                at: now,
                ..batch
            },
            computed,
            agreed: HashMap::new(),
            serving: HashMap::new(),
            standings: HashMap::new(),
            watch: WatchChange::default(),
            timed: Vec::new(),
            turned: Turned {
                generation,
                ..Turned::default()
            },
        }
    }

    /// The view whose rolls are the computed ones: what changes are followed from.
    pub(super) fn computed_view(&self) -> View {
        View {
            directory: Arc::clone(&self.before.directory),
            rolls: Arc::new(self.computed.clone()),
            suppressed: Arc::clone(&self.before.suppressed),
            switched: Arc::clone(&self.before.switched),
        }
    }

    /// A group's standing as this turn has it so far.
    pub(super) fn standing(&self, group: Ordinal) -> Standing {
        let known = self.standings.get(&group).or_else(|| self.state.standings.get(&group));
        known.cloned().unwrap_or_default()
    }

    /// The roll that serves as this turn has it so far.
    pub(super) fn served(&self, group: Ordinal) -> Option<Arc<Roll>> {
        match self.serving.get(&group) {
            Some(entry) => entry.as_ref().and_then(|entry| entry.roll.clone()),
            None => self.before.roll(group).cloned(),
        }
    }

    /// The computed roll as this turn has it so far.
    pub(super) fn computed(&self, group: Ordinal) -> Option<Arc<Roll>> {
        self.agreed.get(&group).or_else(|| self.computed.roll(group)).cloned()
    }

    /// The group's guard limits.
    pub(super) fn limits(&self, group: Ordinal) -> GuardLimits {
        let object = self.directory.group(group);
        self.keeper
            .settings
            .load()
            .guard
            .of(object.and_then(|object| object.group.as_deref()))
    }

    /// An object as the audit names it.
    pub(super) fn name_of(&self, object: Ordinal) -> String {
        let row = self.directory.row(object);
        row.map_or_else(
            || format!("object {}", object.0),
            |row| row.primary_address().to_owned(),
        )
    }

    /// These groups' next change by the clock must be asked for again.
    pub(super) fn ask_again(&mut self, groups: &[Ordinal]) {
        self.timed.extend_from_slice(groups);
    }

    /// Takes computed rolls: each goes past the guard and the pins.
    pub(super) fn take(&mut self, mut update: Update, passage: &Passage) {
        passage.mark(&mut update);
        let before = std::mem::replace(&mut self.computed, update.rolls);
        for (roll, difference) in update.changed.iter().zip(&update.differences) {
            let group = roll.group;
            let guarding = passage.guarding(difference.cause);
            let (served, limits) = (self.served(group), self.limits(group));
            let settled = self.standing(group).computed(&Arrival {
                served: served.as_ref(),
                before: before.roll(group),
                after: roll,
                difference,
                guarding,
                limits: &limits,
                now: self.now,
            });
            self.settle(group, settled);
        }
        for roll in &update.confirmed {
            self.confirm(roll);
        }
        for (group, fault) in update.failed {
            let text = fault.to_string();
            let mut entry = self.before.rolls.entry(group).cloned().unwrap_or_default();
            entry.attempt = self.computed.entry(group).and_then(|entry| entry.attempt.clone());
            self.serving.insert(group, Some(entry));
            self.turned.failed.push((group, text));
        }
        for group in update.forgotten {
            self.serving.insert(group, None);
            self.standings.insert(group, Standing::default());
            self.batch.rolls_removed.push(group.0);
            if before_standing(self.state, group) {
                self.batch.life.pins.push((group, Pins::default()));
                self.batch.life.holds.push((group, None));
            }
        }
        self.watch = update.watch;
        self.timed.extend(update.timed);
    }

    fn confirm(&mut self, computed: &Arc<Roll>) {
        let group = computed.group;
        let Some(served) = self.served(group) else { return };
        let confirmed = self.standing(group).confirmed(&served, computed);
        if !Arc::ptr_eq(&confirmed, &served) {
            self.batch.rolls_confirmed.push(Arc::clone(&confirmed));
            self.serve(group, confirmed);
        }
    }

    fn serve(&mut self, group: Ordinal, roll: Arc<Roll>) {
        self.serving.insert(group, Some(good(roll)));
    }

    /// Takes what a standing came to.
    pub(super) fn settle(&mut self, group: Ordinal, settled: Settled) {
        if let Some(served) = settled.served {
            self.batch.rolls.push(RollChange {
                roll: Arc::clone(&served.roll),
                difference: Some(Arc::new(served.difference)),
            });
            self.serve(group, served.roll);
            self.turned.served.push(group);
        }
        if settled.computed_serves
            && let Some(roll) = self.served(group)
            && self
                .computed
                .roll(group)
                .is_none_or(|computed| !Arc::ptr_eq(computed, &roll))
        {
            self.agreed.insert(group, roll);
        }
        match settled.hold {
            HoldStep::None => {}
            HoldStep::Began | HoldStep::Changed => {
                if let Some(hold) = &settled.standing.hold {
                    self.batch.life.holds.push((group, Some((**hold).clone())));
                    if settled.hold == HoldStep::Began {
                        self.turned.held.push((group, hold.limit));
                    }
                }
            }
            HoldStep::Ended => self.batch.life.holds.push((group, None)),
        }
        if settled.pins_changed {
            self.batch.life.pins.push((group, settled.standing.pins.clone()));
        }
        self.standings.insert(group, settled.standing);
    }

    /// Says in the table of what serves whose list the guard holds: such a list serves whatever its age.
    fn mark_holds(&mut self) {
        let concerned: HashSet<Ordinal> = self.serving.keys().chain(self.standings.keys()).copied().collect();
        for group in concerned {
            // A rule that cannot be evaluated is said first.
            let attempt = self.computed.entry(group).and_then(|entry| entry.attempt.as_ref());
            if matches!(attempt, Some(Attempt::Failed { .. })) {
                continue;
            }
            let known = match self.serving.get(&group) {
                Some(entry) => entry.as_ref(),
                None => self.before.rolls.entry(group),
            };
            let Some(mut entry) = known.cloned() else { continue };
            let since = self.standing(group).hold.map(|hold| hold.since);
            if entry.mark_held(since) {
                self.serving.insert(group, Some(entry));
            }
        }
    }

    /// Stores everything, then lets it serve.
    pub(super) fn finish(mut self) -> Result<Turned, StoreFault> {
        self.mark_holds();
        let Self {
            keeper,
            state,
            before,
            directory,
            now,
            batch,
            computed,
            agreed,
            serving,
            standings,
            watch,
            timed,
            turned,
        } = self;
        let (generation, ordinal_next) = (batch.generation, batch.ordinal_next);
        keeper.store.store(batch)?;
        state.generation = generation;
        state.ordinal_next = ordinal_next;
        state.computed = if agreed.is_empty() {
            computed
        } else {
            computed.with(agreed.into_iter().map(|(group, roll)| (group, Some(good(roll)))))
        };
        state.watch.take(watch);
        for (group, standing) in standings {
            state.clock.set(group, Alarm::Pin, standing.pins.next_change());
            if standing.is_empty() {
                state.standings.remove(&group);
            } else {
                state.standings.insert(group, standing);
            }
        }
        let work = PlanOptions::alone(now);
        for group in timed {
            let next = match state.watch.rule(group) {
                Some(Ok(rule)) => plan::next_change(&directory, rule, &work),
                Some(Err(_)) | None => None,
            };
            state.clock.set(group, Alarm::Rule, next);
        }
        let rolls = if serving.is_empty() {
            Arc::clone(&before.rolls)
        } else {
            Arc::new(before.rolls.with(serving))
        };
        let suppressed = if keeper.suspects.load().is_empty() || Arc::ptr_eq(&directory, &before.directory) {
            Arc::clone(&before.suppressed)
        } else {
            Arc::new(
                keeper
                    .suspects
                    .load()
                    .suppressed(&keeper.settings.load().suspects, &directory),
            )
        };
        keeper.view.store(Arc::new(View {
            directory,
            rolls,
            suppressed,
            switched: Arc::clone(&before.switched),
        }));
        keeper.turned.notify_one();
        Ok(turned)
    }
}

/// True if something is stored about a group beside its roll.
fn before_standing(state: &State, group: Ordinal) -> bool {
    state
        .standings
        .get(&group)
        .is_some_and(|standing| standing.hold.is_some() || !standing.pins.is_empty())
}

/// A roll whose latest attempt succeeded.
fn good(roll: Arc<Roll>) -> RollEntry {
    RollEntry {
        roll: Some(roll),
        attempt: None,
    }
}

/// How new rolls get past the guard.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Passage {
    /// They are measured.
    Guarded,
    /// The source speaks for the first time: there is nothing to measure against.
    FirstLoad,
    /// Somebody decided so and saw what it means.
    Decided(Author),
}

impl Passage {
    fn guarding(&self, cause: Cause) -> Guarding {
        match self {
            Self::Guarded => Guarding::of(cause),
            Self::FirstLoad | Self::Decided(_) => Guarding::Exempt,
        }
    }

    /// Writes into new versions why they came, where it is not what the directory says.
    fn mark(&self, update: &mut Update) {
        let cause = match self {
            Self::Guarded => return,
            Self::FirstLoad => Cause::FirstLoad,
            Self::Decided(_) => Cause::Decided,
        };
        for (roll, difference) in update.changed.iter_mut().zip(&mut update.differences) {
            if let Self::Decided(author) = self {
                let mut details = Details::default();
                let decided = EntryCause::Decided {
                    by: Arc::clone(&author.by),
                    reason: Arc::clone(&author.reason),
                };
                details.note_all(decided, &difference.entries.added, &difference.entries.removed);
                difference.details = details.finish();
            }
            difference.cause = cause;
            Arc::make_mut(roll).provenance.cause = cause;
        }
    }
}
