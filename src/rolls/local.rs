//! Decisions made here about a group's rule or list, in place of what its source says.
//!
//! In: the group as its source has it, the decision. Out: the group as it is used. Never: a decision that the source
//! can overwrite, or that hides from an operator that the source says something else by now.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::build::filter_hash;
use super::hold::Decision;
use super::roll::Entries;
use crate::directory::delivery::Reference;
use crate::directory::group::DynamicRule;
use crate::directory::{Directory, Ordinal, RecipientKind, RecipientObject};

/// Most decisions of one group that can be undone one by one; older ones are forgotten.
pub const DECISIONS_KEPT_MAX: usize = 16;

/// Who belongs to the group by our own decision.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Chosen {
    /// Whom this rule finds: the group is dynamic.
    Rule(Box<DynamicRule>),
    /// These: the group is static.
    Members(Vec<Reference>),
}

/// One decision about who belongs to a group.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LocalDecision {
    /// What.
    pub chosen: Chosen,
    /// By whom, when and why.
    pub decision: Decision,
    /// Hash of what the source said at that time.
    pub over: u64,
}

impl LocalDecision {
    /// A decision about a group as its source has it now.
    #[must_use]
    pub fn new(chosen: Chosen, decision: Decision, object: &RecipientObject) -> Self {
        Self {
            chosen,
            decision,
            over: filter_hash(object),
        }
    }
}

/// Which service expands the group.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CutoverState {
    /// Still the service before; both are compared.
    #[default]
    Pending,
    /// This one.
    Here,
}

/// Where a group stands in the switch from the service before.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Cutover {
    /// Which service.
    pub state: CutoverState,
    /// By whom, when and why.
    pub decision: Decision,
    /// An unexplained difference was accepted.
    pub accepted_difference: bool,
}

/// What was decided here about one group. Kept by the group's id in its source, not by its ordinal: a group that is
/// deleted and comes back has its decisions again.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct LocalDecisions {
    /// About its rule or list, oldest first; the last one counts.
    pub chosen: Vec<LocalDecision>,
    /// About the switch, oldest first; the last one counts.
    pub cutover: Vec<Cutover>,
    /// The group as its source has it, while a decision lies over it: what [`LocalDecisions::undone`] brings back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original: Option<Box<RecipientObject>>,
}

impl LocalDecisions {
    /// True if nothing is decided.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chosen.is_empty() && self.cutover.is_empty()
    }

    /// What counts now about the rule or list.
    #[must_use]
    pub fn current(&self) -> Option<&LocalDecision> {
        self.chosen.last()
    }

    /// Where the switch stands.
    #[must_use]
    pub fn cutover(&self) -> CutoverState {
        self.cutover.last().map_or(CutoverState::Pending, |last| last.state)
    }

    /// With a further decision about the rule or list.
    #[must_use]
    pub fn deciding(&self, decision: LocalDecision) -> Self {
        let mut next = self.clone();
        next.chosen.push(decision);
        let surplus = next.chosen.len().saturating_sub(DECISIONS_KEPT_MAX);
        next.chosen.drain(..surplus);
        next
    }

    /// With a further step of the switch.
    #[must_use]
    pub fn switching(&self, cutover: Cutover) -> Self {
        let mut next = self.clone();
        next.cutover.push(cutover);
        let surplus = next.cutover.len().saturating_sub(DECISIONS_KEPT_MAX);
        next.cutover.drain(..surplus);
        next
    }

    /// Without the last decision about the rule or list, and that decision; none: there is nothing to undo.
    #[must_use]
    pub fn undone(&self) -> Option<(Self, LocalDecision)> {
        let mut next = self.clone();
        let last = next.chosen.pop()?;
        Some((next, last))
    }

    /// Without the last step of the switch; none: there is nothing to undo.
    #[must_use]
    pub fn switched_back(&self) -> Option<(Self, Cutover)> {
        let mut next = self.clone();
        let last = next.cutover.pop()?;
        Some((next, last))
    }
}

/// Puts a decision over a group as its source has it. An object that is no group is left alone.
///
/// A static group that becomes dynamic keeps the list of its source in its settings, where nothing reads it; a
/// Microsoft 365 group keeps its kind, because its mailbox is in the cloud whatever is decided here.
pub fn overlay(object: &mut RecipientObject, decision: &LocalDecision) {
    if !object.kind.is_group() || object.kind.is_microsoft365_group() {
        return;
    }
    let settings = object.group.get_or_insert_default();
    match &decision.chosen {
        Chosen::Rule(rule) => {
            settings.rule = Some(rule.clone());
            object.kind = RecipientKind::DynamicDistributionGroup;
        }
        Chosen::Members(members) => {
            settings.members.clone_from(members);
            settings.rule = None;
            if object.kind.is_dynamic() {
                object.kind = RecipientKind::MailUniversalDistributionGroup;
            }
        }
    }
}

