//! A first load: many objects at once, on three threads.
//!
//! In: objects or their stored forms, in the order of ordinals. Out: a generation, the same as changes one by one
//! would have led to. The caller reads, a second thread takes objects apart and hashes their names, a third codes
//! their values and packs them. Never: more than a few thousand objects in the hands of the threads.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::build::Builder;
use crate::directory::change::{Finding, Tombstone, missing_facts};
use crate::directory::facts::Facts;
use crate::directory::index::{KeyHash, Ordinal, Space, each_gone_key, each_key};
use crate::directory::recipient::RecipientObject;
use crate::directory::record::{Record, write_stored};
use crate::directory::stored::{Parsed, StoredFault, check, parse};
use crate::mail::address::Mailbox;

/// Objects handed over together.
const BATCH_ROWS: usize = 2_048;

/// Octets handed over together, if objects are large.
const BATCH_OCTETS: usize = 4 << 20;

/// Batches that wait between two threads.
const BATCHES_MAX: usize = 2;

/// A stored object that could not be read and is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    pub ordinal: Ordinal,
    pub fault: StoredFault,
}

/// Takes objects one after the other.
pub struct Feed {
    open: Batch,
    next: SyncSender<Batch>,
}

#[derive(Default)]
struct Batch {
    octets: Vec<u8>,
    rows: Vec<(Ordinal, Given)>,
}

enum Given {
    /// A stored form: where it ends among the octets.
    Stored(usize),
    Object(Box<RecipientObject>),
}

impl Feed {
    /// An object in its stored form. Ordinals ascend.
    pub fn stored(&mut self, ordinal: Ordinal, octets: &[u8]) {
        self.open.octets.extend_from_slice(octets);
        let end = self.open.octets.len();
        self.add(ordinal, Given::Stored(end));
    }

    /// An object. Ordinals ascend.
    pub(super) fn object(&mut self, ordinal: Ordinal, object: RecipientObject) {
        self.add(ordinal, Given::Object(Box::new(object)));
    }

    fn add(&mut self, ordinal: Ordinal, given: Given) {
        self.open.rows.push((ordinal, given));
        if self.open.rows.len() >= BATCH_ROWS || self.open.octets.len() >= BATCH_OCTETS {
            self.send();
        }
    }

    fn send(&mut self) {
        // Fails only if the other thread panicked, which the scope reports.
        let _ = self.next.send(std::mem::take(&mut self.open));
    }
}

/// Objects taken apart.
#[derive(Default)]
pub(super) struct Prepared {
    /// Records of plain people.
    pub(super) octets: Vec<u8>,
    /// Hashes of all names, object by object.
    pub(super) keys: Vec<KeyHash>,
    pub(super) rows: Vec<PreparedRow>,
}

/// One object taken apart.
pub(super) struct PreparedRow {
    pub(super) ordinal: Ordinal,
    pub(super) form: PreparedForm,
    /// Where its keys end.
    pub(super) keys: usize,
    /// Hashes of its final address, in both spaces that tell whether others share it.
    pub(super) leaves_for: [KeyHash; 2],
}

/// What a row will be.
pub(super) enum PreparedForm {
    /// A record among the octets.
    Person {
        start: usize,
        end: usize,
    },
    Whole(Arc<RecipientObject>),
    Gone(Arc<Tombstone>),
}

/// What was noticed on the way.
#[derive(Default)]
struct Noticed {
    findings: Vec<Finding>,
    unreadable: Vec<Unreadable>,
}

/// Runs the threads; `feed` gives the objects.
pub(super) fn run<E>(
    feed: impl FnOnce(&mut Feed) -> Result<(), E>,
) -> Result<(Builder, Vec<Finding>, Vec<Unreadable>), E> {
    let (to_prepare, batches) = sync_channel(BATCHES_MAX);
    let (to_build, prepared) = sync_channel::<Prepared>(BATCHES_MAX);
    std::thread::scope(|scope| {
        let preparing = scope.spawn(move || prepare_all(&batches, &to_build));
        let building = scope.spawn(move || {
            let mut builder = Builder::new();
            prepared.into_iter().for_each(|batch| builder.take(batch));
            builder
        });
        let mut feeding = Feed {
            open: Batch::default(),
            next: to_prepare,
        };
        let fed = feed(&mut feeding);
        feeding.send();
        drop(feeding);
        let noticed = preparing.join().expect("taking objects apart does not panic");
        let builder = building.join().expect("packing objects does not panic");
        fed.map(|()| (builder, noticed.findings, noticed.unreadable))
    })
}

