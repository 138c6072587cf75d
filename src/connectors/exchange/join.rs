//! Joining records of several files that mean one object.
//!
//! In: drafts in the order of files. Out: one draft per object, and which object each record became part of.
//! Never: two objects of one directory joined because they share an address or a name.

use std::collections::HashMap;

use super::cells::{Draft, Side};
use super::convert;
use crate::connectors::files::property::Property as P;
use crate::directory::attribute::Attribute;
use crate::directory::dn::DistinguishedName;
use crate::mail::address::Mailbox;

/// Drafts after joining.
#[derive(Debug, Default)]
pub struct Joined {
    /// One per object.
    pub objects: Vec<Draft>,
    /// For each record, in their order, the object it is part of.
    pub object_of: Vec<usize>,
}

/// Joins all drafts.
#[must_use]
pub fn join(drafts: Vec<Draft>) -> Joined {
    let mut joined = Joined::default();
    let mut index: HashMap<String, Vec<usize>> = HashMap::new();
    let mut late = Vec::new();
    joined.object_of = vec![usize::MAX; drafts.len()];
    for (record, draft) in drafts.into_iter().enumerate() {
        let keys = keys(&draft);
        if keys.is_empty() {
            late.push((record, draft));
            continue;
        }
        let object = joined.place(draft, &keys, &index);
        for key in keys {
            let known = index.entry(key).or_default();
            if !known.contains(&object) {
                known.push(object);
            }
        }
        if let Some(place) = joined.object_of.get_mut(record) {
            *place = object;
        }
    }
    joined.join_by_name(late);
    joined
}

impl Joined {
    /// Adds a draft to the object it belongs to, or as a new one.
    fn place(&mut self, draft: Draft, keys: &[String], index: &HashMap<String, Vec<usize>>) -> usize {
        // Keys come the surest first; the first object that nothing speaks against is the one.
        let candidates = keys.iter().filter_map(|key| index.get(key)).flatten();
        let found = candidates.copied().find(|candidate| {
            self.objects
                .get(*candidate)
                .is_some_and(|object| !contradict(object, &draft))
        });
        match found.and_then(|found| self.objects.get_mut(found).map(|object| (found, object))) {
            Some((found, object)) => {
                merge(object, draft);
                found
            }
            None => {
                self.objects.push(draft);
                self.objects.len() - 1
            }
        }
    }

    /// Records without any key (a selection of names and departments) join by names, if only one object has the name.
    fn join_by_name(&mut self, late: Vec<(usize, Draft)>) {
        let mut names: HashMap<String, Vec<usize>> = HashMap::new();
        for (object, draft) in self.objects.iter().enumerate() {
            for name in names_of(draft) {
                let known = names.entry(name).or_default();
                if !known.contains(&object) {
                    known.push(object);
                }
            }
        }
        for (record, draft) in late {
            let found = names_of(&draft)
                .into_iter()
                .find_map(|name| match names.get(&name).map(Vec::as_slice) {
                    Some([only]) => Some(*only),
                    _ => None,
                });
            let object = match found {
                Some(found) => {
                    if let Some(object) = self.objects.get_mut(found) {
                        merge(object, draft);
                    }
                    found
                }
                None => {
                    self.objects.push(draft);
                    self.objects.len() - 1
                }
            };
            if let Some(place) = self.object_of.get_mut(record) {
                *place = object;
            }
        }
    }
}

/// Names by which a record without a key may be found: canonical path, account, name, display name, in that order.
fn names_of(draft: &Draft) -> Vec<String> {
    let fold = |text: String| text.trim().to_lowercase();
    let mut names: Vec<String> = draft.names.iter().cloned().map(fold).collect();
    let held = [Attribute::UserPrincipalName, Attribute::SamAccountName, Attribute::Name];
    names.extend(held.into_iter().filter_map(|held| draft.text(P::Held(held))).map(fold));
    names.extend(draft.text(P::Alias).map(fold));
    names.extend(draft.text(P::DisplayName).map(fold));
    names.retain(|name| !name.is_empty());
    names
}

/// What an object is known by, the surest first.
pub fn keys(draft: &Draft) -> Vec<String> {
    let mut keys = Vec::new();
    for held in [Attribute::ExternalDirectoryObjectId, Attribute::Guid] {
        let guids = draft.all(P::Held(held)).filter_map(|cell| convert::text(&cell.value));
        keys.extend(guids.map(|guid| format!("g:{guid}")));
    }
    for cell in draft.all(P::DistinguishedName) {
        let dn = convert::text(&cell.value).and_then(|text| DistinguishedName::parse(&text));
        keys.extend(dn.map(|dn| format!("d:{}", dn.as_str())));
    }
    for cell in draft.all(P::LegacyExchangeDN) {
        keys.extend(convert::text(&cell.value).map(|text| format!("l:{}", text.trim().to_lowercase())));
    }
    let mut addresses: Vec<String> = Vec::new();
    for property in [
        P::PrimarySmtpAddress,
        P::Held(Attribute::WindowsEmailAddress),
        P::EmailAddresses,
    ] {
        for cell in draft.all(property) {
            addresses.extend(convert::addresses(&cell.value, cell.joined));
        }
    }
    let mailboxes = addresses
        .iter()
        .filter_map(|text| Mailbox::parse(convert::bare(text)).ok());
    keys.extend(mailboxes.map(|mailbox| format!("a:{}", mailbox.key().as_str())));
    let mut seen = std::collections::HashSet::new();
    keys.retain(|key| seen.insert(key.clone()));
    keys
}

/// True if two drafts cannot be one object: both state an id of one directory, and the ids differ.
fn contradict(object: &Draft, draft: &Draft) -> bool {
    let differ = |held: Attribute| {
        let mut theirs = draft
            .all(P::Held(held))
            .filter_map(|cell| convert::text(&cell.value))
            .peekable();
        let ours: Vec<String> = object
            .all(P::Held(held))
            .filter_map(|cell| convert::text(&cell.value))
            .collect();
        theirs.peek().is_some() && !ours.is_empty() && !theirs.any(|guid| ours.contains(&guid))
    };
    if differ(Attribute::ExternalDirectoryObjectId) {
        return true;
    }
    // A person has one GUID in Active Directory and another in Exchange Online.
    let may_differ = object.side != draft.side && object.side != Side::Unknown && draft.side != Side::Unknown;
    !may_differ && differ(Attribute::Guid)
}

/// Adds what a record says to an object. What a server on premises says comes first: filters are judged there.
fn merge(object: &mut Draft, draft: Draft) {
    let first = draft.side == Side::OnPremises && object.side == Side::Online || draft.is_whole && !object.is_whole;
    if first {
        let rest = std::mem::replace(&mut object.cells, draft.cells);
        object.cells.extend(rest);
        object.at = draft.at;
    } else {
        object.cells.extend(draft.cells);
    }
    object.is_mixed |=
        draft.is_mixed || object.side != draft.side && object.side != Side::Unknown && draft.side != Side::Unknown;
    object.side = match (object.side, draft.side) {
        (Side::OnPremises, _) | (_, Side::OnPremises) => Side::OnPremises,
        (Side::Online, _) | (_, Side::Online) => Side::Online,
        (Side::Unknown, Side::Unknown) => Side::Unknown,
    };
    object.names.extend(draft.names);
    object.classes.extend(draft.classes);
    object.ldap_filter = object.ldap_filter.take().or(draft.ldap_filter);
    object.filter_type = object.filter_type.take().or(draft.filter_type);
    object.members_open = object.members_open.max(draft.members_open);
    object.is_whole |= draft.is_whole;
}
