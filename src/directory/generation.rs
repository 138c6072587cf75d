//! One immutable generation of the directory, and how the next one is made from it.
//!
//! In: a change set, ordinals from their keeper, the time. Out: a new generation that shares every untouched
//! chunk of rows, shard of the index and bitmap with the old one, and findings.
//! Never: changes a generation that someone reads; reads a clock; reuses an ordinal.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use roaring::RoaringBitmap;

use super::change::{ChangeSet, Finding, OrdinalSource, REFERENCE_FINDINGS_MAX, Tombstone, missing_facts, references};
use super::delivery::Reference;
use super::dn::DistinguishedName;
use super::index::{Edit, EditAction, KeyHash, KeyIndex, Lookup, Ordinal, Space, each_gone_key, each_key, fold};
use super::recipient::{ObjectId, RecipientObject};
use crate::mail::address::{AddressKey, Mailbox};

/// Rows copied together when one of them changes: 16 KB.
pub const CHUNK_ROWS: usize = 1_024;

#[derive(Debug, Clone, Default)]
enum Row {
    #[default]
    Vacant,
    Live(Arc<RecipientObject>),
    Gone(Arc<Tombstone>),
}

#[derive(Debug, Clone)]
struct Chunk(Box<[Row]>);

/// One immutable generation.
#[derive(Debug, Clone)]
pub struct Directory {
    number: u64,
    loaded_at: Timestamp,
    chunks: Vec<Arc<Chunk>>,
    keys: KeyIndex,
    live: Arc<RoaringBitmap>,
    groups: Arc<RoaringBitmap>,
    plain: Arc<RoaringBitmap>,
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
            chunks: Vec::new(),
            keys: KeyIndex::empty(),
            live: Arc::default(),
            groups: Arc::default(),
            plain: Arc::default(),
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

    /// The live object of an ordinal.
    pub fn recipient(&self, ordinal: Ordinal) -> Option<&RecipientObject> {
        self.shared(ordinal).map(|object| &**object)
    }

    /// The live object of an ordinal, to keep beyond this generation.
    pub fn shared(&self, ordinal: Ordinal) -> Option<&Arc<RecipientObject>> {
        match self.row(ordinal)? {
            Row::Live(object) => Some(object),
            Row::Vacant | Row::Gone(_) => None,
        }
    }

    /// What is left of an object that is gone.
    pub fn tombstone(&self, ordinal: Ordinal) -> Option<&Tombstone> {
        match self.row(ordinal)? {
            Row::Gone(tombstone) => Some(tombstone),
            Row::Vacant | Row::Live(_) => None,
        }
    }

    /// Live objects in the order of their ordinals.
    pub fn recipients(&self) -> impl Iterator<Item = (Ordinal, &RecipientObject)> {
        self.of(&self.live)
    }

    /// Live groups in the order of their ordinals, Microsoft 365 groups included.
    pub fn groups(&self) -> impl Iterator<Item = (Ordinal, &RecipientObject)> {
        self.of(&self.groups)
    }

