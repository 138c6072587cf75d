//! Files and folders of logs, line by line.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::event::{ColumnMissing, Columns};
use super::message::{Gathered, TooMuch};
use crate::rolls::compare::Observed;

/// Longest line read, in octets: one of a group of a hundred thousand people has about 4 MiB.
const LINE_OCTETS_MAX: u64 = 64 * 1024 * 1024;

/// Lines that could not be read are named up to here and counted beyond.
const FAULTS_MAX: usize = 20;

/// Most files of a folder.
const FILES_MAX: usize = 100_000;

/// What a log says.
#[derive(Debug)]
pub struct TrackingLog {
    /// Its expansions.
    pub observed: Observed,
    /// Files read.
    pub files: usize,
    /// Lines read, headers left out.
    pub lines: u64,
    /// Lines that could not be used; the first ones.
    pub faults: Vec<LineFault>,
    /// All of them.
    pub faults_count: u64,
}

/// A line or a file that could not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {what}")]
pub struct LineFault {
    /// Name of the file.
    pub file: String,
    /// Line from 1.
    pub line: u64,
    /// What is wrong.
    pub what: String,
}

/// Why there is nothing to compare.
#[derive(Debug, thiserror::Error)]
pub enum TrackingFault {
    /// The file system.
    #[error("{path}: {fault}", path = .path.display())]
    File {
        /// Which file or folder.
        path: PathBuf,
        /// What the system says.
        fault: io::Error,
    },
    /// A folder without logs.
    #[error("{path}: no file with the ending .log", path = .0.display())]
    Nothing(PathBuf),
    /// A folder with too many.
    #[error("{path}: more than {FILES_MAX} files", path = .0.display())]
    Files(PathBuf),
    /// None of the files is a message tracking log.
    #[error(
        "{path}: this is no message tracking log: no line begins with #Fields: (the output of Get-MessageTrackingLog \
         is none; copy the MSGTRK*.LOG files themselves)",
        path = .0.display()
    )]
    NoLog(PathBuf),
    /// A log of something else, or of a version we do not know.
    #[error("{path}: {fault}", path = .path.display())]
    Columns {
        /// Which file.
        path: PathBuf,
        /// Which column.
        fault: ColumnMissing,
    },
    /// Too much at once.
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
}

/// Reads a file, or every `.log` of a folder; events before `since` are left out. Blocks.
pub fn read(path: &Path, since: Option<Timestamp>) -> Result<TrackingLog, TrackingFault> {
    let mut reading = Reading {
        since,
        gathered: Gathered::default(),
        headers: 0,
        lines: 0,
        faults: Vec::new(),
        faults_count: 0,
    };
    let files = files(path)?;
    for file in &files {
        reading.file(file)?;
    }
    if reading.headers == 0 {
        return Err(TrackingFault::NoLog(path.to_owned()));
    }
    Ok(TrackingLog {
        observed: reading.gathered.finish(),
        files: files.len(),
        lines: reading.lines,
        faults: reading.faults,
        faults_count: reading.faults_count,
    })
}

/// The file itself, or the logs of a folder by name; folders in it are left alone.
fn files(path: &Path) -> Result<Vec<PathBuf>, TrackingFault> {
    let fault = |fault| TrackingFault::File {
        path: path.to_owned(),
        fault,
    };
    if !fs::metadata(path).map_err(fault)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(fault)? {
        let entry = entry.map_err(fault)?.path();
        let is_log = entry
            .extension()
            .is_some_and(|ending| ending.eq_ignore_ascii_case("log"));
        if is_log && entry.is_file() {
            files.push(entry);
        }
        if files.len() > FILES_MAX {
            return Err(TrackingFault::Files(path.to_owned()));
        }
    }
    if files.is_empty() {
        return Err(TrackingFault::Nothing(path.to_owned()));
    }
    files.sort();
    Ok(files)
}

struct Reading {
    since: Option<Timestamp>,
    gathered: Gathered,
    headers: u64,
    lines: u64,
    faults: Vec<LineFault>,
    faults_count: u64,
}

impl Reading {
    fn file(&mut self, path: &Path) -> Result<(), TrackingFault> {
        let failed = |fault| TrackingFault::File {
            path: path.to_owned(),
            fault,
        };
        let mut reader = BufReader::with_capacity(1 << 18, File::open(path).map_err(failed)?);
        let mut columns: Option<Columns> = None;
        let mut octets = Vec::new();
        let mut told = false;
        for number in 1_u64.. {
            octets.clear();
            let read = (&mut reader).take(LINE_OCTETS_MAX).read_until(b'\n', &mut octets);
            if read.map_err(failed)? == 0 {
                break;
            }
            let text = String::from_utf8_lossy(&octets);
            // A byte order mark begins a file that an editor has saved.
            let line = text.trim_end_matches(['\r', '\n']).trim_start_matches('\u{feff}');
            if let Some(list) = line.strip_prefix("#Fields:") {
                let parsed = Columns::parse(list).map_err(|fault| TrackingFault::Columns {
                    path: path.to_owned(),
                    fault,
                })?;
                columns = Some(parsed);
                self.headers += 1;
            } else if !line.is_empty() && !line.starts_with('#') {
                self.lines += 1;
                if let Some(columns) = &columns {
                    self.line(path, number, columns, line)?;
                } else if !std::mem::replace(&mut told, true) {
                    self.fault(path, number, "no #Fields: stands before this line".to_owned());
                }
            }
        }
        Ok(())
    }

    fn line(&mut self, path: &Path, number: u64, columns: &Columns, line: &str) -> Result<(), TrackingFault> {
        match columns.event(line) {
            Ok(Some(event)) if self.since.is_none_or(|since| event.at >= since) => Ok(self.gathered.add(event)?),
            Ok(_) => Ok(()),
            Err(fault) => {
                self.fault(path, number, fault.to_string());
                Ok(())
            }
        }
    }

    fn fault(&mut self, path: &Path, line: u64, what: String) {
        self.faults_count += 1;
        if self.faults.len() < FAULTS_MAX {
            let name = path.file_name().unwrap_or(path.as_os_str());
            self.faults.push(LineFault {
                file: name.to_string_lossy().into_owned(),
                line,
                what,
            });
        }
    }
}
