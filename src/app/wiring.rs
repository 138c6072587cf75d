//! From the settings file to the settings of the rooms.

use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::authenticity::{Authenticity, CheckSettings};
use crate::backends::sqlite::SpoolSettings;
use crate::categorizer::Organisation;
use crate::config::settings::{self, NextHopTarget, Settings};
use crate::connectors::sync::{KeeperSettings, SourceSettings};
use crate::delivery::dns::Dnssec;
use crate::delivery::tls_reports::TlsReportSettings;
use crate::directory::SourceId;
use crate::directory::filter::EvaluationOptions;
use crate::directory::group::RefreshMode;
use crate::env::Clock;
use crate::expansion;
use crate::listener;
use crate::mail::Mailbox;
use crate::mail::header::sieve::Stamp;
use crate::mail::return_path::{OwnDomain, ReturnKey, ReturnPathRule, ReturnPaths};
use crate::mail::signature::{Sealing, Signing, SigningKey};
use crate::moderation::letter::Letters;
use crate::moderation::token::AnswerAddresses;
use crate::moderation::{Moderation, Substitutes};
use crate::policy::Rules;
use crate::policy::rules;
use crate::resolver::{AcceptedDomain, AcceptedDomains, DomainKind, IpNet, Tenancy, TrustedNetwork};
use crate::rolls::RollDefaults;
use crate::routing::{HostPort, Location, NextHop, RetrySchedule, RouteFault, Routes, RoutesDraft, Target};
use crate::spool::message::Membership;

use super::hops::RoutedHops;

/// The routes that the settings draw.
pub fn routes(settings: &Settings, returns: Option<&Arc<ReturnPaths>>) -> Result<Routes, RouteFault> {
    let routing = &settings.routing;
    let pattern = |pattern: &settings::DomainPattern| {
        let prefix = if pattern.subdomains { "*." } else { "" };
        format!("{prefix}{}", pattern.domain)
    };
    Routes::build(RoutesDraft {
        hops: settings
            .next_hops
            .iter()
            .map(|hop| next_hop(hop, settings, returns))
            .collect(),
        locations: vec![
            (Location::Cloud, routing.cloud.to_string()),
            (Location::OnPremises, routing.on_premises.to_string()),
            (Location::External, routing.external.to_string()),
        ],
        domains: routing
            .domains
            .iter()
            .map(|(domain, hop)| (pattern(domain), hop.to_string()))
            .collect(),
        unknown: settings
            .accepted_domains
            .iter()
            .filter_map(|domain| Some((pattern(&domain.pattern), domain.next_hop.as_ref()?.to_string())))
            .collect(),
        default: Some(routing.external.to_string()),
        side_by_side: routing.side_by_side.as_ref().map(ToString::to_string),
        rules: super::ordered::rules(settings)?,
    })
}

/// How answers of name servers are validated.
#[must_use]
pub fn dnssec(settings: &Settings) -> Dnssec {
    match (settings.dns.dnssec, &settings.dns.trust_anchors) {
        (false, _) => Dnssec::Off,
        (true, None) => Dnssec::Root,
        (true, Some(path)) => Dnssec::File(path.clone()),
    }
}

/// Addresses that reports come back to, if settings name one.
#[must_use]
pub fn returns(settings: &Settings, key: &ReturnKey) -> Option<Arc<ReturnPaths>> {
    let paths = settings.return_paths.as_ref()?;
    let own = settings.accepted_domains.iter().map(|domain| OwnDomain {
        domain: domain.pattern.domain.clone(),
        subdomains: domain.pattern.subdomains,
    });
    Some(Arc::new(ReturnPaths {
        key: key.clone(),
        bounces: paths.bounce_address.clone(),
        srs_domain: paths.srs_domain.clone(),
        own: own.collect(),
        valid_for: paths.valid_for,
    }))
}

