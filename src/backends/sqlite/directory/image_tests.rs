//! What an image brings back is what the objects say, whatever happened to it.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use super::*;
use crate::directory::testing::{group, person};
use crate::directory::{ObjectId, RecipientObject, stored};
use crate::store::directory::{ObjectRow, load_directory};

/// A store with people, the objects of the first `people` ordinals.
struct Kept {
    folder: tempfile::TempDir,
    store: SqliteDirectoryStore,
}

fn object(ordinal: u32, office: &str) -> RecipientObject {
    let address = format!("person{ordinal}@contoso.example");
    let mut object = if ordinal.is_multiple_of(5) {
        group(&address)
    } else {
        person(&address)
    }
    .build();
    object.id = ObjectId::new(format!("id-{ordinal}"));
    object.display_name = Some(format!("{office} {ordinal}").into());
    object
}

fn row(ordinal: u32, office: &str) -> ObjectRow {
    ObjectRow {
        ordinal,
        id: format!("id-{ordinal}"),
        octets: stored::encode(&object(ordinal, office)),
    }
}

fn batch(generation: u64, objects: Vec<ObjectRow>, objects_removed: Vec<u32>) -> ChangeBatch {
    ChangeBatch {
        generation,
        ordinal_next: if generation == 1 { 3_000 } else { 200_000 },
        objects,
        objects_removed,
        ..ChangeBatch::default()
    }
}

impl Kept {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = SqliteDirectoryStore::open(folder.path(), &Env::system()).expect("opens");
        let all = (0..3_000).map(|ordinal| row(ordinal, "Berlin")).collect();
        store.store(batch(1, all, Vec::new())).expect("stores");
        Self { folder, store }
    }

    fn reopened(self) -> Self {
        let Self { folder, store } = self;
        drop(store);
        let store = SqliteDirectoryStore::open(folder.path(), &Env::system()).expect("opens");
        Self { folder, store }
    }

    /// The directory as its objects say.
    fn loaded(&self) -> Arc<Directory> {
        let generation = self.store.inner().known.generation;
        Arc::new(load_directory(&self.store, generation, Timestamp::UNIX_EPOCH).expect("loads"))
    }

    fn keep(&self) {
        self.store.keep_image(&|| self.loaded()).expect("kept");
    }

    fn recalled(&self) -> Option<Directory> {
        self.store.recall(Timestamp::UNIX_EPOCH).expect("reads")
    }

    fn files(&self) -> Vec<PathBuf> {
        let all = fs::read_dir(self.folder.path()).expect("a folder");
        let paths = all.map(|entry| entry.expect("an entry").path());
        paths
            .filter(|path| path.extension().is_some_and(|end| end == "image"))
            .collect()
    }

    /// The image, caught up, is the directory.
    fn check(&self) {
        let (recalled, loaded) = (self.recalled().expect("an image"), self.loaded());
        assert_eq!(recalled.number(), loaded.number());
        assert_eq!(recalled.plain(), loaded.plain());
        assert_eq!(recalled.group_set(), loaded.group_set());
        let both = recalled.recipients().zip(loaded.recipients());
        assert_eq!(
            both.filter(|(a, b)| a.0 == b.0 && *a.1 == *b.1).count() as u64,
            loaded.len()
        );
        assert_eq!(recalled.len(), loaded.len());
        for (ordinal, object) in loaded.recipients().step_by(97) {
            assert_eq!(recalled.lookup(&object.primary.key()).one(), Some(ordinal));
        }
    }
}

#[test]
fn an_image_catches_up_with_what_changed_since() {
    let kept = Kept::new();
    assert_eq!(
        (kept.recalled().is_none(), kept.store.since_image()),
        (true, SinceImage::Missing)
    );
    kept.keep();
    kept.check();
    assert_eq!(kept.store.since_image(), SinceImage::Changed(0));
    let kept = kept.reopened();
    kept.check();
    let changed = vec![row(7, "Oslo"), row(10, "Oslo"), row(3_002, "Oslo")];
    kept.store.store(batch(2, changed, vec![8, 15])).expect("stores");
    kept.store
        .store(batch(3, vec![row(7, "Rome")], Vec::new()))
        .expect("stores");
    let kept = kept.reopened();
    assert_eq!(kept.store.since_image(), SinceImage::Changed(5));
    kept.check();
    kept.keep();
    assert_eq!(
        (kept.store.since_image(), kept.files().len()),
        (SinceImage::Changed(0), 1)
    );
    kept.reopened().check();
}

