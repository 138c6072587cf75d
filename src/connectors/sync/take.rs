//! What a source says becomes the next generation.
//!
//! In: a source's whole snapshot, or the changes it saw. Out: a turn with the new generation and its rolls, or the
//! reason why it waits. Never: objects of another source touched; a loss beyond the guard taken in silence.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use roaring::RoaringBitmap;

use super::rows::{Assigning, Locals, Originals, changed_locals, counted, difference, identities, rows, switched};
use super::turn::{Passage, Turn, Turned};
use super::{Acceptance, Applied, Changed, DirectoryKeeper, State};
use crate::connectors::guard::Loss;
use crate::directory::filter::plan::PlanOptions;
use crate::directory::{ChangeSet, Directory, ObjectId, Ordinal, RecipientObject, SourceId, stored};
use crate::rolls::View;
use crate::rolls::affected::touched;
use crate::rolls::update::{self, Following};
use crate::store::life::AuditEntry;
use crate::store::{ChangeBatch, StoreFault};

/// From how many changed objects on the rolls are computed by both cores; fewer are not worth a thread.
const THREADED_CHANGES_MIN: u64 = 2_000;

impl DirectoryKeeper {
    /// Takes a source's whole snapshot: what is not in it is gone. Blocks on the store; call it beside the mail path.
    ///
    /// `digest` tells a snapshot from another: see [`DirectoryKeeper::knows`].
    pub fn apply(
        &self,
        source: &SourceId,
        objects: Vec<RecipientObject>,
        digest: Option<&str>,
        acceptance: Acceptance,
        now: Timestamp,
    ) -> Result<Applied, StoreFault> {
        let mut state = self.state();
        let before = self.view();
        let changes = difference(&before.directory, source, objects, &state.locals);
        self.follow(&mut state, source, changes, digest, acceptance, now)
    }

    /// Takes what a source saw change. An object of another source is not removed.
    pub fn apply_changes(
        &self,
        source: &SourceId,
        mut changes: ChangeSet,
        acceptance: Acceptance,
        now: Timestamp,
    ) -> Result<Applied, StoreFault> {
        let mut state = self.state();
        let before = self.view();
        let owned = |id: &ObjectId| {
            let row = before
                .directory
                .ordinal_of(id)
                .and_then(|ordinal| before.directory.row(ordinal));
            row.is_some_and(|row| row.source() == source)
        };
        changes.removals.retain(owned);
        self.follow(&mut state, source, changes, None, acceptance, now)
    }

    /// True if the last snapshot of the source had this digest and serves: it need not be read again.
    #[must_use]
    pub fn knows(&self, source: &SourceId, digest: &str) -> bool {
        let state = self.state();
        state.digests.get(source).is_some_and(|known| known == digest)
    }

    /// The source spoke and said nothing new.
    pub fn heard(&self, source: &SourceId, now: Timestamp) {
        let mut state = self.state();
        state.heard.insert(source.clone(), now);
    }

    fn follow(
        &self,
        state: &mut State,
        source: &SourceId,
        mut changes: ChangeSet,
        digest: Option<&str>,
        acceptance: Acceptance,
        now: Timestamp,
    ) -> Result<Applied, StoreFault> {
        let same_digest = digest.is_none_or(|digest| state.digests.get(source).is_some_and(|known| known == digest));
        if changes.is_empty() && state.generation > 0 && same_digest {
            state.heard.insert(source.clone(), now);
            return Ok(Applied::Unchanged);
        }
        let held = match acceptance {
            Acceptance::Guarded => self.loss(state, source, &changes, now),
            Acceptance::Accepted => {
                state.losses.entry(source.clone()).or_default().accept();
                None
            }
        };
        if let Some(loss) = held {
            // The source did speak: what it still holds is known, only its loss is not believed. Who left shortly
            // before comes back, because the same loss in small steps is no better (DESIGN §5).
            state.heard.insert(source.clone(), now);
            changes = self.restored(state, source);
            state.digests.remove(source);
            if !changes.is_empty() {
                let back = Taking {
                    source,
                    changes,
                    digest: Digest::Is(None),
                    passage: Passage::Guarded,
                    locals: None,
                    audit: Vec::new(),
                };
                self.commit(state, back, now)?;
            }
            return Ok(Applied::Held(loss));
        }
        let passage = match state.counts.get(source) {
            None | Some(0) => Passage::FirstLoad,
            Some(_) => Passage::Guarded,
        };
        let taking = Taking {
            source,
            changes,
            digest: Digest::Is(digest),
            passage,
            locals: None,
            audit: Vec::new(),
        };
        let changed = self.commit(state, taking, now)?;
        state.heard.insert(source.clone(), now);
        tracing::info!(
            generation = changed.generation,
            upserts = changed.upserts,
            removals = changed.removals,
            rolls = changed.rolls,
            "directory changed"
        );
        Ok(Applied::Changed(changed))
    }

