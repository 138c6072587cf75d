//! Checks across keys: names that must exist, addresses that must differ, quantities that must fit together.
//!
//! In: what the file states, with places. Out: findings. Never: a default judged; those fit together.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use serde_spanned::Spanned;

use super::check::{Surroundings, hostname};
use super::credentials::auth_mode;
use super::defaults;
use super::file::SettingsFile;
use super::finding::{Findings, Severity};
use super::hop::NextHop;
use super::listen::TrustedNetwork;
use super::route::places;
use super::settings::{Name, Role};
use super::word::ListenerAuth;
use crate::connectors::document::{Fault, nearest};

/// Adds what does not fit together.
pub(super) fn check(file: &SettingsFile, surroundings: Surroundings<'_>, findings: &mut Findings) {
    let mut checks = Checks { file, findings };
    checks.top_level(surroundings);
    checks.not_empty();
    checks.unique_names();
    checks.accepted_domains();
    checks.listeners();
    checks.credentials();
    checks.trusted_networks();
    checks.next_hops();
    checks.routing();
    checks.filters();
    checks.moderation();
    checks.web();
    checks.sources();
    checks.return_paths();
    checks.signing();
    checks.tls_reports();
    checks.protection();
    checks.quantities();
    if !checks.findings.has_errors() {
        checks.doubts();
        checks.idle_keys();
    }
}

/// Findings as they come together.
pub(super) struct Checks<'a> {
    pub(super) file: &'a SettingsFile,
    pub(super) findings: &'a mut Findings,
}

pub(super) type List<T> = Option<Spanned<Vec<Spanned<T>>>>;

/// The tables of a list with their numbers.
pub(super) fn numbered<T>(list: &List<T>) -> impl Iterator<Item = (usize, &T)> {
    list.iter()
        .flat_map(|list| list.get_ref())
        .map(Spanned::get_ref)
        .enumerate()
}

pub(super) fn value<T>(stated: &Option<Spanned<T>>) -> Option<&T> {
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

    pub(super) fn error(&mut self, span: Range<usize>, key: impl Into<String>, message: impl Into<String>) {
        self.say(Severity::Error, span, key.into(), message.into());
    }

    pub(super) fn warn(&mut self, span: Range<usize>, key: impl Into<String>, message: impl Into<String>) {
        self.say(Severity::Warning, span, key.into(), message.into());
    }

    fn top_level(&mut self, surroundings: Surroundings<'_>) {
        let file = self.file;
        match (&file.hostname, hostname(file, surroundings)) {
            (None, None) => {
                let message = "the host name of the system is no domain; state `hostname`";
                self.error(0..0, "hostname", message);
            }
            (stated, Some(name)) if !name.as_str().contains('.') => {
                let span = stated.as_ref().map_or(0..0, Spanned::span);
                let message =
                    format!("our name `{name}` has no dot; next hops refuse an EHLO that is not fully qualified");
                self.warn(span, "hostname", message);
            }
            (None | Some(_), None | Some(_)) => {}
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
            ("signing_keys", names(&file.signing_keys, |each| &each.name)),
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

    pub(super) fn known_name(&mut self, name: &Spanned<Name>, known: &[&str], key: String, what: &str) {
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

    /// What works and is probably not meant. Asked only if nothing is wrong: a misspelt name would show twice.
    fn doubts(&mut self) {
        let file = self.file;
        if let Some(postmaster) = &file.postmaster {
            let domain = postmaster.get_ref().domain_key();
            let accepted = |name| value(name).is_some_and(|name: &super::word::DomainPattern| name.matches(&domain));
            if !numbered(&file.accepted_domains).any(|(_, each)| accepted(&each.name)) {
                let message = format!("{domain} is not an accepted domain; reports about trouble leave this system");
                self.warn(postmaster.span(), "postmaster", message);
            }
        }
        for (index, each) in numbered(&self.file.listeners) {
            let names = |network: &TrustedNetwork| {
                numbered(&network.listeners).any(|(_, name)| Some(name) == value(&each.name))
            };
            let trusted = numbered(&self.file.trusted_networks).any(|(_, network)| names(network));
            let logs_in = auth_mode(each, file.accounts.is_some()) != ListenerAuth::Off;
            if let (Some(role), false) = (&each.role, trusted || logs_in)
                && *role.get_ref() == Role::Relay
            {
                let message = "no trusted network names this relay listener, so nobody may relay through it";
                self.warn(role.span(), format!("listeners[{index}].role"), message);
            }
        }
        let Some(routing) = value(&file.routing) else {
            return;
        };
        self.relay_domains_without_route();
        self.rule_after_all(routing);
        let by_domain = numbered(&routing.domains).filter_map(|(_, each)| each.next_hop.as_ref());
        let by_place = places(routing).into_iter().filter_map(|(_, stated)| stated);
        let by_rule = numbered(&routing.rules).filter_map(|(_, each)| each.next_hop.as_ref());
        let used: Vec<&str> = by_place
            .chain(by_domain)
            .chain(by_rule)
            .chain(numbered(&file.accepted_domains).filter_map(|(_, each)| each.next_hop.as_ref()))
            .chain(routing.side_by_side.as_ref())
            .map(|stated| stated.get_ref().as_str())
            .collect();
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
}
