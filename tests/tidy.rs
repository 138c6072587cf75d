//! Tidy: who may use whom, how long things are, which calls are banned, which documents are cited.
//!
//! A rule that has to be broken gets a row in the table below, with the reason; nothing is broken in silence.

#[path = "tidy/source.rs"]
mod source;

use std::collections::BTreeSet;

use muster::manual::exchange::PARAMETERS;
use muster::manual::requirements::{self, Requirement, Stand};
use muster::manual::rfcs::RFCS;
use source::Source;

/// The rooms of each ring, innermost first (DESIGN §3). Arrows point inward or stay in the ring.
const RINGS: [(&str, &[&str]); 5] = [
    ("words", &["mail", "track", "env", "limits"]),
    (
        "decisions",
        &[
            "smtp",
            "directory",
            "rolls",
            "resolver",
            "policy",
            "expansion",
            "routing",
            "queue",
        ],
    ),
    ("keepers", &["spool", "store", "moderation", "categorizer"]),
    (
        "edges",
        &[
            "listener",
            "accounts",
            "delivery",
            "authenticity",
            "filters",
            "connectors",
            "observe",
            "backends",
            "trust",
            "web",
        ],
    ),
    ("app", &["config", "admin", "app", "manual", "main", "lib"]),
];

/// Longest file, its tests included.
const FILE_LINES_MAX: usize = 500;

/// Longest file that holds nothing but tests: tables and dialogues are read by the row.
const TEST_FILE_LINES_MAX: usize = 800;

/// Longest function outside tests: a screen is about 70 lines, and a `match` may run over a little.
const FUNCTION_LINES_MAX: usize = 80;

/// Files over [`FILE_LINES_MAX`], with the reason.
const LONG_FILES: &[(&str, &str)] = &[];

/// Functions over [`FUNCTION_LINES_MAX`] as (file, function, reason).
const LONG_FUNCTIONS: &[(&str, &str, &str)] = &[(
    "src/policy/replies.rs",
    "of",
    "a table: one arm for each reason there is, so that a new one is met here",
)];

/// Calls that have no place in `src` outside tests: (text, where it may stand, why not elsewhere).
const BANNED: &[(&str, &[&str], &str)] = &[
    (".unwrap()", &[], "`expect` states why the invariant holds"),
    ("todo!", &[], "nothing is a stand-in"),
    ("unimplemented!", &[], "nothing is a stand-in"),
    ("dbg!", &[], "logs go through `tracing`"),
    (
        "println!",
        &["src/admin/cli", "src/app/", "src/main.rs"],
        "only the command line talks to people",
    ),
    (
        "print!",
        &["src/admin/cli", "src/app/", "src/main.rs"],
        "only the command line talks to people",
    ),
    ("SystemTime::now", &["src/env/"], "time comes in through `Env`"),
    ("Instant::now", &["src/env/"], "time comes in through `Env`"),
    ("Timestamp::now", &["src/env/"], "time comes in through `Env`"),
    ("Zoned::now", &["src/env/"], "time comes in through `Env`"),
    ("thread::sleep", &[], "wait for an event"),
];

/// What a pure room never does. Rings words (but for `env`) and decisions.
const IMPURE: &[&str] = &[
    "async ",
    ".await",
    "tokio::",
    "std::fs",
    "File::",
    "TcpStream",
    "TcpListener",
    "UnixStream",
    "UdpSocket",
    "rusqlite",
    "std::process",
    "std::env::",
    "thread::spawn",
    "static mut",
    "OnceLock",
    "LazyLock",
    "thread_local!",
];

/// Ends of names by which an Exchange parameter is known in a comment.
const PARAMETER_ENDS: &[&str] = &[
    "Enabled",
    "Limit",
    "Timeout",
    "OnlyFrom",
    "MessagesFrom",
    "OnlyFromDLMembers",
    "MessagesFromDLMembers",
    "SendersOrMembers",
    "ReceiveSize",
    "ManagedBy",
    "ModeratedBy",
    "SendModerationNotifications",
];

fn ring_of(room: &str) -> Option<usize> {
    RINGS.iter().position(|(_, rooms)| rooms.contains(&room))
}

fn failures(found: Vec<String>) {
    assert!(found.is_empty(), "{} found:\n{}", found.len(), found.join("\n"));
}

#[test]
fn every_room_has_a_ring() {
    let unknown = source::sources("src")
        .into_iter()
        .filter(|source| ring_of(&source.room()).is_none())
        .map(|source| source.path);
    failures(unknown.collect());
}

#[test]
fn arrows_point_inward() {
    let mut found = Vec::new();
    for source in source::sources("src") {
        let room = source.room();
        let from = ring_of(&room).unwrap_or(0);
        for (line, used) in source.rooms_used() {
            match ring_of(&used) {
                Some(to) if to <= from => {}
                Some(to) => found.push(format!(
                    "{}:{line}: {room} ({}) uses {used} ({})",
                    source.path, RINGS[from].0, RINGS[to].0
                )),
                None => found.push(format!("{}:{line}: {used} is in no ring", source.path)),
            }
        }
    }
    failures(found);
}

