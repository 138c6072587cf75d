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
use super::facts::{Facts, ProxyForm};
use super::octets::{Cursor, put_number};
use super::recipient::RecipientObject;
use super::value::ValueRef;
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
pub(super) fn each_key(facts: &Facts<'_>, visit: &mut dyn FnMut(Space, &str)) {
    visit(Space::Address, &Mailbox::key_of_valid(facts.primary));
    for (form, text) in &facts.proxies {
        match form {
            ProxyForm::Smtp => visit(Space::Address, &Mailbox::key_of_valid(text)),
            ProxyForm::X500 => visit(Space::X500, &fold(text)),
            ProxyForm::Other => {}
        }
    }
    // Where mail leaves for an address of the object itself, that address says so: see `KeyIndex::find`.
    visit(Space::Final, &Mailbox::key_of_valid(facts.final_text()));
    visit(Space::Id, &fold(&facts.id));
    for attribute in [
        Attribute::Guid,
        Attribute::ExternalDirectoryObjectId,
        Attribute::ExchangeGuid,
    ] {
        if let Some(ValueRef::Text(guid)) = facts.attribute(attribute) {
            visit(Space::Id, &fold(guid));
        }
    }
    if let Some(dn) = facts.distinguished_name.as_deref().and_then(DistinguishedName::parse) {
        visit(Space::Dn, dn.as_str());
        if let Some(canonical) = dn.canonical() {
            visit(Space::Name, &fold(&canonical));
        }
    }
    if let Some(legacy) = facts.legacy_dn {
        visit(Space::Legacy, &fold(legacy));
    }
    if let Some(alias) = facts.alias {
        visit(Space::Name, &fold(alias));
    }
    visit(Space::Name, &fold(facts.name()));
}

/// Every text by which a reference may name an object, in its comparison form.
pub fn names_of(object: &RecipientObject) -> Vec<String> {
    let mut names = Vec::new();
    each_key(&Facts::of(object), &mut |space, key| match space {
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
    let text = text.trim();
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.to_lowercase()
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

    /// Where the index keeps it.
    pub(super) fn place(self) -> KeyPlace {
        KeyPlace {
            shard: self.shard(),
            tag: self.tag(),
        }
    }

    /// The upper bits choose the shard, the lower 32 the place in it.
    pub(super) fn shard(self) -> usize {
        // 14 bits fit a usize.
        usize::try_from(self.0 >> (64 - SHARD_BITS)).unwrap_or(0)
    }

    #[expect(clippy::cast_possible_truncation, reason = "the lower half is what is meant")]
    pub(super) fn tag(self) -> u32 {
        self.0 as u32
    }
}

/// What the index keeps of a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyPlace {
    shard: usize,
    tag: u32,
}

const SHARD_BITS: u32 = 14;

/// Shards that are listed together.
const GROUP_SHARDS: usize = 128;

/// Parts of the index; a change of one name copies one of them (6 KB at a million recipients).
pub const SHARDS: usize = 1 << SHARD_BITS;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) tag: u32,
    pub(super) ordinal: u32,
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
    groups: Vec<Arc<Vec<Arc<[Entry]>>>>,
}

impl KeyIndex {
    pub(super) fn empty() -> Self {
        let nothing: Arc<[Entry]> = Arc::from(Vec::new());
        let group = Arc::new(vec![nothing; GROUP_SHARDS]);
        Self {
            groups: vec![group; SHARDS / GROUP_SHARDS],
        }
    }

    /// From all shards, in order.
    pub(super) fn of_shards(shards: Vec<Arc<[Entry]>>) -> Self {
        let groups = shards.chunks(GROUP_SHARDS).map(|group| Arc::new(group.to_vec()));
        Self {
            groups: groups.collect(),
        }
    }

    /// How many groups of shards there are.
    pub(super) fn group_count(&self) -> usize {
        self.groups.len()
    }

    /// Writes one group of shards for an image.
    pub(super) fn put_group(&self, group: usize, out: &mut Vec<u8>) {
        for shard in self.groups.get(group).iter().flat_map(|group| group.iter()) {
            put_number(out, shard.len() as u64);
            for entry in shard.iter() {
                out.extend_from_slice(&entry.tag.to_le_bytes());
                out.extend_from_slice(&entry.ordinal.to_le_bytes());
            }
        }
    }

