//! What changed objects mean for rules and lists.
//!
//! In: a generation before and after, the objects that were touched. Out: names that came or went, and the rules whose
//! answer on an object may differ now. Cost: the values of the touched objects and what is found by them; asks that
//! have no key are tried once each where their attribute changed.

use std::collections::BTreeSet;

use roaring::RoaringBitmap;

use super::asks::{AskId, OfAttribute, RuleId, TextKey};
use super::holding::{Holding, by_keys, reference_keys};
use super::names::{NameHash, names_in};
use super::{Watch, listed_references};
use crate::directory::attribute::Attribute;
use crate::directory::filter::EvaluationContext;
use crate::directory::filter::plan::{Ask, AskKind};
use crate::directory::index::names_of;
use crate::directory::row::RowRef;
use crate::directory::value::ValueRef;
use crate::directory::{Directory, Ordinal, RecipientObject};

/// A rule that makes at least so many others share an ask is looked up by its anchor; below, all are looked at.
const DIRECT_RULES_MAX: usize = 32;

/// What changed names mean.
#[derive(Debug, Default)]
pub(in crate::rolls) struct Effects {
    /// Names that some object gained or lost, sorted.
    names: Vec<NameHash>,
    /// Static groups that may list one of them.
    pub(in crate::rolls) lists: RoaringBitmap,
    /// Rules that must be computed again as a whole.
    pub(in crate::rolls) whole: BTreeSet<RuleId>,
}

impl Effects {
    /// True if the reference uses a name that came or went.
    pub(in crate::rolls) fn concern(&self, reference: &str) -> bool {
        !self.names.is_empty()
            && names_in(reference)
                .iter()
                .any(|name| self.names.binary_search(name).is_ok())
    }
}

/// Answers what only the rolls know: who is a member of which group.
pub(in crate::rolls) trait Membership {
    /// True if the object is a direct member of the group that an ask names.
    fn is_member(&self, ask: &Ask, object: Ordinal) -> bool;
}

/// One generation and what it takes to ask rules about one of its objects.
#[derive(Clone, Copy)]
pub(in crate::rolls) struct Side<'a> {
    pub(in crate::rolls) directory: &'a Directory,
    pub(in crate::rolls) context: &'a dyn EvaluationContext,
    pub(in crate::rolls) membership: &'a dyn Membership,
}

impl<'a> Side<'a> {
    /// The object, if any dynamic group may contain it.
    pub(super) fn candidate(&self, object: Ordinal) -> Option<RowRef<'a>> {
        self.directory
            .candidates()
            .contains(object.0)
            .then(|| self.directory.row(object))
            .flatten()
    }
}

/// Rules to be asked about one object.
#[derive(Debug, Default)]
pub(in crate::rolls) struct Concerned {
    pub(in crate::rolls) rules: Vec<RuleId>,
    /// Rules that must be computed again as a whole.
    pub(in crate::rolls) whole: BTreeSet<RuleId>,
}

impl Watch {
    /// What the names that touched objects gained and lost mean.
    pub(in crate::rolls) fn effects(
        &self,
        before: &Directory,
        after: &Directory,
        touched: &RoaringBitmap,
        skip: &RoaringBitmap,
    ) -> Effects {
        let mut effects = Effects::default();
        let has_wide = self.asks.attributes.values().any(|of| !of.wide.is_empty());
        if self.lists.is_empty() && self.asks.targets.is_empty() && !has_wide {
            return effects;
        }
        let mut renamed = RoaringBitmap::new();
        for number in touched {
            let ordinal = Ordinal(number);
            let names = |directory: &Directory| -> BTreeSet<String> {
                let object = directory.recipient(ordinal);
                object.map_or_else(BTreeSet::new, |object| names_of(&object).into_iter().collect())
            };
            let (old, new) = (names(before), names(after));
            if old == new {
                continue;
            }
            renamed.insert(number);
            for name in old.symmetric_difference(&new) {
                effects.names.push(NameHash::of(name));
                self.holders(before, after, name, &mut renamed);
            }
        }
        effects.names.sort_unstable();
        effects.names.dedup();
        for name in &effects.names {
            effects
                .lists
                .extend(self.lists.users(*name).filter(|group| !skip.contains(*group)));
        }
        if !renamed.is_empty() {
            self.renamed(before, after, &renamed, &mut effects);
        }
        effects
    }

    /// Objects that did not change and may have lost or won a reference: another object took or left the name.
    fn holders(&self, before: &Directory, after: &Directory, name: &str, renamed: &mut RoaringBitmap) {
        if self.asks.targets.is_empty() {
            return;
        }
        for directory in [before, after] {
            for found in [directory.lookup_reference(name), directory.lookup_legacy(name)] {
                renamed.extend(found.one().map(|holder| holder.0));
            }
        }
    }