#[test]
fn pure_rooms_are_pure() {
    let mut found = Vec::new();
    for source in source::sources("src") {
        let room = source.room();
        if ring_of(&room).is_none_or(|ring| ring > 1) || room == "env" {
            continue;
        }
        for (line, text) in source.production_lines() {
            for word in IMPURE.iter().filter(|word| text.contains(**word)) {
                found.push(format!("{}:{line}: `{}` in a pure room", source.path, word.trim()));
            }
        }
    }
    failures(found);
}

#[test]
fn files_and_functions_fit() {
    let mut found = Vec::new();
    for source in source::sources("src").into_iter().chain(source::sources("tests")) {
        let lines = source.text.lines().count();
        let lines_max = if source.is_test() {
            TEST_FILE_LINES_MAX
        } else {
            FILE_LINES_MAX
        };
        if lines > lines_max && !LONG_FILES.iter().any(|(path, _)| *path == source.path) {
            found.push(format!("{}: {lines} lines, at most {lines_max}", source.path));
        }
        for function in source.functions() {
            let known = LONG_FUNCTIONS
                .iter()
                .any(|(path, name, _)| *path == source.path && *name == function.name);
            if function.lines > FUNCTION_LINES_MAX && !function.is_test && !known {
                found.push(format!(
                    "{}:{}: `{}` has {} lines, at most {FUNCTION_LINES_MAX}",
                    source.path, function.line, function.name, function.lines
                ));
            }
        }
    }
    failures(found);
}

#[test]
fn exceptions_are_still_needed() {
    let mut found = Vec::new();
    let sources: Vec<Source> = source::sources("src")
        .into_iter()
        .chain(source::sources("tests"))
        .collect();
    let of = |path: &str| sources.iter().find(|source| source.path == path);
    for (path, _) in LONG_FILES {
        if of(path).is_none_or(|source| source.text.lines().count() <= FILE_LINES_MAX) {
            found.push(format!("{path} is not long any more"));
        }
    }
    for (path, name, _) in LONG_FUNCTIONS {
        let long = of(path).is_some_and(|source| {
            let mut functions = source.functions().into_iter();
            functions.any(|function| function.name == *name && function.lines > FUNCTION_LINES_MAX)
        });
        if !long {
            found.push(format!("{path}: `{name}` is not long any more"));
        }
    }
    failures(found);
}

#[test]
fn banned_calls_are_absent() {
    let mut found = Vec::new();
    for source in source::sources("src") {
        for (line, text) in source.production_lines() {
            for (call, allowed, why) in BANNED {
                let excused = allowed.iter().any(|place| source.path.starts_with(place));
                if !excused && has_word(text, call) {
                    found.push(format!("{}:{line}: `{call}`: {why}", source.path));
                }
            }
        }
    }
    failures(found);
}

#[test]
fn tests_do_not_sleep() {
    let mut found = Vec::new();
    for source in source::sources("src").into_iter().chain(source::sources("tests")) {
        for (line, text) in source.test_lines() {
            if has_word(text, "sleep(") {
                found.push(format!("{}:{line}: wait for an event or poll a condition", source.path));
            }
        }
    }
    failures(found);
}

#[test]
fn nothing_unfinished_and_no_machine_paths() {
    // In halves, so that this file does not contain them.
    let halves = [
        ("TO", "DO"),
        ("FIX", "ME"),
        ("XX", "X"),
        ("(in ", "work)"),
        ("/ro", "ot/"),
        ("/wo", "rk/"),
        ("/ho", "me/"),
    ];
    let words = halves.map(|(one, other)| format!("{one}{other}"));
    let mut found = Vec::new();
    for source in source::everything(&["src", "tests", "bench", "config", "README.md", "Cargo.toml", ".ci"]) {
        for (index, text) in source.text.lines().enumerate() {
            for word in words.iter().filter(|word| has_word(text, word)) {
                found.push(format!("{}:{}: `{word}`", source.path, index + 1));
            }
        }
    }
    failures(found);
}

#[test]
fn every_cited_rfc_has_a_row_and_every_row_a_reader() {
    let mut cited = BTreeSet::new();
    let mut found = Vec::new();
    for source in source::sources("src") {
        if source.path.starts_with("src/manual/") {
            continue;
        }
        for number in source.rfcs() {
            if !RFCS.iter().any(|row| row.number == number) {
                found.push(format!(
                    "{}: RFC {number} has no row in src/manual/rfcs.rs",
                    source.path
                ));
            }
            cited.insert(number);
        }
    }
    for row in RFCS
        .iter()
        .filter(|row| row.state.is_claimed() && !cited.contains(&row.number))
    {
        found.push(format!(
            "RFC {} is said to be done in part and cited nowhere",
            row.number
        ));
    }
    if !RFCS.is_sorted_by(|one, next| one.number < next.number) {
        found.push("src/manual/rfcs.rs is not in order of number".to_owned());
    }
    failures(found);
}

