//! Output of `Export-Csv`, of a spreadsheet and of `csvde`: a header and rows.
//!
//! In: a text. Out: records with places; every value is a text. Never: a row of another width than the header.
//! (The reader beneath is that of directory files: it knows the column of every field, which the `csv` crate
//! does not, and is tested against it.)

use super::raw::{
    PlacedFault, Places, RECORDS_MAX, RawField, RawRecord, RawValue, ReadFault, VALUE_OCTETS_MAX, VALUES_MAX,
};
use crate::connectors::files::csv;

/// Reads all rows.
pub fn read(text: &str) -> Result<Vec<RawRecord>, PlacedFault> {
    let mut places = Places::of(text);
    let rows = csv::rows(text).map_err(|fault| places.fault(fault.span.start, ReadFault::Syntax(fault.message)))?;
    let Some((header, rows)) = rows.split_first() else {
        return Err(PlacedFault::whole(ReadFault::Empty));
    };
    if rows.len() > RECORDS_MAX {
        return Err(PlacedFault::whole(ReadFault::TooManyRecords));
    }
    if header.len() > VALUES_MAX {
        return Err(PlacedFault::whole(ReadFault::TooManyValues));
    }
    let mut records = Vec::with_capacity(rows.len());
    for row in rows {
        let start = row.first().map_or(0, |field| field.span.start);
        if row.len() != header.len() {
            let fault = ReadFault::RowWidth {
                fields: row.len(),
                columns: header.len(),
            };
            return Err(places.fault(start, fault));
        }
        let (line, _) = places.at(start);
        let mut fields = Vec::with_capacity(row.len());
        for (name, field) in header.iter().zip(row) {
            let text = field.text.as_ref();
            if text.trim().is_empty() {
                continue;
            }
            let (line, column) = places.at(field.span.start);
            if text.len() > VALUE_OCTETS_MAX {
                let fault = ReadFault::ValueTooLong(name.text.to_string());
                return Err(PlacedFault { fault, line, column });
            }
            fields.push(RawField {
                name: name.text.trim().to_owned(),
                value: RawValue::Text(text.to_owned()),
                line,
                column,
            });
        }
        records.push(RawRecord { line, fields });
    }
    Ok(records)
}

/// The names of the header, for telling what kind of table it is.
pub fn header(text: &str) -> Vec<String> {
    let first = text.get(..text.len().min(64 * 1024)).unwrap_or(text);
    csv::rows(first)
        .ok()
        .and_then(|rows| rows.into_iter().next())
        .map(|row| row.iter().map(|field| field.text.trim().to_owned()).collect())
        .unwrap_or_default()
}
