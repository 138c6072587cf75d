//! May this roll serve mail now? By its age, its attempts and the group's settings.
//!
//! In: what the table knows, the group's settings, the time. Out: the roll to use, or the reason why none.
//! Never: an empty list in place of one that could not be computed (DESIGN promise 7).

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::roll::Roll;
use super::table::{Attempt, RollEntry};
use crate::directory::GroupSettings;
use crate::directory::group::{RefreshMode, StaleAction};
use crate::track::Reason;

/// How old a roll is, in words.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Freshness {
    /// Known to be right recently enough.
    Fresh,
    /// A rebuild or verification is due; it serves.
    Due,
    /// Older than `max_age`; `on_stale` decides.
    Stale,
    /// The guard holds back what is computed; the list from before serves, whatever its age.
    Guarded,
}

/// How a group's list stands, as operators see it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RollState {
    /// Not computed yet.
    Pending,
    /// Known to be right recently enough.
    Fresh,
    /// A rebuild or verification is due; it serves.
    Due,
    /// Older than `max_age`.
    Stale,
    /// The rule cannot be evaluated; the last good version serves, if there is one.
    Failed,
    /// The guard holds back what is computed.
    Guarded,
}

impl RollState {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Fresh => "fresh",
            Self::Due => "due",
            Self::Stale => "stale",
            Self::Failed => "failed",
            Self::Guarded => "guarded",
        }
    }
}

/// How a group's list stands.
#[must_use]
pub fn state(entry: Option<&RollEntry>, policy: &RollPolicy, now: Timestamp) -> RollState {
    let Some(entry) = entry else {
        return RollState::Pending;
    };
    match (&entry.attempt, &entry.roll) {
        (Some(Attempt::Failed { .. }), _) => RollState::Failed,
        (Some(Attempt::Held { .. }), _) => RollState::Guarded,
        (Some(Attempt::Pending) | None, None) => RollState::Pending,
        (Some(Attempt::Pending) | None, Some(roll)) => match policy.freshness(roll, now) {
            Freshness::Fresh => RollState::Fresh,
            Freshness::Due => RollState::Due,
            Freshness::Stale => RollState::Stale,
            Freshness::Guarded => RollState::Guarded,
        },
    }
}

/// What holds for groups that say nothing themselves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RollDefaults {
    /// When rolls are computed again.
    pub refresh: RefreshMode,
    /// Age beyond which a roll is stale.
    pub max_age: Duration,
    /// What a stale roll means for mail.
    pub on_stale: StaleAction,
    /// With `on-change`, a full verification after this time.
    pub verify_every: Duration,
}

impl Default for RollDefaults {
    fn default() -> Self {
        Self {
            refresh: RefreshMode::OnChange,
            // Two verifications may fail before anybody is told that a list is stale.
            max_age: Duration::from_secs(3 * 24 * 60 * 60),
            on_stale: StaleAction::Serve,
            verify_every: Duration::from_secs(24 * 60 * 60),
        }
    }
}

/// The rules of age for one group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RollPolicy {
    /// Age at which it is due.
    pub due_after: Duration,
    /// Age beyond which it is stale.
    pub max_age: Duration,
    /// What that means for mail.
    pub on_stale: StaleAction,
    /// A directory change rebuilds it at once.
    pub follows_changes: bool,
}

impl RollPolicy {
    /// The group's own settings over the defaults.
    ///
    /// A `max_age` that does not leave room for one interval would make every roll stale before it is due,
    /// so an interval stretches it to twice itself where the group names no age.
    #[must_use]
    pub fn of(settings: Option<&GroupSettings>, defaults: &RollDefaults) -> Self {
        let refresh = settings.and_then(|group| group.refresh).unwrap_or(defaults.refresh);
        let (due_after, follows_changes) = match refresh {
            RefreshMode::OnChange => (defaults.verify_every, true),
            RefreshMode::Interval(interval) => (interval, false),
        };
        let max_age = settings
            .and_then(|group| group.max_age)
            .unwrap_or_else(|| defaults.max_age.max(due_after.saturating_mul(2)));
        Self {
            due_after,
            max_age,
            on_stale: settings.and_then(|group| group.on_stale).unwrap_or(defaults.on_stale),
            follows_changes,
        }
    }

    /// How old a roll is.
    #[must_use]
    pub fn freshness(&self, roll: &Roll, now: Timestamp) -> Freshness {
        let age = Duration::from_secs(roll.age_seconds(now));
        if age > self.max_age {
            Freshness::Stale
        } else if age >= self.due_after {
            Freshness::Due
        } else {
            Freshness::Fresh
        }
    }
}

/// The roll to use.
#[derive(Clone, Copy, Debug)]
pub struct Service<'a> {
    /// The roll.
    pub roll: &'a Arc<Roll>,
    /// How old it is.
    pub freshness: Freshness,
}

/// Why a group cannot be expanded now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unserved {
    /// Never computed, or its rule cannot be evaluated: 451 4.2.4.
    Missing,
    /// Stale and `on_stale = defer`: 451 4.2.4.
    Defer,
    /// Stale and `on_stale = refuse`: 550 5.2.4.
    Refuse,
}

impl Unserved {
    /// The reason as tracked.
    #[must_use]
    pub fn reason(self) -> Reason {
        match self {
            Self::Missing => Reason::RollMissing,
            Self::Defer => Reason::RollStaleDefer,
            Self::Refuse => Reason::RollStaleRefuse,
        }
    }
}

