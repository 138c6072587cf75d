//! Objects, their ordinals and the rolls, of one directory space.
//!
//! In: change batches. Out: everything, once, at start. A batch is kept whole or not at all; when
//! [`DirectoryStore::store`] has returned it survives a power cut.
//! Never: an ordinal used for two objects in one space (DESIGN §5).

use std::sync::Arc;

use jiff::Timestamp;

use super::StoreFault;
use super::life::{
    AttributeChange, AuditEntry, FormerRoll, GoneRow, HistoryQuery, LifeBatch, LifeState, Pruned, RollChange,
};
#[cfg(doc)]
use crate::directory::stored;
use crate::directory::{Directory, Ordinal};
use crate::rolls::Roll;
use crate::rolls::history::Difference;

/// One recipient object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ObjectRow {
    /// Its ordinal in the space.
    pub ordinal: u32,
    /// Its stable id in its source; no two rows have the same.
    pub id: String,
    /// The object, as [`stored::encode`] writes it.
    pub octets: Vec<u8>,
}

/// What changes together: one generation.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ChangeBatch {
    /// The generation this makes; above the one before.
    pub generation: u64,
    /// No object has this ordinal or a higher one; never goes down.
    pub ordinal_next: u32,
    /// New and changed objects, whole.
    pub objects: Vec<ObjectRow>,
    /// Ordinals of objects that go. Their ordinals stay used.
    pub objects_removed: Vec<u32>,
    /// When; the time at which removed rolls went.
    pub at: Timestamp,
    /// New versions of rolls.
    pub rolls: Vec<RollChange>,
    /// Rolls that were found right again: only their provenance changed.
    pub rolls_confirmed: Vec<Arc<Roll>>,
    /// Groups whose rolls go. Their history stays for its time.
    pub rolls_removed: Vec<u32>,
    /// Digests of whole snapshots that serve, by source; none: not known any more.
    pub digests: Vec<(String, Option<String>)>,
    /// What else changes with it.
    pub life: LifeBatch,
}

/// Everything stored but the objects.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct DirectoryState {
    /// The space's UUID: new when the store was created.
    pub space: String,
    /// The latest generation; 0 before the first.
    pub generation: u64,
    /// First ordinal never used.
    pub ordinal_next: u32,
    /// Rolls in the order of groups.
    pub rolls: Vec<Roll>,
    /// Digest of the latest snapshot of each source, if it is known.
    pub digests: Vec<(String, String)>,
    /// What is kept beside them.
    pub life: LifeState,
    /// Rows that are not what was written: left out above, for an operator to know.
    pub damaged: Vec<String>,
}

/// Keeps a directory. Methods block; call them beside the mail path.
pub trait DirectoryStore: Send + Sync + 'static {
    /// Reads everything but the objects.
    fn load(&self) -> Result<DirectoryState, StoreFault>;

    /// Calls `visit` with every object as stored, in the order of ordinals. Returns which rows are not what was
    /// written; they are left out.
    fn objects(&self, visit: &mut dyn FnMut(Ordinal, &[u8])) -> Result<Vec<String>, StoreFault>;

    /// Keeps a batch: objects, ordinals, rolls and generation in one commit.
    fn store(&self, batch: ChangeBatch) -> Result<(), StoreFault>;

    /// Keeps what needs no new generation, in one commit.
    fn keep(&self, life: LifeBatch) -> Result<(), StoreFault>;

    /// A group's differences, newest version first.
    fn history(&self, group: Ordinal, query: HistoryQuery) -> Result<Vec<Difference>, StoreFault>;

    /// The differences of all groups that came to serve at this time or later, in the order of groups and versions.
    /// The first version of a group is left aside: it is the whole list.
    fn history_since(&self, time: Timestamp) -> Result<Vec<Difference>, StoreFault>;

    /// The last roll of a group that is gone.
    fn former_roll(&self, group: Ordinal) -> Result<Option<FormerRoll>, StoreFault>;

    /// Those of these objects that are gone and not yet forgotten.
    fn gone(&self, ordinals: &[Ordinal]) -> Result<Vec<GoneRow>, StoreFault>;

    /// The last change of each value of an object that is not yet forgotten.
    fn attribute_changes(&self, ordinal: Ordinal) -> Result<Vec<AttributeChange>, StoreFault>;

    /// What was decided, newest first; about one subject, or all.
    fn audit(&self, subject: Option<&str>, count_max: usize) -> Result<Vec<AuditEntry>, StoreFault>;

    /// The generation of the image that was kept, brought to the generation of the store. None if there is no image
    /// or it is of no use any more: the objects say the same, more slowly.
    fn recall(&self, _now: Timestamp) -> Result<Option<Directory>, StoreFault> {
        Ok(None)
    }

    /// Keeps an image of the latest generation, which `latest` gives when asked, in place of the one before. It may
    /// take seconds; commits go on meanwhile. A store without images does nothing.
    fn keep_image(&self, _latest: &dyn Fn() -> Arc<Directory>) -> Result<(), StoreFault> {
        Ok(())
    }

    /// Objects that changed since the image, as far as that matters for when to keep the next.
    fn since_image(&self) -> SinceImage {
        SinceImage::NoImages
    }

    /// Removes what is older than the retention. Differences that a stored roll needs stay.
    fn prune(&self, before: Timestamp) -> Result<Pruned, StoreFault>;
}

