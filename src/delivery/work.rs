//! What a session does from its first connection to its end.

use std::sync::Arc;

use tokio::sync::Notify;

use super::account::Done;
use super::dispatcher::{Next, Phase, Shared};
use super::drop_directory;
use super::plan::{Chunking, Planned, Readdressed, Terms, eight_bit_missing, plan};
use super::report::Waiting;
use super::session::{Halt, Rested, Session, Transacted, is_eight_bit};
use super::shelf::Loaded;
use super::verdict::{Verdict, Verdicts};
use crate::mail::return_path::ReturnPathRule;
use crate::mail::{BodyType, Reply};
use crate::queue::{Batch, Bounds, DestinationId, LastAnswer, ranks};
use crate::routing::{NextHop, Routes, Target};
use crate::smtp::client::{Conclusion, Stage, TransactionResult};
use crate::spool::roster::NO_ORDINAL;
use crate::track::Reason;

/// Does what there is to do for a destination, then ends.
pub async fn run(shared: Arc<Shared>, id: DestinationId) {
    let mut phase = shared.phase.subscribe();
    let place = Place {
        shared,
        id,
        bell: Arc::new(Notify::new()),
        was_greeted: false,
    };
    tokio::select! {
        () = place.work() => {}
        stopped = phase.wait_for(|phase| *phase == Phase::Stopped) => drop(stopped),
    }
}

/// A session's place at its destination; given up when dropped.
pub struct Place {
    /// What all sessions share.
    pub shared: Arc<Shared>,
    /// The destination.
    pub id: DestinationId,
    /// Rung when there may be work.
    pub bell: Arc<Notify>,
    was_greeted: bool,
}

impl Drop for Place {
    fn drop(&mut self) {
        let now = self.shared.now();
        let mut state = self.shared.state();
        state.leave_idle(self.id, &self.bell);
        state.session_ended(self.id, self.was_greeted);
        self.shared.pump(&mut state, self.id, now);
        drop(state);
        self.shared.quiet.notify_waiters();
    }
}

/// A batch that must not get lost: if it is neither settled nor given back, its recipients wait.
pub struct Held {
    shared: Arc<Shared>,
    batch: Option<Batch>,
}

impl Held {
    /// Holds a batch.
    #[must_use]
    pub fn new(shared: &Arc<Shared>, batch: Batch) -> Self {
        Self {
            shared: Arc::clone(shared),
            batch: Some(batch),
        }
    }

    /// Lets it go to be settled or given back.
    #[must_use]
    pub fn release(mut self) -> Batch {
        self.batch.take().expect("a batch is held until it is released")
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(batch) = self.batch.take() else { return };
        if self.shared.phase() == Phase::Stopped {
            self.shared.state().queue.give_back(batch);
        } else {
            // A session broke down in our own code.
            self.shared
                .spawn_withdrawn(batch, Verdict::Deferred(Reason::Broken, None));
        }
    }
}

/// Whether a session goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Then {
    GoesOn,
    Ends,
}

impl Place {
    async fn work(mut self) {
        let routes = self.shared.routes.load_full();
        let label = self.shared.state().queue.name(self.id).to_owned();
        let Some((hop, domain)) = self.shared.hop(&label) else {
            let reason = Reason::NoRoute;
            self.shared.unreachable(self.id, LastAnswer { reason, reply: None });
            return;
        };
        self.shared.state().queue.at_mut(self.id).set_bounds(Bounds::from(&hop));
        match &hop.target {
            Target::DropDirectory(directory) => {
                self.greeted();
                drop_directory::run(&self, &hop, directory).await;
            }
            Target::Hosts(_) | Target::Mx => {
                if let Some(session) = self.open(&hop, domain.as_deref(), &label).await {
                    self.serve(session, &hop, &routes).await;
                }
            }
        }
    }

    pub(super) fn greeted(&mut self) {
        self.was_greeted = true;
        let now = self.shared.now();
        let mut state = self.shared.state();
        state.add_greeted(self.id);
        // After trouble one session asks first; now the others may follow.
        self.shared.pump(&mut state, self.id, now);
    }

    async fn serve(&self, mut session: Session, hop: &NextHop, routes: &Arc<Routes>) {
        let settings = &self.shared.settings;
        // With other settings the next batch goes over another session.
        while Arc::ptr_eq(&self.shared.routes.load(), routes) {
            let then = match self.shared.next(self.id, &self.bell) {
                Next::Work(batch, loaded) => {
                    if let Some(per_minute) = hop.messages_per_minute_max {
                        let now = self.shared.env.clock.monotonic();
                        let wait = self.shared.pace.wait(self.id, per_minute, now);
                        // A batch in hand is given back if delivery stops meanwhile.
                        let held = Held::new(&self.shared, batch);
                        tokio::time::sleep(wait).await;
                        self.send(&mut session, hop, held.release(), loaded).await
                    } else {
                        self.send(&mut session, hop, batch, loaded).await
                    }
                }
                Next::Idle => match session.rest(&self.bell, settings.session_idle_max).await {
                    Ok(rested) => self.after_rest(rested),
                    Err(fault) => {
                        self.shared.unsettled(&fault);
                        Then::Ends
                    }
                },
                Next::End => Then::Ends,
            };
            let used_up = session.messages >= settings.session_messages_max;
            if then == Then::Ends || used_up || !session.is_usable() {
                break;
            }
        }
        if let Err(fault) = session.settled().await {
            self.shared.unsettled(&fault);
        }
        session.quit().await;
    }

