//! Finding the object that a name in a list means.
//!
//! In: drafts of all objects. Out: per name one object, several, an outside address, or nobody. Never: a display
//! name that two objects have taken for one of them.

use std::collections::HashMap;

use super::cells::Draft;
use super::convert::{self, Spelled};
use crate::connectors::files::property::Property as P;
use crate::directory::attribute::Attribute;
use crate::directory::dn::DistinguishedName;
use crate::mail::address::Mailbox;

/// What a name leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// An object of the import, by its index.
    Object(usize),
    /// So many objects answer to it.
    Several(usize),
    /// Nobody, but it is an address that mail can be sent to.
    Outside(Mailbox),
    /// Nobody.
    Nobody,
}

/// Kinds of names, the surest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Tier {
    Guid,
    Dn,
    LegacyDn,
    Address,
    Canonical,
    Account,
    Name,
    DisplayName,
}

const TIERS: [Tier; 8] = [
    Tier::Guid,
    Tier::Dn,
    Tier::LegacyDn,
    Tier::Address,
    Tier::Canonical,
    Tier::Account,
    Tier::Name,
    Tier::DisplayName,
];

#[derive(Debug, Clone, Copy)]
enum Holder {
    One(usize),
    Several(usize),
}

/// Names of all objects.
#[derive(Debug, Default)]
pub struct Catalog {
    names: HashMap<(Tier, String), Holder>,
}

impl Catalog {
    /// Gathers the names of all objects.
    #[must_use]
    pub fn of(objects: &[Draft]) -> Self {
        let mut catalog = Self::default();
        for (index, draft) in objects.iter().enumerate() {
            catalog.add(index, draft);
        }
        catalog
    }

    fn name(&mut self, tier: Tier, name: &str, index: usize) {
        let name = name.trim().to_lowercase();
        if name.is_empty() {
            return;
        }
        self.names
            .entry((tier, name))
            .and_modify(|holder| match *holder {
                Holder::One(first) if first == index => {}
                Holder::One(_) => *holder = Holder::Several(2),
                Holder::Several(count) => *holder = Holder::Several(count + 1),
            })
            .or_insert(Holder::One(index));
    }

    fn add(&mut self, index: usize, draft: &Draft) {
        let texts = |property: P| draft.all(property).filter_map(|cell| convert::text(&cell.value));
        for held in [
            Attribute::Guid,
            Attribute::ExternalDirectoryObjectId,
            Attribute::ExchangeGuid,
        ] {
            for guid in texts(P::Held(held)).filter_map(|text| convert::guid(&text)) {
                self.name(Tier::Guid, &guid, index);
            }
        }
        for dn in texts(P::DistinguishedName).filter_map(|text| DistinguishedName::parse(&text)) {
            self.name(Tier::Dn, dn.as_str(), index);
            if let Some(canonical) = dn.canonical() {
                self.name(Tier::Canonical, &canonical, index);
            }
        }
        for legacy in texts(P::LegacyExchangeDN) {
            self.name(Tier::LegacyDn, &legacy, index);
        }
        for property in [
            P::PrimarySmtpAddress,
            P::Held(Attribute::WindowsEmailAddress),
            P::EmailAddresses,
        ] {
            for cell in draft.all(property) {
                for text in convert::addresses(&cell.value, cell.joined) {
                    match text.split_once(':') {
                        Some((kind, value)) if kind.eq_ignore_ascii_case("x500") => {
                            self.name(Tier::LegacyDn, value, index);
                        }
                        _ => {
                            if let Ok(mailbox) = Mailbox::parse(convert::bare(&text)) {
                                self.name(Tier::Address, mailbox.key().as_str(), index);
                            }
                        }
                    }
                }
            }
        }
        for name in &draft.names {
            let tier = if name.contains('/') {
                Tier::Canonical
            } else {
                Tier::Account
            };
            self.name(tier, name, index);
        }
        for held in [Attribute::UserPrincipalName, Attribute::SamAccountName] {
            for text in texts(P::Held(held)) {
                self.name(Tier::Account, &text, index);
            }
        }
        for text in texts(P::Alias).chain(texts(P::Held(Attribute::Name))) {
            self.name(Tier::Name, &text, index);
        }
        let leaf = texts(P::DistinguishedName).next();
        if let Some(leaf) = leaf.as_deref().and_then(DistinguishedName::leaf_of) {
            self.name(Tier::Name, &leaf.replace('\\', ""), index);
        }
        for text in texts(P::DisplayName) {
            self.name(Tier::DisplayName, &text, index);
        }
    }

    /// Who a name of a list is.
    #[must_use]
    pub fn find(&self, spelled: &Spelled) -> Found {
        let mut several = None;
        for tier in TIERS {
            for text in &spelled.0 {
                let Some(name) = spelling(tier, text) else { continue };
                match self.names.get(&(tier, name)) {
                    Some(Holder::One(index)) => return Found::Object(*index),
                    Some(Holder::Several(count)) => several = several.or(Some(*count)),
                    None => {}
                }
            }
        }
        if let Some(count) = several {
            return Found::Several(count);
        }
        let outside = spelled
            .0
            .iter()
            .find_map(|text| Mailbox::parse(convert::bare(text)).ok());
        outside.map_or(Found::Nobody, Found::Outside)
    }

    /// The object whose name a file bears: `sales.csv`, `members-sales@contoso.example.csv`.
    #[must_use]
    pub fn find_name(&self, name: &str) -> Option<usize> {
        match self.find(&Spelled(vec![name.to_owned()])) {
            Found::Object(index) => Some(index),
            Found::Several(_) | Found::Outside(_) | Found::Nobody => None,
        }
    }
}

/// A text as a name of a tier, if it can be one.
fn spelling(tier: Tier, text: &str) -> Option<String> {
    let folded = || Some(text.trim().to_lowercase());
    match tier {
        Tier::Guid => convert::guid(text),
        Tier::Dn => DistinguishedName::parse(text).map(|dn| dn.as_str().to_owned()),
        Tier::LegacyDn => {
            let text = text.trim();
            let bare = text
                .get(..5)
                .filter(|head| head.eq_ignore_ascii_case("x500:"))
                .map_or(text, |_| &text[5..]);
            bare.starts_with('/').then(|| bare.to_lowercase())
        }
        Tier::Address => Mailbox::parse(convert::bare(text))
            .ok()
            .map(|mailbox| mailbox.key().as_str().to_owned()),
        Tier::Canonical => {
            if text.contains('/') {
                folded()
            } else {
                None
            }
        }
        // CONTOSO\lena: the account without its domain.
        Tier::Account => Some(text.rsplit('\\').next().unwrap_or(text).trim().to_lowercase()),
        Tier::Name | Tier::DisplayName => folded(),
    }
}
