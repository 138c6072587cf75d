//! One attribute over all rows: who has which value.
//!
//! In: a generation and an attribute. Out: distinct values with their rows, and the rows that must be read one by
//! one. Never: a row with a value that is in neither; a row that is in both.

use roaring::RoaringBitmap;

use super::attribute::Attribute;
use super::value::ValueRef;

/// What all live objects answer for one attribute.
///
/// A row of [`Column::coded`] answers the value it comes with, a row of [`Column::inline`] must be asked
/// ([`super::row::RowRef::value`]), and a live row in neither answers [`ValueRef::Absent`].
#[derive(Debug)]
pub struct Column<'a> {
    attribute: Attribute,
    coded: Vec<(ValueRef<'a>, Postings<'a>)>,
    inline: &'a RoaringBitmap,
}

impl<'a> Column<'a> {
    pub(super) fn unindexed(attribute: Attribute, live: &'a RoaringBitmap) -> Self {
        Self {
            attribute,
            coded: Vec::new(),
            inline: live,
        }
    }

    /// The attribute it is of.
    pub fn attribute(&self) -> Attribute {
        self.attribute
    }

    /// Values with the rows that answer them. A value may come more than once; a row comes at most once.
    pub fn coded(&self) -> impl Iterator<Item = (&ValueRef<'a>, Postings<'_>)> {
        self.coded.iter().map(|(value, postings)| (value, *postings))
    }

    /// Rows to be asked one by one.
    pub fn inline(&self) -> &RoaringBitmap {
        self.inline
    }
}

/// A set of rows, small or large.
#[derive(Debug, Clone, Copy)]
pub struct Postings<'a>(Rows<'a>);

#[derive(Debug, Clone, Copy)]
enum Rows<'a> {
    Few(&'a [u32]),
    Many(&'a RoaringBitmap),
}

impl<'a> Postings<'a> {
    /// A few rows in ascending order.
    pub fn few(rows: &'a [u32]) -> Self {
        Self(Rows::Few(rows))
    }

    /// Many rows.
    pub fn many(rows: &'a RoaringBitmap) -> Self {
        Self(Rows::Many(rows))
    }

    /// Number of rows.
    pub fn len(self) -> u64 {
        match self.0 {
            Rows::Few(rows) => rows.len() as u64,
            Rows::Many(rows) => rows.len(),
        }
    }

    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// True if the row is among them.
    pub fn contains(self, row: u32) -> bool {
        match self.0 {
            Rows::Few(rows) => rows.binary_search(&row).is_ok(),
            Rows::Many(rows) => rows.contains(row),
        }
    }

    /// The rows in ascending order.
    pub fn iter(self) -> Box<dyn Iterator<Item = u32> + 'a> {
        match self.0 {
            Rows::Few(rows) => Box::new(rows.iter().copied()),
            Rows::Many(rows) => Box::new(rows.iter()),
        }
    }

    /// The rows as a list, if they are few.
    pub fn small(self) -> Option<&'a [u32]> {
        match self.0 {
            Rows::Few(rows) => Some(rows),
            Rows::Many(_) => None,
        }
    }

    /// The rows as a set, if they are many.
    pub fn large(self) -> Option<&'a RoaringBitmap> {
        match self.0 {
            Rows::Few(_) => None,
            Rows::Many(rows) => Some(rows),
        }
    }

    /// Puts the rows into a set.
    pub fn add_to(self, set: &mut RoaringBitmap) {
        match self.0 {
            Rows::Few(rows) => set.extend(rows.iter().copied()),
            Rows::Many(rows) => *set |= rows,
        }
    }
}

/// Where objects lie: distinct containers with their rows, and the rows that must be asked one by one.
///
/// A coded container says where its rows lie, except that a row may itself be the place that is asked about: see
/// [`super::generation::Directory::objects_at`].
#[derive(Debug)]
pub struct Containers<'a> {
    coded: Vec<(Container<'a>, Postings<'a>)>,
    inline: &'a RoaringBitmap,
}

/// A container as a rule's scope compares it.
#[derive(Debug, Clone, Copy)]
pub enum Container<'a> {
    /// The DN above the objects, and its canonical path, folded.
    Above {
        dn: &'a super::dn::DistinguishedName,
        canonical: &'a str,
    },
    /// What objects without a DN state, as spelled.
    Stated(&'a str),
}

impl<'a> Containers<'a> {
    pub(super) fn unindexed(live: &'a RoaringBitmap) -> Self {
        Self {
            coded: Vec::new(),
            inline: live,
        }
    }

    /// Containers with the rows that lie directly in them; a row comes at most once.
    pub fn coded(&self) -> impl Iterator<Item = (Container<'a>, Postings<'_>)> {
        self.coded.iter().map(|(container, postings)| (*container, *postings))
    }

    /// Rows to be asked one by one ([`super::row::RowRef::distinguished_name`], [`super::row::RowRef::container`]).
    pub fn inline(&self) -> &RoaringBitmap {
        self.inline
    }
}
