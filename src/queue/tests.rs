//! The queue against its promises.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::mail::{Mailbox, Priority, Reply, ReversePath};
use crate::routing::RetrySchedule;
use crate::track::{Reason, ReportKind};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("in range")
}

fn bounds() -> Bounds {
    Bounds {
        recipients_max: 10,
        sessions_max: 4,
        retry: RetrySchedule {
            first: Duration::from_secs(60),
            longest: Duration::from_secs(600),
            delay_report: Duration::from_secs(3_600),
        },
    }
}

fn message(number: u128) -> MessageId {
    MessageId(Uuid::from_u128(number))
}

fn sender() -> ReversePath {
    ReversePath::Mailbox(Mailbox::parse("hr@contoso.example").expect("valid"))
}

fn new_set(id: u64, recipients: u32) -> NewSet {
    NewSet {
        id: SetId(id),
        message: message(u128::from(id)),
        reverse_path: sender(),
        flow: id,
        priority: Priority::Normal,
        recipients,
        queued_at: at(0),
        expires_at: at(100_000),
    }
}

fn told(batch: &Batch, rank: u32) -> Told {
    Told {
        set: batch.set,
        rank,
        reply: Reply::new(550, (5, 1, 1), "no such mailbox"),
        reason: Some(Reason::NextHopRefused),
        remote: None,
        at: at(0),
    }
}

#[test]
fn one_message_leaves_half_of_the_sessions_and_one_for_small_ones() {
    let mut queue = Queue::default();
    let hop = queue.destination("cloud", bounds);
    queue.add(new_set(1, 1_000), hop);
    let first: Vec<Batch> = std::iter::from_fn(|| queue.take(hop, at(0))).take(4).collect();
    assert_eq!(
        first.len(),
        3,
        "alone it has all sessions but those kept for small messages: of four, one"
    );
    queue.add(new_set(2, 500), hop);
    queue.add(new_set(3, 5), hop);
    let small = queue.take(hop, at(0)).expect("the kept session");
    assert_eq!(small.set, SetId(3));
    let mut batches = first.into_iter();
    for _ in 0..2 {
        let settled = queue.settle(&batches.next().expect("three"), Settle::default(), at(0), 0);
        assert!(!settled.expect("known").standing.finished);
        queue.take(hop, at(0)).expect("a session is free");
    }
    assert_eq!(
        queue.at(hop).busy_with(message(1)),
        1,
        "fair: the other has had fewer recipients so far"
    );
    assert_eq!(queue.at(hop).busy_with(message(2)), 2);
    assert!(queue.take(hop, at(0)).is_none(), "the last session is kept");
}

#[test]
fn deferred_recipients_come_back_together_and_no_earlier() {
    let mut queue = Queue::default();
    let hop = queue.destination("cloud", bounds);
    queue.add(new_set(1, 30), hop);
    let batches: Vec<Batch> = std::iter::from_fn(|| queue.take(hop, at(0))).collect();
    assert_eq!(batches.len(), 3);
    let mut retry_at = None;
    for (batch, second) in batches.iter().zip([0, 1, 2]) {
        let (first, _) = batch.ranks[0];
        let settle = Settle {
            deferred: vec![(first, first)],
            ..Settle::default()
        };
        let settled = queue.settle(batch, settle, at(second), 7).expect("known");
        assert_eq!(settled.standing.attempts, 1, "one round, one attempt");
        assert!(retry_at.is_none_or(|at| settled.retry_at == Some(at)));
        retry_at = settled.retry_at;
    }
    let due = retry_at.expect("deferred");
    assert_eq!(queue.next_due(), Some(due));
    assert!(queue.tick(due - Duration::from_millis(1)).wake.is_empty());
    assert_eq!(queue.tick(due).wake, [hop]);
    let batch = queue.take(hop, due).expect("due");
    assert_eq!(
        (batch.ranks.as_slice(), batch.again),
        ([(0, 0), (10, 10), (20, 20)].as_slice(), true)
    );
    let settled = queue.settle(&batch, Settle::default(), due, 0).expect("known");
    assert!(settled.standing.finished && queue.is_empty());
}

