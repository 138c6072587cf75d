//! Answers about lists, for the tests of this room.

use super::{at, text, texts};
use crate::admin::answer::{
    Alert, CauseShown, EntryChange, GroupConverted, GuardDecided, GuardHeld, PinChanged, PinShown, RollAnswer,
    RollDiff, RollHistory, RollRefreshed, RollVersion, RollsRefreshed, RollsVerified, StaleMember, SuspectChanged,
    SuspectShown, WasList, WasMember,
};
use crate::admin::command::{ConvertInto, ConvertOrder, Intent, PinEffect, PinOrder, RollCommand};
use crate::mail::MessageId;

const BERLIN: &str = "berlin@contoso.example";

fn cause() -> CauseShown {
    CauseShown {
        text: text("Office changed from \"Berlin\" to \"BER\""),
        source: Some(text("hr")),
        by: None,
        at: Some(at("2026-11-21T01:07:00Z")),
        joined: 0,
        left: 402,
        names: texts(&["lena@contoso.example", "jonas@contoso.example"]),
    }
}

fn held() -> GuardHeld {
    GuardHeld {
        group: text(BERLIN),
        since: at("2026-11-21T01:10:00Z"),
        kind: text("shrink"),
        text: text("would remove 402 of 418 (96%, limit 20% and 10)"),
        serving_version: 812,
        serving_entries: 418,
        proposed_entries: 16,
        joins: 0,
        leaves: 402,
        rejected_by: None,
        causes: vec![cause()],
    }
}

fn change(joined: bool) -> EntryChange {
    EntryChange {
        change: text(if joined { "joined" } else { "left" }),
        address: text(if joined {
            "a.vogt@contoso.example"
        } else {
            "k.lenz@contoso.example"
        }),
        display_name: None,
        at: at("2026-03-14T09:12:00Z"),
        version: 3,
        cause: text(if joined {
            "Title changed from \"Clerk\" to \"Director\""
        } else {
            "pin ended"
        }),
        source: joined.then(|| text("hr")),
        by: None,
    }
}

fn pin(order: &PinOrder) -> PinShown {
    PinShown {
        group: order.group.clone(),
        recipient: order.recipient.clone(),
        effect: text(match order.effect {
            PinEffect::Include => "include",
            PinEffect::Exclude => "exclude",
        }),
        by: order.signed.by.clone().unwrap_or_else(|| text("root")),
        at: at("2026-11-21T07:21:30Z"),
        reason: order.signed.reason.clone(),
        until: order.until,
    }
}

fn pinned(effect: PinEffect) -> PinOrder {
    PinOrder {
        group: text("projectx@contoso.example"),
        effect,
        recipient: text("k.b@contoso.example"),
        until: Some(at("2026-12-03T23:00:00Z")),
        signed: crate::admin::command::Signed {
            reason: Some(text("holiday cover")),
            ..Default::default()
        },
    }
}

fn converted(order: &ConvertOrder) -> GroupConverted {
    let differs = !order.accept_difference && matches!(order.into, ConvertInto::Rule(_));
    GroupConverted {
        group: order.group.clone(),
        into: text(match order.into {
            ConvertInto::Proposal | ConvertInto::Rule(_) => "dynamic",
            ConvertInto::Static(_) => "static",
            ConvertInto::Undo => "source",
        }),
        done: !differs,
        filter: matches!(order.into, ConvertInto::Proposal | ConvertInto::Rule(_))
            .then(|| text("Department -eq 'Human Resources'")),
        before: 142,
        after: if differs { 144 } else { 142 },
        joining: if differs {
            texts(&["m.roth@contoso.example"])
        } else {
            Vec::new()
        },
        leaving: Vec::new(),
        joins: if differs { 2 } else { 0 },
        leaves: 0,
        pinned: 3,
        excluded: order.exclude.len() as u64,
    }
}

fn history() -> RollHistory {
    RollHistory {
        group: text(BERLIN),
        versions: vec![RollVersion {
            version: 813,
            at: at("2026-11-21T01:07:00Z"),
            generation: 56,
            cause: text("directory-changed"),
            entries: 16,
            joined: 0,
            left: 402,
            details: vec![cause()],
        }],
        more: true,
    }
}

fn diff(group: &str) -> RollDiff {
    RollDiff {
        group: text(group),
        from: at("2026-03-01T00:00:00Z"),
        to: at("2026-04-01T00:00:00Z"),
        from_version: Some(2),
        to_version: Some(4),
        from_entries: 12,
        to_entries: 12,
        changes: vec![change(true), change(false)],
        passing: Vec::new(),
        notes: Vec::new(),
    }
}

