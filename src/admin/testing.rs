//! Answers as a small service gives them, for the tests of this room.

#[path = "testing/lists.rs"]
mod lists;
#[path = "testing/moves.rs"]
mod moves;
#[path = "testing/samples.rs"]
mod samples;
#[path = "testing/stops.rs"]
mod stops;

use std::collections::BTreeMap;

use jiff::Timestamp;
use uuid::Uuid;

use super::answer::{
    BranchLeft, ClauseVerdict, CompareAnswer, DirectoryPage, ExpandedGroup, Explained, GroupMembers, GroupShown,
    GroupSummary, GroupWhy, HoldDecided, HoldShown, HoldSummary, HoldsDecided, Member, NearestMiss, NextHopSummary,
    OpenRecipient, QueueAnswer, QueueChanged, QueueItem, QueueShown, RecipientFate, RecipientLeft, Reloaded,
    RollAnswer, RollState, RuleAnswer, SeenAs, SendTested, SpoofTested, StatusReport, StopAnswer, TracedMessage,
    Verdict, VerdictKind, WasMember,
};
use super::command::{
    CompareCommand, ExplainQuestion, GuardIntent, HoldsOrder, Intent, MemberDepth, PageQuestion, QueueCommand,
    QueueSelection, RollCommand, RuleCommand, SendOrder, StopCommand, TraceQuery, WhyQuestion,
};
use super::service::{Caller, Refusal, RefusalKind, Service};
use crate::mail::{EnhancedStatus, HoldId, MessageId, Reply, SetId};
use crate::track::{Decision, Reason};

/// A service with one answer for everything.
pub(super) struct Sample;

/// When the samples were made.
pub(super) fn now() -> Timestamp {
    at("2026-11-21T07:21:30Z")
}

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().expect("a test time")
}

pub(super) fn text(words: &str) -> String {
    words.to_owned()
}

pub(super) fn texts(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| text(word)).collect()
}

fn roll() -> RollState {
    RollState {
        version: Some(812),
        entries: 8_214,
        confirmed_at: Some(at("2026-11-21T07:20:50Z")),
        age_seconds: Some(40),
        freshness: text("fresh"),
        cause: Some(text("directory change")),
        generation: Some(55),
        fault: None,
    }
}

pub(super) fn group() -> GroupSummary {
    GroupSummary {
        address: text("all-staff@contoso.example"),
        kind: text("distribution group"),
        display_name: Some(text("All staff")),
        internal_only: true,
        moderated: true,
        roll: roll(),
    }
}

pub(super) fn busy_reply() -> Reply {
    Reply::new(421, (4, 7, 500), "server busy")
}

pub(super) fn item() -> QueueItem {
    QueueItem {
        set: text("s-12"),
        message: MessageId(Uuid::from_u128(1)),
        next_hop: text("cloud"),
        from: text("hr@contoso.example"),
        recipients: 8_214,
        open: 3,
        attempts: 2,
        queued_at: at("2026-11-21T06:39:20Z"),
        next_attempt_at: Some(at("2026-11-21T07:24:30Z")),
        expires_at: at("2026-11-23T06:39:20Z"),
        reply: Some(busy_reply()),
        reason: Some(Reason::NextHopDeferred),
    }
}

pub(super) fn hold() -> HoldSummary {
    HoldSummary {
        id: text("m-17"),
        group: text("announce@contoso.example"),
        from: text("canteen@contoso.example"),
        subject: Some(text("Canteen \u{1b}[31mclosed")),
        size_bytes: 14_000,
        held_at: at("2026-11-21T07:18:30Z"),
        expires_at: at("2026-11-23T06:21:30Z"),
    }
}

