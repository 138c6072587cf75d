//! `muster export`: the whole directory of the running service as files that a source of it could be read from.
//!
//! In: the service's socket, a folder. Out: one folder per source in it, each as `connectors::files` reads it. Never:
//! half of one generation and half of the next: if the directory changes meanwhile, it is read again.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::admin::answer::DirectoryPage;
use crate::admin::cli::{Exit, ExportRequest, Output};
use crate::admin::client::{self, ClientFault};
use crate::admin::command::PageQuestion;
use crate::admin::render::clean;
use crate::admin::{Answer, Command, RefusalKind};
use crate::app::import::planned;
use crate::connectors::files::publish::{self, PublishFault, Start};
use crate::directory::recipient::RecipientObject;
use crate::limits;

/// How often the directory is read again because it changed meanwhile.
const ATTEMPTS_MAX: usize = 10;

/// Why there is no export.
#[derive(Debug, thiserror::Error)]
enum ExportFault {
    #[error(transparent)]
    Client(#[from] ClientFault),
    #[error("the directory changed {ATTEMPTS_MAX} times while it was read; try again when less is going on")]
    Restless,
    #[error("the service has loaded no directory yet")]
    Nothing,
    #[error(transparent)]
    Publish(#[from] PublishFault),
}

impl ExportFault {
    fn exit(&self) -> Exit {
        match self {
            Self::Client(ClientFault::Refused(refusal)) => match refusal.kind {
                RefusalKind::NotFound => Exit::No,
                RefusalKind::Usage => Exit::Usage,
                RefusalKind::Guard => Exit::Guard,
                RefusalKind::Busy | RefusalKind::Broken => Exit::Unreachable,
            },
            Self::Client(ClientFault::Unreachable { .. } | ClientFault::Garbled(_)) | Self::Restless => {
                Exit::Unreachable
            }
            Self::Nothing => Exit::No,
            Self::Publish(PublishFault::Foreign(_) | PublishFault::Edited(_)) => Exit::Guard,
            Self::Publish(_) => Exit::Usage,
        }
    }
}

/// One source's folder.
#[derive(serde::Serialize)]
struct Exported {
    source: String,
    folder: PathBuf,
    objects: usize,
    files: usize,
}

/// Runs an export.
pub fn run(request: &ExportRequest, socket: &Path, out: &mut dyn Write, err: &mut dyn Write) -> Exit {
    match whole(request, socket) {
        Ok((generation, exported)) => {
            match request.output {
                Output::Quiet => {}
                Output::Json => {
                    let document = serde_json::json!({"generation": generation, "sources": exported});
                    let _ = writeln!(out, "{document:#}");
                }
                Output::Text => {
                    for each in &exported {
                        let _ = writeln!(
                            out,
                            "{}: {} objects in {} files in {}",
                            clean(&each.source),
                            each.objects,
                            each.files,
                            each.folder.display()
                        );
                    }
                    let _ = writeln!(out, "generation {generation}");
                }
            }
            Exit::Yes
        }
        Err(fault) => {
            if request.output == Output::Json {
                let complaint = serde_json::json!({"refusal": {"message": fault.to_string()}});
                let _ = writeln!(out, "{complaint:#}");
            } else {
                let _ = writeln!(err, "muster: {}", clean(&fault.to_string()));
                if let ExportFault::Client(fault) = &fault
                    && let Some(advice) = fault.advice()
                {
                    let _ = writeln!(err, "{advice}");
                }
            }
            fault.exit()
        }
    }
}

fn whole(request: &ExportRequest, socket: &Path) -> Result<(u64, Vec<Exported>), ExportFault> {
    let (generation, objects) = read(socket)?;
    if generation == 0 {
        return Err(ExportFault::Nothing);
    }
    let mut by_source: BTreeMap<String, Vec<RecipientObject>> = BTreeMap::new();
    for object in objects {
        by_source
            .entry(object.source.as_str().to_owned())
            .or_default()
            .push(object);
    }
    let mut exported = Vec::with_capacity(by_source.len());
    for (source, mut objects) in by_source {
        objects.sort_by(|a, b| {
            a.primary
                .key()
                .as_str()
                .cmp(b.primary.key().as_str())
                .then_with(|| a.id.cmp(&b.id))
        });
        let folder = request.folder.join(&source);
        let planned = planned(&objects, request.objects_per_file);
        // An export that was stopped is simply written anew.
        publish::publish(&folder, &planned, Start::Resume, &mut |_| {})?;
        exported.push(Exported {
            source,
            folder,
            objects: objects.len(),
            files: planned.len(),
        });
    }
    Ok((generation, exported))
}

/// Reads one generation page by page.
fn read(socket: &Path) -> Result<(u64, Vec<RecipientObject>), ExportFault> {
    for _ in 0..ATTEMPTS_MAX {
        if let Some(found) = read_once(socket)? {
            return Ok(found);
        }
    }
    Err(ExportFault::Restless)
}

fn read_once(socket: &Path) -> Result<Option<(u64, Vec<RecipientObject>)>, ExportFault> {
    let mut objects = Vec::new();
    let mut generation = None;
    let mut after = None;
    loop {
        let question = PageQuestion {
            after,
            count_max: limits::DIRECTORY_PAGE_MAX,
        };
        let page = match client::ask(socket, &Command::DirectoryPage(question))? {
            Answer::DirectoryPage(page) => page,
            _ => return Err(ClientFault::Garbled("another answer than the one asked for".to_owned()).into()),
        };
        let DirectoryPage {
            generation: found,
            objects: mut part,
            next,
        } = page;
        if *generation.get_or_insert(found) != found {
            return Ok(None);
        }
        objects.append(&mut part);
        match next {
            Some(next) => after = Some(next),
            None => return Ok(Some((found, objects))),
        }
    }
}
