//! Expansion against the naive model, and what the model does not know.

mod bounds;
mod groups;
mod matrix;
pub(crate) mod organisations;
mod side_by_side;
mod stale;
pub(crate) mod support;
