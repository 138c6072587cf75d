//! Reading a folder as a whole: a snapshot of one moment, or all faults.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::encoding;
use super::fault::{FileFault, bounded};
use super::object;
use super::publish;
use super::table::{self, Contents, Format};
use crate::connectors::document::read::Faults;
use crate::connectors::document::{DOCUMENT_OCTETS_MAX, Fault};
use crate::directory::delivery::Reference;
use crate::directory::recipient::{ObjectId, RecipientObject, SourceId};

/// How often a folder is read again because a file changed meanwhile.
const ATTEMPTS_MAX: usize = 5;

/// Part of the digest: what is made of a text. Count it up with every change of what a property means, so that
/// files that did not change are read again.
const READER: &[u8] = b"muster directory files 1";

/// Most files in a folder.
const FILES_MAX: usize = 10_000;

/// All objects of a folder at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// In the order of files and lines.
    pub objects: Vec<RecipientObject>,
    /// What was read, in the order of names.
    pub files: Vec<FileRead>,
    /// SHA-256 over names and contents, in hexadecimal: equal digests, equal objects.
    pub digest: String,
    /// What an administrator should know: properties without use, doubtful counts, files that are no directory
    /// files, objects without a stable id.
    pub notices: Vec<FileFault>,
}

impl Snapshot {
    /// The snapshot of a source whose setting `remote_mailboxes_match_user_mailbox` is on: every rule carries it,
    /// so that a change of the setting is a change of the rules.
    #[must_use]
    pub fn with_remote_mailboxes_as_user_mailboxes(mut self) -> Self {
        let groups = self.objects.iter_mut().filter_map(|object| object.group.as_deref_mut());
        for rule in groups.filter_map(|group| group.rule.as_deref_mut()) {
            rule.remote_mailboxes_match_user_mailbox = true;
        }
        self
    }

    /// Ids of the objects, for the guard.
    pub fn ids(&self) -> impl Iterator<Item = &ObjectId> {
        self.objects.iter().map(|object| &object.id)
    }
}

/// One file of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRead {
    /// Name in the folder.
    pub name: String,
    /// Size.
    pub octets: u64,
    /// Objects it states.
    pub objects: usize,
    /// Memberships it states.
    pub memberships: usize,
}

/// What tells a file that changed from one that did not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stamp {
    pub name: String,
    device: u64,
    inode: u64,
    octets: u64,
    modified: (i64, i64),
}

/// What a folder holds, if it is something new.
#[derive(Debug)]
pub enum Loaded {
    /// What is known already.
    Same,
    /// All objects.
    New(Box<Snapshot>),
}

/// Reads all files of a folder. Blocks on the file system: call it off the reactor threads.
pub fn load(folder: &Path, source: &SourceId) -> Result<Snapshot, Vec<FileFault>> {
    match load_unless(folder, source, &|_| false)? {
        Loaded::New(snapshot) => Ok(*snapshot),
        Loaded::Same => Err(vec![FileFault::whole(
            &folder.display().to_string(),
            "passed over, although nothing is known of it",
        )]),
    }
}

/// Reads all files of a folder, but takes them apart only if their digest is not `known`: a restart with a large
/// folder costs no more than reading it.
pub fn load_unless(folder: &Path, source: &SourceId, known: &dyn Fn(&str) -> bool) -> Result<Loaded, Vec<FileFault>> {
    let whole = |fault: io::Error| vec![FileFault::whole(&folder.display().to_string(), fault.to_string())];
    let (texts, ignored) = read_unchanged(folder).map_err(whole)?;
    if texts.is_empty() {
        let message = "no .toml, .json or .csv file here";
        return Err(vec![FileFault::whole(&folder.display().to_string(), message)]);
    }
    let mut assembly = Assembly::default();
    for name in ignored {
        let message = "passed over: directory files end in .toml, .json or .csv";
        assembly.notices.push(FileFault::whole(&name, message));
    }
    let digest = digest(&texts);
    if known(&digest) {
        return Ok(Loaded::Same);
    }
    for (name, octets) in &texts {
        assembly.add_file(name, octets, source);
    }
    Ok(Loaded::New(Box::new(assembly.finish(digest)?)))
}

