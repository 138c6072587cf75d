//! The `muster` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    muster::admin::cli::run(std::env::args_os(), &muster::app::local::Program)
}
