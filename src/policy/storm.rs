//! Storms of replies to all: one thread to one large group, counted in a sliding window, braked for a time.
//!
//! In: replies with the thread they belong to (References, In-Reply-To; never the subject), the group, the time.
//! Out: how many there are; a brake, once there are too many; whether a message runs into one.
//! Never: a brake on other mail to the group; more memory than its bounds; a brake forgotten to make room.
//!
//! Exchange Online brakes conversations of at least 2,500 recipients after 10 replies to all within 60 minutes for 6
//! hours. Counts live in memory and begin anew with the service; a brake that is on is kept by the caller
//! ([`Brake`]) and given back ([`Storms::restore`]).

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::large;
use super::membership::Identity;
use super::moderation::{is_named, owners, persons};
use crate::directory::group::StormAction;
use crate::directory::{ObjectId, RecipientObject};
use crate::limits::{
    STORM_BRAKE, STORM_MEMBERS, STORM_REPLIES, STORM_REPLIES_KEPT_MAX, STORM_ROOTS_MAX, STORM_THREADS_MAX, STORM_WINDOW,
};
use crate::mail::header::ThreadFacts;
use crate::mail::{Mailbox, MessageId};
use crate::rolls::View;

/// When a thread is braked, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StormRules {
    /// What becomes of further replies.
    pub action: StormAction,
    /// Members, nested groups included, from which on a group is watched.
    pub members: u64,
    /// Replies within the window that bring the brake on.
    pub replies: u32,
    /// How long replies are counted together.
    pub window: Duration,
    /// How long the brake stays on.
    pub brake: Duration,
}

impl Default for StormRules {
    fn default() -> Self {
        Self {
            action: StormAction::default(),
            members: STORM_MEMBERS,
            replies: STORM_REPLIES,
            window: STORM_WINDOW,
            brake: STORM_BRAKE,
        }
    }
}

impl StormRules {
    /// With what a group says itself.
    #[must_use]
    pub fn of(self, group: &RecipientObject) -> Self {
        let own = group.group.as_deref().and_then(|group| group.storm.as_deref());
        let Some(own) = own else { return self };
        Self {
            action: own.action.unwrap_or(self.action),
            members: own.members.map_or(self.members, u64::from),
            replies: own.replies.unwrap_or(self.replies),
            window: own.window.unwrap_or(self.window),
            brake: own.brake.unwrap_or(self.brake),
        }
    }

    /// True if replies to the group are counted by these rules.
    #[must_use]
    pub fn watches(&self, group: &RecipientObject, view: &View) -> bool {
        if self.action == StormAction::Off || !group.kind.is_group() {
            return false;
        }
        let ordinal = view.directory.ordinal_of(&group.id);
        ordinal.is_some_and(|ordinal| large::members(ordinal, self.members, view) >= self.members)
    }
}

/// Who decides about what a brake holds: moderators, else owners, else postmaster.
#[must_use]
pub fn deciders(group: &RecipientObject, view: &View, postmaster: &Mailbox) -> Vec<Mailbox> {
    let delivery = group.delivery.as_deref();
    let moderators = delivery.and_then(|delivery| delivery.moderation.as_deref());
    let mut found = moderators.map_or_else(Vec::new, |settings| persons(&settings.moderators, view));
    if found.is_empty() {
        found = persons(owners(group), view);
    }
    if found.is_empty() {
        found.push(postmaster.clone());
    }
    found
}

/// True if the sender may write on a thread that is braked: a moderator or owner of the group, who asks for an end.
#[must_use]
pub fn passes(group: &RecipientObject, sender: &Identity, view: &View) -> bool {
    let delivery = group.delivery.as_deref();
    let moderation = delivery.and_then(|delivery| delivery.moderation.as_deref());
    let moderates = moderation.is_some_and(|settings| is_named(&settings.moderators, sender, view));
    sender.proven && (moderates || is_named(owners(group), sender, view))
}

