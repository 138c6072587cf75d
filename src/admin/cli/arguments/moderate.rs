//! `moderate …`: messages that wait for a moderator, one by one or many at once.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::super::values::point_in_time;
use super::intent;
use crate::admin::Command;
use crate::admin::command::{HoldAnswer, HoldSelection, HoldsOrder};
use crate::mail::HoldId;

const MANY_EXAMPLES: &str = "\
Without HOLD, everything that waits and matches is decided: first it is said, with --yes it is done.
--older: 90m, 12h, 3d, or a point in time.

Examples:
  muster moderate reject m-17 --as eva@contoso.example --reason 'too long'
  muster moderate reject --group all-staff@contoso.example --older 3d --as eva@contoso.example --reason 'expired topic'
  muster moderate approve --from ceo@contoso.example --operator --yes";

#[derive(Subcommand, Debug)]
pub(super) enum ModerateVerb {
    /// Messages that wait, oldest first.
    List {
        /// Only for this group.
        #[arg(long, value_name = "ADDRESS")]
        group: Option<String>,
    },
    /// One message that waits or waited.
    Show {
        /// As `m-17`.
        #[arg(value_name = "HOLD")]
        hold: HoldId,
    },
    /// Release messages to today's members.
    #[command(after_help = MANY_EXAMPLES)]
    Approve(DecideArguments),
    /// Refuse messages; senders are told unless the group says otherwise.
    #[command(after_help = MANY_EXAMPLES)]
    Reject {
        #[command(flatten)]
        decide: DecideArguments,
        /// Words to the sender.
        #[arg(long, alias = "reason", value_name = "TEXT")]
        comment: Option<String>,
    },
}

#[derive(Args, Debug)]
pub(super) struct DecideArguments {
    /// As `m-17`.
    #[arg(value_name = "HOLD", required_unless_present_any = ["group", "from", "older"],
        conflicts_with_all = ["group", "from", "older", "dry_run", "yes"])]
    hold: Option<HoldId>,
    /// The moderator who decides.
    #[arg(
        long = "as",
        value_name = "ADDRESS",
        required_unless_present = "operator",
        conflicts_with = "operator"
    )]
    moderator: Option<String>,
    /// Decide as the operator, in the place of all moderators.
    #[arg(long)]
    operator: bool,
    /// All that wait for this group.
    #[arg(long, value_name = "ADDRESS")]
    group: Option<String>,
    /// All from this sender.
    #[arg(long, value_name = "ADDRESS")]
    from: Option<String>,
    /// All that have waited so long.
    #[arg(long, value_name = "TIME")]
    older: Option<String>,
    /// Say what would be done; so it is without --yes.
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Do it.
    #[arg(long)]
    yes: bool,
}

impl DecideArguments {
    fn order(
        self,
        answer: HoldAnswer,
        comment: Option<String>,
        now: Timestamp,
        zone: &TimeZone,
    ) -> Result<Command, String> {
        let older = self.older.as_deref();
        Ok(match (self.hold, answer) {
            (Some(hold), HoldAnswer::Approve) => Command::ModerateApprove {
                hold,
                moderator: self.moderator,
            },
            (Some(hold), HoldAnswer::Reject) => Command::ModerateReject {
                hold,
                moderator: self.moderator,
                comment,
            },
            (None, answer) => Command::ModerateMany(HoldsOrder {
                selection: HoldSelection {
                    held_before: older.map(|text| point_in_time(text, now, zone)).transpose()?,
                    group: self.group,
                    from: self.from,
                },
                answer,
                moderator: self.moderator,
                comment,
                intent: intent(self.yes),
            }),
        })
    }
}

impl ModerateVerb {
    pub(super) fn command(self, now: Timestamp, zone: &TimeZone) -> Result<Command, String> {
        Ok(match self {
            Self::List { group } => Command::ModerateList { group },
            Self::Show { hold } => Command::ModerateShow { hold },
            Self::Approve(decide) => decide.order(HoldAnswer::Approve, None, now, zone)?,
            Self::Reject { decide, comment } => decide.order(HoldAnswer::Reject, comment, now, zone)?,
        })
    }
}
