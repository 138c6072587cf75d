//! From the text of a settings file to settings that hold together.
//!
//! In: the text, the folder relative paths start at, the host name of the system. Out: settings, if no finding
//! is an error, and every finding. Never: files; `load.rs` looks at those.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_spanned::Spanned;

use super::credentials;
use super::cross;
use super::defaults;
use super::file::{AcceptedDomain, Authenticity, Dns, Limits, Moderation, Policy, Rolls, SettingsFile, Source, Web};
use super::finding::{Findings, Severity};
use super::hop::NextHop;
use super::listen::{Has, TrustedNetwork, listener};
use super::route::Queue;
use super::settings::{
    AcceptedDomainKind, AcceptedDomainSettings, AuthenticitySettings, Author, AutoReplies, DisabledAccounts,
    DnsSettings, DomainPattern, Forwarding, HostSettings, LargeGroup, LimitSettings, LogFormat, LogLevel, LogSettings,
    Membership, ModerationSettings, NestedRestrictions, NextHopSettings, NextHopTarget, NotifyPartial, PolicySettings,
    ReplyDialect, ReturnPath, ReturnPathSettings, RollMode, RollSettings, Settings, SourceSettings, Spoofed,
    SuppressedReports, TrustedNetworkSettings, Verify, WebSettings,
};
use super::storm::{Storm, storm};
use super::word::DaneMode;
use crate::connectors::document::read::{Faults, Size};
use crate::connectors::document::{NodeValue, Read, parse_toml};
use crate::connectors::guard::GuardSettings;
use crate::directory::group::{ComparisonProfile, StaleAction};
use crate::limits;
use crate::mail::address::{Domain, Mailbox};
use crate::moderation::letter::FALLBACK;
use crate::rolls::guard::GuardLimits;
use crate::rolls::suspect::{Suppression, SuspectSettings};

/// What the text alone does not say.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// Path of the settings file, for messages; relative paths start at its folder.
    pub file: &'a Path,
    /// Host name of the system, if it is a domain.
    pub hostname: Option<&'a str>,
}

/// Checks a settings file; the settings are there unless a finding is an error.
#[must_use]
pub fn check(source: &str, surroundings: Surroundings<'_>) -> (Option<Settings>, Findings) {
    let mut findings = Findings::new(surroundings.file, source);
    let (root, syntax) = parse_toml(source);
    let partial = !syntax.is_empty();
    let last_fault_of_syntax = syntax.last().map(|fault| fault.span.start);
    let mut faults = Faults::of_syntax(syntax);
    let file = SettingsFile::read(&root, "", &mut faults);
    for mut fault in faults.into_list() {
        // What stands below a fault of syntax may have been read wrongly.
        if !fault.path.is_empty() && last_fault_of_syntax.is_some_and(|octet| octet <= fault.span.start) {
            continue;
        }
        point_to_top_level(&mut fault);
        findings.push(Severity::Error, fault);
    }
    let mut settings = None;
    if let Some(file) = file {
        // After a fault of syntax tables may be missing, and every name of theirs would look unknown.
        if !partial {
            cross::check(&file, surroundings, &mut findings);
        }
        if !findings.has_errors() {
            settings = build(&file, surroundings);
        }
    }
    findings.sort();
    debug_assert!(matches!(root.value, NodeValue::Table(_)), "a TOML document is a table");
    (settings, findings)
}

/// A key of the top level that stands after a table header belongs to that table: the commonest trap of TOML.
fn point_to_top_level(fault: &mut crate::connectors::document::Fault) {
    let Some(name) = fault
        .message
        .strip_prefix("unknown key `")
        .and_then(|rest| rest.strip_suffix('`'))
    else {
        return;
    };
    let is_scalar = |key: &&crate::connectors::document::Key| key.name == name && key.keys.is_empty();
    if fault.path.contains('.') && fault.suggestion.is_none() && SettingsFile::KEYS.iter().any(|key| is_scalar(&key)) {
        fault.suggestion = Some(format!("{name} before the first [table]"));
    }
}

/// The stated value, or the default.
pub(super) fn or<T: Clone>(stated: &Option<Spanned<T>>, default: T) -> T {
    stated.as_ref().map_or(default, |value| value.get_ref().clone())
}

pub(super) fn stated<T: Clone>(value: &Option<Spanned<T>>) -> Option<T> {
    value.as_ref().map(|value| value.get_ref().clone())
}

pub(super) fn list<T>(list: &Option<Spanned<Vec<Spanned<T>>>>) -> impl Iterator<Item = &T> {
    list.iter().flat_map(|list| list.get_ref()).map(Spanned::get_ref)
}

