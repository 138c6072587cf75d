//! Every mixture of operations against the spool in memory, with moves and crashes in between.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use super::super::{SpoolSettings, SqliteSpool};
use crate::env::{Clock, Env, SystemChance};
use crate::mail::{MessageId, SetId};
use crate::spool::content::Content;
use crate::spool::contract::{Sample, moment, octets, settlement};
use crate::spool::memory::MemorySpool;
use crate::spool::message::{HoldDecision, HoldState, Outcome, Progress, RecipientOutcome, Settlement};
use crate::spool::promise::wait;
use crate::spool::{Commit, Decided, Spool, SpoolFault};
use crate::track::{Decision, Event};

/// A clock that stands still until it is moved.
pub(super) struct ByHand(AtomicU64);

impl ByHand {
    /// One that has just begun, and where it is looked at.
    pub(super) fn env() -> (Arc<Self>, Env) {
        let clock = Arc::new(Self(AtomicU64::new(1)));
        let env = Env {
            clock: clock.clone(),
            chance: Arc::new(SystemChance),
        };
        (clock, env)
    }
}

impl Clock for ByHand {
    fn now(&self) -> Timestamp {
        moment(5)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// What a test does; numbers choose among what is there.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Octets of content, sets.
    Accept(usize, usize),
    AcceptHeld,
    AcceptPending,
    Complete(usize),
    Settle(usize, bool),
    Bounce(usize, bool),
    Approve(usize),
    Record(usize),
    Stored(usize),
    Age,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (prop_oneof![Just(20_usize), Just(4_000), Just(20_000), Just(400_000)], 0..3_usize)
            .prop_map(|(octets, sets)| Step::Accept(octets, sets)),
        1 => Just(Step::AcceptHeld),
        1 => Just(Step::AcceptPending),
        1 => any::<usize>().prop_map(Step::Complete),
        6 => (any::<usize>(), any::<bool>()).prop_map(|(which, finished)| Step::Settle(which, finished)),
        2 => (any::<usize>(), any::<bool>()).prop_map(|(which, light)| Step::Bounce(which, light)),
        1 => any::<usize>().prop_map(Step::Approve),
        2 => any::<usize>().prop_map(Step::Record),
        2 => any::<usize>().prop_map(Step::Stored),
        2 => Just(Step::Age),
        1 => Just(Step::Crash),
    ]
}

/// A spool on disk and one in memory that are told the same.
struct Both {
    folder: tempfile::TempDir,
    clock: Arc<ByHand>,
    env: Env,
    disk: SqliteSpool,
    model: MemorySpool,
    messages: Vec<MessageId>,
    sets: Vec<SetId>,
    pending: Vec<MessageId>,
    holds: Vec<HoldDecision>,
    commits: Vec<(Commit<()>, Commit<()>)>,
    decisions: Vec<(Commit<Decided>, Commit<Decided>)>,
}

/// A spool on disk.
pub(super) fn open(path: &Path, env: &Env) -> SqliteSpool {
    let settings = SpoolSettings {
        disk_floor_bytes: 0,
        disk_resume_bytes: 0,
        ..SpoolSettings::default()
    };
    SqliteSpool::open(path, settings, env.clone()).expect("opens")
}

