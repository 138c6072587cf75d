//! Who answers to an address, a distinguished name, an id: a hash index whose parts generations share.
//!
//! In: comparison forms of names. Out: ordinals that may carry them; the caller verifies against the rows,
//! so the index keeps 8 bytes per name and no text. Never: an answer from the hash alone.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::attribute::Attribute;
use super::change::Tombstone;
use super::dn::DistinguishedName;
use super::recipient::{ProxyAddress, RecipientObject};
use super::value::Value;
use crate::mail::address::Mailbox;

/// Number of a recipient object within a space of ordinals; never reused in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ordinal(pub u32);

/// The answer to "who is this?".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    None,
    One(Ordinal),
    /// Two objects carry the same address; mail to it is refused (recipient resolution: Ambiguous).
    Ambiguous(Vec<Ordinal>),
}

impl Lookup {
    pub(super) fn from_list(mut found: Vec<Ordinal>) -> Self {
        found.sort_unstable();
        found.dedup();
        match found.as_slice() {
            [] => Self::None,
            [one] => Self::One(*one),
            _ => Self::Ambiguous(found),
        }
    }

    /// The one object, if there is exactly one.
    pub fn one(&self) -> Option<Ordinal> {
        match self {
            Self::One(ordinal) => Some(*ordinal),
            Self::None | Self::Ambiguous(_) => None,
        }
    }
}

/// What kind of name a key is; the same text in two spaces is two keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Space {
    /// Addresses that accept mail.
    Address,
    /// The address copies leave for; tells whether two objects are one mailbox.
    Final,
    /// The stable id and the GUIDs.
    Id,
    Dn,
    /// legacyExchangeDN: asked before X500 addresses (recipient resolution).
    Legacy,
    X500,
    /// Alias, name and canonical name: how exports print references.
    Name,
    /// Address and id of an object that is gone.
    Gone,
}

/// Calls `visit` with every key of an object in its comparison form; a key may come twice.
pub(super) fn each_key(object: &RecipientObject, visit: &mut dyn FnMut(Space, &str)) {
    for mailbox in object.mailboxes() {
        visit(Space::Address, mailbox.key().as_str());
    }
    visit(Space::Final, object.final_address().key().as_str());
    visit(Space::Id, &fold(object.id.as_str()));
    for attribute in [
        Attribute::Guid,
        Attribute::ExternalDirectoryObjectId,
        Attribute::ExchangeGuid,
    ] {
        if let Some(Value::Text(guid)) = object.attributes.get(attribute) {
            visit(Space::Id, &fold(guid));
        }
    }
    if let Some(dn) = object.distinguished_name.as_deref().and_then(DistinguishedName::parse) {
        visit(Space::Dn, dn.as_str());
        if let Some(canonical) = dn.canonical() {
            visit(Space::Name, &fold(&canonical));
        }
    }
    if let Some(legacy) = object.legacy_dn.as_deref() {
        visit(Space::Legacy, &fold(legacy));
    }
    for proxy in &object.proxies {
        match proxy {
            ProxyAddress::X500(value) => visit(Space::X500, &fold(value)),
            ProxyAddress::Smtp(_) | ProxyAddress::Other(_) => {}
        }
    }
    if let Some(alias) = object.alias.as_deref() {
        visit(Space::Name, &fold(alias));
    }
    visit(Space::Name, &fold(object.name()));
}

/// Every text by which a reference may name an object, in its comparison form.
pub fn names_of(object: &RecipientObject) -> Vec<String> {
    let mut names = Vec::new();
    each_key(object, &mut |space, key| match space {
        Space::Address | Space::Id | Space::Dn | Space::Legacy | Space::X500 | Space::Name => {
            names.push(key.to_owned());
        }
        Space::Final | Space::Gone => {}
    });
    names.sort_unstable();
    names.dedup();
    names
}

