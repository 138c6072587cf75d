//! Wire: the two scanners that both ends of the rig need, and nothing else of SMTP.

use memchr::memmem;

/// Header field that names a message in the ledgers.
pub const TOKEN_FIELD: &[u8] = b"X-Ledger-Token:";

/// Finds `CRLF.CRLF` in content that arrives in pieces.
pub struct DotScanner {
    finder: memmem::Finder<'static>,
    carry: Vec<u8>,
}

impl Default for DotScanner {
    fn default() -> Self {
        let mut scanner = DotScanner {
            finder: memmem::Finder::new(b"\r\n.\r\n"),
            carry: Vec::with_capacity(8),
        };
        scanner.restart();
        scanner
    }
}

impl DotScanner {
    /// Begins a message: the CRLF of the DATA line counts as the first CRLF (RFC 5321 §4.1.1.4).
    pub fn restart(&mut self) {
        self.carry.clear();
        self.carry.extend_from_slice(b"\r\n");
    }

    /// Returns the index just past the end of data in `piece`, or `None` if it has not come yet.
    pub fn feed(&mut self, piece: &[u8]) -> Option<usize> {
        let held = self.carry.len();
        let mut joint = [0u8; 8];
        joint[..held].copy_from_slice(&self.carry);
        let borrowed = piece.len().min(4);
        joint[held..held + borrowed].copy_from_slice(&piece[..borrowed]);
        if let Some(at) = self.finder.find(&joint[..held + borrowed]) {
            return Some(at + 5 - held);
        }
        if let Some(at) = self.finder.find(piece) {
            return Some(at + 5);
        }
        if piece.len() >= 4 {
            self.carry.clear();
            self.carry.extend_from_slice(&piece[piece.len() - 4..]);
        } else {
            self.carry.extend_from_slice(piece);
            let extra = self.carry.len().saturating_sub(4);
            self.carry.drain(..extra);
        }
        None
    }
}

/// The token in a header section, if it carries one.
pub fn token_in(header_section: &[u8]) -> Option<&[u8]> {
    for at in memmem::find_iter(header_section, TOKEN_FIELD) {
        if at == 0 || header_section[at - 1] == b'\n' {
            let value = &header_section[at + TOKEN_FIELD.len()..];
            let end = memchr::memchr(b'\n', value).unwrap_or(value.len());
            return Some(value[..end].trim_ascii());
        }
    }
    None
}

/// Takes complete replies off the front of `buffer`: the code of each, and how many octets they took.
///
/// A reply of several lines counts once (RFC 5321 §4.2.1).
pub fn replies_in(buffer: &[u8], codes: &mut Vec<u16>) -> usize {
    let mut taken = 0;
    let mut start = 0;
    while let Some(length) = memchr::memchr(b'\n', &buffer[start..]) {
        let line = &buffer[start..start + length];
        start += length + 1;
        if line.get(3) != Some(&b'-') {
            let code = line.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
            codes.push(code.and_then(|digits| digits.parse().ok()).unwrap_or(0));
            taken = start;
        }
    }
    taken
}
