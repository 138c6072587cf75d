//! Answers for people: plain aligned text that says what the JSON says.
//!
//! Nothing of an answer reaches the terminal with its control characters: subjects and replies come from
//! strangers.

mod check;
mod compare;
mod explain;
mod group;
mod guard;
mod moderate;
mod queue;
mod roll;
mod rule;
mod spoof;
mod status;
mod stop;
mod text;
mod tls;
mod trace;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::answer::{Answer, CheckReport, CompareAnswer, QueueAnswer, RollAnswer, RuleAnswer, StopAnswer};

pub use text::clean;

/// What the reader's place and time are.
#[derive(Clone, Debug)]
pub struct Reader {
    /// Time zone to show times in.
    pub zone: TimeZone,
    /// Now, for "3 min".
    pub now: Timestamp,
}

/// The text of an answer, line ends included.
#[must_use]
pub fn render(answer: &Answer, reader: &Reader) -> String {
    match answer {
        Answer::Status(status) => status::status(status, reader),
        Answer::DirectoryPage(page) => format!("{} objects of generation {}\n", page.objects.len(), page.generation),
        Answer::GroupList(groups) => group::list(groups),
        Answer::GroupShow(group) => group::show(group, reader),
        Answer::GroupMembers(members) => group::members(members, reader),
        Answer::GroupWhy(why) => group::why(why, reader),
        Answer::Explain(explained) => explain::explained(explained),
        Answer::SendTest(tested) => explain::tested(tested),
        Answer::Trace(messages) => trace::messages(messages, reader),
        Answer::TraceWas(was) => trace::was(was, reader),
        Answer::QueueList(items) => queue::list(items, reader),
        Answer::QueueSummary(hops) => queue::summary(hops),
        Answer::QueueShow(shown) => queue::show(shown, reader),
        Answer::QueueRetry(changed) => queue::changed(changed, "retry", "made due"),
        Answer::QueueDrop(changed) => queue::changed(changed, "drop", "dropped"),
        Answer::ModerateList(holds) => moderate::list(holds, reader),
        Answer::ModerateShow(shown) => moderate::show(shown, reader),
        Answer::ModerateMany(decided) => moderate::many(decided),
        Answer::ModerateApprove(decided) | Answer::ModerateReject(decided) => moderate::decided(decided, reader),
        Answer::Reload(reloaded) => check::reloaded(reloaded),
        Answer::TestSpoof(tested) => spoof::tested(tested),
        Answer::Rule(answer) => render_rule(answer),
        Answer::Roll(answer) => render_roll(answer, reader),
        Answer::Compare(CompareAnswer::Compare(done)) => compare::compared(done, reader),
        Answer::Compare(CompareAnswer::GroupCutover(done)) => compare::cut_over(done, reader),
        Answer::Stop(StopAnswer::Watch(shown)) => stop::watch(shown, reader),
        Answer::Stop(StopAnswer::Stop(done)) => stop::done(done, reader),
        Answer::Stop(StopAnswer::StopList(stops)) => stop::list(stops, reader),
        Answer::Queue(QueueAnswer::QueueAct(acted)) => queue::acted(acted),
        Answer::Queue(QueueAnswer::QueueSuspend(done)) => queue::suspended(done),
        Answer::Queue(QueueAnswer::TlsReports(shown)) => tls::reports(shown, reader),
    }
}

fn render_rule(answer: &RuleAnswer) -> String {
    match answer {
        RuleAnswer::GroupPreview(preview) => rule::preview(preview),
        RuleAnswer::GroupFilter(said) => rule::text(said),
        RuleAnswer::GroupPlan(plan) => rule::plan(plan),
        RuleAnswer::GroupLint(rules) => rule::lint(rules),
        RuleAnswer::GroupPropose(proposed) => guard::proposed(proposed),
    }
}

fn render_roll(answer: &RollAnswer, reader: &Reader) -> String {
    match answer {
        RollAnswer::GroupDiff(diff) => roll::diff(diff, reader),
        RollAnswer::GroupHistory(history) => roll::history(history, reader),
        RollAnswer::GroupRefresh(refreshed) => roll::refreshed(refreshed),
        RollAnswer::GroupVerify(verified) => roll::verified(verified),
        RollAnswer::GroupPin(changed) | RollAnswer::GroupUnpin(changed) => guard::pinned(changed, reader),
        RollAnswer::GroupPins(pins) => guard::pins(pins, reader),
        RollAnswer::GroupConvert(converted) => guard::converted(converted),
        RollAnswer::GroupStale(members) => roll::stale(members),
        RollAnswer::GuardList(holds) => guard::list(holds, reader),
        RollAnswer::GuardShow(held) => guard::show(held, reader),
        RollAnswer::GuardAccept(decided) | RollAnswer::GuardReject(decided) => guard::decided(decided),
        RollAnswer::Alerts(alerts) => guard::alerts(alerts, reader),
        RollAnswer::SuspectsList(suspects) => guard::suspects(suspects, reader),
        RollAnswer::SuspectsSuppress(changed) | RollAnswer::SuspectsClear(changed) => guard::suspect(changed),
    }
}

/// The text of `check`.
#[must_use]
pub fn render_check(report: &CheckReport) -> String {
    check::checked(report)
}

#[cfg(test)]
mod tests;
