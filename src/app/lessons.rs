//! What next hops said about recipients, on its way from delivery to the keeper of the directory.

use std::sync::Arc;

use crate::connectors::sync::DirectoryKeeper;
use crate::rolls::suspect::{Learner, Lesson, Suspects};

/// Hands lessons to the keeper, beside the mail path.
pub struct Lessons(pub Arc<DirectoryKeeper>);

impl Learner for Lessons {
    fn suspects(&self) -> Arc<Suspects> {
        self.0.suspects()
    }

    fn learn(&self, lessons: Vec<Lesson>) {
        let keeper = Arc::clone(&self.0);
        // The store is waited for elsewhere; a lesson that is lost in a crash is taught again by the next message.
        tokio::task::spawn_blocking(move || {
            if let Err(fault) = keeper.learn(&lessons) {
                tracing::error!(%fault, "what a next hop said about recipients could not be kept");
            }
        });
    }
}