    /// Reads what [`KeyIndex::put_group`] wrote; none if it is damaged.
    pub(super) fn read_group(cursor: &mut Cursor<'_>) -> Option<Vec<Arc<[Entry]>>> {
        let shards = (0..GROUP_SHARDS).map(|_| {
            let count = cursor.count()?;
            let (entries, _) = cursor.take(count.checked_mul(8)?)?.as_chunks::<8>();
            let entry = |octets: &[u8; 8]| {
                let [a, b, c, d, e, f, g, h] = *octets;
                Entry {
                    tag: u32::from_le_bytes([a, b, c, d]),
                    ordinal: u32::from_le_bytes([e, f, g, h]),
                }
            };
            Some(entries.iter().map(entry).collect())
        });
        shards.collect()
    }

    /// Ordinals that may carry the key.
    pub(super) fn candidates(&self, hash: KeyHash) -> impl Iterator<Item = Ordinal> + '_ {
        self.at(hash.place())
    }

    /// Entries whose place several ordinals share.
    pub(super) fn shared_tags(&self) -> Vec<(KeyPlace, Ordinal)> {
        let mut shared = Vec::new();
        for (shard, entries) in self.shards().enumerate() {
            for group in entries.chunk_by(|a, b| a.tag == b.tag).filter(|group| group.len() > 1) {
                let all = group.iter();
                shared.extend(all.map(|entry| (KeyPlace { shard, tag: entry.tag }, Ordinal(entry.ordinal))));
            }
        }
        shared
    }

    /// Ordinals of one place.
    pub(super) fn at(&self, place: KeyPlace) -> impl Iterator<Item = Ordinal> + '_ {
        let shard: &[Entry] = self.shard(place.shard).map_or(&[], |shard| shard);
        let tag = place.tag;
        let rest = shard.get(first_of(shard, tag)..).unwrap_or_default();
        rest.iter()
            .take_while(move |entry| entry.tag == tag)
            .map(|entry| Ordinal(entry.ordinal))
    }

    fn shard(&self, shard: usize) -> Option<&Arc<[Entry]>> {
        self.groups.get(shard / GROUP_SHARDS)?.get(shard % GROUP_SHARDS)
    }

    /// The shards in order.
    pub(super) fn shards(&self) -> impl Iterator<Item = &Arc<[Entry]>> {
        self.groups.iter().flat_map(|group| group.iter())
    }

    /// A new index with the edits made; shards without an edit are shared.
    pub(super) fn edited(&self, mut edits: Vec<Edit>) -> Self {
        edits.sort_unstable_by_key(|edit| (edit.hash.shard(), edit.hash.tag(), edit.ordinal));
        let mut groups = self.groups.clone();
        for list in edits.chunk_by(|a, b| a.hash.shard() == b.hash.shard()) {
            let Some(shard) = list.first().map(|edit| edit.hash.shard()) else {
                continue;
            };
            let slot = groups
                .get_mut(shard / GROUP_SHARDS)
                .and_then(|group| Arc::make_mut(group).get_mut(shard % GROUP_SHARDS));
            if let Some(slot) = slot {
                *slot = merged(slot, list);
            }
        }
        Self { groups }
    }

    /// Shards that two indexes share; for tests of the memory promise.
    #[cfg(test)]
    pub(super) fn shared_with(&self, other: &Self) -> usize {
        self.shards()
            .zip(other.shards())
            .filter(|(a, b)| Arc::ptr_eq(a, b))
            .count()
    }
}

/// The place of the first entry with this tag, or of where it would be. Tags are hashes, so one of a list lies near
/// its share of the list: less memory is looked at than by a binary search.
fn first_of(shard: &[Entry], tag: u32) -> usize {
    let guess = (u64::from(tag) * shard.len() as u64) >> 32;
    let mut at = usize::try_from(guess).unwrap_or(0);
    while at > 0 && shard.get(at - 1).is_some_and(|entry| entry.tag >= tag) {
        at -= 1;
    }
    while shard.get(at).is_some_and(|entry| entry.tag < tag) {
        at += 1;
    }
    at
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
