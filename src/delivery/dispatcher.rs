//! The queue with its lock, and the sessions at work on it.
//!
//! In: sets just committed, sessions asking for work, the time.
//! Out: work to sessions, which are woken directly or started: no polling, no timer on the way of a message.
//! Never: waits or blocks under the lock; a settlement handed to the spool in another order than the queue took it.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};

use super::dns::Dns;
use super::pace::Pace;
use super::report::{CurrentRoutes, Reporter};
use super::settings::DeliverySettings;
use super::shelf::{Loaded, Shelf};
use super::signing::Signer;
use super::tls::TlsClients;
use super::tls::sts::Policies;
use super::tls_reports::{Tally, TlsReports};
use super::tokens::Tokens;
use super::work;
use crate::env::Env;
use crate::mail::SetId;
use crate::queue::{Batch, Bounds, DestinationId, Masks, NewSet, Queue, retry};
use crate::rolls::suspect::Learner;
use crate::routing::{self, NextHop, Routes, Target, TlsMode};
use crate::spool::content::Content;
use crate::spool::message::{DeliverySet, StoredMessage};
use crate::spool::{SharedSpool, SpoolFault};
use crate::track::{Event, EventKind};

/// Whether delivery goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Yes.
    Running,
    /// Sessions end after the transaction they are in.
    Draining,
    /// Sessions end at once.
    Stopped,
}

/// Sessions of one destination.
#[derive(Default)]
struct Desk {
    /// Sessions that exist.
    open: usize,
    /// Of them those that have been greeted and are still good.
    greeted: usize,
    /// Of them those without work, last used last.
    idle: Vec<Arc<Notify>>,
    /// Addresses that failed lately: tried last until then.
    avoid: HashMap<SocketAddr, Timestamp>,
}

/// What is under the lock.
pub struct State {
    /// The queue.
    pub queue: Queue,
    /// Sets in memory.
    pub shelf: Shelf,
    /// Next hops, or labels of single MX domains, that an operator has suspended.
    pub suspended: Vec<String>,
    desks: Vec<Desk>,
}

impl State {
    fn desk(&mut self, id: DestinationId) -> &mut Desk {
        let index = id.0 as usize;
        while self.desks.len() <= index {
            self.desks.push(Desk::default());
        }
        &mut self.desks[index]
    }

    /// Greeted sessions of a destination.
    pub fn greeted(&mut self, id: DestinationId) -> usize {
        self.desk(id).greeted
    }

    /// A session was greeted.
    pub fn add_greeted(&mut self, id: DestinationId) {
        self.queue.at_mut(id).greeted();
        self.desk(id).greeted += 1;
    }

    /// A session ended; `was_greeted` if [`State::add_greeted`] had been called for it.
    pub fn session_ended(&mut self, id: DestinationId, was_greeted: bool) {
        let desk = self.desk(id);
        desk.open = desk.open.saturating_sub(1);
        desk.greeted = desk.greeted.saturating_sub(usize::from(was_greeted));
    }

    /// Takes an idle session's bell off the list; false if somebody has already rung it.
    pub fn leave_idle(&mut self, id: DestinationId, bell: &Arc<Notify>) -> bool {
        let idle = &mut self.desk(id).idle;
        let found = idle.iter().position(|known| Arc::ptr_eq(known, bell));
        found.map(|index| idle.remove(index)).is_some()
    }

    /// Tries an address last until `until`.
    pub fn avoid(&mut self, id: DestinationId, address: SocketAddr, until: Timestamp) {
        self.desk(id).avoid.insert(address, until);
    }

    /// True for an address that failed lately.
    pub fn is_avoided(&mut self, id: DestinationId, address: SocketAddr, now: Timestamp) -> bool {
        let avoid = &mut self.desk(id).avoid;
        avoid.retain(|_, until| *until > now);
        avoid.contains_key(&address)
    }
}

