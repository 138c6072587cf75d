//! The next generation in the making.
//!
//! In: the generation before, a change set, ordinals from their keeper. Out: the next one and what was noticed.
//! Never: touches a part that did not change, so that generations share it.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use roaring::RoaringBitmap;

use super::{CHUNK_ROWS, Chunk, Directory, Row, outside_mailbox, place_of};
use crate::directory::change::{
    ChangeSet, Finding, OrdinalSource, REFERENCE_FINDINGS_MAX, Tombstone, missing_facts, references,
};
use crate::directory::index::{Edit, EditAction, KeyHash, Lookup, Ordinal, Space, each_gone_key, each_key};
use crate::directory::recipient::{ObjectId, RecipientObject};

/// A generation in the making.
pub(super) struct Draft {
    next: Directory,
    edits: Vec<Edit>,
    touched: Vec<Ordinal>,
    /// Final addresses whose uniqueness may have changed.
    finals: Vec<KeyHash>,
    findings: Vec<Finding>,
}

impl Draft {
    pub(super) fn new(base: &Directory, number: u64, now: Timestamp) -> Self {
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

    pub(super) fn take(&mut self, base: &Directory, changes: ChangeSet, ordinals: &mut dyn OrdinalSource) {
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
                Some((ordinal, object)) => self.bury(base, ordinal, Tombstone::of(&object)),
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
        self.edit_keys(base.recipient(ordinal).as_deref(), Some(&object), ordinal);
        self.edit_gone(base.tombstone(ordinal), None, ordinal);
        for fact in missing_facts(&object) {
            self.findings.push(Finding::Missing {
                object: object.id.clone(),
                fact,
            });
        }
        set(&mut self.next.live, ordinal, true);
        set(&mut self.next.groups, ordinal, object.kind.is_group());
        set(&mut self.next.candidates, ordinal, object.is_candidate());
        self.touched.push(ordinal);
        self.write(ordinal, Row::Live(Arc::new(object)));
    }

    fn bury(&mut self, base: &Directory, ordinal: Ordinal, tombstone: Tombstone) {
        self.edit_keys(base.recipient(ordinal).as_deref(), None, ordinal);
        self.edit_gone(base.tombstone(ordinal), Some(&tombstone), ordinal);
        set(&mut self.next.live, ordinal, false);
        set(&mut self.next.groups, ordinal, false);
        set(&mut self.next.candidates, ordinal, false);
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

    pub(super) fn finish(mut self) -> (Directory, Vec<Finding>) {
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
            each_key(&object, &mut |space, key| {
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
            for (setting, references) in references(&object) {
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
