//! `[routing]` and `[queue]`: their keys, what holds without them, and what cannot work.

use std::collections::HashMap;
use std::time::Duration;

use serde_spanned::Spanned;

use super::check::{list, or, stated};
use super::cross::{Checks, numbered, value};
use super::defaults;
use super::file::SettingsFile;
use super::settings::{QueueSettings, RoutingRuleSettings, RoutingSettings};
use super::terms::{FilterText, KindName, SenderPattern};
use super::word::{DomainPattern, LocationWord, Name, Names, SideWord};
use crate::connectors::document::read::{Size, keys, readable};
use crate::limits;
use crate::mail::{Mailbox, Priority};
use crate::routing::ordered::RULES_MAX;

keys! {
    /// `[routing]`: the first that fits decides: `rules`, then `domains`, the place of the recipient, `default`. Of a
    /// mailbox the place comes before `domains`: one domain has mailboxes in both places.
    Routing {
        /// Next hop of mailboxes in the cloud (remote mailboxes, Microsoft 365 groups). Default: `default`.
        optional cloud: Name,
        /// Next hop of mailboxes on premises. Default: `default`.
        optional on_premises: Name,
        /// Next hop of everybody else: mail contacts, outside members, and mail that clients relay.
        /// Default: `default`.
        optional external: Name,
        /// Next hop where nothing else is said. Default: none; then the three above are required.
        optional default: Name,
        /// Next hop that still expands groups while you move from it: a group goes there whole, to its own address,
        /// until `muster group cutover` switches it. Default: none; every group is expanded here.
        /// Trap: rules about who may write, and moderators, are asked on both sides until then.
        optional side_by_side: Name,
        /// Next hops of single domains; they are asked first, the most specific one decides.
        optional domains: Vec<Spanned<RoutedDomain>>,
        /// Ordered rules, at most 128. The first that fits and names a next hop decides where a copy goes, before
        /// everything above; the first that fits and names a priority decides that. Each recipient is looked at by
        /// himself. `muster explain` and `muster trace` name the rule.
        optional rules: Vec<Spanned<RoutingRule>>,
    }

    /// `[[routing.domains]]`
    RoutedDomain {
        /// Domain of the final address; `*.contoso.example` stands for it and all its subdomains. Required.
        required domain: DomainPattern,
        /// Name of the next hop. Required.
        required next_hop: Name,
    }

    /// `[[routing.rules]]`: all that is stated must fit; of a list, one of it.
    RoutingRule {
        /// Its name in `explain` and `trace`. Required.
        required name: Name,
        /// What the recipient object is, as a dynamic group's filter (OPATH) would say it:
        /// `"CustomAttribute1 -eq 'contractor'"`. Default: anybody. Trap: it finds whom a dynamic group would find;
        /// addresses without an object, and objects without an alias, fit no filter.
        optional recipient: FilterText,
        /// Domains of the final address; `*.contoso.example` includes subdomains. Default: any.
        optional domains: Vec<Spanned<DomainPattern>>,
        /// Kinds of recipient objects, by the names of `RecipientTypeDetails`: `"MailContact"`,
        /// `"RemoteUserMailbox"`. Default: any.
        optional kinds: Vec<Spanned<KindName>>,
        /// Places of the mailbox: `"cloud"`, `"on_premises"`, `"external"`. Default: any.
        /// Trap: an address without an object is external.
        optional locations: Vec<Spanned<LocationWord>>,
        /// Groups that the sender addressed, by any of their addresses. Default: any recipient.
        /// Trap: a group nested in the addressed one does not count.
        optional groups: Vec<Spanned<Mailbox>>,
        /// Which side the sender is on: `internal`, proven to be one of us, or `external`, everybody else, reports of
        /// other systems among them. Default: either.
        optional sender: SideWord,
        /// Senders (reverse-paths): addresses, domains, or `*.contoso.example`. Default: any.
        /// Trap: an address proves nothing by itself; state `sender = "internal"` as well where that matters.
        optional senders: Vec<Spanned<SenderPattern>>,
        /// Smallest message. Unit: octets. Default: none.
        optional size_min: Size,
        /// Largest message. Unit: octets. Default: none.
        optional size_max: Size,
        /// Names of listeners it came in by: one name or a list. Default: any.
        /// Trap: reports of our own come in by none.
        optional listeners: Names,
        /// Name of the next hop. Default: none; then the rule says nothing about it, and must name a priority.
        optional next_hop: Name,
        /// How urgent copies are beside others for the same next hop: `high`, `normal` or `low`. Default: none; then
        /// the next rules are asked, and without one it is `normal`.
        optional priority: Priority,
    }

    /// `[queue]`
    Queue {
        /// Time after which a waiting recipient is reported as failed. Default: 2d, as Exchange.
        optional expiry: Duration,
        /// Wait before the second try; it doubles with every further one, give or take a quarter. Default: 1m.
        optional retry_first: Duration,
        /// Longest wait between two tries. Default: 30m (RFC 5321 §4.5.4.1).
        optional retry_max: Duration,
        /// Waiting time after which the sender is told once that the message is delayed. Default: 4h.
        optional delay_report_after: Duration,
        /// Most messages in the queue; beyond it clients get 451. Default: 1000000.
        optional messages_max: u32,
        /// Failures of one message are gathered this long for one report. Default: 5m. Less is useful in tests.
        optional report_gather: Duration,
    }
}

