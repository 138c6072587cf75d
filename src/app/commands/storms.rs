//! `watch`: threads that are counted, and brakes.

use std::collections::HashMap;
use std::time::Duration;

use crate::admin::answer::{BrakeShown, ThreadShown, WatchShown};
use crate::admin::service::Refusal;
use crate::app::service::Service;
use crate::mail::Mailbox;
use crate::policy::storm::Watched;
use crate::spool::Spool as _;

use super::queue::unavailable;

/// Longest wait for a change; whoever follows asks again.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// Waits until there are more changes than `after`, or for a while.
pub(super) async fn changed(service: &Service, after: Option<u64>) {
    let Some(after) = after else { return };
    let mut changes = service.categorizer.watched_changes();
    // Either way the caller looks.
    let _ = tokio::time::timeout(WAIT_MAX, changes.wait_for(|changes| *changes > after)).await;
}

/// What is counted now, to one group or to all.
pub(super) fn watch(service: &Service, group: Option<&Mailbox>) -> Result<WatchShown, Refusal> {
    let now = service.env.clock.now();
    let changes = *service.categorizer.watched_changes().borrow();
    let mut held: HashMap<(String, String), u64> = HashMap::new();
    for hold in service.spool.holds().map_err(unavailable)? {
        if let Some(thread) = hold.thread {
            *held.entry((thread, hold.object)).or_default() += 1;
        }
    }
    let wanted = |watched: &Watched| group.is_none_or(|group| watched.address.key() == group.key());
    let threads = service.categorizer.watched().into_iter().filter(wanted).map(|watched| {
        let key = (watched.thread.to_string(), watched.group.as_str().to_owned());
        ThreadShown {
            held: held.get(&key).copied().unwrap_or(0),
            thread: key.0,
            group: watched.address.to_string(),
            replies: watched.replies,
            first_at: watched.first,
            last_at: watched.last,
            passed: watched.passed.len() as u64,
            deferred: watched.deferred,
            brake: watched.brake.filter(|brake| brake.is_on(now)).map(|brake| BrakeShown {
                action: brake.action.word().to_owned(),
                replies: brake.replies,
                seconds: brake.seconds,
                since: brake.since,
                until: brake.until,
                told: brake.told.iter().map(ToString::to_string).collect(),
            }),
        }
    });
    Ok(WatchShown {
        changes,
        threads: threads.collect(),
    })
}

/// What holds mail back, for whoever asks whether the service is well.
pub(super) fn notes(service: &Service) -> Vec<String> {
    let now = service.env.clock.now();
    let is_braked = |watched: &Watched| watched.brake.as_ref().is_some_and(|brake| brake.is_on(now));
    let braked = service
        .categorizer
        .watched()
        .iter()
        .filter(|watched| is_braked(watched))
        .count();
    let stops = service.categorizer.stops();
    let stopped = stops.iter().filter(|stop| stop.is_on(now)).count();
    let threads = if braked == 1 { "thread is" } else { "threads are" };
    let on = if stopped == 1 { "stop is" } else { "stops are" };
    let lines = [
        (braked, format!("{braked} {threads} braked: muster watch")),
        (
            stopped,
            format!("{stopped} {on} on, and mail waits without end: muster stop list"),
        ),
    ];
    lines
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(_, line)| line)
        .collect()
}
