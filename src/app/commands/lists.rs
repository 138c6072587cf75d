//! Answers about how lists stand: pins, what the guard holds, alerts. Pure but for what [`super::kept`] reads.

use super::groups::Groups;
use super::stale::Suspected;
use crate::admin::answer::{Alert, CauseShown, GuardHeld, PinShown, Verification};
use crate::admin::service::{Refusal, RefusalKind};
use crate::connectors::sync::Verified;
use crate::directory::{Ordinal, RecipientObject};
use crate::rolls::guard::Limit;
use crate::rolls::history::PinAction;
use crate::rolls::hold::Hold;
use crate::rolls::pin::{Pin, Pins, Viewer, visible_to};
use crate::rolls::table::Attempt;
use crate::rolls::{Freshness, RollPolicy};

impl Groups<'_> {
    /// Pins of a group that are in force.
    pub(super) fn pins(&self, group: Ordinal) -> Pins {
        self.kept.pins(group)
    }

    /// `group pins`, as somebody may see them.
    pub fn pins_of(&self, name: &str, seen_by: Option<&str>) -> Result<Vec<PinShown>, Refusal> {
        let (ordinal, group) = self.group(name)?;
        let viewer = self.viewer(seen_by)?;
        let pins = self.pins(ordinal);
        let mut shown: Vec<PinShown> = visible_to(&pins, viewer).map(|pin| self.pin(group, pin)).collect();
        shown.sort_by(|a, b| a.recipient.cmp(&b.recipient));
        Ok(shown)
    }

    /// Who looks: an operator, or a person who is named.
    pub(super) fn viewer(&self, seen_by: Option<&str>) -> Result<Viewer, Refusal> {
        match seen_by {
            None => Ok(Viewer::Trusted),
            Some(name) => self.find(name).map(|(ordinal, _)| Viewer::Person(ordinal)),
        }
    }

    pub(super) fn pin(&self, group: &RecipientObject, pin: &Pin) -> PinShown {
        PinShown {
            group: group.primary.to_string(),
            recipient: self.named(pin.object).0,
            effect: match pin.action {
                PinAction::Include => "include",
                PinAction::Exclude => "exclude",
            }
            .to_owned(),
            by: pin.by.to_string(),
            at: pin.since,
            reason: Some(pin.reason.to_string()).filter(|reason| !reason.is_empty()),
            until: pin.until,
        }
    }

    /// An owner of a group, by any of his names; anybody else is refused (exit code 4).
    pub(super) fn owner(&self, group: &RecipientObject, name: &str) -> Result<String, Refusal> {
        let (person, object) = self.find(name)?;
        let owners = group.group.as_deref().map(|settings| &settings.managed_by);
        let mut named = owners.into_iter().flatten();
        let owns = named.any(|owner| self.view.directory.lookup_reference(owner.as_str()).one() == Some(person));
        if owns {
            return Ok(object.primary.to_string());
        }
        let text = format!("{} does not own {}", object.primary, group.primary);
        Err(Refusal::new(RefusalKind::Guard, text))
    }

    /// Lists that the guard holds, oldest first.
    #[must_use]
    pub fn held(&self) -> Vec<GuardHeld> {
        self.kept.holds().iter().map(|hold| self.hold(hold)).collect()
    }

    /// What the guard holds of one group.
    pub fn held_of(&self, name: &str) -> Result<GuardHeld, Refusal> {
        let (ordinal, group) = self.group(name)?;
        match self.kept.hold(ordinal) {
            Some(hold) => Ok(self.hold(&hold)),
            None => {
                let text = format!("the guard holds nothing of {}", group.primary);
                Err(Refusal::new(RefusalKind::NotFound, text))
            }
        }
    }

    fn hold(&self, hold: &Hold) -> GuardHeld {
        let serving = self.view.roll(hold.group);
        let entries = serving.map_or(0, |roll| roll.receivers().len());
        let change = &hold.proposed.entries;
        let (joins, leaves) = (change.added_count(), change.removed_count());
        let mut causes: Vec<CauseShown> = hold
            .blames
            .list()
            .iter()
            .flat_map(|blame| {
                let details = std::slice::from_ref(&blame.detail);
                self.causes(details, hold.proposed.cause, Some(blame.last))
            })
            .collect();
        causes.sort_by_key(|cause| std::cmp::Reverse(cause.joined + cause.left));
        GuardHeld {
            group: self.named(hold.group).0,
            since: hold.since,
            kind: match hold.limit {
                Limit::Shrink { .. } => "shrink",
                Limit::Growth { .. } => "growth",
            }
            .to_owned(),
            text: hold.limit.to_string(),
            serving_version: serving.map_or(0, |roll| roll.version),
            serving_entries: entries,
            proposed_entries: (entries + joins).saturating_sub(leaves),
            joins,
            leaves,
            rejected_by: hold.rejected.as_ref().map(|decision| decision.by.to_string()),
            causes,
        }
    }

    /// Everything about lists that waits for an operator: what the guard holds, what cannot be computed, what is stale.
    #[must_use]
    pub fn alerts(&self, suspected: &Suspected<'_>) -> Vec<Alert> {
        let mut alerts: Vec<Alert> = self
            .held()
            .into_iter()
            // Who rejected has decided.
            .filter(|held| held.rejected_by.is_none())
            .map(|held| Alert {
                kind: "GUARD".to_owned(),
                subject: held.group,
                since: Some(held.since),
                text: format!("refresh held: {}", held.text),
                causes: held.causes,
            })
            .collect();
        for (ordinal, group) in self.view.directory.groups() {
            alerts.extend(self.troubled(ordinal, group));
        }
        // Whom nobody has decided about yet.
        let waiting = suspected.waiting();
        if waiting > 0 {
            alerts.push(Alert {
                kind: "SUSPECT".to_owned(),
                subject: format!("{waiting} addresses"),
                since: None,
                text: "refused for good again and again; see muster suspects list".to_owned(),
                causes: Vec::new(),
            });
        }
        alerts
    }

    fn troubled(&self, ordinal: Ordinal, group: &RecipientObject) -> Option<Alert> {
        let entry = self.view.rolls.entry(ordinal)?;
        let subject = group.primary.to_string();
        if let Some(Attempt::Failed { at, fault }) = &entry.attempt {
            return Some(Alert {
                kind: "FAILED".to_owned(),
                subject,
                since: Some(*at),
                text: format!("the list cannot be computed: {fault}"),
                causes: Vec::new(),
            });
        }
        let roll = entry.roll.as_ref()?;
        let policy = RollPolicy::of(group.group.as_deref(), &self.rules.rolls);
        (policy.freshness(roll, self.now) == Freshness::Stale).then(|| Alert {
            kind: "STALE".to_owned(),
            subject,
            since: Some(roll.provenance.confirmed_at),
            text: "the list was not confirmed for too long".to_owned(),
            causes: Vec::new(),
        })
    }
}

/// What the verification of lists has found.
#[must_use]
pub fn verification(verified: Verified) -> Verification {
    Verification {
        lists_total: verified.rolls,
        differences_total: verified.differences,
        at: verified.at,
    }
}
