//! xtext (RFC 3461 §4): printable ASCII in which `+XX` stands for one octet.

/// True if `text` is xtext: `xchar` (`!` to `~` without `+` and `=`) or `+` and two upper-case hexadecimal
/// digits. Empty text is xtext.
#[must_use]
pub fn is_xtext(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        rest = match first {
            b'+' => match tail {
                [high, low, tail @ ..] if is_hex(*high) && is_hex(*low) => tail,
                _ => return false,
            },
            b'=' => return false,
            b'!'..=b'~' => tail,
            _ => return false,
        };
    }
    true
}

/// Octets that `xtext` stands for; none if it is not xtext.
#[must_use]
pub fn decoded_len(text: &[u8]) -> Option<usize> {
    if !is_xtext(text) {
        return None;
    }
    let escapes = memchr::memchr_iter(b'+', text).count();
    Some(text.len() - 2 * escapes)
}

/// The octets that `xtext` stands for; none if it is not xtext. Only to show or compare, never to send.
#[must_use]
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(decoded_len(text)?);
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        rest = match (first, tail) {
            (b'+', [high, low, tail @ ..]) => {
                out.push(nibble(*high) << 4 | nibble(*low));
                tail
            }
            _ => {
                out.push(first);
                tail
            }
        };
    }
    Some(out)
}

/// RFC 3461 §4: `hexchar` has upper-case letters only.
fn is_hex(octet: u8) -> bool {
    matches!(octet, b'0'..=b'9' | b'A'..=b'F')
}

fn nibble(hex: u8) -> u8 {
    match hex {
        b'0'..=b'9' => hex - b'0',
        _ => hex - b'A' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_xtext() {
        for (text, valid) in [
            ("", true),
            ("lena@contoso.example", true),
            ("a+2Bb+3D", true),
            ("a+2bb", false),
            ("a+", false),
            ("a+2", false),
            ("a=b", false),
            ("a b", false),
            ("a\tb", false),
            ("\u{e9}", false),
            ("a\r\nX: y", false),
        ] {
            assert_eq!(is_xtext(text.as_bytes()), valid, "{text:?}");
        }
        assert_eq!(decode(b"a+2Bb+0D"), Some(b"a+b\r".to_vec()));
        assert_eq!(decoded_len(b"a+2Bb"), Some(3));
    }
}
