//! Suspects: addresses that their next hop refuses for good again and again.
//!
//! In: what next hops said about single recipients. Out: whom to list for the owners and, if a setting or an
//! operator says so, whom to leave out. Never: somebody suspected for what a message was (its size, its sender, its
//! content), or for several tries of one message.
//!
//! What counts is a 5yz reply to RCPT, because it is about the recipient alone; a later success clears it. A
//! suspicion belongs to an address: who gets another one is free of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};

use super::history::cut;
use super::hold::Decision;
use crate::directory::{Directory, Lookup, Ordinal};
use crate::mail::{AddressKey, Mailbox, MessageId, Reply};

/// Most refusals kept with their replies; the rest is counted.
pub const REFUSALS_KEPT_MAX: usize = 10;

/// Most addresses remembered; beyond it the one that was refused longest ago is forgotten.
pub const SUSPECTS_MAX: usize = 100_000;

/// When somebody is suspected, and what follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SuspectSettings {
    /// Refused messages after which an address is suspected.
    pub after: u32,
    /// Whether suspects are left out.
    pub suppress: Suppression,
}

impl Default for SuspectSettings {
    fn default() -> Self {
        Self {
            after: 3,
            suppress: Suppression::Never,
        }
    }
}

/// Whether suspects are left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Suppression {
    /// Only those an operator names.
    Never,
    /// After this many refused messages.
    After(u32),
}

/// One refused message.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Refused {
    /// Which.
    pub message: MessageId,
    /// When.
    pub at: Timestamp,
    /// What the next hop said.
    pub reply: Arc<str>,
}

/// What is known against an address.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Suspicion {
    /// The address, as it was refused last.
    pub address: Mailbox,
    /// Messages refused since the last success.
    pub count: u32,
    /// The latest of them, oldest first; at most [`REFUSALS_KEPT_MAX`].
    pub refusals: Vec<Refused>,
    /// An operator leaves the address out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppressed: Option<Decision>,
}

impl Suspicion {
    /// When it was refused last.
    #[must_use]
    pub fn last(&self) -> Option<Timestamp> {
        self.refusals.last().map(|refused| refused.at)
    }

    /// True if it is left out.
    #[must_use]
    pub fn is_suppressed(&self, settings: &SuspectSettings) -> bool {
        let by_count = match settings.suppress {
            Suppression::Never => false,
            Suppression::After(count) => self.count >= count.max(1),
        };
        by_count || self.suppressed.is_some()
    }

    /// True if it is to be listed: refused often enough, or left out.
    #[must_use]
    pub fn is_suspect(&self, settings: &SuspectSettings) -> bool {
        self.count >= settings.after.max(1) || self.is_suppressed(settings)
    }
}

/// What a next hop said about one recipient.
#[derive(Clone, PartialEq, Debug)]
pub struct Lesson {
    /// The forward-path.
    pub address: Mailbox,
    /// Of which message.
    pub message: MessageId,
    /// When.
    pub at: Timestamp,
    /// What.
    pub verdict: Taught,
}

/// What became of a recipient, as far as it teaches something.
#[derive(Clone, PartialEq, Debug)]
pub enum Taught {
    /// The next hop took a copy.
    Taken,
    /// It refused the recipient for good.
    Refused(Reply),
}

/// Takes lessons: delivery calls it with what next hops said.
pub trait Learner: Send + Sync {
    /// What is known now; a success teaches only about somebody in it.
    fn suspects(&self) -> Arc<Suspects>;

    /// Takes lessons. Does not block.
    fn learn(&self, lessons: Vec<Lesson>);
}

/// Learns nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct LearnNothing;

impl Learner for LearnNothing {
    fn suspects(&self) -> Arc<Suspects> {
        Arc::default()
    }

    fn learn(&self, _lessons: Vec<Lesson>) {}
}

/// True if a reply to RCPT says that there is something wrong with the recipient itself.
///
/// RFC 3463: subject 1 is about the address, 2 about the mailbox; of the latter a limit on the size of messages
/// (X.2.3) is none of the recipient's. Subjects 3, 4, 5, 6 and 7 are about systems, networks, protocol, content and
/// policy. A bare 550, 551 or 553 is about the mailbox (RFC 5321 §4.2.3).
#[must_use]
pub fn speaks_against(reply: &Reply) -> bool {
    if !reply.is_permanent() {
        return false;
    }
    match reply.status.map(|status| (status.subject, status.detail)) {
        Some((2, 3)) => false,
        Some((1 | 2, _)) => true,
        Some((0, _)) | None => matches!(reply.code, 550 | 551 | 553),
        Some(_) => false,
    }
}

