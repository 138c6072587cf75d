//! The scenes: what is submitted, what must become of it, what did.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use serde::Serialize;

use crate::admin::answer::{SeenAs, Verdict, VerdictKind};
use crate::admin::command::ExplainQuestion;
use crate::admin::service::{Caller, Service as _};
use crate::categorizer::intake::ListenerRole;
use crate::mail::Reply;
use crate::spool::Spool as _;

use super::sink::Sink;
use super::submit::submit;
use super::{ARRIVAL_MAX, commands};
use crate::app::service::Service;

/// What must become of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expected {
    /// Copies: recipients at `cloud` and at `onprem`, each once.
    Delivered { cloud: usize, onprem: usize },
    /// This enhanced status in the dialogue, and no copy.
    Refused(&'static str),
    /// No copy before a moderator decides.
    Held,
}

/// One submission.
pub struct Scene {
    pub what: &'static str,
    pub from: &'static str,
    pub by: ListenerRole,
    pub to: &'static str,
    pub expected: Expected,
}

const COLLEAGUE: &str = "torben.yildirim@contoso.example";
const STRANGER: &str = "someone@outside.example";
const MODERATOR: &str = "petra.ueckermann@contoso.example";

/// The five messages.
pub const SCENES: &[Scene] = &[
    Scene {
        what: "static group",
        from: COLLEAGUE,
        by: ListenerRole::Relay,
        to: "office-managers@contoso.example",
        expected: Expected::Delivered { cloud: 1, onprem: 2 },
    },
    Scene {
        what: "dynamic group",
        from: COLLEAGUE,
        by: ListenerRole::Relay,
        to: "berlin@contoso.example",
        expected: Expected::Delivered { cloud: 24, onprem: 24 },
    },
    Scene {
        what: "groups nested, overlapping; from outside",
        from: STRANGER,
        by: ListenerRole::Inbound,
        to: "all-staff@contoso.example",
        expected: Expected::Delivered { cloud: 60, onprem: 60 },
    },
    Scene {
        what: "internal-only group, from outside",
        from: STRANGER,
        by: ListenerRole::Inbound,
        to: "leadership@contoso.example",
        expected: Expected::Refused("5.7.133"),
    },
    Scene {
        what: "moderated group",
        from: COLLEAGUE,
        by: ListenerRole::Relay,
        to: "announce@contoso.example",
        expected: Expected::Held,
    },
];

/// What became of a message.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The scene.
    pub what: String,
    /// Reverse-path.
    pub from: String,
    /// Forward-path.
    pub to: String,
    /// What happened, in words.
    pub happened: String,
    /// Recipients that arrived, by next hop.
    pub arrived: BTreeMap<String, usize>,
    /// Duplicates removed before they were made.
    pub duplicates_removed: u64,
    /// Version of the addressed group's list.
    pub list_version: Option<u64>,
    /// Its age in seconds.
    pub list_age_seconds: Option<u64>,
    /// From the first octet of the submission to the last copy, in milliseconds.
    pub milliseconds: u64,
    /// What did not hold; empty if all did.
    pub broken: Vec<String>,
}

impl Outcome {
    /// True if every expectation held.
    pub fn held(&self) -> bool {
        self.broken.is_empty()
    }
}

/// Where scenes are played.
pub struct Stage<'a> {
    service: &'a Arc<Service>,
    sinks: &'a [Sink; 2],
    inbound: SocketAddr,
    relay: SocketAddr,
}

impl<'a> Stage<'a> {
    /// Finds the listeners.
    pub fn of(service: &'a Arc<Service>, sinks: &'a [Sink; 2]) -> Result<Self, String> {
        let listeners = service.listeners.get().ok_or("nothing listens")?;
        let find = |role: ListenerRole| {
            let found = listeners.iter().find(|listener| listener.role == role);
            found
                .map(|listener| listener.address)
                .ok_or_else(|| format!("no {role:?} listener"))
        };
        Ok(Self {
            service,
            sinks,
            inbound: find(ListenerRole::Inbound)?,
            relay: find(ListenerRole::Relay)?,
        })
    }

