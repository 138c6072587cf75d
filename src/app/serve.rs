//! `muster serve`: one process, from settings to an orderly end.

use std::path::Path;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use crate::admin::cli::Exit;
use crate::admin::command::GuardIntent;
use crate::admin::socket::AdminSocket;
use crate::config;
use crate::config::settings::{LogFormat, NextHopTarget, Settings};
use crate::env::Env;
use crate::observe::log;

use super::commands::answering::Commands;
use super::directory;
use super::service::{Service, StartFault, assemble};
use super::stops;

/// How often holds are looked at even if nothing is due.
const HOLD_TICK: std::time::Duration = std::time::Duration::from_secs(30);
/// How often old traces and decided holds are removed.
const PRUNE_TICK: std::time::Duration = std::time::Duration::from_secs(60 * 60);

/// Runs the service until SIGTERM or SIGINT.
pub fn serve(path: &Path) -> Exit {
    let settings = match config::load(path) {
        Ok((settings, findings)) => {
            if !findings.is_empty() {
                eprintln!("{}", findings.render());
            }
            settings
        }
        Err(fault) => {
            match &fault {
                config::LoadError::Findings(_) => eprintln!("{}", rendered(&fault)),
                config::LoadError::Unreadable { .. } => {
                    eprintln!("muster: the settings cannot be read: {fault}\nName them with --config FILE.");
                }
            }
            return Exit::Usage;
        }
    };
    let format = match settings.log.format {
        LogFormat::Text => log::LogFormat::Text,
        LogFormat::Json => log::LogFormat::Json,
    };
    if let Err(fault) = log::start(format, settings.log.level.word()) {
        eprintln!("{fault}");
        return Exit::Usage;
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(fault) => {
            eprintln!("the service cannot start: {fault}");
            return Exit::Unreachable;
        }
    };
    match runtime.block_on(run(path, settings)) {
        Ok(()) => Exit::Yes,
        Err(fault) => {
            eprintln!("muster: the service cannot start: {fault}");
            Exit::Unreachable
        }
    }
}

/// A load error as people read it.
#[must_use]
pub fn rendered(fault: &config::LoadError) -> String {
    match fault {
        config::LoadError::Findings(findings) => findings.render(),
        config::LoadError::Unreadable { .. } => fault.to_string(),
    }
}

async fn run(path: &Path, settings: Settings) -> Result<(), StartFault> {
    let mut terminate = signals(SignalKind::terminate())?;
    let mut interrupt = signals(SignalKind::interrupt())?;
    let mut hangup = signals(SignalKind::hangup())?;
    let control = settings.control_socket.clone();
    let service = assemble(path, settings, Env::system()).await?;
    let socket = AdminSocket::bind(&control)
        .await
        .map_err(|fault| StartFault::File { path: control, fault })?;
    let watches = directory::watches(&service);
    service.open().await?;
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(socket.serve(Arc::new(Commands(Arc::clone(&service)))));
    tasks.spawn(directory::follow(Arc::clone(&service), watches));
    tasks.spawn(directory::tick(Arc::clone(&service)));
    tasks.spawn(directory::keep_images(Arc::clone(&service)));
    tasks.spawn(attend_holds(Arc::clone(&service)));
    tasks.spawn(stops::keep_time(Arc::clone(&service)));
    tasks.spawn(prune(Arc::clone(&service)));
    announce(&service);
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => {
                let reloaded = directory::reload(&service, GuardIntent::Respect).await;
                tracing::info!(applied = reloaded.applied, guard = reloaded.guard, findings = reloaded.findings.len(), "reload by SIGHUP");
            }
        }
    }
    tracing::info!("stopping");
    service.close().await;
    tasks.shutdown().await;
    Ok(())
}

fn signals(kind: SignalKind) -> Result<tokio::signal::unix::Signal, StartFault> {
    signal(kind).map_err(|fault| StartFault::Other(format!("signals cannot be received: {fault}")))
}

/// Tells on standard output where the service listens and, if copies go to directories, how to try it.
fn announce(service: &Service) {
    let listeners = service.listeners.get().map_or(&[][..], Vec::as_slice);
    for listener in listeners {
        let role = listener.role.word();
        println!("listening {} {role} {}", listener.name, listener.address);
        tracing::info!(name = listener.name, role, address = %listener.address, "listening");
    }
    if let Some(page) = service.page.get() {
        println!("page {page}");
        tracing::info!(address = %page, "the moderators' page is open");
    }
    let settings = service.settings.load();
    let drops: Vec<_> = settings
        .next_hops
        .iter()
        .filter_map(|hop| match &hop.target {
            NextHopTarget::DropDirectory(path) => Some((hop.name.to_string(), path)),
            NextHopTarget::Hosts(_) | NextHopTarget::Mx { .. } => None,
        })
        .collect();
    if !drops.is_empty() {
        super::welcome::print(service, listeners, &drops);
    }
    println!("ready");
}

/// Asks moderators, reminds them, lets holds expire: when something is due, when there are new holds, and every now
/// and then for what the directory has lost.
async fn attend_holds(service: Arc<Service>) {
    loop {
        let next = service.categorizer.attend_holds().await;
        let now = service.env.clock.now();
        let wait = next.and_then(|next| std::time::Duration::try_from(next.duration_since(now)).ok());
        let wait = wait
            .unwrap_or(HOLD_TICK)
            .clamp(std::time::Duration::from_millis(100), HOLD_TICK);
        // Either way it looks again.
        let _ = tokio::time::timeout(wait, service.categorizer.holds_noticed()).await;
    }
}

async fn prune(service: Arc<Service>) {
    loop {
        tokio::time::sleep(PRUNE_TICK).await;
        let retention = service.settings.load().tracking_retention;
        let Ok(retention) = jiff::SignedDuration::try_from(retention) else {
            continue;
        };
        let Ok(before) = service.env.clock.now().checked_sub(retention) else {
            continue;
        };
        prune_history(&service).await;
        let traces = Arc::clone(&service.traces);
        match tokio::task::spawn_blocking(move || traces.prune(before)).await {
            Ok(Ok(0)) => {}
            Ok(Ok(events)) => tracing::info!(events, "old tracking events removed"),
            Ok(Err(fault)) => tracing::error!(%fault, "old tracking events could not be removed"),
            Err(fault) => tracing::error!(%fault, "removing old tracking events broke"),
        }
        if let Err(fault) = crate::spool::Spool::forget_holds(&*service.spool, before).await {
            tracing::error!(%fault, "decided holds could not be removed");
        }
    }
}

/// Removes versions of lists, changed values and names of those who are gone that are older than
/// `rolls.history_retention`.
async fn prune_history(service: &Arc<Service>) {
    let (keeper, now) = (Arc::clone(&service.keeper), service.env.clock.now());
    match tokio::task::spawn_blocking(move || keeper.prune(now)).await {
        Ok(Ok(0)) => {}
        Ok(Ok(rows)) => tracing::info!(rows, "old history of lists removed"),
        Ok(Err(fault)) => tracing::error!(%fault, "old history of lists could not be removed"),
        Err(fault) => tracing::error!(%fault, "removing old history of lists broke"),
    }
}
