//! Many rules evaluated together: each ask once, each row read once.
//!
//! In: rules and a generation. Out: a set of rows per rule. First the columns are made ready, then rows without an
//! index are read for all asks at once, then what several rules share is answered, and at last each rule combines.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use roaring::RoaringBitmap;

use super::super::evaluate::Node;
use super::super::membership::{DirectMembers, direct_members, members_asked};
use super::super::rule::CompiledRule;
use super::anatomy::{Anatomy, Shape};
use super::ask::{Ask, AskKind};
use super::gather::Gather;
use super::place;
use super::rows::Rows;
use super::scan::{self, Scanner};
use super::view::View;
use super::{PlanOptions, threads};
use crate::directory::attribute::Attribute;
use crate::directory::column::Column;
use crate::directory::generation::Directory;

/// Ordinals whose rows one part of a scan reads.
const SCAN_PART_ROWS: u32 = 16_384;

/// What several rules ask, each ask once.
pub(super) struct Batch {
    pub(super) asks: Vec<Ask>,
    /// How many rules make each ask.
    uses: Vec<usize>,
    pub(super) shapes: Vec<Shape>,
    places: HashMap<Ask, usize>,
}

impl Batch {
    pub(super) fn of(rules: &[&CompiledRule]) -> Self {
        let mut batch = Self {
            asks: Vec::new(),
            uses: Vec::new(),
            shapes: Vec::with_capacity(rules.len()),
            places: HashMap::new(),
        };
        for rule in rules {
            let anatomy = Anatomy::of(rule);
            let numbers: Vec<usize> = anatomy.asks.into_iter().map(|ask| batch.take(ask)).collect();
            batch.shapes.push(renumbered(anatomy.shape, &numbers));
        }
        batch
    }

    fn take(&mut self, ask: Ask) -> usize {
        let number = *self.places.entry(ask).or_insert_with_key(|ask| {
            self.asks.push(ask.clone());
            self.uses.push(0);
            self.asks.len() - 1
        });
        if let Some(uses) = self.uses.get_mut(number) {
            *uses += 1;
        }
        number
    }

    /// The number of an ask of the batch's rules.
    pub(super) fn number(&self, ask: &Ask) -> usize {
        self.places.get(ask).copied().unwrap_or(usize::MAX)
    }

    /// The shape of a part of the batch's rules.
    pub(super) fn shape_of(&self, node: &Node) -> Shape {
        super::anatomy::shape(node, &mut |ask| self.number(&ask))
    }

    /// Asks that read an attribute, with their numbers.
    fn about(&self, attribute: Attribute) -> impl Iterator<Item = (usize, &Ask)> {
        self.asks
            .iter()
            .enumerate()
            .filter(move |(_, ask)| ask.attribute() == Some(attribute) && attribute != Attribute::MemberOfGroup)
    }

    pub(super) fn attributes(&self) -> Vec<Attribute> {
        let mut all: Vec<Attribute> = self.asks.iter().filter_map(Ask::attribute).collect();
        all.sort_unstable();
        all.dedup();
        all.retain(|attribute| *attribute != Attribute::MemberOfGroup);
        all
    }
}

fn renumbered(shape: Shape, numbers: &[usize]) -> Shape {
    let each = |parts: Box<[Shape]>| parts.into_iter().map(|part| renumbered(part, numbers)).collect();
    match shape {
        Shape::All(parts) => Shape::All(each(parts)),
        Shape::Any(parts) => Shape::Any(each(parts)),
        Shape::Not(inner) => Shape::Not(Box::new(renumbered(*inner, numbers))),
        Shape::Ask(place) => Shape::Ask(numbers.get(place).copied().unwrap_or(place)),
        Shape::Constant(value) => Shape::Constant(value),
    }
}

/// A batch over one generation, ready to combine.
pub(super) struct Ready<'a> {
    pub(super) directory: &'a Directory,
    pub(super) batch: &'a Batch,
    pub(super) candidates: &'a RoaringBitmap,
    pub(super) views: BTreeMap<Attribute, View<'a>>,
    /// Rows among those read one by one, per ask.
    pub(super) scanned: Vec<RoaringBitmap>,
    /// Answers that several rules need, per ask.
    shared: Vec<Option<Rows<'static>>>,
    context: DirectMembers<'a>,
}

