//! Synctrace: judges a system-call trace; see `rig/synctrace.rs`. Exit 1 when a 250 was not covered.

#[path = "rig/mod.rs"]
mod rig;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(about = "Proves from a strace that every 250 after a dot follows the syncs that cover it")]
struct Options {
    /// What strace wrote.
    trace: PathBuf,
    /// The folder whose files are the store, as an absolute path without links.
    #[arg(long)]
    store: String,
    /// The log of the mail database, inside the store.
    #[arg(long, default_value = "mail.db-wal")]
    log: String,
    /// Fewer covered replies than this prove nothing.
    #[arg(long, default_value_t = 1)]
    replies_min: u64,
    /// Require messages in the log only, in shared files and in files of their own: at least one each.
    #[arg(long)]
    all_kinds: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let trace = match std::fs::read(&options.trace) {
        Ok(octets) => String::from_utf8_lossy(&octets).into_owned(),
        Err(error) => {
            eprintln!("{}: {error}", options.trace.display());
            return ExitCode::from(2);
        }
    };
    let findings = rig::synctrace::check(&trace, &options.store, &options.log);
    println!("{}", findings.to_json());
    let kinds = [findings.in_log_only, findings.in_shared_file, findings.in_own_file];
    if findings.violations > 0 {
        return ExitCode::from(1);
    }
    if findings.covered < options.replies_min || (options.all_kinds && kinds.contains(&0)) {
        eprintln!("the trace shows too little to prove anything");
        return ExitCode::from(2);
    }
    ExitCode::SUCCESS
}
