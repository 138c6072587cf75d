//! Checks across keys: names that must exist, addresses that must differ, quantities that must fit together.
//!
//! In: what the file states, with places. Out: findings. Never: a default judged; those fit together.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use serde_spanned::Spanned;

use super::check::{Surroundings, hostname};
use super::defaults;
use super::file::{NextHop, Routing, SettingsFile, TrustedNetwork};
use super::finding::{Findings, Severity};
use super::settings::{Name, Role};
use crate::connectors::document::read::Size;
use crate::connectors::document::units::{show_duration, show_size};
use crate::connectors::document::{Fault, nearest};
use crate::limits;

/// Adds what does not fit together.
pub(super) fn check(file: &SettingsFile, surroundings: Surroundings<'_>, findings: &mut Findings) {
    let mut checks = Checks { file, findings };
    checks.top_level(surroundings);
    checks.not_empty();
    checks.unique_names();
    checks.accepted_domains();
    checks.listeners();
    checks.trusted_networks();
    checks.next_hops();
    checks.routing();
    checks.sources();
    checks.quantities();
}

struct Checks<'a> {
    file: &'a SettingsFile,
    findings: &'a mut Findings,
}

type List<T> = Option<Spanned<Vec<Spanned<T>>>>;

/// The tables of a list with their numbers.
fn numbered<T>(list: &List<T>) -> impl Iterator<Item = (usize, &T)> {
    list.iter()
        .flat_map(|list| list.get_ref())
        .map(Spanned::get_ref)
        .enumerate()
}

fn value<T>(stated: &Option<Spanned<T>>) -> Option<&T> {
    stated.as_ref().map(Spanned::get_ref)
}

impl<'a> Checks<'a> {
    fn say(&mut self, severity: Severity, span: Range<usize>, key: String, message: String) {
        self.suggest(severity, span, key, message, None);
    }

    fn suggest(&mut self, severity: Severity, span: Range<usize>, key: String, message: String, meant: Option<String>) {
        let fault = Fault {
            span,
            path: key,
            message,
            suggestion: meant,
        };
        self.findings.push(severity, fault);
    }

    fn error(&mut self, span: Range<usize>, key: impl Into<String>, message: impl Into<String>) {
        self.say(Severity::Error, span, key.into(), message.into());
    }

    fn warn(&mut self, span: Range<usize>, key: impl Into<String>, message: impl Into<String>) {
        self.say(Severity::Warning, span, key.into(), message.into());
    }

    fn top_level(&mut self, surroundings: Surroundings<'_>) {
        let file = self.file;
        match (&file.hostname, hostname(file, surroundings)) {
            (None, None) => {
                let message = "the host name of the system is no domain; state `hostname`";
                self.error(0..0, "hostname", message);
            }
            (Some(stated), Some(name)) if !name.as_str().contains('.') => {
                let message = "the name has no dot; next hops refuse an EHLO that is not fully qualified";
                self.warn(stated.span(), "hostname", message);
            }
            (None | Some(_), None | Some(_)) => {}
        }
        if let Some(postmaster) = &file.postmaster {
            let domain = postmaster.get_ref().domain_key();
            let accepted = |name| value(name).is_some_and(|name: &super::word::DomainPattern| name.matches(&domain));
            if !numbered(&file.accepted_domains).any(|(_, each)| accepted(&each.name)) {
                let message = format!("{domain} is not an accepted domain; reports about trouble leave this system");
                self.warn(postmaster.span(), "postmaster", message);
            }
        }
        if let Some(socket) = &file.control_socket {
            let folder = surroundings.file.parent().unwrap_or(Path::new(""));
            let octets = folder.join(socket.get_ref()).as_os_str().len();
            if octets > defaults::SOCKET_PATH_OCTETS_MAX {
                let most = defaults::SOCKET_PATH_OCTETS_MAX;
                let message = format!("the path of the socket has {octets} octets; the system takes at most {most}");
                self.error(socket.span(), "control_socket", message);
            }
        }
    }

