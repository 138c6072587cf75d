//! The tests a proposed rule may make: one per value that people share.
//!
//! In: a generation and the members. Out: equality tests with the rows that pass. Never: a test of a name, an
//! address or anything else that is one person's own; the same test twice.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;

use crate::directory::attribute::{Attribute, Property};
use crate::directory::column::Column;
use crate::directory::dn::DistinguishedName;
use crate::directory::filter::fold::fold;
use crate::directory::filter::predicate::{Comparison, Literal, Predicate};
use crate::directory::filter::{Operator, country};
use crate::directory::generation::Directory;
use crate::directory::group::ComparisonProfile;
use crate::directory::index::Ordinal;
use crate::directory::names;
use crate::directory::value::{ValueRef, ValueType};

/// Most distinct values of one attribute that are looked at; an attribute with more says who somebody is, not where
/// he belongs.
const VALUES_MAX: usize = 20_000;

/// Most rows of one attribute that are read one by one because no index holds them.
const INLINE_ROWS_MAX: u64 = 100_000;

/// Attributes that say where somebody belongs, those an administrator would choose first: the order decides
/// between rules that cost the same.
const ATTRIBUTES: &[Attribute] = &[
    Attribute::Department,
    Attribute::Company,
    Attribute::Office,
    Attribute::City,
    Attribute::StateOrProvince,
    Attribute::CountryOrRegion,
    Attribute::Title,
    Attribute::RecipientTypeDetails,
    Attribute::ExchangeUserAccountControl,
    Attribute::HiddenFromAddressListsEnabled,
    Attribute::Manager,
    Attribute::CustomAttribute1,
    Attribute::CustomAttribute2,
    Attribute::CustomAttribute3,
    Attribute::CustomAttribute4,
    Attribute::CustomAttribute5,
    Attribute::CustomAttribute6,
    Attribute::CustomAttribute7,
    Attribute::CustomAttribute8,
    Attribute::CustomAttribute9,
    Attribute::CustomAttribute10,
    Attribute::CustomAttribute11,
    Attribute::CustomAttribute12,
    Attribute::CustomAttribute13,
    Attribute::CustomAttribute14,
    Attribute::CustomAttribute15,
    Attribute::ExtensionCustomAttribute1,
    Attribute::ExtensionCustomAttribute2,
    Attribute::ExtensionCustomAttribute3,
    Attribute::ExtensionCustomAttribute4,
    Attribute::ExtensionCustomAttribute5,
    Attribute::PostalCode,
    Attribute::StreetAddress,
    Attribute::UsageLocation,
    Attribute::IsDirSynced,
];

/// `attribute -eq literal` and who passes.
#[derive(Debug, Clone)]
pub(super) struct Test {
    pub(super) attribute: Attribute,
    literal: Literal,
    /// Objects that pass, candidates or not.
    pub(super) rows: RoaringBitmap,
}

impl Test {
    /// The test as a rule: `-eq`, or `-ne` where it must not hold.
    pub(super) fn predicate(&self, operator: Operator) -> Predicate {
        Predicate::Compare(Comparison {
            property: Property::Held(self.attribute),
            operator,
            literal: self.literal.clone(),
        })
    }
}

/// All tests that are worth a look: passed by a member, or by enough others that keeping them out pays.
pub(super) fn tests(
    directory: &Directory,
    members: &RoaringBitmap,
    profile: ComparisonProfile,
    clause_cost: u64,
) -> Vec<Test> {
    let mut all = Vec::new();
    for attribute in ATTRIBUTES.iter().copied() {
        let mut values = Values::new(attribute, profile);
        let complete = values.read(directory, &directory.column(attribute));
        if !complete || values.by_key.len() > VALUES_MAX {
            continue;
        }
        let useful = |rows: &RoaringBitmap| rows.len() > clause_cost || !rows.is_disjoint(members);
        let found = values.by_key.into_values().filter(|value| useful(&value.rows));
        all.extend(found.map(|value| Test {
            attribute,
            literal: value.literal(),
            rows: value.rows,
        }));
    }
    all
}

