//! The contract, reopening, damage.

use super::*;
use crate::store::directory::contract::{check, object, roll};

#[test]
fn keeps_the_contract_and_reads_back_after_reopening() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = SqliteDirectoryStore::open(folder.path(), &Env::system()).expect("opens");
    let expected = check(&store);
    drop(store);
    let store = SqliteDirectoryStore::open(folder.path(), &Env::system()).expect("opens");
    assert_eq!(store.load(), Ok(expected), "the space too");
    let again = ChangeBatch {
        generation: 3,
        ordinal_next: 5,
        objects: vec![object(2)],
        ..ChangeBatch::default()
    };
    assert!(store.store(again).is_err(), "removed ordinals are remembered");
}

#[test]
fn damaged_rows_are_named_and_left_out() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = SqliteDirectoryStore::open(folder.path(), &Env::system()).expect("opens");
    let batch = ChangeBatch {
        generation: 1,
        ordinal_next: 3,
        objects: (0..3).map(object).collect(),
        rolls: vec![roll(0, 1), roll(1, 1)],
        ..ChangeBatch::default()
    };
    store.store(batch).expect("stores");
    let damage = "UPDATE objects SET json = '{}' WHERE ordinal = 1; UPDATE rolls SET version = 2 WHERE owner = 0";
    store.inner().connection.execute_batch(damage).expect("changes");
    let state = store.load().expect("loads");
    assert_eq!(state.damaged, ["object with ordinal 1", "roll of group 0"]);
    assert_eq!((state.objects.len(), state.rolls.len()), (2, 1));
}
