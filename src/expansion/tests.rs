//! Expansion against the naive model, and what the model does not know.

mod bounds;
mod groups;
mod matrix;
mod organisations;
mod side_by_side;
mod stale;
mod support;
