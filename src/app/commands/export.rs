//! Pages of the directory for `muster export`.
//!
//! In: a generation, where to begin. Out: live objects in the order of ordinals. Never: more than a page at once.

use crate::admin::answer::DirectoryPage;
use crate::admin::command::PageQuestion;
use crate::directory::{Directory, Ordinal};
use crate::limits;

/// One page.
pub fn page(directory: &Directory, question: PageQuestion) -> DirectoryPage {
    let count = usize::try_from(question.count_max.clamp(1, limits::DIRECTORY_PAGE_MAX)).unwrap_or(1);
    let mut ordinals = directory.live().iter();
    if let Some(after) = question.after {
        ordinals.advance_to(after.saturating_add(1));
    }
    let mut objects = Vec::with_capacity(count);
    let mut last = None;
    for ordinal in ordinals.by_ref().take(count) {
        last = Some(ordinal);
        objects.extend(directory.recipient(Ordinal(ordinal)).map(|found| (*found).clone()));
    }
    DirectoryPage {
        generation: directory.number(),
        objects,
        next: last.filter(|_| ordinals.next().is_some()),
    }
}
