//! The plan of a rule: set operations over the columns of a generation instead of a look at every object.
//!
//! In: compiled rules, a generation, the time. Out: the rows each rule finds, the same that
//! [`CompiledRule::matches`] finds one by one (held by a property test), and how they were found.
//!
//! What it costs, for a generation of *n* candidates:
//! * an equality on text or a reference is a look-up: its rows, nothing else;
//! * any other test is tried once per distinct value of its column, at most
//!   [`crate::directory::column`]'s limit of them;
//! * a column without an index (unique values) is read once for all rules of a batch: *n* values;
//! * membership costs the list of the group asked for; a chain of references *n* times its length;
//! * negations cost nothing until the end, when the candidates are known;
//! * combining costs the rows of the clauses, in words of 64 rows where they are many.

mod anatomy;
mod ask;
mod batch;
mod clock;
mod describe;
mod gather;
mod place;
pub mod reference;
mod rows;
mod scan;
#[cfg(test)]
mod tests;
pub(crate) mod threads;
mod view;

use jiff::Timestamp;
use roaring::RoaringBitmap;

use super::rule::CompiledRule;
use crate::directory::column::Column;
use crate::directory::generation::Directory;
pub use anatomy::{Anatomy, Anchor, Shape};
pub use ask::{Ask, AskKind, Target, TextForm};
use batch::{Batch, Ready};
pub use clock::next_change;
pub use describe::{Description, Line, Served, describe};

/// How a plan is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanOptions {
    /// The instant of evaluation.
    pub now: Timestamp,
    /// Most threads that work at once, this one included. While mail is served: half the cores (DESIGN §7).
    pub threads: usize,
}

impl PlanOptions {
    /// On this thread alone.
    #[must_use]
    pub fn alone(now: Timestamp) -> Self {
        Self { now, threads: 1 }
    }
}

/// The rows one rule finds.
#[must_use]
pub fn evaluate(directory: &Directory, rule: &CompiledRule, options: &PlanOptions) -> RoaringBitmap {
    evaluate_all(directory, &[rule], options).pop().unwrap_or_default()
}

/// The rows each rule finds, in the order of the rules.
#[must_use]
pub fn evaluate_all(directory: &Directory, rules: &[&CompiledRule], options: &PlanOptions) -> Vec<RoaringBitmap> {
    let batch = Batch::of(rules);
    let columns: Vec<Column<'_>> = batch
        .attributes()
        .into_iter()
        .map(|attribute| directory.column(attribute))
        .collect();
    let ready = Ready::new(directory, &batch, &columns, options);
    threads::each(
        options.threads,
        batch.shapes.len(),
        || ready.gather(),
        |gather, place| match batch.shapes.get(place) {
            Some(shape) => ready.rows(shape, gather).within(ready.candidates),
            None => RoaringBitmap::new(),
        },
    )
}
