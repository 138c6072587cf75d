//! Sources of the directory while the service runs: loaded at start, watched, reloaded on command.

use std::sync::Arc;
use std::time::Duration;

use crate::admin::answer::{Finding, Reloaded, Severity};
use crate::admin::command::GuardIntent;
use crate::config;
use crate::config::settings::{Settings, SourceSettings};
use crate::connectors::files::watch::Watch;
use crate::connectors::files::{self, FileFault, Loaded, Snapshot};
use crate::connectors::sync::{Acceptance, Applied, Changed, KeeperSettings, Ticked};
use crate::directory::SourceId;

use super::changes;
use super::service::Service;
use super::wiring;

/// How often the clock is asked which rolls are due.
const TICK: Duration = Duration::from_secs(60);

/// How long after a failure the next image is tried: a full disk is not asked again every minute.
const IMAGE_RETRY: Duration = Duration::from_secs(60 * 60);

/// Shortest wait between two turns of the clock; a pin that was set meanwhile waits no longer than this.
const TICK_MIN: Duration = Duration::from_millis(100);

/// Loads every source once, at start. Faults are logged; what is stored serves on.
pub async fn load_all(service: &Arc<Service>) {
    let settings = service.settings.load_full();
    for source in &settings.sources {
        refresh(service, source, Acceptance::Guarded).await.log(source);
    }
}

/// What became of one source.
enum Refreshed {
    Applied(Applied, Vec<FileFault>),
    Faulty(Vec<FileFault>),
    Broken(String),
}

impl Refreshed {
    fn log(self, source: &SourceSettings) {
        match self {
            Self::Applied(Applied::Unchanged, _) => {}
            Self::Applied(Applied::Changed(changed), notices) => {
                for notice in notices {
                    tracing::warn!(source = %source.name, %notice, "directory file");
                }
                for finding in &changed.findings {
                    tracing::warn!(source = %source.name, %finding, "directory");
                }
                for (group, fault) in &changed.failed {
                    tracing::warn!(group, fault, "a filter cannot be evaluated; the last good list serves");
                }
                for (group, limit) in &changed.held {
                    tracing::error!(
                        group,
                        limit,
                        "held by the guard; the old list serves until `muster guard accept`"
                    );
                }
            }
            Self::Applied(Applied::Held(loss), _) => {
                tracing::error!(source = %source.name, %loss, "held by the guard; the old directory serves until `muster reload --accept`");
            }
            Self::Faulty(faults) => {
                for fault in faults {
                    tracing::error!(source = %source.name, %fault, "directory file; the last good directory serves");
                }
            }
            Self::Broken(fault) => tracing::error!(source = %source.name, fault, "the directory could not be changed"),
        }
    }
}

/// Takes up what a source says; files that are known already are not taken apart again.
async fn refresh(service: &Arc<Service>, source: &SourceSettings, acceptance: Acceptance) -> Refreshed {
    let (keeper, id) = (Arc::clone(&service.keeper), SourceId::new(source.name.as_str()));
    let asked = source.clone();
    let known = move |digest: &str| keeper.knows(&id, &stamp(&asked, digest));
    match read(source, known).await {
        Ok(Loaded::New(snapshot)) => apply(service, source, *snapshot, acceptance).await,
        Ok(Loaded::Same) => {
            let now = service.env.clock.now();
            service.keeper.heard(&SourceId::new(source.name.as_str()), now);
            Refreshed::Applied(Applied::Unchanged, Vec::new())
        }
        Err(Unread::Faults(faults)) => Refreshed::Faulty(faults),
        Err(Unread::Broken(fault)) => Refreshed::Broken(fault),
    }
}

enum Unread {
    Faults(Vec<FileFault>),
    Broken(String),
}

/// What tells one load from another: the files, and the settings that change what is made of them.
fn stamp(source: &SourceSettings, digest: &str) -> String {
    let remote = if source.remote_mailboxes_match_user_mailbox {
        "+remote"
    } else {
        ""
    };
    format!("{digest}{remote}")
}

