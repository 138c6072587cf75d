//! `compare` and `group cutover`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use jiff::{SignedDuration, Timestamp};

use super::change::SignedArguments;
use crate::admin::command::{
    CompareCommand, CompareQuestion, ComparedLog, CutoverOrder, CutoverSide, DifferenceIntent,
};

pub(super) const COMPARE_EXAMPLES: &str = "\
The service reads the log itself: its user must be able to, and the path is one of its machine. Lists are compared as
they were at the time of each message, as far as the history reaches. Exit code 1 while any group differs.

Examples:
  muster compare --with exchange-log /var/log/tracking --days 14
  muster compare --with exchange-log /mnt/tracking/MSGTRK2026111008-1.LOG --json";

pub(super) const CUTOVER_EXAMPLES: &str = "\
With routing.side_by_side in the settings a group goes whole to the service before until it is cut over. Refused with
exit code 4 while the last comparison has a difference without a cause.

Examples:
  muster group cutover all-berlin@contoso.example
  muster group cutover sales@contoso.example --accept-difference --reason \"two leavers\"
  muster group cutover sales@contoso.example --undo";

/// Kinds of logs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum LogWord {
    /// Exchange Server's message tracking log.
    ExchangeLog,
}

/// `compare`.
#[derive(Args, Debug)]
pub(super) struct CompareArguments {
    /// What the log is.
    #[arg(long, value_enum, value_name = "KIND")]
    with: LogWord,
    /// A log file, or a folder of `.log` files.
    path: PathBuf,
    /// Only messages of the last so many days.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=3660))]
    days: Option<u32>,
}

impl CompareArguments {
    pub(super) fn command(self, now: Timestamp) -> Result<CompareCommand, String> {
        let LogWord::ExchangeLog = self.with;
        // The service has another working directory.
        let path = std::path::absolute(&self.path).map_err(|fault| format!("{}: {fault}", self.path.display()))?;
        let since = match self.days {
            Some(days) => {
                let back = SignedDuration::from_hours(24 * i64::from(days));
                Some(now.checked_sub(back).map_err(|fault| fault.to_string())?)
            }
            None => None,
        };
        Ok(CompareCommand::Compare(CompareQuestion {
            with: ComparedLog::ExchangeLog,
            path,
            since,
        }))
    }
}

/// `group cutover`.
#[derive(Args, Debug)]
pub(super) struct CutoverArguments {
    /// Any address of the group.
    group: String,
    /// Back to the service before.
    #[arg(long, conflicts_with = "accept_difference")]
    undo: bool,
    /// Although a difference has no cause.
    #[arg(long)]
    accept_difference: bool,
    #[command(flatten)]
    signed: SignedArguments,
}

impl CutoverArguments {
    pub(super) fn command(self) -> CompareCommand {
        CompareCommand::GroupCutover(CutoverOrder {
            group: self.group,
            to: if self.undo {
                CutoverSide::Before
            } else {
                CutoverSide::Here
            },
            differences: if self.accept_difference {
                DifferenceIntent::Accept
            } else {
                DifferenceIntent::Respect
            },
            signed: self.signed.signed(),
        })
    }
}