    fn not_empty(&mut self) {
        let file = self.file;
        let lists = [
            (
                file.accepted_domains
                    .as_ref()
                    .map(|list| (list.span(), list.get_ref().is_empty())),
                "accepted_domains",
            ),
            (
                file.listeners
                    .as_ref()
                    .map(|list| (list.span(), list.get_ref().is_empty())),
                "listeners",
            ),
            (
                file.sources
                    .as_ref()
                    .map(|list| (list.span(), list.get_ref().is_empty())),
                "sources",
            ),
            (
                file.next_hops
                    .as_ref()
                    .map(|list| (list.span(), list.get_ref().is_empty())),
                "next_hops",
            ),
        ];
        for (list, key) in lists {
            // A list whose items are all faulty reads as empty; the faults say enough then.
            if let Some((span, true)) = list
                && !self.findings.has_errors()
            {
                self.error(span, key, "at least one is needed");
            }
        }
    }

    fn unique_names(&mut self) {
        fn names<T>(list: &List<T>, name: fn(&T) -> &Option<Spanned<Name>>) -> Vec<(usize, Name, Range<usize>)> {
            numbered(list)
                .filter_map(|(index, each)| {
                    let name = name(each).as_ref()?;
                    Some((index, name.get_ref().clone(), name.span()))
                })
                .collect()
        }
        let file = self.file;
        for (list, all) in [
            ("listeners", names(&file.listeners, |each| &each.name)),
            ("trusted_networks", names(&file.trusted_networks, |each| &each.name)),
            ("sources", names(&file.sources, |each| &each.name)),
            ("next_hops", names(&file.next_hops, |each| &each.name)),
        ] {
            let mut first: HashMap<Name, usize> = HashMap::new();
            for (index, name, span) in all {
                match first.get(&name) {
                    Some(other) => {
                        let message = format!("the name \"{name}\" is taken by {list}[{other}]");
                        self.error(span, format!("{list}[{index}].name"), message);
                    }
                    None => {
                        first.insert(name, index);
                    }
                }
            }
        }
    }

