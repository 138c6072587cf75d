//! LDIF as `ldifde` and `ldapsearch` write it (RFC 2849): entries of Active Directory.
//!
//! In: a text. Out: records with places; values of one attribute are a list, ranges of it joined. Never: a value
//! read from elsewhere (`:<`), a description of changes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::raw::{PlacedFault, RECORDS_MAX, RawField, RawRecord, RawValue, ReadFault, VALUE_OCTETS_MAX, VALUES_MAX};

/// Attributes whose sixteen octets are a GUID.
const GUIDS: [&str; 8] = [
    "objectGUID",
    "msExchMailboxGuid",
    "msExchArchiveGUID",
    "msExchDisabledArchiveGUID",
    "mS-DS-ConsistencyGuid",
    "schemaIDGUID",
    "msExchRoleGroupId",
    "attributeSecurityGUID",
];

/// Reads all entries. A range of an attribute whose end is missing is told by [`has_open_range`].
pub fn read(text: &str) -> Result<Vec<RawRecord>, PlacedFault> {
    let mut records = Vec::new();
    let mut entry = Entry::default();
    for line in unfolded(text) {
        let at = |fault| PlacedFault {
            fault,
            line: line.number,
            column: 1,
        };
        if line.text.is_empty() {
            entry.finish(&mut records).map_err(at)?;
            continue;
        }
        if line.text.starts_with('#') {
            continue;
        }
        if line.text.len() > VALUE_OCTETS_MAX * 2 {
            let name = line.text.split(':').next().unwrap_or("").to_owned();
            return Err(at(ReadFault::ValueTooLong(name)));
        }
        let (name, value) = name_and_value(&line.text).map_err(at)?;
        if name.eq_ignore_ascii_case("version") && entry.fields.is_empty() && records.is_empty() {
            continue;
        }
        // Search results of other tools end in these; they are no part of an entry.
        if ["search", "result", "ref"]
            .iter()
            .any(|word| name.eq_ignore_ascii_case(word))
            && entry.fields.is_empty()
        {
            continue;
        }
        if name.eq_ignore_ascii_case("changetype") {
            match value.plain() {
                Some(kind) if kind.eq_ignore_ascii_case("add") => continue,
                other => return Err(at(ReadFault::Change(other.unwrap_or("").to_owned()))),
            }
        }
        entry.add(name, value, line.number).map_err(at)?;
    }
    let line = text.lines().count();
    entry
        .finish(&mut records)
        .map_err(|fault| PlacedFault { fault, line, column: 1 })?;
    Ok(records)
}

/// A logical line.
struct Line {
    number: usize,
    text: String,
}

/// Joins lines that begin with a blank to the one before (RFC 2849 note 2).
fn unfolded(text: &str) -> impl Iterator<Item = Line> {
    let mut physical = text.lines().enumerate().peekable();
    std::iter::from_fn(move || {
        let (index, first) = physical.next()?;
        let mut text = first.trim_end_matches('\r').to_owned();
        while let Some((_, next)) = physical.peek() {
            match next.strip_prefix(' ') {
                Some(rest) if !text.is_empty() => text.push_str(rest.trim_end_matches('\r')),
                Some(_) | None => break,
            }
            physical.next();
        }
        Some(Line {
            number: index + 1,
            text,
        })
    })
}

fn name_and_value(line: &str) -> Result<(String, RawValue), ReadFault> {
    let Some((name, rest)) = line.split_once(':') else {
        return Err(ReadFault::Syntax(format!(
            "expected `attribute: value`, found `{}`",
            line.chars().take(40).collect::<String>()
        )));
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | ';' | '=' | '.' | '*' | '_');
    if name.is_empty() || !name.chars().all(is_name) {
        let shown: String = name.chars().take(40).collect();
        return Err(ReadFault::Syntax(format!("`{shown}` is no attribute name")));
    }
    if rest.starts_with('<') {
        return Err(ReadFault::ValueElsewhere(name.to_owned()));
    }
    let base = name.split(';').next().unwrap_or(name);
    let value = match rest.strip_prefix(':') {
        Some(encoded) => {
            let octets = STANDARD
                .decode(encoded.trim())
                .map_err(|_| ReadFault::Syntax(format!("`{base}` is not base64")))?;
            from_octets(base, octets)
        }
        // One blank after the colon belongs to the form, further ones to the value... which LDIF writes in base64.
        None => RawValue::Text(rest.trim_start_matches(' ').to_owned()),
    };
    Ok((name.to_owned(), value))
}

