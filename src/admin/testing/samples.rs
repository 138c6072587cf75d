//! Answers about rules and lists, for the tests of this room.

use super::{at, text, texts};
use crate::admin::answer::{
    Inexpressible, ListenerState, PlanStep, RuleAnswer, RuleFinding, RuleLint, RulePlan, RulePreview, RuleProposed,
    RuleText, Severity, SigningState, SpoofAttack, SpoofOutcome, SpoofTested, SpoofWeakness, StatusReport,
    Verification,
};
use crate::admin::command::{PrintLanguage, RuleCommand};

const BERLIN: &str = "berlin@contoso.example";
const OFFICE: &str = "Office -eq 'Berlin'";

fn finding() -> RuleFinding {
    RuleFinding {
        severity: Severity::Warning,
        code: text("other-spelling"),
        clause: Some(text(OFFICE)),
        message: text("3 recipients have \"Berlin \" (blank at the end)"),
        proposal: Some(text("Office -eq 'Berlin' -or Office -eq 'Berlin '")),
        count_now: Some(16),
        count_proposed: Some(19),
    }
}

/// One answer for each question about rules.
pub(super) fn rule(command: &RuleCommand) -> RuleAnswer {
    match command {
        RuleCommand::GroupPreview(question) => RuleAnswer::GroupPreview(RulePreview {
            saved: question.save,
            ..preview(question.rule.group.clone())
        }),
        RuleCommand::GroupFilter { rule, language } => RuleAnswer::GroupFilter(RuleText {
            group: rule.group.clone(),
            from: text("opath"),
            exclusions: texts(&["Exchange 2016"]),
            ..match language {
                PrintLanguage::Ldap => RuleText {
                    language: text("ldap"),
                    text: Some(text("(physicalDeliveryOfficeName=Berlin)")),
                    ..RuleText::default()
                },
                PrintLanguage::Opath | PrintLanguage::Entra | PrintLanguage::English => RuleText {
                    language: text("entra"),
                    inexpressible: vec![Inexpressible {
                        clause: text("CustomAttribute1 -eq 'x'"),
                        why: text("Entra has no word for it"),
                    }],
                    ..RuleText::default()
                },
            }
        }),
        RuleCommand::GroupPlan { rule } => RuleAnswer::GroupPlan(RulePlan {
            group: rule.group.clone(),
            filter: text(OFFICE),
            container: None,
            steps: vec![PlanStep {
                clause: text(OFFICE),
                served: text("look-up"),
                rows: 16,
                ..PlanStep::default()
            }],
            candidates: 1_204,
            count: 16,
        }),
        RuleCommand::GroupLint { group } => RuleAnswer::GroupLint(vec![RuleLint {
            group: group.clone().unwrap_or_else(|| text(BERLIN)),
            filter: text(OFFICE),
            count: Some(16),
            findings: if group.is_none() { vec![finding()] } else { Vec::new() },
        }]),
        RuleCommand::GroupPropose { group } => RuleAnswer::GroupPropose(RuleProposed {
            group: group.clone(),
            members: 142,
            filter: Some(text("Department -eq 'Human Resources'")),
            english: Some(text("everyone whose Department is \"Human Resources\"")),
            covered: 139,
            adds: texts(&["m.roth@contoso.example", "t.ito@contoso.example"]),
            pinned: texts(&["k.b@contoso.example"]),
            adds_count: 2,
            pinned_count: 3,
        }),
    }
}

fn preview(group: Option<String>) -> RulePreview {
    let compared = group.is_some();
    RulePreview {
        before: compared.then_some(418),
        joins: u64::from(compared),
        leaves: if compared { 403 } else { 0 },
        group,
        language: text("opath"),
        filter: text(OFFICE),
        english: text("everyone whose Office is \"Berlin\""),
        container: None,
        count: 16,
        joining: texts(&["lena@contoso.example"]),
        leaving: if compared {
            texts(&["a@contoso.example", "b@contoso.example"])
        } else {
            Vec::new()
        },
        findings: vec![finding()],
        saved: false,
        held: false,
    }
}

/// The service is well.
pub(super) fn status() -> StatusReport {
    StatusReport {
        version: text("0.1.0"),
        hostname: text("mx.contoso.example"),
        started_at: at("2026-11-19T05:21:30Z"),
        ready: true,
        busy: None,
        listeners: vec![ListenerState {
            name: text("inbound"),
            role: text("inbound"),
            address: text("127.0.0.1:2525"),
            sessions: 2,
        }],
        generation: Some(55),
        generation_at: Some(at("2026-11-21T07:20:50Z")),
        recipients: 120,
        groups: 30,
        messages: 1,
        queued_recipients: 3,
        holds: 1,
        lists_held: 1,
        signing: SigningState::default(),
        verification: Verification {
            lists_total: 60,
            differences_total: 0,
            at: Some(at("2026-11-21T07:20:50Z")),
        },
        notes: texts(&["1 group has no owner"]),
    }
}

/// One attack of each outcome that people should see.
pub(super) fn spoofed(group: &str) -> SpoofTested {
    let attack = |attack: &str, outcome: SpoofOutcome, answer: &str| SpoofAttack {
        attack: text(attack),
        tried: text("MAIL FROM:<lena@contoso.example>"),
        outcome,
        answer: text(answer),
        weaknesses: Vec::new(),
    };
    let weakness = SpoofWeakness {
        setting: text("policy.author"),
        value: text("\"ignore\""),
        change: text("set it to \"permitted\" or \"same\""),
    };
    SpoofTested {
        group: text(group),
        attacks_total: 3,
        refused_total: 2,
        attacks: vec![
            attack("reverse-path", SpoofOutcome::Refused, "550 5.7.1 Sender is spoofed"),
            attack("nested", SpoofOutcome::Held, "250 2.6.0 accepted"),
            SpoofAttack {
                weaknesses: vec![weakness],
                ..attack(
                    "from",
                    SpoofOutcome::Through,
                    "reaches 120 recipients; the sender is external",
                )
            },
        ],
    }
}
