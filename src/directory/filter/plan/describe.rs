//! A plan for people: how each clause is served and how many rows it finds, in the order of evaluation.

use std::fmt;

use roaring::RoaringBitmap;

use super::super::evaluate::Node;
use super::super::rule::CompiledRule;
use super::PlanOptions;
use super::anatomy::Shape;
use super::ask::AskKind;
use super::batch::{Batch, Ready};
use super::gather::Gather;
use super::rows::Rows;
use crate::directory::column::Column;
use crate::directory::generation::Directory;

/// A plan as it was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Clauses in the order of evaluation; what combines comes before what it combines.
    pub lines: Vec<Line>,
    /// Rows that may belong to any dynamic group.
    pub candidates: u64,
    /// Rows found.
    pub rows: u64,
}

/// One clause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Nesting; 0 is the whole rule.
    pub depth: usize,
    /// The clause as written, or how deeper lines combine.
    pub text: String,
    /// How it is served.
    pub served: Served,
    /// Candidates that pass it by itself.
    pub rows: u64,
}

/// How a clause is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Served {
    /// By looking texts or references up.
    LookUp {
        /// How many.
        keys: u64,
        /// Rows without an index that were read as well.
        scanned: u64,
    },
    /// By trying distinct values.
    Values {
        /// How many.
        tested: u64,
        /// Rows without an index that were read as well.
        scanned: u64,
    },
    /// By the list of the groups asked for.
    Members,
    /// By the containers of the directory.
    Containers,
    /// Only at the end, against the candidates.
    Complement,
    /// From the lines below.
    Combined,
    /// It is always the same.
    Constant,
}

/// How a rule is evaluated; it is evaluated for that.
#[must_use]
pub fn describe(directory: &Directory, rule: &CompiledRule, options: &PlanOptions) -> Description {
    let batch = Batch::of(&[rule]);
    let columns: Vec<Column<'_>> = batch
        .attributes()
        .into_iter()
        .map(|attribute| directory.column(attribute))
        .collect();
    let ready = Ready::new(directory, &batch, &columns, options);
    let mut scribe = Scribe {
        gather: ready.gather(),
        ready: &ready,
        lines: Vec::new(),
    };
    let rows = scribe.rule(rule);
    Description {
        lines: scribe.lines,
        candidates: ready.candidates.len(),
        rows: rows.within(ready.candidates).len(),
    }
}

struct Scribe<'r, 'a> {
    ready: &'r Ready<'a>,
    gather: Gather,
    lines: Vec<Line>,
}

