//! What kind of export a file is, by its content; names of files say nothing.
//!
//! In: octets. Out: records, kind and encoding, or why not and what would help.

use super::raw::{FileKind, PlacedFault, RawRecord, ReadFault};
use super::text::{Encoding, decode};
use super::{clixml, json, ldif, table};

/// A file that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// What it is written in.
    pub kind: FileKind,
    /// How its text is encoded.
    pub encoding: Encoding,
    /// What it says.
    pub records: Vec<RawRecord>,
}

/// Reads a file of any kind.
pub fn read(octets: &[u8]) -> Result<Parsed, PlacedFault> {
    if octets.starts_with(b"PK\x03\x04") || octets.starts_with(b"\xD0\xCF\x11\xE0") {
        return Err(PlacedFault::whole(ReadFault::Workbook));
    }
    let (text, encoding) = decode(octets);
    let kind = kind_of(&text).map_err(PlacedFault::whole)?;
    let records = match kind {
        FileKind::Json => json::read(&text)?,
        FileKind::Csv => table::read(&text)?,
        FileKind::CliXml => clixml::read(&text)?,
        FileKind::Ldif => ldif::read(&text)?,
    };
    Ok(Parsed {
        kind,
        encoding,
        records,
    })
}

/// Tells the kind of a text.
pub fn kind_of(text: &str) -> Result<FileKind, ReadFault> {
    let trimmed = text.trim_start();
    if trimmed.is_empty() {
        return Err(ReadFault::Empty);
    }
    if trimmed.starts_with('<') {
        let head = trimmed
            .get(..trimmed.len().min(2_048))
            .unwrap_or_else(|| first_chars(trimmed, 512));
        return if head.contains("<Objs") {
            Ok(FileKind::CliXml)
        } else {
            Err(ReadFault::NoExport)
        };
    }
    // A printed list of values begins with a brace as well: `{a, b, c...}`.
    if trimmed.starts_with(['{', '[']) {
        return Ok(FileKind::Json);
    }
    if is_ldif(trimmed) {
        return Ok(FileKind::Ldif);
    }
    if is_printed_table(text) {
        return Err(ReadFault::PrintedTable);
    }
    if is_printed_list(trimmed) {
        return Err(ReadFault::PrintedList);
    }
    let header = table::header(text);
    let is_name = |name: &String| {
        !name.is_empty() && name.chars().count() <= 80 && !name.contains(['@', '\n', '<', '{']) && !name.ends_with('.')
    };
    if header.len() >= 2 && header.iter().all(is_name) {
        return Ok(FileKind::Csv);
    }
    // One column is a table only if its name is one that exports use.
    match header.as_slice() {
        [only] if super::names::is_known(only) => Ok(FileKind::Csv),
        _ => Err(ReadFault::NoExport),
    }
}

fn first_chars(text: &str, count: usize) -> &str {
    let end = text.char_indices().nth(count).map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or("")
}

fn is_ldif(text: &str) -> bool {
    let first = text.lines().find(|line| !line.is_empty() && !line.starts_with('#'));
    first.is_some_and(|line| {
        let lower = first_chars(line, 16).to_ascii_lowercase();
        lower.starts_with("dn:") || lower.starts_with("version:")
    })
}

/// `Format-Table`: names, and under each a row of dashes.
fn is_printed_table(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).take(8);
    let dashes = |line: &str| line.len() >= 3 && line.starts_with("--") && line.chars().all(|c| c == '-' || c == ' ');
    lines.any(dashes)
}

/// `Format-List`: `Name : value` in every line.
fn is_printed_list(text: &str) -> bool {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).take(6).collect();
    let is_pair = |line: &&str| {
        line.split_once(" : ")
            .or_else(|| line.trim_end().strip_suffix(" :").map(|name| (name, "")))
            .is_some_and(|(name, _)| {
                let name = name.trim_end();
                !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            })
    };
    lines.len() >= 2 && lines.iter().filter(|line| is_pair(line)).count() * 4 >= lines.len() * 3
}
