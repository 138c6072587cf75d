//! What a group becomes by `group convert`, `group freeze` and `group preview --save`, and whom that concerns. Pure.
//!
//! In: the order, the pinned view, the list of a time. Out: a rule or a list, pins for the exceptions, and the members
//! before and after. Never: a conversion that changes who is in the group unless the difference is accepted.

use roaring::RoaringBitmap;

use super::groups::Groups;
use super::rules::{Asked, text_of};
use crate::admin::answer::{GroupConverted, RuleProposed};
use crate::admin::command::{ConvertInto, ConvertOrder, RuleQuestion};
use crate::admin::service::{Refusal, RefusalKind};
use crate::directory::filter::english;
use crate::directory::filter::predicate::Predicate;
use crate::directory::filter::propose::{Proposal, propose};
use crate::directory::group::{DynamicRule, FilterLanguage, RuleCondition};
use crate::directory::{Ordinal, RecipientObject, Reference};
use crate::rolls::local::references_of;
use crate::rolls::pin::{Pin, Pins};
use crate::rolls::roll::Entries;

/// Most people named on either side of a difference, and as exceptions of a proposal; the rest is counted.
const NAMES_MAX: usize = 1_000;

/// The reason of pins that keep somebody whom the rule does not yield.
pub(super) const CONVERSION_KEEPS: &str = "kept by the conversion to a rule";
/// The reason of pins that keep somebody out whom the rule yields.
pub(super) const CONVERSION_EXCLUDES: &str = "left out by the conversion to a rule";

/// True for a pin that a conversion made; it goes when the conversion is undone.
pub(super) fn is_of_conversion(pin: &Pin) -> bool {
    [CONVERSION_KEEPS, CONVERSION_EXCLUDES].contains(&&*pin.reason)
}

/// What a group becomes.
pub(super) enum Become {
    /// Dynamic, with this rule.
    Rule(DynamicRule),
    /// Static, with these members.
    Members(Vec<Reference>),
    /// What its source says.
    Source,
}

/// An order thought through.
pub(super) struct Conversion {
    /// The group.
    pub group: Ordinal,
    /// What it becomes.
    pub becomes: Become,
    /// Members to pin, because the rule does not yield them.
    pub include: RoaringBitmap,
    /// People to keep out by a pin, because the rule yields them.
    pub exclude: RoaringBitmap,
    /// Members before and after; `done` is still to be said.
    pub answer: GroupConverted,
}

impl Conversion {
    /// Nobody joins or leaves by it.
    pub(super) fn is_identical(&self) -> bool {
        self.answer.joins == 0 && self.answer.leaves == 0
    }
}