readable! { Routing RoutedDomain RoutingRule Queue }

/// What `[routing]` says, with defaults.
pub(super) fn routing(routing: &Routing) -> Option<RoutingSettings> {
    let place = |name: &Option<Spanned<Name>>| stated(name).or_else(|| stated(&routing.default));
    let mut domains = list(&routing.domains)
        .map(|each| Some((stated(&each.domain)?, stated(&each.next_hop)?)))
        .collect::<Option<Vec<(DomainPattern, Name)>>>()?;
    domains.sort_by_key(|(pattern, _)| {
        let labels = pattern.domain.as_str().split('.').count();
        (std::cmp::Reverse(labels), pattern.subdomains)
    });
    Some(RoutingSettings {
        domains,
        cloud: place(&routing.cloud)?,
        on_premises: place(&routing.on_premises)?,
        external: place(&routing.external)?,
        side_by_side: stated(&routing.side_by_side),
        rules: list(&routing.rules).map(rule).collect::<Option<_>>()?,
    })
}

fn rule(rule: &RoutingRule) -> Option<RoutingRuleSettings> {
    Some(RoutingRuleSettings {
        name: stated(&rule.name)?,
        recipient: stated(&rule.recipient),
        domains: list(&rule.domains).cloned().collect(),
        kinds: list(&rule.kinds).map(|kind| kind.0).collect(),
        locations: list(&rule.locations).copied().collect(),
        groups: list(&rule.groups).cloned().collect(),
        sender: stated(&rule.sender),
        senders: list(&rule.senders).cloned().collect(),
        size_min: stated(&rule.size_min).map(|size| size.0),
        size_max: stated(&rule.size_max).map(|size| size.0),
        listeners: super::signing::names(&rule.listeners),
        next_hop: stated(&rule.next_hop),
        priority: stated(&rule.priority),
    })
}

/// What `[queue]` says, with defaults.
pub(super) fn queue(queue: &Queue) -> QueueSettings {
    QueueSettings {
        expiry: or(&queue.expiry, limits::QUEUE_EXPIRY),
        retry_first: or(&queue.retry_first, defaults::RETRY_FIRST),
        retry_max: or(&queue.retry_max, defaults::RETRY_MAX),
        delay_report_after: or(&queue.delay_report_after, defaults::DELAY_REPORT_AFTER),
        messages_max: or(&queue.messages_max, defaults::QUEUE_MESSAGES_MAX),
        report_gather: or(&queue.report_gather, limits::REPORT_GATHER),
    }
}

