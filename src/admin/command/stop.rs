//! Commands about what holds mail back for a while: brakes of storms, and operators' stops.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Intent, Signed};
use crate::mail::{MessageId, StopId};

/// One question or order about brakes and stops.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
pub enum StopCommand {
    /// Threads with replies to all that are counted, and their brakes.
    Watch {
        /// Only to this group, by any of its addresses.
        group: Option<String>,
        /// Answer once something differs from the answer with this number of changes, or after a while.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<u64>,
    },
    /// Hold mail back, let it go, or give it up.
    Stop(StopOrder),
    /// Stops that are on.
    StopList {
        /// Those that are over, too.
        all: bool,
    },
}

/// What is stopped, and what is to become of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StopOrder {
    /// What.
    pub target: StopTarget,
    /// Hold, let go, give up.
    pub verb: StopVerb,
    /// When the stop ends by itself; none: when somebody lifts it.
    pub until: Option<Timestamp>,
    /// Do it, or say what would be done.
    pub intent: Intent,
    /// Who, and why.
    #[serde(default)]
    pub signed: Signed,
}

/// What is stopped.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopTarget {
    /// One message.
    Message(MessageId),
    /// Mail addressed to a group, by any of its addresses.
    Group(String),
    /// A conversation, by the id of one of its messages.
    Thread(String),
    /// What a stop is about.
    Stop(StopId),
}

/// What becomes of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopVerb {
    /// It waits.
    Hold,
    /// It goes on.
    Lift,
    /// It is given up in silence.
    Drop,
    /// It is given up, and senders are told.
    Refuse,
}

impl StopCommand {
    /// Names of the protocol.
    pub const NAMES: &'static [&'static str] = &["watch", "stop", "stop_list"];

    /// The protocol's name, for logs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Watch { .. } => "watch",
            Self::Stop(_) => "stop",
            Self::StopList { .. } => "stop_list",
        }
    }
}
