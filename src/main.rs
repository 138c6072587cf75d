//! The `muster` program.

use std::process::ExitCode;

/// A message is allocated on one thread and freed on another; here that costs no lock.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    muster::app::memory::bound();
    muster::admin::cli::run(std::env::args_os(), &muster::app::local::Program)
}