fn next_hop(hop: &settings::NextHopSettings, settings: &Settings, returns: Option<&Arc<ReturnPaths>>) -> NextHop {
    let target = match &hop.target {
        NextHopTarget::Hosts(hosts) => Target::Hosts(
            hosts
                .iter()
                .map(|host| HostPort {
                    host: host.host.to_string(),
                    port: host.port,
                    preference: host.preference,
                    weight: host.weight,
                })
                .collect(),
        ),
        NextHopTarget::Mx { .. } => Target::Mx,
        NextHopTarget::DropDirectory(path) => Target::DropDirectory(path.clone()),
    };
    let queue = &settings.queue;
    let mut made = NextHop::new(hop.name.to_string(), target, settings.hostname.as_str());
    if let NextHopTarget::Mx { port } = hop.target {
        made.mx_port = port;
    }
    made.recipients_max = hop.recipients_max as usize;
    made.connections_max = hop.connections_max as usize;
    made.expiry = hop.expiry;
    made.return_path = match (hop.return_path, returns) {
        // A check of settings refuses the last two without an address to come back to.
        (settings::ReturnPath::Original, _) | (_, None) => ReturnPathRule::Original,
        (settings::ReturnPath::Srs, Some(paths)) => ReturnPathRule::Rewritten(Arc::clone(paths)),
        (settings::ReturnPath::Bounces, Some(paths)) => ReturnPathRule::Bounces(Arc::clone(paths)),
    };
    made.signing = Arc::new(signing(hop, settings));
    made.tls = Arc::clone(&hop.tls);
    made.sign_in.clone_from(&hop.sign_in);
    made.dane = hop.dane;
    made.mta_sts = hop.mta_sts;
    made.messages_per_minute_max = hop.messages_per_minute_max;
    made.sources.clone_from(&hop.sources);
    made.chunking = hop.chunking;
    made.assume_8bitmime = hop.assume_8bitmime;
    if let Some(helo) = &hop.helo {
        made.helo = helo.as_str().to_owned();
    }
    made.retry = RetrySchedule {
        first: queue.retry_first,
        longest: queue.retry_max,
        delay_report: queue.delay_report_after,
    };
    made
}

fn signing_key(name: &settings::Name, settings: &Settings) -> Option<Arc<SigningKey>> {
    let stated = settings.signing_keys.iter().find(|key| key.name == *name);
    stated.and_then(|stated| stated.key.clone())
}

/// The keys that a next hop names; settings were refused if one is missing.
fn signing(hop: &settings::NextHopSettings, settings: &Settings) -> Signing {
    let key = |name: &settings::Name| signing_key(name, settings);
    Signing {
        dkim: hop.dkim_sign.iter().filter_map(key).collect(),
        arc: hop.arc_seal.as_ref().and_then(key).map(|key| Sealing {
            key,
            authserv_id: settings.authenticity.authserv_id.as_str().into(),
        }),
    }
}

