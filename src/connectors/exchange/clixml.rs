//! Output of `Export-Clixml`: objects with types, as text in XML.
//!
//! In: a text. Out: records with places. Never: a document type, an entity of its own, a reference that grows the
//! file: what `<Ref>` repeats counts against the bounds as if it were written out.

use std::collections::HashMap;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::raw::{
    DEPTH_MAX, PlacedFault, Places, RECORDS_MAX, RawField, RawRecord, RawValue, ReadFault, VALUE_OCTETS_MAX, VALUES_MAX,
};

/// Elements nest twice as deep as values: `Obj`, `Props`, `Obj`, `LST`, `S`.
const ELEMENT_DEPTH_MAX: usize = 3 * DEPTH_MAX;

/// Most elements kept because a later `<Ref>` may name them.
const REFERENCES_MAX: usize = 1_000_000;

/// One element with everything below it.
#[derive(Debug)]
struct Element {
    tag: String,
    name: Option<String>,
    reference: Option<String>,
    text: String,
    children: Vec<Element>,
    octet: usize,
}

/// Reads all objects.
pub fn read(text: &str) -> Result<Vec<RawRecord>, PlacedFault> {
    let mut reader = Reader::from_str(text);
    let mut places = Places::of(text);
    let mut stack: Vec<Element> = Vec::new();
    let mut records = Vec::new();
    let mut interpreter = Interpreter::default();
    loop {
        let octet = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        let event = reader
            .read_event()
            .map_err(|fault| places.fault(octet, ReadFault::Syntax(format!("the XML is broken: {fault}"))))?;
        let mut done = None;
        match event {
            Event::Start(start) => {
                if stack.len() >= ELEMENT_DEPTH_MAX {
                    return Err(places.fault(octet, ReadFault::TooDeep));
                }
                stack.push(element(&start, octet).map_err(|fault| places.fault(octet, fault))?);
            }
            Event::Empty(start) => done = Some(element(&start, octet).map_err(|fault| places.fault(octet, fault))?),
            Event::End(_) => done = stack.pop(),
            Event::Text(text) => {
                let text = text.decode().map_err(|fault| syntax(&mut places, octet, &fault))?;
                append(&mut stack, &text).map_err(|fault| places.fault(octet, fault))?;
            }
            Event::CData(text) => {
                let text = text.decode().map_err(|fault| syntax(&mut places, octet, &fault))?;
                append(&mut stack, &text).map_err(|fault| places.fault(octet, fault))?;
            }
            Event::GeneralRef(entity) => {
                let name = entity.decode().map_err(|fault| syntax(&mut places, octet, &fault))?;
                let plain = match entity.resolve_char_ref() {
                    Ok(Some(character)) => character.to_string(),
                    _ => predefined(&name)
                        .ok_or_else(|| {
                            places.fault(
                                octet,
                                ReadFault::Syntax(format!("the XML is broken: unknown entity &{name};")),
                            )
                        })?
                        .to_owned(),
                };
                append(&mut stack, &plain).map_err(|fault| places.fault(octet, fault))?;
            }
            Event::DocType(_) => return Err(places.fault(octet, ReadFault::DocumentType)),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof => break,
        }
        let Some(element) = done else { continue };
        // Objects stand directly below the root.
        if stack.len() == 1 {
            if records.len() >= RECORDS_MAX {
                return Err(places.fault(element.octet, ReadFault::TooManyRecords));
            }
            interpreter.top(&element, &mut places, &mut records)?;
        } else if let Some(parent) = stack.last_mut() {
            parent.children.push(element);
        }
    }
    if let Some(open) = stack.last() {
        let message = format!(
            "the XML is broken: <{}> is never closed; the file was cut off",
            open.tag
        );
        return Err(places.fault(open.octet, ReadFault::Syntax(message)));
    }
    Ok(records)
}

fn syntax(places: &mut Places<'_>, octet: usize, fault: &dyn std::fmt::Display) -> PlacedFault {
    places.fault(octet, ReadFault::Syntax(format!("the XML is broken: {fault}")))
}

