//! Mail that is in the journal and not yet in the database, in memory.
//!
//! In: entries of frames, as they are written or read back: both come to the same state. Out: messages, sets and
//! rosters for readers; what has to be moved. Never: half a message here and half in the database.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::RangeInclusive;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::entry::{Accepted, AcceptedSet, Entry, Lines, Settled};
use crate::mail::{MessageId, SetId};

/// Mail of the journal, shared by the committer, who alone changes it, and readers.
#[derive(Debug, Default)]
pub(crate) struct Young(Mutex<Kept>);

/// A message with open sets.
#[derive(Clone, Debug)]
pub(crate) struct YoungMessage {
    /// Number of the frame that accepted it.
    pub(crate) frame: u64,
    /// As accepted, without sets and lines.
    pub(crate) accepted: Accepted,
    /// Its sets, finished ones included.
    pub(crate) sets: Vec<YoungSet>,
}

/// A set of such a message.
#[derive(Clone, Debug)]
pub(crate) struct YoungSet {
    pub(crate) accepted: AcceptedSet,
    pub(crate) progress: Vec<Vec<u8>>,
    /// Where it stands, once it was settled.
    pub(crate) state: Option<Vec<u8>>,
    pub(crate) finished: bool,
}

/// An event that is not stored elsewhere.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) number: u64,
    frame: u64,
    pub(super) text: String,
}

/// What frames up to a number brought and is still needed.
#[derive(Debug)]
pub(crate) struct Part {
    pub(super) messages: Vec<YoungMessage>,
    /// Sets of ended messages whose roster is still needed.
    pub(super) left: Vec<AcceptedSet>,
    pub(super) lines: Vec<Line>,
}

/// A set that can be settled here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) message: MessageId,
    /// Number of the frame that accepted its message.
    pub(crate) frame: u64,
    pub(crate) finished: bool,
}

/// The state itself.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    messages: HashMap<MessageId, YoungMessage>,
    sets: HashMap<SetId, MessageId>,
    /// Messages in the order of their frames, ended ones included.
    order: VecDeque<(u64, MessageId)>,
    /// Sets of ended messages, by the number of the QUEUE event that still needs their roster.
    left: BTreeMap<u64, AcceptedSet>,
    /// The other way round.
    left_of: HashMap<SetId, u64>,
    /// Events that are not stored elsewhere, in the order of their numbers.
    lines: VecDeque<Line>,
    /// Octets of all this.
    octets: usize,
    /// Events up to this one are stored elsewhere.
    stored: u64,
    /// Number of the newest frame.
    frame: u64,
    /// Highest number of any event and of any set that was ever here.
    pub(crate) event_last: u64,
    pub(crate) set_last: u64,
}

impl Young {
    /// The state; held shortly.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A message that is here.
    pub(crate) fn message(&self, id: MessageId) -> Option<YoungMessage> {
        self.lock().messages.get(&id).cloned()
    }

    /// A set whose message is here.
    pub(crate) fn set(&self, id: SetId) -> Option<YoungSet> {
        let kept = self.lock();
        let message = kept.messages.get(kept.sets.get(&id)?)?;
        message.sets.iter().find(|set| set.accepted.id == id).cloned()
    }

    /// Sets of all messages that are here.
    pub(crate) fn sets(&self) -> Vec<YoungSet> {
        let kept = self.lock();
        kept.messages
            .values()
            .flat_map(|message| message.sets.clone())
            .collect()
    }

    /// Events of a range of numbers that follow on each other from its first on, at most `count_max`; if that is not
    /// here, the first number above it that is.
    pub(crate) fn events(
        &self,
        numbers: RangeInclusive<u64>,
        count_max: usize,
    ) -> Result<Vec<(u64, String)>, Option<u64>> {
        let kept = self.lock();
        let behind = kept.lines.partition_point(|line| line.number < *numbers.start());
        let lines = kept.lines.range(behind..);
        match lines.clone().next() {
            Some(first) if first.number == *numbers.start() => Ok(numbers
                .zip(lines)
                .take_while(|(expected, line)| *expected == line.number)
                .map(|(number, line)| (number, line.text.clone()))
                .take(count_max)
                .collect()),
            first => Err(first.map(|line| line.number)),
        }
    }

