//! The file of a ledger, appended to.
//!
//! Out: each line at once, for whoever looks on; or many at a time, where thousands of writes a second would be the
//! rig's own share of the machine.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// Octets that are gathered at most.
const GATHERED_OCTETS_MAX: usize = 1 << 20;

pub struct Book {
    file: File,
    gathers: bool,
    gathered: Vec<u8>,
}

impl Book {
    pub fn open(path: &Path, gathers: bool) -> io::Result<Self> {
        Ok(Book {
            file: OpenOptions::new().create(true).append(true).open(path)?,
            gathers,
            gathered: Vec::new(),
        })
    }

    /// Appends whole lines.
    pub fn note(&mut self, lines: &[u8]) -> io::Result<()> {
        if !self.gathers {
            return self.file.write_all(lines);
        }
        self.gathered.extend_from_slice(lines);
        if self.gathered.len() < GATHERED_OCTETS_MAX {
            return Ok(());
        }
        self.close()
    }

    /// Writes what was gathered.
    pub fn close(&mut self) -> io::Result<()> {
        self.file.write_all(&self.gathered)?;
        self.gathered.clear();
        Ok(())
    }
}

impl Drop for Book {
    fn drop(&mut self) {
        // Where a run breaks off, what was gathered still tells why.
        let _ = self.close();
    }
}
