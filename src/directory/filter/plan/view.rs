//! One column made ready for many asks.
//!
//! In: the distinct values of an attribute with their rows, and what is to be asked. Out: the rows of each ask.
//! Never: a value looked at twice for one ask; an equality that looks at more than its own value.

use std::borrow::Cow;
use std::collections::HashMap;

use roaring::RoaringBitmap;

use super::super::context::EvaluationContext;
use super::ask::{Ask, AskKind, Target, TextForm};
use super::gather::Gather;
use super::reference::Named;
use super::rows::Rows;
use crate::directory::column::{Column, Postings};
use crate::directory::generation::Directory;
use crate::directory::group::ComparisonProfile;
use crate::directory::value::ValueRef;

/// Places in [`View::values`] by a text.
type Places = HashMap<Box<str>, Vec<usize>>;

/// A column with its look-ups.
pub(super) struct View<'a> {
    column: &'a Column<'a>,
    values: Vec<(&'a ValueRef<'a>, Postings<'a>)>,
    texts: HashMap<(TextForm, ComparisonProfile), Places>,
    references: Option<Named>,
}

impl<'a> View<'a> {
    /// A column with the look-ups that these asks need.
    pub(super) fn new<'b>(directory: &Directory, column: &'a Column<'a>, asks: impl Iterator<Item = &'b Ask>) -> Self {
        let values: Vec<_> = column.coded().collect();
        let mut texts: HashMap<(TextForm, ComparisonProfile), Places> = HashMap::new();
        let asks: Vec<&Ask> = asks.collect();
        let with_ids = asks.iter().any(|ask| {
            let kind = ask.kind();
            matches!(
                kind,
                AskKind::Reference {
                    target: Target::Id(_),
                    ..
                }
            )
        });
        let mut references = None;
        for ask in asks {
            match ask.kind() {
                AskKind::Text { form, profile, .. } => {
                    texts
                        .entry((form, profile))
                        .or_insert_with(|| by_text(&values, form, profile));
                }
                AskKind::Reference { .. } => {
                    references.get_or_insert_with(|| by_reference(directory, &values, with_ids));
                }
                AskKind::Value { .. }
                | AskKind::Within(_)
                | AskKind::Member(_)
                | AskKind::MemberOfAny
                | AskKind::Wide { .. } => {}
            }
        }
        Self {
            column,
            values,
            texts,
            references,
        }
    }

    /// Distinct values.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// Rows that have to be read one by one.
    pub(super) fn inline(&self) -> &RoaringBitmap {
        self.column.inline()
    }

    /// The rows of an ask about this column; `scanned` are those among the rows read one by one.
    pub(super) fn rows<'b>(
        &'b self,
        context: &dyn EvaluationContext,
        directory: &Directory,
        ask: &Ask,
        scanned: &'b RoaringBitmap,
        gather: &mut Gather,
    ) -> Rows<'b> {
        match ask.kind() {
            AskKind::Text {
                form, folded, profile, ..
            } => {
                let places = self.texts.get(&(form, profile)).and_then(|texts| texts.get(folded));
                self.gathered(places.map_or(&[], Vec::as_slice), scanned, gather)
            }
            AskKind::Reference { target, .. } => {
                let places = self.references.as_ref().map(|named| named.places_of(directory, target));
                self.gathered(&places.unwrap_or_default(), scanned, gather)
            }
            AskKind::Value { .. } | AskKind::Wide { .. } => self.tested(context, ask, scanned, gather),
            AskKind::Within(_) | AskKind::Member(_) | AskKind::MemberOfAny => Rows::none(),
        }
    }

    fn gathered<'b>(&'b self, places: &[usize], scanned: &'b RoaringBitmap, gather: &mut Gather) -> Rows<'b> {
        let mut found = places
            .iter()
            .filter_map(|place| self.values.get(*place))
            .map(|(_, rows)| *rows);
        let (first, second) = (found.next(), found.next());
        match (first, second) {
            (None, _) => return Rows::In(Cow::Borrowed(scanned)),
            (Some(only), None) if scanned.is_empty() => {
                return Rows::In(only.to_set());
            }
            (Some(_), _) => {}
        }
        for rows in first.into_iter().chain(second).chain(found) {
            gather.add(rows);
        }
        Rows::In(Cow::Owned(gather.take() | scanned))
    }

    /// Tries every distinct value. If an absent value passes, those that fail are gathered and taken away.
    fn tested<'b>(
        &'b self,
        context: &dyn EvaluationContext,
        ask: &Ask,
        scanned: &'b RoaringBitmap,
        gather: &mut Gather,
    ) -> Rows<'b> {
        let holds_for_absent = ask.passes(&ValueRef::Absent, context);
        for (value, rows) in &self.values {
            if ask.passes(value, context) != holds_for_absent {
                gather.add(*rows);
            }
        }
        let found = gather.take();
        let found = if found.is_empty() {
            Cow::Borrowed(scanned)
        } else {
            Cow::Owned(found | scanned)
        };
        let rows = Rows::In(found);
        if holds_for_absent { rows.not() } else { rows }
    }
}

fn by_text(values: &[(&ValueRef<'_>, Postings<'_>)], form: TextForm, profile: ComparisonProfile) -> Places {
    let mut places = Places::new();
    for (place, (value, _)) in values.iter().enumerate() {
        form.each_text(value, profile, &mut |folded| add(&mut places, folded, place));
    }
    places
}

fn by_reference(directory: &Directory, values: &[(&ValueRef<'_>, Postings<'_>)], with_ids: bool) -> Named {
    let mut named = Named::default();
    for (place, (value, _)) in values.iter().enumerate() {
        named.take_value(directory, value, place, with_ids);
    }
    named
}

/// One value may give the same text twice.
fn add(places: &mut Places, text: &str, place: usize) {
    match places.get_mut(text) {
        Some(list) if list.last() == Some(&place) => {}
        Some(list) => list.push(place),
        None => {
            places.insert(text.into(), vec![place]);
        }
    }
}
