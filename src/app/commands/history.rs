//! Answers about the past of a list: versions, differences, who came and went by which cause. Pure.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use roaring::RoaringBitmap;

use super::groups::Groups;
use super::kept::Reach;
use crate::admin::answer::{CauseShown, EntryChange, RollDiff, RollHistory, RollVersion};
use crate::admin::service::{Refusal, RefusalKind};
use crate::directory::Ordinal;
use crate::rolls::history::{self, Detail, Difference, EntryCause, HistoryFault, ListAt, Past, PinAction};
use crate::rolls::{Cause, Roll};

/// Most names of one cause; the rest is counted.
pub const CAUSE_NAMES_MAX: usize = 20;

/// The list that served at a time; a refusal says why there is none.
pub fn list_at(roll: Option<&Roll>, differences: &[Difference], time: Timestamp) -> Result<Option<ListAt>, Refusal> {
    let Some(roll) = roll else { return Ok(None) };
    match history::at(roll, differences, time).map_err(|fault| broken(&fault))? {
        Past::Known(list) => Ok(Some(list)),
        Past::NotYet => Ok(None),
        Past::Unknown { from } => Err(forgotten(from)),
    }
}

fn broken(fault: &HistoryFault) -> Refusal {
    Refusal::new(RefusalKind::Broken, fault.to_string())
}

fn forgotten(from: Option<Timestamp>) -> Refusal {
    let text = match from {
        Some(from) => format!("the history of this list goes back to {from} only"),
        None => "no history of this list is kept".to_owned(),
    };
    Refusal::new(RefusalKind::NotFound, text)
}

/// One entry of a list, whatever names it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Entry {
    Object(u32),
    Text(String),
}

/// What happened to one entry in one version.
struct Step<'a> {
    difference: &'a Difference,
    entry: Entry,
    joined: bool,
    cause: Option<&'a EntryCause>,
}

fn steps(difference: &Difference) -> Vec<Step<'_>> {
    let change = &difference.entries;
    let step = |entry: Entry, joined: bool, cause| Step {
        difference,
        entry,
        joined,
        cause,
    };
    let of_object = |number: u32| difference.cause_of(Ordinal(number)).and_then(|(_, cause)| cause);
    let texts = |joined: bool| {
        let (outside, unresolved) = if joined {
            (&change.outside_added, &change.unresolved_added)
        } else {
            (&change.outside_removed, &change.unresolved_removed)
        };
        let outside = outside.iter().map(ToString::to_string);
        let all = outside.chain(unresolved.iter().map(ToString::to_string));
        all.map(move |text| step(Entry::Text(text), joined, None))
            .collect::<Vec<_>>()
    };
    let objects = |set: &RoaringBitmap, joined: bool| {
        set.iter()
            .map(|number| step(Entry::Object(number), joined, of_object(number)))
            .collect::<Vec<_>>()
    };
    let mut all = objects(&change.added, true);
    all.extend(objects(&change.removed, false));
    all.extend(texts(true));
    all.extend(texts(false));
    all
}

fn entries(list: Option<&ListAt>) -> Vec<Entry> {
    let Some(list) = list else { return Vec::new() };
    let objects = list.entries.objects.iter().map(Entry::Object);
    let outside = list.entries.outside.iter().map(|each| Entry::Text(each.to_string()));
    let unresolved = list.entries.unresolved.iter().map(|each| Entry::Text(each.to_string()));
    objects.chain(outside).chain(unresolved).collect()
}

