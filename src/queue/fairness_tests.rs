//! A huge message does not keep others waiting: the promise in batches, not in seconds.
//!
//! The bound: once a session is free, a message of two recipients goes out with the next batch that is taken; while all
//! sessions are at work on a huge message, a quarter of them is left for it. So it waits for no batch of the huge message,
//! and behind many other waiting messages it waits for one batch of each at most, whatever their sizes.

use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::*;
use crate::limits;
use crate::mail::ReversePath;
use crate::routing::RetrySchedule;

const HUGE: u32 = 100_000;

fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

fn bounds(sessions_max: usize) -> Bounds {
    Bounds {
        recipients_max: 500,
        sessions_max,
        retry: RetrySchedule {
            first: Duration::from_secs(60),
            longest: Duration::from_secs(600),
            delay_report: Duration::from_secs(3_600),
        },
    }
}

fn set(id: u64, recipients: u32, priority: Priority) -> NewSet {
    NewSet {
        id: SetId(id),
        message: MessageId(Uuid::from_u128(u128::from(id))),
        reverse_path: ReversePath::Null,
        flow: id,
        priority,
        recipients,
        queued_at: now(),
        expires_at: now() + Duration::from_secs(86_400),
    }
}

/// Batches that are taken before the one of `wanted`, each settled before the next: one session.
fn taken_before(queue: &mut Queue, hop: DestinationId, wanted: u64) -> usize {
    for count in 0.. {
        let batch = queue.take(hop, now()).expect("something waits");
        let found = batch.set == SetId(wanted);
        queue.settle(&batch, Settle::default(), now(), 0);
        if found {
            return count;
        }
    }
    unreachable!("the loop ends by returning")
}

#[test]
fn a_small_message_waits_for_no_batch_of_a_huge_one() {
    for batches_before in [0, 1, 17, 100] {
        let mut queue = Queue::default();
        let hop = queue.destination("cloud", || bounds(1));
        queue.add(set(1, HUGE, Priority::Normal), hop);
        for _ in 0..batches_before {
            let batch = queue.take(hop, now()).expect("huge");
            queue.settle(&batch, Settle::default(), now(), 0);
        }
        queue.add(set(2, 2, Priority::Normal), hop);
        // Before its first batch the huge one has credit of its own, and is first in line.
        let most = usize::from(batches_before == 0);
        assert!(taken_before(&mut queue, hop, 2) <= most, "{batches_before}");
    }
}

#[test]
fn sessions_are_left_while_a_huge_message_holds_the_others() {
    let mut queue = Queue::default();
    let hop = queue.destination("cloud", || bounds(20));
    queue.add(set(1, HUGE, Priority::Normal), hop);
    let held: Vec<Batch> = std::iter::from_fn(|| queue.take(hop, now())).collect();
    let kept = limits::HOP_SESSIONS_START / limits::SMALL_MESSAGE_SESSIONS_PART;
    assert_eq!(held.len(), limits::HOP_SESSIONS_START - kept, "all but a quarter");
    for id in 2..2 + kept as u64 {
        queue.add(set(id, 2, Priority::Normal), hop);
        let next = queue.take(hop, now()).expect("a session that is left");
        assert_eq!(next.set, SetId(id));
    }
}

#[test]
fn behind_many_others_it_waits_for_one_batch_of_each() {
    let mut queue = Queue::default();
    let hop = queue.destination("cloud", || bounds(1));
    for id in 1..=50 {
        queue.add(set(id, HUGE, Priority::Normal), hop);
    }
    queue.add(set(99, 2, Priority::Normal), hop);
    assert!(taken_before(&mut queue, hop, 99) <= 50);
}

#[test]
fn an_urgent_message_is_next_and_a_patient_one_is_not_forgotten() {
    let mut queue = Queue::default();
    let hop = queue.destination("cloud", || bounds(1));
    queue.add(set(1, 1_000, Priority::Low), hop);
    for id in 2..=50 {
        queue.add(set(id, 20_000, Priority::Normal), hop);
    }
    queue.add(set(99, 2, Priority::High), hop);
    assert_eq!(taken_before(&mut queue, hop, 99), 0);
    let first = taken_before(&mut queue, hop, 1);
    let second = taken_before(&mut queue, hop, 1);
    assert!(first <= 50, "{first}");
    // A quarter of what each of the others gets: its second batch comes after about four of each.
    assert!((49 * 3..=49 * 5).contains(&second), "{second}");
}
