//! Storms of replies to all, as passes meet them: who runs into a brake, what is counted, who is told.
//!
//! In: candidates and their expansions. Out: brakes, kept before the commit of the reply that brought them on, and one
//! letter per brake. Never: a count of what was not taken; a letter per message; a brake that a restart forgets.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use jiff::Timestamp;
use tokio::sync::{Notify, watch};

use super::hold_letters::shown;
use super::pass::{Candidate, Moment};
use super::report::{About, push_report};
use super::{Categorizer, Organisation};
use crate::directory::group::StormAction;
use crate::directory::{ObjectId, RecipientObject};
use crate::expansion::{Expansion, Judged, Verdict};
use crate::mail::ReversePath;
use crate::mail::report::{BrakeWords, Notice};
use crate::policy::stop::Stop;
use crate::policy::storm::{self, Brake, Braked, Fate, Reply, Storms, Watched};
use crate::rolls::View;
use crate::spool::message::Outcome;
use crate::store::StoreFault;
use crate::store::stops::{SharedStopStore, StopState};
use crate::track::{HoldCause, ReportKind};

/// How long brakes and stops that are over are kept, for those who ask what happened.
const OVER_KEPT: jiff::SignedDuration = jiff::SignedDuration::from_hours(30 * 24);

/// What holds mail back for a while: brakes of storms, and operators' stops.
#[derive(Debug)]
pub(super) struct Brakes {
    storms: Mutex<Storms>,
    /// Operators' stops, on or over. Copies are handed over under its read lock: whoever has written it finds every
    /// copy either in the queue or held back.
    pub(super) stops: RwLock<Vec<Stop>>,
    pub(super) stops_changed: Notify,
    store: OnceLock<StoreHandle>,
    changed: watch::Sender<u64>,
}

/// A store; shown by its name only.
struct StoreHandle(SharedStopStore);

impl std::fmt::Debug for StoreHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StopStore")
    }
}

impl Default for Brakes {
    fn default() -> Self {
        Self {
            storms: Mutex::default(),
            stops: RwLock::default(),
            stops_changed: Notify::new(),
            store: OnceLock::new(),
            changed: watch::Sender::new(0),
        }
    }
}

impl Brakes {
    pub(super) fn storms(&self) -> MutexGuard<'_, Storms> {
        self.storms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn store(&self) -> Option<&SharedStopStore> {
        self.store.get().map(|handle| &handle.0)
    }

    fn keep(&self, brake: &Brake) {
        let kept = self.store().map_or(Ok(()), |store| store.keep_brake(brake));
        if let Err(fault) = kept {
            tracing::error!(%fault, thread = %brake.thread, "a brake could not be kept: it is on until a restart");
        }
    }

    fn note_change(&self) {
        let changes = self.storms().changes();
        self.changed.send_if_modified(|known| {
            let is_new = *known != changes;
            *known = changes;
            is_new
        });
    }
}

impl Categorizer {
    /// Takes up the brakes and stops that were kept, and keeps further ones there. Once, before mail is taken.
    pub fn keep_stops(&self, store: SharedStopStore) -> Result<(), StoreFault> {
        let before = self.now().checked_sub(OVER_KEPT).unwrap_or(Timestamp::MIN);
        store.forget(before)?;
        let StopState { brakes, stops, .. } = store.load()?;
        self.brakes.storms().restore(brakes);
        *self.brakes.stops.write().unwrap_or_else(PoisonError::into_inner) = stops;
        // A second store cannot be given: it is called once.
        let _ = self.brakes.store.set(StoreHandle(store));
        Ok(())
    }

    /// Threads with replies that are counted now, the last reply first.
    #[must_use]
    pub fn watched(&self) -> Vec<Watched> {
        self.brakes.storms().watched(self.now())
    }

    /// Changes of what [`Categorizer::watched`] tells.
    #[must_use]
    pub fn watched_changes(&self) -> watch::Receiver<u64> {
        self.brakes.changed.subscribe()
    }

    /// Ends the brakes of a thread, of one group or of all; returns those that were on.
    pub fn lift_brakes(&self, thread: &str, group: Option<&ObjectId>, by: &str) -> Vec<Brake> {
        let now = self.now();
        let mut storms = self.brakes.storms();
        let on = |watched: &Watched| {
            &*watched.thread == thread
                && group.is_none_or(|group| watched.group == *group)
                && watched.brake.as_ref().is_some_and(|brake| brake.is_on(now))
        };
        let groups: Vec<ObjectId> = storms
            .watched(now)
            .into_iter()
            .filter(on)
            .map(|each| each.group)
            .collect();
        let lifted: Vec<Brake> = groups
            .iter()
            .filter_map(|group| storms.lift(thread, group, by, now))
            .collect();
        drop(storms);
        for brake in &lifted {
            tracing::info!(thread = %brake.thread, group = %brake.address, by, "a brake was lifted");
            self.brakes.keep(brake);
        }
        self.brakes.note_change();
        lifted
    }