    /// A roster as encoded, also of a set whose message has ended.
    pub(crate) fn roster(&self, id: SetId) -> Option<Bytes> {
        if let Some(set) = self.set(id) {
            return Some(set.accepted.roster);
        }
        let kept = self.lock();
        let left = kept.left.get(kept.left_of.get(&id)?)?;
        Some(left.roster.clone())
    }
}

impl Kept {
    /// What frames say together, of a spool whose database holds everything up to `through`.
    pub(crate) fn read(frames: Vec<(u64, Vec<Entry>)>, stored: u64, through: u64) -> Self {
        let mut kept = Self {
            stored,
            frame: through,
            ..Self::default()
        };
        for (frame, entries) in frames {
            for entry in entries {
                kept.apply(frame, through, entry);
            }
        }
        kept
    }

    /// Number of the newest frame.
    pub(crate) fn frame(&self) -> u64 {
        self.frame
    }

    /// Octets of memory, about.
    pub(crate) fn octets(&self) -> usize {
        self.octets
    }

    /// Events up to this one are stored elsewhere.
    pub(crate) fn stored(&self) -> u64 {
        self.stored
    }

    /// A set that can be settled here.
    pub(crate) fn find(&self, set: SetId) -> Option<Found> {
        let id = self.sets.get(&set)?;
        let message = self.messages.get(id)?;
        let set = message.sets.iter().find(|kept| kept.accepted.id == set)?;
        Some(Found {
            message: *id,
            frame: message.frame,
            finished: set.finished,
        })
    }

    /// All messages, for counting.
    pub(crate) fn messages(&self) -> impl Iterator<Item = (MessageId, &YoungMessage)> {
        self.messages.iter().map(|(id, message)| (*id, message))
    }

    /// Makes the change that an entry of a frame says. `through` is the frame up to which the database holds
    /// everything: mail of those is not touched here, only its events are new.
    pub(crate) fn apply(&mut self, frame: u64, through: u64, entry: Entry) {
        self.frame = self.frame.max(frame);
        match entry {
            Entry::Accept(accepted) => self.accept(frame, accepted),
            Entry::Settle(settled) if settled.accepted <= through => self.push(frame, settled.lines),
            Entry::Settle(settled) => self.settle(frame, settled),
            Entry::Events(lines) => self.push(frame, lines),
            Entry::Stored(number) => self.store(number),
        }
    }

    fn accept(&mut self, frame: u64, mut accepted: Accepted) {
        self.push(frame, std::mem::take(&mut accepted.lines));
        let id = accepted.id;
        let sets: Vec<YoungSet> = std::mem::take(&mut accepted.sets)
            .into_iter()
            .map(YoungSet::new)
            .collect();
        for set in &sets {
            self.set_last = self.set_last.max(set.accepted.id.0);
            self.sets.insert(set.accepted.id, id);
        }
        let message = YoungMessage { frame, accepted, sets };
        self.octets += message.octets();
        self.order.push_back((frame, id));
        self.messages.insert(id, message);
        self.end_if_over(id);
    }

    fn settle(&mut self, frame: u64, settled: Settled) {
        self.push(frame, settled.lines);
        let sets = self.messages.get_mut(&settled.message).map(|message| &mut message.sets);
        let set = sets.and_then(|sets| sets.iter_mut().find(|set| set.accepted.id == settled.set));
        let Some(set) = set else {
            // Reported already: a frame before this one is damaged.
            tracing::error!(set = %settled.set, message = %settled.message, "the journal lacks what was settled");
            return;
        };
        self.octets += settled.progress.iter().map(Vec::len).sum::<usize>() + settled.state.len();
        self.octets -= set.state.as_ref().map_or(0, Vec::len);
        set.progress.extend(settled.progress);
        set.state = Some(settled.state);
        set.finished |= settled.finished;
        self.end_if_over(settled.message);
    }

    fn push(&mut self, frame: u64, lines: Lines) {
        for (number, text) in (lines.first..).zip(lines.lines) {
            self.event_last = self.event_last.max(number);
            if number > self.stored {
                self.octets += text.len();
                self.lines.push_back(Line { number, frame, text });
            }
        }
    }

    /// Events up to `number` are stored elsewhere.
    pub(crate) fn store(&mut self, number: u64) {
        self.stored = self.stored.max(number);
        while self.lines.front().is_some_and(|line| line.number <= self.stored) {
            self.pop_line();
        }
        self.forget_left(self.stored);
    }

