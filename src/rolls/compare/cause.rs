//! Why only one of the two reached somebody.
//!
//! On record are: the history of the lists with a cause per entry, changes of values, the state of the object, the
//! nearest miss of a rule. The change nearest to the message decides; what came after it first, because a list that
//! was put right later was wrong then.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Comparing, Person, Seen};
use crate::directory::Ordinal;
use crate::directory::filter::membership::DirectMembers;
use crate::directory::filter::nearest::{ChangeKind, nearest};
use crate::directory::filter::rule::CompiledRule;
use crate::rolls::history::{Direction, EntryCause};

/// Why somebody was reached by one of the two only.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Cause {
    /// Our list took the person in, or let him go, at another time than the other system.
    ListChanged {
        /// Which group's list.
        group: String,
        /// When.
        at: Timestamp,
        /// Which way.
        change: ListChange,
        /// Why, where that is known.
        why: Option<EntryCause>,
    },
    /// A value that the rule tests changed after the message; the list of that time is not kept.
    ValueChanged {
        /// The attribute, by its Exchange name.
        attribute: String,
        /// The value until then.
        before: Option<String>,
        /// The value since.
        after: Option<String>,
        /// When.
        at: Timestamp,
        /// The source that said so.
        source: String,
    },
    /// A stored value is spelled otherwise than the rule asks.
    Spelling {
        /// The attribute, by its Exchange name.
        attribute: String,
        /// What is stored.
        stored: String,
        /// What the rule would take.
        wanted: String,
        /// How they differ, in a word or two.
        difference: String,
    },
    /// Nobody here has the address.
    NotInDirectory,
    /// The object was deleted.
    Deleted,
    /// The account is disabled, and settings leave such members out.
    Disabled,
    /// The next hop refused the address again and again; it is suppressed.
    Suspect,
    /// The other system was given a nested group that leads to the person and did not expand it: refused there, or
    /// expanded on a server whose log is missing.
    NotExpanded {
        /// The nested group.
        group: String,
    },
    /// Nothing on record explains it.
    Unexplained {
        /// True if the list of the message's time is kept.
        history: bool,
    },
}

/// Which way a list changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListChange {
    /// The person came.
    Joined,
    /// The person went.
    Left,
}

/// True if something on record explains the difference.
#[must_use]
pub fn is_explained(cause: &Cause) -> bool {
    match cause {
        Cause::ListChanged { .. }
        | Cause::ValueChanged { .. }
        | Cause::Spelling { .. }
        | Cause::NotInDirectory
        | Cause::Deleted
        | Cause::Disabled
        | Cause::Suspect
        | Cause::NotExpanded { .. } => true,
        Cause::Unexplained { .. } => false,
    }
}

