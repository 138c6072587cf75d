//! One attribute over all rows: who has which value.
//!
//! In: a generation and an attribute. Out: distinct values with their rows, and the rows that must be read one by
//! one. Never: a row with a value that is in neither; a row that is in both.

use std::borrow::Cow;

use roaring::RoaringBitmap;

use super::attribute::Attribute;
use super::columns::{Class, Columns};
use super::dn::DistinguishedName;
use super::origin::{Origin, origin};
pub use super::posting::Postings;
use super::posting::RowList;
use super::recipient::{ObjectId, RecipientObject, SourceId};
use super::value::ValueRef;
use crate::mail::address::Mailbox;

/// What all live objects answer for one attribute.
///
/// A row of [`Column::coded`] answers the value it comes with, a row of [`Column::inline`] must be asked
/// ([`super::row::RowRef::value`]), and a live row in neither answers [`ValueRef::Absent`].
#[derive(Debug)]
pub struct Column<'a> {
    attribute: Attribute,
    coded: Vec<(ValueRef<'a>, Listed<'a>)>,
    inline: Cow<'a, RoaringBitmap>,
}

#[derive(Debug)]
enum Listed<'a> {
    Kept(&'a RowList),
    Computed(RoaringBitmap),
}

impl<'a> Column<'a> {
    /// The column of a generation.
    pub(super) fn of(
        attribute: Attribute,
        columns: &'a Columns,
        live: &'a RoaringBitmap,
        whole: &'a RoaringBitmap,
    ) -> Self {
        let stored = columns.attribute(attribute);
        let mut column = Self {
            attribute,
            coded: stored
                .entries()
                .map(|(_, value, rows)| (value.into(), Listed::Kept(rows)))
                .collect(),
            inline: Cow::Borrowed(stored.inline()),
        };
        match origin(attribute) {
            Origin::Object if column.coded.is_empty() => column.inline = Cow::Borrowed(live),
            Origin::Object => column.inline = Cow::Owned(column.rest(live)),
            Origin::Class { others, settings } => {
                column.ask_others(columns, others, settings.then_some(whole));
                column.add_classes(columns, live);
            }
        }
        column
    }

    /// Rows without a listed value.
    fn rest(&self, rows: &RoaringBitmap) -> RoaringBitmap {
        let mut rest = rows.clone();
        for (_, listed) in &self.coded {
            listed.postings().remove_from(&mut rest);
        }
        rest
    }

    /// Rows that store nothing here, and something else from which an answer may follow, are asked.
    fn ask_others(&mut self, columns: &Columns, others: &[Attribute], whole: Option<&RoaringBitmap>) {
        let mut asked = whole.cloned().unwrap_or_default();
        for other in others {
            let dictionary = columns.attribute(*other);
            asked |= dictionary.inline();
            for (_, _, rows) in dictionary.entries() {
                Postings::from(rows).add_to(&mut asked);
            }
        }
        if !asked.is_empty() {
            let asked = self.rest(&asked);
            *self.inline.to_mut() |= asked;
        }
    }

    /// All other rows answer by their kind and state.
    fn add_classes(&mut self, columns: &'a Columns, live: &RoaringBitmap) {
        let mut classes: Vec<(ValueRef<'a>, Vec<&'a RowList>)> = Vec::new();
        for (_, class, rows) in columns.classes().entries() {
            let value = answer_of_class(*class, self.attribute);
            match classes.iter_mut().find(|(known, _)| *known == value) {
                _ if value == ValueRef::Absent => {}
                Some((_, list)) => list.push(rows),
                None => classes.push((value, vec![rows])),
            }
        }
        if classes.is_empty() {
            return;
        }
        let nothing_else = self.coded.is_empty() && self.inline.is_empty();
        let rest = (!nothing_else).then(|| self.rest(live) - &*self.inline);
        for (value, lists) in classes {
            let listed = match (lists.as_slice(), &rest) {
                ([only], None) => Listed::Kept(only),
                _ => {
                    let mut rows = RoaringBitmap::new();
                    lists.iter().for_each(|list| Postings::from(*list).add_to(&mut rows));
                    if let Some(rest) = &rest {
                        rows &= rest;
                    }
                    Listed::Computed(rows)
                }
            };
            self.coded.push((value, listed));
        }
    }

    /// The attribute it is of.
    pub fn attribute(&self) -> Attribute {
        self.attribute
    }

    /// Values with the rows that answer them. A value may come more than once; a row comes at most once.
    pub fn coded(&self) -> impl Iterator<Item = (&ValueRef<'a>, Postings<'_>)> {
        self.coded.iter().map(|(value, listed)| (value, listed.postings()))
    }

    /// Rows to be asked one by one.
    pub fn inline(&self) -> &RoaringBitmap {
        &self.inline
    }
}

impl Listed<'_> {
    fn postings(&self) -> Postings<'_> {
        match self {
            Self::Kept(rows) => (*rows).into(),
            Self::Computed(rows) => Postings::many(rows),
        }
    }
}

/// What an object answers of which nothing but kind and state is known: the code that answers for objects.
fn answer_of_class(class: Class, attribute: Attribute) -> ValueRef<'static> {
    let id = ObjectId::new("");
    let mut object = RecipientObject::new(id, class.kind, SourceId::new(""), Mailbox::of_valid("a@a"));
    object.state = class.state;
    object.value(attribute).into_owned()
}

/// Where objects lie: distinct containers with their rows, and the rows that must be asked one by one.
///
/// A coded container says where its rows lie, except that a row may itself be the place that is asked about: see
/// [`super::generation::Directory::objects_at`]. A row in neither states no place.
#[derive(Debug)]
pub struct Containers<'a> {
    columns: &'a Columns,
    inline: RoaringBitmap,
}

/// A container as a rule's scope compares it.
#[derive(Debug, Clone, Copy)]
pub enum Container<'a> {
    /// The DN above the objects, and its canonical path, folded.
    Above {
        dn: &'a DistinguishedName,
        canonical: &'a str,
    },
    /// What objects without a DN state, as spelled.
    Stated(&'a str),
}

impl<'a> Containers<'a> {
    pub(super) fn of(columns: &'a Columns) -> Self {
        Self {
            columns,
            inline: columns.parents().inline() | columns.stated().inline(),
        }
    }

    /// Containers with the rows that lie directly in them; a row comes at most once.
    pub fn coded(&self) -> impl Iterator<Item = (Container<'a>, Postings<'a>)> {
        let above = self.columns.parents().entries().map(|(_, above, rows)| {
            let container = Container::Above {
                dn: &above.dn,
                canonical: &above.canonical,
            };
            (container, rows.into())
        });
        let stated = self.columns.stated().entries();
        above.chain(stated.map(|(_, text, rows)| (Container::Stated(text), rows.into())))
    }

    /// Rows to be asked one by one ([`super::row::RowRef::distinguished_name`], [`super::row::RowRef::container`]).
    pub fn inline(&self) -> &RoaringBitmap {
        &self.inline
    }
}
