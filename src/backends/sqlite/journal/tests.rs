//! Frames that a crash cut off, damage, and files that are used again.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use super::super::tests::{copy, tamper};
use super::entry::{Entry, Lines};
use super::model_tests::{ByHand, open};
use super::*;
use crate::backends::sqlite::schema;
use crate::limits::{JOURNAL_FILES_MAX, JOURNAL_MEMORY_OCTETS_URGENT};
use crate::spool::Spool;
use crate::spool::content::Content;
use crate::spool::contract::{Sample, accept, settlement};
use crate::spool::promise::wait;

const SALT: u64 = 77;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn entry(number: u64, octets: usize) -> Entry {
    Entry::Events(Lines {
        first: number,
        lines: vec!["x".repeat(octets)],
    })
}

/// A journal with frames of some sizes, numbered from 1 on.
fn journal(folder: &Path, sizes: &[usize]) -> Journal {
    let mut journal = Journal::open(folder.to_owned(), 1, SALT).expect("an empty folder opens");
    for size in sizes {
        append(&mut journal, *size);
    }
    journal
}

fn append(journal: &mut Journal, octets: usize) {
    let mut frame = journal.frame();
    frame.add(&entry(journal.next(), octets));
    journal.append(frame).expect("appends");
}

/// Numbers of whole frames, and of damaged ones.
fn numbers(folder: &Path, through: u64) -> (Vec<u64>, Vec<u64>) {
    let found = read(folder, SALT, through..u64::MAX).expect("reads");
    for (number, entries) in &found.frames {
        assert!(matches!(&entries[..], [Entry::Events(lines)] if lines.first == *number));
    }
    (
        found.frames.iter().map(|(number, _)| *number).collect(),
        found.damaged.iter().map(|(number, _)| *number).collect(),
    )
}

fn only_file(folder: &Path) -> PathBuf {
    let found = files(folder).expect("lists");
    assert_eq!(found.len(), 1);
    found[0].clone()
}

#[test]
fn a_frame_that_is_cut_off_or_changed_takes_no_other_with_it() {
    let folder = folder();
    drop(journal(folder.path(), &[10, 9_000, 10, 5_000]));
    assert_eq!(numbers(folder.path(), 0), (vec![1, 2, 3, 4], vec![]));
    assert_eq!(numbers(folder.path(), 2), (vec![3, 4], vec![]));
    let path = only_file(folder.path());
    let whole = fs::read(&path).expect("reads");
    let pages = [0, 1, 4, 5, 7].map(|page| page * PAGE);
    for frame in 0..4 {
        for at in (pages[frame]..pages[frame + 1]).step_by(311) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x20;
            fs::write(&path, &damaged).expect("writes");
            let (found, missing) = numbers(folder.path(), 0);
            if found.len() == 4 {
                // Zeros behind a frame say nothing.
                assert!(whole[at] == 0, "octet {at}");
                continue;
            }
            let others: Vec<u64> = (1..=4).filter(|number| *number != frame as u64 + 1).collect();
            assert_eq!(found, others, "octet {at}");
            // Nobody was promised anything by the last frame if it is not whole.
            let expected: Vec<u64> = if frame == 3 { vec![] } else { vec![frame as u64 + 1] };
            assert_eq!(missing, expected, "octet {at}");
        }
    }
}

#[test]
fn only_the_newest_frame_may_be_cut_off() {
    let folder = folder();
    drop(journal(folder.path(), &[10, 10, 10]));
    let path = only_file(folder.path());
    let mut octets = fs::read(&path).expect("reads");
    octets[2 * PAGE + HEADER] ^= 1;
    fs::write(&path, &octets).expect("writes");
    assert_eq!(numbers(folder.path(), 0), (vec![1, 2], vec![]));
    assert!(read(folder.path(), SALT, 0..u64::MAX).expect("reads").is_cut);
    octets[PAGE + HEADER] ^= 1;
    fs::write(&path, &octets).expect("writes");
    assert_eq!(
        numbers(folder.path(), 0),
        (vec![1], vec![2]),
        "it was synced before the third was begun"
    );
    octets[0] ^= 1;
    octets[PAGE] ^= 1;
    fs::write(&path, &octets).expect("writes");
    assert_eq!(numbers(folder.path(), 0), (vec![], vec![1, 2]));
}