/// The next hops of places, by the names of their keys.
pub(super) fn places(routing: &Routing) -> [(&'static str, Option<&Spanned<Name>>); 4] {
    [
        ("cloud", routing.cloud.as_ref()),
        ("on_premises", routing.on_premises.as_ref()),
        ("external", routing.external.as_ref()),
        ("default", routing.default.as_ref()),
    ]
}

fn next_hop_names(file: &SettingsFile) -> Vec<&str> {
    let names = numbered(&file.next_hops).filter_map(|(_, each)| value(&each.name).map(Name::as_str));
    names.collect()
}

impl Checks<'_> {
    pub(super) fn routing(&mut self) {
        let file = self.file;
        let Some(routing) = value(&file.routing) else {
            return;
        };
        let known = next_hop_names(file);
        let places = places(routing);
        for (name, stated) in &places {
            if let Some(stated) = stated {
                self.known_name(stated, &known, format!("routing.{name}"), "next hop");
            } else if routing.default.is_none() && *name != "default" {
                let message = format!("no next hop for `{name}`: state it, or a `default`");
                self.error(routing.place.clone(), format!("routing.{name}"), message);
            }
        }
        if let Some(stated) = &routing.side_by_side {
            self.known_name(stated, &known, "routing.side_by_side".to_owned(), "next hop");
        }
        let mut seen = HashMap::new();
        for (index, each) in numbered(&routing.domains) {
            let key = format!("routing.domains[{index}]");
            if let Some(hop) = &each.next_hop {
                self.known_name(hop, &known, format!("{key}.next_hop"), "next hop");
            }
            if let Some(domain) = &each.domain
                && let Some(other) = seen.insert(domain.get_ref().clone(), index)
            {
                let message = format!("routing.domains[{other}] says where {} goes already", domain.get_ref());
                self.error(domain.span(), format!("{key}.domain"), message);
            }
        }
        self.routing_rules(routing, &known);
    }

    fn routing_rules(&mut self, routing: &Routing, hops: &[&str]) {
        let listeners: Vec<&str> = numbered(&self.file.listeners)
            .filter_map(|(_, each)| value(&each.name).map(Name::as_str))
            .collect();
        let mut names: HashMap<&Name, usize> = HashMap::new();
        for (index, each) in numbered(&routing.rules) {
            let key = format!("routing.rules[{index}]");
            if index == RULES_MAX {
                let message = format!("at most {RULES_MAX} rules are asked");
                self.error(each.place.clone(), "routing.rules", message);
            }
            if let Some(name) = &each.name
                && let Some(other) = names.insert(name.get_ref(), index)
            {
                let message = format!("the name \"{}\" is taken by routing.rules[{other}]", name.get_ref());
                self.error(name.span(), format!("{key}.name"), message);
            }
            if let Some(hop) = &each.next_hop {
                self.known_name(hop, hops, format!("{key}.next_hop"), "next hop");
            }
            // A faulty value reads as none; the fault says enough then.
            if each.next_hop.is_none() && each.priority.is_none() && !self.findings.has_errors() {
                let message = "the rule says nothing: state `next_hop`, `priority` or both";
                self.error(each.place.clone(), key.clone(), message);
            }
            for name in value(&each.listeners).iter().flat_map(|names| &names.0) {
                self.known_name(name, &listeners, format!("{key}.listeners"), "listener");
            }
            if let (Some(min), Some(max)) = (&each.size_min, &each.size_max)
                && min.get_ref().0 > max.get_ref().0
            {
                let message = "no message is larger than `size_min` and smaller than `size_max`";
                self.error(max.span(), format!("{key}.size_max"), message);
            }
        }
    }

    /// A rule that everybody fits decides; the ones after it are never asked.
    pub(super) fn rule_after_all(&mut self, routing: &Routing) {
        let asks_nothing = |rule: &RoutingRule| {
            rule.recipient.is_none()
                && rule.domains.is_none()
                && rule.kinds.is_none()
                && rule.locations.is_none()
                && rule.groups.is_none()
                && rule.sender.is_none()
                && rule.senders.is_none()
                && rule.size_min.is_none()
                && rule.size_max.is_none()
                && rule.listeners.is_none()
        };
        let rules: Vec<(usize, &RoutingRule)> = numbered(&routing.rules).collect();
        let first = rules
            .iter()
            .find(|(_, rule)| asks_nothing(rule) && rule.next_hop.is_some());
        let Some((all, _)) = first else { return };
        for (index, later) in rules.iter().filter(|(index, _)| index > all) {
            if let Some(hop) = &later.next_hop {
                let message = format!("routing.rules[{all}] fits everybody, so this is never asked");
                self.warn(hop.span(), format!("routing.rules[{index}].next_hop"), message);
            }
        }
    }
}