async fn read(source: &SourceSettings, known: impl Fn(&str) -> bool + Send + 'static) -> Result<Loaded, Unread> {
    let (path, id) = (source.path.clone(), SourceId::new(source.name.as_str()));
    match tokio::task::spawn_blocking(move || files::load_unless(&path, &id, &known)).await {
        Ok(Ok(Loaded::New(snapshot))) if source.remote_mailboxes_match_user_mailbox => Ok(Loaded::New(Box::new(
            snapshot.with_remote_mailboxes_as_user_mailboxes(),
        ))),
        Ok(Ok(loaded)) => Ok(loaded),
        Ok(Err(faults)) => Err(Unread::Faults(faults)),
        Err(fault) => Err(Unread::Broken(fault.to_string())),
    }
}

async fn apply(
    service: &Arc<Service>,
    source: &SourceSettings,
    snapshot: Snapshot,
    acceptance: Acceptance,
) -> Refreshed {
    let (keeper, now) = (Arc::clone(&service.keeper), service.env.clock.now());
    let id = SourceId::new(source.name.as_str());
    let Snapshot {
        notices,
        objects,
        digest,
        ..
    } = snapshot;
    let stamp = stamp(source, &digest);
    let applied = tokio::task::spawn_blocking(move || {
        let applied = keeper.apply(&id, objects, Some(&stamp), acceptance, now);
        super::memory::give_back();
        applied
    });
    match applied.await {
        Ok(Ok(applied)) => Refreshed::Applied(applied, notices),
        Ok(Err(fault)) => Refreshed::Broken(fault.to_string()),
        Err(fault) => Refreshed::Broken(fault.to_string()),
    }
}

/// Watches on every source that asks for one. Begin them before the first load: then no change falls between.
#[must_use]
pub fn watches(service: &Service) -> Vec<(SourceSettings, Watch)> {
    let settings = service.settings.load_full();
    let watched = settings.sources.iter().filter(|source| source.watch);
    watched
        .map(|source| (source.clone(), Watch::start(&source.path, source.poll_interval)))
        .collect()
}

/// Refreshes a source whenever its watch tells of a change, until dropped.
pub async fn follow(service: Arc<Service>, watches: Vec<(SourceSettings, Watch)>) {
    let mut tasks = tokio::task::JoinSet::new();
    for (source, mut watch) in watches {
        let service = Arc::clone(&service);
        tasks.spawn(async move {
            while watch.changed().await.is_some() {
                let _one_at_a_time = service.reloading.lock().await;
                refresh(&service, &source, Acceptance::Guarded).await.log(&source);
            }
        });
    }
    while tasks.join_next().await.is_some() {}
}

/// Does what the clock asks for: pins that end, rules that ask for the date, intervals, verification; until dropped.
pub async fn tick(service: Arc<Service>) {
    // A directory that never rests puts off no turn of the clock.
    let mut latest = service.env.clock.monotonic() + TICK;
    loop {
        tokio::select! {
            () = tokio::time::sleep(until_next(&service, latest)) => {}
            () = service.keeper.turned() => continue,
        }
        latest = service.env.clock.monotonic() + TICK;
        let (keeper, now) = (Arc::clone(&service.keeper), service.env.clock.now());
        match tokio::task::spawn_blocking(move || keeper.tick(now)).await {
            Ok(Ok(ticked)) if ticked == Ticked::default() => {}
            Ok(Ok(ticked)) => tracing::info!(
                alarms = ticked.alarms,
                computed = ticked.computed,
                changed = ticked.changed,
                differences = ticked.differences,
                "lists followed the clock"
            ),
            Ok(Err(fault)) => tracing::error!(%fault, "lists could not be kept"),
            Err(fault) => tracing::error!(%fault, "computing lists again broke"),
        }
    }
}

