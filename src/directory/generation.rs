//! One immutable generation of the directory, and how the next one is made from it.
//!
//! In: a change set, ordinals from their keeper, the time. Out: a new generation that shares every untouched
//! chunk of rows, shard of the index and bitmap with the old one, and findings.
//! Never: changes a generation that someone reads; reads a clock; reuses an ordinal.

mod build;
mod draft;
pub mod image;
mod load;
mod rows;

use std::sync::Arc;

use jiff::Timestamp;
use roaring::RoaringBitmap;

use super::attribute::Attribute;
use super::change::{ChangeSet, Finding, OrdinalSource, Tombstone};
use super::column::{Column, Containers};
use super::columns::Columns;
use super::delivery::Reference;
use super::dn::DistinguishedName;
use super::index::{KeyHash, KeyIndex, Lookup, Ordinal, Space, each_gone_key, each_key, fold};
use super::recipient::{ObjectId, RecipientObject};
use super::record::Record;
use super::row::{Found, RowRef};
use crate::mail::address::{AddressKey, Mailbox};
use draft::Draft;
pub use load::{Feed, Unreadable};
use rows::{Rows, Slot};

/// Objects from which on a first change set is loaded on several threads.
const LOAD_MIN: usize = 4_096;

/// One immutable generation.
#[derive(Debug, Clone)]
pub struct Directory {
    number: u64,
    loaded_at: Timestamp,
    rows: Rows,
    keys: KeyIndex,
    columns: Columns,
    live: Arc<RoaringBitmap>,
    groups: Arc<RoaringBitmap>,
    plain: Arc<RoaringBitmap>,
    candidates: Arc<RoaringBitmap>,
    /// Rows that are stored whole.
    whole: Arc<RoaringBitmap>,
}

/// References bound against a generation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bound {
    /// Objects found.
    pub ordinals: RoaringBitmap,
    /// Bare addresses that no object carries: implicit contacts.
    pub outside: Vec<Mailbox>,
    /// Texts that name nothing we know.
    pub unresolved: Vec<Reference>,
    /// Texts that fit several objects.
    pub ambiguous: Vec<Reference>,
}

impl Directory {
    /// The generation before the first: number 0, nothing in it.
    pub fn empty() -> Self {
        Self {
            number: 0,
            loaded_at: Timestamp::UNIX_EPOCH,
            rows: Rows::default(),
            keys: KeyIndex::empty(),
            columns: Columns::empty(),
            live: Arc::default(),
            groups: Arc::default(),
            plain: Arc::default(),
            candidates: Arc::default(),
            whole: Arc::default(),
        }
    }

    /// Counts up with every change; 0 means nothing was ever loaded.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// When this generation was made.
    pub fn loaded_at(&self) -> Timestamp {
        self.loaded_at
    }

