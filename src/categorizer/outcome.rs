//! From an expansion to what is committed: delivery sets, holds, events. Pure.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::pass::Candidate;
use super::{Categorizer, NextHops};
use crate::expansion::{Branch, Expansion, HopId, NewHold};
use crate::mail::{Envelope, EnvelopeRecipient, Mailbox, MessageId, OriginalRecipient, ReversePath};
use crate::moderation::Moderation;
use crate::spool::Spool;
use crate::spool::approval::Approval;
use crate::spool::message::{DeliverySet, Hold, HoldState, Outcome};
use crate::spool::roster::{NO_ORDINAL, Roster, RosterOrigin};
use crate::track::{Event, EventKind};

/// What the outcome is made for.
#[derive(Clone, Copy)]
pub struct Making<'a> {
    /// The message.
    pub message: MessageId,
    /// Its envelope.
    pub envelope: &'a Envelope,
    /// Its `Subject` as it stands.
    pub subject: Option<&'a str>,
    /// Directory space of the ordinals.
    pub space: &'a str,
    /// Next hops.
    pub hops: &'a dyn NextHops,
    /// Where new set and hold ids come from.
    pub spool: &'a dyn Spool,
    /// Now.
    pub now: Timestamp,
    /// Settings of moderation.
    pub moderation: &'a Moderation,
}

/// Sets, holds and events of an expansion that was not halted. Reports are added by the caller.
#[must_use]
pub fn outcome(making: &Making<'_>, expansion: &Expansion) -> Outcome {
    let mut outcome = Outcome {
        events: expansion
            .events
            .iter()
            .cloned()
            .map(|kind| making.event(kind))
            .collect(),
        ..Outcome::default()
    };
    for (hop, set) in sets(making, &expansion.branches) {
        outcome.events.push(making.event(EventKind::Queue {
            set: set.id,
            next_hop: set.next_hop.clone(),
            recipients: u64::from(set.roster.len()),
            reverse_path: set.reverse_path.as_str().to_owned(),
            rule: making.hops.rule(hop).as_deref().map(str::to_owned),
            priority: set.priority,
        }));
        outcome.sets.push(set);
    }
    for new in &expansion.holds {
        let hold = making.hold(new);
        outcome.events.push(making.event(EventKind::Hold {
            hold: hold.id,
            group: hold.recipient.to_string(),
            moderators: hold.moderators.iter().map(ToString::to_string).collect(),
            expires_at: hold.expires_at,
            cause: hold.cause,
            thread: hold.thread.clone(),
        }));
        outcome.holds.push(hold);
    }
    outcome
}

impl Categorizer {
    /// What the outcome of a pass over a message is made for.
    pub(super) fn making<'a>(
        &'a self,
        candidate: &'a Candidate,
        moderation: &'a Moderation,
        space: &'a str,
        hops: &'a dyn NextHops,
        now: Timestamp,
    ) -> Making<'a> {
        Making {
            message: candidate.id,
            envelope: &candidate.envelope,
            subject: candidate.head.subject.as_deref(),
            space,
            hops,
            spool: &*self.spool,
            now,
            moderation,
        }
    }
}

impl Making<'_> {
    /// An event about the message, now.
    #[must_use]
    pub fn event(&self, kind: EventKind) -> Event {
        Event {
            at: self.now,
            message: self.message,
            kind,
        }
    }

    fn hold(&self, new: &NewHold) -> Hold {
        let thread = new.braked.as_ref().map(|braked| braked.thread.to_string());
        Hold {
            id: self.spool.new_hold_id(),
            message: self.message,
            recipient: new.recipient.clone(),
            object: new.object.as_str().to_owned(),
            addressed: new.addressed,
            path: new.path.clone(),
            reverse_path: new.reverse_path.clone(),
            notify: new.notify,
            bypass_nested: new.bypass_nested,
            hidden: new.hidden,
            notice: new.notice,
            cause: new.cause,
            membership: self.moderation.membership,
            moderators: new.moderators.clone(),
            held_at: self.now,
            expires_at: later(self.now, new.expiry.unwrap_or(self.moderation.expiry)),
            state: HoldState::Waiting,
            subject: self.subject.map(str::to_owned),
            sender: self.envelope.reverse_path.clone(),
            language: new.language.as_deref().map(str::to_owned),
            approval: Approval {
                // More than there are moderators could never be had.
                quorum: new
                    .quorum
                    .unwrap_or(self.moderation.quorum)
                    .clamp(1, u32::try_from(new.moderators.len()).unwrap_or(1).max(1)),
                // Of a brake moderators are told once, not of each message.
                escalated: thread.is_some(),
                alarmed: thread.is_some(),
                ..Approval::default()
            },
            thread,
        }
    }

    fn new_set(&self, hop: HopId, branch: &Branch) -> DeliverySet {
        DeliverySet {
            id: self.spool.new_set_id(),
            message: self.message,
            next_hop: self.hops.name(hop),
            reverse_path: branch.reverse_path.clone(),
            ret: self.envelope.ret,
            envid: self.envelope.envid.clone(),
            body: self.envelope.body,
            smtputf8: self.envelope.smtputf8,
            no_auto_replies: branch.no_auto_replies,
            priority: self.hops.priority(hop),
            roster: Roster::new(self.space.to_owned()),
            queued_at: self.now,
            expires_at: later(self.now, self.hops.expiry(hop)),
        }
    }

    fn origin(&self, branch: &Branch) -> Option<RosterOrigin> {
        let addressed = self.envelope.recipients.get(branch.addressed as usize)?;
        Some(RosterOrigin {
            addressed: addressed.forward_path.to_string(),
            expanded: branch.expanded,
            hidden: branch.hidden,
            notify: branch.notify,
            original: original(addressed),
        })
    }
}