#[test]
fn failures_wait_for_the_first_round_and_the_set_for_its_report() {
    let mut queue = Queue::default();
    let hop = queue.destination("cloud", bounds);
    queue.add(new_set(1, 20), hop);
    let first = queue.take(hop, at(0)).expect("ready");
    let second = queue.take(hop, at(0)).expect("ready");
    let settle = Settle {
        failed: vec![told(&first, 3)],
        rows: 3,
        ..Settle::default()
    };
    let settled = queue.settle(&first, settle, at(0), 0).expect("known");
    assert!(settled.notices.is_empty(), "the second batch is still out");
    let settle = Settle {
        failed: vec![told(&second, 13)],
        rows: 3,
        ..Settle::default()
    };
    let settled = queue.settle(&second, settle, at(1), 0).expect("known");
    assert!(!settled.standing.finished, "the report is not stored yet");
    let [notice] = settled.notices.as_slice() else {
        panic!("one report: {settled:?}");
    };
    assert_eq!(notice.named.iter().map(|told| told.rank).collect::<Vec<_>>(), [3, 13]);
    let standings = queue.reported(notice);
    assert_eq!(standings.len(), 1);
    assert!(standings[0].1.finished && standings[0].1.reported_through == 6);
    assert!(queue.is_empty());
}

#[test]
fn failures_do_not_wait_for_ever() {
    let mut queue = Queue::new(Duration::from_secs(300));
    let hop = queue.destination("cloud", bounds);
    queue.add(new_set(1, 20), hop);
    let first = queue.take(hop, at(0)).expect("ready");
    let settle = Settle {
        failed: (0..10).map(|rank| told(&first, rank)).collect(),
        rows: 1,
        ..Settle::default()
    };
    queue.settle(&first, settle, at(0), 0).expect("known");
    assert!(queue.tick(at(299)).notices.is_empty());
    assert_eq!(queue.tick(at(300)).notices.len(), 1);
}

#[test]
fn nobody_is_told_at_a_null_reverse_path() {
    let mut queue = Queue::default();
    let hop = queue.destination("cloud", bounds);
    let set = NewSet {
        reverse_path: ReversePath::Null,
        ..new_set(1, 1)
    };
    queue.add(set, hop);
    let batch = queue.take(hop, at(0)).expect("ready");
    let settle = Settle {
        failed: vec![told(&batch, 0)],
        rows: 1,
        ..Settle::default()
    };
    let settled = queue.settle(&batch, settle, at(0), 0).expect("known");
    assert!(settled.standing.finished && settled.notices.is_empty());
}

#[test]
fn a_dead_hop_is_left_alone_and_what_waits_for_it_expires() {
    let mut queue = Queue::default();
    let hop = queue.destination("cloud", bounds);
    queue.add(new_set(1, 20), hop);
    let answer = || LastAnswer {
        reason: Reason::NextHopUnreachable,
        reply: None,
    };
    let brought = queue.unreachable(hop, 0, answer(), at(0), 0);
    let retry_at = brought.retry_at.expect("left alone");
    assert_eq!(brought.waiting[0].ranks, [(0, 19)]);
    assert!(queue.take(hop, at(1)).is_none());
    assert_eq!(queue.sessions_wanted(hop, at(1)), 0);
    queue.add(new_set(2, 5), hop);
    assert!(queue.waits(SetId(2), at(1)).is_some(), "later sets are told at once");
    assert_eq!(queue.tick(retry_at).wake, [hop]);
    assert_eq!(queue.sessions_wanted(hop, retry_at), 1);
    let brought = queue.unreachable(hop, 0, answer(), at(4_000), 0);
    assert!(brought.waiting.is_empty(), "told once");
    assert_eq!(brought.delayed.len(), 2);
    let brought = queue.unreachable(hop, 0, answer(), at(100_000), 0);
    assert!(brought.delayed.is_empty());
    assert_eq!(brought.expired.len(), 2);
    for batch in &brought.expired {
        let settled = queue.settle(batch, Settle::default(), at(100_000), 0).expect("known");
        assert!(settled.standing.finished);
    }
    assert!(queue.is_empty() && queue.items.is_empty());
}