/// The rules that the settings make.
#[must_use]
pub fn rules(settings: &Settings) -> Rules {
    let accepted = AcceptedDomains::new(settings.accepted_domains.iter().map(|domain| AcceptedDomain {
        domain: domain.pattern.domain.clone(),
        kind: match domain.kind {
            settings::AcceptedDomainKind::Authoritative => DomainKind::Authoritative,
            settings::AcceptedDomainKind::InternalRelay => DomainKind::InternalRelay,
            settings::AcceptedDomainKind::ExternalRelay => DomainKind::ExternalRelay,
        },
        subdomains: domain.pattern.subdomains,
    }))
    .shared_with(settings.accepted_domains.iter().map(|domain| {
        let names = domain.other_side.iter().map(|name| name.as_str().into());
        (domain.pattern.domain.clone(), names.collect())
    }));
    let policy = &settings.policy;
    Rules {
        trusted: settings.trusted_networks.iter().map(trusted).collect(),
        authenticity: authenticity_rules(settings),
        author: match policy.author {
            settings::Author::Ignore => rules::AuthorRule::Ignore,
            settings::Author::Permitted => rules::AuthorRule::Permitted,
            settings::Author::Same => rules::AuthorRule::Same,
        },
        spoofed: match policy.spoofed {
            settings::Spoofed::Refuse => rules::SpoofedSender::Refuse,
            settings::Spoofed::Quarantine => rules::SpoofedSender::Quarantine,
            settings::Spoofed::External => rules::SpoofedSender::External,
        },
        quarantine: policy
            .quarantine_moderators
            .clone()
            .unwrap_or_else(|| vec![settings.postmaster.clone()]),
        plus_addressing: if policy.plus_addressing {
            rules::PlusAddressing::On
        } else {
            rules::PlusAddressing::Off
        },
        disabled_accounts: match policy.disabled_accounts {
            settings::DisabledAccounts::Deliver => rules::DisabledAccounts::Deliver,
            settings::DisabledAccounts::Drop => rules::DisabledAccounts::Drop,
        },
        forwarding: match policy.forwarding {
            settings::Forwarding::NextHop => rules::Forwarding::NextHop,
            settings::Forwarding::Here => rules::Forwarding::Here,
        },
        nested_restrictions: match policy.nested_restrictions {
            settings::NestedRestrictions::Enforce => rules::NestedRestrictions::Enforce,
            settings::NestedRestrictions::TopOnly => rules::NestedRestrictions::TopOnly,
        },
        notify_partial: match policy.notify_partial {
            settings::NotifyPartial::Proved => rules::NotifyPartial::Proved,
            settings::NotifyPartial::Always => rules::NotifyPartial::Always,
            settings::NotifyPartial::Never => rules::NotifyPartial::Never,
        },
        reply_dialect: match policy.reply_dialect {
            settings::ReplyDialect::ExchangeOnline => rules::ReplyDialect::ExchangeOnline,
            settings::ReplyDialect::Exchange => rules::ReplyDialect::Exchange,
        },
        suppressed_reports: match policy.suppressed_reports {
            settings::SuppressedReports::Null => rules::SuppressedReports::Null,
            settings::SuppressedReports::Unchanged => rules::SuppressedReports::Unchanged,
        },
        auto_replies: match policy.auto_replies {
            settings::AutoReplies::AsGroupSays => rules::AutoReplies::AsGroupSays,
            settings::AutoReplies::Allow => rules::AutoReplies::Allow,
        },
        large_group: rules::LargeGroup {
            action: match policy.large_group {
                settings::LargeGroup::Allow => rules::LargeGroupAction::Allow,
                settings::LargeGroup::Refuse => rules::LargeGroupAction::Refuse,
                settings::LargeGroup::Hold => rules::LargeGroupAction::Hold,
                settings::LargeGroup::Confirm => rules::LargeGroupAction::Confirm,
            },
            members: u64::from(policy.large_group_members),
        },
        storm: settings.storm,
        rolls: roll_defaults(settings),
        ..Rules::new(accepted, settings.postmaster.clone())
    }
}

/// A range of the settings as decisions know it.
pub(super) fn range(network: &crate::connectors::document::units::Network) -> Option<IpNet> {
    network.to_string().parse().ok()
}

fn trusted(network: &settings::TrustedNetworkSettings) -> TrustedNetwork {
    TrustedNetwork {
        name: network.name.as_str().into(),
        networks: network.networks.iter().filter_map(range).collect(),
        certificates: network.certificates.clone(),
        listeners: network.listeners.iter().map(|name| name.as_str().into()).collect(),
        domains: AcceptedDomains::new(network.domains.iter().map(|pattern| AcceptedDomain {
            domain: pattern.domain.clone(),
            kind: DomainKind::Authoritative,
            subdomains: pattern.subdomains,
        })),
        tenancy: network.tenancy.as_ref().map(|tenancy| Tenancy {
            stamp: tenancy.stamp.as_ref().map(|(field, tenant)| Stamp {
                field: Arc::clone(&field.0),
                tenant: Arc::clone(&tenant.0),
            }),
            signature: tenancy.signature,
        }),
    }
}

