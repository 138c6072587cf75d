//! Every sync the store makes outside SQLite, and the one place where a test can take them away.
//!
//! With the cargo feature `fault-injection`, the environment variable `MUSTER_FAULT` breaks durability on
//! purpose: `skip-sync` makes every sync a no-op, `early-reply` answers before the commit. A durability test
//! counts only if it fails with them.

use std::fs::File;
use std::io;
use std::path::Path;

/// Writes a file's octets to stable storage.
pub(super) fn file(file: &File) -> io::Result<()> {
    if skipped() { Ok(()) } else { file.sync_data() }
}

/// Writes a new file's octets and size to stable storage.
pub(super) fn new_file(file: &File) -> io::Result<()> {
    if skipped() { Ok(()) } else { file.sync_all() }
}

/// Sets octets aside for a new file, so that writing into them costs no metadata. A file system that cannot only gives
/// it its length.
pub(super) fn reserve(file: &File, octets: u64) -> io::Result<()> {
    match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, octets) {
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => file.set_len(octets),
        reserved => Ok(reserved?),
    }
}

/// Writes a directory's entries to stable storage: a new file is nowhere before this.
pub(super) fn directory(path: &Path) -> io::Result<()> {
    if skipped() {
        Ok(())
    } else {
        File::open(path)?.sync_all()
    }
}

/// What `PRAGMA synchronous` is set to.
pub(super) fn pragma() -> &'static str {
    if skipped() { "OFF" } else { "FULL" }
}

#[cfg(feature = "fault-injection")]
fn injected(fault: &str) -> bool {
    static FAULT: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    FAULT.get_or_init(|| std::env::var("MUSTER_FAULT").unwrap_or_default()) == fault
}

/// Syncs are no-ops.
#[cfg(feature = "fault-injection")]
pub(super) fn skipped() -> bool {
    injected("skip-sync")
}

/// Syncs are no-ops: never.
#[cfg(not(feature = "fault-injection"))]
pub(super) fn skipped() -> bool {
    false
}

/// Accepts are answered before their commit.
#[cfg(feature = "fault-injection")]
pub(super) fn early_reply() -> bool {
    injected("early-reply")
}

/// Accepts are answered before their commit: never.
#[cfg(not(feature = "fault-injection"))]
pub(super) fn early_reply() -> bool {
    false
}
