//! Rows within a container.
//!
//! In: a container of the tree. Out: the rows that lie in it, each distinct container asked once.

use roaring::RoaringBitmap;

use super::super::scope::Scope;
use super::gather::Gather;
use crate::directory::generation::Directory;
use crate::directory::index::{Lookup, Ordinal};

/// The rows that lie in a container or below it.
pub(super) fn rows_within(directory: &Directory, scope: &Scope, gather: &mut Gather) -> RoaringBitmap {
    let containers = directory.containers();
    for (container, rows) in containers.coded() {
        if scope.contains_container(container) {
            gather.add(rows);
        }
    }
    let itself = match directory.objects_at(scope.place()) {
        Lookup::None => Vec::new(),
        Lookup::One(ordinal) => vec![ordinal],
        Lookup::Ambiguous(ordinals) => ordinals,
    };
    // Whoever is itself the container that is asked for is asked like the rows without an index.
    let one_by_one = containers.inline().iter().map(Ordinal).chain(itself);
    for ordinal in one_by_one {
        if directory.row(ordinal).is_some_and(|row| scope.contains_row(row)) {
            gather.insert(ordinal.0);
        }
    }
    gather.take()
}
