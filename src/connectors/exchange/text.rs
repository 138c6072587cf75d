//! From octets to text, whatever PowerShell or a spreadsheet made of it.
//!
//! In: the octets of a file. Out: a text and what it was written in. Never: a file refused because of its
//! encoding; a mark of what was lost is kept for the report.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

/// What a file is encoded in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Encoding {
    /// PowerShell 7, or `-Encoding UTF8`.
    #[serde(rename = "UTF-8")]
    Utf8,
    /// `>` and Out-File of Windows PowerShell.
    #[serde(rename = "UTF-16LE")]
    Utf16Little,
    /// Seldom.
    #[serde(rename = "UTF-16BE")]
    Utf16Big,
    /// Spreadsheets in western Europe; a superset of Latin-1.
    #[serde(rename = "Windows-1252")]
    Windows1252,
}

impl fmt::Display for Encoding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Utf8 => "UTF-8",
            Self::Utf16Little => "UTF-16LE",
            Self::Utf16Big => "UTF-16BE",
            Self::Windows1252 => "Windows-1252",
        })
    }
}

/// Reads octets as text.
#[must_use]
pub fn decode(octets: &[u8]) -> (Cow<'_, str>, Encoding) {
    if let Some(rest) = octets.strip_prefix(b"\xEF\xBB\xBF") {
        return utf8_or_latin(rest);
    }
    if let Some(rest) = octets.strip_prefix(b"\xFF\xFE") {
        return (utf16(rest, u16::from_le_bytes).into(), Encoding::Utf16Little);
    }
    if let Some(rest) = octets.strip_prefix(b"\xFE\xFF") {
        return (utf16(rest, u16::from_be_bytes).into(), Encoding::Utf16Big);
    }
    // Without a mark: text in a western script has every second octet zero.
    let head = octets.get(..octets.len().min(512)).unwrap_or(octets);
    let zeros = |odd: usize| head.iter().skip(odd).step_by(2).filter(|octet| **octet == 0).count();
    let half = head.len() / 2;
    if half > 0 && zeros(1) * 10 > half * 7 {
        return (utf16(octets, u16::from_le_bytes).into(), Encoding::Utf16Little);
    }
    if half > 0 && zeros(0) * 10 > half * 7 {
        return (utf16(octets, u16::from_be_bytes).into(), Encoding::Utf16Big);
    }
    utf8_or_latin(octets)
}

fn utf8_or_latin(octets: &[u8]) -> (Cow<'_, str>, Encoding) {
    match std::str::from_utf8(octets) {
        Ok(text) => (text.into(), Encoding::Utf8),
        Err(_) => {
            let text: String = octets.iter().map(|octet| windows_1252(*octet)).collect();
            (text.into(), Encoding::Windows1252)
        }
    }
}

fn utf16(octets: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = octets.chunks_exact(2).map(|pair| match pair {
        [first, second] => unit([*first, *second]),
        _ => 0xFFFD,
    });
    char::decode_utf16(units)
        .map(|found| found.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// The characters that Windows has where Latin-1 has controls.
fn windows_1252(octet: u8) -> char {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘',
        '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    match octet {
        0x80..=0x9F => HIGH
            .get(usize::from(octet - 0x80))
            .copied()
            .unwrap_or(char::REPLACEMENT_CHARACTER),
        other => char::from(other),
    }
}

/// True for a name in which `Export-Csv` of Windows PowerShell lost a letter: `M?ller`, `Z?rich`.
#[must_use]
pub fn has_lost_letter(text: &str) -> bool {
    let letters: Vec<char> = text.chars().collect();
    let replaced = letters.windows(3).any(|three| match three {
        [before, '?', after] => before.is_alphabetic() && after.is_alphabetic(),
        _ => false,
    });
    let leading = matches!(letters.as_slice(), ['?', second, ..] if second.is_lowercase());
    replaced || leading || letters.contains(&char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_told_apart() {
        let wide = |text: &str, unit: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(unit).collect::<Vec<u8>>();
        for (octets, text, encoding) in [
            (b"Alias\n".to_vec(), "Alias\n", Encoding::Utf8),
            ("M\u{fc}ller".as_bytes().to_vec(), "Müller", Encoding::Utf8),
            (b"\xEF\xBB\xBFAlias".to_vec(), "Alias", Encoding::Utf8),
            (b"M\xFCller \x80".to_vec(), "Müller €", Encoding::Windows1252),
            (
                [b"\xFF\xFE".to_vec(), wide("Müller", u16::to_le_bytes)].concat(),
                "Müller",
                Encoding::Utf16Little,
            ),
            (
                [b"\xFE\xFF".to_vec(), wide("Müller", u16::to_be_bytes)].concat(),
                "Müller",
                Encoding::Utf16Big,
            ),
            (
                wide("dn: CN=Lena", u16::to_le_bytes),
                "dn: CN=Lena",
                Encoding::Utf16Little,
            ),
            (wide("dn: CN=Lena", u16::to_be_bytes), "dn: CN=Lena", Encoding::Utf16Big),
            (b"".to_vec(), "", Encoding::Utf8),
            (b"x".to_vec(), "x", Encoding::Utf8),
        ] {
            let (found, how) = decode(&octets);
            assert_eq!((&*found, how), (text, encoding));
        }
        // Half a unit at the end of a file that was cut off.
        assert_eq!(decode(b"\xFF\xFEa\0b").0, "a");
    }

    #[test]
    fn lost_letters_are_seen() {
        for (text, lost) in [
            ("M?ller", true),
            ("?zkaymak", true),
            ("Z?rich", true),
            ("Who?", false),
            ("What? No", false),
            ("?", false),
            ("? Unknown", false),
            ("Müller", false),
            ("M\u{fffd}ller", true),
        ] {
            assert_eq!(has_lost_letter(text), lost, "{text}");
        }
    }
}
