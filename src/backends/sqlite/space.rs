//! Free space: mail is refused before the disk is full, and taken again a little above that.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::env::Env;
use crate::limits::DISK_READING_AGE_MAX;

/// What the store stands on; tests put trouble here.
pub trait Disk: Send + Sync + 'static {
    /// Octets that may still be written below `path`.
    fn free_bytes(&self, path: &Path) -> io::Result<u64>;

    /// Asked before each commit; an error is taken as a failed sync.
    fn before_commit(&self) -> io::Result<()> {
        Ok(())
    }
}

/// The real disk.
#[derive(Debug, Clone, Copy)]
pub struct SystemDisk;

impl Disk for SystemDisk {
    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        let found = rustix::fs::statvfs(path)?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }
}

/// The free space of one folder, read at most every [`DISK_READING_AGE_MAX`].
pub(super) struct Space {
    disk: std::sync::Arc<dyn Disk>,
    path: PathBuf,
    env: Env,
    floor_bytes: u64,
    resume_bytes: u64,
    low: AtomicBool,
    /// Monotonic milliseconds after which the reading is too old.
    due_ms: AtomicU64,
}

impl Space {
    /// Watches a folder; reads it at the first question.
    pub(super) fn new(
        disk: std::sync::Arc<dyn Disk>,
        path: PathBuf,
        env: Env,
        floor_bytes: u64,
        resume_bytes: u64,
    ) -> Self {
        Self {
            disk,
            path,
            env,
            floor_bytes,
            resume_bytes,
            low: AtomicBool::new(false),
            due_ms: AtomicU64::new(0),
        }
    }

    /// The disk.
    pub(super) fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    /// True below the floor, and until the space is above the floor by the resume distance.
    pub(super) fn is_low(&self) -> bool {
        let now_ms = u64::try_from(self.env.clock.monotonic().as_millis()).unwrap_or(u64::MAX);
        let due_ms = self.due_ms.load(Ordering::Relaxed);
        let next_ms = now_ms.saturating_add(DISK_READING_AGE_MAX.as_millis() as u64);
        let mine = now_ms >= due_ms
            && self
                .due_ms
                .compare_exchange(due_ms, next_ms, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if mine {
            self.read();
        }
        self.low.load(Ordering::Relaxed)
    }

    /// The disk has just said that it is full.
    pub(super) fn found_full(&self) {
        self.low.store(true, Ordering::Relaxed);
    }

    fn read(&self) {
        let was_low = self.low.load(Ordering::Relaxed);
        let wanted = if was_low {
            self.floor_bytes.saturating_add(self.resume_bytes)
        } else {
            self.floor_bytes
        };
        let low = match self.disk.free_bytes(&self.path) {
            Ok(free) => free < wanted,
            Err(fault) => {
                tracing::warn!(path = %self.path.display(), %fault, "the free space cannot be read; taken as low");
                true
            }
        };
        if low != was_low {
            tracing::warn!(path = %self.path.display(), low, "the free space crossed its floor");
        }
        self.low.store(low, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::env::{Clock, SystemChance};

    struct Stepped(AtomicU64);
    impl Clock for Stepped {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }
        fn monotonic(&self) -> Duration {
            Duration::from_secs(self.0.fetch_add(1, Ordering::Relaxed))
        }
    }

    struct Shown(AtomicU64);
    impl Disk for Shown {
        fn free_bytes(&self, _: &Path) -> io::Result<u64> {
            Ok(self.0.load(Ordering::Relaxed))
        }
    }

    #[test]
    fn the_answer_has_hysteresis() {
        let disk = Arc::new(Shown(AtomicU64::new(0)));
        let env = Env {
            clock: Arc::new(Stepped(AtomicU64::new(0))),
            chance: Arc::new(SystemChance),
        };
        let space = Space::new(disk.clone(), PathBuf::from("/"), env, 100, 50);
        for (free, low) in [
            (101, false),
            (99, true),
            (120, true),
            (150, false),
            (120, false),
            (99, true),
        ] {
            disk.0.store(free, Ordering::Relaxed);
            assert_eq!(space.is_low(), low, "{free}");
        }
    }
}