    fn accepted_domains(&mut self) {
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
        }
    }

    fn listeners(&mut self) {
        let mut seen: Vec<(usize, SocketAddr)> = Vec::new();
        for (index, each) in numbered(&self.file.listeners) {
            let Some(stated) = &each.address else {
                continue;
            };
            let address = *stated.get_ref();
            if let Some((other, _)) = seen.iter().find(|(_, other)| collide(*other, address)) {
                let message = format!("listeners[{other}] has this address and port already");
                self.error(stated.span(), format!("listeners[{index}].address"), message);
            }
            seen.push((index, address));
        }
        for (index, each) in numbered(&self.file.listeners) {
            let names = |network: &TrustedNetwork| {
                numbered(&network.listeners).any(|(_, name)| Some(name) == value(&each.name))
            };
            let trusted = numbered(&self.file.trusted_networks).any(|(_, network)| names(network));
            if let (Some(role), false) = (&each.role, trusted)
                && *role.get_ref() == Role::Relay
            {
                let message = "no trusted network names this relay listener, so nobody may relay through it";
                self.warn(role.span(), format!("listeners[{index}].role"), message);
            }
        }
    }

    fn trusted_networks(&mut self) {
        let known: Vec<&str> = numbered(&self.file.listeners)
            .filter_map(|(_, each)| value(&each.name).map(Name::as_str))
            .collect();
        for (index, each) in numbered(&self.file.trusted_networks) {
            let key = format!("trusted_networks[{index}]");
            for network in each.networks.iter().flat_map(|list| list.get_ref()) {
                let is_wide = network.get_ref().prefix < if network.get_ref().first.is_ipv4() { 8 } else { 16 };
                if is_wide {
                    let message = format!(
                        "{} trusts a large part of the Internet: whoever connects from there counts as internal",
                        network.get_ref()
                    );
                    self.warn(network.span(), format!("{key}.networks"), message);
                }
            }
            for (list, span, name) in [
                (
                    each.networks.as_ref().map(|list| list.get_ref().is_empty()),
                    each.networks.as_ref().map(Spanned::span),
                    "networks",
                ),
                (
                    each.listeners.as_ref().map(|list| list.get_ref().is_empty()),
                    each.listeners.as_ref().map(Spanned::span),
                    "listeners",
                ),
            ] {
                if let (Some(true), Some(span)) = (list, span)
                    && !self.findings.has_errors()
                {
                    self.error(span, format!("{key}.{name}"), "at least one is needed");
                }
            }
            for name in each.listeners.iter().flat_map(|list| list.get_ref()) {
                self.known_name(name, &known, format!("{key}.listeners"), "listener");
            }
        }
    }

    fn known_name(&mut self, name: &Spanned<Name>, known: &[&str], key: String, what: &str) {
        if known.contains(&name.get_ref().as_str()) {
            return;
        }
        let meant = nearest(name.get_ref().as_str(), known.iter().copied())
            .or(if let [only] = known { Some(*only) } else { None })
            .map(str::to_owned);
        let message = format!("there is no {what} \"{}\"", name.get_ref());
        self.suggest(Severity::Error, name.span(), key, message, meant);
    }

    fn next_hops(&mut self) {
        let mut folders: HashMap<&Path, usize> = HashMap::new();
        for (index, each) in numbered(&self.file.next_hops) {
            let key = format!("next_hops[{index}]");
            self.one_target(each, &key);
            if let (Some(_), Some(port)) = (&each.drop_directory, &each.port) {
                self.warn(port.span(), format!("{key}.port"), "a drop directory has no port");
            }
            if let Some(hosts) = each.hosts.as_ref().filter(|hosts| hosts.get_ref().is_empty())
                && !self.findings.has_errors()
            {
                self.error(hosts.span(), format!("{key}.hosts"), "at least one is needed");
            }
            if let Some(folder) = &each.drop_directory
                && let Some(other) = folders.insert(folder.get_ref(), index)
            {
                let message = format!("next_hops[{other}] drops into this folder already");
                self.error(folder.span(), format!("{key}.drop_directory"), message);
            }
        }
    }

    fn one_target(&mut self, hop: &NextHop, key: &str) {
        let mut stated = Vec::new();
        stated.extend(hop.hosts.as_ref().map(|hosts| ("hosts", hosts.span())));
        stated.extend(hop.mx.as_ref().filter(|mx| *mx.get_ref()).map(|mx| ("mx", mx.span())));
        stated.extend(
            hop.drop_directory
                .as_ref()
                .map(|folder| ("drop_directory", folder.span())),
        );
        match stated.as_slice() {
            [_] => {}
            [] if self.findings.has_errors() => {}
            [] => self.error(
                hop.place.clone(),
                key,
                "one of `hosts`, `mx` and `drop_directory` is missing",
            ),
            [(first, _), (second, span), ..] => {
                let message = format!("`{first}` and `{second}` exclude each other");
                self.error(span.clone(), format!("{key}.{second}"), message);
            }
        }
    }

    fn routing(&mut self) {
        let Some(routing) = value(&self.file.routing) else {
            return;
        };
        let known: Vec<&str> = numbered(&self.file.next_hops)
            .filter_map(|(_, each)| value(&each.name).map(Name::as_str))
            .collect();
        let places = places(routing);
        for (name, stated) in &places {
            if let Some(stated) = stated {
                self.known_name(stated, &known, format!("routing.{name}"), "next hop");
            } else if routing.default.is_none() && *name != "default" {
                let message = format!("no next hop for `{name}`: state it, or a `default`");
                self.error(routing.place.clone(), format!("routing.{name}"), message);
            }
        }
        let mut used: Vec<&str> = places
            .iter()
            .filter_map(|(_, stated)| stated.map(|stated| stated.get_ref().as_str()))
            .collect();
        let mut seen = HashMap::new();
        for (index, each) in numbered(&routing.domains) {
            let key = format!("routing.domains[{index}]");
            if let Some(hop) = &each.next_hop {
                used.push(hop.get_ref().as_str());
                self.known_name(hop, &known, format!("{key}.next_hop"), "next hop");
            }
            if let Some(domain) = &each.domain
                && let Some(other) = seen.insert(domain.get_ref().clone(), index)
            {
                let message = format!("routing.domains[{other}] says where {} goes already", domain.get_ref());
                self.error(domain.span(), format!("{key}.domain"), message);
            }
        }
        for (index, each) in numbered(&self.file.next_hops) {
            if let Some(name) = each
                .name
                .as_ref()
                .filter(|name| !used.contains(&name.get_ref().as_str()))
            {
                let message = format!("no route leads to the next hop \"{}\"", name.get_ref());
                self.warn(name.span(), format!("next_hops[{index}].name"), message);
            }
        }
    }

    fn sources(&mut self) {
        for (index, each) in numbered(&self.file.sources) {
            if let Some(share) = each.shrink_guard_share.as_ref().filter(|share| *share.get_ref() > 100) {
                let message = format!("expected a share from 0 to 100 percent, found {}", share.get_ref());
                self.error(share.span(), format!("sources[{index}].shrink_guard_share"), message);
            }
            if let Some(interval) = each
                .poll_interval
                .as_ref()
                .filter(|each| *each.get_ref() < Duration::from_secs(1))
            {
                let message = "expected at least 1s: every look reads the names and times of all files";
                self.error(interval.span(), format!("sources[{index}].poll_interval"), message);
            }
        }
    }

    fn quantities(&mut self) {
        let file = self.file;
        for (index, each) in numbered(&file.listeners) {
            let key = |name: &str| format!("listeners[{index}].{name}");
            self.at_least_one(&each.recipients_max, key("recipients_max"));
            self.at_least_one(&each.sessions_max, key("sessions_max"));
            self.at_least_one(&each.sessions_per_client_max, key("sessions_per_client_max"));
            self.at_least_one(&each.errors_max, key("errors_max"));
            self.positive(&each.command_timeout, key("command_timeout"));
            self.positive(&each.data_timeout, key("data_timeout"));
            if let Some(stated) = each
                .recipients_max
                .as_ref()
                .filter(|most| (1..100).contains(most.get_ref()))
            {
                let message = "a server must take 100 recipients (RFC 5321 §4.5.3.1.8)";
                self.warn(stated.span(), key("recipients_max"), message);
            }
            // RFC 5321 §4.5.3.1.7: at least 64K octets.
            if let Some(stated) = each
                .message_size_max
                .as_ref()
                .filter(|size| size.get_ref().0 < 64 * 1024)
            {
                let message = "expected at least 64K: a server must take as much (RFC 5321 §4.5.3.1.7)";
                self.error(stated.span(), key("message_size_max"), message);
            }
        }
        for (index, each) in numbered(&file.next_hops) {
            let key = |name: &str| format!("next_hops[{index}].{name}");
            self.at_least_one(&each.connections_max, key("connections_max"));
            self.at_least_one(&each.recipients_max, key("recipients_max"));
            self.positive(&each.expiry, key("expiry"));
        }
        self.policy_and_rolls();
        self.queue();
        self.limits();
    }

    fn policy_and_rolls(&mut self) {
        let file = self.file;
        if let Some(policy) = value(&file.policy) {
            self.positive(&policy.moderation_expiry, "policy.moderation_expiry".into());
        }
        let Some(rolls) = value(&file.rolls) else {
            return;
        };
        self.positive(&rolls.interval, "rolls.interval".into());
        self.positive(&rolls.verify_every, "rolls.verify_every".into());
        self.positive(&rolls.max_age, "rolls.max_age".into());
        let refreshed = match value(&rolls.mode) {
            Some(super::word::RollMode::Interval) => value(&rolls.interval).copied().unwrap_or(defaults::ROLL_INTERVAL),
            Some(super::word::RollMode::OnChange) | None => {
                value(&rolls.verify_every).copied().unwrap_or(defaults::VERIFY_EVERY)
            }
        };
        if let Some(max_age) = rolls.max_age.as_ref().filter(|age| *age.get_ref() <= refreshed) {
            let message = format!(
                "lists are computed every {} and would be stale before the next time",
                show_duration(refreshed)
            );
            self.warn(max_age.span(), "rolls.max_age", message);
        }
    }

    fn queue(&mut self) {
        let Some(queue) = value(&self.file.queue) else {
            return;
        };
        self.positive(&queue.expiry, "queue.expiry".into());
        self.positive(&queue.retry_first, "queue.retry_first".into());
        self.positive(&queue.retry_max, "queue.retry_max".into());
        self.at_least_one(&queue.messages_max, "queue.messages_max".into());
        let first = value(&queue.retry_first).copied().unwrap_or(defaults::RETRY_FIRST);
        let most = value(&queue.retry_max).copied().unwrap_or(defaults::RETRY_MAX);
        if first > most {
            let stated = queue.retry_max.as_ref().or(queue.retry_first.as_ref());
            let span = stated.map_or(queue.place.clone(), Spanned::span);
            let message = format!(
                "the longest wait ({}) is shorter than the first ({})",
                show_duration(most),
                show_duration(first)
            );
            self.error(span, "queue.retry_max", message);
        }
        let expiry = value(&queue.expiry).copied().unwrap_or(limits::QUEUE_EXPIRY);
        if let Some(after) = queue
            .delay_report_after
            .as_ref()
            .filter(|after| *after.get_ref() >= expiry)
        {
            let message = format!(
                "mail expires after {}, so nobody is told of a delay",
                show_duration(expiry)
            );
            self.warn(after.span(), "queue.delay_report_after", message);
        }
    }

    fn limits(&mut self) {
        if let Some(tracking) = value(&self.file.tracking) {
            self.positive(&tracking.retention, "tracking.retention".into());
        }
        let Some(stated) = value(&self.file.limits) else {
            return;
        };
        self.at_least_one(&stated.sessions_max, "limits.sessions_max".into());
        self.at_least_one(&stated.received_fields_max, "limits.received_fields_max".into());
        self.at_least_one(&stated.expansion_depth_max, "limits.expansion_depth_max".into());
        self.at_least_one(
            &stated.expansion_recipients_max,
            "limits.expansion_recipients_max".into(),
        );
        if let Some(fields) = stated
            .received_fields_max
            .as_ref()
            .filter(|most| (1..100).contains(most.get_ref()))
        {
            let message = "mail that took a long way is refused; RFC 5321 §6.3 asks for at least 100";
            self.warn(fields.span(), "limits.received_fields_max", message);
        }
        let small = Size(16 * 1024);
        if let Some(size) = stated
            .header_section_max
            .as_ref()
            .filter(|size| *size.get_ref() < small)
        {
            let message = format!(
                "expected at least {}: ordinary mail has header sections of that size",
                show_size(small.0)
            );
            self.error(size.span(), "limits.header_section_max", message);
        }
        if let Some(size) = stated.disk_free_min.as_ref().filter(|size| size.get_ref().0 == 0) {
            let message = "without a floor the disk runs full before anybody is told";
            self.warn(size.span(), "limits.disk_free_min", message);
        }
    }

    fn at_least_one(&mut self, stated: &Option<Spanned<u32>>, key: String) {
        if let Some(stated) = stated.as_ref().filter(|number| *number.get_ref() == 0) {
            self.error(stated.span(), key, "expected at least 1, found 0");
        }
    }

    fn positive(&mut self, stated: &Option<Spanned<Duration>>, key: String) {
        if let Some(stated) = stated.as_ref().filter(|duration| duration.get_ref().is_zero()) {
            self.error(stated.span(), key, "expected a duration longer than zero");
        }
    }
}

fn places(routing: &Routing) -> [(&'static str, Option<&Spanned<Name>>); 4] {
    [
        ("cloud", routing.cloud.as_ref()),
        ("on_premises", routing.on_premises.as_ref()),
        ("external", routing.external.as_ref()),
        ("default", routing.default.as_ref()),
    ]
}

/// True if the second bind would fail: the same port, and the same address or one that stands for all. Whether
/// `[::]` also takes IPv4 is for the system to say.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let covers = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && one.is_ipv4() == other.is_ipv4() && covers
}
