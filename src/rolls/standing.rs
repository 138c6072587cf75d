//! How a group's list stands: what is computed, what the guard lets through, what the pins make of it.
//!
//! In: a newly computed roll, a decision, a pin, the time. Out: the version that serves from now on (if another
//! one), its difference with causes, and the standing to keep. Never: a change of the standing itself before it is
//! stored; an operator's own decision held.
//!
//! ```text
//! computed ──guard──▶ list ──pins──▶ roll that serves
//! ```
//!
//! For a group without pins and hold the three are one [`Roll`], shared. The keeper holds two tables: the computed
//! rolls, which every directory change patches, and those that serve, which views see. [`Settled::computed_serves`]
//! tells when the new version belongs into both, so that their versions agree again.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::guard::{Before, GuardLimits, Guarding, Limit, Window};
use super::history::{Detail, Details, Difference, EntryCause, HistoryFault};
use super::hold::{Blames, Decision, Hold, restricted};
use super::pin::{Pin, Pins};
use super::roll::{Cause, Entries, Provenance, Roll};
use crate::directory::Ordinal;

/// What is kept about a group beside its roll. A group without an entry has [`Standing::default`].
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Standing {
    /// The changes of the last hour.
    pub window: Window,
    /// What the guard holds.
    pub hold: Option<Box<Hold>>,
    /// Who is pinned.
    pub pins: Pins,
}

/// A roll that was computed.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// What serves now.
    pub served: Option<&'a Arc<Roll>>,
    /// What was computed before.
    pub before: Option<&'a Arc<Roll>>,
    /// What is computed now.
    pub after: &'a Arc<Roll>,
    /// From `before` to `after`, with causes.
    pub difference: &'a Difference,
    /// Whether it is measured; usually [`Guarding::of`] its cause.
    pub guarding: Guarding,
    /// The group's limits.
    pub limits: &'a GuardLimits,
    /// The time.
    pub now: Timestamp,
}

/// A new version that serves.
#[derive(Clone, PartialEq, Debug)]
pub struct Served {
    /// It.
    pub roll: Arc<Roll>,
    /// From the version before, for the history.
    pub difference: Difference,
}

/// What became of a hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HoldStep {
    /// There is none and was none, or it stands as it stood.
    None,
    /// The guard holds from now on.
    Began,
    /// The proposal changed.
    Changed,
    /// It ended: accepted, back within its limits, or overtaken by an operator's decision.
    Ended,
}

/// What follows from an event.
#[derive(Clone, PartialEq, Debug)]
pub struct Settled {
    /// The standing to keep once the rest is stored.
    pub standing: Standing,
    /// The version that serves from now on; none: the one that serves goes on.
    pub served: Option<Served>,
    /// True if what serves is what is computed: put it into the table of computed rolls too.
    pub computed_serves: bool,
    /// What became of the hold.
    pub hold: HoldStep,
    /// True if the pins are to be stored anew.
    pub pins_changed: bool,
}

/// There is no hold to decide about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the guard holds nothing for this group")]
pub struct NoHold;