    /// Rules that name an object which references may name otherwise now.
    fn renamed(&self, before: &Directory, after: &Directory, renamed: &RoaringBitmap, effects: &mut Effects) {
        let mut asks: BTreeSet<AskId> = BTreeSet::new();
        if !self.asks.targets.is_empty() {
            for name in &effects.names {
                asks.extend(self.asks.targets.users(*name));
            }
            for ordinal in renamed.iter().map(Ordinal) {
                for object in [before.recipient(ordinal), after.recipient(ordinal)]
                    .into_iter()
                    .flatten()
                {
                    for name in names_of(&object) {
                        let users = self.asks.targets.users(NameHash::of(&name));
                        // Who is in a group is in its list; only its own name matters here.
                        asks.extend(users.filter(|ask| !self.asks.members.contains(ask)));
                    }
                }
            }
        }
        for of in self.asks.attributes.values() {
            asks.extend(&of.wide);
        }
        for ask in asks {
            self.whole(ask, &mut effects.whole);
        }
    }

    fn whole(&self, ask: AskId, whole: &mut BTreeSet<RuleId>) {
        if let Some(record) = self.asks.record(ask) {
            whole.extend(record.rules.iter().map(|(_, rule)| *rule));
        }
    }

    /// Rules whose answer on a touched object may differ now.
    pub(in crate::rolls) fn concerned(&self, object: Ordinal, before: Side<'_>, after: Side<'_>) -> Concerned {
        let mut concerned = Concerned::default();
        let flips = match (before.candidate(object), after.candidate(object)) {
            (None, None) => {
                self.wide_changes(
                    before.directory.row(object),
                    after.directory.row(object),
                    &mut concerned,
                );
                return concerned;
            }
            (Some(old), Some(new)) => self.flips(old, new, before, after, &mut concerned),
            (Some(row), None) => {
                self.wide_changes(Some(row), after.directory.row(object), &mut concerned);
                let passed = self.passed(object, row, before);
                self.found_by(passed, &mut concerned.rules);
                return concerned.sorted();
            }
            (None, Some(row)) => {
                self.wide_changes(before.directory.row(object), Some(row), &mut concerned);
                let passed = self.passed(object, row, after);
                self.found_by(passed, &mut concerned.rules);
                return concerned.sorted();
            }
        };
        let sides = [before, after];
        self.of_flips(&flips, object, &sides, &mut concerned.rules);
        concerned.sorted()
    }

    /// Rules that ask for membership in a group which an object joined or left.
    pub(in crate::rolls) fn concerned_by_membership(
        &self,
        group: &RecipientObject,
        change: &RoaringBitmap,
        after: Side<'_>,
        found: &mut Vec<(RuleId, u32)>,
    ) {
        let mut asks: BTreeSet<AskId> = self.asks.members_of_any.clone();
        for name in names_of(group) {
            let users = self.asks.targets.users(NameHash::of(&name));
            asks.extend(users.filter(|ask| self.asks.members.contains(ask)));
        }
        if asks.is_empty() {
            return;
        }
        let asks: Vec<AskId> = asks.into_iter().collect();
        for number in change & after.directory.candidates() {
            let mut rules = Vec::new();
            self.of_flips(&asks, Ordinal(number), &[after], &mut rules);
            found.extend(rules.into_iter().map(|rule| (rule, number)));
        }
    }

    /// Rules about members of members.
    pub(in crate::rolls) fn nested_memberships(&self, whole: &mut BTreeSet<RuleId>) {
        let of = self.asks.attributes.get(&Attribute::MemberOfGroup);
        for ask in of.into_iter().flat_map(|of| &of.wide) {
            self.whole(*ask, whole);
        }
    }

    /// Chains that lead over the object, whether it is a candidate itself or not.
    fn wide_changes(&self, old: Option<RowRef<'_>>, new: Option<RowRef<'_>>, concerned: &mut Concerned) {
        for (attribute, of) in &self.asks.attributes {
            if of.wide.is_empty() {
                continue;
            }
            let value = |row: Option<RowRef<'_>>| row.map(|row| row.value(*attribute) != ValueRef::Absent);
            let differs = match (old, new) {
                (Some(old), Some(new)) => old.value(*attribute) != new.value(*attribute),
                (old, new) => value(old).or(value(new)).unwrap_or(false),
            };
            if differs {
                of.wide.iter().for_each(|ask| self.whole(*ask, &mut concerned.whole));
            }
        }
    }