impl Comparing<'_> {
    /// Why only the other system reached somebody.
    pub(super) fn cause_other(&mut self, person: &Person, seen: &Seen) -> Cause {
        let Person::Object(number) = person else {
            return self.stranger(person);
        };
        let ordinal = Ordinal(*number);
        let left_out = &self.options.left_out;
        if left_out.suspects.contains(*number) {
            return Cause::Suspect;
        }
        if left_out.disabled.contains(*number) {
            return Cause::Disabled;
        }
        self.list_change(ordinal, seen, Direction::Added)
            .or_else(|| self.value_change(ordinal, seen))
            .or_else(|| self.spelling(ordinal, seen))
            .unwrap_or_else(|| self.unexplained(seen))
    }

    /// Why only our list would have reached somebody.
    pub(super) fn cause_here(&mut self, person: &Person, seen: &Seen) -> Cause {
        let Person::Object(number) = person else {
            return self.unexpanded(person, seen).unwrap_or_else(|| self.unexplained(seen));
        };
        let ordinal = Ordinal(*number);
        if let Some(cause) = self.unexpanded(person, seen) {
            return cause;
        }
        self.list_change(ordinal, seen, Direction::Removed)
            .or_else(|| self.value_change(ordinal, seen))
            .unwrap_or_else(|| self.unexplained(seen))
    }

    fn stranger(&self, person: &Person) -> Cause {
        match person {
            Person::Address(text) if self.view.directory.lookup_gone(text).is_some() => Cause::Deleted,
            Person::Address(_) | Person::Object(_) => Cause::NotInDirectory,
        }
    }

    /// The change of a list on the way that is nearest to the message: the first one after it in the direction that
    /// would have made the two agree, else the last one before it in the other.
    fn list_change(&mut self, ordinal: Ordinal, seen: &Seen, after: Direction) -> Option<Cause> {
        let mut later: Option<(Timestamp, Ordinal, Option<EntryCause>)> = None;
        let mut earlier: Option<(Timestamp, Ordinal, Option<EntryCause>)> = None;
        for group in seen.through.iter().copied() {
            // The version that a list began with took everybody in and says nothing about anybody.
            let changes = self
                .lists
                .differences(group)
                .iter()
                .filter(|difference| difference.before.is_some());
            for difference in changes {
                let Some((direction, why)) = difference.cause_of(ordinal) else {
                    continue;
                };
                let found = || Some((difference.at, group, why.cloned()));
                if difference.at > seen.last && direction == after {
                    if later.as_ref().is_none_or(|(at, ..)| difference.at < *at) {
                        later = found();
                    }
                } else if difference.at <= seen.last
                    && direction != after
                    && earlier.as_ref().is_none_or(|(at, ..)| difference.at > *at)
                {
                    earlier = found();
                }
            }
        }
        let (change, (at, group, why)) = match (later, earlier) {
            (Some(later), _) => (after, later),
            (None, Some(earlier)) => (opposite(after), earlier),
            (None, None) => return None,
        };
        Some(Cause::ListChanged {
            group: self.name(group),
            at,
            change: match change {
                Direction::Added => ListChange::Joined,
                Direction::Removed => ListChange::Left,
            },
            why,
        })
    }

    /// The first change after the message of a value that one of the rules on the way tests.
    fn value_change(&mut self, ordinal: Ordinal, seen: &Seen) -> Option<Cause> {
        let mut tested = Vec::new();
        for rule in self.rules(seen) {
            tested.extend(rule.attributes());
        }
        let changes = self.lists.attribute_changes(ordinal);
        let change = changes
            .into_iter()
            .filter(|change| change.at > seen.last && tested.contains(&change.attribute))
            .min_by_key(|change| change.at)?;
        Some(Cause::ValueChanged {
            attribute: change.attribute.name().to_owned(),
            before: change.before.map(|text| text.to_string()),
            after: change.after.map(|text| text.to_string()),
            at: change.at,
            source: change.source.to_string(),
        })
    }

    /// A rule on the way that the person misses by the spelling of one value.
    fn spelling(&self, ordinal: Ordinal, seen: &Seen) -> Option<Cause> {
        let object = self.view.object(ordinal)?;
        for rule in self.rules(seen) {
            let context = DirectMembers::for_rule(&self.view.directory, &rule, self.options.now);
            let Some(miss) = nearest(&rule, &object, &context) else {
                continue;
            };
            let [change] = miss.changes.as_slice() else { continue };
            if let (true, Some(stored), Some(wanted)) = (change.kind.is_spelling(), &change.stored, &change.instead) {
                return Some(Cause::Spelling {
                    attribute: change.attribute.name().to_owned(),
                    stored: stored.clone(),
                    wanted: wanted.clone(),
                    difference: ChangeKind::word(change.kind).to_owned(),
                });
            }
        }
        None
    }

    /// A nested group that the other system left unexpanded and that leads to the person.
    fn unexpanded(&mut self, person: &Person, seen: &Seen) -> Option<Cause> {
        for group in seen.unexpanded.iter().copied() {
            let reach = self.lists.reach(group, seen.last);
            let leads = match person {
                Person::Object(number) => reach.objects.contains(*number),
                Person::Address(text) => reach
                    .outside
                    .iter()
                    .any(|mailbox| mailbox.as_str().eq_ignore_ascii_case(text)),
            };
            if leads {
                return Some(Cause::NotExpanded {
                    group: self.name(group),
                });
            }
        }
        None
    }

    /// The rules of the dynamic groups on the way, those that can be evaluated.
    fn rules(&self, seen: &Seen) -> Vec<CompiledRule> {
        let rules = seen.through.iter().filter_map(|group| {
            let rule = self.view.group(*group)?.group.as_deref()?.rule.as_deref()?;
            CompiledRule::compile(rule, &self.options.evaluation).ok()
        });
        rules.collect()
    }

    fn unexplained(&mut self, seen: &Seen) -> Cause {
        let top = seen.through.first().copied();
        let history = top.is_some_and(|top| !self.lists.reach(top, seen.last).by_later_list);
        Cause::Unexplained { history }
    }

    fn name(&self, group: Ordinal) -> String {
        let object = self.view.group(group);
        object.map_or_else(|| format!("group {}", group.0), |object| object.primary.to_string())
    }
}

const fn opposite(direction: Direction) -> Direction {
    match direction {
        Direction::Added => Direction::Removed,
        Direction::Removed => Direction::Added,
    }
}
