//! Equal texts share one allocation: a thousand colleagues, one "Sales".

use std::collections::HashSet;
use std::sync::Arc;

/// Texts seen while a set of objects is loaded; dropped afterwards, the shared texts stay.
#[derive(Debug, Default)]
pub struct Interner(HashSet<Arc<str>>);

impl Interner {
    /// Longest text worth sharing, in bytes; longer ones are rarely equal.
    const TEXT_BYTES_MAX: usize = 256;

    /// The shared form of a text.
    pub fn text(&mut self, text: &str) -> Arc<str> {
        if text.len() > Self::TEXT_BYTES_MAX {
            return text.into();
        }
        match self.0.get(text) {
            Some(shared) => Arc::clone(shared),
            None => {
                let shared: Arc<str> = text.into();
                self.0.insert(Arc::clone(&shared));
                shared
            }
        }
    }

    /// Replaces a text by its shared form.
    pub fn share(&mut self, text: &mut Arc<str>) {
        if let Some(shared) = self.0.get(&**text) {
            *text = Arc::clone(shared);
        } else if text.len() <= Self::TEXT_BYTES_MAX {
            self.0.insert(Arc::clone(text));
        }
    }
}
