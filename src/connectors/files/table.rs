//! From a text to records: TOML, JSON and CSV, each with its traps.
//!
//! In: the text of one file. Out: records and memberships. Never: a column that holds the name of a type instead
//! of values, or a value that was cut off.

use std::collections::HashMap;
use std::ops::Range;

use super::csv::{self, Field};
use super::property::{Named, Property};
use super::record::{Cell, Record, Section, Style};
use crate::connectors::document::read::{Faults, expected};
use crate::connectors::document::{Entry, Fault, Node, NodeValue, nearest, parse_json, parse_toml};

/// What a file is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Toml,
    Json,
    Csv,
}

impl Format {
    /// By the end of a file name.
    pub fn of_name(name: &str) -> Option<Self> {
        let (_, extension) = name.rsplit_once('.')?;
        [("toml", Self::Toml), ("json", Self::Json), ("csv", Self::Csv)]
            .into_iter()
            .find(|(known, _)| extension.eq_ignore_ascii_case(known))
            .map(|(_, format)| format)
    }
}

/// A line of a membership file.
#[derive(Debug, Clone)]
pub struct Membership {
    pub group: String,
    pub member: String,
    pub place: Range<usize>,
}

/// What one file states.
#[derive(Debug, Default)]
pub struct Contents {
    pub records: Vec<Record>,
    pub memberships: Vec<Membership>,
    pub notices: Vec<Fault>,
    /// What names meant so far: a file says the same few again and again.
    names: HashMap<String, Named>,
}

/// Reads one file; what can be read is read although there are faults.
pub fn read(source: &str, format: Format, faults: &mut Faults) -> Contents {
    let mut contents = Contents::default();
    match format {
        Format::Toml => {
            let (root, syntax) = parse_toml(source);
            // What follows a fault of syntax may be read wrongly; only the syntax is worth reporting then.
            if !syntax.is_empty() {
                *faults = Faults::of_syntax(syntax);
                return contents;
            }
            contents.read_root(root, faults);
        }
        Format::Json => match parse_json(source) {
            Ok(root) => contents.read_root(root, faults),
            Err(fault) => *faults = Faults::of_syntax(vec![fault]),
        },
        Format::Csv => match csv::rows(source) {
            Ok(rows) => contents.read_rows(&rows, faults),
            Err(fault) => *faults = Faults::of_syntax(vec![fault]),
        },
    }
    contents
}

const SECTIONS: [(&str, Section); 2] = [("recipients", Section::Recipients), ("groups", Section::Groups)];

impl Contents {
    fn read_root(&mut self, root: Node, faults: &mut Faults) {
        match root.value {
            NodeValue::Table(entries) => {
                for entry in entries {
                    self.read_section(entry, faults);
                }
            }
            NodeValue::List(list) => self.read_list(list, Section::Rows, faults),
            NodeValue::Null
            | NodeValue::Boolean(_)
            | NodeValue::Integer(_)
            | NodeValue::Number(_)
            | NodeValue::Text(_)
            | NodeValue::Time(_) => {
                let what = "a table with `recipients` and `groups`, or a list of objects";
                faults.push(root.span.clone(), "", expected(what, &root), None);
            }
        }
    }

    fn read_section(&mut self, entry: Entry, faults: &mut Faults) {
        let name = entry.key.as_ref();
        let Some((_, section)) = SECTIONS.iter().find(|(section, _)| section == name) else {
            let meant = nearest(name, SECTIONS.iter().map(|(section, _)| *section)).map(str::to_owned);
            let message = format!("unknown key `{name}`; a file has `recipients` and `groups`");
            faults.push(entry.key.span(), "", message, meant);
            return;
        };
        match entry.node.value {
            NodeValue::List(list) => self.read_list(list, *section, faults),
            NodeValue::Null
            | NodeValue::Boolean(_)
            | NodeValue::Integer(_)
            | NodeValue::Number(_)
            | NodeValue::Text(_)
            | NodeValue::Time(_)
            | NodeValue::Table(_) => {
                let meant = Some(format!("[[{name}]]"));
                faults.push(
                    entry.node.span.clone(),
                    name,
                    expected("a list of tables", &entry.node),
                    meant,
                );
            }
        }
    }

