//! Base 32 (RFC 4648 §6) without padding, in lower case: what survives a system that folds local-parts.

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Octets as letters and digits.
pub(super) fn encode(octets: &[u8]) -> String {
    let mut out = String::with_capacity(octets.len().div_ceil(5) * 8);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for octet in octets {
        bits = bits << 8 | u32::from(*octet);
        held += 8;
        while held >= 5 {
            held -= 5;
            out.push(digit(bits >> held));
        }
        bits &= (1 << held) - 1;
    }
    if held > 0 {
        out.push(digit(bits << (5 - held)));
    }
    out
}

/// One digit, from the low five bits.
pub(super) fn digit(bits: u32) -> char {
    char::from(ALPHABET[(bits & 31) as usize])
}

/// The value of a digit, in any case.
pub(super) fn value(digit: u8) -> Option<u32> {
    match digit.to_ascii_lowercase() {
        letter @ b'a'..=b'z' => Some(u32::from(letter - b'a')),
        number @ b'2'..=b'7' => Some(u32::from(number - b'2') + 26),
        _ => None,
    }
}

/// Octets again; none if [`encode`] wrote something else.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() * 5 / 8);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for each in text.bytes() {
        bits = bits << 5 | value(each)?;
        held += 5;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    (held < 5 && bits == 0).then_some(out)
}
