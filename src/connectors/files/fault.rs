//! What is wrong with a directory file, where, and what was probably meant.

use std::fmt;

use serde::Serialize;

use crate::connectors::document::{Fault, line_and_column};

/// Most faults of one load that are kept; the rest is counted in the last one.
pub const FAULTS_MAX: usize = 500;

/// One fault, or one notice about something that is passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileFault {
    /// Name of the file in its folder; the folder itself if no file is meant.
    pub file: String,
    /// From 1; 0 if no line is meant.
    pub line: usize,
    /// From 1, in characters; 0 if no line is meant.
    pub column: usize,
    /// One sentence without a full stop.
    pub message: String,
    /// What was probably meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

impl FileFault {
    /// About a file as a whole.
    #[must_use]
    pub fn whole(file: &str, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: 0,
            column: 0,
            message: message.into(),
            suggestion: None,
        }
    }

    /// At a place of a file.
    #[must_use]
    pub fn at(file: &str, source: &str, fault: Fault) -> Self {
        let (line, column) = line_and_column(source, fault.span.start);
        let message = if fault.path.is_empty() || fault.message.contains('`') {
            fault.message
        } else {
            format!("{}: {}", fault.path, fault.message)
        };
        Self {
            file: file.to_owned(),
            line,
            column,
            message,
            suggestion: fault.suggestion,
        }
    }
}

impl fmt::Display for FileFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            write!(out, "{}: {}", self.file, self.message)?;
        } else {
            write!(out, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
        }
        match &self.suggestion {
            Some(suggestion) => write!(out, "; did you mean {suggestion}?"),
            None => Ok(()),
        }
    }
}

/// Keeps the first [`FAULTS_MAX`] and says how many there are more.
#[must_use]
pub fn bounded(mut faults: Vec<FileFault>) -> Vec<FileFault> {
    let more = faults.len().saturating_sub(FAULTS_MAX);
    if more > 0 {
        faults.truncate(FAULTS_MAX);
        let file = faults.last().map(|fault| fault.file.clone()).unwrap_or_default();
        faults.push(FileFault::whole(&file, format!("{more} more faults are not listed")));
    }
    faults
}
