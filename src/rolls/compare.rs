//! Compare: whom another system reached through a group, and whom our lists would have reached at that time.
//!
//! In: expansions from Exchange's log, a view, the lists of the past. Out: per group how many messages agree, and each
//! person only one of the two reached, with a cause. Never: a cause that is not on record; a difference left
//! out because it was explained.
//!
//! People are compared, not entries: nested groups are followed on both sides, a person counts once however often he
//! was reached. Restrictions on who may send are not judged here; `explain` does that.

mod cause;
mod past;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};

use super::view::View;
use crate::directory::filter::EvaluationOptions;
use crate::directory::{Lookup, ObjectId, Ordinal};
use crate::mail::{AddressKey, Mailbox};

pub use cause::{Cause, ListChange, is_explained};
pub use past::{AttributeChange, Pasts};
use past::{Lists, Reach};

/// An address of [`Observed::addresses`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AddressId(pub u32);

/// What the other system's log says.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Observed {
    /// Every address once, folded to lower case.
    pub addresses: Vec<Box<str>>,
    /// Addresses that the other system took for others.
    pub resolved: HashMap<AddressId, AddressId>,
    /// In the order of time.
    pub expansions: Vec<ObservedExpansion>,
}

/// One group in one message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ObservedExpansion {
    /// The group's address.
    pub group: AddressId,
    /// When it was expanded.
    pub at: Timestamp,
    /// The message, as the log names it.
    pub message: Box<str>,
    /// Everybody reached, nested groups followed; sorted.
    pub reached: Arc<[AddressId]>,
}

impl Observed {
    /// The text of an address.
    #[must_use]
    pub fn address(&self, id: AddressId) -> &str {
        self.addresses.get(id.0 as usize).map_or("", |text| text)
    }
}

/// What is compared beyond the lists.
#[derive(Clone, Debug)]
pub struct CompareOptions {
    /// How filters compare, for the nearest miss of a person.
    pub evaluation: EvaluationOptions,
    /// Members that expansion leaves out although the list has them: disabled accounts where a setting says so,
    /// suspects that are suppressed.
    pub left_out: LeftOut,
    /// Now: the instant of evaluation for rules that depend on it.
    pub now: Timestamp,
}

/// Members that get nothing.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct LeftOut {
    /// Their accounts are disabled.
    pub disabled: RoaringBitmap,
    /// They are suppressed as suspects.
    pub suspects: RoaringBitmap,
}

/// One group's comparison.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct GroupComparison {
    /// Its address, as the log spells it.
    pub group: String,
    /// Its object; none: no group here has the address.
    pub id: Option<ObjectId>,
    /// Messages to it.
    pub messages: u64,
    /// Messages that both brought to the same people.
    pub same: u64,
    /// Messages that were compared with a later list, the oldest that is kept, because that of their time is not.
    pub by_later_list: u64,
    /// People only the other system reached, by address.
    pub only_other: Vec<PersonDiffers>,
    /// People only our list would have reached, by address.
    pub only_here: Vec<PersonDiffers>,
}

impl GroupComparison {
    /// True if every message reached the same people.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.id.is_some() && self.same == self.messages
    }

    /// People whose difference has no cause on record.
    #[must_use]
    pub fn unexplained(&self) -> u64 {
        let all = self.only_other.iter().chain(&self.only_here);
        all.filter(|person| !is_explained(&person.cause)).count() as u64
    }
}

/// A person whom only one of the two reached.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PersonDiffers {
    /// Primary address, or as the log spells it.
    pub address: String,
    /// In how many messages.
    pub messages: u64,
    /// In the last one of these, expanded then.
    pub last: Timestamp,
    /// Why.
    pub cause: Cause,
}

