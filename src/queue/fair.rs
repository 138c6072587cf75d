//! Whose turn it is: deficit round robin over senders or groups, then over messages; the cost is recipients.
//!
//! A ring gives each member credit in turn; who has credit is served and charged, and may go into debt for a
//! batch larger than its credit. Debts are worked off while the others are served, so over time everybody gets
//! the same number of recipients through, however they are cut into batches. A flow of high priority gets four times
//! as much and comes first when it joins; one of low priority gets a quarter, but always something.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use crate::mail::Priority;

/// Recipients that a turn is worth.
const QUANTUM: i64 = 20;

fn quantum(priority: Priority) -> i64 {
    match priority {
        Priority::High => QUANTUM * 4,
        Priority::Normal => QUANTUM,
        Priority::Low => QUANTUM / 4,
    }
}

/// May a waiting item be served now?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    /// Yes.
    Take,
    /// Not now; it is passed over and waits on.
    Later,
}

/// What a served item does next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Then {
    /// It has more to send and waits again.
    Waits,
    /// Nothing of it waits any more.
    Leaves,
}

#[derive(Clone, Copy, Debug)]
struct Member<K> {
    key: K,
    credit: i64,
    /// What a round is worth to it.
    quantum: i64,
}

#[derive(Clone, Debug)]
struct Ring<K> {
    members: VecDeque<Member<K>>,
}

impl<K: Copy + Eq> Ring<K> {
    fn new() -> Self {
        Self {
            members: VecDeque::new(),
        }
    }

    fn join(&mut self, key: K, priority: Priority) {
        let quantum = quantum(priority);
        let member = Member {
            key,
            credit: quantum,
            quantum,
        };
        match priority {
            Priority::High => self.members.push_front(member),
            Priority::Normal | Priority::Low => self.members.push_back(member),
        }
    }

    fn leave(&mut self, member: K) {
        if let Some(index) = self.members.iter().position(|known| known.key == member) {
            self.members.remove(index);
        }
    }

    /// Brings the member whose turn it is to the front. Rounds in which nobody has credit are made at once.
    fn choose(&mut self, mut turn: impl FnMut(K) -> Turn) -> Option<K> {
        let mut best: Option<(usize, i64)> = None;
        for (index, member) in self.members.iter().enumerate() {
            // Rounds until it has credit.
            let rounds = if member.credit > 0 {
                0
            } else {
                -member.credit / member.quantum + 1
            };
            if best.is_some_and(|(_, known)| known <= rounds) || turn(member.key) == Turn::Later {
                continue;
            }
            best = Some((index, rounds));
            if rounds == 0 {
                break;
            }
        }
        let (index, rounds) = best?;
        if rounds > 0 {
            // Nobody who may be served has credit: all work off as many rounds as it takes.
            for member in &mut self.members {
                member.credit = (member.credit + rounds * member.quantum).min(member.quantum);
            }
        }
        self.members.rotate_left(index);
        self.members.front().map(|member| member.key)
    }

    /// Charges the member in front.
    fn charge(&mut self, cost: u32) {
        let Some(member) = self.members.front_mut() else {
            return;
        };
        member.credit -= i64::from(cost);
        if member.credit <= 0 {
            self.members.rotate_left(1);
        }
    }
}

/// Items that wait, by flow (a sender or group).
#[derive(Clone, Debug)]
pub struct Fair<F, K> {
    order: Ring<F>,
    flows: HashMap<F, Ring<K>>,
    waiting: usize,
}

impl<F: Copy + Eq + Hash, K: Copy + Eq> Fair<F, K> {
    /// Nothing waits.
    #[must_use]
    pub fn new() -> Self {
        Self {
            order: Ring::new(),
            flows: HashMap::new(),
            waiting: 0,
        }
    }

    /// Items that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting
    }

    /// True if nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// An item begins to wait. It must not be waiting already. A flow has one priority.
    pub fn join(&mut self, flow: F, priority: Priority, item: K) {
        let ring = self.flows.entry(flow).or_insert_with(|| {
            self.order.join(flow, priority);
            Ring::new()
        });
        ring.join(item, Priority::Normal);
        self.waiting += 1;
    }

    /// An item waits no longer.
    pub fn leave(&mut self, flow: F, item: K) {
        let Some(ring) = self.flows.get_mut(&flow) else {
            return;
        };
        let before = ring.members.len();
        ring.leave(item);
        self.waiting -= before - ring.members.len();
        if ring.members.is_empty() {
            self.flows.remove(&flow);
            self.order.leave(flow);
        }
    }

    /// The item whose turn it is among those that may be served. Call [`Fair::served`] next.
    pub fn choose(&mut self, mut flow_turn: impl FnMut(F) -> Turn, mut turn: impl FnMut(K) -> Turn) -> Option<(F, K)> {
        let flows = &self.flows;
        let flow = self.order.choose(|flow| match flow_turn(flow) {
            Turn::Later => Turn::Later,
            Turn::Take => {
                let anybody = flows[&flow].members.iter().any(|member| turn(member.key) == Turn::Take);
                if anybody { Turn::Take } else { Turn::Later }
            }
        })?;
        let item = self.flows.get_mut(&flow)?.choose(turn)?;
        Some((flow, item))
    }

    /// Charges the flow and item that were chosen last, before anything else changes.
    pub fn served(&mut self, flow: F, cost: u32, then: Then) {
        let Some(ring) = self.flows.get_mut(&flow) else {
            return;
        };
        match then {
            Then::Waits => ring.charge(cost),
            Then::Leaves => {
                ring.members.pop_front();
                self.waiting -= 1;
            }
        }
        if ring.members.is_empty() {
            self.flows.remove(&flow);
            self.order.members.pop_front();
        } else {
            self.order.charge(cost);
        }
    }
}

