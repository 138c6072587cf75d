//! `test …`: attacks on the running policy.

use clap::Subcommand;

use crate::admin::Command;

pub(super) const SPOOF_EXAMPLES: &str = "\
Every attack is a session with a listener of its own on loopback, through the code and with the settings and lists of the
running service; nothing of it is stored, queued, tracked or delivered. Attackers have addresses that belong to nobody
(RFC 5737), or those of a provider that others use as well. Name servers are asked as for any mail. Exit code 1 if an
attack gets through; each comes with the setting that let it through and what to change.

Examples:
  muster test spoof --group all-staff@contoso.example
  muster test spoof --group all-staff@contoso.example --json";

/// `test`.
#[derive(Subcommand, Debug)]
pub(super) enum TestVerb {
    /// Run the built-in attack set against a group; exit code 1 if one gets through.
    #[command(after_help = SPOOF_EXAMPLES)]
    Spoof {
        /// Any address of the group.
        #[arg(long, value_name = "ADDRESS")]
        group: String,
    },
}

impl TestVerb {
    pub(super) fn command(self) -> Command {
        match self {
            Self::Spoof { group } => Command::TestSpoof { group },
        }
    }
}
