//! Taking files in: drafts of objects, rows of member tables, what is wrong with a file as a whole.
//!
//! In: files one by one. Out: drafts and rows in the order of files, findings. Never: a column of type names read as
//! values.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use super::build::holds_type_name;
use super::cells::{At, Draft, draft};
use super::convert::{self, Spelled};
use super::detect;
use super::import::{Findings, InputFile, plain_texts};
use super::names::{self, Link, Meaning, fold};
use super::permissions::{self, PermissionRow};
use super::raw::{FileKind, RawField, RawRecord, ReadFault, is_cut_off};
use super::report::{Code, FileRow, Finding};
use super::rule::bounded;
use super::text::has_lost_letter;
use crate::connectors::files::property::Property as P;
use crate::directory::attribute::Attribute;

/// A row of a member table.
#[derive(Debug, Clone)]
pub struct MemberRow {
    /// The group, by every column that names it.
    pub group: Spelled,
    /// Which list.
    pub link: Link,
    /// The member, by every column that names it.
    pub member: Spelled,
    /// Where it stands.
    pub at: At,
}

/// A file that may be the member list of the group whose name it bears.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Index of the file.
    pub file: usize,
    /// Names it may mean, the whole one first.
    pub stems: Vec<String>,
    /// Which list it is, by its name.
    pub link: Link,
    /// Its records, as indexes of drafts.
    pub records: Range<usize>,
    /// Its records as members.
    pub members: Vec<(Spelled, At)>,
}

/// What was taken in.
#[derive(Debug, Default)]
pub struct Intake {
    /// Drafts in the order of files.
    pub drafts: Vec<Draft>,
    /// Rows of member tables.
    pub rows: Vec<MemberRow>,
    /// Who may send as whom.
    pub permissions: Vec<PermissionRow>,
    /// Files that may be member lists.
    pub candidates: Vec<Candidate>,
    /// Files that were read.
    pub files: Vec<FileRow>,
    /// What was found.
    pub findings: Findings,
    /// True if a table with a column for the group was read.
    pub has_member_tables: bool,
    passed_over: BTreeMap<String, u64>,
}

impl Intake {
    /// Takes one file in.
    pub fn read(&mut self, index: usize, file: &InputFile) {
        let parsed = match detect::read(&file.octets) {
            Ok(parsed) => parsed,
            Err(fault) => {
                let mut finding = Finding::new(Code::UnreadableFile, fault.fault.to_string()).at(
                    &file.name,
                    bounded(fault.line),
                    bounded(fault.column),
                );
                finding.proposal = fault.fault.proposal();
                self.findings.push(finding);
                return;
            }
        };
        self.files.push(FileRow {
            name: file.name.clone(),
            kind: parsed.kind,
            encoding: parsed.encoding,
            records: parsed.records.len() as u64,
        });
        self.refuse_traps(&file.name, &parsed.records);
        self.tell_lost_letters(&file.name, &parsed.records);
        if parsed.records.len() == 1_000 && parsed.kind != FileKind::Ldif {
            let finding = Finding::new(
                Code::TruncatedExport,
                "exactly 1,000 records: cmdlets stop there unless told otherwise",
            )
            .at(&file.name, 0, 0)
            .propose("export again with -ResultSize Unlimited");
            self.findings.push(finding);
        }
        let is_ldap = parsed.kind == FileKind::Ldif || parsed.records.first().is_some_and(is_active_directory);
        let columns = columns(&parsed.records);
        if !is_ldap && permissions::is_table(&columns) {
            let rows = parsed
                .records
                .iter()
                .filter_map(|record| permissions::row(record, index));
            self.permissions.extend(rows);
            return;
        }
        let is_member_table = !is_ldap
            && columns.iter().any(|name| names::group_column(name).is_some())
            && columns.iter().any(|name| names::member_column(name).is_some());
        if is_member_table {
            self.has_member_tables = true;
            for record in &parsed.records {
                self.member_row(record, parsed.kind, index);
            }
            return;
        }
        let first = self.drafts.len();
        let mut members = Vec::new();
        for record in &parsed.records {
            let passed_over = &mut self.passed_over;
            let draft = draft(record, parsed.kind, is_ldap, index, &mut |name| {
                // The mark of a range is no column.
                if !name.contains(';') {
                    *passed_over.entry(name.to_owned()).or_insert(0) += 1;
                }
            });
            members.push((spelled(&draft), draft.at));
            self.drafts.push(draft);
        }
        if !is_ldap {
            let (stems, link) = stems(&file.name);
            self.candidates.push(Candidate {
                file: index,
                stems,
                link,
                records: first..self.drafts.len(),
                members,
            });
        }
    }

