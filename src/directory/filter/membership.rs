//! Direct membership for `MemberOfGroup`, prepared for one rule over one generation.
//!
//! In: a generation and a rule. Out: a context that answers each question with one look into a set.
//! Differs: direct members of a dynamic group are not counted here; Active Directory has no memberOf for them
//! either.

use std::collections::{HashMap, HashSet};

use super::evaluate::EvaluationContext;
use super::rule::CompiledRule;
use crate::directory::dn::DistinguishedName;
use crate::directory::generation::Directory;
use crate::directory::index::Ordinal;
use crate::directory::recipient::{ObjectId, RecipientObject};

/// The memberships one rule asks for.
#[derive(Debug)]
pub struct DirectMembers<'a> {
    directory: &'a Directory,
    members: HashMap<DistinguishedName, HashSet<ObjectId>>,
    /// Filled only if the rule asks for membership as such.
    anywhere: HashSet<ObjectId>,
}

impl<'a> DirectMembers<'a> {
    /// Resolves the members of the groups the rule names; of all groups, if it asks `MemberOfGroup -ne $null`.
    pub fn for_rule(directory: &'a Directory, rule: &CompiledRule) -> Self {
        let mut members = HashMap::new();
        for dn in rule.groups_asked() {
            let found = directory.lookup_reference(dn.as_str()).one();
            let group = found.and_then(|ordinal| directory.group(ordinal));
            let set = group.map(|group| ids_of_members(directory, group)).unwrap_or_default();
            members.insert(dn, set);
        }
        let mut anywhere = HashSet::new();
        if rule.asks_any_membership() {
            for (_, group) in directory.groups() {
                anywhere.extend(ids_of_members(directory, group));
            }
        }
        Self {
            directory,
            members,
            anywhere,
        }
    }
}

fn ids_of_members(directory: &Directory, group: &RecipientObject) -> HashSet<ObjectId> {
    let Some(settings) = group.group.as_deref() else {
        return HashSet::new();
    };
    let bound = directory.bind(&settings.members);
    bound
        .ordinals
        .iter()
        .filter_map(|number| directory.recipient(Ordinal(number)))
        .map(|member| member.id.clone())
        .collect()
}

impl EvaluationContext for DirectMembers<'_> {
    fn is_direct_member(&self, recipient: &RecipientObject, group: &DistinguishedName) -> bool {
        self.members
            .get(group)
            .is_some_and(|members| members.contains(&recipient.id))
    }

    fn is_member_of_any(&self, recipient: &RecipientObject) -> bool {
        self.anywhere.contains(&recipient.id)
    }

    fn same_object(&self, reference: &str, dn: &DistinguishedName) -> bool {
        if let Some(stored) = DistinguishedName::parse(reference) {
            return stored == *dn;
        }
        let named = self.directory.lookup_reference(reference).one();
        named.is_some() && named == self.directory.lookup_reference(dn.as_str()).one()
    }
}
