//! From one set of rolls to the next: after a directory change, and by the clock.
//!
//! In: a view, the next generation, the time. Out: the next table and what changed in it, to be stored first
//! and swapped in with the generation afterwards. Never: a roll lost because its rule fails now.
//!
//! The rolls of the view are the *computed* ones: a pin, or a version that a guard holds, is laid over them by the
//! keeper and never followed from.

use std::sync::Arc;

use jiff::Timestamp;
use roaring::RoaringBitmap;

use super::build::{BuildFault, Rules, build_all, succeed};
use super::freshness::{Freshness, RollDefaults, RollPolicy};
use super::history::{Detail, Details, Difference, EntriesChange, EntryCause};
use super::objects::Objects;
use super::roll::{Cause, Roll};
use super::table::{Attempt, RollEntry, RollTable};
use super::view::View;
use super::watch::{Watch, WatchChange};
use crate::directory::filter::EvaluationOptions;
use crate::directory::filter::plan::PlanOptions;
use crate::directory::{Directory, Ordinal};

pub use super::follow::follow;

/// The next table and how it differs.
#[derive(Clone, Debug)]
pub struct Update {
    /// The next table.
    pub rolls: RollTable,
    /// New versions, to be stored.
    pub changed: Vec<Arc<Roll>>,
    /// What each new version changes and why, in the order of `changed`.
    pub differences: Vec<Difference>,
    /// Versions found right again: only their provenance changed.
    pub confirmed: Vec<Arc<Roll>>,
    /// Groups whose rule cannot be evaluated; their last good version serves on.
    pub failed: Vec<(Ordinal, BuildFault)>,
    /// Groups that are gone.
    pub forgotten: Vec<Ordinal>,
    /// Groups whose next change by the clock must be asked for again.
    pub timed: Vec<Ordinal>,
    /// What the [`Watch`] takes once the change is stored.
    pub watch: WatchChange,
    /// How often a rule was asked about a single object.
    pub judged: usize,
}

impl Update {
    /// Nothing changed yet.
    pub(super) fn of(rolls: &RollTable) -> Self {
        Self {
            rolls: rolls.clone(),
            changed: Vec::new(),
            differences: Vec::new(),
            confirmed: Vec::new(),
            failed: Vec::new(),
            forgotten: Vec::new(),
            timed: Vec::new(),
            watch: WatchChange::default(),
            judged: 0,
        }
    }
}

/// How a change is followed.
#[derive(Clone, Copy, Debug)]
pub struct Following<'a> {
    /// What holds for groups that say nothing themselves.
    pub defaults: &'a RollDefaults,
    /// The time, and how many threads may work.
    pub work: PlanOptions,
}

/// Groups whose roll is due or stale, or was never computed: what the clock asks for.
#[must_use]
pub fn due(view: &View, defaults: &RollDefaults, now: Timestamp) -> Vec<Ordinal> {
    let waits = |group: Ordinal, object: &crate::directory::RecipientObject| match view.roll(group) {
        None => true,
        Some(roll) => RollPolicy::of(object.group.as_deref(), defaults).freshness(roll, now) != Freshness::Fresh,
    };
    view.directory
        .groups()
        .filter(|(group, object)| waits(*group, object))
        .map(|(group, _)| group)
        .collect()
}

/// Computes these groups again over the same generation, for the clock or an operator; on this thread.
#[must_use]
pub fn again(
    view: &View,
    groups: impl IntoIterator<Item = Ordinal>,
    options: &EvaluationOptions,
    cause: Cause,
    now: Timestamp,
) -> Update {
    let groups: Vec<Ordinal> = groups.into_iter().collect();
    compute(view, &groups, Rules::Compile(options), cause, &PlanOptions::alone(now))
}

/// Computes these groups again over the same generation, together.
#[must_use]
pub fn compute(view: &View, groups: &[Ordinal], rules: Rules<'_>, cause: Cause, work: &PlanOptions) -> Update {
    let mut update = Update::of(&view.rolls);
    let built = build_all(&view.directory, groups, rules, work);
    let mut next = Next::default();
    for (group, built) in groups.iter().zip(built) {
        match built {
            Ok(built) => {
                let previous = view.roll(*group);
                let roll = succeed(
                    *group,
                    previous.map(|roll| &**roll),
                    built,
                    view.directory.number(),
                    work.now,
                    cause,
                );
                next.take(previous, roll, |change| of_all(cause, change));
            }
            Err(fault) => update.failed.push((*group, fault)),
        }
    }
    next.finish(&mut update, work.now);
    update
}

