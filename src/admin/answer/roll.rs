//! Answers about stored lists: their past, their pins, their guard, who is stale in them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Meaning;

/// An answer to one [`crate::admin::command::RollCommand`].
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "name", content = "content", rename_all = "snake_case")]
pub enum RollAnswer {
    /// To `group diff`.
    GroupDiff(RollDiff),
    /// To `group history`.
    GroupHistory(RollHistory),
    /// To `group refresh`.
    GroupRefresh(RollsRefreshed),
    /// To `group verify`.
    GroupVerify(RollsVerified),
    /// To `group pin`.
    GroupPin(PinChanged),
    /// To `group unpin`.
    GroupUnpin(PinChanged),
    /// To `group pins`.
    GroupPins(Vec<PinShown>),
    /// To `group convert` and `group freeze`.
    GroupConvert(GroupConverted),
    /// To `group stale`.
    GroupStale(Vec<StaleMember>),
    /// To `guard list`.
    GuardList(Vec<GuardHeld>),
    /// To `guard show`.
    GuardShow(GuardHeld),
    /// To `guard accept`.
    GuardAccept(GuardDecided),
    /// To `guard reject`.
    GuardReject(GuardDecided),
    /// To `alerts`.
    Alerts(Vec<Alert>),
    /// To `suspects list`.
    SuspectsList(Vec<SuspectShown>),
    /// To `suspects suppress`.
    SuspectsSuppress(SuspectChanged),
    /// To `suspects clear`.
    SuspectsClear(SuspectChanged),
}

impl RollAnswer {
    /// Yes or no. A difference found by a verification, a list that the guard holds after a refresh, an alert: no.
    #[must_use]
    pub fn meaning(&self) -> Meaning {
        let yes = |yes: bool| if yes { Meaning::Yes } else { Meaning::No };
        match self {
            Self::GroupDiff(_) | Self::GroupHistory(_) => Meaning::Yes,
            Self::GroupRefresh(refreshed) if refreshed.groups.iter().any(|group| group.held) => Meaning::Guarded,
            Self::GroupRefresh(refreshed) => yes(refreshed.groups.iter().all(|group| group.fault.is_none())),
            Self::GroupVerify(verified) => yes(verified.differences.is_empty()),
            Self::GroupPin(_) | Self::GroupUnpin(_) | Self::GroupPins(_) => Meaning::Yes,
            Self::GroupConvert(converted) if converted.done => Meaning::Yes,
            Self::GroupConvert(_) => Meaning::Guarded,
            Self::GroupStale(_) | Self::GuardList(_) | Self::GuardShow(_) => Meaning::Yes,
            Self::GuardAccept(_) | Self::GuardReject(_) | Self::SuspectsList(_) => Meaning::Yes,
            Self::Alerts(alerts) => yes(alerts.is_empty()),
            Self::SuspectsSuppress(changed) | Self::SuspectsClear(changed) => yes(changed.applied),
        }
    }
}

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

/// `group refresh`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RollsRefreshed {
    /// It was done, not only said.
    pub done: bool,
    /// Lists.
    pub lists: u64,
    /// Of them, with another version than before.
    pub changed: u64,
    /// Groups with what changed, or whose rule cannot be evaluated.
    pub groups: Vec<RollRefreshed>,
}

/// One list that differs after a refresh.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RollRefreshed {
    /// Primary address of the group.
    pub group: String,
    /// Entries that joined.
    pub joined: u64,
    /// Entries that left.
    pub left: u64,
    /// The guard holds it.
    pub held: bool,
    /// Why it cannot be computed.
    pub fault: Option<String>,
}

/// `group verify`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RollsVerified {
    /// Lists compared with a computation from scratch.
    pub lists: u64,
    /// Lists that differed; each was repaired and is a fault of ours.
    pub differences: Vec<RollRefreshed>,
}

/// A pin.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PinShown {
    /// Primary address of the group.
    pub group: String,
    /// Address of the recipient.
    pub recipient: String,
    /// `include` or `exclude`.
    pub effect: String,
    /// Who decided.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: Option<String>,
    /// When it ends; none: never.
    pub until: Option<Timestamp>,
}

