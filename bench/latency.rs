//! Latency: from a message's final dot at the source to its last copy at the sink, both ledgers joined by its token.
//!
//! In: the ledgers of a source and of the sink it ends in; beside it, that of another source whose messages are on
//! their way at the same time. Out: percentiles as JSON; with another source only of messages whose dot was sent
//! between the dot and the last copy of one of its messages. Exit 1 if those are too few to say anything.

#[path = "rig/mod.rs"]
mod rig;

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use rig::clock::percentile;
use rig::ledger::read_prefix;
use serde_json::json;

#[derive(Parser)]
#[command(about = "Percentiles of the time from the final dot at a source to the last copy at a sink")]
struct Options {
    #[arg(long)]
    source: PathBuf,
    #[arg(long)]
    sink: PathBuf,
    /// Ledger of a source; only what was sent while its messages were on their way counts.
    #[arg(long)]
    beside: Option<PathBuf>,
    /// Fewer messages than this prove nothing.
    #[arg(long, default_value_t = 1)]
    least: usize,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match samples(&options) {
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
        Ok(mut samples) => {
            let report = json!({
                "count": samples.len(), "p50_micros": percentile(&mut samples, 50.0),
                "p99_micros": percentile(&mut samples, 99.0), "max_micros": percentile(&mut samples, 100.0),
            });
            println!("{report}");
            if samples.len() < options.least {
                eprintln!("{} messages counted, {} are needed", samples.len(), options.least);
                return ExitCode::from(1);
            }
            ExitCode::SUCCESS
        }
    }
}

fn samples(options: &Options) -> Result<Vec<u32>, String> {
    let sink = read_prefix(&options.sink, None)?;
    let arrived = last_copies(&sink)?;
    let source = read_prefix(&options.source, None)?;
    let journeys = journeys(&source, &arrived)?;
    let beside = match &options.beside {
        Some(path) => Some(self::journeys(&read_prefix(path, None)?, &arrived)?),
        None => None,
    };
    let counts = |dot: u64| {
        beside
            .as_ref()
            .is_none_or(|others| others.iter().any(|(from, to)| (*from..*to).contains(&dot)))
    };
    let counted = journeys.iter().filter(|(dot, _)| counts(*dot));
    Ok(counted
        .map(|(dot, last)| u32::try_from(last.saturating_sub(*dot)).unwrap_or(u32::MAX))
        .collect())
}

/// When the dot of each acknowledged message was sent, and when its last copy arrived.
fn journeys(source: &str, arrived: &HashMap<&str, u64>) -> Result<Vec<(u64, u64)>, String> {
    let mut journeys = Vec::new();
    for line in source.lines() {
        let mut words = line.split(' ');
        if words.next() != Some("acked") {
            continue;
        }
        let token = words.next().unwrap_or_default();
        let dot = words.next().and_then(|micros| micros.parse().ok());
        let dot = dot.ok_or_else(|| format!("source ledger: no time in {line:?}"))?;
        let last = arrived
            .get(token)
            .ok_or_else(|| format!("{token} did not arrive at this sink"))?;
        journeys.push((dot, *last));
    }
    Ok(journeys)
}

fn last_copies(sink: &str) -> Result<HashMap<&str, u64>, String> {
    let mut last: HashMap<&str, u64> = HashMap::new();
    for line in sink.lines() {
        let words: Vec<&str> = line.splitn(6, ' ').collect();
        let [_, micros, _, _, token, _] = words[..] else {
            return Err("sink ledger: short line".to_owned());
        };
        let micros: u64 = micros
            .parse()
            .map_err(|_| format!("sink ledger: {micros} is no time"))?;
        let latest = last.entry(token).or_default();
        *latest = micros.max(*latest);
    }
    Ok(last)
}
