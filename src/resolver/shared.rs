//! Shared namespaces: whether mail for an unknown recipient may go to the other side.
//!
//! Two systems share a domain, and each hands the other what it does not know. An address that neither knows would go
//! round until its hops are counted. Two things keep it from that:
//! * a client of the other side (`other_side` of the domain names its trusted networks) is refused at RCPT: 550 5.1.10,
//!   because the address exists on neither side, and the other side tells the sender so;
//! * whatever was handed over bears a keyed mark for the domain beside those of groups (DESIGN §6); met again for an
//!   unknown recipient of this domain it is refused at the end of data: 554 5.4.6, whatever way it took.

use super::accepted::DomainKind;
use super::network::Origin;
use crate::mail::trace::{LoopKey, LoopMark, LoopMarks};
use crate::mail::{Domain, Mailbox};
use crate::policy::Rules;
use crate::track::Reason;

/// True if the client is of the system that shares the domain.
#[must_use]
pub fn is_other_side(domain: &Domain, origin: &Origin<'_>, rules: &Rules) -> bool {
    let names = rules.accepted.other_side(domain);
    let mut networks = rules.trusted.iter().filter(|network| names.contains(&network.name));
    networks.any(|network| network.tenancy.is_none() && network.holds(origin))
}

/// Where a message came from, as far as shared namespaces ask.
#[derive(Clone, Copy, Debug)]
pub struct CameFrom<'a> {
    /// Its client; none for our own.
    pub origin: Option<Origin<'a>>,
    /// Marks in its header section; none before it is known.
    pub marks: Option<(&'a LoopMarks, &'a LoopKey)>,
}

impl CameFrom<'_> {
    /// Why mail for an unknown recipient of a shared domain may not go to the other side: it came from there.
    #[must_use]
    pub fn refuses(&self, domain: &Domain, rules: &Rules) -> Option<Reason> {
        let marked = |(marks, key): (&LoopMarks, &LoopKey)| marks.contains(mark(domain, key));
        if self.marks.is_some_and(marked) {
            return Some(Reason::NamespaceLoop);
        }
        let origin = self.origin.as_ref()?;
        is_other_side(domain, origin, rules).then_some(Reason::UnknownOnBothSides)
    }
}

/// The mark of mail that was handed to the other side.
#[must_use]
pub fn mark(domain: &Domain, key: &LoopKey) -> LoopMark {
    // No id of a group has a zero octet.
    key.mark(&format!("shared namespace\0{domain}"))
}

/// The domain of an address that another system may know, if it is one.
#[must_use]
pub fn namespace(mailbox: &Mailbox, rules: &Rules) -> Option<Domain> {
    let domain = mailbox.domain_key();
    match rules.accepted.kind(&domain) {
        Some(DomainKind::InternalRelay | DomainKind::ExternalRelay) => Some(domain),
        Some(DomainKind::Authoritative) | None => None,
    }
}
