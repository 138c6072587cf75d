//! `RecipientContainer`: the subtree that a rule looks at.
//!
//! In: a DN or a canonical path. Out: whether an object or a container lies in it. An object that
//! states no place lies in no container.

use std::fmt;

use crate::directory::column::Container;
use crate::directory::dn::DistinguishedName;
use crate::directory::recipient::RecipientObject;
use crate::directory::row::RowRef;

/// A subtree, named by its DN or its canonical path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    dn: Option<DistinguishedName>,
    /// Folded, without a slash at the end.
    canonical: Box<str>,
}

impl Scope {
    /// An empty container is no restriction.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_end_matches('/');
        if text.is_empty() {
            return None;
        }
        let dn = DistinguishedName::parse(text);
        let canonical = dn
            .as_ref()
            .and_then(DistinguishedName::canonical)
            .unwrap_or_else(|| text.to_lowercase());
        Some(Self {
            dn,
            canonical: canonical.into(),
        })
    }

    /// The text by which a directory finds an object that is itself the place.
    pub fn place(&self) -> &str {
        self.dn.as_ref().map_or(&self.canonical, DistinguishedName::as_str)
    }

    /// True if the object lies in the subtree.
    pub fn contains(&self, recipient: &RecipientObject) -> bool {
        self.contains_place(recipient.distinguished_name.as_deref(), recipient.container.as_deref())
    }

    /// The same for a stored row.
    pub fn contains_row(&self, row: RowRef<'_>) -> bool {
        self.contains_place(row.distinguished_name().as_deref(), row.container())
    }

    /// True if objects directly in the container lie in the subtree; one that is the place itself is another matter.
    pub fn contains_container(&self, container: Container<'_>) -> bool {
        match container {
            Container::Above { dn, canonical } => match &self.dn {
                Some(scope) => dn.is_within(scope),
                None => self.has_path(canonical),
            },
            Container::Stated(text) => self.contains_place(None, Some(text)),
        }
    }

    fn contains_place(&self, dn: Option<&str>, container: Option<&str>) -> bool {
        let dn = dn.and_then(DistinguishedName::parse);
        if let (Some(place), Some(scope)) = (&dn, &self.dn) {
            return place.is_within(scope);
        }
        if let Some(path) = dn.as_ref().and_then(DistinguishedName::canonical) {
            return self.has_path(&path);
        }
        let Some(container) = container else {
            return false;
        };
        match DistinguishedName::parse(container) {
            Some(place) => match &self.dn {
                Some(scope) => place.is_within(scope),
                None => place.canonical().is_some_and(|path| self.has_path(&path)),
            },
            None => self.has_path(&container.trim().trim_end_matches('/').to_lowercase()),
        }
    }

    fn has_path(&self, path: &str) -> bool {
        path.strip_prefix(&*self.canonical)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.place())
    }
}