impl Groups<'_> {
    /// Who joined and who left between two times.
    pub fn diff(&self, name: &str, from: Timestamp, to: Timestamp) -> Result<RollDiff, Refusal> {
        let (ordinal, group) = self.group(name)?;
        let roll = self.view.roll(ordinal).map(|roll| &**roll);
        let differences = self.kept.differences(ordinal, Reach::Time(from))?;
        let (before, after) = (list_at(roll, &differences, from)?, list_at(roll, &differences, to)?);
        let (old, new) = (entries(before.as_ref()), entries(after.as_ref()));
        let mut net: HashMap<Entry, bool> = HashMap::new();
        for entry in new {
            net.insert(entry, true);
        }
        for entry in old {
            if net.remove(&entry).is_none() {
                net.insert(entry, false);
            }
        }
        // Oldest first: the last step of an entry in its direction is the one that counts.
        let within = differences
            .iter()
            .rev()
            .filter(|difference| from < difference.at && difference.at <= to);
        let mut last: BTreeMap<Entry, Step<'_>> = BTreeMap::new();
        let mut passing = Vec::new();
        for step in within.flat_map(steps) {
            if net.get(&step.entry) == Some(&step.joined) {
                if let Some(earlier) = last.insert(step.entry.clone(), step) {
                    passing.push(self.change(&earlier));
                }
            } else {
                passing.push(self.change(&step));
            }
        }
        let mut changes: Vec<EntryChange> = last.values().map(|step| self.change(step)).collect();
        changes.sort_by(|a, b| (a.at, &a.address).cmp(&(b.at, &b.address)));
        let mut notes = Vec::new();
        if before.is_none() {
            notes.push("the group had no list at the earlier time".to_owned());
        }
        let count = |list: &Option<ListAt>| list.as_ref().map_or(0, |list| list.entries.len());
        Ok(RollDiff {
            group: group.primary.to_string(),
            from,
            to,
            from_version: before.as_ref().map(|list| list.version),
            to_version: after.as_ref().map(|list| list.version),
            from_entries: count(&before),
            to_entries: count(&after),
            changes,
            passing,
            notes,
        })
    }

    /// What a version changed about one object, if anything.
    pub(super) fn change_of(&self, difference: &Difference, object: Ordinal) -> Option<EntryChange> {
        let own = |step: &Step<'_>| step.entry == Entry::Object(object.0);
        steps(difference).into_iter().find(own).map(|step| self.change(&step))
    }

    fn change(&self, step: &Step<'_>) -> EntryChange {
        let (address, display_name) = match &step.entry {
            Entry::Object(number) => self.named(Ordinal(*number)),
            Entry::Text(text) => (text.clone(), None),
        };
        let words = self.words(step.cause, step.difference.cause);
        EntryChange {
            change: if step.joined { "joined" } else { "left" }.to_owned(),
            address,
            display_name,
            at: step.difference.at,
            version: step.difference.version,
            cause: words.text,
            source: words.source,
            by: words.by,
        }
    }

    /// Versions, newest first.
    pub fn history(&self, name: &str, count_max: usize) -> Result<RollHistory, Refusal> {
        let (ordinal, group) = self.group(name)?;
        let differences = self
            .kept
            .differences(ordinal, Reach::Versions(count_max.saturating_add(1)))?;
        let mut entries = self.view.roll(ordinal).map_or(0, |roll| roll.entries.len());
        let mut versions = Vec::new();
        for difference in differences.iter().take(count_max) {
            let (joined, left) = (difference.entries.added_count(), difference.entries.removed_count());
            versions.push(RollVersion {
                version: difference.version,
                at: difference.at,
                generation: difference.generation,
                cause: cause_word(difference.cause),
                entries,
                joined,
                left,
                details: self.causes(&difference.details, difference.cause, None),
            });
            entries = (entries + left).saturating_sub(joined);
        }
        Ok(RollHistory {
            group: group.primary.to_string(),
            versions,
            more: differences.len() > count_max,
        })
    }

    /// Causes with how many they concern, the largest first.
    pub fn causes(&self, details: &[Detail], cause: Cause, at: Option<Timestamp>) -> Vec<CauseShown> {
        let mut all: Vec<CauseShown> = details
            .iter()
            .map(|detail| {
                let words = self.words(Some(&detail.cause), cause);
                let both = detail.added.iter().chain(detail.removed.iter());
                CauseShown {
                    text: words.text,
                    source: words.source,
                    by: words.by,
                    at,
                    joined: detail.added.len(),
                    left: detail.removed.len(),
                    names: self.addresses(both.take(CAUSE_NAMES_MAX)),
                }
            })
            .collect();
        all.sort_by_key(|cause| std::cmp::Reverse(cause.joined + cause.left));
        all
    }

    /// A cause in words, and who it comes from.
    pub(super) fn words(&self, cause: Option<&EntryCause>, otherwise: Cause) -> Words {
        let Some(cause) = cause else {
            return Words::of(version_words(otherwise).to_owned());
        };
        let quoted = |text: &Option<std::sync::Arc<str>>| match text {
            Some(text) => format!("\"{text}\""),
            None => "nothing".to_owned(),
        };
        match cause {
            EntryCause::Attribute {
                attribute,
                before,
                after,
                source,
            } => Words::of(format!(
                "{attribute} changed from {} to {}",
                quoted(before),
                quoted(after)
            ))
            .from(source.as_str()),
            EntryCause::Moved { before, after, source } => {
                Words::of(format!("moved from {} to {}", quoted(before), quoted(after))).from(source.as_str())
            }
            EntryCause::Appeared { source } => Words::of("new in the directory".to_owned()).from(source.as_str()),
            EntryCause::Gone { source } => Words::of("gone from the directory".to_owned()).from(source.as_str()),
            EntryCause::Settings => Words::of("its kind, state or alias changed".to_owned()),
            EntryCause::Rule => Words::of("the rule of the group changed".to_owned()),
            EntryCause::Listed => Words::of("the list of the group changed in its source".to_owned()),
            EntryCause::Reference { text } => Words::of(format!("{text} names another object now")),
            EntryCause::Membership { group } => {
                Words::of(format!("its membership of {} changed", self.named(*group).0))
            }
            EntryCause::Pinned {
                action,
                by,
                reason,
                until,
            } => {
                let verb = match action {
                    PinAction::Include => "pinned in",
                    PinAction::Exclude => "kept out by a pin",
                };
                let until = until.map_or_else(String::new, |until| format!(" until {until}"));
                Words::of(because(format!("{verb}{until}"), reason)).by(by)
            }
            EntryCause::Unpinned { by } => Words::of("pin taken away".to_owned()).by(by),
            EntryCause::PinEnded => Words::of("pin ended".to_owned()),
            EntryCause::Clock => Words::of("the rule depends on the time, and the time came".to_owned()),
            EntryCause::Guarded => Words::of("the guard brought the list from before back".to_owned()),
            EntryCause::Released => Words::of("what the guard held came back within its limits".to_owned()),
            EntryCause::Accepted { by, reason } => {
                Words::of(because("accepted although the guard held it".to_owned(), reason)).by(by)
            }
            EntryCause::Decided { by, reason } => {
                Words::of(because("the group was changed here".to_owned(), reason)).by(by)
            }
            EntryCause::Repaired => Words::of("a verification corrected the list".to_owned()),
        }
    }

    /// Address and name of an object that is or was there.
    pub(super) fn named(&self, ordinal: Ordinal) -> (String, Option<String>) {
        if let Some(object) = self.view.object(ordinal) {
            return (
                object.primary.to_string(),
                object.display_name.as_deref().map(str::to_owned),
            );
        }
        match self.view.directory.tombstone(ordinal) {
            Some(gone) => (gone.address.to_string(), Some(gone.name.to_string())),
            None => match self.kept.gone(ordinal) {
                Some((address, name)) => (address, Some(name)),
                None => (format!("object {} (deleted)", ordinal.0), None),
            },
        }
    }

    /// Addresses of objects that are or were there.
    pub(super) fn addresses(&self, numbers: impl Iterator<Item = u32>) -> Vec<String> {
        numbers.map(|number| self.named(Ordinal(number)).0).collect()
    }
}