impl Both {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (clock, env) = ByHand::env();
        Self {
            disk: open(&folder.path().join("0"), &env),
            model: MemorySpool::new(env.clone()),
            folder,
            clock,
            env,
            messages: Vec::new(),
            sets: Vec::new(),
            pending: Vec::new(),
            holds: Vec::new(),
            commits: Vec::new(),
            decisions: Vec::new(),
        }
    }

    fn tell(&mut self, told: impl Fn(&dyn Spool) -> Commit<()>) {
        self.commits.push((told(&self.disk), told(&self.model)));
    }

    fn sample(&mut self, size: usize, sets: usize) -> Sample {
        let text = format!("Subject: {}\r\n\r\n{}", self.messages.len(), "x".repeat(size));
        let mut sample = Sample::with_content(&self.disk, 2, Content::in_memory(text));
        if sets == 0 {
            sample.outcome().sets.clear();
        }
        for _ in 1..sets {
            let set = sample.another_set(&self.disk, 3);
            sample.outcome().sets.push(set);
        }
        self.messages.push(sample.id());
        self.sets.extend(sample.outcome().sets.iter().map(|set| set.id));
        sample
    }

    fn accept(&mut self, sample: &Sample) {
        let acceptance = sample.acceptance.clone();
        self.tell(|spool| spool.accept(acceptance.clone()));
    }

    fn settle(&mut self, which: usize, change: impl FnOnce(&mut Self, &mut Settlement)) {
        let Some(set) = self.sets.get(which % self.sets.len().max(1)).copied() else {
            return;
        };
        let mut settled = settlement(set, false);
        settled.state.attempts = self.commits.len() as u32;
        settled.progress.push(Progress {
            first: 0,
            last: 1,
            outcome: RecipientOutcome::Relayed,
        });
        change(self, &mut settled);
        self.tell(|spool| spool.settle(settled.clone()));
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Accept(size, sets) => {
                let sample = self.sample(size, sets);
                self.accept(&sample);
            }
            Step::AcceptHeld => {
                let mut sample = self.sample(20, 1);
                let hold = sample.hold(&self.disk);
                self.holds.push(HoldDecision {
                    hold: hold.id,
                    state: HoldState::Decided {
                        decision: Decision::Approved,
                        by: "boss".to_owned(),
                        at: moment(10),
                        comment: None,
                    },
                    approval: crate::spool::approval::Approval {
                        revision: 1,
                        ..Default::default()
                    },
                    outcome: Outcome::default(),
                });
                sample.outcome().holds.push(hold);
                self.accept(&sample);
            }
            Step::AcceptPending => {
                let sample = Sample::bare(Content::in_memory("Subject: later\r\n\r\n"));
                self.messages.push(sample.id());
                self.pending.push(sample.id());
                self.accept(&sample);
            }
            Step::Complete(which) => {
                if !self.pending.is_empty() {
                    let id = self.pending.swap_remove(which % self.pending.len());
                    self.tell(|spool| spool.complete(id, Outcome::default()));
                }
            }
            Step::Settle(which, finished) => self.settle(which, |_, settled| settled.finished = finished),
            Step::Bounce(which, light) => self.settle(which, |both, settled| {
                let mut report = both.sample(300, 1);
                if !light {
                    report.acceptance.outcome = None;
                    both.pending.push(report.id());
                }
                settled.events = vec![report.event(crate::track::EventKind::Done)];
                settled.reports.push(report.acceptance);
                settled.finished = true;
            }),
            Step::Approve(which) => {
                if let Some(decision) = self.holds.get(which % self.holds.len().max(1)).cloned() {
                    let decided = self.disk.decide(decision.clone());
                    self.decisions.push((decided, self.model.decide(decision)));
                }
            }
            Step::Record(which) => self.record(which),
            Step::Stored(which) => self.store(which),
            Step::Age => {
                self.finish();
                self.clock.0.fetch_add(60_000, Ordering::Relaxed);
                // The next commit finds everything old.
                self.record(0);
            }
            Step::Crash => self.crash(),
        }
    }

    /// Of mail that may be anywhere, or gone: the order of its events is kept.
    fn record(&mut self, which: usize) {
        let other = self.sample(0, 0).id();
        let events: Vec<Event> = [self.messages[which % self.messages.len()], other]
            .into_iter()
            .map(|message| Event {
                at: moment(2),
                message,
                kind: crate::track::EventKind::Done,
            })
            .collect();
        self.disk.record(events.clone());
        self.model.record(events);
    }

    fn store(&mut self, which: usize) {
        self.finish();
        let outbox = |spool: &dyn Spool| spool.outbox(1_000).expect("reads");
        let (disk, model) = (outbox(&self.disk), outbox(&self.model));
        let same = |at: &usize| by_message(&disk[..=*at]) == by_message(&model[..=*at]);
        if let Some(at) = (which % disk.len().max(1)..disk.len()).find(same) {
            let commits = (
                self.disk.outbox_stored(disk[at].0),
                self.model.outbox_stored(model[at].0),
            );
            self.commits.push(commits);
        }
    }

    /// Waits for every answer: they are the same.
    fn finish(&mut self) {
        // Records are not answered, but what comes behind them is.
        self.tell(|spool| spool.outbox_stored(0));
        for (disk, model) in self.commits.drain(..) {
            assert_eq!(kind(wait(disk)), kind(wait(model)));
        }
        for (disk, model) in self.decisions.drain(..) {
            assert_eq!(kind(wait(disk)), kind(wait(model)));
        }
    }

    /// Goes on with what a crash would leave.
    fn crash(&mut self) {
        self.finish();
        let next = self
            .folder
            .path()
            .join(format!("{}", self.messages.len() + self.sets.len() + 1));
        let now = current(self.folder.path());
        if next == now {
            return;
        }
        super::super::tests::copy(&now, &next);
        self.disk = open(&next, &self.env);
        fs::remove_dir_all(now).expect("removes");
    }

    /// All that can be read is the same.
    fn compare(&mut self) {
        self.finish();
        // First: what is given here is the last that a roster comes with.
        let events = |spool: &dyn Spool| {
            let events = spool.outbox(1_000).expect("reads");
            assert!(events.windows(2).all(|pair| pair[0].0 < pair[1].0));
            by_message(&events)
        };
        assert_eq!(events(&self.disk), events(&self.model));
        for id in &self.messages {
            let stored = |spool: &dyn Spool| {
                let content = kind(spool.content(*id)).map(|content| octets(&content));
                (
                    kind(spool.message(*id)),
                    content,
                    kind(spool.sets_of(*id)),
                    kind(spool.holds_of(*id)),
                )
            };
            assert!(stored(&self.disk) == stored(&self.model), "message {id}");
        }
        for id in &self.sets {
            assert_eq!(kind(self.disk.set(*id)), kind(self.model.set(*id)), "set {id}");
            let roster = |spool: &dyn Spool| kind(spool.roster_octets(*id));
            assert_eq!(roster(&self.disk), roster(&self.model), "roster of {id}");
        }
        let (disk, model) = (
            self.disk.recover().expect("reads"),
            self.model.recover().expect("reads"),
        );
        assert_eq!(
            (disk.sets, disk.pending, disk.holds),
            (model.sets, model.pending, model.holds)
        );
        assert_eq!(self.disk.messages(), self.model.messages());
        assert!(self.disk.quarantined().expect("reads").is_empty());
    }
}

/// Events of each message in their order. Of those of several, what goes to the database is behind what goes to the
/// journal if they come at once.
fn by_message(events: &[(u64, Event)]) -> Vec<(MessageId, &'static str)> {
    let mut events: Vec<_> = events
        .iter()
        .map(|(_, event)| (event.message, event.kind.name()))
        .collect();
    events.sort_by_key(|(message, _)| *message);
    events
}

/// The one data directory.
fn current(folder: &Path) -> PathBuf {
    let mut found = fs::read_dir(folder).expect("lists");
    found.next().expect("one directory").expect("lists").path()
}

/// An answer; of a fault only what it is, for the words name what each looked for.
fn kind<T>(answer: Result<T, SpoolFault>) -> Result<T, std::mem::Discriminant<SpoolFault>> {
    answer.map_err(|fault| std::mem::discriminant(&fault))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_it_is_the_spool_in_memory(bursts in prop::collection::vec(prop::collection::vec(step(), 1..6), 1..16)) {
        let mut both = Both::new();
        for burst in bursts {
            burst.into_iter().for_each(|step| both.take(step));
            both.compare();
        }
        both.crash();
        both.compare();
    }
}