impl<F: Copy + Eq + Hash, K: Copy + Eq> Default for Fair<F, K> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_flow_of_large_batches_gets_no_more_than_one_of_small_ones() {
        let mut fair = Fair::new();
        fair.join('l', Priority::Normal, 1);
        fair.join('s', Priority::Normal, 2);
        let mut served = HashMap::from([('l', 0_u32), ('s', 0)]);
        for _ in 0..2_000 {
            let (flow, _) = fair.choose(|_| Turn::Take, |_| Turn::Take).expect("both wait");
            let cost = if flow == 'l' { 500 } else { 1 };
            fair.served(flow, cost, Then::Waits);
            *served.get_mut(&flow).expect("known") += cost;
        }
        assert!(served[&'l'].abs_diff(served[&'s']) <= 600, "{served:?}");
    }

    #[test]
    fn who_may_not_be_served_waits_on() {
        let mut fair = Fair::new();
        fair.join(0, Priority::Normal, 'a');
        fair.join(0, Priority::Normal, 'b');
        let chosen = fair.choose(
            |_| Turn::Take,
            |item| if item == 'a' { Turn::Later } else { Turn::Take },
        );
        assert_eq!(chosen, Some((0, 'b')));
        fair.served(0, 1, Then::Leaves);
        assert_eq!(fair.choose(|_| Turn::Take, |_| Turn::Later), None);
        assert_eq!(fair.choose(|_| Turn::Later, |_| Turn::Take), None);
        assert_eq!(fair.choose(|_| Turn::Take, |_| Turn::Take), Some((0, 'a')));
        fair.leave(0, 'a');
        assert!(fair.is_empty() && fair.flows.is_empty() && fair.order.members.is_empty());
    }

    #[test]
    fn priorities_share_by_weight_and_nobody_starves() {
        let mut fair = Fair::new();
        let flows = [(Priority::Low, 0), (Priority::Normal, 1), (Priority::High, 2)];
        for (priority, flow) in flows {
            fair.join(flow, priority, flow);
        }
        let mut served = [0_u32; 3];
        for _ in 0..10_000 {
            let (flow, _) = fair.choose(|_| Turn::Take, |_| Turn::Take).expect("all wait");
            fair.served(flow, 10, Then::Waits);
            served[flow] += 10;
        }
        let share = |flow: usize| f64::from(served[flow]) / f64::from(served[1]);
        assert!(
            (share(0) - 0.25).abs() < 0.05 && (share(2) - 4.0).abs() < 0.1,
            "{served:?}"
        );
    }

    #[test]
    fn who_is_urgent_comes_next() {
        let mut fair = Fair::new();
        for flow in 0..100 {
            fair.join(flow, Priority::Normal, flow);
        }
        fair.join(100, Priority::High, 100);
        assert_eq!(fair.choose(|_| Turn::Take, |_| Turn::Take), Some((100, 100)));
    }

    proptest! {
        /// Whoever always waits gets his share, whatever the batch sizes: nobody is ahead of another by more than
        /// two of the largest batches and a turn.
        #[test]
        fn shares_are_equal(costs in proptest::collection::vec(1_u32..=500, 2..8)) {
            let mut fair = Fair::new();
            for flow in 0..costs.len() {
                fair.join(flow, Priority::Normal, flow);
            }
            let mut served = vec![0_u32; costs.len()];
            for _ in 0..5_000 {
                let (flow, _) = fair.choose(|_| Turn::Take, |_| Turn::Take).expect("all wait");
                fair.served(flow, costs[flow], Then::Waits);
                served[flow] += costs[flow];
            }
            let spread = served.iter().max().expect("some") - served.iter().min().expect("some");
            prop_assert!(spread <= 2 * 500 + 2 * QUANTUM as u32, "{served:?}");
        }
    }
}
