//! `queue`: what waits, and what becomes of it.

use clap::{Args, Subcommand};

use super::change::SignedArguments;
use super::intent;
use crate::admin::Command;
use crate::admin::command::{QueueAction, QueueCommand, QueueOrder, QueueSelection, SuspendOrder};
use crate::mail::{MessageId, SetId};

#[derive(Args, Debug)]
pub(super) struct SelectionArguments {
    /// One delivery set, as `s-12`.
    #[arg(value_name = "SET", value_parser = set_id)]
    set: Option<SetId>,
    /// Of one message.
    #[arg(long, value_name = "ID")]
    message: Option<MessageId>,
    /// For one next hop.
    #[arg(long, alias = "next-hop", value_name = "NAME")]
    nexthop: Option<String>,
    /// With this recipient still open.
    #[arg(long, value_name = "ADDRESS")]
    rcpt: Option<String>,
    /// From this sender; `<>` for reports.
    #[arg(long, value_name = "ADDRESS")]
    from: Option<String>,
    /// To people whom the sender reached by this group.
    #[arg(long, value_name = "ADDRESS")]
    group: Option<String>,
}

/// Bulk verbs say what they would do unless told to do it.
#[derive(Args, Debug)]
pub(super) struct ActArguments {
    #[command(flatten)]
    selection: SelectionArguments,
    /// Do it; without it, say what would be done.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    signed: SignedArguments,
}

#[derive(Subcommand, Debug)]
pub(super) enum QueueVerb {
    /// Delivery sets with recipients still open, oldest first.
    List(SelectionArguments),
    /// How each next hop stands.
    Summary,
    /// One delivery set, with what its recipients wait for.
    Show {
        /// The set, as `s-12`.
        #[arg(value_name = "SET", value_parser = set_id)]
        set: SetId,
    },
    /// Try again now what waits for another attempt.
    Retry {
        #[command(flatten)]
        selection: SelectionArguments,
        /// Do it; without it, say what would be done.
        #[arg(long)]
        yes: bool,
    },
    /// Give up, without telling the sender; tracked as dropped by an operator.
    Drop {
        #[command(flatten)]
        selection: SelectionArguments,
        /// Do it; without it, say what would be done.
        #[arg(long)]
        yes: bool,
    },
    /// Hold recipients: they wait, and do not expire, until they are released. Kept over restarts.
    Hold(ActArguments),
    /// Let go what was held so.
    Release(ActArguments),
    /// Give up, with a report to each sender.
    Bounce(ActArguments),
    /// Send to another next hop; what is sent there stays there, whatever routing says later.
    Reroute {
        #[command(flatten)]
        act: ActArguments,
        /// Name of the next hop.
        #[arg(long, value_name = "NAME")]
        to: String,
    },
    /// Leave a next hop alone: its mail waits until it is resumed. Kept over restarts.
    Suspend {
        /// Its name, or `domain:example.org` for one domain of an MX next hop.
        #[arg(value_name = "NAME")]
        next_hop: String,
        #[command(flatten)]
        signed: SignedArguments,
    },
    /// Let a suspended next hop go on.
    Resume {
        /// Its name.
        #[arg(value_name = "NAME")]
        next_hop: String,
        #[command(flatten)]
        signed: SignedArguments,
    },
}

impl SelectionArguments {
    fn selection(self) -> QueueSelection {
        QueueSelection {
            set: self.set,
            message: self.message,
            next_hop: self.nexthop,
            recipient: self.rcpt,
            from: self.from.map(|from| if from == "<>" { String::new() } else { from }),
            group: self.group,
        }
    }
}

impl QueueVerb {
    pub(super) fn command(self) -> Result<Command, String> {
        Ok(match self {
            Self::List(selection) => Command::QueueList(selection.selection()),
            Self::Summary => Command::QueueSummary,
            Self::Show { set } => Command::QueueShow { set },
            Self::Retry { selection, yes } => Command::QueueRetry {
                selection: selection.selection(),
                intent: intent(yes),
            },
            Self::Drop { selection, yes } => {
                let selection = selection.selection();
                if selection == QueueSelection::default() {
                    return Err("name what to drop: a set, --message, --nexthop, --rcpt, --from or --group".to_owned());
                }
                Command::QueueDrop {
                    selection,
                    intent: intent(yes),
                }
            }
            Self::Hold(act) => act.command(QueueAction::Hold)?,
            Self::Release(act) => act.command(QueueAction::Release)?,
            Self::Bounce(act) => act.command(QueueAction::Bounce)?,
            Self::Reroute { act, to } => act.command(QueueAction::Reroute(to))?,
            Self::Suspend { next_hop, signed } => suspend(next_hop, true, signed),
            Self::Resume { next_hop, signed } => suspend(next_hop, false, signed),
        })
    }
}

fn suspend(next_hop: String, suspend: bool, signed: SignedArguments) -> Command {
    Command::Queue(QueueCommand::QueueSuspend(SuspendOrder {
        next_hop,
        suspend,
        signed: signed.signed(),
    }))
}

impl ActArguments {
    fn command(self, verb: QueueAction) -> Result<Command, String> {
        let selection = self.selection.selection();
        if selection == QueueSelection::default() && verb != QueueAction::Release {
            return Err("name what is meant: a set, --message, --nexthop, --rcpt, --from or --group".to_owned());
        }
        Ok(Command::Queue(QueueCommand::QueueAct(QueueOrder {
            selection,
            verb,
            intent: intent(self.yes),
            signed: self.signed.signed(),
        })))
    }
}

fn set_id(text: &str) -> Result<SetId, String> {
    text.strip_prefix("s-")
        .and_then(|digits| digits.parse().ok())
        .map(SetId)
        .ok_or_else(|| "not a delivery set such as s-12".to_owned())
}
