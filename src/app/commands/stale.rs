//! Stale members: whom a message to a group does not reach, or may not, and suspects. Pure.

use super::groups::Groups;
use crate::admin::answer::{StaleMember, SuspectShown};
use crate::admin::service::Refusal;
use crate::directory::{Ordinal, RecipientObject};
use crate::policy::rules::DisabledAccounts;
use crate::rolls::stale::{Staleness, stale_members};
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
        let found = stale_members(self.view, ordinal, suspected.suspects, suspected.settings);
        for member in found {
            let (state, text, left_out) = self.words_of(&member.staleness);
            let named = member.object.map(|object| self.named(object));
            stale.push(StaleMember {
                group: group.primary.to_string(),
                display_name: named.as_ref().and_then(|(_, name)| name.clone()),
                recipient: named.map_or(member.entry, |(address, _)| address),
                state: state.to_owned(),
                text,
                left_out,
            });
        }
    }

    /// The word, the words, and whether messages leave such a member out.
    fn words_of(&self, staleness: &Staleness) -> (&'static str, String, bool) {
        match staleness {
            Staleness::Deleted => ("deleted", "no longer in the directory".to_owned(), true),
            Staleness::GroupVanished => ("group-gone", "the nested group is gone".to_owned(), true),
            Staleness::Disabled => {
                let drops = self.rules.disabled_accounts == DisabledAccounts::Drop;
                ("disabled", "the account is disabled".to_owned(), drops)
            }
            Staleness::Unresolved => {
                let text = "names nobody in the directory, or several".to_owned();
                ("unresolved", text, true)
            }
            Staleness::Suspect {
                refused,
                reply,
                suppressed,
            } => {
                let times = if *refused == 1 {
                    "once".to_owned()
                } else {
                    format!("{refused} times")
                };
                let said = if reply.is_empty() {
                    String::new()
                } else {
                    format!(": {reply}")
                };
                ("suspect", format!("refused for good {times}{said}"), *suppressed)
            }
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
