//! Answers about brakes and stops, for the tests of this room.

use super::{at, text, texts};
use crate::admin::answer::{
    BrakeShown, HopSuspended, QueueActed, QueueAnswer, StopAnswer, StopDone, StopShown, ThreadShown, TlsCounted,
    TlsFailure, TlsReportEnded, TlsReportsShown, WatchShown,
};
use crate::admin::command::{Intent, QueueCommand, StopCommand, StopVerb};

const THREAD: &str = "<a1@contoso.example>";

fn thread() -> ThreadShown {
    ThreadShown {
        thread: text(THREAD),
        group: text("all-staff@contoso.example"),
        replies: 42,
        first_at: Some(at("2026-11-21T07:18:30Z")),
        last_at: Some(at("2026-11-21T07:21:30Z")),
        passed: 25,
        held: 17,
        deferred: 0,
        brake: Some(BrakeShown {
            action: text("hold"),
            replies: 25,
            seconds: 90,
            since: at("2026-11-21T07:20:00Z"),
            until: at("2026-11-21T13:20:00Z"),
            told: texts(&["eva@contoso.example", "jan@contoso.example", "ida@contoso.example"]),
        }),
    }
}

fn done(verb: StopVerb, intent: Intent) -> StopDone {
    StopDone {
        done: intent == Intent::Do,
        verb,
        target: format!("thread {THREAD}"),
        stop: (verb == StopVerb::Hold).then(|| text("x-3")),
        until: None,
        by: text("root"),
        reason: None,
        ended: if verb == StopVerb::Lift {
            texts(&["x-3"])
        } else {
            Vec::new()
        },
        messages: 17,
        moderated: 15,
        recipients: 139_638,
        in_flight: 3,
        delivered_messages: 25,
        delivered: 205_350,
        failed: 0,
        left: Vec::new(),
    }
}

/// One answer for each question and order.
pub(super) fn stop(command: &StopCommand) -> StopAnswer {
    match command {
        StopCommand::Watch { group, .. } => StopAnswer::Watch(WatchShown {
            changes: 42,
            threads: if group.as_deref() == Some("quiet@contoso.example") {
                Vec::new()
            } else {
                vec![
                    thread(),
                    ThreadShown {
                        thread: text("<b2@contoso.example>"),
                        replies: 1,
                        first_at: Some(at("2026-11-21T07:10:00Z")),
                        last_at: Some(at("2026-11-21T07:10:00Z")),
                        held: 0,
                        deferred: 2,
                        brake: None,
                        ..thread()
                    },
                ]
            },
        }),
        StopCommand::Stop(order) => StopAnswer::Stop(done(order.verb, order.intent)),
        StopCommand::StopList { all } => {
            let stop = StopShown {
                id: text("x-3"),
                what: text("thread"),
                target: text(THREAD),
                on: true,
                since: at("2026-11-21T07:20:30Z"),
                until: Some(at("2026-11-21T09:20:30Z")),
                by: text("root"),
                reason: Some(text("storm")),
                ended_at: None,
                ended_by: None,
                messages: 17,
                recipients: 139_638,
            };
            let over = StopShown {
                id: text("x-2"),
                on: false,
                ended_at: Some(at("2026-11-20T08:00:00Z")),
                ended_by: Some(text("eva")),
                messages: 0,
                recipients: 0,
                reason: None,
                ..stop.clone()
            };
            StopAnswer::StopList(if *all { vec![stop, over] } else { vec![stop] })
        }
    }
}

pub(super) fn queue(command: &QueueCommand) -> QueueAnswer {
    match command {
        QueueCommand::QueueAct(order) => QueueAnswer::QueueAct(QueueActed {
            done: order.intent == Intent::Do,
            verb: order.verb.clone(),
            sets: 2,
            messages: 1,
            recipients: 1_204,
            in_flight: 500,
            by: text("eva"),
        }),
        QueueCommand::TlsReports { domain } => QueueAnswer::TlsReports(TlsReportsShown {
            on: domain.as_deref() != Some("off.example"),
            counted: vec![TlsCounted {
                day: text("2026-11-21"),
                domain: text("fabrikam.example"),
                policy: text("sts"),
                succeeded: 5_326,
                failed: 103,
                failures: vec![TlsFailure {
                    result: text("certificate-expired"),
                    host: text("mx1.fabrikam.example"),
                    address: Some(text("203.0.113.56")),
                    why: text("invalid peer certificate: Expired"),
                    sessions: 103,
                }],
                due_at: at("2026-11-22T01:20:00Z"),
                tries: 0,
            }],
            left_out: 0,
            ended: vec![TlsReportEnded {
                day: text("2026-11-20"),
                domain: text("fabrikam.example"),
                at: at("2026-11-21T02:00:00Z"),
                sent: false,
                arrived: texts(&["mailto:tls@fabrikam.example"]),
                missed: texts(&["https://reports.fabrikam.example/v1: status 503"]),
            }],
        }),
        QueueCommand::QueueSuspend(order) => QueueAnswer::QueueSuspend(HopSuspended {
            next_hop: order.next_hop.clone(),
            suspended: order.suspend,
            applied: true,
            sets: 3,
            recipients: 61_204,
            by: text("eva"),
        }),
    }
}