/// One changed suspicion; none: it is cleared.
#[derive(Clone, PartialEq, Debug)]
pub struct SuspectChange {
    /// The address.
    pub key: AddressKey,
    /// What is known against it now.
    pub suspicion: Option<Suspicion>,
}

/// Everything known against addresses.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Suspects {
    by_address: BTreeMap<AddressKey, Arc<Suspicion>>,
}

impl FromIterator<Suspicion> for Suspects {
    fn from_iter<I: IntoIterator<Item = Suspicion>>(suspicions: I) -> Self {
        let keyed = suspicions.into_iter().map(|each| (each.address.key(), Arc::new(each)));
        Self {
            by_address: keyed.collect(),
        }
    }
}

impl Suspects {
    /// True if nothing is known against anybody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_address.is_empty()
    }

    /// Everything, by address.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Suspicion>> {
        self.by_address.values()
    }

    /// What is known against an address.
    #[must_use]
    pub fn of(&self, key: &AddressKey) -> Option<&Arc<Suspicion>> {
        self.by_address.get(key)
    }

    /// What a lesson changes, if anything.
    #[must_use]
    pub fn learn(&self, lesson: &Lesson) -> Option<SuspectChange> {
        let key = lesson.address.key();
        let known = self.by_address.get(&key);
        match &lesson.verdict {
            Taught::Taken => known.map(|_| SuspectChange { key, suspicion: None }),
            Taught::Refused(reply) => {
                if !speaks_against(reply) {
                    return None;
                }
                let mut suspicion = known.map_or_else(
                    || Suspicion {
                        address: lesson.address.clone(),
                        count: 0,
                        refusals: Vec::new(),
                        suppressed: None,
                    },
                    |known| (**known).clone(),
                );
                if suspicion
                    .refusals
                    .iter()
                    .any(|refused| refused.message == lesson.message)
                {
                    return None;
                }
                suspicion.address = lesson.address.clone();
                suspicion.count = suspicion.count.saturating_add(1);
                suspicion.refusals.push(Refused {
                    message: lesson.message,
                    at: lesson.at,
                    reply: cut(&reply.to_string()),
                });
                if suspicion.refusals.len() > REFUSALS_KEPT_MAX {
                    suspicion.refusals.remove(0);
                }
                Some(SuspectChange {
                    key,
                    suspicion: Some(suspicion),
                })
            }
        }
    }

    /// What an operator's decision to leave an address out changes.
    #[must_use]
    pub fn suppress(&self, address: &Mailbox, decision: Decision) -> SuspectChange {
        let key = address.key();
        let mut suspicion = self.by_address.get(&key).map_or_else(
            || Suspicion {
                address: address.clone(),
                count: 0,
                refusals: Vec::new(),
                suppressed: None,
            },
            |known| (**known).clone(),
        );
        suspicion.suppressed = Some(decision);
        SuspectChange {
            key,
            suspicion: Some(suspicion),
        }
    }

    /// What an operator's word that an address is good changes; none: nothing is known against it.
    #[must_use]
    pub fn clear(&self, address: &Mailbox) -> Option<SuspectChange> {
        let key = address.key();
        self.by_address
            .contains_key(&key)
            .then_some(SuspectChange { key, suspicion: None })
    }

    /// Takes a change in. Returns another change that the bound asks for: the address that is forgotten.
    pub fn take(&mut self, change: &SuspectChange) -> Option<SuspectChange> {
        let Some(suspicion) = &change.suspicion else {
            self.by_address.remove(&change.key);
            return None;
        };
        self.by_address.insert(change.key.clone(), Arc::new(suspicion.clone()));
        if self.by_address.len() <= SUSPECTS_MAX {
            return None;
        }
        let forgettable = self.by_address.iter().filter(|(_, each)| each.suppressed.is_none());
        let key = forgettable
            .min_by_key(|(_, each)| each.last())
            .map(|(key, _)| key.clone())?;
        self.by_address.remove(&key);
        Some(SuspectChange { key, suspicion: None })
    }

    /// Who is to be left out at expansion. Cost: the suspects, not the directory.
    #[must_use]
    pub fn suppressed(&self, settings: &SuspectSettings, directory: &Directory) -> Suppressed {
        let mut suppressed = Suppressed::default();
        for (key, _) in self.by_address.iter().filter(|(_, each)| each.is_suppressed(settings)) {
            match directory.lookup_final(key) {
                Lookup::One(ordinal) => {
                    suppressed.objects.insert(ordinal.0);
                }
                Lookup::Ambiguous(ordinals) => suppressed.objects.extend(ordinals.iter().map(|each| each.0)),
                Lookup::None => {}
            }
            suppressed.outside.insert(key.clone());
        }
        suppressed
    }
}

