//! A change set as the store keeps it, and what it means for identities.
//!
//! In: a change set over a generation. Out: rows to store, ordinals, differences from a snapshot. Never: an ordinal
//! that belonged to another object; a decision made here lost because the source spoke again.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use roaring::RoaringBitmap;

use super::turn::Passage;
use crate::directory::attribute::Attribute;
use crate::directory::value::ValueRef;
use crate::directory::{ChangeSet, Directory, ObjectId, Ordinal, OrdinalSource, RecipientObject, SourceId, stored};
use crate::rolls::history::cut;
use crate::rolls::local::{CutoverState, LocalDecisions, overlay};
use crate::store::life::{AttributeChange, GoneRow};
use crate::store::{ChangeBatch, ObjectRow};

/// What changes from a generation to a source's snapshot: objects of other sources are left alone.
pub(super) fn difference(
    directory: &Directory,
    source: &SourceId,
    objects: Vec<RecipientObject>,
    locals: &Locals,
) -> ChangeSet {
    let mut seen = RoaringBitmap::new();
    let mut upserts = Vec::new();
    for object in objects {
        let known = directory.ordinal_of(&object.id);
        seen.extend(known.filter(|_| object.is_live()).map(|known| known.0));
        if !object.is_live() && known.is_none() && directory.lookup_gone(object.id.as_str()).is_some() {
            // Deleted in the source, and known to be.
            continue;
        }
        let same = known.and_then(|known| directory.recipient(known)).is_some_and(|known| {
            match locals.get(&object.id).and_then(|local| local.original.as_deref()) {
                // The directory has the object with our decision over it; the source is compared with what it said.
                Some(original) => *original == object,
                None => *known == object,
            }
        });
        if !same {
            upserts.push(object);
        }
    }
    let own = directory.rows().filter(|(_, row)| row.source() == source);
    let removals = own
        .filter(|(ordinal, _)| !seen.contains(ordinal.0))
        .map(|(_, row)| ObjectId::new(row.id()))
        .collect();
    ChangeSet { upserts, removals }
}

/// Decisions made here, by id of the group.
pub(super) type Locals = HashMap<ObjectId, LocalDecisions>;

/// Groups of a change set about which something was decided here, as their source has them.
#[derive(Default)]
pub(super) struct Originals(Vec<RecipientObject>);

impl Originals {
    /// Puts the decisions over a change set.
    pub(super) fn overlay(changes: &mut ChangeSet, locals: &Locals) -> Self {
        let mut originals = Self::default();
        if locals.is_empty() {
            return originals;
        }
        for object in &mut changes.upserts {
            if let Some(decision) = locals.get(&object.id).and_then(LocalDecisions::current) {
                originals.0.push(object.clone());
                overlay(object, decision);
            }
        }
        originals
    }

    /// The decisions, each with what the source says now.
    pub(super) fn over(self, mut locals: Locals) -> Locals {
        for object in self.0 {
            if let Some(local) = locals.get_mut(&object.id) {
                local.original = Some(Box::new(object));
            }
        }
        locals
    }
}

/// Groups that are cut over from the service before.
pub(super) fn switched(locals: &Locals, directory: &Directory) -> RoaringBitmap {
    let here = locals.iter().filter(|(_, local)| local.cutover() == CutoverState::Here);
    here.filter_map(|(id, _)| directory.ordinal_of(id))
        .map(|group| group.0)
        .collect()
}

/// Decisions that differ, as the store keeps them: empty ones are forgotten there.
pub(super) fn changed_locals(before: &Locals, after: &Locals) -> Vec<(ObjectId, LocalDecisions)> {
    let new = after.iter().filter(|(id, local)| before.get(*id) != Some(*local));
    let gone = before.keys().filter(|id| !after.contains_key(*id));
    new.map(|(id, local)| (id.clone(), local.clone()))
        .chain(gone.map(|id| (id.clone(), LocalDecisions::default())))
        .collect()
}

/// Objects that go, in the form in which they can come back.
pub(super) type Lost = Vec<(ObjectId, Box<[u8]>)>;

