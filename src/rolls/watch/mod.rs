//! What every roll depends on, so that a change finds the rolls it affects without looking at all groups.
//!
//! In: groups as they come, change and go. Out: for a changed object the rules whose answer on it may differ now; for
//! a name the lists that use it. Never: a group left out whose entries a new computation would change (held by a
//! property test).
//!
//! A rule is taken apart into asks ([`crate::directory::filter::plan::Ask`]). Equal asks of all rules are one, equal
//! rules of all groups are one. Each rule is *found by* an anchor: asks of which one must hold wherever the rule
//! holds. When an object changes, the asks whose answer on it flips are looked up by its values; a rule is looked at
//! if it makes such an ask and its anchor holds for the object before or after. An object that appears is tried
//! against the rules found by the asks it passes, and against the few that have no anchor (nothing but negations).
//!
//! The writer owns one and changes it in place after the store has committed ([`Watch::take`]); no view needs it.

mod asks;
mod change;
mod holding;
mod names;

use std::collections::HashMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use self::asks::{AskId, Asks};
use self::names::{NameHash, Names, names_in};
use super::build::{BuildFault, expanded_subscribers};
use crate::directory::attribute::Attribute;
use crate::directory::filter::plan::Anatomy;
use crate::directory::filter::{CompiledRule, EvaluationOptions};
use crate::directory::group::DynamicRule;
use crate::directory::{Directory, Ordinal, RecipientObject, Reference};

pub(super) use asks::RuleId;
pub(super) use change::{Effects, Membership, Side, concerned_references};

/// What every roll depends on.
#[derive(Debug)]
pub struct Watch {
    options: EvaluationOptions,
    asks: Asks,
    rules: Vec<Option<Watched>>,
    vacant: Vec<RuleId>,
    /// Equal rules by a hash of their text; verified against the rule.
    rule_ids: HashMap<u64, Vec<RuleId>>,
    dynamic: HashMap<u32, Result<RuleId, BuildFault>>,
    /// Static groups by the names in their lists.
    lists: Names,
}

/// A rule that groups share.
#[derive(Debug)]
struct Watched {
    rule: Arc<DynamicRule>,
    compiled: Arc<CompiledRule>,
    asks: Box<[AskId]>,
    anchors: Box<[AskId]>,
    groups: Vec<u32>,
}

/// What a change of groups does to a [`Watch`]; made while following a change, taken once it is stored.
#[derive(Clone, Debug, Default)]
pub struct WatchChange {
    names_removed: Vec<(NameHash, u32)>,
    names_added: Vec<(NameHash, u32)>,
    rules: Vec<(Ordinal, Option<Compiled>)>,
}

/// A rule made ready, or why it cannot be.
pub type Compiled = (Arc<DynamicRule>, Result<Arc<CompiledRule>, BuildFault>);

impl Watch {
    /// Watches nothing yet; rules are compiled with these options.
    #[must_use]
    pub fn new(options: EvaluationOptions) -> Self {
        Self {
            options,
            asks: Asks::default(),
            rules: Vec::new(),
            vacant: Vec::new(),
            rule_ids: HashMap::new(),
            dynamic: HashMap::new(),
            lists: Names::default(),
        }
    }

    /// Watches all groups of a generation.
    #[must_use]
    pub fn of(directory: &Directory, options: EvaluationOptions) -> Self {
        let mut watch = Self::new(options);
        let mut change = WatchChange::default();
        for (ordinal, object) in directory.groups() {
            watch.note(&mut change, ordinal, None, Some(object));
        }
        watch.take(change);
        watch
    }

    /// How rules are compiled. With other options all rules are others: make a new watch and compute all rolls.
    #[must_use]
    pub fn options(&self) -> &EvaluationOptions {
        &self.options
    }

    /// The rule of a dynamic group, ready to judge, or why it cannot be; none for groups that have none.
    pub fn rule(&self, group: Ordinal) -> Option<Result<&Arc<CompiledRule>, &BuildFault>> {
        match self.dynamic.get(&group.0)? {
            Ok(rule) => self.watched(*rule).map(|watched| Ok(&watched.compiled)),
            Err(fault) => Some(Err(fault)),
        }
    }

