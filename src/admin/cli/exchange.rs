//! `muster import` and `muster export`: directories from files and to files.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Output;

const IMPORT_EXAMPLES: &str = "\
Files are told by their content: output of ConvertTo-Json, Export-Csv and Export-Clixml (on premises and Exchange
Online), and LDIF of Active Directory, in any encoding. Get-RecipientPermission and Get-ADPermission tell who may send
as whom. A folder stands for all such files in it. No service is asked.

Examples:
  muster import exchange export/ --into directory --dry-run
  muster import exchange groups.json ddg.csv members.csv users.ldf --into directory --yes

Exit codes: 0 everything was carried over; 1 something was not, see the report; 2 a file cannot be read;
4 the folder holds files that no import wrote, or that were changed by hand.";

/// Where a directory comes from.
#[derive(Subcommand, Debug)]
pub(super) enum ImportVerb {
    /// From exports of Exchange and Active Directory.
    #[command(after_help = IMPORT_EXAMPLES)]
    Exchange(ImportArguments),
}

#[derive(Args, Debug)]
pub(super) struct ImportArguments {
    /// Files and folders with exports.
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Folder of the directory source to write.
    #[arg(long, value_name = "DIR")]
    into: PathBuf,
    /// Write nothing; say what would be written.
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Write; without it, say what would be written.
    #[arg(long)]
    yes: bool,
    /// Carry on an import that was interrupted.
    #[arg(long)]
    resume: bool,
    /// Report to write, as HTML; a JSON file of the same name lies beside it. Default: import-DATE.html here.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Name of the source in the settings.
    #[arg(long, value_name = "NAME", default_value = "exchange")]
    source: String,
    /// Most objects in one file.
    #[arg(long, value_name = "COUNT", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..))]
    objects_per_file: u32,
    /// Print every finding.
    #[arg(long)]
    verbose: bool,
}

const EXPORT_EXAMPLES: &str = "\
Every source has a folder of its own in DIR, in the form of a directory source: `kind = \"files\"` reads it back to the
same objects. A second export writes what has changed.

Example:
  muster export backup/directory";

#[derive(Args, Debug)]
#[command(after_help = EXPORT_EXAMPLES)]
pub(super) struct ExportArguments {
    /// Folder to write to.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Most objects in one file.
    #[arg(long, value_name = "COUNT", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..))]
    objects_per_file: u32,
}

/// What `muster export` is to do.
#[derive(Debug, Clone)]
pub struct ExportRequest {
    /// Folder to write to.
    pub folder: PathBuf,
    /// Most objects in one file.
    pub objects_per_file: usize,
    /// How much is printed.
    pub output: Output,
}

impl ExportArguments {
    pub(super) fn request(self, output: Output) -> ExportRequest {
        ExportRequest {
            folder: self.folder,
            objects_per_file: usize::try_from(self.objects_per_file).unwrap_or(usize::MAX),
            output,
        }
    }
}

/// What `muster import exchange` is to do.
#[derive(Debug, Clone)]
pub struct ImportRequest {
    /// Files and folders with exports.
    pub paths: Vec<PathBuf>,
    /// Folder to write.
    pub into: PathBuf,
    /// Whether anything is written.
    pub writes: bool,
    /// Whether an interrupted import is carried on.
    pub resumes: bool,
    /// Where the report goes; `None` is a name with today's date.
    pub report: Option<PathBuf>,
    /// Name of the source.
    pub source: String,
    /// Most objects in one file.
    pub objects_per_file: usize,
    /// Whether every finding is printed.
    pub verbose: bool,
    /// How much is printed.
    pub output: Output,
}

impl ImportVerb {
    pub(super) fn request(self, output: Output) -> ImportRequest {
        let Self::Exchange(arguments) = self;
        ImportRequest {
            paths: arguments.paths,
            into: arguments.into,
            writes: arguments.yes && !arguments.dry_run,
            resumes: arguments.resume,
            report: arguments.report,
            source: arguments.source,
            objects_per_file: usize::try_from(arguments.objects_per_file).unwrap_or(usize::MAX),
            verbose: arguments.verbose,
            output,
        }
    }
}
