//! Why an entry came or went: what changed about it that the rule or the list looks at.
//!
//! In: both generations and what the change meant. Out: one cause per entry. Never: a cause that the entry's own
//! change does not bear out; where nothing finer is known the cause says so.

use std::collections::HashMap;

use roaring::RoaringBitmap;

use super::history::{Detail, Details, Direction, EntriesChange, EntryCause};
use super::watch::{Effects, Side, concerned_references};
use crate::directory::attribute::Attribute;
use crate::directory::dn::DistinguishedName;
use crate::directory::filter::CompiledRule;
use crate::directory::filter::plan::{Anatomy, Ask, AskKind};
use crate::directory::names::name_of;
use crate::directory::row::RowRef;
use crate::directory::value::{ValueRef, ValueType};
use crate::directory::{Ordinal, RecipientObject};

/// What a change meant, for those who ask why.
pub(super) struct Causes<'a> {
    pub(super) before: Side<'a>,
    pub(super) after: Side<'a>,
    pub(super) effects: &'a Effects,
    /// Static groups with the objects that joined or left them.
    pub(super) joined: &'a [(Ordinal, RoaringBitmap)],
}

impl Causes<'_> {
    /// Why the entries of a dynamic group changed.
    pub(super) fn of_rule(&self, rule: &CompiledRule, change: &EntriesChange) -> Vec<Detail> {
        let asks = Anatomy::of(rule).asks;
        let timed = rule.depends_on_now();
        self.each(change, |entry, _| self.of_entry(&asks, timed, entry))
    }

    /// Why the entries of a static group changed, whose own list did not.
    pub(super) fn of_list(&self, object: &RecipientObject, change: &EntriesChange) -> Vec<Detail> {
        let mut added: HashMap<u32, &str> = HashMap::new();
        let mut removed: HashMap<u32, &str> = HashMap::new();
        for reference in concerned_references(self.effects, object) {
            for (side, entries) in [(self.after, &mut added), (self.before, &mut removed)] {
                if let Some(named) = side.directory.lookup_reference(reference).one() {
                    entries.entry(named.0).or_insert(reference);
                }
            }
        }
        self.each(change, |entry, direction| {
            let named = match direction {
                Direction::Added => added.get(&entry.0),
                Direction::Removed => removed.get(&entry.0),
            };
            match (self.presence(entry), named) {
                (Some(cause), _) => cause,
                (None, Some(text)) => EntryCause::reference(text),
                (None, None) => EntryCause::Settings,
            }
        })
    }

    fn each(&self, change: &EntriesChange, cause: impl Fn(Ordinal, Direction) -> EntryCause) -> Vec<Detail> {
        let mut details = Details::default();
        for (entries, direction) in [(&change.added, Direction::Added), (&change.removed, Direction::Removed)] {
            for entry in entries.iter().map(Ordinal) {
                details.note(cause(entry, direction), direction, entry);
            }
        }
        details.finish()
    }

    /// The cause, if the object itself came or went.
    fn presence(&self, entry: Ordinal) -> Option<EntryCause> {
        match (self.before.directory.row(entry), self.after.directory.row(entry)) {
            (None, Some(new)) => Some(EntryCause::Appeared {
                source: new.source().clone(),
            }),
            (Some(old), None) => Some(EntryCause::Gone {
                source: old.source().clone(),
            }),
            (None, None) | (Some(_), Some(_)) => None,
        }
    }

    fn of_entry(&self, asks: &[Ask], timed: bool, entry: Ordinal) -> EntryCause {
        if let Some(cause) = self.presence(entry) {
            return cause;
        }
        let rows = (self.before.directory.row(entry), self.after.directory.row(entry));
        let (Some(old), Some(new)) = rows else {
            return EntryCause::Settings;
        };
        let flipped = asks.iter().find_map(|ask| self.of_flip(ask, old, new, entry));
        let alias = || {
            let (was, is) = (old.alias(), new.alias());
            (was.is_some() != is.is_some()).then(|| EntryCause::attribute(Attribute::Alias, was, is, new.source()))
        };
        let differs = || asks.iter().find_map(|ask| of_value(ask, old, new));
        // A reference that stayed and names another object now.
        let renamed = || {
            asks.iter().find_map(|ask| match ask.kind() {
                AskKind::Reference { target, .. } => Some(EntryCause::reference(target.reference())),
                _ => None,
            })
        };
        flipped
            .or_else(alias)
            .or_else(differs)
            .or_else(|| timed.then_some(EntryCause::Clock))
            .or_else(renamed)
            .unwrap_or(EntryCause::Settings)
    }

    fn of_flip(&self, ask: &Ask, old: RowRef<'_>, new: RowRef<'_>, entry: Ordinal) -> Option<EntryCause> {
        match ask.kind() {
            AskKind::Text { attribute, .. } | AskKind::Value { attribute } | AskKind::Reference { attribute, .. } => {
                let (was, is) = (old.value(attribute), new.value(attribute));
                let flips = ask.passes(&was, self.before.context) != ask.passes(&is, self.after.context);
                (flips && was != is).then(|| changed(attribute, &was, &is, new))
            }
            AskKind::Within(scope) => (scope.contains_row(old) != scope.contains_row(new))
                .then(|| EntryCause::moved(place(old).as_deref(), place(new).as_deref(), new.source())),
            AskKind::Member(group) => {
                let asked = self.after.directory.lookup_reference(group.reference()).one();
                self.joined(entry, |group| asked == Some(group))
            }
            AskKind::MemberOfAny => self.joined(entry, |_| true),
            AskKind::Wide {
                attribute: Attribute::MemberOfGroup,
            } => self.joined(entry, |_| true),
            AskKind::Wide { .. } => None,
        }
    }

    fn joined(&self, entry: Ordinal, is_asked: impl Fn(Ordinal) -> bool) -> Option<EntryCause> {
        let found = self
            .joined
            .iter()
            .find(|(group, change)| is_asked(*group) && change.contains(entry.0));
        found.map(|(group, _)| EntryCause::Membership { group: *group })
    }
}

/// A value that changed, although the ask about it did not flip by itself.
fn of_value(ask: &Ask, old: RowRef<'_>, new: RowRef<'_>) -> Option<EntryCause> {
    let attribute = ask.attribute()?;
    let (was, is) = (old.value(attribute), new.value(attribute));
    (was != is).then(|| changed(attribute, &was, &is, new))
}

fn changed(attribute: Attribute, was: &ValueRef<'_>, is: &ValueRef<'_>, new: RowRef<'_>) -> EntryCause {
    let (was, is) = (shown(attribute, was), shown(attribute, is));
    EntryCause::attribute(attribute, was.as_deref(), is.as_deref(), new.source())
}

/// A value as filters see it; names instead of numbers.
fn shown(attribute: Attribute, value: &ValueRef<'_>) -> Option<String> {
    match (attribute.value_type(), value) {
        (_, ValueRef::Absent) => None,
        (ValueType::Enumeration(table), ValueRef::Integer(number)) => {
            Some(name_of(table, *number).map_or_else(|| number.to_string(), str::to_owned))
        }
        (_, value) => Some(value.to_string()),
    }
}

fn place(row: RowRef<'_>) -> Option<String> {
    let above = row
        .distinguished_name()
        .and_then(|dn| DistinguishedName::parent_of(&dn).map(str::to_owned));
    above.or_else(|| row.container().map(str::to_owned))
}