#[test]
fn every_exchange_parameter_has_a_row_and_every_row_a_reader() {
    let mut found = Vec::new();
    let mut named = BTreeSet::new();
    for source in source::sources("src") {
        // `directory/documented.rs` lists every filterable property of the published page, honoured or not.
        if source.path.starts_with("src/manual/") || source.path == "src/directory/documented.rs" {
            continue;
        }
        for (line, word) in source.comment_words() {
            let parameter = PARAMETER_ENDS
                .iter()
                .any(|end| word.ends_with(end) && word.len() > end.len())
                || PARAMETER_ENDS.contains(&word.as_str()) && word.len() > 8;
            if parameter && is_camel(&word) && !PARAMETERS.iter().any(|row| row.name == word) {
                found.push(format!(
                    "{}:{line}: {word} has no row in src/manual/exchange.rs",
                    source.path
                ));
            }
            named.insert(word);
        }
        for word in source.code_words() {
            named.insert(word);
        }
    }
    for row in PARAMETERS
        .iter()
        .filter(|row| row.state.is_claimed() && !row.is_named_in(&named))
    {
        found.push(format!("{} is said to be honoured and named nowhere in src", row.name));
    }
    failures(found);
}

/// True if `word` stands in `text` and is not part of a longer word.
fn has_word(text: &str, word: &str) -> bool {
    let in_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let joins_before = in_word(word.chars().next());
    let joins_after = in_word(word.chars().next_back());
    text.match_indices(word).any(|(at, _)| {
        let before = joins_before && in_word(text[..at].chars().next_back());
        let after = joins_after && in_word(text[at + word.len()..].chars().next());
        !before && !after
    })
}

/// `WordsLikeThis`, at least two.
fn is_camel(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_uppercase())
        && word.chars().filter(char::is_ascii_uppercase).count() >= 2
        && word.chars().any(|c| c.is_ascii_lowercase())
}

/// Most demands of the RFCs that we do not meet.
const DEPARTURES_MAX: usize = 10;

#[test]
fn every_requirement_has_a_test_that_is_there() {
    let files = source::everything(&["src", "tests"]);
    let rows = requirements::all();
    let mut found = Vec::new();
    for row in &rows {
        let place = format!("RFC {} §{}, {}", row.rfc, row.section, row.must);
        match row.stand {
            Stand::Shown(test) => match test.split_once("::") {
                Some((path, name)) => {
                    let file = files.iter().find(|file| file.path == path);
                    if !file.is_some_and(|file| has_test(file, name)) {
                        found.push(format!("{place}: there is no {test}"));
                    }
                }
                None => found.push(format!("{place}: {test} is not a file and a name")),
            },
            Stand::Departure(why) if why.len() < 40 => found.push(format!("{place}: the reason is not told")),
            Stand::Departure(_) => {}
        }
        let known = RFCS.iter().find(|known| known.number == row.rfc);
        if !known.is_some_and(|known| known.state.is_claimed()) {
            found.push(format!(
                "{place}: the RFC has no row in src/manual/rfcs.rs, or is not claimed"
            ));
        }
        let same = |other: &&Requirement| (other.rfc, other.section, other.must) == (row.rfc, row.section, row.must);
        if rows.iter().filter(same).count() > 1 {
            found.push(format!("{place}: twice"));
        }
    }
    let departures = rows.iter().filter(|row| matches!(row.stand, Stand::Departure(_)));
    let departures = departures.count();
    if departures > DEPARTURES_MAX {
        found.push(format!("{departures} departures, at most {DEPARTURES_MAX}"));
    }
    for rfc in requirements::RFCS {
        if !rows.iter().any(|row| row.rfc == rfc) {
            found.push(format!("RFC {rfc} was gone through and has no row"));
        }
    }
    failures(found);
}

/// A test function, a dialogue with this title, or a script with this text.
fn has_test(file: &Source, name: &str) -> bool {
    let lines: Vec<&str> = file.text.lines().collect();
    if file.path.ends_with(".txt") {
        return lines.iter().any(|line| line.strip_prefix("# ") == Some(name));
    }
    if file.path.ends_with(".sh") {
        return file.text.contains(name);
    }
    let begins = |line: &str| {
        let line = line.trim_start();
        let line = line.strip_prefix("async ").unwrap_or(line);
        line.strip_prefix("fn ")
            .and_then(|rest| rest.strip_prefix(name))
            .is_some_and(|rest| rest.starts_with('('))
    };
    let is_test = |line: &str| {
        ["#[test]", "#[tokio::test"]
            .iter()
            .any(|mark| line.trim_start().starts_with(mark))
    };
    lines
        .iter()
        .enumerate()
        .any(|(at, line)| begins(line) && lines[at.saturating_sub(4)..at].iter().any(|line| is_test(line)))
}