    fn after_rest(&self, rested: Rested) -> Then {
        let was_waiting = self.shared.state().leave_idle(self.id, &self.bell);
        match rested {
            Rested::Rung => Then::GoesOn,
            // Somebody rang at the same moment: look once more.
            Rested::TimeOut if !was_waiting => Then::GoesOn,
            Rested::TimeOut | Rested::Closed => Then::Ends,
        }
    }

    /// Sends one batch.
    async fn send(&self, session: &mut Session, hop: &NextHop, batch: Batch, loaded: Option<Arc<Loaded>>) -> Then {
        let Some((held, loaded, readdressed)) = self.prepare(batch, loaded).await else {
            return Then::GoesOn;
        };
        let batch = held.batch.as_ref().expect("just held");
        let peer = *session.client().extensions();
        let reverse_path = loaded.reverse_path(&hop.return_path, &batch.ranks, self.shared.now());
        let prefix = match self
            .shared
            .signer
            .prefix(&loaded, &hop.signing, self.shared.now())
            .await
        {
            Ok(prefix) => prefix,
            Err(_) => {
                let verdict = Verdict::Deferred(Reason::SigningFailed, None);
                let verdicts = Verdicts::all(batch.ranks.clone(), verdict);
                self.settle(session, hop, held, loaded, (verdicts, readdressed));
                return Then::Ends;
            }
        };
        if loaded.set.body == BodyType::EightBitMime && !peer.eight_bit_mime && !hop.assume_8bitmime {
            let verdict = match is_eight_bit(&loaded.content).await {
                Ok(true) => Some(eight_bit_missing()),
                Ok(false) => None,
                Err(_) => Some(Verdict::Deferred(Reason::StoreSuspect, None)),
            };
            if let Some(verdict) = verdict {
                let verdicts = Verdicts::all(batch.ranks.clone(), verdict);
                self.settle(session, hop, held, loaded, (verdicts, readdressed));
                return Then::GoesOn;
            }
        }
        let terms = terms(session, hop);
        let Planned {
            plan,
            members,
            mut verdicts,
        } = plan(
            &peer,
            &loaded,
            &prefix,
            &reverse_path,
            &batch.ranks,
            &readdressed,
            terms,
        );
        let was_used = session.messages > 0;
        if let Some(plan) = plan {
            let transacted = match session.transact(plan, &prefix, &loaded.content).await {
                Ok(transacted) => transacted,
                Err(Halt::Unsettled(fault)) => {
                    self.shared.unsettled(&fault);
                    self.shared.give_back(held);
                    return Then::Ends;
                }
                Err(Halt::Unreadable(Transacted { .. })) => {
                    let verdict = Verdict::Deferred(Reason::StoreSuspect, None);
                    verdicts = Verdicts::all(batch.ranks.clone(), verdict);
                    self.settle(session, hop, held, loaded, (verdicts, readdressed));
                    return Then::Ends;
                }
            };
            if was_used && !session.is_overdue() && is_stale(&transacted.result) {
                self.shared.give_back(held);
                return Then::Ends;
            }
            verdicts.add_result(&members, &transacted.result);
            self.learn(session, &transacted);
        }
        self.settle(session, hop, held, loaded, (verdicts, readdressed));
        Then::GoesOn
    }

    fn settle(
        &self,
        session: &mut Session,
        hop: &NextHop,
        held: Held,
        loaded: Arc<Loaded>,
        (verdicts, readdressed): (Verdicts, Readdressed),
    ) {
        let commit = self.shared.settle(Done {
            batch: held.release(),
            loaded: Some(loaded),
            verdicts,
            remote: Some(session.candidate.shown()),
            protection: session.protection.as_ref().map(ToString::to_string),
            notify_passed: session.client().extensions().dsn,
            readdressed,
            reports_come_back: matches!(hop.return_path, ReturnPathRule::Bounces(_)),
        });
        session.settle(commit);
    }

    /// Brings a batch's set into memory and looks where its recipients are today. None if nobody is left to be sent to
    /// here and now.
    pub async fn prepare(&self, batch: Batch, loaded: Option<Arc<Loaded>>) -> Option<(Held, Arc<Loaded>, Readdressed)> {
        let shared = &self.shared;
        let mut held = Held::new(shared, batch);
        let id = held.batch.as_ref().expect("just held").set;
        let loaded = match loaded {
            Some(loaded) => loaded,
            None => match shared.load(id).await {
                Ok(loaded) => loaded,
                Err(fault) => {
                    tracing::error!(%fault, set = %id, "a set could not be read");
                    shared.spawn_withdrawn(held.release(), Verdict::Deferred(fault.reason(), None));
                    return None;
                }
            },
        };
        let mut readdressed = Readdressed::new();
        let batch = held.batch.as_mut().expect("just held");
        if batch.again {
            readdressed = shared.look_again(batch, &loaded);
            if batch.is_empty() {
                shared.give_back(held);
                return None;
            }
        }
        Some((held, loaded, readdressed))
    }

