//! Accepted domains: for which domains we take mail, and who knows their recipients.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::mail::{Domain, Mailbox};

/// Who knows the recipients of an accepted domain (Exchange's accepted-domain types that take mail).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DomainKind {
    /// We do: an address the directory does not know is refused.
    #[default]
    Authoritative,
    /// Another system shares it: an address the directory does not know is relayed to it.
    InternalRelay,
}

/// One accepted domain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AcceptedDomain {
    /// The domain.
    pub domain: Domain,
    /// Who knows its recipients.
    pub kind: DomainKind,
    /// Its subdomains are accepted as well (Exchange writes `*.contoso.com`).
    pub subdomains: bool,
}

/// All accepted domains, to be asked by domain.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AcceptedDomains(HashMap<Domain, AcceptedDomain>);

impl AcceptedDomains {
    /// From a list; a later entry for the same domain wins.
    #[must_use]
    pub fn new(list: impl IntoIterator<Item = AcceptedDomain>) -> Self {
        Self(list.into_iter().map(|each| (each.domain.clone(), each)).collect())
    }

    /// Kind of a domain, unless it is not accepted. The longest match decides.
    #[must_use]
    pub fn kind(&self, domain: &Domain) -> Option<DomainKind> {
        if let Some(exact) = self.0.get(domain) {
            return Some(exact.kind);
        }
        let mut rest = domain.as_str();
        while let Some((_, parent)) = rest.split_once('.') {
            // A domain that was parsed has parents that parse; an address literal has none.
            let found = Domain::parse(parent).ok().and_then(|parent| self.0.get(&parent));
            if let Some(found) = found.filter(|found| found.subdomains) {
                return Some(found.kind);
            }
            rest = parent;
        }
        None
    }

    /// Kind of an address's domain.
    #[must_use]
    pub fn kind_of(&self, mailbox: &Mailbox) -> Option<DomainKind> {
        self.kind(&mailbox.domain_key())
    }

    /// The accepted domains, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &AcceptedDomain> {
        self.0.values()
    }

    /// True if none is accepted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_match_decides() {
        let domain = |text: &str, kind, subdomains| AcceptedDomain {
            domain: Domain::parse(text).expect("a test domain"),
            kind,
            subdomains,
        };
        let accepted = AcceptedDomains::new([
            domain("contoso.example", DomainKind::Authoritative, true),
            domain("lab.contoso.example", DomainKind::InternalRelay, false),
            domain("fabrikam.example", DomainKind::InternalRelay, false),
        ]);
        for (text, kind) in [
            ("contoso.example", Some(DomainKind::Authoritative)),
            ("CONTOSO.example", Some(DomainKind::Authoritative)),
            ("berlin.contoso.example", Some(DomainKind::Authoritative)),
            ("a.b.contoso.example", Some(DomainKind::Authoritative)),
            ("lab.contoso.example", Some(DomainKind::InternalRelay)),
            ("x.lab.contoso.example", Some(DomainKind::Authoritative)),
            ("fabrikam.example", Some(DomainKind::InternalRelay)),
            ("x.fabrikam.example", None),
            ("notcontoso.example", None),
            ("example", None),
            ("[192.0.2.1]", None),
        ] {
            assert_eq!(accepted.kind(&Domain::parse(text).expect("valid")), kind, "{text}");
        }
    }
}
