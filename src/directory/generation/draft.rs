//! The next generation in the making.
//!
//! In: the generation before, a change set, ordinals from their keeper. Out: the next one and what was noticed.
//! Never: touches a part that did not change, so that generations share it.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use roaring::RoaringBitmap;

use super::load;
use super::rows::Row;
use super::{Directory, outside_mailbox};
use crate::directory::change::{
    ChangeSet, Finding, OrdinalSource, REFERENCE_FINDINGS_MAX, Tombstone, missing_facts, references,
};
use crate::directory::columns::{Class, Coding, ColumnId};
use crate::directory::dictionary::RowEdit;
use crate::directory::facts::Facts;
use crate::directory::index::{Edit, EditAction, KeyHash, KeyPlace, Lookup, Ordinal, Space, each_gone_key, each_key};
use crate::directory::posting::edit_set;
use crate::directory::recipient::{ObjectId, RecipientObject};
use crate::directory::record::write;
use crate::directory::row::RowRef;
use crate::mail::address::Mailbox;

/// A generation in the making.
pub(super) struct Draft<'b> {
    base: &'b Directory,
    next: Directory,
    rows: Vec<(Ordinal, Row<Vec<u8>>)>,
    edits: Vec<Edit>,
    columns: Vec<(ColumnId, RowEdit)>,
    touched: Vec<Ordinal>,
    /// Final addresses whose uniqueness may have changed, in their comparison form.
    finals: Vec<String>,
    findings: Vec<Finding>,
}

impl<'b> Draft<'b> {
    pub(super) fn new(base: &'b Directory, number: u64, now: Timestamp) -> Self {
        let mut next = base.clone();
        next.number = number;
        next.loaded_at = now;
        Self {
            base,
            next,
            rows: Vec::new(),
            edits: Vec::new(),
            columns: Vec::new(),
            touched: Vec::new(),
            finals: Vec::new(),
            findings: Vec::new(),
        }
    }

    /// Many objects for an empty generation, by the way of a first load.
    pub(super) fn load(&mut self, upserts: Vec<RecipientObject>, ordinals: &mut dyn OrdinalSource) {
        let mut seen: HashSet<ObjectId> = HashSet::with_capacity(upserts.len());
        let mut placed: Vec<(Ordinal, RecipientObject)> = Vec::with_capacity(upserts.len());
        for object in upserts {
            if seen.insert(object.id.clone()) {
                placed.push((ordinals.ordinal(&object.id), object));
            } else {
                self.findings.push(Finding::DuplicateId { id: object.id });
            }
        }
        drop(seen);
        placed.sort_by_key(|(ordinal, _)| *ordinal);
        self.touched = placed.iter().map(|(ordinal, _)| *ordinal).collect();
        let fed = load::run(|feed| {
            for (ordinal, object) in placed {
                feed.object(ordinal, object);
            }
            Ok::<(), std::convert::Infallible>(())
        });
        let Ok((builder, findings, _)) = fed;
        self.findings.extend(findings);
        self.next = builder.finish(self.next.number, self.next.loaded_at);
        let shared = self.next.keys.shared_tags();
        self.report_ambiguity(&shared);
        self.report_references();
    }

    /// What was made by [`Draft::load`].
    pub(super) fn loaded(self) -> (Directory, Vec<Finding>) {
        (self.next, self.findings)
    }

    pub(super) fn take(&mut self, changes: ChangeSet, ordinals: &mut dyn OrdinalSource) {
        let mut seen: HashSet<ObjectId> = HashSet::with_capacity(changes.upserts.len());
        for object in changes.upserts {
            if seen.insert(object.id.clone()) {
                let ordinal = ordinals.ordinal(&object.id);
                self.place(ordinal, object);
            } else {
                self.findings.push(Finding::DuplicateId { id: object.id });
            }
        }
        for id in changes.removals {
            if !seen.insert(id.clone()) {
                continue;
            }
            // Asked of the old generation, so that an unknown id does not use up an ordinal.
            let known = self.base.ordinal_of(&id);
            match known.and_then(|ordinal| self.base.recipient(ordinal).map(|object| (ordinal, object))) {
                Some((ordinal, object)) => self.bury(ordinal, Tombstone::of(&object)),
                None => self.findings.push(Finding::UnknownRemoval { id }),
            }
        }
    }