    /// Groups whose rolls change by the clock, with their rules; see
    /// [`crate::directory::filter::plan::next_change`].
    pub fn timed(&self) -> impl Iterator<Item = (Ordinal, &Arc<CompiledRule>)> {
        self.rules
            .iter()
            .flatten()
            .filter(|watched| watched.compiled.depends_on_now())
            .flat_map(|watched| watched.groups.iter().map(|group| (Ordinal(*group), &watched.compiled)))
    }

    /// Distinct rules.
    #[must_use]
    pub fn rules(&self) -> usize {
        self.rules.iter().flatten().count()
    }

    /// Attributes that any rule reads.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute> {
        self.asks.attributes.keys().copied()
    }

    fn watched(&self, rule: RuleId) -> Option<&Watched> {
        self.rules.get(usize::try_from(rule).ok()?)?.as_ref()
    }

    pub(super) fn compiled(&self, rule: RuleId) -> Option<&Arc<CompiledRule>> {
        self.watched(rule).map(|watched| &watched.compiled)
    }

    pub(super) fn rule_ids(&self) -> impl Iterator<Item = RuleId> {
        self.rule_ids.values().flatten().copied()
    }

    pub(super) fn groups_of(&self, rule: RuleId) -> impl Iterator<Item = Ordinal> + '_ {
        let groups = self.watched(rule).map_or(&[][..], |watched| &watched.groups);
        groups.iter().map(|group| Ordinal(*group))
    }

    /// A rule made ready: the one that another group has already, if there is one.
    fn compile(&self, rule: &DynamicRule) -> Compiled {
        let known = self
            .rule_ids
            .get(&hash_of(rule))
            .into_iter()
            .flatten()
            .filter_map(|id| self.watched(*id))
            .find(|watched| *watched.rule == *rule);
        match known {
            Some(watched) => (Arc::clone(&watched.rule), Ok(Arc::clone(&watched.compiled))),
            None => {
                let compiled = CompiledRule::compile(rule, &self.options);
                (Arc::new(rule.clone()), compiled.map(Arc::new).map_err(BuildFault::from))
            }
        }
    }

    /// Notes that a group became another; returns its rule, if it is a dynamic one now.
    pub(super) fn note(
        &self,
        change: &mut WatchChange,
        group: Ordinal,
        old: Option<&RecipientObject>,
        new: Option<&RecipientObject>,
    ) -> Option<Result<Arc<CompiledRule>, BuildFault>> {
        let names = |object: Option<&RecipientObject>| {
            let references = object.into_iter().flat_map(listed_references);
            let names: Vec<(NameHash, u32)> = references
                .flat_map(|reference| names_in(reference.as_str()))
                .map(|name| (name, group.0))
                .collect();
            names
        };
        change.names_removed.extend(names(old));
        change.names_added.extend(names(new));
        let was_dynamic = self.dynamic.contains_key(&group.0);
        let Some(object) = new.filter(|object| object.kind.is_dynamic()) else {
            if was_dynamic {
                change.rules.push((group, None));
            }
            return None;
        };
        match object.group.as_deref().and_then(|settings| settings.rule.as_deref()) {
            Some(rule) => {
                let compiled = self.compile(rule);
                let answer = compiled.1.clone();
                change.rules.push((group, Some(compiled)));
                Some(answer)
            }
            None => {
                change.rules.push((group, None));
                Some(Err(BuildFault::NoRule))
            }
        }
    }

    /// Watches what a change of groups left.
    pub fn take(&mut self, change: WatchChange) {
        self.lists.remove(change.names_removed);
        self.lists.add(change.names_added);
        for (group, compiled) in change.rules {
            if let Some(Ok(rule)) = self.dynamic.remove(&group.0) {
                self.leave(rule, group);
            }
            let entry = match compiled {
                Some((rule, Ok(compiled))) => Ok(self.join(rule, compiled, group)),
                Some((_, Err(fault))) => Err(fault),
                None => continue,
            };
            self.dynamic.insert(group.0, entry);
        }
    }

    fn join(&mut self, rule: Arc<DynamicRule>, compiled: Arc<CompiledRule>, group: Ordinal) -> RuleId {
        let hash = hash_of(&rule);
        let known = self.rule_ids.get(&hash).into_iter().flatten().copied();
        let known = known
            .filter(|id| self.watched(*id).is_some_and(|watched| watched.rule == rule))
            .min();
        let id = match known {
            Some(id) => id,
            None => self.enter(rule, compiled, hash),
        };
        if let Some(Some(watched)) = usize::try_from(id).ok().and_then(|place| self.rules.get_mut(place))
            && let Err(place) = watched.groups.binary_search(&group.0)
        {
            watched.groups.insert(place, group.0);
        }
        id
    }

    fn enter(&mut self, rule: Arc<DynamicRule>, compiled: Arc<CompiledRule>, hash: u64) -> RuleId {
        let anatomy = Anatomy::of(&compiled);
        let anchor = self.anchor(&anatomy);
        let asks: Box<[AskId]> = anatomy.asks.into_iter().map(|ask| self.asks.take(ask)).collect();
        let anchors: Box<[AskId]> = match &anchor {
            Some(places) => places.iter().filter_map(|place| asks.get(*place).copied()).collect(),
            None => Box::default(),
        };
        let id = match self.vacant.pop() {
            Some(id) => id,
            None => {
                self.rules.push(None);
                // Every rule belongs to a group, and groups are numbered by u32.
                RuleId::try_from(self.rules.len() - 1).expect("no more rules than groups")
            }
        };
        for ask in &asks {
            self.asks.link(*ask, id, &anchors);
        }
        if anchor.is_none() {
            self.asks.unanchored.insert(id);
        }
        self.rule_ids.entry(hash).or_default().push(id);
        if let Some(place) = usize::try_from(id).ok().and_then(|place| self.rules.get_mut(place)) {
            *place = Some(Watched {
                rule,
                compiled,
                asks,
                anchors,
                groups: Vec::new(),
            });
        }
        id
    }

    /// Among the narrowest anchors the one that finds the fewest rules so far: a value that all rules name is a bad
    /// one, and shows as such.
    fn anchor(&self, anatomy: &Anatomy) -> Option<Vec<usize>> {
        let anchors = anatomy.anchors();
        let width = anchors.first().map(|anchor| anatomy.width(anchor))?;
        let found = |anchor: &Vec<usize>| -> usize {
            let asks = anchor.iter().filter_map(|place| anatomy.asks.get(*place));
            asks.map(|ask| self.asks.found_by(ask) + 1).sum()
        };
        anchors
            .into_iter()
            .filter(|anchor| anatomy.width(anchor) == width)
            .min_by_key(found)
    }

    fn leave(&mut self, id: RuleId, group: Ordinal) {
        let Some(slot) = usize::try_from(id).ok().and_then(|place| self.rules.get_mut(place)) else {
            return;
        };
        let Some(watched) = slot else { return };
        if let Ok(place) = watched.groups.binary_search(&group.0) {
            watched.groups.remove(place);
        }
        if !watched.groups.is_empty() {
            return;
        }
        let Some(gone) = slot.take() else { return };
        for ask in &gone.asks {
            self.asks.unlink(*ask, id, &gone.anchors);
        }
        self.asks.unanchored.remove(&id);
        let hash = hash_of(&gone.rule);
        if let Some(ids) = self.rule_ids.get_mut(&hash) {
            ids.retain(|each| *each != id);
            if ids.is_empty() {
                self.rule_ids.remove(&hash);
            }
        }
        self.vacant.push(id);
    }
}

/// References by which a group's lists are bound.
pub(super) fn listed_references(object: &RecipientObject) -> impl Iterator<Item = &Reference> {
    let members: &[Reference] = match object.group.as_deref() {
        Some(settings) if object.kind.is_group() && !object.kind.is_dynamic() => &settings.members,
        Some(_) | None => &[],
    };
    members.iter().chain(expanded_subscribers(object).unwrap_or_default())
}

fn hash_of(rule: &DynamicRule) -> u64 {
    let text = serde_json::to_vec(rule).expect("texts and flags serialise");
    let digest: [u8; 32] = Sha256::digest(text).into();
    digest
        .first_chunk()
        .map_or(0, |octets: &[u8; 8]| u64::from_le_bytes(*octets))
}
