//! `muster import`: exports from disk become the folder of a directory source.
//!
//! In: paths, a folder. Out: files in the folder, a report as HTML and JSON, a summary. Never: a network, a file that
//! an import did not write.

mod summary;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use serde::Serialize;

use crate::admin::cli::{Exit, ImportRequest, Output};
use crate::admin::render::clean;
use crate::connectors::document::DOCUMENT_OCTETS_MAX;
use crate::connectors::exchange::html;
use crate::connectors::exchange::import::{Imported, InputFile, Progress, import};
use crate::connectors::exchange::report::{Code, Report};
use crate::connectors::files::publish::{self, Difference, Planned, PublishFault, Start};
use crate::connectors::files::write;
use crate::directory::recipient::{RecipientObject, SourceId};

/// Most files of one import.
const FILES_MAX: usize = 20_000;

/// Deepest folder that is looked into.
const FOLDER_DEPTH_MAX: usize = 8;

/// Ends of names that exports have; others in a folder are passed over.
const ENDS: [&str; 7] = ["json", "csv", "xml", "clixml", "ldf", "ldif", "txt"];

/// Why there is no import.
#[derive(Debug, thiserror::Error)]
enum ImportFault {
    #[error("{path}: {fault}")]
    Io { path: PathBuf, fault: io::Error },
    #[error("more than {FILES_MAX} files")]
    TooManyFiles,
    #[error("{path} has {octets} octets; at most {DOCUMENT_OCTETS_MAX} are read")]
    TooLarge { path: PathBuf, octets: u64 },
    #[error("no file of an export is there (.json, .csv, .xml, .ldf)")]
    NoFiles,
    #[error("the source name `{0}` cannot be used: letters, digits, `-` and `_` only")]
    Source(String),
    #[error(transparent)]
    Publish(#[from] PublishFault),
}

impl ImportFault {
    fn exit(&self) -> Exit {
        match self {
            Self::Publish(PublishFault::Foreign(_) | PublishFault::Edited(_)) => Exit::Guard,
            Self::Io { .. }
            | Self::TooManyFiles
            | Self::TooLarge { .. }
            | Self::NoFiles
            | Self::Source(_)
            | Self::Publish(
                PublishFault::Io { .. }
                | PublishFault::Interrupted(_)
                | PublishFault::Running(_)
                | PublishFault::Damaged(..),
            ) => Exit::Usage,
        }
    }
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> ImportFault + '_ {
    move |fault| ImportFault::Io {
        path: path.to_owned(),
        fault,
    }
}

/// What changes in the folder, object by object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
struct Changes {
    /// Objects that are not there yet.
    new: u64,
    /// Objects that are different.
    changed: u64,
    /// Objects that are there and were not read.
    gone: u64,
    /// Files that are written or removed.
    files: Difference,
    /// Whether they were written.
    written: bool,
    /// Where.
    into: PathBuf,
}

/// Runs an import.
pub fn run(request: &ImportRequest, now: Timestamp, out: &mut dyn Write, err: &mut dyn Write) -> Exit {
    match whole(request, now, out) {
        Ok(exit) => exit,
        Err(fault) => {
            let exit = fault.exit();
            if request.output == Output::Json {
                let kind = if exit == Exit::Guard { "guard" } else { "usage" };
                let complaint = serde_json::json!({"refusal": {"kind": kind, "message": fault.to_string()}});
                let _ = writeln!(out, "{complaint:#}");
            } else {
                let _ = writeln!(err, "muster: {}", clean(&fault.to_string()));
            }
            exit
        }
    }
}

fn whole(request: &ImportRequest, now: Timestamp, out: &mut dyn Write) -> Result<Exit, ImportFault> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if request.source.is_empty() || !request.source.chars().all(is_plain) {
        return Err(ImportFault::Source(request.source.clone()));
    }
    let files = read(&request.paths)?;
    let progress = Bars::new(request.output);
    let Imported { objects, mut report } = import(&files, &SourceId::new(request.source.as_str()), now, &progress);
    progress.finish();
    report.settings = settings(request, &report);
    let start = if request.resumes { Start::Resume } else { Start::Afresh };
    let planned = planned(&objects, request.objects_per_file);
    let mut changes = Changes {
        into: request.into.clone(),
        ..Changes::default()
    };
    let refused = report.is_refused();
    if !refused {
        compare(request, &planned, &objects, start, &mut changes)?;
        if request.writes {
            progress.stage(
                "writing",
                (changes.files.new.len() + changes.files.changed.len()) as u64,
            );
            publish::publish(&request.into, &planned, start, &mut |_| progress.advance(1))?;
            progress.finish();
            changes.written = true;
        }
    }
    let report_path = request
        .report
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("import-{}.html", now.strftime("%Y-%m-%d"))));
    write_report(&report_path, &report, &changes, now)?;
    match request.output {
        Output::Quiet => {}
        Output::Json => {
            let document = serde_json::json!({
                "report": report, "changes": changes, "report_path": report_path,
            });
            let _ = writeln!(out, "{document:#}");
        }
        Output::Text => {
            let text = summary::text(&report, &changes, &report_path, request);
            let _ = out.write_all(text.as_bytes());
        }
    }
    Ok(match (refused, report.has_problems()) {
        (true, _) => Exit::Usage,
        (false, true) => Exit::No,
        (false, false) => Exit::Yes,
    })
}

