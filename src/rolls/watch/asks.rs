//! Asks of all rules, each once, and how the rules that make one are found.
//!
//! In: rules as they come and go. Out: for a key the asks that a value with this key may pass; for an ask the rules
//! that make it, sorted by the ask each rule is found by (its anchor).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::names::{NameHash, Names};
use crate::directory::attribute::Attribute;
use crate::directory::filter::plan::{Ask, AskKind, TextForm};
use crate::directory::group::ComparisonProfile;
use crate::directory::value::ValueRef;

/// Number of an ask.
pub(super) type AskId = u32;
/// Number of a rule.
pub(in crate::rolls) type RuleId = u32;

/// In place of an anchor: the rule is looked at whenever the ask's answer changes.
pub(super) const ALWAYS: AskId = AskId::MAX;

/// One ask.
#[derive(Debug)]
pub(super) struct AskRecord {
    pub(super) ask: Arc<Ask>,
    /// Anchor and rule, sorted. A rule with several anchors has several entries.
    pub(super) rules: Vec<(AskId, RuleId)>,
    /// Rules found by this ask, sorted.
    pub(super) anchored: Vec<RuleId>,
}

/// A text as an index key: attribute, form, profile and folded text, hashed. Two keys with one hash make a rule be
/// looked at once too often, nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct TextKey(u64);

impl TextKey {
    pub(super) fn of(attribute: Attribute, form: TextForm, profile: ComparisonProfile, folded: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        (attribute, form, profile, folded).hash(&mut hasher);
        Self(hasher.finish())
    }