/// How old the image of a store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SinceImage {
    /// This store keeps none.
    NoImages,
    /// There is none now.
    Missing,
    /// So many objects changed since.
    Changed(usize),
}

/// A directory store shared by connectors and rolls.
pub type SharedDirectoryStore = Arc<dyn DirectoryStore>;

/// The generation that a store holds. Objects that are damaged or cannot be read are left out and said.
pub fn load_directory(store: &dyn DirectoryStore, generation: u64, now: Timestamp) -> Result<Directory, StoreFault> {
    if generation == 0 {
        return Ok(Directory::empty());
    }
    let mut damaged = Vec::new();
    let (directory, unreadable) = Directory::load(generation, now, |feed| {
        damaged = store.objects(&mut |ordinal, octets| feed.stored(ordinal, octets))?;
        Ok::<(), StoreFault>(())
    })?;
    for damage in damaged {
        tracing::error!(%damage, "a row of the directory store is damaged and left out");
    }
    for each in unreadable {
        tracing::error!(ordinal = each.ordinal.0, fault = %each.fault, "a stored object cannot be read and is left out");
    }
    Ok(directory)
}

/// What a store must remember to refuse contradictions: the two counters.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Known {
    pub(crate) generation: u64,
    pub(crate) ordinal_next: u32,
}

impl Known {
    /// What is wrong with a batch, if anything; `id_of` says whose an ordinal is now. That no id has two ordinals
    /// is the store's to hold, with its own means.
    pub(crate) fn check(
        self,
        batch: &ChangeBatch,
        mut id_of: impl FnMut(u32) -> Result<Option<String>, StoreFault>,
    ) -> Result<(), StoreFault> {
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
        for ObjectRow { ordinal, id, .. } in &batch.objects {
            if *ordinal >= batch.ordinal_next {
                return contradiction(format!("ordinal {ordinal} of `{id}` is not below the next one"));
            }
            // Nobody had an ordinal from the counter on.
            if *ordinal < self.ordinal_next {
                match id_of(*ordinal)? {
                    Some(known) if known == *id => {}
                    Some(known) => {
                        return contradiction(format!("ordinal {ordinal} belongs to `{known}`, not to `{id}`"));
                    }
                    None => return contradiction(format!("ordinal {ordinal} of `{id}` was used before")),
                }
            }
        }
        Ok(())
    }

    /// Takes a batch that was stored.
    pub(crate) fn apply(&mut self, batch: &ChangeBatch) {
        self.generation = batch.generation;
        self.ordinal_next = batch.ordinal_next;
    }
}

/// An id that would have two ordinals.
pub(crate) fn second_ordinal(id: &str) -> StoreFault {
    StoreFault::Contradiction(format!("object `{id}` has another ordinal"))
}

#[cfg(test)]
#[path = "contract.rs"]
pub(crate) mod contract;