/// Reads files, and the exports in folders, in the order of names.
fn read(paths: &[PathBuf]) -> Result<Vec<InputFile>, ImportFault> {
    let mut found = Vec::new();
    for path in paths {
        let facts = fs::metadata(path).map_err(io_at(path))?;
        if facts.is_dir() {
            walk(path, 0, &mut found)?;
        } else {
            found.push(path.clone());
        }
    }
    found.dedup();
    if found.is_empty() {
        return Err(ImportFault::NoFiles);
    }
    let mut files = Vec::with_capacity(found.len());
    for path in found {
        let octets = fs::metadata(&path).map_err(io_at(&path))?.len();
        if octets > DOCUMENT_OCTETS_MAX {
            return Err(ImportFault::TooLarge { path, octets });
        }
        files.push(InputFile {
            name: path.display().to_string(),
            octets: fs::read(&path).map_err(io_at(&path))?,
        });
    }
    Ok(files)
}

fn walk(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), ImportFault> {
    let mut entries: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).map_err(io_at(folder))? {
        entries.push(entry.map_err(io_at(folder))?.path());
    }
    entries.sort();
    for path in entries {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            if depth < FOLDER_DEPTH_MAX {
                walk(&path, depth + 1, found)?;
            }
            continue;
        }
        let end = path
            .extension()
            .map(|end| end.to_string_lossy().to_lowercase())
            .unwrap_or_default();
        if ENDS.contains(&end.as_str()) {
            found.push(path);
        }
        if found.len() > FILES_MAX {
            return Err(ImportFault::TooManyFiles);
        }
    }
    Ok(())
}

/// The folder's files: recipients, groups with lists, groups with rules, so many objects each.
pub fn planned(objects: &[RecipientObject], objects_per_file: usize) -> Planned {
    type Fits = fn(&RecipientObject) -> bool;
    let kinds: [(&str, Fits); 3] = [
        ("recipients", |object| !object.kind.is_group()),
        ("groups", |object| object.kind.is_group() && !object.kind.is_dynamic()),
        ("dynamic-groups", |object| object.kind.is_dynamic()),
    ];
    let mut planned = Planned::new();
    for (name, fits) in kinds {
        let of_kind: Vec<&RecipientObject> = objects.iter().filter(|object| fits(object)).collect();
        for (index, part) in of_kind.chunks(objects_per_file.max(1)).enumerate() {
            let text = write::text(part.iter().copied());
            planned.insert(format!("{name}-{:04}.json", index + 1), text.into_bytes());
        }
    }
    planned
}

fn compare(
    request: &ImportRequest,
    planned: &Planned,
    objects: &[RecipientObject],
    start: Start,
    changes: &mut Changes,
) -> Result<(), ImportFault> {
    changes.files = publish::compare(&request.into, planned, start)?;
    let earlier = by_id(&publish::earlier(&request.into)?);
    let now = by_id(planned);
    for object in objects {
        match earlier.get(object.id.as_str()) {
            None => changes.new += 1,
            Some(before) if Some(before) != now.get(object.id.as_str()) => changes.changed += 1,
            Some(_) => {}
        }
    }
    changes.gone = earlier.keys().filter(|id| !now.contains_key(*id)).count() as u64;
    Ok(())
}

/// Objects of files by id; what cannot be read is not there.
fn by_id(files: &Planned) -> BTreeMap<String, serde_json::Value> {
    let lists = files
        .values()
        .filter_map(|octets| serde_json::from_slice::<Vec<serde_json::Value>>(octets).ok());
    lists
        .flatten()
        .filter_map(|object| Some((object.get("id")?.as_str()?.to_owned(), object)))
        .collect()
}

fn settings(request: &ImportRequest, report: &Report) -> String {
    let mut text = format!(
        "[[sources]]\nname = \"{}\"\nkind = \"files\"\npath = {}\n",
        request.source,
        serde_json::Value::String(request.into.display().to_string())
    );
    let widened = report
        .dynamic_groups
        .iter()
        .filter(|group| group.members_with_remote.is_some())
        .count();
    if widened > 0 {
        text.push_str(&format!(
            "# {widened} groups would lose mailboxes that moved to the cloud; with this they keep them:\n\
             remote_mailboxes_match_user_mailbox = true\n"
        ));
    }
    text
}

fn write_report(path: &Path, report: &Report, changes: &Changes, now: Timestamp) -> Result<(), ImportFault> {
    let about = format!(
        "{now}: {} new, {} changed, {} gone in {}{}",
        changes.new,
        changes.changed,
        changes.gone,
        changes.into.display(),
        if changes.written { "" } else { "; nothing was written" }
    );
    let page = html::page(report, "Import from Exchange", &about);
    fs::write(path, page).map_err(io_at(path))?;
    let beside = path.with_extension("json");
    let document = serde_json::json!({"report": report, "changes": changes});
    fs::write(&beside, format!("{document:#}\n")).map_err(io_at(&beside))
}

/// Progress on standard error: bars on a terminal, nothing elsewhere.
struct Bars(Option<ProgressBar>);

impl Bars {
    fn new(output: Output) -> Self {
        let shows = output == Output::Text && io::stderr().is_terminal();
        Self(shows.then(|| {
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{msg:16} [{bar:40}] {human_pos}/{human_len}");
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        }))
    }

    fn finish(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

impl Progress for Bars {
    fn stage(&self, what: &str, steps: u64) {
        if let Some(bar) = &self.0 {
            bar.reset();
            bar.set_message(what.to_owned());
            bar.set_length(steps);
        }
    }

    fn advance(&self, steps: u64) {
        if let Some(bar) = &self.0 {
            bar.inc(steps);
        }
    }
}

/// Findings of one code with the words of the first, for the summary.
fn grouped(report: &Report) -> Vec<(Code, usize)> {
    let mut counts: BTreeMap<Code, usize> = BTreeMap::new();
    for finding in &report.findings {
        *counts.entry(finding.code).or_insert(0) += 1;
    }
    let mut counts: Vec<(Code, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(code, _)| (code.severity(), *code));
    counts
}
