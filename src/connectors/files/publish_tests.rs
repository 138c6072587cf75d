//! Files put into a folder as a whole, whatever happens meanwhile.

use super::*;
use crate::connectors::files::{FileFault, load};
use crate::directory::recipient::SourceId;

fn planned(files: &[(&str, &str)]) -> Planned {
    let pair = |(name, text): &(&str, &str)| ((*name).to_owned(), text.as_bytes().to_vec());
    files.iter().map(pair).collect()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn run(folder: &Path, files: &[(&str, &str)], start: Start) -> Result<Difference, PublishFault> {
    publish(folder, &planned(files), start, &mut |_| {})
}

/// Everything in a folder but the lock.
fn tree(folder: &Path) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.file_name() != LOCK)
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, fs::read_to_string(entry.path()).expect("a text"))
        })
        .collect();
    all.sort();
    all
}

#[test]
fn a_second_run_changes_nothing() {
    let folder = folder();
    let first = run(folder.path(), &[("a.json", "[]"), ("b.json", "[ ]")], Start::Afresh).expect("written");
    assert_eq!(first.new, ["a.json", "b.json"]);
    let before = tree(folder.path());
    let second = run(folder.path(), &[("a.json", "[]"), ("b.json", "[ ]")], Start::Afresh).expect("nothing to do");
    assert!(second.is_empty());
    assert_eq!(tree(folder.path()), before);
    let third = run(folder.path(), &[("b.json", "[1]"), ("c.json", "[]")], Start::Afresh).expect("written");
    assert_eq!(
        (third.new, third.changed, third.gone),
        (
            vec!["c.json".to_owned()],
            vec!["b.json".to_owned()],
            vec!["a.json".to_owned()]
        )
    );
    let names: Vec<String> = tree(folder.path()).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, [MANIFEST, "b.json", "c.json"]);
}

#[test]
fn what_others_wrote_is_not_touched() {
    let folder = folder();
    fs::write(folder.path().join("mine.toml"), "x").expect("writable");
    run(folder.path(), &[("a.json", "[]")], Start::Afresh).expect("written");
    run(folder.path(), &[], Start::Afresh).expect("written");
    assert_eq!(
        fs::read_to_string(folder.path().join("mine.toml")).expect("still there"),
        "x"
    );

    fs::write(folder.path().join("a.json"), "[2]").expect("writable");
    let fault = run(folder.path(), &[("a.json", "[]")], Start::Afresh).expect_err("not ours");
    assert!(matches!(fault, PublishFault::Foreign(_)), "{fault}");
    fs::remove_file(folder.path().join("a.json")).expect("removed");
    run(folder.path(), &[("a.json", "[]")], Start::Afresh).expect("written");
    fs::write(folder.path().join("a.json"), "[3]").expect("writable");
    for files in [&[("a.json", "[4]")][..], &[]] {
        let fault = run(folder.path(), files, Start::Resume).expect_err("edited");
        assert!(matches!(fault, PublishFault::Edited(_)), "{fault}");
    }
    assert_eq!(
        fs::read_to_string(folder.path().join("a.json")).expect("as edited"),
        "[3]"
    );
}

#[test]
fn two_runs_at_once_are_one_too_many() {
    let folder = folder();
    let held = lock(folder.path()).expect("free");
    let fault = run(folder.path(), &[], Start::Afresh).expect_err("held");
    assert!(matches!(fault, PublishFault::Running(_)), "{fault}");
    drop(held);
    run(folder.path(), &[], Start::Afresh).expect("free again");
}

/// Stops a run after so many staged files by a panic, as a kill would: nothing is cleaned up.
fn stop_after(folder: &Path, files: &[(&str, &str)], count: usize) {
    let mut left = count;
    let stopped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        publish(folder, &planned(files), Start::Resume, &mut |_| {
            assert!(left > 0, "stopped on purpose");
            left -= 1;
        })
    }));
    assert!(stopped.is_err());
}

#[test]
fn a_stopped_run_is_carried_on_to_the_same_end() {
    let old = [("a.json", "[]"), ("b.json", "[]"), ("old.json", "[]")];
    let new = [("a.json", "[1]"), ("b.json", "[2]"), ("c.json", "[3]")];
    let whole = folder();
    run(whole.path(), &old, Start::Afresh).expect("written");
    run(whole.path(), &new, Start::Afresh).expect("written");
    for count in 0..3 {
        let folder = folder();
        run(folder.path(), &old, Start::Afresh).expect("written");
        stop_after(folder.path(), &new, count);
        // Nothing of the new set is seen, and a run that knows nothing of the other is told.
        assert_eq!(fs::read_to_string(folder.path().join("a.json")).expect("old"), "[]");
        let fault = run(folder.path(), &new, Start::Afresh).expect_err("unfinished");
        assert!(matches!(fault, PublishFault::Interrupted(_)), "{fault}");
        run(folder.path(), &new, Start::Resume).expect("carried on");
        assert_eq!(tree(folder.path()), tree(whole.path()), "stopped after {count}");
    }
}

#[test]
fn a_folder_in_the_middle_of_an_exchange_is_not_read() {
    let old = [("a.json", "[]"), ("b.json", "[]")];
    let new = [("a.json", "[ ]"), ("c.json", "[ ]")];
    let whole = folder();
    run(whole.path(), &old, Start::Afresh).expect("written");
    run(whole.path(), &new, Start::Afresh).expect("written");
    let folder = folder();
    run(folder.path(), &old, Start::Afresh).expect("written");
    // As a kill in the middle of the renames leaves it.
    write_whole(folder.path(), JOURNAL, &to_json(&plan(&planned(&new)))).expect("written");
    fs::write(folder.path().join(SWITCHING), "").expect("written");
    fs::write(folder.path().join("a.json"), "[ ]").expect("written");
    fs::write(folder.path().join(staged_name("c.json")), "[ ]").expect("written");
    let faults = load(folder.path(), &SourceId::new("test")).expect_err("half a set");
    assert!(
        faults
            .iter()
            .any(|fault: &FileFault| fault.message.contains("--resume")),
        "{faults:?}"
    );
    run(folder.path(), &new, Start::Resume).expect("carried on");
    assert_eq!(tree(folder.path()), tree(whole.path()));
    load(folder.path(), &SourceId::new("test")).expect("whole again");
}
