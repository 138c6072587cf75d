//! One object as a file states it: properties with places, read by type.
//!
//! In: cells of a table or a CSV row. Out: typed values; faults say what was expected. A cell without a value is
//! as if it were not there, because the directory stores no empty texts.

use std::ops::Range;
use std::time::Duration;

use super::property::Property;
use crate::connectors::document::read::{Faults, Size, choice, expected};
use crate::connectors::document::{Node, NodeValue, Read, units};
use crate::directory::Reference;
use crate::directory::value::{parse_boolean, parse_size};
use crate::mail::address::Mailbox;

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// Under `[[recipients]]`.
    Recipients,
    /// Under `[[groups]]`.
    Groups,
    /// A row of CSV, or an object in a list of JSON: persons and groups alike.
    Rows,
}

/// How values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// TOML and JSON: values have types.
    Typed,
    /// CSV: everything is text, lists are joined by `;` or `|`.
    Text,
}

/// One property with its value.
#[derive(Debug, Clone)]
pub struct Cell {
    /// What is stated.
    pub property: Property,
    /// As the file names it.
    pub name: String,
    /// Place of the name; in CSV, that of the value.
    pub name_span: Range<usize>,
    /// The value.
    pub node: Node,
}

/// One object.
#[derive(Debug, Clone)]
pub struct Record {
    /// Where it stands.
    pub section: Section,
    /// How its values are written.
    pub style: Style,
    /// Octets to point at when the object as a whole is meant.
    pub place: Range<usize>,
    /// What is stated, in the order of the file.
    pub cells: Vec<Cell>,
}

