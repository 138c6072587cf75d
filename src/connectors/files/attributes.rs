//! Attributes of a record and the state of its account.
//!
//! In: cells. Out: stored values. Never: a blank at the end of a value dropped where values have types.

use super::property::Property as P;
use super::record::Record;
use crate::connectors::document::NodeValue;
use crate::connectors::document::read::{Faults, expected};
use crate::directory::attribute::Attribute;
use crate::directory::recipient::{ObjectState, RecipientObject};
use crate::directory::value::Value;

/// Stores every attribute the record states.
pub fn read(record: &Record, object: &mut RecipientObject, faults: &mut Faults) {
    held(record, object, faults);
    stored(record, object, faults);
}

fn held(record: &Record, object: &mut RecipientObject, faults: &mut Faults) {
    for cell in &record.cells {
        let P::Held(attribute) = cell.property else {
            continue;
        };
        if attribute.value_type().is_multi_valued() {
            let texts = record.texts_as_written(cell.property, faults);
            object
                .attributes
                .set(attribute, Value::texts(texts.iter().map(String::as_str)));
            continue;
        }
        let text = match &cell.node.value {
            NodeValue::Text(text) | NodeValue::Time(text) | NodeValue::Number(text) => text.clone(),
            NodeValue::Boolean(value) => value.to_string(),
            NodeValue::Integer(value) => value.to_string(),
            NodeValue::Null | NodeValue::List(_) | NodeValue::Table(_) => {
                faults.push(
                    cell.node.span.clone(),
                    &cell.name,
                    expected("one value", &cell.node),
                    None,
                );
                continue;
            }
        };
        match Value::parse(attribute, &text) {
            Ok(value) => object.attributes.set(attribute, value),
            Err(fault) => faults.push(
                cell.node.span.clone(),
                &cell.name,
                expected(fault.expected, &cell.node),
                None,
            ),
        }
    }
}

/// `stored_attributes`: values stored under names that are settings of the object, as `muster export` writes them.
fn stored(record: &Record, object: &mut RecipientObject, faults: &mut Faults) {
    let Some(cell) = record.cell(P::StoredAttributes) else {
        return;
    };
    let NodeValue::Table(entries) = &cell.node.value else {
        faults.push(
            cell.node.span.clone(),
            &cell.name,
            expected("a table", &cell.node),
            None,
        );
        return;
    };
    for entry in entries {
        let name = entry.key.as_ref();
        let Some(attribute) = Attribute::from_name(name) else {
            let meant = crate::directory::attribute::suggest_property(name).map(str::to_owned);
            faults.push(
                entry.key.span(),
                &cell.name,
                format!("unknown attribute `{name}`"),
                meant,
            );
            continue;
        };
        let value = match &entry.node.value {
            NodeValue::Text(text) if !attribute.value_type().is_multi_valued() => Value::parse(attribute, text),
            NodeValue::Boolean(value) => Value::parse(attribute, &value.to_string()),
            NodeValue::Integer(value) => Value::parse(attribute, &value.to_string()),
            NodeValue::List(list) if attribute.value_type().is_multi_valued() => {
                let texts = list.iter().filter_map(|item| match &item.value {
                    NodeValue::Text(text) if !text.is_empty() => Some(text.as_str()),
                    _ => None,
                });
                Ok(Value::texts(texts))
            }
            NodeValue::Null
            | NodeValue::Number(_)
            | NodeValue::Text(_)
            | NodeValue::Time(_)
            | NodeValue::List(_)
            | NodeValue::Table(_) => {
                let message = expected("a value of this attribute", &entry.node);
                faults.push(entry.node.span.clone(), name, message, None);
                continue;
            }
        };
        match value {
            Ok(value) => object.attributes.set(attribute, value),
            Err(fault) => {
                let message = expected(fault.expected, &entry.node);
                faults.push(entry.node.span.clone(), name, message, None);
            }
        }
    }
}

/// Whether the account works.
pub fn state(record: &Record, object: &RecipientObject, faults: &mut Faults) -> ObjectState {
    const ACCOUNT_DISABLED: i64 = 2;
    // Active Directory has a flag, Entra a property of its own.
    let by_flag = match object.attributes.get(Attribute::UserAccountControl) {
        Some(Value::Integer(flags)) => flags & ACCOUNT_DISABLED != 0,
        Some(_) | None => object.attributes.get(Attribute::AccountEnabled) == Some(&Value::Boolean(false)),
    };
    if record.boolean(P::Deleted, faults) == Some(true) {
        return ObjectState::Deleted;
    }
    if record.boolean(P::AccountDisabled, faults).unwrap_or(by_flag) {
        ObjectState::Disabled
    } else {
        ObjectState::Enabled
    }
}