/// Fills in the defaults. `None` only if a required key is missing, which is a finding already.
fn build(file: &SettingsFile, surroundings: Surroundings<'_>) -> Option<Settings> {
    let folder = surroundings.file.parent().unwrap_or(Path::new(""));
    let data_dir = folder.join(or(&file.data_dir, defaults::DATA_DIR.into()));
    let control_socket = match &file.control_socket {
        Some(path) => folder.join(path.get_ref()),
        None => data_dir.join(defaults::CONTROL_SOCKET),
    };
    let accepted_domains = accepted_domains(file)?;
    let ours = accepted_domains
        .iter()
        .filter(|domain| domain.kind != AcceptedDomainKind::ExternalRelay);
    let patterns: Vec<DomainPattern> = ours.map(|domain| domain.pattern.clone()).collect();
    let queue = super::route::queue(&or(&file.queue, Queue::default()));
    let log = or(&file.log, super::file::Log::default());
    let hostname = hostname(file, surroundings)?;
    let has = Has {
        certificates: list(&file.certificates).next().is_some(),
        accounts: file.accounts.is_some(),
    };
    Some(Settings {
        authenticity: authenticity(&or(&file.authenticity, Authenticity::default()), &hostname),
        dns: dns(&or(&file.dns, Dns::default()), folder),
        hostname,
        postmaster: stated(&file.postmaster)?,
        control_socket,
        log: LogSettings {
            level: or(&log.level, LogLevel::Info),
            format: or(&log.format, LogFormat::Text),
        },
        listeners: list(&file.listeners)
            .map(|each| listener(each, has))
            .collect::<Option<_>>()?,
        certificates: credentials::certificates(&file.certificates, folder)?,
        client_authorities_file: file
            .tls
            .as_ref()
            .and_then(|tls| stated(&tls.get_ref().client_authorities_file))
            .map(|path| folder.join(path)),
        accounts: match &file.accounts {
            Some(accounts) => Some(credentials::accounts(accounts.get_ref(), folder)?),
            None => None,
        },
        trusted_networks: list(&file.trusted_networks)
            .map(|network| trusted_network(network, &patterns))
            .collect::<Option<_>>()?,
        filters: list(&file.filters).map(super::filters::filter).collect::<Option<_>>()?,
        sources: list(&file.sources)
            .map(|each| source(each, folder))
            .collect::<Option<_>>()?,
        signing_keys: list(&file.signing_keys)
            .map(|key| super::signing::signing_key(key, folder))
            .collect::<Option<_>>()?,
        next_hops: list(&file.next_hops)
            .map(|hop| next_hop(hop, folder, &data_dir, queue.expiry))
            .collect::<Option<_>>()?,
        routing: super::route::routing(file.routing.as_ref()?.get_ref())?,
        policy: policy(&or(&file.policy, Policy::default())),
        moderation: moderation(&or(&file.moderation, Moderation::default()), folder, &accepted_domains)?,
        storm: storm(&or(&file.storm, Storm::default())),
        web: web(&or(&file.web, Web::default())),
        rolls: rolls(&or(&file.rolls, Rolls::default())),
        queue,
        return_paths: return_paths(file),
        tls_reports: super::tls_reports::tls_reports(file),
        limits: limit_settings(&or(&file.limits, Limits::default())),
        tracking_retention: file
            .tracking
            .as_ref()
            .and_then(|tracking| stated(&tracking.get_ref().retention))
            .unwrap_or(defaults::TRACKING_RETENTION),
        accepted_domains,
        data_dir,
    })
}

/// The stated name, or that of the system.
pub(super) fn hostname(file: &SettingsFile, surroundings: Surroundings<'_>) -> Option<Domain> {
    stated(&file.hostname).or_else(|| surroundings.hostname.and_then(|name| Domain::parse(name).ok()))
}

fn accepted_domains(file: &SettingsFile) -> Option<Vec<AcceptedDomainSettings>> {
    let one_is_stated = list(&file.accepted_domains).any(|domain| or(&domain.default, false));
    let one = |(index, domain): (usize, &AcceptedDomain)| {
        Some(AcceptedDomainSettings {
            pattern: stated(&domain.name)?,
            kind: or(&domain.kind, AcceptedDomainKind::Authoritative),
            next_hop: stated(&domain.next_hop),
            other_side: super::signing::names(&domain.other_side),
            is_default: or(&domain.default, index == 0 && !one_is_stated),
        })
    };
    list(&file.accepted_domains).enumerate().map(one).collect()
}

fn trusted_network(network: &TrustedNetwork, accepted: &[DomainPattern]) -> Option<TrustedNetworkSettings> {
    Some(TrustedNetworkSettings {
        name: stated(&network.name)?,
        networks: list(&network.networks).copied().collect(),
        certificates: list(&network.certificate_names).cloned().collect(),
        listeners: list(&network.listeners).cloned().collect(),
        domains: match &network.domains {
            Some(_) => list(&network.domains).cloned().collect(),
            None => accepted.to_vec(),
        },
        tenancy: super::trust::tenancy(network),
    })
}