impl Groups<'_> {
    /// The smallest rule for a list.
    pub(super) fn propose(&self, name: &str) -> Result<RuleProposed, Refusal> {
        let (ordinal, group) = self.group(name)?;
        let members = self.members_now(ordinal, group)?;
        let proposal = self.proposal(&members.objects.to_set())?;
        let named = |set: &RoaringBitmap| self.addresses(set.iter().take(NAMES_MAX));
        Ok(RuleProposed {
            group: group.primary.to_string(),
            members: members.len(),
            filter: proposal.as_ref().map(|proposal| plain(&proposal.predicate)),
            english: proposal.as_ref().map(|proposal| english::describe(&proposal.predicate)),
            covered: proposal.as_ref().map_or(0, |proposal| proposal.covered.len()),
            adds: proposal
                .as_ref()
                .map(|proposal| named(&proposal.added))
                .unwrap_or_default(),
            pinned: proposal
                .as_ref()
                .map(|proposal| named(&proposal.pinned))
                .unwrap_or_default(),
            adds_count: proposal.as_ref().map_or(0, |proposal| proposal.added.len()),
            pinned_count: proposal.as_ref().map_or(0, |proposal| proposal.pinned.len()),
        })
    }

    fn proposal(&self, members: &RoaringBitmap) -> Result<Option<Proposal>, Refusal> {
        propose(&self.view.directory, members, self.options, self.now)
            .map_err(|fault| Refusal::new(RefusalKind::Broken, fault.to_string()))
    }

    /// The list of now; without one there is nothing to convert.
    fn members_now(&self, ordinal: Ordinal, group: &RecipientObject) -> Result<Entries, Refusal> {
        let roll = self.view.roll(ordinal).ok_or_else(|| {
            let text = format!("{} has no list yet: it was never computed", group.primary);
            Refusal::new(RefusalKind::NotFound, text)
        })?;
        Ok(roll.entries.clone())
    }

    /// What an order comes to. `then` is the list that a static group takes; none: that of now. `source` is the object
    /// as the group's source states it, for an order that goes back to it.
    pub(super) fn conversion(
        &self,
        order: &ConvertOrder,
        then: Option<&Entries>,
        source: Option<&RecipientObject>,
    ) -> Result<Conversion, Refusal> {
        let (ordinal, group) = self.group(&order.group)?;
        let now = self.members_now(ordinal, group)?;
        let kept_out = self.kept_out(&order.exclude)?;
        let (becomes, list, include) = match &order.into {
            ConvertInto::Proposal => {
                let proposal = self.proposal(&now.objects.to_set())?.ok_or_else(|| {
                    let text = format!("no rule is shorter than the list of {}", group.primary);
                    Refusal::new(RefusalKind::NotFound, text)
                })?;
                let found = &proposal.covered | &proposal.added;
                let rule = rule_of(plain(&proposal.predicate));
                (Become::Rule(rule), of_objects(found), proposal.pinned)
            }
            ConvertInto::Rule(question) => {
                let asked = self.asked_of(group, question)?;
                let found = self.reached(&self.compiled(&asked.rule)?);
                (Become::Rule(asked.rule), of_objects(found), RoaringBitmap::new())
            }
            ConvertInto::Static(_) => {
                let list = then.unwrap_or(&now);
                let live = &list.objects & self.view.directory.live();
                let list = Entries::new(live, list.outside.to_vec(), list.unresolved.to_vec());
                (
                    Become::Members(references_of(&list, &self.view.directory).0),
                    list,
                    RoaringBitmap::new(),
                )
            }
            ConvertInto::Undo => (Become::Source, self.of_source(group, source)?, RoaringBitmap::new()),
        };
        let mut pins = self.pins(ordinal);
        if matches!(becomes, Become::Source) {
            pins = pins.iter().filter(|pin| !is_of_conversion(pin)).cloned().collect();
        }
        let after = after(&pins, &list, &include, &kept_out);
        let answer = self.difference(group, &becomes, &now, &after, (include.len(), kept_out.len()));
        Ok(Conversion {
            group: ordinal,
            becomes,
            include,
            exclude: kept_out,
            answer,
        })
    }

    /// The rule for a preview that is saved: what the group becomes, whoever joins or leaves.
    pub(super) fn saved(&self, question: &RuleQuestion) -> Result<(Ordinal, DynamicRule), Refusal> {
        let asked = self.asked(question)?;
        let group = asked
            .group
            .ok_or_else(|| Refusal::new(RefusalKind::Usage, "name the group whose rule it is to be"))?;
        self.compiled(&asked.rule)?;
        Ok((group, asked.rule))
    }

    fn asked_of(&self, group: &RecipientObject, question: &RuleQuestion) -> Result<Asked, Refusal> {
        self.asked(&RuleQuestion {
            group: Some(group.primary.to_string()),
            ..question.clone()
        })
    }

    fn kept_out(&self, names: &[String]) -> Result<RoaringBitmap, Refusal> {
        names
            .iter()
            .map(|name| self.find(name).map(|(ordinal, _)| ordinal.0))
            .collect()
    }

    /// The list that the source's own statement gives.
    fn of_source(&self, group: &RecipientObject, source: Option<&RecipientObject>) -> Result<Entries, Refusal> {
        let nothing = || {
            let text = format!("{} is what its source says: there is nothing to undo", group.primary);
            Refusal::new(RefusalKind::NotFound, text)
        };
        let settings = source.ok_or_else(nothing)?.group.as_deref().ok_or_else(nothing)?;
        match settings.rule.as_deref() {
            Some(rule) => Ok(of_objects(self.reached(&self.compiled(rule)?))),
            None => {
                let bound = self.view.directory.bind(&settings.members);
                let texts = bound.unresolved.iter().chain(&bound.ambiguous);
                let unresolved = texts.map(|text| text.as_str().into()).collect();
                Ok(Entries::new(bound.ordinals, bound.outside, unresolved))
            }
        }
    }

    fn difference(
        &self,
        group: &RecipientObject,
        becomes: &Become,
        before: &Entries,
        after: &Entries,
        (pinned, excluded): (u64, u64),
    ) -> GroupConverted {
        let texts = |here: &Entries, there: &Entries| -> Vec<String> {
            let outside = here.outside.iter().filter(|each| !there.has_outside(&each.key()));
            outside.map(ToString::to_string).collect()
        };
        let side = |here: &Entries, there: &Entries| -> (Vec<String>, u64) {
            let objects = &here.objects - &there.objects.to_set();
            let texts = texts(here, there);
            let count = objects.len() + texts.len() as u64;
            let mut names = self.addresses(objects.iter().take(NAMES_MAX));
            names.extend(texts);
            (names, count)
        };
        let ((joining, joins), (leaving, leaves)) = (side(after, before), side(before, after));
        GroupConverted {
            group: group.primary.to_string(),
            into: match becomes {
                Become::Rule(_) => "dynamic",
                Become::Members(_) => "static",
                Become::Source => "source",
            }
            .to_owned(),
            done: false,
            filter: match becomes {
                Become::Rule(rule) => Some(text_of(rule)),
                Become::Members(_) | Become::Source => None,
            },
            before: before.len(),
            after: after.len(),
            joining,
            leaving,
            joins,
            leaves,
            pinned,
            excluded,
        }
    }
}

/// The list with its pins and those that the order makes.
fn after(pins: &Pins, list: &Entries, include: &RoaringBitmap, kept_out: &RoaringBitmap) -> Entries {
    let pinned = pins.apply(list);
    Entries {
        objects: pinned.objects.with(include, kept_out),
        ..pinned
    }
}

fn of_objects(objects: RoaringBitmap) -> Entries {
    Entries::new(objects, Vec::new(), Vec::new())
}

/// A rule over the whole directory, in Exchange's language.
fn rule_of(text: String) -> DynamicRule {
    DynamicRule {
        condition: RuleCondition::Custom {
            language: FilterLanguage::Opath,
            text: text.into(),
        },
        recipient_container: None,
        comparison: None,
        remote_mailboxes_match_user_mailbox: false,
    }
}

/// A predicate as an administrator would write it: without parentheses that change nothing.
fn plain(predicate: &Predicate) -> String {
    match predicate {
        Predicate::Compare(comparison) => comparison.to_string(),
        Predicate::And(parts) if parts.iter().all(|part| matches!(part, Predicate::Compare(_))) => {
            parts.iter().map(plain).collect::<Vec<_>>().join(" -and ")
        }
        Predicate::Or(parts) if parts.iter().all(|part| matches!(part, Predicate::Compare(_))) => {
            parts.iter().map(plain).collect::<Vec<_>>().join(" -or ")
        }
        other => other.to_string(),
    }
}
