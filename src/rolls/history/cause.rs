//! Why an entry came or went, grouped so that ten thousand people with the same change take one line.
//!
//! In: one cause per entry, as the rolls were patched. Out: distinct causes with the entries each explains.
//! Never: a list of texts as long as the roll where one text explains it.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};

use crate::directory::attribute::Attribute;
use crate::directory::{Ordinal, SourceId};

/// Longest value kept in a cause, in octets; longer ones are cut. The whole value is in the directory.
pub const CAUSE_TEXT_OCTETS_MAX: usize = 200;

/// Which way a pin holds a person.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PinAction {
    /// In the list, whatever it says itself.
    Include,
    /// Not in the list, whatever it says itself.
    Exclude,
}

/// Why an entry came or went.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryCause {
    /// A value changed that the rule tests.
    Attribute {
        /// Which.
        #[serde(with = "attribute_name")]
        attribute: Attribute,
        /// The value before, as filters see it; none: absent.
        before: Option<Arc<str>>,
        /// The value now.
        after: Option<Arc<str>>,
        /// The source that says so.
        source: SourceId,
    },
    /// The object moved to another container.
    Moved {
        /// The container before.
        before: Option<Arc<str>>,
        /// The container now.
        after: Option<Arc<str>>,
        /// The source that says so.
        source: SourceId,
    },
    /// The object is new.
    Appeared {
        /// The source that brought it.
        source: SourceId,
    },
    /// The object is gone from its source.
    Gone {
        /// The source that had it.
        source: SourceId,
    },
    /// Something else about the object changed: its kind, its state, its alias.
    Settings,
    /// The group's rule changed.
    Rule,
    /// The group's own list of members changed.
    Listed,
    /// A name in the list means another object now, or none, or one at last.
    Reference {
        /// The name.
        text: Arc<str>,
    },
    /// It joined or left a group that the rule asks for.
    Membership {
        /// That group.
        group: Ordinal,
    },
    /// An operator or owner pinned it.
    Pinned {
        /// Which way.
        action: PinAction,
        /// Who.
        by: Arc<str>,
        /// Why.
        reason: Arc<str>,
        /// Until when; none: until it is taken away.
        until: Option<Timestamp>,
    },
    /// Its pin was taken away.
    Unpinned {
        /// Who did it.
        by: Arc<str>,
    },
    /// Its pin ended by itself.
    PinEnded,
    /// The rule depends on the time, and the time came.
    Clock,
    /// The guard brought the list from before back.
    Guarded,
    /// The guard's proposal came back within its limits and serves.
    Released,
    /// An operator accepted what the guard held.
    Accepted {
        /// Who.
        by: Arc<str>,
        /// Why.
        reason: Arc<str>,
    },
    /// A decision made here about the group's rule or list.
    Decided {
        /// Who.
        by: Arc<str>,
        /// Why.
        reason: Arc<str>,
    },
    /// A verification found the patched list different from the computed one.
    Repaired,
}

impl EntryCause {
    /// A changed value. Texts over [`CAUSE_TEXT_OCTETS_MAX`] are cut.
    #[must_use]
    pub fn attribute(attribute: Attribute, before: Option<&str>, after: Option<&str>, source: &SourceId) -> Self {
        Self::Attribute {
            attribute,
            before: before.map(cut),
            after: after.map(cut),
            source: source.clone(),
        }
    }

    /// Another container.
    #[must_use]
    pub fn moved(before: Option<&str>, after: Option<&str>, source: &SourceId) -> Self {
        Self::Moved {
            before: before.map(cut),
            after: after.map(cut),
            source: source.clone(),
        }
    }

    /// A name that means something else now.
    #[must_use]
    pub fn reference(text: &str) -> Self {
        Self::Reference { text: cut(text) }
    }
}

/// A text for a cause, cut at a character if it is too long.
#[must_use]
pub fn cut(text: &str) -> Arc<str> {
    if text.len() <= CAUSE_TEXT_OCTETS_MAX {
        return text.into();
    }
    let end = text.floor_char_boundary(CAUSE_TEXT_OCTETS_MAX);
    format!("{}…", &text[..end]).into()
}

struct Quoted<'a>(&'a Option<Arc<str>>);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(text) => write!(out, "\"{text}\""),
            None => out.write_str("(none)"),
        }
    }
}