#[test]
fn an_operator_retries_and_drops() {
    let mut queue = Queue::default();
    let hop = queue.destination("cloud", bounds);
    queue.add(new_set(1, 20), hop);
    let out = queue.take(hop, at(0)).expect("ready");
    let again = queue.take(hop, at(0)).expect("ready");
    let settle = Settle {
        deferred: again.ranks.clone(),
        ..Settle::default()
    };
    queue.settle(&again, settle, at(0), 0).expect("known");
    assert!(queue.take(hop, at(1)).is_none());
    assert_eq!(queue.retry_set(SetId(1), at(1)), [hop]);
    let again = queue.take(hop, at(1)).expect("retried now");
    assert_eq!(again.ranks, [(10, 19)]);
    queue.give_back(again);
    let withdrawn = queue.withdraw(SetId(1));
    assert_eq!(withdrawn.len(), 1);
    queue.settle(&withdrawn[0], Settle::default(), at(2), 0).expect("known");
    assert!(queue.set(SetId(1)).expect("a batch is out").dropped);
    let settled = queue.settle(&out, Settle::default(), at(2), 0).expect("known");
    assert!(settled.standing.finished);
}

#[test]
fn who_moved_goes_to_the_other_hop() {
    let mut queue = Queue::default();
    let cloud = queue.destination("cloud", bounds);
    let onprem = queue.destination("onprem", bounds);
    queue.add(new_set(1, 10), onprem);
    let mut batch = queue.take(onprem, at(0)).expect("ready");
    queue.move_ranks(&mut batch, &[(2, 3), (9, 9)], cloud);
    assert_eq!(batch.ranks, [(0, 1), (4, 8)]);
    queue.settle(&batch, Settle::default(), at(0), 0).expect("known");
    let moved = queue.take(cloud, at(0)).expect("moved");
    assert_eq!(
        (moved.ranks.as_slice(), moved.again),
        ([(2, 3), (9, 9)].as_slice(), false)
    );
    assert!(
        queue
            .settle(&moved, Settle::default(), at(0), 0)
            .expect("known")
            .standing
            .finished
    );
}

/// What a session makes of a batch in the simulation.
#[derive(Clone, Debug)]
enum Act {
    Take(usize),
    Settle {
        batch: usize,
        pattern: u64,
    },
    GiveBack(usize),
    Move {
        batch: usize,
        to: usize,
    },
    Wait(i64),
    Dead(usize),
    Retry(u64),
    /// Ranks of a set whose bit stands in the pattern are stopped; none: all may go.
    Stop {
        set: u64,
        pattern: u64,
    },
    GiveUp(u64),
    Restart,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        6 => (0_usize..3).prop_map(Act::Take),
        6 => (any::<usize>(), any::<u64>()).prop_map(|(batch, pattern)| Act::Settle { batch, pattern }),
        1 => any::<usize>().prop_map(Act::GiveBack),
        1 => (any::<usize>(), 0_usize..3).prop_map(|(batch, to)| Act::Move { batch, to }),
        2 => (0_i64..2_000).prop_map(Act::Wait),
        1 => (0_usize..3).prop_map(Act::Dead),
        1 => (1_u64..5).prop_map(Act::Retry),
        2 => (1_u64..5, any::<u64>()).prop_map(|(set, pattern)| Act::Stop { set, pattern }),
        1 => (1_u64..5).prop_map(Act::GiveUp),
        1 => Just(Act::Restart),
    ];
    proptest::collection::vec(act, 0..120)
}

/// The queue beside a ledger that knows of each rank what finally became of it.
struct World {
    queue: Queue,
    hops: Vec<DestinationId>,
    now: i64,
    out: Vec<Batch>,
    ended: BTreeMap<(SetId, u32), u32>,
    told: BTreeSet<(SetId, u32)>,
    reported: BTreeSet<(SetId, u32)>,
    sizes: BTreeMap<SetId, u32>,
    finished: BTreeSet<SetId>,
}

