//! Which next hop a recipient has.
//!
//! Order: the ordered rules ([`super::ordered`]), then a rule for the domain of the object's explicit target address, then its location, then a rule for
//! the domain of the final address, then the default. A domain rule `*.example.org` covers the domain and
//! its sub-domains, as an Exchange address space does; the most specific rule wins, an exact one first.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::next_hop::{HopId, NextHop, Target};
use super::ordered::{OrderedRule, RULES_MAX};
use super::protection::TlsMode;
use crate::mail::{Domain, TlsWish};
use crate::track::Reason;

/// How delivery sets for MX delivery are named: this and the domain.
const DOMAIN_PREFIX: &str = "domain:";

/// Behind the domain, where policies of the domain about TLS are not to hold mail up (RFC 8689 §4.2.2).
const TLS_OPTIONAL: &str = ",tls-optional";

/// True of a destination whose mail wants no policy about TLS.
#[must_use]
pub fn is_tls_optional(label: &str) -> bool {
    label.starts_with(DOMAIN_PREFIX) && label.ends_with(TLS_OPTIONAL)
}

/// True if a destination is meant by a label: it bears it, or is the one beside it with [`is_tls_optional`].
#[must_use]
pub fn is_of(destination: &str, label: &str) -> bool {
    let rest = destination.strip_prefix(label);
    rest.is_some_and(|rest| rest.is_empty() || (rest == TLS_OPTIONAL && label.starts_with(DOMAIN_PREFIX)))
}

/// Where a recipient's mailbox lives.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Location {
    /// Exchange Online.
    Cloud,
    /// The organisation's own servers.
    OnPremises,
    /// Somebody else's.
    External,
}

/// Routes as read from the settings.
#[derive(Clone, Debug, Default)]
pub struct RoutesDraft {
    /// Next hops; names must differ.
    pub hops: Vec<NextHop>,
    /// Location rules: location and next hop name.
    pub locations: Vec<(Location, String)>,
    /// Domain rules: `example.org`, `*.example.org` or `*`, and next hop name.
    pub domains: Vec<(String, String)>,
    /// The same for addresses without an object, of domains that another system shares.
    pub unknown: Vec<(String, String)>,
    /// Next hop name for the rest.
    pub default: Option<String>,
    /// Next hop name for groups that are not cut over.
    pub side_by_side: Option<String>,
    /// Ordered rules with next hop names, the first first.
    pub rules: Vec<OrderedRule<String>>,
}

/// A setting of routing that cannot work.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RouteFault {
    /// Two next hops with one name.
    #[error("two next hops are named `{0}`")]
    NameTwice(String),
    /// A name that [`Routes::label`] uses.
    #[error("a next hop may not be named `{0}`: names with `domain:` stand for MX delivery")]
    NameReserved(String),
    /// A rule names a next hop that is not there.
    #[error("no next hop is named `{0}`")]
    HopUnknown(String),
    /// A domain rule that is no domain.
    #[error("`{0}` is not a domain, `*.domain` or `*`")]
    Domain(String),
    /// Two rules for one domain or location.
    #[error("two rules for `{0}`")]
    RuleTwice(String),
    /// A next hop without hosts, sessions or recipients.
    #[error("next hop `{0}` has no host, no connection or no recipient")]
    Empty(String),
    /// More than [`u16`] can count.
    #[error("too many next hops")]
    TooMany,
    /// A filter that cannot be evaluated.
    #[error("rule `{rule}`: {fault}")]
    Filter {
        /// Which.
        rule: String,
        /// Why.
        fault: String,
    },
    /// More than [`RULES_MAX`].
    #[error("more than {RULES_MAX} rules")]
    TooManyRules,
}

/// The routes of one version of the settings.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    hops: Vec<NextHop>,
    names: HashMap<String, HopId>,
    domains: DomainHops,
    unknown: DomainHops,
    cloud: Option<HopId>,
    on_premises: Option<HopId>,
    external: Option<HopId>,
    default: Option<HopId>,
    side_by_side: Option<HopId>,
    rules: Vec<Arc<OrderedRule<HopId>>>,
}

/// Next hops of domains, and of domains with their subdomains.
#[derive(Clone, Debug, Default)]
struct DomainHops {
    exact: HashMap<Box<str>, HopId>,
    suffixes: HashMap<Box<str>, HopId>,
}

