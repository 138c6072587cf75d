//! What operators and owners decide: pins, the guard's holds, rules and lists set here, suspects, a refresh.
//!
//! In: a decision, by whom and why. Out: a turn that carries it out, with an audit entry in the same commit. Never: a
//! decision without an author; a decision held by the guard (who decides has seen what it means).

use std::sync::Arc;

use jiff::Timestamp;

use super::rows::Locals;
use super::take::{Digest, Taking};
use super::turn::{Passage, Turn, Turned};
use super::{Changed, DirectoryKeeper, Ticked};
use crate::directory::{ChangeSet, ObjectId, Ordinal, RecipientObject};
use crate::mail::Mailbox;
use crate::rolls::history::PinAction;
use crate::rolls::hold::{Decision, Hold};
use crate::rolls::local::{Chosen, Cutover, LocalDecision, LocalDecisions, account};
use crate::rolls::pin::{Pin, Pins};
use crate::rolls::standing::{NoHold, Standing};
use crate::rolls::suspect::{Lesson, SuspectChange, Suspects};
use crate::rolls::{Cause, View};
use crate::store::life::{AuditEntry, LifeBatch};
use crate::store::{ChangeBatch, StoreFault};

/// Who decides, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Author {
    /// Who.
    pub by: Arc<str>,
    /// Why, in words; may be empty.
    pub reason: Arc<str>,
}

impl Author {
    fn decision(&self, now: Timestamp) -> Decision {
        Decision {
            by: Arc::clone(&self.by),
            reason: Arc::clone(&self.reason),
            at: now,
        }
    }

    fn entry(&self, what: &str, subject: String, detail: String, now: Timestamp) -> AuditEntry {
        AuditEntry {
            at: now,
            what: what.to_owned(),
            subject,
            by: self.by.to_string(),
            reason: self.reason.to_string(),
            detail,
        }
    }
}

