//! Large groups that anybody may write to (`policy.large_group`).
//!
//! Exchange Online wants an accept list or approval for a group of 5,000 members; whose group has neither makes
//! every sender's slip reach everybody. Members are counted through nested groups, so that a small group around a
//! large one is no way in.

use roaring::RoaringBitmap;

use super::Rules;
use super::rules::LargeGroupAction;
use crate::directory::{Ordinal, RecipientObject};
use crate::rolls::View;

/// What the guard says about an addressed group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Guarded {
    /// Small, restricted, moderated, or not guarded.
    No,
    /// Refused.
    Refused {
        /// Members, at least.
        members: u64,
    },
    /// The owners decide.
    Held {
        /// Members, at least.
        members: u64,
    },
    /// The sender says that he means it.
    Confirmed {
        /// Members, at least.
        members: u64,
    },
}

/// Judges an addressed group. Whether the group is open is asked of everybody but a proven sender who is to confirm:
/// a slip reaches as many through a closed group.
pub(super) fn judge(object: &RecipientObject, proven: bool, view: &View, rules: &Rules) -> Guarded {
    let guard = rules.large_group;
    let confirms = guard.action == LargeGroupAction::Confirm && proven;
    if guard.action == LargeGroupAction::Allow || !object.kind.is_group() || (is_closed(object) && !confirms) {
        return Guarded::No;
    }
    let Some(group) = view.directory.ordinal_of(&object.id) else {
        return Guarded::No;
    };
    let members = members(group, guard.members, view);
    if members < guard.members {
        return Guarded::No;
    }
    match guard.action {
        LargeGroupAction::Allow => Guarded::No,
        LargeGroupAction::Refuse => Guarded::Refused { members },
        LargeGroupAction::Confirm if confirms => Guarded::Confirmed { members },
        LargeGroupAction::Hold | LargeGroupAction::Confirm => Guarded::Held { members },
    }
}

/// It has an accept list, takes members only, or is moderated.
fn is_closed(object: &RecipientObject) -> bool {
    let delivery = object.delivery.as_deref();
    let members_only = object.group.as_deref().is_some_and(|group| group.only_members_may_post);
    members_only
        || delivery.is_some_and(|delivery| {
            let moderation = delivery.moderation.as_deref();
            !delivery.accept_from.is_empty() || moderation.is_some_and(|moderation| moderation.enabled)
        })
}

/// Persons and outside addresses in a group and the groups nested in it; counting ends at `enough`.
pub(super) fn members(group: Ordinal, enough: u64, view: &View) -> u64 {
    let mut persons = RoaringBitmap::new();
    let mut outside = 0;
    let mut visited: RoaringBitmap = std::iter::once(group.0).collect();
    let mut open = vec![group];
    while let Some(group) = open.pop() {
        let Some(roll) = view.roll(group) else { continue };
        let entries = roll.receivers();
        persons |= &entries.objects & view.directory.live();
        outside += entries.outside.len() as u64;
        if persons.len() - persons.intersection_len(view.directory.group_set()) + outside >= enough {
            break;
        }
        for nested in &entries.objects & view.directory.group_set() {
            if visited.insert(nested) {
                open.push(Ordinal(nested));
            }
        }
    }
    persons.len() - persons.intersection_len(view.directory.group_set()) + outside
}
