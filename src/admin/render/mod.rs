//! Answers for people: plain aligned text that says what the JSON says.
//!
//! Nothing of an answer reaches the terminal with its control characters: subjects and replies come from
//! strangers.

mod check;
mod explain;
mod group;
mod moderate;
mod queue;
mod rule;
mod status;
mod text;
mod trace;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::answer::{Answer, CheckReport, RuleAnswer};

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
        Answer::GroupMembers(members) => group::members(members),
        Answer::GroupWhy(why) => group::why(why, reader),
        Answer::Explain(explained) => explain::explained(explained),
        Answer::Trace(messages) => trace::messages(messages, reader),
        Answer::QueueList(items) => queue::list(items, reader),
        Answer::QueueSummary(hops) => queue::summary(hops),
        Answer::QueueShow(shown) => queue::show(shown, reader),
        Answer::QueueRetry(changed) => queue::changed(changed, "retry", "made due"),
        Answer::QueueDrop(changed) => queue::changed(changed, "drop", "dropped"),
        Answer::ModerateList(holds) => moderate::list(holds, reader),
        Answer::ModerateShow(shown) => moderate::show(shown, reader),
        Answer::ModerateApprove(decided) | Answer::ModerateReject(decided) => moderate::decided(decided, reader),
        Answer::Reload(reloaded) => check::reloaded(reloaded),
        Answer::Rule(answer) => match answer {
            RuleAnswer::GroupPreview(preview) => rule::preview(preview),
        },
    }
}

/// The text of `check`.
#[must_use]
pub fn render_check(report: &CheckReport) -> String {
    check::checked(report)
}

#[cfg(test)]
mod tests;
