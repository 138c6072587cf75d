//! Objects, their ordinals and the rolls, of one directory space.
//!
//! In: change batches. Out: everything, once, at start. A batch is kept whole or not at all; when
//! [`DirectoryStore::store`] has returned it survives a power cut.
//! Never: an ordinal used for two objects in one space (DESIGN §5).

use std::collections::HashMap;
use std::sync::Arc;

use super::StoreFault;

/// One recipient object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ObjectRow {
    /// Its ordinal in the space.
    pub ordinal: u32,
    /// Its stable id in its source.
    pub id: String,
    /// Name of the source that owns it.
    pub source: String,
    /// The object.
    pub json: String,
}

/// The stored roll of one group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RollRow {
    /// Ordinal of the group.
    pub group: u32,
    /// Version; goes up with every change of entries.
    pub version: u64,
    /// Ordinals of direct entries as a serialised bitmap.
    pub entries: Vec<u8>,
    /// Entries that name nobody yet, as text.
    pub unresolved: Vec<String>,
    /// Generation number, filter hash, computed at, confirmed at, cause: JSON.
    pub provenance: String,
}

/// What changes together: one generation.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ChangeBatch {
    /// The generation this makes; above the one before.
    pub generation: u64,
    /// No object has this ordinal or a higher one; never goes down.
    pub ordinal_next: u32,
    /// New and changed objects, whole.
    pub objects: Vec<ObjectRow>,
    /// Ordinals of objects that go. Their ordinals stay used.
    pub objects_removed: Vec<u32>,
    /// New and changed rolls, whole.
    pub rolls: Vec<RollRow>,
    /// Groups whose rolls go.
    pub rolls_removed: Vec<u32>,
}

/// Everything stored.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DirectoryState {
    /// The space's UUID: new when the store was created.
    pub space: String,
    /// The latest generation; 0 before the first.
    pub generation: u64,
    /// First ordinal never used.
    pub ordinal_next: u32,
    /// Objects in the order of ordinals.
    pub objects: Vec<ObjectRow>,
    /// Rolls in the order of groups.
    pub rolls: Vec<RollRow>,
    /// Rows that are not what was written: left out above, for an operator to know.
    pub damaged: Vec<String>,
}

/// Keeps a directory. Methods block; call them beside the mail path.
pub trait DirectoryStore: Send + Sync + 'static {
    /// Reads everything.
    fn load(&self) -> Result<DirectoryState, StoreFault>;

    /// Keeps a batch: objects, ordinals, rolls and generation in one commit.
    fn store(&self, batch: ChangeBatch) -> Result<(), StoreFault>;
}

/// A directory store shared by connectors and rolls.
pub type SharedDirectoryStore = Arc<dyn DirectoryStore>;

/// What a store must remember to refuse contradictions: ids by ordinal and the two counters.
#[derive(Debug, Default)]
pub(crate) struct Known {
    generation: u64,
    ordinal_next: u32,
    ordinals: HashMap<String, u32>,
    ids: HashMap<u32, String>,
}

impl Known {
    /// From what is stored.
    pub(crate) fn new(state: &DirectoryState) -> Self {
        let mut known = Self {
            generation: state.generation,
            ordinal_next: state.ordinal_next,
            ..Self::default()
        };
        for object in &state.objects {
            known.keep(object);
        }
        known
    }

    fn keep(&mut self, object: &ObjectRow) {
        if let Some(known) = self.ids.insert(object.ordinal, object.id.clone()) {
            self.ordinals.remove(&known);
        }
        self.ordinals.insert(object.id.clone(), object.ordinal);
    }

