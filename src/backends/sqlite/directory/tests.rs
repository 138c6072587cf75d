//! The contract, reopening, damage, size, databases of earlier releases.

use std::sync::Arc;

use super::*;
use crate::rolls::{Roll, codec};
use crate::store::directory::contract::{self, change, object, roll, time};
use crate::store::life::RollChange;

struct Kept {
    folder: tempfile::TempDir,
    store: SqliteDirectoryStore,
}

impl Kept {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = SqliteDirectoryStore::open(folder.path(), &Env::system()).expect("opens");
        Self { folder, store }
    }

    fn reopened(self) -> Self {
        let Self { folder, store } = self;
        drop(store);
        let store = SqliteDirectoryStore::open(folder.path(), &Env::system()).expect("opens");
        Self { folder, store }
    }

    fn number(&self, sql: &str) -> i64 {
        let inner = self.store.inner();
        inner.connection.query_row(sql, [], |row| row.get(0)).expect("a number")
    }
}

#[test]
fn keeps_the_contract_and_reads_back_after_reopening() {
    let kept = Kept::new();
    let expected = contract::check(&kept.store);
    let kept = kept.reopened();
    assert_eq!(kept.store.load(), Ok(expected), "the space too");
    let again = ChangeBatch {
        generation: 3,
        ordinal_next: 5,
        objects: vec![object(2)],
        ..ChangeBatch::default()
    };
    assert!(kept.store.store(again).is_err(), "removed ordinals are remembered");
}

#[test]
fn keeps_the_history_and_what_is_beside_it() {
    contract::check_history(&Kept::new().store);
    let kept = Kept::new();
    let expected = contract::check_life(&kept.store);
    assert_eq!(kept.reopened().store.load().map(|state| state.life), Ok(expected));
}

#[test]
fn damaged_rows_are_named_and_left_out() {
    let kept = Kept::new();
    let versions = [roll(0, 1, [1]), roll(0, 2, [1, 2]), roll(0, 3, [2])];
    for (index, next) in versions.iter().enumerate() {
        let before = index.checked_sub(1).map(|index| &versions[index]);
        let batch = ChangeBatch {
            generation: next.version,
            ordinal_next: 3,
            objects: if index == 0 {
                (0..3).map(object).collect()
            } else {
                Vec::new()
            },
            rolls: vec![change(before, next)],
            ..ChangeBatch::default()
        };
        kept.store.store(batch).expect("stores");
    }
    let other = RollChange {
        roll: roll(1, 4, [1]),
        difference: None,
    };
    let batch = ChangeBatch {
        generation: 4,
        ordinal_next: 3,
        rolls: vec![other],
        ..ChangeBatch::default()
    };
    kept.store.store(batch).expect("stores");
    let damage = "UPDATE objects SET octets = x'00' WHERE ordinal = 1; UPDATE rolls SET version = 2 WHERE owner = 1; \
                  UPDATE history SET octets = x'00' WHERE key = 3";
    kept.store.inner().connection.execute_batch(damage).expect("changes");
    let state = kept.store.load().expect("loads");
    assert_eq!(
        state.damaged,
        [
            "roll of group 0: the history is damaged: cut short",
            "roll of group 1: its base",
        ]
    );
    let mut sound = Vec::new();
    let damaged = kept.store.objects(&mut |ordinal, _| sound.push(ordinal.0));
    assert_eq!(damaged, Ok(vec!["object with ordinal 1".to_owned()]));
    assert_eq!(sound, [0, 2]);
    let served: Vec<u64> = state.rolls.iter().map(|roll| roll.version).collect();
    assert_eq!(served, [2], "the last version that can be read serves");
    // The history goes on from there.
    let next = ChangeBatch {
        generation: 5,
        ordinal_next: 3,
        rolls: vec![change(Some(&versions[1]), &versions[2]), change(None, &roll(1, 1, [7]))],
        ..ChangeBatch::default()
    };
    kept.store.store(next).expect("stores");
    let state = kept.reopened().store.load().expect("loads");
    assert_eq!((state.rolls.len(), state.rolls[0].version), (2, 3));
}