/// Whom expansion leaves out.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Suppressed {
    /// Objects whose copies would go to a suppressed address.
    pub objects: RoaringBitmap,
    /// Suppressed addresses.
    outside: BTreeSet<AddressKey>,
}

impl Suppressed {
    /// True if nobody is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.outside.is_empty()
    }

    /// True if this object is.
    #[must_use]
    pub fn has(&self, object: Ordinal) -> bool {
        self.objects.contains(object.0)
    }

    /// True if this address is.
    #[must_use]
    pub fn has_address(&self, address: &Mailbox) -> bool {
        !self.outside.is_empty() && self.outside.contains(&address.key())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::directory::testing::{contact, directory, person};

    fn time(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a test time")
    }

    fn lesson(address: &str, message: u128, verdict: Taught) -> Lesson {
        Lesson {
            address: address.parse().expect("valid"),
            message: MessageId(Uuid::from_u128(message)),
            at: time(i64::try_from(message).expect("small")),
            verdict,
        }
    }

    fn unknown() -> Taught {
        Taught::Refused(Reply::new(550, (5, 1, 1), "no such user"))
    }

    fn taught(lessons: &[Lesson]) -> Suspects {
        let mut suspects = Suspects::default();
        for lesson in lessons {
            if let Some(change) = suspects.learn(lesson) {
                assert_eq!(suspects.take(&change), None);
            }
        }
        suspects
    }

    #[test]
    fn distinct_messages_count_and_a_success_clears() {
        let settings = SuspectSettings::default();
        let mut lessons = vec![
            lesson("lena@contoso.example", 1, unknown()),
            lesson("Lena@contoso.example", 1, unknown()), // the same message again
            lesson("lena@contoso.example", 2, unknown()),
        ];
        let is_suspect = |lessons: &[Lesson]| taught(lessons).iter().any(|each| each.is_suspect(&settings));
        assert!(!is_suspect(&lessons));
        lessons.push(lesson("lena@contoso.example", 3, unknown()));
        assert!(is_suspect(&lessons));
        lessons.push(lesson("jonas@contoso.example", 4, Taught::Taken));
        assert!(is_suspect(&lessons));
        lessons.push(lesson("LENA@contoso.example", 5, Taught::Taken));
        assert!(taught(&lessons).is_empty());
    }

    #[test]
    fn only_replies_about_the_recipient_count() {
        for (code, status, counts) in [
            (550, Some((5, 1, 1)), true),
            (550, Some((5, 1, 10)), true),
            (550, Some((5, 2, 1)), true),
            (552, Some((5, 2, 2)), true),
            (552, Some((5, 2, 3)), false),
            (552, Some((5, 3, 4)), false),
            (550, Some((5, 7, 1)), false),
            (554, Some((5, 6, 0)), false),
            (550, Some((5, 0, 0)), true),
            (550, None, true),
            (553, None, true),
            (554, None, false),
            (450, Some((4, 2, 1)), false),
        ] {
            let reply = match status {
                Some(status) => Reply::new(code, status, "x"),
                None => Reply::bare(code, "x"),
            };
            assert_eq!(speaks_against(&reply), counts, "{reply}");
        }
    }

    #[test]
    fn suppression_follows_the_setting_and_the_address_of_today() {
        let lessons: Vec<Lesson> = (1..=5)
            .map(|message| lesson("lena@old.example", message, unknown()))
            .collect();
        let mut suspects = taught(&lessons);
        let change = suspects.suppress(
            &"out@side.example".parse().expect("valid"),
            Decision {
                by: "eva".into(),
                reason: "asked".into(),
                at: time(9),
            },
        );
        suspects.take(&change);
        let before = directory([
            contact("lena@contoso.example", "lena@old.example"),
            person("jonas@contoso.example"),
        ]);
        let after = directory([
            contact("lena@contoso.example", "lena@new.example"),
            person("jonas@contoso.example"),
        ]);
        let never = SuspectSettings::default();
        let five = SuspectSettings {
            suppress: Suppression::After(5),
            ..never
        };
        let six = SuspectSettings {
            suppress: Suppression::After(6),
            ..never
        };
        let out = "out@side.example".parse().expect("valid");
        for (settings, directory, suppressed) in [
            (never, &before, false),
            (five, &before, true),
            (six, &before, false),
            (five, &after, false),
        ] {
            let found = suspects.suppressed(&settings, directory);
            assert_eq!(found.has(Ordinal(0)), suppressed, "{settings:?}");
            assert!(found.has_address(&out) && !found.has(Ordinal(1)));
        }
        let change = suspects.clear(&out).expect("known");
        suspects.take(&change);
        assert!(suspects.suppressed(&never, &before).is_empty());
    }
}
