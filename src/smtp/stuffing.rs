//! Dot-stuffing (RFC 5321 §4.5.2): content in any cut becomes what follows a 354.
//!
//! In: content as stored. Out: the same lines with CRLF ends, a dot before each line that begins with one, and
//! one `CRLF.CRLF` at the end.
//! Never: a CR or LF outside a CRLF (stored content has none; if it had, it would become CRLF here rather than
//! smuggle), a terminator before [`DotStuffer::finish`].

use bytes::BytesMut;

/// Streams one message's content.
#[derive(Debug, Default)]
pub struct DotStuffer {
    place: Place,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before the first octet of a line; also the very beginning.
    #[default]
    LineStart,
    /// Within a line.
    Line,
    /// Behind a CR that has not been written yet.
    Cr,
}

impl DotStuffer {
    /// Appends `content` to `out`, stuffed.
    pub fn write(&mut self, content: &[u8], out: &mut BytesMut) {
        out.reserve(content.len() + content.len() / 32 + 2);
        let mut rest = content;
        while let Some(&first) = rest.first() {
            if self.place == Place::Cr {
                // The CR was held back: whatever follows, the line ends here.
                out.extend_from_slice(b"\r\n");
                self.place = Place::LineStart;
                if first == b'\n' {
                    rest = &rest[1..];
                }
                continue;
            }
            if self.place == Place::LineStart && first == b'.' {
                out.extend_from_slice(b".");
            }
            let Some(end) = memchr::memchr2(b'\r', b'\n', rest) else {
                out.extend_from_slice(rest);
                self.place = Place::Line;
                return;
            };
            if rest[end] == b'\r' && rest.get(end + 1) == Some(&b'\n') {
                out.extend_from_slice(&rest[..end + 2]);
                rest = &rest[end + 2..];
                self.place = Place::LineStart;
            } else if rest[end] == b'\r' {
                out.extend_from_slice(&rest[..end]);
                rest = &rest[end + 1..];
                self.place = Place::Cr;
            } else {
                out.extend_from_slice(&rest[..end]);
                out.extend_from_slice(b"\r\n");
                rest = &rest[end + 1..];
                self.place = Place::LineStart;
            }
        }
    }

    /// Ends the last line if it is open and appends the terminator.
    pub fn finish(self, out: &mut BytesMut) {
        match self.place {
            Place::LineStart => {}
            Place::Line | Place::Cr => out.extend_from_slice(b"\r\n"),
        }
        out.extend_from_slice(b".\r\n");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stuffed<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> BytesMut {
        let mut out = BytesMut::new();
        let mut stuffer = DotStuffer::default();
        for chunk in chunks {
            stuffer.write(chunk, &mut out);
        }
        stuffer.finish(&mut out);
        out
    }

    #[test]
    fn stuffs_lines() {
        for (content, wire) in [
            ("", ".\r\n"),
            ("a", "a\r\n.\r\n"),
            ("a\r\n", "a\r\n.\r\n"),
            (".", "..\r\n.\r\n"),
            (".\r\n", "..\r\n.\r\n"),
            ("a\r\n.\r\nb.\r\n", "a\r\n..\r\nb.\r\n.\r\n"),
            ("a\n.\nb", "a\r\n..\r\nb\r\n.\r\n"),
            ("a\r.\rb", "a\r\n..\r\nb\r\n.\r\n"),
            ("a\r\r\n.\r\n", "a\r\n\r\n..\r\n.\r\n"),
            ("a\r", "a\r\n.\r\n"),
        ] {
            assert_eq!(&stuffed([content.as_bytes()])[..], wire.as_bytes(), "{content:?}");
        }
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(content in "[a.\r\n]{0,24}", cut in 0usize..25) {
            let whole = stuffed([content.as_bytes()]);
            let (head, tail) = content.as_bytes().split_at(cut.min(content.len()));
            prop_assert_eq!(&stuffed([head, tail])[..], &whole[..]);
            prop_assert_eq!(&stuffed(content.as_bytes().chunks(1))[..], &whole[..]);
            // One terminator, at the end; no bare line end.
            let text = String::from_utf8(whole.to_vec()).expect("ASCII");
            prop_assert_eq!(format!("\r\n{text}").find("\r\n.\r\n"), Some(text.len() - 3));
            prop_assert!(!text.replace("\r\n", "").contains(['\r', '\n']));
        }
    }
}
