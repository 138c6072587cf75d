//! Answers: plain structs with stable keys. Times are RFC 3339, sizes octets, ages seconds, counts exact.
//!
//! `--json` prints the content of an answer as it stands here; keys are added, never renamed or removed.

mod compare;
mod group;
mod mail;
mod queue;
mod roll;
pub mod rule;
mod spoof;
mod state;
mod stop;

use serde::{Deserialize, Serialize};

use crate::directory::recipient::RecipientObject;

pub use compare::{CompareAnswer, Compared, ComparedGroup, ComparedPerson, CutOver};
pub use group::{ClauseVerdict, GateVerdict, GroupMembers, GroupShown, GroupSummary, GroupWhy, Member, RollState};
pub use mail::{
    BranchLeft, ExpandedGroup, Explained, RecipientFate, RecipientLeft, RouteTaken, SeenAs, SendTested, TracedMessage,
    Verdict, VerdictKind, WasList, WasMember,
};
pub use queue::{HopSuspended, QueueActed, QueueAnswer, TlsCounted, TlsFailure, TlsReportEnded, TlsReportsShown};
pub use roll::{
    Alert, CauseShown, EntryChange, GroupConverted, GuardDecided, GuardHeld, PinChanged, PinShown, RollAnswer,
    RollDiff, RollHistory, RollRefreshed, RollVersion, RollsRefreshed, RollsVerified, StaleMember, SuspectChanged,
    SuspectShown,
};
pub use rule::{
    Inexpressible, NearestChange, NearestMiss, PlanStep, RuleAnswer, RuleFinding, RuleLint, RulePlan, RulePreview,
    RuleProposed, RuleText,
};
pub use spoof::{SpoofAttack, SpoofOutcome, SpoofTested, SpoofWeakness};
pub use state::{
    CheckReport, Finding, HoldDecided, HoldLeft, HoldShown, HoldSummary, HoldsDecided, ListenerState, NextHopSummary,
    OpenRecipient, QueueChanged, QueueItem, QueueShown, Reloaded, Severity, SigningState, StatusReport, Verification,
};
pub use stop::{BrakeShown, StopAnswer, StopDone, StopShown, ThreadShown, WatchShown};

/// An answer to one [`super::Command`].
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "name", content = "content", rename_all = "snake_case")]
pub enum Answer {
    /// To `status`.
    Status(StatusReport),
    /// To a page of `export`.
    DirectoryPage(DirectoryPage),
    /// To `group list`.
    GroupList(Vec<GroupSummary>),
    /// To `group show`.
    GroupShow(Box<GroupShown>),
    /// To `group members`.
    GroupMembers(GroupMembers),
    /// To `group why`.
    GroupWhy(GroupWhy),
    /// To `explain`.
    Explain(Explained),
    /// To `send`.
    SendTest(SendTested),
    /// To `trace`.
    Trace(Vec<TracedMessage>),
    /// To `trace --was`.
    TraceWas(WasMember),
    /// To `queue list`.
    QueueList(Vec<QueueItem>),
    /// To `queue summary`.
    QueueSummary(Vec<NextHopSummary>),
    /// To `queue show`.
    QueueShow(QueueShown),
    /// To `queue retry`.
    QueueRetry(QueueChanged),
    /// To `queue drop`.
    QueueDrop(QueueChanged),
    /// To `moderate list`.
    ModerateList(Vec<HoldSummary>),
    /// To `moderate show`.
    ModerateShow(HoldShown),
    /// To `moderate approve`.
    ModerateApprove(HoldDecided),
    /// To `moderate reject`.
    ModerateReject(HoldDecided),
    /// To either, of many.
    ModerateMany(HoldsDecided),
    /// To `reload`.
    Reload(Reloaded),
    /// To `test spoof`.
    TestSpoof(SpoofTested),
    /// To questions about rules.
    #[serde(untagged)]
    Rule(RuleAnswer),
    /// To questions and orders about lists.
    #[serde(untagged)]
    Roll(RollAnswer),
    /// To questions and orders about the move from the service before.
    #[serde(untagged)]
    Compare(CompareAnswer),
    /// To questions and orders about brakes and stops.
    #[serde(untagged)]
    Stop(StopAnswer),
    /// To orders about the queue.
    #[serde(untagged)]
    Queue(QueueAnswer),
}

/// Objects of the directory.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct DirectoryPage {
    /// Generation they are read from; pages of two generations do not belong together.
    pub generation: u64,
    /// In the order of ordinals.
    pub objects: Vec<RecipientObject>,
    /// Last ordinal of the page; nothing if it is the last page.
    pub next: Option<u32>,
}

/// How an answer reads as yes or no; decides the exit code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Meaning {
    /// Done, or yes.
    Yes,
    /// The answer is no: refused, not a member, nothing found, another came first.
    No,
    /// The settings or files are wrong and nothing was changed.
    Unusable,
    /// A guard holds the change back.
    Guarded,
}

impl Answer {
    /// Yes or no.
    #[must_use]
    pub fn meaning(&self) -> Meaning {
        let yes = |yes: bool| if yes { Meaning::Yes } else { Meaning::No };
        match self {
            Self::Status(status) => yes(status.ready),
            Self::DirectoryPage(_) | Self::GroupList(_) | Self::GroupShow(_) | Self::GroupMembers(_) => Meaning::Yes,
            Self::GroupWhy(why) => yes(why.member),
            Self::Explain(explained) => yes(explained.verdicts.iter().all(|verdict| verdict.kind.may_pass())),
            Self::SendTest(tested) => yes(tested.sent_or_may_pass()),
            Self::Trace(messages) => yes(!messages.is_empty()),
            Self::TraceWas(was) => yes(was.member),
            // An empty queue is good news, not a "no".
            Self::QueueList(_) | Self::QueueSummary(_) | Self::QueueShow(_) => Meaning::Yes,
            Self::QueueRetry(changed) | Self::QueueDrop(changed) => yes(changed.sets > 0),
            Self::ModerateList(_) | Self::ModerateShow(_) => Meaning::Yes,
            Self::ModerateApprove(decided) | Self::ModerateReject(decided) => yes(decided.applied),
            Self::ModerateMany(decided) => yes(decided.messages > 0),
            Self::Reload(reloaded) => reloaded.meaning(),
            Self::TestSpoof(tested) => tested.meaning(),
            Self::Rule(answer) => answer.meaning(),
            Self::Roll(answer) => answer.meaning(),
            Self::Compare(answer) => answer.meaning(),
            Self::Stop(answer) => answer.meaning(),
            Self::Queue(answer) => answer.meaning(),
        }
    }
}
