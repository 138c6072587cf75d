//! What a running service must be able to answer: one method for each command.

use std::fmt;
use std::future::Future;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::answer::{
    Answer, CompareAnswer, DirectoryPage, Explained, GroupMembers, GroupShown, GroupSummary, GroupWhy, HoldDecided,
    HoldShown, HoldSummary, HoldsDecided, NextHopSummary, QueueAnswer, QueueChanged, QueueItem, QueueShown, Reloaded,
    RollAnswer, RuleAnswer, SendTested, SpoofTested, StatusReport, StopAnswer, TracedMessage, WasMember,
};
use super::command::{
    Command, CompareCommand, ExplainQuestion, GuardIntent, HoldsOrder, Intent, MemberDepth, PageQuestion, QueueCommand,
    QueueSelection, RollCommand, RuleCommand, SendOrder, StopCommand, TraceQuery, WhyQuestion,
};
use crate::mail::{HoldId, MessageId, SetId};

/// Who asks, as the operating system says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    /// User id of the process at the other end of the socket.
    pub user_id: Option<u32>,
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.user_id {
            Some(id) => write!(f, "uid {id}"),
            None => f.write_str("local"),
        }
    }
}

/// Why a command was not carried out; decides the exit code.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// Nothing has that name or id: exit code 1.
    NotFound,
    /// The arguments make no sense, or the settings cannot work: 2.
    Usage,
    /// The service cannot answer now (starting, stopping, store away): 3.
    Busy,
    /// A guard or a permission says no: 4.
    Guard,
    /// Our fault; see the log: 3.
    Broken,
}

/// A command that was not carried out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// Whose fault.
    pub kind: RefusalKind,
    /// One plain sentence.
    pub message: String,
}

impl Refusal {
    /// A refusal of a kind.
    pub fn new(kind: RefusalKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }
}

/// The running service. Methods may wait for a commit; they change nothing when dropped half way.
pub trait Service: Send + Sync + 'static {
    /// Is the service well?
    fn status(&self) -> impl Future<Output = Result<StatusReport, Refusal>> + Send;

    /// A page of the directory.
    fn directory_page(&self, question: PageQuestion) -> impl Future<Output = Result<DirectoryPage, Refusal>> + Send;

    /// Every group, by address.
    fn group_list(&self) -> impl Future<Output = Result<Vec<GroupSummary>, Refusal>> + Send;

    /// One group.
    fn group_show(&self, group: &str) -> impl Future<Output = Result<GroupShown, Refusal>> + Send;

    /// Who is in it, or was at a time.
    fn group_members(
        &self,
        group: &str,
        depth: MemberDepth,
        at: Option<Timestamp>,
    ) -> impl Future<Output = Result<GroupMembers, Refusal>> + Send;

    /// Why somebody is in it or not.
    fn group_why(&self, question: &WhyQuestion) -> impl Future<Output = Result<GroupWhy, Refusal>> + Send;

    /// What would happen to a message: the very code of delivery, in dry run.
    fn explain(&self, question: &ExplainQuestion) -> impl Future<Output = Result<Explained, Refusal>> + Send;

    /// A message on trial: judged as delivery would, and sent to nobody or to one person.
    fn send_test(&self, caller: &Caller, order: &SendOrder)
    -> impl Future<Output = Result<SendTested, Refusal>> + Send;

    /// What became of messages, newest first.
    fn trace(&self, query: &TraceQuery) -> impl Future<Output = Result<Vec<TracedMessage>, Refusal>> + Send;

    /// Was somebody in the lists that a message was expanded with?
    fn trace_was(&self, message: MessageId, recipient: &str)
    -> impl Future<Output = Result<WasMember, Refusal>> + Send;

    /// Delivery sets with open recipients, oldest first.
    fn queue_list(&self, selection: &QueueSelection) -> impl Future<Output = Result<Vec<QueueItem>, Refusal>> + Send;

    /// Every next hop, by name.
    fn queue_summary(&self) -> impl Future<Output = Result<Vec<NextHopSummary>, Refusal>> + Send;

    /// One set.
    fn queue_show(&self, set: SetId) -> impl Future<Output = Result<QueueShown, Refusal>> + Send;

    /// Makes sets due now.
    fn queue_retry(
        &self,
        caller: &Caller,
        selection: &QueueSelection,
        intent: Intent,
    ) -> impl Future<Output = Result<QueueChanged, Refusal>> + Send;

    /// Gives open recipients up without a report, tracked with who did it.
    fn queue_drop(
        &self,
        caller: &Caller,
        selection: &QueueSelection,
        intent: Intent,
    ) -> impl Future<Output = Result<QueueChanged, Refusal>> + Send;

    /// Holds that wait, oldest first.
    fn moderate_list(&self, group: Option<&str>) -> impl Future<Output = Result<Vec<HoldSummary>, Refusal>> + Send;

    /// One hold.
    fn moderate_show(&self, hold: HoldId) -> impl Future<Output = Result<HoldShown, Refusal>> + Send;

    /// Releases; the answer says if another decision came first.
    fn moderate_approve(
        &self,
        caller: &Caller,
        hold: HoldId,
        moderator: Option<&str>,
    ) -> impl Future<Output = Result<HoldDecided, Refusal>> + Send;

    /// Refuses; the answer says if another decision came first.
    fn moderate_reject(
        &self,
        caller: &Caller,
        hold: HoldId,
        moderator: Option<&str>,
        comment: Option<&str>,
    ) -> impl Future<Output = Result<HoldDecided, Refusal>> + Send;

    /// Decides many holds, or says what it would decide.
    fn moderate_many(
        &self,
        caller: &Caller,
        order: &HoldsOrder,
    ) -> impl Future<Output = Result<HoldsDecided, Refusal>> + Send;

    /// Reads settings and directory again: all or nothing.
    fn reload(&self, caller: &Caller, guard: GuardIntent) -> impl Future<Output = Result<Reloaded, Refusal>> + Send;

    /// Runs the attack set against a group: nothing of it is stored or delivered.
    fn test_spoof(&self, group: &str) -> impl Future<Output = Result<SpoofTested, Refusal>> + Send;

    /// A question about a rule. The answer is the one of the command's name.
    fn rule(&self, caller: &Caller, command: &RuleCommand) -> impl Future<Output = Result<RuleAnswer, Refusal>> + Send;

    /// A question or order about lists. The answer is the one of the command's name.
    fn roll(&self, caller: &Caller, command: &RollCommand) -> impl Future<Output = Result<RollAnswer, Refusal>> + Send;

    /// A question or order about the move from the service before. The answer is the one of the command's name.
    fn compare(
        &self,
        caller: &Caller,
        command: &CompareCommand,
    ) -> impl Future<Output = Result<CompareAnswer, Refusal>> + Send;

    /// An order about the queue. The answer is the one of the command's name.
    fn queue_order(
        &self,
        caller: &Caller,
        command: &QueueCommand,
    ) -> impl Future<Output = Result<QueueAnswer, Refusal>> + Send;

    /// A question or order about brakes and stops. The answer is the one of the command's name.
    fn stop(&self, caller: &Caller, command: &StopCommand) -> impl Future<Output = Result<StopAnswer, Refusal>> + Send;
}

