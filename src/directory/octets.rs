//! Numbers and texts as octets: how records are written and read.
//!
//! In: values. Out: the shortest octets for them, and back. Never: a read beyond the end; whoever reads damaged
//! octets gets none.

/// Writes a number in groups of seven bits, the low ones first.
pub(super) fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Writes a number that may be negative; near zero is short.
pub(super) fn put_signed(out: &mut Vec<u8>, number: i64) {
    put_number(out, ((number << 1) ^ (number >> 63)) as u64);
}

/// Writes a text with its length.
pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_number(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// What is still to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    pub(super) fn signed(&mut self) -> Option<i64> {
        let number = self.number()?;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    pub(super) fn count(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        let length = self.count()?;
        self.text_of(length)
    }

    pub(super) fn text_of(&mut self, length: usize) -> Option<&'a str> {
        std::str::from_utf8(self.take(length)?).ok()
    }

    /// Passes over a text.
    pub(super) fn skip_text(&mut self) -> Option<()> {
        let length = self.count()?;
        self.take(length).map(|_| ())
    }
}

/// A GUID as 16 octets, if the text is exactly how one prints: all letters small, or all capital.
pub(super) fn guid_of(text: &str) -> Option<([u8; 16], Letters)> {
    const DASHES: [usize; 4] = [8, 13, 18, 23];
    let bytes = text.as_bytes();
    if bytes.len() != 36 {
        return None;
    }
    let mut guid = [0_u8; 16];
    let mut nibbles = 0_usize;
    let (mut small, mut capital) = (false, false);
    for (place, byte) in bytes.iter().enumerate() {
        if DASHES.contains(&place) {
            if *byte != b'-' {
                return None;
            }
            continue;
        }
        let nibble = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => {
                small = true;
                byte - b'a' + 10
            }
            b'A'..=b'F' => {
                capital = true;
                byte - b'A' + 10
            }
            _ => return None,
        };
        let slot = guid.get_mut(nibbles / 2)?;
        *slot = *slot << 4 | nibble;
        nibbles += 1;
    }
    match (small, capital) {
        (true, true) => None,
        (false, true) => Some((guid, Letters::Capital)),
        (_, false) => Some((guid, Letters::Small)),
    }
}

/// The text of a GUID.
pub(super) fn guid_text(guid: &[u8], letters: Letters) -> String {
    const SMALL: &[u8; 16] = b"0123456789abcdef";
    const CAPITAL: &[u8; 16] = b"0123456789ABCDEF";
    let digits = match letters {
        Letters::Small => SMALL,
        Letters::Capital => CAPITAL,
    };
    let digit = |nibble: u8| digits.get(usize::from(nibble)).map_or('0', |digit| char::from(*digit));
    let mut text = String::with_capacity(36);
    for (place, byte) in guid.iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
    text
}

/// How the letters of a GUID are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Letters {
    Small,
    Capital,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for number in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            put_number(&mut out, number);
            let mut cursor = Cursor(&out);
            assert_eq!(cursor.number(), Some(number));
            assert!(cursor.is_empty());
            assert_eq!(
                Cursor(out.get(1..).unwrap_or_default()).number().is_none(),
                out.len() == 1
            );
        }
        for number in [0, -1, 1, i64::MIN, i64::MAX, -2_147_483_640] {
            let mut out = Vec::new();
            put_signed(&mut out, number);
            assert_eq!(Cursor(&out).signed(), Some(number));
        }
    }

    #[test]
    fn only_exact_guids_are_packed() {
        for (text, packs) in [
            ("3f2504e0-4f89-11d3-9a0c-0305e82c3301", true),
            ("3F2504E0-4F89-11D3-9A0C-0305E82C3301", true),
            ("00000000-0000-0000-0000-000000000000", true),
            ("3F2504e0-4F89-11D3-9A0C-0305E82C3301", false),
            ("{3f2504e0-4f89-11d3-9a0c-0305e82c330}", false),
            ("3f2504e04f89-11d3-9a0c-0305e82c3301-", false),
            ("3f2504e0-4f89-11d3-9a0c-0305e82c330", false),
            ("", false),
        ] {
            let packed = guid_of(text);
            assert_eq!(packed.is_some(), packs, "{text}");
            if let Some((guid, letters)) = packed {
                assert_eq!(guid_text(&guid, letters), text);
            }
        }
    }
}
