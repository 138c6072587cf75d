//! Findings: what is wrong with a settings file, where, and what was probably meant.
//!
//! In: places in a text. Out: lines for people with the source line and a caret, or JSON. Never: one finding at
//! a time.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::connectors::document::{Fault, line_and_column};

/// Whether the settings can be used all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// They cannot.
    Error,
    /// They can, and an administrator should look.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Whether it keeps the settings from being used.
    pub severity: Severity,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// Where in the tree: `listeners[1].address`, counted from 0; empty for the file as a whole.
    pub key: String,
    /// One sentence without a full stop.
    pub message: String,
    /// What was probably meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
    #[serde(skip)]
    span: Range<usize>,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{}:{}: {}: {}",
            self.line, self.column, self.severity, self.message
        )?;
        match &self.suggestion {
            Some(suggestion) => write!(out, "; did you mean {suggestion}?"),
            None => Ok(()),
        }
    }
}

/// All findings of one file, in the order of the text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Findings {
    /// The settings file.
    pub file: PathBuf,
    /// What was found.
    pub findings: Vec<Finding>,
    #[serde(skip)]
    source: String,
}

impl Findings {
    /// None yet.
    #[must_use]
    pub fn new(file: &Path, source: &str) -> Self {
        Self {
            file: file.to_owned(),
            findings: Vec::new(),
            source: source.to_owned(),
        }
    }

    pub(super) fn push(&mut self, severity: Severity, fault: Fault) {
        let (line, column) = line_and_column(&self.source, fault.span.start);
        self.findings.push(Finding {
            severity,
            line,
            column,
            key: fault.path,
            message: fault.message,
            suggestion: fault.suggestion,
            span: fault.span,
        });
    }

    /// Adds what was found later, outside of the settings.
    pub fn add(&mut self, severity: Severity, span: Range<usize>, key: String, message: String) {
        let fault = Fault {
            span,
            path: key,
            message,
            suggestion: None,
        };
        self.push(severity, fault);
    }

    pub(super) fn sort(&mut self) {
        self.findings
            .sort_by_key(|finding| (finding.span.start, finding.severity));
    }

    /// True if the settings cannot be used.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// True if nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }

    /// Exit code of `muster check`: 2 with an error, else 0 (DESIGN §9).
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        if self.has_errors() { 2 } else { 0 }
    }

    /// `{"file": …, "errors": 1, "warnings": 0, "findings": […]}`.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let count = |severity| {
            self.findings
                .iter()
                .filter(|finding| finding.severity == severity)
                .count()
        };
        serde_json::json!({
            "file": self.file,
            "errors": count(Severity::Error),
            "warnings": count(Severity::Warning),
            "findings": self.findings,
        })
    }

    /// Every finding with its line of the source and a caret, and a count at the end; empty if nothing was found.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        for finding in &self.findings {
            text += &self.render_one(finding);
            text.push('\n');
        }
        if !self.findings.is_empty() {
            let count = |severity| {
                self.findings
                    .iter()
                    .filter(|finding| finding.severity == severity)
                    .count()
            };
            let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
            text += &format!(
                "{}: {}, {}\n",
                self.file.display(),
                plural(errors, "error"),
                plural(warnings, "warning")
            );
        }
        text
    }

    fn render_one(&self, finding: &Finding) -> String {
        const LINE_CHARACTERS_MAX: usize = 120;
        let line: String = self.source.lines().nth(finding.line - 1).unwrap_or("").to_owned();
        // A caret must stay under what it points at: tabs and other control characters take one column.
        let line: String = line
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(LINE_CHARACTERS_MAX)
            .collect();
        let width = self
            .source
            .get(finding.span.clone())
            .map_or(1, |marked| marked.lines().next().unwrap_or("").chars().count());
        let room = line.chars().count().saturating_sub(finding.column - 1);
        let carets = "^".repeat(width.clamp(1, room.max(1)));
        let number = finding.line.to_string();
        let margin = " ".repeat(number.len());
        let indent = " ".repeat((finding.column - 1).min(LINE_CHARACTERS_MAX));
        let key = if finding.key.is_empty() {
            String::new()
        } else {
            format!(" ({})", finding.key)
        };
        let mut text = format!("{}: {}\n", finding.severity, finding.message);
        text += &format!(
            "{margin}--> {}:{}:{}{key}\n",
            self.file.display(),
            finding.line,
            finding.column
        );
        text += &format!("{number} | {}\n", line.trim_end());
        text += &format!("{margin} | {indent}{carets}");
        if let Some(suggestion) = &finding.suggestion {
            text += &format!(" did you mean {suggestion}?");
        }
        text.push('\n');
        text
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.render())
    }
}

fn plural(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}