/// A message runs into a brake.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Braked {
    /// Id of the first message of the thread.
    pub thread: Arc<str>,
    /// What becomes of it.
    pub action: StormAction,
}

/// A thread to a group that is braked; kept over a restart.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Brake {
    /// Id of the first message of the thread.
    pub thread: Arc<str>,
    /// Ids of its messages that were seen, so that a reply to one of them is known after a restart.
    pub ids: Vec<Arc<str>>,
    /// Id of the group's object.
    pub group: ObjectId,
    /// Its primary address.
    pub address: Mailbox,
    /// What becomes of replies.
    pub action: StormAction,
    /// Replies that brought it on, and the seconds in which they came.
    pub replies: u32,
    /// See `replies`.
    pub seconds: u64,
    /// Messages of the thread that passed before, as far as they were counted.
    pub passed: Vec<MessageId>,
    /// Since when.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Who was told.
    pub told: Vec<Mailbox>,
    /// Somebody ended it before its time.
    pub ended: Option<Ended>,
}

/// Who ended something, and when.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ended {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
}

impl Brake {
    /// True while it is on.
    #[must_use]
    pub fn is_on(&self, now: Timestamp) -> bool {
        self.ended.is_none() && now < self.until
    }
}

/// What became of a reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// It went to the group.
    Passed,
    /// It waits for a moderator.
    Held,
    /// The client was told to come again.
    Deferred,
}

/// A reply to all.
#[derive(Clone, Debug)]
pub struct Reply<'a> {
    /// Its place in the conversation.
    pub thread: &'a ThreadFacts,
    /// Its number here.
    pub message: MessageId,
    /// Group it is addressed to.
    pub group: &'a ObjectId,
    /// Primary address of the group.
    pub address: &'a Mailbox,
    /// What became of it.
    pub fate: Fate,
    /// When.
    pub at: Timestamp,
}

/// A thread as `muster watch` shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Watched {
    /// Id of its first message.
    pub thread: Arc<str>,
    /// Id of the group's object.
    pub group: ObjectId,
    /// Primary address of the group.
    pub address: Mailbox,
    /// Replies within the window that is counted.
    pub replies: u64,
    /// When the first of them came.
    pub first: Option<Timestamp>,
    /// When the last of them came.
    pub last: Option<Timestamp>,
    /// Messages that passed, as far as they were counted.
    pub passed: Vec<MessageId>,
    /// Replies that a brake refused for now.
    pub deferred: u64,
    /// The brake, on or over.
    pub brake: Option<Brake>,
}

type Key = (Arc<str>, ObjectId);

#[derive(Clone, Debug)]
struct Thread {
    address: Mailbox,
    window: SignedDuration,
    /// In the order of their arrival.
    replies: VecDeque<Arrived>,
    passed: Vec<MessageId>,
    deferred: u64,
    last: Timestamp,
    brake: Option<Brake>,
}

#[derive(Clone, Debug)]
struct Arrived {
    at: Timestamp,
    own: Arc<str>,
}

/// Threads to groups, and their brakes.
#[derive(Debug, Default)]
pub struct Storms {
    threads: HashMap<Key, Thread>,
    /// First message of the conversation that a message belongs to.
    roots: HashMap<Arc<str>, Arc<str>>,
    /// In the order in which they were learned.
    learned: VecDeque<Arc<str>>,
    changes: u64,
}

impl Storms {
    /// Grows with every change that can be seen.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Takes up brakes that were kept.
    pub fn restore(&mut self, brakes: Vec<Brake>) {
        for brake in brakes {
            for id in &brake.ids {
                self.learn(id.clone(), &brake.thread);
            }
            let thread = Thread {
                address: brake.address.clone(),
                window: SignedDuration::ZERO,
                replies: VecDeque::new(),
                passed: brake.passed.clone(),
                deferred: 0,
                last: brake.since,
                brake: Some(brake.clone()),
            };
            self.threads.insert((brake.thread.clone(), brake.group.clone()), thread);
        }
    }

