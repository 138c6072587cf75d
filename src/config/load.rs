//! From the path of a settings file to settings: the file is read, paths it names are looked at.

use std::path::{Path, PathBuf};

use super::check::{Surroundings, check};
use super::finding::{Findings, Severity};
use super::settings::Settings;
use crate::connectors::document::Fault;

/// Largest settings file, in octets.
const FILE_OCTETS_MAX: u64 = 4 * 1024 * 1024;

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file itself could not be read.
    #[error("{}: {fault}", .path.display())]
    Unreadable {
        /// As it was named.
        path: PathBuf,
        /// What the system said.
        fault: std::io::Error,
    },
    /// At least one finding is an error.
    #[error("{0}")]
    Findings(Findings),
}

impl LoadError {
    /// Exit code of a command that needed settings: 2 (DESIGN §9).
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        2
    }
}

/// Reads settings. The findings that come with them are warnings.
pub fn load(path: &Path) -> Result<(Settings, Findings), LoadError> {
    let unreadable = |fault| LoadError::Unreadable {
        path: path.to_owned(),
        fault,
    };
    let octets = std::fs::metadata(path).map_err(unreadable)?.len();
    if octets > FILE_OCTETS_MAX {
        let fault = std::io::Error::other(format!("{octets} octets are too many for a settings file"));
        return Err(unreadable(fault));
    }
    let source = std::fs::read_to_string(path).map_err(unreadable)?;
    let system = rustix::system::uname();
    let surroundings = Surroundings {
        file: path,
        hostname: system.nodename().to_str().ok(),
    };
    let (mut settings, mut findings) = check(&source, surroundings);
    if let Some(settings) = &mut settings {
        look_at_paths(settings, &source, &mut findings);
        super::approval::load_templates(settings, &mut findings);
        super::signing::load_keys(settings, &source, &mut findings);
        super::protection::load_files(settings, &source, &mut findings);
        super::credentials::look_at_files(settings, &source, &mut findings);
    }
    match settings {
        Some(settings) if !findings.has_errors() => Ok((settings, findings)),
        Some(_) | None => Err(LoadError::Findings(findings)),
    }
}

/// A folder of a source that is not there is a finding now rather than an empty directory later.
fn look_at_paths(settings: &Settings, source: &str, findings: &mut Findings) {
    for (index, each) in settings.sources.iter().enumerate() {
        let message = match std::fs::metadata(&each.path) {
            Ok(found) if found.is_dir() => continue,
            Ok(_) => format!("{} is not a folder", each.path.display()),
            Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => format!(
                "source `{}` has no folder {}: make it and put its files there (config/example shows how)",
                each.name,
                each.path.display()
            ),
            Err(fault) => format!("{}: {fault}", each.path.display()),
        };
        let fault = Fault {
            span: span_of_path(source, index),
            path: format!("sources[{index}].path"),
            message,
            suggestion: None,
        };
        findings.push(Severity::Error, fault);
    }
    findings.sort();
}

fn span_of_path(source: &str, index: usize) -> std::ops::Range<usize> {
    use crate::connectors::document::read::{Faults, Read};
    let (root, syntax) = crate::connectors::document::parse_toml(source);
    super::file::SettingsFile::read(&root, "", &mut Faults::of_syntax(syntax))
        .and_then(|file| file.sources)
        .and_then(|sources| {
            sources
                .get_ref()
                .get(index)
                .and_then(|each| each.get_ref().path.clone())
        })
        .map_or(0..0, |path| path.span())
}
