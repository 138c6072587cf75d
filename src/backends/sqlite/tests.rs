//! The durable spool under test: the contract, restarts, trouble.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rusqlite::Connection;

use super::*;
use crate::env::Env;
use crate::mail::MessageId;
use crate::spool::contract::{Sample, accept, check_all, octets, settlement};
use crate::spool::promise::wait;

fn settings() -> SpoolSettings {
    SpoolSettings {
        disk_floor_bytes: 0,
        disk_resume_bytes: 0,
        ..SpoolSettings::default()
    }
}

fn open(path: &Path) -> SqliteSpool {
    SqliteSpool::open(path, settings(), Env::system()).expect("opens")
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Content of a size, different for each seed.
fn content(spool: &SqliteSpool, size: usize, seed: u8) -> Content {
    let mut writer = spool.writer().expect("takes mail");
    writer.write(b"Subject: x\r\n\r\n").expect("writes");
    let body: Vec<u8> = (0..size).map(|index| seed.wrapping_add((index % 253) as u8)).collect();
    writer.write(&body).expect("writes");
    writer.finish().expect("finishes")
}

/// Copies a data directory as a crash would leave it: the log is not replayed, the lock is not held.
pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("creates");
    for entry in fs::read_dir(from).expect("lists") {
        let entry = entry.expect("lists");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else if entry.file_name() != "mail.db-shm" {
            match fs::copy(entry.path(), target) {
                Ok(_) => {}
                // The housekeeper removes bodies of messages that ended whenever it likes.
                Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => {}
                Err(fault) => panic!("{}: {fault}", entry.path().display()),
            }
        }
    }
}

/// Changes the database while no spool has it open.
pub(super) fn tamper(path: &Path, sql: &str) {
    let connection = Connection::open(path.join("mail.db")).expect("opens");
    assert_eq!(connection.execute(sql, []).expect("changes"), 1, "{sql}");
}

#[test]
fn keeps_the_contract() {
    let folder = folder();
    let number = std::cell::Cell::new(0);
    check_all(|| {
        number.set(number.get() + 1);
        Box::new(open(&folder.path().join(number.get().to_string())))
    });
}

#[test]
fn everything_is_there_after_reopening() {
    let folder = folder();
    let spool = open(folder.path());
    let sizes = [10, 40_000, 2_000_000];
    let samples: Vec<Sample> = (1..)
        .zip(sizes)
        .map(|(seed, size)| Sample::with_content(&spool, 5, content(&spool, size, seed)))
        .collect();
    for sample in &samples {
        accept(&spool, sample);
    }
    let pending = Sample::bare(content(&spool, 10, 9));
    accept(&spool, &pending);
    let gone = Sample::new(&spool, 1);
    accept(&spool, &gone);
    wait(spool.settle(settlement(gone.set().id, true))).expect("settles");
    let (events, last_set) = (spool.outbox(100).expect("reads"), spool.new_set_id());
    drop(spool);

    let spool = open(folder.path());
    let recovered = spool.recover().expect("recovers");
    let sets: Vec<SetId> = recovered.sets.iter().map(|set| set.set.id).collect();
    assert_eq!(sets, samples.iter().map(|sample| sample.set().id).collect::<Vec<_>>());
    assert_eq!(recovered.pending, [pending.id()]);
    assert_eq!(spool.outbox(100).expect("reads"), events);
    assert!(spool.new_set_id() >= last_set, "no committed set has this id");
    assert!(
        spool.roster_octets(gone.set().id).is_ok(),
        "its events are not traced yet"
    );
    for sample in &samples {
        let expected = octets(&sample.acceptance.message.content);
        assert!(octets(&spool.content(sample.id()).expect("is there")) == expected);
        assert_eq!(&spool.set(sample.set().id).expect("is there").set, sample.set());
        wait(spool.settle(settlement(sample.set().id, true))).expect("settles");
    }
    assert_eq!(spool.messages(), 1);
    wait(spool.outbox_stored(u64::MAX)).expect("removes");
    assert!(spool.roster_octets(gone.set().id).is_err());
    drop(spool);
    let bodies = fs::read_dir(folder.path().join("bodies")).expect("lists").count();
    assert_eq!(bodies, 0, "files of ended messages are removed");
}

