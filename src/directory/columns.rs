//! The dictionaries of one generation: one per attribute, and those of kinds, sources and containers.
//!
//! In: rows that appear, change and go. Out: codes for their repeated values. Generations share the dictionaries
//! that did not change. Never: a value coded for a row that the dictionary does not list under it.

mod coded;
mod image;

use std::sync::Arc;

use super::attribute::Attribute;
use super::dictionary::{Coded, Dictionary, RowEdit};
use super::dn::DistinguishedName;
use super::facts::Facts;
use super::kind::RecipientKind;
use super::recipient::{ObjectState, SourceId};
use super::record::{Codes, Dn, Place, Record, Written};
use super::value::{Value, ValueRef};
use coded::{hash_of, same, value_hash};
pub(super) use image::ColumnRead;

/// Most values of one attribute that have a code. A column with more is one of nearly unique values: a code would
/// save nothing there.
pub(super) const VALUES_MAX: usize = 16_384;

/// Longest text that has a code, in octets; longer ones are rarely equal.
const TEXT_OCTETS_MAX: usize = 256;

/// Most sources and containers that have a code.
const PLACES_MAX: usize = 65_536;

/// Kind and state: what computed attributes follow from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Class {
    pub(super) kind: RecipientKind,
    pub(super) state: ObjectState,
}

/// What is above objects with a DN.
#[derive(Debug)]
pub(super) struct Above {
    text: Box<str>,
    pub(super) dn: DistinguishedName,
    pub(super) canonical: Box<str>,
}

impl Above {
    /// None for a text that has no canonical path.
    fn parse(text: &str) -> Option<Self> {
        let dn = DistinguishedName::parse(text)?;
        let canonical = dn.canonical()?.into_boxed_str();
        Some(Self {
            text: text.into(),
            dn,
            canonical,
        })
    }

    /// As written.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

fn is_worth_a_code(value: &ValueRef<'_>) -> bool {
    match value {
        ValueRef::Absent => false,
        ValueRef::Text(text) => text.len() <= TEXT_OCTETS_MAX,
        ValueRef::Texts(texts) => texts.iter().map(|text| text.len()).sum::<usize>() <= TEXT_OCTETS_MAX,
        ValueRef::Boolean(_) | ValueRef::Integer(_) | ValueRef::Size(_) | ValueRef::Time(_) => true,
    }
}

/// A DN in two parts, if a container says all about where its object lies.
///
/// Not so where the leaf could be mistaken: a domain component, a slash or an escape in its value, or nothing
/// above it that has a canonical path. Such a DN is kept whole and asked by itself.
pub(super) fn split_dn(dn: &str) -> Option<(&str, &str)> {
    let comma = dn.find(',')?;
    let (leaf, above) = (dn.get(..comma)?, dn.get(comma + 1..)?);
    let (kind, value) = leaf.split_once('=')?;
    let is_plain = !kind.trim().eq_ignore_ascii_case("dc") && !value.contains(['/', '\\']);
    let kind = kind.trim();
    let kind_is_valid = !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_alphanumeric() || b".-".contains(&b));
    (is_plain && kind_is_valid && !value.trim().is_empty()).then_some((leaf, above))
}

/// All dictionaries of a generation.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    attributes: Vec<Arc<Dictionary<Value>>>,
    classes: Arc<Dictionary<Class>>,
    sources: Arc<Dictionary<SourceId>>,
    parents: Arc<Dictionary<Arc<Above>>>,
    /// What objects without a DN state.
    stated: Arc<Dictionary<Arc<str>>>,
}

/// Which dictionary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ColumnId {
    Class,
    Source,
    Parent,
    Stated,
    Attribute(Attribute),
}

/// Columns beside those of attributes.
const OTHERS: [ColumnId; 4] = [ColumnId::Class, ColumnId::Source, ColumnId::Parent, ColumnId::Stated];

impl ColumnId {
    /// Number of columns.
    pub(super) const COUNT: usize = OTHERS.len() + Attribute::NAMES.len();

    /// Every column in the order of places.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        OTHERS
            .into_iter()
            .chain(Attribute::ALL.iter().copied().map(Self::Attribute))
    }

    /// Its place among all columns.
    pub(super) fn place(self) -> usize {
        match self {
            Self::Class => 0,
            Self::Source => 1,
            Self::Parent => 2,
            Self::Stated => 3,
            Self::Attribute(attribute) => OTHERS.len() + attribute as usize,
        }
    }
}

/// How one row has its values: the column and the code, or none for a value in the row itself.
pub(super) type Coding = Vec<(ColumnId, Option<u32>)>;

impl Columns {
    pub(super) fn empty() -> Self {
        let nothing = Arc::new(Dictionary::new(VALUES_MAX));
        Self {
            attributes: vec![nothing; Attribute::ALL.len()],
            classes: Arc::new(Dictionary::new(PLACES_MAX)),
            sources: Arc::new(Dictionary::new(PLACES_MAX)),
            parents: Arc::new(Dictionary::new(PLACES_MAX)),
            stated: Arc::new(Dictionary::new(PLACES_MAX)),
        }
    }