    fn loss(&self, state: &mut State, source: &SourceId, changes: &ChangeSet, now: Timestamp) -> Option<Loss> {
        let settings = self.settings.load();
        let guard = settings.sources.iter().find(|settings| settings.name == *source)?.guard;
        let serving = state.counts.get(source).copied().unwrap_or(0);
        let staying: HashSet<&ObjectId> = changes.upserts.iter().map(|object| &object.id).collect();
        let leaving = changes.removals.iter().filter(|id| !staying.contains(id));
        let returning = changes.upserts.iter().map(|object| &object.id);
        let window = state.losses.entry(source.clone()).or_default();
        window.judge(guard, serving, leaving, returning, now)
    }

    /// Objects that left within the window, to be put back.
    fn restored(&self, state: &mut State, source: &SourceId) -> ChangeSet {
        let octets = state.losses.entry(source.clone()).or_default().restore();
        let objects = octets.iter().filter_map(|octets| stored::decode(octets).ok());
        ChangeSet {
            upserts: objects.collect(),
            removals: Vec::new(),
        }
    }

    /// Makes the change, stores it and lets it serve.
    pub(super) fn commit(&self, state: &mut State, taking: Taking<'_>, now: Timestamp) -> Result<Changed, StoreFault> {
        let Taking {
            source,
            mut changes,
            digest,
            passage,
            locals,
            audit,
        } = taking;
        let before = self.view();
        let locals = locals.unwrap_or_else(|| state.locals.clone());
        let originals = Originals::overlay(&mut changes, &locals);
        let mut ordinals = Assigning::new(&before.directory, state.ordinal_next);
        let (mut batch, lost) = rows(&before.directory, &changes, &mut ordinals, &passage, now);
        let locals = originals.over(locals);
        batch.life.audit = audit;
        batch.life.decisions = changed_locals(&state.locals, &locals);
        if let Digest::Is(digest) = digest {
            batch.digests.push((source.to_string(), digest.map(str::to_owned)));
        }
        let (upserts, removals) = (changes.upserts.len(), changes.removals.len());
        let ids = identities(&changes);
        let (directory, findings) = before
            .directory
            .apply(changes, &mut ordinals, state.generation + 1, now);
        batch.ordinal_next = ordinals.next();
        let touched = touched(&ids, &before.directory, &directory);
        let counts = counted(&before.directory, &directory, &touched);
        let turned = self.turn(state, directory, batch, &touched, &passage, now)?;
        for (source, difference) in counts {
            let count = state.counts.entry(source).or_default();
            *count = count.saturating_add_signed(difference);
        }
        let window = state.losses.entry(source.clone()).or_default();
        lost.into_iter().for_each(|(id, octets)| window.note(id, octets, now));
        state.locals = locals;
        self.switch_view(&state.locals);
        match digest {
            Digest::Same => {}
            Digest::Is(Some(digest)) => {
                state.digests.insert(source.clone(), digest.to_owned());
            }
            Digest::Is(None) => {
                state.digests.remove(source);
            }
        }
        let view = self.view();
        let named = |group: Ordinal| view.object(group).map(|object| object.primary.to_string());
        let failed = turned.failed.into_iter();
        let held = turned.held.into_iter();
        Ok(Changed {
            generation: turned.generation,
            upserts,
            removals,
            rolls: turned.served.len(),
            findings,
            failed: failed
                .filter_map(|(group, fault)| Some((named(group)?, fault)))
                .collect(),
            held: held
                .filter_map(|(group, limit)| Some((named(group)?, limit.to_string())))
                .collect(),
        })
    }

    /// Lets the switches count that are decided: for groups by their ordinals of today.
    fn switch_view(&self, locals: &Locals) {
        let view = self.view();
        let switched = switched(locals, &view.directory);
        if *view.switched != switched {
            self.view.store(Arc::new(View {
                switched: Arc::new(switched),
                ..(*view).clone()
            }));
        }
    }

    fn turn(
        &self,
        state: &mut State,
        directory: Directory,
        batch: ChangeBatch,
        touched: &RoaringBitmap,
        passage: &Passage,
        now: Timestamp,
    ) -> Result<Turned, StoreFault> {
        let settings = self.settings.load_full();
        let mut turn = Turn::begin(self, state, Some(directory), batch, now);
        let many = touched.len() >= THREADED_CHANGES_MIN;
        let following = Following {
            defaults: &settings.rolls,
            work: PlanOptions {
                now,
                threads: if many { self.threads } else { 1 },
            },
        };
        let computed = turn.computed_view();
        let update = update::follow(&computed, &turn.directory, touched, &turn.state.watch, &following);
        turn.take(update, passage);
        turn.finish()
    }
}

/// What a commit takes.
pub(super) struct Taking<'a> {
    pub(super) source: &'a SourceId,
    pub(super) changes: ChangeSet,
    pub(super) digest: Digest<'a>,
    pub(super) passage: Passage,
    /// Decisions made here from now on; none: those that hold.
    pub(super) locals: Option<Locals>,
    /// Who decided what.
    pub(super) audit: Vec<AuditEntry>,
}

/// What is known about the snapshot that serves.
#[derive(Clone, Copy)]
pub(super) enum Digest<'a> {
    /// The source has not spoken.
    Same,
    /// It has: this is its digest, or none is known.
    Is(Option<&'a str>),
}