impl Record {
    /// The cell of a property that is stated at most once.
    #[must_use]
    pub fn cell(&self, property: Property) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.property == property)
    }

    /// True if it is stated.
    #[must_use]
    pub fn has(&self, property: Property) -> bool {
        self.cell(property).is_some()
    }

    /// A text.
    pub fn text<'a>(&'a self, property: Property, faults: &mut Faults) -> Option<&'a str> {
        let cell = self.cell(property)?;
        if let NodeValue::Text(text) = &cell.node.value {
            return Some(text);
        }
        refuse(cell, "a text", faults);
        None
    }

    /// True or false.
    pub fn boolean(&self, property: Property, faults: &mut Faults) -> Option<bool> {
        let cell = self.cell(property)?;
        match (self.style, &cell.node.value) {
            (Style::Text, NodeValue::Text(text)) => {
                let value = parse_boolean(text);
                if value.is_none() {
                    refuse(cell, "True or False", faults);
                }
                value
            }
            (Style::Text | Style::Typed, _) => bool::read(&cell.node, &cell.name, faults),
        }
    }

    /// An address; `SMTP:` before it is allowed, as exports write it.
    pub fn mailbox(&self, property: Property, faults: &mut Faults) -> Option<Mailbox> {
        let cell = self.cell(property)?;
        if let NodeValue::Text(text) = &cell.node.value {
            let text = text.trim();
            let bare = match text.split_once(':') {
                Some((kind, rest)) if kind.eq_ignore_ascii_case("smtp") => rest,
                Some(_) | None => text,
            };
            if let Ok(mailbox) = Mailbox::parse(bare) {
                return Some(mailbox);
            }
        }
        refuse(cell, "an address such as \"lena@contoso.example\"", faults);
        None
    }

    /// A size in octets; `Unlimited` is none.
    pub fn size(&self, property: Property, faults: &mut Faults) -> Option<u64> {
        let cell = self.cell(property)?;
        if let NodeValue::Text(text) = &cell.node.value
            && let Some(bytes) = parse_size(text)
        {
            return Some(bytes).filter(|bytes| *bytes != u64::MAX);
        }
        Size::read(&cell.node, &cell.name, faults).map(|size| size.0)
    }

    /// A number from 0 on.
    pub fn number(&self, property: Property, faults: &mut Faults) -> Option<u32> {
        let cell = self.cell(property)?;
        if let (Style::Text, NodeValue::Text(text)) = (self.style, &cell.node.value) {
            let number = text.trim().parse().ok();
            if number.is_none() {
                refuse(cell, "a number", faults);
            }
            return number;
        }
        u32::read(&cell.node, &cell.name, faults)
    }

    /// A duration.
    pub fn duration(&self, property: Property, faults: &mut Faults) -> Option<Duration> {
        let cell = self.cell(property)?;
        Duration::read(&cell.node, &cell.name, faults)
    }

    /// One of a few words.
    pub fn word<T: Copy>(&self, property: Property, words: &[(&str, T)], faults: &mut Faults) -> Option<T> {
        let cell = self.cell(property)?;
        if let NodeValue::Text(text) = &cell.node.value
            && let Some((_, value)) = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text.trim()))
        {
            return Some(*value);
        }
        choice(&cell.node, &cell.name, faults, words)
    }

    /// Several texts with their places; a property with several names is one list.
    pub fn texts(&self, property: Property, faults: &mut Faults) -> Vec<(String, Range<usize>)> {
        let mut all = Vec::new();
        for cell in self.cells.iter().filter(|cell| cell.property == property) {
            self.texts_of(cell, &mut all, faults);
        }
        all
    }

    /// Several values; in TOML and JSON blanks around them are kept, because `Berlin ` is another value than `Berlin`.
    pub fn texts_as_written(&self, property: Property, faults: &mut Faults) -> Vec<String> {
        let read = self.texts(property, faults);
        match (self.style, self.cell(property).map(|cell| &cell.node.value)) {
            (Style::Typed, Some(NodeValue::Text(text))) => vec![text.clone()],
            (Style::Typed, Some(NodeValue::List(list))) => list
                .iter()
                .filter_map(|item| match &item.value {
                    NodeValue::Text(text) if !text.is_empty() => Some(text.clone()),
                    _ => None,
                })
                .collect(),
            _ => read.into_iter().map(|(text, _)| text).collect(),
        }
    }

    fn texts_of(&self, cell: &Cell, all: &mut Vec<(String, Range<usize>)>, faults: &mut Faults) {
        let mut one = |text: &str, span: Range<usize>| {
            if !text.trim().is_empty() {
                all.push((text.trim().to_owned(), span));
            }
        };
        match (&cell.node.value, self.style) {
            (NodeValue::Text(text), Style::Text) => {
                for part in text.split(list_separator(text)) {
                    if blank_separated(part) {
                        refuse(cell, "values joined by \";\", not by blanks", faults);
                        return;
                    }
                    one(part, cell.node.span.clone());
                }
            }
            (NodeValue::Text(text), Style::Typed) => one(text, cell.node.span.clone()),
            (NodeValue::List(list), Style::Text | Style::Typed) => {
                for item in list {
                    match &item.value {
                        NodeValue::Text(text) => one(text, item.span.clone()),
                        NodeValue::Null
                        | NodeValue::Boolean(_)
                        | NodeValue::Integer(_)
                        | NodeValue::Number(_)
                        | NodeValue::Time(_)
                        | NodeValue::List(_)
                        | NodeValue::Table(_) => {
                            faults.push(item.span.clone(), &cell.name, expected("a text", item), None);
                        }
                    }
                }
            }
            (
                NodeValue::Null
                | NodeValue::Boolean(_)
                | NodeValue::Integer(_)
                | NodeValue::Number(_)
                | NodeValue::Time(_)
                | NodeValue::Table(_),
                Style::Text | Style::Typed,
            ) => refuse(cell, "a list of texts", faults),
        }
    }

    /// Several references to persons or groups.
    pub fn references(&self, property: Property, faults: &mut Faults) -> Vec<Reference> {
        let texts = self.texts(property, faults);
        texts.into_iter().map(|(text, _)| Reference::from(text)).collect()
    }

    /// `on_change`, or a duration.
    pub fn change_or_duration(&self, property: Property, faults: &mut Faults) -> Option<Option<Duration>> {
        let cell = self.cell(property)?;
        if let NodeValue::Text(text) = &cell.node.value {
            if text == "on_change" {
                return Some(None);
            }
            if let Ok(duration) = units::parse_duration(text)
                && !duration.is_zero()
            {
                return Some(Some(duration));
            }
        }
        refuse(cell, "\"on_change\" or a duration such as \"24h\"", faults);
        None
    }
}

fn refuse(cell: &Cell, what: &str, faults: &mut Faults) {
    faults.push(cell.node.span.clone(), &cell.name, expected(what, &cell.node), None);
}

/// Scripts join values by `;`, by `|`, or by line breaks.
fn list_separator(text: &str) -> char {
    [';', '|', '\n']
        .into_iter()
        .find(|separator| text.contains(*separator))
        .unwrap_or(';')
}

/// A `[string]` cast joins by blanks: two addresses, or two typed values, in what should be one.
fn blank_separated(part: &str) -> bool {
    let words: Vec<&str> = part.split_whitespace().collect();
    let typed = |word: &&&str| {
        word.split_once(':').is_some_and(|(kind, _)| {
            ["smtp", "x500", "sip", "spo"]
                .iter()
                .any(|each| kind.eq_ignore_ascii_case(each))
        })
    };
    let addresses = words.iter().filter(|word| word.contains('@')).count();
    words.iter().filter(typed).count() > 1 || (addresses > 1 && addresses == words.len())
}
