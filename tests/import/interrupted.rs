//! An import that is killed is carried on, and ends as one that was not.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use super::{import_command, printed, repository, run_import};

/// One object per file makes enough files for a kill to fall between any two of them.
const SMALL: [&str; 3] = ["--yes", "--objects-per-file", "1"];

fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.file_name() != ".muster-import.lock")
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, std::fs::read(entry.path()).expect("readable"))
        })
        .collect()
}

/// Files of a folder that are staged, and files that are in place.
fn counted(folder: &Path) -> (usize, usize) {
    let names = std::fs::read_dir(folder).into_iter().flatten().flatten();
    names.fold((0, 0), |(staged, placed), entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        match (
            name.ends_with(".muster-new"),
            name.ends_with(".json") && !name.starts_with('.'),
        ) {
            (true, _) => (staged + 1, placed),
            (false, true) => (staged, placed + 1),
            (false, false) => (staged, placed),
        }
    })
}

#[test]
fn a_killed_import_is_carried_on_to_the_same_end() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let exports = [repository("config/exchange-export")];
    let whole = folder.path().join("whole");
    let output = run_import(&exports, &whole, folder.path(), &SMALL);
    assert_eq!(output.status.code(), Some(0), "{}", printed(&output));
    let wanted = tree(&whole);

    let mut killed = 0;
    // Staged so many, or placed so many: the points at which the program is killed.
    let points = [(1, 0), (40, 0), (120, 0), (0, 1), (0, 90)];
    for (index, (staged_min, placed_min)) in points.into_iter().enumerate() {
        let into = folder.path().join(format!("killed-{index}"));
        let mut child = import_command(&exports, &into, folder.path(), &SMALL)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program runs");
        loop {
            let (staged, placed) = counted(&into);
            if (staged_min > 0 && staged >= staged_min) || (placed_min > 0 && placed >= placed_min) {
                child.kill().expect("it is ours");
                break;
            }
            if child.try_wait().expect("it is ours").is_some() {
                break;
            }
            std::thread::yield_now();
        }
        child.wait().expect("it is ours");
        if tree(&into) == wanted {
            // It was faster than we looked.
            continue;
        }
        killed += 1;
        let refused = run_import(&exports, &into, folder.path(), &SMALL);
        assert_eq!(refused.status.code(), Some(2), "{}", printed(&refused));
        assert!(printed(&refused).contains("--resume"), "{}", printed(&refused));
        let resumed = run_import(&exports, &into, folder.path(), &[&SMALL[..], &["--resume"]].concat());
        assert_eq!(resumed.status.code(), Some(0), "{}", printed(&resumed));
        assert_eq!(
            tree(&into),
            wanted,
            "killed at {staged_min} staged, {placed_min} placed"
        );
    }
    assert!(killed >= 2, "only {killed} runs were caught in the middle");
}
