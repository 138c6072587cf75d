//! Guard: a source that loses a large part of its objects within a window is held until an operator accepts it.
//!
//! In: what one change set of a source would remove, and what it removed a short while ago. Out: pass, or what
//! would be lost altogether. Never: a judgement about growth or about single groups (`rolls` has its own guard).
//!
//! Leavers arrive one by one: a source that is emptied in a hundred small steps loses as much as one that is
//! emptied at once, so losses are added up over a sliding window (DESIGN §5). When the window trips, what it saw
//! leaving comes back with [`LossWindow::restore`].

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::directory::recipient::ObjectId;

/// Most lost objects named in a verdict; the rest is counted.
pub const EXAMPLES_MAX: usize = 20;

/// Bounds of what may be lost within the window. Both must be exceeded for a load to be held: a share alone would
/// hold every change of a small organisation, a count alone every month's leavers of a large one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuardSettings {
    /// Percent of the objects the source had at the beginning of the window.
    pub share_percent: u32,
    /// Objects.
    pub count: u32,
    /// How long losses are added up. Zero: every load is judged by itself.
    pub window: Duration,
}

impl Default for GuardSettings {
    fn default() -> Self {
        Self {
            share_percent: 20,
            count: 10,
            window: Duration::from_secs(60 * 60),
        }
    }
}

/// What a load would lose, earlier losses of the window included.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the load loses {lost} of {of} objects{earlier}, more than {share_percent} % and more than {count}", earlier = earlier(*.before))]
pub struct Loss {
    /// Objects lost within the window.
    pub lost: usize,
    /// Those of them that were lost before this load.
    pub before: usize,
    /// Objects at the beginning of the window.
    pub of: usize,
    /// The bound that was exceeded.
    pub share_percent: u32,
    /// The other bound that was exceeded.
    pub count: u32,
    /// The first of the lost, in order of their ids; at most [`EXAMPLES_MAX`].
    pub examples: Vec<ObjectId>,
}

fn earlier(before: usize) -> String {
    if before == 0 {
        String::new()
    } else {
        format!(" ({before} of them shortly before)")
    }
}

/// An object that left, kept so that it can come back.
#[derive(Debug, Clone)]
struct Lost {
    at: Timestamp,
    id: ObjectId,
    /// The object as the store writes it.
    octets: Box<[u8]>,
}

/// What one source lost lately.
///
/// Bound: no more than the guard lets pass, because more trips it and empties the window.
#[derive(Debug, Clone, Default)]
pub struct LossWindow {
    lost: VecDeque<Lost>,
}

impl LossWindow {
    /// Judges a change set that removes `leaving` from a source with `serving` objects.
    ///
    /// An object that left in the window and is among `returning` counts no more.
    pub fn judge<'a>(
        &mut self,
        settings: GuardSettings,
        serving: usize,
        leaving: impl IntoIterator<Item = &'a ObjectId>,
        returning: impl IntoIterator<Item = &'a ObjectId>,
        now: Timestamp,
    ) -> Option<Loss> {
        self.forget(settings, now);
        if !self.lost.is_empty() {
            let returning: HashSet<&ObjectId> = returning.into_iter().collect();
            self.lost.retain(|lost| !returning.contains(&lost.id));
        }
        let mut all: Vec<&ObjectId> = leaving.into_iter().collect();
        if all.is_empty() {
            // Nothing leaves now; what left before has been judged.
            return None;
        }
        let before = self.lost.len();
        all.extend(self.lost.iter().map(|lost| &lost.id));
        let of = serving + before;
        let lost = all.len();
        let share = widened(lost).saturating_mul(100) > widened(of).saturating_mul(u64::from(settings.share_percent));
        if !share || widened(lost) <= u64::from(settings.count) {
            return None;
        }
        all.sort_unstable();
        Some(Loss {
            lost,
            before,
            of,
            share_percent: settings.share_percent,
            count: settings.count,
            examples: all.into_iter().take(EXAMPLES_MAX).cloned().collect(),
        })
    }

    /// Remembers an object that left, in the form in which it can come back.
    pub fn note(&mut self, id: ObjectId, octets: Box<[u8]>, now: Timestamp) {
        self.lost.push_back(Lost { at: now, id, octets });
    }

    /// Everything that left in the window, to be put back; the window is empty afterwards.
    pub fn restore(&mut self) -> Vec<Box<[u8]>> {
        self.lost.drain(..).map(|lost| lost.octets).collect()
    }

    /// An operator has accepted the losses: the window begins anew.
    pub fn accept(&mut self) {
        self.lost.clear();
    }

    fn forget(&mut self, settings: GuardSettings, now: Timestamp) {
        let window = SignedDuration::try_from(settings.window).unwrap_or(SignedDuration::MAX);
        while let Some(first) = self.lost.front()
            && now.duration_since(first.at) >= window
        {
            self.lost.pop_front();
        }
    }
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

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a test time")
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
            let leaving = ids(kept..of);
            let loss = LossWindow::default().judge(GuardSettings::default(), of as usize, &leaving, [], at(0));
            assert_eq!(loss.is_some(), held, "{kept} of {of}: {loss:?}");
        }
    }

    #[test]
    fn a_loss_says_how_large_it_is() {
        let leaving = ids(0..50);
        let loss = LossWindow::default()
            .judge(GuardSettings::default(), 50, &leaving, [], at(0))
            .expect("as many objects as there are");
        assert_eq!((loss.lost, loss.of, loss.examples.len()), (50, 50, EXAMPLES_MAX));
        assert_eq!(loss.examples[0].as_str(), "00000");
        assert_eq!(
            loss.to_string(),
            "the load loses 50 of 50 objects, more than 20 % and more than 10"
        );
    }

    /// Takes people out one at a time, a minute apart, until the guard trips; how many had left by then.
    fn drain(settings: GuardSettings, people: u32, seconds_apart: i64) -> Option<(u32, Loss, usize)> {
        let mut window = LossWindow::default();
        for (step, id) in ids(0..people).into_iter().enumerate() {
            let serving = people as usize - step;
            let now = at(step as i64 * seconds_apart);
            if let Some(loss) = window.judge(settings, serving, [&id], [], now) {
                return Some((step as u32, loss, window.restore().len()));
            }
            window.note(id, Box::default(), now);
        }
        None
    }

    #[test]
    fn leavers_one_by_one_add_up() {
        let (step, loss, back) = drain(GuardSettings::default(), 100, 60).expect("held");
        assert_eq!((step, loss.lost, loss.before, loss.of, back), (20, 21, 20, 100, 20));
        assert_eq!(
            loss.to_string(),
            "the load loses 21 of 100 objects (20 of them shortly before), more than 20 % and more than 10"
        );
    }

    #[test]
    fn slow_leaving_is_not_held() {
        // One in eight minutes: at most eight within an hour.
        assert!(drain(GuardSettings::default(), 100, 480).is_none());
    }

    #[test]
    fn who_comes_back_is_not_lost() {
        let mut window = LossWindow::default();
        for id in ids(0..20) {
            window.note(id, Box::default(), at(0));
        }
        let back = ids(0..20);
        let leaving = ids(20..30);
        let loss = window.judge(GuardSettings::default(), 100, &leaving, &back, at(60));
        assert_eq!(loss, None);
        let loss = window.judge(GuardSettings::default(), 80, &ids(40..80), [], at(60));
        assert_eq!(loss.map(|loss| loss.before), Some(0));
    }
}
