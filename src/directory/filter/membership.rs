//! Membership in groups, prepared for one rule over one generation.
//!
//! In: a generation, a rule and the instant of evaluation. Out: a context that answers each question with one look
//! into a set. Differs: members of a dynamic group are not counted here; Active Directory has no memberOf for them
//! either.

use std::collections::HashMap;

use jiff::Timestamp;
use roaring::RoaringBitmap;

use super::context::{EvaluationContext, GroupAsked, Reach};
use super::rule::CompiledRule;
use crate::directory::attribute::Attribute;
use crate::directory::dn::DistinguishedName;
use crate::directory::generation::Directory;
use crate::directory::index::Ordinal;
use crate::directory::recipient::RecipientObject;
use crate::directory::value::ValueRef;

/// The memberships one rule asks for.
#[derive(Debug)]
pub struct DirectMembers<'a> {
    directory: &'a Directory,
    now: Timestamp,
    members: HashMap<GroupAsked, RoaringBitmap>,
    /// Filled only if the rule asks for membership as such.
    anywhere: RoaringBitmap,
}

impl<'a> DirectMembers<'a> {
    /// Answers everything but membership: nobody is in any group.
    pub fn of_nobody(directory: &'a Directory, now: Timestamp) -> Self {
        Self {
            directory,
            now,
            members: HashMap::new(),
            anywhere: RoaringBitmap::new(),
        }
    }

    /// Resolves the members of the groups the rule names; of all groups, if it asks `MemberOfGroup -ne $null`.
    pub fn for_rule(directory: &'a Directory, rule: &CompiledRule, now: Timestamp) -> Self {
        let members = rule
            .groups_asked()
            .into_iter()
            .map(|group| (group.clone(), members_asked(directory, group)))
            .collect();
        let mut anywhere = RoaringBitmap::new();
        if rule.asks_any_membership() {
            for (ordinal, _) in directory.groups() {
                anywhere |= direct_members(directory, ordinal);
            }
        }
        Self {
            directory,
            now,
            members,
            anywhere,
        }
    }
}

/// The members of a group as a filter asks for them; nobody, if there is no such group or several.
pub fn members_asked(directory: &Directory, group: &GroupAsked) -> RoaringBitmap {
    let Some(ordinal) = directory.lookup_reference(group.reference()).one() else {
        return RoaringBitmap::new();
    };
    match group.reach {
        Reach::Direct => direct_members(directory, ordinal),
        Reach::InChain => members_in_chain(directory, ordinal),
    }
}

/// The listed members of a static group; a dynamic one lists nobody.
pub fn direct_members(directory: &Directory, group: Ordinal) -> RoaringBitmap {
    let Some(object) = directory.group(group) else {
        return RoaringBitmap::new();
    };
    match object.group.as_deref() {
        Some(settings) if !object.kind.is_dynamic() => directory.bind(&settings.members).ordinals,
        Some(_) | None => RoaringBitmap::new(),
    }
}

/// Members, and members of member groups; each group is looked at once, so that cycles end.
fn members_in_chain(directory: &Directory, group: Ordinal) -> RoaringBitmap {
    let mut found = RoaringBitmap::new();
    let mut seen = RoaringBitmap::from([group.0]);
    let mut left = vec![group];
    while let Some(group) = left.pop() {
        let members = direct_members(directory, group);
        for inner in (&members & directory.group_set()) - &seen {
            seen.insert(inner);
            left.push(Ordinal(inner));
        }
        found |= members;
    }
    found
}

impl EvaluationContext for DirectMembers<'_> {
    fn is_member(&self, recipient: &RecipientObject, group: &GroupAsked) -> bool {
        let ordinal = self.directory.ordinal_of(&recipient.id);
        ordinal.is_some_and(|ordinal| {
            self.members
                .get(group)
                .is_some_and(|members| members.contains(ordinal.0))
        })
    }

    fn is_member_of_any(&self, recipient: &RecipientObject) -> bool {
        let ordinal = self.directory.ordinal_of(&recipient.id);
        ordinal.is_some_and(|ordinal| self.anywhere.contains(ordinal.0))
    }

    fn now(&self) -> Timestamp {
        self.now
    }

    fn same_object(&self, reference: &str, dn: &DistinguishedName) -> bool {
        if let Some(stored) = DistinguishedName::parse(reference) {
            return stored == *dn;
        }
        let named = self.directory.lookup_reference(reference).one();
        named.is_some() && named == self.directory.lookup_reference(dn.as_str()).one()
    }

    fn has_id(&self, reference: &str, id: &str) -> bool {
        if reference.trim().eq_ignore_ascii_case(id) {
            return true;
        }
        let named = self.directory.lookup_reference(reference).one();
        named.is_some() && named == self.directory.lookup_reference(id).one()
    }

    fn leads_to(&self, attribute: Attribute, reference: &str, dn: &DistinguishedName) -> bool {
        let mut seen = RoaringBitmap::new();
        let mut left = vec![reference.to_owned()];
        while let Some(reference) = left.pop() {
            if self.same_object(&reference, dn) {
                return true;
            }
            let Some(ordinal) = self.directory.lookup_reference(&reference).one() else {
                continue;
            };
            if !seen.insert(ordinal.0) {
                continue;
            }
            let Some(object) = self.directory.recipient(ordinal) else {
                continue;
            };
            match object.value(attribute) {
                ValueRef::Text(next) => left.push(next.into_owned()),
                ValueRef::Texts(next) => left.extend(next.into_iter().map(std::borrow::Cow::into_owned)),
                ValueRef::Absent
                | ValueRef::Boolean(_)
                | ValueRef::Integer(_)
                | ValueRef::Size(_)
                | ValueRef::Time(_) => {}
            }
        }
        false
    }
}