#[test]
fn a_change_of_one_writes_little_whatever_the_list_holds() {
    let kept = Kept::new();
    let mut last = roll(0, 1, 0..200_000);
    let batch = |generation, change| ChangeBatch {
        generation,
        ordinal_next: 1,
        rolls: vec![change],
        ..ChangeBatch::default()
    };
    // Every other person, so that the list takes its octets.
    last = {
        let mut first = (*last).clone();
        first.entries.objects = first.entries.objects.iter().filter(|each| each % 2 == 0).collect();
        Arc::new(first)
    };
    kept.store.store(batch(1, change(None, &last))).expect("stores");
    let whole = kept.number("SELECT length(octets) FROM history WHERE key = 1");
    assert!(whole > 20_000);
    for version in 2..=300_u64 {
        let mut next = (*last).clone();
        let gone = [u32::try_from(version * 2).expect("small")];
        next.entries.objects = next.entries.objects.with(&[].into(), &gone.into());
        next.version = version;
        let next = Arc::new(next);
        let mut change = change(Some(&last), &next);
        let mut difference = Arc::unwrap_or_clone(change.difference.take().expect("given"));
        difference.details.clear();
        change.difference = Some(Arc::new(difference));
        kept.store.store(batch(version, change)).expect("stores");
        last = next;
    }
    assert!(kept.number("SELECT max(length(octets)) FROM history WHERE key > 1") < 100);
    assert_eq!(
        kept.number("SELECT count(*) FROM rolls"),
        0,
        "the first version still is the base"
    );
    assert_eq!(kept.store.load().map(|state| state.rolls), Ok(vec![(*last).clone()]));
}

#[test]
fn a_roll_of_a_million_is_small() {
    // A million of 1,003,000 ordinals: the groups between the people and those who left are not in it.
    let everybody = (0..1_003_000_u32).filter(|ordinal| ordinal % 334 != 7);
    let roll = roll(0, 1, everybody);
    assert!(roll.entries.objects.len() >= 999_000);
    let octets = codec::encode(&roll.entries, None);
    assert!(octets.len() < 200 * 1024, "{}", octets.len());
    assert_eq!(codec::decode(&octets), Ok((roll.entries.clone(), None)));
}

/// What a database of the release before looks like, made with its own statements.
fn of_version_1(path: &Path, rolls: &[Arc<Roll>]) {
    let connection = Connection::open(path.join("directory.db")).expect("opens");
    connection
        .execute_batch(
            "CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
             CREATE TABLE objects (
                 ordinal INTEGER PRIMARY KEY, id TEXT NOT NULL, source TEXT NOT NULL, json TEXT NOT NULL,
                 sum INTEGER NOT NULL);
             CREATE TABLE rolls (
                 owner INTEGER PRIMARY KEY, version INTEGER NOT NULL, entries BLOB NOT NULL,
                 unresolved TEXT NOT NULL, provenance TEXT NOT NULL, sum INTEGER NOT NULL);
             INSERT INTO meta VALUES ('space', 'the-space'), ('generation', 8), ('ordinal_next', 5);
             PRAGMA user_version = 1;",
        )
        .expect("creates");
    let lena = crate::directory::testing::person("lena@contoso.example").build();
    let json = serde_json::to_string(&lena).expect("serialises");
    for (ordinal, json, flip) in [(0_u32, json.as_str(), 0), (1, "{\"future\":1}", 0), (4, "{}", 1)] {
        let id = format!("id-{ordinal}");
        let sum = sum(&[&ordinal.to_le_bytes(), id.as_bytes(), b"files", json.as_bytes()]) ^ flip;
        let sql = "INSERT INTO objects VALUES (?1, ?2, 'files', ?3, ?4)";
        connection.execute(sql, (ordinal, id, json, sum)).expect("writes");
    }
    for roll in rolls {
        let entries = codec::encode(&roll.entries, roll.subscribers.as_ref());
        let provenance = serde_json::to_string(&roll.provenance).expect("serialises");
        let unresolved = "[\"nobody@contoso.example\"]";
        let (group, version) = (roll.group.0.to_le_bytes(), roll.version.to_le_bytes());
        let parts: [&[u8]; 5] = [&group, &version, &entries, unresolved.as_bytes(), provenance.as_bytes()];
        let mut sum = sum(&parts);
        if roll.group.0 == 2 {
            sum ^= 1;
        }
        let sql = "INSERT INTO rolls VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let values = (roll.group.0, roll.version as i64, entries, unresolved, provenance, sum);
        connection.execute(sql, values).expect("writes");
    }
}