    /// Forgets sets whose QUEUE event has a number up to `through`.
    fn forget_left(&mut self, through: u64) {
        let later = self.left.split_off(&(through + 1));
        for set in std::mem::replace(&mut self.left, later).into_values() {
            self.octets -= set.octets();
            self.left_of.remove(&set.id);
        }
    }

    fn pop_line(&mut self) -> Option<Line> {
        let line = self.lines.pop_front()?;
        self.octets -= line.text.len();
        Some(line)
    }

    /// Forgets a message that nothing keeps alive; its rosters stay as long as events need them.
    fn end_if_over(&mut self, id: MessageId) {
        let is_over = |message: &YoungMessage| message.sets.iter().all(|set| set.finished);
        if self.messages.get(&id).is_some_and(is_over)
            && let Some(message) = self.forget(id)
        {
            for YoungSet { accepted, .. } in message.sets {
                if accepted.queued > self.stored {
                    self.octets += accepted.octets();
                    self.left_of.insert(accepted.id, accepted.queued);
                    self.left.insert(accepted.queued, accepted);
                }
            }
        }
    }

    fn forget(&mut self, id: MessageId) -> Option<YoungMessage> {
        let message = self.messages.remove(&id)?;
        self.octets -= message.octets();
        for set in &message.sets {
            self.sets.remove(&set.accepted.id);
        }
        Some(message)
    }

    /// The last frame up to `through` such that at most `count_max` messages of at most `octets_max` octets of all frames
    /// up to it are still here; the first frame that has any, if it has more.
    pub(crate) fn bounded(&self, through: u64, count_max: usize, octets_max: usize) -> u64 {
        let (mut count, mut octets, mut first) = (0, 0, None);
        let frames = self.order.iter().take_while(|(frame, _)| *frame <= through);
        let here = frames.filter_map(|(frame, id)| Some((frame, self.messages.get(id)?)));
        for (frame, message) in here {
            let first = *first.get_or_insert(*frame);
            count += 1;
            octets += message.octets();
            if (count > count_max || octets > octets_max) && *frame > first {
                return frame - 1;
            }
        }
        through
    }

    /// What frames up to `through` brought, as it stands now.
    pub(crate) fn part(&self, through: u64) -> Part {
        let frames = self.order.iter().take_while(|(frame, _)| *frame <= through);
        let left = self.left.range(..=self.last_event(through));
        let lines = self.lines.iter().take_while(|line| line.frame <= through);
        Part {
            messages: frames.filter_map(|(_, id)| self.messages.get(id).cloned()).collect(),
            left: left.map(|(_, set)| set.clone()).collect(),
            lines: lines.cloned().collect(),
        }
    }

    /// True if a message is here.
    pub(crate) fn has(&self, id: MessageId) -> bool {
        self.messages.contains_key(&id)
    }

    /// Forgets what frames up to `through` said: the database holds it.
    pub(crate) fn moved(&mut self, through: u64) {
        while self.order.front().is_some_and(|(frame, _)| *frame <= through) {
            if let Some((_, id)) = self.order.pop_front() {
                self.forget(id);
            }
        }
        let event = self.last_event(through);
        while self.lines.front().is_some_and(|line| line.frame <= through) {
            self.pop_line();
        }
        self.forget_left(event);
    }

    /// Number of the last event of frames up to `through` that is not stored elsewhere; 0 if there is none.
    fn last_event(&self, through: u64) -> u64 {
        let count = self.lines.partition_point(|line| line.frame <= through);
        count.checked_sub(1).map_or(0, |at| self.lines[at].number)
    }
}

impl YoungMessage {
    fn octets(&self) -> usize {
        let accepted = &self.accepted;
        let inline = accepted.inline.as_ref().map_or(0, Bytes::len);
        let sets: usize = self.sets.iter().map(YoungSet::octets).sum();
        accepted.row.len() + accepted.prefix.len() + inline + sets
    }
}

impl YoungSet {
    fn new(accepted: AcceptedSet) -> Self {
        Self {
            accepted,
            progress: Vec::new(),
            state: None,
            finished: false,
        }
    }

    fn octets(&self) -> usize {
        let progress: usize = self.progress.iter().map(Vec::len).sum();
        self.accepted.octets() + progress + self.state.as_ref().map_or(0, Vec::len)
    }
}

impl AcceptedSet {
    fn octets(&self) -> usize {
        self.row.len() + self.roster.len()
    }
}