/// True if the source says something else by now than when the decision was made.
#[must_use]
pub fn is_overtaken(object: &RecipientObject, decision: &LocalDecision) -> bool {
    filter_hash(object) != decision.over
}

/// A list as references that name the same entries: objects by their ids where these name them alone, else by
/// address. Whom nothing names any more is left out and returned.
#[must_use]
pub fn references_of(entries: &Entries, directory: &Directory) -> (Vec<Reference>, Vec<Ordinal>) {
    let (mut references, mut gone) = (Vec::new(), Vec::new());
    for ordinal in entries.objects.iter().map(Ordinal) {
        let Some(object) = directory.recipient(ordinal) else {
            gone.push(ordinal);
            continue;
        };
        let names = [object.id.as_str(), object.primary.as_str()];
        let named = names
            .into_iter()
            .find(|name| directory.lookup_reference(name).one() == Some(ordinal));
        match named {
            Some(name) => references.push(Reference::from(name)),
            None => gone.push(ordinal),
        }
    }
    references.extend(entries.outside.iter().map(|mailbox| Reference::from(mailbox.as_str())));
    references.extend(entries.unresolved.iter().map(|text| Reference::from(&**text)));
    (references, gone)
}

/// A short account of a decision for the audit.
#[must_use]
pub fn account(chosen: &Chosen) -> Arc<str> {
    match chosen {
        Chosen::Rule(_) => "rule set here".into(),
        Chosen::Members(members) => format!("list of {} set here", members.len()).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::filter::EvaluationOptions;
    use crate::directory::testing::{directory, dynamic_group, group, person};
    use crate::rolls::build;

    fn decision() -> Decision {
        Decision {
            by: "eva".into(),
            reason: "frozen for the audit".into(),
            at: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn freezing_and_thawing_change_kind_and_list_and_can_be_undone() {
        let source = dynamic_group("berlin@contoso.example", "Office -eq 'Berlin'").build();
        let made = directory([
            person("lena@contoso.example").office("Berlin"),
            person("jonas@contoso.example").office("Bonn"),
            dynamic_group("berlin@contoso.example", "Office -eq 'Berlin'"),
        ]);
        let options = EvaluationOptions::default();
        let today = build(&made, Ordinal(2), &options, jiff::Timestamp::UNIX_EPOCH)
            .expect("a valid rule")
            .entries;
        let (references, gone) = references_of(&today, &made);
        assert!(gone.is_empty());
        let freeze = LocalDecision::new(Chosen::Members(references), decision(), &source);
        let decisions = LocalDecisions::default().deciding(freeze.clone());

        let mut frozen = source.clone();
        overlay(&mut frozen, &freeze);
        assert_eq!(frozen.kind, RecipientKind::MailUniversalDistributionGroup);
        let members = &frozen.group.as_ref().expect("a group").members;
        assert_eq!(made.bind(members).ordinals, today.objects.to_set());
        assert!(!is_overtaken(&source, &freeze));
        let changed = dynamic_group("berlin@contoso.example", "Office -eq 'BER'").build();
        assert!(is_overtaken(&changed, &freeze));

        let rule = source
            .group
            .as_ref()
            .and_then(|group| group.rule.clone())
            .expect("a rule");
        let thaw = LocalDecision::new(Chosen::Rule(rule), decision(), &source);
        let mut thawed = frozen.clone();
        overlay(&mut thawed, &thaw);
        assert!(thawed.kind.is_dynamic());
        let decisions = decisions.deciding(thaw.clone());
        let (decisions, last) = decisions.undone().expect("two decisions");
        assert_eq!((last, decisions.current()), (thaw, Some(&freeze)));
        assert!(decisions.undone().expect("one").0.is_empty());
    }

    #[test]
    fn persons_are_left_alone() {
        let source = group("g@contoso.example").members(&["lena@contoso.example"]).build();
        let chosen = LocalDecision::new(Chosen::Members(Vec::new()), decision(), &source);
        let mut lena = person("lena@contoso.example").build();
        let before = lena.clone();
        overlay(&mut lena, &chosen);
        assert_eq!(lena, before);
        let text = serde_json::to_string(&chosen).expect("serialises");
        assert_eq!(serde_json::from_str::<LocalDecision>(&text).ok(), Some(chosen));
    }
}