/// Has the store keep an image of a large directory, for the next start; until dropped.
pub async fn keep_images(service: Arc<Service>) {
    let mut wait = TICK;
    loop {
        tokio::time::sleep(wait).await;
        let keeper = Arc::clone(&service.keeper);
        let kept = tokio::task::spawn_blocking(move || keeper.keep_image()).await;
        wait = match kept {
            Ok(Ok(())) => TICK,
            Ok(Err(fault)) => {
                tracing::warn!(%fault, "no image of the directory is kept; the next start is slower");
                IMAGE_RETRY
            }
            Err(fault) => {
                tracing::error!(%fault, "keeping an image of the directory broke");
                IMAGE_RETRY
            }
        };
    }
}

/// Until the next instant at which a list changes by time alone, at most until the latest.
fn until_next(service: &Service, latest: Duration) -> Duration {
    let now = service.env.clock.now();
    let rest = latest.saturating_sub(service.env.clock.monotonic());
    let next = service.keeper.next_instant().map(|next| next.duration_since(now));
    next.map_or(rest, |wait| {
        let wait = Duration::try_from(wait).unwrap_or(Duration::ZERO);
        wait.max(TICK_MIN).min(rest)
    })
}

/// `muster reload`: settings and directory, all or nothing.
pub async fn reload(service: &Arc<Service>, guard: GuardIntent) -> Reloaded {
    let _one_at_a_time = service.reloading.lock().await;
    let mut reloaded = Reloaded::default();
    let before = service.settings.load_full();
    let settings = match config::load(&service.settings_path) {
        Ok((settings, findings)) => {
            reloaded.findings.extend(findings_of(&findings));
            settings
        }
        Err(config::LoadError::Findings(findings)) => {
            reloaded.findings.extend(findings_of(&findings));
            return reloaded;
        }
        Err(fault @ config::LoadError::Unreadable { .. }) => {
            reloaded.findings.push(plain(Severity::Error, fault.to_string()));
            return reloaded;
        }
    };
    let returns = wiring::returns(&settings, &service.return_key);
    let routes = match wiring::routes(&settings, returns.as_ref()) {
        Ok(routes) => Arc::new(routes),
        Err(fault) => {
            reloaded
                .findings
                .push(plain(Severity::Error, format!("routing: {fault}")));
            return reloaded;
        }
    };
    let Some(snapshots) = read_all(&before, &mut reloaded).await else {
        return reloaded;
    };
    reloaded.changes = changes::changes(&before, &settings);
    let acceptance = match guard {
        GuardIntent::Respect => Acceptance::Guarded,
        GuardIntent::Accept => Acceptance::Accepted,
    };
    reloaded.applied = true;
    for (source, snapshot) in snapshots {
        let refreshed = apply(service, &source, snapshot, acceptance).await;
        note(refreshed, &source, &mut reloaded);
    }
    if reloaded.applied {
        service.keeper.reconfigure(KeeperSettings {
            sources: wiring::sources(&before),
            ..wiring::keeper(&settings)
        });
        let authenticity = service.authenticity.with_time_limit(settings.authenticity.time_limit);
        service.categorizer.reconfigure(wiring::organisation(
            &settings,
            &routes,
            &authenticity,
            returns,
            &service.env.clock,
        ));
        for fault in service.guards.reread() {
            reloaded.findings.push(plain(Severity::Warning, fault));
        }
        service.routes.store(Arc::clone(&routes));
        service.delivery.set_routes(routes);
        service.settings.store(Arc::new(Settings {
            // What takes effect at the next start only.
            listeners: before.listeners.clone(),
            certificates: before.certificates.clone(),
            client_authorities_file: before.client_authorities_file.clone(),
            accounts: before.accounts.clone(),
            data_dir: before.data_dir.clone(),
            control_socket: before.control_socket.clone(),
            sources: before.sources.clone(),
            dns: before.dns.clone(),
            ..settings
        }));
    }
    reloaded.generation = Some(service.keeper.view().directory.number());
    reloaded
}

