//! `muster demo`: the main job on real input, in a temporary directory, told as a table.
//!
//! In: the example organisation that ships with muster. Out: what became of five messages; the exit code is 0
//! only if every expectation held.
//! Never: leaves anything behind, or talks to anything but loopback.

mod organisation;
mod scene;
mod sink;
mod submit;
mod table;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::admin::cli::{Exit, Output};
use crate::config;
use crate::env::Env;

use super::commands::answering::Commands;
use super::service::{Service, assemble};
use scene::{Outcome, Stage};
use sink::Sink;

/// Longest wait for copies to arrive.
const ARRIVAL_MAX: Duration = Duration::from_secs(20);

/// Runs the demonstration.
pub fn run(output: Output) -> Exit {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(fault) => return failed(&fault.to_string()),
    };
    match runtime.block_on(play(output)) {
        Ok(true) => Exit::Yes,
        Ok(false) => Exit::No,
        Err(fault) => failed(&fault),
    }
}

fn failed(fault: &str) -> Exit {
    eprintln!("the demo could not run: {fault}");
    Exit::Unreachable
}

async fn play(output: Output) -> Result<bool, String> {
    let folder = tempfile::Builder::new()
        .prefix("muster-demo-")
        .tempdir()
        .map_err(|fault| format!("no temporary directory: {fault}"))?;
    let env = Env::system();
    let sinks = [Sink::start("cloud", &env)?, Sink::start("onprem", &env)?];
    let service = start(folder.path(), &sinks, &env).await?;
    let stage = Stage::of(&service, &sinks)?;
    if output == Output::Text {
        table::introduce(&service, &stage);
    }
    let mut outcomes = Vec::new();
    for scene in scene::SCENES {
        outcomes.push(scene::play(&stage, scene).await?);
    }
    outcomes.push(scene::approve(&stage).await?);
    let held = outcomes.iter().all(Outcome::held);
    match output {
        Output::Text => table::print(&outcomes),
        Output::Json => println!(
            "{}",
            serde_json::to_string_pretty(&outcomes).map_err(|fault| fault.to_string())?
        ),
        Output::Quiet => {}
    }
    service.close().await;
    Ok(held)
}

async fn start(folder: &Path, sinks: &[Sink; 2], env: &Env) -> Result<Arc<Service>, String> {
    let organisation_folder = folder.join("organisation");
    organisation::write(&organisation_folder).map_err(|fault| format!("the example cannot be written: {fault}"))?;
    let path = folder.join("demo.toml");
    std::fs::write(&path, organisation::settings(sinks))
        .map_err(|fault| format!("settings cannot be written: {fault}"))?;
    let (settings, _) = config::load(&path).map_err(|fault| super::serve::rendered(&fault))?;
    let service = assemble(&path, settings, env.clone())
        .await
        .map_err(|fault| fault.to_string())?;
    service.open().await.map_err(|fault| fault.to_string())?;
    Ok(service)
}

/// The service's commands, as the local socket would ask them.
fn commands(service: &Arc<Service>) -> Commands {
    Commands(Arc::clone(service))
}