    pub(super) fn attribute(&self, attribute: Attribute) -> &Dictionary<Value> {
        // One for each attribute was made with the first generation.
        self.attributes
            .get(attribute as usize)
            .expect("a dictionary for every attribute")
    }

    pub(super) fn classes(&self) -> &Dictionary<Class> {
        &self.classes
    }

    pub(super) fn sources(&self) -> &Dictionary<SourceId> {
        &self.sources
    }

    pub(super) fn parents(&self) -> &Dictionary<Arc<Above>> {
        &self.parents
    }

    pub(super) fn stated(&self) -> &Dictionary<Arc<str>> {
        &self.stated
    }

    /// How a packed row has its values.
    pub(super) fn coding_of_packed(&self, record: Record<'_>) -> Coding {
        let mut coding = Coding::new();
        if let (Some(kind), Some(state)) = (record.kind(), record.state()) {
            coding.push((ColumnId::Class, self.find_class(Class { kind, state })));
        }
        coding.push((ColumnId::Source, record.source_code()));
        if let Some(tail) = record.tail() {
            match (tail.dn, tail.stated) {
                (Some(Dn::Split { code, .. }), _) => coding.push((ColumnId::Parent, Some(code))),
                (Some(Dn::Whole(_)), _) => coding.push((ColumnId::Parent, None)),
                (None, Place::Coded(code)) => coding.push((ColumnId::Stated, Some(code))),
                (None, Place::Inline) => coding.push((ColumnId::Stated, None)),
                (None, Place::None) => {}
            }
        }
        let complete = record.each_written(&mut |attribute, written| {
            let code = match written {
                Written::Coded(code) => Some(code),
                Written::Inline(_) => None,
            };
            coding.push((ColumnId::Attribute(attribute), code));
        });
        debug_assert!(complete.is_some(), "we wrote the record");
        coding
    }

    /// How a row that is kept whole has its values: where the dictionaries list it.
    pub(super) fn coding_of_whole(&self, facts: &Facts<'_>, row: u32) -> Coding {
        fn listed<V: Coded>(dictionary: &Dictionary<V>, code: Option<u32>, row: u32) -> Option<u32> {
            code.filter(|code| {
                let rows = dictionary.rows(*code);
                rows.is_some_and(|rows| super::posting::Postings::from(rows).contains(row))
            })
        }
        let class = Class {
            kind: facts.kind,
            state: facts.state,
        };
        let mut coding = vec![
            (ColumnId::Class, self.find_class(class)),
            (
                ColumnId::Source,
                listed(&self.sources, self.find_source(facts.source), row),
            ),
        ];
        if let Some(dn) = facts.distinguished_name.as_deref() {
            let code = split_dn(dn).and_then(|(_, above)| self.find_parent(above));
            coding.push((ColumnId::Parent, listed(&self.parents, code, row)));
        } else if let Some(container) = facts.container {
            coding.push((ColumnId::Stated, listed(&self.stated, self.find_stated(container), row)));
        }
        for (attribute, value) in &facts.attributes {
            let dictionary = self.attribute(*attribute);
            let code = dictionary.find(value_hash(value), |each| same(each, value));
            coding.push((ColumnId::Attribute(*attribute), listed(dictionary, code, row)));
        }
        coding
    }

    fn find_class(&self, class: Class) -> Option<u32> {
        self.classes.find(class.code_hash(), |each| *each == class)
    }

    /// The code of a source.
    pub(super) fn find_source(&self, source: &str) -> Option<u32> {
        self.sources.find(hash_of(source), |each| each.as_str() == source)
    }

    fn find_parent(&self, above: &str) -> Option<u32> {
        self.parents.find(hash_of(above), |each| *each.text == *above)
    }

    fn find_stated(&self, container: &str) -> Option<u32> {
        self.stated.find(hash_of(container), |each| **each == *container)
    }

    /// Makes edits of one column, sorted by code and row.
    pub(super) fn edit(&mut self, column: ColumnId, edits: &[RowEdit]) {
        match column {
            ColumnId::Class => Arc::make_mut(&mut self.classes).edit(edits),
            ColumnId::Source => Arc::make_mut(&mut self.sources).edit(edits),
            ColumnId::Parent => Arc::make_mut(&mut self.parents).edit(edits),
            ColumnId::Stated => Arc::make_mut(&mut self.stated).edit(edits),
            ColumnId::Attribute(attribute) => {
                if let Some(dictionary) = self.attributes.get_mut(attribute as usize) {
                    Arc::make_mut(dictionary).edit(edits);
                }
            }
        }
    }

    /// Sets all rows of one column, for a first load.
    pub(super) fn fill(
        &mut self,
        column: ColumnId,
        rows: Vec<super::posting::RowList>,
        inline: roaring::RoaringBitmap,
    ) {
        match column {
            ColumnId::Class => Arc::make_mut(&mut self.classes).fill(rows, inline),
            ColumnId::Source => Arc::make_mut(&mut self.sources).fill(rows, inline),
            ColumnId::Parent => Arc::make_mut(&mut self.parents).fill(rows, inline),
            ColumnId::Stated => Arc::make_mut(&mut self.stated).fill(rows, inline),
            ColumnId::Attribute(attribute) => {
                if let Some(dictionary) = self.attributes.get_mut(attribute as usize) {
                    Arc::make_mut(dictionary).fill(rows, inline);
                }
            }
        }
    }