#[test]
fn a_database_of_version_1_opens_with_its_rolls() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let rolls = [roll(0, 4, 0..1_000), roll(2, 1, [3]), roll(3, 2, [1, 2])];
    of_version_1(folder.path(), &rolls);
    let open = || SqliteDirectoryStore::open(folder.path(), &Env::system()).expect("opens");
    let state = open().load().expect("loads");
    assert_eq!(
        (&*state.space, state.generation, state.ordinal_next),
        ("the-space", 8, 5)
    );
    let sound = vec![(*rolls[0]).clone(), (*rolls[2]).clone()];
    assert_eq!(state.rolls, sound, "the damaged one is computed again");
    let store = open();
    let mut objects = Vec::new();
    let damaged = store.objects(&mut |ordinal, octets| objects.push((ordinal.0, octets.to_vec())));
    assert_eq!(damaged, Ok(vec!["object with ordinal 4".to_owned()]), "named as before");
    let lena = crate::directory::testing::person("lena@contoso.example").build();
    let future = [&[1], &b"{\"future\":1}"[..]].concat();
    assert_eq!(objects, [(0, crate::directory::stored::encode(&lena)), (1, future)]);
    let next = roll(0, 5, 1..1_000);
    let batch = ChangeBatch {
        generation: 9,
        ordinal_next: 5,
        rolls: vec![change(Some(&rolls[0]), &next)],
        at: time(50),
        ..ChangeBatch::default()
    };
    store.store(batch).expect("the history begins after what was there");
    drop(store);
    let store = open();
    assert_eq!(store.load().expect("loads").rolls[0], *next);
    let history = store.history(Ordinal(0), HistoryQuery::default()).expect("reads");
    assert_eq!(history.iter().map(|each| each.version).collect::<Vec<_>>(), [5]);
}

/// Takes a database back to the tables of an earlier release.
fn as_version(path: &Path, version: i64) {
    let connection = Connection::open(path.join("directory.db")).expect("opens");
    let history = "ALTER TABLE history RENAME TO history_5;
         CREATE TABLE history (
             owner INTEGER, version INTEGER, at INTEGER NOT NULL, octets BLOB NOT NULL,
             PRIMARY KEY (owner, version)) WITHOUT ROWID;
         INSERT INTO history SELECT key >> 32, key & 4294967295, at, octets FROM history_5;
         DROP TABLE history_5;";
    connection.execute_batch(history).expect("changes");
    if version < 4 {
        connection
            .execute_batch("DROP TABLE touched; DROP TABLE image")
            .expect("changes");
    }
    connection.pragma_update(None, "user_version", version).expect("sets");
}

#[test]
fn a_database_of_version_3_or_4_keeps_its_history() {
    for version in [3, 4] {
        let kept = Kept::new();
        let versions = [roll(70_000, 1, [1, 2]), roll(70_000, 2, [2]), roll(3, 1, [5])];
        let changes = [
            change(None, &versions[0]),
            change(Some(&versions[0]), &versions[1]),
            change(None, &versions[2]),
        ];
        for (generation, change) in (1..).zip(changes) {
            let batch = ChangeBatch {
                generation,
                ordinal_next: 70_001,
                rolls: vec![change],
                ..ChangeBatch::default()
            };
            kept.store.store(batch).expect("stores");
        }
        let told = |store: &SqliteDirectoryStore| {
            let history = |group| store.history(Ordinal(group), HistoryQuery::default()).expect("reads");
            (store.load().expect("loads"), history(70_000), history(3))
        };
        let before = told(&kept.store);
        assert_eq!((before.1.len(), before.2.len()), (2, 1));
        let Kept { folder, store } = kept;
        drop(store);
        as_version(folder.path(), version);
        let store = SqliteDirectoryStore::open(folder.path(), &Env::system()).expect("opens");
        assert_eq!(told(&store), before, "from version {version}");
        let next = roll(70_000, 3, [2, 9]);
        let batch = ChangeBatch {
            generation: 4,
            ordinal_next: 70_001,
            rolls: vec![change(Some(&versions[1]), &next)],
            ..ChangeBatch::default()
        };
        store.store(batch).expect("goes on");
        assert_eq!(told(&store).1.len(), 3);
    }
}