/// Computes rolls again and returns those that differ from what is stored, each as the difference that repairs it.
///
/// For groups that follow changes there must be none, ever (issue 3): whatever is found is a fault of ours. Groups
/// that wait for their interval differ by design and are left out, as are those whose rule cannot be evaluated.
#[must_use]
pub fn verify(
    view: &View,
    watch: &Watch,
    groups: &[Ordinal],
    defaults: &RollDefaults,
    work: &PlanOptions,
) -> Vec<Difference> {
    let follows = |group: &Ordinal| {
        let settings = view.directory.group(*group).and_then(|object| object.group.as_deref());
        RollPolicy::of(settings, defaults).follows_changes && view.roll(*group).is_some()
    };
    let groups: Vec<Ordinal> = groups.iter().copied().filter(follows).collect();
    let update = compute(view, &groups, Rules::Watched(watch), Cause::Repaired, work);
    update.differences
}

fn of_all(cause: Cause, change: &EntriesChange) -> Vec<Detail> {
    let mut details = Details::default();
    let cause = match cause {
        Cause::Clock => EntryCause::Clock,
        Cause::Repaired => EntryCause::Repaired,
        // Nothing finer is known than the cause of the version.
        Cause::Created
        | Cause::GroupChanged
        | Cause::DirectoryChanged
        | Cause::Scheduled
        | Cause::Requested
        | Cause::Pinned
        | Cause::Guarded
        | Cause::Released
        | Cause::Accepted
        | Cause::Decided
        | Cause::FirstLoad => return Vec::new(),
    };
    details.note_all(cause, &change.added, &change.removed);
    details.finish()
}

/// New versions on their way into the next table.
#[derive(Default)]
pub(super) struct Next {
    entries: Vec<(Ordinal, Option<RollEntry>)>,
    changed: Vec<Arc<Roll>>,
    differences: Vec<Difference>,
    confirmed: Vec<Arc<Roll>>,
}

impl Next {
    /// Takes the roll that follows `previous`: a new version, or the same one confirmed.
    pub(super) fn take(
        &mut self,
        previous: Option<&Arc<Roll>>,
        roll: Roll,
        details: impl FnOnce(&EntriesChange) -> Vec<Detail>,
    ) {
        let roll = Arc::new(roll);
        if previous.is_some_and(|previous| previous.version == roll.version) {
            self.confirmed.push(Arc::clone(&roll));
        } else {
            let mut difference = Difference::between(previous.map(|roll| &**roll), &roll, Vec::new());
            difference.details = details(&difference.entries);
            self.differences.push(difference);
            self.changed.push(Arc::clone(&roll));
        }
        let entry = RollEntry {
            roll: Some(Arc::clone(&roll)),
            attempt: None,
        };
        self.entries.push((roll.group, Some(entry)));
    }

    /// Takes a patched roll with what was patched.
    pub(super) fn patched(&mut self, roll: Roll, difference: Difference) {
        let roll = Arc::new(roll);
        self.differences.push(difference);
        let entry = RollEntry {
            roll: Some(Arc::clone(&roll)),
            attempt: None,
        };
        self.entries.push((roll.group, Some(entry)));
        self.changed.push(roll);
    }

    /// The roll of a group is forgotten.
    pub(super) fn forget(&mut self, group: Ordinal) {
        self.entries.push((group, None));
    }

    /// The table with what was taken so far.
    pub(super) fn over(&self, rolls: &RollTable) -> RollTable {
        rolls.with(self.entries.iter().cloned())
    }

    /// Puts everything into the update, failures last: they keep the version that serves.
    pub(super) fn finish(self, update: &mut Update, now: Timestamp) {
        let failures = update.failed.iter().map(|(group, fault)| {
            let mut entry = update.rolls.entry(*group).cloned().unwrap_or_default();
            entry.attempt = Some(Attempt::Failed {
                at: now,
                fault: fault.to_string().into(),
            });
            (*group, Some(entry))
        });
        let rolls = update.rolls.with(self.entries.into_iter().chain(failures));
        update.rolls = rolls;
        update.changed.extend(self.changed);
        update.differences.extend(self.differences);
        update.confirmed.extend(self.confirmed);
    }
}

/// The objects of a roll, or none.
pub(super) fn objects_of(roll: Option<&Arc<Roll>>) -> Objects {
    roll.map_or_else(Objects::default, |roll| roll.entries.objects.clone())
}

/// The directory's number of a roll made for a directory.
pub(super) fn patched(
    previous: &Roll,
    added: RoaringBitmap,
    removed: RoaringBitmap,
    directory: &Directory,
    now: Timestamp,
) -> (Roll, EntriesChange) {
    let mut roll = previous.clone();
    roll.version += 1;
    roll.entries.objects = previous.entries.objects.with(&added, &removed);
    roll.provenance.generation = directory.number();
    roll.provenance.computed_at = now;
    roll.provenance.cause = Cause::DirectoryChanged;
    (roll, EntriesChange::of_objects(added, removed))
}

#[cfg(test)]
#[path = "update_tests.rs"]
mod tests;
