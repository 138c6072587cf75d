//! A rule taken apart: what it asks, and how the answers combine.
//!
//! In: a compiled rule. Out: its distinct [`Ask`]s and a [`Shape`] over them, the container of the rule being one
//! more of them. Never: an ask that two rules share and that compares as two.

use super::ask::Ask;
use crate::directory::filter::evaluate::Node;
use crate::directory::filter::rule::CompiledRule;

/// How answers combine; asks are named by their place in [`Anatomy::asks`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// All of these.
    All(Box<[Shape]>),
    /// Any of these.
    Any(Box<[Shape]>),
    /// The opposite.
    Not(Box<Shape>),
    /// One ask.
    Ask(usize),
    /// Always the same.
    Constant(bool),
}

impl Shape {
    /// Calls `visit` with the place of every ask.
    pub fn each_ask(&self, visit: &mut dyn FnMut(usize)) {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.each_ask(visit)),
            Self::Not(inner) => inner.each_ask(visit),
            Self::Ask(place) => visit(*place),
            Self::Constant(_) => {}
        }
    }
}

/// A rule taken apart.
#[derive(Debug, Clone)]
pub struct Anatomy {
    /// What the rule asks, each once.
    pub asks: Vec<Ask>,
    /// How the answers combine.
    pub shape: Shape,
}

/// Asks of which at least one must hold wherever the rule holds: places in [`Anatomy::asks`].
pub type Anchor = Vec<usize>;

impl Anatomy {
    /// Takes a rule apart.
    pub fn of(rule: &CompiledRule) -> Self {
        let mut asks = Vec::new();
        let node = shape(rule.node(), &mut |ask| place_of(ask, &mut asks));
        let shape = match rule.scope() {
            Some(scope) => {
                let place = place_of(Ask::within(scope.clone()), &mut asks);
                Shape::All([Shape::Ask(place), node].into())
            }
            None => node,
        };
        Self { asks, shape }
    }

    /// Sets of asks by any of which the rule can be found: each is a condition without which nobody matches.
    /// Narrow ones come first. None if the rule may hold for an object that passes none of its asks.
    pub fn anchors(&self) -> Vec<Anchor> {
        let mut found = self.anchors_of(&self.shape, true);
        found.sort_by_key(|anchor| (self.width(anchor), anchor.len()));
        found
    }

    /// The narrowest kind decides how good an anchor is; the widest of its asks is what counts.
    pub fn width(&self, anchor: &Anchor) -> u8 {
        let widths = anchor.iter().filter_map(|place| self.asks.get(*place)?.width());
        widths.max().unwrap_or(0)
    }

    fn anchors_of(&self, shape: &Shape, wanted: bool) -> Vec<Anchor> {
        match (shape, wanted) {
            (Shape::Not(inner), _) => self.anchors_of(inner, !wanted),
            (Shape::Constant(value), _) if *value == wanted => Vec::new(),
            // It never holds: no ask is needed to find it.
            (Shape::Constant(_), _) => vec![Vec::new()],
            (Shape::Ask(place), true) => match self.asks.get(*place).and_then(Ask::width) {
                Some(_) => vec![vec![*place]],
                None => Vec::new(),
            },
            (Shape::Ask(_), false) => Vec::new(),
            // Each part is a condition by itself.
            (Shape::All(parts), true) | (Shape::Any(parts), false) => {
                parts.iter().flat_map(|part| self.anchors_of(part, wanted)).collect()
            }
            // One part is enough, so every part needs its anchor.
            (Shape::Any(parts), true) | (Shape::All(parts), false) => {
                let mut all = Anchor::new();
                for part in parts {
                    let options = self.anchors_of(part, wanted);
                    let Some(best) = options
                        .into_iter()
                        .min_by_key(|anchor| (self.width(anchor), anchor.len()))
                    else {
                        return Vec::new();
                    };
                    all.extend(best);
                }
                all.sort_unstable();
                all.dedup();
                vec![all]
            }
        }
    }
}

/// The shape of a condition; `place` gives each ask its place.
pub(super) fn shape(node: &Node, place: &mut dyn FnMut(Ask) -> usize) -> Shape {
    match node {
        Node::All(parts) => Shape::All(parts.iter().map(|part| shape(part, place)).collect()),
        Node::Any(parts) => Shape::Any(parts.iter().map(|part| shape(part, place)).collect()),
        Node::Not(inner) => Shape::Not(Box::new(shape(inner, place))),
        Node::Constant(value) => Shape::Constant(*value),
        Node::Test(matcher) => {
            let split = Ask::split(matcher);
            let mut any: Vec<Shape> = split.any.into_iter().map(|ask| Shape::Ask(place(ask))).collect();
            let asked = match (any.pop(), any.is_empty()) {
                (Some(only), true) => only,
                (Some(last), false) => {
                    any.push(last);
                    Shape::Any(any.into())
                }
                (None, _) => Shape::Constant(false),
            };
            if split.negated {
                Shape::Not(Box::new(asked))
            } else {
                asked
            }
        }
    }
}

fn place_of(ask: Ask, asks: &mut Vec<Ask>) -> usize {
    // A filter has at most some hundred comparisons; a chain of `-or` over one attribute is the long case.
    asks.iter().position(|each| *each == ask).unwrap_or_else(|| {
        asks.push(ask);
        asks.len() - 1
    })
}