    fn read_list(&mut self, list: Vec<Node>, section: Section, faults: &mut Faults) {
        for node in list {
            let NodeValue::Table(entries) = node.value else {
                faults.push(node.span.clone(), "", expected("a table of properties", &node), None);
                continue;
            };
            let mut record = Record {
                section,
                style: Style::Typed,
                place: node.span.start..node.span.start,
                cells: Vec::with_capacity(entries.len()),
            };
            for entry in entries {
                let name = entry.key.as_ref();
                if let Some(property) = self.property(name, entry.key.span(), faults) {
                    add(
                        &mut record,
                        property,
                        name,
                        entry.key.span(),
                        entry.node.clone(),
                        faults,
                    );
                }
            }
            self.records.push(record);
        }
    }

    fn property(&mut self, name: &str, span: Range<usize>, faults: &mut Faults) -> Option<Property> {
        let named = match self.names.get(name) {
            Some(named) => named.clone(),
            None => {
                let named = Property::named(name);
                self.names.insert(name.to_owned(), named.clone());
                named
            }
        };
        match named {
            Named::Known(property) => Some(property),
            Named::Unused(known) => {
                let message = format!("{known} is a property of Exchange that has no use here; it is passed over");
                if !self.notices.iter().any(|notice| notice.message == message) {
                    self.notices.push(Fault {
                        span,
                        path: String::new(),
                        message,
                        suggestion: None,
                    });
                }
                None
            }
            Named::Unknown(meant) => {
                faults.push(span, name, format!("unknown key `{name}`"), meant);
                None
            }
        }
    }

