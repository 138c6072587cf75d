//! Accepted domains: what of them cannot work together.

use std::collections::HashMap;

use serde_spanned::Spanned;

use super::cross::{Checks, numbered, value};
use super::file::AcceptedDomain;
use super::settings::{AcceptedDomainKind, Name};

impl Checks<'_> {
    pub(super) fn accepted_domains(&mut self) {
        let mut seen = HashMap::new();
        let mut default = None;
        for (index, each) in numbered(&self.file.accepted_domains) {
            if let Some(name) = &each.name
                && let Some(other) = seen.insert(name.get_ref().clone(), index)
            {
                let message = format!("{} is accepted_domains[{other}] already", name.get_ref());
                self.error(name.span(), format!("accepted_domains[{index}].name"), message);
            }
            if let Some(stated) = each.default.as_ref().filter(|stated| *stated.get_ref())
                && let Some(other) = default.replace(index)
            {
                let message = format!("accepted_domains[{other}] is the default domain already");
                self.error(stated.span(), format!("accepted_domains[{index}].default"), message);
            }
            self.relay_domain(each, index);
        }
    }

    /// The other side of a relay domain.
    fn relay_domain(&mut self, domain: &AcceptedDomain, index: usize) {
        let file = self.file;
        let hops: Vec<&str> = numbered(&file.next_hops)
            .filter_map(|(_, each)| value(&each.name).map(Name::as_str))
            .collect();
        let networks: Vec<&str> = numbered(&file.trusted_networks)
            .filter_map(|(_, each)| value(&each.name).map(Name::as_str))
            .collect();
        let key = |name: &str| format!("accepted_domains[{index}].{name}");
        if let Some(hop) = &domain.next_hop {
            self.known_name(hop, &hops, key("next_hop"), "next hop");
        }
        for name in value(&domain.other_side).iter().flat_map(|names| &names.0) {
            self.known_name(name, &networks, key("other_side"), "trusted network");
            let shared = numbered(&file.trusted_networks).any(|(_, network)| {
                value(&network.name) == Some(name.get_ref()) && super::trust::tenancy(network).is_some()
            });
            if shared {
                let message = "other customers of the provider send from this network too: it is not the other side's \
                               alone";
                self.error(name.span(), key("other_side"), message);
            }
        }
        let kind = value(&domain.kind)
            .copied()
            .unwrap_or(AcceptedDomainKind::Authoritative);
        if let (Some(hop), AcceptedDomainKind::Authoritative) = (&domain.next_hop, kind) {
            let message = "unknown recipients of an authoritative domain are refused: they have no next hop";
            self.error(hop.span(), key("next_hop"), message);
        }
        if let (Some(names), AcceptedDomainKind::Authoritative | AcceptedDomainKind::ExternalRelay) =
            (&domain.other_side, kind)
        {
            let message = "only an internal relay domain is shared with another side";
            self.error(names.span(), key("other_side"), message);
        }
    }

    /// A relay domain whose unknown recipients go where everybody else's mail goes.
    pub(super) fn relay_domains_without_route(&mut self) {
        let file = self.file;
        let Some(routing) = value(&file.routing) else { return };
        for (index, each) in numbered(&file.accepted_domains) {
            let relays = value(&each.kind).is_some_and(|kind| *kind != AcceptedDomainKind::Authoritative);
            let (Some(kind), Some(name), None, true) = (&each.kind, value(&each.name), &each.next_hop, relays) else {
                continue;
            };
            let by_domain = numbered(&routing.domains)
                .filter_map(|(_, each)| value(&each.domain))
                .any(|pattern| pattern.matches(&name.domain));
            let by_rule = numbered(&routing.rules).any(|(_, rule)| rule.next_hop.is_some() && rule.domains.is_some());
            if !by_domain && !by_rule {
                let message = format!(
                    "unknown recipients of {name} go to the next hop of everybody else; state `next_hop`, or mail for \
                     them may come straight back"
                );
                self.warn(Spanned::span(kind), format!("accepted_domains[{index}].kind"), message);
            }
        }
    }
}