/// What the message itself may prove.
fn authenticity_rules(settings: &Settings) -> rules::AuthenticityRules {
    let authenticity = &settings.authenticity;
    let seals = settings.next_hops.iter().any(|hop| hop.arc_seal.is_some());
    rules::AuthenticityRules {
        authserv_id: authenticity.authserv_id.as_str().into(),
        verify: match authenticity.verify {
            // A seal says what was found, so something must have been looked for.
            settings::Verify::WhenNeeded if seals => rules::Verify::Unproven,
            settings::Verify::WhenNeeded => rules::Verify::WhenNeeded,
            settings::Verify::Unproven => rules::Verify::Unproven,
        },
        dmarc_proves: authenticity.dmarc_proves,
        seals,
    }
}

/// What the checks of where mail comes from go by.
#[must_use]
pub fn checks(settings: &Settings) -> CheckSettings {
    CheckSettings {
        host: settings.hostname.to_string(),
        time_limit: settings.authenticity.time_limit,
        name_servers: settings.dns.servers.clone(),
        dns_timeout: settings.dns.timeout,
    }
}

/// Age and refresh of rolls.
#[must_use]
pub fn roll_defaults(settings: &Settings) -> RollDefaults {
    let rolls = &settings.rolls;
    let defaults = RollDefaults::default();
    RollDefaults {
        refresh: match rolls.mode {
            settings::RollMode::OnChange => RefreshMode::OnChange,
            settings::RollMode::Interval => RefreshMode::Interval(rolls.interval),
        },
        max_age: rolls.max_age.unwrap_or(defaults.max_age),
        on_stale: rolls.on_stale,
        verify_every: rolls.verify_every,
    }
}

/// How filters compare.
#[must_use]
pub fn evaluation(settings: &Settings) -> EvaluationOptions {
    EvaluationOptions {
        comparison: settings.policy.comparison_profile,
        zone: TimeZone::system(),
        recursive_membership: settings.policy.member_of_group_recursive,
    }
}

/// What the keeper of the directory goes by.
#[must_use]
pub fn keeper(settings: &Settings) -> KeeperSettings {
    KeeperSettings {
        rolls: roll_defaults(settings),
        guard: settings.rolls.guard,
        suspects: settings.rolls.suspects,
        history_retention: settings.rolls.history_retention,
        sources: sources(settings),
    }
}

/// Sources as the keeper of the directory knows them.
#[must_use]
pub fn sources(settings: &Settings) -> Vec<SourceSettings> {
    let one = |source: &settings::SourceSettings| SourceSettings {
        name: SourceId::new(source.name.as_str()),
        max_age: source.max_age,
        guard: source.guard,
    };
    settings.sources.iter().map(one).collect()
}

/// Bounds of the spool.
#[must_use]
pub fn spool(settings: &Settings) -> SpoolSettings {
    SpoolSettings {
        queue_messages_max: settings.queue.messages_max as usize,
        disk_floor_bytes: settings.limits.disk_free_min,
        ..SpoolSettings::default()
    }
}

/// What the categoriser decides by.
#[must_use]
pub fn organisation(
    settings: &Settings,
    routes: &Arc<Routes>,
    authenticity: &Authenticity,
    return_paths: Option<Arc<ReturnPaths>>,
    clock: &Arc<dyn Clock>,
) -> Organisation {
    let postmaster = format!("postmaster@{}", settings.default_domain());
    Organisation {
        host: settings.hostname.to_string(),
        postmaster: Mailbox::parse(&postmaster).unwrap_or_else(|_| settings.postmaster.clone()),
        rules: rules(settings),
        limits: expansion::Limits {
            depth_max: settings.limits.expansion_depth_max as usize,
            recipients_max: settings.limits.expansion_recipients_max as usize,
        },
        moderation: moderation(settings),
        hops: Arc::new(RoutedHops::new(Arc::clone(routes), Arc::clone(clock))),
        filters: super::filters::of(settings),
        authenticator: Arc::new(authenticity.clone()),
        received_fields_max: settings.limits.received_fields_max as usize,
        return_paths,
        report_signing: report_signing(settings),
    }
}