    /// The brake that a message runs into at a group.
    pub fn braked(&self, head: &crate::mail::header::HeaderFacts, group: &ObjectId) -> Option<Braked> {
        if !head.thread.is_reply() {
            return None;
        }
        self.brakes.storms().braked(&head.thread, group, self.now())
    }

    /// Counts a reply to all that was taken; a brake that it brings on is told in the same commit.
    pub(super) fn note_replies(
        &self,
        candidate: &Candidate,
        expansion: &Expansion,
        view: &View,
        organisation: &Organisation,
        made: Option<&mut Outcome>,
    ) {
        if !candidate.head.thread.is_reply() {
            return;
        }
        let refused = made.is_none();
        let mut brought = Vec::new();
        for judged in &expansion.judged {
            let object = judged.object.and_then(|ordinal| view.object(ordinal));
            let (Some(group), Some(fate)) = (object, fate(judged, expansion, refused)) else {
                continue;
            };
            let rules = organisation.rules.storm.of(&group);
            if !rules.watches(&group, view) {
                continue;
            }
            let reply = Reply {
                thread: &candidate.head.thread,
                message: candidate.id,
                group: &group.id,
                address: &group.primary,
                fate,
                at: candidate.received_at,
            };
            let brake = self.brakes.storms().note(&reply, &rules);
            brought.extend(brake.map(|brake| (brake, group)));
        }
        if let Some(made) = made {
            for (brake, group) in brought {
                self.bring_on(brake, &group, candidate, view, organisation, made);
            }
        }
        self.brakes.note_change();
    }

    /// Keeps a brake and tells of it.
    fn bring_on(
        &self,
        mut brake: Brake,
        group: &RecipientObject,
        candidate: &Candidate,
        view: &View,
        organisation: &Organisation,
        made: &mut Outcome,
    ) {
        brake.told = storm::deciders(group, view, &organisation.rules.postmaster);
        self.brakes.storms().told(&brake);
        self.brakes.keep(&brake);
        tracing::warn!(
            thread = %brake.thread,
            group = %brake.address,
            replies = brake.replies,
            seconds = brake.seconds,
            until = %brake.until,
            action = brake.action.word(),
            "a storm of replies to all is braked"
        );
        let about = About::candidate(candidate);
        let words = BrakeWords {
            group: &brake.address,
            thread: &brake.thread,
            replies: brake.replies,
            minutes: brake.seconds.div_ceil(60),
            until: shown(brake.until, &organisation.moderation.zone),
            holds: brake.action == StormAction::Hold,
        };
        for to in &brake.told {
            let letter = Notice::ThreadBraked { brake: &words };
            let report = self.notice(&about, to, ReportKind::Owner, &letter);
            let path = ReversePath::Mailbox(to.clone());
            push_report(made, candidate.id, &path, ReportKind::Owner, report, self.now());
        }
    }
}

/// What became of a reply at one addressed group; none if the group did not let it in for another reason.
fn fate(judged: &Judged, expansion: &Expansion, refused: bool) -> Option<Fate> {
    match &judged.verdict {
        Verdict::Accepted => Some(Fate::Passed),
        Verdict::Held => {
            let own = |hold: &&crate::expansion::NewHold| hold.addressed == judged.addressed && hold.path.is_empty();
            let hold = expansion.holds.iter().find(own)?;
            match hold.cause {
                HoldCause::Storm if refused => Some(Fate::Deferred),
                HoldCause::Storm => Some(Fate::Held),
                // It goes on as soon as its sender says that he means it.
                HoldCause::Confirmation => Some(Fate::Passed),
                HoldCause::Moderation | HoldCause::LargeGroup | HoldCause::Quarantine | HoldCause::Content => None,
            }
        }
        Verdict::Refused(_) | Verdict::Discarded(_) => None,
    }
}

/// True if the client is told to come again later: every addressed recipient is a group whose brake says so. If some
/// are not, their copies go now, and coming again would double them: the others wait for a moderator instead.
pub(super) fn comes_again(expansion: &Expansion, moment: Moment) -> bool {
    let deferred = |judged: &Judged| {
        let own = |hold: &crate::expansion::NewHold| {
            let braked = hold.braked.as_ref();
            let defers = braked.is_some_and(|braked| braked.action == StormAction::Defer);
            hold.addressed == judged.addressed && defers
        };
        judged.verdict == Verdict::Held && expansion.holds.iter().any(own)
    };
    moment == Moment::BeforeReply
        && expansion.halt.is_none()
        && !expansion.judged.is_empty()
        && expansion.judged.iter().all(deferred)
}