#[test]
fn a_commit_while_an_image_is_written_is_not_forgotten() {
    let kept = Kept::new();
    // A commit without objects comes before: the directory's generation is behind the store's.
    kept.store.store(batch(2, Vec::new(), Vec::new())).expect("stores");
    let before = load_directory(&kept.store, 1, Timestamp::UNIX_EPOCH)
        .map(Arc::new)
        .expect("loads");
    let meanwhile = || {
        kept.store
            .store(batch(3, vec![row(4, "Oslo")], vec![9]))
            .expect("stores");
        Arc::clone(&before)
    };
    kept.store.keep_image(&meanwhile).expect("kept");
    assert_eq!(kept.store.since_image(), SinceImage::Changed(2));
    kept.reopened().check();
}

#[test]
fn a_view_behind_the_store_makes_no_image() {
    let kept = Kept::new();
    let before = kept.loaded();
    kept.store
        .store(batch(2, vec![row(4, "Oslo")], Vec::new()))
        .expect("stores");
    kept.store.keep_image(&|| Arc::clone(&before)).expect("left");
    assert_eq!((kept.store.since_image(), kept.files().len()), (SinceImage::Missing, 0));
    kept.keep();
    kept.check();
}

#[test]
fn an_image_leaves_the_disk_its_floor() {
    let mut kept = Kept::new();
    kept.store = kept.store.with_disk_floor(u64::MAX);
    let refused = kept.store.keep_image(&|| kept.loaded());
    assert!(
        matches!(&refused, Err(fault) if fault.to_string().contains("are free")),
        "{refused:?}"
    );
    assert_eq!((kept.store.since_image(), kept.files().len()), (SinceImage::Missing, 0));
}

#[test]
fn an_image_that_is_damaged_cut_or_gone_is_not_used() {
    let damages: [fn(&PathBuf); 4] = [
        |path| {
            let mut octets = fs::read(path).expect("reads");
            let middle = octets.len() / 2;
            octets[middle] ^= 1;
            fs::write(path, octets).expect("writes");
        },
        |path| {
            let octets = fs::read(path).expect("reads");
            fs::write(path, &octets[..octets.len() / 2]).expect("writes");
        },
        // Another program's: the layout is not ours.
        |path| {
            let mut octets = fs::read(path).expect("reads");
            octets[24] ^= 1;
            let sum = crc32fast::hash(&octets[8..32]);
            octets[4..8].copy_from_slice(&sum.to_le_bytes());
            fs::write(path, octets).expect("writes");
        },
        |path| fs::remove_file(path).expect("removes"),
    ];
    for (number, damage) in damages.iter().enumerate() {
        let kept = Kept::new();
        kept.keep();
        kept.files().iter().for_each(damage);
        let kept = kept.reopened();
        assert!(kept.recalled().is_none(), "damage {number}");
        assert_eq!(
            (kept.loaded().len(), kept.store.since_image()),
            (3_000, SinceImage::Missing)
        );
        kept.keep();
        kept.reopened().check();
    }
}

#[test]
fn a_database_copied_back_does_not_take_a_newer_image() {
    let kept = Kept::new();
    kept.keep();
    let Kept { folder, store } = kept;
    drop(store);
    let copies = tempfile::tempdir().expect("a temporary folder");
    for name in ["directory.db", "directory.db-wal"] {
        let _ = fs::copy(folder.path().join(name), copies.path().join(name));
    }
    let store = SqliteDirectoryStore::open(folder.path(), &Env::system()).expect("opens");
    let kept = Kept { folder, store };
    kept.store
        .store(batch(2, vec![row(4, "Oslo")], Vec::new()))
        .expect("stores");
    kept.keep();
    let Kept { folder, store } = kept;
    drop(store);
    for name in ["directory.db", "directory.db-wal", "directory.db-shm"] {
        let _ = fs::remove_file(folder.path().join(name));
        let _ = fs::copy(copies.path().join(name), folder.path().join(name));
    }
    let store = SqliteDirectoryStore::open(folder.path(), &Env::system()).expect("opens");
    let kept = Kept { folder, store };
    assert!(kept.recalled().is_none());
    assert_eq!(kept.loaded().number(), 1);
}

#[test]
fn more_changes_than_are_worth_noting_end_an_image() {
    let kept = Kept::new();
    kept.keep();
    kept.store
        .store(batch(2, Vec::new(), (3_000..103_001).collect()))
        .expect("stores");
    assert_eq!(kept.store.since_image(), SinceImage::Missing);
    let kept = kept.reopened();
    assert!(kept.recalled().is_none());
    assert!(kept.files().is_empty(), "nobody names it any more");
}