impl DomainHops {
    fn add(&mut self, rule: &str, hop: HopId) -> Result<(), RouteFault> {
        let parse = |text: &str| Domain::parse(text).map_err(|_| RouteFault::Domain(rule.to_owned()));
        let before = match rule.strip_prefix("*.") {
            Some(suffix) => self.suffixes.insert(parse(suffix)?.as_str().into(), hop),
            None => self.exact.insert(parse(rule)?.as_str().into(), hop),
        };
        match before {
            Some(_) => Err(RouteFault::RuleTwice(rule.to_owned())),
            None => Ok(()),
        }
    }

    fn find(&self, domain: &str) -> Option<HopId> {
        if self.exact.is_empty() && self.suffixes.is_empty() {
            return None;
        }
        let folded = fold(domain);
        if let Some(hop) = self.exact.get(&*folded) {
            return Some(*hop);
        }
        let mut rest: &str = &folded;
        while !self.suffixes.is_empty() {
            if let Some(hop) = self.suffixes.get(rest) {
                return Some(*hop);
            }
            rest = rest.split_once('.')?.1;
        }
        None
    }
}

impl Routes {
    /// Checks a draft. The first fault is told.
    pub fn build(draft: RoutesDraft) -> Result<Self, RouteFault> {
        let mut routes = Self::default();
        for hop in draft.hops {
            routes.add_hop(hop)?;
        }
        for (location, name) in draft.locations {
            let hop = routes.named(&name)?;
            if routes.location_mut(location).replace(hop).is_some() {
                return Err(RouteFault::RuleTwice(format!("{location:?}")));
            }
        }
        if let Some(name) = draft.default {
            routes.default = Some(routes.named(&name)?);
        }
        if let Some(name) = draft.side_by_side {
            routes.side_by_side = Some(routes.named(&name)?);
        }
        for (domain, name) in draft.domains {
            routes.add_domain(&domain, &name)?;
        }
        for (domain, name) in draft.unknown {
            let hop = routes.named(&name)?;
            routes.unknown.add(&domain, hop)?;
        }
        if draft.rules.len() > RULES_MAX {
            return Err(RouteFault::TooManyRules);
        }
        for rule in draft.rules {
            let next_hop = rule.next_hop.map(|name| routes.named(&name)).transpose()?;
            routes.rules.push(Arc::new(OrderedRule {
                name: rule.name,
                when: rule.when,
                next_hop,
                priority: rule.priority,
            }));
        }
        Ok(routes)
    }

    fn add_hop(&mut self, hop: NextHop) -> Result<(), RouteFault> {
        let id = HopId(u16::try_from(self.hops.len()).map_err(|_| RouteFault::TooMany)?);
        if hop.name.starts_with(DOMAIN_PREFIX) {
            return Err(RouteFault::NameReserved(hop.name));
        }
        let hosts_missing = matches!(&hop.target, Target::Hosts(hosts) if hosts.is_empty());
        if hosts_missing || hop.connections_max == 0 || hop.recipients_max == 0 {
            return Err(RouteFault::Empty(hop.name));
        }
        if self.names.insert(hop.name.clone(), id).is_some() {
            return Err(RouteFault::NameTwice(hop.name));
        }
        self.hops.push(hop);
        Ok(())
    }

    fn add_domain(&mut self, rule: &str, name: &str) -> Result<(), RouteFault> {
        let hop = self.named(name)?;
        if rule != "*" {
            return self.domains.add(rule, hop);
        }
        match self.default.replace(hop) {
            Some(_) => Err(RouteFault::RuleTwice(rule.to_owned())),
            None => Ok(()),
        }
    }

    fn named(&self, name: &str) -> Result<HopId, RouteFault> {
        self.by_name(name)
            .ok_or_else(|| RouteFault::HopUnknown(name.to_owned()))
    }

    fn location_mut(&mut self, location: Location) -> &mut Option<HopId> {
        match location {
            Location::Cloud => &mut self.cloud,
            Location::OnPremises => &mut self.on_premises,
            Location::External => &mut self.external,
        }
    }

    /// The next hop of a recipient.
    ///
    /// `has_target`: the object names an explicit target address (`targetAddress`), and `final_domain` is
    /// its domain. `final_domain` is compared as [`Domain`] does; it may be spelled in any case.
    ///
    /// An address without an object has no location; of a domain that another system shares it goes to that system.
    pub fn next_hop(&self, location: Option<Location>, has_target: bool, final_domain: &str) -> Result<HopId, Reason> {
        if location.is_none()
            && let Some(hop) = self.unknown.find(final_domain)
        {
            return Ok(hop);
        }
        let by_domain = self.domains.find(final_domain);
        let by_location = match location {
            Some(Location::Cloud) => self.cloud,
            Some(Location::OnPremises) => self.on_premises,
            Some(Location::External) => self.external,
            None => None,
        };
        let (first, second) = if has_target {
            (by_domain, by_location)
        } else {
            (by_location, by_domain)
        };
        first.or(second).or(self.default).ok_or(Reason::NoRoute)
    }