/// The values of one attribute by the form they are compared in.
struct Values {
    attribute: Attribute,
    profile: ComparisonProfile,
    by_key: BTreeMap<String, Value>,
}

/// One value with its spellings.
struct Value {
    kind: Kind,
    spellings: BTreeMap<Box<str>, u64>,
    rows: RoaringBitmap,
}

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Number,
    Boolean(bool),
}

impl Value {
    /// The commonest spelling; the first of the alphabet among equally common ones.
    fn literal(&self) -> Literal {
        let mut best: Option<(&Box<str>, u64)> = None;
        for (spelling, count) in &self.spellings {
            if best.is_none_or(|(_, most)| *count > most) {
                best = Some((spelling, *count));
            }
        }
        let text = best.map(|(spelling, _)| spelling.clone()).unwrap_or_default();
        match self.kind {
            Kind::Text => Literal::Text(text),
            Kind::Number => Literal::Number(text),
            Kind::Boolean(value) => Literal::Boolean(value),
        }
    }
}

impl Values {
    fn new(attribute: Attribute, profile: ComparisonProfile) -> Self {
        Self {
            attribute,
            profile,
            by_key: BTreeMap::new(),
        }
    }

    /// Reads a column; false if too many of its rows would have to be read one by one.
    fn read(&mut self, directory: &Directory, column: &Column<'_>) -> bool {
        for (value, postings) in column.coded() {
            let mut rows = RoaringBitmap::new();
            postings.add_to(&mut rows);
            self.note(value, &rows);
        }
        if column.inline().len() > INLINE_ROWS_MAX {
            return false;
        }
        for number in column.inline() {
            if let Some(row) = directory.row(Ordinal(number)) {
                let rows = RoaringBitmap::from_iter([number]);
                self.note(&row.value(self.attribute), &rows);
            }
            if self.by_key.len() > VALUES_MAX {
                return false;
            }
        }
        true
    }

    fn note(&mut self, value: &ValueRef<'_>, rows: &RoaringBitmap) {
        match value {
            ValueRef::Absent | ValueRef::Time(_) | ValueRef::Size(_) => {}
            ValueRef::Text(text) => self.note_text(text, rows),
            ValueRef::Texts(texts) => texts.iter().for_each(|text| self.note_text(text, rows)),
            ValueRef::Boolean(value) => self.add(value.to_string(), Kind::Boolean(*value), "", rows),
            ValueRef::Integer(number) => match self.attribute.value_type() {
                // No flag set says nothing about where somebody belongs.
                ValueType::Flags(_) if *number == 0 => {}
                ValueType::Enumeration(table) | ValueType::Flags(table) => {
                    if let Some(name) = names::name_of(table, *number) {
                        self.add(name.to_owned(), Kind::Text, name, rows);
                    }
                }
                _ => self.add(number.to_string(), Kind::Number, &number.to_string(), rows),
            },
        }
    }

    fn note_text(&mut self, text: &str, rows: &RoaringBitmap) {
        // A text that cannot be typed cannot be read either.
        if text.chars().any(char::is_control) {
            return;
        }
        let key = match self.attribute.value_type() {
            ValueType::Country => {
                country::by_text(text).map_or_else(|| text.to_lowercase(), |found| found.code.to_owned())
            }
            ValueType::Dn | ValueType::Dns => match DistinguishedName::parse(text) {
                Some(dn) => dn.as_str().to_owned(),
                None => return,
            },
            _ => fold(text, self.profile).into_owned(),
        };
        self.add(key, Kind::Text, text, rows);
    }

    fn add(&mut self, key: String, kind: Kind, spelling: &str, rows: &RoaringBitmap) {
        let value = self.by_key.entry(key).or_insert_with(|| Value {
            kind,
            spellings: BTreeMap::new(),
            rows: RoaringBitmap::new(),
        });
        *value.spellings.entry(spelling.into()).or_default() += rows.len();
        value.rows |= rows;
    }
}