/// Snapshots of all sources, or none if one has a fault.
async fn read_all(settings: &Settings, reloaded: &mut Reloaded) -> Option<Vec<(SourceSettings, Snapshot)>> {
    let mut snapshots = Vec::new();
    let mut whole = true;
    for source in &settings.sources {
        match read(source, |_| false).await {
            Ok(Loaded::Same) => {}
            Ok(Loaded::New(snapshot)) => {
                let notices = snapshot.notices.iter();
                reloaded
                    .findings
                    .extend(notices.map(|notice| file_finding(source, notice, Severity::Warning)));
                snapshots.push((source.clone(), *snapshot));
            }
            Err(Unread::Faults(faults)) => {
                let faults = faults.iter();
                reloaded
                    .findings
                    .extend(faults.map(|fault| file_finding(source, fault, Severity::Error)));
                whole = false;
            }
            Err(Unread::Broken(fault)) => {
                reloaded.findings.push(plain(Severity::Error, fault));
                whole = false;
            }
        }
    }
    whole.then_some(snapshots)
}

fn note(refreshed: Refreshed, source: &SourceSettings, reloaded: &mut Reloaded) {
    match refreshed {
        Refreshed::Applied(Applied::Unchanged, _) => {}
        Refreshed::Applied(Applied::Changed(changed), _) => {
            reloaded.changes.push(summary(source, &changed));
            let findings = changed
                .findings
                .iter()
                .map(|finding| plain(Severity::Warning, finding.to_string()));
            reloaded.findings.extend(findings);
            for (group, fault) in &changed.failed {
                reloaded
                    .findings
                    .push(plain(Severity::Warning, format!("{group}: {fault}")));
            }
            for (group, limit) in &changed.held {
                let text = format!("{group}: held by the guard: {limit}; see `muster guard show {group}`");
                reloaded.findings.push(plain(Severity::Warning, text));
            }
        }
        Refreshed::Applied(Applied::Held(loss), _) => {
            reloaded.guard = Some(format!("{}: {loss}", source.name));
            reloaded.applied = false;
        }
        Refreshed::Faulty(faults) => {
            let faults = faults.iter().map(|fault| file_finding(source, fault, Severity::Error));
            reloaded.findings.extend(faults);
            reloaded.applied = false;
        }
        Refreshed::Broken(fault) => {
            reloaded.findings.push(plain(Severity::Error, fault));
            reloaded.applied = false;
        }
    }
}

fn summary(source: &SourceSettings, changed: &Changed) -> String {
    format!(
        "{}: {} objects new or changed, {} gone, {} lists with a new version",
        source.name, changed.upserts, changed.removals, changed.rolls
    )
}

/// A finding about a directory file.
#[must_use]
pub fn file_finding(source: &SourceSettings, fault: &FileFault, severity: Severity) -> Finding {
    Finding {
        severity,
        file: Some(source.path.join(&fault.file).display().to_string()),
        line: u32::try_from(fault.line).ok().filter(|line| *line > 0),
        column: u32::try_from(fault.column).ok().filter(|column| *column > 0),
        message: fault.message.clone(),
        suggestion: meant(fault.suggestion.as_deref()),
    }
}

/// Findings of a settings file.
#[must_use]
pub fn findings_of(findings: &config::finding::Findings) -> Vec<Finding> {
    let one = |finding: &config::finding::Finding| Finding {
        severity: match finding.severity {
            config::finding::Severity::Error => Severity::Error,
            config::finding::Severity::Warning => Severity::Warning,
        },
        file: Some(findings.file.display().to_string()),
        line: u32::try_from(finding.line).ok(),
        column: u32::try_from(finding.column).ok(),
        message: finding.message.clone(),
        suggestion: meant(finding.suggestion.as_deref()),
    };
    findings.findings.iter().map(one).collect()
}

/// What was probably meant, as people read it.
fn meant(suggestion: Option<&str>) -> Option<String> {
    suggestion.map(|meant| format!("did you mean {meant}?"))
}

/// A finding without a place.
#[must_use]
pub fn plain(severity: Severity, message: String) -> Finding {
    Finding {
        severity,
        file: None,
        line: None,
        column: None,
        message,
        suggestion: None,
    }
}
