//! How fast the durable spool is by itself: `cargo bench --bench spool [-- DIRECTORY]`.
//!
//! Waiters stand for sessions: each keeps one commit in flight and asks for the next when it is answered.
//! The rates of the machine's own sync are printed beside, because nothing here can be faster than they allow.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use muster::backends::sqlite::directory::SqliteDirectoryStore;
use muster::backends::sqlite::{SpoolSettings, SqliteSpool};
use muster::env::Env;
use muster::mail::{BodyType, Envelope, EnvelopeRecipient, Mailbox, MessageId, ReversePath, SetId};
use muster::spool::Spool;
use muster::spool::content::Content;
use muster::spool::message::{
    Acceptance, Arrival, DeliverySet, MessageKind, NewMessage, Outcome, SetState, Settlement, StoredMessage,
};
use muster::spool::roster::{Roster, RosterOrigin};
use muster::store::directory::{ChangeBatch, DirectoryStore, ObjectRow};
use muster::track::{Event, EventKind};

const RUN: Duration = Duration::from_secs(5);

fn main() {
    let folder = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    let base = folder.map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(base).expect("a writable directory");
    println!("directory            {}", folder.path().display());
    println!("fdatasync, 4 KiB     {:>9.0} /s", syncs(folder.path()));
    for (sessions, size) in [(1, 1_000), (20, 4_096), (200, 1_000), (2_000, 1_000), (200, 100_000)] {
        let rate = run(&folder.path().join("a"), sessions, size, Shape::AcceptOnly);
        println!("accept {size:>7} octets, {sessions:>5} sessions  {rate:>9.0} /s");
    }
    for (sessions, size) in [(20, 4_096), (200, 1_000), (2_000, 1_000)] {
        let rate = run(&folder.path().join("b"), sessions, size, Shape::AcceptAndSettle);
        println!("accept + settle {size:>5} octets, {sessions:>5} sessions  {rate:>9.0} /s");
    }
    reopening(&folder.path().join("c"));
    directory(&folder.path().join("d"));
}

fn syncs(folder: &Path) -> f64 {
    let mut file = File::create(folder.join("sync")).expect("creates");
    file.write_all(&vec![0; 1 << 22])
        .and_then(|()| file.sync_all())
        .expect("writes");
    let (started, mut count) = (Instant::now(), 0);
    while started.elapsed() < Duration::from_secs(1) {
        use std::os::unix::fs::FileExt;
        file.write_all_at(&[1; 4_096], (count % 1_024) * 4_096).expect("writes");
        file.sync_data().expect("syncs");
        count += 1;
    }
    count as f64 / started.elapsed().as_secs_f64()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    AcceptOnly,
    AcceptAndSettle,
}

fn open(folder: &Path) -> SqliteSpool {
    let settings = SpoolSettings {
        queue_messages_max: usize::MAX,
        ..SpoolSettings::default()
    };
    SqliteSpool::open(folder, settings, Env::system()).expect("opens")
}

