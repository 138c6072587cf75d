//! Guard: a list that shrinks or grows too much within a window waits for an operator.
//!
//! In: the changes of the last hour, the limits. Out: pass, or which limit was broken and by how much. Never: many
//! small changes that together get past a limit; a hold because of an operator's own decision.
//!
//! Measured are distinct entries that can receive mail: *lost* are those that were in some version of the window and
//! are not in the newest; *grown* are those in the newest that were not in every version. Lost is a share of the
//! largest version before the newest, grown of the smallest. A limit is broken when its share **and** its count are
//! exceeded: a share alone would hold every change of a small group, a count alone every ordinary day of a large
//! one. Exactly at a limit passes.
//!
//! Not held are: a new group, the first load of a source, and what an operator decided or accepted. Each of them
//! begins the window anew.

mod window;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::roll::Cause;
use crate::directory::GroupSettings;
pub use window::{Before, WINDOW_MARKS_MAX, Window};

/// Bounds of what a list may lose or gain within a window.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GuardLimits {
    /// Percent of the largest version that may go.
    pub shrink_share_percent: u32,
    /// Entries that may go, whatever their share.
    pub shrink_count: u32,
    /// Percent of the smallest version that may come.
    pub growth_share_percent: u32,
    /// Entries that may come, whatever their share.
    pub growth_count: u32,
    /// How long changes are counted together.
    pub window: Duration,
}

impl Default for GuardLimits {
    fn default() -> Self {
        Self {
            shrink_share_percent: 20,
            shrink_count: 10,
            // More than twice as many, and more than a department: a filter that lost a clause.
            growth_share_percent: 100,
            growth_count: 100,
            window: Duration::from_secs(60 * 60),
        }
    }
}

impl GuardLimits {
    /// The group's own limits over these.
    #[must_use]
    pub fn of(self, group: Option<&GroupSettings>) -> Self {
        let Some(own) = group.and_then(|group| group.guard.as_deref()) else {
            return self;
        };
        Self {
            shrink_share_percent: own.shrink_share_percent.unwrap_or(self.shrink_share_percent),
            shrink_count: own.shrink_count.unwrap_or(self.shrink_count),
            growth_share_percent: own.growth_share_percent.unwrap_or(self.growth_share_percent),
            growth_count: own.growth_count.unwrap_or(self.growth_count),
            window: own.window.unwrap_or(self.window),
        }
    }

    /// Which limit a measure breaks, if any; shrinking is named first.
    #[must_use]
    pub fn judge(&self, measure: &Measure) -> Option<Limit> {
        let exceeds = |count: u64, of: u64, share: u32, bound: u32| {
            count > u64::from(bound) && u128::from(count) * 100 > u128::from(of) * u128::from(share)
        };
        if exceeds(
            measure.lost,
            measure.largest,
            self.shrink_share_percent,
            self.shrink_count,
        ) {
            return Some(Limit::Shrink {
                lost: measure.lost,
                of: measure.largest,
                share_percent: self.shrink_share_percent,
                count: self.shrink_count,
            });
        }
        exceeds(
            measure.grown,
            measure.smallest,
            self.growth_share_percent,
            self.growth_count,
        )
        .then_some(Limit::Growth {
            grown: measure.grown,
            of: measure.smallest,
            share_percent: self.growth_share_percent,
            count: self.growth_count,
        })
    }
}

/// How far a list moved within a window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Measure {
    /// Entries that were there and are not.
    pub lost: u64,
    /// Size of the largest version before the newest.
    pub largest: u64,
    /// Entries that are there and were not always.
    pub grown: u64,
    /// Size of the smallest version before the newest.
    pub smallest: u64,
}

/// The limit that was broken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// Too many would go.
    #[error("would remove {lost} of {of} ({}%, limit {share_percent}% and {count})", percent(*.lost, *.of))]
    Shrink {
        /// Entries that would go.
        lost: u64,
        /// Size of the largest version of the window.
        of: u64,
        /// The share that was exceeded.
        share_percent: u32,
        /// The count that was exceeded.
        count: u32,
    },
    /// Too many would come.
    #[error("would add {grown} to {of} ({}%, limit {share_percent}% and {count})", percent(*.grown, *.of))]
    Growth {
        /// Entries that would come.
        grown: u64,
        /// Size of the smallest version of the window.
        of: u64,
        /// The share that was exceeded.
        share_percent: u32,
        /// The count that was exceeded.
        count: u32,
    },
}

/// Rounded to the nearest; a part of nothing counts as a hundred.
fn percent(part: u64, of: u64) -> u64 {
    (part * 100 + of / 2).checked_div(of).unwrap_or(100)
}

/// Whether a new version is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Guarding {
    /// It is.
    Guarded,
    /// An operator decided it, or there is nothing to compare with: the window begins anew.
    Exempt,
}

impl Guarding {
    /// What the cause of a version says.
    #[must_use]
    pub fn of(cause: Cause) -> Self {
        match cause {
            Cause::Created | Cause::FirstLoad | Cause::Accepted | Cause::Decided => Self::Exempt,
            Cause::GroupChanged
            | Cause::DirectoryChanged
            | Cause::Scheduled
            | Cause::Requested
            | Cause::Pinned
            | Cause::Clock
            | Cause::Guarded
            | Cause::Released
            | Cause::Repaired => Self::Guarded,
        }
    }
}