/// Asks the service what a command asks.
pub async fn dispatch<S: Service>(service: &S, caller: &Caller, command: &Command) -> Result<Answer, Refusal> {
    Ok(match command {
        Command::Status => Answer::Status(service.status().await?),
        Command::DirectoryPage(question) => Answer::DirectoryPage(service.directory_page(*question).await?),
        Command::GroupList => Answer::GroupList(service.group_list().await?),
        Command::GroupShow { group } => Answer::GroupShow(Box::new(service.group_show(group).await?)),
        Command::GroupMembers { group, depth, at } => {
            Answer::GroupMembers(service.group_members(group, *depth, *at).await?)
        }
        Command::GroupWhy(question) => Answer::GroupWhy(service.group_why(question).await?),
        Command::Explain(question) => Answer::Explain(service.explain(question).await?),
        Command::SendTest(order) => Answer::SendTest(service.send_test(caller, order).await?),
        Command::Trace(query) => Answer::Trace(service.trace(query).await?),
        Command::TraceWas { message, recipient } => Answer::TraceWas(service.trace_was(*message, recipient).await?),
        Command::QueueList(selection) => Answer::QueueList(service.queue_list(selection).await?),
        Command::QueueSummary => Answer::QueueSummary(service.queue_summary().await?),
        Command::QueueShow { set } => Answer::QueueShow(service.queue_show(*set).await?),
        Command::QueueRetry { selection, intent } => {
            Answer::QueueRetry(service.queue_retry(caller, selection, *intent).await?)
        }
        Command::QueueDrop { selection, intent } => {
            Answer::QueueDrop(service.queue_drop(caller, selection, *intent).await?)
        }
        Command::ModerateList { group } => Answer::ModerateList(service.moderate_list(group.as_deref()).await?),
        Command::ModerateShow { hold } => Answer::ModerateShow(service.moderate_show(*hold).await?),
        Command::ModerateApprove { hold, moderator } => {
            Answer::ModerateApprove(service.moderate_approve(caller, *hold, moderator.as_deref()).await?)
        }
        Command::ModerateReject {
            hold,
            moderator,
            comment,
        } => Answer::ModerateReject(
            service
                .moderate_reject(caller, *hold, moderator.as_deref(), comment.as_deref())
                .await?,
        ),
        Command::ModerateMany(order) => Answer::ModerateMany(service.moderate_many(caller, order).await?),
        Command::Reload { guard } => Answer::Reload(service.reload(caller, *guard).await?),
        Command::TestSpoof { group } => Answer::TestSpoof(service.test_spoof(group).await?),
        Command::Rule(command) => Answer::Rule(service.rule(caller, command).await?),
        Command::Roll(command) => Answer::Roll(service.roll(caller, command).await?),
        Command::Compare(command) => Answer::Compare(service.compare(caller, command).await?),
        Command::Stop(command) => Answer::Stop(service.stop(caller, command).await?),
        Command::Queue(command) => Answer::Queue(service.queue_order(caller, command).await?),
    })
}