    /// Objects whose ordinals are known, and ordinals of objects that are gone.
    pub(super) fn catch_up(&mut self, objects: Vec<(Ordinal, RecipientObject)>, gone: &[Ordinal]) {
        for (ordinal, object) in objects {
            self.place(ordinal, object);
        }
        for ordinal in gone {
            if let Some(object) = self.base.recipient(*ordinal) {
                self.bury(*ordinal, Tombstone::of(&object));
            }
        }
    }

    fn place(&mut self, ordinal: Ordinal, object: RecipientObject) {
        let old = self.base.row(ordinal);
        if let Some(old) = old.filter(|old| *old.source() != object.source) {
            self.findings.push(Finding::SourceChanged {
                id: object.id.clone(),
                from: old.source().clone(),
                to: object.source.clone(),
            });
        }
        if !object.is_live() {
            self.bury(ordinal, Tombstone::of(&object));
            return;
        }
        let facts = Facts::of(&object);
        self.edit_keys(old.map(RowRef::facts).as_ref(), Some(&facts), ordinal);
        self.edit_gone(self.base.tombstone(ordinal), None, ordinal);
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
        let (packed, coding) = self.packed(&object, &facts);
        self.edit_columns(old, coding, ordinal);
        set(&mut self.next.whole, ordinal, packed.is_none());
        let row = packed.map_or_else(|| Row::Whole(Arc::new(object)), Row::Packed);
        self.rows.push((ordinal, row));
    }

    /// The packed form, if it has one, and how the values are coded.
    fn packed(&mut self, object: &RecipientObject, facts: &Facts<'_>) -> (Option<Vec<u8>>, Coding) {
        let class = Class {
            kind: object.kind,
            state: object.state,
        };
        let mut coder = self.next.columns.coder(class);
        if !object.is_plain_person() {
            return (None, coder.code_all(facts));
        }
        let mut octets = Vec::with_capacity(512);
        write(facts, &mut coder, &mut octets);
        let coding = coder.finish();
        let packs = coding
            .iter()
            .any(|(column, code)| *column == ColumnId::Source && code.is_some());
        (packs.then_some(octets), coding)
    }

