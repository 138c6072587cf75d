//! Answers about stored lists: their past, their pins, their guard, who is stale in them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// `group diff`: who joined and who left between two times.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RollDiff {
    /// Primary address of the group.
    pub group: String,
    /// The earlier time.
    pub from: Timestamp,
    /// The later time.
    pub to: Timestamp,
    /// Version at the earlier time; none: the group had no list.
    pub from_version: Option<u64>,
    /// Version at the later time.
    pub to_version: Option<u64>,
    /// Entries at the earlier time.
    pub from_entries: u64,
    /// Entries at the later time.
    pub to_entries: u64,
    /// Who differs, in the order of time.
    pub changes: Vec<EntryChange>,
    /// Entries that came and went, or went and came back, in between.
    pub passing: Vec<EntryChange>,
    /// What the answer does not cover: history that is no longer kept.
    pub notes: Vec<String>,
}

/// Somebody joined or left.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct EntryChange {
    /// `joined` or `left`.
    pub change: String,
    /// Address, or the entry's text.
    pub address: String,
    /// Name for people.
    pub display_name: Option<String>,
    /// When.
    pub at: Timestamp,
    /// The version that shows it first.
    pub version: u64,
    /// Why, in words: `Title changed from "Clerk" to "Director"`.
    pub cause: String,
    /// Where that came from: a source.
    pub source: Option<String>,
    /// Who decided, if a person did.
    pub by: Option<String>,
}

/// `group history`: versions, newest first.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RollHistory {
    /// Primary address of the group.
    pub group: String,
    /// Versions.
    pub versions: Vec<RollVersion>,
    /// Older versions exist than are shown.
    pub more: bool,
}

/// One version of a list.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RollVersion {
    /// The version.
    pub version: u64,
    /// Since when.
    pub at: Timestamp,
    /// Directory generation.
    pub generation: u64,
    /// What made it: `directory-changed`, `requested`.
    pub cause: String,
    /// Entries in it.
    pub entries: u64,
    /// Entries that joined.
    pub joined: u64,
    /// Entries that left.
    pub left: u64,
    /// Causes with how many they concern.
    pub details: Vec<CauseShown>,
}

/// A cause and how many it concerns.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct CauseShown {
    /// In words: `Office changed from "Berlin" to "BER"`.
    pub text: String,
    /// Where it came from.
    pub source: Option<String>,
    /// Who decided, if a person did.
    pub by: Option<String>,
    /// When.
    pub at: Option<Timestamp>,
    /// Entries that join by it.
    pub joined: u64,
    /// Entries that leave by it.
    pub left: u64,
    /// The first of them.
    pub names: Vec<String>,
}
