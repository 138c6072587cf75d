//! Which asks hold for one object: each found out when it is needed, and once.
//!
//! In: an object before and after a change, the asks of all rules. Out: whether one of them holds on one of the sides.
//! Never: an ask tried that no rule in question is found by.

use std::collections::{HashMap, HashSet};

use super::asks::{ALWAYS, AskId, Asks, OfAttribute, TextKey};
use super::change::Side;
use crate::directory::attribute::Attribute;
use crate::directory::dn::DistinguishedName;
use crate::directory::filter::plan::AskKind;
use crate::directory::filter::plan::reference::texts_of;
use crate::directory::index::names_of;
use crate::directory::value::ValueRef;
use crate::directory::{Directory, Ordinal};

/// What holds for an object.
pub(super) struct Holding<'a> {
    asks: &'a Asks,
    object: Ordinal,
    sides: &'a [Side<'a>],
    /// Asks that its values find by a key.
    keyed: Option<HashSet<AskId>>,
    others: HashMap<AskId, bool>,
}

impl<'a> Holding<'a> {
    pub(super) fn new(asks: &'a Asks, object: Ordinal, sides: &'a [Side<'a>]) -> Self {
        Self {
            asks,
            object,
            sides,
            keyed: None,
            others: HashMap::new(),
        }
    }

    /// True if an ask holds on one of the sides, or may: two keys with one hash.
    pub(super) fn holds(&mut self, ask: AskId) -> bool {
        if ask == ALWAYS {
            return true;
        }
        let Some(record) = self.asks.record(ask) else {
            return false;
        };
        match record.ask.kind() {
            AskKind::Text { .. } | AskKind::Reference { .. } => {
                let (asks, object, sides) = (self.asks, self.object, self.sides);
                self.keyed
                    .get_or_insert_with(|| keyed(asks, object, sides))
                    .contains(&ask)
            }
            AskKind::Value { .. } | AskKind::Within(_) | AskKind::Member(_) => match self.others.get(&ask) {
                Some(known) => *known,
                None => {
                    let holds = self.sides.iter().any(|side| self.holds_on(ask, *side));
                    self.others.insert(ask, holds);
                    holds
                }
            },
            AskKind::MemberOfAny | AskKind::Wide { .. } => false,
        }
    }

    fn holds_on(&self, ask: AskId, side: Side<'_>) -> bool {
        let (Some(record), Some(row)) = (self.asks.record(ask), side.candidate(self.object)) else {
            return false;
        };
        match record.ask.kind() {
            // No ask that an absent value passes is an anchor.
            AskKind::Value { attribute } => match row.value(attribute) {
                ValueRef::Absent => false,
                value => record.ask.passes(&value, side.context),
            },
            AskKind::Within(scope) => scope.contains_row(row),
            AskKind::Member(_) => side.membership.is_member(&record.ask, self.object),
            AskKind::Text { .. } | AskKind::Reference { .. } | AskKind::MemberOfAny | AskKind::Wide { .. } => false,
        }
    }
}

fn keyed(asks: &Asks, object: Ordinal, sides: &[Side<'_>]) -> HashSet<AskId> {
    let mut found = HashSet::new();
    for side in sides {
        let Some(row) = side.candidate(object) else { continue };
        for (attribute, of) in &asks.attributes {
            let value = row.value(*attribute);
            if *attribute != Attribute::MemberOfGroup && value != ValueRef::Absent {
                found.extend(by_keys(asks, *attribute, of, &value, side.directory));
            }
        }
    }
    found
}

/// Asks that a value may pass, found by its keys.
pub(super) fn by_keys<'a>(
    asks: &'a Asks,
    attribute: Attribute,
    of: &OfAttribute,
    value: &ValueRef<'_>,
    directory: &Directory,
) -> impl Iterator<Item = AskId> + 'a {
    let mut keys = of.text_keys(attribute, value);
    if of.references > 0 {
        keys.extend(reference_keys(attribute, value, directory));
    }
    keys.into_iter().flat_map(|key| asks.by_key(key).iter().copied())
}

/// Keys of the objects that a value's references name, by any of their names; sorted.
pub(super) fn reference_keys(attribute: Attribute, value: &ValueRef<'_>, directory: &Directory) -> Vec<TextKey> {
    let mut keys = Vec::new();
    for text in texts_of(value) {
        if let Some(dn) = DistinguishedName::parse(text) {
            keys.push(TextKey::of_reference(attribute, dn.as_str()));
        }
        keys.push(TextKey::of_reference(attribute, &text.trim().to_lowercase()));
        let named = directory.lookup_reference(text).one();
        if let Some(object) = named.and_then(|ordinal| directory.recipient(ordinal)) {
            let names = names_of(&object);
            keys.extend(names.iter().map(|name| TextKey::of_reference(attribute, name)));
        }
    }
    keys.sort_unstable();
    keys.dedup();
    keys
}
