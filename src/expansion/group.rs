//! Groups: their gate, their roll, their entries.
//!
//! Order of the walk in one group: plain members set-wise, the other individuals by ordinal, outside
//! addresses, entries that are gone, nested groups by ordinal. So a person listed directly is reached directly.

use roaring::RoaringBitmap;

use super::outcome::{NewHold, Recipient, Verdict};
use super::reports::{ReportsTo, State, reports_to};
use super::routes::HopId;
use super::seen::Fate;
use super::walk::{Came, Extent, Met, Step, Walk};
use crate::directory::{Lookup, Ordinal, RecipientObject};
use crate::mail::Mailbox;
use crate::policy::gate::Asking;
use crate::policy::{Fact, Refusal, storm};
use crate::resolver::DomainKind;
use crate::rolls::freshness::{self, RollPolicy};
use crate::rolls::{Entries, Objects, Roll};
use crate::track::{EventKind, HoldCause, Reason};

impl Walk<'_> {
    pub(super) fn group(&mut self, ordinal: Ordinal, object: &RecipientObject, state: &State, met: Met) -> Step<Came> {
        if self.request.is_report() {
            return self.report_to_group(object, state);
        }
        let direct = matches!(met, Met::Addressed(_) | Met::Released);
        // A cycle or a second way is harmless: the members are or will be reached by the first.
        if !direct && let Some(came) = self.again(ordinal, object, state, met)? {
            return Ok(came);
        }
        if (self.request.marked)(&object.id) {
            self.closed(ordinal, met);
            let refusal = Refusal::of(Reason::GroupLoop, Some(object.kind));
            self.refuse(Some(ordinal), &object.primary, state, refusal)?;
            return Ok(Came::Something);
        }
        if self.blocks_bcc(object) {
            self.closed(ordinal, met);
            let refusal = Refusal::of(Reason::AddressedInBcc, Some(object.kind));
            self.refuse(Some(ordinal), &object.primary, state, refusal)?;
            return Ok(Came::Something);
        }
        if !self.passes(ordinal, object, state, met)? {
            self.closed(ordinal, met);
            return Ok(Came::Something);
        }
        if direct && let Some(came) = self.again(ordinal, object, state, met)? {
            return Ok(came);
        }
        if matches!(met, Met::Addressed(_)) && self.runs_into_brake(ordinal, object, state) {
            return Ok(Came::Something);
        }
        if is_relayed_whole(object) {
            return self.whole(ordinal, object, state);
        }
        if !self.view.is_switched(ordinal)
            && let Some(hop) = self.routes.side_by_side(&object.primary)
        {
            return self.beside(ordinal, object, hop, state);
        }
        self.expand_roll(ordinal, object, state, met)
    }

    /// A reply to all on a thread that is braked waits; what else the message is addressed to goes on.
    pub(super) fn runs_into_brake(&mut self, ordinal: Ordinal, object: &RecipientObject, state: &State) -> bool {
        let Some(braked) = (self.request.braked)(&object.id) else {
            return false;
        };
        if storm::passes(object, &self.from.identity, self.view) {
            return false;
        }
        self.fact(|| Fact::ThreadBraked {
            thread: braked.thread.to_string(),
        });
        let asking = Asking {
            cause: HoldCause::Storm,
            moderators: storm::deciders(object, self.view, &self.rules.postmaster),
        };
        self.hold(ordinal, object, state, asking);
        let own = |hold: &&mut NewHold| hold.object == object.id;
        if let Some(hold) = self.out.holds.iter_mut().rfind(own) {
            hold.braked = Some(braked);
        }
        true
    }

    /// A report is not expanded; a non-delivery report goes to the owner if the group reports to him.
    fn report_to_group(&mut self, object: &RecipientObject, state: &State) -> Step<Came> {
        let to_owner = match reports_to(object, self.view) {
            ReportsTo::Owner(owner) if self.request.report.non_delivery => Some(owner),
            ReportsTo::Owner(_) | ReportsTo::Originator | ReportsTo::OwnerMissing | ReportsTo::Nobody => None,
        };
        if let Some(owner) = to_owner {
            self.fact(|| Fact::ForwardsTo {
                address: owner.mailbox.as_str().to_owned(),
                keeps_copy: false,
            });
            return match owner.ordinal {
                Some(ordinal) => self.object(ordinal, state, Met::Onward),
                None => self.outside(&owner.mailbox, state).map(|()| Came::Something),
            };
        }
        let reason = Reason::ReportToGroup;
        self.explain(&object.primary, vec![Fact::Dropped { reason }]);
        if self.is_top() {
            self.current.verdict = Verdict::Discarded(reason);
        }
        self.drop(object.primary.as_str(), reason);
        Ok(Came::Something)
    }

    /// A Microsoft 365 group has a mailbox in the cloud that knows its subscribers: one copy, to its address.
    fn whole(&mut self, ordinal: Ordinal, object: &RecipientObject, state: &State) -> Step<Came> {
        self.seen.objects.insert(ordinal.0);
        self.copy(Some((ordinal, object)), object.final_address(), state)?;
        Ok(Came::Something)
    }

    /// A group that is not cut over (routing.side_by_side): one copy to its own address, for the service before.
    fn beside(&mut self, ordinal: Ordinal, object: &RecipientObject, hop: HopId, state: &State) -> Step<Came> {
        self.fact(|| Fact::ExpandedBefore);
        // If the service before sends it here again, neither of them expands it: a loop, known by the mark.
        if self.path.is_empty() {
            self.current.expanded.get_or_insert_with(|| object.id.clone());
        }
        self.seen.objects.insert(ordinal.0);
        self.copy_to(hop, &object.primary, state)?;
        Ok(Came::Something)
    }

    fn expand_roll(&mut self, ordinal: Ordinal, object: &RecipientObject, state: &State, met: Met) -> Step<Came> {
        let view = self.view;
        let policy = RollPolicy::of(object.group.as_deref(), &self.rules.rolls);
        let service = match freshness::serve(view.rolls.entry(ordinal), &policy, self.request.now) {
            Ok(service) => service,
            Err(unserved) => {
                let refusal = Refusal::of(unserved.reason(), Some(object.kind));
                self.closed(ordinal, met);
                self.fact(|| Fact::Refused {
                    reply: refusal.reply.clone(),
                    reason: refusal.reason,
                });
                self.refuse(Some(ordinal), &object.primary, state, refusal)?;
                return Ok(Came::Something);
            }
        };
        let roll: &Roll = service.roll;
        let age_seconds = roll.age_seconds(self.request.now);
        self.fact(|| Fact::Roll {
            version: roll.version,
            age_seconds,
            freshness: service.freshness,
            entries: roll.receivers().len(),
        });
        if roll.receivers().is_empty() && self.is_top() {
            let refusal = Refusal::of(Reason::GroupEmpty, Some(object.kind));
            self.current.verdict = Verdict::Refused(refusal);
            return Ok(Came::Something);
        }
        if self.extent == Extent::Judgement && !roll.receivers().is_empty() {
            // Not looked at one by one; but whoever forwards here is not lost with his own copy.
            self.current.tally.recipients += roll.receivers().len();
            return Ok(Came::Something);
        }
        self.seen.fates.insert(ordinal, Fate::Open);
        let inner = self.state_below(object, state, met);
        let place = self.out.events.len();
        let path = self.path_text();
        self.out.events.push(EventKind::Expand {
            group: object.primary.as_str().to_owned(),
            path,
            roll_version: roll.version,
            roll_age_seconds: age_seconds,
            entries: roll.receivers().len(),
            added: 0,
            duplicates: 0,
        });
        self.path.push(ordinal);
        self.counts.push((0, 0));
        let came = match self.without_echo(object, roll.receivers()) {
            Some(others) => self.entries_but_sender(&others, &inner)?,
            None => self.entries(roll.receivers(), &inner)?,
        };
        self.path.pop();
        let fate = match came {
            Came::Something => Fate::Reached,
            Came::Nothing | Came::Loop => Fate::Empty,
        };
        self.seen.fates.insert(ordinal, fate);
        let counts = self.counts.pop().unwrap_or_default();
        if let Some(EventKind::Expand { added, duplicates, .. }) = self.out.events.get_mut(place) {
            (*added, *duplicates) = counts;
        }
        Ok(came)
    }

    /// The envelope below a group, and what is noted about it once.
    fn state_below(&mut self, object: &RecipientObject, state: &State, met: Met) -> State {
        let reports_to = reports_to(object, self.view);
        if self.current.expanded.is_none() && self.path.is_empty() {
            self.current.expanded = Some(object.id.clone());
            let asked = state.notify.is_some_and(|notify| notify.success);
            self.current.report_expanded |= asked && reports_to != ReportsTo::Nobody;
        }
        match &reports_to {
            ReportsTo::OwnerMissing => self.note(&object.primary, Reason::OwnerMissing),
            ReportsTo::Owner(_) | ReportsTo::Originator | ReportsTo::Nobody => {}
        }
        let mut inner = state.through(object, &reports_to, self.rules);
        if inner.reverse_path != state.reverse_path {
            self.fact(|| Fact::ReportsTo {
                reverse_path: inner.reverse_path.as_str().to_owned(),
            });
        }
        if met == Met::Released {
            let moderation = object
                .delivery
                .as_deref()
                .and_then(|delivery| delivery.moderation.as_deref());
            inner.approved_above |= moderation.is_some_and(|moderation| moderation.bypass_nested);
        }
        inner
    }

    /// The subscribers of a Microsoft 365 group without the sender, if he is one and wants no copy of his own
    /// (EchoGroupMessageBackToSubscribedSender).
    fn without_echo(&self, object: &RecipientObject, receivers: &Entries) -> Option<Entries> {
        if !object.kind.is_microsoft365_group() {
            return None;
        }
        let identity = &self.from.identity;
        let echoes = |ordinal: &u32| {
            let sender = self.view.object(Ordinal(*ordinal));
            let delivery = sender.as_ref().and_then(|sender| sender.delivery.as_deref());
            delivery.and_then(|delivery| delivery.echo_to_sender) == Some(true)
        };
        let own: RoaringBitmap = (&receivers.objects & &identity.objects)
            .into_iter()
            .filter(|ordinal| !echoes(ordinal))
            .collect();
        let has_outside = identity.key.as_ref().is_some_and(|key| receivers.has_outside(key));
        if own.is_empty() && !has_outside {
            return None;
        }
        let mut others = receivers.clone();
        others.objects = (&receivers.objects - &own).into();
        others.outside = receivers
            .outside
            .iter()
            .filter(|mailbox| identity.key.as_ref() != Some(&mailbox.key()))
            .cloned()
            .collect();
        Some(others)
    }

    fn entries_but_sender(&mut self, others: &Entries, state: &State) -> Step<Came> {
        let reason = Reason::SenderNotEchoed;
        let reverse_path = self.request.sender.reverse_path.clone();
        self.fact(|| Fact::Dropped { reason });
        self.drop(reverse_path.as_str(), reason);
        let came = self.entries(others, state)?;
        if came == Came::Nothing && self.path.len() == 1 && self.above_is_empty() {
            self.current.verdict = Verdict::Discarded(reason);
        }
        Ok(came)
    }

    fn entries(&mut self, entries: &Entries, state: &State) -> Step<Came> {
        let view = self.view;
        let mut came = self.plain(&entries.objects, state)?;
        let rest = &entries.objects - view.directory.plain();
        let live = &rest & view.directory.live();
        for number in &live - view.directory.group_set() {
            came = came.and(self.object(Ordinal(number), state, Met::Entry)?);
        }
        for mailbox in entries.outside.iter() {
            came = came.and(self.bare(mailbox, state)?);
        }
        for number in &rest - view.directory.live() {
            came = came.and(self.object(Ordinal(number), state, Met::Entry)?);
        }
        for text in entries.unresolved.iter() {
            self.gone(text);
        }
        for number in &live & view.directory.group_set() {
            came = came.and(self.object(Ordinal(number), state, Met::Entry)?);
        }
        Ok(came)
    }

    /// Members without rules of their own and with an address that nobody shares: as a set.
    fn plain(&mut self, objects: &Objects, state: &State) -> Step<Came> {
        let view = self.view;
        let mut all = objects & view.directory.plain();
        if !view.suppressed.is_empty() {
            for ordinal in (&all & &view.suppressed.objects).iter().map(Ordinal) {
                if let Some(object) = view.object(ordinal) {
                    self.leave_out(ordinal, &object.primary);
                }
            }
            all -= &view.suppressed.objects;
        }
        let fresh = &all - &self.seen.objects;
        self.duplicates(all.len() - fresh.len());
        if fresh.is_empty() {
            return Ok(if all.is_empty() { Came::Nothing } else { Came::Something });
        }
        self.seen.objects |= &fresh;
        let count = usize::try_from(fresh.len()).unwrap_or(usize::MAX);
        if let Some(group) = self.path.last().and_then(|group| view.group(*group)) {
            self.reserve(count, &group.primary)?;
        }
        let mut recipients = Vec::with_capacity(count);
        for ordinal in fresh.iter().map(Ordinal) {
            let Some(row) = view.row(ordinal) else { continue };
            let final_address = row.final_address();
            match self
                .routes
                .hop(self.current.addressed, Some(ordinal), Some(row.into()), &final_address)
            {
                Ok(hop) => recipients.push(Recipient {
                    ordinal: Some(ordinal),
                    final_address,
                    hop,
                }),
                Err(reason) => self.refuse(Some(ordinal), &final_address, state, Refusal::of(reason, None))?,
            }
        }
        if recipients.is_empty() {
            return Ok(Came::Something);
        }
        self.copies(recipients.len() as u64);
        self.branch(state).recipients.append(&mut recipients);
        Ok(Came::Something)
    }

    /// An entry that names nobody, or nobody any more.
    fn gone(&mut self, text: &str) {
        match self.view.directory.lookup_gone(text) {
            Some(tombstone) if tombstone.kind.is_group() => self.vanished(text),
            Some(_) => self.drop(text, Reason::MemberDeleted),
            None => self.drop(text, Reason::MemberUnresolved),
        }
    }

    /// An implicit contact. An object may have appeared with its address since the roll was computed: its
    /// rules are asked then. An address of ours that nobody has is somebody who is gone.
    fn bare(&mut self, mailbox: &Mailbox, state: &State) -> Step<Came> {
        self.out.steps += 1;
        match self.view.directory.lookup(&mailbox.key()) {
            Lookup::One(ordinal) => return self.object(ordinal, state, Met::Entry),
            Lookup::Ambiguous(_) => {
                let refusal = Refusal::of(Reason::RecipientAmbiguous, None);
                self.refuse(None, mailbox, state, refusal)?;
            }
            Lookup::None => match self.rules.accepted.kind_of(mailbox) {
                Some(DomainKind::Authoritative) => self.gone(mailbox.as_str()),
                Some(DomainKind::InternalRelay | DomainKind::ExternalRelay) | None
                    if self.view.suppressed.has_address(mailbox) =>
                {
                    let reason = Reason::MemberSuspect;
                    self.explain(mailbox, vec![Fact::Dropped { reason }]);
                    self.drop(mailbox.as_str(), reason);
                }
                Some(DomainKind::InternalRelay | DomainKind::ExternalRelay) | None => self.outside(mailbox, state)?,
            },
        }
        Ok(Came::Something)
    }
}

fn is_relayed_whole(object: &RecipientObject) -> bool {
    let subscribers = object.group.as_deref().and_then(|group| group.subscribers.as_deref());
    object.kind.is_microsoft365_group() && !subscribers.is_some_and(|subscribers| subscribers.expand)
}