    /// Ordered rules, asked before [`Routes::next_hop`].
    #[must_use]
    pub fn rules(&self) -> &[Arc<OrderedRule<HopId>>] {
        &self.rules
    }

    /// Where groups go that the service before still expands; none: every group is expanded here.
    pub fn side_by_side(&self) -> Option<HopId> {
        self.side_by_side
    }

    /// A next hop. Panics for an id of other routes only.
    #[must_use]
    pub fn hop(&self, id: HopId) -> &NextHop {
        &self.hops[usize::from(id.0)]
    }

    /// All next hops, in the order of the settings.
    pub fn hops(&self) -> impl Iterator<Item = (HopId, &NextHop)> {
        self.hops
            .iter()
            .enumerate()
            .map(|(index, hop)| (HopId(index as u16), hop))
    }

    /// A next hop by its name in the settings.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<HopId> {
        self.names.get(name).copied()
    }

    /// What a delivery set for this hop and final domain is called: the hop's name, or `domain:example.org`
    /// for MX delivery, where each domain is a destination of its own; a second one for mail that no policy about TLS is
    /// to hold up. A hop whose settings want TLS anyway has no such second one, nor one that heeds no policies.
    #[must_use]
    pub fn label(&self, id: HopId, final_domain: &str, tls: TlsWish) -> Cow<'_, str> {
        let hop = self.hop(id);
        let optional = tls == TlsWish::Optional && hop.tls.mode == TlsMode::Opportunistic && (hop.dane || hop.mta_sts);
        let suffix = if optional { TLS_OPTIONAL } else { "" };
        match hop.target {
            Target::Mx => Cow::Owned(format!("{DOMAIN_PREFIX}{}{suffix}", fold(final_domain))),
            Target::Hosts(_) | Target::DropDirectory(_) => Cow::Borrowed(&hop.name),
        }
    }

    /// The next hop that a label stands for under these routes, and the domain for MX delivery.
    ///
    /// For `domain:example.org` it is the MX hop that rules for the domain now, else the first MX hop.
    #[must_use]
    pub fn by_label<'a>(&self, label: &'a str) -> Option<(HopId, Option<&'a str>)> {
        let Some(domain) = label.strip_prefix(DOMAIN_PREFIX) else {
            return self.by_name(label).map(|id| (id, None));
        };
        let domain = domain.strip_suffix(TLS_OPTIONAL).unwrap_or(domain);
        let is_mx = |id: &HopId| self.hop(*id).target == Target::Mx;
        let ruling = self.domains.find(domain).or(self.external).or(self.default);
        let ruling = ruling.filter(is_mx).or(self.default.filter(is_mx));
        let id = ruling.or_else(|| self.hops().map(|(id, _)| id).find(is_mx))?;
        Some((id, Some(domain)))
    }
}