impl<'a> Ready<'a> {
    pub(super) fn new(
        directory: &'a Directory,
        batch: &'a Batch,
        columns: &'a [Column<'a>],
        options: &PlanOptions,
    ) -> Self {
        let candidates = directory.candidates();
        let views = threads::each(
            options.threads,
            columns.len(),
            || (),
            |(), place| {
                let column = columns.get(place)?;
                let asks = batch.about(column.attribute()).map(|(_, ask)| ask);
                Some((column.attribute(), View::new(directory, column, asks)))
            },
        );
        let mut ready = Self {
            directory,
            batch,
            candidates,
            views: views.into_iter().flatten().collect(),
            scanned: vec![RoaringBitmap::new(); batch.asks.len()],
            shared: Vec::new(),
            context: DirectMembers::of_nobody(directory, options.now),
        };
        ready.scan(options);
        ready.share(options);
        ready
    }

    /// Reads every row that has no index, for all asks about its column.
    fn scan(&mut self, options: &PlanOptions) {
        let mut scanners = Vec::new();
        for (attribute, view) in &self.views {
            let rows = view.inline() & self.candidates;
            let Some(last) = rows.max() else { continue };
            let scanner = Scanner::new(&self.context, self.directory, *attribute, self.batch.about(*attribute));
            scanners.push((scanner, rows, last));
        }
        let parts: Vec<(usize, u32)> = scanners
            .iter()
            .enumerate()
            .flat_map(|(place, (_, _, last))| (0..=last / SCAN_PART_ROWS).map(move |part| (place, part)))
            .collect();
        let found = threads::each(
            options.threads,
            parts.len(),
            || (),
            |(), number| {
                let (place, part) = parts.get(number).copied()?;
                let (scanner, rows, _) = scanners.get(place)?;
                let first = part * SCAN_PART_ROWS;
                Some(scanner.run(rows.range(first..=first | (SCAN_PART_ROWS - 1))))
            },
        );
        let found = found.into_iter().flatten().collect();
        drop(scanners);
        self.scanned = scan::collect(found, self.batch.asks.len());
    }

    /// Answers asks that more than one rule makes, and all about membership.
    fn share(&mut self, options: &PlanOptions) {
        let answers = threads::each(
            options.threads,
            self.batch.asks.len(),
            || self.gather(),
            |gather, number| {
                let ask = self.batch.asks.get(number)?;
                let many = self.batch.uses.get(number).is_some_and(|uses| *uses > 1);
                let shared = match ask.kind() {
                    // Looked up anew more cheaply than kept.
                    AskKind::Text { .. } | AskKind::Reference { .. } => false,
                    AskKind::Value { .. } | AskKind::Within(_) | AskKind::Member(_) | AskKind::Wide { .. } => many,
                    AskKind::MemberOfAny => many,
                };
                shared.then(|| self.answer(number, gather).into_owned())
            },
        );
        self.shared = answers;
    }

    pub(super) fn gather(&self) -> Gather {
        Gather::new(self.directory.live().max().map_or(0, |last| last.saturating_add(1)))
    }

    /// Rows that pass an ask.
    pub(super) fn answer(&self, number: usize, gather: &mut Gather) -> Rows<'_> {
        if let Some(Some(rows)) = self.shared.get(number) {
            return rows.borrowed();
        }
        let Some(ask) = self.batch.asks.get(number) else {
            return Rows::none();
        };
        match ask.kind() {
            AskKind::Text { attribute, .. } | AskKind::Value { attribute } | AskKind::Reference { attribute, .. } => {
                self.of_column(number, attribute, ask, gather)
            }
            AskKind::Wide { attribute } => match ask.group() {
                Some(group) => Rows::In(Cow::Owned(members_asked(self.directory, group))),
                None => self.of_column(number, attribute, ask, gather),
            },
            AskKind::Within(scope) => Rows::In(Cow::Owned(place::rows_within(self.directory, scope, gather))),
            AskKind::Member(group) => Rows::In(Cow::Owned(members_asked(self.directory, group))),
            AskKind::MemberOfAny => {
                let groups = self.directory.group_set().iter();
                let mut all = RoaringBitmap::new();
                for group in groups {
                    all |= direct_members(self.directory, crate::directory::index::Ordinal(group));
                }
                Rows::In(Cow::Owned(all))
            }
        }
    }

    fn of_column(&self, number: usize, attribute: Attribute, ask: &Ask, gather: &mut Gather) -> Rows<'_> {
        match (self.views.get(&attribute), self.scanned.get(number)) {
            (Some(view), Some(scanned)) => view.rows(&self.context, self.directory, ask, scanned, gather),
            (None, _) | (_, None) => Rows::none(),
        }
    }

    /// Rows that pass a shape.
    pub(super) fn rows(&self, shape: &Shape, gather: &mut Gather) -> Rows<'_> {
        match shape {
            Shape::Constant(true) => Rows::all(),
            Shape::Constant(false) => Rows::none(),
            Shape::Not(inner) => self.rows(inner, gather).not(),
            Shape::Ask(number) => self.answer(*number, gather),
            Shape::All(parts) => {
                let mut rows = Rows::all();
                for part in self.in_order(parts) {
                    rows = rows.and(self.rows(part, gather));
                    if rows.is_none() {
                        break;
                    }
                }
                rows
            }
            Shape::Any(parts) => {
                let mut rows = Rows::none();
                for part in self.in_order(parts) {
                    rows = rows.or(self.rows(part, gather));
                    if rows.is_all() {
                        break;
                    }
                }
                rows
            }
        }
    }

    /// Look-ups before tests of values, those before everything that combines: what comes first may decide.
    pub(super) fn in_order<'s>(&self, parts: &'s [Shape]) -> Vec<&'s Shape> {
        let mut order: Vec<&Shape> = parts.iter().collect();
        order.sort_by_key(|part| self.effort(part));
        order
    }

    pub(super) fn effort(&self, shape: &Shape) -> u8 {
        match shape {
            Shape::Constant(_) => 0,
            Shape::Not(inner) => self.effort(inner).saturating_add(1),
            Shape::Ask(number) => match self.batch.asks.get(*number).map(Ask::kind) {
                Some(AskKind::Text { .. } | AskKind::Reference { .. }) | None => 1,
                Some(AskKind::Member(_)) => 3,
                Some(AskKind::Within(_)) => 5,
                Some(AskKind::Value { .. }) => 7,
                Some(AskKind::MemberOfAny | AskKind::Wide { .. }) => 9,
            },
            Shape::All(_) | Shape::Any(_) => 11,
        }
    }
}
