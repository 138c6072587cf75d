//! When the answer of a rule may change by the clock alone.

use roaring::RoaringBitmap;

use jiff::Timestamp;

use super::super::matcher::Matcher;
use super::super::rule::CompiledRule;
use super::PlanOptions;
use super::anatomy::Shape;
use super::batch::{Batch, Ready};
use super::gather::Gather;
use super::rows::Rows;
use crate::directory::column::Column;
use crate::directory::generation::Directory;
use crate::directory::index::Ordinal;

/// The first instant after `options.now` at which the rows of the rule may be others although nothing changes in the
/// directory; none if time alone changes nothing.
///
/// Only objects count for which the clauses about time still decide, so that a rule about one department does not
/// wake up for the others. At the instant the rule is evaluated again and the next one asked for.
#[must_use]
pub fn next_change(directory: &Directory, rule: &CompiledRule, options: &PlanOptions) -> Option<Timestamp> {
    let mut timed: Vec<&Matcher> = Vec::new();
    rule.node().each_test(&mut |matcher| {
        if matcher.depends_on_now() {
            timed.push(matcher);
        }
    });
    if timed.is_empty() {
        return None;
    }
    let batch = Batch::of(&[rule]);
    let columns: Vec<Column<'_>> = batch
        .attributes()
        .into_iter()
        .map(|attribute| directory.column(attribute))
        .collect();
    let ready = Ready::new(directory, &batch, &columns, options);
    let shape = batch.shapes.first()?;
    let (surely, possibly) = bounds(&ready, shape, &mut ready.gather());
    let open: RoaringBitmap = possibly.and(surely.not()).within(ready.candidates);
    let mut next: Option<Timestamp> = None;
    for number in open {
        let Some(row) = directory.row(Ordinal(number)) else {
            continue;
        };
        for matcher in &timed {
            let instant = matcher.next_change(&row.value(matcher.attribute()), options.now);
            next = [next, instant].into_iter().flatten().min();
        }
    }
    next
}

/// Rows that pass whatever the time, and those that pass at some time at most.
fn bounds<'r>(ready: &'r Ready<'_>, shape: &Shape, gather: &mut Gather) -> (Rows<'r>, Rows<'r>) {
    match shape {
        Shape::Ask(number) if ready.batch.asks.get(*number).is_some_and(super::Ask::depends_on_now) => {
            (Rows::none(), Rows::all())
        }
        Shape::Ask(_) | Shape::Constant(_) => (ready.rows(shape, gather), ready.rows(shape, gather)),
        Shape::Not(inner) => {
            let (surely, possibly) = bounds(ready, inner, gather);
            (possibly.not(), surely.not())
        }
        Shape::All(parts) => parts
            .iter()
            .fold((Rows::all(), Rows::all()), |(surely, possibly), part| {
                let (one, two) = bounds(ready, part, gather);
                (surely.and(one), possibly.and(two))
            }),
        Shape::Any(parts) => parts
            .iter()
            .fold((Rows::none(), Rows::none()), |(surely, possibly), part| {
                let (one, two) = bounds(ready, part, gather);
                (surely.or(one), possibly.or(two))
            }),
    }
}