fn prepare_all(batches: &Receiver<Batch>, next: &SyncSender<Prepared>) -> Noticed {
    let mut noticed = Noticed::default();
    for batch in batches {
        // As in the feed: only a panic over there makes it fail.
        if next.send(prepare(batch, &mut noticed)).is_err() {
            break;
        }
    }
    noticed
}

fn prepare(batch: Batch, noticed: &mut Noticed) -> Prepared {
    let mut prepared = Prepared::default();
    let mut start = 0;
    for (ordinal, given) in batch.rows {
        let taken = match given {
            Given::Object(object) => {
                for fact in missing_facts(&object).into_iter().filter(|_| object.is_live()) {
                    noticed.findings.push(Finding::Missing {
                        object: object.id.clone(),
                        fact,
                    });
                }
                prepared.object(ordinal, *object);
                Ok(())
            }
            Given::Stored(end) => {
                let octets = batch.octets.get(start..end).unwrap_or_default();
                start = end;
                prepared.stored(ordinal, octets)
            }
        };
        if let Err(fault) = taken {
            noticed.unreadable.push(Unreadable { ordinal, fault });
        }
    }
    prepared
}

impl Prepared {
    fn stored(&mut self, ordinal: Ordinal, octets: &[u8]) -> Result<(), StoredFault> {
        match parse(octets)? {
            Parsed::Object(object) => self.object(ordinal, *object),
            Parsed::Person(record) => {
                let facts = record.facts().ok_or(StoredFault::Record)?;
                check(&facts)?;
                if facts.is_live() && !facts.kind.is_group() {
                    let start = self.octets.len();
                    self.octets.extend_from_slice(record.octets());
                    self.person(ordinal, &facts, start);
                } else {
                    self.object(ordinal, facts.to_object());
                }
            }
        }
        Ok(())
    }

    fn object(&mut self, ordinal: Ordinal, object: RecipientObject) {
        if !object.is_live() {
            let tombstone = Tombstone::of(&object);
            each_gone_key(&tombstone, &mut |key| self.keys.push(KeyHash::of(Space::Gone, key)));
            self.rows.push(PreparedRow {
                ordinal,
                form: PreparedForm::Gone(Arc::new(tombstone)),
                keys: self.keys.len(),
                leaves_for: [KeyHash::of(Space::Gone, ""); 2],
            });
            return;
        }
        let facts = Facts::of(&object);
        if object.is_plain_person() {
            let start = self.octets.len();
            write_stored(&facts, &mut self.octets);
            self.person(ordinal, &facts, start);
            return;
        }
        let leaves_for = self.keys(&facts);
        self.rows.push(PreparedRow {
            ordinal,
            form: PreparedForm::Whole(Arc::new(object)),
            keys: self.keys.len(),
            leaves_for,
        });
    }

    fn person(&mut self, ordinal: Ordinal, facts: &Facts<'_>, start: usize) {
        let leaves_for = self.keys(facts);
        self.rows.push(PreparedRow {
            ordinal,
            form: PreparedForm::Person {
                start,
                end: self.octets.len(),
            },
            keys: self.keys.len(),
            leaves_for,
        });
    }

    /// Hashes all names; says by which the final address is known.
    fn keys(&mut self, facts: &Facts<'_>) -> [KeyHash; 2] {
        let own = Mailbox::key_of_valid(facts.primary);
        let mut leaves_for = [KeyHash::of(Space::Address, ""); 2];
        each_key(facts, &mut |space, key| {
            let hash = KeyHash::of(space, key);
            if space == Space::Final {
                leaves_for = [hash, KeyHash::of(Space::Address, key)];
                // An address of the object says so already; see `Directory::candidates_of`.
                if key == own {
                    return;
                }
            }
            self.keys.push(hash);
        });
        leaves_for
    }
}

impl PreparedForm {
    /// The facts of a row, if it is live.
    pub(super) fn facts<'a>(&'a self, octets: &'a [u8]) -> Option<Facts<'a>> {
        match self {
            Self::Person { start, end } => Record::stored(octets.get(*start..*end)?).facts(),
            Self::Whole(object) => Some(Facts::of(object)),
            Self::Gone(_) => None,
        }
    }
}
