//! After a directory change: which groups are others now.
//!
//! In: the ordinals of objects that changed, both generations. Out: groups whose own rule or list changed, and those
//! that are gone. Which groups a change of *other* objects affects is the matter of [`super::watch`].

use roaring::RoaringBitmap;

use super::build::expanded_subscribers;
use crate::directory::{Directory, ObjectId, Ordinal, RecipientObject};

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

/// Groups among the touched objects.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Own {
    /// New groups, and those whose entries are decided otherwise now.
    pub(super) rebuild: RoaringBitmap,
    /// Objects that are no live groups any more.
    pub(super) forget: RoaringBitmap,
}

/// Sorts out the touched groups. A group whose other settings changed keeps its roll.
pub(super) fn own(touched: &RoaringBitmap, before: &Directory, after: &Directory) -> Own {
    let mut own = Own {
        rebuild: RoaringBitmap::new(),
        forget: touched & (before.group_set() - after.group_set()),
    };
    for number in touched & after.group_set() {
        let (old, new) = (before.group(Ordinal(number)), after.group(Ordinal(number)));
        let same = match (old, new) {
            (Some(old), Some(new)) => decides_alike(old, new),
            (None, _) | (_, None) => false,
        };
        if !same {
            own.rebuild.insert(number);
        }
    }
    own
}

/// True if both decide their entries by the same rule or lists, at the same times.
fn decides_alike(old: &RecipientObject, new: &RecipientObject) -> bool {
    fn settings(object: &RecipientObject) -> impl PartialEq {
        let group = object.group.as_deref();
        (
            object.kind.is_dynamic(),
            group.map(|group| (&group.members, &group.rule, group.refresh)),
            expanded_subscribers(object),
        )
    }
    settings(old) == settings(new)
}
