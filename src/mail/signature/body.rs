//! The hash of a body in its relaxed form (RFC 6376 §3.4.4), piece by piece.

use sha2::{Digest as _, Sha256};

/// SHA-256 of a body in its relaxed form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BodyHash(pub [u8; 32]);

/// A body in its relaxed form as it grows.
#[derive(Default)]
struct Relaxed {
    sum: Sha256,
    /// What is ready to be hashed.
    made: Vec<u8>,
    /// Line ends that count only if something follows.
    line_ends: usize,
    /// Blanks that count, as one, only if something follows in the line.
    blank: bool,
    /// Something was hashed.
    begun: bool,
}

impl Relaxed {
    /// Takes a piece. CR and LF come as pairs only: content with others does not get in.
    fn push(&mut self, piece: &[u8]) {
        for &octet in piece {
            match octet {
                b' ' | b'\t' => self.blank = true,
                b'\r' => {}
                b'\n' => {
                    self.line_ends += 1;
                    self.blank = false;
                }
                _ => self.push_visible(octet),
            }
        }
        self.sum.update(&self.made);
        self.made.clear();
    }

    fn push_visible(&mut self, octet: u8) {
        for _ in 0..std::mem::take(&mut self.line_ends) {
            self.made.extend_from_slice(b"\r\n");
            // A body may be nothing but line ends.
            if self.made.len() > FLUSHED_OCTETS {
                self.sum.update(&self.made);
                self.made.clear();
            }
        }
        if std::mem::take(&mut self.blank) {
            self.made.push(b' ');
        }
        self.made.push(octet);
        self.begun = true;
    }

    fn finish(mut self) -> BodyHash {
        if self.begun {
            self.sum.update(b"\r\n");
        }
        BodyHash(self.sum.finalize().into())
    }
}

/// Octets of the relaxed form that are hashed at once.
const FLUSHED_OCTETS: usize = 64 * 1024;

impl BodyHash {
    /// Reads a body in pieces until one is empty.
    pub fn read<E>(mut next: impl FnMut(&mut Vec<u8>) -> Result<(), E>) -> Result<Self, E> {
        let mut relaxed = Relaxed::default();
        let mut piece = Vec::new();
        loop {
            piece.clear();
            next(&mut piece)?;
            if piece.is_empty() {
                return Ok(relaxed.finish());
            }
            relaxed.push(&piece);
        }
    }

    /// The hash of a body in memory.
    #[must_use]
    pub fn of(body: &[u8]) -> Self {
        let mut relaxed = Relaxed::default();
        relaxed.push(body);
        relaxed.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same by the letter of the RFC, line by line.
    fn relaxed(body: &[u8]) -> Vec<u8> {
        let text = body.strip_suffix(b"\r\n").unwrap_or(body);
        if body.is_empty() {
            return Vec::new();
        }
        let mut lines: Vec<Vec<u8>> = Vec::new();
        for line in text.split(|octet| *octet == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let mut made = Vec::new();
            let mut blank = false;
            for octet in line {
                if matches!(octet, b' ' | b'\t') {
                    blank = true;
                } else {
                    if blank {
                        made.push(b' ');
                    }
                    blank = false;
                    made.push(*octet);
                }
            }
            lines.push(made);
        }
        while lines.last().is_some_and(Vec::is_empty) {
            lines.pop();
        }
        lines
            .into_iter()
            .flat_map(|line| [line, b"\r\n".to_vec()].concat())
            .collect()
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference_and_the_form_is_that_of_the_rfc(
            words in proptest::collection::vec(prop_oneof![
                Just("a"), Just(" "), Just("\t"), Just("\r\n"), Just("  b"), Just("ü"), Just("\r\n\r\n"),
            ], 0..40),
            size in 1_usize..9,
        ) {
            let body = words.concat().into_bytes();
            let mut pieces = body.chunks(size);
            let read = BodyHash::read::<()>(|piece| {
                piece.extend_from_slice(pieces.next().unwrap_or_default());
                Ok(())
            });
            prop_assert_eq!(read, Ok(BodyHash::of(&body)));
            let expected: [u8; 32] = sha2::Sha256::digest(relaxed(&body)).into();
            prop_assert_eq!(BodyHash::of(&body).0, expected);
        }
    }
}
