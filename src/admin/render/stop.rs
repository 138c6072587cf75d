//! `watch` and `stop`.

use super::Reader;
use super::text::{age, clean, clock, count, number, seconds_between, table, time};
use crate::admin::answer::{StopDone, StopShown, ThreadShown, WatchShown};
use crate::admin::command::StopVerb;

pub(super) fn watch(shown: &WatchShown, reader: &Reader) -> String {
    if shown.threads.is_empty() {
        return "no replies to all are counted now\n".to_owned();
    }
    shown.threads.iter().map(|thread| line(thread, reader)).collect()
}

/// `10:02 42 replies in 3 min on thread <a1@…> to all-staff@…; brake on until 16:02; 3 moderators told`.
fn line(thread: &ThreadShown, reader: &Reader) -> String {
    let last = thread.last_at.or(thread.brake.as_ref().map(|brake| brake.since));
    let mut text = last.map_or_else(String::new, |last| format!("{} ", clock(last, reader)));
    let replies = count(thread.replies, "reply", "replies");
    text.push_str(&match (thread.first_at, thread.last_at) {
        (Some(first), Some(last)) if last > first => format!("{replies} in {}", age(seconds_between(first, last))),
        _ => replies,
    });
    text.push_str(&format!(
        " on thread {} to {}",
        clean(&thread.thread),
        clean(&thread.group)
    ));
    if let Some(brake) = &thread.brake {
        let told = count(brake.told.len() as u64, "person", "people");
        let until = clock(brake.until, reader);
        text.push_str(&format!(
            "; brake on until {until} ({}); {told} told",
            clean(&brake.action)
        ));
    }
    if thread.held > 0 {
        text.push_str(&format!("; {} held", number(thread.held)));
    }
    if thread.deferred > 0 {
        text.push_str(&format!("; {} told to come again", number(thread.deferred)));
    }
    text.push('\n');
    text
}

pub(super) fn done(done: &StopDone, reader: &Reader) -> String {
    let would = |past: &str, future: &str| {
        if done.done {
            past.to_owned()
        } else {
            format!("would {future}")
        }
    };
    let verb = match done.verb {
        StopVerb::Hold => would("held", "hold"),
        StopVerb::Lift => would("let go", "let go"),
        StopVerb::Drop => would("dropped", "drop"),
        StopVerb::Refuse => would("refused", "refuse"),
    };
    let meaning = match done.verb {
        StopVerb::Hold => "deliveries not made",
        StopVerb::Lift => "deliveries",
        StopVerb::Drop | StopVerb::Refuse => "deliveries given up",
    };
    let mut text = format!(
        "{verb} {} ({} {meaning}); already delivered: {} ({} recipients)\n",
        count(done.messages, "message", "messages"),
        number(done.recipients),
        count(done.delivered_messages, "message", "messages"),
        number(done.delivered),
    );
    if done.in_flight > 0 {
        let line = count(done.in_flight, "recipient is", "recipients are");
        text.push_str(&format!("{line} being delivered at this moment and may still get it\n"));
    }
    if done.failed > 0 {
        text.push_str(&format!(
            "{} had failed before\n",
            count(done.failed, "recipient", "recipients")
        ));
    }
    if done.moderated > 0 {
        let line = match done.verb {
            StopVerb::Hold | StopVerb::Lift => count(done.moderated, "message waits", "messages wait"),
            StopVerb::Drop | StopVerb::Refuse => count(done.moderated, "of them waited", "of them waited"),
        };
        text.push_str(&format!("{line} for a moderator because of the brake\n"));
    }
    for ended in &done.ended {
        text.push_str(&format!("ended: {}\n", clean(ended)));
    }
    if let Some(stop) = &done.stop {
        let until = done.until.map_or_else(
            || "until it is lifted".to_owned(),
            |until| format!("until {}", time(until, reader)),
        );
        text.push_str(&format!(
            "{stop}: {} is stopped {until}; to end it: muster stop lift {stop}\n",
            clean(&done.target)
        ));
    }
    for left in &done.left {
        text.push_str(&format!("left as it was: {}\n", clean(left)));
    }
    if !done.done {
        text.push_str("nothing was changed; add --yes to do it\n");
    }
    text
}

pub(super) fn list(stops: &[StopShown], reader: &Reader) -> String {
    if stops.is_empty() {
        return "nothing is stopped\n".to_owned();
    }
    let rows = stops.iter().map(|stop| {
        let until = match (&stop.ended_by, stop.ended_at, stop.until) {
            (Some(by), Some(at), _) => format!("ended {} by {}", time(at, reader), clean(by)),
            (_, _, Some(until)) if stop.on => time(until, reader),
            (_, _, Some(until)) => format!("ended {}", time(until, reader)),
            (_, _, None) => "lifted".to_owned(),
        };
        vec![
            stop.id.clone(),
            format!("{} {}", stop.what, clean(&stop.target)),
            time(stop.since, reader),
            until,
            number(stop.messages),
            number(stop.recipients),
            clean(&stop.by),
            clean(stop.reason.as_deref().unwrap_or("-")),
        ]
    });
    let header = ["id", "what", "since", "until", "messages", "recipients", "by", "reason"];
    table(&header, rows.collect(), &[4, 5])
}
