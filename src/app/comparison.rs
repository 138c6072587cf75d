//! The last comparison of each group, kept in the data directory for `group cutover`.
//!
//! One small file, replaced whole. Never: half a file after a crash; a group's result lost because a later log has
//! no message to it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::directory::ObjectId;
use crate::rolls::compare::GroupComparison;

/// Name of the file.
const FILE: &str = "comparison.json";

/// Results by the group's id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparisons {
    groups: BTreeMap<ObjectId, GroupResult>,
}

/// What the last comparison of a group came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupResult {
    /// When it was made.
    pub at: Timestamp,
    /// Messages to the group.
    pub messages: u64,
    /// Messages that reached the same people.
    pub same: u64,
    /// People whose difference has no cause.
    pub unexplained: u64,
}

impl Comparisons {
    /// What is kept; nothing, if nothing was compared yet.
    pub fn read(data_dir: &Path) -> io::Result<Self> {
        match fs::read(data_dir.join(FILE)) {
            Ok(octets) => serde_json::from_slice(&octets).map_err(io::Error::other),
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(fault) => Err(fault),
        }
    }

    /// What is known about a group.
    #[must_use]
    pub fn of(&self, group: &ObjectId) -> Option<&GroupResult> {
        self.groups.get(group)
    }

    /// Takes new results; groups without any keep the old one.
    pub fn take(&mut self, results: &[GroupComparison], now: Timestamp) {
        for result in results {
            if let Some(id) = &result.id {
                let kept = GroupResult {
                    at: now,
                    messages: result.messages,
                    same: result.same,
                    unexplained: result.unexplained(),
                };
                self.groups.insert(id.clone(), kept);
            }
        }
    }

    /// Keeps them: the old file or the new one is there after a crash.
    pub fn write(&self, data_dir: &Path) -> io::Result<()> {
        let path: PathBuf = data_dir.join(FILE);
        let temporary = path.with_extension("new");
        let mut file = File::create(&temporary)?;
        file.write_all(&serde_json::to_vec(self).map_err(io::Error::other)?)?;
        file.sync_all()?;
        fs::rename(&temporary, &path)?;
        File::open(data_dir)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rolls::compare::{Cause, PersonDiffers};

    fn result(id: &str, differing: usize) -> GroupComparison {
        let person = |number| PersonDiffers {
            address: format!("p{number}@contoso.example"),
            messages: 1,
            last: Timestamp::UNIX_EPOCH,
            cause: Cause::Unexplained { history: true },
        };
        GroupComparison {
            group: format!("{id}@contoso.example"),
            id: Some(ObjectId::new(id)),
            messages: 3,
            same: 2,
            by_later_list: 0,
            only_other: (0..differing).map(person).collect(),
            only_here: Vec::new(),
        }
    }

    #[test]
    fn a_later_log_replaces_only_the_groups_it_knows() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(
            Comparisons::read(folder.path()).expect("nothing yet"),
            Comparisons::default()
        );
        let mut kept = Comparisons::default();
        kept.take(&[result("a", 2), result("b", 1)], Timestamp::UNIX_EPOCH);
        kept.take(&[result("a", 0)], Timestamp::MAX);
        kept.write(folder.path()).expect("writes");
        let again = Comparisons::read(folder.path()).expect("reads");
        assert_eq!(again, kept);
        let unexplained = |id: &str| again.of(&ObjectId::new(id)).map(|result| result.unexplained);
        assert_eq!(
            (unexplained("a"), unexplained("b"), unexplained("c")),
            (Some(0), Some(1), None)
        );
        fs::write(folder.path().join(FILE), "{").expect("writes");
        assert!(
            Comparisons::read(folder.path()).is_err(),
            "a damaged file is no empty one"
        );
    }
}