/// The roll that serves mail for a group now.
pub fn serve<'a>(entry: Option<&'a RollEntry>, policy: &RollPolicy, now: Timestamp) -> Result<Service<'a>, Unserved> {
    let roll = entry.and_then(|entry| entry.roll.as_ref()).ok_or(Unserved::Missing)?;
    // What the guard holds is old because it is held: mail reaches it meanwhile (DESIGN §5).
    let held = entry.is_some_and(|entry| matches!(entry.attempt, Some(Attempt::Held { .. })));
    let freshness = if held {
        Freshness::Guarded
    } else {
        policy.freshness(roll, now)
    };
    match (freshness, policy.on_stale) {
        (Freshness::Fresh | Freshness::Due | Freshness::Guarded, _) | (Freshness::Stale, StaleAction::Serve) => {
            Ok(Service { roll, freshness })
        }
        (Freshness::Stale, StaleAction::Defer) => Err(Unserved::Defer),
        (Freshness::Stale, StaleAction::Refuse) => Err(Unserved::Refuse),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::Ordinal;
    use crate::rolls::roll::{Cause, Entries, Provenance};

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(hours * 3_600).expect("a test time")
    }

    fn entry(confirmed_at: Timestamp) -> RollEntry {
        let roll = Roll {
            group: Ordinal(1),
            version: 1,
            entries: Entries::default(),
            subscribers: None,
            provenance: Provenance {
                generation: 1,
                filter_hash: 0,
                computed_at: Timestamp::UNIX_EPOCH,
                confirmed_at,
                cause: Cause::Created,
            },
        };
        RollEntry {
            roll: Some(Arc::new(roll)),
            attempt: None,
        }
    }

    #[test]
    fn age_and_settings_decide() {
        use Freshness::{Due, Fresh, Stale};
        use StaleAction::{Defer, Refuse, Serve};
        // on_stale, age in hours -> answer; due after 24 h, stale after 72 h
        for (on_stale, hours, answer) in [
            (Serve, 0, Ok(Fresh)),
            (Serve, 23, Ok(Fresh)),
            (Serve, 24, Ok(Due)),
            (Refuse, 72, Ok(Due)),
            (Serve, 73, Ok(Stale)),
            (Defer, 73, Err(Unserved::Defer)),
            (Refuse, 73, Err(Unserved::Refuse)),
        ] {
            let settings = GroupSettings {
                on_stale: Some(on_stale),
                ..GroupSettings::default()
            };
            let policy = RollPolicy::of(Some(&settings), &RollDefaults::default());
            let entry = entry(at(0));
            let served = serve(Some(&entry), &policy, at(hours)).map(|service| service.freshness);
            assert_eq!(served, answer, "{on_stale:?} at {hours} h");
        }
    }

    #[test]
    fn a_failed_attempt_serves_the_last_good_version_and_else_nothing() {
        let policy = RollPolicy::of(None, &RollDefaults::default());
        let failed = Some(Attempt::Failed {
            at: at(1),
            fault: "unknown property".into(),
        });
        let mut entry = entry(at(0));
        entry.attempt = failed;
        assert!(serve(Some(&entry), &policy, at(1)).is_ok());
        entry.roll = None;
        assert_eq!(serve(Some(&entry), &policy, at(1)).err(), Some(Unserved::Missing));
        assert_eq!(serve(None, &policy, at(1)).err(), Some(Unserved::Missing));
    }

    #[test]
    fn what_the_guard_holds_serves_whatever_its_age() {
        let settings = GroupSettings {
            on_stale: Some(StaleAction::Refuse),
            ..GroupSettings::default()
        };
        let policy = RollPolicy::of(Some(&settings), &RollDefaults::default());
        let mut entry = entry(at(0));
        assert_eq!(serve(Some(&entry), &policy, at(100)).err(), Some(Unserved::Refuse));
        assert_eq!(state(Some(&entry), &policy, at(100)), RollState::Stale);
        entry.attempt = Some(Attempt::Held { since: at(1) });
        let served = serve(Some(&entry), &policy, at(100)).map(|service| service.freshness);
        assert_eq!(served, Ok(Freshness::Guarded));
        assert_eq!(state(Some(&entry), &policy, at(100)), RollState::Guarded);
    }

    #[test]
    fn every_state_has_its_word() {
        let policy = RollPolicy::of(None, &RollDefaults::default());
        let failed = Attempt::Failed {
            at: at(1),
            fault: "column 9".into(),
        };
        let with = |attempt| RollEntry {
            attempt,
            ..entry(at(0))
        };
        let word = |entry: Option<&RollEntry>, hours| state(entry, &policy, at(hours)).word();
        assert_eq!(word(None, 0), "pending");
        assert_eq!(word(Some(&RollEntry::default()), 0), "pending");
        assert_eq!(word(Some(&with(None)), 1), "fresh");
        assert_eq!(word(Some(&with(Some(Attempt::Pending))), 30), "due");
        assert_eq!(word(Some(&with(None)), 100), "stale");
        assert_eq!(word(Some(&with(Some(failed))), 1), "failed");
    }

    #[test]
    fn a_clock_that_went_back_makes_nothing_stale() {
        let policy = RollPolicy::of(None, &RollDefaults::default());
        let entry = entry(at(100));
        let served = serve(Some(&entry), &policy, at(0)).map(|service| service.freshness);
        assert_eq!(served, Ok(Freshness::Fresh));
    }

    #[test]
    fn an_interval_stretches_the_default_age_but_not_a_stated_one() {
        let week = Duration::from_secs(7 * 24 * 60 * 60);
        let mut settings = GroupSettings {
            refresh: Some(RefreshMode::Interval(week)),
            ..GroupSettings::default()
        };
        assert_eq!(
            RollPolicy::of(Some(&settings), &RollDefaults::default()).max_age,
            2 * week
        );
        settings.max_age = Some(week);
        assert_eq!(RollPolicy::of(Some(&settings), &RollDefaults::default()).max_age, week);
    }
}