#[test]
fn files_are_used_again_and_their_old_frames_count_no_more() {
    let folder = folder();
    let mut journal = journal(folder.path(), &[]);
    let half = JOURNAL_FILE_OCTETS as usize / 2 - PAGE;
    (0..6).for_each(|_| append(&mut journal, half));
    assert_eq!(files(folder.path()).expect("lists").len(), 3);
    assert_eq!(journal.oldest(4), None);
    assert_eq!(journal.oldest(3), Some(2));
    journal.release(3);
    assert_eq!(journal.oldest(3), None, "the first file is free");
    // A small frame at the beginning of that file: an old one lies behind it, and one within.
    append(&mut journal, 10);
    assert_eq!(files(folder.path()).expect("lists").len(), 3, "no fourth");
    assert_eq!(numbers(folder.path(), 3), (vec![4, 5, 6, 7], vec![]));
    // A start takes what is there; what it writes has another salt.
    let mut again = Journal::open(folder.path().to_owned(), 8, SALT + 1).expect("opens");
    append(&mut again, 10);
    let found = read(folder.path(), SALT + 1, 7..u64::MAX).expect("reads");
    assert_eq!((found.last, found.frames.len(), found.damaged.len()), (8, 1, 0));
}

#[test]
fn content_that_looks_like_a_frame_is_none() {
    let folder = folder();
    let mut forged = Frame::new(Vec::new());
    forged.add(&Entry::Stored(u64::MAX));
    forged.close(2, SALT + 5).expect("closes");
    let mut journal = journal(folder.path(), &[]);
    let mut frame = journal.frame();
    frame.add(&entry(1, PAGE));
    frame.0.resize(PAGE, 0);
    frame.0.extend_from_slice(&forged.0);
    journal.append(frame).expect("appends");
    let path = only_file(folder.path());
    let mut octets = fs::read(&path).expect("reads");
    octets[HEADER + 1] ^= 1;
    fs::write(&path, &octets).expect("writes");
    assert_eq!(
        numbers(folder.path(), 0),
        (vec![], vec![]),
        "damaged, and searched page by page"
    );
    let known = read(folder.path(), SALT + 5, 0..u64::MAX).expect("reads");
    assert_eq!(known.frames.len(), 1, "with its salt it would have been one");
}

/// Where the frame begins that holds a text.
fn frame_of(octets: &[u8], text: &str) -> usize {
    let at = octets.windows(text.len()).position(|window| window == text.as_bytes());
    at.expect("the journal holds it") / 4_096 * 4_096
}

#[test]
fn a_damaged_commit_in_the_journal_is_told_and_the_rest_goes_on() {
    let (folder, copies) = (folder(), folder());
    // The clock stands still: nothing is moved.
    let (_clock, env) = ByHand::env();
    let spool = open(folder.path(), &env);
    let samples: Vec<Sample> = ["first", "second", "third"]
        .iter()
        .map(|text| Sample::with_content(&spool, 1, Content::in_memory(format!("Subject: {text}\r\n\r\n"))))
        .collect();
    for sample in &samples {
        accept(&spool, sample);
    }
    for (damaged, others) in [(0, [1, 2]), (1, [0, 2])] {
        let crashed = copies.path().join(damaged.to_string());
        copy(folder.path(), &crashed);
        let journal = crashed.join("journal");
        let orphan = crashed.join("bodies").join("0e9c2ddc-3c44-4b8c-8be4-7a7c9f1f0d11");
        fs::write(&orphan, "a body that perhaps only that commit named").expect("writes");
        let path = journal.join("00000001.mjl");
        let mut octets = fs::read(&path).expect("reads");
        let at = frame_of(&octets, ["first", "second"][damaged]);
        octets[at + 100] ^= 1;
        fs::write(&path, octets).expect("writes");
        for _ in 0..2 {
            let spool = open(&crashed, &env);
            assert_eq!(spool.messages(), 2, "also at the next start");
            for index in others {
                spool.set(samples[index].set().id).expect("is there");
            }
            let told = spool.quarantined().expect("reads");
            assert_eq!(
                (told.len(), told[0].what, told[0].id),
                (1, "journal", damaged as i64 + 1)
            );
        }
        assert!(orphan.exists(), "kept like the frame");
        let names = fs::read_dir(&journal).expect("lists");
        let kept = names.filter(|name| {
            let name = name.as_ref().expect("lists").file_name();
            name.to_string_lossy().ends_with(".damaged-3")
        });
        assert_eq!(kept.count(), 1, "for whoever wants to look at it");
    }
}

