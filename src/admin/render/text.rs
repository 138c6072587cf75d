//! Numbers, ages, sizes, times and tables as `muster` writes them.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use jiff::Timestamp;

use super::Reader;
use crate::mail::header::decoded_for_display;

/// Text of others on a terminal: no control characters, no line ends.
#[must_use]
pub fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || is_direction(c) { '?' } else { c })
        .collect()
}

/// Characters that turn the direction of the text around them.
fn is_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A subject, readable, quoted, at most 60 characters.
pub(super) fn subject(subject: Option<&str>) -> String {
    let Some(subject) = subject else {
        return "(no subject)".to_owned();
    };
    let readable = clean(&decoded_for_display(subject));
    if readable.chars().count() <= 60 {
        return format!("\"{readable}\"");
    }
    let cut: String = readable.chars().take(59).collect();
    format!("\"{cut}…\"")
}

/// `8,214`.
pub(super) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 group`, `8,214 groups`.
pub(super) fn count(value: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(value), if value == 1 { one } else { many })
}

/// `40 s`, `3 min`, `1 h 5 min`, `1 d 23 h`.
pub(super) fn age(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let with = |whole: u64, unit: &str, part: u64, part_unit: &str| {
        if part == 0 {
            format!("{whole} {unit}")
        } else {
            format!("{whole} {unit} {part} {part_unit}")
        }
    };
    match seconds {
        0..=59 => format!("{seconds} s"),
        60..=3_599 => format!("{minutes} min"),
        3_600..=86_399 => with(hours, "h", minutes % 60, "min"),
        _ => with(days, "d", hours % 24, "h"),
    }
}

/// Seconds from `from` to `to`; 0 if `to` is earlier.
pub(super) fn seconds_between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.as_second() - from.as_second()).unwrap_or(0)
}

/// `512`, `14K`, `3.2M`: octets in powers of 1,024.
pub(super) fn size(octets: u64) -> String {
    const K: u64 = 1_024;
    match octets {
        0..K => octets.to_string(),
        K..1_048_576 => format!("{}K", octets.div_ceil(K)),
        1_048_576..1_073_741_824 => format!("{:.1}M", octets as f64 / 1_048_576.0),
        _ => format!("{:.1}G", octets as f64 / 1_073_741_824.0),
    }
}

/// RFC 3339 with the reader's offset, to the second.
pub(super) fn time(at: Timestamp, reader: &Reader) -> String {
    at.to_zoned(reader.zone.clone())
        .strftime("%Y-%m-%dT%H:%M:%S%:z")
        .to_string()
}

/// Only the clock of it.
pub(super) fn clock(at: Timestamp, reader: &Reader) -> String {
    at.to_zoned(reader.zone.clone()).strftime("%H:%M:%S").to_string()
}

/// `v812, 40 s old`.
pub(super) fn version(version: Option<u64>, age_seconds: Option<u64>) -> String {
    match (version, age_seconds) {
        (Some(version), Some(seconds)) => format!("v{version}, {} old", age(seconds)),
        (Some(version), None) => format!("v{version}"),
        (None, _) => "not computed yet".to_owned(),
    }
}

/// A path of groups, outermost first.
pub(super) fn path(groups: &[String]) -> String {
    clean(&groups.join(" > "))
}

/// A reverse-path for people.
pub(super) fn sender(reverse_path: &str) -> String {
    if reverse_path.is_empty() {
        "<>".to_owned()
    } else {
        clean(reverse_path)
    }
}

/// An aligned table without lines. Columns whose index is in `right` are numbers.
pub(super) fn table(header: &[&str], rows: Vec<Vec<String>>, right: &[usize]) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(header.to_vec());
    for row in rows {
        table.add_row(row.iter().map(|cell| clean(cell)).collect::<Vec<_>>());
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if right.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut text = table.trim_fmt();
    text.push('\n');
    text
}

/// `key   value` lines, keys aligned, empty values left out.
pub(super) fn pairs(rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    let mut out = String::new();
    for (key, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        out.push_str(&format!("{key:width$}  {}\n", clean(value)));
    }
    out
}