    /// The thread of a reply: that of a message it answers, else the first one it names.
    #[must_use]
    pub fn thread_of(&self, facts: &ThreadFacts) -> Option<Arc<str>> {
        let known = facts.ancestors.iter().find_map(|id| self.roots.get(id.as_str()));
        let first = || facts.ancestors.first().map(|id| Arc::from(id.as_str()));
        known.cloned().or_else(first)
    }

    /// The brake that a reply to a group runs into.
    #[must_use]
    pub fn braked(&self, facts: &ThreadFacts, group: &ObjectId, now: Timestamp) -> Option<Braked> {
        let thread = self.thread_of(facts)?;
        let watched = self.threads.get(&(thread.clone(), group.clone()))?;
        let brake = watched.brake.as_ref().filter(|brake| brake.is_on(now))?;
        Some(Braked {
            thread,
            action: brake.action,
        })
    }

    /// Counts a reply; the brake if it comes on with this one. The same message again changes nothing, but says again
    /// what it brought: a pass may be made twice.
    pub fn note(&mut self, reply: &Reply<'_>, rules: &StormRules) -> Option<Brake> {
        let root = self.thread_of(reply.thread)?;
        let own: Arc<str> = match &reply.thread.own {
            Some(own) => own.as_str().into(),
            None => reply.message.to_string().into(),
        };
        let ids = [&own].into_iter().cloned();
        let ancestors = reply.thread.ancestors.iter().map(|id| Arc::from(id.as_str()));
        for id in ids.chain(ancestors).collect::<BTreeSet<Arc<str>>>() {
            self.learn(id, &root);
        }
        self.make_room(reply.at);
        let window = SignedDuration::try_from(rules.window).unwrap_or(SignedDuration::MAX);
        let key = (root.clone(), reply.group.clone());
        let thread = self.threads.entry(key).or_insert_with(|| Thread {
            address: reply.address.clone(),
            window,
            replies: VecDeque::new(),
            passed: Vec::new(),
            deferred: 0,
            last: reply.at,
            brake: None,
        });
        thread.window = window;
        thread.forget_before(reply.at);
        if thread.replies.iter().any(|known| known.own == own) {
            let brought = |brake: &&Brake| brake.passed.last() == Some(&reply.message);
            return thread.brake.as_ref().filter(brought).cloned();
        }
        self.changes += 1;
        thread.replies.push_back(Arrived { at: reply.at, own });
        thread.last = reply.at;
        if thread.replies.len() > STORM_REPLIES_KEPT_MAX {
            thread.replies.pop_front();
        }
        match reply.fate {
            Fate::Passed => thread.passed.push(reply.message),
            Fate::Held => return None,
            Fate::Deferred => {
                thread.deferred += 1;
                return None;
            }
        }
        if thread.passed.len() > STORM_REPLIES_KEPT_MAX {
            thread.passed.remove(0);
        }
        thread.trip(root, reply, rules)
    }

    /// Ends a brake before its time.
    pub fn lift(&mut self, thread: &str, group: &ObjectId, by: &str, now: Timestamp) -> Option<Brake> {
        let key = (Arc::from(thread), group.clone());
        let watched = self.threads.get_mut(&key)?;
        let brake = watched.brake.as_mut().filter(|brake| brake.is_on(now))?;
        brake.ended = Some(Ended {
            at: now,
            by: by.to_owned(),
        });
        // What was counted before has been answered: so many more are needed again.
        watched.replies.clear();
        self.changes += 1;
        Some(brake.clone())
    }

    /// Notes who was told of a brake.
    pub fn told(&mut self, brake: &Brake) {
        let key = (brake.thread.clone(), brake.group.clone());
        if let Some(known) = self.threads.get_mut(&key).and_then(|thread| thread.brake.as_mut()) {
            known.told.clone_from(&brake.told);
        }
    }