    /// What a transaction says about the hop.
    fn learn(&self, session: &Session, transacted: &Transacted) {
        let shared = &self.shared;
        let result = &transacted.result;
        let now = shared.now();
        let broke = {
            let mut state = shared.state();
            let destination = state.queue.at_mut(self.id);
            if let Some(limit) = result.recipient_limit() {
                destination.learn_recipients_max(limit, now);
            }
            match &result.conclusion {
                Conclusion::Taken(_) | Conclusion::NobodyAccepted => {
                    destination.completed(transacted.latency);
                    false
                }
                Conclusion::Refused { reply, .. } if reply.is_permanent() => {
                    destination.completed(transacted.latency);
                    false
                }
                Conclusion::Refused { .. } => {
                    destination.refused();
                    false
                }
                Conclusion::Lost { .. } => destination.broke(),
            }
        };
        if matches!(result.conclusion, Conclusion::Lost { .. }) {
            let until = shared.avoid_until(self.id);
            shared.state().avoid(self.id, session.candidate.address, until);
        }
        if broke {
            let reply = format!(
                "{}: sessions break before a message is taken",
                session.candidate.shown()
            );
            shared.broken(
                self.id,
                LastAnswer {
                    reason: Reason::NextHopUnreachable,
                    reply: Some(Reply::new(451, (4, 4, 2), reply)),
                },
            );
        }
    }
}

/// What a transaction over a session may count on.
fn terms(session: &Session, hop: &NextHop) -> Terms {
    let protection = session.protection.as_ref();
    Terms {
        chunking: if hop.chunking {
            Chunking::WhereOffered
        } else {
            Chunking::Never
        },
        verified: protection.is_some_and(|protection| protection.proof.is_ok()),
        signed_in: session.client.is_signed_in(),
    }
}

/// A session that had been idle was closed by the peer before it saw anything: nothing is known about the recipients.
fn is_stale(result: &TransactionResult) -> bool {
    let nobody_answered = !result.dot_sent;
    match &result.conclusion {
        Conclusion::Lost { stage } => nobody_answered && matches!(stage, Stage::Session | Stage::Mail),
        Conclusion::Refused { stage, reply } => reply.code == 421 && matches!(stage, Stage::Session | Stage::Mail),
        Conclusion::Taken(_) | Conclusion::NobodyAccepted => false,
    }
}

impl Shared {
    /// Puts a batch back as if it had not been taken.
    fn give_back(self: &Arc<Self>, held: Held) {
        let batch = held.release();
        let id = batch.destination;
        let now = self.now();
        let mut state = self.state();
        state.queue.give_back(batch);
        self.pump(&mut state, id, now);
    }

    /// Sessions to a destination break again and again: it is left alone even if some are open.
    fn broken(self: &Arc<Self>, id: DestinationId, answer: LastAnswer) {
        self.unreachable_beside(id, 0, answer);
    }

    /// Where the recipients of a batch are today (DESIGN §5). Those who have another next hop now are moved there;
    /// those with another address are returned.
    fn look_again(self: &Arc<Self>, batch: &mut Batch, loaded: &Loaded) -> Readdressed {
        let mut readdressed = Readdressed::new();
        let roster = &loaded.set.roster;
        let (here, pinned) = {
            let state = self.state();
            let here = state.queue.name(batch.destination).to_owned();
            (here, state.queue.pinned(batch.set))
        };
        let mut moved: Vec<(String, ranks::Ranges)> = Vec::new();
        for rank in ranks::each(&batch.ranks) {
            let ordinal = roster.ordinal(rank);
            if ordinal == NO_ORDINAL || pinned.contains(rank) {
                continue;
            }
            let origin = roster.origins.get(roster.origin_of(rank) as usize);
            let waiting = Waiting {
                space: &roster.space,
                ordinal,
                message: &loaded.message,
                addressed: origin.map_or("", |origin| &origin.addressed),
            };
            let Some(today) = self.current.current(&waiting) else {
                continue;
            };
            if today.next_hop != here {
                match moved.iter_mut().find(|(label, _)| *label == today.next_hop) {
                    Some((_, there)) => ranks::push(there, rank),
                    None => moved.push((today.next_hop, vec![(rank, rank)])),
                }
            } else if today.forward_path != roster.forward_path(rank) {
                readdressed.insert(rank, today.forward_path);
            }
        }
        if !moved.is_empty() {
            let now = self.now();
            let mut state = self.state();
            for (label, there) in moved {
                let to = self.destination(&mut state, &label);
                state.queue.move_ranks(batch, &there, to);
                self.pump(&mut state, to, now);
            }
        }
        readdressed
    }
}
