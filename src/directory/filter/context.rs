//! What a filter may ask beyond the object itself.

use jiff::Timestamp;

use crate::directory::attribute::Attribute;
use crate::directory::dn::DistinguishedName;
use crate::directory::recipient::RecipientObject;

/// A group a filter asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GroupAsked {
    pub name: GroupName,
    pub reach: Reach,
}

/// How a filter names a group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum GroupName {
    /// OPATH and LDAP.
    Dn(DistinguishedName),
    /// Entra: the object's id, folded.
    Id(Box<str>),
}

/// How far membership reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reach {
    /// Exchange and Entra: nesting does not count.
    Direct,
    /// LDAP's matching rule in chain: members of member groups too.
    InChain,
}

impl GroupAsked {
    /// The text by which a directory finds the group.
    pub fn reference(&self) -> &str {
        match &self.name {
            GroupName::Dn(dn) => dn.as_str(),
            GroupName::Id(id) => id,
        }
    }
}

/// What a filter may ask beyond the object itself.
pub trait EvaluationContext {
    /// True if the object is a member of the group, directly or over others as asked.
    fn is_member(&self, recipient: &RecipientObject, group: &GroupAsked) -> bool;

    /// True if the object is a direct member of any group.
    fn is_member_of_any(&self, recipient: &RecipientObject) -> bool;

    /// The instant of evaluation, for `system.now`.
    fn now(&self) -> Timestamp;

    /// True if a stored reference (an owner, a manager) names the object with this DN.
    fn same_object(&self, reference: &str, dn: &DistinguishedName) -> bool {
        DistinguishedName::parse(reference).is_some_and(|stored| stored == *dn)
    }

    /// True if a stored reference names the object with this id.
    fn has_id(&self, reference: &str, id: &str) -> bool {
        reference.trim().eq_ignore_ascii_case(id)
    }

    /// True if a stored reference of an attribute leads to the object with this DN, over any number of steps of
    /// the same attribute.
    fn leads_to(&self, _attribute: Attribute, reference: &str, dn: &DistinguishedName) -> bool {
        self.same_object(reference, dn)
    }
}

/// The context for filters that ask neither for membership nor for the time: there are no groups, and it is 1970.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoMemberships;

impl EvaluationContext for NoMemberships {
    fn is_member(&self, _: &RecipientObject, _: &GroupAsked) -> bool {
        false
    }

    fn is_member_of_any(&self, _: &RecipientObject) -> bool {
        false
    }

    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}