impl<'r> Scribe<'r, '_> {
    fn rule(&mut self, rule: &CompiledRule) -> Rows<'r> {
        let Some(scope) = rule.scope() else {
            return self.node(rule.node(), 0);
        };
        let place = self.open(0, "all of", Served::Combined);
        let ask = super::ask::Ask::within(scope.clone());
        let within = self.shape(&Shape::Ask(self.ready.batch.number(&ask)));
        self.lines.push(Line {
            depth: 1,
            text: format!("lies in {scope}"),
            served: Served::Containers,
            rows: self.count(&within),
        });
        let rows = within.and(self.node(rule.node(), 1));
        self.close(place, &rows);
        rows
    }

    fn node(&mut self, node: &Node, depth: usize) -> Rows<'r> {
        match node {
            Node::All(parts) => self.combined(parts, depth, "all of", Rows::all(), Rows::and),
            Node::Any(parts) => self.combined(parts, depth, "any of", Rows::none(), Rows::or),
            Node::Not(inner) => {
                let place = self.open(depth, "not", Served::Complement);
                let rows = self.node(inner, depth + 1).not();
                self.close(place, &rows);
                rows
            }
            Node::Constant(value) => {
                let place = self.open(depth, if *value { "everybody" } else { "nobody" }, Served::Constant);
                let rows = if *value { Rows::all() } else { Rows::none() };
                self.close(place, &rows);
                rows
            }
            Node::Test(matcher) => {
                let shape = self.ready.batch.shape_of(node);
                let place = self.open(depth, &matcher.text(), self.served(&shape));
                let rows = self.shape(&shape);
                self.close(place, &rows);
                rows
            }
        }
    }

    fn combined(
        &mut self,
        parts: &[Node],
        depth: usize,
        text: &str,
        start: Rows<'r>,
        combine: fn(Rows<'r>, Rows<'r>) -> Rows<'r>,
    ) -> Rows<'r> {
        let place = self.open(depth, text, Served::Combined);
        let mut order: Vec<&Node> = parts.iter().collect();
        order.sort_by_key(|part| self.ready.effort(&self.ready.batch.shape_of(part)));
        // Every clause is shown, also those that no longer decide.
        let rows = order
            .into_iter()
            .fold(start, |rows, part| combine(rows, self.node(part, depth + 1)));
        self.close(place, &rows);
        rows
    }

    fn shape(&mut self, shape: &Shape) -> Rows<'r> {
        self.ready.rows(shape, &mut self.gather)
    }

    fn served(&self, shape: &Shape) -> Served {
        let mut asks = Vec::new();
        shape.each_ask(&mut |number| asks.extend(self.ready.batch.asks.get(number)));
        let Some(first) = asks.first() else {
            return Served::Constant;
        };
        let attribute = match first.kind() {
            AskKind::Within(_) => return Served::Containers,
            AskKind::Member(_) | AskKind::MemberOfAny => return Served::Members,
            AskKind::Wide { .. } if first.group().is_some() => return Served::Members,
            AskKind::Text { attribute, .. }
            | AskKind::Value { attribute }
            | AskKind::Reference { attribute, .. }
            | AskKind::Wide { attribute } => attribute,
        };
        let view = self.ready.views.get(&attribute);
        let scanned = view.map_or(0, |view| view.inline().intersection_len(self.ready.candidates));
        let by_look_up = asks
            .iter()
            .all(|ask| matches!(ask.kind(), AskKind::Text { .. } | AskKind::Reference { .. }));
        if by_look_up {
            let keys = asks.len() as u64;
            Served::LookUp { keys, scanned }
        } else {
            let tested = view.map_or(0, |view| view.len() as u64);
            Served::Values { tested, scanned }
        }
    }

    fn open(&mut self, depth: usize, text: &str, served: Served) -> usize {
        self.lines.push(Line {
            depth,
            text: text.to_owned(),
            served,
            rows: 0,
        });
        self.lines.len() - 1
    }

    fn close(&mut self, place: usize, rows: &Rows<'_>) {
        let count = self.count(rows);
        if let Some(line) = self.lines.get_mut(place) {
            line.rows = count;
        }
    }

    fn count(&self, rows: &Rows<'_>) -> u64 {
        let candidates: &RoaringBitmap = self.ready.candidates;
        match rows {
            Rows::In(rows) => rows.intersection_len(candidates),
            Rows::AllBut(rows) => candidates.len() - rows.intersection_len(candidates),
        }
    }
}

impl fmt::Display for Served {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scan = |scanned: u64| Some(scanned).filter(|scanned| *scanned > 0);
        match *self {
            Self::LookUp { keys: 1, scanned: 0 } => out.write_str("look-up"),
            Self::LookUp { keys, scanned: 0 } => write!(out, "{keys} look-ups"),
            Self::LookUp { scanned, .. } => write!(out, "look-up and scan of {scanned} rows"),
            Self::Values { tested: 0, scanned } => write!(out, "scan of {scanned} rows"),
            Self::Values { tested, scanned } => {
                write!(out, "{tested} distinct values tested")?;
                match scan(scanned) {
                    Some(scanned) => write!(out, ", scan of {scanned} rows"),
                    None => Ok(()),
                }
            }
            Self::Members => out.write_str("list of the group"),
            Self::Containers => out.write_str("containers"),
            Self::Complement => out.write_str("candidates without"),
            Self::Combined => out.write_str("combined"),
            Self::Constant => out.write_str("constant"),
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let indent = "  ".repeat(self.depth);
        let plural = if self.rows == 1 { "" } else { "s" };
        write!(out, "{indent}{}: {}, {} row{plural}", self.text, self.served, self.rows)
    }
}

impl fmt::Display for Description {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(out, "{line}")?;
        }
        write!(out, "{} of {} candidates", self.rows, self.candidates)
    }
}