    /// Live objects.
    pub fn len(&self) -> u64 {
        self.live.len()
    }

    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// The live object of an ordinal. A packed row is put together for it; single facts are cheaper by
    /// [`Directory::row`].
    pub fn recipient(&self, ordinal: Ordinal) -> Option<Found<'_>> {
        self.row(ordinal).map(RowRef::object)
    }

    /// The live object of an ordinal where it is stored.
    pub fn row(&self, ordinal: Ordinal) -> Option<RowRef<'_>> {
        match self.rows.slot(ordinal)? {
            Slot::Packed(octets) => Some(RowRef::packed(Record::packed(octets, &self.columns))),
            Slot::Whole(object) => Some(RowRef::whole(object)),
            Slot::Gone(_) => None,
        }
    }

    /// The live group of an ordinal; groups are always stored whole.
    pub fn group(&self, ordinal: Ordinal) -> Option<&RecipientObject> {
        match self.rows.slot(ordinal)? {
            Slot::Whole(object) if object.kind.is_group() => Some(object),
            Slot::Whole(_) | Slot::Packed(_) | Slot::Gone(_) => None,
        }
    }

    /// What is left of an object that is gone.
    pub fn tombstone(&self, ordinal: Ordinal) -> Option<&Tombstone> {
        match self.rows.slot(ordinal)? {
            Slot::Gone(tombstone) => Some(tombstone),
            Slot::Packed(_) | Slot::Whole(_) => None,
        }
    }

    /// Live objects in the order of their ordinals, each put together; [`Directory::rows`] is cheaper.
    pub fn recipients(&self) -> impl Iterator<Item = (Ordinal, Found<'_>)> {
        self.rows().map(|(ordinal, row)| (ordinal, row.object()))
    }

    /// Live objects where they are stored, in the order of their ordinals.
    pub fn rows(&self) -> impl Iterator<Item = (Ordinal, RowRef<'_>)> {
        self.live
            .iter()
            .filter_map(|number| self.row(Ordinal(number)).map(|row| (Ordinal(number), row)))
    }

    /// Live groups in the order of their ordinals, Microsoft 365 groups included.
    pub fn groups(&self) -> impl Iterator<Item = (Ordinal, &RecipientObject)> {
        self.groups
            .iter()
            .filter_map(|number| self.group(Ordinal(number)).map(|group| (Ordinal(number), group)))
    }

    /// Live objects.
    pub fn live(&self) -> &RoaringBitmap {
        &self.live
    }

    /// Live groups.
    pub fn group_set(&self) -> &RoaringBitmap {
        &self.groups
    }

    /// Live individuals whose copy needs no judgement: no restriction of their own, no forwarding, a working
    /// account (or one that is off by design), and a final address that no other object shares.
    pub fn plain(&self) -> &RoaringBitmap {
        &self.plain
    }

    /// Live objects that a dynamic group may contain at all: they have an alias and are none of Exchange's own
    /// mailboxes, by kind or name.
    pub fn candidates(&self) -> &RoaringBitmap {
        &self.candidates
    }

    /// Who answers what for an attribute.
    pub fn column(&self, attribute: Attribute) -> Column<'_> {
        Column::of(attribute, &self.columns, &self.live, &self.whole)
    }

    /// Who lies where.
    pub fn containers(&self) -> Containers<'_> {
        Containers::of(&self.columns)
    }

    /// Objects whose own DN or canonical path this is: a scope that names an object holds that object.
    pub fn objects_at(&self, place: &str) -> Lookup {
        match DistinguishedName::parse(place) {
            Some(dn) => self.find(Space::Dn, dn.as_str()),
            None => self.find(Space::Name, &fold(place)),
        }
    }

    /// Who accepts mail for an address.
    pub fn lookup(&self, key: &AddressKey) -> Lookup {
        self.find(Space::Address, key.as_str())
    }

    /// Whose copies leave for an address.
    pub fn lookup_final(&self, key: &AddressKey) -> Lookup {
        self.find(Space::Final, key.as_str())
    }

    /// What is left of an object that had this address or id and is gone; one of them, if several had.
    pub fn lookup_gone(&self, reference: &str) -> Option<&Tombstone> {
        let key = match outside_mailbox(reference) {
            Some(mailbox) => mailbox.key().as_str().to_owned(),
            None => fold(reference),
        };
        self.keys
            .candidates(KeyHash::of(Space::Gone, &key))
            .find_map(|ordinal| {
                let tombstone = self.tombstone(ordinal)?;
                let mut found = false;
                each_gone_key(tombstone, &mut |each| found |= each == key);
                found.then_some(tombstone)
            })
    }

    /// Who has a legacyExchangeDN, or else an X500 address (recipient resolution: in this order).
    pub fn lookup_legacy(&self, legacy_dn: &str) -> Lookup {
        let folded = fold(legacy_dn);
        self.first_of(&[Space::Legacy, Space::X500], &folded)
    }

    /// Who has an id.
    pub fn lookup_id(&self, id: &ObjectId) -> Lookup {
        self.find(Space::Id, &fold(id.as_str()))
    }

    /// The ordinal of a live object by its id alone, GUIDs left aside.
    pub fn ordinal_of(&self, id: &ObjectId) -> Option<Ordinal> {
        let candidates = self.keys.candidates(KeyHash::of(Space::Id, &fold(id.as_str())));
        candidates
            .into_iter()
            .find(|ordinal| self.row(*ordinal).is_some_and(|row| row.id() == id.as_str()))
    }

    /// Who a reference names: an address, a DN, an X500 address, an id or GUID, a canonical name, an alias or name.
    pub fn lookup_reference(&self, reference: &str) -> Lookup {
        let text = reference.trim();
        if let Some((kind, value)) = text.split_once(':') {
            if kind.eq_ignore_ascii_case("smtp") {
                return Mailbox::parse(value).map_or(Lookup::None, |mailbox| self.lookup(&mailbox.key()));
            }
            if kind.eq_ignore_ascii_case("x500") || kind.eq_ignore_ascii_case("ex") {
                return self.lookup_legacy(value);
            }
        }
        if text.starts_with('/') {
            return self.lookup_legacy(text);
        }
        if let Ok(mailbox) = Mailbox::parse(text) {
            let found = self.lookup(&mailbox.key());
            if found != Lookup::None {
                return found;
            }
        }
        if let Some(dn) = DistinguishedName::parse(text) {
            let found = self.find(Space::Dn, dn.as_str());
            if found != Lookup::None {
                return found;
            }
        }
        self.first_of(&[Space::Id, Space::Name], &fold(text))
    }

    /// Binds a list of references, for rolls and restrictions.
    pub fn bind(&self, references: &[Reference]) -> Bound {
        let mut bound = Bound::default();
        for reference in references {
            match self.lookup_reference(reference.as_str()) {
                Lookup::One(ordinal) => {
                    bound.ordinals.insert(ordinal.0);
                }
                Lookup::Ambiguous(_) => bound.ambiguous.push(reference.clone()),
                Lookup::None => match outside_mailbox(reference.as_str()) {
                    Some(mailbox) => bound.outside.push(mailbox),
                    None => bound.unresolved.push(reference.clone()),
                },
            }
        }
        bound
    }

    fn first_of(&self, spaces: &[Space], folded: &str) -> Lookup {
        spaces
            .iter()
            .map(|space| self.find(*space, folded))
            .find(|found| *found != Lookup::None)
            .unwrap_or(Lookup::None)
    }

    fn find(&self, space: Space, key: &str) -> Lookup {
        let mut found: Vec<Ordinal> = self.candidates_of(space, key).collect();
        found.retain(|ordinal| self.carries(*ordinal, space, key));
        Lookup::from_list(found)
    }

    /// Ordinals whose keys may be this one.
    fn candidates_of(&self, space: Space, key: &str) -> impl Iterator<Item = Ordinal> {
        // A final address that is an address of the object has no entry of its own.
        let also = (space == Space::Final).then(|| self.keys.candidates(KeyHash::of(Space::Address, key)));
        let own = self.keys.candidates(KeyHash::of(space, key));
        own.chain(also.into_iter().flatten())
    }

    fn carries(&self, ordinal: Ordinal, space: Space, key: &str) -> bool {
        let Some(row) = self.row(ordinal) else {
            return false;
        };
        if space == Space::Final {
            return Mailbox::key_of_valid(row.final_text()) == key;
        }
        let mut found = false;
        each_key(&row.facts(), &mut |each_space, each| {
            found |= each_space == space && each == key
        });
        found
    }

    /// Whether an object's copy needs no judgement; see [`Directory::plain`].
    fn judge_plain(&self, ordinal: Ordinal) -> bool {
        let Some(row) = self.row(ordinal).filter(|row| row.needs_no_judgement()) else {
            return false;
        };
        let key = Mailbox::key_of_valid(row.final_text());
        let alone = |mut found: Vec<Ordinal>, space: Space| {
            found.retain(|each| *each != ordinal && self.carries(*each, space, &key));
            found.is_empty()
        };
        // A contact whose target is an address of this directory leads on to that object.
        alone(self.candidates_of(Space::Final, &key).collect(), Space::Final)
            && alone(self.candidates_of(Space::Address, &key).collect(), Space::Address)
    }

    /// The next generation. Ordinals come from their keeper, `now` from the caller.
    pub fn apply(
        &self,
        changes: ChangeSet,
        ordinals: &mut dyn OrdinalSource,
        number: u64,
        now: Timestamp,
    ) -> (Self, Vec<Finding>) {
        let mut draft = Draft::new(self, number, now);
        if self.rows.is_empty() && changes.removals.is_empty() && changes.upserts.len() >= LOAD_MIN {
            draft.load(changes.upserts, ordinals);
            return draft.loaded();
        }
        draft.take(changes, ordinals);
        draft.finish()
    }

    /// A generation from stored objects, which `feed` gives in the order of ordinals. An object that cannot be read
    /// is left out and named.
    pub fn load<E>(
        number: u64,
        now: Timestamp,
        feed: impl FnOnce(&mut Feed) -> Result<(), E>,
    ) -> Result<(Self, Vec<Unreadable>), E> {
        let (builder, _, unreadable) = load::run(feed)?;
        Ok((builder.finish(number, now), unreadable))
    }

    /// This generation with objects as they are stored now, or gone, under a new number: how an image catches up with
    /// its store. What was to be noticed about these changes was noticed when they were made.
    #[must_use]
    pub fn caught_up(
        &self,
        objects: Vec<(Ordinal, RecipientObject)>,
        gone: &[Ordinal],
        number: u64,
        now: Timestamp,
    ) -> Self {
        let mut draft = Draft::new(self, number, now);
        draft.catch_up(objects, gone);
        draft.finish().0
    }

    /// Blocks of rows and shards of the index shared with another generation; for tests of the memory promise.
    #[cfg(test)]
    fn shared_with(&self, other: &Self) -> (usize, usize) {
        (self.rows.shared_with(&other.rows), self.keys.shared_with(&other.keys))
    }
}

/// The mailbox a reference spells, if it is an address.
fn outside_mailbox(reference: &str) -> Option<Mailbox> {
    let text = reference.trim();
    let bare = match text.split_once(':') {
        Some((kind, value)) if kind.eq_ignore_ascii_case("smtp") => value,
        Some(_) | None => text,
    };
    Mailbox::parse(bare).ok()
}

#[cfg(test)]
#[path = "generation_tests.rs"]
mod tests;