impl World {
    fn new(sizes: &[u32]) -> Self {
        let mut queue = Queue::default();
        let hops = ["cloud", "onprem", "internet"]
            .map(|name| queue.destination(name, bounds))
            .to_vec();
        let mut world = Self {
            queue,
            hops,
            now: 0,
            out: Vec::new(),
            ended: BTreeMap::new(),
            told: BTreeSet::new(),
            reported: BTreeSet::new(),
            sizes: BTreeMap::new(),
            finished: BTreeSet::new(),
        };
        for (index, &recipients) in sizes.iter().enumerate() {
            let set = NewSet {
                message: message(index as u128 / 2),
                ..new_set(index as u64 + 1, recipients)
            };
            world.sizes.insert(set.id, recipients);
            world.queue.add(set, world.hops[index % 3]);
        }
        world
    }

    /// Bits of the pattern, one per rank: relayed, deferred, untried, failed.
    fn settle(&mut self, batch: &Batch, pattern: u64) {
        let mut settle = Settle::default();
        for (index, rank) in ranks::each(&batch.ranks).enumerate() {
            let drawn = (pattern >> (index * 2 % 62)) & 3;
            match drawn {
                1 => ranks::push(&mut settle.deferred, rank),
                2 if index > 0 => ranks::push(&mut settle.untried, rank),
                _ => {
                    *self.ended.entry((batch.set, rank)).or_default() += 1;
                    if drawn == 3 {
                        self.told.insert((batch.set, rank));
                        settle.failed.push(told(batch, rank));
                    }
                }
            }
        }
        settle.rows = 1;
        let settled = self.queue.settle(batch, settle, at(self.now), pattern).expect("known");
        if let Some(retry_at) = settled.retry_at {
            assert!(retry_at > at(self.now) && retry_at <= at(self.now.max(100_000) + 750));
        }
        self.finished.extend(settled.standing.finished.then_some(batch.set));
        self.report(settled.notices);
    }

