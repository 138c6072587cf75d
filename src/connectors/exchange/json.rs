//! Output of `ConvertTo-Json`: one object, a list, or what Windows PowerShell wraps around a list.
//!
//! In: a text. Out: records with places. Never: a guess about an object that was cut to a text.

use super::raw::{
    DEPTH_MAX, PlacedFault, Places, RECORDS_MAX, RawField, RawRecord, RawValue, ReadFault, VALUE_OCTETS_MAX, VALUES_MAX,
};
use crate::connectors::document::{Node, NodeValue, parse_json};

/// Reads all records.
pub fn read(text: &str) -> Result<Vec<RawRecord>, PlacedFault> {
    let mut places = Places::of(text);
    let root = parse_json(text).map_err(|fault| places.fault(fault.span.start, ReadFault::Syntax(fault.message)))?;
    let mut records = Vec::new();
    objects(root, &mut places, &mut records)?;
    Ok(records)
}

fn objects(node: Node, places: &mut Places<'_>, records: &mut Vec<RawRecord>) -> Result<(), PlacedFault> {
    let start = node.span.start;
    match node.value {
        NodeValue::List(list) => {
            for item in list {
                objects_in_list(item, places, records)?;
            }
            Ok(())
        }
        NodeValue::Table(entries) => {
            // `ConvertTo-Json` of Windows PowerShell writes {"value": […], "Count": n}; REST answers have "value".
            let wraps = |name: &str| {
                ["value", "count", "@odata.context", "@odata.nextlink"].contains(&name.to_lowercase().as_str())
            };
            let is_wrapped = entries.iter().all(|entry| wraps(entry.key.as_ref()))
                && entries
                    .iter()
                    .any(|entry| matches!(entry.node.value, NodeValue::List(_)));
            if is_wrapped {
                for entry in entries {
                    if let NodeValue::List(list) = entry.node.value {
                        for item in list {
                            objects_in_list(item, places, records)?;
                        }
                    }
                }
                return Ok(());
            }
            let node = Node {
                span: node.span,
                value: NodeValue::Table(entries),
            };
            records.push(record(node, places)?);
            Ok(())
        }
        NodeValue::Null => Ok(()),
        NodeValue::Boolean(_)
        | NodeValue::Integer(_)
        | NodeValue::Number(_)
        | NodeValue::Text(_)
        | NodeValue::Time(_) => {
            let message = format!("expected objects, found {}", node.value.kind());
            Err(places.fault(start, ReadFault::Syntax(message)))
        }
    }
}

fn objects_in_list(node: Node, places: &mut Places<'_>, records: &mut Vec<RawRecord>) -> Result<(), PlacedFault> {
    if records.len() >= RECORDS_MAX {
        return Err(places.fault(node.span.start, ReadFault::TooManyRecords));
    }
    match &node.value {
        NodeValue::Table(_) => {
            records.push(record(node, places)?);
            Ok(())
        }
        NodeValue::Null => Ok(()),
        NodeValue::Boolean(_)
        | NodeValue::Integer(_)
        | NodeValue::Number(_)
        | NodeValue::Text(_)
        | NodeValue::Time(_)
        | NodeValue::List(_) => {
            let message = format!("expected an object, found {}", node.value.kind());
            Err(places.fault(node.span.start, ReadFault::Syntax(message)))
        }
    }
}

fn record(node: Node, places: &mut Places<'_>) -> Result<RawRecord, PlacedFault> {
    let (line, _) = places.at(node.span.start);
    let mut record = RawRecord {
        line,
        fields: Vec::new(),
    };
    let NodeValue::Table(entries) = node.value else {
        return Ok(record);
    };
    let mut budget = VALUES_MAX;
    for entry in entries {
        let name = entry.key.as_ref().clone();
        let start = entry.node.span.start;
        let (line, column) = places.at(start);
        let value = value(entry.node, &name, 0, &mut budget).map_err(|fault| PlacedFault { fault, line, column })?;
        record.fields.push(RawField {
            name,
            value,
            line,
            column,
        });
    }
    Ok(record)
}

fn value(node: Node, name: &str, depth: usize, budget: &mut usize) -> Result<RawValue, ReadFault> {
    if depth > DEPTH_MAX {
        return Err(ReadFault::TooDeep);
    }
    *budget = budget.checked_sub(1).ok_or(ReadFault::TooManyValues)?;
    Ok(match node.value {
        NodeValue::Null => RawValue::Null,
        NodeValue::Boolean(value) => RawValue::Boolean(value),
        NodeValue::Integer(number) => RawValue::Number(number.to_string()),
        NodeValue::Number(text) => RawValue::Number(text),
        NodeValue::Text(text) | NodeValue::Time(text) => {
            if text.len() > VALUE_OCTETS_MAX {
                return Err(ReadFault::ValueTooLong(name.to_owned()));
            }
            RawValue::Text(text)
        }
        NodeValue::List(list) => {
            let list: Result<Vec<RawValue>, ReadFault> = list
                .into_iter()
                .map(|item| value(item, name, depth + 1, budget))
                .collect();
            RawValue::List(list?)
        }
        NodeValue::Table(entries) => {
            let mut fields = Vec::with_capacity(entries.len());
            for entry in entries {
                let name = entry.key.as_ref().clone();
                let value = value(entry.node, &name, depth + 1, budget)?;
                fields.push((name, value));
            }
            RawValue::Object { fields, printed: None }
        }
    })
}