fn predefined(name: &str) -> Option<&'static str> {
    Some(match name {
        "lt" => "<",
        "gt" => ">",
        "amp" => "&",
        "quot" => "\"",
        "apos" => "'",
        _ => return None,
    })
}

fn element(start: &BytesStart<'_>, octet: usize) -> Result<Element, ReadFault> {
    let broken = |what: &dyn std::fmt::Display| ReadFault::Syntax(format!("the XML is broken: {what}"));
    let mut element = Element {
        tag: String::from_utf8_lossy(start.local_name().as_ref()).into_owned(),
        name: None,
        reference: None,
        text: String::new(),
        children: Vec::new(),
        octet,
    };
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|fault| broken(&fault))?;
        let value = attribute.unescape_value().map_err(|fault| broken(&fault))?;
        match attribute.key.as_ref() {
            b"N" => element.name = Some(unescaped(&value)),
            b"RefId" => element.reference = Some(value.into_owned()),
            _ => {}
        }
    }
    Ok(element)
}

fn append(stack: &mut [Element], text: &str) -> Result<(), ReadFault> {
    let Some(element) = stack.last_mut() else { return Ok(()) };
    if element.text.len() + text.len() > VALUE_OCTETS_MAX {
        let name = element.name.clone().unwrap_or_else(|| element.tag.clone());
        return Err(ReadFault::ValueTooLong(name));
    }
    element.text.push_str(text);
    Ok(())
}

