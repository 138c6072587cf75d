//! Who may send as whom: rows of Get-RecipientPermission (Exchange Online) and Get-ADPermission (on premises).
//!
//! In: records with an object, a person and a right. Out: rows of those that allow or deny `Send As`. Never: a right of
//! another kind; the object's own right to itself; a permission that a denial takes away again (a denial wins).

use std::collections::BTreeMap;

use super::catalog::Found;
use super::cells::At;
use super::convert::{self, Spelled};
use super::import::Import;
use super::names::fold;
use super::raw::{RawRecord, RawValue};
use super::report::{Code, Finding};
use super::rule::bounded;
use crate::connectors::files::property::Property as P;

/// One permission.
#[derive(Debug, Clone)]
pub struct PermissionRow {
    /// Whose name.
    object: Spelled,
    /// Who may write in it.
    trustee: Spelled,
    /// Or may not, whatever other rows say.
    denied: bool,
    at: At,
}

/// True if these are columns of a table of permissions.
pub fn is_table(columns: &[&str]) -> bool {
    let has = |name: &str| columns.iter().any(|column| fold(column) == name);
    has("identity") && (has("trustee") && has("accessrights") || has("user") && has("extendedrights"))
}

/// The row of a record, if it is about sending.
pub fn row(record: &RawRecord, file: usize) -> Option<PermissionRow> {
    let field = |name: &str| record.fields.iter().find(|field| fold(&field.name) == name);
    let name = |column: &str| -> Option<String> {
        let value = &field(column)?.value;
        let text = convert::address(value).or_else(|| convert::text(value))?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    let rights = ["accessrights", "extendedrights"].into_iter().filter_map(field);
    let sends = rights
        .flat_map(|field| words(&field.value))
        .any(|word| fold(&word) == "sendas");
    let trustee = name("trustee").or_else(|| name("user"))?;
    // Everybody may send as himself; a SID alone is an account that is gone.
    let is_nobody = trustee.to_ascii_uppercase().ends_with("\\SELF") || trustee.starts_with("S-1-");
    if !sends || is_nobody {
        return None;
    }
    let kind = name("accesscontroltype").is_some_and(|kind| kind.eq_ignore_ascii_case("deny"));
    let denied = kind
        || field("deny")
            .and_then(|field| convert::boolean(&field.value))
            .unwrap_or(false);
    Some(PermissionRow {
        object: Spelled(vec![name("identity")?]),
        trustee: Spelled(vec![trustee]),
        denied,
        at: At {
            file,
            line: record.line,
            column: 0,
        },
    })
}

/// Words of a value of rights: `SendAs`, `{Send-As}`, a list, an enumeration with its name.
fn words(value: &RawValue) -> Vec<String> {
    match value {
        RawValue::List(list) => list.iter().flat_map(words).collect(),
        RawValue::Object { fields, printed } => {
            let printed = printed.iter().cloned();
            let inner = fields.iter().flat_map(|(_, value)| words(value));
            printed.chain(inner).collect()
        }
        RawValue::Text(text) => {
            let inner = text.trim().trim_start_matches('{').trim_end_matches('}');
            inner.split([',', ';']).map(|word| word.trim().to_owned()).collect()
        }
        RawValue::Null | RawValue::Boolean(_) | RawValue::Number(_) => Vec::new(),
    }
}

impl Import<'_> {
    /// Puts permissions into the lists of the objects they are about.
    pub(super) fn take_permissions(&mut self, rows: Vec<PermissionRow>) {
        let mut unknown: BTreeMap<String, (u64, At)> = BTreeMap::new();
        let mut found = Vec::new();
        for row in rows {
            match self.catalog.find(&row.object) {
                Found::Object(index) => found.push((index, row)),
                Found::Several(_) | Found::Outside(_) | Found::Nobody => {
                    unknown.entry(row.object.shown().to_owned()).or_insert((0, row.at)).0 += 1;
                }
            }
        }
        // In Windows a denial beats every permission; who is meant may be spelled in two ways.
        let who = |import: &Self, row: &PermissionRow| match import.catalog.find(&row.trustee) {
            Found::Object(index) => format!("#{index}"),
            Found::Several(_) | Found::Outside(_) | Found::Nobody => row.trustee.shown().to_lowercase(),
        };
        let denied: Vec<(usize, String)> = found
            .iter()
            .filter(|(_, row)| row.denied)
            .map(|(index, row)| (*index, who(self, row)))
            .collect();
        for (index, row) in found {
            if !row.denied && !denied.contains(&(index, who(self, &row))) {
                self.links
                    .entry((index, P::SendAs))
                    .or_default()
                    .push((row.trustee, row.at));
            }
        }
        for (object, (rows, at)) in unknown {
            let file = self.files.get(at.file).cloned().unwrap_or_default();
            let message =
                format!("`{object}` is no recipient of these files; {rows} permissions to send as it were not used");
            let finding = Finding::new(Code::UnresolvedReference, message)
                .about(object)
                .at(&file, bounded(at.line), bounded(at.column))
                .propose("add the export of Get-Recipient that holds it");
            self.findings.push(finding);
        }
    }
}