fn authenticity(table: &Authenticity, hostname: &Domain) -> AuthenticitySettings {
    AuthenticitySettings {
        authserv_id: or(&table.authserv_id, hostname.clone()),
        verify: or(&table.verify, Verify::WhenNeeded),
        dmarc_proves: or(&table.dmarc_proves, false),
        time_limit: or(&table.time_limit, limits::AUTHENTICITY_TIME_MAX),
    }
}

fn dns(dns: &Dns, folder: &Path) -> DnsSettings {
    DnsSettings {
        servers: list(&dns.servers).copied().collect(),
        dnssec: or(&dns.dnssec, false),
        trust_anchors: stated(&dns.trust_anchor_file).map(|path| folder.join(path)),
        timeout: or(&dns.timeout, defaults::DNS_TIMEOUT),
    }
}

fn source(source: &Source, folder: &Path) -> Option<SourceSettings> {
    Some(SourceSettings {
        name: stated(&source.name)?,
        kind: stated(&source.kind)?,
        path: folder.join(source.path.as_ref()?.get_ref()),
        max_age: stated(&source.max_age),
        watch: or(&source.watch, true),
        poll_interval: or(&source.poll_interval, defaults::POLL_INTERVAL),
        guard: GuardSettings {
            share_percent: or(&source.shrink_guard_share, defaults::SHRINK_GUARD_SHARE),
            count: or(&source.shrink_guard_count, defaults::SHRINK_GUARD_COUNT),
            window: or(&source.shrink_guard_window, defaults::SHRINK_GUARD_WINDOW),
        },
        remote_mailboxes_match_user_mailbox: or(&source.remote_mailboxes_match_user_mailbox, false),
    })
}

fn next_hop(hop: &NextHop, folder: &Path, data_dir: &Path, expiry: Duration) -> Option<NextHopSettings> {
    let port = or(&hop.port, defaults::PORT);
    let target = if let Some(folder) = &hop.drop_directory {
        NextHopTarget::DropDirectory(data_dir.join(folder.get_ref()))
    } else if or(&hop.mx, false) {
        NextHopTarget::Mx { port }
    } else {
        let mut hosts = list(&hop.hosts)
            .map(|host| {
                let stated = host.host.as_ref()?.get_ref();
                Some(HostSettings {
                    host: stated.host.clone(),
                    port: stated.port.unwrap_or(port),
                    preference: or(&host.preference, defaults::HOST_PREFERENCE),
                    weight: or(&host.weight, 1),
                })
            })
            .collect::<Option<Vec<_>>>()?;
        hosts.sort_by_key(|host| host.preference);
        NextHopTarget::Hosts(hosts)
    };
    Some(NextHopSettings {
        name: stated(&hop.name)?,
        target,
        connections_max: or(&hop.connections_max, defaults::CONNECTIONS_MAX),
        recipients_max: or(
            &hop.recipients_max,
            u32::try_from(limits::BATCH_RECIPIENTS_MAX).unwrap_or(u32::MAX),
        ),
        expiry: or(&hop.expiry, expiry),
        return_path: or(&hop.return_path, ReturnPath::Original),
        dkim_sign: super::signing::names(&hop.dkim_sign),
        arc_seal: stated(&hop.arc_seal),
        tls: Arc::new(super::protection::tls(hop)),
        sign_in: super::protection::sign_in(hop).map(Arc::new),
        dane: or(&hop.dane, DaneMode::Opportunistic) == DaneMode::Opportunistic,
        mta_sts: or(&hop.mta_sts, true),
        messages_per_minute_max: stated(&hop.messages_per_minute_max),
        helo: stated(&hop.helo),
        sources: list(&hop.source_addresses).copied().collect(),
        chunking: or(&hop.chunking, true),
        assume_8bitmime: or(&hop.assume_8bitmime, false),
        files: super::protection::files(hop, folder),
    })
}

fn return_paths(file: &SettingsFile) -> Option<ReturnPathSettings> {
    let stated_paths = file.return_paths.as_ref()?.get_ref();
    let bounce_address = stated(&stated_paths.bounce_address)?;
    Some(ReturnPathSettings {
        srs_domain: stated(&stated_paths.srs_domain).unwrap_or_else(|| bounce_address.domain_key()),
        valid_for: or(&stated_paths.valid_for, defaults::RETURN_PATH_VALID_FOR),
        bounce_address,
    })
}