/// Messages per second through a new spool.
fn run(folder: &Path, sessions: usize, size: usize, shape: Shape) -> f64 {
    let spool: Arc<SqliteSpool> = Arc::new(open(folder));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let done = Arc::new(AtomicU64::new(0));
    let template = Arc::new(message(size));
    let started = Instant::now();
    runtime.block_on(async {
        let mut tasks = Vec::new();
        for _ in 0..sessions {
            let (spool, done, template) = (spool.clone(), done.clone(), template.clone());
            tasks.push(tokio::spawn(async move {
                while started.elapsed() < RUN {
                    let (acceptance, set) = acceptance(&*spool, &template);
                    spool.accept(acceptance).await.expect("accepts");
                    if shape == Shape::AcceptAndSettle {
                        spool.settle(settlement(set)).await.expect("settles");
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
            }));
        }
        // The outbox is emptied as the trace writer would.
        let draining = spool.clone();
        let drain = tokio::task::spawn_blocking(move || {
            while started.elapsed() < RUN {
                let events = draining.outbox(10_000).expect("reads");
                if let Some((last, _)) = events.last() {
                    muster::spool::promise::wait(draining.outbox_stored(*last)).expect("removes");
                } else {
                    std::thread::yield_now();
                }
            }
        });
        for task in tasks {
            task.await.expect("a session does not panic");
        }
        drain.await.expect("the drain does not panic");
    });
    let rate = done.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64();
    drop(runtime);
    drop(spool);
    std::fs::remove_dir_all(folder).expect("removes");
    rate
}

fn message(size: usize) -> (StoredMessage, Content) {
    let mut octets = b"Subject: bench\r\n\r\n".to_vec();
    octets.resize(size, b'x');
    let mailbox = |text: &str| Mailbox::parse(text).expect("valid");
    let mut envelope = Envelope::from(ReversePath::Mailbox(mailbox("lena@contoso.example")));
    envelope
        .recipients
        .push(EnvelopeRecipient::plain(mailbox("max@contoso.example")));
    let message = StoredMessage {
        id: MessageId(uuid::Uuid::nil()),
        received_at: Timestamp::now(),
        envelope,
        arrival: Arrival {
            client: Some([127, 0, 0, 1].into()),
            helo: Some("client.example".to_owned()),
            proof: Some("network loopback".to_owned()),
            ..Arrival::at("relay")
        },
        kind: MessageKind::Submitted,
        prefix: vec![b'r'; 200].into(),
        size_bytes: size as u64,
    };
    (message, Content::in_memory(octets))
}

fn acceptance(spool: &dyn Spool, template: &(StoredMessage, Content)) -> (Acceptance, SetId) {
    let (mut message, content) = template.clone();
    message.id = MessageId(uuid::Uuid::now_v7());
    let mut roster = Roster::new("c7b5a9b2-0000-4000-8000-000000000000".to_owned());
    let origin = roster.origin(RosterOrigin {
        addressed: "max@contoso.example".to_owned(),
        expanded: false,
        hidden: false,
        notify: None,
        original: None,
    });
    roster.push(17, "max@contoso.example", origin);
    let set = DeliverySet {
        id: spool.new_set_id(),
        message: message.id,
        next_hop: "cloud".to_owned(),
        reverse_path: message.envelope.reverse_path.clone(),
        ret: None,
        envid: None,
        body: BodyType::EightBitMime,
        smtputf8: false,
        no_auto_replies: false,
        priority: muster::mail::Priority::Normal,
        roster,
        queued_at: message.received_at,
        expires_at: message.received_at,
    };
    let id = set.id;
    let event = |kind| Event {
        at: message.received_at,
        message: message.id,
        kind,
    };
    let receive = EventKind::Receive {
        listener: "relay".to_owned(),
        client: message.arrival.client,
        helo: message.arrival.helo.clone(),
        reverse_path: "lena@contoso.example".to_owned(),
        recipients: vec!["max@contoso.example".to_owned()],
        size_bytes: message.size_bytes,
        sender_proof: "network loopback".to_owned(),
        header_message_id: Some("<x@contoso.example>".to_owned()),
        subject: Some("bench".to_owned()),
    };
    let queue = EventKind::Queue {
        set: id,
        next_hop: "cloud".to_owned(),
        recipients: 1,
        reverse_path: "lena@contoso.example".to_owned(),
        rule: None,
        priority: muster::mail::Priority::Normal,
    };
    let events = vec![event(receive), event(queue)];
    let outcome = Outcome {
        sets: vec![set],
        events,
        ..Outcome::default()
    };
    let acceptance = Acceptance {
        message: NewMessage { message, content },
        outcome: Some(outcome),
    };
    (acceptance, id)
}

fn settlement(set: SetId) -> Settlement {
    Settlement {
        set,
        progress: Vec::new(),
        state: SetState::default(),
        finished: true,
        reports: Vec::new(),
        events: Vec::new(),
    }
}

/// A restart with 100,000 queued messages.
fn reopening(folder: &Path) {
    const QUEUED: usize = 100_000;
    let spool = open(folder);
    let template = message(4_096);
    let mut commits = Vec::new();
    for index in 0..QUEUED {
        commits.push(spool.accept(acceptance(&spool, &template).0));
        if index % 1_000 == 999 {
            for commit in commits.drain(..) {
                muster::spool::promise::wait(commit).expect("accepts");
            }
        }
    }
    drop(spool);
    let started = Instant::now();
    let spool = open(folder);
    let opened = started.elapsed();
    let recovered = spool.recover().expect("recovers");
    assert_eq!(recovered.sets.len(), QUEUED);
    println!(
        "reopen with {QUEUED} queued: open {opened:?}, recover {:?}",
        started.elapsed() - opened
    );
}

/// Storing and loading 100,000 objects.
fn directory(folder: &Path) {
    const OBJECTS: u32 = 100_000;
    std::fs::create_dir_all(folder).expect("creates");
    let store = SqliteDirectoryStore::open(folder, &Env::system()).expect("opens");
    let object = |ordinal| ObjectRow {
        ordinal,
        id: format!("7f5d0c7e-{ordinal:08}"),
        octets: format!("person{ordinal}@contoso.example {}", "x".repeat(400)).into_bytes(),
    };
    let batch = ChangeBatch {
        generation: 1,
        ordinal_next: OBJECTS,
        objects: (0..OBJECTS).map(object).collect(),
        ..ChangeBatch::default()
    };
    let started = Instant::now();
    store.store(batch).expect("stores");
    let stored = started.elapsed();
    let mut count = 0;
    store.objects(&mut |_, _| count += 1).expect("loads");
    assert_eq!(count, OBJECTS);
    println!(
        "directory of {OBJECTS}: store {stored:?}, load {:?}",
        started.elapsed() - stored
    );
}
