//! Individuals: their gate, their forwarding, their target, their copy.

use super::reports::State;
use super::seen::Fate;
use super::walk::{Came, Met, Step, Walk};
use crate::directory::{Lookup, Ordinal, RecipientObject, RowRef};
use crate::mail::Mailbox;
use crate::policy::rules::{DisabledAccounts, Forwarding};
use crate::policy::{Fact, Refusal};
use crate::resolver::{Relaying, Resolved, Sources, lookup};
use crate::track::Reason;

/// Where a mailbox forwards to.
enum Forward {
    To(Ordinal),
    Address(Mailbox),
    Refused(Refusal),
}

impl Walk<'_> {
    pub(super) fn person(&mut self, ordinal: Ordinal, object: &RecipientObject, state: &State, met: Met) -> Step<Came> {
        if self.onward.contains(&ordinal) {
            // A loop is harmless if somebody in it keeps a copy.
            return Ok(if keeps_copy(object) {
                Came::Something
            } else {
                Came::Loop
            });
        }
        let direct = matches!(met, Met::Addressed(_) | Met::Released);
        if !direct && let Some(came) = self.again(ordinal, object, state, met)? {
            return Ok(came);
        }
        if met == Met::Entry && object.is_disabled_account() && self.rules.disabled_accounts == DisabledAccounts::Drop {
            if self.seen.dropped.insert(ordinal.0) {
                let reason = Reason::MemberDisabled;
                self.explain(&object.primary, vec![Fact::Dropped { reason }]);
                self.drop(object.primary.as_str(), reason);
            }
            return Ok(Came::Something);
        }
        if met == Met::Entry && self.view.suppressed.has(ordinal) {
            self.leave_out(ordinal, &object.primary);
            return Ok(Came::Something);
        }
        if !self.passes(ordinal, object, state, met)? {
            self.closed(ordinal, met);
            return Ok(Came::Something);
        }
        if direct && let Some(came) = self.again(ordinal, object, state, met)? {
            return Ok(came);
        }
        self.seen.objects.insert(ordinal.0);
        match self.forward(object) {
            Some(forward) => self.follow(ordinal, object, forward, state),
            None => self.deliver(ordinal, object, state),
        }
    }

    /// A member whose address its next hop refuses again and again, if that is to be left out.
    pub(super) fn leave_out(&mut self, ordinal: Ordinal, address: &Mailbox) {
        if self.seen.dropped.insert(ordinal.0) {
            let reason = Reason::MemberSuspect;
            self.explain(address, vec![Fact::Dropped { reason }]);
            self.drop(address.as_str(), reason);
        }
    }

    /// Where the mailbox forwards to, if that is for us to follow. A reference that names nobody any more is
    /// no forwarding: deleting the target ends it.
    fn forward(&self, object: &RecipientObject) -> Option<Forward> {
        match self.rules.forwarding {
            Forwarding::NextHop => return None,
            Forwarding::Here => {}
        }
        let delivery = object.delivery.as_deref()?;
        if let Some(reference) = &delivery.forwarding_address {
            // ForwardingAddress wins over ForwardingSmtpAddress (Set-Mailbox).
            return match self.view.directory.lookup_reference(reference.as_str()) {
                Lookup::One(target) => Some(Forward::To(target)),
                Lookup::Ambiguous(_) => Some(Forward::Refused(Refusal::of(Reason::RecipientAmbiguous, None))),
                Lookup::None => {
                    let mailbox = Mailbox::parse(reference.as_str().trim()).ok()?;
                    (!self.rules.accepted.owns(&mailbox)).then_some(Forward::Address(mailbox))
                }
            };
        }
        let mailbox = delivery.forwarding_smtp_address.as_ref()?;
        // What the directory says is as old as the list that led here, so an overdue source changes nothing.
        let resolved = lookup::resolve(
            mailbox,
            &self.view.directory,
            self.rules,
            Relaying::Allowed,
            Sources::Current,
        );
        Some(match resolved {
            Ok(Resolved::Object { ordinal, .. }) => Forward::To(ordinal),
            Ok(Resolved::Outside { mailbox, .. }) => Forward::Address(mailbox),
            Err(refusal) => Forward::Refused(refusal),
        })
    }

    /// Follows a forward. A forward that leads back and reaches nobody is a broken loop: the recipient where
    /// it began is refused (`exchange-semantics.md` §3.5).
    fn follow(&mut self, ordinal: Ordinal, object: &RecipientObject, forward: Forward, state: &State) -> Step<Came> {
        let delivery = object.delivery.as_deref();
        let keeps_copy = delivery
            .and_then(|delivery| delivery.deliver_and_forward)
            .unwrap_or(false);
        let view = self.view;
        let address = match &forward {
            Forward::To(target) => view.row(*target).map(RowRef::primary_address),
            Forward::Address(mailbox) => Some(mailbox.as_str()),
            Forward::Refused(_) => None,
        };
        self.fact(|| Fact::ForwardsTo {
            address: address.unwrap_or_default().to_owned(),
            keeps_copy,
        });
        let mut onward_state = state.clone();
        if keeps_copy {
            self.deliver(ordinal, object, state)?;
            // RFC 3461 §5.2.7: of two copies one reports success.
            onward_state.notify = state.notify.map(crate::mail::Notify::without_success);
        }
        let came = match forward {
            Forward::To(target) => {
                self.onward.push(ordinal);
                let came = self.object(target, &onward_state, Met::Onward)?;
                self.onward.pop();
                came
            }
            Forward::Address(mailbox) => {
                self.outside(&mailbox, &onward_state)?;
                Came::Something
            }
            Forward::Refused(refusal) => {
                self.refuse_branch(Some(ordinal), &object.primary, &onward_state, refusal)?;
                Came::Something
            }
        };
        if keeps_copy {
            return Ok(Came::Something);
        }
        self.unless_lost(came, ordinal, object, state)
    }

    /// Delivers to the final address. The target of a contact or mail user may be another object's address:
    /// then that object is met, with its own rules, and so on.
    fn deliver(&mut self, ordinal: Ordinal, object: &RecipientObject, state: &State) -> Step<Came> {
        let final_address = object.final_address();
        if *final_address != object.primary {
            self.fact(|| Fact::TargetIs {
                address: final_address.as_str().to_owned(),
            });
            match self.view.directory.lookup(&final_address.key()) {
                Lookup::None => {}
                Lookup::One(target) if target == ordinal => {}
                Lookup::One(target) => {
                    self.onward.push(ordinal);
                    let came = self.object(target, state, Met::Onward)?;
                    self.onward.pop();
                    return self.unless_lost(came, ordinal, object, state);
                }
                Lookup::Ambiguous(list) if list.contains(&ordinal) => {}
                Lookup::Ambiguous(_) => {
                    let refusal = Refusal::of(Reason::RecipientAmbiguous, Some(object.kind));
                    self.refuse_branch(Some(ordinal), &object.primary, state, refusal)?;
                    return Ok(Came::Something);
                }
            }
        }
        self.copy(Some((ordinal, object)), final_address, state)?;
        Ok(Came::Something)
    }

    /// What came of following somebody; if nothing did, he is refused where the way began.
    fn unless_lost(&mut self, came: Came, ordinal: Ordinal, object: &RecipientObject, state: &State) -> Step<Came> {
        let reason = match came {
            Came::Something => return Ok(Came::Something),
            Came::Loop => Reason::ForwardingLoop,
            Came::Nothing => Reason::GroupEmpty,
        };
        if self.onward.is_empty() {
            self.lost(ordinal, object, state, reason)?;
            return Ok(Came::Something);
        }
        self.seen.fates.insert(ordinal, Fate::Lost(reason));
        Ok(came)
    }
}

fn keeps_copy(object: &RecipientObject) -> bool {
    let delivery = object.delivery.as_deref();
    delivery
        .and_then(|delivery| delivery.deliver_and_forward)
        .unwrap_or(false)
}
