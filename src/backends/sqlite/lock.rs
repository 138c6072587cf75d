//! One process per data directory.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use super::body::read_small;

/// Name of the lock file. The lock is on the open file, not its existence: it ends with the process.
const NAME: &str = "lock";

/// Holds the data directory for this process.
#[derive(Debug)]
pub(super) struct DirectoryLock {
    _file: File,
}

/// Why the directory cannot be had.
pub(super) enum LockFault {
    /// Another process has it; its process id, if it could be read.
    Taken(Option<String>),
    /// The file cannot be used.
    Io(io::Error),
}

impl DirectoryLock {
    /// Takes the lock, or says who has it.
    pub(super) fn take(folder: &Path) -> Result<Self, LockFault> {
        let path = folder.join(NAME);
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(LockFault::Io)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let holder = read_small(&path, 32).ok().flatten();
                return Err(LockFault::Taken(holder.map(|text| text.trim().to_owned())));
            }
            Err(fault) => return Err(LockFault::Io(fault.into())),
        }
        // Who holds it is a courtesy to the operator; the lock is what counts.
        let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self { _file: file })
    }
}
