//! From the settings' routing rules to rules that are asked.

use std::sync::Arc;

use super::wiring::evaluation;
use crate::config::settings::{self, Settings};
use crate::mail::Mailbox;
use crate::routing::ordered::{self, Conditions, DomainPattern, OrderedRule, SenderPattern};
use crate::routing::{Location, RouteFault, Side};

/// Ordered rules that the settings make, with the names of their next hops.
pub(super) fn rules(settings: &Settings) -> Result<Vec<OrderedRule<String>>, RouteFault> {
    settings.routing.rules.iter().map(|rule| one(rule, settings)).collect()
}

fn one(rule: &settings::RoutingRuleSettings, settings: &Settings) -> Result<OrderedRule<String>, RouteFault> {
    let compiled = |text: &settings::FilterText| {
        ordered::compile(&text.0, &evaluation(settings)).map_err(|fault| RouteFault::Filter {
            rule: rule.name.to_string(),
            fault: fault.to_string(),
        })
    };
    Ok(OrderedRule {
        name: rule.name.as_str().into(),
        when: Conditions {
            recipient: rule.recipient.as_ref().map(compiled).transpose()?.map(Arc::new),
            domains: rule.domains.iter().map(pattern).collect(),
            kinds: rule.kinds.clone(),
            locations: rule.locations.iter().map(|place| location(*place)).collect(),
            groups: rule.groups.clone(),
            sender: rule.sender.map(|side| match side {
                settings::SideWord::Internal => Side::Internal,
                settings::SideWord::External => Side::External,
            }),
            senders: rule.senders.iter().map(sender).collect(),
            size_min: rule.size_min,
            size_max: rule.size_max,
            listeners: rule.listeners.iter().map(|name| name.as_str().into()).collect(),
        },
        next_hop: rule.next_hop.as_ref().map(ToString::to_string),
        priority: rule.priority,
    })
}

fn pattern(pattern: &settings::DomainPattern) -> DomainPattern {
    DomainPattern {
        domain: pattern.domain.clone(),
        subdomains: pattern.subdomains,
    }
}

fn location(place: settings::LocationWord) -> Location {
    match place {
        settings::LocationWord::Cloud => Location::Cloud,
        settings::LocationWord::OnPremises => Location::OnPremises,
        settings::LocationWord::External => Location::External,
    }
}

fn sender(sender: &settings::SenderPattern) -> SenderPattern {
    match sender {
        settings::SenderPattern::Address(address) => SenderPattern::Address(Mailbox::key(address)),
        settings::SenderPattern::Domain(domain) => SenderPattern::Domain(pattern(domain)),
    }
}
