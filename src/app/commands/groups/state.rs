//! How the list of a group stands.

use super::Groups;
use crate::admin::answer::{GroupSummary, RollState};
use crate::directory::{Ordinal, RecipientObject};
use crate::policy::authentication;
use crate::rolls::local::{account, is_overtaken};
use crate::rolls::table::Attempt;
use crate::rolls::{Roll, RollPolicy, freshness};

impl Groups<'_> {
    pub(super) fn summary(&self, ordinal: Ordinal, group: &RecipientObject) -> GroupSummary {
        let moderation = group
            .delivery
            .as_deref()
            .and_then(|delivery| delivery.moderation.as_deref());
        GroupSummary {
            address: group.primary.to_string(),
            kind: group.kind.recipient_type_details().to_owned(),
            display_name: group.display_name.as_deref().map(str::to_owned),
            internal_only: authentication::required(group, self.rules).0,
            moderated: moderation.is_some_and(|moderation| moderation.enabled),
            roll: self.roll_state(ordinal, group),
        }
    }

    pub(super) fn roll_state(&self, ordinal: Ordinal, group: &RecipientObject) -> RollState {
        let entry = self.view.rolls.entry(ordinal);
        let roll = entry.and_then(|entry| entry.roll.as_ref());
        let policy = RollPolicy::of(group.group.as_deref(), &self.rules.rolls);
        let fault = match entry.and_then(|entry| entry.attempt.as_ref()) {
            Some(Attempt::Failed { fault, .. }) => Some(fault.to_string()),
            Some(Attempt::Pending | Attempt::Held { .. }) | None => None,
        };
        let Some(roll) = roll else {
            return RollState {
                freshness: "missing".to_owned(),
                fault,
                ..RollState::default()
            };
        };
        RollState {
            version: Some(roll.version),
            entries: roll.entries.len(),
            confirmed_at: Some(roll.provenance.confirmed_at),
            age_seconds: Some(roll.age_seconds(self.now)),
            freshness: freshness::state(entry, &policy, self.now).word().to_owned(),
            cause: Some(cause(roll)),
            generation: Some(roll.provenance.generation),
            fault,
        }
    }

    pub(super) fn parents(&self, ordinal: Ordinal) -> Vec<String> {
        let holds = |roll: &&std::sync::Arc<Roll>| roll.entries.objects.contains(ordinal.0);
        let mut parents: Vec<String> = self
            .view
            .rolls
            .rolls()
            .filter(holds)
            .filter_map(|roll| self.view.object(roll.group))
            .map(|group| group.primary.to_string())
            .collect();
        parents.sort();
        parents
    }

    pub(super) fn notes(&self, ordinal: Ordinal, group: &RecipientObject) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(roll) = self.view.roll(ordinal) {
            let unresolved: Vec<&str> = roll.entries.unresolved.iter().map(AsRef::as_ref).collect();
            if !unresolved.is_empty() {
                notes.push(format!("entries that name nobody: {}", unresolved.join(", ")));
            }
            let gone = (&roll.entries.objects - self.view.directory.live()).len();
            if gone > 0 {
                notes.push(format!("{gone} entries no longer exist"));
            }
        }
        if group
            .group
            .as_deref()
            .is_some_and(|settings| settings.managed_by.is_empty())
        {
            notes.push("no owner".to_owned());
        }
        self.decided_here(ordinal, group, &mut notes);
        notes
    }

    /// What stands beside the source: a rule or list set here, pins, what the guard holds.
    fn decided_here(&self, ordinal: Ordinal, group: &RecipientObject, notes: &mut Vec<String>) {
        if let Some(local) = self.kept.local(&group.id).current() {
            let reason = match &*local.decision.reason {
                "" => String::new(),
                reason => format!(": {reason}"),
            };
            let what = account(&local.chosen);
            notes.push(format!(
                "{what} by {} at {}{reason}",
                local.decision.by, local.decision.at
            ));
            let source = self.kept.as_source_says(ordinal);
            if source.is_some_and(|source| is_overtaken(&source, local)) {
                notes.push(
                    "its source says something else by now; muster group convert --undo goes back to it".to_owned(),
                );
            }
        }
        let pins = self.pins(ordinal).iter().count();
        if pins > 0 {
            notes.push(format!("{pins} pinned; see muster group pins {}", group.primary));
        }
        if let Some(hold) = self.kept.hold(ordinal) {
            let text = format!("the guard holds a newer list since {}: {}", hold.since, hold.limit);
            notes.push(format!("{text}; see muster guard show {}", group.primary));
        }
    }
}

fn cause(roll: &Roll) -> String {
    serde_json::to_value(roll.provenance.cause)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}
