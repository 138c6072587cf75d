//! Answers that wait for a commit, and why one cannot be made.

use std::io;

use crate::spool::promise::Promise;
use crate::spool::{Decided, SpoolFault};

/// Why a transaction cannot go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// From SQLite.
    #[error("{0}")]
    Sql(#[from] rusqlite::Error),
    /// From a file of the journal or a segment file.
    #[error("a file of the journal or a segment: {0}")]
    Io(#[from] io::Error),
}

impl Trouble {
    /// The disk said that it is full before anything was promised; the transaction can be taken back.
    pub(super) fn is_full(&self) -> bool {
        match self {
            Self::Sql(fault) => fault.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull),
            Self::Io(fault) => fault.kind() == io::ErrorKind::StorageFull,
        }
    }
}

/// An answer that waits for the commit.
pub(super) enum Answer {
    /// To all but decisions.
    Done(Promise<()>, Result<(), SpoolFault>),
    /// To decisions.
    Decided(Promise<Decided>, Result<Decided, SpoolFault>),
    /// Nobody waits.
    None,
}

impl Answer {
    /// Gives it.
    pub(super) fn give(self) {
        match self {
            Self::Done(promise, answer) => promise.resolve(answer),
            Self::Decided(promise, answer) => promise.resolve(answer),
            Self::None => {}
        }
    }

    /// Gives a fault instead: the transaction came to nothing.
    pub(super) fn fail(self, fault: &SpoolFault) {
        match self {
            Self::Done(promise, _) => promise.resolve(Err(fault.clone())),
            Self::Decided(promise, _) => promise.resolve(Err(fault.clone())),
            Self::None => {}
        }
    }
}
