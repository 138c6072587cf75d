//! Answers about brakes of storms and operators' stops.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Meaning;
use crate::admin::command::StopVerb;

/// An answer to one [`crate::admin::command::StopCommand`].
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "name", content = "content", rename_all = "snake_case")]
pub enum StopAnswer {
    /// To `watch`.
    Watch(WatchShown),
    /// To `stop`.
    Stop(StopDone),
    /// To `stop list`.
    StopList(Vec<StopShown>),
}

impl StopAnswer {
    /// Yes or no. An order that finds nothing to let go or to give up: no.
    #[must_use]
    pub fn meaning(&self) -> Meaning {
        match self {
            Self::Watch(_) | Self::StopList(_) => Meaning::Yes,
            Self::Stop(done) => match done.verb {
                StopVerb::Hold => Meaning::Yes,
                StopVerb::Lift | StopVerb::Drop | StopVerb::Refuse if done.messages == 0 && done.ended.is_empty() => {
                    Meaning::No
                }
                StopVerb::Lift | StopVerb::Drop | StopVerb::Refuse => Meaning::Yes,
            },
        }
    }
}

/// Threads with replies to all that are counted now.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct WatchShown {
    /// Number of changes so far: `after` of the next question.
    pub changes: u64,
    /// The last reply first.
    pub threads: Vec<ThreadShown>,
}

/// One thread to one group.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ThreadShown {
    /// Id of its first message.
    pub thread: String,
    /// Primary address of the group.
    pub group: String,
    /// Replies in the window that is counted, braked ones included.
    pub replies: u64,
    /// When the first of them came.
    pub first_at: Option<Timestamp>,
    /// When the last of them came.
    pub last_at: Option<Timestamp>,
    /// Messages of the thread that went to the group, as far as they were counted.
    pub passed: u64,
    /// Replies that wait for a moderator now.
    pub held: u64,
    /// Replies that were refused for now (450), each counted once.
    pub deferred: u64,
    /// The brake, if it is on.
    pub brake: Option<BrakeShown>,
}

/// A brake that is on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BrakeShown {
    /// `hold` or `defer`.
    pub action: String,
    /// Replies that brought it on.
    pub replies: u32,
    /// Seconds in which they came.
    pub seconds: u64,
    /// Since when.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Who was told.
    pub told: Vec<String>,
}

/// What `stop` came to, or would come to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StopDone {
    /// False: this is what would be done.
    pub done: bool,
    /// What was asked.
    pub verb: StopVerb,
    /// What it is about, in words.
    pub target: String,
    /// The stop that is on now, as `x-3`; none after `lift`, and where nothing is on.
    pub stop: Option<String>,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
    /// Who did it.
    pub by: String,
    /// Why.
    pub reason: Option<String>,
    /// Stops and brakes that this ended: `x-3`, or a thread with its group.
    pub ended: Vec<String>,
    /// Messages of which something is held, was let go or was given up by this.
    pub messages: u64,
    /// Of them those that wait for a moderator because of a brake.
    pub moderated: u64,
    /// Recipients of them: deliveries not made, let go, or given up.
    pub recipients: u64,
    /// Recipients being delivered at this moment: each counts as delivered or as held once its next hop has answered.
    pub in_flight: u64,
    /// Messages that had reached everybody before.
    pub delivered_messages: u64,
    /// Recipients that have it.
    pub delivered: u64,
    /// Recipients that failed or were dropped before.
    pub failed: u64,
    /// Holds that could not be decided now, and why.
    pub left: Vec<String>,
}

/// A stop.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StopShown {
    /// As `x-3`.
    pub id: String,
    /// `message`, `group` or `thread`.
    pub what: String,
    /// Which.
    pub target: String,
    /// True if it is on.
    pub on: bool,
    /// Since when.
    pub since: Timestamp,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
    /// Who stopped it.
    pub by: String,
    /// Why.
    pub reason: Option<String>,
    /// When it was ended.
    pub ended_at: Option<Timestamp>,
    /// Who ended it.
    pub ended_by: Option<String>,
    /// Messages of which something is held in the queue.
    pub messages: u64,
    /// Recipients held.
    pub recipients: u64,
}
