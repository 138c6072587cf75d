//! Accepted domains: for which domains we take mail, and who knows their recipients.

use std::collections::HashMap;
use std::sync::Arc;

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
    /// Another organisation's: its mail passes through here, and its senders are not ours.
    ExternalRelay,
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
pub struct AcceptedDomains {
    domains: HashMap<Domain, AcceptedDomain>,
    /// Trusted networks of the systems that share a domain, by the domain as it is accepted.
    other_sides: HashMap<Domain, Vec<Arc<str>>>,
}

impl AcceptedDomains {
    /// From a list; a later entry for the same domain wins.
    #[must_use]
    pub fn new(list: impl IntoIterator<Item = AcceptedDomain>) -> Self {
        Self {
            domains: list.into_iter().map(|each| (each.domain.clone(), each)).collect(),
            other_sides: HashMap::new(),
        }
    }

    /// The same; the systems that share these domains send from these trusted networks.
    #[must_use]
    pub fn shared_with(mut self, other_sides: impl IntoIterator<Item = (Domain, Vec<Arc<str>>)>) -> Self {
        self.other_sides = other_sides.into_iter().collect();
        self
    }

    /// Kind of a domain, unless it is not accepted. The longest match decides.
    #[must_use]
    pub fn kind(&self, domain: &Domain) -> Option<DomainKind> {
        self.find(domain).map(|found| found.kind)
    }

    /// True for a domain whose senders are ours: accepted, and not just passing through.
    #[must_use]
    pub fn is_ours(&self, domain: &Domain) -> bool {
        match self.kind(domain) {
            Some(DomainKind::Authoritative | DomainKind::InternalRelay) => true,
            Some(DomainKind::ExternalRelay) | None => false,
        }
    }

    /// True for an address whose domain is ours.
    #[must_use]
    pub fn owns(&self, mailbox: &Mailbox) -> bool {
        self.is_ours(&mailbox.domain_key())
    }

    /// Trusted networks of the system that shares a domain.
    #[must_use]
    pub fn other_side(&self, domain: &Domain) -> &[Arc<str>] {
        let found = self.find(domain).and_then(|found| self.other_sides.get(&found.domain));
        found.map_or(&[], Vec::as_slice)
    }

    fn find(&self, domain: &Domain) -> Option<&AcceptedDomain> {
        if let Some(exact) = self.domains.get(domain) {
            return Some(exact);
        }
        let mut rest = domain.as_str();
        while let Some((_, parent)) = rest.split_once('.') {
            // A domain that was parsed has parents that parse; an address literal has none.
            let found = Domain::parse(parent).ok().and_then(|parent| self.domains.get(&parent));
            if let Some(found) = found.filter(|found| found.subdomains) {
                return Some(found);
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
        self.domains.values()
    }

    /// True if none is accepted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.domains.is_empty()
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
            domain("partner.example", DomainKind::ExternalRelay, true),
        ])
        .shared_with([(
            Domain::parse("contoso.example").expect("a test domain"),
            vec![Arc::from("exchange")],
        )]);
        let parsed = |text: &str| Domain::parse(text).expect("a test domain");
        assert_eq!(
            accepted.other_side(&parsed("x.contoso.example")),
            [Arc::from("exchange")]
        );
        assert!(accepted.other_side(&parsed("lab.contoso.example")).is_empty());
        assert!(accepted.is_ours(&parsed("lab.contoso.example")));
        assert!(!accepted.is_ours(&parsed("a.partner.example")));
        for (text, kind) in [
            ("contoso.example", Some(DomainKind::Authoritative)),
            ("CONTOSO.example", Some(DomainKind::Authoritative)),
            ("berlin.contoso.example", Some(DomainKind::Authoritative)),
            ("a.b.contoso.example", Some(DomainKind::Authoritative)),
            ("lab.contoso.example", Some(DomainKind::InternalRelay)),
            ("x.lab.contoso.example", Some(DomainKind::Authoritative)),
            ("fabrikam.example", Some(DomainKind::InternalRelay)),
            ("x.fabrikam.example", None),
            ("a.partner.example", Some(DomainKind::ExternalRelay)),
            ("notcontoso.example", None),
            ("example", None),
            ("[192.0.2.1]", None),
        ] {
            assert_eq!(accepted.kind(&Domain::parse(text).expect("valid")), kind, "{text}");
        }
    }
}
