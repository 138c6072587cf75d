//! When a list changes by time alone: pins that end, rules that ask for the date.
//!
//! In: the next instant per group and reason. Out: who is due, and how long to sleep. Never: a clock of its own.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use crate::directory::Ordinal;

/// What will change then.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Alarm {
    /// A pin ends.
    Pin,
    /// The rule gives another answer.
    Rule,
}

/// The next instant of each group. Setting, taking away and asking cost a search among those that are set.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    order: BTreeSet<(Timestamp, Ordinal, Alarm)>,
    at: HashMap<(Ordinal, Alarm), Timestamp>,
}

impl Clock {
    /// Sets a group's next instant, or takes it away.
    pub fn set(&mut self, group: Ordinal, alarm: Alarm, at: Option<Timestamp>) {
        let before = match at {
            Some(at) => self.at.insert((group, alarm), at),
            None => self.at.remove(&(group, alarm)),
        };
        if let Some(before) = before {
            self.order.remove(&(before, group, alarm));
        }
        if let Some(at) = at {
            self.order.insert((at, group, alarm));
        }
    }

    /// Forgets a group that is gone.
    pub fn forget(&mut self, group: Ordinal) {
        self.set(group, Alarm::Pin, None);
        self.set(group, Alarm::Rule, None);
    }

    /// The next instant of all.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        self.order.first().map(|(at, _, _)| *at)
    }

    /// A group's next instant.
    #[must_use]
    pub fn of(&self, group: Ordinal, alarm: Alarm) -> Option<Timestamp> {
        self.at.get(&(group, alarm)).copied()
    }

    /// Whose instant has come, in the order of time. They stay set until they are set anew.
    pub fn due(&self, now: Timestamp) -> impl Iterator<Item = (Ordinal, Alarm)> {
        self.order
            .iter()
            .take_while(move |(at, _, _)| *at <= now)
            .map(|(_, group, alarm)| (*group, *alarm))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_due_follows_the_time() {
        let time = |second| Timestamp::from_second(second).expect("a test time");
        let (one, two) = (Ordinal(1), Ordinal(2));
        let mut clock = Clock::default();
        assert_eq!(clock.next(), None);
        clock.set(one, Alarm::Pin, Some(time(50)));
        clock.set(one, Alarm::Rule, Some(time(20)));
        clock.set(two, Alarm::Rule, Some(time(20)));
        clock.set(two, Alarm::Rule, Some(time(30)));
        assert_eq!(clock.next(), Some(time(20)));
        let due = |clock: &Clock, second| clock.due(time(second)).collect::<Vec<_>>();
        assert_eq!(due(&clock, 19), []);
        assert_eq!(due(&clock, 20), [(one, Alarm::Rule)]);
        assert_eq!(
            due(&clock, 60),
            [(one, Alarm::Rule), (two, Alarm::Rule), (one, Alarm::Pin)]
        );
        clock.set(one, Alarm::Rule, None);
        assert_eq!(clock.next(), Some(time(30)));
        clock.forget(one);
        assert_eq!(due(&clock, 60), [(two, Alarm::Rule)]);
        assert_eq!(clock.of(two, Alarm::Rule), Some(time(30)));
    }
}