/// The sentence an operator reads; a group is named by its ordinal, because only a directory knows its address.
impl fmt::Display for EntryCause {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attribute {
                attribute,
                before,
                after,
                source,
            } => write!(
                out,
                "{} changed from {} to {} ({source})",
                attribute.name(),
                Quoted(before),
                Quoted(after)
            ),
            Self::Moved { before, after, source } => {
                write!(out, "moved from {} to {} ({source})", Quoted(before), Quoted(after))
            }
            Self::Appeared { source } => write!(out, "appeared in {source}"),
            Self::Gone { source } => write!(out, "gone from {source}"),
            Self::Settings => out.write_str("its own settings changed"),
            Self::Rule => out.write_str("the rule of the group changed"),
            Self::Listed => out.write_str("the list of the group changed"),
            Self::Reference { text } => write!(out, "the name {text} means another object now"),
            Self::Membership { group } => write!(out, "its membership of group {} changed", group.0),
            Self::Pinned {
                action: PinAction::Include,
                by,
                reason,
                ..
            } => write!(out, "included by {by}: {reason}"),
            Self::Pinned {
                action: PinAction::Exclude,
                by,
                reason,
                ..
            } => write!(out, "excluded by {by}: {reason}"),
            Self::Unpinned { by } => write!(out, "pin taken away by {by}"),
            Self::PinEnded => out.write_str("pin ended"),
            Self::Clock => out.write_str("the time came"),
            Self::Guarded => out.write_str("the guard brought the list from before back"),
            Self::Released => out.write_str("the change came back within the limits of the guard"),
            Self::Accepted { by, reason } => write!(out, "accepted by {by}: {reason}"),
            Self::Decided { by, reason } => write!(out, "decided by {by}: {reason}"),
            Self::Repaired => out.write_str("a verification corrected the list"),
        }
    }
}

/// The entries that one cause explains.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Detail {
    /// The cause.
    pub cause: EntryCause,
    /// Who came by it.
    pub added: RoaringBitmap,
    /// Who went by it.
    pub removed: RoaringBitmap,
}

/// Which way an entry went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// It came.
    Added,
    /// It went.
    Removed,
}

/// Gathers details: one per distinct cause, in the order in which the causes were met.
#[derive(Clone, Debug, Default)]
pub struct Details {
    details: Vec<Detail>,
    places: HashMap<EntryCause, usize>,
}

impl Details {
    /// Notes why one entry came or went.
    pub fn note(&mut self, cause: EntryCause, direction: Direction, entry: Ordinal) {
        let detail = self.of(cause);
        match direction {
            Direction::Added => detail.added.insert(entry.0),
            Direction::Removed => detail.removed.insert(entry.0),
        };
    }

    /// Notes why many came or went.
    pub fn note_all(&mut self, cause: EntryCause, added: &RoaringBitmap, removed: &RoaringBitmap) {
        if added.is_empty() && removed.is_empty() {
            return;
        }
        let detail = self.of(cause);
        detail.added |= added;
        detail.removed |= removed;
    }

    fn of(&mut self, cause: EntryCause) -> &mut Detail {
        let place = match self.places.get(&cause) {
            Some(place) => *place,
            None => {
                self.places.insert(cause.clone(), self.details.len());
                self.details.push(Detail {
                    cause,
                    added: RoaringBitmap::new(),
                    removed: RoaringBitmap::new(),
                });
                self.details.len() - 1
            }
        };
        &mut self.details[place]
    }

    /// What was gathered.
    #[must_use]
    pub fn finish(self) -> Vec<Detail> {
        self.details
    }
}

mod attribute_name {
    //! An attribute by its Exchange name, which does not change.

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::directory::attribute::Attribute;

    pub(super) fn serialize<S: Serializer>(attribute: &Attribute, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(attribute.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Attribute, D::Error> {
        let name = String::deserialize(deserializer)?;
        Attribute::from_name(&name).ok_or_else(|| D::Error::custom(format!("unknown attribute `{name}`")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(after: &str) -> EntryCause {
        EntryCause::attribute(Attribute::Office, Some("Berlin"), Some(after), &SourceId::new("hr"))
    }

    #[test]
    fn ten_thousand_people_with_one_change_take_one_detail() {
        let mut details = Details::default();
        for ordinal in 0..10_000 {
            details.note(changed("BER"), Direction::Removed, Ordinal(ordinal));
        }
        details.note(changed("Bonn"), Direction::Removed, Ordinal(10_000));
        details.note(EntryCause::PinEnded, Direction::Added, Ordinal(10_001));
        let details = details.finish();
        assert_eq!(
            details.iter().map(|detail| detail.removed.len()).collect::<Vec<_>>(),
            [10_000, 1, 0]
        );
        assert_eq!(
            details[0].cause.to_string(),
            "Office changed from \"Berlin\" to \"BER\" (hr)"
        );
    }

    #[test]
    fn long_values_are_cut_at_a_character() {
        let EntryCause::Attribute { after: Some(after), .. } = changed(&"ü".repeat(300)) else {
            panic!("a changed value")
        };
        assert_eq!(after.chars().count(), CAUSE_TEXT_OCTETS_MAX / 2 + 1);
        assert!(after.ends_with('…'));
    }
}
