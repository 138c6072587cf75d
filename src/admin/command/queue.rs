//! Orders about the queue beyond trying again: hold, release, give up with a report, send elsewhere, suspend; and what
//! became of TLS on the way out.

use serde::{Deserialize, Serialize};

use super::{Intent, QueueSelection, Signed};

/// One order about the queue.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
pub enum QueueCommand {
    /// About recipients that wait.
    QueueAct(QueueOrder),
    /// Leave a next hop alone, or do so no longer.
    QueueSuspend(SuspendOrder),
    /// What TLS with domains' mail exchangers came to, and which reports were sent about it.
    TlsReports {
        /// Only of this domain.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        domain: Option<String>,
    },
}

/// Recipients that wait, and what is to become of them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueOrder {
    /// Which; of a set those recipients only that the selection is about.
    pub selection: QueueSelection,
    /// What.
    pub verb: QueueAction,
    /// Do it, or say what would be done.
    pub intent: Intent,
    /// Who, and why.
    #[serde(default)]
    pub signed: Signed,
}

/// What becomes of recipients that wait.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueAction {
    /// They wait on until they are released, and do not expire meanwhile.
    Hold,
    /// They go on.
    Release,
    /// They are given up in silence.
    Drop,
    /// They are given up, and the senders get a report.
    Bounce,
    /// They go to this next hop.
    Reroute(String),
}

/// A next hop that is to be left alone, or not any longer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuspendOrder {
    /// Its name, or `domain:…` for one domain of an MX next hop.
    pub next_hop: String,
    /// Left alone.
    pub suspend: bool,
    /// Who, and why.
    #[serde(default)]
    pub signed: Signed,
}

impl QueueCommand {
    /// Names of the protocol.
    pub const NAMES: &'static [&'static str] = &["queue_act", "queue_suspend", "tls_reports"];

    /// The protocol's name, for logs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::QueueAct(_) => "queue_act",
            Self::QueueSuspend(_) => "queue_suspend",
            Self::TlsReports { .. } => "tls_reports",
        }
    }
}
