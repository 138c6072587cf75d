//! What a walk notes: copies, duplicates, refusals, holds, drops, notices, facts.
//!
//! In: a decision of the walk. Out: a line in the expansion and in the tally of the addressed recipient.
//! Never: decides; a note that only the log would see.

use super::outcome::{Branch, Halt, NewHold, Note, OwnerNotice, Recipient, RefusedBranch, Verdict};
use super::reports::State;
use super::request::Detail;
use super::routes::HopId;
use super::seen::Final;
use super::walk::{Step, Walk};
use crate::directory::delivery::ModerationNotice;
use crate::directory::{Ordinal, RecipientObject};
use crate::mail::Mailbox;
use crate::policy::gate::Asking;
use crate::policy::{Explanation, Fact, Refusal};
use crate::resolver::shared;
use crate::track::{EventKind, HoldCause, Reason};

impl Walk<'_> {
    pub(super) fn hold(&mut self, ordinal: Ordinal, object: &RecipientObject, state: &State, asking: Asking) {
        self.current.tally.held += 1;
        if self.is_top() {
            self.current.verdict = Verdict::Held;
        }
        if !self.seen.held.insert(ordinal.0) {
            return;
        }
        let settings = object
            .delivery
            .as_deref()
            .and_then(|delivery| delivery.moderation.as_deref());
        let Asking { cause, moderators } = asking;
        let (notice, quorum) = match cause {
            HoldCause::Moderation | HoldCause::LargeGroup => (
                settings.map(|settings| settings.notify).unwrap_or_default(),
                settings.and_then(|settings| settings.quorum),
            ),
            HoldCause::Storm => (settings.map(|settings| settings.notify).unwrap_or_default(), Some(1)),
            HoldCause::Confirmation => (ModerationNotice::Always, Some(1)),
            // Whoever is claimed to have sent it would hear of mail that is not his.
            HoldCause::Quarantine | HoldCause::Content => (ModerationNotice::Never, Some(1)),
        };
        self.out.holds.push(NewHold {
            braked: None,
            addressed: self.current.addressed,
            object: object.id.clone(),
            recipient: object.primary.clone(),
            path: self.path_text(),
            reverse_path: state.reverse_path.clone(),
            notify: state.notify,
            hidden: state.hidden,
            bypass_nested: state.approved_above,
            cause,
            moderators,
            notice,
            expiry: settings.and_then(|settings| settings.expiry),
            quorum,
            language: settings.and_then(|settings| settings.language.clone()),
        });
    }

    /// Notes what a gate refused: the verdict of the addressed recipient, or a refused branch below it.
    pub(super) fn refuse(
        &mut self,
        ordinal: Option<Ordinal>,
        recipient: &Mailbox,
        state: &State,
        refusal: Refusal,
    ) -> Step<()> {
        if self.is_top() && !refusal.is_transient() {
            self.current.verdict = Verdict::Refused(refusal);
            return Ok(());
        }
        self.refuse_branch(ordinal, recipient, state, refusal)
    }

    /// Notes a refused branch; if nothing else comes of the addressed recipient, it becomes its verdict. Trouble
    /// that may pass ends the whole (promise 7).
    pub(super) fn refuse_branch(
        &mut self,
        ordinal: Option<Ordinal>,
        recipient: &Mailbox,
        state: &State,
        refusal: Refusal,
    ) -> Step<()> {
        if refusal.is_transient() {
            return Err(self.halt(refusal, recipient));
        }
        self.current.tally.refused += 1;
        let path = self.path_text();
        self.out.events.push(EventKind::Branch {
            recipient: recipient.as_str().to_owned(),
            path: path.clone(),
            reply: refusal.reply.clone(),
            reason: refusal.reason,
        });
        self.out.refused.push(RefusedBranch {
            addressed: self.current.addressed,
            object: ordinal,
            recipient: recipient.clone(),
            path,
            reverse_path: state.reverse_path.clone(),
            notify: state.notify,
            hidden: state.hidden,
            refusal,
        });
        Ok(())
    }

    /// Leaves something out by a named rule.
    pub(super) fn drop(&mut self, recipient: &str, reason: Reason) {
        self.current.tally.dropped += 1;
        let group = self.path.last().and_then(|group| self.view.group(*group));
        self.out.events.push(EventKind::Drop {
            recipient: recipient.to_owned(),
            group: group.map(|group| group.primary.as_str().to_owned()),
            reason,
        });
    }

    /// An entry whose object is gone: dropped; of a group, the owner is told (DESIGN §5).
    pub(super) fn stale(&mut self, ordinal: Ordinal) {
        let view = self.view;
        match view.directory.tombstone(ordinal) {
            Some(tombstone) if tombstone.kind.is_group() => self.vanished(&tombstone.address),
            Some(tombstone) => self.drop(&tombstone.address, Reason::MemberDeleted),
            None => self.drop(&format!("object {}", ordinal.0), Reason::MemberDeleted),
        }
    }

    /// A nested group that is gone.
    pub(super) fn vanished(&mut self, address: &str) {
        self.drop(address, Reason::GroupVanished);
        let view = self.view;
        let Some(group) = self.path.last().and_then(|group| view.group(*group)) else {
            return;
        };
        if let Some(notice) = self
            .out
            .notices
            .last_mut()
            .filter(|notice| notice.group == group.primary)
        {
            notice.vanished.push(address.to_owned());
            return;
        }
        let managed_by = group.group.as_deref().map_or(&[][..], |settings| &settings.managed_by);
        self.out.notices.push(OwnerNotice {
            group: group.primary.clone(),
            owners: crate::policy::moderation::persons(managed_by, view),
            vanished: vec![address.to_owned()],
        });
    }

    /// A copy to an address that no object has.
    pub(super) fn outside(&mut self, mailbox: &Mailbox, state: &State) -> Step<()> {
        if let Some(domain) = shared::namespace(mailbox, self.rules)
            && !self.out.handed_over.contains(&domain)
        {
            self.out.handed_over.push(domain);
        }
        self.copy(None, mailbox, state)
    }

    /// A copy to somebody who is not taken set-wise.
    pub(super) fn copy(
        &mut self,
        object: Option<(Ordinal, &RecipientObject)>,
        final_address: &Mailbox,
        state: &State,
    ) -> Step<()> {
        let ordinal = object.map(|(ordinal, _)| ordinal);
        let ordinal = match self.seen.reach(final_address.key(), ordinal, &self.view.directory) {
            Final::New(ordinal) => ordinal,
            Final::Known => {
                self.duplicates(1);
                return Ok(());
            }
        };
        // An outside address may belong to an object after all: its contact.
        let place = ordinal.and_then(|ordinal| self.view.row(ordinal)).map(Into::into);
        match self.routes.hop(self.current.addressed, ordinal, place, final_address) {
            Err(reason) => self.refuse_branch(ordinal, final_address, state, Refusal::of(reason, None)),
            Ok(hop) => {
                self.reserve(1, final_address)?;
                let recipient = Recipient {
                    ordinal,
                    final_address: final_address.clone(),
                    hop,
                };
                self.branch(state).recipients.push(recipient);
                self.copies(1);
                Ok(())
            }
        }
    }

    /// One copy to an address at a given next hop. It is bound to no object, so that a later attempt does not ask
    /// the routes where the object's mail goes today.
    pub(super) fn copy_to(&mut self, hop: HopId, address: &Mailbox, state: &State) -> Step<()> {
        match self.seen.reach(address.key(), None, &self.view.directory) {
            Final::Known => {
                self.duplicates(1);
                return Ok(());
            }
            Final::New(_) => {}
        }
        self.reserve(1, address)?;
        let recipient = Recipient {
            ordinal: None,
            final_address: address.clone(),
            hop,
        };
        self.branch(state).recipients.push(recipient);
        self.copies(1);
        Ok(())
    }

    /// Makes sure that so many more recipients stay within the bound; beyond it nobody gets a copy.
    pub(super) fn reserve(&mut self, more: usize, at: &Mailbox) -> Step<()> {
        self.reached = self.reached.saturating_add(more);
        if self.reached > self.limits.recipients_max {
            return Err(self.halt(Refusal::of(Reason::TooManyRecipients, None), at));
        }
        Ok(())
    }

    /// The branch that copies with this envelope go into.
    pub(super) fn branch(&mut self, state: &State) -> &mut Branch {
        let addressed = self.current.addressed;
        let fits = self.out.branches.last().is_some_and(|last| {
            last.addressed == addressed
                && last.expanded == state.expanded
                && last.hidden == state.hidden
                && last.no_auto_replies == state.no_auto_replies
                && last.notify == state.notify
                && last.reverse_path == state.reverse_path
        });
        if !fits {
            self.out.branches.push(Branch {
                addressed,
                reverse_path: state.reverse_path.clone(),
                notify: state.notify,
                expanded: state.expanded,
                hidden: state.hidden,
                no_auto_replies: state.no_auto_replies,
                recipients: Vec::new(),
            });
        }
        self.out.branches.last_mut().expect("one was pushed if there was none")
    }

    pub(super) fn copies(&mut self, count: u64) {
        self.current.tally.recipients += count;
        if let Some((copies, _)) = self.counts.last_mut() {
            *copies += count;
        }
    }

    pub(super) fn duplicates(&mut self, count: u64) {
        self.current.tally.duplicates += count;
        if let Some((_, duplicates)) = self.counts.last_mut() {
            *duplicates += count;
        }
    }

    pub(super) fn note(&mut self, group: &Mailbox, reason: Reason) {
        self.out.notes.push(Note {
            group: group.clone(),
            reason,
        });
    }

    pub(super) fn halt(&self, refusal: Refusal, recipient: &Mailbox) -> Box<Halt> {
        Box::new(Halt {
            refusal,
            recipient: recipient.clone(),
            path: self.path_text(),
        })
    }

    pub(super) fn explain(&mut self, recipient: &Mailbox, facts: Vec<Fact>) {
        match self.request.detail {
            Detail::Quiet => {}
            Detail::Explain => self.out.explanations.push(Explanation {
                recipient: recipient.as_str().to_owned(),
                path: self.path_text(),
                facts,
            }),
        }
    }

    /// Adds a fact to the latest explanation, which is that of the object at hand.
    pub(super) fn fact(&mut self, fact: impl FnOnce() -> Fact) {
        match self.request.detail {
            Detail::Quiet => {}
            Detail::Explain => {
                if let Some(explanation) = self.out.explanations.last_mut() {
                    explanation.facts.push(fact());
                }
            }
        }
    }
}