/// Next hops of one branch that are looked through in turn; domains of outside members may be many more.
const HOPS_KNOWN_MAX: usize = 16;

/// One set per (next hop, reverse-path, whether automatic replies are wanted), in walk order. DSN parameters of recipients are kept per addressed
/// recipient inside the roster, so that many addressed recipients still share a transaction.
fn sets(making: &Making<'_>, branches: &[Branch]) -> Vec<(HopId, DeliverySet)> {
    let mut sets: Vec<(HopId, DeliverySet)> = Vec::new();
    let mut places: HashMap<(HopId, ReversePath, bool), usize> = HashMap::new();
    for branch in branches {
        let Some(origin) = making.origin(branch) else {
            continue;
        };
        // Where this branch's recipients of a hop go. Hops are few, and members of two of them mostly stand mixed.
        let mut known: Vec<(HopId, usize, u32)> = Vec::with_capacity(2);
        for recipient in &branch.recipients {
            let found = known.iter().find(|(hop, ..)| *hop == recipient.hop);
            let (place, origin_index) = match found {
                Some((_, place, origin)) => (*place, *origin),
                None => {
                    let key = (recipient.hop, branch.reverse_path.clone(), branch.no_auto_replies);
                    let place = *places.entry(key).or_insert_with(|| {
                        sets.push((recipient.hop, making.new_set(recipient.hop, branch)));
                        sets.len() - 1
                    });
                    let index = sets[place].1.roster.origin(origin.clone());
                    if known.len() < HOPS_KNOWN_MAX {
                        known.push((recipient.hop, place, index));
                    }
                    (place, index)
                }
            };
            let ordinal = recipient.ordinal.map_or(NO_ORDINAL, |ordinal| ordinal.0);
            let roster = &mut sets[place].1.roster;
            roster.push(ordinal, recipient.final_address.as_str(), origin_index);
        }
    }
    sets
}

/// The original recipient as given, or the address the client used: Exchange keeps it in ORCPT when it
/// rewrites the forward-path (exchange-semantics.md §1.2; RFC 3461 §5.2.7.2 lets us).
fn original(addressed: &EnvelopeRecipient) -> Option<OriginalRecipient> {
    if addressed.original.is_some() {
        return addressed.original.clone();
    }
    let address = addressed.forward_path.as_str();
    address.is_ascii().then(|| OriginalRecipient {
        address_type: "rfc822".into(),
        xtext: xtext(address).into(),
    })
}

/// xtext (RFC 3461 §4): printable ASCII without `+` and `=`, the rest as `+XX`.
fn xtext(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for octet in text.bytes() {
        if (b'!'..=b'~').contains(&octet) && octet != b'+' && octet != b'=' {
            out.push(char::from(octet));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "+{octet:02X}");
        }
    }
    out
}

/// `at` plus a duration, or the end of time.
#[must_use]
pub fn later(at: Timestamp, by: std::time::Duration) -> Timestamp {
    SignedDuration::try_from(by)
        .ok()
        .and_then(|by| at.checked_add(by).ok())
        .unwrap_or(Timestamp::MAX)
}

/// Addresses of an envelope as text.
#[must_use]
pub fn addressed_texts(envelope: &Envelope) -> Vec<String> {
    envelope
        .recipients
        .iter()
        .map(|to| to.forward_path.to_string())
        .collect()
}

/// Addresses of an envelope.
#[must_use]
pub fn addressed(envelope: &Envelope) -> Vec<&Mailbox> {
    envelope.recipients.iter().map(|to| &to.forward_path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xtext_escapes_what_rfc_3461_says() {
        assert_eq!(xtext("a+b=c@contoso.example"), "a+2Bb+3Dc@contoso.example");
        assert_eq!(xtext("\"two words\"@x.example"), "\"two+20words\"@x.example");
    }

    #[test]
    fn later_never_overflows() {
        assert_eq!(later(Timestamp::MAX, std::time::Duration::from_secs(1)), Timestamp::MAX);
    }
}