    /// Says what was passed over.
    pub fn finish(&mut self) {
        if self.passed_over.is_empty() {
            return;
        }
        const SHOWN: usize = 12;
        let mut names: Vec<&str> = self.passed_over.keys().map(String::as_str).take(SHOWN).collect();
        if self.passed_over.len() > SHOWN {
            names.push("…");
        }
        let message = format!(
            "{} columns have no use here and were passed over: {}",
            self.passed_over.len(),
            names.join(", ")
        );
        self.findings.push(Finding::new(Code::ColumnsPassedOver, message));
    }

    /// Columns that hold names of types, or values cut off by a printer, are refused if something depends on them.
    fn refuse_traps(&mut self, file: &str, records: &[RawRecord]) {
        let mut told: Vec<(&str, bool)> = Vec::new();
        for field in records.iter().flat_map(|record| &record.fields) {
            let is_type = holds_type_name(&field.value);
            let is_cut = !is_type && plain_texts(&field.value).into_iter().any(is_cut_off);
            if !is_type && !is_cut || told.contains(&(field.name.as_str(), is_type)) {
                continue;
            }
            told.push((&field.name, is_type));
            let has_use = names::is_known(&field.name) || names::ldap_meaning(&field.name) != Meaning::Unused;
            // A note may end in an ellipsis of its own.
            let is_note =
                ["notes", "description", "info", "displayname", "mailtip"].contains(&fold(&field.name).as_str());
            if !has_use || is_cut && is_note {
                continue;
            }
            let (code, fault) = if is_type {
                (Code::TypeNameColumn, ReadFault::TypeName(field.name.clone()))
            } else {
                (Code::CutOffValue, ReadFault::CutOff(field.name.clone()))
            };
            let mut finding =
                Finding::new(code, fault.to_string()).at(file, bounded(field.line), bounded(field.column));
            finding.proposal = fault.proposal();
            self.findings.push(finding);
        }
    }

    /// `M?ller`: Export-Csv of Windows PowerShell writes ASCII unless told otherwise.
    fn tell_lost_letters(&mut self, file: &str, records: &[RawRecord]) {
        let named = [
            "displayname",
            "name",
            "firstname",
            "lastname",
            "office",
            "city",
            "department",
            "title",
            "member",
            "groupname",
        ];
        let mut lost: Option<(u64, &RawField, &str)> = None;
        for field in records.iter().flat_map(|record| &record.fields) {
            if !named.contains(&fold(&field.name).as_str()) {
                continue;
            }
            for text in plain_texts(&field.value) {
                if has_lost_letter(text) {
                    lost = lost.map_or(Some((1, field, text)), |(count, field, text)| {
                        Some((count + 1, field, text))
                    });
                }
            }
        }
        if let Some((count, field, text)) = lost {
            let message = format!(
                "{count} values have lost letters, the first is `{text}` ({})",
                field.name
            );
            let finding = Finding::new(Code::LostLetters, message)
                .at(file, bounded(field.line), bounded(field.column))
                .propose("export again with -Encoding UTF8: filters and names do not match otherwise");
            self.findings.push(finding);
        }
    }

    /// A row of a table with a column for the group: a membership, and a little about the member.
    fn member_row(&mut self, record: &RawRecord, kind: FileKind, file: usize) {
        let mut group: Vec<(names::GroupColumn, String)> = Vec::new();
        let mut member: Vec<(names::MemberColumn, String)> = Vec::new();
        let mut link = Link::Members;
        let mut about = RawRecord {
            line: record.line,
            fields: Vec::new(),
        };
        for field in &record.fields {
            let text = || {
                convert::address(&field.value)
                    .or_else(|| convert::text(&field.value))
                    .unwrap_or_default()
            };
            if let Some(column) = names::group_column(&field.name) {
                group.push((column, text().trim().to_owned()));
            } else if names::is_link_column(&field.name) {
                link = names::link(&text()).unwrap_or(Link::Members);
            } else if let Some(column) = names::member_column(&field.name) {
                member.push((column, text().trim().to_owned()));
                let name = match column {
                    names::MemberColumn::Address => "PrimarySmtpAddress",
                    names::MemberColumn::Name => "DisplayName",
                    names::MemberColumn::Guid => "Guid",
                    names::MemberColumn::Identity if fold(&field.name) == "alias" => "Alias",
                    names::MemberColumn::Identity if fold(&field.name) == "distinguishedname" => "DistinguishedName",
                    names::MemberColumn::Identity => continue,
                };
                about.fields.push(RawField {
                    name: name.to_owned(),
                    ..field.clone()
                });
            } else {
                about.fields.push(field.clone());
            }
        }
        group.sort();
        member.sort();
        let spelled = |list: Vec<String>| Spelled(list.into_iter().filter(|text| !text.is_empty()).collect());
        let row = MemberRow {
            group: spelled(group.into_iter().map(|(_, text)| text).collect()),
            link,
            member: spelled(member.into_iter().map(|(_, text)| text).collect()),
            at: At {
                file,
                line: record.line,
                column: 0,
            },
        };
        if row.group.0.is_empty() || row.member.0.is_empty() {
            return;
        }
        self.rows.push(row);
        let mut draft = draft(&about, kind, false, file, &mut |_| {});
        draft.is_whole = false;
        // A row without an address only names somebody.
        if draft.cell(P::PrimarySmtpAddress).is_some() {
            self.drafts.push(draft);
        }
    }
}

