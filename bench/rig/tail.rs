//! Tail: how many copies of a message a sink has noted so far, read while it writes.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Words of a sink's line before its recipients; the fifth is the token.
const HEAD_WORDS: usize = 6;

pub struct Tail {
    ledger: File,
    /// The line that is still being written.
    rest: Vec<u8>,
}

impl Tail {
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Tail {
            ledger: File::open(path)?,
            rest: Vec::new(),
        })
    }

    /// Copies of the message in the lines written since the last call.
    pub fn copies_since(&mut self, token: &str) -> io::Result<usize> {
        self.ledger.read_to_end(&mut self.rest)?;
        let whole = memchr::memrchr(b'\n', &self.rest).map_or(0, |at| at + 1);
        let copies = self.rest[..whole]
            .split(|octet| *octet == b'\n')
            .filter(|line| line.splitn(HEAD_WORDS, |octet| *octet == b' ').nth(4) == Some(token.as_bytes()))
            .map(|line| memchr::memchr_iter(b' ', line).count() + 1 - HEAD_WORDS)
            .sum();
        self.rest.drain(..whole);
        Ok(copies)
    }
}
