//! A message of 100,000 recipients to a slow hop leaves the way open for one of two.

use std::collections::VecDeque;

use super::hop::{Act, Step};
use super::*;
use crate::limits::{HOP_SESSIONS_START, SMALL_MESSAGE_SESSIONS_PART};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_message_passes_a_huge_one_that_stands_before_a_slow_hop() {
    let hop = Hop::start(Behaviour::default()).await;
    let others = HOP_SESSIONS_START - HOP_SESSIONS_START / SMALL_MESSAGE_SESSIONS_PART;
    // The hop takes as many final dots as there are sessions for the huge message, and answers none of them.
    hop.behave(|behaviour| {
        let silence = std::iter::repeat_n(Act::Silence, others);
        behaviour.acts.insert(Step::Dot, silence.collect::<VecDeque<_>>());
    });
    let mut slow = hop_at("cloud", &[hop.address]);
    slow.timeouts = crate::routing::HopTimeouts::default();
    let world = World::start(vec![slow]);
    world.send(vec![Letter::numbered("cloud", 100_000)]).await;
    let standing = async {
        loop {
            let mut left = 0;
            hop.behave(|behaviour| left = behaviour.acts[&Step::Dot].len());
            if left == 0 {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, standing)
        .await
        .expect("the huge message stands before the hop");
    assert_eq!(hop.seen(|seen| seen.copies.len()), 0);
    world
        .send(vec![Letter::to("cloud", &["a@contoso.example", "b@contoso.example"])])
        .await;
    hop.wait(|seen| !seen.copies.is_empty()).await;
    let first = hop.seen(|seen| seen.copies[0].rcpts.clone());
    assert_eq!(first.len(), 2, "no batch of the huge one came first");
}