fn because(text: String, reason: &str) -> String {
    if reason.is_empty() {
        text
    } else {
        format!("{text}: {reason}")
    }
}

/// A cause for people.
pub(super) struct Words {
    /// What happened.
    pub text: String,
    /// The source that said so.
    pub source: Option<String>,
    /// Who decided.
    pub by: Option<String>,
}

impl Words {
    fn of(text: String) -> Self {
        Self {
            text,
            source: None,
            by: None,
        }
    }

    fn from(self, source: &str) -> Self {
        Self {
            source: Some(source.to_owned()),
            ..self
        }
    }

    fn by(self, by: &str) -> Self {
        Self {
            by: Some(by.to_owned()),
            ..self
        }
    }
}

/// The word of a version's cause, which does not change.
pub fn cause_word(cause: Cause) -> String {
    serde_json::to_value(cause)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn version_words(cause: Cause) -> &'static str {
    match cause {
        Cause::Created => "the group is new",
        Cause::GroupChanged => "the group changed in its source",
        Cause::DirectoryChanged => "the directory changed",
        Cause::Scheduled => "a computation on schedule",
        Cause::Requested => "a computation that was asked for",
        Cause::Pinned => "a pin",
        Cause::Clock => "the time came",
        Cause::Guarded => "the guard brought the list from before back",
        Cause::Released => "what the guard held came back within its limits",
        Cause::Accepted => "accepted although the guard held it",
        Cause::Decided => "the group was changed here",
        Cause::Repaired => "a verification corrected the list",
        Cause::FirstLoad => "the first load of the source",
    }
}