/// Why a decision was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecideFault {
    /// There is no such group any more.
    #[error("there is no such group")]
    NoGroup,
    /// The guard holds nothing for this group.
    #[error(transparent)]
    NoHold(#[from] NoHold),
    /// The person is not pinned in this group.
    #[error("nobody is pinned here under that name")]
    NoPin,
    /// Nothing was decided here about the group.
    #[error("nothing was decided here about this group; its source rules")]
    NothingToUndo,
    /// A Microsoft 365 group keeps its list in the cloud.
    #[error("who belongs to a Microsoft 365 group is decided in the cloud")]
    InTheCloud,
    /// Nothing is known against the address.
    #[error("nothing is known against that address")]
    NoSuspect,
    /// It could not be kept.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

/// What a refresh did.
pub type Refreshed = Ticked;

impl DirectoryKeeper {
    /// The pins of a group.
    #[must_use]
    pub fn pins(&self, group: Ordinal) -> Pins {
        self.standing(group).pins
    }

    /// What the guard holds for a group.
    #[must_use]
    pub fn hold(&self, group: Ordinal) -> Option<Hold> {
        self.standing(group).hold.map(|hold| *hold)
    }

    /// Everything the guard holds, oldest first.
    #[must_use]
    pub fn holds(&self) -> Vec<Hold> {
        let state = self.state();
        let holds = state.standings.values().filter_map(|standing| standing.hold.as_deref());
        let mut holds: Vec<Hold> = holds.cloned().collect();
        holds.sort_by_key(|hold| (hold.since, hold.group));
        holds
    }

    fn standing(&self, group: Ordinal) -> Standing {
        self.state().standings.get(&group).cloned().unwrap_or_default()
    }

    /// Pins a person into a group, or out of it; an earlier pin of the same person is replaced.
    pub fn pin(
        &self,
        group: Ordinal,
        object: Ordinal,
        action: PinAction,
        until: Option<Timestamp>,
        author: &Author,
        now: Timestamp,
    ) -> Result<Turned, DecideFault> {
        let pin = Pin {
            object,
            action,
            reason: Arc::clone(&author.reason),
            by: Arc::clone(&author.by),
            since: now,
            until,
            listed: false,
        };
        let what = match action {
            PinAction::Include => "pin-include",
            PinAction::Exclude => "pin-exclude",
        };
        self.decide(group, now, |turn| {
            let (served, computed) = (turn.served(group), turn.computed(group));
            let settled = turn.standing(group).pin(served.as_ref(), computed.as_ref(), pin, now);
            turn.settle(group, settled);
            let detail = format!(
                "{}{}",
                turn.name_of(object),
                until.map(|until| format!(" until {until}")).unwrap_or_default()
            );
            Ok(author.entry(what, turn.name_of(group), detail, now))
        })
    }

    /// Takes a person's pin away.
    pub fn unpin(
        &self,
        group: Ordinal,
        object: Ordinal,
        author: &Author,
        now: Timestamp,
    ) -> Result<Turned, DecideFault> {
        self.decide(group, now, |turn| {
            let standing = turn.standing(group);
            standing.pins.of(object).ok_or(DecideFault::NoPin)?;
            let (served, computed) = (turn.served(group), turn.computed(group));
            let settled = standing.unpin(served.as_ref(), computed.as_ref(), object, &author.by, now);
            turn.settle(group, settled);
            Ok(author.entry("unpin", turn.name_of(group), turn.name_of(object), now))
        })
    }

    /// Lets what the guard holds serve.
    pub fn accept(&self, group: Ordinal, author: &Author, now: Timestamp) -> Result<Turned, DecideFault> {
        self.decide(group, now, |turn| {
            let computed = turn.computed(group).ok_or(DecideFault::NoGroup)?;
            let (standing, served) = (turn.standing(group), turn.served(group));
            let detail = standing
                .hold
                .as_ref()
                .map(|hold| hold.limit.to_string())
                .unwrap_or_default();
            let settled = standing.accept(served.as_ref(), &computed, &author.decision(now), now)?;
            turn.settle(group, settled);
            Ok(author.entry("guard-accept", turn.name_of(group), detail, now))
        })
    }

    /// The list that serves goes on serving; what is held is no news any more.
    pub fn reject(&self, group: Ordinal, author: &Author, now: Timestamp) -> Result<Turned, DecideFault> {
        self.decide(group, now, |turn| {
            let standing = turn.standing(group);
            let detail = standing
                .hold
                .as_ref()
                .map(|hold| hold.limit.to_string())
                .unwrap_or_default();
            let settled = standing.reject(author.decision(now))?;
            turn.settle(group, settled);
            Ok(author.entry("guard-reject", turn.name_of(group), detail, now))
        })
    }

    /// Runs a decision about one group as a turn; its audit entry is part of the same commit.
    fn decide(
        &self,
        group: Ordinal,
        now: Timestamp,
        act: impl FnOnce(&mut Turn<'_>) -> Result<AuditEntry, DecideFault>,
    ) -> Result<Turned, DecideFault> {
        let mut state = self.state();
        let mut turn = Turn::begin(self, &mut state, None, ChangeBatch::default(), now);
        if turn.directory.group(group).is_none() {
            return Err(DecideFault::NoGroup);
        }
        let entry = act(&mut turn)?;
        turn.batch.life.audit.push(entry);
        Ok(turn.finish()?)
    }

    /// Computes lists anew now.
    pub fn refresh(&self, groups: &[Ordinal], now: Timestamp) -> Result<Refreshed, StoreFault> {
        let mut ticked = Ticked::default();
        let mut state = self.state();
        self.again(&mut state, groups, Cause::Requested, &mut ticked, now)?;
        Ok(ticked)
    }

    /// What was decided here about a group, by its id.
    #[must_use]
    pub fn local(&self, id: &ObjectId) -> LocalDecisions {
        self.state().locals.get(id).cloned().unwrap_or_default()
    }

    /// A group as its source has it, decisions made here left aside.
    #[must_use]
    pub fn as_source_says(&self, group: Ordinal) -> Option<RecipientObject> {
        let view = self.view();
        let object = view.object(group)?;
        let local = self.local(&object.id);
        Some(local.original.map_or_else(|| (*object).clone(), |original| *original))
    }

    /// Sets a group's rule or list here, in place of what its source says.
    pub fn choose(
        &self,
        group: Ordinal,
        chosen: Chosen,
        author: &Author,
        now: Timestamp,
    ) -> Result<Changed, DecideFault> {
        let detail = account(&chosen).to_string();
        self.relocate(group, author, "convert", detail, now, |local, original| {
            let decision = LocalDecision::new(chosen, author.decision(now), original);
            Ok(local.deciding(decision))
        })
    }

    /// Takes the last decision about a group's rule or list back.
    pub fn undo_choice(&self, group: Ordinal, author: &Author, now: Timestamp) -> Result<Changed, DecideFault> {
        self.relocate(group, author, "convert-undo", String::new(), now, |local, _| {
            Ok(local.undone().ok_or(DecideFault::NothingToUndo)?.0)
        })
    }

    /// Switches a group between the service before and this one.
    pub fn switch(
        &self,
        group: Ordinal,
        cutover: Cutover,
        author: &Author,
        now: Timestamp,
    ) -> Result<Changed, DecideFault> {
        let detail = format!("{:?}", cutover.state).to_lowercase();
        self.relocate(group, author, "cutover", detail, now, |local, _| {
            Ok(local.switching(cutover))
        })
    }

    fn relocate(
        &self,
        group: Ordinal,
        author: &Author,
        what: &str,
        detail: String,
        now: Timestamp,
        change: impl FnOnce(&LocalDecisions, &RecipientObject) -> Result<LocalDecisions, DecideFault>,
    ) -> Result<Changed, DecideFault> {
        let original = self.as_source_says(group).ok_or(DecideFault::NoGroup)?;
        if !original.kind.is_group() {
            return Err(DecideFault::NoGroup);
        }
        if original.kind.is_microsoft365_group() {
            return Err(DecideFault::InTheCloud);
        }
        let mut state = self.state();
        let mut locals: Locals = state.locals.clone();
        let local = locals.remove(&original.id).unwrap_or_default();
        let mut next = change(&local, &original)?;
        if !next.is_empty() {
            next.original = Some(Box::new(original.clone()));
            locals.insert(original.id.clone(), next);
        }
        let source = original.source.clone();
        let taking = Taking {
            source: &source,
            changes: ChangeSet::upsert(original.clone()),
            digest: Digest::Same,
            passage: Passage::Decided(author.clone()),
            locals: Some(locals),
            audit: vec![author.entry(what, original.primary.to_string(), detail, now)],
        };
        Ok(self.commit(&mut state, taking, now)?)
    }

    /// What is known against addresses.
    #[must_use]
    pub fn suspects(&self) -> Arc<Suspects> {
        self.suspects.load_full()
    }

    /// Takes what next hops said about recipients. Blocks on the store.
    pub fn learn(&self, lessons: &[Lesson]) -> Result<(), StoreFault> {
        let _writer = self.state();
        let mut suspects = Suspects::clone(&self.suspects.load());
        let mut changes: Vec<SuspectChange> = Vec::new();
        for lesson in lessons {
            if let Some(change) = suspects.learn(lesson) {
                changes.extend(suspects.take(&change));
                changes.push(change);
            }
        }
        if changes.is_empty() {
            return Ok(());
        }
        let life = LifeBatch {
            suspects: changes,
            ..LifeBatch::default()
        };
        self.suspect(suspects, life)
    }

    /// Leaves an address out of every group.
    pub fn suppress(&self, address: &Mailbox, author: &Author, now: Timestamp) -> Result<(), DecideFault> {
        let _writer = self.state();
        let mut suspects = Suspects::clone(&self.suspects.load());
        let change = suspects.suppress(address, author.decision(now));
        suspects.take(&change);
        let life = LifeBatch {
            suspects: vec![change],
            audit: vec![author.entry("suppress", address.to_string(), String::new(), now)],
            ..LifeBatch::default()
        };
        Ok(self.suspect(suspects, life)?)
    }

    /// An address is good again.
    pub fn clear_suspect(&self, address: &Mailbox, author: &Author, now: Timestamp) -> Result<(), DecideFault> {
        let _writer = self.state();
        let mut suspects = Suspects::clone(&self.suspects.load());
        let change = suspects.clear(address).ok_or(DecideFault::NoSuspect)?;
        suspects.take(&change);
        let life = LifeBatch {
            suspects: vec![change],
            audit: vec![author.entry("clear-suspect", address.to_string(), String::new(), now)],
            ..LifeBatch::default()
        };
        Ok(self.suspect(suspects, life)?)
    }

    /// Keeps what is known now; the caller is the writer.
    fn suspect(&self, suspects: Suspects, life: LifeBatch) -> Result<(), StoreFault> {
        self.store.keep(life)?;
        let view = self.view();
        let suppressed = suspects.suppressed(&self.settings.load().suspects, &view.directory);
        self.suspects.store(Arc::new(suspects));
        if *view.suppressed != suppressed {
            self.view.store(Arc::new(View {
                suppressed: Arc::new(suppressed),
                ..(*view).clone()
            }));
        }
        Ok(())
    }
}
