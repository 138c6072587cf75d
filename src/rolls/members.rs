//! Membership as the rolls know it, for judging single objects.
//!
//! In: a generation and its rolls, those of static groups up to date. Out: a context for
//! [`crate::directory::filter::CompiledRule::matches`] that answers with a look into a roll.

use std::cell::Cell;

use jiff::Timestamp;
use roaring::RoaringBitmap;

use super::objects::Objects;
use super::table::RollTable;
use super::watch::{Membership, Side};
use crate::directory::attribute::Attribute;
use crate::directory::dn::DistinguishedName;
use crate::directory::filter::membership::{DirectMembers, direct_members};
use crate::directory::filter::plan::Ask;
use crate::directory::filter::{EvaluationContext, GroupAsked, Reach};
use crate::directory::{Directory, Ordinal, RecipientObject};

/// Who is in which static group.
pub(super) struct RollMembers<'a> {
    directory: &'a Directory,
    rolls: &'a RollTable,
    /// Everything but membership.
    names: DirectMembers<'a>,
    now: Timestamp,
    /// The object that is judged; its ordinal need not be looked up for every question.
    judged: Cell<Ordinal>,
}

impl<'a> RollMembers<'a> {
    pub(super) fn new(directory: &'a Directory, rolls: &'a RollTable, now: Timestamp) -> Self {
        Self {
            directory,
            rolls,
            names: DirectMembers::of_nobody(directory, now),
            now,
            judged: Cell::new(Ordinal(u32::MAX)),
        }
    }

    /// Questions are about this object from now on.
    pub(super) fn judge(&self, object: Ordinal) {
        self.judged.set(object);
    }

    pub(super) fn side(&self) -> Side<'_> {
        Side {
            directory: self.directory,
            context: self,
            membership: self,
        }
    }

    fn holds(&self, group: Ordinal, object: Ordinal) -> bool {
        match self.listed(group) {
            Some(objects) => objects.contains(object.0),
            None => direct_members(self.directory, group).contains(object.0),
        }
    }

    /// The objects of a static group's roll; a dynamic group lists nobody.
    fn listed(&self, group: Ordinal) -> Option<&Objects> {
        let object = self.directory.group(group)?;
        let roll = self.rolls.roll(group).filter(|_| !object.kind.is_dynamic())?;
        Some(&roll.entries.objects)
    }

    fn is_in(&self, asked: &GroupAsked, object: Ordinal) -> bool {
        let Some(group) = self.directory.lookup_reference(asked.reference()).one() else {
            return false;
        };
        match asked.reach {
            Reach::Direct => self.holds(group, object),
            Reach::InChain => {
                let mut seen = RoaringBitmap::from([group.0]);
                let mut left = vec![group];
                while let Some(group) = left.pop() {
                    if self.holds(group, object) {
                        return true;
                    }
                    let Some(objects) = self.listed(group) else { continue };
                    for inner in (objects & self.directory.group_set()) - &seen {
                        seen.insert(inner);
                        left.push(Ordinal(inner));
                    }
                }
                false
            }
        }
    }
}

impl Membership for RollMembers<'_> {
    fn is_member(&self, ask: &Ask, object: Ordinal) -> bool {
        ask.group().is_some_and(|group| self.is_in(group, object))
    }
}

impl EvaluationContext for RollMembers<'_> {
    fn is_member(&self, _: &RecipientObject, group: &GroupAsked) -> bool {
        self.is_in(group, self.judged.get())
    }

    fn is_member_of_any(&self, _: &RecipientObject) -> bool {
        let object = self.judged.get();
        let groups = self.directory.group_set().iter().map(Ordinal);
        groups.into_iter().any(|group| self.holds(group, object))
    }

    fn now(&self) -> Timestamp {
        self.now
    }

    fn same_object(&self, reference: &str, dn: &DistinguishedName) -> bool {
        self.names.same_object(reference, dn)
    }

    fn has_id(&self, reference: &str, id: &str) -> bool {
        self.names.has_id(reference, id)
    }

    fn leads_to(&self, attribute: Attribute, reference: &str, dn: &DistinguishedName) -> bool {
        self.names.leads_to(attribute, reference, dn)
    }
}