/// The rows of a change, and the objects that go.
pub(super) fn rows(
    before: &Directory,
    changes: &ChangeSet,
    ordinals: &mut Assigning<'_>,
    passage: &Passage,
    now: Timestamp,
) -> (ChangeBatch, Lost) {
    let mut batch = ChangeBatch::default();
    let mut lost = Vec::new();
    let mut taken: HashSet<&ObjectId> = HashSet::with_capacity(changes.upserts.len());
    for object in &changes.upserts {
        // The first of several objects with one id counts, as in the generation.
        if !taken.insert(&object.id) {
            continue;
        }
        let ordinal = ordinals.ordinal(&object.id);
        if let Some(old) = before.recipient(ordinal) {
            if *passage != Passage::FirstLoad {
                attribute_changes(ordinal, &old, object, now, &mut batch.life.attribute_changes);
            }
            if !object.is_live() {
                batch.life.gone.push(gone(ordinal, &old, now));
                lost.push((old.id.clone(), stored::encode(&old).into()));
            }
        }
        batch.objects.push(ObjectRow {
            ordinal: ordinal.0,
            id: object.id.to_string(),
            octets: stored::encode(object),
        });
    }
    for id in changes.removals.iter().filter(|id| !taken.contains(id)) {
        let Some(ordinal) = before.ordinal_of(id) else { continue };
        let Some(old) = before.recipient(ordinal) else { continue };
        batch.objects_removed.push(ordinal.0);
        batch.life.gone.push(gone(ordinal, &old, now));
        lost.push((id.clone(), stored::encode(&old).into()));
    }
    (batch, lost)
}

fn gone(ordinal: Ordinal, object: &RecipientObject, now: Timestamp) -> GoneRow {
    GoneRow {
        ordinal,
        id: object.id.clone(),
        address: object.primary.to_string(),
        name: object.title().to_owned(),
        at: now,
    }
}

/// Facts of an object that are no stored attributes and that filters ask for.
const FACTS: [Attribute; 9] = [
    Attribute::RecipientTypeDetails,
    Attribute::DisplayName,
    Attribute::Name,
    Attribute::Alias,
    Attribute::DistinguishedName,
    Attribute::EmailAddresses,
    Attribute::ExternalEmailAddress,
    Attribute::UserAccountControl,
    Attribute::LegacyExchangeDN,
];

/// Each value that differs between two states of one object.
fn attribute_changes(
    ordinal: Ordinal,
    old: &RecipientObject,
    new: &RecipientObject,
    now: Timestamp,
    changes: &mut Vec<AttributeChange>,
) {
    let stored = old
        .attributes
        .iter()
        .chain(new.attributes.iter())
        .map(|(attribute, _)| attribute);
    let mut attributes: Vec<Attribute> = stored.chain(FACTS).collect();
    attributes.sort_unstable();
    attributes.dedup();
    for attribute in attributes {
        let (before, after) = (old.value(attribute), new.value(attribute));
        if before == after {
            continue;
        }
        let text = |value: ValueRef<'_>| (value != ValueRef::Absent).then(|| cut(&value.to_string()));
        changes.push(AttributeChange {
            ordinal,
            attribute,
            at: now,
            before: text(before),
            after: text(after),
            source: new.source.clone(),
        });
    }
}

/// Ids of everything a change set names.
pub(super) fn identities(changes: &ChangeSet) -> Vec<ObjectId> {
    let upserts = changes.upserts.iter().map(|object| object.id.clone());
    upserts.chain(changes.removals.iter().cloned()).collect()
}

/// How the number of objects changes, by source.
pub(super) fn counted(before: &Directory, after: &Directory, touched: &RoaringBitmap) -> HashMap<SourceId, isize> {
    let mut counts = HashMap::new();
    for ordinal in touched.iter().map(Ordinal) {
        for (directory, step) in [(before, -1), (after, 1)] {
            if let Some(row) = directory.row(ordinal) {
                *counts.entry(row.source().clone()).or_default() += step;
            }
        }
    }
    counts
}

/// Ordinals by id; new ids get the next one. An id that is gone and comes back is a new object: its ordinal stays
/// used (DESIGN §5).
pub(super) struct Assigning<'a> {
    base: &'a Directory,
    fresh: HashMap<ObjectId, Ordinal>,
    next: u32,
}

impl<'a> Assigning<'a> {
    /// Assigns from `next` on what the generation does not know.
    pub(super) fn new(base: &'a Directory, next: u32) -> Self {
        Self {
            base,
            fresh: HashMap::new(),
            next,
        }
    }

    /// The first ordinal never used.
    pub(super) fn next(&self) -> u32 {
        self.next
    }
}

impl OrdinalSource for Assigning<'_> {
    fn ordinal(&mut self, id: &ObjectId) -> Ordinal {
        if let Some(known) = self.base.ordinal_of(id).or_else(|| self.fresh.get(id).copied()) {
            return known;
        }
        let ordinal = Ordinal(self.next);
        self.next += 1;
        self.fresh.insert(id.clone(), ordinal);
        ordinal
    }
}