#[test]
fn a_database_from_before_the_journal_is_taken_over() {
    let folder = folder();
    let (_clock, env) = ByHand::env();
    let spool = open(folder.path(), &env);
    let sample = Sample::new(&spool, 1);
    accept(&spool, &sample);
    drop(spool);
    tamper(folder.path(), "DELETE FROM meta WHERE name = 'journal_through'");
    tamper(folder.path(), "DELETE FROM meta WHERE name = 'journal_salt'");
    fs::remove_dir_all(folder.path().join("journal")).expect("removes");
    let connection = Connection::open(folder.path().join("mail.db")).expect("opens");
    connection.pragma_update(None, "user_version", 1).expect("sets");
    drop(connection);
    let spool = open(folder.path(), &env);
    assert_eq!(&spool.set(sample.set().id).expect("is there").set, sample.set());
    wait(spool.settle(settlement(sample.set().id, true))).expect("settles");
    drop(spool);
    let connection = Connection::open(folder.path().join("mail.db")).expect("opens");
    let version: i64 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .expect("reads");
    assert_eq!(version, schema::MAIL_VERSION, "what knows no journal refuses it");
}

#[test]
fn after_a_frame_was_cut_off_no_number_comes_twice_and_no_event_is_missed() {
    let (folder, copies) = (folder(), folder());
    let (_clock, env) = ByHand::env();
    let spool = open(folder.path(), &env);
    let sample = Sample::new(&spool, 1);
    accept(&spool, &sample);
    let last = spool.outbox(9).expect("reads").pop().expect("events").0;
    wait(spool.outbox_stored(last)).expect("removes");
    let unknown = Sample::with_content(&spool, 1, Content::in_memory("Subject: cut off\r\n\r\n"));
    accept(&spool, &unknown);
    let crashed = copies.path().join("crashed");
    copy(folder.path(), &crashed);
    let path = crashed.join("journal").join("00000001.mjl");
    let mut octets = fs::read(&path).expect("reads");
    let at = frame_of(&octets, "cut off");
    octets[at + 100] ^= 1;
    fs::write(&path, octets).expect("writes");
    let spool = open(&crashed, &env);
    assert_eq!(spool.messages(), 1);
    assert!(
        spool.quarantined().expect("reads").is_empty(),
        "nobody was promised anything"
    );
    assert_eq!(spool.outbox_len(), 0, "numbers passed over are no events");
    let next = Sample::new(&spool, 1);
    assert!(next.set().id > unknown.set().id);
    accept(&spool, &next);
    let events = spool.outbox(9).expect("reads");
    assert_eq!((events.len(), spool.outbox_len()), (2, 2));
    assert!(
        events[0].0 > last + 2,
        "above the numbers of the frame that was cut off"
    );
}

#[test]
fn mail_that_takes_too_much_memory_is_moved_however_young() {
    let folder = folder();
    let (_clock, env) = ByHand::env();
    let spool = open(folder.path(), &env);
    let rows = || -> i64 {
        let connection = Connection::open(folder.path().join("mail.db")).expect("opens");
        let count = connection.query_row("SELECT count(*) FROM messages", [], |row| row.get(0));
        count.expect("reads")
    };
    let body = "x".repeat(15_000);
    let accept_some = |count: usize| -> Vec<Sample> {
        let text = || Content::in_memory(format!("Subject: x\r\n\r\n{body}"));
        let samples: Vec<Sample> = (0..count).map(|_| Sample::with_content(&spool, 1, text())).collect();
        let commits: Vec<_> = samples
            .iter()
            .map(|sample| spool.accept(sample.acceptance.clone()))
            .collect();
        commits.into_iter().for_each(|commit| wait(commit).expect("accepts"));
        samples
    };
    let mut samples = accept_some(100);
    assert_eq!(rows(), 0, "small and young: in the journal only");
    let count = 2 * JOURNAL_MEMORY_OCTETS_URGENT / body.len();
    samples.extend(accept_some(count));
    // What is answered next finds the rest moved.
    samples.extend(accept_some(1));
    let in_memory = (samples.len() as i64 - rows()) as usize * body.len();
    assert!(in_memory <= JOURNAL_MEMORY_OCTETS_URGENT, "{in_memory} octets");
    assert!(files(&folder.path().join("journal")).expect("lists").len() <= 3 * JOURNAL_FILES_MAX);
    for sample in &samples {
        assert_eq!(&spool.set(sample.set().id).expect("is there").set, sample.set());
        assert!(spool.content(sample.id()).is_ok());
    }
}
