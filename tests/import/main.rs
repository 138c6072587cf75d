//! `muster import` from the outside: the real program on real files.

mod interrupted;
mod sample;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A path of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The program with arguments, its report in a folder of its own.
pub fn import_command(paths: &[PathBuf], into: &Path, reports: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    command
        .arg("import")
        .arg("exchange")
        .args(paths)
        .arg("--into")
        .arg(into);
    command.arg("--report").arg(reports.join("report.html")).args(more);
    command
}

/// Runs it to the end.
pub fn run_import(paths: &[PathBuf], into: &Path, reports: &Path, more: &[&str]) -> Output {
    import_command(paths, into, reports, more)
        .output()
        .expect("the program runs")
}

/// What it printed.
pub fn printed(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
