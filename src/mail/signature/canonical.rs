//! The relaxed form of a header field (RFC 6376 §3.4.2).

use crate::mail::header::Field;

/// Appends a field: name in lower case, folds undone, runs of blanks as one, none at the ends, CRLF.
pub(super) fn field(field: &Field<'_>, out: &mut Vec<u8>) {
    out.extend(field.name.bytes().map(|octet| octet.to_ascii_lowercase()));
    out.push(b':');
    let start = out.len();
    let mut blank = false;
    for &octet in field.raw {
        match octet {
            b' ' | b'\t' => blank = true,
            // Part of a fold; the blank that makes it one follows.
            b'\r' | b'\n' => {}
            _ => {
                if blank && out.len() > start {
                    out.push(b' ');
                }
                blank = false;
                out.push(octet);
            }
        }
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_and_folds_are_evened_out() {
        for (name, raw, expected) in [
            ("A", &b" X"[..], "a:X\r\n"),
            ("B", b" Y\t\r\n\tZ  ", "b:Y Z\r\n"),
            ("SubJect", b"", "subject:\r\n"),
            ("X", b" \t\r\n ", "x:\r\n"),
            ("X", "  ü\u{a0}é ".as_bytes(), "x:ü\u{a0}é\r\n"),
        ] {
            let mut out = Vec::new();
            field(&Field { name, raw }, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        }
    }
}
