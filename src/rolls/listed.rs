//! What a list of senders leads to, remembered for as long as generation and rolls are the same.
//!
//! In: references as a source wrote them, a view. Out: the persons they name, and the groups with everything
//! nested in them in the order of a walk, breadth first. Never: an answer of another generation; members, which
//! are looked up in the rolls themselves.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, RwLock};

use roaring::RoaringBitmap;

use super::view::View;
use crate::directory::{Lookup, Ordinal, Reference};
use crate::limits::{LISTED_GROUPS_MAX, REMEMBERED_LISTS_MAX};
use crate::mail::{AddressKey, Mailbox};

/// What a doubtful reference means for the answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Doubt {
    /// A reference that fits several objects means each of them (reject lists).
    Counts,
    /// It means none of them (accept and bypass lists).
    Ignored,
}

/// A group that a list leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListedGroup {
    /// The group.
    pub group: Ordinal,
    /// Place of the group it is nested in; none for a group that the list names.
    pub above: Option<usize>,
}

/// A list, resolved.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    /// Persons that it names.
    pub persons: RoaringBitmap,
    /// Bare addresses that it names and nobody has.
    pub bare: HashSet<AddressKey>,
    /// Groups that it names, then those nested in them; each once, so cycles end.
    pub groups: Vec<ListedGroup>,
    /// There are more than [`LISTED_GROUPS_MAX`]: the rest is not here.
    pub cut: bool,
}

impl Listed {
    /// Resolves a list.
    #[must_use]
    pub fn of(list: &[Reference], doubt: Doubt, view: &View) -> Self {
        let mut listed = Self::default();
        let mut visited = RoaringBitmap::new();
        for reference in list {
            let named = match view.directory.lookup_reference(reference.as_str()) {
                Lookup::One(ordinal) => vec![ordinal],
                Lookup::Ambiguous(several) if doubt == Doubt::Counts => several,
                Lookup::Ambiguous(_) => Vec::new(),
                Lookup::None => {
                    listed.bare.extend(bare_address(reference).map(|mailbox| mailbox.key()));
                    Vec::new()
                }
            };
            for ordinal in named {
                match view.row(ordinal) {
                    Some(row) if row.kind().is_group() => listed.add(ordinal, None, &mut visited),
                    Some(_) => {
                        listed.persons.insert(ordinal.0);
                    }
                    None => {}
                }
            }
        }
        listed.walk(&mut visited, view);
        listed
    }

    fn add(&mut self, group: Ordinal, above: Option<usize>, visited: &mut RoaringBitmap) {
        if visited.insert(group.0) {
            self.groups.push(ListedGroup { group, above });
        }
    }

    fn walk(&mut self, visited: &mut RoaringBitmap, view: &View) {
        let mut next = 0;
        while let Some(&ListedGroup { group, .. }) = self.groups.get(next) {
            if self.groups.len() > LISTED_GROUPS_MAX {
                self.cut = true;
                return;
            }
            if let Some(roll) = view.roll(group) {
                for nested in &roll.entries.objects & view.directory.group_set() {
                    self.add(Ordinal(nested), Some(next), visited);
                }
            }
            next += 1;
        }
    }
}

/// The address of a reference that names no object: `lena@contoso.example`, `smtp:lena@contoso.example`.
#[must_use]
pub fn bare_address(reference: &Reference) -> Option<Mailbox> {
    let text = reference.as_str().trim();
    let bare = match text.split_once(':') {
        Some((kind, value)) if kind.eq_ignore_ascii_case("smtp") => value,
        Some(_) | None => text,
    };
    Mailbox::parse(bare).ok()
}

#[derive(Debug)]
struct Remembered {
    generation: u64,
    listed: Arc<Listed>,
}

/// Lists that were asked for beside one table of rolls.
#[derive(Debug, Default)]
pub struct ListMemo {
    accepting: RwLock<HashMap<Box<[Reference]>, Remembered>>,
    rejecting: RwLock<HashMap<Box<[Reference]>, Remembered>>,
}

impl ListMemo {
    /// The list, resolved now or before.
    pub(super) fn of(&self, list: &[Reference], doubt: Doubt, view: &View) -> Arc<Listed> {
        let generation = view.directory.number();
        let memo = match doubt {
            Doubt::Counts => &self.rejecting,
            Doubt::Ignored => &self.accepting,
        };
        // A thread that broke while it held the lock left whole entries behind: they may be read.
        let known = memo.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(known) = known.get(list).filter(|known| known.generation == generation) {
            return Arc::clone(&known.listed);
        }
        drop(known);
        let listed = Arc::new(Listed::of(list, doubt, view));
        let mut known = memo.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if known.len() >= REMEMBERED_LISTS_MAX {
            known.clear();
        }
        let remembered = Remembered {
            generation,
            listed: Arc::clone(&listed),
        };
        known.insert(list.into(), remembered);
        listed
    }
}