    fn report(&mut self, notices: Vec<Notice>) {
        for notice in notices {
            for told in &notice.named {
                assert!(self.reported.insert((told.set, told.rank)), "reported twice");
            }
            for (set, standing) in self.queue.reported(&notice) {
                self.finished.extend(standing.finished.then_some(set));
            }
        }
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Take(hop) => {
                let taken = self.queue.take(self.hops[hop], at(self.now));
                if let Some(batch) = &taken {
                    let mask = self.queue.mask(batch.set).expect("it is in the queue");
                    assert!(
                        !ranks::each(&batch.ranks).any(|rank| mask.contains(rank)),
                        "what is stopped stays"
                    );
                }
                self.out.extend(taken);
            }
            Act::Stop { set, pattern } => {
                let ranks = self.sizes.get(&SetId(set)).copied().unwrap_or(0);
                let mask: RoaringBitmap = (0..ranks).filter(|rank| pattern >> (rank % 64) & 1 == 1).collect();
                let (found, _) = self.queue.hold_back(SetId(set), mask.clone());
                let out = self.out.iter().filter(|batch| batch.set == SetId(set));
                let out: RoaringBitmap = out.flat_map(|batch| ranks::each(&batch.ranks)).collect();
                assert_eq!(found.in_flight, out & &mask, "copies in flight are told apart");
            }
            Act::GiveUp(set) => {
                let all = self.sizes.get(&SetId(set)).copied().unwrap_or(0);
                for batch in self.queue.withdraw_held(SetId(set), &(0..all).collect()) {
                    self.settle(&batch, 0);
                }
            }
            Act::Wait(seconds) => self.now += seconds,
            Act::Retry(set) => drop(self.queue.retry_set(SetId(set), at(self.now))),
            Act::Dead(hop) => {
                let answer = LastAnswer {
                    reason: Reason::NextHopUnreachable,
                    reply: None,
                };
                let brought = self.queue.unreachable(self.hops[hop], 0, answer, at(self.now), 5);
                for batch in brought.expired {
                    self.settle(&batch, 0);
                }
            }
            Act::Settle { .. } | Act::GiveBack(_) | Act::Move { .. } if self.out.is_empty() => {}
            Act::Settle { batch, pattern } => {
                let batch = self.out.swap_remove(batch % self.out.len());
                self.settle(&batch, pattern);
            }
            Act::GiveBack(batch) => {
                let batch = self.out.swap_remove(batch % self.out.len());
                self.queue.give_back(batch);
            }
            Act::Move { batch, to } => {
                let mut batch = self.out.swap_remove(batch % self.out.len());
                let half: Ranges = batch.ranks.iter().copied().step_by(2).collect();
                self.queue.move_ranks(&mut batch, &half, self.hops[to]);
                self.queue.give_back(batch);
            }
            Act::Restart => self.restart(),
        }
        let tick = self.queue.tick(at(self.now));
        self.report(tick.notices);
        self.check();
    }

    /// Everything in memory is gone; ranks with a final outcome stay closed, unreported failures are told again.
    fn restart(&mut self) {
        let mut queue = Queue::default();
        self.hops = ["cloud", "onprem", "internet"]
            .map(|name| queue.destination(name, bounds))
            .to_vec();
        self.out.clear();
        let sizes = self.sizes.clone();
        for (id, recipients) in sizes {
            if self.finished.contains(&id) {
                continue;
            }
            let closed = (0..recipients).filter(|&rank| self.ended.contains_key(&(id, rank)));
            let past = Past {
                closed: closed.collect(),
                ..Past::default()
            };
            let set = NewSet {
                message: message(u128::from(id.0 - 1) / 2),
                ..new_set(id.0, recipients)
            };
            queue.restore(set, self.hops[0], past);
            let missing = self.told.difference(&self.reported).filter(|(set, _)| *set == id);
            let missing = missing.map(|&(set, rank)| Told {
                set,
                rank,
                reply: Reply::new(550, (5, 1, 1), "no such mailbox"),
                reason: Some(Reason::NextHopRefused),
                remote: None,
                at: at(0),
            });
            queue.tell(id, ReportKind::Failed, missing.collect(), at(self.now));
            if queue.close(id).is_some_and(|standing| standing.finished) {
                self.finished.insert(id);
            }
        }
        self.queue = queue;
        let messages: BTreeSet<u128> = self.sizes.keys().map(|id| u128::from(id.0 - 1) / 2).collect();
        for number in messages {
            let notices = self.queue.notices_complete(message(number));
            self.report(notices);
        }
    }

    /// Every rank lies in exactly one place.
    fn check(&self) {
        for (&id, &recipients) in &self.sizes {
            let mut seen = vec![0_u32; recipients as usize];
            let out = self.out.iter().filter(|batch| batch.set == id);
            let in_flight = out.flat_map(|batch| ranks::each(&batch.ranks));
            let items = self.queue.items.values().filter(|item| item.set == id);
            let waiting = items.flat_map(|item| item.ready.iter().chain(&item.deferred).chain(&item.withheld));
            for rank in in_flight.chain(waiting) {
                seen[rank as usize] += 1;
            }
            for (rank, count) in seen.iter().enumerate() {
                let ended = self.ended.get(&(id, rank as u32)).copied().unwrap_or(0);
                assert_eq!(count + ended, 1, "set {id} rank {rank}");
            }
            let open = seen.iter().sum::<u32>();
            assert_eq!(self.queue.set(id).map_or(0, |entry| entry.open), open);
            assert!(!self.finished.contains(&id) || open == 0);
        }
        for (id, place) in self.queue.places.iter().enumerate() {
            let items = self.queue.items.values();
            let here = items.filter(|item| item.destination.0 as usize == id && item.in_line);
            assert_eq!(here.map(|item| item.ready.len()).sum::<u64>(), place.ready);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_recipient_ends_exactly_once(sizes in proptest::collection::vec(1_u32..60, 1..5), acts in acts()) {
        let mut world = World::new(&sizes);
        for act in acts {
            world.act(act);
        }
        // Then all stops end, and all hops take everything.
        for set in 1..5 {
            world.act(Act::Stop { set, pattern: 0 });
        }
        for _ in 0..2_000 {
            for batch in std::mem::take(&mut world.out) {
                world.settle(&batch, 0);
            }
            for hop in 0..3 {
                world.act(Act::Take(hop));
            }
            world.act(Act::Wait(500));
            if world.finished.len() == sizes.len() {
                break;
            }
        }
        prop_assert_eq!(world.finished.len(), sizes.len());
        prop_assert_eq!(world.ended.values().max(), Some(&1));
        prop_assert_eq!(&world.reported, &world.told);
        prop_assert!(world.queue.is_empty() && world.queue.items.is_empty());
    }
}
