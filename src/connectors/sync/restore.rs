//! What is stored becomes the view that serves at once after a start.
//!
//! In: a store. Out: the last good generation with its rolls, and the writer's state. Never: a row that cannot be
//! read taken for an empty one: it is left out, said, and computed again.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::rows::switched;
use super::{KeeperSettings, State, Verified};
use crate::directory::filter::EvaluationOptions;
use crate::directory::filter::plan::{self, PlanOptions};
use crate::directory::{Directory, Ordinal, SourceId};
use crate::rolls::clock::{Alarm, Clock};
use crate::rolls::standing::Standing;
use crate::rolls::suspect::Suspects;
use crate::rolls::{Roll, RollEntry, RollTable, View, Watch};
use crate::store::StoreFault;
use crate::store::directory::{DirectoryStore, load_directory};
use crate::store::life::LifeState;

/// What a store holds, ready to serve.
pub(super) struct Restored {
    pub(super) view: View,
    pub(super) space: String,
    pub(super) suspects: Suspects,
    pub(super) state: State,
}

/// Reads a store.
pub(super) fn restore(
    store: &dyn DirectoryStore,
    options: &EvaluationOptions,
    settings: &KeeperSettings,
    now: Timestamp,
) -> Result<Restored, StoreFault> {
    // Beside each other: rolls are rows of a database, and the directory may be a file of its own.
    let (stored, recalled) = std::thread::scope(|scope| {
        let recalling = scope.spawn(|| store.recall(now));
        let stored = store.load();
        (stored, recalling.join().expect("reading an image does not panic"))
    });
    let stored = stored?;
    for damage in &stored.damaged {
        tracing::error!(%damage, "a row of the directory store is damaged and left out");
    }
    let directory = match recalled? {
        Some(directory) => directory,
        None => load_directory(store, stored.generation, now)?,
    };
    let serving = RollTable::default().with_rolls(stored.rolls);
    let mut standings = standings(&stored.life);
    windows(store, &serving, &mut standings, settings, now)?;
    let computed = computed(&serving, &mut standings);
    let serving = serving.with(held(&serving, &standings));
    let suspects: Suspects = stored.life.suspects.into_iter().collect();
    let watch = Watch::of(&directory, options.clone());
    let clock = clock(&directory, &watch, &standings, now);
    let state = State {
        ordinal_next: stored.ordinal_next,
        generation: stored.generation,
        computed,
        watch,
        standings,
        clock,
        locals: stored.life.decisions.into_iter().collect(),
        heard: HashMap::new(),
        digests: stored
            .digests
            .into_iter()
            .map(|(source, digest)| (SourceId::new(source), digest))
            .collect(),
        counts: counts(&directory),
        losses: HashMap::new(),
        verified: Verified::default(),
    };
    let suppressed = suspects.suppressed(&settings.suspects, &directory);
    let switched = switched(&state.locals, &directory);
    Ok(Restored {
        view: View {
            suppressed: Arc::new(suppressed),
            switched: Arc::new(switched),
            ..View::new(directory, serving)
        },
        space: stored.space,
        suspects,
        state,
    })
}

fn standings(life: &LifeState) -> HashMap<Ordinal, Standing> {
    let mut standings: HashMap<Ordinal, Standing> = HashMap::new();
    for (group, pins) in &life.pins {
        standings.entry(*group).or_default().pins = pins.clone();
    }
    for hold in &life.holds {
        standings.entry(hold.group).or_default().hold = Some(Box::new(hold.clone()));
    }
    standings
}

/// The guard's windows as they were before the restart: a restart is no way past the guard.
fn windows(
    store: &dyn DirectoryStore,
    serving: &RollTable,
    standings: &mut HashMap<Ordinal, Standing>,
    settings: &KeeperSettings,
    now: Timestamp,
) -> Result<(), StoreFault> {
    let Some(since) = SignedDuration::try_from(settings.guard.window)
        .ok()
        .and_then(|window| now.checked_sub(window).ok())
    else {
        return Ok(());
    };
    let differences = store.history_since(since)?;
    for of_group in differences.chunk_by(|a, b| a.group == b.group) {
        let Some(group) = of_group.first().map(|first| first.group) else {
            continue;
        };
        let Some(roll) = serving.roll(group) else { continue };
        let standing = standings.entry(group).or_default();
        if standing.hold.is_none() {
            standing.window.restore(of_group, roll);
        }
        if standing.is_empty() {
            standings.remove(&group);
        }
    }
    Ok(())
}

/// The computed rolls, told from those that serve by what guard and pins made of them.
fn computed(serving: &RollTable, standings: &mut HashMap<Ordinal, Standing>) -> RollTable {
    let mut different: Vec<Roll> = Vec::new();
    standings.retain(|group, standing| {
        if standing.hold.is_none() && standing.pins.is_empty() {
            return true;
        }
        let Some(served) = serving.roll(*group) else { return true };
        match standing.computed_of(served) {
            Ok(roll) => different.push(roll),
            Err(fault) => {
                tracing::error!(group = group.0, %fault, "what the guard held cannot be told any more; the list is computed again");
                standing.hold = None;
            }
        }
        true
    });
    serving.with_rolls(different)
}

/// Entries of the lists that the guard holds: they serve whatever their age.
fn held(serving: &RollTable, standings: &HashMap<Ordinal, Standing>) -> Vec<(Ordinal, Option<RollEntry>)> {
    let mark = |(group, standing): (&Ordinal, &Standing)| {
        let mut entry = serving.entry(*group)?.clone();
        let since = standing.hold.as_ref().map(|hold| hold.since);
        entry.mark_held(since).then_some((*group, Some(entry)))
    };
    standings.iter().filter_map(mark).collect()
}

fn clock(directory: &Directory, watch: &Watch, standings: &HashMap<Ordinal, Standing>, now: Timestamp) -> Clock {
    let mut clock = Clock::default();
    for (group, standing) in standings {
        clock.set(*group, Alarm::Pin, standing.pins.next_change());
    }
    let work = PlanOptions::alone(now);
    for (group, rule) in watch.timed() {
        // What came while the service was down is due now.
        let next = plan::next_change(directory, rule, &work);
        clock.set(group, Alarm::Rule, next.map(|_| now));
    }
    clock
}

fn counts(directory: &Directory) -> HashMap<SourceId, usize> {
    let mut counts: HashMap<SourceId, usize> = HashMap::new();
    for (_, row) in directory.rows() {
        match counts.get_mut(row.source()) {
            Some(count) => *count += 1,
            None => {
                counts.insert(row.source().clone(), 1);
            }
        }
    }
    counts
}
