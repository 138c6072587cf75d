//! Is the sender in this list? Himself, or through the groups in it with everything nested in them.
//!
//! In: references as the source wrote them, the sender's object and address, the rolls.
//! Out: how he is listed, not listed, or "cannot be said". Never: "not listed" while a roll is missing.

use roaring::RoaringBitmap;

use super::explanation::Listed;
use crate::directory::{Lookup, Ordinal, Reference};
use crate::limits::LISTED_GROUPS_MAX;
use crate::mail::{AddressKey, Mailbox, ReversePath};
use crate::resolver::{Sender, Standing};
use crate::rolls::View;

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

    fn is(&self, ordinal: Ordinal) -> bool {
        self.objects.contains(ordinal.0)
    }

    fn has_address(&self, mailbox: &Mailbox) -> bool {
        self.key.as_ref().is_some_and(|key| mailbox.key() == *key)
    }
}

/// What a list says about a sender.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// He is in it.
    Listed(Listed),
    /// He is not.
    NotListed,
    /// He may be: this group's members are not available.
    NotReady(Ordinal),
}

/// What a doubtful reference means for the answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// A reference that fits several objects means each of them (reject lists).
    Counts,
    /// It means none of them (accept and bypass lists).
    Ignored,
}

/// Asks a list, in two passes: first for the sender himself, then in the groups it names.
#[must_use]
pub fn ask(list: &[Reference], identity: &Identity, doubt: Doubt, view: &View) -> Answer {
    let mut groups: Vec<Ordinal> = Vec::new();
    for reference in list {
        let named = match view.directory.lookup_reference(reference.as_str()) {
            Lookup::One(ordinal) => vec![ordinal],
            Lookup::Ambiguous(several) if doubt == Doubt::Counts => several,
            Lookup::Ambiguous(_) => Vec::new(),
            Lookup::None => {
                if is_address_of(reference, identity) {
                    return Answer::Listed(Listed::Directly);
                }
                Vec::new()
            }
        };
        for ordinal in named {
            match view.directory.recipient(ordinal) {
                Some(object) if object.kind.is_group() => groups.push(ordinal),
                Some(_) if identity.is(ordinal) => return Answer::Listed(Listed::Directly),
                Some(_) | None => {}
            }
        }
    }
    closure(&groups, identity, view)
}

/// True if a reference that names no object is the sender's bare address.
pub(super) fn is_address_of(reference: &Reference, identity: &Identity) -> bool {
    let text = reference.as_str().trim();
    let bare = match text.split_once(':') {
        Some((kind, value)) if kind.eq_ignore_ascii_case("smtp") => value,
        Some(_) | None => text,
    };
    Mailbox::parse(bare).is_ok_and(|mailbox| identity.has_address(&mailbox))
}

/// Breadth first through the listed groups and what is nested in them; each group once, so cycles end.
fn closure(groups: &[Ordinal], identity: &Identity, view: &View) -> Answer {
    let mut visited = RoaringBitmap::new();
    let mut open: Vec<(Ordinal, Option<usize>)> = Vec::new();
    for group in groups {
        if visited.insert(group.0) {
            open.push((*group, None));
        }
    }
    let mut not_ready = None;
    let mut next = 0;
    while let Some(&(group, _)) = open.get(next) {
        if open.len() > LISTED_GROUPS_MAX {
            return Answer::NotReady(group);
        }
        match view.roll(group) {
            None => not_ready = not_ready.or(Some(group)),
            Some(roll) => {
                let members = &roll.entries;
                let inside = !identity.objects.is_disjoint(&members.objects)
                    || identity.key.as_ref().is_some_and(|key| members.has_outside(key));
                if inside {
                    return Answer::Listed(Listed::Through {
                        groups: trail(&open, next, view),
                    });
                }
                for nested in &*members.objects & view.directory.group_set() {
                    if visited.insert(nested) {
                        open.push((Ordinal(nested), Some(next)));
                    }
                }
            }
        }
        next += 1;
    }
    not_ready.map_or(Answer::NotListed, Answer::NotReady)
}

fn trail(open: &[(Ordinal, Option<usize>)], last: usize, view: &View) -> Vec<String> {
    let mut groups = Vec::new();
    let mut at = Some(last);
    while let Some((group, above)) = at.and_then(|index| open.get(index)) {
        if let Some(object) = view.directory.recipient(*group) {
            groups.push(object.primary.as_str().to_owned());
        }
        at = *above;
    }
    groups.reverse();
    groups
}
