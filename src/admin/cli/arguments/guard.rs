//! `guard …` and `suspects …`: what waits for an operator's word.

use clap::Subcommand;

use super::change::SignedArguments;
use crate::admin::command::RollCommand;

/// Lists that a guard holds.
#[derive(Subcommand, Debug)]
pub(super) enum GuardVerb {
    /// Lists that are held, oldest first.
    List,
    /// One of them: who would join and leave, by which cause.
    Show {
        /// Any address of the group.
        group: String,
    },
    /// Take the held list.
    Accept {
        /// Any address of the group.
        group: String,
        #[command(flatten)]
        signed: SignedArguments,
    },
    /// Keep the old list until the held one is within its limits again.
    Reject {
        /// Any address of the group.
        group: String,
        #[command(flatten)]
        signed: SignedArguments,
    },
}

impl GuardVerb {
    pub(super) fn command(self) -> RollCommand {
        match self {
            Self::List => RollCommand::GuardList,
            Self::Show { group } => RollCommand::GuardShow { group },
            Self::Accept { group, signed } => RollCommand::GuardAccept {
                group,
                signed: signed.signed(),
            },
            Self::Reject { group, signed } => RollCommand::GuardReject {
                group,
                signed: signed.signed(),
            },
        }
    }
}

/// Addresses that next hops refuse for good, again and again.
#[derive(Subcommand, Debug)]
pub(super) enum SuspectVerb {
    /// Suspects with what their next hop said.
    List {
        /// Only members of this group.
        #[arg(long, value_name = "ADDRESS")]
        group: Option<String>,
    },
    /// Leave one out of expansions, tracked with its reason.
    Suppress {
        /// Its address.
        recipient: String,
        #[command(flatten)]
        signed: SignedArguments,
    },
    /// Forget what was learned about one: it gets copies again.
    Clear {
        /// Its address.
        recipient: String,
        #[command(flatten)]
        signed: SignedArguments,
    },
}

impl SuspectVerb {
    pub(super) fn command(self) -> RollCommand {
        match self {
            Self::List { group } => RollCommand::SuspectsList { group },
            Self::Suppress { recipient, signed } => RollCommand::SuspectsSuppress {
                recipient,
                signed: signed.signed(),
            },
            Self::Clear { recipient, signed } => RollCommand::SuspectsClear {
                recipient,
                signed: signed.signed(),
            },
        }
    }
}
