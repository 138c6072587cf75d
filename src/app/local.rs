//! What the command line does without a running service.

use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::admin::answer::{CheckReport, Severity};
use crate::admin::cli::{CheckScope, Exit, ExportRequest, ImportRequest, Local, Output, PasswordRequest};
use crate::config;
use crate::config::settings::Settings;
use crate::connectors::files;
use crate::directory::filter::rule::CompiledRule;
use crate::directory::{ChangeSet, Directory, Lookup, ObjectId, Ordinal, OrdinalSource, RecipientObject, SourceId};
use crate::env::Env;
use crate::moderation::reach;
use crate::resolver::DomainKind;
use crate::rolls::View;

use super::directory::{file_finding, findings_of, plain};
use super::{demo, serve, wiring};

/// The program itself.
pub struct Program;

impl Local for Program {
    fn serve(&self, settings: &Path) -> Exit {
        serve::serve(settings)
    }

    fn demo(&self, output: Output) -> Exit {
        demo::run(output)
    }

    fn check(&self, settings: &Path, scope: CheckScope) -> CheckReport {
        check(settings, scope)
    }

    fn import(&self, request: &ImportRequest, now: Timestamp, out: &mut dyn Write, err: &mut dyn Write) -> Exit {
        super::import::run(request, now, out, err)
    }

    fn export(&self, request: &ExportRequest, socket: &Path, out: &mut dyn Write, err: &mut dyn Write) -> Exit {
        super::export::run(request, socket, out, err)
    }

    fn password(&self, request: &PasswordRequest, out: &mut dyn Write, err: &mut dyn Write) -> Exit {
        super::password::run(request, out, err)
    }

    fn socket(&self, settings: &Path) -> Result<PathBuf, String> {
        match config::load(settings) {
            Ok((settings, _)) => Ok(settings.control_socket),
            Err(fault @ config::LoadError::Unreadable { .. }) => Err(format!(
                "the settings cannot be read: {fault}\nName them with --config FILE, or the service's socket with --socket FILE."
            )),
            Err(fault @ config::LoadError::Findings(_)) => Err(serve::rendered(&fault)),
        }
    }
}

/// All findings at once: the settings, the routing, every directory file, the directory as a whole, the filters.
fn check(path: &Path, scope: CheckScope) -> CheckReport {
    let mut report = CheckReport {
        settings: path.display().to_string(),
        ..CheckReport::default()
    };
    let settings = match config::load(path) {
        Ok((settings, findings)) => {
            report.findings.extend(findings_of(&findings));
            settings
        }
        Err(config::LoadError::Findings(findings)) => {
            report.findings.extend(findings_of(&findings));
            return report;
        }
        Err(fault @ config::LoadError::Unreadable { .. }) => {
            report.findings.push(plain(Severity::Error, fault.to_string()));
            return report;
        }
    };
    if scope == CheckScope::FilesAndDns {
        report.findings.extend(super::published::findings(path, &settings));
    }
    if let Err(fault) = wiring::routes(&settings, None) {
        report
            .findings
            .push(plain(Severity::Error, format!("routing: {fault}")));
    }
    let objects = read_sources(&settings, &mut report);
    if report
        .findings
        .iter()
        .any(|finding| finding.severity == Severity::Error)
    {
        // Of a source with mistakes nothing was read: everybody in it would look missing.
        return report;
    }
    let (recipients, groups) = check_directory(&settings, objects, &mut report);
    report.summary = format!(
        "{}, {}, {}, {}, {}",
        counted(settings.listeners.len() as u64, "listener"),
        counted(settings.next_hops.len() as u64, "next hop"),
        counted(settings.sources.len() as u64, "source"),
        counted(recipients, "recipient"),
        counted(groups, "group"),
    );
    report
}

/// `1 source`, `2 sources`.
fn counted(count: u64, what: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {what}{ending}")
}

