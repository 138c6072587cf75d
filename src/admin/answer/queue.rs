//! Answers to orders about the queue.

use jiff::Timestamp;
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
    /// To `tls-reports`.
    TlsReports(TlsReportsShown),
}

impl QueueAnswer {
    /// Yes or no: an order that finds nobody, or a hop as it was told to be: no.
    #[must_use]
    pub fn meaning(&self) -> Meaning {
        let found = match self {
            Self::QueueAct(acted) => acted.recipients > 0,
            Self::QueueSuspend(done) => done.applied,
            // No failure is good news, not a "no".
            Self::TlsReports(_) => true,
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

/// What is counted for TLS reports, and which were sent.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct TlsReportsShown {
    /// False: settings ask for no reports, nothing is counted.
    pub on: bool,
    /// By day, domain and policy, days that are not reported yet only.
    pub counted: Vec<TlsCounted>,
    /// Sessions with domains beyond the bound of those that are counted.
    pub left_out: u64,
    /// Reports that have ended, the latest last.
    pub ended: Vec<TlsReportEnded>,
}

/// Sessions with the mail exchangers of a domain under one policy on one UTC day.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TlsCounted {
    /// `2026-11-25`.
    pub day: String,
    /// The domain.
    pub domain: String,
    /// `sts`, `tlsa` or `no-policy-found`.
    pub policy: String,
    /// Sessions as the policy wants them.
    pub succeeded: u64,
    /// Others.
    pub failed: u64,
    /// Those, told apart; they may be fewer where there are many kinds.
    pub failures: Vec<TlsFailure>,
    /// When the report is sent, or tried again.
    pub due_at: Timestamp,
    /// Times that it was tried.
    pub tries: u32,
}

/// Failures of one kind.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TlsFailure {
    /// A word of RFC 8460 §4.3: `certificate-expired`.
    pub result: String,
    /// The host.
    pub host: String,
    /// Its address; none if it was not looked up.
    pub address: Option<String>,
    /// What was said the first time.
    pub why: String,
    /// How often.
    pub sessions: u64,
}

/// A report that has ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TlsReportEnded {
    /// The day it is about.
    pub day: String,
    /// The domain it is about.
    pub domain: String,
    /// When it ended.
    pub at: Timestamp,
    /// False: it was given up for a place or more.
    pub sent: bool,
    /// Where it was sent to.
    pub arrived: Vec<String>,
    /// Where it was not, with the reason.
    pub missed: Vec<String>,
}