    /// Address of a listener.
    pub fn address(&self, role: ListenerRole) -> SocketAddr {
        match role {
            ListenerRole::Inbound => self.inbound,
            ListenerRole::Relay | ListenerRole::Submission => self.relay,
        }
    }

    /// Waits until so many recipients of a subject arrived, and the queue is empty.
    async fn wait(&self, subject: &str, count: usize) {
        let arrived = async {
            let [mut cloud, mut onprem] = [self.sinks[0].arrivals(), self.sinks[1].arrivals()];
            while self.total(subject) < count {
                tokio::select! {
                    _ = cloud.changed() => {}
                    _ = onprem.changed() => {}
                }
            }
            // One copy too many would still be under way: nothing may be left in the spool.
            while self.service.spool.messages() > usize::from(self.holds() > 0) {
                tokio::task::yield_now().await;
            }
        };
        // Too few is an expectation that did not hold; it is told by the caller.
        let _ = tokio::time::timeout(ARRIVAL_MAX, arrived).await;
    }

    fn holds(&self) -> usize {
        self.service.spool.holds().map_or(0, |holds| holds.len())
    }

    fn total(&self, subject: &str) -> usize {
        self.sinks.iter().map(|sink| sink.recipients_of(subject).len()).sum()
    }

    async fn explained(&self, scene: &Scene) -> Result<Verdict, String> {
        let via = scene.by.word();
        let question = ExplainQuestion {
            from: scene.from.to_owned(),
            to: scene.to.to_owned(),
            author: None,
            size_bytes: None,
            via: Some(via.to_owned()),
            client: Some(std::net::Ipv4Addr::LOCALHOST.into()),
            login: None,
            certificate: None,
        };
        let explained = commands(self.service)
            .explain(&question)
            .await
            .map_err(|fault| fault.message)?;
        explained
            .verdicts
            .into_iter()
            .next()
            .ok_or_else(|| "explain gave no verdict".to_owned())
    }
}

/// Plays one scene.
pub async fn play(stage: &Stage<'_>, scene: &Scene) -> Result<Outcome, String> {
    let verdict = stage.explained(scene).await?;
    debug_assert_eq!(verdict.seen_as, SeenAs::Client);
    let clock = &stage.service.env.clock;
    let started = clock.monotonic();
    let reply = submit(stage.address(scene.by), scene.from, scene.to, scene.what).await?;
    let expected = match scene.expected {
        Expected::Delivered { cloud, onprem } => cloud + onprem,
        Expected::Refused(_) | Expected::Held => 0,
    };
    stage.wait(scene.what, expected).await;
    let mut outcome = outcome(stage, scene.what, scene.from, scene.to, &verdict);
    if scene.expected == Expected::Held {
        outcome.duplicates_removed = 0;
    }
    outcome.milliseconds = millis(clock.monotonic().saturating_sub(started));
    outcome.happened = happened(&reply, &verdict);
    judge(stage, scene, &reply, &verdict, &mut outcome);
    Ok(outcome)
}

/// The moderator lets the held message go.
pub async fn approve(stage: &Stage<'_>) -> Result<Outcome, String> {
    let Some(scene) = SCENES.iter().find(|scene| scene.expected == Expected::Held) else {
        return Err("no scene is moderated".to_owned());
    };
    let commands = commands(stage.service);
    let holds = commands.moderate_list(None).await.map_err(|fault| fault.message)?;
    let hold = holds.first().ok_or("nothing is held")?;
    let id = hold.id.parse().map_err(|fault: String| fault)?;
    let clock = &stage.service.env.clock;
    let started = clock.monotonic();
    let caller = Caller { user_id: None };
    let decided = commands
        .moderate_approve(&caller, id, Some(MODERATOR))
        .await
        .map_err(|fault| fault.message)?;
    let verdict = stage.explained(scene).await?;
    let count = usize::try_from(decided.recipients).unwrap_or(usize::MAX);
    stage.wait(scene.what, count).await;
    let mut outcome = outcome(stage, scene.what, scene.from, scene.to, &verdict);
    outcome.what = "… approved by its moderator".to_owned();
    outcome.milliseconds = millis(clock.monotonic().saturating_sub(started));
    let name = MODERATOR.split('@').next().unwrap_or(MODERATOR);
    outcome.happened = format!("released by {name}");
    let arrived = stage.total(scene.what);
    if !decided.applied || count == 0 || arrived != count {
        outcome
            .broken
            .push(format!("{count} recipients released, {arrived} arrived"));
    }
    once_each(stage, scene.what, &mut outcome);
    Ok(outcome)
}

