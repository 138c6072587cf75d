//! From one set of rolls to the next: after a directory change, and by the clock.
//!
//! In: a view, the next generation, the time. Out: the next table and what changed in it, to be stored first
//! and swapped in with the generation afterwards. Never: a roll lost because its rule fails now.

use std::sync::Arc;

use jiff::Timestamp;
use roaring::RoaringBitmap;

use super::affected::affected;
use super::build::{BuildFault, build, succeed};
use super::freshness::{Freshness, RollDefaults, RollPolicy};
use super::roll::{Cause, Roll};
use super::table::{RollEntry, RollTable};
use super::view::View;
use crate::directory::filter::EvaluationOptions;
use crate::directory::{Directory, Ordinal};

/// The next table and how it differs.
#[derive(Clone, Debug)]
pub struct Update {
    /// The next table.
    pub rolls: RollTable,
    /// New versions, to be stored.
    pub changed: Vec<Arc<Roll>>,
    /// Versions found right again: only their provenance changed.
    pub confirmed: Vec<Arc<Roll>>,
    /// Groups whose rule cannot be evaluated; their last good version serves on.
    pub failed: Vec<(Ordinal, BuildFault)>,
    /// Groups that are gone.
    pub forgotten: Vec<Ordinal>,
}

/// The rolls that belong to the next generation.
///
/// A dynamic group with an interval waits for it, unless the group itself changed or never had a roll.
#[must_use]
pub fn follow(
    before: &View,
    after: &Directory,
    touched: &RoaringBitmap,
    options: &EvaluationOptions,
    defaults: &RollDefaults,
    now: Timestamp,
) -> Update {
    let affected = affected(touched, &before.directory, after, &before.rolls);
    let mut jobs = Vec::new();
    for group in affected.rebuild.iter().map(Ordinal) {
        let Some(object) = after.recipient(group) else { continue };
        let own = touched.contains(group.0);
        let known = before.rolls.roll(group).is_some();
        let policy = RollPolicy::of(object.group.as_deref(), defaults);
        if object.kind.is_dynamic() && !policy.follows_changes && !own && known {
            continue;
        }
        jobs.push((
            group,
            match (known, own) {
                (false, _) => Cause::Created,
                (true, true) => Cause::GroupChanged,
                (true, false) => Cause::DirectoryChanged,
            },
        ));
    }
    let forget = affected.forget.iter().map(Ordinal).collect();
    run(&before.rolls, after, jobs, forget, options, now)
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

/// Computes these groups again over the same generation, for the clock or an operator.
#[must_use]
pub fn again(
    view: &View,
    groups: impl IntoIterator<Item = Ordinal>,
    options: &EvaluationOptions,
    cause: Cause,
    now: Timestamp,
) -> Update {
    let jobs = groups.into_iter().map(|group| (group, cause)).collect();
    run(&view.rolls, &view.directory, jobs, Vec::new(), options, now)
}

fn run(
    rolls: &RollTable,
    directory: &Directory,
    jobs: Vec<(Ordinal, Cause)>,
    forgotten: Vec<Ordinal>,
    options: &EvaluationOptions,
    now: Timestamp,
) -> Update {
    let mut entries: Vec<(Ordinal, Option<RollEntry>)> = forgotten.iter().map(|group| (*group, None)).collect();
    let (mut changed, mut confirmed, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for (group, cause) in jobs {
        let previous = rolls.roll(group);
        match build(directory, group, options, now) {
            Ok(built) => {
                let roll = succeed(
                    group,
                    previous.map(|roll| &**roll),
                    built,
                    directory.number(),
                    now,
                    cause,
                );
                let same = previous.is_some_and(|previous| previous.version == roll.version);
                let roll = Arc::new(roll);
                if same { &mut confirmed } else { &mut changed }.push(Arc::clone(&roll));
                entries.push((
                    group,
                    Some(RollEntry {
                        roll: Some(roll),
                        attempt: None,
                    }),
                ));
            }
            Err(fault) => failed.push((group, fault)),
        }
    }
    let mut next = rolls.with(entries);
    for (group, fault) in &failed {
        next = next.with_failure(*group, now, fault.to_string().into());
    }
    Update {
        rolls: next,
        changed,
        confirmed,
        failed,
        forgotten,
    }
}

#[cfg(test)]
#[path = "update_tests.rs"]
mod tests;
