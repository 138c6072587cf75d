//! What is stored becomes the view that serves at once after a start.
//!
//! In: a store. Out: the last good generation with its rolls, and the writer's state. Never: a row that cannot be
//! read taken for an empty one: it is left out, said, and computed again.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::rows::Assigning;
use super::{KeeperSettings, State, Verified};
use crate::directory::filter::EvaluationOptions;
use crate::directory::filter::plan::{self, PlanOptions};
use crate::directory::{ChangeSet, Directory, Ordinal, SourceId};
use crate::rolls::clock::{Alarm, Clock};
use crate::rolls::standing::Standing;
use crate::rolls::suspect::Suspects;
use crate::rolls::{Roll, RollTable, View, Watch};
use crate::store::StoreFault;
use crate::store::directory::DirectoryStore;

/// What a store holds, ready to serve.
pub(super) struct Restored {
    pub(super) view: View,
    pub(super) space: String,
    pub(super) state: State,
}

/// Reads a store.
pub(super) fn restore(
    store: &dyn DirectoryStore,
    options: &EvaluationOptions,
    settings: &KeeperSettings,
    now: Timestamp,
) -> Result<Restored, StoreFault> {
    let stored = store.load()?;
    todo_load(stored)
}