    fn of<'a>(&'a self, set: &'a RoaringBitmap) -> impl Iterator<Item = (Ordinal, &'a RecipientObject)> {
        set.iter()
            .filter_map(|number| self.recipient(Ordinal(number)).map(|object| (Ordinal(number), object)))
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
            .find(|ordinal| self.recipient(*ordinal).is_some_and(|object| object.id == *id))
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
        let candidates = self.keys.candidates(KeyHash::of(space, key));
        Lookup::from_list(
            candidates
                .filter(|ordinal| self.carries(*ordinal, space, key))
                .collect(),
        )
    }

    fn carries(&self, ordinal: Ordinal, space: Space, key: &str) -> bool {
        let Some(object) = self.recipient(ordinal) else {
            return false;
        };
        let mut found = false;
        each_key(object, &mut |each_space, each| {
            found |= each_space == space && each == key
        });
        found
    }

    fn row(&self, ordinal: Ordinal) -> Option<&Row> {
        let (chunk, place) = place_of(ordinal);
        self.chunks.get(chunk)?.0.get(place)
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
        draft.take(self, changes, ordinals);
        draft.finish()
    }

    /// Chunks and shards shared with another generation; for tests of the memory promise.
    #[cfg(test)]
    fn shared_with(&self, other: &Self) -> (usize, usize) {
        let chunks = self
            .chunks
            .iter()
            .zip(&other.chunks)
            .filter(|(a, b)| Arc::ptr_eq(a, b))
            .count();
        (chunks, self.keys.shared_with(&other.keys))
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

fn place_of(ordinal: Ordinal) -> (usize, usize) {
    // A u32 fits a usize on every platform we build for.
    let number = usize::try_from(ordinal.0).unwrap_or(usize::MAX);
    (number / CHUNK_ROWS, number % CHUNK_ROWS)
}

/// A generation in the making.
struct Draft {
    next: Directory,
    edits: Vec<Edit>,
    touched: Vec<Ordinal>,
    /// Final addresses whose uniqueness may have changed.
    finals: Vec<KeyHash>,
    findings: Vec<Finding>,
}

impl Draft {
    fn new(base: &Directory, number: u64, now: Timestamp) -> Self {
        let mut next = base.clone();
        next.number = number;
        next.loaded_at = now;
        Self {
            next,
            edits: Vec::new(),
            touched: Vec::new(),
            finals: Vec::new(),
            findings: Vec::new(),
        }
    }

    fn take(&mut self, base: &Directory, changes: ChangeSet, ordinals: &mut dyn OrdinalSource) {
        let mut seen: HashSet<ObjectId> = HashSet::with_capacity(changes.upserts.len());
        for object in changes.upserts {
            if seen.insert(object.id.clone()) {
                let ordinal = ordinals.ordinal(&object.id);
                self.place(base, ordinal, object);
            } else {
                self.findings.push(Finding::DuplicateId { id: object.id });
            }
        }
        for id in changes.removals {
            if seen.contains(&id) {
                continue;
            }
            // Asked of the old generation, so that an unknown id does not use up an ordinal.
            match base
                .ordinal_of(&id)
                .and_then(|ordinal| base.recipient(ordinal).map(|object| (ordinal, object)))
            {
                Some((ordinal, object)) => self.bury(base, ordinal, Tombstone::of(object)),
                None => self.findings.push(Finding::UnknownRemoval { id }),
            }
        }
    }

    fn place(&mut self, base: &Directory, ordinal: Ordinal, object: RecipientObject) {
        if let Some(old) = base.recipient(ordinal).filter(|old| old.source != object.source) {
            self.findings.push(Finding::SourceChanged {
                id: object.id.clone(),
                from: old.source.clone(),
                to: object.source.clone(),
            });
        }
        if !object.is_live() {
            self.bury(base, ordinal, Tombstone::of(&object));
            return;
        }
        self.edit_keys(base.recipient(ordinal), Some(&object), ordinal);
        self.edit_gone(base.tombstone(ordinal), None, ordinal);
        for fact in missing_facts(&object) {
            self.findings.push(Finding::Missing {
                object: object.id.clone(),
                fact,
            });
        }
        set(&mut self.next.live, ordinal, true);
        set(&mut self.next.groups, ordinal, object.kind.is_group());
        self.touched.push(ordinal);
        self.write(ordinal, Row::Live(Arc::new(object)));
    }

    fn bury(&mut self, base: &Directory, ordinal: Ordinal, tombstone: Tombstone) {
        self.edit_keys(base.recipient(ordinal), None, ordinal);
        self.edit_gone(base.tombstone(ordinal), Some(&tombstone), ordinal);
        set(&mut self.next.live, ordinal, false);
        set(&mut self.next.groups, ordinal, false);
        self.touched.push(ordinal);
        self.write(ordinal, Row::Gone(Arc::new(tombstone)));
    }

    /// Notes by what names an object that is gone is remembered.
    fn edit_gone(&mut self, old: Option<&Tombstone>, new: Option<&Tombstone>, ordinal: Ordinal) {
        for (tombstone, action) in [(old, EditAction::Remove), (new, EditAction::Add)] {
            let Some(tombstone) = tombstone else { continue };
            each_gone_key(tombstone, &mut |key| {
                self.edits.push(Edit {
                    hash: KeyHash::of(Space::Gone, key),
                    ordinal,
                    action,
                });
            });
        }
    }

    /// Notes the difference between the keys of the old and the new object.
    fn edit_keys(&mut self, old: Option<&RecipientObject>, new: Option<&RecipientObject>, ordinal: Ordinal) {
        let old = old.map(hashes).unwrap_or_default();
        let new = new.map(hashes).unwrap_or_default();
        for (from, to, action) in [(&old, &new, EditAction::Remove), (&new, &old, EditAction::Add)] {
            for (hash, as_final) in from.iter().filter(|key| to.binary_search(key).is_err()) {
                self.edits.push(Edit {
                    hash: *hash,
                    ordinal,
                    action,
                });
                self.finals.extend(as_final);
            }
        }
    }

    fn write(&mut self, ordinal: Ordinal, row: Row) {
        let (chunk, place) = place_of(ordinal);
        if self.next.chunks.len() <= chunk {
            let vacant = Arc::new(Chunk(vec![Row::Vacant; CHUNK_ROWS].into_boxed_slice()));
            self.next.chunks.resize(chunk + 1, vacant);
        }
        if let Some(slot) = self
            .next
            .chunks
            .get_mut(chunk)
            .and_then(|chunk| Arc::make_mut(chunk).0.get_mut(place))
        {
            *slot = row;
        }
    }

    fn finish(mut self) -> (Directory, Vec<Finding>) {
        let added: Vec<(KeyHash, Ordinal)> = self
            .edits
            .iter()
            .filter(|edit| edit.action == EditAction::Add)
            .map(|edit| (edit.hash, edit.ordinal))
            .collect();
        self.next.keys = self.next.keys.edited(std::mem::take(&mut self.edits));
        self.report_ambiguity(&added);
        self.report_references();
        self.judge_plain();
        (self.next, self.findings)
    }

    fn report_ambiguity(&mut self, added: &[(KeyHash, Ordinal)]) {
        let mut reported: HashSet<(Space, String)> = HashSet::new();
        for (hash, ordinal) in added {
            if self.next.keys.candidates(*hash).nth(1).is_none() {
                continue;
            }
            let Some(object) = self.next.recipient(*ordinal) else {
                continue;
            };
            let mut doubtful: Vec<(Space, String)> = Vec::new();
            each_key(object, &mut |space, key| {
                let matters = match space {
                    Space::Address | Space::Id | Space::Dn | Space::Legacy | Space::X500 => true,
                    // Several objects may share a target or a name; that is no fault by itself.
                    Space::Final | Space::Name | Space::Gone => false,
                };
                if matters && KeyHash::of(space, key) == *hash {
                    doubtful.push((space, key.to_owned()));
                }
            });
            for (space, key) in doubtful {
                let Lookup::Ambiguous(found) = self.next.find(space, &key) else {
                    continue;
                };
                if !reported.insert((space, key.clone())) {
                    continue;
                }
                let objects = found
                    .iter()
                    .filter_map(|each| self.next.recipient(*each))
                    .map(|each| each.id.clone())
                    .collect();
                self.findings.push(if space == Space::Address {
                    Finding::AmbiguousAddress { address: key, objects }
                } else {
                    Finding::AmbiguousIdentity { identity: key, objects }
                });
            }
        }
    }

    fn report_references(&mut self) {
        for ordinal in &self.touched {
            let Some(object) = self.next.recipient(*ordinal) else {
                continue;
            };
            for (setting, references) in references(object) {
                let mut count = 0_usize;
                for reference in references {
                    let id = object.id.clone();
                    let finding = match self.next.lookup_reference(reference.as_str()) {
                        Lookup::One(_) => continue,
                        // An address that nobody carries is an implicit contact.
                        Lookup::None if outside_mailbox(reference.as_str()).is_some() => continue,
                        Lookup::None => Finding::ReferenceUnresolved {
                            object: id,
                            setting,
                            reference: reference.clone(),
                        },
                        Lookup::Ambiguous(_) => Finding::ReferenceAmbiguous {
                            object: id,
                            setting,
                            reference: reference.clone(),
                        },
                    };
                    count += 1;
                    if count <= REFERENCE_FINDINGS_MAX {
                        self.findings.push(finding);
                    }
                }
                if let Some(count) = count.checked_sub(REFERENCE_FINDINGS_MAX).filter(|count| *count > 0) {
                    self.findings.push(Finding::ReferencesMore {
                        object: object.id.clone(),
                        setting,
                        count,
                    });
                }
            }
        }
    }

    /// Sets the `plain` bit of every object whose own facts or whose company at one address changed.
    fn judge_plain(&mut self) {
        let mut affected: RoaringBitmap = self.touched.iter().map(|ordinal| ordinal.0).collect();
        self.finals.sort_unstable();
        self.finals.dedup();
        for hash in &self.finals {
            affected.extend(self.next.keys.candidates(*hash).map(|ordinal| ordinal.0));
        }
        for number in affected {
            let is_plain = self.is_plain(Ordinal(number));
            set(&mut self.next.plain, Ordinal(number), is_plain);
        }
    }

    fn is_plain(&self, ordinal: Ordinal) -> bool {
        let Some(object) = self
            .next
            .recipient(ordinal)
            .filter(|object| object.needs_no_judgement())
        else {
            return false;
        };
        let key = object.final_address().key();
        if self.next.find(Space::Final, key.as_str()) != Lookup::One(ordinal) {
            return false;
        }
        // A contact whose target is an address of this directory leads on to that object.
        match self.next.lookup(&key) {
            Lookup::None => true,
            Lookup::One(found) => found == ordinal,
            Lookup::Ambiguous(_) => false,
        }
    }
}

/// The keys of an object, sorted, each with the final address it may collide with.
fn hashes(object: &RecipientObject) -> Vec<(KeyHash, Option<KeyHash>)> {
    let mut all = Vec::with_capacity(12);
    each_key(object, &mut |space, key| {
        let as_final = match space {
            Space::Address | Space::Final => Some(KeyHash::of(Space::Final, key)),
            Space::Id | Space::Dn | Space::Legacy | Space::X500 | Space::Name | Space::Gone => None,
        };
        all.push((KeyHash::of(space, key), as_final));
    });
    all.sort_unstable();
    all.dedup();
    all
}

/// Sets or clears a bit; a bitmap that does not change stays shared.
fn set(bitmap: &mut Arc<RoaringBitmap>, ordinal: Ordinal, present: bool) {
    if bitmap.contains(ordinal.0) != present {
        let bitmap = Arc::make_mut(bitmap);
        if present {
            bitmap.insert(ordinal.0);
        } else {
            bitmap.remove(ordinal.0);
        }
    }
}

#[cfg(test)]
#[path = "generation_tests.rs"]
mod tests;