/// What a session does next.
pub enum Next {
    /// Sends this; the set has to be read from the store if it is not given.
    Work(Batch, Option<Arc<Loaded>>),
    /// Waits for its bell.
    Idle,
    /// Ends.
    End,
}

/// Everything sessions share.
pub struct Shared {
    /// The store.
    pub spool: SharedSpool,
    /// Routes of today's settings.
    pub routes: ArcSwap<Routes>,
    /// Makes reports.
    pub reporter: Arc<dyn Reporter>,
    /// Tells where recipients are today.
    pub current: Arc<dyn CurrentRoutes>,
    /// Learns which addresses their next hops refuse.
    pub learner: Arc<dyn Learner>,
    /// Time and chance.
    pub env: Env,
    /// Settings.
    pub settings: DeliverySettings,
    /// Name servers.
    pub dns: Dns,
    /// Signs copies.
    pub signer: Signer,
    /// TLS with next hops.
    pub tls: TlsClients,
    /// Who we are to them.
    pub tokens: Tokens,
    /// MTA-STS policies.
    pub policies: Policies,
    /// Counts for TLS reports, if they are made.
    pub tls_reports: Option<Arc<TlsReports>>,
    /// How often they may be sent to.
    pub pace: Pace,
    /// Where tasks run.
    pub runtime: Handle,
    /// Rung when something may have become due earlier than known.
    pub timer: Notify,
    /// Rung when the queue may have become empty or a session has ended.
    pub quiet: Notify,
    /// Reports being made.
    pub reporting: AtomicUsize,
    /// Whether delivery goes on.
    pub phase: watch::Sender<Phase>,
    state: Mutex<State>,
}

impl Shared {
    /// Everything, with an empty queue.
    #[allow(clippy::too_many_arguments)]
    pub fn new(
        spool: SharedSpool,
        routes: Arc<Routes>,
        reporter: Arc<dyn Reporter>,
        current: Arc<dyn CurrentRoutes>,
        learner: Arc<dyn Learner>,
        env: Env,
        settings: DeliverySettings,
        runtime: Handle,
    ) -> Self {
        Self {
            spool,
            routes: ArcSwap::new(routes),
            reporter,
            current,
            learner,
            env,
            dns: Dns::new(&settings.name_servers, settings.dns_timeout, &settings.dnssec),
            signer: Signer::default(),
            tls: TlsClients::trusting(&settings.web.authorities),
            tokens: Tokens::new(settings.web.clone()),
            policies: Policies::kept_in(settings.mta_sts_file.clone(), settings.web.clone()),
            tls_reports: settings
                .tls_reports
                .clone()
                .map(|stated| Arc::new(TlsReports::new(stated))),
            pace: Pace::default(),
            runtime,
            timer: Notify::new(),
            quiet: Notify::new(),
            reporting: AtomicUsize::new(0),
            phase: watch::Sender::new(Phase::Running),
            state: Mutex::new(State {
                queue: Queue::new(settings.report_gather),
                shelf: Shelf::new(settings.loaded_octets_max),
                suspended: Vec::new(),
                desks: Vec::new(),
            }),
            settings,
        }
    }

    /// The lock. A panic under it poisons nothing: every change is made whole or by code that cannot panic half-way,
    /// and stopping all delivery would be worse.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Wall-clock time.
    pub fn now(&self) -> Timestamp {
        self.env.clock.now()
    }

    /// A number for jitter.
    pub fn chance(&self) -> u64 {
        self.env.chance.below(u64::MAX)
    }

    /// Whether delivery goes on.
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// An outcome could not be recorded: delivery stops (DESIGN §7). What is open stays in the store.
    pub fn suspect(&self, fault: &SpoolFault) {
        tracing::error!(%fault, "an outcome of delivery could not be stored: delivery stops until a restart");
        self.phase.send_replace(Phase::Stopped);
        self.quiet.notify_waiters();
    }