pub(super) fn verdict(seen_as: SeenAs) -> Verdict {
    Verdict {
        seen_as,
        sender_proof: text("internal by network loopback"),
        kind: VerdictKind::Accepted,
        reply: None,
        reason: None,
        cause: None,
        moderators: Vec::new(),
        bypass: Some(text("cfo is in the bypass list")),
        recipients: 8_214,
        next_hops: BTreeMap::from([(text("cloud"), 7_655), (text("onprem"), 559)]),
        routes: Vec::new(),
        groups: vec![
            ExpandedGroup {
                group: text("all-staff@contoso.example"),
                roll_age_seconds: 12,
                ..ExpandedGroup::default()
            };
            10
        ],
        branches: vec![BranchLeft {
            recipient: text("board@contoso.example"),
            path: texts(&["all-staff@contoso.example"]),
            kind: VerdictKind::Refused,
            reply: Some(Reply::new(550, (5, 7, 124), "You may not write to this group")),
            reason: Reason::SenderNotAccepted,
        }],
        left_out: vec![RecipientLeft {
            recipient: text("old@contoso.example"),
            group: Some(text("germany@contoso.example")),
            reason: Reason::MemberDeleted,
        }],
        duplicates: 431,
    }
}

pub(super) fn refused(seen_as: SeenAs) -> Verdict {
    Verdict {
        kind: VerdictKind::Refused,
        sender_proof: text("external: not in a trusted network"),
        reply: Some(Reply {
            code: 550,
            status: Some(EnhancedStatus::new(5, 7, 133)),
            text: "Only internal senders may write to this group".into(),
        }),
        reason: Some(Reason::SenderNotAuthenticated),
        bypass: None,
        recipients: 0,
        next_hops: BTreeMap::new(),
        groups: Vec::new(),
        branches: Vec::new(),
        left_out: Vec::new(),
        duplicates: 0,
        ..verdict(seen_as)
    }
}

pub(super) fn traced() -> TracedMessage {
    let fate = |recipient: &str, event: &str| RecipientFate {
        recipient: text(recipient),
        event: text(event),
        at: at("2026-11-21T07:02:13Z"),
        next_hop: Some(text("cloud")),
        rule: None,
        remote: Some(text("cloud.example")),
        reply: Some(Reply::new(250, (2, 6, 0), "queued as 8F2")),
        decision: None,
        reason: None,
        path: texts(&["all-staff", "germany", "berlin"]),
        roll_version: Some(812),
        roll_age_seconds: Some(40),
        report_to: None,
    };
    TracedMessage {
        message: MessageId(Uuid::from_u128(1)),
        at: at("2026-11-21T07:02:11Z"),
        from: text("hr@contoso.example"),
        to: texts(&["all-staff@contoso.example"]),
        subject: Some(text("=?UTF-8?Q?Bonus_f=C3=BCr_alle?=")),
        header_message_id: None,
        listener: Some(text("relay")),
        sender_proof: Some(text("network loopback")),
        size_bytes: Some(2_000),
        fates: vec![
            fate("lena@contoso.example", "SEND"),
            RecipientFate {
                reply: Some(Reply::new(550, (5, 1, 10), "nobody here")),
                reason: Some(Reason::NextHopRefused),
                path: Vec::new(),
                report_to: Some(text("hr@contoso.example")),
                ..fate("jonas@contoso.example", "FAIL")
            },
        ],
        recipients: 8_214,
        events: Vec::new(),
    }
}

pub(super) fn why() -> GroupWhy {
    GroupWhy {
        group: text("berlin@contoso.example"),
        recipient: text("jonas@contoso.example"),
        member: false,
        paths: Vec::new(),
        clauses: vec![
            ClauseVerdict {
                clause: text("Office -eq 'Berlin'"),
                holds: false,
                depth: 0,
                stored: texts(&["Berlin "]),
                source: Some(text("files")),
                changed_at: Some(at("2026-10-02T00:00:00Z")),
                note: Some(text("blank at the end")),
            },
            ClauseVerdict {
                clause: text("Enabled -eq $true"),
                holds: true,
                ..ClauseVerdict::default()
            },
        ],
        roll: roll(),
        gates: Vec::new(),
        at: None,
        pins: Vec::new(),
        nearest: Some(NearestMiss {
            text: text("would be a member without the blank at the end of Office"),
            others: 3,
            ..NearestMiss::default()
        }),
        notes: Vec::new(),
    }
}

