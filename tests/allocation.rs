//! What a change of the directory allocates, and what the directory takes: counted by the allocator of this test.
//!
//! The promise (DESIGN §5): generations share structure, one change allocates under 1 MiB at 1,000,000 recipients,
//! the lists that follow it included.

#[path = "../bench/organisation/mod.rs"]
mod organisation;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use jiff::Timestamp;
use muster::backends::sqlite::directory::SqliteDirectoryStore;
use muster::connectors::sync::{Acceptance, Applied, DirectoryKeeper, KeeperSettings};
use muster::directory::attribute::Attribute;
use muster::directory::filter::EvaluationOptions;
use muster::directory::testing::CountingOrdinals;
use muster::directory::value::Value;
use muster::directory::{
    ChangeSet, Directory, ObjectId, Ordinal, OrdinalSource, ProxyAddress, RecipientObject, stored,
};
use muster::env::Env;
use muster::rolls::guard::{GuardLimits, Guarding};
use muster::rolls::standing::{Arrival, Standing};
use muster::rolls::{Cause, Difference, Entries, Objects, Provenance, Roll};
use muster::store::directory::{DirectoryStore, load_directory};
use muster::store::{ChangeBatch, ObjectRow};
use organisation::Organisation;
use organisation::rules::Mix;

/// Counts what is asked for, and what is held.
struct Counting;

static ASKED: AtomicUsize = AtomicUsize::new(0);
static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn note(size: usize) {
    ASKED.fetch_add(size, Ordering::Relaxed);
    let held = HELD.fetch_add(size, Ordering::Relaxed) + size;
    PEAK.fetch_max(held, Ordering::Relaxed);
}

// SAFETY: every call goes to the system's allocator unchanged; only numbers are kept beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller's promises are those of the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The counters are those of the process, so one test runs at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// A quarter of the promise: the rest belongs to the lists that follow.
const CHANGE_OCTETS_MAX: usize = 256 * 1024;

/// The promise.
const CHANGE_AND_LISTS_OCTETS_MAX: usize = 1024 * 1024;

/// What a recipient may take beside its texts.
const OVERHEAD_OCTETS_MAX: usize = 250;

/// What the dictionaries of a large organisation take, however many people share their values.
const DICTIONARY_OCTETS_MAX: usize = 16 << 20;

/// Octets of all texts of an object, repeated ones counted each time.
fn text_octets(object: &RecipientObject) -> usize {
    let proxies = object.proxies.iter().map(|proxy| match proxy {
        ProxyAddress::Smtp(mailbox) => mailbox.as_str().len(),
        ProxyAddress::X500(text) | ProxyAddress::Other(text) => text.len(),
    });
    let values = object.attributes.iter().map(|(_, value)| match value {
        Value::Text(text) => text.len(),
        Value::Texts(texts) => texts.iter().map(|text| text.len()).sum(),
        Value::Boolean(_) | Value::Integer(_) | Value::Size(_) | Value::Time(_) => 0,
    });
    let names = [
        object.legacy_dn.as_deref(),
        object.alias.as_deref(),
        object.display_name.as_deref(),
        object.distinguished_name.as_deref(),
        object.container.as_deref(),
        object.target_address.as_ref().map(|target| target.as_str()),
    ];
    object.id.as_str().len()
        + object.source.as_str().len()
        + object.primary.as_str().len()
        + names.into_iter().flatten().map(str::len).sum::<usize>()
        + proxies.sum::<usize>()
        + values.sum::<usize>()
}

/// The same person in another department.
fn moved(organisation: &Organisation, number: usize, department: &str) -> RecipientObject {
    let mut object = organisation.person(number);
    object
        .attributes
        .set(Attribute::Department, Some(Value::Text(department.into())));
    object
}

/// Ordinals of a directory whose people are not new.
struct Known<'a>(&'a Directory);

impl OrdinalSource for Known<'_> {
    fn ordinal(&mut self, id: &ObjectId) -> muster::directory::Ordinal {
        self.0.ordinal_of(id).expect("somebody who is there")
    }
}