#[test]
fn a_body_that_no_commit_names_is_removed() {
    let folder = folder();
    let spool = open(folder.path());
    let bodies = folder.path().join("bodies");
    let count = || fs::read_dir(&bodies).expect("lists").count();
    let unused = content(&spool, 2_000_000, 1);
    assert_eq!(count(), 1);
    drop(unused);
    assert_eq!(count(), 0, "dropped without a commit");
    let mut writer = spool.writer().expect("takes mail");
    writer.write(&vec![0; 2_000_000]).expect("writes");
    assert_eq!(count(), 1);
    drop(writer);
    assert_eq!(count(), 0, "the client went away");
    fs::write(bodies.join("0e9c2ddc-3c44-4b8c-8be4-7a7c9f1f0d11"), "left by a crash").expect("writes");
    drop(spool);
    let spool = open(folder.path());
    assert_eq!(count(), 0, "removed at start");
    drop(spool);
}

#[test]
fn a_data_directory_belongs_to_one_process() {
    let folder = folder();
    let first = open(folder.path());
    let second = SqliteSpool::open(folder.path(), settings(), Env::system());
    match second {
        Err(OpenFault::Taken { holder, .. }) => assert_eq!(holder, Some(std::process::id().to_string())),
        other => panic!("{other:?}"),
    }
    drop(first);
    open(folder.path());
}

#[test]
fn a_newer_database_is_left_alone() {
    let folder = folder();
    drop(open(folder.path()));
    let connection = Connection::open(folder.path().join("mail.db")).expect("opens");
    connection.pragma_update(None, "user_version", 99).expect("sets");
    let answer = SqliteSpool::open(folder.path(), settings(), Env::system());
    assert!(matches!(answer, Err(OpenFault::Newer { found: 99, .. })));
}

/// A disk whose trouble is switched on.
#[derive(Default)]
struct Trouble {
    sync_fails: AtomicBool,
    is_full: AtomicBool,
    free: AtomicU64,
}

