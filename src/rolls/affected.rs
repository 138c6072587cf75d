//! After a directory change: which rolls must be computed again.
//!
//! In: the objects that changed, both generations, the rolls. Out: groups to rebuild and groups to forget.
//! Never: a group left out whose entries a full rebuild would change (held by a property test).

use std::collections::HashSet;

use roaring::RoaringBitmap;

use super::roll::{Entries, Roll};
use super::table::RollTable;
use crate::directory::index::names_of;
use crate::directory::{Directory, ObjectId, Ordinal, Reference};

/// What a directory change means for rolls.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Affected {
    /// Groups to compute.
    pub rebuild: RoaringBitmap,
    /// Objects that are no live groups any more.
    pub forget: RoaringBitmap,
}

/// Ordinals of changed objects: those in a change set's upserts and removals.
pub fn touched<'a>(
    ids: impl IntoIterator<Item = &'a ObjectId>,
    before: &Directory,
    after: &Directory,
) -> RoaringBitmap {
    ids.into_iter()
        .flat_map(|id| [before.ordinal_of(id), after.ordinal_of(id)])
        .flatten()
        .map(|ordinal| ordinal.0)
        .collect()
}

/// Which rolls a change touches.
///
/// Dynamic groups: all. Static groups: those that changed themselves or have no roll; those with an entry that
/// changed, or that lost its name to a changed object; those with an entry that names somebody now, or
/// nobody any more.
#[must_use]
pub fn affected(touched: &RoaringBitmap, before: &Directory, after: &Directory, rolls: &RollTable) -> Affected {
    if touched.is_empty() {
        return Affected::default();
    }
    let groups = after.group_set();
    let mut suspects = touched | &shadowed(touched, before, after);
    suspects &= before.live();
    let mut affected = Affected {
        rebuild: touched & groups,
        forget: (touched & before.group_set()) - groups,
    };
    for (ordinal, object) in after.groups() {
        let concerned = object.kind.is_dynamic()
            || match rolls.roll(ordinal) {
                None => true,
                Some(roll) => lists(roll).any(|entries| is_concerned(entries, &suspects, after)),
            };
        if concerned {
            affected.rebuild.insert(ordinal.0);
        }
    }
    affected
}

fn lists(roll: &Roll) -> impl Iterator<Item = &Entries> {
    std::iter::once(&roll.entries).chain(roll.subscribers.as_ref())
}

fn is_concerned(entries: &Entries, suspects: &RoaringBitmap, after: &Directory) -> bool {
    !entries.objects.is_disjoint(suspects) || names_others_now(entries, after)
}

/// True if an entry that was no object is one now, or the other way round among texts and addresses.
fn names_others_now(entries: &Entries, after: &Directory) -> bool {
    if entries.outside.is_empty() && entries.unresolved.is_empty() {
        return false;
    }
    let outside = entries.outside.iter().map(|mailbox| Reference::from(mailbox.as_str()));
    let texts = entries.unresolved.iter().map(|text| Reference::from(&**text));
    let references: Vec<Reference> = outside.chain(texts).collect();
    let bound = after.bind(&references);
    let doubtful = bound.unresolved.iter().chain(&bound.ambiguous);
    let unresolved = doubtful.map(|reference| reference.as_str().into()).collect();
    let now = Entries::new(bound.ordinals, bound.outside, unresolved);
    !now.objects.is_empty() || now.outside != entries.outside || now.unresolved != entries.unresolved
}

/// Objects that did not change and may have lost a reference: another object took the same name, so that
/// the reference is ambiguous now or names the other.
fn shadowed(touched: &RoaringBitmap, before: &Directory, after: &Directory) -> RoaringBitmap {
    let mut found = RoaringBitmap::new();
    for ordinal in touched.iter().map(Ordinal) {
        let Some(object) = after.recipient(ordinal) else {
            continue;
        };
        let old: HashSet<String> = before
            .recipient(ordinal)
            .map(|object| names_of(&object))
            .unwrap_or_default()
            .into_iter()
            .collect();
        for name in names_of(&object) {
            if old.contains(&name) {
                continue;
            }
            for holder in [before.lookup_reference(&name), before.lookup_legacy(&name)] {
                found.extend(holder.one().map(|holder| holder.0));
            }
        }
    }
    found
}