/// What changes of one person each allocate: a value that others have, one that is new, one that is unique.
fn changes(directory: &Directory, organisation: &Organisation) -> Vec<(&'static str, usize)> {
    let common = organisation.person(7);
    let Some(Value::Text(common)) = common.attributes.get(Attribute::Department) else {
        panic!("everybody has a department");
    };
    let last = organisation.people() - 1;
    let mut unique = organisation.person(last / 3);
    unique
        .attributes
        .set(Attribute::Phone, Some(Value::Text("+49 30 555 1234567".into())));
    let mut off = organisation.person(last / 5);
    off.state = muster::directory::ObjectState::Disabled;
    [
        ("a department that others have", moved(organisation, last / 2, common)),
        (
            "a department that is new",
            moved(organisation, last, "Department of One"),
        ),
        ("a number that is nobody else's", unique),
        ("an account switched off", off),
    ]
    .map(|(what, object)| {
        let change = ChangeSet::upsert(object);
        let before = ASKED.load(Ordering::Relaxed);
        let (next, findings) = directory.apply(change, &mut Known(directory), 2, Timestamp::UNIX_EPOCH);
        let asked = ASKED.load(Ordering::Relaxed) - before;
        assert_eq!(findings, []);
        assert_eq!(next.len(), directory.len());
        (what, asked)
    })
    .into()
}

/// Loads so many people from a store and looks at what that takes.
fn measure(people: usize, groups: usize) {
    let organisation = Organisation::new(17, people, groups, Mix::Broad);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = SqliteDirectoryStore::open(folder.path(), &Env::system()).expect("opens");
    let mut text = 0;
    let mut ordinals = CountingOrdinals::default();
    let rows = organisation.objects().map(|object| {
        text += text_octets(&object);
        ObjectRow {
            ordinal: ordinals.ordinal(&object.id).0,
            id: object.id.to_string(),
            octets: stored::encode(&object),
        }
    });
    let batch = ChangeBatch {
        generation: 1,
        objects: rows.collect(),
        ordinal_next: u32::try_from(people + groups).expect("few"),
        ..ChangeBatch::default()
    };
    store.store(batch).expect("stores");
    drop(ordinals);
    let before = HELD.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let started = Instant::now();
    let directory = load_directory(&store, 1, Timestamp::UNIX_EPOCH).expect("loads");
    let loading = started.elapsed();
    let held = HELD.load(Ordering::Relaxed) - before;
    let peak = PEAK.load(Ordering::Relaxed) - before;
    assert_eq!(directory.len(), (people + groups) as u64);
    let recipients = people + groups;
    println!(
        "{recipients} recipients: text {text} octets, held {held}, {} a recipient of text and {} beside it, peak {peak}, {loading:?}",
        text / recipients,
        held.saturating_sub(text) / recipients,
    );
    let fixed = if people < 1_000_000 { DICTIONARY_OCTETS_MAX } else { 0 };
    assert!(
        held <= text + recipients * OVERHEAD_OCTETS_MAX + fixed,
        "{held} octets for {text} of text"
    );
    for (what, asked) in changes(&directory, &organisation) {
        println!("{what}: {asked} octets");
        assert!(asked < CHANGE_OCTETS_MAX, "{what}: {asked} octets");
    }
}

