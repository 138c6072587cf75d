//! `[storm]`: its keys, what holds without them, and what cannot work.

use std::time::Duration;

use serde_spanned::Spanned;

use super::check::{or, stated};
use super::cross::{Checks, value};
use crate::connectors::document::read::{keys, readable};
use crate::directory::group::StormAction;
use crate::limits;
use crate::policy::storm::StormRules;

keys! {
    /// `[storm]`
    Storm {
        /// Further replies to all on a thread that had too many: `hold` them for the group's moderators, else its
        /// owners, else postmaster, who are told once; `defer` them (450 4.7.28); or `off`. Groups may say otherwise
        /// (`storm_action`). Default: `hold`, where Exchange Online refuses.
        /// Trap: with `defer`, a reply that is addressed to somebody else as well is held, so that nobody gets it twice.
        optional action: StormAction,
        /// Members, nested groups included, from which on a group is watched (`storm_members`). Default: 2500, as
        /// Exchange Online.
        optional members: u32,
        /// Replies on one thread to one group within `window` that bring the brake on (`storm_replies`); at most 1000.
        /// Default: 10, as Exchange Online.
        optional replies: u32,
        /// How long replies are counted together (`storm_window`). Default: 1h, as Exchange Online.
        optional window: Duration,
        /// How long the brake stays on (`storm_brake`); restarts do not end it. Default: 6h, as Exchange Online.
        optional brake: Duration,
    }
}

readable! { Storm }

/// What the table says, with defaults.
pub(super) fn storm(storm: &Storm) -> StormRules {
    let default = StormRules::default();
    StormRules {
        action: or(&storm.action, default.action),
        members: stated(&storm.members).map_or(default.members, u64::from),
        replies: or(&storm.replies, default.replies),
        window: or(&storm.window, default.window),
        brake: or(&storm.brake, default.brake),
    }
}

impl Checks<'_> {
    pub(super) fn storm(&mut self) {
        let file = self.file;
        let Some(storm) = value(&file.storm) else { return };
        self.at_least_one(&storm.members, "storm.members".into());
        self.at_least_one(&storm.replies, "storm.replies".into());
        self.positive(&storm.window, "storm.window".into());
        self.positive(&storm.brake, "storm.brake".into());
        let kept = limits::STORM_REPLIES_KEPT_MAX;
        let beyond = |replies: &&Spanned<u32>| *replies.get_ref() as usize > kept;
        if let Some(replies) = storm.replies.as_ref().filter(beyond) {
            let message = format!("at most {kept} replies are counted; `action = \"off\"` switches the brake off");
            self.error(replies.span(), "storm.replies", message);
        }
    }
}