/// Names of columns, as far as the first records have them.
fn columns(records: &[RawRecord]) -> Vec<&str> {
    let fields = records.iter().take(50).flat_map(|record| &record.fields);
    fields.map(|field| field.name.as_str()).collect()
}

/// Objects of Get-ADObject and `csvde` have the attributes of the directory.
fn is_active_directory(record: &RawRecord) -> bool {
    let has = |name: &str| record.fields.iter().any(|field| field.name.eq_ignore_ascii_case(name));
    has("objectClass") && (has("objectGUID") || has("proxyAddresses") || has("mailNickname") || has("objectCategory"))
}

/// Every name of an object, for a list that means it.
fn spelled(draft: &Draft) -> Spelled {
    let mut all = Vec::new();
    let held = [Attribute::ExternalDirectoryObjectId, Attribute::Guid].map(P::Held);
    let texts = held
        .into_iter()
        .chain([P::DistinguishedName])
        .filter_map(|property| draft.text(property));
    all.extend(texts);
    all.extend(draft.address(P::PrimarySmtpAddress));
    all.extend(draft.text(P::Members));
    all.extend(draft.names.iter().cloned());
    all.extend(
        [P::Alias, P::Held(Attribute::Name), P::DisplayName]
            .into_iter()
            .filter_map(|property| draft.text(property)),
    );
    Spelled(all)
}

/// What a file name may mean: `members-sales@contoso.example.csv` is the members of sales@contoso.example.
fn stems(name: &str) -> (Vec<String>, Link) {
    let file = Path::new(name)
        .file_name()
        .map(|file| file.to_string_lossy().into_owned())
        .unwrap_or_default();
    let mut stem = file.as_str();
    for end in [".csv", ".json", ".xml", ".clixml", ".txt"] {
        if let Some(at) = stem.len().checked_sub(end.len())
            && stem.get(at..).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
        {
            stem = stem.get(..at).unwrap_or("");
        }
    }
    let mut stems = vec![stem.to_owned()];
    let lower = stem.to_ascii_lowercase();
    let mut link = Link::Members;
    const WORDS: [(&str, Link); 6] = [
        ("members", Link::Members),
        ("owners", Link::Owners),
        ("subscribers", Link::Subscribers),
        ("member", Link::Members),
        ("owner", Link::Owners),
        ("subscriber", Link::Subscribers),
    ];
    for (word, meant) in WORDS {
        let rest = lower
            .strip_prefix(word)
            .map(|rest| stem.get(stem.len() - rest.len()..).unwrap_or(""))
            .or_else(|| {
                lower
                    .strip_suffix(word)
                    .map(|rest| stem.get(..rest.len()).unwrap_or(""))
            });
        let Some(rest) = rest else { continue };
        let rest = rest.trim_matches(|c: char| matches!(c, '-' | '_' | '.' | ' '));
        if !rest.is_empty() && rest.len() + word.len() < stem.len() {
            stems.push(rest.to_owned());
            link = meant;
            break;
        }
    }
    (stems, link)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files() {
        for (name, meant, link) in [
            ("export/sales.csv", vec!["sales"], Link::Members),
            (
                "members-sales@contoso.example.csv",
                vec!["members-sales@contoso.example", "sales@contoso.example"],
                Link::Members,
            ),
            (
                "Sales Berlin_owners.JSON",
                vec!["Sales Berlin_owners", "Sales Berlin"],
                Link::Owners,
            ),
            (
                "subscribers.project.xml",
                vec!["subscribers.project", "project"],
                Link::Subscribers,
            ),
            ("members.csv", vec!["members"], Link::Members),
            ("membership.csv", vec!["membership"], Link::Members),
        ] {
            let (stems, found) = stems(name);
            assert_eq!(
                (stems.iter().map(String::as_str).collect::<Vec<_>>(), found),
                (meant, link),
                "{name}"
            );
        }
    }
}
