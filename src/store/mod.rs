//! What the directory path and the trace need kept. Traits and memory versions.
//!
//! Objects are plain here (ids and rows as texts or octets): the directory decides what they mean. Rolls and what
//! belongs to them are what the rolls say they are. The store keeps them together.

pub mod directory;
pub mod life;
pub mod memory;
pub mod stops;
pub mod trace;

pub use directory::{ChangeBatch, DirectoryState, DirectoryStore, ObjectRow};
pub use life::{HistoryQuery, LifeBatch, LifeState, RollChange};
pub use stops::{SharedStopStore, StopStore};
pub use trace::{TraceStore, TraceWindow};

/// Why a store cannot do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreFault {
    /// The batch contradicts what is stored; nothing of it was kept.
    #[error("the change contradicts the store: {0}")]
    Contradiction(String),
    /// A read failed.
    #[error("the store cannot be read: {0}")]
    Unreadable(String),
    /// A commit or sync failed; nothing more is kept until a restart.
    #[error("the store is suspect since {0}")]
    Suspect(String),
}
