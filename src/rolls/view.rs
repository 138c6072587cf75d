//! What one judgement or pass may see: a directory generation and the rolls that belong to it.

use std::sync::Arc;

use roaring::RoaringBitmap;

use super::listed::{Doubt, Listed};
use super::roll::Roll;
use super::suspect::Suppressed;
use super::table::RollTable;
use crate::directory::{Directory, Found, Ordinal, RecipientObject, Reference, RowRef};

/// One pointer to a generation and its rolls; swapped as one, pinned for one judgement or pass.
///
/// Sessions, holds and queue items keep version numbers, never a view.
#[derive(Clone, Debug)]
pub struct View {
    /// The generation.
    pub directory: Arc<Directory>,
    /// Its rolls.
    pub rolls: Arc<RollTable>,
    /// Groups that are cut over from the service before: they are expanded here although others are not yet.
    pub switched: Arc<RoaringBitmap>,
    /// Whom expansion leaves out because the next hop refuses them again and again.
    pub suppressed: Arc<Suppressed>,
}

impl View {
    /// A view of both.
    #[must_use]
    pub fn new(directory: Directory, rolls: RollTable) -> Self {
        Self {
            directory: Arc::new(directory),
            rolls: Arc::new(rolls),
            switched: Arc::default(),
            suppressed: Arc::default(),
        }
    }

    /// Before the first generation.
    #[must_use]
    pub fn empty() -> Self {
        Self::new(Directory::empty(), RollTable::default())
    }

    /// A live object; single facts are cheaper by [`View::row`].
    #[must_use]
    pub fn object(&self, ordinal: Ordinal) -> Option<Found<'_>> {
        self.directory.recipient(ordinal)
    }

    /// A live object where it is stored.
    #[must_use]
    pub fn row(&self, ordinal: Ordinal) -> Option<RowRef<'_>> {
        self.directory.row(ordinal)
    }

    /// A live group.
    #[must_use]
    pub fn group(&self, ordinal: Ordinal) -> Option<&RecipientObject> {
        self.directory.group(ordinal)
    }

    /// True if the group is cut over from the service before.
    #[must_use]
    pub fn is_switched(&self, group: Ordinal) -> bool {
        self.switched.contains(group.0)
    }

    /// Whom a list of senders names, and the groups it leads to.
    #[must_use]
    pub fn listed(&self, list: &[Reference], doubt: Doubt) -> Arc<Listed> {
        self.rolls.lists().of(list, doubt, self)
    }

    /// A group's last good roll.
    #[must_use]
    pub fn roll(&self, group: Ordinal) -> Option<&Arc<Roll>> {
        self.rolls.roll(group)
    }
}