    /// The code of a value, a new one if it has none yet and may have one.
    pub(super) fn code(&mut self, attribute: Attribute, value: &ValueRef<'_>) -> Option<u32> {
        if !is_worth_a_code(value) {
            return None;
        }
        let dictionary = self.attributes.get_mut(attribute as usize)?;
        let known = dictionary.find(value_hash(value), |each| same(each, value));
        known.or_else(|| {
            // Asked first, so that a full dictionary is not copied for nothing.
            if !dictionary.has_room() {
                return None;
            }
            Arc::make_mut(dictionary).insert(Value::of(value)?)
        })
    }

    /// Codes for a row about to be written, and what was coded.
    pub(super) fn coder(&mut self, class: Class) -> Coder<'_> {
        let known = self.find_class(class);
        let code = known.or_else(|| Arc::make_mut(&mut self.classes).insert(class));
        Coder {
            columns: self,
            coding: vec![(ColumnId::Class, code)],
        }
    }
}

/// Gives codes to the values of one row and remembers which.
pub(super) struct Coder<'c> {
    columns: &'c mut Columns,
    coding: Coding,
}

impl Coder<'_> {
    /// Codes all values of a row that is kept whole.
    pub(super) fn code_all(mut self, facts: &Facts<'_>) -> Coding {
        self.code_places(facts);
        for (attribute, value) in &facts.attributes {
            self.attribute(*attribute, value);
        }
        self.coding
    }

    /// Codes everything but the attributes.
    pub(super) fn code_places(&mut self, facts: &Facts<'_>) {
        self.source(facts.source);
        if let Some(dn) = facts.distinguished_name.as_deref() {
            self.parent(dn);
        }
        if let Some(container) = facts.container {
            self.container(container, facts.distinguished_name.is_some());
        }
    }

    /// What was coded.
    pub(super) fn finish(self) -> Coding {
        self.coding
    }
}

impl Codes for Coder<'_> {
    fn source(&mut self, source: &str) -> Option<u32> {
        let known = self.columns.find_source(source);
        let code = known.or_else(|| Arc::make_mut(&mut self.columns.sources).insert(SourceId::new(source)));
        self.coding.push((ColumnId::Source, code));
        code
    }

    fn parent<'t>(&mut self, dn: &'t str) -> Option<(u32, &'t str)> {
        let found = split_dn(dn).and_then(|(leaf, above)| {
            let code = self.columns.find_parent(above).or_else(|| {
                let above = Above::parse(above)?;
                Arc::make_mut(&mut self.columns.parents).insert(Arc::new(above))
            })?;
            Some((code, leaf))
        });
        self.coding.push((ColumnId::Parent, found.map(|(code, _)| code)));
        found
    }

    fn container(&mut self, container: &str, has_dn: bool) -> Option<u32> {
        // With a DN, what is stated beside it says nothing more: it stays in the row.
        if has_dn {
            return None;
        }
        let known = self.columns.find_stated(container);
        let code = known.or_else(|| Arc::make_mut(&mut self.columns.stated).insert(container.into()));
        self.coding.push((ColumnId::Stated, code));
        code
    }

    fn attribute(&mut self, attribute: Attribute, value: &ValueRef<'_>) -> Option<u32> {
        let code = self.columns.code(attribute, value);
        self.coding.push((ColumnId::Attribute(attribute), code));
        code
    }

    fn put_attribute(&self, attribute: Attribute, out: &mut Vec<u8>) {
        out.push(attribute as u8);
    }
}

/// Codes of attributes that are known already, in the order in which they are written; all else by a [`Coder`].
pub(super) struct Precoded<'c, 'k> {
    coder: Coder<'c>,
    codes: std::slice::Iter<'k, Option<u32>>,
}

impl<'c, 'k> Precoded<'c, 'k> {
    /// `codes`: one for each attribute of the row.
    pub(super) fn new(coder: Coder<'c>, codes: &'k [Option<u32>]) -> Self {
        Self {
            coder,
            codes: codes.iter(),
        }
    }

    /// What was coded besides the attributes.
    pub(super) fn finish(self) -> Coding {
        self.coder.finish()
    }
}

impl Codes for Precoded<'_, '_> {
    fn source(&mut self, source: &str) -> Option<u32> {
        self.coder.source(source)
    }

    fn parent<'t>(&mut self, dn: &'t str) -> Option<(u32, &'t str)> {
        self.coder.parent(dn)
    }

    fn container(&mut self, container: &str, has_dn: bool) -> Option<u32> {
        self.coder.container(container, has_dn)
    }

    fn attribute(&mut self, _: Attribute, _: &ValueRef<'_>) -> Option<u32> {
        self.codes.next().copied().flatten()
    }

    fn put_attribute(&self, attribute: Attribute, out: &mut Vec<u8>) {
        self.coder.put_attribute(attribute, out);
    }
}