    fn bury(&mut self, ordinal: Ordinal, tombstone: Tombstone) {
        let old = self.base.row(ordinal);
        self.edit_keys(old.map(RowRef::facts).as_ref(), None, ordinal);
        self.edit_columns(old, Coding::new(), ordinal);
        self.edit_gone(self.base.tombstone(ordinal), Some(&tombstone), ordinal);
        for bitmap in [
            &mut self.next.live,
            &mut self.next.groups,
            &mut self.next.candidates,
            &mut self.next.whole,
        ] {
            set(bitmap, ordinal, false);
        }
        self.touched.push(ordinal);
        self.rows.push((ordinal, Row::Gone(Arc::new(tombstone))));
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
    fn edit_keys(&mut self, old: Option<&Facts<'_>>, new: Option<&Facts<'_>>, ordinal: Ordinal) {
        let (old_keys, new_keys) = (
            old.map(Keys::of).unwrap_or_default(),
            new.map(Keys::of).unwrap_or_default(),
        );
        for (from, to, action) in [
            (&old_keys, &new_keys, EditAction::Remove),
            (&new_keys, &old_keys, EditAction::Add),
        ] {
            for hash in from.hashes.iter().filter(|hash| to.hashes.binary_search(hash).is_err()) {
                self.edits.push(Edit {
                    hash: *hash,
                    ordinal,
                    action,
                });
            }
            let changed = from.finals.iter().filter(|key| !to.finals.contains(key));
            self.finals.extend(changed.cloned());
        }
        if old_keys.leaves_for != new_keys.leaves_for {
            self.finals.extend([old_keys.leaves_for, new_keys.leaves_for]);
        }
    }

    /// Notes the difference between how the old and the new row have their values.
    fn edit_columns(&mut self, old: Option<RowRef<'_>>, mut new: Coding, ordinal: Ordinal) {
        let columns = &self.base.columns;
        let mut before = match old.map(|row| (row, row.as_packed())) {
            None => Coding::new(),
            Some((_, Some(record))) => columns.coding_of_packed(record),
            Some((row, None)) => columns.coding_of_whole(&row.facts(), ordinal.0),
        };
        before.sort_unstable();
        new.sort_unstable();
        for (from, to, present) in [(&before, &new, false), (&new, &before, true)] {
            for (column, code) in from.iter().filter(|each| to.binary_search(each).is_err()) {
                let edit = RowEdit {
                    code: *code,
                    row: ordinal.0,
                    present,
                };
                self.columns.push((*column, edit));
            }
        }
    }

    pub(super) fn finish(mut self) -> (Directory, Vec<Finding>) {
        let added: Vec<(KeyPlace, Ordinal)> = self
            .edits
            .iter()
            .filter(|edit| edit.action == EditAction::Add)
            .map(|edit| (edit.hash.place(), edit.ordinal))
            .collect();
        self.rows.sort_by_key(|(ordinal, _)| *ordinal);
        self.next.rows.write(std::mem::take(&mut self.rows));
        self.columns.sort_unstable();
        for list in self.columns.chunk_by(|(a, _), (b, _)| a == b) {
            let edits: Vec<RowEdit> = list.iter().map(|(_, edit)| *edit).collect();
            if let Some((column, _)) = list.first() {
                self.next.columns.edit(*column, &edits);
            }
        }
        self.next.keys = self.next.keys.edited(std::mem::take(&mut self.edits));
        self.report_ambiguity(&added);
        self.report_references();
        self.judge_plain();
        (self.next, self.findings)
    }

    fn report_ambiguity(&mut self, added: &[(KeyPlace, Ordinal)]) {
        let mut reported: HashSet<(Space, String)> = HashSet::new();
        for (place, ordinal) in added {
            if self.next.keys.at(*place).nth(1).is_none() {
                continue;
            }
            let Some(row) = self.next.row(*ordinal) else {
                continue;
            };
            let mut doubtful: Vec<(Space, String)> = Vec::new();
            each_key(&row.facts(), &mut |space, key| {
                let matters = match space {
                    Space::Address | Space::Id | Space::Dn | Space::Legacy | Space::X500 => true,
                    // Several objects may share a target or a name; that is no fault by itself.
                    Space::Final | Space::Name | Space::Gone => false,
                };
                if matters && KeyHash::of(space, key).place() == *place {
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
                    .filter_map(|each| self.next.row(*each))
                    .map(|each| ObjectId::new(each.id()))
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
            // An object with references is stored whole.
            let Some(object) = self.next.row(*ordinal).and_then(RowRef::as_whole) else {
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
        for key in &self.finals {
            affected.extend(self.next.candidates_of(Space::Final, key).map(|ordinal| ordinal.0));
        }
        for number in affected {
            let is_plain = self.next.judge_plain(Ordinal(number));
            set(&mut self.next.plain, Ordinal(number), is_plain);
        }
    }
}

/// The keys of one object.
#[derive(Default)]
struct Keys {
    /// Of all keys, sorted.
    hashes: Vec<KeyHash>,
    /// Addresses by which it may meet another object's final address.
    finals: Vec<String>,
    /// The final address.
    leaves_for: String,
}

impl Keys {
    fn of(facts: &Facts<'_>) -> Self {
        let mut keys = Self::default();
        let own = Mailbox::key_of_valid(facts.primary);
        each_key(facts, &mut |space, key| {
            match space {
                Space::Address => keys.finals.push(key.to_owned()),
                Space::Final => {
                    key.clone_into(&mut keys.leaves_for);
                    if key == own {
                        return;
                    }
                }
                Space::Id | Space::Dn | Space::Legacy | Space::X500 | Space::Name | Space::Gone => {}
            }
            keys.hashes.push(KeyHash::of(space, key));
        });
        keys.hashes.sort_unstable();
        keys.hashes.dedup();
        keys
    }
}

/// Sets or clears a bit; a bitmap that does not change stays shared.
fn set(bitmap: &mut Arc<RoaringBitmap>, ordinal: Ordinal, present: bool) {
    edit_set(bitmap, std::iter::once((ordinal.0, present)));
}