/// Compares all expansions of a log; groups in the order of their addresses.
///
/// Cost: per message the two sets once; per distinct set of the log each address once.
pub fn compare(observed: &Observed, view: &View, pasts: &dyn Pasts, options: &CompareOptions) -> Vec<GroupComparison> {
    let mut comparing = Comparing {
        observed,
        view,
        options,
        lists: Lists::new(view, pasts),
        people: HashMap::new(),
    };
    let mut groups: BTreeMap<&str, Group> = BTreeMap::new();
    for expansion in &observed.expansions {
        let group = groups.entry(observed.address(expansion.group)).or_default();
        comparing.expansion(expansion, group);
    }
    groups
        .into_iter()
        .map(|(address, group)| comparing.finish(address, group))
        .collect()
}

/// What a group comes to, message by message.
#[derive(Default)]
struct Group {
    ordinal: Option<Ordinal>,
    messages: u64,
    same: u64,
    by_later_list: u64,
    only_other: BTreeMap<Person, Seen>,
    only_here: BTreeMap<Person, Seen>,
}

/// Somebody, in the order of which differences are kept.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Person {
    Object(u32),
    Address(Box<str>),
}

#[derive(Clone, Debug)]
struct Seen {
    messages: u64,
    last: Timestamp,
    /// The groups that the message's list led through, at that time.
    through: Arc<[Ordinal]>,
    /// Nested groups that the other system was given and did not expand.
    unexpanded: Arc<[Ordinal]>,
}

/// A distinct set of the log as objects and texts.
#[derive(Clone, Default)]
struct Them {
    objects: RoaringBitmap,
    texts: HashSet<Box<str>>,
    unexpanded: Arc<[Ordinal]>,
}

struct Comparing<'a> {
    observed: &'a Observed,
    view: &'a View,
    options: &'a CompareOptions,
    lists: Lists<'a>,
    /// Sets that were looked up, by their place in memory: equal sets are shared.
    people: HashMap<*const AddressId, Arc<Them>>,
}