    fn read_rows(&mut self, rows: &[Vec<Field<'_>>], faults: &mut Faults) {
        let Some((header, rows)) = rows.split_first() else {
            let message = "the file is empty; the first line of a CSV file names the properties".to_owned();
            faults.push(0..0, "", message, None);
            return;
        };
        if looks_like_printed_table(header, rows) {
            let message = "this is a table printed for a screen, not CSV; use Export-Csv -NoTypeInformation".to_owned();
            faults.push(
                header.first().map_or(0..0, |field| field.span.clone()),
                "",
                message,
                None,
            );
            return;
        }
        // Exchange's cmdlets stop at 1,000 results unless they are told otherwise.
        if rows.len() == 1_000 {
            self.notices.push(Fault {
                span: 0..0,
                path: String::new(),
                message: "exactly 1000 rows: an export without -ResultSize Unlimited is cut off there".to_owned(),
                suggestion: None,
            });
        }
        let column = |name: &str| {
            header
                .iter()
                .position(|field| field.text.trim().eq_ignore_ascii_case(name))
        };
        if let (Some(group), Some(member)) = (column("group"), column("member")) {
            self.read_memberships(header, rows, (group, member), faults);
        } else {
            self.read_objects(header, rows, faults);
        }
    }

    fn read_memberships(
        &mut self,
        header: &[Field<'_>],
        rows: &[Vec<Field<'_>>],
        (group, member): (usize, usize),
        faults: &mut Faults,
    ) {
        for row in rows {
            if !is_whole(header, row, faults) {
                continue;
            }
            let (Some(group), Some(member)) = (row.get(group), row.get(member)) else {
                continue;
            };
            for (field, name) in [(group, "group"), (member, "member")] {
                if field.text.trim().is_empty() {
                    let message = format!("the {name} is missing in this row");
                    faults.push(field.span.clone(), "", message, None);
                }
                refuse_traps(name, field, faults);
            }
            self.memberships.push(Membership {
                group: group.text.trim().to_owned(),
                member: member.text.trim().to_owned(),
                place: group.span.clone(),
            });
        }
    }

    fn read_objects(&mut self, header: &[Field<'_>], rows: &[Vec<Field<'_>>], faults: &mut Faults) {
        let properties: Vec<Option<Property>> = header
            .iter()
            .map(|field| self.property(&field.text, field.span.clone(), faults))
            .collect();
        for row in rows {
            if !is_whole(header, row, faults) {
                continue;
            }
            let mut record = Record {
                section: Section::Rows,
                style: Style::Text,
                place: row.first().map_or(0..0, |field| field.span.clone()),
                cells: Vec::with_capacity(row.len()),
            };
            for ((property, name), field) in properties.iter().zip(header).zip(row) {
                let Some(property) = property else {
                    continue;
                };
                if refuse_traps(&name.text, field, faults) {
                    continue;
                }
                let node = Node {
                    span: field.span.clone(),
                    value: NodeValue::Text(field.text.to_string()),
                };
                add(&mut record, *property, &name.text, field.span.clone(), node, faults);
            }
            self.records.push(record);
        }
    }
}

/// Adds a cell unless it has no value; the same name twice is a fault.
fn add(record: &mut Record, property: Property, name: &str, span: Range<usize>, node: Node, faults: &mut Faults) {
    let is_empty = match &node.value {
        NodeValue::Null => true,
        NodeValue::Text(text) => text.trim().is_empty(),
        NodeValue::List(list) => list.is_empty(),
        NodeValue::Boolean(_) | NodeValue::Integer(_) | NodeValue::Number(_) | NodeValue::Time(_) => false,
        NodeValue::Table(_) => false,
    };
    if is_empty {
        return;
    }
    // The split forms of a sender list are one list; a single value stated twice is a doubt.
    let is_list = matches!(
        property,
        Property::AcceptMessagesOnlyFromSendersOrMembers
            | Property::RejectMessagesFromSendersOrMembers
            | Property::BypassModerationFromSendersOrMembers
    );
    if !is_list && let Some(first) = record.cell(property) {
        let message = format!("`{name}` says again what `{}` says", first.name);
        faults.push(span, name, message, None);
        return;
    }
    record.cells.push(Cell {
        property,
        name: name.to_owned(),
        name_span: span,
        node,
    });
}

fn is_whole(header: &[Field<'_>], row: &[Field<'_>], faults: &mut Faults) -> bool {
    let (fields, columns) = (row.len(), header.len());
    if fields == columns {
        return true;
    }
    let span = row.first().map_or(0..0, |field| field.span.clone());
    let message = format!("the row has {fields} fields, the header has {columns}");
    faults.push(span, "", message, None);
    false
}

/// What exports write instead of values. True if the cell was refused.
fn refuse_traps(name: &str, field: &Field<'_>, faults: &mut Faults) -> bool {
    let text = &*field.text;
    let is_type = ["Microsoft.Exchange.", "System.", "Deserialized."]
        .iter()
        .any(|prefix| {
            text.strip_prefix(prefix)
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()) && !rest.contains([' ', '@']))
        });
    if is_type {
        let message = format!(
            "`{name}` holds the name of a type instead of its values; export it with \
             Select-Object @{{n='{name}';e={{$_.{name} -join ';'}}}}"
        );
        faults.push(field.span.clone(), name, message, None);
        return true;
    }
    // Notes may end in an ellipsis of their own.
    let is_note = ["Notes", "Description"]
        .iter()
        .any(|note| name.eq_ignore_ascii_case(note));
    let braced = text.starts_with('{') && text.ends_with('}');
    if !is_note && (text.ends_with('…') || (braced && text.contains("..."))) {
        let message = format!("`{name}` was cut off (…) when it was printed; export it with Export-Csv");
        faults.push(field.span.clone(), name, message, None);
        return true;
    }
    false
}

/// `Format-Table | Out-File`: one column, and under it a line of dashes.
fn looks_like_printed_table(header: &[Field<'_>], rows: &[Vec<Field<'_>>]) -> bool {
    let dashes = |row: &Vec<Field<'_>>| {
        row.iter()
            .all(|field| field.text.starts_with("--") && field.text.chars().all(|c| c == '-' || c == ' '))
    };
    header.len() == 1 && rows.first().is_some_and(dashes)
}