/// The names by which an object that is gone is remembered: its address and its id.
pub(super) fn each_gone_key(tombstone: &Tombstone, visit: &mut dyn FnMut(&str)) {
    if let Ok(mailbox) = Mailbox::parse(&tombstone.address) {
        visit(mailbox.key().as_str());
    }
    visit(&fold(tombstone.id.as_str()));
}

/// Case-folded form of names that are not addresses.
pub(super) fn fold(text: &str) -> String {
    text.trim().to_lowercase()
}

/// Hash of a key. The hasher has fixed keys: the index is rebuilt at start and must not depend on chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct KeyHash(u64);

impl KeyHash {
    pub(super) fn of(space: Space, key: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        space.hash(&mut hasher);
        key.hash(&mut hasher);
        Self(hasher.finish())
    }

    fn shard(self) -> usize {
        // The upper bits choose the shard, the lower 32 the place in it. 12 bits fit a usize.
        usize::try_from(self.0 >> (64 - SHARD_BITS)).unwrap_or(0)
    }

    #[expect(clippy::cast_possible_truncation, reason = "the lower half is what is meant")]
    fn tag(self) -> u32 {
        self.0 as u32
    }
}

const SHARD_BITS: u32 = 12;

/// Parts of the index; a change of one recipient copies about eight of them (16 KB each at a million).
pub const SHARDS: usize = 1 << SHARD_BITS;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    tag: u32,
    ordinal: u32,
}

/// One change of the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) hash: KeyHash,
    pub(super) ordinal: Ordinal,
    pub(super) action: EditAction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EditAction {
    Add,
    Remove,
}

/// The index of one generation.
#[derive(Debug, Clone)]
pub(super) struct KeyIndex {
    shards: Vec<Arc<[Entry]>>,
}

impl KeyIndex {
    pub(super) fn empty() -> Self {
        let nothing: Arc<[Entry]> = Arc::from(Vec::new());
        Self {
            shards: vec![nothing; SHARDS],
        }
    }

    /// Ordinals that may carry the key.
    pub(super) fn candidates(&self, hash: KeyHash) -> impl Iterator<Item = Ordinal> + '_ {
        let shard: &[Entry] = self.shards.get(hash.shard()).map_or(&[], |shard| shard);
        let tag = hash.tag();
        let start = shard.partition_point(|entry| entry.tag < tag);
        shard
            .iter()
            .skip(start)
            .take_while(move |entry| entry.tag == tag)
            .map(|entry| Ordinal(entry.ordinal))
    }

    /// A new index with the edits made; shards without an edit are shared.
    pub(super) fn edited(&self, mut edits: Vec<Edit>) -> Self {
        edits.sort_unstable_by_key(|edit| (edit.hash.shard(), edit.hash.tag(), edit.ordinal));
        let mut shards = self.shards.clone();
        for group in edits.chunk_by(|a, b| a.hash.shard() == b.hash.shard()) {
            let Some(shard) = group.first().and_then(|edit| shards.get_mut(edit.hash.shard())) else {
                continue;
            };
            *shard = merged(shard, group);
        }
        Self { shards }
    }

    /// Shards that two indexes share; for tests of the memory promise.
    #[cfg(test)]
    pub(super) fn shared_with(&self, other: &Self) -> usize {
        self.shards
            .iter()
            .zip(&other.shards)
            .filter(|(a, b)| Arc::ptr_eq(a, b))
            .count()
    }
}

/// Old entries without the removed ones, plus the added ones, in order.
fn merged(old: &[Entry], edits: &[Edit]) -> Arc<[Entry]> {
    let of = |edit: &Edit| Entry {
        tag: edit.hash.tag(),
        ordinal: edit.ordinal.0,
    };
    let removed: Vec<Entry> = edits
        .iter()
        .filter(|edit| edit.action == EditAction::Remove)
        .map(of)
        .collect();
    let mut entries: Vec<Entry> = old
        .iter()
        .copied()
        .filter(|entry| removed.binary_search(entry).is_err())
        .collect();
    entries.extend(edits.iter().filter(|edit| edit.action == EditAction::Add).map(of));
    entries.sort_unstable();
    entries.dedup();
    entries.into()
}