impl Standing {
    /// True if nothing needs to be kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.window.is_empty() && self.hold.is_none() && self.pins.is_empty()
    }

    /// Forgets changes that have left the window. Call it now and then for groups that are quiet.
    #[must_use]
    pub fn tidied(&self, now: Timestamp, window: Duration) -> Self {
        let mut tidied = self.clone();
        tidied.window.prune(now, window);
        tidied
    }

    /// A roll was computed and differs from the one before.
    #[must_use]
    pub fn computed(&self, arrival: &Arrival<'_>) -> Settled {
        let exempt = arrival.guarding == Guarding::Exempt || arrival.before.is_none() || self.lists_switch(arrival);
        if exempt {
            return self.through(Window::default(), arrival);
        }
        match &self.hold {
            Some(hold) => self.while_held(hold, arrival),
            None => self.unheld(arrival),
        }
    }

    fn with(&self, window: Window, hold: Option<Box<Hold>>) -> Self {
        Self {
            window,
            hold,
            pins: self.pins.clone(),
        }
    }

    /// A list of subscribers began or ended: another list decides from now on, which is a setting of the group.
    fn lists_switch(&self, arrival: &Arrival<'_>) -> bool {
        let before = arrival.before.is_some_and(|roll| roll.subscribers.is_some());
        before != arrival.after.subscribers.is_some()
    }

    /// What is computed passes. Without pins and hold it serves as it is, with the difference that came with it.
    fn through(&self, window: Window, arrival: &Arrival<'_>) -> Settled {
        let Arrival {
            served,
            before,
            after,
            difference,
            now,
            ..
        } = *arrival;
        let next = self.with(window, None);
        let straight = match (served, before) {
            (Some(served), Some(before)) => Arc::ptr_eq(served, before) && difference.before == Some(served.version),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        if !straight || self.hold.is_some() || !self.pins.is_empty() {
            return next.serve(self, served, after, &difference.details, None, now);
        }
        Settled {
            standing: next,
            served: Some(Served {
                roll: Arc::clone(after),
                difference: difference.clone(),
            }),
            computed_serves: true,
            hold: HoldStep::None,
            pins_changed: false,
        }
    }

    fn unheld(&self, arrival: &Arrival<'_>) -> Settled {
        let Arrival {
            served,
            after,
            difference,
            limits,
            now,
            ..
        } = *arrival;
        let mut window = self.window.clone();
        window.prune(now, limits.window);
        window.push(difference, after, now);
        window.thin(limits.window);
        let Some(limit) = limits.judge(&window.measure(after.receivers())) else {
            return self.through(window, arrival);
        };
        let back = window.before_the_first(&limit, after).unwrap_or_else(|| {
            // The window does not fit: what was computed until now is the safe answer.
            let before = arrival.before.unwrap_or(after);
            Before {
                version: before.version,
                list: (**before).clone(),
                blames: blames_at(now, &difference.details),
                window: self.window.clone(),
            }
        });
        let hold = propose(&back.list, after, limit, back.version, &back.blames, now);
        let next = self.with(back.window, Some(Box::new(hold)));
        let list = back.list;
        let everybody = [EntryCause::Guarded];
        let mut settled = next.serve(self, served, &list, &[], Some((Cause::Guarded, &everybody)), now);
        settled.hold = HoldStep::Began;
        settled
    }

    fn while_held(&self, hold: &Hold, arrival: &Arrival<'_>) -> Settled {
        let Arrival {
            served,
            after,
            difference,
            limits,
            now,
            ..
        } = *arrival;
        let list = self.list(served, after);
        let mut blames = hold.blames.clone();
        for detail in &difference.details {
            blames.add(now, now, detail);
        }
        // What is left of the proposal counts in the window, so that it cannot be used twice.
        let rest = Difference::between(Some(&list), after, Vec::new());
        let mut window = self.window.clone();
        window.prune(now, limits.window);
        window.push(&rest, after, now);
        window.thin(limits.window);
        if let Some(limit) = limits.judge(&window.measure(after.receivers())) {
            let mut next = propose(&list, after, limit, hold.list_of_version, &blames, hold.since);
            next.rejected = hold.rejected.clone();
            let step = if next == *hold {
                HoldStep::None
            } else {
                HoldStep::Changed
            };
            let next = self.with(self.window.clone(), Some(Box::new(next)));
            return Settled {
                standing: next,
                served: None,
                computed_serves: false,
                hold: step,
                pins_changed: false,
            };
        }
        let next = self.with(window, None);
        let details = blames.of_change(&rest).details();
        let everybody = [EntryCause::Released];
        let mut settled = next.serve(self, served, after, &details, Some((Cause::Released, &everybody)), now);
        settled.hold = HoldStep::Ended;
        settled
    }

    /// The list between guard and pins: what serves, without the pins.
    fn list(&self, served: Option<&Arc<Roll>>, computed: &Arc<Roll>) -> Roll {
        match served {
            Some(served) => on_receivers(served, |entries| self.pins.restore(entries)),
            None => (**computed).clone(),
        }
    }

    /// The proposal becomes the next version.
    pub fn accept(
        &self,
        served: Option<&Arc<Roll>>,
        computed: &Arc<Roll>,
        decision: &Decision,
        now: Timestamp,
    ) -> Result<Settled, NoHold> {
        let hold = self.hold.as_deref().ok_or(NoHold)?;
        let next = self.with(Window::default(), None);
        let accepted = [EntryCause::Accepted {
            by: Arc::clone(&decision.by),
            reason: Arc::clone(&decision.reason),
        }];
        let details = hold.blames.details();
        let cause = Some((Cause::Accepted, accepted.as_slice()));
        let mut settled = next.serve(self, served, computed, &details, cause, now);
        settled.hold = HoldStep::Ended;
        Ok(settled)
    }

    /// The list that serves goes on serving until the proposal is within the limits again, or accepted after all.
    pub fn reject(&self, decision: Decision) -> Result<Settled, NoHold> {
        let mut hold = self.hold.clone().ok_or(NoHold)?;
        hold.rejected = Some(decision);
        Ok(Settled {
            standing: self.with(self.window.clone(), Some(hold)),
            served: None,
            computed_serves: false,
            hold: HoldStep::Changed,
            pins_changed: false,
        })
    }

    /// Pins a person. `computed` is needed for a group whose first version has not served yet.
    #[must_use]
    pub fn pin(&self, served: Option<&Arc<Roll>>, computed: Option<&Arc<Roll>>, pin: Pin, now: Timestamp) -> Settled {
        let cause = pin.cause();
        self.repin(self.pins.with(pin), served, computed, &[cause], now)
    }

    /// Takes a person's pin away.
    #[must_use]
    pub fn unpin(
        &self,
        served: Option<&Arc<Roll>>,
        computed: Option<&Arc<Roll>>,
        object: Ordinal,
        by: &str,
        now: Timestamp,
    ) -> Settled {
        let cause = EntryCause::Unpinned { by: by.into() };
        self.repin(self.pins.without(object), served, computed, &[cause], now)
    }

    /// Ends the pins whose time has come.
    #[must_use]
    pub fn expire(&self, served: Option<&Arc<Roll>>, computed: Option<&Arc<Roll>>, now: Timestamp) -> Settled {
        let (pins, _) = self.pins.expire(now);
        self.repin(pins, served, computed, &[EntryCause::PinEnded], now)
    }

    fn repin(
        &self,
        pins: Pins,
        served: Option<&Arc<Roll>>,
        computed: Option<&Arc<Roll>>,
        causes: &[EntryCause],
        now: Timestamp,
    ) -> Settled {
        let changed = pins != self.pins;
        let next = Self { pins, ..self.clone() };
        let list = match (&self.hold, served, computed) {
            // Without a hold the list is what is computed: no need to tell it from the pinned one.
            (None, Some(_), Some(computed)) => (**computed).clone(),
            (_, Some(served), _) => on_receivers(served, |entries| self.pins.restore(entries)),
            (_, None, _) => {
                return Settled {
                    standing: next,
                    served: None,
                    computed_serves: false,
                    hold: HoldStep::None,
                    pins_changed: changed,
                };
            }
        };
        let mut settled = next.serve(self, served, &list, &[], Some((Cause::Pinned, causes)), now);
        settled.pins_changed |= changed;
        settled
    }

    /// What is computed, told from what serves: how a keeper restores it at start.
    pub fn computed_of(&self, served: &Roll) -> Result<Roll, HistoryFault> {
        let list = on_receivers(served, |entries| self.pins.restore(entries));
        match &self.hold {
            None => Ok(list),
            Some(hold) => {
                let mut proposed = hold.proposed.clone();
                proposed.before = Some(list.version);
                let mut computed = proposed.apply(Some(&list))?;
                computed.version = list.version;
                Ok(computed)
            }
        }
    }

    /// What was computed is the same as before, and so confirmed now; so is what serves, unless the guard holds it.
    #[must_use]
    pub fn confirmed(&self, served: &Arc<Roll>, computed: &Arc<Roll>) -> Arc<Roll> {
        if self.hold.is_some() || served.provenance.confirmed_at >= computed.provenance.confirmed_at {
            return Arc::clone(served);
        }
        let mut confirmed = (**served).clone();
        confirmed.provenance.confirmed_at = computed.provenance.confirmed_at;
        confirmed.provenance.generation = computed.provenance.generation;
        confirmed.provenance.filter_hash = computed.provenance.filter_hash;
        Arc::new(confirmed)
    }

    /// Puts the pins over a list and makes it the next version, if it differs from what serves.
    ///
    /// `details` explain entries of the list; `cause` stands for those they leave unexplained.
    fn serve(
        mut self,
        before: &Self,
        served: Option<&Arc<Roll>>,
        list: &Roll,
        details: &[Detail],
        cause: Option<(Cause, &[EntryCause])>,
        now: Timestamp,
    ) -> Settled {
        self.pins = self.pins.observe(list.receivers());
        let mut roll = on_receivers(list, |entries| self.pins.apply(entries));
        let computed_serves = self.hold.is_none() && self.pins.is_empty();
        let pins_changed = self.pins != before.pins;
        let hold = match (&before.hold, &self.hold) {
            (Some(_), None) => HoldStep::Ended,
            (None, Some(_)) => HoldStep::Began,
            (None, None) | (Some(_), Some(_)) => HoldStep::None,
        };
        let same = served.is_some_and(|served| served.same_entries(&roll.entries, roll.subscribers.as_ref()));
        let version = served.map_or(1, |served| served.version + 1);
        let latest = served.map_or(now, |served| served.provenance.computed_at.max(now));
        roll.version = version;
        roll.provenance = Provenance {
            computed_at: latest,
            confirmed_at: latest,
            cause: cause.map_or(roll.provenance.cause, |(cause, _)| cause),
            ..roll.provenance
        };
        let next = (!same).then(|| {
            let mut difference = Difference::between(served.map(|roll| &**roll), &roll, Vec::new());
            difference.details = explained(details, &difference, cause.map_or(&[], |(_, causes)| causes));
            Served {
                roll: Arc::new(roll),
                difference,
            }
        });
        Settled {
            standing: self,
            served: next,
            computed_serves,
            hold,
            pins_changed,
        }
    }
}