fn from_octets(name: &str, octets: Vec<u8>) -> RawValue {
    let is_guid = GUIDS.iter().any(|guid| guid.eq_ignore_ascii_case(name));
    if is_guid && let Ok(sixteen) = <[u8; 16]>::try_from(octets.as_slice()) {
        // Active Directory stores the first three parts in little-endian order.
        return RawValue::Text(uuid::Uuid::from_bytes_le(sixteen).to_string());
    }
    match String::from_utf8(octets) {
        Ok(text) => RawValue::Text(text),
        // A certificate, a picture, a security descriptor: nothing that mail depends on.
        Err(_) => RawValue::Null,
    }
}

/// One entry as it comes together.
#[derive(Default)]
struct Entry {
    fields: Vec<RawField>,
    values: usize,
}

impl Entry {
    fn add(&mut self, name: String, value: RawValue, line: usize) -> Result<(), ReadFault> {
        self.values += 1;
        if self.values > VALUES_MAX {
            return Err(ReadFault::TooManyValues);
        }
        if value.plain().is_some_and(|text| text.len() > VALUE_OCTETS_MAX) {
            return Err(ReadFault::ValueTooLong(name));
        }
        // `member;range=0-1499` and `member;range=1500-*` are one attribute; an open end is kept as a mark.
        let mut parts = name.split(';');
        let base = parts.next().unwrap_or("").to_owned();
        let range = parts.find_map(|option| option.strip_prefix("range="));
        if let Some(end) = range.and_then(|range| range.split_once('-')).map(|(_, end)| end) {
            self.note_range(&base, end, line);
        }
        match self
            .fields
            .iter_mut()
            .rev()
            .find(|field| field.name.eq_ignore_ascii_case(&base))
        {
            Some(field) => match &mut field.value {
                RawValue::List(list) => list.push(value),
                RawValue::Null
                | RawValue::Boolean(_)
                | RawValue::Number(_)
                | RawValue::Text(_)
                | RawValue::Object { .. } => {
                    let first = std::mem::replace(&mut field.value, RawValue::Null);
                    field.value = RawValue::List(vec![first, value]);
                }
            },
            None => self.fields.push(RawField {
                name: base,
                value,
                line,
                column: 1,
            }),
        }
        Ok(())
    }

    fn note_range(&mut self, base: &str, end: &str, line: usize) {
        let name = format!("{base};range");
        let value = RawValue::Text(end.to_owned());
        match self.fields.iter_mut().find(|field| field.name == name) {
            Some(field) if field.value.plain() == Some("*") => {}
            Some(field) => field.value = value,
            None => self.fields.push(RawField {
                name,
                value,
                line,
                column: 1,
            }),
        }
    }

    fn finish(&mut self, records: &mut Vec<RawRecord>) -> Result<(), ReadFault> {
        self.values = 0;
        let fields = std::mem::take(&mut self.fields);
        let Some(first) = fields.first() else { return Ok(()) };
        if !first.name.eq_ignore_ascii_case("dn") {
            return Err(ReadFault::Syntax(format!(
                "an entry begins with `dn:`, found `{}:`",
                first.name
            )));
        }
        if records.len() >= RECORDS_MAX {
            return Err(ReadFault::TooManyRecords);
        }
        records.push(RawRecord {
            line: first.line,
            fields,
        });
        Ok(())
    }
}

/// The highest index read of an attribute whose last range is missing.
#[must_use]
pub fn has_open_range(record: &RawRecord, attribute: &str) -> Option<usize> {
    let name = format!("{attribute};range");
    let field = record
        .fields
        .iter()
        .find(|field| field.name.eq_ignore_ascii_case(&name))?;
    field.value.plain()?.parse().ok()
}
