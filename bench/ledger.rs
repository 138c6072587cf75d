//! Ledger: compares what was promised with what arrived; see `rig/ledger.rs`. Exit 1 when it does not hold.

#[path = "rig/mod.rs"]
mod rig;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use rig::ledger::{Books, Verdict, compare, read_prefix};

#[derive(Parser)]
#[command(about = "Compares the ledger of a source with those of its sinks")]
struct Options {
    #[arg(long)]
    source: PathBuf,
    /// Ignore acknowledgements past this octet of the source's ledger.
    #[arg(long)]
    acked_before: Option<usize>,
    /// A sink's ledger; `FILE@OCTETS` reads only its beginning.
    #[arg(long, required = true)]
    sink: Vec<String>,
    /// `group member…` per line, groups within groups already resolved.
    #[arg(long)]
    members: PathBuf,
    /// Most duplicated pairs, or `any`.
    #[arg(long, default_value = "0")]
    duplicates_max: String,
    /// Fewer acknowledged messages than this prove nothing.
    #[arg(long, default_value_t = 1)]
    acked_min: u64,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match verdict(&options) {
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
        Ok(verdict) => {
            println!("{}", verdict.to_json());
            if !verdict.holds(options.duplicates_max.parse().ok()) {
                return ExitCode::from(1);
            }
            if verdict.acked < options.acked_min {
                eprintln!("too few acknowledged messages to prove anything");
                return ExitCode::from(2);
            }
            ExitCode::SUCCESS
        }
    }
}

fn verdict(options: &Options) -> Result<Verdict, String> {
    if options.duplicates_max != "any" && options.duplicates_max.parse::<u64>().is_err() {
        return Err("--duplicates-max wants a number or `any`".to_owned());
    }
    let source = read_prefix(&options.source, None)?;
    let members = read_prefix(&options.members, None)?;
    let mut sinks = Vec::new();
    for sink in &options.sink {
        let (path, octets) = match sink.rsplit_once('@') {
            Some((path, octets)) => (
                path,
                Some(octets.parse().map_err(|_| format!("{sink}: not FILE@OCTETS"))?),
            ),
            None => (sink.as_str(), None),
        };
        sinks.push(read_prefix(path.as_ref(), octets)?);
    }
    let sinks = sinks.iter().map(String::as_str).collect();
    compare(&Books {
        source: &source,
        acked_before: options.acked_before,
        sinks,
        members: &members,
    })
}