    /// Every thread with replies in its window or a brake that is on, the last reply first.
    #[must_use]
    pub fn watched(&mut self, now: Timestamp) -> Vec<Watched> {
        let mut found: Vec<Watched> = Vec::new();
        for ((root, group), thread) in &mut self.threads {
            thread.forget_before(now);
            if thread.replies.is_empty() && thread.brake.as_ref().is_none_or(|brake| !brake.is_on(now)) {
                continue;
            }
            found.push(Watched {
                thread: root.clone(),
                group: group.clone(),
                address: thread.address.clone(),
                replies: thread.replies.len() as u64,
                first: thread.replies.front().map(|reply| reply.at),
                last: thread.replies.back().map(|reply| reply.at),
                passed: thread.passed.clone(),
                deferred: thread.deferred,
                brake: thread.brake.clone(),
            });
        }
        found.sort_by(|one, other| (other.last, &one.thread).cmp(&(one.last, &other.thread)));
        found
    }

    /// Id of the first message of the thread that a message belongs to, if that is known.
    #[must_use]
    pub fn root(&self, id: &str) -> Option<Arc<str>> {
        self.roots.get(id).cloned()
    }

    fn learn(&mut self, id: Arc<str>, root: &Arc<str>) {
        if self.roots.contains_key(&id) {
            return;
        }
        self.roots.insert(id.clone(), root.clone());
        self.learned.push_back(id);
        if self.learned.len() > STORM_ROOTS_MAX
            && let Some(oldest) = self.learned.pop_front()
        {
            self.roots.remove(&oldest);
        }
    }

    /// Brakes that are on stay; of the others first what nobody counts any more goes, then the quieter half.
    fn make_room(&mut self, now: Timestamp) {
        if self.threads.len() < STORM_THREADS_MAX {
            return;
        }
        self.threads.retain(|_, thread| {
            thread.forget_before(now);
            !thread.replies.is_empty() || thread.is_braked(now)
        });
        if self.threads.len() < STORM_THREADS_MAX {
            return;
        }
        let mut lasts: Vec<Timestamp> = self.threads.values().map(|thread| thread.last).collect();
        lasts.sort_unstable();
        let median = lasts[lasts.len() / 2];
        self.threads
            .retain(|_, thread| thread.last > median || thread.is_braked(now));
    }
}

impl Thread {
    fn is_braked(&self, now: Timestamp) -> bool {
        self.brake.as_ref().is_some_and(|brake| brake.is_on(now))
    }

    fn forget_before(&mut self, now: Timestamp) {
        let Ok(edge) = now.checked_sub(self.window) else { return };
        while self.replies.front().is_some_and(|reply| reply.at <= edge) {
            self.replies.pop_front();
        }
    }

    fn trip(&mut self, root: Arc<str>, reply: &Reply<'_>, rules: &StormRules) -> Option<Brake> {
        let count = u32::try_from(self.replies.len()).unwrap_or(u32::MAX);
        if count < rules.replies.max(1) || self.is_braked(reply.at) {
            return None;
        }
        let until = SignedDuration::try_from(rules.brake).ok();
        let until = until.and_then(|time| reply.at.checked_add(time).ok());
        let first = self.replies.front().map_or(reply.at, |first| first.at);
        let seconds = u64::try_from(reply.at.as_second() - first.as_second()).unwrap_or(0);
        let brake = Brake {
            thread: root,
            ids: self.replies.iter().map(|reply| reply.own.clone()).collect(),
            group: reply.group.clone(),
            address: reply.address.clone(),
            action: rules.action,
            replies: count,
            seconds,
            passed: self.passed.clone(),
            since: reply.at,
            until: until.unwrap_or(Timestamp::MAX),
            told: Vec::new(),
            ended: None,
        };
        self.brake = Some(brake.clone());
        Some(brake)
    }
}

#[cfg(test)]
#[path = "storm_tests.rs"]
mod tests;
