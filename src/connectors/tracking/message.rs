//! From events to expansions: who a group reached in each message, nested groups followed.
//!
//! Each group of a message has an event of its own, on whichever server expanded it; they belong together by the
//! message. A group that was expanded twice in one message (a forked copy) reached both sets.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::event::{Event, EventKind};
use crate::rolls::compare::{AddressId, Observed, ObservedExpansion};

/// Most entries of all expansions together: 4 octets each.
pub const ENTRIES_MAX: usize = 100_000_000;

/// Gathers events of any order.
#[derive(Debug, Default)]
pub struct Gathered {
    ids: HashMap<Box<str>, AddressId>,
    addresses: Vec<Box<str>>,
    messages: BTreeMap<Box<str>, Message>,
    resolved: HashMap<AddressId, AddressId>,
    entries: usize,
}

#[derive(Debug, Default)]
struct Message {
    groups: BTreeMap<AddressId, Expanded>,
}

#[derive(Debug)]
struct Expanded {
    at: Timestamp,
    entries: Vec<AddressId>,
}

/// The log holds more than can be compared at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the log has more than {ENTRIES_MAX} entries of expanded groups; ask for fewer days")]
pub struct TooMuch;

impl Gathered {
    /// Takes one event.
    pub fn add(&mut self, event: Event) -> Result<(), TooMuch> {
        match event.kind {
            EventKind::Expand => {
                self.entries += event.recipients.len() * event.related.len();
                if self.entries > ENTRIES_MAX {
                    return Err(TooMuch);
                }
                let entries: Vec<AddressId> = event.recipients.into_iter().map(|text| self.id(text)).collect();
                let groups: Vec<AddressId> = event.related.into_iter().map(|text| self.id(text)).collect();
                let message = self.messages.entry(event.message).or_default();
                for group in groups {
                    let expanded = message.groups.entry(group).or_insert_with(|| Expanded {
                        at: event.at,
                        entries: Vec::new(),
                    });
                    expanded.at = expanded.at.min(event.at);
                    expanded.entries.extend(&entries);
                }
            }
            EventKind::Resolve => {
                for (before, after) in event.related.into_iter().zip(event.recipients) {
                    let (before, after) = (self.id(before), self.id(after));
                    if before != after {
                        self.resolved.insert(before, after);
                    }
                }
            }
        }
        Ok(())
    }

    fn id(&mut self, text: Box<str>) -> AddressId {
        if let Some(id) = self.ids.get(&text) {
            return *id;
        }
        let id = AddressId(u32::try_from(self.addresses.len()).unwrap_or(u32::MAX));
        self.addresses.push(text.clone());
        self.ids.insert(text, id);
        id
    }

    /// All expansions in the order of time; nested groups have their own beside the one they are part of.
    pub fn finish(self) -> Observed {
        let mut known: HashSet<Arc<[AddressId]>> = HashSet::new();
        let mut expansions = Vec::new();
        for (id, message) in &self.messages {
            for (group, expanded) in &message.groups {
                let reached: Arc<[AddressId]> = self.reached(message, *group).into();
                // Most messages to a group reach the same people: one set serves them all.
                let reached = match known.get(&reached) {
                    Some(same) => Arc::clone(same),
                    None => {
                        known.insert(Arc::clone(&reached));
                        reached
                    }
                };
                expansions.push(ObservedExpansion {
                    group: *group,
                    at: expanded.at,
                    message: id.clone(),
                    reached,
                });
            }
        }
        expansions
            .sort_by(|one, other| (one.at, one.group, &one.message).cmp(&(other.at, other.group, &other.message)));
        Observed {
            addresses: self.addresses,
            resolved: self.resolved,
            expansions,
        }
    }

    /// Everybody whom the group's expansion and those of the groups in it name, the expanded groups left out; sorted.
    fn reached(&self, message: &Message, top: AddressId) -> Vec<AddressId> {
        let mut seen = HashSet::from([top]);
        let mut waiting = vec![top];
        let mut reached = Vec::new();
        while let Some(group) = waiting.pop() {
            let Some(expanded) = message.groups.get(&group) else {
                continue;
            };
            for entry in &expanded.entries {
                match self.as_group(message, *entry) {
                    Some(nested) if seen.insert(nested) => waiting.push(nested),
                    Some(_) => {}
                    None => reached.push(*entry),
                }
            }
        }
        reached.sort_unstable();
        reached.dedup();
        reached
    }

    /// The entry as a group that this message was expanded for, by its own address or the one it resolved to.
    fn as_group(&self, message: &Message, entry: AddressId) -> Option<AddressId> {
        let resolved = self.resolved.get(&entry).copied();
        std::iter::once(entry)
            .chain(resolved)
            .find(|address| message.groups.contains_key(address))
    }
}
