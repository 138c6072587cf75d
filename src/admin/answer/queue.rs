//! Answers to orders about the queue.

use serde::{Deserialize, Serialize};

use super::Meaning;
use crate::admin::command::QueueAction;

/// An answer to one [`crate::admin::command::QueueCommand`].
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "name", content = "content", rename_all = "snake_case")]
pub enum QueueAnswer {
    /// To `queue hold|release|bounce|reroute`.
    QueueAct(QueueActed),
    /// To `queue suspend|resume`.
    QueueSuspend(HopSuspended),
}

impl QueueAnswer {
    /// Yes or no: an order that finds nobody, or a hop as it was told to be: no.
    #[must_use]
    pub fn meaning(&self) -> Meaning {
        let found = match self {
            Self::QueueAct(acted) => acted.recipients > 0,
            Self::QueueSuspend(done) => done.applied,
        };
        if found { Meaning::Yes } else { Meaning::No }
    }
}

/// What an order came to, or would come to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct QueueActed {
    /// False: this is what would be done.
    pub done: bool,
    /// What was asked.
    pub verb: QueueAction,
    /// Delivery sets.
    pub sets: u64,
    /// Messages they belong to.
    pub messages: u64,
    /// Recipients that it is done to.
    pub recipients: u64,
    /// Recipients of the selection that are being delivered at this moment; they are left alone.
    pub in_flight: u64,
    /// Who did it.
    pub by: String,
}

/// A next hop that was suspended or resumed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HopSuspended {
    /// Which.
    pub next_hop: String,
    /// It is left alone now.
    pub suspended: bool,
    /// False: it was so before.
    pub applied: bool,
    /// Delivery sets that wait for it.
    pub sets: u64,
    /// Recipients that wait for it.
    pub recipients: u64,
    /// Who did it.
    pub by: String,
}
