//! Questions and orders about the move from the service before: compare, then switch group by group.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Signed;

/// One question or order about the move.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
pub enum CompareCommand {
    /// Whom another system reached, beside whom our lists would have reached at that time.
    Compare(CompareQuestion),
    /// Which service expands a group.
    GroupCutover(CutoverOrder),
}

/// `compare`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompareQuestion {
    /// What kind of log it is.
    pub with: ComparedLog,
    /// A file or a folder on the machine of the service, which reads it; absolute.
    pub path: PathBuf,
    /// Only messages expanded then or later; none: the whole log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

/// A kind of log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ComparedLog {
    /// Message tracking of Exchange Server 2007 to 2019.
    ExchangeLog,
}

/// `group cutover`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CutoverOrder {
    /// Any address of the group.
    pub group: String,
    /// To which service.
    pub to: CutoverSide,
    /// Whether a difference without a cause stands in the way.
    pub differences: DifferenceIntent,
    /// Who decides.
    pub signed: Signed,
}

/// Which service expands a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CutoverSide {
    /// This one.
    Here,
    /// The one before.
    Before,
}

/// Whether a difference without a cause stands in the way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceIntent {
    /// It does.
    Respect,
    /// An operator has looked and accepts it.
    Accept,
}

impl CompareCommand {
    /// Names of these commands in the protocol.
    pub const NAMES: &[&str] = &["compare", "group_cutover"];

    /// The protocol's name, for logs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Compare(_) => "compare",
            Self::GroupCutover(_) => "group_cutover",
        }
    }
}
