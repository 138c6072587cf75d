//! Guard: a load that loses a large part of its objects is held until an operator accepts it.
//!
//! In: the ids that serve now and those of a new load. Out: pass, or what would be lost. Never: a judgement
//! about growth or single groups; nothing is changed here.

use std::collections::HashSet;

use crate::directory::recipient::ObjectId;

/// Most lost objects named in a verdict; the rest is counted.
pub const EXAMPLES_MAX: usize = 20;

/// Bounds of what may be lost in one load. Both must be exceeded for a load to be held: a share alone would hold
/// every change of a small organisation, a count alone every month's leavers of a large one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuardSettings {
    /// Percent of the objects that serve now.
    pub share_percent: u32,
    /// Objects.
    pub count: u32,
}

impl Default for GuardSettings {
    fn default() -> Self {
        Self {
            share_percent: 20,
            count: 10,
        }
    }
}

/// What the guard says about a load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GuardVerdict {
    /// It may serve.
    Pass,
    /// It waits for `muster reload --accept`.
    Held(Loss),
}

/// What a load would lose.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the load loses {lost} of {of} objects, more than {share_percent} % and more than {count}")]
pub struct Loss {
    /// Objects that serve now and are not in the load.
    pub lost: usize,
    /// Objects that serve now.
    pub of: usize,
    /// The bound that was exceeded.
    pub share_percent: u32,
    /// The other bound that was exceeded.
    pub count: u32,
    /// The first of the lost, in order of their ids; at most [`EXAMPLES_MAX`].
    pub examples: Vec<ObjectId>,
}

/// Judges a load against what serves now. An object that is deleted in its source counts as lost: leave it out of
/// `next`. Before the first load nothing serves and everything passes.
#[must_use]
pub fn judge<'a>(
    settings: GuardSettings,
    serving: impl IntoIterator<Item = &'a ObjectId>,
    next: impl IntoIterator<Item = &'a ObjectId>,
) -> GuardVerdict {
    let next: HashSet<&ObjectId> = next.into_iter().collect();
    let mut of = 0_usize;
    let mut lost: Vec<&ObjectId> = Vec::new();
    for id in serving {
        of += 1;
        if !next.contains(id) {
            lost.push(id);
        }
    }
    let count = u64::try_from(lost.len()).unwrap_or(u64::MAX);
    let share_exceeded = count.saturating_mul(100) > widened(of).saturating_mul(u64::from(settings.share_percent));
    if !share_exceeded || count <= u64::from(settings.count) {
        return GuardVerdict::Pass;
    }
    let total = lost.len();
    lost.sort_unstable();
    GuardVerdict::Held(Loss {
        lost: total,
        of,
        share_percent: settings.share_percent,
        count: settings.count,
        examples: lost.into_iter().take(EXAMPLES_MAX).cloned().collect(),
    })
}

fn widened(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(range: std::ops::Range<u32>) -> Vec<ObjectId> {
        range.map(|number| ObjectId::new(format!("{number:05}"))).collect()
    }

    #[test]
    fn both_bounds_must_be_exceeded() {
        // (serving, kept, held)
        for (of, kept, held) in [
            (0, 0, false),
            (40, 20, true),
            (40, 40, false),
            (5, 0, false),  // all are lost, but only five
            (10, 0, false), // ten is not more than ten
            (11, 0, true),
            (100, 80, false), // 20 % is not more than 20 %
            (100, 79, true),
            (10_000, 9_000, false), // many, but a tenth
            (10_000, 7_999, true),
        ] {
            let verdict = judge(GuardSettings::default(), &ids(0..of), &ids(0..kept));
            assert_eq!(verdict != GuardVerdict::Pass, held, "{kept} of {of}: {verdict:?}");
        }
    }

    #[test]
    fn exchanged_objects_are_lost_ones() {
        let GuardVerdict::Held(loss) = judge(GuardSettings::default(), &ids(0..50), &ids(50..200)) else {
            panic!("as many objects, but others")
        };
        assert_eq!((loss.lost, loss.of, loss.examples.len()), (50, 50, EXAMPLES_MAX));
        assert_eq!(loss.examples[0].as_str(), "00000");
        assert_eq!(
            loss.to_string(),
            "the load loses 50 of 50 objects, more than 20 % and more than 10"
        );
    }
}
