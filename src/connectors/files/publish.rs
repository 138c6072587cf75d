//! A set of files put into a folder as a whole, by a program and not by hand.
//!
//! In: names and texts, a folder. Out: a folder that holds exactly them beside what others put there, or a reason
//! why nothing was touched. Never: half a set that is read (while files are exchanged a mark keeps readers away), a
//! file that somebody else wrote or edited.
//!
//! # Steps
//!
//! 1. The plan goes into a journal.
//! 2. New texts are written beside the old files, under hidden names, and synced.
//! 3. A mark is set; [`load`](super::load) refuses a folder with it.
//! 4. Files are renamed into place, old ones that are not planned removed.
//! 5. The manifest is replaced, mark and journal removed.
//!
//! After a crash at any point the journal says that something is unfinished, and the same call with
//! [`Start::Resume`] ends in the same state.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// What this program put into a folder, by its own account.
pub const MANIFEST: &str = ".muster-import.json";

/// What it is about to put there.
const JOURNAL: &str = ".muster-import.journal.json";

/// Set while files are exchanged: what lies in the folder is neither the old nor the new set.
pub const SWITCHING: &str = ".muster-import.switching";

const LOCK: &str = ".muster-import.lock";

/// Files to put into a folder: names and texts.
pub type Planned = BTreeMap<String, Vec<u8>>;

/// Names and SHA-256 in hexadecimal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Account {
    /// Version of this form.
    format: u32,
    files: BTreeMap<String, String>,
}

/// Whether an unfinished run may be taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// An unfinished run is a fault.
    Afresh,
    /// It is carried on.
    Resume,
}

/// Why nothing was changed, or not everything.
#[derive(Debug, thiserror::Error)]
pub enum PublishFault {
    /// The folder cannot be read or written.
    #[error("{path}: {fault}")]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What the system said.
        fault: io::Error,
    },
    /// Another run is at work, or one was killed.
    #[error("an import into {0} was interrupted; carry on with --resume")]
    Interrupted(PathBuf),
    /// Two runs at once.
    #[error("another import into {0} is running")]
    Running(PathBuf),
    /// A file of the planned name was put there by somebody else.
    #[error("{0} was not written by an import; move it away or choose another folder")]
    Foreign(PathBuf),
    /// A file was changed since it was written.
    #[error("{0} was changed by hand since it was imported; move it away, and it is written again")]
    Edited(PathBuf),
    /// The account of an earlier run cannot be read.
    #[error("{0} is damaged: {1}")]
    Damaged(PathBuf, String),
}

/// What a run would change, or has changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Files that are not there yet.
    pub new: Vec<String>,
    /// Files with another text.
    pub changed: Vec<String>,
    /// Files of an earlier run that are not planned any more.
    pub gone: Vec<String>,
}

impl Difference {
    /// True if the folder is as planned.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.new.is_empty() && self.changed.is_empty() && self.gone.is_empty()
    }
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> PublishFault + '_ {
    move |fault| PublishFault::Io {
        path: path.to_owned(),
        fault,
    }
}

fn hash(octets: &[u8]) -> String {
    Sha256::digest(octets)
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect()
}

fn hash_of_file(path: &Path) -> Result<Option<String>, PublishFault> {
    match fs::read(path) {
        Ok(octets) => Ok(Some(hash(&octets))),
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(fault) => Err(io_at(path)(fault)),
    }
}

fn account(path: &Path) -> Result<Option<Account>, PublishFault> {
    match fs::read(path) {
        Ok(octets) => serde_json::from_slice(&octets)
            .map(Some)
            .map_err(|fault| PublishFault::Damaged(path.to_owned(), fault.to_string())),
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(fault) => Err(io_at(path)(fault)),
    }
}

/// What lies in the folder, and what is known of it.
struct Folder<'a> {
    path: &'a Path,
    manifest: Account,
    journal: Option<Account>,
}

impl<'a> Folder<'a> {
    fn open(path: &'a Path) -> Result<Self, PublishFault> {
        Ok(Self {
            path,
            manifest: account(&path.join(MANIFEST))?.unwrap_or_default(),
            journal: account(&path.join(JOURNAL))?,
        })
    }

    fn is_unfinished(&self) -> bool {
        self.journal.is_some() || self.path.join(SWITCHING).exists()
    }

    /// Hashes that a file of ours may have.
    fn known(&self, name: &str) -> impl Iterator<Item = &String> {
        let journal = self.journal.iter().filter_map(move |account| account.files.get(name));
        self.manifest.files.get(name).into_iter().chain(journal)
    }

    /// What differs from the plan; a file that is not ours, or not as we left it, is a fault.
    fn difference(&self, planned: &Account) -> Result<Difference, PublishFault> {
        let mut difference = Difference::default();
        for (name, wanted) in &planned.files {
            let path = self.path.join(name);
            match hash_of_file(&path)? {
                None => difference.new.push(name.clone()),
                Some(found) if found == *wanted => {}
                Some(_) if self.known(name).next().is_none() => return Err(PublishFault::Foreign(path)),
                Some(found) if self.known(name).any(|hash| *hash == found) => difference.changed.push(name.clone()),
                Some(_) => return Err(PublishFault::Edited(path)),
            }
        }
        let journal = self.journal.iter().flat_map(|account| account.files.keys());
        for name in self.manifest.files.keys().chain(journal) {
            if planned.files.contains_key(name) || difference.gone.contains(name) {
                continue;
            }
            let path = self.path.join(name);
            match hash_of_file(&path)? {
                None => {}
                Some(found) if self.known(name).any(|hash| *hash == found) => difference.gone.push(name.clone()),
                Some(_) => return Err(PublishFault::Edited(path)),
            }
        }
        Ok(difference)
    }
}