/// Names and times of the directory files of a folder, sorted, and names of other files.
pub(super) fn stamps(folder: &Path) -> io::Result<(Vec<Stamp>, Vec<String>)> {
    let (mut stamps, mut ignored) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // The mark of an exchange counts as a file: when it goes, the folder has changed.
        if name.starts_with('.') && name != publish::SWITCHING {
            continue;
        }
        // Follows links: a folder may be a set of links that are exchanged.
        let facts = match fs::metadata(entry.path()) {
            Ok(facts) => facts,
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => continue,
            Err(fault) => return Err(fault),
        };
        if !facts.is_file() {
            continue;
        }
        if Format::of_name(&name).is_none() && name != publish::SWITCHING {
            let is_text = [".md", ".txt"].iter().any(|end| name.ends_with(end)) || name.ends_with('~');
            if !is_text {
                ignored.push(name);
            }
            continue;
        }
        stamps.push(Stamp {
            name,
            device: facts.dev(),
            inode: facts.ino(),
            octets: facts.len(),
            modified: (facts.mtime(), facts.mtime_nsec()),
        });
        if stamps.len() > FILES_MAX {
            return Err(io::Error::other(format!("more than {FILES_MAX} files")));
        }
    }
    stamps.sort();
    ignored.sort();
    Ok((stamps, ignored))
}

type Texts = Vec<(String, Vec<u8>)>;

/// Reads until no file changed from before the first to after the last was read.
fn read_unchanged(folder: &Path) -> io::Result<(Texts, Vec<String>)> {
    for _ in 0..ATTEMPTS_MAX {
        let (before, ignored) = stamps(folder)?;
        // Neither the old nor the new set of files: what is missing in it is not gone.
        if before.iter().any(|stamp| stamp.name == publish::SWITCHING) {
            return Err(io::Error::other(
                "an import is exchanging the files here, or was killed while it did; \
                 carry on with `muster import … --resume`",
            ));
        }
        let total: u64 = before.iter().map(|stamp| stamp.octets).sum();
        if total > DOCUMENT_OCTETS_MAX {
            return Err(io::Error::other(format!(
                "{total} octets; at most {DOCUMENT_OCTETS_MAX} are read"
            )));
        }
        let texts: io::Result<Texts> = before
            .iter()
            .map(|stamp| Ok((stamp.name.clone(), read_file(&folder.join(&stamp.name), stamp.octets)?)))
            .collect();
        match texts {
            Ok(texts) if stamps(folder)?.0 == before => return Ok((texts, ignored)),
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(fault),
            Ok(_) | Err(_) => {}
        }
    }
    Err(io::Error::other("the files keep changing while they are read"))
}

fn read_file(path: &PathBuf, octets: u64) -> io::Result<Vec<u8>> {
    let named = |fault: io::Error| io::Error::new(fault.kind(), format!("{}: {fault}", path.display()));
    let mut text = Vec::new();
    // One octet more than was there shows a file that grows.
    File::open(path)
        .map_err(named)?
        .take(octets.saturating_add(1))
        .read_to_end(&mut text)
        .map_err(named)?;
    Ok(text)
}