    /// What is wrong with a batch, if anything.
    pub(crate) fn check(&self, batch: &ChangeBatch) -> Result<(), StoreFault> {
        let contradiction = |text: String| Err(StoreFault::Contradiction(text));
        if batch.generation <= self.generation {
            return contradiction(format!("generation {} after {}", batch.generation, self.generation));
        }
        if batch.ordinal_next < self.ordinal_next {
            return contradiction(format!(
                "next ordinal {} after {}",
                batch.ordinal_next, self.ordinal_next
            ));
        }
        for object in &batch.objects {
            let ObjectRow { ordinal, id, .. } = object;
            let other = self.ordinals.get(id).filter(|known| *known != ordinal);
            if let Some(other) = other.filter(|other| !batch.objects_removed.contains(other)) {
                return contradiction(format!("object `{id}` has ordinal {other}, not {ordinal}"));
            }
            match self.ids.get(ordinal) {
                Some(known) if known != id => {
                    return contradiction(format!("ordinal {ordinal} belongs to `{known}`, not to `{id}`"));
                }
                None if *ordinal < self.ordinal_next => {
                    return contradiction(format!("ordinal {ordinal} of `{id}` was used before"));
                }
                Some(_) | None => {}
            }
            if *ordinal >= batch.ordinal_next {
                return contradiction(format!("ordinal {ordinal} of `{id}` is not below the next one"));
            }
        }
        Ok(())
    }

    /// Takes a batch that was stored.
    pub(crate) fn apply(&mut self, batch: &ChangeBatch) {
        self.generation = batch.generation;
        self.ordinal_next = batch.ordinal_next;
        for ordinal in &batch.objects_removed {
            if let Some(id) = self.ids.remove(ordinal) {
                self.ordinals.remove(&id);
            }
        }
        batch.objects.iter().for_each(|object| self.keep(object));
    }
}

#[cfg(test)]
pub(crate) mod contract {
    //! What every directory store must do.

    use super::*;

    /// An object as tests store it.
    pub(crate) fn object(ordinal: u32) -> ObjectRow {
        ObjectRow {
            ordinal,
            id: format!("id-{ordinal}"),
            source: "files".to_owned(),
            json: format!("{{\"kind\":\"mailbox\",\"mail\":\"person{ordinal}@contoso.example\"}}"),
        }
    }

    /// A roll as tests store it.
    pub(crate) fn roll(group: u32, version: u64) -> RollRow {
        RollRow {
            group,
            version,
            entries: vec![1, 2, 3, version as u8],
            unresolved: vec!["nobody@contoso.example".to_owned()],
            provenance: "{\"cause\":\"test\"}".to_owned(),
        }
    }

    /// Two generations, then contradictions; returns what must be there.
    pub(crate) fn check(store: &dyn DirectoryStore) -> DirectoryState {
        let empty = store.load().expect("loads");
        assert_eq!((empty.generation, empty.ordinal_next, empty.objects.len()), (0, 0, 0));
        assert!(!empty.space.is_empty());
        let first = ChangeBatch {
            generation: 1,
            ordinal_next: 4,
            objects: (0..4).map(object).collect(),
            rolls: vec![roll(0, 1), roll(3, 1)],
            ..ChangeBatch::default()
        };
        store.store(first.clone()).expect("stores");
        let mut renamed = object(1);
        renamed.json = "{}".to_owned();
        let second = ChangeBatch {
            generation: 2,
            ordinal_next: 5,
            objects: vec![renamed.clone(), object(4)],
            objects_removed: vec![2],
            rolls: vec![roll(0, 2)],
            rolls_removed: vec![3],
        };
        store.store(second.clone()).expect("stores");
        let expected = DirectoryState {
            space: empty.space,
            generation: 2,
            ordinal_next: 5,
            objects: vec![object(0), renamed, object(3), object(4)],
            rolls: vec![roll(0, 2)],
            damaged: Vec::new(),
        };
        assert_eq!(store.load().as_ref(), Ok(&expected));
        let mut stranger = object(3);
        stranger.id = "another".to_owned();
        let mut moved = object(5);
        moved.id = "id-3".to_owned();
        for (what, objects, generation, ordinal_next) in [
            ("an old generation", vec![], 2, 5),
            ("a counter that goes down", vec![], 3, 4),
            ("an ordinal with another object", vec![stranger], 3, 5),
            ("an object with another ordinal", vec![moved], 3, 6),
            ("an ordinal of a removed object", vec![object(2)], 3, 5),
            ("an ordinal above the counter", vec![object(7)], 3, 7),
        ] {
            let batch = ChangeBatch {
                generation,
                ordinal_next,
                objects,
                ..ChangeBatch::default()
            };
            assert!(
                matches!(store.store(batch), Err(StoreFault::Contradiction(_))),
                "{what}"
            );
        }
        assert_eq!(
            store.load().as_ref(),
            Ok(&expected),
            "nothing of a contradiction was kept"
        );
        expected
    }
}
