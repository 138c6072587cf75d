//! Rolls: for each group the stored list of its direct entries.
//!
//! In: a directory generation and a group's settings. Out: a versioned [`Roll`] with its provenance, and
//! the answer to "may it serve now?". Never: a flattened list (nested groups stay entries, because each is
//! asked for its own rules), a clock, a store.

pub mod affected;
pub mod build;
mod causes;
pub mod clock;
pub mod codec;
pub mod compare;
mod follow;
pub mod freshness;
pub mod guard;
pub mod history;
pub mod hold;
pub mod listed;
pub mod local;
mod members;
pub mod objects;
pub mod past;
pub mod pin;
pub mod roll;
pub mod stale;
pub mod standing;
pub mod suspect;
pub mod table;
pub mod update;
pub mod view;
pub mod watch;

pub use build::{BuildFault, Built, Rules, build};
pub use freshness::{Freshness, RollDefaults, RollPolicy, RollState, Service, Unserved};
pub use history::{Detail, Details, Difference, EntryCause, HistoryFault};
pub use objects::Objects;
pub use roll::{Cause, Entries, Provenance, Roll};
pub use table::{Attempt, RollEntry, RollTable};
pub use update::{Following, Update};
pub use view::View;
pub use watch::Watch;