fn plan(planned: &Planned) -> Account {
    let files = planned
        .iter()
        .map(|(name, octets)| (name.clone(), hash(octets)))
        .collect();
    Account { format: 1, files }
}

/// What [`publish`] would change.
pub fn compare(folder: &Path, planned: &Planned, start: Start) -> Result<Difference, PublishFault> {
    let state = Folder::open(folder)?;
    if state.is_unfinished() && start == Start::Afresh {
        return Err(PublishFault::Interrupted(folder.to_owned()));
    }
    state.difference(&plan(planned))
}

/// Texts of an earlier run that still lie in the folder, for saying what changes in them.
pub fn earlier(folder: &Path) -> Result<Planned, PublishFault> {
    let state = Folder::open(folder)?;
    let mut texts = Planned::new();
    for name in state.manifest.files.keys() {
        let path = folder.join(name);
        match fs::read(&path) {
            Ok(octets) => {
                texts.insert(name.clone(), octets);
            }
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => {}
            Err(fault) => return Err(io_at(&path)(fault)),
        }
    }
    Ok(texts)
}

/// Puts the files into the folder. `done` is told the name of each file that was staged.
pub fn publish(
    folder: &Path,
    planned: &Planned,
    start: Start,
    done: &mut dyn FnMut(&str),
) -> Result<Difference, PublishFault> {
    fs::create_dir_all(folder).map_err(io_at(folder))?;
    let _lock = lock(folder)?;
    let state = Folder::open(folder)?;
    if state.is_unfinished() && start == Start::Afresh {
        return Err(PublishFault::Interrupted(folder.to_owned()));
    }
    let account = plan(planned);
    let difference = state.difference(&account)?;
    if difference.is_empty() && !state.is_unfinished() && state.manifest == account {
        return Ok(difference);
    }
    // The journal names what an unfinished run may have put there as well, so that it stays known as ours.
    let mut journal = account.clone();
    if let Some(earlier) = &state.journal {
        for (name, hash) in &earlier.files {
            journal.files.entry(name.clone()).or_insert_with(|| hash.clone());
        }
    }
    write_whole(folder, JOURNAL, &to_json(&journal))?;
    for name in difference.new.iter().chain(&difference.changed) {
        let staged = folder.join(staged_name(name));
        let octets = planned.get(name).map_or(&[][..], Vec::as_slice);
        // A resumed run takes what the first one has finished.
        if hash_of_file(&staged)?.as_ref() != account.files.get(name) {
            write_synced(&staged, octets)?;
        }
        done(name);
    }
    sync_folder(folder)?;
    write_synced(&folder.join(SWITCHING), b"")?;
    sync_folder(folder)?;
    for name in difference.new.iter().chain(&difference.changed) {
        let (from, to) = (folder.join(staged_name(name)), folder.join(name));
        fs::rename(&from, &to).map_err(io_at(&to))?;
    }
    for name in &difference.gone {
        remove(&folder.join(name))?;
    }
    remove_leftovers(folder)?;
    sync_folder(folder)?;
    write_whole(folder, MANIFEST, &to_json(&account))?;
    remove(&folder.join(SWITCHING))?;
    remove(&folder.join(JOURNAL))?;
    sync_folder(folder)?;
    Ok(difference)
}

fn staged_name(name: &str) -> String {
    format!(".{name}.muster-new")
}

/// Staged texts of an unfinished run that are not planned any more.
fn remove_leftovers(folder: &Path) -> Result<(), PublishFault> {
    for entry in fs::read_dir(folder).map_err(io_at(folder))? {
        let entry = entry.map_err(io_at(folder))?;
        let name = entry.file_name();
        if name
            .to_str()
            .is_some_and(|name| name.starts_with('.') && name.ends_with(".muster-new"))
        {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

fn to_json(account: &Account) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(account).expect("a map of texts");
    text.push(b'\n');
    text
}

/// Replaces a small file as a whole.
fn write_whole(folder: &Path, name: &str, octets: &[u8]) -> Result<(), PublishFault> {
    let temporary = folder.join(format!("{name}.new"));
    write_synced(&temporary, octets)?;
    let path = folder.join(name);
    fs::rename(&temporary, &path).map_err(io_at(&path))?;
    sync_folder(folder)
}

fn write_synced(path: &Path, octets: &[u8]) -> Result<(), PublishFault> {
    let mut file = File::create(path).map_err(io_at(path))?;
    file.write_all(octets)
        .and_then(|()| file.sync_all())
        .map_err(io_at(path))
}

fn sync_folder(folder: &Path) -> Result<(), PublishFault> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(io_at(folder))
}

fn remove(path: &Path) -> Result<(), PublishFault> {
    match fs::remove_file(path) {
        Err(fault) if fault.kind() != io::ErrorKind::NotFound => Err(io_at(path)(fault)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Held while a run is at work; the system lets go of it when the process ends, however it ends.
fn lock(folder: &Path) -> Result<File, PublishFault> {
    let path = folder.join(LOCK);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(io_at(&path))?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(PublishFault::Running(folder.to_owned())),
        Err(fault) => Err(io_at(&path)(fault.into())),
    }
}

#[cfg(test)]
#[path = "publish_tests.rs"]
mod tests;