fn read_sources(settings: &Settings, report: &mut CheckReport) -> Vec<RecipientObject> {
    let mut objects = Vec::new();
    for source in &settings.sources {
        match files::load(&source.path, &SourceId::new(source.name.as_str())) {
            Ok(snapshot) => {
                let notices = snapshot.notices.iter();
                report
                    .findings
                    .extend(notices.map(|notice| file_finding(source, notice, Severity::Warning)));
                let snapshot = if source.remote_mailboxes_match_user_mailbox {
                    snapshot.with_remote_mailboxes_as_user_mailboxes()
                } else {
                    snapshot
                };
                objects.extend(snapshot.objects);
            }
            Err(faults) => {
                let faults = faults.iter().map(|fault| file_finding(source, fault, Severity::Error));
                report.findings.extend(faults);
            }
        }
    }
    objects
}

fn check_directory(settings: &Settings, objects: Vec<RecipientObject>, report: &mut CheckReport) -> (u64, u64) {
    let changes = ChangeSet {
        upserts: objects,
        removals: Vec::new(),
    };
    let now = Env::system().clock.now();
    let (directory, findings) = Directory::empty().apply(changes, &mut Counting(0), 1, now);
    let findings = findings
        .iter()
        .map(|finding| plain(Severity::Warning, finding.to_string()));
    report.findings.extend(findings);
    let counts = (directory.len(), directory.group_set().len());
    let groups: Vec<Ordinal> = directory.groups().map(|(ordinal, _)| ordinal).collect();
    let options = wiring::evaluation(settings);
    let postmaster = directory.lookup(&settings.postmaster.key());
    let ours = wiring::rules(settings).accepted.owns(&settings.postmaster);
    if ours && postmaster.one().is_none() {
        let text = format!("postmaster `{}` is not in the directory", settings.postmaster);
        report.findings.push(plain(Severity::Warning, text));
    }
    let view = View::new(directory, crate::rolls::RollTable::default());
    check_moderators(settings, &view, report);
    for group in groups {
        let Some(object) = view.object(group) else { continue };
        match crate::rolls::build(&view.directory, group, &options, now) {
            Ok(built) => {
                if built.entries.is_empty() && !object.kind.is_microsoft365_group() {
                    let text = format!(
                        "{} has no members: mail to it is refused with 550 5.2.4",
                        object.primary
                    );
                    report.findings.push(plain(Severity::Note, text));
                }
                let rule = object.group.as_deref().and_then(|settings| settings.rule.as_deref());
                if let Some(Ok(compiled)) = rule.map(|rule| CompiledRule::compile(rule, &options)) {
                    for warning in compiled.warnings() {
                        report
                            .findings
                            .push(plain(Severity::Warning, format!("{}: {warning}", object.primary)));
                    }
                }
            }
            Err(fault) => {
                report
                    .findings
                    .push(plain(Severity::Error, format!("{}: {fault}", object.primary)));
            }
        }
    }
    counts
}

/// Whether those who should decide about mail can be asked.
fn check_moderators(settings: &Settings, view: &View, report: &mut CheckReport) {
    let (rules, moderation) = (wiring::rules(settings), wiring::moderation(settings));
    for (_, object) in view.directory.recipients() {
        for fault in reach::faults(&object, view, &rules, &moderation) {
            let severity = if fault.is_grave() {
                Severity::Warning
            } else {
                Severity::Note
            };
            report
                .findings
                .push(plain(severity, format!("{}: {fault}", object.primary)));
        }
    }
    for person in settings
        .moderation
        .substitutes
        .iter()
        .chain(&settings.policy.quarantine_moderators)
        .flatten()
    {
        let ours = rules.accepted.kind_of(person) == Some(DomainKind::Authoritative);
        if ours && view.directory.lookup(&person.key()) == Lookup::None {
            let text = format!("{person} is to decide about mail, and nobody has this address");
            report.findings.push(plain(Severity::Warning, text));
        }
    }
}

struct Counting(u32);

impl OrdinalSource for Counting {
    fn ordinal(&mut self, _: &ObjectId) -> Ordinal {
        self.0 += 1;
        Ordinal(self.0 - 1)
    }
}
