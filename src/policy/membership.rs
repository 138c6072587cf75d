//! Is the sender in this list? Himself, or through the groups in it with everything nested in them.
//!
//! In: references as the source wrote them, the sender's object and address, the rolls.
//! Out: how he is listed, not listed, or "cannot be said". Never: "not listed" while a roll is missing.

use roaring::RoaringBitmap;

use super::explanation::Listed as Way;
use crate::directory::{Lookup, Ordinal, Reference};
use crate::mail::{AddressKey, Mailbox, ReversePath};
use crate::resolver::{Sender, Standing};
use crate::rolls::View;
pub use crate::rolls::listed::Doubt;
use crate::rolls::listed::{Listed, ListedGroup, bare_address};

/// The sender as lists know him: by his object, or by his bare address.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Objects that have his address: one, or several if the address is ambiguous. A group that sends is a
    /// member of nothing: a list of groups means the people in them.
    pub objects: RoaringBitmap,
    /// His address, to compare with bare addresses in lists; none for a null reverse-path.
    pub key: Option<AddressKey>,
    /// He may be accepted as who he says he is. A sender that claims one of our domains without proof is
    /// looked up for rejection only.
    ///
    /// Differs: Exchange looks a spoofed sender up for acceptance as well; an accept list without
    /// `RequireSenderAuthenticationEnabled` is then open to anybody who forges a listed address.
    pub accepted_as: bool,
    /// Proven internal. Only such a sender skips moderation.
    ///
    /// Differs: in Exchange any sender with a moderator's address does.
    pub proven: bool,
}

impl Identity {
    /// Looks the reverse-path up among all proxy addresses (recipient resolution, top-level).
    #[must_use]
    pub fn of(sender: &Sender, view: &View) -> Self {
        let key = match &sender.reverse_path {
            ReversePath::Mailbox(mailbox) => Some(mailbox.key()),
            ReversePath::Null => None,
        };
        let found = key.as_ref().map_or(Lookup::None, |key| view.directory.lookup(key));
        let (objects, unique) = match found {
            Lookup::None => (RoaringBitmap::new(), true),
            Lookup::One(ordinal) => ([ordinal.0].into_iter().collect(), true),
            Lookup::Ambiguous(list) => (list.iter().map(|ordinal| ordinal.0).collect(), false),
        };
        let objects = objects - view.directory.group_set();
        let (accepted_as, proven) = match sender.standing {
            Standing::System | Standing::Internal { .. } => (unique, unique),
            Standing::External => (unique, false),
            Standing::Null | Standing::Undecided | Standing::Spoofed => (false, false),
        };
        Self {
            objects,
            key,
            accepted_as,
            proven,
        }
    }

    fn has_address(&self, mailbox: &Mailbox) -> bool {
        self.key.as_ref().is_some_and(|key| mailbox.key() == *key)
    }
}

/// What a list says about a sender.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// He is in it.
    Listed(Way),
    /// He is not.
    NotListed,
    /// He may be: this group's members are not available.
    NotReady(Ordinal),
}

/// Asks a list, in two passes: first for the sender himself, then in the groups it names.
#[must_use]
pub fn ask(list: &[Reference], identity: &Identity, doubt: Doubt, view: &View) -> Answer {
    if list.is_empty() {
        return Answer::NotListed;
    }
    let listed = view.listed(list, doubt);
    let has_bare = || identity.key.as_ref().is_some_and(|key| listed.bare.contains(key));
    if !listed.persons.is_disjoint(&identity.objects) || has_bare() {
        return Answer::Listed(Way::Directly);
    }
    in_groups(&listed, identity, view)
}

/// True if a reference that names no object is the sender's bare address.
pub(super) fn is_address_of(reference: &Reference, identity: &Identity) -> bool {
    bare_address(reference).is_some_and(|mailbox| identity.has_address(&mailbox))
}

/// True if the sender is a direct member of a group; none if its members are not available.
pub(super) fn is_member(group: Ordinal, identity: &Identity, view: &View) -> Option<bool> {
    let members = &view.roll(group)?.entries;
    let outside = || identity.key.as_ref().is_some_and(|key| members.has_outside(key));
    Some(members.objects.intersection_len(&identity.objects) > 0 || outside())
}

fn in_groups(listed: &Listed, identity: &Identity, view: &View) -> Answer {
    let mut not_ready = None;
    for (place, each) in listed.groups.iter().enumerate() {
        match is_member(each.group, identity, view) {
            None => not_ready = not_ready.or(Some(each.group)),
            Some(true) => {
                return Answer::Listed(Way::Through {
                    groups: trail(&listed.groups, place, view),
                });
            }
            Some(false) => {}
        }
    }
    let cut = || listed.groups.last().filter(|_| listed.cut).map(|last| last.group);
    not_ready.or_else(cut).map_or(Answer::NotListed, Answer::NotReady)
}

fn trail(open: &[ListedGroup], last: usize, view: &View) -> Vec<String> {
    let mut groups = Vec::new();
    let mut at = Some(last);
    while let Some(each) = at.and_then(|index| open.get(index)) {
        if let Some(object) = view.group(each.group) {
            groups.push(object.primary.as_str().to_owned());
        }
        at = each.above;
    }
    groups.reverse();
    groups
}