fn digest(texts: &Texts) -> String {
    let mut hash = Sha256::new();
    hash.update(READER);
    for (name, octets) in texts {
        for part in [name.as_bytes(), octets.as_slice()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
    }
    hash.finalize().iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Where an object was stated, for faults that are found later.
struct Origin {
    file: String,
    line: usize,
    column: usize,
}

/// Objects of all files as they come together.
#[derive(Default)]
struct Assembly {
    objects: Vec<RecipientObject>,
    origins: Vec<Origin>,
    by_id: HashMap<ObjectId, usize>,
    memberships: Vec<(String, String, Origin)>,
    files: Vec<FileRead>,
    faults: Vec<FileFault>,
    notices: Vec<FileFault>,
    without_id: usize,
}

impl Assembly {
    fn add_file(&mut self, name: &str, octets: &[u8], source: &SourceId) {
        let text = match encoding::text(octets) {
            Ok(text) => text,
            Err(fault) => {
                let mut whole = FileFault::whole(name, fault.message);
                (whole.line, whole.column) = (fault.line, fault.column);
                self.faults.push(whole);
                return;
            }
        };
        let Some(format) = Format::of_name(name) else {
            return;
        };
        let mut faults = Faults::default();
        let mut places = Places::of(text);
        let contents = table::read(text, format, &mut faults);
        self.add_objects(name, text, &contents, source, &mut places, &mut faults);
        self.files.push(FileRead {
            name: name.to_owned(),
            octets: octets.len() as u64,
            objects: contents.records.len(),
            memberships: contents.memberships.len(),
        });
        for row in contents.memberships {
            let origin = places.origin(name, row.place.start);
            self.memberships.push((row.group, row.member, origin));
        }
        let at = |fault: Fault| FileFault::at(name, text, fault);
        self.notices.extend(contents.notices.into_iter().map(at));
        self.faults
            .extend(bounded(faults.into_list().into_iter().map(at).collect()));
    }

    fn add_objects(
        &mut self,
        name: &str,
        text: &str,
        contents: &Contents,
        source: &SourceId,
        places: &mut Places<'_>,
        faults: &mut Faults,
    ) {
        for record in &contents.records {
            let Some(object) = object::build(record, source, text, faults) else {
                continue;
            };
            self.without_id += usize::from(!object::has_stable_id(record));
            let origin = places.origin(name, record.place.start);
            match self.by_id.get(&object.id).and_then(|first| self.origins.get(*first)) {
                Some(first) => {
                    let message = format!("{} is already in {}:{}", object.id, first.file, first.line);
                    faults.push(record.place.clone(), "", message, None);
                }
                None => {
                    self.by_id.insert(object.id.clone(), self.objects.len());
                    self.objects.push(object);
                    self.origins.push(origin);
                }
            }
        }
    }

    fn finish(mut self, digest: String) -> Result<Snapshot, Vec<FileFault>> {
        self.add_members();
        if self.without_id > 0 {
            let message = format!(
                "{} objects have no stable id; if the address of one changes, it becomes another object",
                self.without_id
            );
            self.notices.push(FileFault::whole("all files", message));
        }
        if !self.faults.is_empty() {
            return Err(bounded(self.faults));
        }
        Ok(Snapshot {
            objects: self.objects,
            files: self.files,
            digest,
            notices: bounded(self.notices),
        })
    }

    /// Adds the rows of membership files to their groups.
    fn add_members(&mut self) {
        if self.memberships.is_empty() {
            return;
        }
        let names = group_names(&self.objects);
        for (group, member, origin) in std::mem::take(&mut self.memberships) {
            let fault = |message: String, meant: Option<String>| FileFault {
                file: origin.file.clone(),
                line: origin.line,
                column: origin.column,
                message,
                suggestion: meant,
            };
            match names.get(&folded(&group)) {
                Some(Named::Group(index)) => {
                    let settings = self
                        .objects
                        .get_mut(*index)
                        .and_then(|object| object.group.as_deref_mut());
                    if let Some(settings) = settings {
                        settings.members.push(Reference::from(member));
                    }
                }
                Some(Named::Dynamic) => {
                    let message = format!("{group} is a dynamic group; its filter says who is a member");
                    self.faults.push(fault(message, None));
                }
                Some(Named::Several) => {
                    let message = format!("{group} names several groups; use the primary address");
                    self.faults.push(fault(message, None));
                }
                None => {
                    let known = names.keys().map(String::as_str);
                    let meant = crate::connectors::document::nearest(&folded(&group), known).map(str::to_owned);
                    self.faults.push(fault(format!("there is no group {group}"), meant));
                }
            }
        }
    }
}

/// What a name of a membership file stands for.
enum Named {
    Group(usize),
    Dynamic,
    Several,
}

fn group_names(objects: &[RecipientObject]) -> HashMap<String, Named> {
    let mut names: HashMap<String, Named> = HashMap::new();
    for (index, object) in objects.iter().enumerate().filter(|(_, object)| object.kind.is_group()) {
        let mut own: Vec<String> = object.mailboxes().map(|mailbox| folded(mailbox.as_str())).collect();
        own.push(folded(object.id.as_str()));
        own.extend(object.alias.as_deref().map(folded));
        own.extend(object.distinguished_name.as_deref().map(folded));
        own.sort();
        own.dedup();
        for name in own {
            let found = if object.kind.is_dynamic() {
                Named::Dynamic
            } else {
                Named::Group(index)
            };
            names
                .entry(name)
                .and_modify(|named| *named = Named::Several)
                .or_insert(found);
        }
    }
    names
}

fn folded(text: &str) -> String {
    text.trim().to_lowercase()
}

/// Lines of a text, counted as one goes along; places are mostly asked for in rising order.
struct Places<'a> {
    text: &'a str,
    octet: usize,
    line: usize,
}

impl<'a> Places<'a> {
    fn of(text: &'a str) -> Self {
        Self {
            text,
            octet: 0,
            line: 1,
        }
    }

    fn origin(&mut self, file: &str, octet: usize) -> Origin {
        if octet < self.octet {
            (self.octet, self.line) = (0, 1);
        }
        let passed = self.text.as_bytes().get(self.octet..octet).unwrap_or(&[]);
        self.line += memchr::memchr_iter(b'\n', passed).count();
        self.octet = octet;
        let start = self
            .text
            .get(..octet)
            .and_then(|before| before.rfind('\n'))
            .map_or(0, |at| at + 1);
        let column = self.text.get(start..octet).unwrap_or("").chars().count() + 1;
        Origin {
            file: file.to_owned(),
            line: self.line,
            column,
        }
    }
}