fn fold(domain: &str) -> Cow<'_, str> {
    if domain.is_ascii() && !domain.bytes().any(|octet| octet.is_ascii_uppercase()) {
        return Cow::Borrowed(domain);
    }
    match Domain::parse(domain) {
        Ok(folded) => Cow::Owned(folded.as_str().to_owned()),
        Err(_) => Cow::Owned(domain.to_ascii_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::next_hop::HostPort;
    use super::*;

    fn hosts(name: &str) -> NextHop {
        NextHop::new(
            name,
            Target::Hosts(vec![HostPort::new("127.0.0.1", 25)]),
            "relay.example",
        )
    }

    fn routes() -> Routes {
        Routes::build(RoutesDraft {
            hops: vec![
                hosts("cloud"),
                hosts("onprem"),
                NextHop::new("internet", Target::Mx, "relay.example"),
                hosts("partner"),
                hosts("lab"),
            ],
            locations: vec![
                (Location::Cloud, "cloud".to_owned()),
                (Location::OnPremises, "onprem".to_owned()),
            ],
            domains: vec![
                ("Partner.example".to_owned(), "partner".to_owned()),
                ("*.partner.example".to_owned(), "onprem".to_owned()),
                ("*.lab.partner.example".to_owned(), "lab".to_owned()),
                ("bücher.example".to_owned(), "lab".to_owned()),
            ],
            unknown: vec![("*.shared.example".to_owned(), "onprem".to_owned())],
            default: Some("internet".to_owned()),
            side_by_side: None,
            rules: Vec::new(),
        })
        .expect("good routes")
    }

    #[test]
    fn the_order_of_the_rules() {
        use Location::{Cloud, External, OnPremises};
        let routes = routes();
        for (location, has_target, domain, wanted) in [
            (Some(Cloud), false, "contoso.example", "cloud"),
            // Location beats the final domain, an explicit target beats location.
            (Some(Cloud), false, "partner.example", "cloud"),
            (Some(Cloud), true, "partner.example", "partner"),
            (Some(OnPremises), true, "contoso.example", "onprem"),
            (Some(External), false, "partner.example", "partner"),
            (None, false, "PARTNER.example", "partner"),
            (None, false, "a.b.partner.example", "onprem"),
            (None, false, "x.lab.partner.example", "lab"),
            (None, false, "lab.partner.example", "lab"),
            (None, false, "notpartner.example", "internet"),
            // IDNA folds the `Ü`, not we.
            (None, false, "BÜCHER.example", "lab"),
            (None, false, "xn--bcher-kva.example", "lab"),
            (None, false, "bücher.example", "lab"),
            (None, true, "elsewhere.example", "internet"),
            // What another system shares goes there without an object, and by its place with one.
            (None, false, "shared.example", "onprem"),
            (None, false, "x.shared.example", "onprem"),
            (Some(Cloud), false, "shared.example", "cloud"),
        ] {
            let hop = routes.next_hop(location, has_target, domain).expect("a default");
            assert_eq!(routes.hop(hop).name, wanted, "{location:?} {has_target} {domain}");
        }
    }

    #[test]
    fn without_a_default_there_may_be_no_route() {
        let draft = RoutesDraft {
            hops: vec![hosts("cloud")],
            locations: vec![(Location::Cloud, "cloud".to_owned())],
            ..RoutesDraft::default()
        };
        let routes = Routes::build(draft).expect("good routes");
        assert!(routes.next_hop(Some(Location::Cloud), false, "a.example").is_ok());
        assert_eq!(routes.next_hop(None, false, "a.example"), Err(Reason::NoRoute));
        assert_eq!(
            routes.next_hop(Some(Location::OnPremises), false, "a.example"),
            Err(Reason::NoRoute)
        );
    }

    #[test]
    fn labels_lead_back_to_their_hop() {
        let routes = routes();
        for (name, domain, label, back) in [
            ("cloud", "contoso.example", "cloud", None),
            (
                "internet",
                "Fabrikam.example",
                "domain:fabrikam.example",
                Some("fabrikam.example"),
            ),
            // A rule of today gives the domain to hosts; the set was made for MX and stays MX.
            (
                "internet",
                "partner.example",
                "domain:partner.example",
                Some("partner.example"),
            ),
        ] {
            let id = routes.by_name(name).expect("known");
            let made = routes.label(id, domain, TlsWish::Required);
            assert_eq!(made, label);
            assert_eq!(routes.by_label(&made), Some((id, back)));
            assert!(is_of(&made, &made) && !is_tls_optional(&made));
            let optional = routes.label(id, domain, TlsWish::Optional);
            assert_eq!(routes.by_label(&optional), Some((id, back)));
            assert_eq!(
                is_tls_optional(&optional),
                back.is_some(),
                "hosts that settings name have no policies"
            );
            assert!(is_of(&optional, &made) && (optional == made || !is_of(&made, &optional)));
        }
        assert_eq!(routes.by_label("gone"), None);
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        let build = |change: &dyn Fn(&mut RoutesDraft)| {
            let mut draft = RoutesDraft {
                hops: vec![hosts("cloud")],
                ..RoutesDraft::default()
            };
            change(&mut draft);
            Routes::build(draft).expect_err("a fault")
        };
        let rule = |domain: &str| (domain.to_owned(), "cloud".to_owned());
        assert_eq!(
            build(&|draft| draft.hops.push(hosts("cloud"))),
            RouteFault::NameTwice("cloud".to_owned())
        );
        assert_eq!(
            build(&|draft| draft.default = Some("x".to_owned())),
            RouteFault::HopUnknown("x".to_owned())
        );
        assert_eq!(
            build(&|draft| draft.domains = vec![rule("a b")]),
            RouteFault::Domain("a b".to_owned())
        );
        assert_eq!(
            build(&|draft| draft.domains = vec![rule("a.example"), rule("A.example")]),
            RouteFault::RuleTwice("A.example".to_owned())
        );
        assert_eq!(
            build(&|draft| draft.hops.push(hosts("domain:x"))),
            RouteFault::NameReserved("domain:x".to_owned())
        );
        assert_eq!(
            build(&|draft| draft.hops[0].target = Target::Hosts(vec![])),
            RouteFault::Empty("cloud".to_owned())
        );
    }
}
