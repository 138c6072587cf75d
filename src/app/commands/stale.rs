//! Stale members: whom a message to a group does not reach, or may not, and suspects. Pure.

use super::groups::Groups;
use crate::admin::answer::{StaleMember, SuspectShown};
use crate::admin::service::Refusal;
use crate::directory::{Ordinal, RecipientObject};
use crate::mail::Mailbox;
use crate::policy::rules::DisabledAccounts;
use crate::rolls::suspect::{SuspectSettings, Suspects, Suspicion};

/// Most groups of a suspect that are named.
const GROUPS_MAX: usize = 20;

/// What is known against addresses, and when that matters.
pub struct Suspected<'a> {
    /// What is known.
    pub suspects: &'a Suspects,
    /// When somebody is suspected.
    pub settings: &'a SuspectSettings,
}

impl Suspected<'_> {
    fn of(&self, address: &Mailbox) -> Option<&Suspicion> {
        let found = self.suspects.of(&address.key())?;
        found.is_suspect(self.settings).then_some(&**found)
    }

    /// Suspects that are still sent to.
    pub(super) fn waiting(&self) -> usize {
        let waits = |suspicion: &&std::sync::Arc<Suspicion>| {
            suspicion.is_suspect(self.settings) && !suspicion.is_suppressed(self.settings)
        };
        self.suspects.iter().filter(waits).count()
    }
}

impl Groups<'_> {
    /// Stale members of one group or of all.
    pub fn stale(&self, name: Option<&str>, suspected: &Suspected<'_>) -> Result<Vec<StaleMember>, Refusal> {
        let groups: Vec<(Ordinal, &RecipientObject)> = match name {
            Some(name) => vec![self.group(name)?],
            None => self.view.directory.groups().collect(),
        };
        let mut stale = Vec::new();
        for (ordinal, group) in groups {
            self.stale_of(ordinal, group, suspected, &mut stale);
        }
        stale.sort_by(|a, b| (&a.group, &a.recipient).cmp(&(&b.group, &b.recipient)));
        Ok(stale)
    }

    fn stale_of(
        &self,
        ordinal: Ordinal,
        group: &RecipientObject,
        suspected: &Suspected<'_>,
        stale: &mut Vec<StaleMember>,
    ) {
        let Some(roll) = self.view.roll(ordinal) else { return };
        let list = roll.receivers();
        let member =
            |(recipient, display_name): (String, Option<String>), state: &str, text: String, left_out: bool| {
                StaleMember {
                    group: group.primary.to_string(),
                    recipient,
                    display_name,
                    state: state.to_owned(),
                    text,
                    left_out,
                }
            };
        for number in list.objects.iter() {
            let entry = Ordinal(number);
            let Some(row) = self.view.row(entry) else {
                let text = "no longer in the directory".to_owned();
                stale.push(member(self.named(entry), "deleted", text, true));
                continue;
            };
            let is_disabled =
                row.state() == crate::directory::ObjectState::Disabled && !row.kind().account_is_disabled_by_design();
            if is_disabled {
                let drops = self.rules.disabled_accounts == DisabledAccounts::Drop;
                let text = "the account is disabled".to_owned();
                stale.push(member(self.named(entry), "disabled", text, drops));
            }
            if let Some(suspicion) = suspected.of(&row.final_address()) {
                let out = suspicion.is_suppressed(suspected.settings);
                stale.push(member(self.named(entry), "suspect", refusals(suspicion), out));
            }
        }
        for outside in list.outside.iter() {
            if let Some(suspicion) = suspected.of(outside) {
                let out = suspicion.is_suppressed(suspected.settings);
                stale.push(member((outside.to_string(), None), "suspect", refusals(suspicion), out));
            }
        }
        for text in list.unresolved.iter() {
            let why = "names nobody in the directory, or several".to_owned();
            stale.push(member((text.to_string(), None), "unresolved", why, true));
        }
    }

    /// Suspects, of one group or all, the most refused first.
    pub fn suspects(&self, name: Option<&str>, suspected: &Suspected<'_>) -> Result<Vec<SuspectShown>, Refusal> {
        let only = name.map(|name| self.group(name)).transpose()?;
        let only = only.map(|(_, group)| group.primary.to_string());
        let mut shown: Vec<SuspectShown> = suspected
            .suspects
            .iter()
            .filter(|suspicion| suspicion.is_suspect(suspected.settings))
            .map(|suspicion| self.suspect(suspicion, suspected.settings))
            .filter(|suspect| only.as_ref().is_none_or(|group| suspect.groups.contains(group)))
            .collect();
        for suspect in &mut shown {
            suspect.groups.truncate(GROUPS_MAX);
        }
        shown.sort_by(|a, b| (b.refusals, &a.recipient).cmp(&(a.refusals, &b.recipient)));
        Ok(shown)
    }

    fn suspect(&self, suspicion: &Suspicion, settings: &SuspectSettings) -> SuspectShown {
        let key = suspicion.address.key();
        let object = self.view.directory.lookup_final(&key).one();
        let is_in = |list: &crate::rolls::Entries| {
            object.is_some_and(|object| list.objects.contains(object.0)) || list.has_outside(&key)
        };
        let rolls = self.view.rolls.rolls().filter(|roll| is_in(roll.receivers()));
        let mut groups: Vec<String> = rolls.map(|roll| self.named(roll.group).0).collect();
        groups.sort();
        let (first, last) = (suspicion.refusals.first(), suspicion.refusals.last());
        SuspectShown {
            recipient: suspicion.address.to_string(),
            display_name: object.and_then(|object| self.named(object).1),
            refusals: u64::from(suspicion.count),
            first_at: first.map(|refused| refused.at).unwrap_or_default(),
            last_at: last.map(|refused| refused.at).unwrap_or_default(),
            reply: last.map(|refused| refused.reply.to_string()).unwrap_or_default(),
            suppressed: suspicion.is_suppressed(settings),
            suppressed_by: suspicion.suppressed.as_ref().map(|decision| decision.by.to_string()),
            groups,
        }
    }
}

fn refusals(suspicion: &Suspicion) -> String {
    let times = if suspicion.count == 1 { "once" } else { "times" };
    let last = suspicion
        .refusals
        .last()
        .map_or_else(String::new, |refused| format!(": {}", refused.reply));
    if suspicion.count == 1 {
        format!("refused for good {times}{last}")
    } else {
        format!("refused for good {} {times}{last}", suspicion.count)
    }
}
