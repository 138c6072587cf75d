//! Due times: what has to be looked at when.

use std::collections::BTreeSet;

use jiff::Timestamp;

/// Things with a due time, earliest first. A thing may be in it more than once; whoever takes it out asks the
/// thing itself whether the time still holds.
#[derive(Clone, Debug)]
pub struct Wheel<T> {
    due: BTreeSet<(Timestamp, T)>,
}

impl<T: Copy + Ord> Wheel<T> {
    /// An empty wheel.
    #[must_use]
    pub fn new() -> Self {
        Self { due: BTreeSet::new() }
    }

    /// Adds a thing.
    pub fn add(&mut self, at: Timestamp, thing: T) {
        self.due.insert((at, thing));
    }

    /// Takes a thing out before its time.
    pub fn remove(&mut self, at: Timestamp, thing: T) {
        self.due.remove(&(at, thing));
    }

    /// The earliest thing that is due at `now`, taken out.
    pub fn pop(&mut self, now: Timestamp) -> Option<T> {
        if self.next()? > now {
            return None;
        }
        self.due.pop_first().map(|(_, thing)| thing)
    }

    /// When the next thing is due.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }
}

impl<T: Copy + Ord> Default for Wheel<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_comes_first_and_nothing_before_its_time() {
        let at = |second| Timestamp::from_second(second).expect("in range");
        let mut wheel = Wheel::new();
        wheel.add(at(30), 3);
        wheel.add(at(10), 1);
        wheel.add(at(20), 2);
        wheel.remove(at(20), 2);
        assert_eq!(wheel.next(), Some(at(10)));
        assert_eq!(wheel.pop(at(9)), None);
        assert_eq!(wheel.pop(at(30)), Some(1));
        assert_eq!(wheel.pop(at(30)), Some(3));
        assert_eq!(wheel.pop(at(30)), None);
    }
}
