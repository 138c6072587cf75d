//! `watch` and `stop`: storms of replies to all, and mail that is to go no further.

use clap::{ArgGroup, Args, Subcommand};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::super::values::point_in_future;
use super::change::SignedArguments;
use crate::admin::command::{Intent, StopCommand, StopOrder, StopTarget, StopVerb};
use crate::mail::{MessageId, StopId};

pub(super) const WATCH_EXAMPLES: &str = "\
Replies are told from other mail by References and In-Reply-To, never by the subject. `[storm]` in the settings, and
`storm_…` of a group, say from how many on the thread is braked.

Examples:
  muster watch --group all-staff@contoso.example
  muster watch --follow                                  print again whenever something changes";

pub(super) const STOP_EXAMPLES: &str = "\
A stop holds what was not delivered yet, at once, and what still comes: it is accepted, and waits in the queue. Copies
whose next hop has them are not called back; those on their way at the moment of the stop are counted as such. A group
is what mail is addressed to: what its members get through a group around it goes on. A thread is a message and what
answers it; stop it by the id of any of its messages. With --drop everything that is held is given up: first it is said,
with --yes it is done. Stops are kept over restarts.

Examples:
  muster stop --thread '<a1@contoso.example>'            hold every reply that is not delivered
  muster stop --thread '<a1@contoso.example>' --drop --yes
  muster stop --message 0192f5c4-7a31-7c2e-9f10-2f6f0c1b8a44 --for 2h --reason 'wrong attachment'
  muster stop --group all-staff@contoso.example --drop --tell --yes     and tell the senders
  muster stop list
  muster stop lift x-3";

#[derive(Args, Debug)]
pub(super) struct WatchArguments {
    /// Only threads to this group.
    #[arg(long, value_name = "ADDRESS")]
    group: Option<String>,
    /// Go on: print again whenever something changes, until interrupted.
    #[arg(long)]
    pub(super) follow: bool,
}

impl WatchArguments {
    pub(super) fn command(self) -> StopCommand {
        StopCommand::Watch {
            group: self.group,
            after: None,
        }
    }
}

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(group(ArgGroup::new("target").args(["message", "group", "thread"]).required(true)))]
pub(super) struct StopArguments {
    #[command(subcommand)]
    verb: Option<StopSubcommand>,
    /// One message by its number, as in the 250 reply and in `trace`.
    #[arg(long, value_name = "ID")]
    message: Option<MessageId>,
    /// Mail addressed to this group.
    #[arg(long, value_name = "ADDRESS")]
    group: Option<String>,
    /// A conversation, by the Message-ID of one of its messages.
    #[arg(long, value_name = "ID")]
    thread: Option<String>,
    /// End the stop by itself after that: 90m, 2h, 1d, or a point in time.
    #[arg(long = "for", value_name = "TIME", conflicts_with_all = ["lift", "drop"])]
    time: Option<String>,
    /// Let what is held go on; ends brakes of the thread, too.
    #[arg(long, conflicts_with = "drop")]
    lift: bool,
    /// Give up what is held.
    #[arg(long)]
    drop: bool,
    /// With --drop: tell the senders that it was not delivered.
    #[arg(long, requires = "drop")]
    tell: bool,
    /// With --drop: do it; without it, say what would be done.
    #[arg(long, requires = "drop")]
    yes: bool,
    #[command(flatten)]
    signed: SignedArguments,
}

#[derive(Subcommand, Debug)]
enum StopSubcommand {
    /// Stops that are on.
    List {
        /// Those that are over, too.
        #[arg(long)]
        all: bool,
    },
    /// Let what a stop holds go on.
    Lift {
        /// As `x-3`.
        #[arg(value_name = "STOP")]
        stop: StopId,
        #[command(flatten)]
        signed: SignedArguments,
    },
}

impl StopArguments {
    pub(super) fn command(self, now: Timestamp, zone: &TimeZone) -> Result<StopCommand, String> {
        match self.verb {
            Some(StopSubcommand::List { all }) => return Ok(StopCommand::StopList { all }),
            Some(StopSubcommand::Lift { stop, signed }) => {
                return Ok(StopCommand::Stop(StopOrder {
                    target: StopTarget::Stop(stop),
                    verb: StopVerb::Lift,
                    until: None,
                    intent: Intent::Do,
                    signed: signed.signed(),
                }));
            }
            None => {}
        }
        let target = match (self.message, self.group, self.thread) {
            (Some(message), _, _) => StopTarget::Message(message),
            (None, Some(group), _) => StopTarget::Group(group),
            (None, None, Some(thread)) => StopTarget::Thread(thread),
            (None, None, None) => return Err("name what to stop: --message, --group or --thread".to_owned()),
        };
        let verb = match (self.lift, self.drop, self.tell) {
            (true, _, _) => StopVerb::Lift,
            (false, true, true) => StopVerb::Refuse,
            (false, true, false) => StopVerb::Drop,
            (false, false, _) => StopVerb::Hold,
        };
        Ok(StopCommand::Stop(StopOrder {
            target,
            verb,
            until: self.time.map(|text| point_in_future(&text, now, zone)).transpose()?,
            intent: if self.drop && !self.yes {
                Intent::Say
            } else {
                Intent::Do
            },
            signed: self.signed.signed(),
        }))
    }
}
