//! The `muster` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    muster::app::memory::bound_arenas();
    muster::admin::cli::run(std::env::args_os(), &muster::app::local::Program)
}