    /// The hop that a destination stands for, and the domain for MX delivery.
    pub fn hop(&self, label: &str) -> Option<(NextHop, Option<String>)> {
        let routes = self.routes.load();
        let (id, domain) = routes.by_label(label)?;
        let mut hop = routes.hop(id).clone();
        if routing::is_tls_optional(label) {
            // RFC 8689 §4.2.2: TLS where it works, and no policy that could make the mail wait. What the hop's own settings
            // require stays: they are the word of our operator, not of the recipients' domain.
            (hop.dane, hop.mta_sts) = (false, false);
        }
        Some((hop, domain.map(str::to_owned)))
    }

    /// Counts sessions with a domain's mail exchangers, if settings ask for TLS reports. Sessions for mail that wants no
    /// policy are left out: ours with reports are among them (RFC 8460 §3). So are those that use no TLS by settings.
    pub fn tally<'a>(&'a self, hop: &NextHop, domain: &'a str, label: &str) -> Option<Tally<'a>> {
        let reports = self.tls_reports.as_deref()?;
        let counts = hop.target == Target::Mx && hop.tls.mode != TlsMode::None && !domain.starts_with('[');
        (counts && !routing::is_tls_optional(label)).then_some(Tally {
            reports,
            domain,
            env: &self.env,
        })
    }

    /// The destination of a label, made if it is new.
    pub fn destination(&self, state: &mut State, label: &str) -> DestinationId {
        let id = state.queue.destination(label, || {
            let routes = self.routes.load();
            match routes.by_label(label) {
                Some((id, _)) => Bounds::from(routes.hop(id)),
                None => Bounds::default(),
            }
        });
        if !state.suspended.is_empty() {
            let suspended = self.is_suspended(&state.suspended, label);
            state.queue.at_mut(id).suspend(suspended);
        }
        id
    }

    /// Queues sets that were just committed, with their message at hand.
    pub fn enqueue(
        self: &Arc<Self>,
        sets: Vec<DeliverySet>,
        message: &Arc<StoredMessage>,
        content: &Content,
        mut masks: Masks,
    ) {
        let now = self.now();
        let mut waiting = Vec::new();
        let mut state = self.state();
        let mut wake: Vec<DestinationId> = Vec::with_capacity(1);
        for set in sets {
            let id = set.id;
            let destination = self.destination(&mut state, &set.next_hop);
            state.queue.add(new_set(&set, set.roster.len()), destination);
            Self::mask_new(&mut state, &mut masks, id);
            state.shelf.offer(Loaded {
                set: Arc::new(set),
                message: Arc::clone(message),
                content: content.clone(),
            });
            if let Some(waits) = state.queue.waits(id, now) {
                waiting.push((state.queue.name(destination).to_owned(), waits));
            }
            if !wake.contains(&destination) {
                wake.push(destination);
            }
        }
        for destination in wake {
            self.pump(&mut state, destination, now);
        }
        drop(state);
        let events = waiting
            .into_iter()
            .map(|(next_hop, (waiting, answer, retry_at))| Event {
                at: now,
                message: waiting.message,
                kind: EventKind::Defer {
                    set: waiting.set,
                    next_hop,
                    ranks: waiting.ranks,
                    reply: answer.reply,
                    reason: answer.reason,
                    retry_at,
                },
            });
        let events: Vec<Event> = events.collect();
        if !events.is_empty() {
            self.spool.record(events);
        }
    }

    /// Puts as many sessions to work for a destination as it wants now.
    pub fn pump(self: &Arc<Self>, state: &mut State, id: DestinationId, now: Timestamp) {
        if self.phase() != Phase::Running {
            return;
        }
        let wanted = state.queue.sessions_wanted(id, now);
        let desk = state.desk(id);
        while desk.open - desk.idle.len() < wanted {
            if let Some(bell) = desk.idle.pop() {
                bell.notify_one();
            } else {
                desk.open += 1;
                self.runtime.spawn(work::run(Arc::clone(self), id));
            }
        }
    }

    /// Rings all idle sessions.
    pub fn ring_all(&self) {
        for desk in &mut self.state().desks {
            desk.idle.drain(..).for_each(|bell| bell.notify_one());
        }
    }