/// What changes of one person each allocate from the source's word to the view that serves, stored.
fn follow(people: usize, groups: usize, mix: Mix) {
    let organisation = Organisation::new(17, people, groups, mix);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = SqliteDirectoryStore::open(folder.path(), &Env::system()).expect("opens");
    let now = Timestamp::now();
    let keeper = DirectoryKeeper::open(
        Arc::new(store),
        EvaluationOptions::default(),
        KeeperSettings::default(),
        now,
    );
    let keeper = keeper.expect("opens");
    let source = organisation.source();
    keeper
        .apply(
            source,
            organisation.objects().collect(),
            None,
            Acceptance::Accepted,
            now,
        )
        .expect("stores");
    let (mut most, mut rolls) = (0, 0);
    for revision in 0..CHANGES {
        let person = organisation.changed(revision * 7_919 % people, revision);
        let change = ChangeSet::upsert(person);
        let before = ASKED.load(Ordering::Relaxed);
        let applied = keeper.apply_changes(source, change, Acceptance::Guarded, now);
        most = most.max(ASKED.load(Ordering::Relaxed) - before);
        if let Applied::Changed(changed) = applied.expect("stores") {
            rolls += changed.rolls;
        }
    }
    println!("{people} people, {groups} lists: {rolls} versions in {CHANGES} changes, {most} octets at most");
    assert!(rolls > CHANGES, "lists follow");
    assert!(most < CHANGE_AND_LISTS_OCTETS_MAX, "{most} octets");
}

/// More than the guard remembers one by one.
const CHANGES: usize = 600;

#[test]
fn a_change_and_the_lists_that_follow_it_allocate_little() {
    let _alone = ALONE.lock().expect("no other test failed");
    follow(20_000, 300, Mix::Broad);
}

/// The promise at its sizes; it takes minutes without optimisation.
#[test]
#[ignore = "a million people: run with --release"]
fn a_change_and_the_lists_that_follow_it_allocate_little_among_a_million() {
    let _alone = ALONE.lock().expect("no other test failed");
    follow(1_000_000, 3_000, Mix::Broad);
    follow(1_000_000, 100_000, Mix::Narrow);
}

/// One person leaves twelve lists of two thirds of a million, whose guards remember many changes.
#[test]
fn a_change_of_broad_lists_copies_what_it_touches() {
    let _alone = ALONE.lock().expect("no other test failed");
    let everybody: Objects = (0..1_000_000_u32).filter(|number| number % 3 > 0).collect();
    let mut lists: Vec<(Arc<Roll>, Standing)> = (0..12)
        .map(|group| {
            let roll = Roll {
                group: Ordinal(group),
                version: 1,
                entries: Entries {
                    objects: everybody.clone(),
                    ..Entries::default()
                },
                subscribers: None,
                provenance: Provenance {
                    generation: 1,
                    filter_hash: 7,
                    computed_at: Timestamp::UNIX_EPOCH,
                    confirmed_at: Timestamp::UNIX_EPOCH,
                    cause: Cause::DirectoryChanged,
                },
            };
            (Arc::new(roll), Standing::default())
        })
        .collect();
    let mut most = 0;
    for round in 0..u32::try_from(CHANGES).expect("small") {
        let now = Timestamp::from_second(i64::from(round)).expect("a time");
        let gone = [round * 1_500 + 1].into();
        let before = ASKED.load(Ordering::Relaxed);
        for (roll, standing) in &mut lists {
            let mut next = (**roll).clone();
            next.version += 1;
            next.entries.objects = roll.entries.objects.with(&[].into(), &gone);
            let next = Arc::new(next);
            let settled = standing.computed(&Arrival {
                served: Some(roll),
                before: Some(roll),
                after: &next,
                difference: &Difference::between(Some(roll), &next, Vec::new()),
                guarding: Guarding::Guarded,
                limits: &GuardLimits::default(),
                now,
            });
            assert!(settled.computed_serves);
            (*roll, *standing) = (next, settled.standing);
        }
        most = most.max(ASKED.load(Ordering::Relaxed) - before);
    }
    println!("twelve broad lists: {most} octets at most");
    assert!(most < CHANGE_AND_LISTS_OCTETS_MAX / 3 * 2, "{most} octets");
}

#[test]
fn a_change_of_one_among_many_allocates_little() {
    let _alone = ALONE.lock().expect("no other test failed");
    measure(20_000, 100);
}

/// The promise at its size; it takes minutes without optimisation.
#[test]
#[ignore = "a million people: run with --release"]
fn a_change_of_one_among_a_million_allocates_little() {
    let _alone = ALONE.lock().expect("no other test failed");
    measure(1_000_000, 3_000);
}