    pub(super) fn of_reference(attribute: Attribute, name: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        (attribute, name).hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// What is asked of one attribute.
#[derive(Debug, Default)]
pub(super) struct OfAttribute {
    /// How texts are looked up, with the number of asks that do.
    pub(super) texts: BTreeMap<(TextForm, ComparisonProfile), usize>,
    /// Asks that look at the value, each once.
    pub(super) values: BTreeSet<AskId>,
    /// Asks whose answer hangs on further objects.
    pub(super) wide: BTreeSet<AskId>,
    /// Number of asks for references.
    pub(super) references: usize,
}

impl OfAttribute {
    fn is_empty(&self) -> bool {
        self.texts.is_empty() && self.values.is_empty() && self.wide.is_empty() && self.references == 0
    }

    /// Keys of a value's texts.
    pub(super) fn text_keys(&self, attribute: Attribute, value: &ValueRef<'_>) -> Vec<TextKey> {
        let mut keys = Vec::new();
        for (form, profile) in self.texts.keys() {
            form.each_text(value, *profile, &mut |folded| {
                keys.push(TextKey::of(attribute, *form, *profile, folded));
            });
        }
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

/// All asks.
#[derive(Debug, Default)]
pub(super) struct Asks {
    records: Vec<Option<AskRecord>>,
    vacant: Vec<AskId>,
    ids: HashMap<Arc<Ask>, AskId>,
    pub(super) attributes: BTreeMap<Attribute, OfAttribute>,
    keys: HashMap<TextKey, Vec<AskId>>,
    pub(super) scopes: BTreeSet<AskId>,
    /// Asks for direct membership in a group.
    pub(super) members: BTreeSet<AskId>,
    /// Asks for membership in any group.
    pub(super) members_of_any: BTreeSet<AskId>,
    /// Asks by the names of the objects they name: groups and referenced objects.
    pub(super) targets: Names,
    /// Rules that may hold for an object that passes none of their asks.
    pub(super) unanchored: BTreeSet<RuleId>,
}

impl Asks {
    pub(super) fn record(&self, ask: AskId) -> Option<&AskRecord> {
        self.records.get(usize::try_from(ask).ok()?)?.as_ref()
    }

    fn record_mut(&mut self, ask: AskId) -> Option<&mut AskRecord> {
        self.records.get_mut(usize::try_from(ask).ok()?)?.as_mut()
    }

    pub(super) fn ask(&self, ask: AskId) -> Option<&Ask> {
        self.record(ask).map(|record| &*record.ask)
    }

    /// Asks that a value with this key may pass.
    pub(super) fn by_key(&self, key: TextKey) -> &[AskId] {
        self.keys.get(&key).map_or(&[], Vec::as_slice)
    }

    /// The number of an ask, a new one if nobody asked before.
    pub(super) fn take(&mut self, ask: Ask) -> AskId {
        if let Some(id) = self.ids.get(&ask) {
            return *id;
        }
        let ask = Arc::new(ask);
        let record = AskRecord {
            ask: Arc::clone(&ask),
            rules: Vec::new(),
            anchored: Vec::new(),
        };
        let id = match self.vacant.pop() {
            Some(id) => id,
            None => {
                self.records.push(None);
                // Four thousand million asks do not fit into memory.
                AskId::try_from(self.records.len() - 1).expect("fewer asks than a u32 counts")
            }
        };
        if let Some(place) = usize::try_from(id).ok().and_then(|place| self.records.get_mut(place)) {
            *place = Some(record);
        }
        self.index(&ask, id, Change::Add);
        self.ids.insert(ask, id);
        id
    }

    /// Notes that a rule asks this and is found by these anchors.
    pub(super) fn link(&mut self, ask: AskId, rule: RuleId, anchors: &[AskId]) {
        let Some(record) = self.record_mut(ask) else { return };
        for anchor in links(ask, anchors) {
            insert(&mut record.rules, (anchor, rule));
        }
        if anchors.contains(&ask) {
            insert(&mut record.anchored, rule);
        }
    }

    /// Forgets what [`Asks::link`] noted, and the ask with its last rule.
    pub(super) fn unlink(&mut self, ask: AskId, rule: RuleId, anchors: &[AskId]) {
        let Some(record) = self.record_mut(ask) else { return };
        for anchor in links(ask, anchors) {
            remove(&mut record.rules, &(anchor, rule));
        }
        remove(&mut record.anchored, &rule);
        if !record.rules.is_empty() {
            return;
        }
        let gone = Arc::clone(&record.ask);
        self.ids.remove(&gone);
        self.index(&gone, ask, Change::Remove);
        if let Some(place) = usize::try_from(ask).ok().and_then(|place| self.records.get_mut(place)) {
            *place = None;
        }
        self.vacant.push(ask);
    }

    /// Rules that are found by an ask, for choosing the anchor that finds the fewest.
    pub(super) fn found_by(&self, ask: &Ask) -> usize {
        self.ids
            .get(ask)
            .and_then(|id| self.record(*id))
            .map_or(0, |record| record.anchored.len())
    }

    fn index(&mut self, ask: &Ask, id: AskId, change: Change) {
        match ask.kind() {
            AskKind::Text {
                attribute,
                form,
                folded,
                profile,
            } => {
                let texts = &mut self.attributes.entry(attribute).or_default().texts;
                let count = texts.entry((form, profile)).or_default();
                change.count(count);
                if *count == 0 {
                    texts.remove(&(form, profile));
                }
                self.key(TextKey::of(attribute, form, profile, folded), id, change);
            }
            AskKind::Value { attribute } => {
                change.set(&mut self.attributes.entry(attribute).or_default().values, id);
            }
            AskKind::Reference { attribute, target } => {
                change.count(&mut self.attributes.entry(attribute).or_default().references);
                let name = target.reference().to_lowercase();
                self.key(TextKey::of_reference(attribute, &name), id, change);
                self.target(target.reference(), id, change);
            }
            AskKind::Within(_) => change.set(&mut self.scopes, id),
            AskKind::Member(group) => {
                change.set(&mut self.members, id);
                self.target(group.reference(), id, change);
            }
            AskKind::MemberOfAny => change.set(&mut self.members_of_any, id),
            AskKind::Wide { attribute } => {
                change.set(&mut self.attributes.entry(attribute).or_default().wide, id);
            }
        }
        self.attributes.retain(|_, of| !of.is_empty());
    }

    fn key(&mut self, key: TextKey, id: AskId, change: Change) {
        let asks = self.keys.entry(key).or_default();
        match change {
            Change::Add => insert(asks, id),
            Change::Remove => remove(asks, &id),
        }
        if asks.is_empty() {
            self.keys.remove(&key);
        }
    }

    fn target(&mut self, reference: &str, id: AskId, change: Change) {
        let names = super::names::names_in(reference);
        let uses = names.into_iter().map(|name: NameHash| (name, id));
        match change {
            Change::Add => self.targets.add(uses),
            Change::Remove => self.targets.remove(uses),
        }
    }
}

#[derive(Clone, Copy)]
enum Change {
    Add,
    Remove,
}

impl Change {
    fn set(self, set: &mut BTreeSet<AskId>, id: AskId) {
        match self {
            Self::Add => set.insert(id),
            Self::Remove => set.remove(&id),
        };
    }

    fn count(self, count: &mut usize) {
        *count = match self {
            Self::Add => *count + 1,
            Self::Remove => count.saturating_sub(1),
        };
    }
}

/// Most anchors of a rule by which its other asks are sorted: beyond them the entries would grow with the product.
const LINKED_ANCHORS_MAX: usize = 4;

/// Under which anchors a rule is entered at one of its asks. At an anchor itself it always counts.
fn links(ask: AskId, anchors: &[AskId]) -> Vec<AskId> {
    if anchors.is_empty() || anchors.len() > LINKED_ANCHORS_MAX || anchors.contains(&ask) {
        vec![ALWAYS]
    } else {
        anchors.to_vec()
    }
}

fn insert<T: Ord>(list: &mut Vec<T>, item: T) {
    if let Err(place) = list.binary_search(&item) {
        list.insert(place, item);
    }
}

fn remove<T: Ord>(list: &mut Vec<T>, item: &T) {
    if let Ok(place) = list.binary_search(item) {
        list.remove(place);
    }
}