    /// What a session does next. A session that waits is rung by [`Shared::pump`].
    pub fn next(self: &Arc<Self>, id: DestinationId, bell: &Arc<Notify>) -> Next {
        if self.phase() != Phase::Running {
            return Next::End;
        }
        let now = self.now();
        let mut state = self.state();
        if let Some(batch) = state.queue.take(id, now) {
            let loaded = state.shelf.find(batch.set);
            return Next::Work(batch, loaded);
        }
        if state.queue.at(id).is_waiting(now) {
            return Next::End;
        }
        state.desk(id).idle.push(Arc::clone(bell));
        Next::Idle
    }

    /// A set with everything needed, from memory or the store.
    pub async fn load(self: &Arc<Self>, id: SetId) -> Result<Arc<Loaded>, SpoolFault> {
        if let Some(loaded) = self.state().shelf.find(id) {
            return Ok(loaded);
        }
        let spool = Arc::clone(&self.spool);
        let read = self.runtime.spawn_blocking(move || Loaded::read(&spool, id)).await;
        let loaded = Arc::new(read.map_err(|_| SpoolFault::Unreadable(format!("set {id}")))??);
        let mut state = self.state();
        if state.queue.has_ready(id) {
            state.shelf.keep(Arc::clone(&loaded));
        }
        Ok(loaded)
    }

    /// Keeps time: wakes what is due, and what is due earlier than known when the timer is rung.
    pub async fn keep_time(self: Arc<Self>) {
        let mut phase = self.phase.subscribe();
        loop {
            let now = self.now();
            let (notices, next) = {
                let mut state = self.state();
                let tick = state.queue.tick(now);
                for id in tick.wake {
                    self.pump(&mut state, id, now);
                }
                (tick.notices, state.queue.next_due())
            };
            for notice in notices {
                self.spawn_notice(notice);
            }
            // The wall clock may be set; no sleep is longer than this.
            let wait = next.map_or(CLOCK_TRUST, |next| wait_until(now, next).min(CLOCK_TRUST));
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.timer.notified() => {}
                changed = phase.wait_for(|phase| *phase != Phase::Running) => {
                    drop(changed);
                    return;
                }
            }
        }
    }

    /// True if nothing is queued and nothing is being reported.
    pub fn is_idle(&self) -> bool {
        self.reporting.load(Ordering::SeqCst) == 0 && self.state().queue.is_empty()
    }

    /// Sessions that exist.
    pub fn sessions(&self) -> usize {
        self.state().desks.iter().map(|desk| desk.open).sum()
    }

    /// When an address that failed just now may be tried first again.
    pub fn avoid_until(&self, id: DestinationId) -> Timestamp {
        let schedule = self.state().queue.at(id).bounds().retry;
        retry::later(self.now(), schedule.first * 5)
    }
}

const CLOCK_TRUST: std::time::Duration = std::time::Duration::from_secs(60);

fn wait_until(now: Timestamp, at: Timestamp) -> std::time::Duration {
    std::time::Duration::try_from(at.duration_since(now)).unwrap_or_default()
}

/// A set as the queue knows it.
pub fn new_set(set: &DeliverySet, recipients: u32) -> NewSet {
    NewSet {
        id: set.id,
        message: set.message,
        reverse_path: set.reverse_path.clone(),
        flow: flow(set),
        priority: set.priority,
        recipients,
        queued_at: set.queued_at,
        expires_at: set.expires_at,
    }
}

/// Whose turn a set counts as: the group if one was expanded, else the sender (DESIGN §7).
fn flow(set: &DeliverySet) -> u64 {
    let mut hasher = DefaultHasher::new();
    match set.roster.origins.as_slice() {
        [origin] if origin.expanded => origin.addressed.to_ascii_lowercase().hash(&mut hasher),
        _ => set.reverse_path.as_str().hash(&mut hasher),
    }
    hasher.finish()
}