/// `_x000A_` is how CLIXML writes a character that XML cannot hold; units of UTF-16, two for a pair.
fn unescaped(text: &str) -> String {
    if !text.contains("_x") {
        return text.to_owned();
    }
    let unit = |at: &str| {
        let digits = at.strip_prefix("_x")?.get(..4)?;
        (at.as_bytes().get(6) == Some(&b'_') && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .then(|| u16::from_str_radix(digits, 16).ok())
            .flatten()
    };
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("_x") {
        let (before, escape) = rest.split_at(at);
        plain.push_str(before);
        let first = unit(escape);
        let second = escape.get(7..).and_then(unit);
        let units: Vec<u16> = first.into_iter().chain(second).collect();
        match char::decode_utf16(units).next() {
            Some(Ok(character)) => {
                plain.push(character);
                rest = escape.get(7 * character.len_utf16()..).unwrap_or("");
            }
            Some(Err(_)) | None => {
                plain.push_str("_x");
                rest = escape.get(2..).unwrap_or("");
            }
        }
    }
    plain.push_str(rest);
    plain
}

/// Gives elements their meaning.
#[derive(Default)]
struct Interpreter {
    known: HashMap<String, RawValue>,
}

impl Interpreter {
    /// An object below the root is a record; so is every object of a list there.
    fn top(
        &mut self,
        element: &Element,
        places: &mut Places<'_>,
        records: &mut Vec<RawRecord>,
    ) -> Result<(), PlacedFault> {
        let list = element.children.iter().find(|child| is_list(&child.tag));
        if let Some(list) = list {
            for child in &list.children {
                self.top(child, places, records)?;
            }
            return Ok(());
        }
        let (line, _) = places.at(element.octet);
        let mut record = RawRecord {
            line,
            fields: Vec::new(),
        };
        let mut budget = VALUES_MAX;
        let members = element
            .children
            .iter()
            .filter(|child| child.tag == "Props" || child.tag == "MS");
        for child in members.flat_map(|members| &members.children) {
            let Some(name) = &child.name else { continue };
            let (line, column) = places.at(child.octet);
            let value = self
                .value(child, name, 0, &mut budget)
                .map_err(|fault| PlacedFault { fault, line, column })?;
            record.fields.push(RawField {
                name: name.clone(),
                value,
                line,
                column,
            });
        }
        if !record.fields.is_empty() {
            records.push(record);
        }
        Ok(())
    }

    fn value(
        &mut self,
        element: &Element,
        name: &str,
        depth: usize,
        budget: &mut usize,
    ) -> Result<RawValue, ReadFault> {
        if depth > DEPTH_MAX {
            return Err(ReadFault::TooDeep);
        }
        spend(budget, 1)?;
        let value = match element.tag.as_str() {
            "Nil" => RawValue::Null,
            "B" => RawValue::Boolean(element.text.trim().eq_ignore_ascii_case("true")),
            "I16" | "I32" | "I64" | "U16" | "U32" | "U64" | "By" | "SB" | "Sg" | "Db" | "D" => {
                RawValue::Number(element.text.trim().to_owned())
            }
            "Ref" => {
                let known = element
                    .reference
                    .as_ref()
                    .and_then(|reference| self.known.get(reference));
                let value = known.cloned().unwrap_or(RawValue::Null);
                spend(budget, size_of_value(&value))?;
                value
            }
            "Obj" => {
                let value = self.object(element, name, depth, budget)?;
                if let Some(reference) = &element.reference
                    && self.known.len() < REFERENCES_MAX
                    && is_shared_kind(&value)
                {
                    self.known.insert(reference.clone(), value.clone());
                }
                value
            }
            // Texts, GUIDs, dates, addresses of the web, versions.
            _ => RawValue::Text(unescaped(&element.text)),
        };
        Ok(value)
    }

    fn object(
        &mut self,
        element: &Element,
        name: &str,
        depth: usize,
        budget: &mut usize,
    ) -> Result<RawValue, ReadFault> {
        let mut printed = None;
        let mut fields = Vec::new();
        for child in &element.children {
            match child.tag.as_str() {
                "TN" | "TNRef" => {}
                "ToString" => printed = Some(unescaped(&child.text)),
                "Props" | "MS" => {
                    for member in &child.children {
                        let Some(name) = &member.name else { continue };
                        let value = self.value(member, name, depth + 1, budget)?;
                        fields.push((name.clone(), value));
                    }
                }
                tag if is_list(tag) => {
                    let list: Result<Vec<RawValue>, ReadFault> = child
                        .children
                        .iter()
                        .map(|item| self.value(item, name, depth + 1, budget))
                        .collect();
                    return Ok(RawValue::List(list?));
                }
                "DCT" => {
                    for entry in &child.children {
                        let part =
                            |wanted: &str| entry.children.iter().find(|part| part.name.as_deref() == Some(wanted));
                        if let (Some(key), Some(value)) = (part("Key"), part("Value")) {
                            let value = self.value(value, name, depth + 1, budget)?;
                            fields.push((unescaped(&key.text), value));
                        }
                    }
                }
                // An enumeration: its number beside what it prints as. The name says more.
                _ if fields.is_empty() => {
                    let number = self.value(child, name, depth + 1, budget)?;
                    return Ok(match printed {
                        Some(text) => RawValue::Text(text),
                        None => number,
                    });
                }
                _ => {}
            }
        }
        Ok(RawValue::Object { fields, printed })
    }
}

fn is_list(tag: &str) -> bool {
    matches!(tag, "LST" | "IE" | "QUE" | "STK")
}

/// Small values are not worth keeping for a `<Ref>`; lists and objects are what is shared.
fn is_shared_kind(value: &RawValue) -> bool {
    match value {
        RawValue::List(_) | RawValue::Object { .. } => size_of_value(value) <= 10_000,
        RawValue::Null | RawValue::Boolean(_) | RawValue::Number(_) | RawValue::Text(_) => true,
    }
}

fn size_of_value(value: &RawValue) -> usize {
    match value {
        RawValue::Null | RawValue::Boolean(_) | RawValue::Number(_) | RawValue::Text(_) => 1,
        RawValue::List(list) => 1 + list.iter().map(size_of_value).sum::<usize>(),
        RawValue::Object { fields, .. } => 1 + fields.iter().map(|(_, value)| size_of_value(value)).sum::<usize>(),
    }
}

fn spend(budget: &mut usize, values: usize) -> Result<(), ReadFault> {
    *budget = budget.checked_sub(values).ok_or(ReadFault::TooManyValues)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_of_clixml() {
        for (text, plain) in [
            ("a_x000A_b", "a\nb"),
            ("_x005F_x000A_", "_x000A_"),
            ("_xD83D__xDE00_", "😀"),
            ("_xD83D_ alone", "_xD83D_ alone"),
            ("under_score _x12", "under_score _x12"),
        ] {
            assert_eq!(unescaped(text), plain);
        }
    }
}