fn suspect() -> SuspectShown {
    SuspectShown {
        recipient: text("old@partner.example"),
        refusals: 3,
        first_at: at("2026-11-01T07:00:00Z"),
        last_at: at("2026-11-20T07:00:00Z"),
        reply: text("550 5.1.1 unknown"),
        groups: texts(&[BERLIN]),
        ..SuspectShown::default()
    }
}

/// One answer for each question or order about lists.
pub(super) fn roll(command: &RollCommand) -> RollAnswer {
    let decided = |group: &str, decision: &str| GuardDecided {
        group: text(group),
        decision: text(decision),
        by: text("eva"),
        reason: Some(text("office codes")),
        version: 813,
        entries: 16,
    };
    match command {
        RollCommand::GroupDiff { group, .. } => RollAnswer::GroupDiff(diff(group)),
        RollCommand::GroupHistory { .. } => RollAnswer::GroupHistory(history()),
        RollCommand::GroupRefresh { intent, .. } => RollAnswer::GroupRefresh(RollsRefreshed {
            done: *intent == Intent::Do,
            lists: 30,
            changed: 0,
            groups: Vec::new(),
        }),
        RollCommand::GroupVerify { group } => RollAnswer::GroupVerify(RollsVerified {
            lists: 30,
            differences: group
                .iter()
                .map(|group| RollRefreshed {
                    group: group.clone(),
                    joined: 1,
                    ..RollRefreshed::default()
                })
                .collect(),
        }),
        RollCommand::GroupPin(order) => RollAnswer::GroupPin(PinChanged {
            pin: pin(order),
            pinned: true,
            effective: true,
            entries: 13,
        }),
        RollCommand::GroupUnpin { .. } => RollAnswer::GroupUnpin(PinChanged {
            pin: pin(&pinned(PinEffect::Include)),
            pinned: false,
            effective: true,
            entries: 12,
        }),
        RollCommand::GroupPins { seen_by, .. } => RollAnswer::GroupPins(if seen_by.is_some() {
            Vec::new()
        } else {
            vec![pin(&pinned(PinEffect::Include)), pin(&pinned(PinEffect::Exclude))]
        }),
        RollCommand::GroupConvert(order) => RollAnswer::GroupConvert(converted(order)),
        RollCommand::GroupStale { .. } => RollAnswer::GroupStale(vec![StaleMember {
            group: text(BERLIN),
            recipient: text("old@partner.example"),
            state: text("suspect"),
            text: text("refused for good 3 times"),
            ..StaleMember::default()
        }]),
        RollCommand::GuardList => RollAnswer::GuardList(vec![held()]),
        RollCommand::GuardShow { .. } => RollAnswer::GuardShow(held()),
        RollCommand::GuardAccept { group, .. } => RollAnswer::GuardAccept(decided(group, "accepted")),
        RollCommand::GuardReject { group, .. } => RollAnswer::GuardReject(decided(group, "rejected")),
        RollCommand::Alerts => RollAnswer::Alerts(vec![Alert {
            kind: text("GUARD"),
            subject: text(BERLIN),
            since: Some(at("2026-11-21T01:10:00Z")),
            text: text("would remove 402 of 418 (96%, limit 20% and 10)"),
            causes: vec![cause()],
        }]),
        RollCommand::SuspectsList { .. } => RollAnswer::SuspectsList(vec![suspect()]),
        RollCommand::SuspectsSuppress { recipient, .. } => RollAnswer::SuspectsSuppress(SuspectChanged {
            recipient: recipient.clone(),
            change: text("suppressed"),
            applied: true,
        }),
        RollCommand::SuspectsClear { recipient, .. } => RollAnswer::SuspectsClear(SuspectChanged {
            recipient: recipient.clone(),
            change: text("cleared"),
            applied: false,
        }),
    }
}

/// Lena was in it, nobody else.
pub(super) fn was(message: MessageId, recipient: &str) -> WasMember {
    let member = recipient.starts_with("lena@");
    WasMember {
        message,
        at: at("2026-11-16T07:02:11Z"),
        recipient: text(recipient),
        member,
        addressed: false,
        lists: vec![WasList {
            group: text(BERLIN),
            path: texts(&["all-staff@contoso.example"]),
            version: 812,
            member: Some(member),
            change: (!member).then(|| change(true)),
        }],
    }
}
