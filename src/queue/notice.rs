//! When the sender is told, and of what.
//!
//! Failures are gathered per message and reverse-path until every batch was tried once, at most
//! [`crate::limits::REPORT_GATHER`]; then one report names at most
//! [`crate::limits::REPORT_RECIPIENTS_MAX`] and counts the rest (DESIGN §6). `Relayed` outcomes that were
//! asked for are gathered the same way. Never to a null reverse-path.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

use super::retry;
use crate::limits;
use crate::mail::{MessageId, Reply, ReversePath, SetId};
use crate::track::{Reason, ReportKind};

/// What becomes one report.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct NoticeKey {
    /// The message it is about.
    pub message: MessageId,
    /// To whom.
    pub reverse_path: ReversePath,
    /// Which report; [`ReportKind::Failed`] or [`ReportKind::Relayed`].
    pub kind: ReportKind,
}

/// One recipient to be told of.
#[derive(Clone, PartialEq, Debug)]
pub struct Told {
    /// Its set.
    pub set: SetId,
    /// Its rank in the set's roster.
    pub rank: u32,
    /// The reply that decided.
    pub reply: Reply,
    /// Why it failed; none for success.
    pub reason: Option<Reason>,
    /// Host that spoke.
    pub remote: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// A report that is due.
#[derive(Clone, PartialEq, Debug)]
pub struct Notice {
    /// Which report about what to whom.
    pub key: NoticeKey,
    /// Recipients to be named.
    pub named: Vec<Told>,
    /// Recipients beyond those.
    pub counted_more: u64,
    /// Outcomes covered, by set: settle these when the report is stored.
    pub covers: HashMap<SetId, Covered>,
}

/// How much of a set a report covers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Covered {
    /// Outcomes.
    pub outcomes: u32,
    /// Progress rows of the set when they were gathered: all failures up to it are in this report.
    pub rows: u64,
}

#[derive(Debug)]
struct Gathering {
    notice: Notice,
    due_at: Timestamp,
}

/// What is being gathered.
#[derive(Debug, Default)]
pub struct Notices {
    gathering: HashMap<NoticeKey, Gathering>,
    gather: Option<Duration>,
}

impl Notices {
    /// Gathers for at most `gather`.
    #[must_use]
    pub fn new(gather: Duration) -> Self {
        Self {
            gathering: HashMap::new(),
            gather: Some(gather),
        }
    }

    /// Adds outcomes of one set; `rows` are the set's progress rows, those of these outcomes included.
    /// Returns when the report is due at the latest, if this began it.
    pub fn add(&mut self, key: NoticeKey, told: Vec<Told>, rows: u64, now: Timestamp) -> Option<Timestamp> {
        debug_assert!(!key.reverse_path.is_null(), "nobody is told at a null reverse-path");
        let gather = self.gather.unwrap_or(limits::REPORT_GATHER);
        let mut began = None;
        let gathering = self.gathering.entry(key).or_insert_with_key(|key| {
            let due_at = retry::later(now, gather);
            began = Some(due_at);
            Gathering {
                notice: Notice {
                    key: key.clone(),
                    named: Vec::new(),
                    counted_more: 0,
                    covers: HashMap::new(),
                },
                due_at,
            }
        });
        let notice = &mut gathering.notice;
        for told in told {
            let covered = notice.covers.entry(told.set).or_default();
            covered.outcomes += 1;
            covered.rows = covered.rows.max(rows);
            if notice.named.len() < limits::REPORT_RECIPIENTS_MAX {
                notice.named.push(told);
            } else {
                notice.counted_more += 1;
            }
        }
        began
    }

    /// Takes the report out, to be made now.
    pub fn take(&mut self, key: &NoticeKey) -> Option<Notice> {
        self.gathering.remove(key).map(|gathering| gathering.notice)
    }

    /// A report that could not be made goes back, to be tried again at `due_at`.
    pub fn put_back(&mut self, notice: Notice, due_at: Timestamp) {
        match self.gathering.get_mut(&notice.key) {
            None => {
                let key = notice.key.clone();
                self.gathering.insert(key, Gathering { notice, due_at });
            }
            Some(later) => {
                let room = limits::REPORT_RECIPIENTS_MAX.saturating_sub(later.notice.named.len());
                let beyond = notice.named.len().saturating_sub(room) as u64;
                later.notice.named.extend(notice.named.into_iter().take(room));
                later.notice.counted_more += notice.counted_more + beyond;
                for (set, covered) in notice.covers {
                    let known = later.notice.covers.entry(set).or_default();
                    known.outcomes += covered.outcomes;
                    known.rows = known.rows.max(covered.rows);
                }
            }
        }
    }

    /// Reports whose time has come.
    pub fn due(&mut self, now: Timestamp) -> Vec<Notice> {
        let due: Vec<NoticeKey> = self
            .gathering
            .iter()
            .filter(|(_, gathering)| gathering.due_at <= now)
            .map(|(key, _)| key.clone())
            .collect();
        due.iter().filter_map(|key| self.take(key)).collect()
    }

    /// True if something is gathered under this key.
    #[must_use]
    pub fn has(&self, key: &NoticeKey) -> bool {
        self.gathering.contains_key(key)
    }

    /// When the next report is due at the latest.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        self.gathering.values().map(|gathering| gathering.due_at).min()
    }

    /// True if nothing is gathered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.gathering.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::Mailbox;

    #[test]
    fn what_goes_back_is_told_with_what_came_meanwhile() {
        let key = NoticeKey {
            message: MessageId(uuid::Uuid::from_u128(1)),
            reverse_path: ReversePath::Mailbox(Mailbox::parse("hr@contoso.example").expect("valid")),
            kind: ReportKind::Failed,
        };
        let told = |ranks: std::ops::Range<u32>| {
            let told = |rank| Told {
                set: SetId(7),
                rank,
                reply: Reply::new(550, (5, 1, 1), "no"),
                reason: None,
                remote: None,
                at: Timestamp::UNIX_EPOCH,
            };
            ranks.map(told).collect()
        };
        let mut notices = Notices::new(Duration::from_secs(300));
        notices.add(key.clone(), told(0..80), 3, Timestamp::UNIX_EPOCH);
        let first = notices.take(&key).expect("gathered");
        notices.add(key.clone(), told(80..160), 5, Timestamp::UNIX_EPOCH);
        notices.put_back(first, Timestamp::UNIX_EPOCH);
        let all = notices.take(&key).expect("gathered");
        assert_eq!((all.named.len(), all.counted_more), (100, 60));
        let covered = Covered { outcomes: 160, rows: 5 };
        assert_eq!(all.covers, HashMap::from([(SetId(7), covered)]));
    }
}