impl Disk for Trouble {
    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        Ok(self.free.load(Ordering::Relaxed))
    }

    fn before_commit(&self) -> io::Result<()> {
        if self.sync_fails.load(Ordering::Relaxed) {
            return Err(io::Error::other("a failed sync"));
        }
        if self.is_full.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

fn open_on(path: &Path, floor: u64) -> (SqliteSpool, Arc<Trouble>) {
    let disk = Arc::new(Trouble::default());
    disk.free.store(u64::MAX, Ordering::Relaxed);
    let settings = SpoolSettings {
        disk_floor_bytes: floor,
        ..settings()
    };
    let spool = SqliteSpool::open_on(path, settings, Env::system(), disk.clone()).expect("opens");
    (spool, disk)
}

#[test]
fn after_a_failed_sync_nothing_is_promised_until_a_restart() {
    let folder = folder();
    let (spool, disk) = open_on(folder.path(), 0);
    let kept = Sample::new(&spool, 1);
    accept(&spool, &kept);
    disk.sync_fails.store(true, Ordering::Relaxed);
    let lost = Sample::new(&spool, 1);
    let suspect = |answer: &Result<(), SpoolFault>| matches!(answer, Err(SpoolFault::Suspect(_)));
    assert!(suspect(&wait(spool.accept(lost.acceptance.clone()))));
    disk.sync_fails.store(false, Ordering::Relaxed);
    assert!(suspect(&wait(spool.accept(lost.acceptance.clone()))), "no second try");
    assert!(suspect(&wait(spool.settle(settlement(kept.set().id, true)))));
    assert!(matches!(spool.readiness(), Readiness::Busy(SpoolFault::Suspect(_))));
    assert!(spool.writer().is_err());
    assert!(spool.message(kept.id()).is_ok(), "reading goes on");
    drop(spool);
    let spool = open(folder.path());
    assert!(spool.message(kept.id()).is_ok());
    assert!(spool.message(lost.id()).is_err());
    accept(&spool, &lost);
}

#[test]
fn a_full_disk_takes_the_commit_back_and_goes_on() {
    let folder = folder();
    let (spool, disk) = open_on(folder.path(), 0);
    let kept = Sample::with_content(&spool, 1, content(&spool, 40_000, 1));
    accept(&spool, &kept);
    disk.is_full.store(true, Ordering::Relaxed);
    let refused = Sample::with_content(&spool, 1, content(&spool, 40_000, 2));
    assert_eq!(wait(spool.accept(refused.acceptance.clone())), Err(SpoolFault::DiskLow));
    assert_eq!(
        wait(spool.settle(settlement(kept.set().id, true))),
        Err(SpoolFault::DiskLow)
    );
    assert_eq!(spool.messages(), 1);
    disk.is_full.store(false, Ordering::Relaxed);
    let expected = octets(&kept.acceptance.message.content);
    assert!(octets(&spool.content(kept.id()).expect("is there")) == expected);
    wait(spool.settle(settlement(kept.set().id, true))).expect("settles");
    assert_eq!(spool.messages(), 0);
}

#[test]
fn below_the_floor_mail_is_refused_and_outcomes_are_kept() {
    let folder = folder();
    let (spool, disk) = open_on(folder.path(), 1_000);
    let kept = Sample::new(&spool, 1);
    accept(&spool, &kept);
    disk.free.store(999, Ordering::Relaxed);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while spool.readiness() == Readiness::Ready {
        assert!(std::time::Instant::now() < deadline, "the reading is renewed");
        std::thread::yield_now();
    }
    assert_eq!(spool.readiness(), Readiness::Busy(SpoolFault::DiskLow));
    assert_eq!(
        wait(spool.accept(Sample::new(&spool, 1).acceptance)),
        Err(SpoolFault::DiskLow)
    );
    wait(spool.settle(settlement(kept.set().id, true))).expect("the queue drains");
}

#[test]
fn above_the_queue_bound_mail_waits_outside() {
    let folder = folder();
    let settings = SpoolSettings {
        queue_messages_max: 2,
        ..settings()
    };
    let spool = SqliteSpool::open(folder.path(), settings, Env::system()).expect("opens");
    let samples: Vec<Sample> = (0..3).map(|_| Sample::new(&spool, 1)).collect();
    accept(&spool, &samples[0]);
    accept(&spool, &samples[1]);
    assert_eq!(wait(spool.accept(samples[2].acceptance.clone())), Err(SpoolFault::Full));
    wait(spool.settle(settlement(samples[0].set().id, true))).expect("settles");
    accept(&spool, &samples[2]);
}

/// Accepts one message of each kind of place and closes the spool.
fn three_places(path: &Path) -> Vec<Sample> {
    let spool = open(path);
    let samples: Vec<Sample> = [100, 40_000, 2_000_000]
        .into_iter()
        .map(|size| Sample::with_content(&spool, 3, content(&spool, size, 1)))
        .collect();
    for sample in &samples {
        accept(&spool, sample);
    }
    samples
}

/// The others are untouched by damage to one.
fn all_but(spool: &SqliteSpool, samples: &[Sample], damaged: MessageId) {
    for sample in samples.iter().filter(|sample| sample.id() != damaged) {
        let expected = octets(&sample.acceptance.message.content);
        assert!(octets(&spool.content(sample.id()).expect("is there")) == expected);
        assert_eq!(&spool.set(sample.set().id).expect("is there").set, sample.set());
    }
}

#[test]
fn a_damaged_roster_is_set_aside_and_the_rest_goes_on() {
    let folder = folder();
    let samples = three_places(folder.path());
    let set = samples[0].set().id;
    let sql = format!(
        "UPDATE sets SET roster = substr(roster, 1, 30) || x'00' || substr(roster, 32) WHERE id = {}",
        set.0
    );
    tamper(folder.path(), &sql);
    for _ in 0..2 {
        let spool = open(folder.path());
        let recovered = spool.recover().expect("recovers");
        assert_eq!(recovered.sets.len(), 2);
        assert!(matches!(spool.set(set), Err(SpoolFault::Unreadable(_))));
        all_but(&spool, &samples, samples[0].id());
        wait(spool.forget_holds(Timestamp::UNIX_EPOCH)).expect("commits what was enqueued before");
        let listed = spool.quarantined().expect("reads");
        assert_eq!(listed.len(), 1);
        assert_eq!((listed[0].what, listed[0].message), ("set", Some(samples[0].id())));
    }
    let spool = open(folder.path());
    wait(spool.settle(settlement(set, true))).expect("an operator ends it");
    assert!(spool.quarantined().expect("reads").is_empty());
}

#[test]
fn damaged_bodies_are_found_before_they_are_believed() {
    for index in 0..3 {
        let folder = folder();
        let samples = three_places(folder.path());
        match index {
            0 => tamper(
                folder.path(),
                "UPDATE contents SET inline = substr(inline, 1, 50) || x'00' || substr(inline, 52) WHERE inline IS NOT NULL",
            ),
            1 => flip(&folder.path().join("segments"), 20_000),
            _ => flip(&folder.path().join("bodies"), 1_999_999),
        }
        let spool = open(folder.path());
        let damaged = samples[index].id();
        assert!(
            matches!(spool.content(damaged), Err(SpoolFault::Unreadable(_))),
            "place {index}"
        );
        all_but(&spool, &samples, damaged);
        wait(spool.forget_holds(Timestamp::UNIX_EPOCH)).expect("commits what was enqueued before");
        assert_eq!(spool.quarantined().expect("reads")[0].message, Some(damaged));
        drop(spool);
        let recovered = open(folder.path()).recover().expect("recovers");
        assert_eq!(recovered.sets.len(), 2, "place {index}");
    }
}

#[test]
fn missing_bodies_are_found_at_the_start() {
    for (index, name) in [(1, "segments"), (2, "bodies")] {
        let folder = folder();
        let samples = three_places(folder.path());
        for entry in fs::read_dir(folder.path().join(name)).expect("lists") {
            fs::remove_file(entry.expect("lists").path()).expect("removes");
        }
        let spool = open(folder.path());
        assert_eq!(spool.recover().expect("recovers").sets.len(), 2, "{name}");
        assert_eq!(
            spool.quarantined().expect("reads")[0].message,
            Some(samples[index].id())
        );
        all_but(&spool, &samples, samples[index].id());
    }
}

#[test]
fn a_damaged_message_row_keeps_every_file() {
    let folder = folder();
    let samples = three_places(folder.path());
    tamper(
        folder.path(),
        "UPDATE messages SET place = replace(place, ' ', '  ') WHERE place LIKE 'file%'",
    );
    let spool = open(folder.path());
    all_but(&spool, &samples, samples[2].id());
    assert_eq!(spool.quarantined().expect("reads")[0].what, "message");
    drop(spool);
    let bodies = fs::read_dir(folder.path().join("bodies")).expect("lists").count();
    assert_eq!(bodies, 1, "the row may name it");
}

fn flip(folder: &Path, offset: usize) {
    let entry = fs::read_dir(folder).expect("lists").next().expect("one file");
    let path = entry.expect("lists").path();
    let mut octets = fs::read(&path).expect("reads");
    octets[offset] ^= 1;
    fs::write(&path, octets).expect("writes");
}

#[test]
fn at_every_commit_boundary_a_crash_leaves_exactly_what_was_answered() {
    let (folder, copies) = (folder(), tempfile::tempdir().expect("a temporary folder"));
    let spool = open(folder.path());
    let mut alive: Vec<Sample> = Vec::new();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for step in 0..60 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        if alive.is_empty() || !random.is_multiple_of(3) {
            let size = [50, 20_000, 1_500_000][(random >> 8) as usize % 3];
            let sample = Sample::with_content(&spool, 3, content(&spool, size, step));
            accept(&spool, &sample);
            alive.push(sample);
        } else {
            let ended = alive.remove((random >> 8) as usize % alive.len());
            wait(spool.settle(settlement(ended.set().id, true))).expect("settles");
        }
        if step % 4 != 0 {
            continue;
        }
        let crashed = copies.path().join(step.to_string());
        copy(folder.path(), &crashed);
        let found = open(&crashed);
        assert_eq!(found.messages(), alive.len(), "step {step}");
        for sample in &alive {
            let expected = octets(&sample.acceptance.message.content);
            assert!(
                octets(&found.content(sample.id()).expect("is there")) == expected,
                "step {step}"
            );
            assert_eq!(&found.set(sample.set().id).expect("is there").set, sample.set());
        }
        drop(found);
        fs::remove_dir_all(&crashed).expect("removes");
    }
}