impl Service for Sample {
    async fn status(&self) -> Result<StatusReport, Refusal> {
        Ok(samples::status())
    }

    async fn directory_page(&self, question: PageQuestion) -> Result<DirectoryPage, Refusal> {
        Ok(DirectoryPage {
            generation: 7,
            objects: Vec::new(),
            next: question.after.is_none().then_some(1),
        })
    }

    async fn group_list(&self) -> Result<Vec<GroupSummary>, Refusal> {
        Ok(vec![group()])
    }

    async fn group_show(&self, wanted: &str) -> Result<GroupShown, Refusal> {
        if wanted != "all-staff@contoso.example" {
            return Err(Refusal::new(
                RefusalKind::NotFound,
                format!("no group has the address {wanted}"),
            ));
        }
        Ok(GroupShown {
            summary: group(),
            source: text("files"),
            nested_groups: 3,
            depth: 2,
            recipients: 8_214,
            owners: texts(&["eva@contoso.example"]),
            reports_to: text("originator"),
            ..GroupShown::default()
        })
    }

    async fn group_members(
        &self,
        wanted: &str,
        _depth: MemberDepth,
        at: Option<Timestamp>,
    ) -> Result<GroupMembers, Refusal> {
        Ok(GroupMembers {
            group: text(wanted),
            roll: roll(),
            at,
            members: vec![
                Member {
                    address: text("lena@contoso.example"),
                    display_name: Some(text("Lena Böhm")),
                    kind: text("remote mailbox"),
                    next_hop: Some(text("cloud")),
                    ..Member::default()
                },
                Member {
                    address: text("CN=Gone,DC=contoso"),
                    kind: text("unresolved"),
                    left_out: Some(text("member-unresolved")),
                    ..Member::default()
                },
            ],
        })
    }

    async fn group_why(&self, _question: &WhyQuestion) -> Result<GroupWhy, Refusal> {
        Ok(why())
    }

    async fn explain(&self, question: &ExplainQuestion) -> Result<Explained, Refusal> {
        Ok(Explained {
            from: question.from.clone(),
            to: question.to.clone(),
            size_bytes: question.size_bytes,
            verdicts: match question.via {
                Some(_) => vec![verdict(SeenAs::Client)],
                None => vec![refused(SeenAs::Stranger), verdict(SeenAs::Internal)],
            },
        })
    }

    async fn send_test(&self, _caller: &Caller, order: &SendOrder) -> Result<SendTested, Refusal> {
        Ok(SendTested {
            explained: self.explain(&order.question).await?,
            message: order.only.as_ref().map(|_| MessageId(Uuid::from_u128(7))),
            only: order.only.clone(),
        })
    }

    async fn trace(&self, query: &TraceQuery) -> Result<Vec<TracedMessage>, Refusal> {
        let nobody = query.to.as_deref() == Some("nobody@contoso.example");
        Ok(if nobody { Vec::new() } else { vec![traced()] })
    }

    async fn trace_was(&self, message: MessageId, recipient: &str) -> Result<WasMember, Refusal> {
        Ok(lists::was(message, recipient))
    }

    async fn queue_list(&self, _selection: &QueueSelection) -> Result<Vec<QueueItem>, Refusal> {
        Ok(vec![item()])
    }

    async fn queue_summary(&self) -> Result<Vec<NextHopSummary>, Refusal> {
        Ok(vec![NextHopSummary {
            next_hop: text("cloud"),
            deferred: 61_204,
            oldest_seconds: Some(2_530),
            sessions_max: 20,
            last_error: Some(busy_reply().to_string()),
            ..NextHopSummary::default()
        }])
    }

    async fn queue_show(&self, _set: SetId) -> Result<QueueShown, Refusal> {
        Ok(QueueShown {
            item: item(),
            subject: None,
            relayed: 8_210,
            failed: 1,
            open_recipients: vec![OpenRecipient {
                recipient: text("lena@contoso.example"),
                reply: Some(busy_reply()),
                reason: Some(Reason::NextHopDeferred),
            }],
        })
    }

