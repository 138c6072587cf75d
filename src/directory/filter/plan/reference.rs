//! Stored references (managers, owners) and what they name.
//!
//! In: a value with references. Out: the DN each spells, or the object each names. Never: two readings of one
//! reference; a reference that spells a DN is compared as text where a DN is asked for, as a directory does.

use std::borrow::Cow;
use std::collections::HashMap;

use super::ask::Target;
use crate::directory::dn::DistinguishedName;
use crate::directory::generation::Directory;
use crate::directory::index::Ordinal;
use crate::directory::value::ValueRef;

/// The texts of a value.
pub fn texts_of<'v>(value: &'v ValueRef<'_>) -> &'v [Cow<'v, str>] {
    match value {
        ValueRef::Text(text) => std::slice::from_ref(text),
        ValueRef::Texts(texts) => texts,
        ValueRef::Absent | ValueRef::Boolean(_) | ValueRef::Integer(_) | ValueRef::Size(_) | ValueRef::Time(_) => &[],
    }
}

/// Numbers by what a reference names: places of values, or asks about them.
#[derive(Debug, Default)]
pub(super) struct Named {
    by_dn: HashMap<Box<str>, Vec<usize>>,
    /// Of references that spell no DN.
    by_object: HashMap<Ordinal, Vec<usize>>,
    /// Of references by their text, for ids.
    by_text: HashMap<Box<str>, Vec<usize>>,
    /// Of all references, for ids.
    by_any_object: HashMap<Ordinal, Vec<usize>>,
    with_ids: bool,
}

impl Named {
    /// Notes the references of a value.
    pub(super) fn take_value(&mut self, directory: &Directory, value: &ValueRef<'_>, place: usize, with_ids: bool) {
        for text in texts_of(value) {
            let dn = DistinguishedName::parse(text);
            let object = if with_ids || dn.is_none() {
                directory.lookup_reference(text).one()
            } else {
                None
            };
            match (dn, object) {
                (Some(dn), _) => add(self.by_dn.entry(dn.as_str().into()).or_default(), place),
                (None, Some(object)) => add(self.by_object.entry(object).or_default(), place),
                (None, None) => {}
            }
            if with_ids {
                let text = text.trim().to_ascii_lowercase().into();
                add(self.by_text.entry(text).or_default(), place);
                if let Some(object) = object {
                    add(self.by_any_object.entry(object).or_default(), place);
                }
            }
        }
    }

    /// Notes an ask for references to a target.
    pub(super) fn take_ask(&mut self, directory: &Directory, target: Target<'_>, ask: usize) {
        let object = directory.lookup_reference(target.reference()).one();
        match target {
            Target::Dn(dn) => {
                add(self.by_dn.entry(dn.as_str().into()).or_default(), ask);
                if let Some(object) = object {
                    add(self.by_object.entry(object).or_default(), ask);
                }
            }
            Target::Id(id) => {
                self.with_ids = true;
                add(self.by_text.entry(id.to_ascii_lowercase().into()).or_default(), ask);
                if let Some(object) = object {
                    add(self.by_any_object.entry(object).or_default(), ask);
                }
            }
        }
    }

    /// Places of values whose reference names the target; a place may come twice.
    pub(super) fn places_of(&self, directory: &Directory, target: Target<'_>) -> Vec<usize> {
        let object = || directory.lookup_reference(target.reference()).one();
        let (texts, objects) = match target {
            Target::Dn(dn) => (self.by_dn.get(dn.as_str()), &self.by_object),
            Target::Id(id) => (self.by_text.get(id.to_ascii_lowercase().as_str()), &self.by_any_object),
        };
        let by_object = if objects.is_empty() {
            None
        } else {
            object().and_then(|object| objects.get(&object))
        };
        let mut places: Vec<usize> = texts.into_iter().chain(by_object).flatten().copied().collect();
        places.sort_unstable();
        places.dedup();
        places
    }

    /// Calls `visit` with the asks that a value's references answer; an ask may come twice.
    pub(super) fn each_ask(&self, directory: &Directory, value: &ValueRef<'_>, visit: &mut dyn FnMut(&[usize])) {
        if self.is_empty() {
            return;
        }
        for text in texts_of(value) {
            let dn = DistinguishedName::parse(text);
            let object = if self.with_ids || dn.is_none() {
                directory.lookup_reference(text).one()
            } else {
                None
            };
            let found = match (&dn, object) {
                (Some(dn), _) => self.by_dn.get(dn.as_str()),
                (None, Some(object)) => self.by_object.get(&object),
                (None, None) => None,
            };
            found.into_iter().for_each(|asks| visit(asks));
            if self.with_ids {
                let text = text.trim().to_ascii_lowercase();
                let by_object = object.and_then(|object| self.by_any_object.get(&object));
                let found = self.by_text.get(text.as_str()).into_iter().chain(by_object);
                found.for_each(|asks| visit(asks));
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_dn.is_empty() && self.by_text.is_empty()
    }
}

fn add(list: &mut Vec<usize>, number: usize) {
    if list.last() != Some(&number) {
        list.push(number);
    }
}