impl Comparing<'_> {
    fn expansion(&mut self, expansion: &ObservedExpansion, group: &mut Group) {
        group.messages += 1;
        let ordinal = self.ordinal_of(expansion.group);
        let Some(ordinal) = ordinal.filter(|ordinal| self.view.group(*ordinal).is_some()) else {
            return;
        };
        group.ordinal = Some(ordinal);
        let them = self.them(&expansion.reached);
        let us = self.lists.reach(ordinal, expansion.at);
        group.by_later_list += u64::from(us.by_later_list);
        let (only_other, only_here) = self.differences(&them, &us);
        if only_other.is_empty() && only_here.is_empty() {
            group.same += 1;
        }
        let through: Arc<[Ordinal]> = us.through.into();
        let note = |people: Vec<Person>, side: &mut BTreeMap<Person, Seen>| {
            for person in people {
                let seen = side.entry(person).or_insert_with(|| Seen {
                    messages: 0,
                    last: expansion.at,
                    through: Arc::clone(&through),
                    unexpanded: Arc::clone(&them.unexpanded),
                });
                seen.messages += 1;
                // Expansions come in the order of time.
                seen.last = expansion.at;
                seen.through = Arc::clone(&through);
                seen.unexpanded = Arc::clone(&them.unexpanded);
            }
        };
        note(only_other, &mut group.only_other);
        note(only_here, &mut group.only_here);
    }

    /// Who an address of the log is: by any of its addresses, by the address its mail leaves for, or by what the
    /// other system resolved it to.
    fn ordinal_of(&self, id: AddressId) -> Option<Ordinal> {
        let find = |text: &str| {
            let directory = &self.view.directory;
            match directory.lookup_reference(text) {
                Lookup::One(ordinal) => Some(ordinal),
                Lookup::Ambiguous(_) => None,
                Lookup::None => directory.lookup_final(&Mailbox::parse(text).ok()?.key()).one(),
            }
        };
        find(self.observed.address(id)).or_else(|| find(self.observed.address(*self.observed.resolved.get(&id)?)))
    }

    fn them(&mut self, reached: &Arc<[AddressId]>) -> Arc<Them> {
        if let Some(known) = self.people.get(&reached.as_ptr()) {
            return Arc::clone(known);
        }
        let mut them = Them::default();
        let mut unexpanded = Vec::new();
        for id in reached.iter() {
            match self.ordinal_of(*id) {
                Some(ordinal) if self.is_list(ordinal) => unexpanded.push(ordinal),
                Some(ordinal) => {
                    them.objects.insert(ordinal.0);
                }
                None => {
                    them.texts.insert(self.observed.address(*id).into());
                }
            }
        }
        them.unexpanded = unexpanded.into();
        let them = Arc::new(them);
        self.people.insert(reached.as_ptr(), Arc::clone(&them));
        them
    }

    /// True for a group that is expanded, here as there; a Microsoft 365 group has a mailbox of its own.
    fn is_list(&self, ordinal: Ordinal) -> bool {
        self.view
            .group(ordinal)
            .is_some_and(|group| !group.kind.is_microsoft365_group())
    }

    fn differences(&self, them: &Them, us: &Reach) -> (Vec<Person>, Vec<Person>) {
        let left_out = &self.options.left_out;
        let mut ours = &us.objects - &left_out.disabled;
        ours -= &left_out.suspects;
        let mut texts = them.texts.clone();
        let mut here: Vec<Person> = Vec::new();
        for number in &ours - &them.objects {
            // Somebody who is gone has no address to be found by any more; what is left of him has.
            let gone = self.view.directory.tombstone(Ordinal(number));
            if !gone.is_some_and(|gone| texts.remove(&*gone.address.to_lowercase())) {
                here.push(Person::Object(number));
            }
        }
        let mut there: Vec<Person> = (&them.objects - &ours).into_iter().map(Person::Object).collect();
        let addresses: HashSet<AddressKey> = us.outside.iter().map(Mailbox::key).collect();
        let key = |text: &str| Mailbox::parse(text).ok().map(|mailbox| mailbox.key());
        let known: HashSet<AddressKey> = texts.iter().filter_map(|text| key(text)).collect();
        there.extend(
            texts
                .into_iter()
                .filter(|text| key(text).is_none_or(|key| !addresses.contains(&key)))
                .map(Person::Address),
        );
        for mailbox in &us.outside {
            let object = self.view.directory.lookup(&mailbox.key()).one();
            let reached =
                known.contains(&mailbox.key()) || object.is_some_and(|object| them.objects.contains(object.0));
            if !reached {
                here.push(Person::Address(mailbox.as_str().to_lowercase().into()));
            }
        }
        (there, here)
    }

    fn finish(&mut self, address: &str, group: Group) -> GroupComparison {
        let mut only_other: Vec<PersonDiffers> = Vec::new();
        for (person, seen) in &group.only_other {
            let cause = self.cause_other(person, seen);
            only_other.push(self.person(person, seen, cause));
        }
        let mut only_here: Vec<PersonDiffers> = Vec::new();
        for (person, seen) in &group.only_here {
            let cause = self.cause_here(person, seen);
            only_here.push(self.person(person, seen, cause));
        }
        only_other.sort_by(|one, other| one.address.cmp(&other.address));
        only_here.sort_by(|one, other| one.address.cmp(&other.address));
        let object = group.ordinal.and_then(|ordinal| self.view.group(ordinal));
        GroupComparison {
            group: object.map_or_else(|| address.to_owned(), |object| object.primary.to_string()),
            id: object.map(|object| object.id.clone()),
            messages: group.messages,
            same: group.same,
            by_later_list: group.by_later_list,
            only_other,
            only_here,
        }
    }

    fn person(&self, person: &Person, seen: &Seen, cause: Cause) -> PersonDiffers {
        let directory = &self.view.directory;
        let address = match person {
            Person::Object(number) => {
                let ordinal = Ordinal(*number);
                let live = directory.row(ordinal).map(|row| row.primary_address().to_owned());
                let gone = || directory.tombstone(ordinal).map(|gone| gone.address.to_string());
                live.or_else(gone).unwrap_or_else(|| format!("object {number}"))
            }
            Person::Address(text) => text.to_string(),
        };
        PersonDiffers {
            address,
            messages: seen.messages,
            last: seen.last,
            cause,
        }
    }
}

#[cfg(test)]
mod tests;