fn outcome(stage: &Stage<'_>, subject: &str, from: &str, to: &str, verdict: &Verdict) -> Outcome {
    let top = verdict.groups.iter().find(|group| group.path.is_empty());
    Outcome {
        what: subject.to_owned(),
        from: from.to_owned(),
        to: to.to_owned(),
        happened: String::new(),
        arrived: stage
            .sinks
            .iter()
            .map(|sink| (sink.name().to_owned(), sink.recipients_of(subject).len()))
            .collect(),
        duplicates_removed: verdict.duplicates,
        list_version: top.map(|group| group.roll_version),
        list_age_seconds: top.map(|group| group.roll_age_seconds),
        milliseconds: 0,
        broken: Vec::new(),
    }
}

fn happened(reply: &Reply, verdict: &Verdict) -> String {
    if reply.code >= 400 {
        let reason = verdict.reason.map_or("", |reason| reason.text());
        return format!(
            "refused {} ({reason})",
            reply
                .status
                .map_or_else(String::new, |status| format!("{} {status}", reply.code))
        );
    }
    match verdict.kind {
        VerdictKind::Held => format!("held for its {} moderators", verdict.moderators.len()),
        VerdictKind::Accepted | VerdictKind::Deferred | VerdictKind::Refused => "delivered".to_owned(),
    }
}

/// Expectations, each of which can fail: what the sink saw, what the dialogue said, what `explain` had said before.
fn judge(stage: &Stage<'_>, scene: &Scene, reply: &Reply, verdict: &Verdict, outcome: &mut Outcome) {
    let status = reply.status.map_or_else(String::new, |status| status.to_string());
    let [cloud, onprem] = stage.sinks.each_ref().map(|sink| sink.recipients_of(scene.what).len());
    let mut expect = |holds: bool, what: String| {
        if !holds {
            outcome.broken.push(what);
        }
    };
    match scene.expected {
        Expected::Delivered {
            cloud: cloud_expected,
            onprem: onprem_expected,
        } => {
            expect(reply.code == 250, format!("accepted, not {reply}"));
            expect(
                cloud == cloud_expected,
                format!("{cloud_expected} recipients at cloud, not {cloud}"),
            );
            expect(
                onprem == onprem_expected,
                format!("{onprem_expected} recipients at onprem, not {onprem}"),
            );
            let explained = usize::try_from(verdict.recipients).unwrap_or(usize::MAX);
            expect(
                explained == cloud + onprem,
                format!("explain had said {explained} recipients"),
            );
        }
        Expected::Refused(expected) => {
            expect(
                reply.code == 550 && status == expected,
                format!("refused with {expected}, not {reply}"),
            );
            expect(cloud + onprem == 0, "no copy".to_owned());
            expect(
                verdict.kind == VerdictKind::Refused,
                "explain had said refused".to_owned(),
            );
        }
        Expected::Held => {
            expect(reply.code == 250, format!("accepted, not {reply}"));
            expect(cloud + onprem == 0, "no copy before the decision".to_owned());
            expect(stage.holds() == 1, format!("one message held, not {}", stage.holds()));
        }
    }
    once_each(stage, scene.what, outcome);
}

fn once_each(stage: &Stage<'_>, subject: &str, outcome: &mut Outcome) {
    for sink in stage.sinks {
        let mut all: Vec<String> = sink
            .recipients_of(subject)
            .iter()
            .map(|to| to.to_ascii_lowercase())
            .collect();
        let count = all.len();
        all.sort();
        all.dedup();
        if all.len() != count {
            outcome.broken.push(format!("each person once at {}", sink.name()));
        }
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
