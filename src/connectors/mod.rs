//! Sources of recipient objects.

pub mod guard;
pub mod sync;