fn blames_at(now: Timestamp, details: &[Detail]) -> Blames {
    let mut blames = Blames::default();
    details.iter().for_each(|detail| blames.add(now, now, detail));
    blames
}

fn propose(list: &Roll, after: &Roll, limit: Limit, version: u64, blames: &Blames, since: Timestamp) -> Hold {
    let proposed = Difference::between(Some(list), after, Vec::new());
    Hold {
        group: after.group,
        since,
        limit,
        list_of_version: version,
        blames: blames.of_change(&proposed),
        proposed,
        rejected: None,
    }
}

/// The roll with another list of receivers.
fn on_receivers(roll: &Roll, change: impl FnOnce(&Entries) -> Entries) -> Roll {
    let mut next = roll.clone();
    match &roll.subscribers {
        Some(subscribers) => next.subscribers = Some(change(subscribers)),
        None => next.entries = change(&roll.entries),
    }
    next
}

/// Details of what really changed, and the general causes for all of it.
fn explained(details: &[Detail], change: &Difference, general: &[EntryCause]) -> Vec<Detail> {
    let mut all = Details::default();
    for detail in details.iter().filter_map(|detail| restricted(detail, change)) {
        all.note_all(detail.cause, &detail.added, &detail.removed);
    }
    let receivers = match &change.subscribers {
        Some(list) => list.change(),
        None => &change.entries,
    };
    for cause in general {
        all.note_all(cause.clone(), &receivers.added, &receivers.removed);
    }
    all.finish()
}

#[cfg(test)]
#[path = "standing_tests.rs"]
mod tests;
