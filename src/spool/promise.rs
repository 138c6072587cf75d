//! A promise kept later: the committer's end of a [`Commit`].
//!
//! In: one answer, once. Out: a future for whoever waits. Never: a wait without end; a promise that is
//! dropped unanswered answers that the spool is suspect.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use super::{Commit, SpoolFault};

/// The end that answers.
#[derive(Debug)]
pub struct Promise<T> {
    slot: Arc<Mutex<Slot<T>>>,
}

#[derive(Debug)]
struct Slot<T> {
    answer: Option<Result<T, SpoolFault>>,
    waker: Option<Waker>,
}

/// The end that waits.
struct Waiting<T> {
    slot: Arc<Mutex<Slot<T>>>,
}

/// A promise and the commit that waits for it.
#[must_use]
pub fn promise<T: Send + 'static>() -> (Promise<T>, Commit<T>) {
    let slot = Arc::new(Mutex::new(Slot {
        answer: None,
        waker: None,
    }));
    let waiting = Waiting { slot: slot.clone() };
    (Promise { slot }, Box::pin(waiting))
}

/// A commit that is answered already.
#[must_use]
pub fn answered<T: Send + 'static>(answer: Result<T, SpoolFault>) -> Commit<T> {
    Box::pin(std::future::ready(answer))
}

/// Waits for a commit on the calling thread. For threads that may block; never on a reactor thread.
pub fn wait<T>(mut commit: Commit<T>) -> Result<T, SpoolFault> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match commit.as_mut().poll(&mut context) {
            Poll::Ready(answer) => return answer,
            Poll::Pending => std::thread::park(),
        }
    }
}

impl<T> Promise<T> {
    /// Answers; a second answer is ignored.
    pub fn resolve(self, answer: Result<T, SpoolFault>) {
        self.answer(answer);
    }

    fn answer(&self, answer: Result<T, SpoolFault>) {
        let waker = {
            let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
            if slot.answer.is_some() {
                return;
            }
            slot.answer = Some(answer);
            slot.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        // Nobody waits any more, or the answer was taken: then there is nothing to say.
        if Arc::strong_count(&self.slot) > 1 {
            self.answer(Err(SpoolFault::Suspect("its committer ended".to_owned())));
        }
    }
}

impl<T> Future for Waiting<T> {
    type Output = Result<T, SpoolFault>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        match slot.answer.take() {
            Some(answer) => Poll::Ready(answer),
            None => {
                slot.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_reaches_a_waiter_on_another_thread() {
        let (promise, commit) = promise::<u32>();
        let waiter = std::thread::spawn(move || wait(commit));
        promise.resolve(Ok(7));
        assert_eq!(waiter.join().expect("the waiter does not panic"), Ok(7));
    }

    #[test]
    fn a_dropped_promise_is_a_fault() {
        let (promise, commit) = promise::<()>();
        drop(promise);
        assert!(matches!(wait(commit), Err(SpoolFault::Suspect(_))));
    }
}