/// `group pin` and `group unpin`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PinChanged {
    /// The pin; after `unpin` the one that ended.
    pub pin: PinShown,
    /// It is in force: false after `unpin`.
    pub pinned: bool,
    /// The list differs by it now.
    pub effective: bool,
    /// Entries in the list now.
    pub entries: u64,
}

/// `group convert` and `group freeze`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct GroupConverted {
    /// Primary address of the group.
    pub group: String,
    /// `dynamic`, `static` or `source`: what the source says.
    pub into: String,
    /// It was done.
    pub done: bool,
    /// The rule now, if it is dynamic.
    pub filter: Option<String>,
    /// Members before.
    pub before: u64,
    /// Members after.
    pub after: u64,
    /// Who joins by it, the first.
    pub joining: Vec<String>,
    /// Who leaves by it, the first.
    pub leaving: Vec<String>,
    /// Who joins by it, in all.
    pub joins: u64,
    /// Who leaves by it, in all.
    pub leaves: u64,
    /// Members that stay as pinned.
    pub pinned: u64,
    /// People kept out by a pin.
    pub excluded: u64,
}

/// `group stale`: a member that a message does not reach, or may not.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct StaleMember {
    /// Primary address of the group.
    pub group: String,
    /// Address, or the entry's text.
    pub recipient: String,
    /// Name for people.
    pub display_name: Option<String>,
    /// A word that does not change: `deleted`, `disabled`, `unresolved`, `suspect`, `group-gone`.
    pub state: String,
    /// In words.
    pub text: String,
    /// Messages leave it out.
    pub left_out: bool,
}

/// A list that the guard holds.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct GuardHeld {
    /// Primary address of the group.
    pub group: String,
    /// Since when.
    pub since: Timestamp,
    /// `shrink` or `growth`.
    pub kind: String,
    /// In words: `would remove 402 of 418 (96%, limit 20% and 10)`.
    pub text: String,
    /// Version that serves meanwhile.
    pub serving_version: u64,
    /// Its entries.
    pub serving_entries: u64,
    /// Entries of the held list.
    pub proposed_entries: u64,
    /// Entries that would join.
    pub joins: u64,
    /// Entries that would leave.
    pub leaves: u64,
    /// An operator has rejected it; the old list goes on serving.
    pub rejected_by: Option<String>,
    /// Causes, the largest first.
    pub causes: Vec<CauseShown>,
}

/// `guard accept` and `guard reject`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct GuardDecided {
    /// Primary address of the group.
    pub group: String,
    /// `accepted` or `rejected`.
    pub decision: String,
    /// Who decided.
    pub by: String,
    /// Why.
    pub reason: Option<String>,
    /// Version that serves now.
    pub version: u64,
    /// Its entries.
    pub entries: u64,
}

/// Something that waits for an operator.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Alert {
    /// A word that does not change: `GUARD`, `FAILED`, `STALE`, `SUSPECT`, `SOURCE`, `SIGNING`.
    pub kind: String,
    /// What it is about: a group's address, a source.
    pub subject: String,
    /// Since when.
    pub since: Option<Timestamp>,
    /// In words.
    pub text: String,
    /// What caused it, the largest part first.
    pub causes: Vec<CauseShown>,
}

/// An address that next hops refuse again and again.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SuspectShown {
    /// Its address.
    pub recipient: String,
    /// Name for people.
    pub display_name: Option<String>,
    /// Messages whose copy was refused for good.
    pub refusals: u64,
    /// The first of them.
    pub first_at: Timestamp,
    /// The last of them.
    pub last_at: Timestamp,
    /// What the next hop said last.
    pub reply: String,
    /// Expansions leave it out.
    pub suppressed: bool,
    /// Who decided that.
    pub suppressed_by: Option<String>,
    /// Groups it is a member of, the first.
    pub groups: Vec<String>,
}

/// `suspects suppress` and `suspects clear`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SuspectChanged {
    /// Its address.
    pub recipient: String,
    /// `suppressed` or `cleared`.
    pub change: String,
    /// It was otherwise before.
    pub applied: bool,
}