/// The keys that TLS reports are signed with.
fn report_signing(settings: &Settings) -> Arc<Signing> {
    let names = settings.tls_reports.iter().flat_map(|reports| &reports.dkim_sign);
    Arc::new(Signing {
        dkim: names.filter_map(|name| signing_key(name, settings)).collect(),
        arc: None,
    })
}

/// What delivery counts and reports on TLS.
#[must_use]
pub fn tls_reports(settings: &Settings) -> Option<TlsReportSettings> {
    let stated = settings.tls_reports.as_ref()?;
    Some(TlsReportSettings {
        organization: stated.organization.clone(),
        contact: stated.contact.clone(),
        file: Some(settings.data_dir.join("tls-reports.json")),
    })
}

pub(super) fn moderation(settings: &Settings) -> Moderation {
    let stated = &settings.moderation;
    // Tried out when the settings were read.
    let letters = Letters::with(stated.template_texts.clone()).unwrap_or_else(|faults| {
        for fault in faults {
            tracing::error!(%fault, "a template cannot be used; ours take its place");
        }
        Letters::built_in()
    });
    let ours = format!("moderation@{}", settings.default_domain());
    let answers = AnswerAddresses::below(stated.address.clone())
        .or_else(|| Mailbox::parse(&ours).ok().and_then(AnswerAddresses::below));
    Moderation {
        expiry: stated.expiry,
        quorum: stated.quorum,
        membership: match stated.membership {
            settings::Membership::Release => Membership::Release,
            settings::Membership::Submission => Membership::Submission,
        },
        substitutes: stated
            .substitutes
            .clone()
            .map_or(Substitutes::Owners, Substitutes::Persons),
        language: stated.language.clone(),
        letters: Arc::new(letters),
        answers,
        page: settings.web.as_ref().map(|web| web.public_url.clone()),
        zone: TimeZone::system(),
    }
}

/// TLS of a listener.
#[must_use]
pub fn tls(mode: settings::ListenerTls) -> listener::Tls {
    match mode {
        settings::ListenerTls::Off => listener::Tls::Off,
        settings::ListenerTls::Offered => listener::Tls::Offered,
        settings::ListenerTls::Required => listener::Tls::Required,
        settings::ListenerTls::Implicit => listener::Tls::Implicit,
    }
}

/// AUTH of a listener.
#[must_use]
pub fn auth(stated: &settings::ListenerSettings) -> listener::Auth {
    match (stated.auth, stated.auth_in_plaintext) {
        (settings::ListenerAuth::Off, _) => listener::Auth::Off,
        (settings::ListenerAuth::Offered, false) => listener::Auth::Offered,
        (settings::ListenerAuth::Offered, true) => listener::Auth::OfferedInPlaintext,
        (settings::ListenerAuth::Required, false) => listener::Auth::Required,
        (settings::ListenerAuth::Required, true) => listener::Auth::RequiredInPlaintext,
    }
}

/// Listener names and roles, for `explain`.
#[must_use]
pub fn role(role: settings::Role) -> crate::categorizer::intake::ListenerRole {
    match role {
        settings::Role::Inbound => crate::categorizer::intake::ListenerRole::Inbound,
        settings::Role::Relay => crate::categorizer::intake::ListenerRole::Relay,
        settings::Role::Submission => crate::categorizer::intake::ListenerRole::Submission,
    }
}