fn policy(policy: &Policy) -> PolicySettings {
    PolicySettings {
        disabled_accounts: or(&policy.disabled_accounts, DisabledAccounts::Deliver),
        forwarding: or(&policy.forwarding, Forwarding::NextHop),
        nested_restrictions: or(&policy.nested_restrictions, NestedRestrictions::Enforce),
        notify_partial: or(&policy.notify_partial, NotifyPartial::Proved),
        spoofed: or(&policy.spoofed, Spoofed::Refuse),
        quarantine_moderators: policy
            .quarantine_moderators
            .as_ref()
            .map(|_| list(&policy.quarantine_moderators).cloned().collect()),
        author: or(&policy.author, Author::Ignore),
        reply_dialect: or(&policy.reply_dialect, ReplyDialect::ExchangeOnline),
        suppressed_reports: or(&policy.suppressed_reports, SuppressedReports::Null),
        auto_replies: or(&policy.auto_replies, AutoReplies::AsGroupSays),
        large_group: or(&policy.large_group, LargeGroup::Allow),
        large_group_members: or(
            &policy.large_group_members,
            u32::try_from(limits::LARGE_GROUP_MEMBERS).unwrap_or(u32::MAX),
        ),
        plus_addressing: or(&policy.plus_addressing, false),
        comparison_profile: or(&policy.comparison_profile, ComparisonProfile::default()),
        member_of_group_recursive: or(&policy.member_of_group_recursive, false),
    }
}

fn moderation(
    stated_here: &Moderation,
    folder: &Path,
    accepted: &[AcceptedDomainSettings],
) -> Option<ModerationSettings> {
    let default_domain = &accepted.iter().find(|domain| domain.is_default)?.pattern.domain;
    let address = format!("{}@{default_domain}", defaults::MODERATION_LOCAL_PART);
    Some(ModerationSettings {
        expiry: or(&stated_here.expiry, limits::MODERATION_EXPIRY),
        quorum: or(&stated_here.quorum, 1),
        membership: or(&stated_here.membership, Membership::Release),
        substitutes: stated_here
            .substitutes
            .as_ref()
            .map(|_| list(&stated_here.substitutes).cloned().collect()),
        language: stated(&stated_here.language).map_or_else(|| FALLBACK.to_owned(), |name| name.to_string()),
        templates: stated(&stated_here.templates).map(|path| folder.join(path)),
        template_texts: Vec::new(),
        address: stated(&stated_here.address).or_else(|| Mailbox::parse(&address).ok())?,
    })
}

fn web(web: &Web) -> Option<WebSettings> {
    Some(WebSettings {
        address: stated(&web.address)?,
        public_url: stated(&web.public_url)?.trim_end_matches('/').to_owned(),
    })
}

fn rolls(rolls: &Rolls) -> RollSettings {
    RollSettings {
        mode: or(&rolls.mode, RollMode::OnChange),
        interval: or(&rolls.interval, defaults::ROLL_INTERVAL),
        max_age: stated(&rolls.max_age),
        on_stale: or(&rolls.on_stale, StaleAction::Serve),
        verify_every: or(&rolls.verify_every, defaults::VERIFY_EVERY),
        guard: guard_limits(rolls),
        history_retention: or(&rolls.history_retention, defaults::HISTORY_RETENTION),
        suspects: SuspectSettings {
            after: or(&rolls.suspect_after, SuspectSettings::default().after),
            suppress: stated(&rolls.suppress_suspects_after).map_or(Suppression::Never, Suppression::After),
        },
    }
}

fn guard_limits(rolls: &Rolls) -> GuardLimits {
    let default = GuardLimits::default();
    GuardLimits {
        shrink_share_percent: or(&rolls.guard_shrink_share_percent, default.shrink_share_percent),
        shrink_count: or(&rolls.guard_shrink_count, default.shrink_count),
        growth_share_percent: or(&rolls.guard_growth_share_percent, default.growth_share_percent),
        growth_count: or(&rolls.guard_growth_count, default.growth_count),
        window: or(&rolls.guard_window, default.window),
    }
}

fn limit_settings(stated: &Limits) -> LimitSettings {
    let widened = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let header_section = u64::try_from(limits::HEADER_SECTION_OCTETS_MAX).unwrap_or(u64::MAX);
    LimitSettings {
        disk_free_min: or(&stated.disk_free_min, Size(defaults::DISK_FREE_MIN)).0,
        sessions_max: or(&stated.sessions_max, widened(limits::SESSIONS_MAX)),
        received_fields_max: or(&stated.received_fields_max, widened(limits::RECEIVED_FIELDS_MAX)),
        header_section_max: or(&stated.header_section_max, Size(header_section)).0,
        expansion_depth_max: or(&stated.expansion_depth_max, widened(limits::EXPANSION_DEPTH_MAX)),
        expansion_recipients_max: or(
            &stated.expansion_recipients_max,
            widened(limits::EXPANSION_RECIPIENTS_MAX),
        ),
    }
}
