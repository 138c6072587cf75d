//! What the clock asks for: pins that end, rules that ask for the date, intervals, verification.
//!
//! In: the time. Out: turns, and when to ask again. Never: a verification that repairs in silence: each difference is
//! counted, logged and shown by `muster status`.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::turn::{Passage, Turn};
use super::{DirectoryKeeper, State};
use crate::directory::Ordinal;
use crate::directory::filter::plan::PlanOptions;
use crate::rolls::build::Rules;
use crate::rolls::clock::Alarm;
use crate::rolls::freshness::RollPolicy;
use crate::rolls::{Cause, View, update};
use crate::store::{ChangeBatch, StoreFault};

/// Most rolls computed in one turn of the clock: a verification of 100,000 groups goes in slices.
const SLICE_GROUPS_MAX: usize = 2_000;

/// What the verification has found since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Verified {
    /// Rolls computed anew and compared.
    pub rolls: u64,
    /// Of these, rolls that differed although they follow changes: there must be none, ever.
    pub differences: u64,
    /// When the latest was compared.
    pub at: Option<Timestamp>,
}

/// What one turn of the clock did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ticked {
    /// Pins that ended and rules whose instant came.
    pub alarms: usize,
    /// Rolls computed anew.
    pub computed: usize,
    /// Of these, rolls with a new version.
    pub changed: usize,
    /// Rolls that differed although they follow changes.
    pub differences: usize,
}

impl DirectoryKeeper {
    /// Does what is due. Blocks on the store; call it beside the mail path.
    pub fn tick(&self, now: Timestamp) -> Result<Ticked, StoreFault> {
        let mut ticked = Ticked::default();
        self.ring(&mut ticked, now)?;
        let settings = self.settings.load_full();
        let view = View {
            rolls: Arc::new(self.state().computed.clone()),
            directory: Arc::clone(&self.view().directory),
            ..View::empty()
        };
        let due = update::due(&view, &settings.rolls, now);
        for slice in due.chunks(SLICE_GROUPS_MAX) {
            // Between slices others may take their turn.
            self.again(&mut self.state(), slice, Cause::Scheduled, &mut ticked, now)?;
        }
        self.tidy_windows(now);
        Ok(ticked)
    }

    /// When the clock must be asked again at the latest because a list changes by time alone.
    #[must_use]
    pub fn next_instant(&self) -> Option<Timestamp> {
        self.state().clock.next()
    }

    /// What the verification has found since the start.
    #[must_use]
    pub fn verified(&self) -> Verified {
        self.state().verified
    }

    /// Computes every roll anew, or these, and compares: what `muster group verify` asks for.
    pub fn verify(&self, groups: Option<&[Ordinal]>, now: Timestamp) -> Result<Ticked, StoreFault> {
        let mut ticked = Ticked::default();
        let all: Vec<Ordinal> = match groups {
            Some(groups) => groups.to_vec(),
            None => self.view().directory.groups().map(|(group, _)| group).collect(),
        };
        for slice in all.chunks(SLICE_GROUPS_MAX) {
            let mut state = self.state();
            self.again(&mut state, slice, Cause::Requested, &mut ticked, now)?;
        }
        Ok(ticked)
    }

    /// Pins that end and rules whose instant has come.
    fn ring(&self, ticked: &mut Ticked, now: Timestamp) -> Result<(), StoreFault> {
        let mut state = self.state();
        let due: Vec<(Ordinal, Alarm)> = state.clock.due(now).collect();
        if due.is_empty() {
            return Ok(());
        }
        ticked.alarms += due.len();
        let of = |alarm: Alarm| -> Vec<Ordinal> {
            due.iter()
                .filter(|(_, each)| *each == alarm)
                .map(|(group, _)| *group)
                .collect()
        };
        let (pins, rules) = (of(Alarm::Pin), of(Alarm::Rule));
        let mut turn = Turn::begin(self, &mut state, None, ChangeBatch::default(), now);
        if !rules.is_empty() {
            let work = self.work(rules.len(), now);
            let update = update::compute(
                &turn.computed_view(),
                &rules,
                Rules::Watched(&turn.state.watch),
                Cause::Clock,
                &work,
            );
            turn.take(update, &Passage::Guarded);
            turn.ask_again(&rules);
        }
        for group in pins {
            let (served, computed) = (turn.served(group), turn.computed(group));
            let settled = turn.standing(group).expire(served.as_ref(), computed.as_ref(), now);
            turn.settle(group, settled);
        }
        turn.finish()?;
        Ok(())
    }

    /// Computes groups again over the same generation. A roll that follows changes must come out as it is.
    pub(super) fn again(
        &self,
        state: &mut State,
        groups: &[Ordinal],
        cause: Cause,
        ticked: &mut Ticked,
        now: Timestamp,
    ) -> Result<(), StoreFault> {
        let settings = self.settings.load_full();
        let mut turn = Turn::begin(self, state, None, ChangeBatch::default(), now);
        let view = turn.computed_view();
        let work = self.work(groups.len(), now);
        let mut update = update::compute(&view, groups, Rules::Watched(&turn.state.watch), cause, &work);
        let mut differences = 0;
        for (roll, difference) in update.changed.iter().zip(&mut update.differences) {
            let object = view.directory.group(roll.group);
            let policy = RollPolicy::of(object.and_then(|object| object.group.as_deref()), &settings.rolls);
            if policy.follows_changes && view.roll(roll.group).is_some() {
                let group = object.map_or_else(String::new, |object| object.primary.to_string());
                tracing::error!(
                    group,
                    added = difference.entries.added.len(),
                    removed = difference.entries.removed.len(),
                    "a patched list differed from the computed one and was repaired; please report this"
                );
                difference.cause = Cause::Repaired;
                differences += 1;
            }
        }
        ticked.computed += update.changed.len() + update.confirmed.len();
        ticked.changed += update.changed.len();
        ticked.differences += differences;
        let compared = update.confirmed.len() + differences;
        turn.take(update, &Passage::Guarded);
        turn.finish()?;
        state.verified.rolls += compared as u64;
        state.verified.differences += differences as u64;
        state.verified.at = Some(now);
        Ok(())
    }

    /// Groups of a large rebuild share the cores that are not serving.
    pub(super) fn work(&self, groups: usize, now: Timestamp) -> PlanOptions {
        PlanOptions {
            now,
            threads: if groups > 1 { self.threads } else { 1 },
        }
    }

    /// Removes history that is older than the retention.
    pub fn prune(&self, now: Timestamp) -> Result<u64, StoreFault> {
        let retention = self.settings.load().history_retention;
        let Some(before) = ago(now, retention) else {
            return Ok(0);
        };
        let pruned = self.store.prune(before)?;
        Ok(pruned.versions + pruned.others)
    }

    /// Forgets windows that nothing moves in any more.
    fn tidy_windows(&self, now: Timestamp) {
        let settings = self.settings.load_full();
        let mut state = self.state();
        state.standings.retain(|_, standing| {
            if standing.hold.is_none() {
                *standing = standing.tidied(now, settings.guard.window.max(Duration::from_secs(24 * 60 * 60)));
            }
            !standing.is_empty()
        });
    }
}

fn ago(now: Timestamp, age: Duration) -> Option<Timestamp> {
    now.checked_sub(SignedDuration::try_from(age).ok()?).ok()
}
