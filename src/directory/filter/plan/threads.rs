//! Work shared by a few threads of one call.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Calls `work` with every number below `count` on up to `threads` threads, each with a state of its own, and
/// returns the answers in order.
pub(crate) fn each<S, R: Send>(
    threads: usize,
    count: usize,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, usize) -> R + Sync,
) -> Vec<R> {
    let threads = threads.clamp(1, count.max(1));
    if threads == 1 {
        let mut state = state();
        return (0..count).map(|number| work(&mut state, number)).collect();
    }
    let next = AtomicUsize::new(0);
    let run = || {
        let mut state = state();
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return done;
            }
            done.push((number, work(&mut state, number)));
        }
    };
    let mut all: Vec<(usize, R)> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(run)).collect();
        let mut all = run();
        for other in others {
            match other.join() {
                Ok(done) => all.extend(done),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    });
    all.sort_unstable_by_key(|(number, _)| *number);
    all.into_iter().map(|(_, answer)| answer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_in_order_whoever_found_them() {
        for threads in [1, 2, 5] {
            let squares = each(threads, 1_000, || 0_usize, |_, number| number * number);
            assert!(
                squares
                    .iter()
                    .enumerate()
                    .all(|(number, square)| number * number == *square)
            );
            assert_eq!(squares.len(), 1_000);
        }
        assert!(each(2, 0, || (), |(), number| number).is_empty());
    }
}