    /// Asks whose answer on an object differs between two generations.
    fn flips(
        &self,
        old: RowRef<'_>,
        new: RowRef<'_>,
        before: Side<'_>,
        after: Side<'_>,
        concerned: &mut Concerned,
    ) -> Vec<AskId> {
        let mut flips = Vec::new();
        for (attribute, of) in &self.asks.attributes {
            if *attribute == Attribute::MemberOfGroup {
                continue;
            }
            let (was, is) = (old.value(*attribute), new.value(*attribute));
            if was == is {
                continue;
            }
            of.wide.iter().for_each(|ask| self.whole(*ask, &mut concerned.whole));
            self.keys_that_differ(
                &of.text_keys(*attribute, &was),
                &of.text_keys(*attribute, &is),
                &mut flips,
            );
            if of.references > 0 {
                let was = reference_keys(*attribute, &was, before.directory);
                let is = reference_keys(*attribute, &is, after.directory);
                self.keys_that_differ(&was, &is, &mut flips);
            }
            for id in &of.values {
                let Some(ask) = self.asks.ask(*id) else { continue };
                // What time decides later hangs on the value too.
                if ask.depends_on_now() || ask.passes(&was, before.context) != ask.passes(&is, after.context) {
                    flips.push(*id);
                }
            }
        }
        for id in &self.asks.scopes {
            if let Some(AskKind::Within(scope)) = self.asks.ask(*id).map(Ask::kind)
                && scope.contains_row(old) != scope.contains_row(new)
            {
                flips.push(*id);
            }
        }
        flips
    }

    fn keys_that_differ(&self, was: &[TextKey], is: &[TextKey], flips: &mut Vec<AskId>) {
        for (these, others) in [(was, is), (is, was)] {
            for key in these.iter().filter(|key| others.binary_search(key).is_err()) {
                flips.extend(self.asks.by_key(*key));
            }
        }
    }

    /// Rules that make one of these asks and whose anchor holds for the object on one of the sides.
    fn of_flips(&self, flips: &[AskId], object: Ordinal, sides: &[Side<'_>], rules: &mut Vec<RuleId>) {
        let mut holding = Holding::new(&self.asks, object, sides);
        for flip in flips {
            let Some(record) = self.asks.record(*flip) else {
                continue;
            };
            if record.rules.len() <= DIRECT_RULES_MAX {
                rules.extend(record.rules.iter().map(|(_, rule)| *rule));
                continue;
            }
            // As many steps as the ask's rules have anchors, however many others there are.
            let mut rest = &record.rules[..];
            while let Some((anchor, _)) = rest.first() {
                let (these, others) = rest.split_at(rest.partition_point(|(each, _)| each <= anchor));
                if holding.holds(*anchor) {
                    rules.extend(these.iter().map(|(_, rule)| *rule));
                }
                rest = others;
            }
        }
    }

    fn found_by(&self, passed: Vec<AskId>, rules: &mut Vec<RuleId>) {
        for ask in passed {
            rules.extend(self.asks.record(ask).map_or(&[][..], |record| &record.anchored));
        }
        rules.extend(&self.asks.unanchored);
    }

    /// Asks that find rules and may hold for an object.
    fn passed(&self, object: Ordinal, row: RowRef<'_>, side: Side<'_>) -> Vec<AskId> {
        let mut passed = Vec::new();
        for (attribute, of) in &self.asks.attributes {
            if *attribute == Attribute::MemberOfGroup {
                continue;
            }
            let value = row.value(*attribute);
            if value != ValueRef::Absent {
                self.passed_by_value(*attribute, of, &value, side, &mut passed);
            }
        }
        for id in self.asks.scopes.iter().chain(&self.asks.members) {
            let Some(record) = self.asks.record(*id).filter(|record| !record.anchored.is_empty()) else {
                continue;
            };
            let passes = match record.ask.kind() {
                AskKind::Within(scope) => scope.contains_row(row),
                AskKind::Member(_) => side.membership.is_member(&record.ask, object),
                AskKind::Text { .. }
                | AskKind::Value { .. }
                | AskKind::Reference { .. }
                | AskKind::MemberOfAny
                | AskKind::Wide { .. } => false,
            };
            if passes {
                passed.push(*id);
            }
        }
        passed
    }

    fn passed_by_value(
        &self,
        attribute: Attribute,
        of: &OfAttribute,
        value: &ValueRef<'_>,
        side: Side<'_>,
        passed: &mut Vec<AskId>,
    ) {
        passed.extend(by_keys(&self.asks, attribute, of, value, side.directory));
        for id in &of.values {
            // No ask that an absent value passes is an anchor.
            let finds = self.asks.record(*id).filter(|record| !record.anchored.is_empty());
            if finds.is_some_and(|record| record.ask.passes(value, side.context)) {
                passed.push(*id);
            }
        }
    }
}

impl Concerned {
    fn sorted(mut self) -> Self {
        self.rules.sort_unstable();
        self.rules.dedup();
        self
    }
}

/// Texts of a list that use a name which came or went.
pub(in crate::rolls) fn concerned_references<'o>(
    effects: &'o Effects,
    object: &'o RecipientObject,
) -> impl Iterator<Item = &'o str> {
    listed_references(object)
        .map(|reference| reference.as_str())
        .filter(|reference| effects.concern(reference))
}