    async fn queue_retry(
        &self,
        _caller: &Caller,
        _selection: &QueueSelection,
        intent: Intent,
    ) -> Result<QueueChanged, Refusal> {
        Ok(QueueChanged {
            done: intent == Intent::Do,
            sets: 1,
            messages: 1,
            recipients: 3,
        })
    }

    async fn queue_drop(
        &self,
        caller: &Caller,
        selection: &QueueSelection,
        intent: Intent,
    ) -> Result<QueueChanged, Refusal> {
        self.queue_retry(caller, selection, intent).await
    }

    async fn moderate_list(&self, _group: Option<&str>) -> Result<Vec<HoldSummary>, Refusal> {
        Ok(vec![hold()])
    }

    async fn moderate_show(&self, _hold: HoldId) -> Result<HoldShown, Refusal> {
        Ok(HoldShown {
            cause: crate::track::HoldCause::Moderation,
            membership: crate::spool::message::Membership::Release,
            summary: hold(),
            message: MessageId(Uuid::from_u128(1)),
            sender_proof: Some(text("network loopback")),
            path: Vec::new(),
            moderators: texts(&["eva@contoso.example"]),
            recipients: 8_214,
            state: text("waiting"),
            decided_by: None,
            decided_at: None,
            comment: None,
        })
    }

    async fn moderate_approve(
        &self,
        caller: &Caller,
        hold: HoldId,
        moderator: Option<&str>,
    ) -> Result<HoldDecided, Refusal> {
        assert!(caller.user_id.is_some(), "the system names the peer of a local socket");
        Ok(HoldDecided {
            id: hold.to_string(),
            applied: hold == HoldId(17),
            decision: Decision::Approved,
            by: text(moderator.unwrap_or("operator")),
            at: now(),
            recipients: 8_214,
            missing: 0,
        })
    }

    async fn moderate_reject(
        &self,
        _caller: &Caller,
        hold: HoldId,
        moderator: Option<&str>,
        _comment: Option<&str>,
    ) -> Result<HoldDecided, Refusal> {
        Ok(HoldDecided {
            id: hold.to_string(),
            applied: true,
            decision: Decision::Rejected,
            by: text(moderator.unwrap_or("operator")),
            at: now(),
            recipients: 0,
            missing: 0,
        })
    }

    async fn moderate_many(&self, _caller: &Caller, order: &HoldsOrder) -> Result<HoldsDecided, Refusal> {
        Ok(HoldsDecided {
            done: order.intent == Intent::Do,
            answer: order.answer,
            messages: 287,
            senders: 190,
            recipients: 0,
            left: Vec::new(),
            operation: None,
        })
    }

    async fn test_spoof(&self, group: &str) -> Result<SpoofTested, Refusal> {
        Ok(samples::spoofed(group))
    }

    async fn reload(&self, _caller: &Caller, guard: GuardIntent) -> Result<Reloaded, Refusal> {
        Ok(match guard {
            GuardIntent::Respect => Reloaded {
                guard: Some(text("20 of 43 objects would go (limit 20 % and 10)")),
                ..Reloaded::default()
            },
            GuardIntent::Accept => Reloaded {
                applied: true,
                changes: texts(&["listeners[1].size_max 25M -> 40M"]),
                ..Reloaded::default()
            },
        })
    }

    async fn rule(&self, _caller: &Caller, command: &RuleCommand) -> Result<RuleAnswer, Refusal> {
        Ok(samples::rule(command))
    }

    async fn roll(&self, _caller: &Caller, command: &RollCommand) -> Result<RollAnswer, Refusal> {
        Ok(lists::roll(command))
    }

    async fn compare(&self, _caller: &Caller, command: &CompareCommand) -> Result<CompareAnswer, Refusal> {
        Ok(moves::compare(command))
    }

    async fn queue_order(&self, _caller: &Caller, command: &QueueCommand) -> Result<QueueAnswer, Refusal> {
        Ok(stops::queue(command))
    }

    async fn stop(&self, _caller: &Caller, command: &StopCommand) -> Result<StopAnswer, Refusal> {
        Ok(stops::stop(command))
    }
}
